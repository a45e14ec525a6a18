/*
 * diff_view.c - a comparison told: verdict, totals, suspects, holders, paths, types, sizes.
 *
 * Suspects are MAT's in its delta form: T is a tenth of all that grew; a holder (or a type of
 * the lost) that grew by more than T is one; from it the child that grew most is followed while
 * it has at least 0.7 of its parent's growth, and where that ends the growth piles up.
 */
#include <stdlib.h>

#include "heapwalk/views/diff_private.h"

enum {
	DEFAULT_TOP = 10,
	DEFAULT_DEPTH = 6,
	SUSPECT_PERCENT = 10,
	BIG_CHILD_PERCENT = 70,
	SHOWN_PERCENT = 1, /* of the growth, for a path to be shown */
};

struct teller {
	const struct hf_diff *diff;
	const struct hf_view_options *options;
	struct hf_doc *doc;
	uint64_t grown; /* what grew, without what shrank */
	uint64_t top;	/* rows of a table */
};

static const char *label_name(const struct teller *teller, const struct diff_node *node)
{
	if (node->label != DIFF_NONE)
		return teller->diff->labels.list.data[node->label].name;
	uint64_t before = node->side[DIFF_BEFORE].count, after = node->side[DIFF_AFTER].count;
	return hf_doc_printf(teller->doc, "smaller ones, %s before, %s after",
			     hf_doc_count_text(teller->doc, before),
			     hf_doc_count_text(teller->doc, after));
}

static const char *label_kind(const struct teller *teller, const struct diff_node *node)
{
	if (node->label == DIFF_NONE)
		return "rest";
	const struct diff_label *label = &teller->diff->labels.list.data[node->label];
	if (label->kind == DIFF_LABEL_HOLDER)
		return hf_holder_kind_name(label->root_kind);
	return label->kind == DIFF_LABEL_LOST ? "lost" : "object";
}

/* Growth against what was there: a fraction. */
static struct hf_value rate(uint64_t before, uint64_t after)
{
	if (before == 0)
		return hf_none();
	double change = ((double)after - (double)before) / (double)before;
	return (struct hf_value){.kind = HF_VALUE_SHARE, .real = change};
}

static void amounts(const struct teller *teller, struct hf_table *table, uint64_t before,
		    uint64_t after, bool bytes)
{
	int64_t change = (int64_t)(after - before);
	hf_doc_cell(teller->doc, table, bytes ? hf_change_bytes(change) : hf_change_count(change));
	hf_doc_cell(teller->doc, table, bytes ? hf_bytes(before) : hf_count(before));
	hf_doc_cell(teller->doc, table, bytes ? hf_bytes(after) : hf_count(after));
}

/* An address on the new side to look at: the biggest member. */
static struct hf_value example(const struct teller *teller, const struct diff_node *node)
{
	const struct diff_side *side = &teller->diff->side[DIFF_AFTER];
	uint32_t object = node->side[DIFF_AFTER].example;

	if (node->label == DIFF_NONE || object == HF_NO_NODE || !diff_is_object(side, object))
		return hf_none();
	return hf_address(hf_extents_address(side->analysis->extents, object));
}

/* ---- both sides, totals ---------------------------------------------------------------------- */

static void tell_side(const struct teller *teller, enum diff_when when, const char *key,
		      const char *label)
{
	const struct hf_process_info *info = &teller->diff->side[when].analysis->process->info;
	struct hf_doc *doc = teller->doc;

	hf_doc_text_field(doc, label,
			  hf_text(hf_doc_printf(
			      doc, "%s: %s, pid %u", info->core_path,
			      info->arguments[0] ? info->arguments : info->command, info->pid)));
	hf_doc_begin(doc, key, NULL);
	hf_doc_json_field(doc, "core", hf_text(info->core_path));
	hf_doc_json_field(doc, "command_line", hf_text(info->arguments));
	hf_doc_json_field(doc, "pid", hf_number(info->pid));
	hf_doc_end(doc);
}

