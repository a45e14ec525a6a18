/*
 * diag.h - diagnostics: what was missing, broken or doubtful in the evidence.
 *
 * A damaged core or a corrupt heap is data, not failure: whoever meets it notes a
 * diagnostic and goes on. Each has a stable code (kebab-case, "core-truncated"), a
 * severity, a target address (0: none) and one sentence for people.
 *
 * Of each code the first HF_DIAG_KEEP are kept whole, the rest only counted, so that
 * a hostile file cannot make us use unbounded memory. Adding is thread-safe; reading
 * is for when the adding is over.
 */
#ifndef HF_CORE_BASE_DIAG_H
#define HF_CORE_BASE_DIAG_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/base/stash.h"

enum { HF_DIAG_KEEP = 64 };

enum hf_severity {
	HF_SEV_NOTE,	/* worth knowing; no figure is affected */
	HF_SEV_WARNING, /* some figure may be incomplete: the result is partial */
	HF_SEV_ERROR,	/* an invariant is broken, or a whole part is missing */
};

enum hf_diag_kind {
	HF_DIAG_EVIDENCE, /* about the core, the files, the symbols */
	HF_DIAG_HEAP,	  /* about the target's heap: a broken invariant */
};

struct hf_diag {
	enum hf_diag_kind kind;
	enum hf_severity severity;
	const char *code; /* static string */
	uint64_t address; /* target address, 0 if none */
	char *message;
};

struct hf_diags;

struct hf_error *hf_diags_create(struct hf_diags **ret);
void hf_diags_destroy(struct hf_diags *diags);

/* @code must be a string literal. Out of memory is swallowed: the count still rises. */
void hf_diag_add(struct hf_diags *diags, enum hf_diag_kind kind, enum hf_severity severity,
		 const char *code, uint64_t address, const char *fmt, ...) HF_PRINTF(6, 7);

/* Kept diagnostics, in the order of arrival. */
size_t hf_diags_count(const struct hf_diags *diags);
const struct hf_diag *hf_diags_get(const struct hf_diags *diags, size_t index);

/* How often @code came in all, those not kept included. */
uint64_t hf_diags_code_count(const struct hf_diags *diags, const char *code);

/* Distinct codes seen: index 0 .. n-1, with kind, severity of the worst, and count. */
size_t hf_diags_codes(const struct hf_diags *diags);
const char *hf_diags_code(const struct hf_diags *diags, size_t index, enum hf_diag_kind *kind,
			  enum hf_severity *worst, uint64_t *count);

/* True when any evidence diagnostic is a warning or worse: "partial" in JSON. */
int hf_diags_partial(const struct hf_diags *diags);

/* Into an index; and out of it, in place of what @diags has. False: nothing changed. */
void hf_diags_save(const struct hf_diags *diags, struct hf_stash_writer *writer);
bool hf_diags_load(struct hf_diags *diags, const struct hf_stash *stash);

const char *hf_severity_name(enum hf_severity severity);

#endif
