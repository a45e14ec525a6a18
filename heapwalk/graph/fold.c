/*
 * fold.c - the graph that is left for the dominators when single-entry nodes are folded away.
 *
 * A node that only one other points at is dominated by that one, and there is nothing to find out.
 * So is a holder, and a lost leader, by the super root. These nodes hang below one another in
 * trees, whose roots are the nodes with several sources (HF_MARK_MANY) and the super root. What
 * can the inside of such a tree matter to the dominators of the others? Only where it branches:
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
 * `ways` of a node: how many of its exits and of its children in the tree lead to an exit, 2 for
 * more. One sweep over the order backward counts them, one forward gives numbers: both know what
 * comes next and fetch it ahead.
 *
 * Compare T2 of Ullman, "Fast algorithms for the elimination of common subexpressions" (1973).
 */
#include <stdlib.h>

#include "heapwalk/graph/graph_private.h"

/* How far ahead, in a sweep over the order or the objects, memory is fetched. */
enum { FETCH_FAR = 32, FETCH_NEAR = 16 };

enum { MOST_WAYS = 2 };

struct exit_edge {
	uint32_t source, target; /* nodes of the graph */
};

struct folding {
	struct hf_graph *graph;
	const uint32_t *order;
	uint8_t *ways;
	uint32_t *number; /* of the node itself, or of the one that it is folded into */
	struct exit_edge *exits;
	size_t exit_count, exit_capacity;
	struct hf_fold *fold;
};

static bool add_exit(struct folding *folding, uint32_t source, uint32_t target)
{
	if (folding->exit_count == folding->exit_capacity) {
		size_t capacity = folding->exit_capacity ? folding->exit_capacity * 3 / 2 : 1 << 16;
		struct exit_edge *exits = hf_bigmem_resize(&folding->graph->memory, folding->exits,
							   folding->exit_capacity * sizeof(*exits),
							   capacity * sizeof(*exits));
		if (!exits)
			return false;
		folding->exits = exits;
		folding->exit_capacity = capacity;
	}
	folding->exits[folding->exit_count++] = (struct exit_edge){source, target};
	if (folding->ways[source] < MOST_WAYS)
		folding->ways[source]++;
	return true;
}

/* Edges from the lost to the others are none here. */
static bool find_exits(struct folding *folding)
{
	struct hf_graph *graph = folding->graph;
	uint32_t nodes = graph->objects + graph->holders;

	for (uint32_t node = 0; node < nodes; node++) {
		const uint32_t *targets;
		if (node + FETCH_NEAR < graph->objects)
			hf_graph_fetch_row(graph, node + FETCH_NEAR);
		uint64_t count = hf_graph_out_row(graph, node, &targets);
		bool lost = node < graph->objects && graph->kind[node] >= HF_INDIRECT;
		for (uint64_t i = 0; i < count; i++) {
			uint32_t target = HF_EDGE_NODE(targets[i]);
			if (!(graph->link[target].mark & HF_MARK_MANY) ||
			    (lost && graph->kind[target] < HF_INDIRECT))
				continue;
			if (!add_exit(folding, node, target))
				return false;
		}
	}
	return true;
}

static inline bool is_folded_below(const struct folding *folding, uint32_t node)
{
	return !(folding->graph->link[node].mark & HF_MARK_MANY);
}

/* The only source of a node that has no HF_MARK_MANY. */
static inline uint32_t source_of(const struct folding *folding, uint32_t node)
{
	return folding->graph->link[node].mark - 1;
}

/* The last first: what hangs below a node has been counted when its turn comes. */
static void count_ways(struct folding *folding)
{
	const struct hf_graph_link *link = folding->graph->link;
	const uint32_t *order = folding->order;
	uint8_t *ways = folding->ways;

	for (uint32_t i = hf_graph_nodes(folding->graph); i-- > 1;) {
		if (i > FETCH_FAR) {
			__builtin_prefetch(&link[order[i - FETCH_FAR]]);
			__builtin_prefetch(&ways[order[i - FETCH_FAR]]);
			__builtin_prefetch(
			    &ways[(link[order[i - FETCH_NEAR]].mark & ~HF_MARK_MANY) - 1], 1);
		}
		uint32_t node = order[i];
		if (!ways[node] || !is_folded_below(folding, node))
			continue;
		uint32_t source = source_of(folding, node);
		if (ways[source] < MOST_WAYS)
			ways[source]++;
	}
}

static inline bool stays(const struct folding *folding, uint32_t node)
{
	return !is_folded_below(folding, node) || folding->ways[node] == MOST_WAYS;
}

/* The first first: what a node is folded into has its number when its turn comes. */
static void give_numbers(struct folding *folding)
{
	const struct hf_graph *graph = folding->graph;
	const uint32_t *order = folding->order;
	uint32_t nodes = hf_graph_nodes(graph), count = 1, *number = folding->number;
	struct hf_fold *fold = folding->fold;

	fold->node[0] = order[0];
	number[order[0]] = 0;
	for (uint32_t i = 1; i < nodes; i++) {
		if (i + FETCH_FAR < nodes) {
			__builtin_prefetch(&graph->link[order[i + FETCH_FAR]]);
			__builtin_prefetch(&folding->ways[order[i + FETCH_FAR]]);
			__builtin_prefetch(&number[order[i + FETCH_NEAR]], 1);
			__builtin_prefetch(
			    &number[(graph->link[order[i + FETCH_NEAR]].mark & ~HF_MARK_MANY) - 1]);
		}
		uint32_t node = order[i];
		if (stays(folding, node)) {
			number[node] = count;
			fold->node[count++] = node;
		} else if (folding->ways[node]) {
			number[node] = number[source_of(folding, node)];
		}
	}
}

