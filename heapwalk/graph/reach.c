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
 * How the visits themselves go: visit.c.
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

#include "core/base/parallel.h"
#include "heapwalk/graph/graph_private.h"
#include "heapwalk/graph/visit.h"

enum { FETCH_JOIN = 32, PART_OBJECTS = 1 << 17 };

struct reach {
	struct hf_graph *graph;
	struct hf_order *order;
	struct hf_visits visits;
	uint32_t possible; /* the position from which on all are only possible */
	_Atomic bool any_lost;
	bool failed;
};

/* ---- what the roots reach -------------------------------------------------------------------- */

/* A holder's edges to starts of objects, and that it is a top. */
static void visit_holder(struct reach *reach, uint32_t holder)
{
	struct hf_graph *graph = reach->graph;
	uint32_t node = graph->objects + holder, position = holder + 1;
	const uint32_t *targets;
	uint64_t count = hf_graph_out(graph, node, &targets);
	bool aside = false;

	for (uint64_t i = 0; i < count; i++) {
		if (targets[i] & HF_EDGE_INTERIOR)
			aside = true;
		else
			hf_visit_follow(&reach->visits, targets[i], position);
	}
	if ((aside && !hf_vec_push(&reach->visits.interior[0], position)) ||
	    !hf_vec_push(&graph->tops, node))
		reach->failed = true;
}

static void visit_interiors(struct reach *reach, uint32_t position)
{
	const uint32_t *targets;
	uint64_t count = hf_graph_out_row(reach->graph, reach->order->node[position], &targets);

	for (uint64_t i = 0; i < count; i++) {
		if (targets[i] & HF_EDGE_INTERIOR)
			hf_visit_follow(&reach->visits, HF_EDGE_NODE(targets[i]), position);
	}
}

static void reach_roots(struct reach *reach)
{
	struct hf_graph *graph = reach->graph;
	struct hf_visits *visits = &reach->visits;

	hf_visit_append(visits, hf_graph_root(graph), 0);
	for (uint32_t i = 0; i < graph->holders; i++)
		hf_visit_append(visits, graph->objects + i, 0);
	hf_visits_skip(visits);
	for (uint32_t i = 0; i < graph->holders && !reach->failed; i++)
		visit_holder(reach, i);
	if (reach->failed || !hf_visit_objects(visits, HF_VISIT_STARTS))
		return;
	reach->possible = hf_visits_tail(visits);
	for (unsigned i = 0; i < visits->threads; i++) {
		hf_vec_foreach (position, &visits->interior[i])
			visit_interiors(reach, *position);
	}
	hf_visit_objects(visits, HF_VISIT_ALL);
}

/* The allocator's own blocks are never lost: where no root leads to them, they stand alone. */
static void reach_allocators_own(struct reach *reach)
{
	const uint32_t *ids;
	uint32_t count = hf_extents_allocator_objects(reach->graph->extents, &ids);

	for (uint32_t i = 0; i < count; i++) {
		if (reach->graph->link[ids[i]].mark == 0)
			hf_visit_append(&reach->visits, ids[i], 0);
		reach->graph->kind[ids[i]] = HF_REACHABLE;
	}
	hf_visits_skip(&reach->visits);
}

/* Those without a mark are the lost. */
static void tell_kinds(void *ctx, uint64_t part, unsigned worker)
{
	struct reach *reach = ctx;
	struct hf_graph *graph = reach->graph;
	uint32_t begin = (uint32_t)(part * PART_OBJECTS), possible = reach->possible;
	uint32_t end =
	    graph->objects - begin > PART_OBJECTS ? begin + PART_OBJECTS : graph->objects;
	bool any_lost = false;
	(void)worker;

	for (uint32_t id = begin; id < end; id++) {
		uint32_t mark = graph->link[id].mark;
		any_lost |= mark == 0;
		graph->kind[id] = !mark		    ? HF_INDIRECT
				  : mark > possible ? HF_POSSIBLE
						    : HF_REACHABLE;
	}
	if (any_lost)
		reach->any_lost = true;
}

