/*
 * reach.c - what the roots reach, in an order that the later stages sweep; leak kinds.
 *
 * A search whose queue is kept: node[] holds every node after the node that it was first met
 * from, source[] the position of that one. From here on nodes are told by their positions:
 *
 *	position    0     1 .. holders   ...
 *	node        root  holders        what they point at, then what that points at, ...
 *	source      -     0              ascending, mostly
 *
 * So whatever dominates a node stands before it, what stands together was met together, and all
 * that follows (fold.c, the retained sizes) is sweeps over arrays instead of walks in memory.
 * Since the queue tells what comes next, the memory of coming visits is fetched while this one
 * goes on: a depth-first search cannot do that.
 *
 * Start edges are followed to the end first: what they reach is reachable. Then the interior edges
 * that were put aside and all that is behind them: possible. Then the lost, from their leaders,
 * along edges among the lost only: what is lost keeps nothing alive.
 *
 * Each edge is followed once. One that leads to a node met before from elsewhere is kept as a
 * join, and the node is marked HF_MANY_SOURCES: a node without the mark has one source only. The
 * super root's children (holders, leaders) have no marks, whoever else points at them.
 */
#include <stdlib.h>
#include <string.h>

#include "heapwalk/graph/graph_private.h"

/* So many visits ahead; of a long row so many targets. */
enum {
	FETCH_ROW = 32,
	FETCH_TARGETS = 24,
	FETCH_LINKS = 16,
	FETCHED_LINKS = 6,
	FETCH_JOIN = 32,
};

struct reach {
	struct hf_graph *graph;
	struct hf_order *order;
	uint32_t *row;		      /* position -> what the link of that node says of its row */
	uint32_t head, tail;	      /* positions */
	uint32_t first;		      /* edges to what stands before it are none: 0, or the lost */
	struct hf_node_list interior; /* positions whose interior edges were put aside */
	bool failed;
};

/* What the link says of the row is here now, and will not be when the visit comes. */
static inline void append(struct reach *reach, uint32_t node, uint32_t source)
{
	reach->row[reach->tail] = reach->graph->link[node].row;
	reach->order->node[reach->tail] = node;
	reach->order->source[reach->tail++] = source;
	reach->graph->link[node].mark = reach->tail; /* position + 1 */
}

static inline void follow(struct reach *reach, uint32_t target, uint32_t source)
{
	uint32_t mark = reach->graph->link[target].mark;

	if (!mark)
		append(reach, target, source);
	else if (mark > reach->first && !hf_big_push(&reach->graph->memory, &reach->order->joins,
						     (struct hf_join){source, mark - 1}))
		reach->failed = true;
}

/* The row of an object by its position. */
static inline uint32_t row_at(const struct reach *reach, uint32_t position, const uint32_t **ret)
{
	uint32_t row = reach->row[position];

	if (hf_row_is_long(row))
		return hf_graph_long_row(reach->graph, reach->order->node[position], row, ret);
	*ret = &reach->row[position];
	return row != HF_NO_NODE;
}

/* Have the memory of coming visits fetched: of long rows, what they are; then their targets' links.
 */
static inline void fetch_ahead(const struct reach *reach)
{
	const struct hf_graph *graph = reach->graph;
	const uint32_t *row = reach->row + reach->head, *node = reach->order->node + reach->head;
	const uint32_t *targets;

	if (reach->tail - reach->head <= FETCH_ROW)
		return;
	if (hf_row_is_long(row[FETCH_ROW]))
		__builtin_prefetch(hf_graph_row_ends(graph, node[FETCH_ROW], row[FETCH_ROW]));
	if (hf_row_is_long(row[FETCH_TARGETS])) {
		hf_graph_long_row(graph, node[FETCH_TARGETS], row[FETCH_TARGETS], &targets);
		__builtin_prefetch(targets);
	}
	uint32_t count = row_at(reach, reach->head + FETCH_LINKS, &targets);
	for (uint32_t i = 0; i < count && i < FETCHED_LINKS; i++)
		__builtin_prefetch(&graph->link[HF_EDGE_NODE(targets[i])], 1);
}

