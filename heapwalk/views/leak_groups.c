/*
 * leak_groups.c - objects of a leak kind, grouped (see leak_groups.h).
 *
 * Objects in parts for all processors, each with groups of its own; they are joined in the order of
 * the parts, so that they do not depend on the threads.
 */
#include "heapwalk/views/leak_groups.h"

#include <stdlib.h>

#include "core/base/parallel.h"

enum { PART = 1 << 20 };

/* Groups by type and size: open addressing, group + 1; 0 is free. */
struct group_index {
	uint32_t *slots;
	size_t count; /* power of two */
};

static uint64_t group_hash(uint32_t type, uint64_t usable, uint8_t kind)
{
	uint64_t hash = (usable * 31 + type) * 5 + kind;
	return (hash * UINT64_C(0x9e3779b97f4a7c15)) >> 20;
}

static bool grow_index(struct group_index *index, const struct hf_leak_groups *groups)
{
	size_t count = index->count ? index->count * 2 : 1024;
	uint32_t *slots = calloc(count, sizeof(*slots));
	if (!slots)
		return false;
	free(index->slots);
	*index = (struct group_index){slots, count};
	for (size_t i = 0; i < groups->count; i++) {
		const struct hf_leak_group *group = &groups->data[i];
		size_t at = group_hash(group->type, group->usable, group->kind) & (count - 1);
		while (slots[at])
			at = (at + 1) & (count - 1);
		slots[at] = (uint32_t)i + 1;
	}
	return true;
}

static struct hf_leak_group *group_of(struct group_index *index, struct hf_leak_groups *groups,
				      uint32_t type, uint64_t usable, uint8_t kind)
{
	if (groups->count * 2 >= index->count && !grow_index(index, groups))
		return NULL;
	size_t at = group_hash(type, usable, kind) & (index->count - 1);
	for (; index->slots[at]; at = (at + 1) & (index->count - 1)) {
		struct hf_leak_group *group = &groups->data[index->slots[at] - 1];
		if (group->type == type && group->usable == usable && group->kind == kind)
			return group;
	}
	struct hf_leak_group group = {
	    .usable = usable, .type = type, .kind = kind, .example = HF_NO_NODE};
	if (!hf_vec_push(groups, group))
		return NULL;
	index->slots[at] = (uint32_t)groups->count;
	return &groups->data[groups->count - 1];
}

struct part {
	struct hf_leak_groups groups;
	struct hf_leak_total suppressed;
	bool failed;
};

struct adding {
	const struct hf_analysis *analysis;
	const struct hf_suppressions *suppressions;
	enum hf_leak_kind kind;
	struct part *parts;
};

static bool add_object(const struct adding *adding, uint32_t id, struct group_index *index,
		       struct part *part)
{
	const struct hf_analysis *analysis = adding->analysis;
	uint64_t retained = hf_graph_retained(analysis->graph, id);

	if (hf_suppressed(adding->suppressions, analysis, id)) {
		part->suppressed.count++;
		part->suppressed.bytes += retained;
		return true;
	}
	struct hf_leak_group *group =
	    group_of(index, &part->groups, hf_typing_of(analysis->typing, id),
		     hf_extents_usable(analysis->extents, id), (uint8_t)adding->kind);
	if (!group)
		return false;
	group->count++;
	group->bytes += hf_extents_chunk_bytes(analysis->extents, id);
	group->retained += retained;
	if (group->example == HF_NO_NODE ||
	    retained > hf_graph_retained(analysis->graph, group->example))
		group->example = id;
	return true;
}

static void add_part(void *ctx, uint64_t number, unsigned worker)
{
	const struct adding *adding = ctx;
	const struct hf_graph *graph = adding->analysis->graph;
	struct part *part = &adding->parts[number];
	struct group_index index = {0};
	uint32_t objects = hf_graph_objects(graph), id = (uint32_t)number * PART;
	uint32_t end = objects - id > PART ? id + PART : objects;
	bool fine = true;
	(void)worker;

	for (; id < end && fine; id++) {
		if (hf_graph_leak_kind(graph, id) == adding->kind)
			fine = add_object(adding, id, &index, part);
	}
	free(index.slots);
	part->failed = !fine;
}

static bool join_part(const struct adding *adding, const struct part *part,
		      struct group_index *index, struct hf_leak_groups *ret)
{
	const struct hf_graph *graph = adding->analysis->graph;

	hf_vec_foreach (from, &part->groups) {
		struct hf_leak_group *to =
		    group_of(index, ret, from->type, from->usable, from->kind);
		if (!to)
			return false;
		to->count += from->count;
		to->bytes += from->bytes;
		to->retained += from->retained;
		if (to->example == HF_NO_NODE ||
		    hf_graph_retained(graph, from->example) > hf_graph_retained(graph, to->example))
			to->example = from->example;
	}
	return !part->failed;
}

struct hf_error *hf_leak_groups_add(const struct hf_analysis *analysis, enum hf_leak_kind kind,
				    const struct hf_suppressions *suppressions,
				    struct hf_leak_total *suppressed, struct hf_leak_groups *ret)
{
	struct group_index index = {0};
	uint64_t parts = (hf_graph_objects(analysis->graph) + PART - 1ull) / PART;
	struct adding adding = {analysis, suppressions, kind,
				calloc(parts + 1, sizeof(*adding.parts))};
	/* A suppression wants names of types, which are not for threads. */
	unsigned threads = suppressions ? 1 : analysis->threads;
	bool fine = adding.parts && grow_index(&index, ret);

	if (fine)
		hf_parallel_for(threads, parts, add_part, &adding);
	for (uint64_t i = 0; adding.parts && i < parts; i++) {
		struct part *part = &adding.parts[i];
		fine = fine && join_part(&adding, part, &index, ret);
		suppressed->count += part->suppressed.count;
		suppressed->bytes += part->suppressed.bytes;
		hf_vec_free(&part->groups);
	}
	free(adding.parts);
	free(index.slots);
	return fine ? NULL : hf_error_nomem();
}

static int by_retained(const void *a, const void *b)
{
	const struct hf_leak_group *x = a, *y = b;
	if (x->retained != y->retained)
		return x->retained < y->retained ? 1 : -1;
	return (x->example > y->example) - (x->example < y->example);
}

void hf_leak_groups_sort(struct hf_leak_groups *groups)
{
	if (groups->count > 1)
		qsort(groups->data, groups->count, sizeof(*groups->data), by_retained);
}
