/*
 * visit.c - breadth-first visits, level by level (see visit.h).
 *
 * Since the queue tells what comes next, the memory of coming visits is fetched while this one goes
 * on: what bounds the search is how many accesses a processor has under way, not how long one
 * takes.
 *
 * Small levels are one thread's. A level of many nodes is for all threads, in parts: whoever is
 * first to mark a node (compare-and-swap) gives it a position of the run that he has taken from the
 * tail; what is left of the runs when the level is over is closed with the level's last nodes.
 *
 *	level                    | next level
 *	v v v v v v v v v v v v  | a a a a - - b b b b b b b -     a, b: runs of two threads
 *	                                   ^---^---------^         the last ones move into the gaps
 *
 * So positions, and which source is a node's first, depend on the threads' luck; that every node
 * stands after some source, and after all that dominate it, does not. Nor does anything that is
 * told in the end: kinds, dominators and sums are the same for any such order.
 */
#include "heapwalk/graph/visit.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/parallel.h"

/* So many visits ahead; of a long row so many targets. */
enum { FETCH_ROW = 32, FETCH_TARGETS = 24, FETCH_LINKS = 16, FETCHED_LINKS = 6 };

/* Levels of so many nodes are shared, in so many parts or more; positions are given out in runs. */
enum { SHARED_FROM = 1 << 16, LEVEL_PARTS = 8, RUN = 1 << 9 };

#define ALWAYS_INLINE inline __attribute__((always_inline))

/* A level, or what one thread visits alone. */
struct level {
	struct hf_visits *visits;
	uint32_t begin, end, part;
	enum hf_visit_edges edges;
	_Atomic uint32_t tail;
};

/* ---- one visit ------------------------------------------------------------------------------- */

static __attribute__((noinline)) struct hf_joins grown(struct hf_joins joins)
{
	if (!hf_big_grow(NULL, (void **)&joins.data, &joins.capacity, joins.count + 1,
			 sizeof(*joins.data)))
		joins.count = SIZE_MAX;
	return joins;
}

static ALWAYS_INLINE void join(struct hf_visitor *visitor, uint32_t source, uint32_t target)
{
	if (visitor->joins.count == visitor->joins.capacity) {
		struct hf_joins joins = grown(visitor->joins);
		if (joins.count == SIZE_MAX) {
			visitor->failed = true;
			return;
		}
		visitor->joins = joins;
	}
	visitor->joins.data[visitor->joins.count++] = (struct hf_join){source, target};
}

/* What the link says of the row is here now, and will not be when the visit comes. */
static ALWAYS_INLINE void place(struct hf_visitor *visitor, uint32_t node, uint32_t source,
				uint32_t row)
{
	visitor->row[visitor->tail] = row;
	visitor->node[visitor->tail] = node;
	visitor->source[visitor->tail++] = source;
}

/* The next run of positions, where the last one is used up. */
static ALWAYS_INLINE void take_run(struct hf_visitor *visitor, struct level *level)
{
	if (visitor->tail < visitor->limit)
		return;
	visitor->tail = atomic_fetch_add_explicit(&level->tail, RUN, memory_order_relaxed);
	visitor->limit = visitor->tail + RUN;
}

