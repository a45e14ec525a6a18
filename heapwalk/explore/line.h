/*
 * line.h - rows as people read them: names, notes, figures. Made for what is on the screen only,
 * and remembered, since a note may need a look through a big object's memory.
 */
#ifndef HF_HEAPWALK_EXPLORE_LINE_H
#define HF_HEAPWALK_EXPLORE_LINE_H

#include "heapwalk/explore/browser.h"

struct hf_lines;

struct hf_error *hf_lines_create(struct hf_analysis *analysis, struct hf_names *names,
				 struct hf_lines **ret);
void hf_lines_destroy(struct hf_lines *lines);

/* @row of @level; strings live until a later call. */
struct hf_error *hf_lines_make(struct hf_lines *lines, const struct hf_level *level, uint32_t row,
			       struct hf_line *ret);

#endif
