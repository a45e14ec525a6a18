/*
 * dominators.c - one depth-first search that numbers the nodes and tells the leak kinds, then
 * immediate dominators (Semi-NCA) and retained sizes.
 *
 * Numbering: from the super root through the holders, later through the leaders of the lost.
 * A node's tree edge tells its kind at first: reachable if the edge is a start edge from a
 * reachable node, else possible; a later start edge upgrades it, and what it leads to. Edges
 * that are no tree edges are kept as pairs: only they can make a dominator differ from the
 * tree's parent, and in real heaps they are few. Edges from the lost to the others are
 * left out: what is lost keeps nothing alive.
 *
 * Semi-NCA: Georgiadis, Tarjan, Werneck, "Finding dominators in practice" (2006). In descending
 * preorder the semidominator of each node is the least label over its in-edges, by path
 * compression; in ascending order the immediate dominator is the nearest ancestor that is not
 * above it. Labels hold semidominators' numbers, not nodes.
 *
 * Arrays are indexed by preorder number from 1 (the super root); all loops are iterative.
 */
#include <stdlib.h>

#include "heapwalk/graph/graph_private.h"

#define ROOT_NUMBER    1u
#define PREFETCH_AHEAD 16u

struct pending {	 /* an edge to be followed */
	uint32_t target; /* HF_EDGE_INTERIOR: this edge does not make it reachable */
	uint32_t source; /* number */
};

struct pair { /* an edge that is not in the tree, as numbers */
	uint32_t source, target;
};

/* Growable flat arrays. */
#define BIG(type)                                                                                  \
	struct {                                                                                   \
		type *data;                                                                        \
		size_t count, capacity;                                                            \
	}

struct search {
	struct hf_graph *graph;
	uint32_t *node;	  /* number -> node */
	uint32_t *parent; /* number -> number */
	uint32_t count;	  /* numbers given: 1 .. count */
	uint32_t first_lost;
	BIG(struct pending) stack;
	BIG(struct pair) pairs;
	struct hf_node_list upgrades; /* possible objects that a start chain reaches after all */
	bool failed;
};

#define big_reserve(account, big, n)                                                               \
	((n) <= (big)->capacity ||                                                                 \
	 grow((account), (void **)&(big)->data, &(big)->capacity, (n), sizeof(*(big)->data)))

static bool grow(struct hf_bigmem_account *account, void **data, size_t *capacity, size_t wanted,
		 size_t element)
{
	size_t next = *capacity ? *capacity : 1 << 16;
	while (next < wanted)
		next *= 2;
	void *moved = hf_bigmem_resize(account, *data, *capacity * element, next * element);
	if (!moved)
		return false;
	*data = moved;
	*capacity = next;
	return true;
}

#define big_free(account, big)                                                                     \
	hf_bigmem_free((account), (big)->data, (big)->capacity * sizeof(*(big)->data))

/* ---- numbering ----------------------------------------------------------------------------------
 */

static uint32_t give_number(struct search *search, uint32_t node, uint32_t parent)
{
	uint32_t number = ++search->count;
	search->graph->link[node].mark = number;
	search->node[number] = node;
	search->parent[number] = parent;
	return number;
}

/* Push the edges of a row; @weak: the source is not reachable by start pointers alone. */
static void push_row(struct search *search, const uint32_t *targets, uint64_t count,
		     uint32_t source, uint32_t weak)
{
	if (!big_reserve(&search->graph->memory, &search->stack, search->stack.count + count)) {
		search->failed = true;
		return;
	}
	for (uint64_t i = 0; i < count; i++) {
		__builtin_prefetch(&search->graph->link[HF_EDGE_NODE(targets[i])]);
		search->stack.data[search->stack.count++] =
		    (struct pending){targets[i] | weak, source};
	}
}

/* An edge to a node that has its number already. */
static void meet_again(struct search *search, struct pending edge, uint32_t number)
{
	uint32_t node = HF_EDGE_NODE(edge.target);
	struct pair pair = {edge.source, number};

	if (search->first_lost && number < search->first_lost)
		return;
	if (!(edge.target & HF_EDGE_INTERIOR) && search->graph->kind[node] == HF_POSSIBLE &&
	    !hf_vec_push(&search->upgrades, node))
		search->failed = true;
	if (search->parent[number] == edge.source || number == edge.source)
		return;
	if (!big_reserve(&search->graph->memory, &search->pairs, search->pairs.count + 1)) {
		search->failed = true;
		return;
	}
	search->pairs.data[search->pairs.count++] = pair;
}

