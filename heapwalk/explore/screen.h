/*
 * screen.h - `explore` on a terminal: a full-screen browser of the dominator tree.
 *
 * Only screen*.c know the terminal library (ncursesw); where it is not there when the tool is
 * built, screen_none.c stands in for them and says so.
 */
#ifndef HF_HEAPWALK_EXPLORE_SCREEN_H
#define HF_HEAPWALK_EXPLORE_SCREEN_H

#include "heapwalk/analysis.h"
#include "heapwalk/views/view.h"

struct hf_explore_options {
	struct hf_view_options
	    view; /* core, binary, for hints; argument: where to start, or NULL */
	bool color;
};

/* NULL if explore() can be run here; else why not, before a big core is read for nothing. */
struct hf_error *hf_explore_check(void);

/* Run until the user quits. The analysis must have a graph and types. */
struct hf_error *hf_explore(struct hf_analysis *analysis, const struct hf_explore_options *options);

#endif
