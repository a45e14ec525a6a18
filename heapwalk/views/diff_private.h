/*
 * diff_private.h - private to views/diff*.c: the parts of a comparison.
 *
 *	diff_labels.c	names that mean the same on both sides
 *	diff_owners.c	which holder an object belongs to
 *	diff_tree.c	both dominator trees, in step
 *	diff_objects.c	types, size classes, and objects one by one
 *	diff.c		owns it all; diff_view.c tells it, diff_details.c all of it to a page
 */
#ifndef HF_HEAPWALK_VIEWS_DIFF_PRIVATE_H
#define HF_HEAPWALK_VIEWS_DIFF_PRIVATE_H

#include "core/base/strpool.h"
#include "heapwalk/views/diff.h"
#include "heapwalk/views/sections.h"

enum diff_when { DIFF_BEFORE, DIFF_AFTER, DIFF_SIDES };

#define DIFF_NONE UINT32_MAX

struct diff_amount {
	uint64_t count, bytes;
};

/* ---- labels: one number for what means the same on both sides -------------------------------- */

enum diff_label_kind {
	DIFF_LABEL_TYPE,   /* objects, by type, big sizes masked */
	DIFF_LABEL_HOLDER, /* roots, numbers masked */
	DIFF_LABEL_LOST,   /* what no root reaches */
};

struct diff_label {
	const char *name;
	const char *root;  /* the plain name of a holder, as a user would give it; else NULL */
	uint8_t kind;	   /* enum diff_label_kind */
	uint8_t root_kind; /* enum hf_holder_kind */
};

struct diff_labels {
	HF_VEC(, struct diff_label) list;
	uint32_t *slots;
	uint32_t slot_count;
	struct hf_strpool *strings;
};

struct hf_error *diff_labels_init(struct diff_labels *labels);
void diff_labels_deinit(struct diff_labels *labels);
/* The label's number, DIFF_NONE when out of memory. */
uint32_t diff_label(struct diff_labels *labels, enum diff_label_kind kind, const char *name);

/* ---- one side -------------------------------------------------------------------------------- */

struct diff_side {
	struct hf_analysis *analysis;
	struct hf_heap_totals totals;
	uint32_t *path_label;	/* type -> label, masked */
	uint32_t *type_row;	/* type -> row in diff->types, by exact name */
	uint32_t *holder_label; /* holder node less the first -> label */
	uint32_t *owner;	/* object -> holder node, DIFF_NONE; only while the tree is made */
};

/* Fill holder_label and path_label. */
struct hf_error *diff_label_side(struct diff_labels *labels, struct diff_side *side);
struct hf_error *diff_find_owners(struct diff_side *side);

static inline bool diff_is_object(const struct diff_side *side, uint32_t node)
{
	return node < hf_graph_objects(side->analysis->graph);
}

/* ---- the tree -------------------------------------------------------------------------------- */

struct diff_sum {
	uint64_t count, retained, objects;
	uint32_t example; /* the member that keeps most; HF_NO_NODE */
};

struct diff_node {
	uint32_t label; /* DIFF_NONE: the rest */
	uint32_t depth; /* 0: what stands below the super root */
	struct diff_sum side[DIFF_SIDES];
};

HF_VEC(diff_tree, struct diff_node); /* preorder, siblings by growth */

static inline int64_t diff_growth(const struct diff_node *node)
{
	return (int64_t)(node->side[DIFF_AFTER].retained - node->side[DIFF_BEFORE].retained);
}

struct diff_tree_options {
	uint32_t depth;
	uint64_t min_bytes; /* retained, or growth, of what is opened */
};

struct hf_error *diff_build_tree(const struct diff_labels *labels, const struct diff_side *sides,
				 const struct diff_tree_options *options, struct diff_tree *ret);

/* ---- types, sizes, objects ------------------------------------------------------------------- */

struct diff_type {
	const char *name, *source;
	struct diff_amount side[DIFF_SIDES];
	struct diff_amount fresh, gone; /* by address; only of one process */
};

HF_VEC(diff_types, struct diff_type);

/*
 * Chunks up to DIFF_EXACT_BYTES each have a class of their own size (sizes are multiples of 8),
 * above it there is one class for (2^k, 2^(k+1)].
 */
enum { DIFF_EXACT_BYTES = 1024, DIFF_CLASSES = DIFF_EXACT_BYTES / 8 + 1 + 64 };

struct diff_objects {
	bool matched; /* one process: objects were matched by address */
	struct diff_amount fresh, gone, kept;
	uint64_t resized_count;
	int64_t resized_bytes; /* what those of the kept grew in place */
};

struct hf_diff {
	struct diff_side side[DIFF_SIDES];
	struct diff_labels labels;
	struct diff_tree tree;
	struct diff_types types; /* by growth */
	struct diff_amount classes[DIFF_CLASSES][DIFF_SIDES];
	struct diff_objects objects;
};

struct hf_error *diff_find_types(struct hf_diff *diff);
void diff_count_classes(struct hf_diff *diff);
void diff_class_range(uint32_t class, uint64_t *ret_from, uint64_t *ret_to);
void diff_match_objects(struct hf_diff *diff);
/* After the matching: the rows by growth. */
void diff_sort_types(struct hf_diff *diff);
/* Both of one run of one program: pid, program, and where the kernel put things. */
bool diff_same_process(const struct hf_process *before, const struct hf_process *after);

#endif
