/*
 * diff.h - what grew between two analyses: by type, by size, by holder, by dominator path, and,
 * where both are of one process, object by object.
 *
 * Holders. What a holder keeps is what the dominator tree says, with one addition: an object
 * that several holders share, which the tree puts at the top, counts for the strongest of them
 * (then the nearest), so that a stray stack word which comes or goes moves no figure from one
 * line to another. So the holders, the lost and malloc's own add up to the whole heap.
 *
 * Paths. The two dominator trees are walked in step, with everything masked that differs
 * between two processes of one program: addresses, numbers of threads and frames, sizes of big
 * arrays. Nodes with the same label below the same path make one line, with a figure for each
 * side.
 */
#ifndef HF_HEAPWALK_VIEWS_DIFF_H
#define HF_HEAPWALK_VIEWS_DIFF_H

#include "heapwalk/views/view.h"

struct hf_diff;

/*
 * Compare. Both analyses must be of depth HF_DEPTH_TYPES and outlive the diff; @options gives
 * how deep the paths are followed and what is left out. An error if one has no heap.
 */
struct hf_error *hf_diff_create(struct hf_analysis *before, struct hf_analysis *after,
				const struct hf_view_options *options, struct hf_diff **ret);
void hf_diff_destroy(struct hf_diff *diff);

/* @options->core is the old one; @new_core names the other. */
struct hf_error *hf_view_diff(const struct hf_diff *diff, const struct hf_view_options *options,
			      const char *new_core, struct hf_doc *doc);

/* The same for a page to explore: tree and types, within the limits of views/details.h. */
struct hf_error *hf_view_diff_details(const struct hf_diff *diff,
				      const struct hf_view_options *options, const char *new_core,
				      struct hf_doc *doc);
/* Only the table of what grew by holder. */
void hf_diff_tell_holders(const struct hf_diff *diff, const struct hf_view_options *options,
			  struct hf_doc *doc);

struct hf_diff_growth {
	uint64_t before, after;
};

/* Bytes of the type called @name, else what the holder of that name keeps. */
struct hf_error *hf_diff_growth_of(const struct hf_diff *diff, const char *name,
				   struct hf_diff_growth *ret);
/* Heap in use, and objects in use. */
void hf_diff_totals(const struct hf_diff *diff, struct hf_diff_growth *ret_bytes,
		    struct hf_diff_growth *ret_objects);

#endif
