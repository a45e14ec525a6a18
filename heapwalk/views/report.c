/*
 * report.c - the post-mortem, and its one-screen summary: sections in the order in which a
 * person asks. Every figure of the report can be had by a command that it names at the end.
 */
#include "heapwalk/views/findings.h"
#include "heapwalk/views/oom.h"
#include "heapwalk/views/sections.h"

enum { REPORT_TYPES = 8, SUMMARY_TOP = 5 };

/* What asks for all that @node keeps; nothing where no argument can name it. */
static void hint_node(struct hf_analysis *analysis, const struct hf_view_options *options,
		      struct hf_doc *doc, uint32_t node)
{
	uint64_t address = 0;
	const char *what = NULL;

	if (node < hf_graph_objects(analysis->graph)) {
		address = hf_extents_address(analysis->extents, node);
	} else {
		uint32_t index = hf_graph_holder_index(analysis->graph, node);
		const struct hf_holder *holder = &analysis->roots.holders.data[index];
		address = holder->address;
		what = holder->kind == HF_HOLDER_VARIABLE ? holder->name : NULL;
	}
	if (!what && address)
		what = hf_doc_printf(doc, "0x%lx", (unsigned long)address);
	hf_view_hint(doc, options, "dominators", what);
}

/* Who keeps most: one holder, or objects of one type together. */
static void hint_holder(struct hf_analysis *analysis, const struct hf_view_options *options,
			struct hf_doc *doc, const struct hf_heap_totals *totals)
{
	uint32_t node = hf_biggest_top(analysis);
	struct hf_tree_node group;

	if (node == HF_NO_NODE)
		return;
	bool alone = hf_graph_retained(analysis->graph, node) * 100 >=
		     totals->inuse_bytes * HF_RETENTION_PERCENT;
	if (!alone && hf_biggest_group(analysis, &group)) {
		uint32_t type = hf_typing_of(analysis->typing, group.example);
		hf_view_hint(
		    doc, options, "path",
		    hf_doc_printf(doc, "--type=%s", hf_typing_type(analysis->typing, type)->name));
		return;
	}
	hint_node(analysis, options, doc, node);
}

/* What the verdict speaks of first. */
static void tell_next(struct hf_analysis *analysis, const struct hf_view_options *options,
		      struct hf_doc *doc)
{
	struct hf_heap_totals totals;
	bool broken = analysis->allocator && hf_findings_count(analysis) > 0;

	hf_heap_totals(analysis, &totals);
	bool leak =
	    totals.lost_count && totals.lost_bytes * 100 >= totals.inuse_bytes * HF_LEAK_PERCENT;
	hf_doc_begin(doc, "next", "NEXT");
	if (broken)
		hf_view_hint(doc, options, "check", NULL);
	if (leak)
		hf_view_hint(doc, options, "leaks", NULL);
	if (analysis->graph)
		hint_holder(analysis, options, doc, &totals);
	if (totals.lost_count && !leak)
		hf_view_hint(doc, options, "leaks", NULL);
	if (analysis->graph)
		hf_view_hint(doc, options, "types", NULL);
	if (analysis->allocator)
		hf_view_hint(doc, options, "arenas", NULL);
	if (analysis->allocator && !broken)
		hf_view_hint(doc, options, "check", NULL);
	hf_view_hint(doc, options, "query",
		     analysis->graph ? NULL : "SELECT * FROM mappings ORDER BY size DESC");
	hf_doc_end(doc);
}

struct hf_error *hf_view_report(struct hf_analysis *analysis, const struct hf_view_options *options,
				struct hf_doc *doc)
{
	struct hf_error *err = NULL;

	if (options->oom_log)
		hf_section_oom(options->oom_log, analysis, doc);
	hf_section_abort(analysis, doc);
	hf_section_process(analysis, doc);
	hf_section_snapshot(analysis, doc);
	hf_section_verdict(analysis, doc);
	if (options->baseline && analysis->graph) {
		err = hf_section_growth(analysis, options, doc);
		if (err)
			return err;
	}
	hf_section_ledger(analysis, doc);
	if (analysis->graph) {
		hf_section_leaks(analysis, doc);
		err = hf_section_holders(analysis, options, doc);
		if (!err)
			err = hf_section_suspects(analysis, options, doc);
		if (err)
			return err;
		hf_doc_begin(doc, "histogram", "TYPES");
		err = hf_section_types(analysis, REPORT_TYPES, doc);
		hf_doc_end(doc);
		if (err)
			return err;
		hf_section_findings(analysis, doc);
	} else {
		err = hf_section_mappings(analysis, doc);
		if (err)
			return err;
	}
	hf_section_evidence(analysis, doc);
	tell_next(analysis, options, doc);
	return NULL;
}

struct hf_error *hf_view_summary(struct hf_analysis *analysis,
				 const struct hf_view_options *options, struct hf_doc *doc)
{
	struct hf_heap_totals totals;
	struct hf_view_options few = *options;

	hf_section_abort(analysis, doc);
	hf_section_process(analysis, doc);
	hf_section_verdict(analysis, doc);
	if (!analysis->graph) {
		hf_section_evidence(analysis, doc);
		return NULL;
	}
	hf_heap_totals(analysis, &totals);
	hf_doc_begin(doc, "heap", "HEAP");
	hf_doc_field(doc, "objects", "objects", hf_count(totals.objects));
	hf_doc_field(doc, "inuse_bytes", "in use", hf_bytes(totals.inuse_bytes));
	hf_doc_field(doc, "free_bytes", "free", hf_bytes(totals.free_bytes));
	hf_doc_field(doc, "leaked_bytes", "lost", hf_bytes(totals.lost_bytes));
	hf_doc_field(doc, "leaked_objects", "lost objects", hf_count(totals.lost_count));
	hf_doc_field(doc, "possible_bytes", "possibly lost",
		     hf_bytes(totals.leaks[HF_POSSIBLE].bytes));
	hf_doc_end(doc);
	few.top = options->top ? options->top : SUMMARY_TOP;
	few.depth = 1;
	struct hf_error *err = hf_section_holders(analysis, &few, doc);
	if (!err)
		hf_section_evidence(analysis, doc);
	return err;
}
