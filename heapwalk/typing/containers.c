/*
 * containers.c - the C++ library's containers, wherever a type says that one is: how many
 * elements, how much room, what their blocks cost (see typing.h).
 *
 * A container's words are believed only if they agree with the heap: its buffer is a block that
 * is big enough, its number of elements could be there. A vector that was moved from, or is not
 * constructed yet, is empty or passed over.
 */
#include <stdlib.h>

#include "core/base/cleanup.h"
#include "heapwalk/typing/propagate.h"

enum {
	DEQUE_NODE = 512,    /* bytes of a node: libstdc++ */
	SIZED_NODE = 4096,   /* libc++ */
	SHORT_CAPACITY = 22, /* libc++ */
	MAX_ELEMENTS_BITS = 40,
};

struct walk {
	struct propagation prop;
	hf_container_fn *fn;
	void *ctx;
};

/* The block around @address; false: none, or @needs more bytes from there on. */
static bool block_at(const struct walk *walk, uint64_t address, uint64_t needs, uint64_t *ret_chunk)
{
	const struct hf_extents *extents = walk->prop.extents;
	uint32_t object = hf_extents_find(extents, address);

	if (object == HF_NO_OBJECT)
		return false;
	uint64_t end = hf_extents_address(extents, object) + hf_extents_usable(extents, object);
	*ret_chunk = hf_extents_chunk_bytes(extents, object);
	return end - address >= needs;
}

static uint64_t element_size(const struct walk *walk, uint32_t ctype)
{
	uint32_t element = hf_ctype_argument(walk->prop.symbols, ctype, 0);
	return hf_ctype_get(walk->prop.symbols, element)->size;
}

/* [start, finish) used of [start, end). */
static bool measure_vector(const struct walk *walk, const uint64_t words[STDLIB_WORDS],
			   struct hf_container *ret)
{
	uint64_t size = ret->kind == HF_CONTAINER_BITS ? 0 : element_size(walk, ret->ctype);
	uint64_t used = words[1] - words[0], room = words[2] - words[0], chunk = 0;

	if (words[0] == 0)
		return words[1] == 0 && words[2] == 0;
	if (words[1] < words[0] || words[2] < words[1] || !block_at(walk, words[0], room, &chunk))
		return false;
	ret->elements = size ? used / size : ret->kind == HF_CONTAINER_BITS ? used * 8 : used;
	ret->capacity = size ? room / size : ret->kind == HF_CONTAINER_BITS ? room * 8 : room;
	ret->bytes = chunk;
	ret->unused_bytes = room - used;
	return true;
}

static bool measure_string(const struct walk *walk, const uint64_t words[STDLIB_WORDS],
			   uint64_t address, struct hf_container *ret)
{
	uint64_t chunk = 0, bytes = hf_ctype_get(walk->prop.symbols, ret->ctype)->size;

	ret->elements = words[1];
	ret->capacity = words[2];
	if (words[0] - address < bytes) { /* in the string itself */
		ret->capacity = 15;
		return words[1] < 16;
	}
	if (words[1] > words[2] || words[2] >> MAX_ELEMENTS_BITS ||
	    !block_at(walk, words[0], words[2] + 1, &chunk))
		return false;
	ret->bytes = chunk;
	ret->unused_bytes = words[2] - words[1];
	return true;
}

/* libc++: a short one has twice its length in the byte where a long one has an odd capacity. */
static bool measure_short_string(const struct walk *walk, const uint64_t words[STDLIB_WORDS],
				 uint8_t first, struct hf_container *ret)
{
	uint64_t chunk = 0, capacity = words[2] & ~UINT64_C(1);

	ret->elements = first / 2;
	ret->capacity = SHORT_CAPACITY;
	if (!(first & 1))
		return ret->elements <= SHORT_CAPACITY;
	ret->elements = words[1];
	ret->capacity = capacity;
	if (words[1] >= capacity || capacity >> MAX_ELEMENTS_BITS ||
	    !block_at(walk, words[0], capacity, &chunk))
		return false;
	ret->bytes = chunk;
	ret->unused_bytes = capacity - words[1];
	return true;
}

