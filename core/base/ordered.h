/*
 * ordered.h - work done on several threads whose results are taken in order: a stream that is made
 * in pieces.
 *
 *	fill   0 1 2 3 | 4 5 6 7 | ...		any thread, any order, each into a slot
 *	emit             0 1 2 3 | 4 5 6 7	one thread at a time, in order, while
 *						the next are filled
 *
 * Pieces come in rounds, because no task of hf_parallel_for() may wait for another: one task of a
 * round emits what the last one filled. So the slots are the bound of the memory, and the
 * result does not depend on the number of threads.
 */
#ifndef HF_CORE_BASE_ORDERED_H
#define HF_CORE_BASE_ORDERED_H

#include <stdbool.h>
#include <stdint.h>

enum { HF_ORDERED_ROUND = 16, HF_ORDERED_SLOTS = 2 * HF_ORDERED_ROUND };

struct hf_ordered {
	unsigned threads; /* workers are numbered below this */
	uint64_t pieces;
	void *ctx;
	void (*fill)(void *ctx, uint64_t piece, unsigned slot, unsigned worker);
	/* The slot is free again afterwards. False: no more is wanted. */
	bool (*emit)(void *ctx, uint64_t piece, unsigned slot, unsigned worker);
};

void hf_ordered_for(const struct hf_ordered *ordered);

#endif
