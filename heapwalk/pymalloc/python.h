/*
 * python.h - CPython in a process: where its types are, and which pointers into a block are, for
 * CPython, pointers to the block (64-bit CPython 3.8 and later).
 *
 *	block:	[debug head] [attributes] [gc.next, gc.prev]  ob_refcnt, ob_type, ...
 *				   3.11 on      if the type has GC ^ what everybody holds
 *
 * The debug head is there with PYTHONMALLOC=debug and -X dev: size, 'o', 'm' or 'r', 7 x 0xfd. What
 * is too big for pymalloc has two: that of the raw allocator before its own.
 */
#ifndef HF_HEAPWALK_PYMALLOC_PYTHON_H
#define HF_HEAPWALK_PYMALLOC_PYTHON_H

#include "core/process/process.h"
#include "core/symbols/symbols.h"

enum {
	HF_PYTHON_GC_HEAD = 16,
	HF_PYTHON_MANAGED_HEAD = 32,
	HF_PYTHON_DEBUG_HEAD = 16,
	HF_PYTHON_DEBUG_HEADS = 32
};

struct hf_python {
	const struct hf_image *image;
	uint64_t type_type; /* &PyType_Type; 0: no CPython is here */
};

void hf_python_find(const struct hf_process *process, const struct hf_symbols *symbols,
		    struct hf_python *ret);

/* Bytes of the debug heads that a block with these first @bytes has. */
uint32_t hf_python_debug_head(const uint8_t *data, uint64_t bytes);

/* Is there a type object at @address: one whose type is PyType_Type, or a metaclass of it? */
bool hf_python_is_type(const struct hf_python *python, uint64_t address);

/*
 * Is there an object's reference count and type at @address? *@ret_class gets the type. Those
 * that CPython keeps for later, in its free lists, have a count of zero.
 */
bool hf_python_is_object(const struct hf_python *python, uint64_t address, uint64_t *ret_class);

/*
 * Does CPython hold the block at @block by @value, which leads into it: to an object behind its
 * hidden heads, or to attributes behind the bytes that tell their order?
 */
bool hf_python_is_start(const struct hf_python *python, uint64_t block, uint64_t usable,
			uint64_t value);

#endif
