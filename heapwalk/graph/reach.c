/*
 * reach.c - what the roots reach, in an order that the later stages sweep; leak kinds; and for each
 * object whether one node alone points at it.
 *
 * A search without recursion whose queue is kept: order[] holds every node after the node that it
 * was first met from. So whatever dominates a node stands before it, and sums over the dominator
 * tree are one backward sweep. Since the queue tells what comes next, the memory of the next
 * visits is fetched while this one goes on: a depth-first search cannot do that.
 *
 * Start edges are followed to the end first: what they reach is reachable. Then the interior edges
 * that were put aside and all that is behind them: possible. Then the lost, from their leaders,
 * along edges among the lost only: what is lost keeps nothing alive.
 *
 * Each edge is followed once, and leaves in its target's mark
 *
 *	0			not met yet
 *	source + 1		only this source points here
 *	.. | HF_MARK_MANY	several do (the source is one of them)
 *	root + 1		a holder, or the leader of something lost: whoever points at it too,
 *				only the super root dominates it
 *
 * Marks without HF_MARK_MANY do not depend on the order of the search.
 */
#include <stdlib.h>
#include <string.h>

#include "heapwalk/graph/graph_private.h"

/* So many visits ahead; of a long row so many targets. */
enum { FETCH_LINK = 24, FETCH_ROW = 16, FETCH_TARGETS = 8, FETCHED_TARGETS = 4 };

struct reach {
	struct hf_graph *graph;
	uint32_t *order, head, tail;
	uint32_t root_mark;
	struct hf_node_list interior; /* nodes whose interior edges were put aside */
	bool failed;
};

static inline void append(struct reach *reach, uint32_t node, uint32_t mark)
{
	reach->graph->link[node].mark = mark;
	reach->order[reach->tail++] = node;
}

static inline void follow(struct reach *reach, uint32_t target, uint32_t source)
{
	uint32_t *mark = &reach->graph->link[target].mark, first = *mark & ~HF_MARK_MANY;

	if (first == 0)
		append(reach, target, source + 1);
	else if (first != source + 1 && first != reach->root_mark)
		*mark |= HF_MARK_MANY;
}

/* Have the memory of coming visits fetched: the link, then its row, then what that points at. */
static inline void fetch_ahead(const struct reach *reach)
{
	const struct hf_graph *graph = reach->graph;
	const uint32_t *coming = reach->order + reach->head, *targets;
	uint32_t ahead = reach->tail - reach->head;

	if (ahead <= FETCH_LINK)
		return;
	__builtin_prefetch(&graph->link[coming[FETCH_LINK]]);
	uint32_t object = coming[FETCH_ROW];
	if (object < graph->objects)
		hf_graph_fetch_row(graph, object);
	object = coming[FETCH_TARGETS];
	if (object < graph->objects && hf_row_is_long(graph->link[object].row)) {
		uint32_t count = hf_graph_row(graph, object, &targets);
		for (uint32_t i = 0; i < count && i < FETCHED_TARGETS; i++)
			__builtin_prefetch(&graph->link[HF_EDGE_NODE(targets[i])]);
	}
}

/* ---- what the roots reach -----------------------------------------------------------------------
 */

static void visit_starts(struct reach *reach, uint32_t node)
{
	const uint32_t *targets;
	uint64_t count = hf_graph_out_row(reach->graph, node, &targets);
	bool interior = false;

	for (uint64_t i = 0; i < count; i++) {
		if (targets[i] & HF_EDGE_INTERIOR)
			interior = true;
		else
			follow(reach, targets[i], node);
	}
	if (interior && !hf_vec_push(&reach->interior, node))
		reach->failed = true;
}

static void visit_interiors(struct reach *reach, uint32_t node)
{
	const uint32_t *targets;
	uint64_t count = hf_graph_out_row(reach->graph, node, &targets);

	for (uint64_t i = 0; i < count; i++) {
		if (targets[i] & HF_EDGE_INTERIOR)
			follow(reach, HF_EDGE_NODE(targets[i]), node);
	}
}

static void visit_all(struct reach *reach, uint32_t node)
{
	const uint32_t *targets;
	uint64_t count = hf_graph_out_row(reach->graph, node, &targets);

	for (uint64_t i = 0; i < count; i++)
		follow(reach, HF_EDGE_NODE(targets[i]), node);
}

