/*
 * memory.h - the limit on our own memory (--max-memory), and what an analysis takes of it.
 */
#ifndef HF_HEAPWALK_MEMORY_H
#define HF_HEAPWALK_MEMORY_H

#include "heapwalk/analysis.h"

/* What counts for the limit now: private writable memory, in bytes; 0 if it cannot be told. */
uint64_t hf_memory_taken(void);

/* From now on at most @bytes; 0: no limit. Fails if there is no room for anything. */
struct hf_error *hf_memory_limit(uint64_t bytes);

/*
 * @err; if it is for want of memory, with what @analysis takes. @opened: it was there, and an
 * answer from it is what failed. Consumes @err.
 */
struct hf_error *hf_memory_explain(const struct hf_analysis *analysis, bool opened,
				   struct hf_error *err);

#endif
