/*
 * details_tree.c - the dominator tree for exploring: all holders with what they keep, then what
 * no root reaches, in one table.
 *
 *	all				depth 0: the heap in use
 *	|- g_sessions			holders and shared objects, by retained bytes
 *	|  `- ...
 *	`- lost				the sum of what hangs on the super root and is lost
 *	   `- ...
 *
 * Pruning: a child never retains more than its parent, so the groups above a threshold are a
 * tree again. The threshold is what the (max + 1)th biggest group retains; of the groups that
 * retain just that, the first in preorder stay, so a parent before its children.
 */
#include <stdlib.h>

#include "core/base/cleanup.h"
#include "heapwalk/views/details.h"
#include "heapwalk/views/sections.h"

enum { DEPTH = 64, SHARE_OF_LEAST = 100000, NOTES = 40 };

static const struct hf_column columns[] = {
    {"name", NULL, HF_COLUMN_TREE}, /* of a holder; a note on a shared object */
    {"type", NULL, 0},		    /* of objects */
    {"kind", NULL, 0},		    /* kind of holder, object, group, rest, lost, root */
    {"address", NULL, 0},	    /* of the object or holder; of a group's biggest */
    {"retained_bytes", NULL, 0},    /* what would be freed */
    {"shallow_bytes", NULL, 0},	    /* the members' own */
    {"count", NULL, 0},		    /* members */
    {"objects", NULL, 0},	    /* dominated, members included */
    {"content", NULL, 0},	    /* of the biggest member, where it is text */
};

/* ---- pruning --------------------------------------------------------------------------------- */

static int descending(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return (x < y) - (x > y);
}

void hf_details_limit(uint64_t *sizes, size_t count, size_t max, struct hf_details_limit *ret)
{
	*ret = (struct hf_details_limit){.equals = count};
	if (count <= max)
		return;
	qsort(sizes, count, sizeof(*sizes), descending);
	*ret = (struct hf_details_limit){.least = sizes[max]};
	while (ret->equals < max && sizes[max - 1 - ret->equals] == ret->least)
		ret->equals++;
}

static void add_rest(struct hf_tree_node *rest, const struct hf_tree_node *node)
{
	rest->count += node->count;
	rest->retained_bytes += node->retained_bytes;
	rest->objects += node->objects;
}

/* Rest lines of the levels from @level up to the deepest that has one go to @out. */
static bool flush_rests(struct hf_tree *out, struct hf_tree_node *rests, uint32_t level)
{
	for (uint32_t depth = HF_TREE_MAX_DEPTH + 1; depth > level; depth--) {
		if (rests[depth].count == 0)
			continue;
		rests[depth].example = HF_NO_NODE;
		rests[depth].depth = depth;
		if (!hf_vec_push(out, rests[depth]))
			return false;
		rests[depth] = (struct hf_tree_node){0};
	}
	return true;
}

/* What the groups of @tree must retain. */
static struct hf_error *limit_of(const struct hf_tree *tree, size_t max,
				 struct hf_details_limit *ret)
{
	HF_AUTO(free_ptr) uint64_t *sizes = malloc(tree->count * sizeof(*sizes) + 1);
	size_t count = 0;

	if (!sizes)
		return hf_error_nomem();
	hf_vec_foreach (node, tree) {
		if (node->example != HF_NO_NODE)
			sizes[count++] = node->retained_bytes;
	}
	hf_details_limit(sizes, count, max, ret);
	return NULL;
}

struct hf_error *hf_tree_prune(struct hf_tree *tree, size_t max, uint64_t *ret_merged)
{
	struct hf_tree_node rests[HF_TREE_MAX_DEPTH + 2] = {{0}};
	struct hf_details_limit limit;
	struct hf_tree out = {0};
	uint64_t merged = 0;
	uint32_t open = 0; /* deepest level that hangs on a kept node */
	struct hf_error *err = limit_of(tree, max, &limit);
	bool fine = true;

	for (size_t i = 0; !err && fine && i < tree->count; i++) {
		const struct hf_tree_node *node = &tree->data[i];
		if (node->depth > open)
			continue; /* below a merged one */
		fine = flush_rests(&out, rests, node->depth);
		open = node->depth;
		if (node->example == HF_NO_NODE) {
			add_rest(&rests[node->depth], node);
		} else if (!hf_details_fits(&limit, node->retained_bytes) && node->depth) {
			add_rest(&rests[node->depth], node);
			merged++;
		} else {
			fine = fine && hf_vec_push(&out, *node);
			open++;
		}
	}
	fine = fine && flush_rests(&out, rests, 0);
	if (err || !fine) {
		free(out.data);
		return err ? err : hf_error_nomem();
	}
	free(tree->data);
	*tree = out;
	*ret_merged += merged;
	return NULL;
}

/* ---- rows ------------------------------------------------------------------------------------ */

struct teller {
	struct hf_analysis *analysis;
	struct hf_doc *doc;
	struct hf_table *table;
	unsigned notes;
};

static void tell_figures(const struct teller *teller, const struct hf_tree_node *node,
			 const char *content)
{
	hf_doc_cell(teller->doc, teller->table, hf_bytes(node->retained_bytes));
	hf_doc_cell(teller->doc, teller->table, hf_bytes(node->shallow_bytes));
	hf_doc_cell(teller->doc, teller->table, hf_count(node->count));
	hf_doc_cell(teller->doc, teller->table, hf_count(node->objects));
	hf_doc_cell(teller->doc, teller->table, hf_text(content));
}

