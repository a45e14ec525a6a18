/*
 * output.h - documents as text for people, as JSON, as CSV and as a page for browsers.
 *
 * Strings of a document may come from a hostile core: every renderer escapes them for its
 * format (no control characters reach a terminal, JSON is valid UTF-8).
 */
#ifndef HF_HEAPWALK_OUTPUT_OUTPUT_H
#define HF_HEAPWALK_OUTPUT_OUTPUT_H

#include <stdio.h>

#include "core/base/error.h"
#include "heapwalk/views/doc.h"

enum hf_format { HF_FORMAT_TEXT, HF_FORMAT_JSON, HF_FORMAT_CSV, HF_FORMAT_HTML, HF_FORMATS };

struct hf_output_options {
	enum hf_format format;
	unsigned width; /* columns of a terminal; 0: tables are never cut */
	bool color;
	const char *name;	      /* of where it goes, for messages; NULL: "the output" */
	const struct hf_doc *details; /* HTML: tables to explore (views/details.h); or NULL */
};

struct hf_error *hf_output(const struct hf_doc *doc, const struct hf_output_options *options,
			   FILE *to);

/* One each: output.c chooses. */
struct hf_error *hf_output_text(const struct hf_doc *doc, const struct hf_output_options *options,
				FILE *to);
struct hf_error *hf_output_json(const struct hf_doc *doc, FILE *to);
struct hf_error *hf_output_csv(const struct hf_doc *doc, FILE *to);
struct hf_error *hf_output_html(const struct hf_doc *doc, const struct hf_output_options *options,
				FILE *to);

/* Single values, for rows that are printed as they come. */
void hf_csv_value(const struct hf_value *value, FILE *to);
struct json_object *hf_json_value(const struct hf_value *value);

#endif