static void tell_totals(const struct teller *teller)
{
	static const struct hf_column columns[] = {
	    {"figure", NULL, HF_COLUMN_JSON_ONLY},
	    {"what", "", HF_COLUMN_ELASTIC | HF_COLUMN_TEXT_ONLY},
	    {"growth", "growth", 0},
	    {"before", "before", 0},
	    {"after", "after", 0},
	    {"rate", "rate", HF_COLUMN_BLANK},
	};
	const struct hf_heap_totals *a = &teller->diff->side[DIFF_BEFORE].totals;
	const struct hf_heap_totals *b = &teller->diff->side[DIFF_AFTER].totals;
	const struct {
		const char *key, *label;
		uint64_t before, after;
		bool bytes;
	} rows[] = {
	    {"heap_bytes", "heap, in use", a->inuse_bytes, b->inuse_bytes, true},
	    {"heap_objects", "objects", a->objects, b->objects, false},
	    {"leaked_bytes", "lost", a->lost_bytes, b->lost_bytes, true},
	    {"leaked_objects", "lost objects", a->lost_count, b->lost_count, false},
	    {"possible_bytes", "possibly lost", a->leaks[HF_POSSIBLE].bytes,
	     b->leaks[HF_POSSIBLE].bytes, true},
	    {"free_bytes", "heap, free", a->free_bytes, b->free_bytes, true},
	    {"system_bytes", "from the system", a->system_bytes + a->mmapped_bytes,
	     b->system_bytes + b->mmapped_bytes, true},
	};
	hf_doc_begin(teller->doc, "heap", "HEAP");
	struct hf_table *table = hf_doc_table(teller->doc, "totals", NULL, columns,
					      sizeof(columns) / sizeof(columns[0]));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		hf_doc_row(teller->doc, table, 0);
		hf_doc_cell(teller->doc, table, hf_text(rows[i].key));
		hf_doc_cell(teller->doc, table, hf_text(rows[i].label));
		amounts(teller, table, rows[i].before, rows[i].after, rows[i].bytes);
		hf_doc_cell(teller->doc, table, rate(rows[i].before, rows[i].after));
	}
	hf_doc_end(teller->doc);
}

/* ---- suspects -------------------------------------------------------------------------------- */

/* The child of @at (its index in the tree) that grew most; the tree's size if there is none. */
static size_t grown_child(const struct diff_tree *tree, size_t at)
{
	uint32_t depth = tree->data[at].depth + 1;
	size_t best = tree->count;

	for (size_t i = at + 1; i < tree->count && tree->data[i].depth >= depth; i++) {
		const struct diff_node *node = &tree->data[i];
		if (node->depth == depth && node->label != DIFF_NONE &&
		    (best == tree->count || diff_growth(node) > diff_growth(&tree->data[best])))
			best = i;
	}
	return best;
}

/* Follow the growth down from @at; *@ret_text: "a > b > c". */
static size_t accumulation_point(const struct teller *teller, size_t at, const char **ret_text)
{
	const struct diff_tree *tree = &teller->diff->tree;

	*ret_text = label_name(teller, &tree->data[at]);
	for (;;) {
		size_t child = grown_child(tree, at);
		if (child == tree->count ||
		    (double)diff_growth(&tree->data[child]) * 100 <
			(double)diff_growth(&tree->data[at]) * BIG_CHILD_PERCENT)
			return at;
		*ret_text = hf_doc_printf(teller->doc, "%s > %s", *ret_text,
					  label_name(teller, &tree->data[child]));
		at = child;
	}
}

static bool is_suspect(const struct teller *teller, size_t at)
{
	const struct diff_tree *tree = &teller->diff->tree;
	const struct diff_node *node = &tree->data[at];
	int64_t growth = diff_growth(node);

	if (node->label == DIFF_NONE || growth <= 0 ||
	    (double)growth * 100 <= (double)teller->grown * SUSPECT_PERCENT)
		return false;
	bool lost = teller->diff->labels.list.data[node->label].kind == DIFF_LABEL_LOST;
	if (node->depth == 0)
		return !lost;
	/* The types of the lost. */
	while (tree->data[at].depth)
		at--;
	uint32_t top = tree->data[at].label;
	return node->depth == 1 && top != DIFF_NONE &&
	       teller->diff->labels.list.data[top].kind == DIFF_LABEL_LOST;
}

