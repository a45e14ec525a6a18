/*
 * error.h - error objects: NULL is success, everything else says what went wrong.
 *
 * Contract, for the whole tree:
 *   - A function that can fail returns `struct hf_error *`. NULL means success.
 *   - Outputs come last, are named `ret` (or `*_ret`), and are untouched on failure.
 *   - The caller owns a returned error: it hands it on, or calls hf_error_destroy().
 *   - Broken evidence (a damaged core, a corrupt heap) is no error but a diagnostic
 *     (diag.h): an error means that the job asked for cannot be done at all.
 *
 * The shape follows drgn's error.h (a code, a message, a static out-of-memory error).
 */
#ifndef HF_CORE_BASE_ERROR_H
#define HF_CORE_BASE_ERROR_H

#include <stdarg.h>
#include <stddef.h>

#define HF_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

enum hf_error_code {
	HF_ERR_NOMEM,	    /* out of memory */
	HF_ERR_IO,	    /* the operating system refused; the message holds strerror() */
	HF_ERR_USAGE,	    /* the caller's request makes no sense */
	HF_ERR_FORMAT,	    /* a file is not what it should be (not an ELF, not a core) */
	HF_ERR_UNSUPPORTED, /* understood, but not supported */
	HF_ERR_NOT_FOUND,   /* no such object, variable, process */
	HF_ERR_PERMISSION,  /* not allowed */
	HF_ERR_LIMIT,	    /* a limit (memory, size) would be broken */
	HF_ERR_CANCELLED,   /* the user interrupted it */
	HF_ERR_INTERNAL,    /* a bug of ours that could be reported instead of asserted */
};

struct hf_error;

/* Make an error with a printf-style message. Never returns NULL (falls back to HF_ERR_NOMEM). */
struct hf_error *hf_error_create(enum hf_error_code code, const char *fmt, ...) HF_PRINTF(2, 3);

/* As hf_error_create(HF_ERR_IO or HF_ERR_PERMISSION, ...), with ": strerror(errnum)" appended. */
struct hf_error *hf_error_errno(int errnum, const char *fmt, ...) HF_PRINTF(2, 3);

/* The static out-of-memory error: allocates nothing. */
struct hf_error *hf_error_nomem(void);

/* Put "PREFIX: " before the message; consumes @err, returns the new one (NULL stays NULL). */
struct hf_error *hf_error_prefix(struct hf_error *err, const char *fmt, ...) HF_PRINTF(2, 3);

enum hf_error_code hf_error_code(const struct hf_error *err);

/* The message, without a trailing newline; valid until the error is destroyed. */
const char *hf_error_message(const struct hf_error *err);

/* Free an error; NULL is allowed. */
void hf_error_destroy(struct hf_error *err);

#endif
