/*
 * diff_objects.c - growth by type and by size class; objects matched by address.
 *
 * Matching: both object arrays are in address order, so one merge finds the common addresses.
 * Two objects at one address are the same if their kind is, and their type; where neither has
 * more than a shape (which follows the content) their size must be the same instead. Then
 *
 *	bytes before + fresh - gone + resized in place = bytes after
 *
 * A block that was freed and handed out again for the same type cannot be told from one that
 * stayed: it counts as kept. Malloc's own blocks are left out.
 */
#include <stdlib.h>
#include <string.h>

#include "heapwalk/views/diff_private.h"

enum { AT_SYSINFO_EHDR_ = 33, AT_RANDOM_ = 25, AT_ENTRY_ = 9, RANDOM_BYTES = 16 };

/* ---- types ----------------------------------------------------------------------------------- */

static struct hf_error *type_rows(struct hf_diff *diff, struct diff_labels *names,
				  enum diff_when when)
{
	struct diff_side *side = &diff->side[when];
	const struct hf_typing *typing = side->analysis->typing;
	uint32_t count = hf_typing_types(typing);

	side->type_row = calloc((size_t)count + 1, sizeof(*side->type_row));
	if (!side->type_row)
		return hf_error_nomem();
	for (uint32_t i = 0; i < count; i++) {
		const struct hf_type *type = hf_typing_type(typing, i);
		uint32_t row = diff_label(names, DIFF_LABEL_TYPE, type->name);
		if (row == DIFF_NONE)
			return hf_error_nomem();
		if (row == diff->types.count) {
			struct diff_type fresh = {.name = type->name,
						  .source = hf_type_source_name(type->source)};
			if (!hf_vec_push(&diff->types, fresh))
				return hf_error_nomem();
		}
		diff->types.data[row].side[when].count += type->count;
		diff->types.data[row].side[when].bytes += type->bytes;
		side->type_row[i] = row;
	}
	return NULL;
}

struct hf_error *diff_find_types(struct hf_diff *diff)
{
	struct diff_labels names = {0};
	struct hf_error *err = diff_labels_init(&names);

	if (!err)
		err = type_rows(diff, &names, DIFF_BEFORE);
	if (!err)
		err = type_rows(diff, &names, DIFF_AFTER);
	diff_labels_deinit(&names);
	return err;
}

static int by_growth(const void *a, const void *b)
{
	const struct diff_type *x = a, *y = b;
	int64_t grown_x = (int64_t)(x->side[DIFF_AFTER].bytes - x->side[DIFF_BEFORE].bytes);
	int64_t grown_y = (int64_t)(y->side[DIFF_AFTER].bytes - y->side[DIFF_BEFORE].bytes);

	if (grown_x != grown_y)
		return grown_x > grown_y ? -1 : 1;
	if (x->side[DIFF_AFTER].bytes != y->side[DIFF_AFTER].bytes)
		return x->side[DIFF_AFTER].bytes > y->side[DIFF_AFTER].bytes ? -1 : 1;
	return strcmp(x->name, y->name);
}

void diff_sort_types(struct hf_diff *diff)
{
	if (diff->types.count > 1)
		qsort(diff->types.data, diff->types.count, sizeof(*diff->types.data), by_growth);
}

/* ---- size classes ---------------------------------------------------------------------------- */

static uint32_t class_of(uint64_t bytes)
{
	if (bytes <= DIFF_EXACT_BYTES)
		return (uint32_t)(bytes / 8);
	return DIFF_EXACT_BYTES / 8 + 1 + 63 - (uint32_t)__builtin_clzll(bytes - 1);
}

void diff_class_range(uint32_t class, uint64_t *ret_from, uint64_t *ret_to)
{
	if (class <= DIFF_EXACT_BYTES / 8) {
		*ret_from = *ret_to = (uint64_t) class * 8;
		return;
	}
	unsigned power = class - DIFF_EXACT_BYTES / 8 - 1;
	*ret_from = (UINT64_C(1) << power) + 1;
	*ret_to = power == 63 ? UINT64_MAX : UINT64_C(2) << power;
}

void diff_count_classes(struct hf_diff *diff)
{
	for (unsigned when = 0; when < DIFF_SIDES; when++) {
		const struct hf_extents *extents = diff->side[when].analysis->extents;
		for (uint32_t id = 0; id < hf_extents_count(extents); id++) {
			uint64_t bytes = hf_extents_chunk_bytes(extents, id);
			struct diff_amount *amount = &diff->classes[class_of(bytes)][when];
			amount->count++;
			amount->bytes += bytes;
		}
	}
}

/* ---- objects --------------------------------------------------------------------------------- */

/* The 16 random bytes that the kernel gave the process; false if they are not there. */
static bool random_bytes(const struct hf_process *process, uint8_t ret[RANDOM_BYTES])
{
	uint64_t address = 0, available = 0;

	if (!hf_process_auxv(process, AT_RANDOM_, &address))
		return false;
	const uint8_t *bytes = hf_image_at(&process->image, address, &available);
	if (!bytes || available < RANDOM_BYTES)
		return false;
	memcpy(ret, bytes, RANDOM_BYTES);
	return true;
}

