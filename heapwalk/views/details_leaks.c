/*
 * details_leaks.c - the groups of what is lost or possibly lost, each with a chain.
 *
 * For a lost leader the chain goes down: what only it leads to, like objects together. For a
 * possibly lost object it comes from above: the shortest chain of pointers from a root, in
 * which at least one points into the middle of a block.
 */
#include <stdlib.h>
#include <string.h>

#include "core/base/cleanup.h"
#include "heapwalk/views/details.h"
#include "heapwalk/views/sections.h"

enum { CHAIN_DEPTH = 6, CHAIN_TOP = 3, CHAIN_ROWS = 24 };

static const struct hf_column columns[] = {
    {"group", NULL, 0},		    /* row in groups */
    {"what", NULL, HF_COLUMN_TREE}, /* a link of the chain */
    {"address", NULL, 0},
    {"retained_bytes", NULL, 0},
    {"count", NULL, 0},
};

struct teller {
	struct hf_analysis *analysis;
	struct hf_doc *doc;
	struct hf_table *table;
	uint64_t group;
};

static void tell_link(const struct teller *teller, uint32_t depth, const char *what, uint32_t node,
		      uint64_t retained, uint64_t count)
{
	const struct hf_analysis *analysis = teller->analysis;
	bool object = node < hf_graph_objects(analysis->graph);

	hf_doc_row(teller->doc, teller->table, depth);
	hf_doc_cell(teller->doc, teller->table, hf_number(teller->group));
	hf_doc_cell(teller->doc, teller->table, hf_text(what));
	hf_doc_cell(teller->doc, teller->table,
		    object ? hf_address(hf_extents_address(analysis->extents, node)) : hf_none());
	hf_doc_cell(teller->doc, teller->table, hf_bytes(retained));
	hf_doc_cell(teller->doc, teller->table, hf_count(count));
}

static struct hf_error *tell_below(const struct teller *teller, uint32_t leader)
{
	struct hf_tree_options options = {.depth = CHAIN_DEPTH, .top = CHAIN_TOP};
	struct hf_tree tree = {0};
	struct hf_error *err = hf_tree_build(teller->analysis, leader, &options, &tree);

	for (size_t i = 0; i < tree.count && i < CHAIN_ROWS; i++) {
		const struct hf_tree_node *node = &tree.data[i];
		tell_link(teller, node->depth, hf_tree_label(teller->analysis, teller->doc, node),
			  node->example, node->retained_bytes, node->count);
	}
	free(tree.data);
	return err;
}

static struct hf_error *tell_above(const struct teller *teller, uint32_t object)
{
	HF_AUTO(free_ptr) uint32_t *path = NULL;
	uint32_t count = 0;
	struct hf_error *err = hf_graph_path(teller->analysis->graph, object, &path, &count);
	uint32_t first = count > CHAIN_ROWS ? count - CHAIN_ROWS : 0;

	for (uint32_t i = first; !err && i < count; i++)
		tell_link(teller, i - first, hf_node_name(teller->analysis, teller->doc, path[i]),
			  path[i], hf_graph_retained(teller->analysis->graph, path[i]), 1);
	return err;
}

/* The table with key @key; NULL if there is none. */
static const struct hf_table *table_of(const struct hf_doc *doc, const char *key)
{
	for (uint32_t i = 0; i < hf_doc_items(doc); i++) {
		const struct hf_item *item = hf_doc_item(doc, i);
		if (item->kind == HF_ITEM_TABLE && !strcmp(item->key, key))
			return item->table;
	}
	return NULL;
}

static uint64_t cell_number(const struct hf_table *table, size_t row, const char *key)
{
	for (uint32_t i = 0; i < table->column_count; i++) {
		if (!strcmp(table->columns[i].key, key))
			return table->cells.data[table->rows.data[row].first_cell + i].number;
	}
	return 0;
}

struct hf_error *hf_details_leaks(struct hf_analysis *analysis,
				  const struct hf_view_options *options, struct hf_doc *doc)
{
	struct hf_view_options few = {.core = options->core,
				      .binary = options->binary,
				      .suppressions = options->suppressions,
				      .top = HF_DETAILS_LEADERS};
	struct hf_error *err = hf_view_leaks(analysis, &few, doc);
	const struct hf_table *groups = err ? NULL : table_of(doc, "groups");

	if (!groups)
		return err;
	struct teller teller = {.analysis = analysis, .doc = doc};
	teller.table =
	    hf_doc_table(doc, "chains", NULL, columns, sizeof(columns) / sizeof(columns[0]));
	for (size_t i = 0; i < groups->rows.count && !err; i++) {
		uint32_t object =
		    hf_extents_find(analysis->extents, cell_number(groups, i, "example"));
		teller.group = i;
		if (object == HF_NO_OBJECT)
			continue;
		bool lost = hf_graph_leak_kind(analysis->graph, object) != HF_POSSIBLE;
		err = lost ? tell_below(&teller, object) : tell_above(&teller, object);
	}
	return err;
}
