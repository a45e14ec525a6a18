/*
 * dominators.c - immediate dominators.
 *
 * What the roots reach is put in order (reach.c), joins that sweeps can settle are settled
 * (split.c, back_edges.c), single-entry nodes are folded away (fold.c), and Semi-NCA runs on what
 * is left: Georgiadis, Tarjan, Werneck, "Finding dominators in practice" (2006). A depth-first
 * search numbers the nodes. Edges that are no tree edges are kept as pairs: only they can make a
 * dominator differ from the tree's parent. In descending preorder the semidominator of each node is
 * the least label over its in-edges, by path compression; in ascending order the immediate
 * dominator is the nearest ancestor that is not above it. Labels hold semidominators' numbers, not
 * nodes.
 *
 * Sole edges: if no other edge into a node has a label as low as its tree parent, then all the
 * others come from nodes that it dominates itself, and the tree edge's true source (fold.c), not
 * the parent, is its immediate dominator.
 *
 * Arrays are indexed by preorder number from 1 (the super root); all loops are iterative.
 */
#include <stdlib.h>

#include "heapwalk/graph/extents_inline.h"
#include "heapwalk/graph/graph_private.h"
#include "heapwalk/graph/visit.h"

#define ROOT_NUMBER    1u
#define PREFETCH_AHEAD 16u

struct pending {	      /* an edge to be followed */
	uint32_t row, source; /* see struct hf_fold */
	uint32_t parent;      /* number */
};

struct pair { /* an edge that is not in the tree, as numbers */
	uint32_t source, target;
};

struct search {
	struct hf_graph *graph;
	const struct hf_fold *fold; /* while numbering */
	uint64_t entries;	    /* of the arrays by number */
	uint32_t *position;	    /* number -> position */
	uint32_t *parent;	    /* number -> number */
	uint32_t *source;	    /* number -> true source of the tree edge, a position */
	uint64_t *shared; /* a bit a number: more than the tree edge leads here from above */
	uint32_t count;	  /* numbers given: 1 .. count */
	HF_BIG(, struct pending) stack;
	HF_BIG(, struct pair) pairs;
	bool failed;
};

bool hf_big_grow(struct hf_bigmem_account *account, void **data, size_t *capacity, size_t wanted,
		 size_t element)
{
	size_t next = *capacity ? *capacity : 1 << 16;
	while (next < wanted)
		next = next / 2 * 3;
	void *moved = hf_bigmem_resize(account, *data, *capacity * element, next * element);
	if (!moved)
		return false;
	*data = moved;
	*capacity = next;
	return true;
}

/* ---- numbering ------------------------------------------------------------------------------- */

static uint32_t give_number(struct search *search, uint32_t row, uint32_t parent, uint32_t source)
{
	uint32_t number = ++search->count, *words = search->fold->rows + row;
	words[HF_FOLD_PREORDER] = number;
	search->position[number] = words[HF_FOLD_POSITION];
	search->parent[number] = parent;
	search->source[number] = source;
	return number;
}

static void push_row(struct search *search, uint32_t row, uint32_t number)
{
	const uint32_t *rows = search->fold->rows, *edge = rows + row + HF_FOLD_EDGES;
	uint32_t count = rows[row + HF_FOLD_COUNT];

	if (!hf_big_reserve(&search->graph->memory, &search->stack, search->stack.count + count)) {
		search->failed = true;
		return;
	}
	for (; count--; edge += 2) {
		__builtin_prefetch(&rows[edge[0]]);
		search->stack.data[search->stack.count++] =
		    (struct pending){edge[0], edge[1], number};
	}
}

static void share(struct search *search, uint32_t number)
{
	search->shared[number / 64] |= UINT64_C(1) << (number % 64);
}

