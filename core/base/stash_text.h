/*
 * stash_text.h - the strings of a stash: end to end in one section, told by their offsets.
 */
#ifndef HF_CORE_BASE_STASH_TEXT_H
#define HF_CORE_BASE_STASH_TEXT_H

#include "core/base/stash.h"
#include "core/base/strpool.h"
#include "core/base/vec.h"

HF_VEC(hf_stash_text, char);

/* The offset of a copy of @string, 0 for NULL. False: out of memory. */
bool hf_stash_text_add(struct hf_stash_text *text, const char *string, uint32_t *ret);

/* Write the section, free @text. */
void hf_stash_text_save(struct hf_stash_text *text, struct hf_stash_writer *writer,
			const char *name);

struct hf_stash_strings {
	const char *text;
	size_t bytes;
};

/* False: there is no such section, or it does not end in a NUL. */
bool hf_stash_strings_open(const struct hf_stash *stash, const char *name,
			   struct hf_stash_strings *ret);

/* A copy in @pool of the string at @offset; NULL for 0 (or out of memory). */
const char *hf_stash_string(const struct hf_stash_strings *strings, struct hf_strpool *pool,
			    uint32_t offset);

#endif
