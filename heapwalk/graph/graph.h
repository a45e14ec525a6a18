/*
 * graph.h - who points at whom: the nodes, the edges, and what follows from them.
 *
 * Nodes are numbered 0 .. objects-1 (object ids), then objects .. objects+holders-1 (the
 * holders that hold something, in the order of roots->holders), then the super root,
 * which is the last: hf_graph_root(). An object's id is its node's id.
 *
 * Edges (DESIGN.md section 2): every aligned word of a holder's ranges or of an object's
 * [address, address + usable) whose value lies in [address, address + usable) of an object.
 * Edges from a lost object to one that is not lost are in the rows, but keep nothing alive: they
 * have no part in the dominators (the lost have dominators of their own, their leaders'
 * children).
 * An edge is a `start` edge if the value equals the object's address, or if one of
 * memcheck's heuristics says so; else it is interior. ALLOCATOR objects have no out-edges.
 * An edge from an object to itself is no edge of the graph.
 *
 * Arrays: compressed sparse rows of 32-bit ids,
 *   row_start[n] .. row_start[n+1]   index into target[]; the interior bit beside it.
 *
 * Dominators: idom[] over all edges from the super root, whose children are the holders;
 * lost leaders hang on the super root as well. retained[n]: chunk bytes of all objects
 * that n dominates, n included. The super root's retained size is the heap in use.
 * Algorithms: see the .c files (Semi-NCA: Georgiadis, Tarjan, Werneck 2006).
 */
#ifndef HF_HEAPWALK_GRAPH_GRAPH_H
#define HF_HEAPWALK_GRAPH_GRAPH_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/base/progress.h"
#include "core/base/stash.h"
#include "core/image/image.h"
#include "heapwalk/graph/extents.h"
#include "heapwalk/graph/roots.h"

#define HF_NO_NODE UINT32_MAX

enum hf_leak_kind {
	HF_REACHABLE,
	HF_POSSIBLE,
	HF_INDIRECT,
	HF_DEFINITE,
	HF_UNKNOWN, /* nothing leads here, but memory is missing that might hold a pointer */
	HF_LEAK_KINDS
};

const char *hf_leak_kind_name(enum hf_leak_kind kind); /* "reachable", ... */

enum hf_heuristic {
	HF_HEURISTIC_STDSTRING = 1,
	HF_HEURISTIC_LENGTH64 = 2,
	HF_HEURISTIC_NEWARRAY = 4,
	HF_HEURISTIC_MULTIPLE_INHERITANCE = 8,
	HF_HEURISTIC_HIDDEN_HEAD = 16, /* not memcheck's: of a runtime that is known */
	HF_HEURISTIC_ALL = 31,
};

struct hf_graph_options {
	uint32_t heuristics; /* enum hf_heuristic bits */
	unsigned threads;
	bool incomplete; /* memory that may hold pointers is missing: none is called lost */
	const struct hf_progress *progress;
	/* For the multiple-inheritance heuristic: is @address in file-mapped readable memory
	 * (*executable false) / file-mapped executable memory (true)? NULL: heuristic off. */
	bool (*file_mapped)(void *ctx, uint64_t address, bool executable);
	void *file_mapped_ctx;
	/*
	 * For the hidden heads: does a runtime hold the block at @block, of @usable bytes, by the
	 * interior pointer @value? NULL: none is there that does.
	 */
	bool (*hidden_head)(void *ctx, uint64_t block, uint64_t usable, uint64_t value);
	void *hidden_head_ctx;
	/* For tests, which hold the fast ways against the plain one. */
	uint32_t shared_from; /* levels of so many nodes are for all threads; 0: 65,536 */
	bool plain;	      /* whatever joins is searched depth first (dominators.c) */
};

struct hf_graph;

/*
 * In two steps: hf_graph_open() scans, and then rows can be asked for (hf_graph_out()); and
 * hf_graph_solve() numbers, reaches, finds leaders, dominators and retained sizes: everything but
 * paths. While it runs, another thread may read the rows.
 */
struct hf_error *hf_graph_open(const struct hf_image *image, const struct hf_extents *extents,
			       const struct hf_roots *roots, const struct hf_graph_options *options,
			       struct hf_graph **ret);
