/*
 * graph_private.h - private to heapwalk/graph/: the arrays behind graph.h.
 *
 * Rows of objects stand in blocks of 65,536 objects, each filled by one task of the scan,
 * so that nothing is copied together afterwards and 32-bit offsets suffice. A row of a single
 * target, the most common one, is that target, in the link itself; a longer one is its number
 * among the block's long rows:
 *
 *	link[object].row   HF_NO_NODE            no target
 *	                   HF_ROW_LONG + k       targets[rows[k]] .. targets[rows[k + 1]]
 *	                                         of its block
 *	                   else                  the only target, with HF_EDGE_INTERIOR
 *
 * Ids of objects end before HF_ROW_LONG, so the three cannot be taken for one another. `mark`
 * stands beside it, so that a visit costs one memory access: while the search runs it is the
 * position where it was met + 1 (reach.c), and the immediate dominator (a node) afterwards.
 */
#ifndef HF_HEAPWALK_GRAPH_PRIVATE_H
#define HF_HEAPWALK_GRAPH_PRIVATE_H

#include "core/base/clock.h"
#include "core/base/bigmem.h"
#include "core/base/vec.h"
#include "heapwalk/graph/graph.h"

enum { HF_ROW_BLOCK_SHIFT = 16, HF_ROW_BLOCK = 1 << HF_ROW_BLOCK_SHIFT, HF_GRAPH_STAGES = 12 };

#define HF_ROW_LONG HF_MAX_OBJECTS

struct hf_graph_link {
	uint32_t row, mark;
};

enum { HF_SUM_UNIT = 8 }; /* bytes; chunks are multiples of it */

struct hf_graph_sum { /* over the subtree of the dominator tree */
	uint32_t units, objects;
};

struct hf_row_block {
	uint32_t *targets, *rows; /* rows: longs + 1 */
	uint32_t count, capacity; /* of targets */
	uint32_t longs, rows_capacity;
	uint32_t singles; /* edges that stand in links */
};

struct hf_holder_items { /* of the roots' items (ranges, then values): none is elsewhere */
	uint32_t first, end;
};

HF_VEC(hf_node_list, uint32_t);

struct hf_graph {
	const struct hf_image *image;
	const struct hf_extents *extents;
	const struct hf_roots *roots;
	struct hf_graph_options options;
	uint32_t objects, holders;
	uint64_t edges;
	struct hf_bigmem_account memory;
	bool mapped; /* all arrays but `blocks` lie in an index */

	struct hf_graph_link *link; /* objects + holders + 1 */
	struct hf_row_block *blocks;
	uint32_t block_count;
	uint32_t *holder_index; /* holders: index in roots->holders */
	uint64_t *holder_row;	/* holders + 1: into holder_targets */
	uint32_t *holder_targets;
	struct hf_holder_items *holder_items; /* by index in roots->holders */
	struct hf_node_list tops; /* what hangs on the super root: holders, then leaders */

	uint8_t *kind;				    /* objects: enum hf_leak_kind */
	struct hf_graph_sum *sum;		    /* nodes: retained */
	uint32_t *sum_high;			    /* upper halves of the units; NULL: 0 */
	struct hf_leak_total totals[HF_LEAK_KINDS]; /* by kind[] */

	/* made at the first call (lazy.c, paths.c) */
	uint64_t *in_row; /* objects + 1 */
	uint32_t *in_sources;
	uint32_t *child_first, *child_next; /* nodes: dominator tree downward, unordered */
	uint32_t *depth;
	uint32_t *path_parent; /* objects: node before it on a shortest chain */
	struct hf_stage_seconds {
		const char *name;
		double seconds;
	} stages[HF_GRAPH_STAGES];
	unsigned stage_count;
};

static inline uint32_t hf_graph_nodes(const struct hf_graph *graph)
{
	return graph->objects + graph->holders + 1;
}

static inline bool hf_row_is_long(uint32_t row)
{
	return row - HF_ROW_LONG < HF_ROW_BLOCK;
}

/* A long row of @object, @row as the link has it: where it begins, and the next one. */
static inline const uint32_t *hf_row_ends(const struct hf_row_block *blocks, uint32_t object,
					  uint32_t row)
{
	return blocks[object >> HF_ROW_BLOCK_SHIFT].rows + (row - HF_ROW_LONG);
}

static inline uint32_t hf_row_long(const struct hf_row_block *blocks, uint32_t object, uint32_t row,
				   const uint32_t **ret)
{
	const uint32_t *ends = hf_row_ends(blocks, object, row);
	*ret = blocks[object >> HF_ROW_BLOCK_SHIFT].targets + ends[0];
	return ends[1] - ends[0];
}

/* An object's row. */
static inline uint32_t hf_graph_row(const struct hf_graph *graph, uint32_t object,
				    const uint32_t **ret)
{
	uint32_t row = graph->link[object].row;

	if (!hf_row_is_long(row)) {
		*ret = &graph->link[object].row;
		return row != HF_NO_NODE;
	}
	return hf_row_long(graph->blocks, object, row, ret);
}

