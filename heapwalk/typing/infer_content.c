/*
 * infer_content.c - objects that no typed pointer leads to, by where their own pointers lead.
 *
 * What is lost, or only reached through casts, still points at things whose type is known: its
 * owner, a table of operations, its neighbours. A structure of the right size that has a pointer
 * of that type at that very place is a candidate; the word after word comparison with all that
 * the object holds (check.c) must find nothing wrong, and no other candidate may come near. One
 * such pointer is too little where nothing else speaks for it: other memory may begin like this.
 *
 *	offset 0: -> struct dict_type (a variable)   }   the structures with both of these,
 *	offset 8: -> struct entry *[]                }   of 56 bytes: struct dict alone
 */
#include <stdlib.h>
#include <string.h>

#include "core/base/parallel.h"
#include "heapwalk/typing/propagate.h"

enum {
	MAX_PLACES = 1 << 21,
	MAX_WORDS = 64,
	MAX_CANDIDATES = 64,
	MAX_BYTES = 1 << 16,
	RIGHT_POINTER = 4, /* what check.c counts for one */
	MARKS_LOWEST = 20, /* bits of an address's mark, at least */
	MARKS_EACH = 16,   /* bits of the marks for each that is marked */
};

struct contents {
	struct outer_list list; /* of pointers to structures */
	uint64_t *marks;	/* see mark_all() */
	unsigned mark_bits;
};

void contents_destroy(struct contents *contents)
{
	if (!contents)
		return;
	hf_vec_free(&contents->list);
	free(contents->marks);
	free(contents);
}

static bool is_structure(struct propagation *prop, uint32_t ctype)
{
	const struct hf_ctype *of = hf_ctype_get(prop->symbols, ctype);
	return of->kind == HF_CTYPE_STRUCT && of->size > 0;
}

static void add_pointers(struct propagation *prop, struct outer_list *list, uint32_t outer)
{
	if (hf_ctype_get(prop->symbols, outer)->size > MAX_BYTES)
		return;
	const struct layout *layout = layout_of(prop->typing->layouts, outer);

	for (uint32_t i = 0; i < layout->pointers && list->count < MAX_PLACES; i++) {
		const struct leaf *leaf = &layout->leaves[i];
		struct outer place = {leaf->target, outer, leaf->offset};
		if (leaf->flags & (LEAF_IN_UNION | LEAF_FLEXIBLE) ||
		    !is_structure(prop, leaf->target))
			continue;
		for (uint64_t n = 0; n < leaf->count && n < MAX_WORDS; n++) {
			if (!hf_vec_push(list, place))
				prop->failed = true;
			place.offset += leaf->stride;
		}
	}
}

static struct contents *open_contents(struct propagation *prop)
{
	struct contents *contents = calloc(1, sizeof(*contents));

	if (contents && propagation_list_outers(prop, add_pointers, &contents->list))
		return contents;
	contents_destroy(contents);
	prop->failed = true;
	return NULL;
}

/* ---- what may be pointed at ------------------------------------------------------------------ */

static uint64_t mark_of(const struct contents *contents, uint64_t address)
{
	/* Fibonacci hashing (Knuth, TAOCP 6.4): the upper bits of a product. */
	return address * UINT64_C(0x9e3779b97f4a7c15) >> (64 - contents->mark_bits);
}

/* By any thread. */
static void mark(struct contents *contents, uint64_t address)
{
	uint64_t at = mark_of(contents, address);
	__atomic_fetch_or(&contents->marks[at / 64], UINT64_C(1) << at % 64, __ATOMIC_RELAXED);
}

/* May anything known begin there? Without marks: it may. */
static bool is_marked(const struct contents *contents, uint64_t address)
{
	if (!contents->marks)
		return true;
	uint64_t at = mark_of(contents, address);
	return contents->marks[at / 64] >> at % 64 & 1;
}

/* Where a structure begins in @object; 0: none is known there. */
static uint64_t structure_in(const struct propagation *prop, uint32_t object)
{
	uint32_t packed = prop->typing->of[object];
	const struct hf_type *type;

	if (packed == TYPE_NONE ||
	    (packed_rank(packed) >= RANK_SCALAR && packed_rank(packed) != RANK_INFERRED))
		return 0;
	type = &prop->typing->types.data[packed_type(packed)];
	return type->ctype ? hf_extents_address(prop->extents, object) + type->offset : 0;
}

/* A sweep over all objects, in parts (see private.h). */
struct sweep {
	const struct propagation *prop;
	struct contents *contents;
	uint64_t *structures; /* by part: how many are in it */
	uint64_t *leading;    /* a bit for each object: has a word that is marked */
};

static void count_part(void *ctx, uint64_t part, unsigned worker)
{
	struct sweep *sweep = ctx;
	const struct hf_typing *typing = sweep->prop->typing;
	uint64_t count = 0;
	(void)worker;

	for (uint32_t id = (uint32_t)(part * SWEEP_PART); id < sweep_end(typing, part); id++)
		count += structure_in(sweep->prop, id) != 0;
	sweep->structures[part] = count;
}

