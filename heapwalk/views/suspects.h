/*
 * suspects.h - what keeps more than a tenth of the heap (the algorithm: suspects.c).
 */
#ifndef HF_HEAPWALK_VIEWS_SUSPECTS_H
#define HF_HEAPWALK_VIEWS_SUSPECTS_H

#include "heapwalk/analysis.h"

struct hf_suspect {
	uint32_t node; /* the biggest, of a group */
	uint64_t count, retained;
};

HF_VEC(hf_suspects, struct hf_suspect);

/* Suspects, biggest first. The caller frees ret->data. */
struct hf_error *hf_suspects_find(struct hf_analysis *analysis, struct hf_suspects *ret);

#endif
