/*
 * typing.c - giving each object its type: what is marked, what pointers tell, and the shape of
 * the rest (see typing.h).
 *
 * Invariant: type 0 is the allocator's own; every object has a type when the passes are over.
 */
#include "heapwalk/typing/typing.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/cleanup.h"
#include "core/symbols/types.h"
#include "heapwalk/typing/layout.h"
#include "heapwalk/typing/private.h"
#include "heapwalk/typing/runtime.h"

enum { PREVIEW_BYTES = 48 };

const char *hf_type_source_name(enum hf_type_source source)
{
	static const char *const names[HF_TYPE_SOURCES] = {
	    "shape",	 "string",  "vtable", "variable",  "field",
	    "container", "runtime", "user",   "allocator",
	};
	return source < HF_TYPE_SOURCES ? names[source] : "unknown";
}

const uint8_t *typing_bytes(const struct hf_typing *typing, uint32_t object, uint64_t *ret_bytes)
{
	const struct hf_segment *last = NULL;
	return typing_bytes_near(typing, object, &last, ret_bytes);
}

/* ---- the passes ------------------------------------------------------------------------------ */

/* "struct session", "session[]", "int *[]": a type by the name that a person gives it. */
static uint32_t named(struct hf_typing *typing, const char *text)
{
	HF_AUTO(free_ptr) char *name = strdup(text);
	size_t length = name ? strlen(name) : 0;
	enum hf_type_form form = HF_FORM_ONE;

	if (length > 2 && !strcmp(name + length - 2, "[]")) {
		form = HF_FORM_ARRAY;
		name[length -= 2] = '\0';
	}
	unsigned pointers = 0;
	while (length && (name[length - 1] == '*' || name[length - 1] == ' ')) {
		pointers += name[length - 1] == '*';
		name[--length] = '\0';
	}
	uint32_t ctype = length ? hf_ctype_named(typing->symbols, name) : 0;
	static const char *const tags[] = {"struct ", "union ", "class "};
	for (int i = 0; length && !ctype && i < 3; i++) {
		size_t tag = strlen(tags[i]);
		if (!strncmp(name, tags[i], tag))
			ctype = hf_ctype_named(typing->symbols, name + tag);
	}
	for (; ctype && pointers; pointers--, form = HF_FORM_ARRAY)
		ctype = hf_ctype_pointer(typing->symbols, ctype);
	return ctype ? typing_intern_ctype(typing, ctype, form, 0) : TYPE_NONE;
}

static struct hf_error *type_claimed(struct hf_typing *typing, const struct hf_type_claims *claims)
{
	for (size_t i = 0; claims && i < claims->count; i++) {
		const struct hf_type_claim *claim = &claims->data[i];
		uint32_t object = hf_extents_find(typing->extents, claim->address);
		if (object == HF_NO_OBJECT)
			return hf_error_create(HF_ERR_NOT_FOUND,
					       "--type: 0x%" PRIx64 " is in no object of the heap",
					       claim->address);
		uint32_t type = named(typing, claim->name);
		if (type == TYPE_NONE)
			return hf_error_create(HF_ERR_NOT_FOUND,
					       "--type: the debug information knows no type "
					       "\"%s\" of a structure",
					       claim->name);
		if (typing->types.data[type].size > hf_extents_usable(typing->extents, object))
			return hf_error_create(HF_ERR_USAGE,
					       "--type: %s has %" PRIu64 " bytes, the object at "
					       "0x%" PRIx64 " only %" PRIu64,
					       claim->name, typing->types.data[type].size,
					       claim->address,
					       hf_extents_usable(typing->extents, object));
		typing->of[object] = type_pack(type, HF_TYPE_USER, RANK_SURE);
	}
	return NULL;
}

static struct hf_error *run_passes(struct hf_typing *typing, const struct hf_type_claims *claims,
				   const struct hf_progress *progress)
{
	struct hf_error *err = typing_type_marked(typing, progress);
	if (!err)
		err = type_claimed(typing, claims);
	if (!err)
		err = typing_run_runtimes(typing);
	if (!err)
		err = typing_propagate(typing, progress);
	return err ? err : typing_type_rest(typing);
}

struct hf_error *hf_typing_create(const struct hf_process *process, struct hf_symbols *symbols,
				  const struct hf_extents *extents, const struct hf_graph *graph,
				  const struct hf_roots *roots, const struct hf_type_claims *claims,
				  unsigned threads, const struct hf_progress *progress,
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
	typing->threads = threads;
	typing->of =
	    hf_bigmem_alloc(NULL, (uint64_t)hf_extents_count(extents) * sizeof(*typing->of));
	typing->layouts = layouts_create(symbols);
	struct hf_error *err = hf_strpool_create(&typing->strings);
	if (!err && (!typing->of || !typing->layouts ||
		     typing_intern(typing, HF_TYPE_ALLOCATOR, "tcache of malloc", 0) == TYPE_NONE))
		err = hf_error_nomem();
	if (!err)
		err = run_passes(typing, claims, progress);
	if (err) {
		hf_typing_destroy(typing);
		return err;
	}
	*ret = typing;
	return NULL;
}

void hf_typing_destroy(struct hf_typing *typing)
{
	if (!typing)
		return;
	if (!typing->mapped)
		hf_bigmem_free(NULL, typing->of,
			       (uint64_t)hf_extents_count(typing->extents) * sizeof(*typing->of));
	hf_strpool_destroy(typing->strings);
	layouts_destroy(typing->layouts);
	free(typing->types.data);
	free(typing->late);
	free(typing->slots);
	free(typing);
}

uint32_t hf_typing_types(const struct hf_typing *typing)
{
	return (uint32_t)typing->types.count;
}

const struct hf_type *hf_typing_type(const struct hf_typing *typing, uint32_t type)
{
	if (typing->late)
		typing_describe(typing, type);
	return &typing->types.data[type];
}

uint32_t hf_typing_of(const struct hf_typing *typing, uint32_t object)
{
	return packed_type(typing->of[object]);
}

void hf_typing_prefetch(const struct hf_typing *typing, uint32_t object)
{
	__builtin_prefetch(&typing->of[object]);
}

enum hf_type_source hf_typing_source(const struct hf_typing *typing, uint32_t object)
{
	enum hf_type_source source = packed_source(typing->of[object]);
	return source < HF_TYPE_SOURCES ? source : HF_TYPE_SHAPE;
}

uint8_t hf_typing_confidence(const struct hf_typing *typing, uint32_t object)
{
	return typing_confidence(hf_typing_source(typing, object), packed_rank(typing->of[object]));
}

char *hf_typing_preview(const struct hf_process *process, const struct hf_extents *extents,
			uint32_t object)
{
	uint8_t data[PREVIEW_BYTES];
	uint64_t usable = hf_extents_usable(extents, object);
	uint64_t bytes = usable < sizeof(data) ? usable : sizeof(data);
	char *text = NULL;

	if (!hf_image_read(&process->image, hf_extents_address(extents, object), data, bytes))
		return NULL;
	uint64_t length = typing_text_length(data, bytes);
	if (length < 4 || (length < bytes && data[length] != 0) ||
	    (bytes >= process->image.word_bytes && typing_is_address(process, data, length)))
		return NULL;
	if (asprintf(&text, "\"%.*s\"%s", (int)length, (const char *)data,
		     length == bytes && usable > bytes ? "..." : "") < 0)
		return NULL;
	return text;
}
