/*
 * typing_saved.c - types into an index and out of it (see typing.h).
 *
 * A DWARF type is saved by the place of its description, for its number is another one in the
 * next run; where the place cannot be told, its name stays and its fields are unknown. Descriptions
 * are read when somebody asks for the type: a module's debug information may have to be inflated.
 */
#include <stdlib.h>
#include <string.h>

#include "core/symbols/types.h"
#include "heapwalk/typing/layout.h"
#include "heapwalk/typing/private.h"

struct saved_type {
	uint64_t size, count, bytes, votes, conflicts;
	struct hf_ctype_place place;
	uint32_t name; /* offset in the text */
	uint32_t offset;
	uint8_t source, confidence, form, has_place, flexible, pointer;
	uint8_t unused[2];
};

void hf_typing_save(const struct hf_typing *typing, struct hf_stash_writer *writer)
{
	uint32_t at = 0;

	hf_stash_begin(writer, "types");
	hf_vec_foreach (type, &typing->types) {
		struct saved_type saved = {
		    .size = type->size,
		    .count = type->count,
		    .bytes = type->bytes,
		    .votes = type->votes,
		    .conflicts = type->conflicts,
		    .name = at,
		    .offset = type->offset,
		    .source = type->source,
		    .confidence = type->confidence,
		    .form = type->form,
		    .flexible = type->flexible,
		    .pointer = type->pointer,
		};
		saved.has_place =
		    type->ctype && hf_ctype_place(typing->symbols, type->ctype, &saved.place);
		hf_stash_append(writer, &saved, sizeof(saved));
		at += (uint32_t)strlen(type->name) + 1;
	}
	hf_stash_begin(writer, "types.text");
	hf_vec_foreach (type, &typing->types)
		hf_stash_append(writer, type->name, strlen(type->name) + 1);
	hf_stash_add(writer, "types.of", typing->of,
		     (size_t)hf_extents_count(typing->extents) * sizeof(*typing->of));
}

struct late_type {
	struct hf_ctype_place place;
	bool waits;
};

void typing_describe(const struct hf_typing *typing, uint32_t type)
{
	struct late_type *late = &typing->late[type];

	if (late->waits)
		typing->types.data[type].ctype = hf_ctype_at_place(typing->symbols, &late->place);
	late->waits = false;
}

static bool load_types(struct hf_typing *typing, const struct hf_stash *stash)
{
	size_t bytes = 0, length = 0;
	const struct saved_type *saved = hf_stash_get(stash, "types", &bytes);
	const char *text = hf_stash_get(stash, "types.text", &length);

	if (!saved || !text || !length || text[length - 1])
		return false;
	typing->late = calloc(bytes / sizeof(*saved) + 1, sizeof(*typing->late));
	if (!typing->late)
		return false;
	for (size_t i = 0; i < bytes / sizeof(*saved); i++) {
		struct hf_type type = {
		    .source = saved[i].source,
		    .confidence = saved[i].confidence,
		    .form = saved[i].form,
		    .flexible = saved[i].flexible != 0,
		    .pointer = saved[i].pointer != 0,
		    .offset = saved[i].offset,
		    .size = saved[i].size,
		    .count = saved[i].count,
		    .bytes = saved[i].bytes,
		    .votes = saved[i].votes,
		    .conflicts = saved[i].conflicts,
		};
		if (saved[i].name >= length)
			return false;
		type.name = hf_strpool_dup(typing->strings, text + saved[i].name);
		typing->late[i] = (struct late_type){saved[i].place, saved[i].has_place != 0};
		if (!type.name || !hf_vec_push(&typing->types, type))
			return false;
	}
	return true;
}

struct hf_error *hf_typing_load(const struct hf_stash *stash, const struct hf_process *process,
				struct hf_symbols *symbols, const struct hf_extents *extents,
				const struct hf_graph *graph, const struct hf_roots *roots,
				struct hf_typing **ret)
{
	struct hf_typing *typing = calloc(1, sizeof(*typing));

	if (!typing)
		return hf_error_nomem();
	typing->process = process;
	typing->symbols = symbols;
	typing->extents = extents;
	hf_extents_columns(extents, &typing->columns);
	typing->graph = graph;
	typing->roots = roots;
	typing->mapped = true;
	typing->of = (uint32_t *)hf_stash_array(stash, "types.of", hf_extents_count(extents),
						sizeof(uint32_t));
	typing->layouts = layouts_create(symbols);
	struct hf_error *err = hf_strpool_create(&typing->strings);
	if (!err && !typing->layouts)
		err = hf_error_nomem();
	if (err || !typing->of || !load_types(typing, stash)) {
		hf_typing_destroy(typing);
		typing = NULL;
	}
	if (!err)
		*ret = typing;
	return err;
}