static void add_suspect(const struct teller *teller, struct hf_table *table, size_t at)
{
	const struct diff_node *node = &teller->diff->tree.data[at];
	const char *text = NULL;
	size_t point = accumulation_point(teller, at, &text);
	const struct diff_node *there = &teller->diff->tree.data[point];
	bool lost = node->depth == 1;
	const char *name = label_name(teller, node);
	struct hf_doc *doc = teller->doc;

	hf_doc_row(doc, table, 0);
	hf_doc_cell(doc, table, hf_text(lost ? hf_doc_printf(doc, "lost: %s", name) : name));
	hf_doc_cell(doc, table, hf_text(lost ? "lost" : label_kind(teller, node)));
	hf_doc_cell(doc, table, hf_change_bytes(diff_growth(node)));
	hf_doc_cell(doc, table, hf_share((uint64_t)diff_growth(node), teller->grown));
	hf_doc_cell(doc, table, hf_text(point == at ? "itself" : text));
	hf_doc_cell(doc, table, hf_change_bytes(diff_growth(there)));
	hf_doc_cell(doc, table,
		    hf_change_count(
			(int64_t)(there->side[DIFF_AFTER].count - there->side[DIFF_BEFORE].count)));
	hf_doc_cell(doc, table, example(teller, there));
}

static void tell_suspects(const struct teller *teller)
{
	static const struct hf_column columns[] = {
	    {"suspect", "suspect", HF_COLUMN_ELASTIC},
	    {"kind", NULL, HF_COLUMN_JSON_ONLY},
	    {"growth_bytes", "growth", 0},
	    {"share", "share", 0},
	    {"accumulation", "piles up in", HF_COLUMN_ELASTIC},
	    {"accumulation_growth_bytes", "growth there", HF_COLUMN_OPTIONAL},
	    {"accumulation_growth_count", "more of them", HF_COLUMN_OPTIONAL},
	    {"accumulation_address", "for example", HF_COLUMN_OPTIONAL | HF_COLUMN_BLANK},
	};
	struct hf_table *table = NULL;

	hf_doc_begin(teller->doc, "suspects",
		     teller->grown ? "SUSPECTS (each has over a tenth of what grew)" : NULL);
	if (teller->grown)
		table = hf_doc_table(teller->doc, "suspects", NULL, columns,
				     sizeof(columns) / sizeof(columns[0]));
	for (size_t i = 0; i < teller->diff->tree.count && table; i++) {
		if (is_suspect(teller, i))
			add_suspect(teller, table, i);
	}
	hf_doc_end(teller->doc);
}

/* ---- holders and paths ----------------------------------------------------------------------- */

static void tell_holders(const struct teller *teller)
{
	static const struct hf_column columns[] = {
	    {"holder", "holder", HF_COLUMN_ELASTIC},
	    {"kind", "kind", HF_COLUMN_OPTIONAL},
	    {"growth_bytes", "growth", 0},
	    {"before_bytes", "before", 0},
	    {"after_bytes", "after", 0},
	    {"growth_objects", "objects", HF_COLUMN_OPTIONAL},
	    {"before_objects", NULL, HF_COLUMN_JSON_ONLY},
	    {"after_objects", NULL, HF_COLUMN_JSON_ONLY},
	};
	struct hf_doc *doc = teller->doc;
	uint64_t shown = 0, left_out = 0;

	hf_doc_begin(doc, "holders", "GROWTH BY HOLDER (what it keeps alive)");
	struct hf_table *table =
	    hf_doc_table(doc, "holders", NULL, columns, sizeof(columns) / sizeof(columns[0]));
	hf_vec_foreach (node, &teller->diff->tree) {
		const struct diff_sum *before = &node->side[DIFF_BEFORE];
		const struct diff_sum *after = &node->side[DIFF_AFTER];
		if (node->depth || (diff_growth(node) == 0 && before->objects == after->objects))
			continue;
		if (teller->top && shown >= teller->top) {
			left_out++;
			continue;
		}
		shown++;
		hf_doc_row(doc, table, 0);
		hf_doc_cell(doc, table, hf_text(label_name(teller, node)));
		hf_doc_cell(doc, table, hf_text(label_kind(teller, node)));
		amounts(teller, table, before->retained, after->retained, true);
		amounts(teller, table, before->objects, after->objects, false);
	}
	if (left_out)
		hf_doc_note(doc, "%s more changed, less than these or downwards: --all",
			    hf_doc_count_text(doc, left_out));
	hf_doc_end(doc);
}

static bool path_is_shown(const struct teller *teller, const struct diff_node *node,
			  uint64_t siblings)
{
	int64_t growth = diff_growth(node);
	uint64_t size = growth < 0 ? -(uint64_t)growth : (uint64_t)growth;

	if (growth == 0 || (teller->top && siblings >= teller->top))
		return false;
	return teller->options->all ||
	       (size >= teller->options->min_bytes &&
		(double)size * 100 >= (double)teller->grown * SHOWN_PERCENT);
}

