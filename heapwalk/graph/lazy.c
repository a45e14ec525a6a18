/*
 * lazy.c - what only some commands need, made at the first call: who points here, the dominator
 * tree downward, depths.
 *
 * Reverse rows by counting sort. The dominator tree downward as first-child/next-sibling
 * lists; depths by climbing from every node to one whose depth is known.
 */
#include <stddef.h>
#include <stdlib.h>

#include "heapwalk/graph/graph_private.h"

enum {
	AHEAD = 32
}; /* so much earlier memory is asked for: a miss costs as long as dozens of steps */

/* ---- what is there already, for sweeps ------------------------------------------------------- */

_Static_assert(offsetof(struct hf_graph_link, mark) == sizeof(uint32_t) &&
		   sizeof(struct hf_graph_link) == 2 * sizeof(uint32_t) &&
		   offsetof(struct hf_graph_sum, objects) == sizeof(uint32_t) &&
		   sizeof(struct hf_graph_sum) == 2 * sizeof(uint32_t) && HF_SUM_UNIT == 8,
	       "as struct hf_graph_columns has them");

void hf_graph_columns(const struct hf_graph *graph, struct hf_graph_columns *ret)
{
	*ret = (struct hf_graph_columns){.link = (const uint32_t(*)[2])graph->link,
					 .sum = (const uint32_t(*)[2])graph->sum,
					 .sum_high = graph->sum_high};
}

/* ---- who points here ------------------------------------------------------------------------- */

typedef void row_fn(struct hf_graph *graph, uint32_t source, uint32_t target);
typedef void fetch_fn(const struct hf_graph *graph, uint32_t target);

/* The first targets of a row that comes AHEAD nodes later; those behind are fetched in turn. */
static void fetch_row(const struct hf_graph *graph, uint32_t node, fetch_fn *fetch)
{
	const uint32_t *targets;
	uint64_t count = node < graph->objects ? hf_graph_row(graph, node, &targets) : 0;
	for (uint64_t i = 0; i < count && i < AHEAD; i++)
		fetch(graph, HF_EDGE_NODE(targets[i]));
}

/* @fn for every edge; @fetch some time before it. */
static inline __attribute__((always_inline)) void each_row(struct hf_graph *graph, row_fn *fn,
							   fetch_fn *fetch)
{
	for (uint32_t node = 0; node < graph->objects + graph->holders; node++) {
		const uint32_t *targets;
		uint64_t count = hf_graph_out(graph, node, &targets);
		fetch_row(graph, node + AHEAD, fetch);
		for (uint64_t i = 0; i < count; i++) {
			if (i + AHEAD < count)
				fetch(graph, HF_EDGE_NODE(targets[i + AHEAD]));
			fn(graph, node, targets[i]);
		}
	}
}

static void fetch_count(const struct hf_graph *graph, uint32_t target)
{
	__builtin_prefetch(&graph->in_row[target], 1);
}

static void count_in(struct hf_graph *graph, uint32_t source, uint32_t target)
{
	(void)source;
	graph->in_row[HF_EDGE_NODE(target) + 1]++;
}

/* in_row[t] runs from its start to its end, which is the next one's start. */
static void place_in(struct hf_graph *graph, uint32_t source, uint32_t target)
{
	uint32_t object = HF_EDGE_NODE(target);
	graph->in_sources[graph->in_row[object]++] = source | (target & HF_EDGE_INTERIOR);
}

static struct hf_error *make_in_rows(struct hf_graph *graph)
{
	uint64_t objects = graph->objects;

	graph->in_row = hf_bigmem_alloc(NULL, (objects + 1) * sizeof(uint64_t));
	if (!graph->in_row)
		return hf_error_nomem();
	each_row(graph, count_in, fetch_count);
	for (uint64_t i = 1; i <= objects; i++)
		graph->in_row[i] += graph->in_row[i - 1];
	graph->in_sources = hf_bigmem_alloc(NULL, graph->in_row[objects] * sizeof(uint32_t));
	if (!graph->in_sources) {
		hf_bigmem_free(NULL, graph->in_row, (objects + 1) * sizeof(uint64_t));
		graph->in_row = NULL;
		return hf_error_nomem();
	}
	each_row(graph, place_in, fetch_count);
	for (uint64_t i = objects; i > 0; i--)
		graph->in_row[i] = graph->in_row[i - 1];
	graph->in_row[0] = 0;
	return NULL;
}

struct hf_error *hf_graph_in(struct hf_graph *graph, uint32_t object, const uint32_t **ret_sources,
			     uint64_t *ret_count)
{
	struct hf_error *err = graph->in_row ? NULL : make_in_rows(graph);
	if (err)
		return err;
	*ret_sources = graph->in_sources + graph->in_row[object];
	*ret_count = graph->in_row[object + 1] - graph->in_row[object];
	return NULL;
}

/* ---- the dominator tree downward ------------------------------------------------------------- */

static struct hf_error *make_children(struct hf_graph *graph)
{
	uint32_t nodes = hf_graph_nodes(graph);
	uint64_t bytes = (uint64_t)nodes * sizeof(uint32_t);
	uint32_t *first = hf_bigmem_alloc(NULL, bytes);
	uint32_t *next = hf_bigmem_alloc(NULL, bytes);

