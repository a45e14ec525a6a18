/*
 * analysis.h - one whole analysis: owns the image, the heap, the graph and the types.
 *
 * hf_analysis_open() runs the stages in order; a view then only reads. Nothing is global:
 * a diff opens two.
 */
#ifndef HF_HEAPWALK_ANALYSIS_H
#define HF_HEAPWALK_ANALYSIS_H

#include "core/base/diag.h"
#include "core/base/error.h"
#include "core/base/progress.h"
#include "core/process/process.h"
#include "core/symbols/symbols.h"
#include "heapwalk/allocator.h"
#include "heapwalk/graph/extents.h"
#include "heapwalk/graph/graph.h"
#include "heapwalk/graph/roots.h"
#include "heapwalk/index.h"
#include "heapwalk/pymalloc/python.h"
#include "heapwalk/typing/typing.h"

/* How far to go: a command that needs less is answered sooner. */
enum hf_analysis_depth { HF_DEPTH_PROCESS, HF_DEPTH_HEAP, HF_DEPTH_GRAPH, HF_DEPTH_TYPES };

struct hf_analysis_options {
	struct hf_process_options process;
	enum hf_analysis_depth depth;
	uint32_t root_kinds;	  /* mask of 1 << enum hf_holder_kind; 0: all */
	uint32_t heuristics;	  /* enum hf_heuristic bits */
	unsigned threads;	  /* 0: hf_parallel_threads() */
	uint32_t max_frames;	  /* a thread; 0: the default */
	const char *const *types; /* what the user says: "ADDR=TYPE", "VARIABLE=TYPE" */
	size_t type_count;
	/* Bytes that this process may take from the walk on; 0: no limit. For the whole process, by
	 * the kernel's own limit on data, which no mistake of ours can pass. */
	uint64_t max_memory;
	const struct hf_index *index; /* where it may have been kept; NULL: none */
};

enum { HF_MAX_STAGES = 24 };

struct hf_stage_time {
	const char *name;
	double seconds;
};

struct hf_analysis {
	struct hf_diags *diags;
	struct hf_process *process;
	struct hf_symbols *symbols;
	struct hf_allocator *allocator; /* NULL: no known allocator in the process */
	struct hf_extents *extents;	/* NULL if there is no allocator, and below */
	struct hf_roots roots;
	struct hf_graph *graph;
	struct hf_typing *typing;
	struct hf_python python; /* whose objects are held past their hidden heads */
	struct hf_stash *stash;	 /* the index that the arrays lie in; NULL: they were made now */
	struct hf_stage_time stages[HF_MAX_STAGES];
	unsigned stage_count;
	unsigned threads;     /* for sweeps over all objects */
	double types_seconds; /* part of the last stage, beside the graph */
	uint64_t taken_bytes; /* of our own memory, before the heap was read (memory.h) */
};

struct hf_error *hf_analysis_open(const struct hf_analysis_options *options,
				  struct hf_analysis **ret);
void hf_analysis_close(struct hf_analysis *analysis);

/*
 * Keep a whole analysis (HF_DEPTH_TYPES, with a heap) in @index, unless it came from there.
 * @ready(@ctx) is called when all that a view may ask for has been made and no other thread runs,
 * while a part is still to be written.
 */
struct hf_error *hf_analysis_save(struct hf_analysis *analysis, const struct hf_index *index,
				  void (*ready)(void *ctx), void *ctx);

/* What making it took, in seconds. */
double hf_analysis_seconds(const struct hf_analysis *analysis);

/*
 * Find what the user means: "0x55d0..." (any address), or a variable's name. *@ret_address
 * gets the address; *@ret_node the object's or holder's node, HF_NO_NODE if it is neither.
 */
struct hf_error *hf_analysis_resolve(const struct hf_analysis *analysis, const char *text,
				     uint64_t *ret_address, uint32_t *ret_node);

/*
 * The field of its source that an edge's word is: "buckets[17]" of an object, ".next" of a
 * variable that is a structure. False where none is known, or it is the whole variable.
 */
bool hf_analysis_field(const struct hf_analysis *analysis, const struct hf_edge *edge, char *buffer,
		       size_t size);

/* Node's name for people: object type with address, or the holder. Caller frees. */
char *hf_analysis_describe(const struct hf_analysis *analysis, uint32_t node);

#endif
