/*
 * cpython.h - private to the files that know CPython's objects: its classes, and an object by them.
 */
#ifndef HF_HEAPWALK_TYPING_CPYTHON_H
#define HF_HEAPWALK_TYPING_CPYTHON_H

#include "heapwalk/pymalloc/python.h"
#include "heapwalk/typing/runtime.h"

/* Of PyTypeObject.tp_flags. */
enum {
	FLAG_HAVE_GC = 1 << 14,
	FLAG_LIST_SUBCLASS = 1 << 25,
	FLAG_DICT_SUBCLASS = 1 << 29,
};
#define FLAG_TYPE_SUBCLASS (1u << 31)

struct class_slot {
	uint64_t address; /* of the type object; 0: free */
	uint32_t type;	  /* TYPE_NONE: no type object */
	uint32_t basicsize;
	uint32_t flags;
};

struct cpython {
	struct hf_typing *typing;
	const struct hf_image *image;
	struct hf_python runtime;
	struct class_slot *slots;
	uint32_t count, used;
};

/* The class at @address, which need not be one: then its type is TYPE_NONE. */
struct class_slot cpython_class(struct cpython *python, uint64_t address);

/* The type of the object at @at of a block, TYPE_NONE if there is none. */
uint32_t cpython_object_at(struct cpython *python, const uint8_t *data, uint64_t bytes,
			   uint64_t at);

/* cpython_owned.c: @object has CPython's type @type: type what it owns. */
void cpython_spread(void *state, uint32_t object, uint32_t type);

#endif
