/*
 * split.c - joins whose dominator two sweeps tell: what a depth-first search need not look for.
 *
 * The super root dominates every node. Each node belongs to a `top`: the last node on the way to it
 * along sources (reach.c) whose own source is the super root. If edges into a node x come from
 * nodes of two tops, then nothing else dominates x: those two ways have only the super root in
 * common. So the super root becomes x's source, x a top itself, and the joins into x are gone. What
 * hangs on x has x for its top now, so that other joins lead from one top's nodes to another's:
 * again.
 *
 *	  root                     root
 *	  /  \                    / | \          x: two ways without a common node.
 *	 a    b        =>        a  x  b         y was below a: now it is below x, and the edge
 *	 |    |\                    |  |\        z -> y comes from another top: y is next.
 *	 x <--' z                   y <- z
 *	 |      |
 *	 y <----'
 *
 * When nothing changes any more, all edges into a top's nodes but itself come from its nodes: the
 * top dominates them, and is to them what the super root was to all. The tops are settled, and the
 * same begins below each of them, for all of them at once: a node's top is the last one on the way
 * to it whose source is settled.
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

/* It goes on while there is a join for so many nodes; it has paid if one in so many joins went. */
enum { FEW = 64, PAYS = 16, MOST_IDLE = 6, FETCH_AHEAD = 32 };

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
		top[i] = is_settled(splitting, i) || is_settled(splitting, from) ? i : top[from];
	}
}

static inline uint32_t source_of(const struct splitting *splitting, uint32_t position)
{
	return __atomic_load_n(&splitting->order->source[position], __ATOMIC_RELAXED);
}

/*
 * Do the join's ends belong to different tops? A source behind its target that is a top by now is
 * not the target's, wherever that belongs to.
 */
static inline bool parts(const struct splitting *splitting, const struct hf_join *join)
{
	uint32_t above = source_of(splitting, join->source) & ~HF_MANY_SOURCES;

	return splitting->top[join->source] != splitting->top[join->target] ||
	       (join->source > join->target && is_settled(splitting, above));
}

/* Is there anything left to be found out about the join's target? */
static inline bool keeps(const struct splitting *splitting, const struct hf_join *join)
{
	uint32_t source = source_of(splitting, join->target), above = source & ~HF_MANY_SOURCES;

	if (!is_settled(splitting, above)) {
		if (!parts(splitting, join))
			return true;
		above = source_of(splitting, splitting->top[join->target]) & ~HF_MANY_SOURCES;
	}
	if (above != source)
		__atomic_store_n(&splitting->order->source[join->target], above, __ATOMIC_RELAXED);
	return false;
}

/* The last first, so that in a list that is linked backward one that splits off splits the next. */
static void split_list(void *ctx, uint64_t list, unsigned worker)
{
	const struct splitting *splitting = ctx;
	struct hf_joins *joins = &splitting->order->joins[list];
	struct hf_join *join = joins->data;
	size_t kept = joins->count;
	(void)worker;

	for (size_t i = joins->count; i-- > 0;) {
		if (i >= FETCH_AHEAD) {
			__builtin_prefetch(&splitting->top[join[i - FETCH_AHEAD].target]);
			__builtin_prefetch(&splitting->order->source[join[i - FETCH_AHEAD].target],
					   1);
		}
		if (keeps(splitting, &join[i]))
			join[--kept] = join[i];
	}
	hf_joins_keep(joins, kept);
}

/* Some only show when others are gone. Tops are found again afterwards: their array may serve. */
static struct hf_error *drop_back_edges(struct hf_graph *graph, struct splitting *splitting)
{
	uint64_t before, left = hf_joins_count(splitting->order);
	struct hf_error *err;

	do {
		before = left;
		err = hf_graph_drop_back_edges(graph, splitting->order, splitting->top);
		left = hf_joins_count(splitting->order);
	} while (!err && left && left <= before / 2);
	return err;
}

static struct hf_error *split(struct hf_graph *graph, struct splitting *splitting)
{
	uint64_t joins = hf_joins_count(splitting->order);
	struct hf_error *err = NULL;
	bool descend = false, backward = false;
	unsigned idle = 0;

	splitting->top[0] = 0;
	splitting->settled[0] = 1;
	while (!err && joins > splitting->positions / FEW && idle < MOST_IDLE) {
		find_tops(splitting, descend);
		hf_parallel_for(graph->options.threads, HF_VISIT_THREADS, split_list, splitting);
		uint64_t left = hf_joins_count(splitting->order);
		descend = left == joins;
		if (joins - left <= joins / PAYS && !backward) {
			err = drop_back_edges(graph, splitting);
			left = hf_joins_count(splitting->order);
			descend = false;
			backward = true;
		}
		idle += joins - left <= joins / PAYS;
		joins = left;
	}
	return err;
}

struct hf_error *hf_graph_split(struct hf_graph *graph, struct hf_order *order)
{
	struct hf_bigmem_account *account = &graph->memory;
	struct splitting splitting = {.order = order, .positions = hf_graph_nodes(graph)};
	uint64_t bytes = (uint64_t)splitting.positions * sizeof(uint32_t);
	uint64_t bits = (uint64_t)splitting.positions / 8 + 8;

	splitting.top = hf_bigmem_take(account, bytes);
	splitting.settled = hf_bigmem_alloc(account, bits);
	struct hf_error *err =
	    splitting.top && splitting.settled ? split(graph, &splitting) : hf_error_nomem();
	hf_bigmem_free(account, splitting.top, bytes);
	hf_bigmem_free(account, splitting.settled, bits);
	return err;
}
