/*
 * tops.h - what hangs on the super root of the dominator tree: holders, objects that several hold,
 * and leaders of what is lost. What keeps nothing but the allocator's own is left out.
 */
#ifndef HF_HEAPWALK_VIEWS_TOPS_H
#define HF_HEAPWALK_VIEWS_TOPS_H

#include "heapwalk/analysis.h"

enum { HF_TOPS_BIG_PERCENT = 10 };

/* Objects of one type. */
struct hf_top_group {
	uint64_t count, retained;
	uint32_t example; /* the lowest of those that retain most; HF_NO_NODE: there are none */
};

HF_VEC(hf_top_list, uint32_t);

struct hf_tops {
	uint32_t biggest;	    /* that retains most, leaders aside; HF_NO_NODE: none */
	uint32_t biggest_holder;    /* of the holders alone */
	struct hf_top_list big;	    /* each retains more than a tenth of the heap */
	struct hf_top_group *small; /* by type: the objects that do not */
	struct hf_top_group *kept;  /* by type: the objects that are not lost, big or small */
};

struct hf_error *hf_tops_find(const struct hf_analysis *analysis, struct hf_tops *ret);
void hf_tops_deinit(struct hf_tops *tops);

#endif
