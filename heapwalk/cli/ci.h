/*
 * ci.h - outputs for machines that watch builds and services: SARIF, JUnit XML, OpenMetrics.
 *
 * They are no renderings of a command's document, so they are none of enum hf_format: the
 * commands that have one hand over to hf_run_ci() (cli/run.h).
 */
#ifndef HF_HEAPWALK_CLI_CI_H
#define HF_HEAPWALK_CLI_CI_H

#include <stdio.h>

#include "heapwalk/cli/options.h"

enum hf_ci_format { HF_CI_NONE, HF_CI_SARIF, HF_CI_JUNIT, HF_CI_OPENMETRICS };

/* What --format (or --sarif, ...) asks for; HF_CI_NONE: none of these. */
enum hf_ci_format hf_ci_format(const struct hf_options *options);

typedef struct hf_error *hf_ci_write_fn(void *ctx, FILE *to);

/*
 * Have @write write to -o FILE, or to standard output. A plain file appears under its name
 * when it is complete: whoever reads it at any moment (node_exporter) reads all of it.
 */
struct hf_error *hf_ci_write(const struct hf_options *options, hf_ci_write_fn *write, void *ctx);

#endif
