/*
 * verdict.c - one or two sentences that answer: leak, retention, free memory not given back,
 * or a broken heap?
 *
 * In this order, the first that holds leads; thresholds are shares of the heap in use:
 *	a broken invariant with an abort by malloc, or any error found in the heap
 *	ended threads	their stacks >= 64 MiB: more than glibc would keep for new ones (40 MiB)
 *	not the heap	other anonymous memory >= half of all memory, and >= 16 MiB
 *	free memory	free >= half of what malloc took from the system, and >= 16 MiB
 * and then of what is in use the first of these:
 *	a leak		lost >= 10 %
 *	retention	one holder (or object that several hold) keeps >= 30 %; or objects of one
 *			type, each of which several hold, do together
 *	spread		nothing of it: the biggest holder is named
 * Before it stands another allocator, where one is loaded: then this heap is not the whole story.
 */
#include <stdlib.h>
#include <string.h>

#include "core/base/cleanup.h"
#include "heapwalk/views/findings.h"
#include "heapwalk/views/from_above.h"
#include "heapwalk/views/human.h"

enum { MIN_FREE_BYTES = 16 << 20, MIN_OUTSIDE_BYTES = 16 << 20, MIN_ENDED_BYTES = 64 << 20 };

bool hf_mostly_free(const struct hf_heap_totals *totals)
{
	uint64_t free_bytes = totals->free_bytes - totals->pools_bytes;
	uint64_t taken_bytes = totals->system_bytes - totals->layer_bytes;

	return free_bytes >= MIN_FREE_BYTES && free_bytes * 2 >= taken_bytes;
}

bool hf_mostly_outside(const struct hf_ledger *sum)
{
	return sum->anonymous_bytes >= MIN_OUTSIDE_BYTES &&
	       sum->anonymous_bytes * 2 >= sum->all_bytes;
}

/* "mostly 2,411,022 x struct session": what most of @node's retained bytes are. */
static const char *mostly(struct hf_analysis *analysis, struct hf_doc *doc, uint32_t node)
{
	uint32_t types = hf_typing_types(analysis->typing), best = 0;
	HF_AUTO(free_ptr)
	struct hf_below_total *below = calloc((size_t)types + 1, sizeof(*below));
	struct hf_from_above question = {.node = node, .below = below};

	if (!below)
		return "";
	struct hf_error *err = hf_from_above(analysis, &question);
	if (err) {
		hf_error_destroy(err);
		return "";
	}
	for (uint32_t type = 0; type < types; type++)
		best = below[type].bytes > below[best].bytes ? type : best;
	uint64_t count = below[best].count, bytes = below[best].bytes;
	bool itself = node < hf_graph_objects(analysis->graph) && count == 1 &&
		      hf_typing_of(analysis->typing, node) == best;
	const char *name = hf_typing_type(analysis->typing, best)->name;
	if (itself)
		return "most of it itself";
	if (count == 1)
		return hf_doc_printf(doc, "mostly in one block, %s (%s)", name,
				     hf_doc_bytes_text(doc, bytes));
	return hf_doc_printf(doc, "mostly %s x %s (%s)", hf_doc_count_text(doc, count), name,
			     hf_doc_bytes_text(doc, bytes));
}

/* As the tables below count it: of all objects, the allocator's own included. */
static const char *share_text(const struct hf_analysis *analysis, struct hf_doc *doc, uint64_t part)
{
	uint64_t whole = hf_graph_retained(analysis->graph, hf_graph_root(analysis->graph));
	char buffer[HF_HUMAN_BYTES];
	return hf_doc_printf(doc, "%s",
			     hf_human_share(whole ? (double)part / (double)whole : 0, buffer));
}

static const struct hf_diag *find_diag(const struct hf_analysis *analysis, const char *code)
{
	for (size_t i = 0; i < hf_diags_count(analysis->diags); i++) {
		const struct hf_diag *diag = hf_diags_get(analysis->diags, i);
		if (!strcmp(diag->code, code))
			return diag;
	}
	return NULL;
}

