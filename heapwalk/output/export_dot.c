/*
 * export_dot.c - a part of the grouped dominator tree (views/tree.h) for Graphviz.
 *
 * A selection: from a node, some levels down, the biggest children of each. What is left out
 * stands as a dashed box with its bytes, so that the sums can be checked by eye.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "core/base/cleanup.h"
#include "heapwalk/output/escape.h"
#include "heapwalk/output/export.h"
#include "heapwalk/views/tree.h"

enum { DEFAULT_DEPTH = 5, DEFAULT_TOP = 8 };

/* In a quoted string of dot, \n, \l, \N and the like mean something: double the backslashes. */
static void put_label(struct hf_writer *to, const char *text)
{
	HF_AUTO(free_ptr) char *escaped = text ? hf_escape(text) : NULL;

	for (const char *at = escaped ? escaped : "?"; *at; at++) {
		if (*at == '"' || *at == '\\')
			hf_put_byte(to, '\\');
		hf_put_byte(to, (uint8_t)*at);
	}
}

static void put_bytes(struct hf_writer *to, uint64_t bytes)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	double value = (double)bytes;
	unsigned unit = 0;

	for (; value >= 1024 && unit < 6; unit++)
		value /= 1024;
	hf_put_format(to, unit ? "%.2f %s" : "%.0f %s", value, units[unit]);
}

static void put_node(struct hf_export *export, const struct hf_tree_node *node, size_t index,
		     uint64_t whole)
{
	struct hf_writer *to = export->to;
	const struct hf_analysis *analysis = export->analysis;
	double share = whole ? (double)node->retained_bytes / (double)whole : 0;
	bool group = node->count > 1 && node->example < hf_graph_objects(analysis->graph);

	hf_put_format(to, "  n%zu [label=\"", index);
	if (node->example == HF_NO_NODE) {
		hf_put_format(to, "%" PRIu64 " more", node->count);
	} else if (group) {
		uint32_t type = hf_typing_of(analysis->typing, node->example);
		hf_put_format(to, "%" PRIu64 " x ", node->count);
		put_label(to, hf_typing_type(analysis->typing, type)->name);
	} else {
		HF_AUTO(free_ptr) char *name = hf_analysis_describe(analysis, node->example);
		put_label(to, name);
	}
	hf_put_text(to, "\\nretains ");
	put_bytes(to, node->retained_bytes);
	hf_put_format(to, " (%.1f %%), %" PRIu64 " objects\", comment=\"retained_bytes=%" PRIu64,
		      share * 100, node->objects, node->retained_bytes);
	/* From white to a strong orange by its share. */
	hf_put_format(to, "\", fillcolor=\"0.08 %.3f 1.0\"%s];\n", share * 0.8,
		      node->example == HF_NO_NODE ? ", style=\"filled,dashed\"" : "");
}

static void put_tree(struct hf_export *export, const struct hf_tree *tree)
{
	size_t above[HF_TREE_MAX_DEPTH + 2] = {0};
	uint64_t whole = tree->count ? tree->data[0].retained_bytes : 0;

	hf_put_text(export->to, "digraph heap {\n"
				"  graph [rankdir=LR, label=\"dominators in ");
	put_label(export->to, hf_export_title(export));
	hf_put_text(export->to, "\"];\n"
				"  node [shape=box, style=filled, fontname=\"sans-serif\"];\n");
	for (size_t i = 0; i < tree->count; i++) {
		const struct hf_tree_node *node = &tree->data[i];
		put_node(export, node, i, whole);
		above[node->depth] = i;
		if (node->depth)
			hf_put_format(export->to, "  n%zu -> n%zu;\n", above[node->depth - 1], i);
	}
	hf_put_text(export->to, "}\n");
}

static struct hf_error *write_dot(struct hf_export *export)
{
	const struct hf_export_options *options = &export->options;
	struct hf_tree_options tree_options = {
	    .depth = options->depth ? options->depth : DEFAULT_DEPTH,
	    .top = options->top ? options->top : DEFAULT_TOP,
	    .min_bytes = options->min_bytes,
	};
	struct hf_tree tree = {0};

	if (tree_options.depth > HF_TREE_MAX_DEPTH) {
		tree_options.depth = HF_TREE_MAX_DEPTH;
		hf_export_note(export, "%d levels at most", HF_TREE_MAX_DEPTH);
	}
	struct hf_error *err =
	    hf_tree_build(export->analysis, options->start, &tree_options, &tree);
	if (!err)
		put_tree(export, &tree);
	uint64_t rests = 0;
	hf_vec_foreach (node, &tree)
		rests += node->example == HF_NO_NODE;
	if (!err && rests)
		hf_export_note(export,
			       "a selection: %u levels, the biggest %lu below a node (--depth, "
			       "--top); dashed boxes stand for the rest",
			       tree_options.depth, (unsigned long)tree_options.top);
	free(tree.data);
	return err;
}

const struct hf_export_ops hf_export_dot = {
    .name = "dot",
    .opened = "dot -Tsvg FILE",
    .selects = true,
    .write = write_dot,
};