	if (!first || !next) {
		hf_bigmem_free(NULL, first, bytes);
		hf_bigmem_free(NULL, next, bytes);
		return hf_error_nomem();
	}
	/* Lists end in 0, so nodes stand in them as node + 1. Backward: ascending lists. */
	for (uint32_t node = nodes - 1; node-- > 0;) {
		uint32_t above = graph->link[node].mark;
		if (node >= AHEAD)
			__builtin_prefetch(&first[graph->link[node - AHEAD].mark], 1);
		next[node] = first[above];
		first[above] = node + 1;
	}
	graph->child_first = first;
	graph->child_next = next;
	return NULL;
}

struct hf_error *hf_graph_open_tree(struct hf_graph *graph)
{
	return graph->child_first ? NULL : make_children(graph);
}

uint32_t hf_graph_first_child(const struct hf_graph *graph, uint32_t node)
{
	return graph->child_first[node] - 1; /* 0 - 1 is HF_NO_NODE */
}

uint32_t hf_graph_next_sibling(const struct hf_graph *graph, uint32_t node)
{
	return graph->child_next[node] - 1;
}

void hf_graph_prefetch_child(const struct hf_graph *graph, uint32_t node)
{
	__builtin_prefetch(&graph->child_first[node]);
}

void hf_graph_prefetch_node(const struct hf_graph *graph, uint32_t node)
{
	__builtin_prefetch(&graph->child_next[node]);
	__builtin_prefetch(&graph->sum[node]);
}

static bool before(const struct hf_graph *graph, uint32_t a, uint32_t b)
{
	uint64_t keeps_a = hf_graph_retained(graph, a), keeps_b = hf_graph_retained(graph, b);
	return keeps_a != keeps_b ? keeps_a > keeps_b : a < b;
}

/* heap[0] is the last in order of what is kept: sift @node down from the top. */
static void sift_down(const struct hf_graph *graph, uint32_t *heap, uint64_t count, uint64_t at)
{
	for (;;) {
		uint64_t child = 2 * at + 1;
		if (child >= count)
			return;
		if (child + 1 < count && before(graph, heap[child], heap[child + 1]))
			child++;
		if (!before(graph, heap[at], heap[child]))
			return;
		uint32_t swap = heap[at];
		heap[at] = heap[child];
		heap[child] = swap;
		at = child;
	}
}

struct hf_error *hf_graph_children(struct hf_graph *graph, uint32_t node, uint64_t max,
				   uint32_t **ret, uint64_t *ret_count)
{
	struct hf_error *err = graph->child_first ? NULL : make_children(graph);
	uint64_t total = 0, kept = 0;

	if (err)
		return err;
	for (uint32_t at = graph->child_first[node]; at; at = graph->child_next[at - 1])
		total++;
	if (max == 0 || max > total)
		max = total;
	uint32_t *heap = malloc((max + 1) * sizeof(*heap));
	if (!heap)
		return hf_error_nomem();
	for (uint32_t at = graph->child_first[node]; at && max; at = graph->child_next[at - 1]) {
		if (kept < max) {
			heap[kept++] = at - 1;
			if (kept == max)
				for (uint64_t i = max / 2; i-- > 0;)
					sift_down(graph, heap, max, i);
		} else if (before(graph, at - 1, heap[0])) {
			heap[0] = at - 1;
			sift_down(graph, heap, max, 0);
		}
	}
	/* Heap sort: the last in order goes to the end. */
	for (uint64_t count = kept; count > 1; count--) {
		uint32_t last = heap[0];
		heap[0] = heap[count - 1];
		heap[count - 1] = last;
		sift_down(graph, heap, count - 1, 0);
	}
	*ret = heap;
	*ret_count = kept;
	return NULL;
}

/* ---- depths ---------------------------------------------------------------------------------- */

/* From @node up to one whose depth is known (not 0: the root's is kept as 1), and down again. */
static void climb(const struct hf_graph *graph, uint32_t node, uint32_t *depth)
{
	uint32_t steps = 0, at = node;

	for (; depth[at] == 0; at = graph->link[at].mark)
		steps++;
	steps += depth[at];
	for (at = node; depth[at] == 0; at = graph->link[at].mark)
		depth[at] = steps--;
}

/* Every node is passed once upward, whatever the order: what is known ends the climb. */
static struct hf_error *make_depths(struct hf_graph *graph)
{
	uint32_t nodes = hf_graph_nodes(graph);
	uint32_t *depth = hf_bigmem_alloc(NULL, (uint64_t)nodes * sizeof(uint32_t));

	if (!depth)
		return hf_error_nomem();
	depth[hf_graph_root(graph)] = 1;
	for (uint32_t node = 0; node < nodes; node++) {
		if (node + AHEAD < nodes - 1) {
			uint32_t above = graph->link[node + AHEAD].mark;
			__builtin_prefetch(&depth[above]);
			__builtin_prefetch(&graph->link[above]);
		}
		climb(graph, node, depth);
	}
	graph->depth = depth;
	return NULL;
}

struct hf_error *hf_graph_depth(struct hf_graph *graph, uint32_t node, uint32_t *ret)
{
	struct hf_error *err = graph->depth ? NULL : make_depths(graph);
	if (!err)
		*ret = graph->depth[node] - 1;
	return err;
}