/* Any node's row but the super root's. */
static inline uint64_t hf_graph_out_row(const struct hf_graph *graph, uint32_t node,
					const uint32_t **ret)
{
	return node < graph->objects ? hf_graph_row(graph, node, ret)
				     : hf_graph_out(graph, node, ret);
}

/* Note that stage @name took the seconds since *@since (monotonic); *@since becomes now. */
void hf_graph_stage_done(struct hf_graph *graph, const char *name, double *since);

/* graph.c: one without arrays yet; NULL when out of memory. */
struct hf_graph *hf_graph_new(const struct hf_image *image, const struct hf_extents *extents,
			      const struct hf_roots *roots, const struct hf_graph_options *options);

/* scan.c: blocks, holders with their rows, the number of edges. */
struct hf_error *hf_graph_scan(struct hf_graph *graph);

/* edges.c: holder_items; false: out of memory. */
bool hf_graph_find_items(struct hf_graph *graph);

/* heuristics.c: does one of memcheck's heuristics take @value (inside @object) for a start? */
bool hf_graph_heuristic(const struct hf_graph *graph, uint32_t object, uint64_t value);

/* lost.c: one leader, the lowest, for each source component of the unmarked objects. */
struct hf_error *hf_graph_find_leaders(struct hf_graph *graph, struct hf_node_list *ret);

/* Growable flat arrays, in big memory. */
#define HF_BIG(tag, type)                                                                          \
	struct tag {                                                                               \
		type *data;                                                                        \
		size_t count, capacity;                                                            \
	}

bool hf_big_grow(struct hf_bigmem_account *account, void **data, size_t *capacity, size_t wanted,
		 size_t element);

#define hf_big_reserve(account, big, n)                                                            \
	((n) <= (big)->capacity || hf_big_grow((account), (void **)&(big)->data, &(big)->capacity, \
					       (n), sizeof(*(big)->data)))
#define hf_big_push(account, big, ...)                                                             \
	(hf_big_reserve((account), (big), (big)->count + 1) &&                                     \
	 (((big)->data[(big)->count++] = (__VA_ARGS__)), true))
#define hf_big_free(account, big)                                                                  \
	hf_bigmem_free((account), (big)->data, (big)->capacity * sizeof(*(big)->data))

/*
 * reach.c: leak kinds, tops, and all nodes in an order in which each stands after those that
 * dominate it: told by position from here on.
 */
#define HF_MANY_SOURCES UINT32_C(0x80000000)

struct hf_join {
	uint32_t source, target; /* positions */
};

HF_BIG(hf_joins, struct hf_join);

enum { HF_VISIT_THREADS = 16 };

struct hf_order {
	uint32_t *node;	  /* position -> node; 0: the super root */
	uint32_t *source; /* position -> a source's position; HF_MANY_SOURCES: there are others */
	struct hf_joins joins[HF_VISIT_THREADS]; /* the edges from those others */
};

struct hf_error *hf_graph_reach(struct hf_graph *graph, struct hf_order *order);

uint64_t hf_joins_count(const struct hf_order *order);
void hf_joins_keep(struct hf_joins *joins, size_t from); /* those from @from on; others go */
void hf_joins_free(struct hf_graph *graph, struct hf_order *order);

/* split.c: nodes that two ways without a common node lead to become the super root's children. */
struct hf_error *hf_graph_split(struct hf_graph *graph, struct hf_order *order);

/* back_edges.c: joins to what dominates their source go. @scratch has a word a node. */
struct hf_error *hf_graph_drop_back_edges(struct hf_graph *graph, struct hf_order *order,
					  uint32_t *scratch);

/*
 * fold.c: the graph without the nodes that cannot change a dominator. A row a node, one after the
 * other, the super root's first; a node is told by its row's place in rows[]. An edge is the place
 * of its target's row and the position it truly comes from: that of the node, or of one folded
 * into it. All that a visit needs stands together:
 *
 *	preorder (0: not visited) | position | edges | target, source | target, source | ...
 */
enum { HF_FOLD_PREORDER, HF_FOLD_POSITION, HF_FOLD_COUNT, HF_FOLD_EDGES };

struct hf_fold {
	uint32_t count; /* of rows */
	uint32_t *rows;
	uint64_t words;
};

struct hf_error *hf_graph_fold(struct hf_graph *graph, const struct hf_order *order,
			       struct hf_fold *ret);
void hf_graph_fold_free(struct hf_graph *graph, struct hf_fold *fold);

/* retained.c: sums and marks by node, out of @order, whose sources are immediate dominators. */
struct hf_error *hf_graph_retain(struct hf_graph *graph, const struct hf_order *order);

/* dominators.c: kinds, immediate dominators, retained sizes. */
struct hf_error *hf_graph_dominate(struct hf_graph *graph);

#endif
