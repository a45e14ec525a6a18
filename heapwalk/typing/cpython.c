/*
 * cpython.c - CPython's objects by their ob_type (64-bit CPython 3.8 and later).
 *
 *	block:	[values, dict]  [gc.next, gc.prev]  ob_refcnt, ob_type, ...
 *		 managed dict    if the type has GC  PyObject
 *
 * ob_type leads to a type object: its own type is PyType_Type (an exported symbol), or a
 * metaclass whose type is. Its tp_name is the name; tp_basicsize must fit the block, and
 * Py_TPFLAGS_HAVE_GC must agree with where the object stands in it. A reference count is a small
 * number, which no pointer is: arrays of types are not taken for objects.
 *
 * PyTypeObject (all versions): tp_name +24, tp_basicsize +32, tp_flags +168.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "heapwalk/pymalloc/python.h"
#include "heapwalk/typing/runtime.h"

enum {
	TP_NAME = 24,
	TP_BASICSIZE = 32,
	TP_FLAGS = 168,
	FLAG_HAVE_GC = 1 << 14,
	MIN_STR = 40,
	MAX_NAME = 200,
	MAX_CLASSES = 1 << 20,
	MAX_BASICSIZE = 1 << 20,
	MAX_DEQUE_BLOCKS = 1 << 24,
	DEQUE_RIGHT = 65 * 8, /* of a block: left link, 64 items, right link */
};

#define MAX_REFERENCES UINT64_C(0x1ffffffff) /* immortal ones included */

/* What a builtin type's objects own, by pointers at these offsets in the PyObject. */
static const struct owned {
	const char *type;
	uint16_t offset;
	const char *name;
} owned[] = {
    {"Python dict", 32, "Python dict keys"},
    {"Python dict", 40, "Python dict values"},
    {"Python collections.OrderedDict", 32, "Python dict keys"},
    {"Python collections.defaultdict", 32, "Python dict keys"},
    {"Python list", 24, "Python list items"},
    {"Python set", 40, "Python set table"},
    {"Python frozenset", 40, "Python set table"},
    {"Python bytearray", 32, "Python bytearray data"},
    {"Python collections.deque", 24, "Python deque block"},
    {"Python array.array", 24, "Python array data"},
};

struct class_slot {
	uint64_t address; /* of the type object; 0: free */
	uint32_t type;	  /* TYPE_NONE: no type object */
	uint32_t basicsize;
	bool has_gc;
};

struct cpython {
	struct hf_typing *typing;
	const struct hf_image *image;
	struct hf_python runtime;
	struct class_slot *slots;
	uint32_t count, used;
};

static void cpython_close(void *state)
{
	struct cpython *python = state;
	free(python->slots);
	free(python);
}

static struct hf_error *cpython_open(struct hf_typing *typing, void **ret)
{
	struct hf_python runtime;

	hf_python_find(typing->process, typing->symbols, &runtime);
	if (!runtime.type_type)
		return NULL;
	struct cpython *python = calloc(1, sizeof(*python));
	if (!python)
		return hf_error_nomem();
	python->typing = typing;
	python->image = runtime.image;
	python->runtime = runtime;
	python->count = 1024;
	python->slots = calloc(python->count, sizeof(*python->slots));
	if (!python->slots) {
		free(python);
		return hf_error_nomem();
	}
	*ret = python;
	return NULL;
}

/* ---- type objects -----------------------------------------------------------------------------
 */

static bool is_name(const char *name)
{
	size_t length = strlen(name);
	return length && typing_text_length((const uint8_t *)name, length) == length;
}

static void read_class(const struct cpython *python, struct class_slot *slot)
{
	uint64_t name = 0, size = 0, flags = 0;
	char text[MAX_NAME], full[MAX_NAME + 16];

	slot->type = TYPE_NONE;
	if (!hf_python_is_type(&python->runtime, slot->address) ||
	    !hf_image_word(python->image, slot->address + TP_NAME, &name) ||
	    !hf_image_word(python->image, slot->address + TP_BASICSIZE, &size) ||
	    !hf_image_word(python->image, slot->address + TP_FLAGS, &flags) || size < 16 ||
	    size > MAX_BASICSIZE || !hf_image_string(python->image, name, text, sizeof(text)) ||
	    !is_name(text))
		return;
	snprintf(full, sizeof(full), "Python %s", text);
	slot->type = typing_intern(python->typing, HF_TYPE_RUNTIME, full, size);
	/* A str is usually its header and the characters, less than the whole structure. */
	slot->basicsize = strcmp(text, "str") ? (uint32_t)size : MIN_STR;
	slot->has_gc = (flags & FLAG_HAVE_GC) != 0;
}