/* All nodes are as big as the first, whose address is at @map. */
static uint64_t deque_nodes_bytes(const struct walk *walk, uint64_t map, uint64_t nodes)
{
	uint64_t node = 0, chunk = 0;
	return hf_image_word(walk->prop.image, map, &node) && block_at(walk, node, 1, &chunk)
		   ? nodes * chunk
		   : 0;
}

static bool measure_deque(const struct walk *walk, const uint64_t words[STDLIB_WORDS],
			  struct hf_container *ret)
{
	uint64_t chunk = 0, size = element_size(walk, ret->ctype);

	if (words[0] == 0)
		return true;
	if (words[1] >> MAX_ELEMENTS_BITS || words[3] < words[2] || words[5] < words[4] ||
	    words[6] < words[7] || size == 0 || !block_at(walk, words[0], words[1] * 8, &chunk))
		return false;
	uint64_t nodes = (words[3] - words[2]) / 8 + 1;
	uint64_t each = size < DEQUE_NODE ? DEQUE_NODE / size : 1;
	if (nodes > words[1] || (words[5] - words[4]) / size > each ||
	    (words[6] - words[7]) / size > each)
		return false;
	ret->capacity = nodes * each;
	/* Its first node from the start on, its last to the finish, all between. */
	ret->elements = nodes == 1 ? (words[6] - words[4]) / size
				   : (nodes - 2) * each + (words[5] - words[4]) / size +
					 (words[6] - words[7]) / size;
	ret->unused_bytes = (ret->capacity - ret->elements) * size;
	ret->bytes = chunk + deque_nodes_bytes(walk, words[2], nodes);
	return true;
}

static bool measure_sized_deque(const struct walk *walk, const uint64_t words[STDLIB_WORDS],
				struct hf_container *ret)
{
	uint64_t chunk = 0, size = element_size(walk, ret->ctype);

	if (words[0] == 0)
		return true;
	if (words[2] < words[1] || size == 0 || words[3] >> MAX_ELEMENTS_BITS ||
	    words[1] < words[0] || !block_at(walk, words[0], words[2] - words[0], &chunk))
		return false;
	uint64_t nodes = (words[2] - words[1]) / 8;
	ret->capacity = nodes * (size < SIZED_NODE / 16 ? SIZED_NODE / size : 16);
	ret->elements = words[3];
	if (ret->elements > ret->capacity)
		return false;
	ret->unused_bytes = (ret->capacity - ret->elements) * size;
	ret->bytes = chunk + deque_nodes_bytes(walk, words[1], nodes);
	return true;
}

/* @count nodes, the first of them at @node; @buckets words beside them. */
static bool measure_nodes(const struct walk *walk, uint64_t node, uint64_t count, uint64_t buckets,
			  uint64_t table, struct hf_container *ret)
{
	uint64_t chunk = 0, table_chunk = 0;

	if (count >> MAX_ELEMENTS_BITS || buckets >> MAX_ELEMENTS_BITS)
		return false;
	if (count && !block_at(walk, node, 1, &chunk))
		return false;
	if (buckets > 1 && !block_at(walk, table, buckets * 8, &table_chunk))
		return false;
	ret->elements = count;
	ret->capacity = buckets;
	ret->bytes = count * chunk + table_chunk;
	ret->unused_bytes = buckets > count ? (buckets - count) * 8 : 0;
	return true;
}

