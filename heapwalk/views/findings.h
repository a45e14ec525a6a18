/*
 * findings.h - broken invariants, as report and check tell them.
 */
#ifndef HF_HEAPWALK_VIEWS_FINDINGS_H
#define HF_HEAPWALK_VIEWS_FINDINGS_H

#include "heapwalk/views/sections.h"

/* Most telling first, NULL at the end; NULL when memory is short. Caller frees the array. */
const struct hf_finding **hf_findings_sorted(const struct hf_analysis *analysis);

/* Broken invariants; and places in flux, which are none. */
uint64_t hf_findings_count(const struct hf_analysis *analysis);
uint64_t hf_findings_notes(const struct hf_analysis *analysis);

/* One line each, at most @max. */
void hf_findings_table(struct hf_doc *doc, const struct hf_finding **sorted, uint64_t max);

/* "written past the end of 0x55d0, 40 bytes in use: text, held by g_cache"; NULL if unknown. */
const char *hf_finding_blame(struct hf_analysis *analysis, struct hf_doc *doc,
			     const struct hf_finding *finding);

/* Which figures the findings make doubtful; as a sentence without an end, NULL if none. */
const char *hf_findings_doubt_text(const struct hf_analysis *analysis, struct hf_doc *doc);
void hf_findings_doubt(const struct hf_analysis *analysis, struct hf_doc *doc);

#endif