static void tell_no_heap(const struct hf_analysis *analysis, struct hf_doc *doc)
{
	const struct hf_diag *diag = find_diag(analysis, "no-glibc-heap");

	if (!diag)
		diag = find_diag(analysis, "heap-unused");
	hf_doc_paragraph(doc, "sentence", "%s.",
			 diag ? diag->message : "No heap was found in this core");
}

/* What malloc met before it did any harm is no damage: it is named for what it is. */
static const char *broken_text(const struct hf_analysis *analysis, const struct hf_finding *first)
{
	bool alone = first->met && hf_findings_count(analysis) == 1;

	if (alone && !strcmp(first->code, "double-free"))
		return "A double free, which malloc stopped in time";
	if (alone && !strcmp(first->code, "wrong-free"))
		return "A wrong free(), which malloc stopped in time";
	return "The heap is corrupt";
}

/* The finding that tells most, if it is an error. */
static void tell_broken(struct hf_analysis *analysis, struct hf_doc *doc)
{
	const struct hf_finding **sorted = hf_findings_sorted(analysis);
	const struct hf_finding *first = sorted ? sorted[0] : NULL;

	free(sorted);
	if (!first || first->severity != HF_SEV_ERROR)
		return;
	const char *blame = hf_finding_blame(analysis, doc, first);
	const char *doubt = hf_findings_doubt_text(analysis, doc);
	hf_doc_paragraph(doc, "sentence", "%s: at 0x%lx %s%s%s.%s%s%s",
			 broken_text(analysis, first), (unsigned long)first->address,
			 first->message, blame ? "; " : "", blame ? blame : "",
			 doubt ? " Doubtful: " : "", doubt ? doubt : "", doubt ? "." : "");
	hf_doc_emphasize(doc, HF_BAD);
}

static const char *lost_text(struct hf_doc *doc, const struct hf_heap_totals *totals)
{
	if (totals->leaks[HF_UNKNOWN].count)
		return hf_doc_printf(
		    doc, "whether %s more are lost cannot be told, since memory is missing",
		    hf_doc_bytes_text(doc, totals->leaks[HF_UNKNOWN].bytes));
	if (totals->lost_bytes == 0)
		return "nothing is lost";
	return hf_doc_printf(doc, "only %s is lost", hf_doc_bytes_text(doc, totals->lost_bytes));
}

/* Which of the lost blocks lead to the others. */
static const char *leaders_text(struct hf_doc *doc, const struct hf_heap_totals *totals)
{
	uint64_t leaders = totals->leaks[HF_DEFINITE].count;

	if (leaders == totals->lost_count)
		return "";
	if (leaders == 1)
		return "; one of them is the leader, the rest hangs on it";
	return hf_doc_printf(doc, "; %s of them are leaders, the rest hangs on those",
			     hf_doc_count_text(doc, leaders));
}

static void tell_leak(const struct hf_analysis *analysis, struct hf_doc *doc,
		      const struct hf_heap_totals *totals)
{
	hf_doc_paragraph(
	    doc, "sentence",
	    "A leak: %s (%s of the heap in use) in %s block%s that nothing points to any more%s.",
	    hf_doc_bytes_text(doc, totals->lost_bytes),
	    share_text(analysis, doc, totals->lost_bytes),
	    hf_doc_count_text(doc, totals->lost_count), totals->lost_count == 1 ? "" : "s",
	    leaders_text(doc, totals));
	hf_doc_emphasize(doc, HF_BAD);
}

/* " (which g_cache leads to)": a variable if there is one, else who holds it; nothing of a holder.
 */
static const char *held_text(const struct hf_analysis *analysis, struct hf_doc *doc, uint32_t node)
{
	if (node >= hf_graph_objects(analysis->graph))
		return "";
	uint32_t variable = hf_strong_holder(analysis, node);
	if (variable != HF_NO_NODE)
		return hf_doc_printf(doc, " (which %s leads to)",
				     hf_node_name(analysis, doc, variable));
	const char *note = hf_node_note(analysis, doc, node);
	return note ? hf_doc_printf(doc, " (%s)", note) : "";
}

