/*
 * screen_none.c - explore in a build without ncurses (see screen.h).
 */
#include "heapwalk/explore/screen.h"

struct hf_error *hf_explore_check(void)
{
	return hf_error_create(HF_ERR_UNSUPPORTED,
			       "explore: this heapforensics was built without ncurses (Debian: "
			       "libncurses-dev); the command dominators prints the same tree");
}

struct hf_error *hf_explore(struct hf_analysis *analysis, const struct hf_explore_options *options)
{
	(void)analysis;
	(void)options;
	return hf_explore_check();
}
