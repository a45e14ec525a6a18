/*
 * option_values.h - private to heapwalk/cli/: an option of the table, given with its value.
 */
#ifndef HF_HEAPWALK_CLI_OPTION_VALUES_H
#define HF_HEAPWALK_CLI_OPTION_VALUES_H

#include "heapwalk/cli/options.h"

struct hf_option;

/* Do to @options what @option says; @text: its value, NULL without one. */
struct hf_error *hf_option_take(const struct hf_option *option, const char *text,
				struct hf_options *options);

/* What single options do (HF_OPTION_CALL). */
struct hf_error *hf_take_roots(const char *list, struct hf_options *options);
struct hf_error *hf_take_format(const char *text, struct hf_options *options);
struct hf_error *hf_take_color(const char *text, struct hf_options *options);
struct hf_error *hf_take_gate(const char *text, struct hf_options *options);
struct hf_error *hf_take_type(const char *text, struct hf_options *options);
struct hf_error *hf_take_type_file(const char *path, struct hf_options *options);
struct hf_error *hf_take_by(const char *text, struct hf_options *options);
struct hf_error *hf_take_index(const char *text, struct hf_options *options);
struct hf_error *hf_take_thresholds(const char *list, struct hf_options *options);

#endif