/* ---- what the roots reach -------------------------------------------------------------------- */

/* Follow the edges of a row that are interior, or that are not; returns whether others are left. */
static bool follow_some(struct reach *reach, uint32_t position, const uint32_t *targets,
			uint64_t count, uint32_t interior)
{
	bool others = false;

	for (uint64_t i = 0; i < count; i++) {
		if ((targets[i] & HF_EDGE_INTERIOR) == interior)
			follow(reach, HF_EDGE_NODE(targets[i]), position);
		else
			others = true;
	}
	return others;
}

static void visit_starts(struct reach *reach, uint32_t position, const uint32_t *targets,
			 uint64_t count)
{
	if (follow_some(reach, position, targets, count, 0) &&
	    !hf_vec_push(&reach->interior, position))
		reach->failed = true;
}

static void visit_interiors(struct reach *reach, uint32_t position)
{
	const uint32_t *targets;
	uint64_t count = hf_graph_out_row(reach->graph, reach->order->node[position], &targets);
	follow_some(reach, position, targets, count, HF_EDGE_INTERIOR);
}

/* Objects from the head on, along all edges. */
static void visit_all(struct reach *reach)
{
	for (; reach->head < reach->tail && !reach->failed; reach->head++) {
		const uint32_t *targets;
		fetch_ahead(reach);
		uint32_t count = row_at(reach, reach->head, &targets);
		for (uint32_t i = 0; i < count; i++)
			follow(reach, HF_EDGE_NODE(targets[i]), reach->head);
	}
}

static void visit_holders(struct reach *reach)
{
	struct hf_graph *graph = reach->graph;
	const uint32_t *targets;

	for (uint32_t i = 0; i < graph->holders; i++)
		append(reach, graph->objects + i, 0);
	for (uint32_t i = 0; i < graph->holders && !reach->failed; i++) {
		uint64_t count = hf_graph_out(graph, graph->objects + i, &targets);
		visit_starts(reach, i + 1, targets, count);
		if (!hf_vec_push(&graph->tops, graph->objects + i))
			reach->failed = true;
	}
}

/* Returns the position from which on all are only possible. */
static uint32_t reach_roots(struct reach *reach)
{
	append(reach, hf_graph_root(reach->graph), 0);
	visit_holders(reach);
	for (reach->head = 1 + reach->graph->holders; reach->head < reach->tail && !reach->failed;
	     reach->head++) {
		const uint32_t *targets;
		fetch_ahead(reach);
		uint32_t count = row_at(reach, reach->head, &targets);
		visit_starts(reach, reach->head, targets, count);
	}
	uint32_t possible = reach->tail;
	hf_vec_foreach (position, &reach->interior)
		visit_interiors(reach, *position);
	visit_all(reach);
	return possible;
}

/* The allocator's own blocks are never lost: where no root leads to them, they stand alone. */
static void reach_allocators_own(struct reach *reach)
{
	const uint32_t *ids;
	uint32_t count = hf_extents_allocator_objects(reach->graph->extents, &ids);

	for (uint32_t i = 0; i < count; i++) {
		if (reach->graph->link[ids[i]].mark == 0)
			append(reach, ids[i], 0);
		reach->graph->kind[ids[i]] = HF_REACHABLE;
	}
	reach->head = reach->tail;
}

/* Those without a mark are the lost. */
static bool tell_kinds(struct reach *reach, uint32_t possible)
{
	struct hf_graph *graph = reach->graph;
	bool any_lost = false;

	for (uint32_t id = 0; id < graph->objects; id++) {
		uint32_t mark = graph->link[id].mark;
		any_lost = any_lost || !mark;
		graph->kind[id] = !mark		    ? HF_INDIRECT
				  : mark > possible ? HF_POSSIBLE
						    : HF_REACHABLE;
	}
	return any_lost;
}