static void tell_paths(const struct teller *teller)
{
	static const struct hf_column columns[] = {
	    {"what", "holder or object", HF_COLUMN_TREE | HF_COLUMN_ELASTIC},
	    {"kind", NULL, HF_COLUMN_JSON_ONLY},
	    {"growth_bytes", "growth", 0},
	    {"before_bytes", "before", 0},
	    {"after_bytes", "after", 0},
	    {"growth_count", "count", HF_COLUMN_OPTIONAL},
	    {"before_count", NULL, HF_COLUMN_JSON_ONLY},
	    {"after_count", NULL, HF_COLUMN_JSON_ONLY},
	    {"address", NULL, HF_COLUMN_JSON_ONLY},
	};
	uint32_t deepest = teller->options->depth ? teller->options->depth : DEFAULT_DEPTH;
	uint32_t open = 0; /* nodes down to this depth are below shown ones */
	struct hf_doc *doc = teller->doc;
	uint64_t *siblings = calloc((size_t)deepest + 1, sizeof(*siblings));

	hf_doc_begin(doc, "paths", "GROWTH BY PATH (below each holder, by type)");
	struct hf_table *table =
	    hf_doc_table(doc, "tree", NULL, columns, sizeof(columns) / sizeof(columns[0]));
	hf_vec_foreach (node, &teller->diff->tree) {
		if (!siblings || node->depth > open || node->depth >= deepest)
			continue;
		open = node->depth;
		if (!path_is_shown(teller, node, siblings[node->depth]))
			continue;
		siblings[node->depth]++;
		siblings[node->depth + 1] = 0;
		open = node->depth + 1;
		hf_doc_row(doc, table, node->depth);
		hf_doc_cell(doc, table, hf_text(label_name(teller, node)));
		hf_doc_cell(doc, table, hf_text(label_kind(teller, node)));
		amounts(teller, table, node->side[DIFF_BEFORE].retained,
			node->side[DIFF_AFTER].retained, true);
		amounts(teller, table, node->side[DIFF_BEFORE].count, node->side[DIFF_AFTER].count,
			false);
		hf_doc_cell(doc, table, example(teller, node));
	}
	free(siblings);
	hf_doc_end(doc);
}

/* ---- types, sizes, objects ------------------------------------------------------------------- */

static void tell_types(const struct teller *teller)
{
	static const struct hf_column columns[] = {
	    {"type", "type or shape", HF_COLUMN_ELASTIC},
	    {"source", "known by", HF_COLUMN_OPTIONAL},
	    {"growth_bytes", "growth", 0},
	    {"before_bytes", "before", 0},
	    {"after_bytes", "after", 0},
	    {"growth_count", "objects", 0},
	    {"before_count", NULL, HF_COLUMN_JSON_ONLY},
	    {"after_count", NULL, HF_COLUMN_JSON_ONLY},
	    {"new_count", "new", HF_COLUMN_OPTIONAL | HF_COLUMN_BLANK},
	    {"gone_count", "gone", HF_COLUMN_OPTIONAL | HF_COLUMN_BLANK},
	};
	struct hf_doc *doc = teller->doc;
	uint64_t shown = 0, left_out = 0;
	bool matched = teller->diff->objects.matched;

	hf_doc_begin(doc, "types", "GROWTH BY TYPE");
	struct hf_table *table =
	    hf_doc_table(doc, "types", NULL, columns, sizeof(columns) / sizeof(columns[0]));
	hf_vec_foreach (type, &teller->diff->types) {
		const struct diff_amount *before = &type->side[DIFF_BEFORE];
		const struct diff_amount *after = &type->side[DIFF_AFTER];
		if (before->bytes == after->bytes && before->count == after->count &&
		    type->fresh.count == 0 && type->gone.count == 0)
			continue;
		if (teller->top && shown >= teller->top) {
			left_out++;
			continue;
		}
		shown++;
		hf_doc_row(doc, table, 0);
		hf_doc_cell(doc, table, hf_text(type->name));
		hf_doc_cell(doc, table, hf_text(type->source));
		amounts(teller, table, before->bytes, after->bytes, true);
		amounts(teller, table, before->count, after->count, false);
		hf_doc_cell(doc, table, matched ? hf_count(type->fresh.count) : hf_none());
		hf_doc_cell(doc, table, matched ? hf_count(type->gone.count) : hf_none());
	}
	if (left_out)
		hf_doc_note(doc, "%s more changed: --all", hf_doc_count_text(doc, left_out));
	hf_doc_end(doc);
}