/* @level: NULL where one thread visits alone. */
static ALWAYS_INLINE void follow(struct hf_visitor *visitor, struct level *level, uint32_t target,
				 uint32_t source)
{
	struct hf_graph_link *link = &visitor->link[target];
	uint32_t mark = level ? __atomic_load_n(&link->mark, __ATOMIC_RELAXED) : link->mark;

	if (mark == 0 && !level) {
		place(visitor, target, source, link->row);
		link->mark = visitor->tail; /* position + 1 */
		return;
	}
	if (mark == 0) {
		take_run(visitor, level);
		if (__atomic_compare_exchange_n(&link->mark, &mark, visitor->tail + 1, false,
						__ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
			place(visitor, target, source, link->row);
			return;
		}
	}
	if (mark > visitor->first)
		join(visitor, source, target);
}

/* The row of the object at a position. */
static ALWAYS_INLINE uint32_t row_at(const struct hf_visitor *visitor, uint32_t position,
				     const uint32_t **ret)
{
	uint32_t row = visitor->row[position];

	if (hf_row_is_long(row))
		return hf_row_long(visitor->blocks, visitor->node[position], row, ret);
	*ret = &visitor->row[position];
	return row != HF_NO_NODE;
}

/* Have the memory of coming visits fetched: of long rows, what they are; then their targets' links.
 */
static ALWAYS_INLINE void fetch_ahead(const struct hf_visitor *visitor, uint32_t head)
{
	const uint32_t *row = visitor->row + head, *node = visitor->node + head;
	const uint32_t *targets;

	if (hf_row_is_long(row[FETCH_ROW]))
		__builtin_prefetch(hf_row_ends(visitor->blocks, node[FETCH_ROW], row[FETCH_ROW]));
	if (hf_row_is_long(row[FETCH_TARGETS])) {
		hf_row_long(visitor->blocks, node[FETCH_TARGETS], row[FETCH_TARGETS], &targets);
		__builtin_prefetch(targets);
	}
	uint32_t count = row_at(visitor, head + FETCH_LINKS, &targets);
	for (uint32_t i = 0; i < count && i < FETCHED_LINKS; i++)
		__builtin_prefetch(&visitor->link[HF_EDGE_NODE(targets[i])], 1);
}

static ALWAYS_INLINE void visit(struct hf_visitor *visitor, struct level *level, uint32_t position,
				enum hf_visit_edges edges, bool *aside)
{
	const uint32_t *targets;
	uint32_t count = row_at(visitor, position, &targets);

	for (uint32_t i = 0; i < count; i++) {
		if (edges == HF_VISIT_STARTS && targets[i] & HF_EDGE_INTERIOR)
			*aside = true;
		else
			follow(visitor, level, HF_EDGE_NODE(targets[i]), position);
	}
}

/* ---- levels ---------------------------------------------------------------------------------- */

/*
 * Visit [@head, @end), alone (no @level) the levels behind it too, up to a big one. Returns where
 * the next visit is.
 */
static ALWAYS_INLINE uint32_t visit_from(struct hf_visits *visits, unsigned thread,
					 struct level *level, uint32_t head, uint32_t end,
					 enum hf_visit_edges edges)
{
	struct hf_visitor visitor = visits->visitor[thread];
	uint32_t shared_from = visits->threads > 1 ? visits->shared_from : UINT32_MAX;

	while (!visitor.failed) {
		bool aside = false;
		if (head == end) {
			end = level ? end : visitor.tail;
			if (head == end || end - head >= shared_from)
				break;
		}
		if ((level ? end : visitor.tail) - head > FETCH_ROW)
			fetch_ahead(&visitor, head);
		visit(&visitor, level, head, edges, &aside);
		if (aside && !hf_vec_push(&visits->interior[thread], head))
			visitor.failed = true;
		head++;
	}
	visits->visitor[thread] = visitor;
	return head;
}

/* A loop for each case: the compiler leaves out what it does not need. */
static uint32_t visit_alone(struct hf_visits *visits, uint32_t head, enum hf_visit_edges edges)
{
	return edges == HF_VISIT_ALL ? visit_from(visits, 0, NULL, head, head, HF_VISIT_ALL)
				     : visit_from(visits, 0, NULL, head, head, HF_VISIT_STARTS);
}

static void visit_part(void *ctx, uint64_t part, unsigned worker)
{
	struct level *level = ctx;
	uint32_t begin = level->begin + (uint32_t)part * level->part;
	uint32_t end = level->end - begin > level->part ? begin + level->part : level->end;

	if (level->edges == HF_VISIT_ALL)
		visit_from(level->visits, worker, level, begin, end, HF_VISIT_ALL);
	else
		visit_from(level->visits, worker, level, begin, end, HF_VISIT_STARTS);
}

/* Positions of runs that nobody gave away get the last nodes of all; returns the tail. */
static uint32_t close_gaps(struct hf_visits *visits, uint32_t tail)
{
	struct hf_visitor *first = &visits->visitor[0];

	for (unsigned i = 0; i < visits->threads; i++) {
		for (uint32_t at = visits->visitor[i].tail; at < visits->visitor[i].limit; at++)
			first->node[at] = HF_NO_NODE;
	}
	for (unsigned i = 0; i < visits->threads; i++) {
		struct hf_visitor *visitor = &visits->visitor[i];
		for (uint32_t at = visitor->tail; at < visitor->limit && at < tail; at++) {
			while (tail > at && first->node[tail - 1] == HF_NO_NODE)
				tail--;
			if (tail <= at)
				break;
			tail--;
			first->node[at] = first->node[tail];
			first->source[at] = first->source[tail];
			first->row[at] = first->row[tail];
			first->node[tail] = HF_NO_NODE;
			first->link[first->node[at]].mark = at + 1;
		}
	}
	return tail;
}

/* What the threads have grown without the account. */
static void charge_joins(struct hf_visits *visits)
{
	uint64_t bytes = 0;

	for (unsigned i = 0; i < visits->threads; i++)
		bytes += visits->visitor[i].joins.capacity * sizeof(struct hf_join);
	hf_bigmem_charge(&visits->graph->memory, (int64_t)(bytes - visits->charged));
	visits->charged = bytes;
}

static void visit_together(struct hf_visits *visits, enum hf_visit_edges edges)
{
	struct hf_visitor *first = &visits->visitor[0];
	struct level level = {.visits = visits,
			      .begin = visits->head,
			      .end = first->tail,
			      .part = (visits->shared_from + LEVEL_PARTS - 1) / LEVEL_PARTS,
			      .edges = edges,
			      .tail = first->tail};
	uint64_t parts = ((uint64_t)level.end - level.begin + level.part - 1) / level.part;

	for (unsigned i = 0; i < visits->threads; i++)
		visits->visitor[i].tail = visits->visitor[i].limit = 0;
	hf_parallel_for(visits->threads, parts, visit_part, &level);
	first->tail = close_gaps(visits, level.tail);
	visits->head = level.end;
}

bool hf_visits_failed(const struct hf_visits *visits)
{
	bool failed = false;

	for (unsigned i = 0; i < visits->threads; i++)
		failed = failed || visits->visitor[i].failed;
	return failed;
}

bool hf_visit_objects(struct hf_visits *visits, enum hf_visit_edges edges)
{
	while (!hf_visits_failed(visits)) {
		visits->head = visit_alone(visits, visits->head, edges);
		if (visits->head == visits->visitor[0].tail)
			break;
		visit_together(visits, edges);
		charge_joins(visits);
	}
	charge_joins(visits);
	return !hf_visits_failed(visits);
}

/* ---- the queue ------------------------------------------------------------------------------- */

static unsigned threads_for(const struct hf_graph *graph)
{
	unsigned threads = graph->options.threads;
	return threads < 1 ? 1 : threads > HF_VISIT_THREADS ? HF_VISIT_THREADS : threads;
}

uint64_t hf_visit_positions(const struct hf_graph *graph)
{
	return (uint64_t)hf_graph_nodes(graph) + (uint64_t)threads_for(graph) * RUN;
}

struct hf_error *hf_visits_init(struct hf_visits *visits, struct hf_graph *graph,
				struct hf_order *order)
{
	uint32_t *row = hf_bigmem_take(&graph->memory, hf_visit_positions(graph) * sizeof(*row));

	*visits = (struct hf_visits){
	    .graph = graph,
	    .threads = threads_for(graph),
	    .shared_from = graph->options.shared_from ? graph->options.shared_from : SHARED_FROM};
	if (!row)
		return hf_error_nomem();
	for (unsigned i = 0; i < visits->threads; i++)
		visits->visitor[i] = (struct hf_visitor){.link = graph->link,
							 .blocks = graph->blocks,
							 .node = order->node,
							 .source = order->source,
							 .row = row};
	return NULL;
}

void hf_visits_deinit(struct hf_visits *visits, struct hf_order *order)
{
	struct hf_graph *graph = visits->graph;

	for (unsigned i = 0; i < visits->threads; i++) {
		order->joins[i] = visits->visitor[i].joins;
		free(visits->interior[i].data);
	}
	hf_bigmem_free(&graph->memory, visits->visitor[0].row,
		       hf_visit_positions(graph) * sizeof(uint32_t));
}

uint32_t hf_visits_tail(const struct hf_visits *visits)
{
	return visits->visitor[0].tail;
}

void hf_visits_skip(struct hf_visits *visits)
{
	visits->head = visits->visitor[0].tail;
}

void hf_visits_forget(struct hf_visits *visits)
{
	for (unsigned i = 0; i < visits->threads; i++)
		visits->visitor[i].first = visits->visitor[0].tail;
}

void hf_visit_append(struct hf_visits *visits, uint32_t node, uint32_t source)
{
	struct hf_visitor *visitor = &visits->visitor[0];

	place(visitor, node, source, visitor->link[node].row);
	visitor->link[node].mark = visitor->tail;
}

void hf_visit_follow(struct hf_visits *visits, uint32_t target, uint32_t source)
{
	follow(&visits->visitor[0], NULL, target, source);
}

uint64_t hf_joins_count(const struct hf_order *order)
{
	uint64_t count = 0;

	for (unsigned list = 0; list < HF_VISIT_THREADS; list++)
		count += order->joins[list].count;
	return count;
}

void hf_joins_keep(struct hf_joins *joins, size_t from)
{
	joins->count -= from;
	if (joins->count)
		memmove(joins->data, joins->data + from, joins->count * sizeof(*joins->data));
}

void hf_joins_free(struct hf_graph *graph, struct hf_order *order)
{
	for (unsigned i = 0; i < HF_VISIT_THREADS; i++) {
		struct hf_joins *joins = &order->joins[i];
		hf_bigmem_charge(&graph->memory,
				 -(int64_t)(joins->capacity * sizeof(*joins->data)));
		hf_big_free(NULL, joins);
		*joins = (struct hf_joins){0};
	}
}
