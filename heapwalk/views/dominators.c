/*
 * dominators.c - who keeps what alive: the dominator tree from all roots, or below one node.
 */
#include <stdlib.h>

#include "heapwalk/views/sections.h"
#include "heapwalk/views/tree.h"

enum {
	DEFAULT_TOP = 10,
	DEFAULT_DEPTH = 4,
	REPORT_TOP = 8,
	REPORT_BELOW = 2,
	REPORT_DEPTH = 4,
	MAX_HOLDERS = 64
};

static const struct hf_column columns[] = {
    {"node", NULL, HF_COLUMN_JSON_ONLY},
    {"what", "holder or object", HF_COLUMN_TREE | HF_COLUMN_ELASTIC},
    {"kind", NULL, HF_COLUMN_JSON_ONLY},
    {"address", NULL, HF_COLUMN_JSON_ONLY},
    {"retained_bytes", "retained", 0},
    {"share", "share", 0},
    {"objects", "objects", HF_COLUMN_OPTIONAL},
    {"count", NULL, HF_COLUMN_JSON_ONLY},
    {"shallow_bytes", NULL, HF_COLUMN_JSON_ONLY},
    {"note", "", HF_COLUMN_OPTIONAL | HF_COLUMN_BLANK},
};

static bool is_object(const struct hf_analysis *analysis, uint32_t node)
{
	return node < hf_graph_objects(analysis->graph);
}

static const struct hf_holder *holder_of(const struct hf_analysis *analysis, uint32_t node)
{
	return &analysis->roots.holders.data[hf_graph_holder_index(analysis->graph, node)];
}

const char *hf_tree_label(const struct hf_analysis *analysis, struct hf_doc *doc,
			  const struct hf_tree_node *node)
{
	if (node->example == HF_NO_NODE)
		return hf_doc_printf(doc, "%s more", hf_doc_count_text(doc, node->count));
	if (node->count == 1 || !is_object(analysis, node->example))
		return hf_node_name(analysis, doc, node->example);
	uint32_t type = hf_typing_of(analysis->typing, node->example);
	return hf_doc_printf(doc, "%s  x %s", hf_typing_type(analysis->typing, type)->name,
			     hf_doc_count_text(doc, node->count));
}

static const char *kind_of(const struct hf_analysis *analysis, const struct hf_tree_node *node)
{
	if (node->example == HF_NO_NODE)
		return "rest";
	if (node->example == hf_graph_root(analysis->graph))
		return "root";
	if (!is_object(analysis, node->example))
		return hf_holder_kind_name(holder_of(analysis, node->example)->kind);
	return node->count == 1 ? "object" : "group";
}

/* How many holders point at @object, and the strongest of them. */
static uint32_t holders_of(const struct hf_analysis *analysis, uint32_t object,
			   uint32_t *ret_strongest)
{
	uint32_t some[MAX_HOLDERS];
	uint32_t count = hf_graph_holders_of(analysis->graph, object, some, MAX_HOLDERS);

	for (uint32_t i = 0; i < count && i < MAX_HOLDERS; i++) {
		if (i == 0 ||
		    holder_of(analysis, some[i])->kind < holder_of(analysis, *ret_strongest)->kind)
			*ret_strongest = some[i];
	}
	return count;
}

/* Of an object that no holder points at, and none alone keeps. */
static const char *sharing_note(const struct hf_analysis *analysis, struct hf_doc *doc,
				uint32_t object)
{
	uint32_t holders[2];
	uint32_t count = hf_sharing_holders(analysis, object, holders);

	if (count == 0)
		return "several paths lead here";
	const char *first = hf_node_name(analysis, doc, holders[0]);
	if (count == 1)
		return hf_doc_printf(doc, "%s leads here, and others", first);
	return hf_doc_printf(doc, "%s and %s lead here", first,
			     hf_node_name(analysis, doc, holders[1]));
}

const char *hf_node_note(const struct hf_analysis *analysis, struct hf_doc *doc, uint32_t object)
{
	uint32_t strongest = HF_NO_NODE;

	if (object == HF_NO_NODE || !is_object(analysis, object) ||
	    hf_graph_idom(analysis->graph, object) != hf_graph_root(analysis->graph))
		return NULL;
	if (hf_graph_is_leader(analysis->graph, object))
		return hf_graph_leak_kind(analysis->graph, object) == HF_UNKNOWN
			   ? "no pointer to it is in the core"
			   : "lost";
	uint32_t holders = holders_of(analysis, object, &strongest);
	if (holders == 0)
		return hf_extents_kind(analysis->extents, object) == HF_OBJECT_ALLOCATOR
			   ? NULL
			   : sharing_note(analysis, doc, object);
	const char *name = hf_node_name(analysis, doc, strongest);
	if (holder_of(analysis, strongest)->kind > HF_HOLDER_TLS) {
		uint32_t variable = hf_strong_holder(analysis, object);
		if (variable != HF_NO_NODE)
			return hf_doc_printf(doc, "%s leads here; held by %s too",
					     hf_node_name(analysis, doc, variable), name);
	}
	return holders == 1 ? hf_doc_printf(doc, "held by %s and by other objects", name)
			    : hf_doc_printf(doc, "held by %s and %u other%s", name, holders - 1,
					    holders == 2 ? "" : "s");
}

