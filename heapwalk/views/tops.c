/*
 * tops.c - the top of the dominator tree, by one look at each object's dominator (see tops.h).
 *
 * Objects in parts for all processors. Each thread adds up what it meets; sums do not depend on
 * who met what, nor does the lowest node of those that retain most.
 */
#include "heapwalk/views/tops.h"

#include <stdlib.h>

#include "core/base/parallel.h"
#include "core/base/search.h"

enum { PART = 1 << 16 };

/* A node that keeps nothing but what is the allocator's own (a thread's tcache), and how much. */
struct own_node {
	uint32_t node;
	uint64_t bytes;
};

HF_VEC(own_nodes, struct own_node);

struct finder {
	const struct hf_analysis *analysis;
	struct own_nodes owns; /* ascending */
	struct hf_graph_columns graph;
	uint32_t objects, types;
	uint64_t limit;	       /* of what is small */
	struct hf_tops *found; /* by thread */
	bool failed;
};

static bool is_bigger(const struct finder *finder, uint32_t node, uint32_t than)
{
	if (than == HF_NO_NODE || node == HF_NO_NODE)
		return node != HF_NO_NODE;
	uint64_t a = hf_column_retained(&finder->graph, node);
	uint64_t b = hf_column_retained(&finder->graph, than);
	return a != b ? a > b : node < than;
}

static void add(const struct finder *finder, struct hf_top_group *group, uint32_t node)
{
	group->count++;
	group->retained += hf_column_retained(&finder->graph, node);
	if (is_bigger(finder, node, group->example))
		group->example = node;
}

static bool is_own(const struct finder *finder, uint32_t node)
{
	const struct own_nodes *owns = &finder->owns;
	size_t i = hf_first_not((size_t)0, owns->count, at, owns->data[at].node < node);

	return i < owns->count && owns->data[i].node == node &&
	       owns->data[i].bytes == hf_column_retained(&finder->graph, node);
}

static void add_node(struct finder *finder, uint32_t node, struct hf_tops *found)
{
	const struct hf_graph *graph = finder->analysis->graph;
	bool object = node < finder->objects;
	bool big = hf_column_retained(&finder->graph, node) > finder->limit;
	uint32_t type = object ? hf_typing_of(finder->analysis->typing, node) : 0;

	if ((!object || !hf_graph_is_leader(graph, node)) &&
	    is_bigger(finder, node, found->biggest))
		found->biggest = node;
	if (!object && is_bigger(finder, node, found->biggest_holder))
		found->biggest_holder = node;
	if (big && !hf_vec_push(&found->big, node))
		__atomic_store_n(&finder->failed, true, __ATOMIC_RELAXED);
	if (object && !big)
		add(finder, &found->small[type], node);
	if (object && hf_graph_leak_kind(graph, node) <= HF_POSSIBLE)
		add(finder, &found->kept[type], node);
}

static void find(void *ctx, uint64_t part, unsigned worker)
{
	struct finder *finder = ctx;
	uint32_t root = hf_graph_root(finder->analysis->graph), first = (uint32_t)part * PART;
	uint32_t end = root - first > PART ? first + PART : root;

	for (uint32_t node = first; node < end; node++) {
		if (hf_column_idom(&finder->graph, node) == root && !is_own(finder, node))
			add_node(finder, node, &finder->found[worker]);
	}
}

static int by_own_node(const void *a, const void *b)
{
	const struct own_node *x = a, *y = b;
	return (x->node > y->node) - (x->node < y->node);
}