/* ---- the lost -------------------------------------------------------------------------------- */

static void lead(struct reach *reach, uint32_t leader)
{
	struct hf_graph *graph = reach->graph;

	append(reach, leader, 0);
	graph->kind[leader] = HF_DEFINITE;
	if (!hf_vec_push(&graph->tops, leader))
		reach->failed = true;
}

/* One bit an object: some lost object points at it. */
static uint64_t *find_entered(const struct hf_graph *graph)
{
	uint64_t *entered = hf_bigmem_alloc(NULL, graph->objects / 8 + 8);

	for (uint32_t id = 0; entered && id < graph->objects; id++) {
		const uint32_t *targets;
		if (graph->link[id].mark)
			continue;
		uint32_t count = hf_graph_row(graph, id, &targets);
		for (uint32_t i = 0; i < count; i++) {
			uint32_t target = HF_EDGE_NODE(targets[i]);
			entered[target / 64] |= UINT64_C(1) << (target % 64);
		}
	}
	return entered;
}

/*
 * Most leaders are lost objects that no lost one points at. What those do not lead to either
 * hangs on lost cycles: only for that rest the components are needed.
 */
static struct hf_error *reach_lost(struct reach *reach)
{
	struct hf_graph *graph = reach->graph;
	struct hf_node_list leaders = {0};
	uint64_t *entered = find_entered(graph);

	if (!entered)
		return hf_error_nomem();
	reach->first = reach->tail;
	for (uint32_t id = 0; id < graph->objects; id++) {
		if (!graph->link[id].mark && !(entered[id / 64] >> (id % 64) & 1))
			lead(reach, id);
	}
	hf_bigmem_free(NULL, entered, graph->objects / 8 + 8);
	visit_all(reach);
	if (reach->failed || reach->tail == hf_graph_nodes(graph))
		return NULL;
	struct hf_error *err = hf_graph_find_leaders(graph, &leaders);
	hf_vec_foreach (leader, &leaders)
		lead(reach, *leader);
	visit_all(reach);
	free(leaders.data);
	return err;
}

/* ---- joins ----------------------------------------------------------------------------------- */

/* A second pointer from the same source joins nothing, nor does any to the super root's children.
 */
static void mark_joined(struct hf_order *order)
{
	const struct hf_join *joins = order->joins.data;
	size_t kept = 0;

	for (size_t i = 0; i < order->joins.count; i++) {
		if (i + FETCH_JOIN < order->joins.count)
			__builtin_prefetch(&order->source[joins[i + FETCH_JOIN].target], 1);
		uint32_t *source = &order->source[joins[i].target];
		uint32_t first = *source & ~HF_MANY_SOURCES;
		if (first == 0 || first == joins[i].source)
			continue;
		*source |= HF_MANY_SOURCES;
		order->joins.data[kept++] = joins[i];
	}
	order->joins.count = kept;
}

static struct hf_error *reach_all(struct reach *reach)
{
	uint32_t possible = reach_roots(reach);
	bool any_lost = tell_kinds(reach, possible);

	reach_allocators_own(reach);
	struct hf_error *err = any_lost && !reach->failed ? reach_lost(reach) : NULL;
	if (!err && reach->failed)
		return hf_error_nomem();
	if (!err)
		mark_joined(reach->order);
	return err;
}

struct hf_error *hf_graph_reach(struct hf_graph *graph, struct hf_order *order)
{
	uint64_t bytes = hf_graph_nodes(graph) * sizeof(uint32_t);
	struct reach reach = {
	    .graph = graph, .order = order, .row = hf_bigmem_take(&graph->memory, bytes)};
	struct hf_error *err = reach.row ? reach_all(&reach) : hf_error_nomem();

	hf_bigmem_free(&graph->memory, reach.row, bytes);
	free(reach.interior.data);
	return err;
}