static void tell_holder(const struct teller *teller, const struct hf_tree_node *node)
{
	const struct hf_analysis *analysis = teller->analysis;
	const struct hf_holder *holder =
	    &analysis->roots.holders.data[hf_graph_holder_index(analysis->graph, node->example)];

	hf_doc_cell(teller->doc, teller->table,
		    hf_text(hf_node_name(analysis, teller->doc, node->example)));
	hf_doc_cell(teller->doc, teller->table, hf_none());
	hf_doc_cell(teller->doc, teller->table, hf_text(hf_holder_kind_name(holder->kind)));
	hf_doc_cell(teller->doc, teller->table,
		    holder->address ? hf_address(holder->address) : hf_none());
	tell_figures(teller, node, NULL);
}

static void tell_objects(struct teller *teller, const struct hf_tree_node *node, uint32_t depth)
{
	struct hf_analysis *analysis = teller->analysis;
	uint32_t type = hf_typing_of(analysis->typing, node->example);
	HF_AUTO(free_ptr)
	char *content = hf_typing_preview(analysis->process, analysis->extents, node->example);
	const char *note = NULL;

	if (depth == 1 && teller->notes < NOTES) {
		note = hf_node_note(analysis, teller->doc, node->example);
		teller->notes++;
	}
	hf_doc_cell(teller->doc, teller->table, hf_text(note));
	hf_doc_cell(teller->doc, teller->table,
		    hf_text(hf_typing_type(analysis->typing, type)->name));
	hf_doc_cell(teller->doc, teller->table, hf_text(node->count == 1 ? "object" : "group"));
	hf_doc_cell(teller->doc, teller->table,
		    hf_address(hf_extents_address(analysis->extents, node->example)));
	tell_figures(teller, node, content);
}

static void tell_named(const struct teller *teller, const struct hf_tree_node *node,
		       const char *name, const char *kind)
{
	hf_doc_cell(teller->doc, teller->table, hf_text(name));
	hf_doc_cell(teller->doc, teller->table, hf_none());
	hf_doc_cell(teller->doc, teller->table, hf_text(kind));
	hf_doc_cell(teller->doc, teller->table, hf_none());
	tell_figures(teller, node, NULL);
}

static void tell_node(struct teller *teller, const struct hf_tree_node *node, uint32_t depth)
{
	hf_doc_row(teller->doc, teller->table, depth);
	if (node->example == HF_NO_NODE)
		tell_named(teller, node, NULL, "rest");
	else if (node->example < hf_graph_objects(teller->analysis->graph))
		tell_objects(teller, node, depth);
	else if (node->example == hf_graph_root(teller->analysis->graph))
		tell_named(teller, node, "heap in use", "root");
	else
		tell_holder(teller, node);
}

/* ---- both parts ------------------------------------------------------------------------------ */

static struct hf_error *build(struct hf_analysis *analysis, enum hf_tree_lost lost,
			      struct hf_tree *ret, uint64_t *ret_merged)
{
	uint32_t root = hf_graph_root(analysis->graph);
	struct hf_tree_options options = {
	    .depth = DEPTH,
	    .min_bytes = hf_graph_retained(analysis->graph, root) / SHARE_OF_LEAST,
	    .lost = lost,
	};
	struct hf_error *err = hf_tree_build(analysis, root, &options, ret);

	return err ? err : hf_tree_prune(ret, HF_DETAILS_NODES / 2, ret_merged);
}

static void tell_lost(struct teller *teller, const struct hf_tree *lost)
{
	struct hf_tree_node sum = {.example = HF_NO_NODE};
	struct hf_leak_total totals[HF_LEAK_KINDS];

	hf_vec_foreach (node, lost) {
		if (node->depth == 1)
			add_rest(&sum, node);
	}
	if (sum.count == 0)
		return;
	hf_graph_leak_totals(teller->analysis->graph, totals);
	hf_doc_row(teller->doc, teller->table, 1);
	tell_named(teller, &sum,
		   totals[HF_UNKNOWN].count ? "lost, or held by memory that is missing" : "lost",
		   "lost");
	hf_vec_foreach (node, lost) {
		if (node->depth)
			tell_node(teller, node, node->depth + 1);
	}
}

struct hf_error *hf_details_tree(struct hf_analysis *analysis, struct hf_doc *doc)
{
	struct hf_tree held = {0}, lost = {0};
	uint64_t merged = 0;
	struct hf_error *err = build(analysis, HF_TREE_WITHOUT_LOST, &held, &merged);

	if (!err)
		err = build(analysis, HF_TREE_ONLY_LOST, &lost, &merged);
	if (!err) {
		struct teller teller = {.analysis = analysis, .doc = doc};
		teller.table =
		    hf_doc_table(doc, "tree", NULL, columns, sizeof(columns) / sizeof(columns[0]));
		hf_vec_foreach (node, &held)
			tell_node(&teller, node, node->depth);
		tell_lost(&teller, &lost);
		hf_doc_field(doc, "tree_merged", NULL, hf_count(merged));
	}
	free(held.data);
	free(lost.data);
	return err;
}