/* The allocator's own objects that the super root has, and the nodes that have such. */
static bool find_owns(struct finder *finder)
{
	struct own_nodes *owns = &finder->owns;
	uint32_t root = hf_graph_root(finder->analysis->graph);
	const uint32_t *objects;
	uint32_t count = hf_extents_allocator_objects(finder->analysis->extents, &objects);
	size_t kept = 0;

	for (uint32_t i = 0; i < count; i++) {
		uint32_t above = hf_column_idom(&finder->graph, objects[i]);
		uint64_t bytes = hf_column_retained(&finder->graph, objects[i]);
		if (!hf_vec_push(owns,
				 (struct own_node){above == root ? objects[i] : above, bytes}))
			return false;
	}
	if (owns->count > 1)
		qsort(owns->data, owns->count, sizeof(*owns->data), by_own_node);
	for (size_t i = 0; i < owns->count; i++) {
		if (kept && owns->data[kept - 1].node == owns->data[i].node)
			owns->data[kept - 1].bytes += owns->data[i].bytes;
		else
			owns->data[kept++] = owns->data[i];
	}
	owns->count = kept;
	return true;
}

static bool allocate(struct hf_tops *tops, uint32_t types)
{
	*tops = (struct hf_tops){.biggest = HF_NO_NODE,
				 .biggest_holder = HF_NO_NODE,
				 .small = malloc((types + 1) * sizeof(*tops->small)),
				 .kept = malloc((types + 1) * sizeof(*tops->kept))};
	if (!tops->small || !tops->kept)
		return false;
	for (uint32_t type = 0; type < types; type++)
		tops->small[type] = tops->kept[type] = (struct hf_top_group){.example = HF_NO_NODE};
	return true;
}

static void join_group(const struct finder *finder, struct hf_top_group *to,
		       const struct hf_top_group *from)
{
	to->count += from->count;
	to->retained += from->retained;
	if (is_bigger(finder, from->example, to->example))
		to->example = from->example;
}

/* What all threads found, to the first one's. */
static void join(struct finder *finder, unsigned threads)
{
	struct hf_tops *all = finder->found;

	for (unsigned worker = 1; worker < threads; worker++) {
		const struct hf_tops *found = &finder->found[worker];
		if (is_bigger(finder, found->biggest, all->biggest))
			all->biggest = found->biggest;
		if (is_bigger(finder, found->biggest_holder, all->biggest_holder))
			all->biggest_holder = found->biggest_holder;
		for (size_t i = 0; i < found->big.count; i++)
			finder->failed |= !hf_vec_push(&all->big, found->big.data[i]);
		for (uint32_t type = 0; type < finder->types; type++) {
			join_group(finder, &all->small[type], &found->small[type]);
			join_group(finder, &all->kept[type], &found->kept[type]);
		}
	}
}

static int by_node(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;
	return (*x > *y) - (*x < *y);
}

struct hf_error *hf_tops_find(const struct hf_analysis *analysis, struct hf_tops *ret)
{
	uint32_t root = hf_graph_root(analysis->graph);
	unsigned threads = analysis->threads;
	uint64_t whole = hf_graph_retained(analysis->graph, root);
	struct finder finder = {.analysis = analysis,
				.objects = hf_graph_objects(analysis->graph),
				.types = hf_typing_types(analysis->typing),
				.limit = whole / 100 * HF_TOPS_BIG_PERCENT};

	finder.found = calloc(threads, sizeof(*finder.found));
	if (!finder.found)
		return hf_error_nomem();
	hf_graph_columns(analysis->graph, &finder.graph);
	finder.failed = !find_owns(&finder);
	for (unsigned worker = 0; worker < threads; worker++)
		finder.failed |= !allocate(&finder.found[worker], finder.types);
	if (!finder.failed) {
		hf_parallel_for(threads, (root + PART - 1ull) / PART, find, &finder);
		join(&finder, threads);
	}
	for (unsigned worker = finder.failed ? 0 : 1; worker < threads; worker++)
		hf_tops_deinit(&finder.found[worker]);
	if (!finder.failed) {
		*ret = finder.found[0];
		if (ret->big.count > 1)
			qsort(ret->big.data, ret->big.count, sizeof(*ret->big.data), by_node);
	}
	free(finder.found);
	hf_vec_free(&finder.owns);
	return finder.failed ? hf_error_nomem() : NULL;
}

void hf_tops_deinit(struct hf_tops *tops)
{
	hf_vec_free(&tops->big);
	free(tops->small);
	free(tops->kept);
	*tops = (struct hf_tops){0};
}
