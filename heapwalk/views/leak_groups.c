/*
 * leak_groups.c - objects of a leak kind, grouped (see leak_groups.h).
 */
#include "heapwalk/views/leak_groups.h"

#include <stdlib.h>

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

struct hf_error *hf_leak_groups_add(const struct hf_analysis *analysis, enum hf_leak_kind kind,
				    const struct hf_suppressions *suppressions,
				    struct hf_leak_total *suppressed, struct hf_leak_groups *ret)
{
	struct group_index index = {0};
	const struct hf_graph *graph = analysis->graph;
	bool fine = grow_index(&index, ret);

	for (uint32_t id = 0; id < hf_graph_objects(graph) && fine; id++) {
		if (hf_graph_leak_kind(graph, id) != kind)
			continue;
		uint64_t retained = hf_graph_retained(graph, id);
		if (hf_suppressed(suppressions, analysis, id)) {
			suppressed->count++;
			suppressed->bytes += retained;
			continue;
		}
		struct hf_leak_group *group =
		    group_of(&index, ret, hf_typing_of(analysis->typing, id),
			     hf_extents_usable(analysis->extents, id), (uint8_t)kind);
		fine = group != NULL;
		if (!fine)
			break;
		group->count++;
		group->bytes += hf_extents_chunk_bytes(analysis->extents, id);
		group->retained += retained;
		if (group->example == HF_NO_NODE ||
		    retained > hf_graph_retained(graph, group->example))
			group->example = id;
	}
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
