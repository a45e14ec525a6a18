/*
 * details.h - what a page needs beside the report to be explored: the dominator tree, every
 * type, the sizes, the address space, the leaks with their chains. A document of tables like
 * any other, so that one renderer can hand it to a script.
 *
 * Its size has a bound whatever the heap: each table has a limit of its own (below), what is
 * beyond it is merged into a rest line, and fields say how much that was. With the widest
 * numbers, in bytes of the page:
 *
 *	tree	16,000 rows of 125	2.0 M		cells	11,520 of 84	1.0 M
 *	types	 2,500 of 90		0.2 M		chains	 3,600 of 70	0.3 M
 *	the rest			0.3 M		strings	(html_data.c)	4.2 M
 *
 * so 8 M at most; real ones have a twentieth of that.
 *
 *	tree		the grouped dominator tree (tree.h) in preorder, the lost below a node of
 *			their own; what retains least is merged first
 *	types		biggest first; types_count and types_bytes are of all
 *	sizes		chunks by size class, in use and free
 *	arenas		free and used bytes, biggest free chunk, pages that hold nothing in use
 *	regions		stretches of memory that arenas own, biggest first
 *	cells		each region in equal parts: bytes by state
 *	mappings	the address space, neighbours of one kind together
 *	leaders, chains	lost objects in groups, and what one of each drags along; for the possibly
 *			lost the pointers that lead there
 *	findings	broken invariants
 */
#ifndef HF_HEAPWALK_VIEWS_DETAILS_H
#define HF_HEAPWALK_VIEWS_DETAILS_H

#include "heapwalk/views/tree.h"
#include "heapwalk/views/view.h"

enum {
	HF_DETAILS_NODES = 8000, /* of the tree; as many rest lines at most */
	HF_DETAILS_TYPES = 2500,
	HF_DETAILS_LEADERS = 150,
	HF_DETAILS_REGIONS = 48,
	HF_DETAILS_CELLS = 240, /* of a region */
	HF_DETAILS_MAPPINGS = 600,
};

hf_view_fn hf_view_details;

/* The parts, each in a file of its own. */
struct hf_error *hf_details_tree(struct hf_analysis *analysis, struct hf_doc *doc);
struct hf_error *hf_details_memory(const struct hf_analysis *analysis, struct hf_doc *doc);
void hf_details_mappings(const struct hf_analysis *analysis, struct hf_doc *doc);
struct hf_error *hf_details_leaks(struct hf_analysis *analysis,
				  const struct hf_view_options *options, struct hf_doc *doc);

/* Which of many sizes are the biggest @max: those above least, and the first few equals. */
struct hf_details_limit {
	uint64_t least;
	size_t equals;
};
/* @sizes are sorted by it. */
void hf_details_limit(uint64_t *sizes, size_t count, size_t max, struct hf_details_limit *ret);
/* To be asked once for each size, in order. */
static inline bool hf_details_fits(struct hf_details_limit *limit, uint64_t size)
{
	return size > limit->least || (size == limit->least && limit->equals && limit->equals--);
}

/*
 * Keep the @max nodes of @tree that retain most; the rest is added to rest lines. *@ret_merged: how
 * many groups that took away.
 */
struct hf_error *hf_tree_prune(struct hf_tree *tree, size_t max, uint64_t *ret_merged);

#endif
