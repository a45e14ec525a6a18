/*
 * sarif.h - issues in the Static Analysis Results Interchange Format, version 2.1.0 (OASIS): what
 * code scanning services and editors show beside the source.
 */
#ifndef HF_HEAPWALK_OUTPUT_SARIF_H
#define HF_HEAPWALK_OUTPUT_SARIF_H

#include <stdio.h>

#include "heapwalk/analysis.h"
#include "heapwalk/views/issues.h"

struct hf_sarif_options {
	const char *command;	 /* "leaks": part of the run's id */
	const char *source_root; /* absolute; paths below it are told relative to it. NULL: none */
};

struct hf_error *hf_output_sarif(const struct hf_analysis *analysis, const struct hf_issues *issues,
				 const struct hf_sarif_options *options, FILE *to);

#endif
