/*
 * suppress.h - known leaks that shall not be told.
 *
 * A suppression file has one rule a line; '#' starts a comment:
 *
 *	type:GLOB	leaders whose type or shape matches
 *	text:GLOB	leaders whose text content matches
 *	size:N		leaders of N usable bytes
 *	leak:GLOB	type or text (as LeakSanitizer's files call it)
 *
 * Globs are those of the shell (fnmatch); a pattern without * or ? matches anywhere.
 */
#ifndef HF_HEAPWALK_VIEWS_SUPPRESS_H
#define HF_HEAPWALK_VIEWS_SUPPRESS_H

#include <stdbool.h>

#include "heapwalk/analysis.h"

struct hf_suppressions;

struct hf_error *hf_suppressions_read(const char *path, struct hf_suppressions **ret);
void hf_suppressions_destroy(struct hf_suppressions *suppressions);

/* NULL @suppressions match nothing. */
bool hf_suppressed(const struct hf_suppressions *suppressions, const struct hf_analysis *analysis,
		   uint32_t object);

#endif
