/*
 * report.c - the post-mortem, and its one-screen summary: sections in the order in which a
 * person asks. Every figure of the report can be had by a command that it names at the end.
 *
 * What takes a look at all objects is found first, side by side; then it is told.
 */
#include <stdlib.h>

#include "core/base/parallel.h"
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

/* Many little holders: the words of a table without a name, or the frames of many threads. */
static const char *sums_of(const struct hf_analysis *analysis, const struct hf_tops *tops)
{
	uint32_t index = tops->biggest_holder == HF_NO_NODE
			     ? HF_NO_INDEX
			     : hf_graph_holder_index(analysis->graph, tops->biggest_holder);

	return index < analysis->roots.holders.count &&
		       analysis->roots.holders.data[index].kind == HF_HOLDER_SECTION
		   ? "--by=module"
		   : "--by=holder";
}

/*
 * A stray word of a stack or a register that points at one node of a tree makes all of that one
 * that two hold: what the program's variable keeps where only such evidence counts.
 */
static void hint_variable(struct hf_analysis *analysis, const struct hf_view_options *options,
			  struct hf_doc *doc, uint32_t object)
{
	uint32_t node = hf_strong_holder(analysis, object);

	if (node == HF_NO_NODE)
		return;
	const struct hf_holder *holder =
	    &analysis->roots.holders.data[hf_graph_holder_index(analysis->graph, node)];
	const struct hf_process *process = analysis->process;
	bool own = holder->module < process->modules.count &&
		   process->modules.data[holder->module].is_executable;
	if (own && holder->kind == HF_HOLDER_VARIABLE)
		hf_view_hint_with(doc, options, "dominators", holder->name, "--roots=variable,tls");
}

/* Who keeps most: one holder, or objects of one type together; or many of either. */
static void hint_holder(struct hf_analysis *analysis, const struct hf_view_options *options,
			struct hf_doc *doc, const struct hf_heap_totals *totals,
			const struct hf_tops *tops)
{
	uint32_t node = tops->biggest;
	struct hf_top_group group;

	if (node == HF_NO_NODE)
		return;
	uint64_t retained = hf_graph_retained(analysis->graph, node);
	bool alone = retained * 100 >= totals->inuse_bytes * HF_RETENTION_PERCENT;
	bool grouped = !alone && hf_biggest_group(analysis, tops, &group);
	uint64_t most = grouped && group.retained > retained ? group.retained : retained;
	if (most * 100 < totals->inuse_bytes * HF_TOPS_BIG_PERCENT) {
		hf_view_hint(doc, options, "dominators", sums_of(analysis, tops));
		return;
	}
	if (grouped) {
		uint32_t type = hf_typing_of(analysis->typing, group.example);
		hf_view_hint(
		    doc, options, "path",
		    hf_doc_printf(doc, "--type=%s", hf_typing_type(analysis->typing, type)->name));
		hint_variable(analysis, options, doc, group.example);
		return;
	}
	hint_node(analysis, options, doc, node);
}

/* What the verdict speaks of first. */
static void tell_next(struct hf_analysis *analysis, const struct hf_view_options *options,
		      const struct hf_tops *tops, struct hf_doc *doc)
{
	struct hf_heap_totals totals;
	struct hf_ledger sum;
	bool broken = analysis->allocator && hf_findings_count(analysis) > 0;

	hf_heap_totals(analysis, &totals);
	bool leak =
	    totals.lost_count && totals.lost_bytes * 100 >= totals.inuse_bytes * HF_LEAK_PERCENT;
	bool mostly_free = analysis->allocator && hf_mostly_free(&totals);
	hf_ledger_sum(analysis, &sum);
	hf_doc_begin(doc, "next", "NEXT");
	if (broken)
		hf_view_hint(doc, options, "check", NULL);
	if (mostly_free)
		hf_view_hint(doc, options, "arenas", NULL);
	if (leak)
		hf_view_hint(doc, options, "leaks", NULL);
	if (analysis->graph)
		hint_holder(analysis, options, doc, &totals, tops);
	if (totals.lost_count && !leak)
		hf_view_hint(doc, options, "leaks", NULL);
	if (analysis->graph)
		hf_view_hint(doc, options, "types", NULL);
	if (analysis->allocator && !mostly_free)
		hf_view_hint(doc, options, "arenas", NULL);
	if (analysis->allocator && !broken)
		hf_view_hint(doc, options, "check", NULL);
	hf_view_hint(doc, options, "query",
		     analysis->graph && !hf_mostly_outside(&sum)
			 ? NULL
			 : "SELECT * FROM mappings ORDER BY size DESC");
	hf_doc_end(doc);
}

/* ---- what is found first --------------------------------------------------------------------- */

/* The summary has the first two alone. */
enum part { PART_HOLDERS, PART_TOPS, SUMMARY_PARTS, PART_TYPES = SUMMARY_PARTS, PART_LEAKS, PARTS };

