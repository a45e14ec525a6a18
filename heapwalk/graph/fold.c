/*
 * fold.c - the graph that is left for the dominators when single-entry nodes are folded away.
 *
 * A node that only one other points at is dominated by that one, and there is nothing to find out.
 * So is a holder, and a lost leader, by the super root; and what split.c hung on its dominator.
 * These nodes hang below one another in trees, whose roots are the nodes with several sources
 * (HF_MANY_SOURCES) and the super root. What can the inside of such a tree matter to the dominators
 * of the others? Only where it branches:
 *
 *	h            a tree below h; x, y have several sources, the rest one. An `exit` is an
 *	|\           edge to a node of several sources: c -> x, d -> y, e -> y.
 *	a  f	     f leads to no exit: it goes.
 *	|            a, c lead to one place only: they go, h -> b is one edge, b -> x too (true
 *	b	     source: c).
 *	|\           b is where ways part: it stays. Whatever b alone leads to, b dominates.
 *	c  d,e	     What is left: h, b, x, y; h -> b, b -> x, b -> y, b -> y.
 *
 * A node that went cannot be an immediate dominator of one that stays, but for one case: x is
 * entered by a single edge, apart from edges out of what x dominates itself (a list linked
 * backward too). Then it is that edge's true source. dominators.c knows when: see sole edges.
 *
 * `ways` of a node: how many exits it has, and children in the tree that lead to one; 2 for more.
 * All is told by positions (reach.c): one sweep backward counts ways, one forward gives numbers.
 *
 * Compare T2 of Ullman, "Fast algorithms for the elimination of common subexpressions" (1973).
 */
#include <stdlib.h>

#include "heapwalk/graph/graph_private.h"

enum { MOST_WAYS = 2, FETCH_AHEAD = 32 };

struct folding {
	struct hf_graph *graph;
	const struct hf_order *order;
	uint32_t positions;
	uint8_t *ways;
	uint32_t *number; /* of the node itself, or of the one that it is folded into */
	struct hf_fold *fold;
};

static inline void add_way(struct folding *folding, uint32_t position)
{
	if (folding->ways[position] < MOST_WAYS)
		folding->ways[position]++;
}

static inline bool has_many_sources(const struct folding *folding, uint32_t position)
{
	return folding->order->source[position] & HF_MANY_SOURCES;
}

static inline uint32_t source_of(const struct folding *folding, uint32_t position)
{
	return folding->order->source[position] & ~HF_MANY_SOURCES;
}

/* The last first: what hangs below a node has been counted when its turn comes. */
static void count_ways(struct folding *folding)
{
	for (unsigned list = 0; list < HF_VISIT_THREADS; list++) {
		hf_vec_foreach (join, &folding->order->joins[list])
			add_way(folding, join->source);
	}
	for (uint32_t i = folding->positions; i-- > 1;) {
		if (has_many_sources(folding, i) || folding->ways[i])
			add_way(folding, source_of(folding, i));
	}
}

static inline bool stays(const struct folding *folding, uint32_t position)
{
	return has_many_sources(folding, position) || folding->ways[position] == MOST_WAYS;
}

static uint32_t count_staying(const struct folding *folding)
{
	uint32_t count = 1;

	for (uint32_t i = 1; i < folding->positions; i++)
		count += stays(folding, i);
	return count;
}

/*
 * The first first: what a node is folded into has its number when its turn comes. Numbers ascend
 * from 0, the super root's. Each node that stays is entered from its source, and by the joins.
 */
static void number_and_count(struct folding *folding, uint32_t *edges)
{
	uint32_t count = 1, *number = folding->number;

	number[0] = 0;
	for (uint32_t i = 1; i < folding->positions; i++) {
		if (stays(folding, i)) {
			edges[number[source_of(folding, i)]]++;
			number[i] = count++;
		} else {
			number[i] = folding->ways[i] ? number[source_of(folding, i)] : 0;
		}
	}
	for (unsigned list = 0; list < HF_VISIT_THREADS; list++) {
		hf_vec_foreach (join, &folding->order->joins[list])
			edges[number[join->source]]++;
	}
}

