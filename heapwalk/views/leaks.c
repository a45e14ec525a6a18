/*
 * leaks.c - what is lost, by kind; and the leaders in groups of the same type and size, with what
 * each group drags along.
 *
 * Kinds are memcheck's. `drags along` is the retained size of the leaders: they, and the lost
 * objects that only they lead to. A lost object that two leaders share is in neither.
 */
#include <stdlib.h>

#include "core/base/cleanup.h"
#include "heapwalk/views/sections.h"
#include "heapwalk/views/suppress.h"

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

struct group {
	uint64_t usable, count, bytes, retained;
	uint32_t type, example;
	uint8_t kind;
};

HF_VEC(groups, struct group);

static int by_retained(const void *a, const void *b)
{
	const struct group *x = a, *y = b;
	if (x->retained != y->retained)
		return x->retained < y->retained ? 1 : -1;
	return (x->example > y->example) - (x->example < y->example);
}

/* Groups by type and size: open addressing, group + 1; 0 is free. */
struct group_index {
	uint32_t *slots;
	size_t count; /* power of two */
};

static uint64_t group_hash(uint32_t type, uint64_t usable, uint8_t kind)
{
	uint64_t hash = (usable * 31 + type) * 5 + kind;
	return (hash * UINT64_C(0x9e3779b97f4a7c15)) >> 20;
}

static bool grow_index(struct group_index *index, const struct groups *groups)
{
	size_t count = index->count ? index->count * 2 : 1024;
	uint32_t *slots = calloc(count, sizeof(*slots));
	if (!slots)
		return false;
	free(index->slots);
	*index = (struct group_index){slots, count};
	for (size_t i = 0; i < groups->count; i++) {
		const struct group *group = &groups->data[i];
		size_t at = group_hash(group->type, group->usable, group->kind) & (count - 1);
		while (slots[at])
			at = (at + 1) & (count - 1);
		slots[at] = (uint32_t)i + 1;
	}
	return true;
}

static struct group *group_of(struct group_index *index, struct groups *groups, uint32_t type,
			      uint64_t usable, uint8_t kind)
{
	if (groups->count * 2 >= index->count && !grow_index(index, groups))
		return NULL;
	size_t at = group_hash(type, usable, kind) & (index->count - 1);
	for (; index->slots[at]; at = (at + 1) & (index->count - 1)) {
		struct group *group = &groups->data[index->slots[at] - 1];
		if (group->type == type && group->usable == usable && group->kind == kind)
			return group;
	}
	struct group group = {.usable = usable, .type = type, .kind = kind, .example = HF_NO_NODE};
	if (!hf_vec_push(groups, group))
		return NULL;
	index->slots[at] = (uint32_t)groups->count;
	return &groups->data[groups->count - 1];
}

/* Objects of @kind that are not suppressed, grouped by type and size. */
static struct hf_error *group_kind(const struct hf_analysis *analysis, enum hf_leak_kind kind,
				   const struct hf_suppressions *suppressions,
				   struct hf_leak_total *suppressed, struct groups *ret)
{
	struct group_index index = {0};
	const struct hf_graph *graph = analysis->graph;
	bool fine = grow_index(&index, ret);

	for (uint32_t id = 0; id < hf_graph_objects(graph) && fine; id++) {
		if (hf_graph_leak_kind(graph, id) != kind)
			continue;
		uint64_t retained = hf_graph_retained(graph, id);
		if (hf_suppressed(suppressions, analysis, id)) {
			suppressed->count++;
			suppressed->bytes += retained;
			continue;
		}
		struct group *group =
		    group_of(&index, ret, hf_typing_of(analysis->typing, id),
			     hf_extents_usable(analysis->extents, id), (uint8_t)kind);
		fine = group != NULL;
		if (!fine)
			break;
		group->count++;
		group->bytes += hf_extents_chunk_bytes(analysis->extents, id);
		group->retained += retained;
		if (group->example == HF_NO_NODE ||
		    retained > hf_graph_retained(graph, group->example))
			group->example = id;
	}
	free(index.slots);
	return fine ? NULL : hf_error_nomem();
}

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
			const struct groups *groups, uint64_t top)
{
	struct hf_table *table = hf_doc_table(doc, "groups", NULL, group_columns,
					      sizeof(group_columns) / sizeof(group_columns[0]));

	for (size_t i = 0; i < groups->count && (top == 0 || i < top); i++) {
		const struct group *group = &groups->data[i];
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

void hf_section_leaks(const struct hf_analysis *analysis, struct hf_doc *doc)
{
	struct groups groups = {0};
	struct hf_leak_total suppressed = {0};

	hf_doc_begin(doc, "leaks", "LEAKS");
	tell_kinds(analysis, doc);
	struct hf_error *err = group_kind(analysis, HF_DEFINITE, NULL, &suppressed, &groups);
	if (!err && groups.count) {
		qsort(groups.data, groups.count, sizeof(*groups.data), by_retained);
		tell_groups(analysis, doc, &groups, REPORT_TOP);
	}
	hf_error_destroy(err);
	free(groups.data);
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
	struct groups groups = {0};
	struct hf_leak_total suppressed = {0};
	struct hf_error *err = NULL;

	if (!hf_view_has_heap(analysis, doc))
		return NULL;
	if (options->suppressions)
		err = hf_suppressions_read(options->suppressions, &suppressions);
	if (!err)
		err = group_kind(analysis, HF_DEFINITE, suppressions, &suppressed, &groups);
	if (!err)
		err = group_kind(analysis, HF_POSSIBLE, suppressions, &suppressed, &groups);
	if (err) {
		hf_suppressions_destroy(suppressions);
		free(groups.data);
		return err;
	}
	if (groups.count > 1)
		qsort(groups.data, groups.count, sizeof(*groups.data), by_retained);
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
