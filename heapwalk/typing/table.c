/*
 * table.c - the table of types (see private.h): each found once, by a hash of what it is.
 *
 * Invariant: types never go away and never move to another number; one that lost all its
 * objects to better evidence has count 0.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "heapwalk/typing/layout.h"
#include "heapwalk/typing/private.h"

enum { MAX_NAME = 2048 };

static uint64_t hash_of(uint64_t seed, const char *name)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325) ^ seed;
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

static bool same(const struct hf_type *a, const struct hf_type *b)
{
	if (a->ctype || b->ctype)
		return a->ctype == b->ctype && a->form == b->form && a->offset == b->offset;
	return a->source == b->source && !strcmp(a->name, b->name);
}

/* Where @wanted is in the table, or would be. Types of DWARF are told apart without their names. */
static struct type_slot *slot_of(const struct hf_typing *typing, uint64_t hash,
				 const struct hf_type *wanted)
{
	uint32_t at = (uint32_t)(hash >> 20) & (typing->slot_count - 1);

	for (; typing->slots[at].type; at = (at + 1) & (typing->slot_count - 1)) {
		if (typing->slots[at].hash == hash &&
		    same(&typing->types.data[typing->slots[at].type - 1], wanted))
			break;
	}
	return &typing->slots[at];
}

/* @wanted's name need not live on. */
static uint32_t intern(struct hf_typing *typing, uint64_t hash, const struct hf_type *wanted)
{
	if (typing->types.count * 2 >= typing->slot_count && !rehash(typing))
		return TYPE_NONE;
	struct type_slot *slot = slot_of(typing, hash, wanted);
	if (slot->type)
		return slot->type - 1;
	struct hf_type type = *wanted;
	type.name = hf_strpool_dup(typing->strings, wanted->name);
	if (!type.name || typing->types.count > TYPE_MAX || !hf_vec_push(&typing->types, type))
		return TYPE_NONE;
	*slot = (struct type_slot){hash, (uint32_t)typing->types.count};
	return (uint32_t)typing->types.count - 1;
}

uint32_t typing_intern(struct hf_typing *typing, enum hf_type_source source, const char *name,
		       uint64_t size)
{
	struct hf_type type = {.name = name, .source = (uint8_t)source, .size = size};
	return intern(typing, hash_of(source, name), &type);
}

static void name_of(struct hf_symbols *symbols, const struct hf_type *type, char *buffer,
		    size_t size)
{
	char name[MAX_NAME];

	hf_ctype_describe(symbols, type->ctype, name, sizeof(name));
	typing_shorten(name);
	switch ((enum hf_type_form)type->form) {
	case HF_FORM_ARRAY:
		snprintf(buffer, size, "%s[]", name);
		return;
	case HF_FORM_PART:
		if (type->offset)
			snprintf(buffer, size, "block with %s at +%u", name, type->offset);
		else
			snprintf(buffer, size, "block that starts with %s", name);
		return;
	default:
		snprintf(buffer, size, "%s", name);
	}
}

uint32_t typing_intern_ctype(struct hf_typing *typing, uint32_t ctype, enum hf_type_form form,
			     uint32_t offset)
{
	char name[MAX_NAME + 64];
	uint64_t seed = (uint64_t)ctype << 32 ^ (uint64_t)offset << 4 ^ (uint64_t)form;
	struct hf_type type = {
	    .name = name,
	    .source = form == HF_FORM_PART ? HF_TYPE_SHAPE : HF_TYPE_FIELD,
	    .form = (uint8_t)form,
	    .ctype = ctype,
	    .offset = offset,
	    .size = hf_ctype_get(typing->symbols, ctype)->size,
	};
	uint64_t hash = (seed * UINT64_C(0x9e3779b97f4a7c15)) | 1;
	const struct type_slot *known = typing->slot_count ? slot_of(typing, hash, &type) : NULL;
	if (known && known->type)
		return known->type - 1;
	type.flexible = layout_of(typing->layouts, ctype)->flexible;
	type.pointer = hf_ctype_get(typing->symbols, ctype)->kind == HF_CTYPE_POINTER;
	name_of(typing->symbols, &type, name, sizeof(name));
	return intern(typing, hash, &type);
}