/* An edge to a node that has its number already. */
static void meet_again(struct search *search, uint32_t source, uint32_t number)
{
	struct pair pair = {source, number};

	if (source == number)
		return;
	if (search->parent[number] == source) {
		share(search, number);
		return;
	}
	if (!hf_big_reserve(&search->graph->memory, &search->pairs, search->pairs.count + 1)) {
		search->failed = true;
		return;
	}
	search->pairs.data[search->pairs.count++] = pair;
}

/* Follow what is pending until nothing is. */
static void explore(struct search *search)
{
	while (search->stack.count && !search->failed) {
		struct pending next = search->stack.data[--search->stack.count];
		uint32_t number = search->fold->rows[next.row + HF_FOLD_PREORDER];

		if (number)
			meet_again(search, next.parent, number);
		else
			push_row(search, next.row,
				 give_number(search, next.row, next.parent, next.source));
	}
}

/* The super root's edges one by one: they are many. */
static void number_all(struct search *search)
{
	const uint32_t *rows = search->fold->rows, *edge = rows + HF_FOLD_EDGES;
	uint32_t count = rows[HF_FOLD_COUNT];

	give_number(search, 0, 0, 0);
	for (uint32_t i = 0; i < count && !search->failed; i++, edge += 2) {
		if (i + PREFETCH_AHEAD < count)
			__builtin_prefetch(&rows[edge[2 * PREFETCH_AHEAD]]);
		struct pending next = {edge[0], edge[1], ROOT_NUMBER};
		if (!hf_big_push(&search->graph->memory, &search->stack, next))
			search->failed = true;
		explore(search);
	}
}

/* ---- in-edges that are not in the tree, by target -------------------------------------------- */

struct in_edges {
	uint32_t *start;  /* number -> first; count + 2 entries */
	uint32_t *source; /* numbers */
	size_t pairs;
};

static struct hf_error *sort_pairs(struct search *search, struct in_edges *ret)
{
	struct hf_bigmem_account *account = &search->graph->memory;
	size_t pairs = search->pairs.count;

	if (pairs > UINT32_MAX)
		return hf_error_create(HF_ERR_LIMIT, "more than 2^32 edges that join paths");
	ret->pairs = pairs;
	ret->start = hf_bigmem_alloc(account, (search->count + 2ull) * sizeof(uint32_t));
	ret->source = hf_bigmem_take(account, pairs * sizeof(uint32_t));
	if (!ret->start || !ret->source)
		return hf_error_nomem();
	for (size_t i = 0; i < pairs; i++)
		ret->start[search->pairs.data[i].target + 1]++;
	for (uint32_t i = 1; i <= search->count + 1; i++)
		ret->start[i] += ret->start[i - 1];
	/* Filling from the back leaves start[] where it belongs. */
	for (size_t i = pairs; i-- > 0;) {
		uint32_t target = search->pairs.data[i].target;
		ret->source[--ret->start[target + 1]] = search->pairs.data[i].source;
	}
	return NULL;
}

static void in_edges_free(struct search *search, struct in_edges *in)
{
	struct hf_bigmem_account *account = &search->graph->memory;
	hf_bigmem_free(account, in->start, (search->count + 2ull) * sizeof(uint32_t));
	hf_bigmem_free(account, in->source, in->pairs * sizeof(uint32_t));
}

/* ---- Semi-NCA -------------------------------------------------------------------------------- */

struct semi_nca {
	uint32_t *ancestor, *label, *semi;
	HF_BIG(, uint32_t) path;
};

/* Least label on the path from @v up to the forest's root; nodes below @last are not linked. */
static uint32_t least_label(struct search *search, struct semi_nca *nca, uint32_t v, uint32_t last)
{
	if (nca->ancestor[v] < last)
		return nca->label[v];
	nca->path.count = 0;
	uint32_t at = v;
	while (nca->ancestor[at] >= last) {
		if (!hf_big_reserve(&search->graph->memory, &nca->path, nca->path.count + 1)) {
			search->failed = true;
			return ROOT_NUMBER;
		}
		nca->path.data[nca->path.count++] = at;
		at = nca->ancestor[at];
	}
	uint32_t above = at;
	while (nca->path.count) {
		at = nca->path.data[--nca->path.count];
		nca->ancestor[at] = nca->ancestor[above];
		if (nca->label[above] < nca->label[at])
			nca->label[at] = nca->label[above];
		above = at;
	}
	return nca->label[v];
}

