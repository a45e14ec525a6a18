/*
 * parallel.h - run independent tasks on a few threads.
 *
 * Results must not depend on the number of threads: a task writes only what belongs
 * to it. No task may wait for another.
 */
#ifndef HF_CORE_BASE_PARALLEL_H
#define HF_CORE_BASE_PARALLEL_H

#include <stdint.h>

/* One task; @worker is 0 .. threads-1, for scratch memory of its own. */
typedef void hf_parallel_fn(void *ctx, uint64_t task, unsigned worker);

/* Usable processors, at least 1, at most 64 (HF_THREADS in the environment overrides). */
unsigned hf_parallel_threads(void);

/*
 * Run fn(ctx, 0 .. tasks-1), each once, on at most @threads threads (the caller's
 * among them), and return when all are done. Where threads cannot be made, the
 * caller's alone does the work: it cannot fail.
 */
void hf_parallel_for(unsigned threads, uint64_t tasks, hf_parallel_fn *fn, void *ctx);

#endif