/* From here on a number is a row's place; rows stand in the order of their numbers. */
static void lay_rows(struct folding *folding, uint32_t *edges)
{
	uint32_t *row = folding->fold->rows, *number = folding->number, at = 0;

	for (uint32_t i = 0; i < folding->fold->count; i++) {
		uint32_t words = HF_FOLD_EDGES + 2 * edges[i];
		row[at + HF_FOLD_PREORDER] = row[at + HF_FOLD_POSITION] = 0;
		row[at + HF_FOLD_COUNT] = edges[i];
		edges[i] = at;
		at += words;
	}
	for (uint32_t i = 0; i < folding->positions; i++) {
		number[i] = edges[number[i]];
		if (i && stays(folding, i))
			row[number[i] + HF_FOLD_POSITION] = i;
	}
}

/* HF_FOLD_PREORDER counts what has been placed meanwhile. */
static inline void place(struct folding *folding, uint32_t source, uint32_t target)
{
	uint32_t *row = folding->fold->rows + folding->number[source];
	uint32_t *edge = row + HF_FOLD_EDGES + 2 * row[HF_FOLD_PREORDER]++;
	edge[0] = folding->number[target];
	edge[1] = source;
}

static void place_joins(struct folding *folding, const struct hf_joins *joins)
{
	const struct hf_join *join = joins->data;

	for (size_t i = 0; i < joins->count; i++) {
		if (i + FETCH_AHEAD < joins->count)
			__builtin_prefetch(&folding->number[join[i + FETCH_AHEAD].target]);
		place(folding, join[i].source, join[i].target);
	}
}

static void place_edges(struct folding *folding)
{
	uint32_t *rows = folding->fold->rows;

	for (uint32_t i = 1; i < folding->positions; i++) {
		if (stays(folding, i))
			place(folding, source_of(folding, i), i);
	}
	for (unsigned list = 0; list < HF_VISIT_THREADS; list++)
		place_joins(folding, &folding->order->joins[list]);
	for (uint32_t i = 0, at = 0; i < folding->fold->count; i++) {
		rows[at + HF_FOLD_PREORDER] = 0;
		at += HF_FOLD_EDGES + 2 * rows[at + HF_FOLD_COUNT];
	}
}

static struct hf_error *make_rows(struct folding *folding)
{
	struct hf_bigmem_account *account = &folding->graph->memory;
	struct hf_fold *fold = folding->fold;
	uint64_t count = fold->count, bytes = count * sizeof(uint32_t);
	uint64_t words = HF_FOLD_EDGES * count + 2 * (count - 1 + hf_joins_count(folding->order));

	if (words > UINT32_MAX)
		return hf_error_create(HF_ERR_LIMIT, "too many pointers that join paths");
	uint32_t *edges = hf_bigmem_alloc(account, bytes);
	fold->rows = hf_bigmem_take(account, words * sizeof(uint32_t));
	fold->words = fold->rows ? words : 0;
	if (edges && fold->rows) {
		number_and_count(folding, edges);
		lay_rows(folding, edges);
	}
	hf_bigmem_free(account, edges, bytes);
	if (!edges || !fold->rows)
		return hf_error_nomem();
	place_edges(folding);
	return NULL;
}

static struct hf_error *make_fold(struct folding *folding)
{
	struct hf_bigmem_account *account = &folding->graph->memory;
	uint64_t positions = folding->positions;

	folding->ways = hf_bigmem_alloc(account, positions);
	folding->number = hf_bigmem_take(account, positions * sizeof(uint32_t));
	if (!folding->ways || !folding->number)
		return hf_error_nomem();
	count_ways(folding);
	folding->fold->count = count_staying(folding);
	return make_rows(folding);
}

struct hf_error *hf_graph_fold(struct hf_graph *graph, const struct hf_order *order,
			       struct hf_fold *ret)
{
	struct folding folding = {
	    .graph = graph, .order = order, .positions = hf_graph_nodes(graph), .fold = ret};
	struct hf_error *err = make_fold(&folding);
	uint64_t positions = folding.positions;

	hf_bigmem_free(&graph->memory, folding.ways, positions);
	hf_bigmem_free(&graph->memory, folding.number, positions * sizeof(uint32_t));
	return err;
}

void hf_graph_fold_free(struct hf_graph *graph, struct hf_fold *fold)
{
	hf_bigmem_free(&graph->memory, fold->rows, fold->words * sizeof(uint32_t));
	*fold = (struct hf_fold){0};
}
