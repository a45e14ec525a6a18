/*
 * split.c - joins whose dominator two sweeps tell: what a depth-first search need not look for.
 *
 * The super root dominates every node. Each node belongs to a `top`: the last node on the way to it
 * along sources (reach.c) whose own source is the super root. If edges into a node x come from nodes
 * of two tops, then nothing else dominates x: those two ways have only the super root in common.
 * So the super root becomes x's source, x a top itself, and the joins into x are gone. What hangs on
 * x has x for its top now, so that other joins lead from one top's nodes to another's: again.
 *
 *	  root                     root
 *	  /  \                    / | \          x: two ways without a common node.
 *	 a    b        =>        a  x  b         y was below a: now it is below x, and the edge
 *	 |    |\                    |  |\        z -> y comes from another top: y is next.
 *	 x <--' z                   y <- z
 *	 |      |
 *	 y <----'
 *
 * When nothing changes any more, all edges into a top's nodes but itself come from its nodes: the top
 * dominates them, and is to them what the super root was to all. The tops are settled, and the same
 * begins below each of them, for all of them at once: a node's top is the last one on the way to it
 * whose source is settled.
 *
 * Why it is exact: a node that dominates x stands on both ways, but these meet only in what is
 * settled, and the last settled one dominates x. And no other node's dominators change when x hangs
 * on the one that dominates it at once: whatever way leads to such a node over x may as well begin
 * there. It goes on while it pays, and may end anywhere: what is left is searched (dominators.c).
 *
 * Compare the "low-high" certificates of Georgiadis and Tarjan, "Dominator tree certification and
 * divergent spanning trees" (2015): two ways that share dominators only.
 */
#include "core/base/parallel.h"
#include "heapwalk/graph/graph_private.h"

/* It pays to go on if one in so many joins went, or if as many nodes as this have joins. */
enum { PAYS = 16, MOST_IDLE = 6, FEW = 64, FETCH_AHEAD = 32 };

struct splitting {
	struct hf_order *order;
	uint32_t positions;
	uint32_t *top;	   /* position -> position; a settled node's is itself */
	uint64_t *settled; /* a bit a position: all it dominates at once is found */
};

static inline bool is_settled(const struct splitting *splitting, uint32_t position)
{
	return splitting->settled[position / 64] >> (position % 64) & 1;
}

/*
 * Whatever dominates a node stands before it: the first first. With @descend the tops until now are
 * settled on the way.
 */
static void find_tops(const struct splitting *splitting, bool descend)
{
	const uint32_t *source = splitting->order->source;
	uint32_t *top = splitting->top;

	for (uint32_t i = 1; i < splitting->positions; i++) {
		uint32_t from = source[i] & ~HF_MANY_SOURCES;
		if (descend && top[i] == i)
			splitting->settled[i / 64] |= UINT64_C(1) << (i % 64);
		else if (!is_settled(splitting, i))
			top[i] = is_settled(splitting, from) ? i : top[from];
	}
}

/* Is there anything left to be found out about the join's target? */
static inline bool keeps(const struct splitting *splitting, const struct hf_join *join)
{
	uint32_t *sources = splitting->order->source;
	uint32_t source = __atomic_load_n(&sources[join->target], __ATOMIC_RELAXED);
	uint32_t above = source & ~HF_MANY_SOURCES, top = splitting->top[join->target];

	if (!is_settled(splitting, above)) {
		if (splitting->top[join->source] == top)
			return true;
		above = __atomic_load_n(&sources[top], __ATOMIC_RELAXED) & ~HF_MANY_SOURCES;
	}
	if (above != source)
		__atomic_store_n(&sources[join->target], above, __ATOMIC_RELAXED);
	return false;
}

static void split_list(void *ctx, uint64_t list, unsigned worker)
{
	const struct splitting *splitting = ctx;
	struct hf_joins *joins = &splitting->order->joins[list];
	size_t kept = 0;
	(void)worker;

	for (size_t i = 0; i < joins->count; i++) {
		if (i + FETCH_AHEAD < joins->count) {
			uint32_t ahead = joins->data[i + FETCH_AHEAD].target;
			__builtin_prefetch(&splitting->top[ahead]);
			__builtin_prefetch(&splitting->order->source[ahead], 1);
		}
		if (keeps(splitting, &joins->data[i]))
			joins->data[kept++] = joins->data[i];
	}
	joins->count = kept;
}

static void split(const struct hf_graph *graph, struct splitting *splitting)
{
	uint64_t joins = hf_joins_count(splitting->order);
	unsigned idle = 0;
	bool descend = false;

	splitting->top[0] = 0;
	splitting->settled[0] = 1;
	while (joins > splitting->positions / FEW && idle < MOST_IDLE) {
		find_tops(splitting, descend);
		hf_parallel_for(graph->options.threads, HF_VISIT_THREADS, split_list, splitting);
		uint64_t left = hf_joins_count(splitting->order);
		descend = left == joins;
		idle += joins - left <= joins / PAYS;
		joins = left;
	}
}

struct hf_error *hf_graph_split(struct hf_graph *graph, struct hf_order *order)
{
	struct hf_bigmem_account *account = &graph->memory;
	struct splitting splitting = {.order = order, .positions = hf_graph_nodes(graph)};
	uint64_t bytes = (uint64_t)splitting.positions * sizeof(uint32_t);
	uint64_t bits = (uint64_t)splitting.positions / 8 + 8;

	splitting.top = hf_bigmem_take(account, bytes);
	splitting.settled = hf_bigmem_alloc(account, bits);
	if (splitting.top && splitting.settled)
		split(graph, &splitting);
	hf_bigmem_free(account, splitting.top, bytes);
	hf_bigmem_free(account, splitting.settled, bits);
	return splitting.top && splitting.settled ? NULL : hf_error_nomem();
}