/* ---- the lost -------------------------------------------------------------------------------- */

static void lead(struct reach *reach, uint32_t leader)
{
	struct hf_graph *graph = reach->graph;

	hf_visit_append(&reach->visits, leader, 0);
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
	hf_visits_forget(&reach->visits);
	for (uint32_t id = 0; id < graph->objects; id++) {
		if (!graph->link[id].mark && !(entered[id / 64] >> (id % 64) & 1))
			lead(reach, id);
	}
	hf_bigmem_free(NULL, entered, graph->objects / 8 + 8);
	if (!hf_visit_objects(&reach->visits, HF_VISIT_ALL) || reach->failed)
		return hf_error_nomem();
	if (hf_visits_tail(&reach->visits) == hf_graph_nodes(graph))
		return NULL;
	struct hf_error *err = hf_graph_find_leaders(graph, &leaders);
	hf_vec_foreach (leader, &leaders)
		lead(reach, *leader);
	free(leaders.data);
	if (!hf_visit_objects(&reach->visits, HF_VISIT_ALL) && !err)
		return hf_error_nomem();
	return err;
}

/* ---- joins ----------------------------------------------------------------------------------- */

/*
 * A second pointer from the same source joins nothing, nor does any to the super root's children.
 * The others are told by positions from here on.
 */
static void mark_joined(void *ctx, uint64_t list, unsigned worker)
{
	struct reach *reach = ctx;
	const struct hf_graph_link *link = reach->graph->link;
	struct hf_joins *joins = &reach->order->joins[list];
	struct hf_join *join = joins->data;
	size_t kept = 0;
	(void)worker;

	for (size_t i = 0; i < joins->count; i++) {
		if (i + 2 * FETCH_JOIN < joins->count)
			__builtin_prefetch(&link[join[i + 2 * FETCH_JOIN].target]);
		if (i + FETCH_JOIN < joins->count)
			__builtin_prefetch(
			    &reach->order->source[link[join[i + FETCH_JOIN].target].mark - 1], 1);
		uint32_t target = link[join[i].target].mark - 1;
		uint32_t *source = &reach->order->source[target];
		uint32_t first = __atomic_load_n(source, __ATOMIC_RELAXED);
		if ((first & ~HF_MANY_SOURCES) == 0 || (first & ~HF_MANY_SOURCES) == join[i].source)
			continue;
		if (!(first & HF_MANY_SOURCES))
			__atomic_fetch_or(source, HF_MANY_SOURCES, __ATOMIC_RELAXED);
		join[kept++] = (struct hf_join){join[i].source, target};
	}
	joins->count = kept;
}

static struct hf_error *reach_all(struct reach *reach)
{
	struct hf_graph *graph = reach->graph;
	uint64_t parts = ((uint64_t)graph->objects + PART_OBJECTS - 1) / PART_OBJECTS;
	struct hf_error *err = NULL;

	reach_roots(reach);
	hf_parallel_for(graph->options.threads, parts, tell_kinds, reach);
	reach_allocators_own(reach);
	if (reach->any_lost && !reach->failed)
		err = reach_lost(reach);
	return !err && (reach->failed || hf_visits_failed(&reach->visits)) ? hf_error_nomem() : err;
}

struct hf_error *hf_graph_reach(struct hf_graph *graph, struct hf_order *order)
{
	struct reach reach = {.graph = graph, .order = order};
	struct hf_error *err = hf_visits_init(&reach.visits, graph, order);

	if (err)
		return err;
	err = reach_all(&reach);
	hf_visits_deinit(&reach.visits, order);
	if (!err)
		hf_parallel_for(graph->options.threads, HF_VISIT_THREADS, mark_joined, &reach);
	return err;
}