static struct class_slot *slot_of(struct class_slot *slots, uint32_t count, uint64_t address)
{
	uint32_t at = (uint32_t)((address * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & (count - 1);
	while (slots[at].address && slots[at].address != address)
		at = (at + 1) & (count - 1);
	return &slots[at];
}

static bool grow(struct cpython *python)
{
	uint32_t count = python->count * 2;
	struct class_slot *slots = count <= MAX_CLASSES ? calloc(count, sizeof(*slots)) : NULL;

	if (!slots)
		return false;
	for (uint32_t i = 0; i < python->count; i++) {
		if (python->slots[i].address)
			*slot_of(slots, count, python->slots[i].address) = python->slots[i];
	}
	free(python->slots);
	python->slots = slots;
	python->count = count;
	return true;
}

static struct class_slot class_at(struct cpython *python, uint64_t address)
{
	struct class_slot *slot = slot_of(python->slots, python->count, address);

	if (slot->address)
		return *slot;
	struct class_slot made = {.address = address};
	read_class(python, &made);
	if (python->used * 2 >= python->count) {
		if (!grow(python))
			return made;
		slot = slot_of(python->slots, python->count, address);
	}
	*slot = made;
	python->used++;
	return made;
}

/* ---- objects ----------------------------------------------------------------------------------
 */

/* Of an object that CPython keeps for later: its count is zero, its type still there. */
static uint32_t kept_type(struct cpython *python, uint32_t type)
{
	const struct hf_type *of = &python->typing->types.data[type];
	char name[MAX_NAME + 32];

	snprintf(name, sizeof(name), "%s, in a free list", of->name);
	return typing_intern(python->typing, HF_TYPE_RUNTIME, name, of->size);
}

/* The object at @at of a block. */
static uint32_t object_at(struct cpython *python, const uint8_t *data, uint64_t bytes, uint64_t at)
{
	if (at + 16 > bytes)
		return TYPE_NONE;
	uint64_t references = hf_image_word_at(python->image, data + at);
	uint64_t class = hf_image_word_at(python->image, data + at + 8);
	if (references > MAX_REFERENCES || class < 4096 || class % 8)
		return TYPE_NONE;
	struct class_slot slot = class_at(python, class);
	if (slot.type == TYPE_NONE || slot.has_gc != (at != 0) || at + slot.basicsize > bytes)
		return TYPE_NONE;
	return references ? slot.type : kept_type(python, slot.type);
}

static uint32_t cpython_type_of(void *state, const uint8_t *data, uint64_t bytes)
{
	uint32_t type = object_at(state, data, bytes, 0);
	if (type == TYPE_NONE)
		type = object_at(state, data, bytes, HF_PYTHON_GC_HEAD);
	if (type == TYPE_NONE)
		type = object_at(state, data, bytes, HF_PYTHON_MANAGED_HEAD);
	return type;
}

/* ---- what they own ----------------------------------------------------------------------------
 */

/* The block around @address, if it has no type yet, is of that name. */
static bool own(struct cpython *python, uint64_t address, const char *name)
{
	struct hf_typing *typing = python->typing;
	uint32_t object = hf_extents_find(typing->extents, address);

	if (object == HF_NO_OBJECT || typing->of[object] != TYPE_NONE)
		return false;
	uint32_t type = typing_intern(typing, HF_TYPE_RUNTIME, name, 0);
	if (type == TYPE_NONE)
		return false;
	typing->of[object] = type_pack(type, HF_TYPE_RUNTIME, RANK_SURE);
	return true;
}

static void own_deque(struct cpython *python, uint64_t block)
{
	uint64_t next = block;
	for (int i = 0; i < MAX_DEQUE_BLOCKS && own(python, block, "Python deque block"); i++) {
		if (!hf_image_word(python->image, block + DEQUE_RIGHT, &next))
			return;
		block = next;
	}
}

static void cpython_spread(void *state, uint32_t object, uint32_t type)
{
	struct cpython *python = state;
	struct hf_typing *typing = python->typing;
	const char *name = typing->types.data[type].name;
	uint64_t bytes = 0, base = hf_extents_address(typing->extents, object), value = 0;
	const uint8_t *data = typing_bytes(typing, object, &bytes);
	uint64_t at = 0;

	while (data && at <= HF_PYTHON_MANAGED_HEAD && object_at(python, data, bytes, at) != type)
		at += HF_PYTHON_GC_HEAD;
	if (!data || at > HF_PYTHON_MANAGED_HEAD)
		return;
	for (size_t i = 0; i < sizeof(owned) / sizeof(owned[0]); i++) {
		if (strcmp(name, owned[i].type) ||
		    !hf_image_word(python->image, base + at + owned[i].offset, &value))
			continue;
		if (!strcmp(owned[i].name, "Python deque block"))
			own_deque(python, value);
		else
			own(python, value, owned[i].name);
	}
	/* Attributes that have no dict yet: 3.11 points at them first, later versions tag it. */
	if (at == HF_PYTHON_MANAGED_HEAD && hf_image_word(python->image, base, &value))
		own(python, value, "Python attribute values");
}

const struct typing_runtime typing_cpython = {
    "CPython", cpython_open, cpython_type_of, cpython_spread, cpython_close,
};