/* Follow what is pending until nothing is. */
static void explore(struct search *search)
{
	struct hf_graph *graph = search->graph;

	while (search->stack.count && !search->failed) {
		struct pending edge = search->stack.data[--search->stack.count];
		uint32_t object = HF_EDGE_NODE(edge.target), weak = edge.target & HF_EDGE_INTERIOR;
		uint32_t mark = graph->link[object].mark;
		if (mark) {
			meet_again(search, edge, mark);
			continue;
		}
		uint32_t number = give_number(search, object, edge.source);
		if (search->first_lost)
			graph->kind[object] = HF_INDIRECT;
		else
			graph->kind[object] = weak ? HF_POSSIBLE : HF_REACHABLE;
		const uint32_t *targets;
		uint32_t count = hf_graph_row(graph, object, &targets);
		push_row(search, targets, count, number, weak);
	}
}

static void search_holders(struct search *search)
{
	struct hf_graph *graph = search->graph;

	give_number(search, hf_graph_root(graph), 0);
	for (uint32_t i = 0; i < graph->holders && !search->failed; i++) {
		uint32_t node = graph->objects + i;
		uint32_t number = give_number(search, node, ROOT_NUMBER);
		push_row(search, graph->holder_targets + graph->holder_row[i],
			 graph->holder_row[i + 1] - graph->holder_row[i], number, 0);
		explore(search);
		if (!hf_vec_push(&graph->tops, node))
			search->failed = true;
	}
}

/* Possible objects that a chain of start pointers reaches, and all behind them. */
static void upgrade(struct search *search)
{
	struct hf_graph *graph = search->graph;

	while (search->upgrades.count && !search->failed) {
		uint32_t object = search->upgrades.data[--search->upgrades.count];
		const uint32_t *targets;
		if (graph->kind[object] != HF_POSSIBLE)
			continue;
		graph->kind[object] = HF_REACHABLE;
		uint32_t count = hf_graph_row(graph, object, &targets);
		for (uint32_t i = 0; i < count; i++) {
			if (!(targets[i] & HF_EDGE_INTERIOR) &&
			    graph->kind[targets[i]] == HF_POSSIBLE &&
			    !hf_vec_push(&search->upgrades, targets[i]))
				search->failed = true;
		}
	}
}

/* The allocator's own blocks are never lost: where no root leads to them, they stand alone. */
static void number_allocators_own(struct search *search)
{
	const uint32_t *ids;
	uint32_t count = hf_extents_allocator_objects(search->graph->extents, &ids);

	for (uint32_t i = 0; i < count; i++) {
		if (search->graph->link[ids[i]].mark == 0)
			give_number(search, ids[i], ROOT_NUMBER);
		search->graph->kind[ids[i]] = HF_REACHABLE;
	}
}

