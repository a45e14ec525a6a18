/*
 * leaks.c - what is lost, by kind; and the leaders in groups of the same type and size, with what
 * each group drags along.
 *
 * Kinds are memcheck's. `drags along` is the retained size of the leaders: they, and the lost
 * objects that only they lead to. A lost object that two leaders share is in neither.
 */
#include <stdlib.h>

#include "core/base/cleanup.h"
#include "heapwalk/views/leak_groups.h"
#include "heapwalk/views/sections.h"

enum { DEFAULT_TOP = 20, REPORT_TOP = 5 };

static const struct hf_column kind_columns[] = {
    {"kind", "kind", 0},
    {"count", "objects", 0},
    {"bytes", "bytes", 0},
    {"share", "share", 0},
    {"meaning", "", HF_COLUMN_TEXT_ONLY | HF_COLUMN_OPTIONAL},
};

static const struct hf_column group_columns[] = {
    {"kind", "kind", 0},
    {"type", "type or shape", HF_COLUMN_ELASTIC},
    {"usable_bytes", "each", HF_COLUMN_OPTIONAL},
    {"count", "leaders", 0},
    {"bytes", "bytes", HF_COLUMN_OPTIONAL},
    {"retained_bytes", "drags along", 0},
    {"example", "example", 0},
    {"content", "content", HF_COLUMN_OPTIONAL | HF_COLUMN_BLANK},
};

static void tell_kinds(const struct hf_analysis *analysis, struct hf_doc *doc)
{
	static const char *const meanings[HF_LEAK_KINDS] = {
	    [HF_REACHABLE] = "a chain of pointers to starts of blocks leads here from a root",
	    [HF_POSSIBLE] = "only pointers into the middle of blocks lead here",
	    [HF_INDIRECT] = "only lost blocks lead here",
	    [HF_DEFINITE] = "nothing leads here: lost",
	    [HF_UNKNOWN] = "nothing in the core leads here, but memory is missing",
	};
	static const enum hf_leak_kind order[HF_LEAK_KINDS] = {
	    HF_DEFINITE, HF_INDIRECT, HF_POSSIBLE, HF_REACHABLE, HF_UNKNOWN};
	struct hf_leak_total totals[HF_LEAK_KINDS];
	uint64_t whole = hf_graph_retained(analysis->graph, hf_graph_root(analysis->graph));
	struct hf_table *table = hf_doc_table(doc, "kinds", NULL, kind_columns,
					      sizeof(kind_columns) / sizeof(kind_columns[0]));

	hf_graph_leak_totals(analysis->graph, totals);
	for (unsigned i = 0; i < HF_LEAK_KINDS; i++) {
		enum hf_leak_kind kind = order[i];
		if (kind == HF_UNKNOWN && totals[kind].count == 0)
			continue;
		hf_doc_row(doc, table, 0);
		hf_doc_cell(doc, table, hf_text(hf_leak_kind_name(kind)));
		hf_doc_cell(doc, table, hf_count(totals[kind].count));
		hf_doc_cell(doc, table, hf_bytes(totals[kind].bytes));
		hf_doc_cell(doc, table, hf_share(totals[kind].bytes, whole));
		hf_doc_cell(doc, table, hf_text(meanings[kind]));
	}
}