struct hf_error *hf_graph_solve(struct hf_graph *graph);

/* Both. */
struct hf_error *hf_graph_create(const struct hf_image *image, const struct hf_extents *extents,
				 const struct hf_roots *roots,
				 const struct hf_graph_options *options, struct hf_graph **ret);
void hf_graph_destroy(struct hf_graph *graph);

/*
 * What is otherwise made at the first call, now. Meanwhile @beside(@ctx) runs, which may read
 * everything else.
 */
struct hf_error *hf_graph_complete(struct hf_graph *graph, void (*beside)(void *ctx), void *ctx);

/* Into an index: all but what hf_graph_complete() makes; and that, behind it. */
void hf_graph_save(const struct hf_graph *graph, struct hf_stash_writer *writer);
void hf_graph_save_completed(const struct hf_graph *graph, struct hf_stash_writer *writer);

/*
 * Out of an index: the arrays stay in @stash, which must outlive the graph. *@ret is NULL where
 * the index does not fit.
 */
struct hf_error *hf_graph_load(const struct hf_stash *stash, const struct hf_image *image,
			       const struct hf_extents *extents, const struct hf_roots *roots,
			       const struct hf_graph_options *options, struct hf_graph **ret);

uint32_t hf_graph_objects(const struct hf_graph *graph);
uint32_t hf_graph_holders(const struct hf_graph *graph);
uint32_t hf_graph_root(const struct hf_graph *graph); /* also: number of nodes - 1 */
uint64_t hf_graph_edges(const struct hf_graph *graph);

/* Index in roots->holders of holder node @node. */
uint32_t hf_graph_holder_index(const struct hf_graph *graph, uint32_t node);

enum hf_leak_kind hf_graph_leak_kind(const struct hf_graph *graph, uint32_t object);

/* Does a lost part start here? (definite, or unknown without a way to it) */
bool hf_graph_is_leader(const struct hf_graph *graph, uint32_t object);
uint32_t hf_graph_idom(const struct hf_graph *graph, uint32_t node); /* root: HF_NO_NODE */
uint64_t hf_graph_retained(const struct hf_graph *graph, uint32_t node);
/* It will be asked for soon. */
void hf_graph_prefetch(const struct hf_graph *graph, uint32_t node);

/* The same for sweeps over all nodes, without a call for each. Valid while the graph lives. */
struct hf_graph_columns {
	const uint32_t (*link)[2]; /* by node: its row (private), immediate dominator */
	const uint32_t (*sum)[2];  /* units of 8 bytes retained, objects retained */
	const uint32_t *sum_high;  /* upper halves of the units; NULL: 0 */
};

void hf_graph_columns(const struct hf_graph *graph, struct hf_graph_columns *ret);

static inline uint32_t hf_column_idom(const struct hf_graph_columns *columns, uint32_t node)
{
	return columns->link[node][1];
}

static inline uint32_t hf_column_retained_objects(const struct hf_graph_columns *columns,
						  uint32_t node)
{
	return columns->sum[node][1];
}

static inline uint64_t hf_column_retained(const struct hf_graph_columns *columns, uint32_t node)
{
	uint64_t high = columns->sum_high ? columns->sum_high[node] : 0;
	return (high << 32 | columns->sum[node][0]) * 8;
}

/*
 * Rows: *@ret_targets is valid while the graph lives; returns their number. Each target is
 * an object id with HF_EDGE_INTERIOR beside it; HF_EDGE_NODE() takes that off. For the
 * super root: the holders and the lost leaders.
 */
#define HF_EDGE_INTERIOR     UINT32_C(0x80000000)
#define HF_EDGE_NODE(target) ((target) & ~HF_EDGE_INTERIOR)
uint64_t hf_graph_out(const struct hf_graph *graph, uint32_t node, const uint32_t **ret_targets);

/*
 * Who points at @object: node ids with HF_EDGE_INTERIOR, once a word, objects first. Reverse
 * rows are made at the first call.
 */
struct hf_error *hf_graph_in(struct hf_graph *graph, uint32_t object, const uint32_t **ret_sources,
			     uint64_t *ret_count);

