/*
 * findings.c - broken invariants of the heap, in short: for the report; and what evidence was
 * missing. check.c tells them at length.
 */
#include "heapwalk/views/findings.h"

#include <stdlib.h>
#include <string.h>

enum { REPORT_FINDINGS = 8 };

static const struct hf_column columns[] = {
    {"severity", "severity", 0},
    {"code", "code", 0},
    {"address", "address", 0},
    {"message", "what", HF_COLUMN_ELASTIC | HF_COLUMN_SENTENCE},
};

/* Most often what is left of a free() that met something else that is broken. */
static bool is_consequence(const struct hf_finding *finding)
{
	return !strcmp(finding->code, "free-chunk-lost");
}

/* What malloc met itself comes first, then errors before notes, causes, and by address. */
static int compare_findings(const void *a, const void *b)
{
	const struct hf_finding *x = *(const struct hf_finding *const *)a;
	const struct hf_finding *y = *(const struct hf_finding *const *)b;
	uint64_t at_x = x->word ? x->word : x->address, at_y = y->word ? y->word : y->address;

	if (x->met != y->met)
		return x->met ? -1 : 1;
	if (x->severity != y->severity)
		return (int)y->severity - (int)x->severity;
	if (is_consequence(x) != is_consequence(y))
		return is_consequence(x) ? 1 : -1;
	return at_x != at_y ? (at_x > at_y) - (at_x < at_y) : (x > y) - (x < y);
}

const struct hf_finding **hf_findings_sorted(const struct hf_analysis *analysis)
{
	const struct hf_findings *findings =
	    analysis->allocator ? &analysis->allocator->findings : NULL;
	size_t count = findings ? findings->count : 0;
	const struct hf_finding **sorted = calloc(count + 1, sizeof(const struct hf_finding *));

	if (!sorted)
		return NULL;
	for (size_t i = 0; i < count; i++)
		sorted[i] = &findings->data[i];
	qsort(sorted, count, sizeof(*sorted), compare_findings);
	return sorted;
}

uint64_t hf_findings_count(const struct hf_analysis *analysis)
{
	return analysis->allocator ? analysis->allocator->findings_count : 0;
}

uint64_t hf_findings_notes(const struct hf_analysis *analysis)
{
	uint64_t notes = 0;
	if (!analysis->allocator)
		return 0;
	hf_vec_foreach (finding, &analysis->allocator->findings)
		notes += finding->severity == HF_SEV_NOTE;
	return notes;
}

static void add_short(struct hf_doc *doc, struct hf_table *table, enum hf_severity severity,
		      const char *code, uint64_t address, const char *message)
{
	hf_doc_row(doc, table, 0);
	hf_doc_cell(doc, table, hf_text(hf_severity_name(severity)));
	hf_doc_cell(doc, table, hf_text(code));
	hf_doc_cell(doc, table, address ? hf_address(address) : hf_none());
	hf_doc_cell(doc, table, hf_text(message));
}

void hf_findings_table(struct hf_doc *doc, const struct hf_finding **sorted, uint64_t max)
{
	struct hf_table *table =
	    hf_doc_table(doc, "findings", NULL, columns, sizeof(columns) / sizeof(columns[0]));

	for (uint64_t i = 0; sorted[i] && i < max; i++)
		add_short(doc, table, sorted[i]->severity, sorted[i]->code, sorted[i]->address,
			  sorted[i]->message);
}

const char *hf_findings_doubt_text(const struct hf_analysis *analysis, struct hf_doc *doc)
{
	const struct hf_allocator *allocator = analysis->allocator;
	const char *text = NULL;
	uint64_t bytes = 0, places = allocator->doubtful.count, lists = allocator->lists_cut;

	hf_vec_foreach (range, &allocator->doubtful)
		bytes += range->end - range->start;
	if (bytes)
		text = hf_doc_printf(doc,
				     "%s in %s place%s where the chain of chunks is lost count as "
				     "one block in use each",
				     hf_doc_bytes_text(doc, bytes), hf_doc_count_text(doc, places),
				     places == 1 ? "" : "s");
	if (lists)
		text =
		    hf_doc_printf(doc,
				  "%s%s%s free list%s cannot be followed to the end: blocks on "
				  "%s may be counted as in use, or as lost",
				  text ? text : "", text ? "; " : "", hf_doc_count_text(doc, lists),
				  lists == 1 ? "" : "s", lists == 1 ? "it" : "them");
	return text;
}

void hf_findings_doubt(const struct hf_analysis *analysis, struct hf_doc *doc)
{
	const char *text = hf_findings_doubt_text(analysis, doc);
	uint64_t bytes = 0;

	hf_vec_foreach (range, &analysis->allocator->doubtful)
		bytes += range->end - range->start;
	hf_doc_json_field(doc, "doubtful_bytes", hf_bytes(bytes));
	hf_doc_json_field(doc, "lists_cut", hf_count(analysis->allocator->lists_cut));
	if (text)
		hf_doc_note(doc, "Doubtful figures: %s.", text);
	else if (hf_findings_count(analysis))
		hf_doc_note(doc, "No figure is in doubt for it: every chunk was found.");
}

void hf_section_findings(const struct hf_analysis *analysis, struct hf_doc *doc)
{
	uint64_t count = hf_findings_count(analysis);
	const struct hf_finding **sorted = hf_findings_sorted(analysis);

	if (!sorted)
		return;
	hf_doc_begin(doc, "integrity", "INTEGRITY");
	hf_doc_json_field(doc, "findings_count", hf_count(count));
	hf_doc_json_field(doc, "notes_count", hf_count(hf_findings_notes(analysis)));
	if (!sorted[0])
		hf_doc_note(doc, "Every chunk, free list and arena is as it should be.");
	else
		hf_findings_table(doc, sorted, REPORT_FINDINGS);
	hf_findings_doubt(analysis, doc);
	if (count)
		hf_doc_note(doc,
			    "%s finding%s; heapforensics check shows the bytes and the "
			    "probable culprits.",
			    hf_doc_count_text(doc, count), count == 1 ? "" : "s");
	hf_doc_end(doc);
	free(sorted);
}

void hf_section_evidence(const struct hf_analysis *analysis, struct hf_doc *doc)
{
	struct hf_table *table = NULL;

	for (size_t i = 0; i < hf_diags_count(analysis->diags); i++) {
		const struct hf_diag *diag = hf_diags_get(analysis->diags, i);
		/* What is broken before an allocator is known has no other place. */
		if (diag->kind != HF_DIAG_EVIDENCE && analysis->allocator)
			continue;
		if (!table) {
			hf_doc_begin(doc, "evidence", "EVIDENCE (what was missing or doubtful)");
			table = hf_doc_table(doc, "notes", NULL, columns,
					     sizeof(columns) / sizeof(columns[0]));
		}
		add_short(doc, table, diag->severity, diag->code, diag->address, diag->message);
	}
	if (table)
		hf_doc_end(doc);
}