bool diff_same_process(const struct hf_process *before, const struct hf_process *after)
{
	static const uint64_t types[] = {AT_RANDOM_, AT_ENTRY_, AT_SYSINFO_EHDR_};
	uint8_t random[DIFF_SIDES][RANDOM_BYTES];
	bool known = false;

	if (before->info.pid != after->info.pid ||
	    strcmp(before->info.command, after->info.command) != 0)
		return false;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		uint64_t value[DIFF_SIDES] = {0};
		if (hf_process_auxv(before, types[i], &value[DIFF_BEFORE]) !=
			hf_process_auxv(after, types[i], &value[DIFF_AFTER]) ||
		    value[DIFF_BEFORE] != value[DIFF_AFTER])
			return false;
		known = known || value[DIFF_BEFORE];
	}
	if (!random_bytes(before, random[DIFF_BEFORE]) || !random_bytes(after, random[DIFF_AFTER]))
		return known;
	return !memcmp(random[DIFF_BEFORE], random[DIFF_AFTER], RANDOM_BYTES);
}

static void count_one(struct hf_diff *diff, enum diff_when when, uint32_t id)
{
	const struct diff_side *side = &diff->side[when];
	uint64_t bytes = hf_extents_chunk_bytes(side->analysis->extents, id);
	struct diff_type *type =
	    &diff->types.data[side->type_row[hf_typing_of(side->analysis->typing, id)]];
	if (hf_extents_kind(side->analysis->extents, id) == HF_OBJECT_ALLOCATOR)
		return;
	struct diff_amount *all = when == DIFF_AFTER ? &diff->objects.fresh : &diff->objects.gone;
	struct diff_amount *typed = when == DIFF_AFTER ? &type->fresh : &type->gone;

	all->count++;
	all->bytes += bytes;
	typed->count++;
	typed->bytes += bytes;
}

static bool only_a_shape(const struct hf_analysis *analysis, uint32_t id)
{
	uint8_t source =
	    hf_typing_type(analysis->typing, hf_typing_of(analysis->typing, id))->source;
	return source == HF_TYPE_SHAPE || source == HF_TYPE_STRING;
}

static bool same_object(const struct hf_diff *diff, uint32_t old_id, uint32_t new_id)
{
	const struct diff_side *before = &diff->side[DIFF_BEFORE], *after = &diff->side[DIFF_AFTER];
	const struct hf_analysis *x = before->analysis, *y = after->analysis;

	if (hf_extents_kind(x->extents, old_id) != hf_extents_kind(y->extents, new_id))
		return false;
	if (before->type_row[hf_typing_of(x->typing, old_id)] ==
	    after->type_row[hf_typing_of(y->typing, new_id)])
		return true;
	return only_a_shape(x, old_id) && only_a_shape(y, new_id) &&
	       hf_extents_chunk_bytes(x->extents, old_id) ==
		   hf_extents_chunk_bytes(y->extents, new_id);
}

/* Two objects at one address. */
static void match_pair(struct hf_diff *diff, uint32_t old_id, uint32_t new_id)
{
	struct diff_objects *objects = &diff->objects;

	if (!same_object(diff, old_id, new_id)) {
		count_one(diff, DIFF_BEFORE, old_id);
		count_one(diff, DIFF_AFTER, new_id);
		return;
	}
	if (hf_extents_kind(diff->side[DIFF_AFTER].analysis->extents, new_id) ==
	    HF_OBJECT_ALLOCATOR)
		return;
	uint64_t was = hf_extents_chunk_bytes(diff->side[DIFF_BEFORE].analysis->extents, old_id);
	uint64_t is = hf_extents_chunk_bytes(diff->side[DIFF_AFTER].analysis->extents, new_id);
	objects->kept.count++;
	objects->kept.bytes += is;
	objects->resized_count += is != was;
	objects->resized_bytes += (int64_t)(is - was);
}

void diff_match_objects(struct hf_diff *diff)
{
	const struct hf_analysis *before = diff->side[DIFF_BEFORE].analysis;
	const struct hf_analysis *after = diff->side[DIFF_AFTER].analysis;
	uint32_t old_count = hf_extents_count(before->extents), old_id = 0;
	uint32_t new_count = hf_extents_count(after->extents), new_id = 0;

	diff->objects.matched = diff_same_process(before->process, after->process);
	if (!diff->objects.matched)
		return;
	while (old_id < old_count || new_id < new_count) {
		uint64_t old_at =
		    old_id < old_count ? hf_extents_address(before->extents, old_id) : UINT64_MAX;
		uint64_t new_at =
		    new_id < new_count ? hf_extents_address(after->extents, new_id) : UINT64_MAX;
		if (old_at == new_at)
			match_pair(diff, old_id++, new_id++);
		else if (old_at < new_at)
			count_one(diff, DIFF_BEFORE, old_id++);
		else
			count_one(diff, DIFF_AFTER, new_id++);
	}
}