/* One word that points: for refs and paths. */
struct hf_edge {
	uint32_t source, target;
	uint64_t source_address; /* of the word; 0 for a register */
	uint64_t value;		 /* what it holds */
	uint64_t target_address; /* the target's own */
	bool interior;		 /* not the start, and no heuristic spoke for it */
};

typedef bool hf_edge_fn(void *ctx, const struct hf_edge *edge); /* false: stop */

/* Rescan the memory of @node and give each pointing word. Nothing is stored for this. */
void hf_graph_each_edge(const struct hf_graph *graph, uint32_t node, hf_edge_fn *fn, void *ctx);

/* A place among the pointing words of all nodes; {.node = N}: before those of N. */
struct hf_edge_place {
	uint32_t node;
	uint32_t item; /* private: range or value of a holder */
	uint64_t next; /* private: address of the word to go on with */
};

/*
 * The same for many nodes, several times faster: from *@place on up to node @end, in their order.
 * Where @fn stops it, *@place is behind the word that it was given last; else at @end.
 */
void hf_graph_each_edge_from(const struct hf_graph *graph, struct hf_edge_place *place,
			     uint32_t end, hf_edge_fn *fn, void *ctx);

/*
 * Dominator tree downward: children of @node, by retained size, biggest first (at most
 * @max, all if 0). Child rows are made at the first call. Caller frees *@ret.
 */
struct hf_error *hf_graph_children(struct hf_graph *graph, uint32_t node, uint64_t max,
				   uint32_t **ret, uint64_t *ret_count);

/*
 * The same without sorting or memory of its own, for walks over the whole tree: call
 * hf_graph_open_tree() once; then the first child of a node and the next sibling of one
 * (ascending node ids), HF_NO_NODE at the end.
 */
struct hf_error *hf_graph_open_tree(struct hf_graph *graph);
uint32_t hf_graph_first_child(const struct hf_graph *graph, uint32_t node);
uint32_t hf_graph_next_sibling(const struct hf_graph *graph, uint32_t node);

/* Soon it will be asked for @node's first child; for its next sibling and its sizes. */
void hf_graph_prefetch_child(const struct hf_graph *graph, uint32_t node);
void hf_graph_prefetch_node(const struct hf_graph *graph, uint32_t node);

/* Objects dominated, the node included if it is an object. */
uint64_t hf_graph_retained_objects(const struct hf_graph *graph, uint32_t node);

/*
 * Holders that point at @object, at most @max of them into @ret; returns how many there are.
 * A scan over what the holders hold: for a few objects, without the reverse rows.
 */
uint32_t hf_graph_holders_of(const struct hf_graph *graph, uint32_t object, uint32_t *ret,
			     uint32_t max);

/* Depth in the dominator tree: super root 0. All depths are made at the first call. */
struct hf_error *hf_graph_depth(struct hf_graph *graph, uint32_t node, uint32_t *ret);

/*
 * Shortest chain from a holder (or, for the lost, from a leader) to @object: node ids, the
 * holder first. The breadth-first tree is made at the first call; among equally short
 * ones the stronger holder and the start edge win. Caller frees *@ret.
 */
struct hf_error *hf_graph_path(struct hf_graph *graph, uint32_t object, uint32_t **ret,
			       uint32_t *ret_count);

/*
 * The same tree for walks over all objects: call hf_graph_open_paths() once. The node before
 * @object on its shortest chain: a holder, an object, the super root for a lost leader;
 * HF_NO_NODE if nothing leads to it.
 */
struct hf_error *hf_graph_open_paths(struct hf_graph *graph);
uint32_t hf_graph_path_parent(const struct hf_graph *graph, uint32_t object);

/* The leader (definite object) that an indirect object hangs on; itself for a leader. */
struct hf_error *hf_graph_leader(struct hf_graph *graph, uint32_t object, uint32_t *ret);

struct hf_leak_total {
	uint64_t count, bytes;
};
void hf_graph_leak_totals(const struct hf_graph *graph, struct hf_leak_total ret[HF_LEAK_KINDS]);

/* Seconds and bytes by stage, for `make bench`: stage i, NULL past the last. */
const char *hf_graph_stage(const struct hf_graph *graph, unsigned i, double *ret_seconds);
uint64_t hf_graph_memory(const struct hf_graph *graph);
uint64_t hf_graph_memory_peak(const struct hf_graph *graph);

#endif
