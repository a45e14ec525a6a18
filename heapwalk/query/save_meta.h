/*
 * save_meta.h - private to heapwalk/query/: the table meta(name, value) of saved files.
 */
#ifndef HF_HEAPWALK_QUERY_SAVE_META_H
#define HF_HEAPWALK_QUERY_SAVE_META_H

#include "heapwalk/analysis.h"

enum { SAVE_MAX_META = 8 };

struct save_meta {
	const char *name;
	char *value; /* NULL: not known */
};

/* Returns how many there are. */
unsigned save_make_meta(const struct hf_analysis *analysis, struct save_meta ret[SAVE_MAX_META]);
void save_free_meta(struct save_meta *meta, unsigned count);

#endif