static void tell_sizes(const struct teller *teller)
{
	static const struct hf_column columns[] = {
	    {"from_bytes", NULL, HF_COLUMN_JSON_ONLY},
	    {"to_bytes", NULL, HF_COLUMN_JSON_ONLY},
	    {"size", "chunks of", HF_COLUMN_ELASTIC | HF_COLUMN_TEXT_ONLY},
	    {"growth_bytes", "growth", 0},
	    {"before_bytes", "before", 0},
	    {"after_bytes", "after", 0},
	    {"growth_count", "objects", 0},
	    {"before_count", NULL, HF_COLUMN_JSON_ONLY},
	    {"after_count", NULL, HF_COLUMN_JSON_ONLY},
	};
	struct hf_doc *doc = teller->doc;

	hf_doc_begin(doc, "sizes", "GROWTH BY SIZE");
	struct hf_table *table =
	    hf_doc_table(doc, "sizes", NULL, columns, sizeof(columns) / sizeof(columns[0]));
	for (uint32_t class = 0; class < DIFF_CLASSES; class ++) {
		const struct diff_amount *before = &teller->diff->classes[class][DIFF_BEFORE];
		const struct diff_amount *after = &teller->diff->classes[class][DIFF_AFTER];
		uint64_t from, to;
		if (before->bytes == after->bytes && before->count == after->count)
			continue;
		diff_class_range(class, &from, &to);
		hf_doc_row(doc, table, 0);
		hf_doc_cell(doc, table, hf_bytes(from));
		hf_doc_cell(doc, table, hf_bytes(to));
		hf_doc_cell(doc, table,
			    hf_text(from == to ? hf_doc_bytes_text(doc, from)
					       : hf_doc_printf(doc, "%s to %s",
							       hf_doc_bytes_text(doc, from - 1),
							       hf_doc_bytes_text(doc, to))));
		amounts(teller, table, before->bytes, after->bytes, true);
		amounts(teller, table, before->count, after->count, false);
	}
	hf_doc_end(doc);
}

static void tell_objects(const struct teller *teller)
{
	const struct diff_objects *objects = &teller->diff->objects;
	struct hf_doc *doc = teller->doc;

	hf_doc_begin(doc, "objects", "OBJECTS");
	hf_doc_json_field(doc, "matched_by", hf_text(objects->matched ? "address" : "path"));
	if (!objects->matched) {
		hf_doc_note(doc, "The two are not of one process: nothing can be matched by "
				 "address, only types, sizes and paths are compared.");
		hf_doc_end(doc);
		return;
	}
	hf_doc_note(doc, "One process, matched by address, kind and type. A block that was freed "
			 "and handed out again for the same type counts as kept.");
	hf_doc_field(doc, "new_count", "new", hf_count(objects->fresh.count));
	hf_doc_field(doc, "new_bytes", "new bytes", hf_bytes(objects->fresh.bytes));
	hf_doc_field(doc, "gone_count", "gone", hf_count(objects->gone.count));
	hf_doc_field(doc, "gone_bytes", "gone bytes", hf_bytes(objects->gone.bytes));
	hf_doc_field(doc, "kept_count", "kept", hf_count(objects->kept.count));
	hf_doc_field(doc, "kept_bytes", "kept bytes", hf_bytes(objects->kept.bytes));
	hf_doc_field(doc, "resized_count", "resized in place", hf_count(objects->resized_count));
	hf_doc_field(doc, "resized_bytes", "resized by", hf_change_bytes(objects->resized_bytes));
	hf_doc_end(doc);
}

/* ---- the verdict ----------------------------------------------------------------------------- */

static bool nothing_changed(const struct hf_diff *diff)
{
	for (uint32_t class = 0; class < DIFF_CLASSES; class ++) {
		const struct diff_amount *amounts = diff->classes[class];
		if (amounts[DIFF_BEFORE].count != amounts[DIFF_AFTER].count ||
		    amounts[DIFF_BEFORE].bytes != amounts[DIFF_AFTER].bytes)
			return false;
	}
	hf_vec_foreach (node, &diff->tree) {
		if (diff_growth(node) ||
		    node->side[DIFF_BEFORE].count != node->side[DIFF_AFTER].count)
			return false;
	}
	return true;
}

