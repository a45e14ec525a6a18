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

#include "heapwalk/typing/cpython.h"

enum {
	TP_NAME = 24,
	TP_BASICSIZE = 32,
	TP_FLAGS = 168,
	MIN_STR = 40,
	MAX_NAME = 200,
	MAX_CLASSES = 1 << 20,
	MAX_BASICSIZE = 1 << 20,
};

#define MAX_REFERENCES UINT64_C(0x1ffffffff) /* immortal ones included */

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

/* ---- type objects ---------------------------------------------------------------------------- */

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
	slot->flags = (uint32_t)flags;
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

struct class_slot cpython_class(struct cpython *python, uint64_t address)
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

/* ---- objects --------------------------------------------------------------------------------- */

/* Of an object that CPython keeps for later: its count is zero, its type still there. */
static uint32_t kept_type(struct cpython *python, uint32_t type)
{
	const struct hf_type *of = &python->typing->types.data[type];
	char name[MAX_NAME + 32];

	snprintf(name, sizeof(name), "%s, in a free list", of->name);
	return typing_intern(python->typing, HF_TYPE_RUNTIME, name, of->size);
}

uint32_t cpython_object_at(struct cpython *python, const uint8_t *data, uint64_t bytes, uint64_t at)
{
	if (at + 16 > bytes)
		return TYPE_NONE;
	uint64_t references = hf_image_word_at(python->image, data + at);
	uint64_t class = hf_image_word_at(python->image, data + at + 8);
	if (references > MAX_REFERENCES || class < 4096 || class % 8)
		return TYPE_NONE;
	struct class_slot slot = cpython_class(python, class);
	if (slot.type == TYPE_NONE || ((slot.flags & FLAG_HAVE_GC) != 0) != (at != 0) ||
	    at + slot.basicsize > bytes)
		return TYPE_NONE;
	return references ? slot.type : kept_type(python, slot.type);
}

static uint32_t cpython_type_of(void *state, uint32_t object, const uint8_t *data, uint64_t bytes)
{
	uint32_t head = hf_python_debug_head(data, bytes);

	(void)object;
	data += head;
	bytes -= head;
	uint32_t type = cpython_object_at(state, data, bytes, 0);
	if (type == TYPE_NONE)
		type = cpython_object_at(state, data, bytes, HF_PYTHON_GC_HEAD);
	if (type == TYPE_NONE)
		type = cpython_object_at(state, data, bytes, HF_PYTHON_MANAGED_HEAD);
	return type;
}

const struct typing_runtime typing_cpython = {
    .name = "CPython",
    .open = cpython_open,
    .type_of = cpython_type_of,
    .spread = cpython_spread,
    .close = cpython_close,
};