static void reach_roots(struct reach *reach)
{
	struct hf_graph *graph = reach->graph;

	append(reach, hf_graph_root(graph), 0);
	for (uint32_t node = graph->objects; node < graph->objects + graph->holders; node++) {
		append(reach, node, reach->root_mark);
		if (!hf_vec_push(&graph->tops, node))
			reach->failed = true;
	}
	for (reach->head = 1; reach->head < reach->tail && !reach->failed; reach->head++) {
		fetch_ahead(reach);
		visit_starts(reach, reach->order[reach->head]);
	}
	uint32_t possible = reach->tail;
	hf_vec_foreach (node, &reach->interior)
		visit_interiors(reach, *node);
	for (; reach->head < reach->tail; reach->head++) {
		fetch_ahead(reach);
		visit_all(reach, reach->order[reach->head]);
	}
	for (; possible < reach->tail; possible++)
		graph->kind[reach->order[possible]] = HF_POSSIBLE;
}

/* The allocator's own blocks are never lost: where no root leads to them, they stand alone. */
static void reach_allocators_own(struct reach *reach)
{
	const uint32_t *ids;
	uint32_t count = hf_extents_allocator_objects(reach->graph->extents, &ids);

	for (uint32_t i = 0; i < count; i++) {
		if (reach->graph->link[ids[i]].mark == 0)
			append(reach, ids[i], reach->root_mark);
		reach->graph->kind[ids[i]] = HF_REACHABLE;
	}
	reach->head = reach->tail;
}

/* ---- the lost
 * -------------------------------------------------------------------------------------- */

static void visit_lost(struct reach *reach, uint32_t object)
{
	const struct hf_graph *graph = reach->graph;
	const uint32_t *targets;
	uint32_t count = hf_graph_row(graph, object, &targets);

	for (uint32_t i = 0; i < count; i++) {
		uint32_t target = HF_EDGE_NODE(targets[i]);
		if (graph->link[target].mark == 0 || graph->kind[target] >= HF_INDIRECT)
			follow(reach, target, object);
	}
}

static void lead(struct reach *reach, uint32_t leader)
{
	struct hf_graph *graph = reach->graph;

	append(reach, leader, reach->root_mark);
	graph->kind[leader] = HF_DEFINITE;
	if (!hf_vec_push(&graph->tops, leader))
		reach->failed = true;
}

static void reach_lost(struct reach *reach)
{
	for (; reach->head < reach->tail; reach->head++) {
		fetch_ahead(reach);
		visit_lost(reach, reach->order[reach->head]);
	}
}

/* One bit an object: some lost object points at it. */
static uint64_t *find_entered(const struct hf_graph *graph)
{
	uint64_t *entered = hf_bigmem_alloc(NULL, graph->objects / 8 + 8);

	for (uint32_t id = 0; entered && id < graph->objects; id++) {
		const uint32_t *targets;
		if (graph->kind[id] < HF_INDIRECT)
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
static struct hf_error *find_lost(struct reach *reach)
{
	struct hf_graph *graph = reach->graph;
	struct hf_node_list leaders = {0};
	bool any = false;

	for (uint32_t id = 0; id < graph->objects; id++) {
		if (graph->link[id].mark == 0) {
			graph->kind[id] = HF_INDIRECT;
			any = true;
		}
	}
	if (!any)
		return NULL;
	uint64_t *entered = find_entered(graph);
	if (!entered)
		return hf_error_nomem();
	for (uint32_t id = 0; id < graph->objects; id++) {
		if (graph->kind[id] == HF_INDIRECT && !(entered[id / 64] >> (id % 64) & 1))
			lead(reach, id);
	}
	hf_bigmem_free(NULL, entered, graph->objects / 8 + 8);
	reach_lost(reach);
	if (reach->tail == hf_graph_nodes(graph))
		return NULL;
	struct hf_error *err = hf_graph_find_leaders(graph, &leaders);
	hf_vec_foreach (leader, &leaders)
		lead(reach, *leader);
	reach_lost(reach);
	free(leaders.data);
	return err;
}

struct hf_error *hf_graph_reach(struct hf_graph *graph, uint32_t *order)
{
	struct reach reach = {
	    .graph = graph, .order = order, .root_mark = hf_graph_root(graph) + 1};
	struct hf_error *err = NULL;

	reach_roots(&reach);
	reach_allocators_own(&reach);
	if (!reach.failed)
		err = find_lost(&reach);
	free(reach.interior.data);
	return !err && reach.failed ? hf_error_nomem() : err;
}