static bool measure(const struct walk *walk, const struct container *container, const uint8_t *data,
		    uint64_t address, struct hf_container *ret)
{
	const struct stdlib_shape *shape = &container->shape;
	uint64_t words[STDLIB_WORDS];

	for (int i = 0; i < STDLIB_WORDS; i++)
		words[i] = hf_image_word_at(walk->prop.image, data + shape->words[i]);
	switch ((enum stdlib_kind)shape->kind) {
	case STDLIB_VECTOR:
	case STDLIB_BITS:
		return measure_vector(walk, words, ret);
	case STDLIB_STRING:
		return measure_string(walk, words, address, ret);
	case STDLIB_SHORT_STRING:
		return measure_short_string(walk, words, data[shape->words[2]], ret);
	case STDLIB_DEQUE:
		return measure_deque(walk, words, ret);
	case STDLIB_SIZED_DEQUE:
		return measure_sized_deque(walk, words, ret);
	case STDLIB_LIST:
		return measure_nodes(walk, words[0], words[2], 0, 0, ret);
	case STDLIB_TREE:
		return measure_nodes(walk, words[0], words[1], 0, 0, ret);
	case STDLIB_HASH:
		return measure_nodes(walk, words[2], words[3], words[1], words[0], ret);
	case STDLIB_FORWARD_LIST: /* it keeps no count */
	case STDLIB_NONE:
	case STDLIB_KINDS:
		break;
	}
	return false;
}

static enum hf_container_kind kind_of(enum stdlib_kind kind)
{
	static const uint8_t kinds[STDLIB_KINDS] = {
	    [STDLIB_VECTOR] = HF_CONTAINER_VECTOR,	 [STDLIB_BITS] = HF_CONTAINER_BITS,
	    [STDLIB_STRING] = HF_CONTAINER_STRING,	 [STDLIB_DEQUE] = HF_CONTAINER_DEQUE,
	    [STDLIB_SHORT_STRING] = HF_CONTAINER_STRING, [STDLIB_SIZED_DEQUE] = HF_CONTAINER_DEQUE,
	    [STDLIB_LIST] = HF_CONTAINER_NODES,		 [STDLIB_FORWARD_LIST] = HF_CONTAINER_NODES,
	    [STDLIB_TREE] = HF_CONTAINER_NODES,		 [STDLIB_HASH] = HF_CONTAINER_HASH,
	};
	return (enum hf_container_kind)kinds[kind];
}

static void each_in_element(struct walk *walk, const struct layout *layout, const uint8_t *data,
			    uint64_t address, uint64_t available)
{
	for (uint32_t i = 0; i < layout->container_count; i++) {
		const struct container *container = &layout->containers[i];
		uint64_t at = container->offset;
		uint64_t size = hf_ctype_get(walk->prop.symbols, container->ctype)->size;
		for (uint64_t n = 0; n < container->count && at + size <= available;
		     n++, at += container->stride) {
			struct hf_container found = {
			    .kind = (uint8_t)kind_of((enum stdlib_kind)container->shape.kind),
			    .ctype = container->ctype,
			    .address = address + at,
			};
			if (measure(walk, container, data + at, address + at, &found))
				walk->fn(walk->ctx, &found);
			if (container->stride == 0)
				break;
		}
	}
}

static void each_in_memory(void *ctx, const struct typed_memory *memory)
{
	struct walk *walk = ctx;
	uint64_t available = 0, size = memory->layout->size;
	HF_AUTO(free_ptr)
	uint8_t *copy = NULL;

	if (!memory->layout->container_count)
		return;
	const uint8_t *data = propagation_whole(&walk->prop, memory, &available, &copy);
	for (uint64_t i = 0; data && i < memory->count && (i + 1) * size <= available; i++)
		each_in_element(walk, memory->layout, data + i * size, memory->address + i * size,
				size);
}

void hf_typing_each_container(struct hf_typing *typing, hf_container_fn *fn, void *ctx)
{
	struct walk walk = {.fn = fn, .ctx = ctx};

	propagation_init(&walk.prop, typing);
	for (uint32_t id = 0; id < hf_extents_count(typing->extents); id++) {
		struct typed_memory memory;
		uint32_t ctype = hf_typing_type(typing, packed_type(typing->of[id]))->ctype;
		if (ctype && layout_of(typing->layouts, ctype)->container_count &&
		    propagation_memory_of(&walk.prop, id, &memory))
			each_in_memory(&walk, &memory);
	}
	propagation_each_root(&walk.prop, each_in_memory, &walk);
}
