/*
 * cpython_owned.c - the blocks that CPython's objects own: tables, items, nodes, attributes.
 *
 * What a builtin type owns stands at a fixed place of it, and of every class made from it. Keys
 * that a class keeps for the attributes of its instances have a place that differs by version;
 * there a pointer counts only if what it leads to is a table of keys to the byte:
 *
 *	3.11 on	  refcnt, log2_size (8 bits), log2_index_bytes (8), ..., usable, nentries, indices,
 *		  entries of 16 or 24 bytes
 *	to 3.10	  refcnt, size, lookup, usable, nentries, indices, entries of 24 bytes
 */
#include <string.h>

#include "heapwalk/typing/cpython.h"

enum {
	DEQUE_RIGHT = 65 * 8, /* of a block: left link, 64 items, right link */
	NODE_NEXT = 16,	      /* of an OrderedDict's node: key, hash, next, previous */
	TYPE_TAIL = 400,      /* of a class: what follows PyTypeObject, in all versions */
	MAX_KEYS_LOG2 = 30,
	BLOCK_SLACK = 24, /* what a block may have behind what was asked for */
};

/* By pointers at these offsets in the PyObject: of a class by its name, or of all with a flag. */
static const struct owned {
	const char *class;
	uint32_t flag;
	uint16_t offset;
	const char *name;
} owned[] = {
    {NULL, FLAG_DICT_SUBCLASS, 32, "Python dict keys"},
    {NULL, FLAG_DICT_SUBCLASS, 40, "Python dict values"},
    {NULL, FLAG_LIST_SUBCLASS, 24, "Python list items"},
    {"Python collections.OrderedDict", 0, 64, "Python OrderedDict index"},
    {"Python set", 0, 40, "Python set table"},
    {"Python frozenset", 0, 40, "Python set table"},
    {"Python bytearray", 0, 32, "Python bytearray data"},
    {"Python array.array", 0, 24, "Python array data"},
};

/* Chains of blocks: from a pointer at @offset of the PyObject, on by one at @next of each. */
static const struct chain {
	const char *class;
	uint16_t offset, next;
	const char *name;
} chains[] = {
    {"Python collections.deque", 24, DEQUE_RIGHT, "Python deque block"},
    {"Python collections.OrderedDict", 48, NODE_NEXT, "Python OrderedDict node"},
};

/* The object that @address leads to as CPython does, if it has no type yet; or HF_NO_OBJECT. */
static uint32_t untyped_at(const struct cpython *python, uint64_t address)
{
	const struct hf_extents *extents = python->typing->extents;
	uint32_t object = hf_extents_find(extents, address);

	if (object == HF_NO_OBJECT || python->typing->of[object] != TYPE_NONE)
		return HF_NO_OBJECT;
	uint64_t start = hf_extents_address(extents, object);
	return start == address || hf_python_is_start(&python->runtime, start,
						      hf_extents_usable(extents, object), address)
		   ? object
		   : HF_NO_OBJECT;
}

static bool own(struct cpython *python, uint64_t address, const char *name)
{
	struct hf_typing *typing = python->typing;
	uint32_t object = untyped_at(python, address);

	if (object == HF_NO_OBJECT)
		return false;
	uint32_t type = typing_intern(typing, HF_TYPE_RUNTIME, name, 0);
	if (type == TYPE_NONE)
		return false;
	typing->of[object] = type_pack(type, HF_TYPE_RUNTIME, RANK_SURE);
	return true;
}

/* Ends where a block has its type already: so that a ring does. */
static void own_chain(struct cpython *python, const struct chain *chain, uint64_t block)
{
	while (own(python, block, chain->name) &&
	       hf_image_word(python->image, block + chain->next, &block))
		;
}

/* ---- keys that a class keeps ----------------------------------------------------------------- */

