/*
 * limits.c - which part of a buffer its container uses.
 *
 *	vector	[start, finish) of [start, end of storage)
 *	deque	its map's words from the start's node to the finish's
 *
 * The rest of the buffer holds what was in that memory before: pointers there are no evidence.
 */
#include <stdlib.h>

#include "heapwalk/typing/propagate.h"

enum { FIRST_LIMITS = 1 << 10, MAX_LIMITS = 1 << 26 };

struct limit {
	uint32_t object; /* object + 1; 0: free */
	uint32_t unused;
	uint64_t from, to;
};

struct limits {
	struct limit *slots;
	uint32_t count, used;
};

void limits_destroy(struct limits *limits)
{
	if (!limits)
		return;
	free(limits->slots);
	free(limits);
}

static struct limit *slot_of(struct limit *slots, uint32_t count, uint32_t object)
{
	uint32_t at = (uint32_t)((object * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & (count - 1);
	while (slots[at].object && slots[at].object != object + 1)
		at = (at + 1) & (count - 1);
	return &slots[at];
}

static bool grow(struct limits *limits)
{
	uint32_t count = limits->count ? limits->count * 2 : FIRST_LIMITS;
	struct limit *slots = count <= MAX_LIMITS ? calloc(count, sizeof(*slots)) : NULL;

	if (!slots)
		return false;
	for (uint32_t i = 0; i < limits->count; i++) {
		if (limits->slots[i].object)
			*slot_of(slots, count, limits->slots[i].object - 1) = limits->slots[i];
	}
	free(limits->slots);
	limits->slots = slots;
	limits->count = count;
	return true;
}

/* The buffer around @start uses [from, to), addresses. */
static void set_limit(struct propagation *prop, uint64_t start, uint64_t from, uint64_t to)
{
	uint32_t object = hf_extents_find(prop->extents, start);

	if (object == HF_NO_OBJECT)
		return;
	uint64_t base = hf_extents_address(prop->extents, object);
	uint64_t end = base + hf_extents_usable(prop->extents, object);
	if (from < base || to < from || to > end)
		return;
	if (!prop->limits)
		prop->limits = calloc(1, sizeof(*prop->limits));
	if (!prop->limits || (prop->limits->used * 2 >= prop->limits->count && !grow(prop->limits)))
		return;
	struct limit *limit = slot_of(prop->limits->slots, prop->limits->count, object);
	prop->limits->used += limit->object == 0;
	*limit = (struct limit){.object = object + 1, .from = from - base, .to = to - base};
}

static void note_container(struct propagation *prop, const struct container *container,
			   const uint8_t *data)
{
	const struct stdlib_shape *shape = &container->shape;
	uint64_t words[4] = {0};

	if (shape->kind != STDLIB_VECTOR && shape->kind != STDLIB_DEQUE &&
	    shape->kind != STDLIB_SIZED_DEQUE)
		return;
	for (int i = 0; i < 4; i++)
		words[i] = hf_image_word_at(prop->image, data + shape->words[i]);
	if (shape->kind == STDLIB_VECTOR && words[1] != words[2])
		set_limit(prop, words[0], words[0], words[1]);
	else if (shape->kind == STDLIB_SIZED_DEQUE && words[0])
		set_limit(prop, words[0], words[1], words[2]);
	else if (shape->kind == STDLIB_DEQUE && words[0])
		set_limit(prop, words[0], words[2], words[3] + prop->image->word_bytes);
}

void propagation_note_limits(struct propagation *prop, const struct layout *layout,
			     const uint8_t *data, uint64_t available)
{
	for (uint32_t i = 0; i < layout->container_count; i++) {
		const struct container *container = &layout->containers[i];
		uint64_t at = container->offset;
		uint64_t size = hf_ctype_get(prop->symbols, container->ctype)->size;
		for (uint64_t n = 0; n < container->count && at + size <= available;
		     n++, at += container->stride) {
			note_container(prop, container, data + at);
			if (container->stride == 0)
				break;
		}
	}
}

void propagation_limit(const struct propagation *prop, uint32_t object, uint64_t *from,
		       uint64_t *to)
{
	if (!prop->limits || !prop->limits->count)
		return;
	const struct limit *limit = slot_of(prop->limits->slots, prop->limits->count, object);
	if (!limit->object || limit->from < *from || limit->to > *to)
		return;
	*from = limit->from;
	*to = limit->to;
}