struct climb {
	uint32_t depth, jump; /* jump: an ancestor, itself on the way to the root */
};

/*
 * parent[] becomes idom[] in place: the nearest ancestor that is not above the semidominator. The
 * way there may be as long as the tree is deep, for each of very many nodes, so that it is taken in
 * jumps, of which log n lead anywhere: Myers, "An applicative random-access stack" (1983).
 */
static void climb_to_idoms(struct search *search, struct climb *climb, const uint32_t *semi)
{
	uint32_t *idom = search->parent;

	climb[ROOT_NUMBER] = (struct climb){0, ROOT_NUMBER};
	for (uint32_t i = ROOT_NUMBER + 1; i <= search->count; i++) {
		uint32_t at = idom[i];
		while (at > semi[i])
			at = climb[at].jump > semi[i] ? climb[at].jump : idom[at];
		const struct climb *above = &climb[at], *far = &climb[above->jump];
		bool even = above->depth - far->depth == far->depth - climb[far->jump].depth;
		idom[i] = at;
		climb[i] = (struct climb){above->depth + 1, even ? far->jump : at};
	}
}

/* parent[] becomes idom[]; a semidominator needs it no more. */
static struct hf_error *compute_idoms(struct search *search, const struct in_edges *in)
{
	struct hf_bigmem_account *account = &search->graph->memory;
	uint64_t bytes = (search->count + 1ull) * sizeof(uint32_t);
	uint32_t *work = hf_bigmem_take(account, 3 * bytes);
	struct semi_nca nca = {.ancestor = work};

	if (!work)
		return hf_error_nomem();
	nca.label = work + search->count + 1;
	nca.semi = nca.label + search->count + 1;
	for (uint32_t i = 1; i <= search->count && !search->failed; i++) {
		nca.ancestor[i] = search->parent[i];
		nca.label[i] = i;
	}
	for (uint32_t i = search->count; i > ROOT_NUMBER && !search->failed; i--) {
		uint32_t semi = search->parent[i];
		/* start[] is shifted by one: see sort_pairs(). */
		for (uint32_t e = in->start[i + 1];
		     e < (i == search->count ? (uint32_t)in->pairs : in->start[i + 2]); e++) {
			uint32_t source = in->source[e];
			uint32_t label =
			    source > i ? least_label(search, &nca, source, i + 1) : source;
			if (label <= search->parent[i])
				share(search, i);
			if (label < semi)
				semi = label;
		}
		nca.semi[i] = nca.label[i] = semi;
	}
	if (!search->failed)
		climb_to_idoms(search, (struct climb *)work, nca.semi);
	hf_bigmem_free(account, work, 3 * bytes);
	hf_big_free(account, &nca.path);
	return search->failed ? hf_error_nomem() : NULL;
}

/* ---- results --------------------------------------------------------------------------------- */

/* Into @order's sources: those of nodes without many are immediate dominators already. */
static void write_idoms(struct search *search, struct hf_order *order)
{
	const uint32_t *position = search->position, *idom = search->parent;

	for (uint32_t i = ROOT_NUMBER + 1; i <= search->count; i++) {
		if (i + PREFETCH_AHEAD <= search->count)
			__builtin_prefetch(&order->source[position[i + PREFETCH_AHEAD]], 1);
		if (!(order->source[position[i]] & HF_MANY_SOURCES))
			continue;
		bool shared = search->shared[i / 64] >> (i % 64) & 1;
		order->source[position[i]] = shared ? position[idom[i]] : search->source[i];
	}
}