static void mark_part(void *ctx, uint64_t part, unsigned worker)
{
	struct sweep *sweep = ctx;
	const struct hf_typing *typing = sweep->prop->typing;
	uint32_t end = sweep->structures[part] ? sweep_end(typing, part) : 0;
	(void)worker;

	for (uint32_t id = (uint32_t)(part * SWEEP_PART); id < end; id++) {
		uint64_t address = structure_in(sweep->prop, id);
		if (address)
			mark(sweep->contents, address);
	}
}

/*
 * Most words lead to nothing whose type is known, and to see that costs two misses of the cache. So
 * the places of all structures and variables are marked in a bitmap by their hash (Bloom 1970, with
 * one function): a word whose bit is not set is none of them.
 */
static bool mark_all(struct sweep *sweep)
{
	const struct hf_variables *variables = hf_symbols_variables(sweep->prop->symbols);
	const struct hf_typing *typing = sweep->prop->typing;
	struct contents *contents = sweep->contents;
	uint64_t count = variables->count, parts = sweep_parts(typing);

	sweep->structures = calloc(parts + 1, sizeof(*sweep->structures));
	if (!sweep->structures)
		return false;
	hf_parallel_for(typing->threads, parts, count_part, sweep);
	for (uint64_t part = 0; part < parts; part++)
		count += sweep->structures[part];
	contents->mark_bits = MARKS_LOWEST;
	while (UINT64_C(1) << contents->mark_bits < count * MARKS_EACH)
		contents->mark_bits++;
	contents->marks = calloc((UINT64_C(1) << contents->mark_bits) / 64, sizeof(uint64_t));
	if (!contents->marks)
		return false;
	hf_vec_foreach (variable, variables)
		mark(contents, variable->address);
	hf_parallel_for(typing->threads, parts, mark_part, sweep);
	return true;
}

/* May its own pointers tell what @object is? That nothing else told. */
static bool is_open(const struct hf_typing *typing, uint32_t object)
{
	uint32_t packed = typing->of[object];
	return packed == TYPE_NONE || packed_rank(packed) == RANK_PART;
}

/* Is any of the first @count words at @data marked? In one loop without calls where it can be. */
static bool any_marked(const struct contents *contents, const struct hf_image *image,
		       const uint8_t *data, uint64_t count)
{
	const struct contents held = *contents; /* for the compiler: nothing changes it */
	uint64_t value = 0;

	if (image->word_bytes != sizeof(value) || image->big_endian) {
		for (uint64_t i = 0; i < count; i++) {
			value = hf_image_word_at(image, data + i * image->word_bytes);
			if (is_marked(&held, value))
				return true;
		}
		return false;
	}
	for (uint64_t i = 0; i < count; i++) {
		memcpy(&value, data + i * sizeof(value), sizeof(value));
		if (is_marked(&held, value))
			return true;
	}
	return false;
}

static void lead_part(void *ctx, uint64_t part, unsigned worker)
{
	struct sweep *sweep = ctx;
	const struct hf_typing *typing = sweep->prop->typing;
	const struct hf_image *image = sweep->prop->image;
	const struct hf_segment *last = NULL;
	unsigned shift = (unsigned)__builtin_ctz(image->word_bytes); /* a division is slow */
	uint64_t bits = 0;
	uint32_t end = sweep_end(typing, part);
	(void)worker;

	for (uint32_t id = (uint32_t)(part * SWEEP_PART); id < end; id++) {
		uint64_t bytes = 0;
		const uint8_t *data =
		    is_open(typing, id) ? typing_bytes_near(typing, id, &last, &bytes) : NULL;
		uint64_t words = bytes >> shift < MAX_WORDS ? bytes >> shift : MAX_WORDS;
		if (data && any_marked(sweep->contents, image, data, words))
			bits |= UINT64_C(1) << id % 64;
		if (id % 64 == 63 || id + 1 == end) {
			sweep->leading[id / 64] = bits;
			bits = 0;
		}
	}
}

/* ---- one object ------------------------------------------------------------------------------ */

static bool fits(const struct propagation *prop, uint32_t ctype, uint64_t usable)
{
	const struct layout *layout = layout_of(prop->typing->layouts, ctype);
	enum form form = layout_form(layout, usable, false);
	return form == FORM_FLEXIBLE || (form == FORM_ONE && (usable - layout->size <= FORM_SLACK ||
							      usable <= FORM_MIN_USABLE));
}

