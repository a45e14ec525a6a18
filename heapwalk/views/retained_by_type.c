/*
 * retained_by_type.c - what each type keeps alive.
 *
 * An object counts with its retained bytes if no object of its type is above it in the dominator
 * tree, however many others stand between: so a list counts once, lists whose nodes alternate
 * do, too, and no type ever keeps more than the heap.
 *
 * Algorithm, for a few types, 25 at a time: for each object a set of those that are at or above it,
 * made from its dominator's (from_above.h). For many types: one walk down the tree and back, with a
 * count of each type's objects above; it takes as long as several such searches.
 */
#include <stdlib.h>

#include "heapwalk/views/from_above.h"
#include "heapwalk/views/sections.h"

enum { MOST_SEARCHES = 8 };

static struct hf_error *search_few(const struct hf_analysis *analysis, const uint32_t *types,
				   uint32_t count, uint64_t *retained)
{
	struct hf_error *err = NULL;

	for (uint32_t from = 0; !err && from < count; from += HF_FROM_ABOVE_TYPES) {
		uint32_t some =
		    count - from < HF_FROM_ABOVE_TYPES ? count - from : HF_FROM_ABOVE_TYPES;
		struct hf_from_above question = {
		    .types = types + from, .type_count = some, .node = HF_NO_NODE};
		err = hf_from_above(analysis, &question);
		for (uint32_t i = 0; !err && i < some; i++)
			retained[types[from + i]] += question.retained[i];
	}
	return err;
}

/* What the walk will want when it comes back from @node's subtree, or goes down there. */
static void fetch_around(const struct hf_analysis *analysis, uint32_t node)
{
	uint32_t next = hf_graph_next_sibling(analysis->graph, node);

	if (next == HF_NO_NODE)
		return;
	hf_graph_prefetch_child(analysis->graph, next);
	hf_graph_prefetch_node(analysis->graph, next);
	if (next < hf_graph_objects(analysis->graph))
		hf_typing_prefetch(analysis->typing, next);
}

static struct hf_error *walk_tree(struct hf_analysis *analysis, uint64_t *retained)
{
	const struct hf_graph *graph = analysis->graph;
	uint32_t objects = hf_graph_objects(graph), root = hf_graph_root(graph), at = root;
	uint32_t *above = calloc((size_t)hf_typing_types(analysis->typing) + 1, sizeof(*above));
	struct hf_error *err = above ? hf_graph_open_tree(analysis->graph) : hf_error_nomem();

	for (bool down = true; !err;) {
		uint32_t next = down ? hf_graph_first_child(graph, at) : HF_NO_NODE;
		if (down && at < objects) {
			uint32_t type = hf_typing_of(analysis->typing, at);
			if (above[type]++ == 0)
				retained[type] += hf_graph_retained(graph, at);
			fetch_around(analysis, at);
		}
		if (next != HF_NO_NODE) {
			at = next;
			continue;
		}
		if (at == root)
			break;
		if (at < objects)
			above[hf_typing_of(analysis->typing, at)]--;
		next = hf_graph_next_sibling(graph, at);
		down = next != HF_NO_NODE;
		at = down ? next : hf_graph_idom(graph, at);
	}
	free(above);
	return err;
}

struct hf_error *hf_retained_by_type(struct hf_analysis *analysis, const uint32_t *types,
				     uint32_t count, uint64_t *retained)
{
	if (count <= HF_FROM_ABOVE_TYPES * MOST_SEARCHES)
		return search_few(analysis, types, count, retained);
	return walk_tree(analysis, retained);
}
