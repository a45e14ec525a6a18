/*
 * diff_owners.c - the holder that an object belongs to: the strongest kind of root that reaches
 * it, and of several of that kind the nearest.
 *
 * Breadth-first search from all holders of the strongest kind at once, to its end; then from
 * those of the next kind over what is left; and so on. Each object is claimed and expanded once:
 * one pass over the edges.
 */
#include <stdlib.h>
#include <string.h>

#include "heapwalk/views/diff_private.h"

struct search {
	struct diff_side *side;
	uint32_t *queue;
	uint32_t head, tail;
};

static void claim(struct search *search, uint32_t node, uint32_t holder)
{
	const uint32_t *targets;
	uint64_t count = hf_graph_out(search->side->analysis->graph, node, &targets);

	for (uint64_t i = 0; i < count; i++) {
		uint32_t target = HF_EDGE_NODE(targets[i]);
		if (search->side->owner[target] != DIFF_NONE)
			continue;
		search->side->owner[target] = holder;
		search->queue[search->tail++] = target;
	}
}

static void claim_by_kind(struct search *search, enum hf_holder_kind kind)
{
	const struct hf_analysis *analysis = search->side->analysis;
	uint32_t first = hf_graph_objects(analysis->graph);

	for (uint32_t i = 0; i < hf_graph_holders(analysis->graph); i++) {
		uint32_t index = hf_graph_holder_index(analysis->graph, first + i);
		if (analysis->roots.holders.data[index].kind == kind)
			claim(search, first + i, first + i);
	}
	while (search->head < search->tail) {
		uint32_t object = search->queue[search->head++];
		claim(search, object, search->side->owner[object]);
	}
}

struct hf_error *diff_find_owners(struct diff_side *side)
{
	uint32_t objects = hf_graph_objects(side->analysis->graph);
	struct search search = {.side = side};

	search.queue = malloc(((size_t)objects + 1) * sizeof(*search.queue));
	side->owner = malloc(((size_t)objects + 1) * sizeof(*side->owner));
	if (!search.queue || !side->owner) {
		free(search.queue);
		return hf_error_nomem();
	}
	memset(side->owner, 0xff, ((size_t)objects + 1) * sizeof(*side->owner));
	for (unsigned kind = 0; kind < HF_HOLDER_KINDS; kind++)
		claim_by_kind(&search, kind);
	free(search.queue);
	return NULL;
}