struct parts {
	struct hf_analysis *analysis;
	const struct hf_view_options *options;
	struct hf_error *err[PARTS];
	struct hf_tree holders;
	struct hf_tops tops;
	struct hf_type_lines types;
	struct hf_leak_groups leaks;
};

static void find_part(void *ctx, uint64_t part, unsigned worker)
{
	struct parts *parts = ctx;
	struct hf_leak_total suppressed = {0};
	struct hf_error **err = &parts->err[part];
	(void)worker;

	switch ((enum part)part) {
	case PART_HOLDERS: /* the only one that makes the tree downward: it is made once */
		*err = hf_holders_tree(parts->analysis, parts->options, &parts->holders);
		break;
	case PART_TOPS:
		*err = hf_tops_find(parts->analysis, &parts->tops);
		break;
	case PART_TYPES:
		*err = hf_type_lines_make(parts->analysis, REPORT_TYPES, &parts->types);
		break;
	case PART_LEAKS:
		*err = hf_leak_groups_add(parts->analysis, HF_DEFINITE, NULL, &suppressed,
					  &parts->leaks);
		break;
	case PARTS:
		break;
	}
}

/* The first @count parts. */
static struct hf_error *find_parts(struct parts *parts, unsigned count)
{
	struct hf_error *err = NULL;

	if (!parts->analysis->graph)
		return NULL;
	hf_parallel_for(parts->analysis->threads, count, find_part, parts);
	for (unsigned part = 0; part < count; part++) {
		if (err)
			hf_error_destroy(parts->err[part]);
		else
			err = parts->err[part];
	}
	return err;
}

static void free_parts(struct parts *parts)
{
	hf_vec_free(&parts->holders);
	hf_tops_deinit(&parts->tops);
	hf_type_lines_deinit(&parts->types);
	hf_vec_free(&parts->leaks);
}

/* ---- the sections ---------------------------------------------------------------------------- */

static struct hf_error *tell_heap(struct parts *parts, struct hf_doc *doc)
{
	struct hf_analysis *analysis = parts->analysis;

	hf_section_leaks(analysis, &parts->leaks, doc);
	hf_section_holders(analysis, &parts->holders, doc);
	struct hf_error *err = hf_section_suspects(analysis, &parts->tops, doc);
	if (err)
		return err;
	hf_doc_begin(doc, "histogram", "TYPES");
	hf_type_lines_tell(analysis, &parts->types, doc);
	hf_doc_end(doc);
	hf_section_findings(analysis, doc);
	return NULL;
}

static struct hf_error *tell_report(struct parts *parts, struct hf_doc *doc)
{
	const struct hf_view_options *options = parts->options;
	struct hf_analysis *analysis = parts->analysis;
	struct hf_error *err = NULL;

	if (options->oom_log)
		hf_section_oom(options->oom_log, analysis, doc);
	hf_section_abort(analysis, doc);
	hf_section_process(analysis, doc);
	hf_section_snapshot(analysis, doc);
	hf_section_verdict(analysis, &parts->tops, doc);
	if (options->baseline && analysis->graph)
		err = hf_section_growth(analysis, options, doc);
	if (err)
		return err;
	hf_section_ledger(analysis, doc);
	err = analysis->graph ? tell_heap(parts, doc) : hf_section_mappings(analysis, doc);
	if (err)
		return err;
	hf_section_evidence(analysis, doc);
	tell_next(analysis, options, &parts->tops, doc);
	return NULL;
}

struct hf_error *hf_view_report(struct hf_analysis *analysis, const struct hf_view_options *options,
				struct hf_doc *doc)
{
	struct parts parts = {.analysis = analysis, .options = options};
	struct hf_error *err = find_parts(&parts, PARTS);

	if (!err)
		err = tell_report(&parts, doc);
	free_parts(&parts);
	return err;
}

static void tell_totals(const struct hf_analysis *analysis, struct hf_doc *doc)
{
	struct hf_heap_totals totals;

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
}

struct hf_error *hf_view_summary(struct hf_analysis *analysis,
				 const struct hf_view_options *options, struct hf_doc *doc)
{
	struct hf_view_options few = *options;
	struct parts parts = {.analysis = analysis, .options = &few};

	few.top = options->top ? options->top : SUMMARY_TOP;
	few.depth = 1;
	struct hf_error *err = find_parts(&parts, SUMMARY_PARTS);
	if (!err) {
		hf_section_abort(analysis, doc);
		hf_section_process(analysis, doc);
		hf_section_verdict(analysis, &parts.tops, doc);
		if (analysis->graph) {
			tell_totals(analysis, doc);
			hf_section_holders(analysis, &parts.holders, doc);
		}
		hf_section_evidence(analysis, doc);
	}
	free_parts(&parts);
	return err;
}