static void tell_retention(struct hf_analysis *analysis, struct hf_doc *doc,
			   const struct hf_heap_totals *totals, uint32_t node)
{
	uint64_t retained = hf_graph_retained(analysis->graph, node);

	hf_doc_paragraph(
	    doc, "sentence",
	    "Retention, not a leak: %s%s keeps %s alive (%s of the heap in use), %s; %s.",
	    hf_node_name(analysis, doc, node), held_text(analysis, doc, node),
	    hf_doc_bytes_text(doc, retained), share_text(analysis, doc, retained),
	    mostly(analysis, doc, node), lost_text(doc, totals));
	hf_doc_emphasize(doc, HF_WARN);
}

/* Objects of @group, those that hang on its tops one by one included; 0: it cannot be told. */
static uint64_t count_members(struct hf_analysis *analysis, const struct hf_top_group *group)
{
	struct hf_tree_options options = {
	    .depth = 1, .top = 1, .lost = HF_TREE_WITHOUT_LOST, .min_bytes = 1};
	struct hf_tree tree = {0};
	struct hf_error *err =
	    hf_tree_build(analysis, hf_graph_root(analysis->graph), &options, &tree);
	uint64_t count = !err && tree.count > 1 && tree.data[1].example == group->example
			     ? tree.data[1].count
			     : 0;

	hf_error_destroy(err);
	hf_vec_free(&tree);
	return count;
}

static void tell_group(struct hf_analysis *analysis, struct hf_doc *doc,
		       const struct hf_heap_totals *totals, const struct hf_top_group *group)
{
	const struct hf_type *type =
	    hf_typing_type(analysis->typing, hf_typing_of(analysis->typing, group->example));

	hf_doc_paragraph(doc, "sentence",
			 "Retention, not a leak: %s x %s together keep %s alive (%s of the heap in "
			 "use), the biggest "
			 "of them at 0x%lx%s; %s.",
			 hf_doc_count_text(doc, count_members(analysis, group)), type->name,
			 hf_doc_bytes_text(doc, group->retained),
			 share_text(analysis, doc, group->retained),
			 (unsigned long)hf_extents_address(analysis->extents, group->example),
			 held_text(analysis, doc, group->example), lost_text(doc, totals));
	hf_doc_emphasize(doc, HF_WARN);
}

static void tell_spread(struct hf_analysis *analysis, struct hf_doc *doc,
			const struct hf_heap_totals *totals, uint32_t node)
{
	uint64_t retained = node == HF_NO_NODE ? 0 : hf_graph_retained(analysis->graph, node);
	if (totals->objects == 0) {
		hf_doc_paragraph(doc, "sentence", "glibc's heap holds no object.");
		return;
	}
	if (retained == 0) {
		hf_doc_paragraph(doc, "sentence", "No object is held by any root; %s.",
				 lost_text(doc, totals));
		return;
	}
	hf_doc_paragraph(
	    doc, "sentence",
	    "No single holder dominates the %s in use: the biggest, %s, keeps %s (%s); "
	    "%s.",
	    hf_doc_bytes_text(doc, totals->inuse_bytes), hf_node_name(analysis, doc, node),
	    hf_doc_bytes_text(doc, retained), share_text(analysis, doc, retained),
	    lost_text(doc, totals));
	hf_doc_emphasize(doc, HF_GOOD);
}

static void tell_free(struct hf_doc *doc, const struct hf_heap_totals *totals)
{
	uint64_t free_bytes = totals->free_bytes - totals->pools_bytes;
	uint64_t taken_bytes = totals->system_bytes - totals->layer_bytes;

	hf_doc_paragraph(doc, "fragmentation",
			 "%s of the %s that malloc took from the system is free: %s in bins, %s at "
			 "the tops, %s in tcaches. malloc_trim(3) gives back what is whole pages.",
			 hf_doc_bytes_text(doc, free_bytes), hf_doc_bytes_text(doc, taken_bytes),
			 hf_doc_bytes_text(doc, totals->bins_bytes),
			 hf_doc_bytes_text(doc, totals->top_bytes),
			 hf_doc_bytes_text(doc, totals->tcache_bytes));
	hf_doc_emphasize(doc, HF_WARN);
}