static uint32_t count_staying(const struct folding *folding)
{
	uint32_t nodes = hf_graph_nodes(folding->graph), count = 1;

	for (uint32_t node = 0; node + 1 < nodes; node++)
		count += stays(folding, node);
	return count;
}

/* Edges of the trees: to a node where ways part, from the one above that stays. */
static inline bool tree_edge(const struct folding *folding, uint32_t number, struct exit_edge *ret)
{
	uint32_t node = folding->fold->node[number];
	if (!is_folded_below(folding, node))
		return false;
	*ret = (struct exit_edge){source_of(folding, node), node};
	return true;
}

static inline void place(struct folding *folding, const struct exit_edge *edge)
{
	struct hf_fold *fold = folding->fold;
	uint32_t at = --fold->link[folding->number[edge->source] + 1].row;
	fold->edges[at] = (struct hf_fold_edge){folding->number[edge->target], edge->source};
}

/* By counting sort. Filling from the back leaves in link[i + 1] where row i begins. */
static void sort_edges(struct folding *folding)
{
	struct hf_fold *fold = folding->fold;
	const uint32_t *number = folding->number;
	const struct exit_edge *exits = folding->exits;
	struct exit_edge edge;

	for (size_t i = 0; i < folding->exit_count; i++) {
		if (i + FETCH_NEAR < folding->exit_count)
			__builtin_prefetch(&number[exits[i + FETCH_NEAR].source]);
		fold->link[number[exits[i].source] + 1].row++;
	}
	for (uint32_t i = 1; i < fold->count; i++) {
		if (tree_edge(folding, i, &edge))
			fold->link[number[edge.source] + 1].row++;
	}
	for (uint32_t i = 1; i <= fold->count; i++)
		fold->link[i].row += fold->link[i - 1].row;
	for (uint32_t i = fold->count; i-- > 1;) {
		if (tree_edge(folding, i, &edge))
			place(folding, &edge);
	}
	for (size_t i = folding->exit_count; i-- > 0;) {
		if (i >= FETCH_FAR) {
			__builtin_prefetch(&number[exits[i - FETCH_FAR].source]);
			__builtin_prefetch(&number[exits[i - FETCH_FAR].target]);
			__builtin_prefetch(&fold->link[number[exits[i - FETCH_NEAR].source] + 1]);
		}
		place(folding, &exits[i]);
	}
	for (uint32_t i = 0; i < fold->count; i++)
		fold->link[i].row = fold->link[i + 1].row;
	fold->link[fold->count].row = fold->edge_count;
}

static struct hf_error *make_fold(struct folding *folding)
{
	struct hf_graph *graph = folding->graph;
	struct hf_bigmem_account *account = &graph->memory;
	uint64_t nodes = hf_graph_nodes(graph);
	struct hf_fold *fold = folding->fold;
	struct exit_edge edge;

	folding->ways = hf_bigmem_alloc(account, nodes);
	if (!folding->ways || !find_exits(folding))
		return hf_error_nomem();
	count_ways(folding);
	uint32_t count = count_staying(folding);
	folding->number = hf_bigmem_alloc(account, nodes * sizeof(uint32_t));
	fold->node = hf_bigmem_alloc(account, count * sizeof(uint32_t));
	fold->count = count;
	if (!folding->number || !fold->node)
		return hf_error_nomem();
	give_numbers(folding);
	hf_bigmem_free(account, folding->ways, nodes);
	folding->ways = NULL;
	uint64_t edges = folding->exit_count;
	for (uint32_t i = 1; i < fold->count; i++)
		edges += tree_edge(folding, i, &edge);
	if (edges >= UINT32_MAX)
		return hf_error_create(HF_ERR_LIMIT, "more than 2^32 edges that join paths");
	fold->edge_count = (uint32_t)edges;
	fold->link = hf_bigmem_alloc(account, (count + 1ull) * sizeof(*fold->link));
	fold->edges = hf_bigmem_alloc(account, edges * sizeof(*fold->edges));
	if (!fold->link || !fold->edges)
		return hf_error_nomem();
	sort_edges(folding);
	return NULL;
}

struct hf_error *hf_graph_fold(struct hf_graph *graph, const uint32_t *order, struct hf_fold *ret)
{
	struct folding folding = {.graph = graph, .order = order, .fold = ret};
	struct hf_error *err = make_fold(&folding);
	uint64_t nodes = hf_graph_nodes(graph);

	hf_bigmem_free(&graph->memory, folding.ways, nodes);
	hf_bigmem_free(&graph->memory, folding.number, nodes * sizeof(uint32_t));
	hf_bigmem_free(&graph->memory, folding.exits,
		       folding.exit_capacity * sizeof(*folding.exits));
	if (err)
		hf_graph_fold_free(graph, ret);
	return err;
}

void hf_graph_fold_free(struct hf_graph *graph, struct hf_fold *fold)
{
	struct hf_bigmem_account *account = &graph->memory;
	uint64_t count = fold->count;

	hf_bigmem_free(account, fold->node, count * sizeof(uint32_t));
	hf_bigmem_free(account, fold->link, (count + 1) * sizeof(*fold->link));
	hf_bigmem_free(account, fold->edges, fold->edge_count * sizeof(*fold->edges));
	*fold = (struct hf_fold){0};
}