static void tell_biggest(const struct teller *teller)
{
	const struct diff_tree *tree = &teller->diff->tree;
	struct hf_doc *doc = teller->doc;
	const char *text = NULL;

	/* Siblings stand by growth: the first grew most. */
	if (tree->count == 0 || diff_growth(&tree->data[0]) <= 0)
		return;
	const struct diff_node *node = &tree->data[0];
	bool lost = node->label != DIFF_NONE &&
		    teller->diff->labels.list.data[node->label].kind == DIFF_LABEL_LOST;
	uint64_t growth = (uint64_t)diff_growth(node);
	size_t point = accumulation_point(teller, 0, &text);
	hf_doc_paragraph(doc, "sentence",
			 "%s grew most: %s%s (%s bytes) more than before, %.0f %% of what grew.",
			 lost ? "What no root reaches" : label_name(teller, node),
			 lost ? "" : "it keeps ", hf_doc_bytes_text(doc, growth),
			 hf_doc_count_text(doc, growth),
			 teller->grown ? 100.0 * (double)growth / (double)teller->grown : 0);
	if (point)
		hf_doc_paragraph(doc, "sentence", "The growth piles up in %s.", text);
}

static void tell_verdict(const struct teller *teller)
{
	struct hf_diff_growth bytes, objects;
	struct hf_doc *doc = teller->doc;

	hf_diff_totals(teller->diff, &bytes, &objects);
	hf_doc_begin(doc, "verdict", "VERDICT");
	if (nothing_changed(teller->diff)) {
		hf_doc_paragraph(doc, "sentence", "Nothing grew: both heaps have %s objects of %s.",
				 hf_doc_count_text(doc, objects.after),
				 hf_doc_bytes_text(doc, bytes.after));
		hf_doc_emphasize(doc, HF_GOOD);
	} else if (bytes.after == bytes.before) {
		hf_doc_paragraph(doc, "sentence",
				 "The heap is as big as before, %s, but not the same.",
				 hf_doc_bytes_text(doc, bytes.after));
		tell_biggest(teller);
	} else {
		bool grew = bytes.after > bytes.before;
		uint64_t by = grew ? bytes.after - bytes.before : bytes.before - bytes.after;
		hf_doc_paragraph(
		    doc, "sentence",
		    "The heap %s by %s, from %s to %s (%s objects before, %s after).",
		    grew ? "grew" : "shrank", hf_doc_bytes_text(doc, by),
		    hf_doc_bytes_text(doc, bytes.before), hf_doc_bytes_text(doc, bytes.after),
		    hf_doc_count_text(doc, objects.before), hf_doc_count_text(doc, objects.after));
		hf_doc_emphasize(doc, grew ? HF_WARN : HF_GOOD);
		tell_biggest(teller);
	}
	hf_doc_end(doc);
}

static void tell_next(const struct teller *teller, const char *new_core)
{
	struct hf_view_options options = *teller->options;

	hf_doc_begin(teller->doc, "next", "NEXT");
	options.core = new_core;
	hf_view_hint(teller->doc, &options, "dominators", NULL);
	hf_view_hint(teller->doc, &options, "leaks", NULL);
	hf_doc_end(teller->doc);
}

void hf_diff_tell_holders(const struct hf_diff *diff, const struct hf_view_options *options,
			  struct hf_doc *doc)
{
	struct teller teller = {.diff = diff, .options = options, .doc = doc};

	teller.top = options->all ? 0 : options->top ? options->top : DEFAULT_TOP;
	tell_holders(&teller);
}

struct hf_error *hf_view_diff(const struct hf_diff *diff, const struct hf_view_options *options,
			      const char *new_core, struct hf_doc *doc)
{
	struct teller teller = {.diff = diff, .options = options, .doc = doc};

	teller.top = options->all ? 0 : options->top ? options->top : DEFAULT_TOP;
	hf_vec_foreach (node, &diff->tree) {
		if (node->depth == 0 && diff_growth(node) > 0)
			teller.grown += (uint64_t)diff_growth(node);
	}
	hf_doc_begin(doc, "compared", "COMPARED");
	tell_side(&teller, DIFF_BEFORE, "old", "old");
	tell_side(&teller, DIFF_AFTER, "new", "new");
	hf_doc_json_field(doc, "same_process", hf_bool(diff->objects.matched));
	hf_doc_end(doc);
	tell_verdict(&teller);
	tell_totals(&teller);
	tell_suspects(&teller);
	tell_holders(&teller);
	tell_paths(&teller);
	tell_types(&teller);
	tell_sizes(&teller);
	tell_objects(&teller);
	tell_next(&teller, new_core);
	return NULL;
}
