/*
 * typing.c - giving each object its type: the sources in order of trust, one pass in address
 * order (see typing.h).
 *
 * Invariant: type 0 is the allocator's own; every object has a type when the pass is over.
 */
#include "heapwalk/typing/typing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/cleanup.h"
#include "heapwalk/typing/private.h"

enum { PREVIEW_BYTES = 48, PROGRESS_STEP = 1 << 20 };

const char *hf_type_source_name(enum hf_type_source source)
{
	static const char *const names[HF_TYPE_SOURCES] = {
	    "shape",	 "string",  "vtable", "variable",  "field",
	    "container", "runtime", "user",   "allocator",
	};
	return source < HF_TYPE_SOURCES ? names[source] : "unknown";
}

/* ---- the table ----------------------------------------------------------------------------------
 */

static uint64_t hash_of(enum hf_type_source source, const char *name)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325) ^ (uint64_t)source;
	for (; *name; name++)
		hash = (hash ^ (uint8_t)*name) * UINT64_C(0x100000001b3);
	return hash | 1;
}

static bool rehash(struct hf_typing *typing)
{
	uint32_t count = typing->slot_count ? typing->slot_count * 2 : 256;
	struct type_slot *slots = calloc(count, sizeof(*slots));
	if (!slots)
		return false;
	for (uint32_t i = 0; i < typing->slot_count; i++) {
		const struct type_slot *old = &typing->slots[i];
		uint32_t at = (uint32_t)(old->hash >> 20) & (count - 1);
		if (!old->type)
			continue;
		while (slots[at].type)
			at = (at + 1) & (count - 1);
		slots[at] = *old;
	}
	free(typing->slots);
	typing->slots = slots;
	typing->slot_count = count;
	return true;
}

uint32_t typing_intern(struct hf_typing *typing, enum hf_type_source source, const char *name,
		       uint64_t size, uint8_t confidence)
{
	uint64_t hash = hash_of(source, name);

	if (typing->types.count * 2 >= typing->slot_count && !rehash(typing))
		return TYPE_NONE;
	uint32_t at = (uint32_t)(hash >> 20) & (typing->slot_count - 1);
	for (; typing->slots[at].type; at = (at + 1) & (typing->slot_count - 1)) {
		const struct hf_type *type = &typing->types.data[typing->slots[at].type - 1];
		if (typing->slots[at].hash == hash && type->source == source &&
		    !strcmp(type->name, name))
			return typing->slots[at].type - 1;
	}
	struct hf_type type = {.name = hf_strpool_dup(typing->strings, name),
			       .source = (uint8_t)source,
			       .confidence = confidence,
			       .size = size};
	if (!type.name || !hf_vec_push(&typing->types, type))
		return TYPE_NONE;
	typing->slots[at] = (struct type_slot){hash, (uint32_t)typing->types.count};
	return (uint32_t)typing->types.count - 1;
}

const uint8_t *typing_bytes(const struct hf_typing *typing, uint32_t object, uint64_t *ret_bytes)
{
	uint64_t available = 0, usable = hf_extents_usable(typing->extents, object);
	const uint8_t *data = hf_image_at(&typing->process->image,
					  hf_extents_address(typing->extents, object), &available);
	*ret_bytes = available < usable ? available : usable;
	return data;
}

/* ---- the pass
 * ------------------------------------------------------------------------------------- */

static struct hf_error *type_objects(struct hf_typing *typing, const struct hf_progress *progress)
{
	struct typing_vtables *vtables = typing_vtables_create(typing);
	struct typing_shapes *shapes = typing_shapes_create(typing);
	uint32_t count = hf_extents_count(typing->extents);
	const uint32_t *own;
	uint32_t owns = hf_extents_allocator_objects(typing->extents, &own), next_own = 0;
	struct hf_error *err = vtables && shapes ? NULL : hf_error_nomem();

	for (uint32_t id = 0; id < count && !err; id++) {
		uint64_t bytes = 0;
		uint32_t type = TYPE_NONE;
		if (id % PROGRESS_STEP == 0)
			hf_progress_report(progress, "naming objects", id, count);
		if (next_own < owns && own[next_own] == id) {
			next_own++;
			continue; /* type 0 */
		}
		const uint8_t *data = typing_bytes(typing, id, &bytes);
		if (data)
			type = typing_vtable_type(vtables, data, bytes);
		if (type == TYPE_NONE)
			type = typing_shape_type(shapes, id, data, bytes);
		if (type == TYPE_NONE)
			err = hf_error_nomem();
		else
			typing->of[id] = type;
	}
	typing_vtables_destroy(vtables);
	typing_shapes_destroy(shapes);
	return err;
}

static void count_types(struct hf_typing *typing)
{
	for (uint32_t id = 0; id < hf_extents_count(typing->extents); id++) {
		struct hf_type *type = &typing->types.data[typing->of[id]];
		type->count++;
		type->bytes += hf_extents_chunk_bytes(typing->extents, id);
	}
}

struct hf_error *hf_typing_create(const struct hf_process *process, struct hf_symbols *symbols,
				  const struct hf_extents *extents, const struct hf_graph *graph,
				  const struct hf_roots *roots, unsigned threads,
				  const struct hf_progress *progress, struct hf_typing **ret)
{
	struct hf_typing *typing = calloc(1, sizeof(*typing));
	if (!typing)
		return hf_error_nomem();
	(void)threads;
	typing->process = process;
	typing->symbols = symbols;
	typing->extents = extents;
	typing->graph = graph;
	typing->roots = roots;
	typing->of =
	    hf_bigmem_alloc(NULL, (uint64_t)hf_extents_count(extents) * sizeof(*typing->of));
	struct hf_error *err = hf_strpool_create(&typing->strings);
	if (!err && (!typing->of || typing_intern(typing, HF_TYPE_ALLOCATOR, "tcache of malloc", 0,
						  100) == TYPE_NONE))
		err = hf_error_nomem();
	if (!err)
		err = type_objects(typing, progress);
	if (err) {
		hf_typing_destroy(typing);
		return err;
	}
	count_types(typing);
	*ret = typing;
	return NULL;
}

void hf_typing_destroy(struct hf_typing *typing)
{
	if (!typing)
		return;
	hf_bigmem_free(NULL, typing->of,
		       (uint64_t)hf_extents_count(typing->extents) * sizeof(*typing->of));
	hf_strpool_destroy(typing->strings);
	free(typing->types.data);
	free(typing->slots);
	free(typing);
}

uint32_t hf_typing_types(const struct hf_typing *typing)
{
	return (uint32_t)typing->types.count;
}

const struct hf_type *hf_typing_type(const struct hf_typing *typing, uint32_t type)
{
	return &typing->types.data[type];
}

uint32_t hf_typing_of(const struct hf_typing *typing, uint32_t object)
{
	return typing->of[object];
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
	if (length < 4 || (length < bytes && data[length] != 0))
		return NULL;
	if (asprintf(&text, "\"%.*s\"%s", (int)length, (const char *)data,
		     length == bytes && usable > bytes ? "..." : "") < 0)
		return NULL;
	return text;
}
