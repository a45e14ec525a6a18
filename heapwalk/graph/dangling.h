/*
 * dangling.h - words of live memory that point at blocks which are free.
 *
 * Such a word is no edge and keeps nothing alive; a program is allowed to have it as long as it
 * does not use it. Beside a freed block that was written to, it tells who may have done that.
 */
#ifndef HF_HEAPWALK_GRAPH_DANGLING_H
#define HF_HEAPWALK_GRAPH_DANGLING_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/base/vec.h"
#include "heapwalk/graph/graph.h"

struct hf_free_block {
	uint64_t start, end; /* [start, end): what malloc returned, usable bytes */
	uint8_t state;	     /* enum hf_chunk_state, not read here */
};

HF_VEC(hf_free_blocks, struct hf_free_block);

struct hf_dangling {
	uint64_t at;	 /* address of the word; 0 for a register */
	uint64_t value;	 /* what it holds */
	uint32_t node;	 /* the object that holds it; HF_NO_NODE: a root does */
	uint32_t holder; /* index in roots->holders, if a root holds it */
	uint32_t block;	 /* index in the blocks */
};

struct hf_dangling_result {
	HF_VEC(, struct hf_dangling) pointers; /* roots first, then objects, ascending */
	uint64_t starts, insides;	       /* words that hold a block's start; other words */
};

/*
 * Scan the roots and every object that is not lost for words into @blocks (sorted, disjoint).
 * Of pointers to starts at most @max are kept, of others none unless @with_insides.
 */
struct hf_error *hf_dangling_find(const struct hf_image *image, const struct hf_extents *extents,
				  const struct hf_roots *roots, const struct hf_graph *graph,
				  const struct hf_free_blocks *blocks, uint64_t max,
				  bool with_insides, unsigned threads,
				  struct hf_dangling_result *ret);

#endif
