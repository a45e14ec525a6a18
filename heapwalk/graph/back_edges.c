/*
 * back_edges.c - joins that lead back to what dominates their source: they change no dominator.
 *
 * Lists that are linked backward too, children that know their parent, members that know their
 * owner: a pointer for each that leads back up. If only single-source nodes stand between, then x
 * dominates s, and s -> x can go. What no join is left to has a single source again, which tells
 * the same of the pointers back from there:
 *
 *	a <=> b <=> c <=> d	d has one source: c dominates it, d -> c goes. Now c has one
 *				source: c -> b goes, b -> a goes, nothing is left to be searched.
 *
 * So joins are taken from the back of the order (reach.c), where whatever hangs on a node has been
 * seen before it. `above` tells where a way up over single-source nodes has led before: paths are
 * halved as in Tarjan and van Leeuwen, "Worst-case analysis of set union algorithms" (1984); a node
 * with a single source keeps it, so that short cuts stay true.
 */
#include "heapwalk/graph/graph_private.h"

enum { MOST_COUNTED = UINT8_MAX, FETCH_AHEAD = 32 };

struct backward {
	struct hf_order *order;
	uint32_t *above; /* position -> position: its source, or one further up */
	uint8_t *count;	 /* position -> joins that lead here; MOST_COUNTED: so many or more */
	unsigned lists;	 /* behind those there are none with joins */
	size_t next[HF_VISIT_THREADS]; /* of each list so many joins are to be seen yet */
	size_t kept[HF_VISIT_THREADS]; /* those behind them stay, up to the list's end */
};

static inline bool has_many_sources(const struct backward *backward, uint32_t position)
{
	return backward->order->source[position] & HF_MANY_SOURCES;
}

static void prepare(struct backward *backward, uint32_t positions)
{
	struct hf_order *order = backward->order;

	for (uint32_t i = 0; i < positions; i++)
		backward->above[i] = order->source[i] & ~HF_MANY_SOURCES;
	for (unsigned list = 0; list < HF_VISIT_THREADS; list++) {
		const struct hf_joins *joins = &order->joins[list];
		for (size_t i = 0; i < joins->count; i++) {
			if (i + FETCH_AHEAD < joins->count)
				__builtin_prefetch(
				    &backward->count[joins->data[i + FETCH_AHEAD].target], 1);
			uint8_t *count = &backward->count[joins->data[i].target];
			*count += *count < MOST_COUNTED;
		}
		backward->next[list] = backward->kept[list] = joins->count;
		if (joins->count)
			backward->lists = list + 1;
	}
}

/* The first node from @position up that has several sources, or one that is not below @target. */
static uint32_t way_up(struct backward *backward, uint32_t position, uint32_t target)
{
	uint32_t *above = backward->above;

	while (position > target && !has_many_sources(backward, position)) {
		uint32_t next = above[position];
		if (next > target && !has_many_sources(backward, next))
			above[position] = above[next];
		position = next;
	}
	return position;
}

/* The list whose next join has the last source; HF_VISIT_THREADS: none has any. */
static unsigned last_list(const struct backward *backward)
{
	unsigned best = HF_VISIT_THREADS;
	uint32_t source = 0;

	for (unsigned list = 0; list < backward->lists; list++) {
		const struct hf_joins *joins = &backward->order->joins[list];
		size_t next = backward->next[list];
		if (next && (best == HF_VISIT_THREADS || joins->data[next - 1].source > source)) {
			best = list;
			source = joins->data[next - 1].source;
		}
	}
	return best;
}

static void see_joins(struct backward *backward)
{
	for (unsigned list; (list = last_list(backward)) < HF_VISIT_THREADS;) {
		struct hf_join *joins = backward->order->joins[list].data;
		struct hf_join join = joins[--backward->next[list]];
		if (way_up(backward, join.source, join.target) != join.target) {
			joins[--backward->kept[list]] = join;
			continue;
		}
		uint8_t *count = &backward->count[join.target];
		if (*count < MOST_COUNTED && --*count == 0)
			backward->order->source[join.target] &= ~HF_MANY_SOURCES;
	}
	for (unsigned list = 0; list < backward->lists; list++)
		hf_joins_keep(&backward->order->joins[list], backward->kept[list]);
}

struct hf_error *hf_graph_drop_back_edges(struct hf_graph *graph, struct hf_order *order,
					  uint32_t *scratch)
{
	uint64_t positions = hf_graph_nodes(graph);
	struct backward backward = {
	    .order = order, .above = scratch, .count = hf_bigmem_alloc(&graph->memory, positions)};

	if (!backward.count)
		return hf_error_nomem();
	prepare(&backward, (uint32_t)positions);
	see_joins(&backward);
	hf_bigmem_free(&graph->memory, backward.count, positions);
	return NULL;
}
