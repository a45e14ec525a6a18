/*
 * diag.c - counted diagnostics (see diag.h).
 *
 * Invariant: codes[] holds every code seen once, in order of first arrival, and its
 * count is at least the number of kept diagnostics of that code.
 */
#include "core/base/diag.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/vec.h"

struct code_count {
	const char *code;
	enum hf_diag_kind kind;
	enum hf_severity worst;
	uint64_t count;
};

struct hf_diags {
	pthread_mutex_t lock;
	HF_VEC(, struct hf_diag) kept;
	HF_VEC(, struct code_count) codes;
};

struct hf_error *hf_diags_create(struct hf_diags **ret)
{
	struct hf_diags *diags = calloc(1, sizeof(*diags));
	if (!diags)
		return hf_error_nomem();
	pthread_mutex_init(&diags->lock, NULL);
	*ret = diags;
	return NULL;
}

void hf_diags_destroy(struct hf_diags *diags)
{
	if (!diags)
		return;
	hf_vec_foreach (diag, &diags->kept)
		free(diag->message);
	hf_vec_free(&diags->kept);
	hf_vec_free(&diags->codes);
	pthread_mutex_destroy(&diags->lock);
	free(diags);
}

static struct code_count *find_code(const struct hf_diags *diags, const char *code)
{
	hf_vec_foreach (entry, &diags->codes) {
		if (!strcmp(entry->code, code))
			return entry;
	}
	return NULL;
}

/* Count one more of @code; true when it is to be kept whole. */
static int count_code(struct hf_diags *diags, enum hf_diag_kind kind, enum hf_severity severity,
		      const char *code)
{
	struct code_count *entry = find_code(diags, code);
	if (!entry) {
		struct code_count fresh = {code, kind, severity, 0};
		if (!hf_vec_push(&diags->codes, fresh))
			return 0;
		entry = &diags->codes.data[diags->codes.count - 1];
	}
	if (severity > entry->worst)
		entry->worst = severity;
	return entry->count++ < HF_DIAG_KEEP;
}

void hf_diag_add(struct hf_diags *diags, enum hf_diag_kind kind, enum hf_severity severity,
		 const char *code, uint64_t address, const char *fmt, ...)
{
	if (!diags)
		return;
	pthread_mutex_lock(&diags->lock);
	if (count_code(diags, kind, severity, code)) {
		struct hf_diag diag = {kind, severity, code, address, NULL};
		va_list ap;
		va_start(ap, fmt);
		int length = vasprintf(&diag.message, fmt, ap);
		va_end(ap);
		if (length >= 0 && !hf_vec_push(&diags->kept, diag))
			free(diag.message);
	}
	pthread_mutex_unlock(&diags->lock);
}

size_t hf_diags_count(const struct hf_diags *diags)
{
	return diags->kept.count;
}

const struct hf_diag *hf_diags_get(const struct hf_diags *diags, size_t index)
{
	return index < diags->kept.count ? &diags->kept.data[index] : NULL;
}

uint64_t hf_diags_code_count(const struct hf_diags *diags, const char *code)
{
	const struct code_count *entry = find_code(diags, code);
	return entry ? entry->count : 0;
}

size_t hf_diags_codes(const struct hf_diags *diags)
{
	return diags->codes.count;
}

const char *hf_diags_code(const struct hf_diags *diags, size_t index, enum hf_diag_kind *kind,
			  enum hf_severity *worst, uint64_t *count)
{
	if (index >= diags->codes.count)
		return NULL;
	const struct code_count *entry = &diags->codes.data[index];
	*kind = entry->kind;
	*worst = entry->worst;
	*count = entry->count;
	return entry->code;
}

int hf_diags_partial(const struct hf_diags *diags)
{
	hf_vec_foreach (entry, &diags->codes) {
		if (entry->kind == HF_DIAG_EVIDENCE && entry->worst >= HF_SEV_WARNING)
			return 1;
	}
	return 0;
}

const char *hf_severity_name(enum hf_severity severity)
{
	static const char *const names[] = {"note", "warning", "error"};
	return names[severity];
}
