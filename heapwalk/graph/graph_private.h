/*
 * graph_private.h - private to heapwalk/graph/: the arrays behind graph.h.
 *
 * Rows of objects stand in blocks of 65,536 objects, each filled by one task of the scan,
 * so that nothing is copied together afterwards and 32-bit offsets suffice:
 *
 *	block b:  link[b * 65536 + i].row ... link[.. + i + 1].row   ->  targets[b][...]
 *
 * The last object of a block ends where the block's row ends. A row of a single target, the
 * most common one, stands in the link itself (`single`), and its part of targets is empty.
 * `mark` stands beside it, so that a visit costs one memory access: it is the preorder number
 * while dominators are computed, and the immediate dominator (a node) afterwards.
 */
#ifndef HF_HEAPWALK_GRAPH_PRIVATE_H
#define HF_HEAPWALK_GRAPH_PRIVATE_H

#include "core/base/clock.h"
#include "core/base/bigmem.h"
#include "core/base/vec.h"
#include "heapwalk/graph/graph.h"

enum { HF_ROW_BLOCK_SHIFT = 16, HF_ROW_BLOCK = 1 << HF_ROW_BLOCK_SHIFT, HF_GRAPH_STAGES = 12 };

struct hf_graph_link {
	uint32_t row, mark;
	uint32_t single; /* HF_NO_NODE: none */
};

struct hf_graph_sum { /* over the subtree of the dominator tree */
	uint64_t bytes;
	uint32_t objects;
} __attribute__((packed, aligned(4)));

struct hf_row_block {
	uint32_t *targets;
	uint32_t count, capacity; /* of targets */
	uint32_t singles;	  /* edges that stand in links */
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
	struct hf_node_list tops; /* what hangs on the super root: holders, then leaders */

	uint8_t *kind;				    /* objects: enum hf_leak_kind */
	struct hf_graph_sum *sum;		    /* nodes: retained */
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

/* An object's row. */
static inline uint32_t hf_graph_row(const struct hf_graph *graph, uint32_t object,
				    const uint32_t **ret)
{
	const struct hf_row_block *block = &graph->blocks[object >> HF_ROW_BLOCK_SHIFT];
	uint32_t row = graph->link[object].row, next = object + 1;
	uint32_t end =
	    next >> HF_ROW_BLOCK_SHIFT != object >> HF_ROW_BLOCK_SHIFT || next >= graph->objects
		? block->count
		: graph->link[next].row;
	if (end == row) {
		*ret = &graph->link[object].single;
		return graph->link[object].single != HF_NO_NODE;
	}
	*ret = block->targets + row;
	return end - row;
}

/* Note that stage @name took the seconds since *@since (monotonic); *@since becomes now. */
void hf_graph_stage_done(struct hf_graph *graph, const char *name, double *since);

/* graph.c: one without arrays yet; NULL when out of memory. */
struct hf_graph *hf_graph_new(const struct hf_image *image, const struct hf_extents *extents,
			      const struct hf_roots *roots, const struct hf_graph_options *options);

/* scan.c: blocks, holders with their rows, the number of edges. */
struct hf_error *hf_graph_scan(struct hf_graph *graph);

/* heuristics.c: does one of memcheck's heuristics take @value (inside @object) for a start? */
bool hf_graph_heuristic(const struct hf_graph *graph, uint32_t object, uint64_t value);

/* lost.c: one leader, the lowest, for each source component of the unmarked objects. */
struct hf_error *hf_graph_find_leaders(struct hf_graph *graph, struct hf_node_list *ret);

/* dominators.c: preorder, leak kinds, immediate dominators, retained sizes. */
struct hf_error *hf_graph_dominate(struct hf_graph *graph);

#endif
