/*
 * stash_text.c - see stash_text.h. Offset 0 holds an empty string, so that 0 can mean NULL.
 */
#include "core/base/stash_text.h"

#include <stdlib.h>
#include <string.h>

bool hf_stash_text_add(struct hf_stash_text *text, const char *string, uint32_t *ret)
{
	size_t bytes = string ? strlen(string) + 1 : 0;

	*ret = 0;
	if (!bytes)
		return true;
	if (!text->count && !hf_vec_push(text, '\0'))
		return false;
	if (text->count + bytes > UINT32_MAX || !hf_vec_reserve(text, text->count + bytes))
		return false;
	memcpy(text->data + text->count, string, bytes);
	*ret = (uint32_t)text->count;
	text->count += bytes;
	return true;
}

void hf_stash_text_save(struct hf_stash_text *text, struct hf_stash_writer *writer,
			const char *name)
{
	if (text->count)
		hf_stash_add(writer, name, text->data, text->count);
	else
		hf_stash_add(writer, name, "", 1);
	hf_vec_free(text);
}

bool hf_stash_strings_open(const struct hf_stash *stash, const char *name,
			   struct hf_stash_strings *ret)
{
	ret->text = hf_stash_get(stash, name, &ret->bytes);
	return ret->text && ret->bytes && ret->text[ret->bytes - 1] == '\0';
}

const char *hf_stash_string(const struct hf_stash_strings *strings, struct hf_strpool *pool,
			    uint32_t offset)
{
	return offset && offset < strings->bytes ? hf_strpool_dup(pool, strings->text + offset)
						 : NULL;
}