/* The structure for which most speaks and nothing against it; 0: none, or not by far. */
static uint32_t best_candidate(struct propagation *prop, uint32_t object, uint32_t target,
			       uint64_t offset)
{
	const struct outer_list *list = &prop->contents->list;
	uint64_t usable = hf_extents_usable(prop->extents, object);
	uint32_t best = 0, best_good = 0, second_good = 0, tried = 0;

	for (size_t i = propagation_first_outer(list, target, offset); i < list->count; i++) {
		const struct outer *at = &list->data[i];
		if (at->inner != target || at->offset != offset)
			break;
		if (!fits(prop, at->outer, usable))
			continue;
		if (++tried > MAX_CANDIDATES)
			return 0;
		struct verdict verdict = propagation_check_all(prop, object, at->outer);
		if (verdict.bad)
			continue;
		if (verdict.good > best_good) {
			second_good = best_good;
			best_good = verdict.good;
			best = at->outer;
		} else if (verdict.good > second_good) {
			second_good = verdict.good;
		}
	}
	return best_good >= RIGHT_POINTER && second_good * 2 < best_good ? best : 0;
}

/* Pointers of @object that lead to what @ctype says; one to a variable, a table of operations say,
 * counts twice, for few structures have it. */
static unsigned right_pointers(struct propagation *prop, uint32_t object, uint32_t ctype)
{
	const struct layout *layout = layout_of(prop->typing->layouts, ctype);
	uint64_t base = hf_extents_address(prop->extents, object), value = 0;
	unsigned count = 0;

	for (uint32_t i = 0; i < layout->pointers && count < 2; i++) {
		const struct leaf *leaf = &layout->leaves[i];
		if (leaf->flags & LEAF_IN_UNION || !is_structure(prop, leaf->target) ||
		    !hf_image_word(prop->image, base + leaf->offset, &value) ||
		    propagation_type_at(prop, value) != leaf->target)
			continue;
		count += value - prop->low < prop->high - prop->low ? 1 : 2;
	}
	return count;
}

/* Is any structure a candidate? */
static bool have_contents(struct propagation *prop)
{
	if (!prop->contents && !prop->failed)
		prop->contents = open_contents(prop);
	return prop->contents && prop->contents->list.count > 0;
}

uint32_t propagation_by_content(struct propagation *prop, uint32_t object)
{
	uint64_t word = prop->image->word_bytes, available = 0;
	uint64_t usable = hf_extents_usable(prop->extents, object);

	if (!have_contents(prop))
		return 0;
	const uint8_t *data =
	    propagation_view(prop, hf_extents_address(prop->extents, object), &available);

	available = available < usable ? available : usable;
	for (uint64_t i = 0; data && i < MAX_WORDS && (i + 1) * word <= available; i++) {
		uint64_t value = hf_image_word_at(prop->image, data + i * word);
		if (!is_marked(prop->contents, value))
			continue;
		uint32_t target = propagation_type_at(prop, value);
		uint32_t found =
		    is_structure(prop, target) ? best_candidate(prop, object, target, i * word) : 0;
		if (found)
			return found;
	}
	return 0;
}

static bool infer_one(struct propagation *prop, uint32_t id)
{
	uint32_t ctype = propagation_by_content(prop, id);
	if (ctype && right_pointers(prop, id, ctype) < 2)
		return false;
	uint32_t type =
	    ctype ? typing_intern_ctype(prop->typing, ctype, HF_FORM_ONE, 0) : TYPE_NONE;
	if (type == TYPE_NONE)
		return false;
	propagation_assign(prop, id, type, HF_TYPE_FIELD, RANK_INFERRED);
	mark(prop->contents, structure_in(prop, id));
	return true;
}

/*
 * Objects with no word that was marked before are passed over. But what gets a type here is marked
 * too: from the first of these on all are looked at.
 */
static bool infer_all(struct propagation *prop, const uint64_t *leading)
{
	uint32_t count = hf_extents_count(prop->extents);
	bool any = false;

	for (uint32_t id = 0; id < count && !prop->failed; id++) {
		if (!any && !leading[id / 64]) {
			id |= 63;
			continue;
		}
		if (is_open(prop->typing, id) && (any || leading[id / 64] >> id % 64 & 1))
			any |= infer_one(prop, id);
	}
	return any;
}

bool propagation_infer_content(struct propagation *prop)
{
	uint64_t bytes = ((uint64_t)hf_extents_count(prop->extents) / 64 + 1) * sizeof(uint64_t);
	bool any = false;

	if (!have_contents(prop))
		return false;
	struct sweep sweep = {.prop = prop, .contents = prop->contents};
	sweep.leading = hf_bigmem_take(NULL, bytes);
	if (sweep.leading && mark_all(&sweep)) {
		hf_parallel_for(prop->typing->threads, sweep_parts(prop->typing), lead_part,
				&sweep);
		any = infer_all(prop, sweep.leading);
	} else {
		prop->failed = true;
	}
	hf_bigmem_free(NULL, sweep.leading, bytes);
	free(sweep.structures);
	free(prop->contents->marks);
	prop->contents->marks = NULL;
	return any;
}