/* Memory that malloc did not give. */
static void tell_outside(const struct hf_analysis *analysis, struct hf_doc *doc, bool told)
{
	char share[HF_HUMAN_BYTES];
	struct hf_ledger sum;

	hf_ledger_sum(analysis, &sum);
	/* The last to end, of whatever size, is there until the next ends. */
	if (sum.ended_threads > 1 &&
	    sum.ended_bytes - sum.ended_bytes / sum.ended_threads >= MIN_ENDED_BYTES) {
		hf_doc_paragraph(doc, "ended_threads",
				 "Threads ended that were neither joined nor detached, it seems: "
				 "the stacks of %s ended threads take %s, and glibc keeps only 40 "
				 "MiB of such for new threads.",
				 hf_doc_count_text(doc, sum.ended_threads),
				 hf_doc_bytes_text(doc, sum.ended_bytes));
		hf_doc_emphasize(doc, HF_BAD);
	}
	if (told || !hf_mostly_outside(&sum))
		return;
	hf_doc_paragraph(
	    doc, "outside",
	    "Most of the memory is not malloc's: %s of %s (%s) are other anonymous "
	    "mappings, touched or not, of the program's own or of its runtime's.",
	    hf_doc_bytes_text(doc, sum.anonymous_bytes), hf_doc_bytes_text(doc, sum.all_bytes),
	    hf_human_share((double)sum.anonymous_bytes / (double)sum.all_bytes, share));
	hf_doc_emphasize(doc, HF_WARN);
}

static void tell_pools(struct hf_doc *doc, const struct hf_heap_totals *totals)
{
	hf_doc_paragraph(doc, "pools",
			 "%s of the %s in pymalloc's arenas are free: an arena is only given back "
			 "when no object is left in it.",
			 hf_doc_bytes_text(doc, totals->pools_bytes),
			 hf_doc_bytes_text(doc, totals->layer_bytes));
}

void hf_section_verdict(struct hf_analysis *analysis, const struct hf_tops *tops,
			struct hf_doc *doc)
{
	struct hf_heap_totals totals;
	struct hf_top_group group;

	hf_doc_begin(doc, "verdict", "VERDICT");
	if (!analysis->graph) {
		tell_no_heap(analysis, doc);
		hf_doc_end(doc);
		return;
	}
	hf_heap_totals(analysis, &totals);
	uint32_t node = tops->biggest;
	uint64_t retained = node == HF_NO_NODE ? 0 : hf_graph_retained(analysis->graph, node);

	const struct hf_diag *other = find_diag(analysis, "other-allocator");

	if (other)
		hf_doc_paragraph(doc, "other_allocator", "%s.", other->message);
	tell_broken(analysis, doc);
	tell_outside(analysis, doc, other != NULL);
	if (hf_mostly_free(&totals))
		tell_free(doc, &totals);
	if (totals.lost_bytes && totals.lost_bytes * 100 >= totals.inuse_bytes * HF_LEAK_PERCENT)
		tell_leak(analysis, doc, &totals);
	else if (retained && retained * 100 >= totals.inuse_bytes * HF_RETENTION_PERCENT)
		tell_retention(analysis, doc, &totals, node);
	else if (hf_biggest_group(analysis, tops, &group) &&
		 group.retained * 100 >= totals.inuse_bytes * HF_RETENTION_PERCENT)
		tell_group(analysis, doc, &totals, &group);
	else
		tell_spread(analysis, doc, &totals, node);
	if (totals.pools_bytes >= MIN_FREE_BYTES && totals.pools_bytes * 2 >= totals.layer_bytes)
		tell_pools(doc, &totals);
	hf_doc_end(doc);
}
