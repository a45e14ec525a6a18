/*
 * from_above.h - for all objects at once, what of a few things is above them in the dominator tree.
 */
#ifndef HF_HEAPWALK_VIEWS_FROM_ABOVE_H
#define HF_HEAPWALK_VIEWS_FROM_ABOVE_H

#include "heapwalk/analysis.h"

enum { HF_FROM_ABOVE_TYPES = 25 };

struct hf_below_total {
	uint64_t count, bytes;
};

struct hf_from_above {
	/* Asked: */
	const uint32_t *types;
	uint32_t type_count; /* at most HF_FROM_ABOVE_TYPES */
	uint32_t node;	     /* HF_NO_NODE: none */
	/* Told: retained bytes of each type's objects above which there is none of that type; */
	uint64_t retained[HF_FROM_ABOVE_TYPES];
	/* and what @node dominates, itself included, by type. Room for all of them; or NULL. */
	struct hf_below_total *below;
};

/* Fails for want of memory only. */
struct hf_error *hf_from_above(const struct hf_analysis *analysis, struct hf_from_above *question);

#endif