static struct hf_error *search_folded(struct search *search)
{
	struct hf_bigmem_account *account = &search->graph->memory;
	uint64_t entries = search->entries, bytes = entries * sizeof(uint32_t);

	search->position = hf_bigmem_take(account, bytes);
	search->parent = hf_bigmem_take(account, bytes);
	search->source = hf_bigmem_take(account, bytes);
	search->shared = hf_bigmem_alloc(account, entries / 8 + 8);
	if (!search->position || !search->parent || !search->source || !search->shared)
		return hf_error_nomem();
	number_all(search);
	return search->failed ? hf_error_nomem() : NULL;
}

static void search_free(struct search *search)
{
	struct hf_bigmem_account *account = &search->graph->memory;
	uint64_t entries = search->entries, bytes = entries * sizeof(uint32_t);

	hf_bigmem_free(account, search->position, bytes);
	hf_bigmem_free(account, search->parent, bytes);
	hf_bigmem_free(account, search->source, bytes);
	hf_bigmem_free(account, search->shared, entries / 8 + 8);
}

static struct hf_error *find_idoms(struct hf_graph *graph, struct hf_fold *fold,
				   struct hf_order *order)
{
	struct search search = {.graph = graph, .fold = fold, .entries = fold->count + 1ull};
	struct in_edges in = {0};
	struct hf_error *err = search_folded(&search);

	hf_graph_fold_free(graph, fold);
	hf_big_free(&graph->memory, &search.stack);
	search.stack.data = NULL;
	if (!err)
		err = sort_pairs(&search, &in);
	hf_big_free(&graph->memory, &search.pairs);
	search.pairs.data = NULL;
	if (!err)
		err = compute_idoms(&search, &in);
	if (!err)
		write_idoms(&search, order);
	in_edges_free(&search, &in);
	search_free(&search);
	return err;
}

/* All are asked for the totals again and again: once through the objects is enough. */
static void count_kinds(struct hf_graph *graph)
{
	for (uint32_t id = 0; id < graph->objects; id++) {
		struct hf_leak_total *total = &graph->totals[graph->kind[id]];
		total->count++;
		total->bytes += extents_chunk_bytes(graph->extents, id);
	}
}

static struct hf_error *dominate(struct hf_graph *graph, struct hf_order *order)
{
	double since = hf_clock_seconds();
	struct hf_fold fold = {0};
	struct hf_error *err = hf_graph_reach(graph, order);

	if (!err)
		count_kinds(graph);
	hf_graph_stage_done(graph, "reach", &since);
	if (!err && !graph->options.plain)
		err = hf_graph_split(graph, order);
	hf_graph_stage_done(graph, "split", &since);
	if (!err)
		err = hf_graph_fold(graph, order, &fold);
	hf_joins_free(graph, order);
	hf_graph_stage_done(graph, "fold", &since);
	if (!err)
		err = find_idoms(graph, &fold, order);
	else
		hf_graph_fold_free(graph, &fold);
	hf_graph_stage_done(graph, "dominators", &since);
	if (!err)
		err = hf_graph_retain(graph, order);
	hf_graph_stage_done(graph, "retained", &since);
	return err;
}

struct hf_error *hf_graph_dominate(struct hf_graph *graph)
{
	uint64_t bytes = hf_visit_positions(graph) * sizeof(uint32_t);
	struct hf_order order = {.node = hf_bigmem_take(&graph->memory, bytes),
				 .source = hf_bigmem_take(&graph->memory, bytes)};
	struct hf_error *err = hf_error_nomem();

	graph->kind = hf_bigmem_alloc(&graph->memory, graph->objects);
	if (order.node && order.source && graph->kind)
		err = dominate(graph, &order);
	hf_bigmem_free(&graph->memory, order.node, bytes);
	hf_bigmem_free(&graph->memory, order.source, bytes);
	return err;
}
