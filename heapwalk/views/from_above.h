/*
 * from_above.h - a word for every object, made from that of its dominator.
 */
#ifndef HF_HEAPWALK_VIEWS_FROM_ABOVE_H
#define HF_HEAPWALK_VIEWS_FROM_ABOVE_H

#include "heapwalk/graph/graph.h"

/* Bits of a word that are free to use. */
enum { HF_FROM_ABOVE_BITS = 31 };

struct hf_from_above {
	/* The word of a holder, or of the super root. */
	uint32_t (*top)(void *ctx, uint32_t node);
	/* The word of @object, whose dominator's is @above. Called once for each object. */
	uint32_t (*make)(void *ctx, uint32_t object, uint32_t above);
	void *ctx;
};

/* Call them for all objects of @graph, dominators first. Fails for want of memory only. */
struct hf_error *hf_from_above(const struct hf_graph *graph, const struct hf_from_above *calls);

#endif
