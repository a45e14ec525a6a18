/*
 * query.h - SQL over the live analysis: SQLite virtual tables, nothing is copied.
 *
 * The tables are a contract (DESIGN): objects, nodes, refs, fields, chunks, holders, arenas,
 * threads, mappings, modules, types, findings. Columns declared ADDRESS hold addresses.
 */
#ifndef HF_HEAPWALK_QUERY_QUERY_H
#define HF_HEAPWALK_QUERY_QUERY_H

#include <stdbool.h>
#include <stdio.h>

#include "heapwalk/analysis.h"
#include "heapwalk/output/output.h"

struct hf_query;

/* An in-memory database whose tables read @analysis, which must outlive it. */
struct hf_error *hf_query_open(struct hf_analysis *analysis, struct hf_query **ret);
void hf_query_close(struct hf_query *query);

/* Run all statements of @sql and print their rows. */
struct hf_error *hf_query_run(struct hf_query *query, const char *sql,
			      const struct hf_output_options *options, FILE *to);

/* Read and run statements until the end of @from; prompts if @interactive. */
struct hf_error *hf_query_shell(struct hf_query *query, FILE *from, bool interactive,
				const struct hf_output_options *options, FILE *to);

/* For hf_query_run's users that print themselves: "CREATE TABLE" texts, NULL past the last. */
const char *hf_query_schema(unsigned index, const char **ret_name);

#endif
