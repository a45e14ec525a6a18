/*
 * save_fill.h - private to heapwalk/query/: the big tables of a saved file, filled page by page.
 */
#ifndef HF_HEAPWALK_QUERY_SAVE_FILL_H
#define HF_HEAPWALK_QUERY_SAVE_FILL_H

#include "heapwalk/output/export.h"

enum save_tree {
	SAVE_OBJECTS,
	SAVE_REFS,
	SAVE_CHUNKS,
	SAVE_OBJECTS_ADDRESS,
	SAVE_OBJECTS_TYPE,
	SAVE_OBJECTS_RETAINED,
	SAVE_OBJECTS_DOMINATOR,
	SAVE_REFS_SOURCE,
	SAVE_REFS_TARGET,
	SAVE_TREES
};

/* Their names in the schema. */
extern const char *const save_tree_names[SAVE_TREES];

/* Do the chunks ascend by address? Else SAVE_CHUNKS is not filled: its key is the address. */
bool save_can_fill_chunks(struct hf_analysis *analysis);

/*
 * Fill @export->path, whose trees are empty and begin at @roots (0: not this one); it has @pages
 * pages.
 */
struct hf_error *save_fill(struct hf_export *export, const uint32_t roots[SAVE_TREES],
			   uint32_t pages);

#endif
