/*
 * fields.c - what lies at an offset of a type, as a C programmer would write it.
 *
 *	struct cache, 144	-> "buckets[17]"
 *	struct entry[], 40	-> "[1].next"
 *
 * Base classes and anonymous members add nothing to the name. Of a union's members the one that
 * is a pointer at that place is taken, else the first. A place in padding has no name.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/symbols/types_private.h"

enum { MAX_STEPS = 48 };

struct name {
	char *buffer;
	size_t size, used;
};

static void append(struct name *name, const char *separator, const char *text)
{
	if (name->used >= name->size)
		return;
	int length = snprintf(name->buffer + name->used, name->size - name->used, "%s%s",
			      name->used ? separator : "", text);
	if (length > 0)
		name->used += (size_t)length;
}

static void append_index(struct name *name, uint64_t index)
{
	char text[24];
	snprintf(text, sizeof(text), "[%" PRIu64 "]", index);
	append(name, "", text);
}

/* Does a pointer stand at @offset of @type? Only what can be told without a search. */
static bool is_pointer_at(struct hf_symbols *symbols, uint32_t type, uint64_t offset)
{
	for (int i = 0; i < MAX_STEPS; i++) {
		const struct hf_ctype *of = hf_ctype_get(symbols, type);
		const struct hf_cmember *members = NULL, *found = NULL;
		if (of->kind == HF_CTYPE_POINTER)
			return offset == 0;
		if (of->kind == HF_CTYPE_ARRAY) {
			type = hf_ctype_target(symbols, type);
			uint64_t size = hf_ctype_get(symbols, type)->size;
			offset = size ? offset % size : 0;
			continue;
		}
		uint32_t count = hf_ctype_members(symbols, type, &members);
		for (uint32_t m = 0; m < count; m++) {
			uint64_t size = hf_ctype_get(symbols, members[m].type)->size;
			if (offset >= members[m].offset && offset - members[m].offset < size)
				found = &members[m];
		}
		if (!found)
			return false;
		offset -= found->offset;
		type = found->type;
	}
	return false;
}

/* A base class without members takes no room of its own: another member may be at its place. */
static bool is_empty(struct hf_symbols *symbols, const struct hf_cmember *member)
{
	const struct hf_ctype *of = hf_ctype_get(symbols, member->type);
	return of->kind == HF_CTYPE_STRUCT && of->size <= 1;
}

/* The member at @offset; @past: where a flexible array goes on, the last one may be meant. */
static const struct hf_cmember *member_at(struct hf_symbols *symbols, uint32_t type,
					  uint64_t offset, bool past)
{
	const struct hf_cmember *members = NULL, *found = NULL;
	uint32_t count = hf_ctype_members(symbols, type, &members);
	bool is_union = hf_ctype_get(symbols, type)->kind == HF_CTYPE_UNION;

	for (uint32_t i = 0; i < count; i++) {
		const struct hf_cmember *member = &members[i];
		const struct hf_ctype *of = hf_ctype_get(symbols, member->type);
		bool open = past && of->kind == HF_CTYPE_ARRAY && of->count <= 1;
		if (offset < member->offset || (!open && offset - member->offset >= of->size))
			continue;
		if (!found || (is_union && !is_pointer_at(symbols, found->type, offset) &&
			       is_pointer_at(symbols, member->type, offset)))
			found = member;
		else if (!is_union && (member->offset > found->offset || is_empty(symbols, found)))
			found = member;
	}
	return found;
}

uint32_t hf_ctype_field(struct hf_symbols *symbols, uint32_t type, uint64_t offset, char *buffer,
			size_t size)
{
	struct name name = {buffer, size, 0};

	*buffer = '\0';
	for (int i = 0; i < MAX_STEPS; i++) {
		const struct hf_ctype *of = hf_ctype_get(symbols, type);
		if (of->kind == HF_CTYPE_ARRAY) {
			uint32_t element = hf_ctype_target(symbols, type);
			uint64_t bytes = hf_ctype_get(symbols, element)->size;
			if (bytes == 0)
				return 0;
			append_index(&name, offset / bytes);
			offset %= bytes;
			type = element;
			continue;
		}
		if (of->kind != HF_CTYPE_STRUCT && of->kind != HF_CTYPE_UNION)
			return offset < of->size ? type : 0;
		const struct hf_cmember *member =
		    member_at(symbols, type, offset, offset >= of->size || i == 0);
		if (!member)
			return 0;
		if (member->name)
			append(&name, ".", member->name);
		offset -= member->offset;
		type = member->type;
	}
	return 0;
}

/* ---- all fields ------------------------------------------------------------------------------ */

enum { MAX_FIELD_NAME = 256, MAX_PARTS = 256 };

struct part {
	uint32_t type;
	uint16_t bit_offset, bit_size;
	uint64_t offset;
	char name[MAX_FIELD_NAME];
};

struct parts {
	struct part list[MAX_PARTS];
	uint32_t count;
};

static void open_part(struct hf_symbols *symbols, struct parts *parts, const struct part *part)
{
	const struct hf_cmember *members = NULL;
	uint32_t count = hf_ctype_members(symbols, part->type, &members);

	/* Backward: the last one pushed is the first one given. */
	for (uint32_t i = count; i-- > 0 && parts->count < MAX_PARTS;) {
		struct part *inner = &parts->list[parts->count++];
		*inner = (struct part){.type = members[i].type,
				       .bit_offset = members[i].bit_offset,
				       .bit_size = members[i].bit_size,
				       .offset = part->offset + members[i].offset};
		int length = snprintf(inner->name, sizeof(inner->name), "%s%s%s", part->name,
				      *part->name && members[i].name ? "." : "",
				      members[i].name ? members[i].name : "");
		if (length < 0)
			inner->name[0] = '\0';
	}
}

void hf_ctype_each_field(struct hf_symbols *symbols, uint32_t type, hf_cfield_fn *fn, void *ctx)
{
	struct parts *parts = calloc(1, sizeof(*parts));
	uint32_t steps = 0;

	if (!parts)
		return;
	parts->list[parts->count++] = (struct part){.type = type};
	while (parts->count && steps++ < MAX_PARTS * 4) {
		struct part part = parts->list[--parts->count];
		uint8_t kind = hf_ctype_get(symbols, part.type)->kind;
		if (kind == HF_CTYPE_STRUCT || kind == HF_CTYPE_UNION) {
			open_part(symbols, parts, &part);
			continue;
		}
		struct hf_cfield field = {part.name, part.offset, part.type, part.bit_offset,
					  part.bit_size};
		if (!fn(ctx, &field))
			break;
	}
	free(parts);
}