static void lead(struct search *search, uint32_t leader)
{
	struct hf_graph *graph = search->graph;
	const uint32_t *targets;
	uint32_t number = give_number(search, leader, ROOT_NUMBER);
	uint32_t count = hf_graph_row(graph, leader, &targets);

	graph->kind[leader] = HF_DEFINITE;
	push_row(search, targets, count, number, HF_EDGE_INTERIOR);
	explore(search);
	if (!hf_vec_push(&graph->tops, leader))
		search->failed = true;
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
static struct hf_error *search_lost(struct search *search)
{
	struct hf_graph *graph = search->graph;
	struct hf_node_list leaders = {0};
	uint64_t *entered = find_entered(graph);

	if (!entered)
		return hf_error_nomem();
	search->first_lost = search->count + 1;
	for (uint32_t id = 0; id < graph->objects && !search->failed; id++) {
		if (!graph->link[id].mark && !(entered[id / 64] >> (id % 64) & 1))
			lead(search, id);
	}
	hf_bigmem_free(NULL, entered, graph->objects / 8 + 8);
	struct hf_error *err = hf_graph_find_leaders(graph, &leaders);
	hf_vec_foreach (leader, &leaders)
		lead(search, *leader);
	free(leaders.data);
	return err;
}

/* ---- in-edges that are not in the tree, by target
 * ---------------------------------------------------- */

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
	ret->source = hf_bigmem_alloc(account, pairs * sizeof(uint32_t));
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

/* ---- Semi-NCA
 * ------------------------------------------------------------------------------------------- */

struct semi_nca {
	uint32_t *ancestor, *label, *semi;
	BIG(uint32_t) path;
};

/* Least label on the path from @v up to the forest's root; nodes below @last are not linked. */
static uint32_t least_label(struct search *search, struct semi_nca *nca, uint32_t v, uint32_t last)
{
	if (nca->ancestor[v] < last)
		return nca->label[v];
	nca->path.count = 0;
	uint32_t at = v;
	while (nca->ancestor[at] >= last) {
		if (!big_reserve(&search->graph->memory, &nca->path, nca->path.count + 1)) {
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

/* parent[] becomes idom[] in place. */
static struct hf_error *compute_idoms(struct search *search, const struct in_edges *in)
{
	struct hf_bigmem_account *account = &search->graph->memory;
	uint64_t bytes = (search->count + 1ull) * sizeof(uint32_t);
	uint32_t *work = hf_bigmem_alloc(account, 3 * bytes), *idom = search->parent;
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
			if (label < semi)
				semi = label;
		}
		nca.semi[i] = nca.label[i] = semi;
	}
	for (uint32_t i = ROOT_NUMBER + 1; i <= search->count && !search->failed; i++) {
		while (idom[i] > nca.semi[i])
			idom[i] = idom[idom[i]];
	}
	hf_bigmem_free(account, work, 3 * bytes);
	big_free(account, &nca.path);
	return search->failed ? hf_error_nomem() : NULL;
}

/* ---- results
 * -------------------------------------------------------------------------------------------- */

/* Each object's own bytes first, in address order; then up the tree, the last number first. */
static struct hf_error *write_results(struct search *search)
{
	struct hf_graph *graph = search->graph;
	const uint32_t *node = search->node, *idom = search->parent;

	graph->sum =
	    hf_bigmem_alloc(&graph->memory, (uint64_t)hf_graph_nodes(graph) * sizeof(*graph->sum));
	if (!graph->sum)
		return hf_error_nomem();
	for (uint32_t id = 0; id < graph->objects; id++)
		graph->sum[id] =
		    (struct hf_graph_sum){hf_extents_chunk_bytes(graph->extents, id), 1};
	for (uint32_t i = search->count; i > ROOT_NUMBER; i--) {
		struct hf_graph_sum *above = &graph->sum[node[idom[i]]];
		if (i > PREFETCH_AHEAD) { /* what the next steps will touch */
			uint32_t next = i - PREFETCH_AHEAD;
			__builtin_prefetch(&graph->sum[node[next]]);
			__builtin_prefetch(&graph->sum[node[idom[next]]], 1);
			__builtin_prefetch(&graph->link[node[next]], 1);
		}
		above->bytes += graph->sum[node[i]].bytes;
		above->objects += graph->sum[node[i]].objects;
		graph->link[node[i]].mark = node[idom[i]];
	}
	graph->link[node[ROOT_NUMBER]].mark = HF_NO_NODE;
	return NULL;
}

static struct hf_error *dominate(struct search *search, double *since)
{
	struct hf_graph *graph = search->graph;
	struct in_edges in = {0};
	struct hf_error *err;

	search_holders(search);
	upgrade(search);
	number_allocators_own(search);
	err = search->failed ? hf_error_nomem() : search_lost(search);
	if (!err && search->failed)
		err = hf_error_nomem();
	big_free(&graph->memory, &search->stack);
	search->stack.data = NULL;
	hf_graph_stage_done(graph, "number and reach", since);
	if (err)
		return err;
	err = sort_pairs(search, &in);
	big_free(&graph->memory, &search->pairs);
	search->pairs.data = NULL;
	if (!err)
		err = compute_idoms(search, &in);
	in_edges_free(search, &in);
	hf_graph_stage_done(graph, "dominators", since);
	if (!err)
		err = write_results(search);
	hf_graph_stage_done(graph, "retained", since);
	return err;
}

struct hf_error *hf_graph_dominate(struct hf_graph *graph)
{
	uint64_t bytes = (hf_graph_nodes(graph) + 1ull) * sizeof(uint32_t);
	struct search search = {.graph = graph,
				.node = hf_bigmem_alloc(&graph->memory, bytes),
				.parent = hf_bigmem_alloc(&graph->memory, bytes)};
	double since = hf_clock_seconds();
	struct hf_error *err = hf_error_nomem();

	graph->kind = hf_bigmem_alloc(&graph->memory, graph->objects);
	if (search.node && search.parent && graph->kind)
		err = dominate(&search, &since);
	hf_bigmem_free(&graph->memory, search.node, bytes);
	hf_bigmem_free(&graph->memory, search.parent, bytes);
	if (search.stack.data)
		big_free(&graph->memory, &search.stack);
	if (search.pairs.data)
		big_free(&graph->memory, &search.pairs);
	free(search.upgrades.data);
	return err;
}