static void tell_groups(const struct hf_analysis *analysis, struct hf_doc *doc,
			const struct hf_leak_groups *groups, uint64_t top)
{
	struct hf_table *table = hf_doc_table(doc, "groups", NULL, group_columns,
					      sizeof(group_columns) / sizeof(group_columns[0]));

	for (size_t i = 0; i < groups->count && (top == 0 || i < top); i++) {
		const struct hf_leak_group *group = &groups->data[i];
		HF_AUTO(free_ptr)
		char *content =
		    hf_typing_preview(analysis->process, analysis->extents, group->example);
		hf_doc_row(doc, table, 0);
		hf_doc_cell(doc, table, hf_text(hf_leak_kind_name(group->kind)));
		hf_doc_cell(doc, table,
			    hf_text(hf_typing_type(analysis->typing, group->type)->name));
		hf_doc_cell(doc, table, hf_bytes(group->usable));
		hf_doc_cell(doc, table, hf_count(group->count));
		hf_doc_cell(doc, table, hf_bytes(group->bytes));
		hf_doc_cell(doc, table, hf_bytes(group->retained));
		hf_doc_cell(doc, table,
			    hf_address(hf_extents_address(analysis->extents, group->example)));
		hf_doc_cell(doc, table, hf_text(content));
	}
	if (top && groups->count > top)
		hf_doc_note(doc, "%s more group%s: leaks --all shows all.",
			    hf_doc_count_text(doc, groups->count - top),
			    groups->count - top == 1 ? "" : "s");
}

void hf_section_leaks(const struct hf_analysis *analysis, struct hf_leak_groups *groups,
		      struct hf_doc *doc)
{
	hf_doc_begin(doc, "leaks", "LEAKS");
	tell_kinds(analysis, doc);
	if (groups->count) {
		hf_leak_groups_sort(groups);
		tell_groups(analysis, doc, groups, REPORT_TOP);
	}
	hf_doc_end(doc);
}

/* One leak, link by link: the biggest leader and what it drags along. */
static void tell_example(const struct hf_analysis *analysis, struct hf_doc *doc,
			 const struct hf_view_options *options, uint32_t leader)
{
	hf_doc_begin(doc, "next", "NEXT");
	hf_view_hint(doc, options, "dominators",
		     hf_doc_printf(doc, "0x%lx",
				   (unsigned long)hf_extents_address(analysis->extents, leader)));
	hf_view_hint(doc, options, "object",
		     hf_doc_printf(doc, "0x%lx",
				   (unsigned long)hf_extents_address(analysis->extents, leader)));
	hf_doc_end(doc);
}

struct hf_error *hf_view_leaks(struct hf_analysis *analysis, const struct hf_view_options *options,
			       struct hf_doc *doc)
{
	struct hf_suppressions *suppressions = NULL;
	struct hf_leak_groups groups = {0};
	struct hf_leak_total suppressed = {0};
	struct hf_error *err = NULL;

	if (!hf_view_has_heap(analysis, doc))
		return NULL;
	if (options->suppressions)
		err = hf_suppressions_read(options->suppressions, &suppressions);
	if (!err)
		err = hf_leak_groups_add(analysis, HF_DEFINITE, suppressions, &suppressed, &groups);
	if (!err)
		err = hf_leak_groups_add(analysis, HF_POSSIBLE, suppressions, &suppressed, &groups);
	if (err) {
		hf_suppressions_destroy(suppressions);
		free(groups.data);
		return err;
	}
	hf_leak_groups_sort(&groups);
	hf_doc_begin(doc, "leaks", "LEAKS");
	tell_kinds(analysis, doc);
	hf_doc_json_field(doc, "suppressed_count", hf_count(suppressed.count));
	hf_doc_json_field(doc, "suppressed_bytes", hf_bytes(suppressed.bytes));
	if (suppressed.count)
		hf_doc_note(doc, "%s leaders with %s are suppressed.",
			    hf_doc_count_text(doc, suppressed.count),
			    hf_doc_bytes_text(doc, suppressed.bytes));
	hf_doc_end(doc);
	hf_doc_begin(doc, "leaders", "LEADERS (same type and size together)");
	tell_groups(analysis, doc, &groups,
		    options->all   ? 0
		    : options->top ? options->top
				   : DEFAULT_TOP);
	hf_doc_end(doc);
	if (groups.count)
		tell_example(analysis, doc, options, groups.data[0].example);
	hf_suppressions_destroy(suppressions);
	free(groups.data);
	return NULL;
}
