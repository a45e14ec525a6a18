/*
 * roots_saved.c - roots into an index and out of it (see roots.h).
 *
 * Strings stand end to end in a section of their own; a holder has their offsets, 0 for none.
 */
#include <stdlib.h>

#include "core/base/stash_text.h"
#include "heapwalk/graph/roots.h"

struct saved_holder {
	uint64_t address, size;
	uint32_t name, file; /* offsets, as local */
	uint32_t module, thread, frame, line;
	uint32_t kind, local;
};

struct saved_range {
	uint64_t start, end;
	uint32_t holder, unused;
};

struct saved_value {
	uint64_t value;
	uint32_t holder, unused;
};

struct saved_ended {
	uint64_t threads, bytes;
};

struct hf_error *hf_roots_save(const struct hf_roots *roots, struct hf_stash_writer *writer)
{
	struct hf_stash_text text = {0};
	bool done = true;

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
		done = done && hf_stash_text_add(&text, holder->name, &saved.name) &&
		       hf_stash_text_add(&text, holder->local, &saved.local) &&
		       hf_stash_text_add(&text, holder->file, &saved.file);
		hf_stash_append(writer, &saved, sizeof(saved));
	}
	hf_stash_text_save(&text, writer, "roots.text");
	hf_stash_begin(writer, "roots.ranges");
	hf_vec_foreach (range, &roots->ranges) {
		struct saved_range saved = {range->start, range->end, range->holder, 0};
		hf_stash_append(writer, &saved, sizeof(saved));
	}
	hf_stash_begin(writer, "roots.values");
	hf_vec_foreach (value, &roots->values) {
		struct saved_value saved = {value->value, value->holder, 0};
		hf_stash_append(writer, &saved, sizeof(saved));
	}
	struct saved_ended ended = {roots->ended_threads, roots->ended_bytes};
	hf_stash_begin(writer, "roots.ended");
	hf_stash_append(writer, &ended, sizeof(ended));
	return done ? NULL : hf_error_nomem();
}

static bool load_holders(const struct hf_stash *stash, struct hf_roots *roots)
{
	size_t bytes = 0;
	const struct saved_holder *saved = hf_stash_get(stash, "roots.holders", &bytes);
	struct hf_stash_strings strings;

	if (!saved || !hf_stash_strings_open(stash, "roots.text", &strings))
		return false;
	for (size_t i = 0; i < bytes / sizeof(*saved); i++) {
		struct hf_holder holder = {
		    .kind = (uint8_t)saved[i].kind,
		    .module = saved[i].module,
		    .thread = saved[i].thread,
		    .frame = saved[i].frame,
		    .name = hf_stash_string(&strings, roots->strings, saved[i].name),
		    .file = hf_stash_string(&strings, roots->strings, saved[i].file),
		    .local = hf_stash_string(&strings, roots->strings, saved[i].local),
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
	const struct saved_range *range = hf_stash_get(stash, "roots.ranges", &ranges);
	const struct saved_value *value = hf_stash_get(stash, "roots.values", &values);

	if (!range || !value)
		return false;
	for (size_t i = 0; i < ranges / sizeof(*range); i++) {
		struct hf_root_range loaded = {range[i].start, range[i].end, range[i].holder};
		if (!hf_vec_push(&roots->ranges, loaded))
			return false;
	}
	for (size_t i = 0; i < values / sizeof(*value); i++) {
		struct hf_root_value loaded = {value[i].value, value[i].holder};
		if (!hf_vec_push(&roots->values, loaded))
			return false;
	}
	return true;
}

static bool load_ended(const struct hf_stash *stash, struct hf_roots *roots)
{
	size_t bytes = 0;
	const struct saved_ended *saved = hf_stash_get(stash, "roots.ended", &bytes);

	if (!saved || bytes != sizeof(*saved))
		return false;
	roots->ended_threads = saved->threads;
	roots->ended_bytes = saved->bytes;
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
	*ret_found =
	    load_holders(stash, &roots) && load_ranges(stash, &roots) && load_ended(stash, &roots);
	if (*ret_found)
		*ret = roots;
	else
		hf_roots_deinit(&roots);
	return NULL;
}
