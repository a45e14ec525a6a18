/*
 * diff_details.c - a comparison for a page to explore: the tree of what grew, and every type
 * that changed. Both have the limits of views/details.h.
 *
 * The tree has one node above the holders, so that it has a root: both heaps as a whole.
 */
#include <stdlib.h>

#include "core/base/cleanup.h"
#include "heapwalk/views/details.h"
#include "heapwalk/views/diff_private.h"

static const struct hf_column tree_columns[] = {
    {"name", NULL, HF_COLUMN_TREE}, {"kind", NULL, 0},	       {"before_bytes", NULL, 0},
    {"after_bytes", NULL, 0},	    {"before_count", NULL, 0}, {"after_count", NULL, 0},
    {"address", NULL, 0}, /* of the biggest, after */
};

static const struct hf_column type_columns[] = {
    {"type", NULL, 0},	      {"source", NULL, 0},	 {"before_bytes", NULL, 0},
    {"after_bytes", NULL, 0}, {"before_count", NULL, 0}, {"after_count", NULL, 0},
};

static uint64_t weight(const struct diff_node *node)
{
	uint64_t before = node->side[DIFF_BEFORE].retained, after = node->side[DIFF_AFTER].retained;
	return before > after ? before : after;
}

/* Is the object at hand one of both sides' lost ones, a type, a holder? */
static const char *kind_of(const struct hf_diff *diff, const struct diff_node *node)
{
	if (node->label == DIFF_NONE)
		return "rest";
	const struct diff_label *label = &diff->labels.list.data[node->label];
	if (label->kind == DIFF_LABEL_HOLDER)
		return hf_holder_kind_name(label->root_kind);
	return label->kind == DIFF_LABEL_LOST ? "lost" : "object";
}

static struct hf_value address_of(const struct hf_diff *diff, const struct diff_node *node)
{
	const struct diff_side *side = &diff->side[DIFF_AFTER];
	uint32_t object = node->side[DIFF_AFTER].example;

	if (node->label == DIFF_NONE || object == HF_NO_NODE || !diff_is_object(side, object))
		return hf_none();
	return hf_address(hf_extents_address(side->analysis->extents, object));
}

static void tell_node(const struct hf_diff *diff, struct hf_doc *doc, struct hf_table *table,
		      const struct diff_node *node)
{
	hf_doc_row(doc, table, node->depth + 1);
	hf_doc_cell(doc, table,
		    node->label == DIFF_NONE ? hf_none()
					     : hf_text(diff->labels.list.data[node->label].name));
	hf_doc_cell(doc, table, hf_text(kind_of(diff, node)));
	hf_doc_cell(doc, table, hf_bytes(node->side[DIFF_BEFORE].retained));
	hf_doc_cell(doc, table, hf_bytes(node->side[DIFF_AFTER].retained));
	hf_doc_cell(doc, table, hf_count(node->side[DIFF_BEFORE].count));
	hf_doc_cell(doc, table, hf_count(node->side[DIFF_AFTER].count));
	hf_doc_cell(doc, table, address_of(diff, node));
}

/* What a node must weigh to be told; those below one that is not are not either. */
static struct hf_error *limit_of(const struct diff_tree *tree, struct hf_details_limit *ret)
{
	HF_AUTO(free_ptr) uint64_t *sizes = malloc(tree->count * sizeof(*sizes) + 1);

	if (!sizes)
		return hf_error_nomem();
	for (size_t i = 0; i < tree->count; i++)
		sizes[i] = weight(&tree->data[i]);
	hf_details_limit(sizes, tree->count, HF_DETAILS_NODES, ret);
	return NULL;
}

static struct hf_error *tell_tree(const struct hf_diff *diff, struct hf_doc *doc)
{
	struct hf_diff_growth bytes, objects;
	struct hf_details_limit limit;
	uint64_t merged = 0;
	uint32_t open = 0;
	struct hf_error *err = limit_of(&diff->tree, &limit);

	if (err)
		return err;
	struct hf_table *table = hf_doc_table(doc, "tree", NULL, tree_columns,
					      sizeof(tree_columns) / sizeof(tree_columns[0]));
	hf_diff_totals(diff, &bytes, &objects);
	hf_doc_row(doc, table, 0);
	hf_doc_cell(doc, table, hf_text("heap in use"));
	hf_doc_cell(doc, table, hf_text("root"));
	hf_doc_cell(doc, table, hf_bytes(bytes.before));
	hf_doc_cell(doc, table, hf_bytes(bytes.after));
	hf_doc_cell(doc, table, hf_count(objects.before));
	hf_doc_cell(doc, table, hf_count(objects.after));
	hf_vec_foreach (node, &diff->tree) {
		if (node->depth > open)
			continue;
		open = node->depth;
		if (!hf_details_fits(&limit, weight(node))) {
			merged++;
			continue;
		}
		open++;
		tell_node(diff, doc, table, node);
	}
	hf_doc_field(doc, "tree_merged", NULL, hf_count(merged));
	return NULL;
}

static void tell_types(const struct hf_diff *diff, struct hf_doc *doc)
{
	struct hf_table *table = hf_doc_table(doc, "types", NULL, type_columns,
					      sizeof(type_columns) / sizeof(type_columns[0]));
	uint64_t shown = 0, left_out = 0;

	hf_vec_foreach (type, &diff->types) {
		const struct diff_amount *before = &type->side[DIFF_BEFORE];
		const struct diff_amount *after = &type->side[DIFF_AFTER];
		if (before->bytes == after->bytes && before->count == after->count)
			continue;
		if (shown++ >= HF_DETAILS_TYPES) {
			left_out++;
			continue;
		}
		hf_doc_row(doc, table, 0);
		hf_doc_cell(doc, table, hf_text(type->name));
		hf_doc_cell(doc, table, hf_text(type->source));
		hf_doc_cell(doc, table, hf_bytes(before->bytes));
		hf_doc_cell(doc, table, hf_bytes(after->bytes));
		hf_doc_cell(doc, table, hf_count(before->count));
		hf_doc_cell(doc, table, hf_count(after->count));
	}
	hf_doc_field(doc, "types_left_out", NULL, hf_count(left_out));
}

struct hf_error *hf_view_diff_details(const struct hf_diff *diff,
				      const struct hf_view_options *options, const char *new_core,
				      struct hf_doc *doc)
{
	const struct hf_heap_totals *before = &diff->side[DIFF_BEFORE].totals;
	const struct hf_heap_totals *after = &diff->side[DIFF_AFTER].totals;

	hf_doc_field(doc, "title", NULL,
		     hf_text(hf_doc_printf(doc, "%s and %s", options->core, new_core)));
	hf_doc_field(doc, "core", NULL, hf_text(new_core));
	hf_doc_field(doc, "binary", NULL, hf_text(options->binary));
	hf_doc_field(doc, "before_bytes", NULL, hf_bytes(before->inuse_bytes));
	hf_doc_field(doc, "inuse_bytes", NULL, hf_bytes(after->inuse_bytes));
	hf_doc_field(doc, "before_objects", NULL, hf_count(before->objects));
	hf_doc_field(doc, "objects", NULL, hf_count(after->objects));
	hf_doc_field(doc, "before_lost_bytes", NULL, hf_bytes(before->lost_bytes));
	hf_doc_field(doc, "lost_bytes", NULL, hf_bytes(after->lost_bytes));
	struct hf_error *err = tell_tree(diff, doc);
	if (!err)
		tell_types(diff, doc);
	return err;
}
