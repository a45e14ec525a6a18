/*
 * error.c - error objects (see error.h for the contract).
 *
 * Invariant: the static out-of-memory error is never freed and never written to.
 */
#include "core/base/error.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct hf_error {
	enum hf_error_code code;
	char *message;
};

static const struct hf_error nomem_error = {HF_ERR_NOMEM, NULL};

struct hf_error *hf_error_nomem(void)
{
	return (struct hf_error *)&nomem_error;
}

static struct hf_error *error_from_message(enum hf_error_code code, char *message)
{
	if (!message)
		return hf_error_nomem();
	struct hf_error *err = malloc(sizeof(*err));
	if (!err) {
		free(message);
		return hf_error_nomem();
	}
	err->code = code;
	err->message = message;
	return err;
}

static char *format_message(const char *fmt, va_list ap)
{
	char *message = NULL;
	return vasprintf(&message, fmt, ap) < 0 ? NULL : message;
}

struct hf_error *hf_error_create(enum hf_error_code code, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	char *message = format_message(fmt, ap);
	va_end(ap);
	return error_from_message(code, message);
}

struct hf_error *hf_error_errno(int errnum, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	char *what = format_message(fmt, ap);
	va_end(ap);
	if (!what)
		return hf_error_nomem();
	enum hf_error_code code =
	    errnum == EACCES || errnum == EPERM ? HF_ERR_PERMISSION : HF_ERR_IO;
	struct hf_error *err = hf_error_create(code, "%s: %s", what, strerror(errnum));
	free(what);
	return err;
}

struct hf_error *hf_error_prefix(struct hf_error *err, const char *fmt, ...)
{
	if (!err || err == &nomem_error)
		return err;
	va_list ap;
	va_start(ap, fmt);
	char *prefix = format_message(fmt, ap);
	va_end(ap);
	char *message = NULL;
	if (prefix && asprintf(&message, "%s: %s", prefix, err->message) >= 0) {
		free(err->message);
		err->message = message;
	}
	free(prefix);
	return err;
}

enum hf_error_code hf_error_code(const struct hf_error *err)
{
	return err->code;
}

const char *hf_error_message(const struct hf_error *err)
{
	return err->message ? err->message : "out of memory";
}

void hf_error_destroy(struct hf_error *err)
{
	if (!err || err == &nomem_error)
		return;
	free(err->message);
	free(err);
}