static void add_row(struct hf_analysis *analysis, struct hf_doc *doc, struct hf_table *table,
		    const struct hf_tree_node *node, uint32_t depth, uint64_t whole)
{
	bool object = node->example != HF_NO_NODE && is_object(analysis, node->example);
	bool holder = node->example != HF_NO_NODE && !object &&
		      node->example != hf_graph_root(analysis->graph);

	hf_doc_row(doc, table, depth);
	hf_doc_cell(doc, table, node->example == HF_NO_NODE ? hf_none() : hf_number(node->example));
	hf_doc_cell(doc, table, hf_text(hf_tree_label(analysis, doc, node)));
	hf_doc_cell(doc, table, hf_text(kind_of(analysis, node)));
	hf_doc_cell(doc, table,
		    object ? hf_address(hf_extents_address(analysis->extents, node->example))
		    : holder && holder_of(analysis, node->example)->address
			? hf_address(holder_of(analysis, node->example)->address)
			: hf_none());
	hf_doc_cell(doc, table, hf_bytes(node->retained_bytes));
	hf_doc_cell(doc, table, hf_share(node->retained_bytes, whole));
	hf_doc_cell(doc, table, hf_count(node->objects));
	hf_doc_cell(doc, table, hf_count(node->count));
	hf_doc_cell(doc, table, hf_bytes(node->shallow_bytes));
	hf_doc_cell(doc, table, hf_text(hf_node_note(analysis, doc, node->example)));
}

static void add_tree(struct hf_analysis *analysis, struct hf_doc *doc, const struct hf_tree *tree,
		     bool with_start)
{
	uint64_t whole = hf_graph_retained(analysis->graph, hf_graph_root(analysis->graph));
	struct hf_table *table =
	    hf_doc_table(doc, "tree", NULL, columns, sizeof(columns) / sizeof(columns[0]));

	hf_vec_foreach (node, tree) {
		if (node->depth || with_start)
			add_row(analysis, doc, table, node, node->depth - !with_start, whole);
	}
}

struct hf_error *hf_holders_tree(struct hf_analysis *analysis,
				 const struct hf_view_options *options, struct hf_tree *ret)
{
	uint64_t whole = hf_graph_retained(analysis->graph, hf_graph_root(analysis->graph));
	struct hf_tree_options tree = {.depth = options->depth ? options->depth : REPORT_DEPTH,
				       .top = options->top ? options->top : REPORT_TOP,
				       .top_below = REPORT_BELOW,
				       .min_bytes = whole / 50,
				       .lost = HF_TREE_WITHOUT_LOST};

	if (tree.min_bytes < options->min_bytes)
		tree.min_bytes = options->min_bytes;
	return hf_tree_build(analysis, hf_graph_root(analysis->graph), &tree, ret);
}

void hf_section_holders(struct hf_analysis *analysis, const struct hf_tree *tree,
			struct hf_doc *doc)
{
	hf_doc_begin(doc, "dominators", "HOLDERS AND DOMINATORS");
	add_tree(analysis, doc, tree, false);
	hf_doc_end(doc);
}

struct hf_error *hf_view_dominators(struct hf_analysis *analysis,
				    const struct hf_view_options *options, struct hf_doc *doc)
{
	uint32_t start;
	uint64_t address = 0;
	struct hf_error *err = NULL;

	if (!hf_view_has_heap(analysis, doc))
		return NULL;
	if (options->by)
		return hf_view_by(analysis, options, doc);
	start = hf_graph_root(analysis->graph);
	if (options->argument)
		err = hf_analysis_resolve(analysis, options->argument, &address, &start);
	if (err)
		return err;
	if (start == HF_NO_NODE)
		return hf_error_create(HF_ERR_NOT_FOUND,
				       "%s is neither an object nor a root that holds one",
				       options->argument);
	struct hf_tree_options tree = {
	    .depth = options->depth ? options->depth : DEFAULT_DEPTH,
	    .top = options->all	  ? 0
		   : options->top ? options->top
				  : DEFAULT_TOP,
	    .min_bytes = options->min_bytes,
	};
	bool from_root = start == hf_graph_root(analysis->graph);
	hf_doc_begin(doc, "dominators", "DOMINATORS");
	hf_doc_json_field(doc, "start", hf_number(start));
	struct hf_tree rows = {0};
	err = hf_tree_build(analysis, start, &tree, &rows);
	if (!err)
		add_tree(analysis, doc, &rows, !from_root);
	hf_vec_free(&rows);
	hf_doc_end(doc);
	if (!from_root && start < hf_graph_objects(analysis->graph)) {
		hf_doc_begin(doc, "next", "NEXT");
		hf_view_hint(doc, options, "path", options->argument);
		hf_doc_end(doc);
	}
	return err;
}
