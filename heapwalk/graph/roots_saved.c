/*
 * roots_saved.c - roots into an index and out of it (see roots.h).
 *
 * Strings stand end to end in a section of their own; a holder has their offsets, 0 for none.
 */
#include <stdlib.h>
#include <string.h>

#include "core/base/strpool.h"
#include "heapwalk/graph/roots.h"

struct saved_holder {
	uint64_t address, size;
	uint32_t name, file; /* offsets, as local */
	uint32_t module, thread, frame, line;
	uint32_t kind, local;
};

HF_VEC(text, char);

/* Offset of a copy of @string in @text; 0 for NULL. */
static bool add_text(struct text *text, const char *string, uint32_t *ret)
{
	size_t bytes = string ? strlen(string) + 1 : 0;

	*ret = 0;
	if (!bytes)
		return true;
	if (text->count + bytes > UINT32_MAX || !hf_vec_reserve(text, text->count + bytes))
		return false;
	memcpy(text->data + text->count, string, bytes);
	*ret = (uint32_t)text->count;
	text->count += bytes;
	return true;
}

struct hf_error *hf_roots_save(const struct hf_roots *roots, struct hf_stash_writer *writer)
{
	struct text text = {0};
	bool done = hf_vec_push(&text, '\0');

	hf_stash_begin(writer, "roots.holders");
	hf_vec_foreach (holder, &roots->holders) {
		struct saved_holder saved = {
		    .address = holder->address,
		    .size = holder->size,
		    .module = holder->module,
		    .thread = holder->thread,
		    .frame = holder->frame,
		    .line = holder->line,
		    .kind = holder->kind,
		};
		done = done && add_text(&text, holder->name, &saved.name) &&
		       add_text(&text, holder->local, &saved.local) &&
		       add_text(&text, holder->file, &saved.file);
		hf_stash_append(writer, &saved, sizeof(saved));
	}
	hf_stash_add(writer, "roots.text", text.data, text.count);
	hf_stash_add(writer, "roots.ranges", roots->ranges.data,
		     roots->ranges.count * sizeof(*roots->ranges.data));
	hf_stash_add(writer, "roots.values", roots->values.data,
		     roots->values.count * sizeof(*roots->values.data));
	hf_vec_free(&text);
	return done ? NULL : hf_error_nomem();
}

/* A copy of the text at @offset; NULL for 0. */
static const char *text_at(struct hf_strpool *pool, const char *text, size_t bytes, uint32_t offset)
{
	return offset && offset < bytes ? hf_strpool_dup(pool, text + offset) : NULL;
}

static bool load_holders(const struct hf_stash *stash, struct hf_roots *roots)
{
	size_t bytes = 0, length = 0;
	const struct saved_holder *saved = hf_stash_get(stash, "roots.holders", &bytes);
	const char *text = hf_stash_get(stash, "roots.text", &length);

	if (!saved || !text || !length || text[length - 1])
		return false;
	for (size_t i = 0; i < bytes / sizeof(*saved); i++) {
		struct hf_holder holder = {
		    .kind = (uint8_t)saved[i].kind,
		    .module = saved[i].module,
		    .thread = saved[i].thread,
		    .frame = saved[i].frame,
		    .name = text_at(roots->strings, text, length, saved[i].name),
		    .file = text_at(roots->strings, text, length, saved[i].file),
		    .local = text_at(roots->strings, text, length, saved[i].local),
		    .line = saved[i].line,
		    .address = saved[i].address,
		    .size = saved[i].size,
		};
		if (!hf_vec_push(&roots->holders, holder))
			return false;
	}
	return true;
}

static bool load_ranges(const struct hf_stash *stash, struct hf_roots *roots)
{
	size_t ranges = 0, values = 0;
	const struct hf_root_range *range = hf_stash_get(stash, "roots.ranges", &ranges);
	const struct hf_root_value *value = hf_stash_get(stash, "roots.values", &values);

	if (!range || !value)
		return false;
	for (size_t i = 0; i < ranges / sizeof(*range); i++) {
		if (!hf_vec_push(&roots->ranges, range[i]))
			return false;
	}
	for (size_t i = 0; i < values / sizeof(*value); i++) {
		if (!hf_vec_push(&roots->values, value[i]))
			return false;
	}
	return true;
}

struct hf_error *hf_roots_load(const struct hf_stash *stash, struct hf_roots *ret, bool *ret_found)
{
	struct hf_roots roots = {0};
	struct hf_strpool *strings = NULL;
	struct hf_error *err = hf_strpool_create(&strings);

	if (err)
		return err;
	roots.strings = strings;
	*ret_found = load_holders(stash, &roots) && load_ranges(stash, &roots);
	if (*ret_found)
		*ret = roots;
	else
		hf_roots_deinit(&roots);
	return NULL;
}
