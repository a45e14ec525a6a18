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
	char *loaded; /* what codes point at that came from an index */
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

static void empty(struct hf_diags *diags)
{
	hf_vec_foreach (diag, &diags->kept)
		free(diag->message);
	hf_vec_free(&diags->kept);
	hf_vec_free(&diags->codes);
	free(diags->loaded);
	diags->loaded = NULL;
}

void hf_diags_destroy(struct hf_diags *diags)
{
	if (!diags)
		return;
	empty(diags);
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

/* Others may add some at that time: a lock is no part of what is const here. */
uint64_t hf_diags_code_count(const struct hf_diags *diags, const char *code)
{
	pthread_mutex_t *lock = (pthread_mutex_t *)(uintptr_t)&diags->lock;

	pthread_mutex_lock(lock);
	const struct code_count *entry = find_code(diags, code);
	uint64_t count = entry ? entry->count : 0;
	pthread_mutex_unlock(lock);
	return count;
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

/* ---- into an index and out of it ------------------------------------------------------------- */

struct saved_code {
	uint64_t count;
	uint32_t kind, worst;
};

struct saved_diag {
	uint64_t address;
	uint32_t code; /* index in the codes */
	uint32_t kind, severity, unused;
};

/* Strings stand one after the other, each with its end: first the codes, then the messages. */
void hf_diags_save(const struct hf_diags *diags, struct hf_stash_writer *writer)
{
	hf_stash_begin(writer, "diags.codes");
	hf_vec_foreach (code, &diags->codes) {
		struct saved_code saved = {code->count, code->kind, code->worst};
		hf_stash_append(writer, &saved, sizeof(saved));
	}
	hf_stash_begin(writer, "diags.kept");
	hf_vec_foreach (diag, &diags->kept) {
		struct saved_diag saved = {
		    .address = diag->address, .kind = diag->kind, .severity = diag->severity};
		saved.code = (uint32_t)(find_code(diags, diag->code) - diags->codes.data);
		hf_stash_append(writer, &saved, sizeof(saved));
	}
	hf_stash_begin(writer, "diags.text");
	hf_vec_foreach (code, &diags->codes)
		hf_stash_append(writer, code->code, strlen(code->code) + 1);
	hf_vec_foreach (diag, &diags->kept)
		hf_stash_append(writer, diag->message, strlen(diag->message) + 1);
}

/* The string at *@at of @text, *@at moved behind it; NULL at the end. */
static char *next_text(char *text, size_t bytes, size_t *at)
{
	char *string = text + *at;
	char *end = *at < bytes ? memchr(string, 0, bytes - *at) : NULL;

	if (!end)
		return NULL;
	*at += (size_t)(end - string) + 1;
	return string;
}

static bool load_diags(struct hf_diags *diags, const struct hf_stash *stash, char *text,
		       size_t bytes)
{
	size_t codes = 0, kept = 0, at = 0;
	const struct saved_code *code = hf_stash_get(stash, "diags.codes", &codes);
	const struct saved_diag *diag = hf_stash_get(stash, "diags.kept", &kept);

	for (size_t i = 0; code && i < codes / sizeof(*code); i++) {
		struct code_count loaded = {next_text(text, bytes, &at), code[i].kind,
					    code[i].worst, code[i].count};
		if (!loaded.code || !hf_vec_push(&diags->codes, loaded))
			return false;
	}
	for (size_t i = 0; diag && i < kept / sizeof(*diag); i++) {
		char *message = next_text(text, bytes, &at);
		if (!message || diag[i].code >= diags->codes.count)
			return false;
		struct hf_diag loaded = {diag[i].kind, diag[i].severity,
					 diags->codes.data[diag[i].code].code, diag[i].address,
					 strdup(message)};
		if (!loaded.message || !hf_vec_push(&diags->kept, loaded))
			return false;
	}
	return code && diag;
}

bool hf_diags_load(struct hf_diags *diags, const struct hf_stash *stash)
{
	size_t bytes = 0;
	const char *text = hf_stash_get(stash, "diags.text", &bytes);
	char *copy = text ? malloc(bytes + 1) : NULL;
	struct hf_diags loaded = {.loaded = copy};

	if (!copy)
		return false;
	memcpy(copy, text, bytes);
	if (!load_diags(&loaded, stash, copy, bytes)) {
		empty(&loaded);
		return false;
	}
	empty(diags);
	diags->kept.data = loaded.kept.data;
	diags->kept.count = loaded.kept.count;
	diags->kept.capacity = loaded.kept.capacity;
	diags->codes.data = loaded.codes.data;
	diags->codes.count = loaded.codes.count;
	diags->codes.capacity = loaded.codes.capacity;
	diags->loaded = copy;
	return true;
}

const char *hf_severity_name(enum hf_severity severity)
{
	static const char *const names[] = {"note", "warning", "error"};
	return names[severity];
}
