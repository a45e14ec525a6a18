/*
 * findings.c - broken invariants of the heap, and what evidence was missing.
 */
#include "heapwalk/views/sections.h"

enum { REPORT_FINDINGS = 8 };

static const struct hf_column columns[] = {
    {"severity", "severity", 0},
    {"code", "code", 0},
    {"address", "address", 0},
    {"message", "what", HF_COLUMN_ELASTIC},
};

static void add_findings(const struct hf_analysis *analysis, struct hf_doc *doc, const char *key,
			 enum hf_diag_kind kind, uint64_t top)
{
	struct hf_table *table =
	    hf_doc_table(doc, key, NULL, columns, sizeof(columns) / sizeof(columns[0]));
	uint64_t shown = 0;

	for (size_t i = 0; i < hf_diags_count(analysis->diags); i++) {
		const struct hf_diag *diag = hf_diags_get(analysis->diags, i);
		if (diag->kind != kind || (top && shown++ >= top))
			continue;
		hf_doc_row(doc, table, 0);
		hf_doc_cell(doc, table, hf_text(hf_severity_name(diag->severity)));
		hf_doc_cell(doc, table, hf_text(diag->code));
		hf_doc_cell(doc, table, diag->address ? hf_address(diag->address) : hf_none());
		hf_doc_cell(doc, table, hf_text(diag->message));
	}
}

static uint64_t count_kind(const struct hf_analysis *analysis, enum hf_diag_kind kind)
{
	uint64_t total = 0, count = 0;
	for (size_t i = 0; i < hf_diags_codes(analysis->diags); i++) {
		enum hf_diag_kind of;
		enum hf_severity worst;
		hf_diags_code(analysis->diags, i, &of, &worst, &count);
		total += of == kind ? count : 0;
	}
	return total;
}

void hf_section_findings(const struct hf_analysis *analysis, struct hf_doc *doc)
{
	uint64_t count = count_kind(analysis, HF_DIAG_HEAP);

	hf_doc_begin(doc, "integrity", "INTEGRITY");
	hf_doc_json_field(doc, "findings_count", hf_count(count));
	if (count == 0)
		hf_doc_note(doc, "No broken invariant was met.");
	else
		add_findings(analysis, doc, "findings", HF_DIAG_HEAP, REPORT_FINDINGS);
	if (count > REPORT_FINDINGS)
		hf_doc_note(doc, "%s findings in all: see heapforensics check.",
			    hf_doc_count_text(doc, count));
	hf_doc_end(doc);
}

void hf_section_evidence(const struct hf_analysis *analysis, struct hf_doc *doc)
{
	uint64_t count = count_kind(analysis, HF_DIAG_EVIDENCE);

	if (count == 0)
		return;
	hf_doc_begin(doc, "evidence", "EVIDENCE (what was missing or doubtful)");
	add_findings(analysis, doc, "notes", HF_DIAG_EVIDENCE, 0);
	hf_doc_end(doc);
}

struct hf_error *hf_view_check(struct hf_analysis *analysis, const struct hf_view_options *options,
			       struct hf_doc *doc)
{
	uint64_t count = count_kind(analysis, HF_DIAG_HEAP);

	hf_doc_begin(doc, "integrity", "INTEGRITY");
	hf_doc_json_field(doc, "findings_count", hf_count(count));
	if (count == 0 && analysis->allocator)
		hf_doc_note(doc, "Every chunk, free list and arena is as it should be.");
	add_findings(analysis, doc, "findings", HF_DIAG_HEAP, options->top);
	hf_doc_end(doc);
	hf_section_evidence(analysis, doc);
	return NULL;
}
