/*
 * openmetrics.h - the report's figures as OpenMetrics text, for Prometheus and what reads like it.
 */
#ifndef HF_HEAPWALK_OUTPUT_OPENMETRICS_H
#define HF_HEAPWALK_OUTPUT_OPENMETRICS_H

#include <stdio.h>

#include "heapwalk/analysis.h"

/* @top: holders and types told by name (0: 10); those of one name are one series. */
struct hf_error *hf_output_openmetrics(struct hf_analysis *analysis, uint64_t top, FILE *to);

#endif
