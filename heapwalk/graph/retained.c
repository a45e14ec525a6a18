/*
 * retained.c - what each node keeps: the sums over its subtree of the dominator tree.
 *
 * By position (reach.c) whatever dominates a node stands before it, near its like, so the sums are
 * one backward sweep that mostly finds what it adds to in the cache. What objects are there, and
 * the way back to the nodes, are random accesses: these are in parts for all processors.
 *
 * Bytes are kept in units of 8, in 32 bits while the whole heap fits in that (32 GiB); else their
 * upper halves stand in an array beside.
 */
#include "core/base/parallel.h"
#include "heapwalk/graph/extents_inline.h"
#include "heapwalk/graph/graph_private.h"

enum { PART = 1 << 18, FETCH_AHEAD = 24 };

struct sums {
	struct hf_graph_sum *low;
	uint32_t *high; /* NULL: all are 0 */
};

struct retaining {
	struct hf_graph *graph;
	const struct hf_order *order; /* its sources are immediate dominators by now */
	uint32_t positions;
	struct sums by_position;
};

static bool allocate(struct hf_bigmem_account *account, uint64_t count, bool wide, struct sums *ret)
{
	ret->low = hf_bigmem_take(account, count * sizeof(*ret->low));
	ret->high = wide ? hf_bigmem_take(account, count * sizeof(*ret->high)) : NULL;
	return ret->low && (ret->high || !wide);
}

static uint32_t part_end(const struct retaining *retaining, uint64_t part)
{
	uint64_t end = (part + 1) * PART;
	return end < retaining->positions ? (uint32_t)end : retaining->positions;
}

/* Each node's own. */
static void gather(void *ctx, uint64_t part, unsigned worker)
{
	const struct retaining *retaining = ctx;
	const struct hf_graph *graph = retaining->graph;
	const uint32_t *node = retaining->order->node;
	uint32_t end = part_end(retaining, part);
	(void)worker;

	for (uint32_t i = (uint32_t)(part * PART); i < end; i++) {
		if (i + FETCH_AHEAD < end && node[i + FETCH_AHEAD] < graph->objects)
			__builtin_prefetch(&graph->extents->size[node[i + FETCH_AHEAD]]);
		bool object = node[i] < graph->objects;
		uint64_t units =
		    object ? extents_chunk_bytes(graph->extents, node[i]) / HF_SUM_UNIT : 0;
		retaining->by_position.low[i] = (struct hf_graph_sum){(uint32_t)units, object};
		if (retaining->by_position.high)
			retaining->by_position.high[i] = (uint32_t)(units >> 32);
	}
}

/* The last first: a node's sum is whole when its turn comes. */
static void add_up(const struct retaining *retaining)
{
	struct hf_graph_sum *low = retaining->by_position.low;
	uint32_t *high = retaining->by_position.high;
	const uint32_t *idom = retaining->order->source;

	for (uint32_t i = retaining->positions; i-- > 1;) {
		struct hf_graph_sum *above = &low[idom[i]];
		if (i > FETCH_AHEAD)
			__builtin_prefetch(&low[idom[i - FETCH_AHEAD]], 1);
		above->objects += low[i].objects;
		above->units += low[i].units;
		if (high)
			high[idom[i]] += high[i] + (above->units < low[i].units);
	}
}

/* Sums and immediate dominators to the nodes. */
static void scatter(void *ctx, uint64_t part, unsigned worker)
{
	const struct retaining *retaining = ctx;
	struct hf_graph *graph = retaining->graph;
	const uint32_t *node = retaining->order->node, *idom = retaining->order->source;
	uint32_t end = part_end(retaining, part);
	(void)worker;

	for (uint32_t i = (uint32_t)(part * PART); i < end; i++) {
		if (i + FETCH_AHEAD < end) {
			__builtin_prefetch(&graph->sum[node[i + FETCH_AHEAD]], 1);
			__builtin_prefetch(&graph->link[node[i + FETCH_AHEAD]], 1);
			__builtin_prefetch(&node[idom[i + FETCH_AHEAD]]);
		}
		graph->sum[node[i]] = retaining->by_position.low[i];
		if (graph->sum_high)
			graph->sum_high[node[i]] = retaining->by_position.high[i];
		graph->link[node[i]].mark = i ? node[idom[i]] : HF_NO_NODE;
	}
}

struct hf_error *hf_graph_retain(struct hf_graph *graph, const struct hf_order *order)
{
	struct retaining retaining = {
	    .graph = graph, .order = order, .positions = hf_graph_nodes(graph)};
	uint64_t count = retaining.positions, parts = (count + PART - 1) / PART, bytes = 0;
	struct sums sums = {0};

	for (unsigned kind = 0; kind < HF_LEAK_KINDS; kind++)
		bytes += graph->totals[kind].bytes;
	bool wide = bytes / HF_SUM_UNIT > UINT32_MAX;
	bool fine = allocate(&graph->memory, count, wide, &retaining.by_position) &&
		    allocate(&graph->memory, count, wide, &sums);
	graph->sum = sums.low;
	graph->sum_high = sums.high;
	if (fine) {
		hf_parallel_for(graph->options.threads, parts, gather, &retaining);
		add_up(&retaining);
		hf_parallel_for(graph->options.threads, parts, scatter, &retaining);
	}
	hf_bigmem_free(&graph->memory, retaining.by_position.low,
		       count * sizeof(*retaining.by_position.low));
	hf_bigmem_free(&graph->memory, retaining.by_position.high,
		       count * sizeof(*retaining.by_position.high));
	return fine ? NULL : hf_error_nomem();
}
