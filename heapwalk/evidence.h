/*
 * evidence.h - is what the core holds enough to call a block lost?
 *
 * "Nothing leads here" is a proof only if every word that could lead there was seen, and if the
 * block is in use at all. Where memory that may hold pointers is missing, or a free list is
 * cut, the answer is unknown: hf_graph_options.incomplete.
 */
#ifndef HF_HEAPWALK_EVIDENCE_H
#define HF_HEAPWALK_EVIDENCE_H

#include "heapwalk/analysis.h"

/* True if so; what was found wanting becomes a diagnostic. Needs the roots and the walk. */
bool hf_evidence_incomplete(const struct hf_analysis *analysis);

#endif