/* Bytes of a table of keys at @address, by what it says of itself; 0: it is none. */
static uint64_t keys_bytes(const struct hf_image *image, uint64_t address)
{
	uint64_t word = 0, usable = 0, used = 0, size, head, indices, entry = 24;

	if (!hf_image_word(image, address + 8, &word) || word == 0)
		return 0;
	unsigned log2 = word & 0xff, index_log2 = word >> 8 & 0xff, kind = word >> 16 & 0xff;
	if (log2 >= 3 && log2 <= MAX_KEYS_LOG2 && index_log2 >= log2 && index_log2 <= log2 + 3 &&
	    kind <= 2) {
		size = UINT64_C(1) << log2;
		indices = UINT64_C(1) << index_log2;
		entry = kind ? 16 : 24;
		head = 32;
	} else if (word >= 8 && word <= UINT64_C(1) << MAX_KEYS_LOG2 && !(word & (word - 1))) {
		size = word;
		indices = size * (size <= 0xff ? 1 : size <= 0xffff ? 2 : 4);
		head = 40;
	} else {
		return 0;
	}
	if (!hf_image_word(image, address + head - 16, &usable) ||
	    !hf_image_word(image, address + head - 8, &used) || usable > size || used > size ||
	    usable + used > size * 2 / 3)
		return 0;
	return head + indices + size * 2 / 3 * entry;
}

/* Pointers behind a class's PyTypeObject to tables of keys that have just the right size. */
static void own_cached_keys(struct cpython *python, uint64_t class, uint64_t bytes)
{
	uint64_t value = 0;

	for (uint64_t at = TYPE_TAIL; at + 8 <= bytes; at += 8) {
		if (!hf_image_word(python->image, class + at, &value))
			return;
		uint32_t object = untyped_at(python, value);
		uint64_t wanted = object == HF_NO_OBJECT ? 0 : keys_bytes(python->image, value);
		uint64_t usable = wanted ? hf_extents_usable(python->typing->extents, object) : 0;
		if (wanted && usable >= wanted && usable < wanted + BLOCK_SLACK)
			own(python, value, "Python dict keys");
	}
}

/* ---- all of it ------------------------------------------------------------------------------- */

/* Attributes that have no dict: 3.11 points at them first, 3.12 second, and by an odd address. */
static void own_attributes(struct cpython *python, uint64_t block)
{
	uint64_t value = 0;

	if (hf_image_word(python->image, block, &value))
		own(python, value, "Python attribute values");
	if (hf_image_word(python->image, block + 8, &value) && value % 2)
		own(python, value, "Python attribute values");
}

static void own_named(struct cpython *python, const char *name, uint32_t flags, uint64_t object)
{
	uint64_t value = 0;

	for (size_t i = 0; i < sizeof(owned) / sizeof(owned[0]); i++) {
		bool is = owned[i].class ? !strcmp(name, owned[i].class) : flags & owned[i].flag;
		if (is && hf_image_word(python->image, object + owned[i].offset, &value))
			own(python, value, owned[i].name);
	}
	for (size_t i = 0; i < sizeof(chains) / sizeof(chains[0]); i++) {
		if (!strcmp(name, chains[i].class) &&
		    hf_image_word(python->image, object + chains[i].offset, &value))
			own_chain(python, &chains[i], value);
	}
}

void cpython_spread(void *state, uint32_t object, uint32_t type)
{
	struct cpython *python = state;
	struct hf_typing *typing = python->typing;
	uint64_t bytes = 0, base = hf_extents_address(typing->extents, object), at = 0, class = 0;
	const uint8_t *data = typing_bytes(typing, object, &bytes);
	if (!data)
		return;
	uint32_t head = hf_python_debug_head(data, bytes);
	data += head;
	base += head;
	bytes -= head;
	while (at <= HF_PYTHON_MANAGED_HEAD && cpython_object_at(python, data, bytes, at) != type)
		at += HF_PYTHON_GC_HEAD;
	if (at > HF_PYTHON_MANAGED_HEAD ||
	    !hf_python_is_object(&python->runtime, base + at, &class))
		return;
	uint32_t flags = cpython_class(python, class).flags;
	own_named(python, typing->types.data[type].name, flags, base + at);
	if (flags & FLAG_TYPE_SUBCLASS)
		own_cached_keys(python, base + at, bytes - at);
	if (at == HF_PYTHON_MANAGED_HEAD)
		own_attributes(python, base);
}
