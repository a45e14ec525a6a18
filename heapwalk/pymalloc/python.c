/*
 * python.c - CPython's types, and pointers past hidden heads (see python.h).
 *
 * Attributes that have no dict (3.11 and 3.12) stand behind a prefix of bytes, the last of which
 * is the prefix's own length; 3.12 points at that byte, so that its pointer is odd:
 *
 *	block:	[ ..., order of the attributes, used, prefix ] [ value, value, ... ]
 *		 <----------- prefix = values + 2, rounded up to 8 ----------->
 */
#include "heapwalk/pymalloc/python.h"

#include <string.h>

enum {
	OB_TYPE = 8,
	TP_FLAGS = 168,
	FLAG_HAVE_GC = 1 << 14,
	MAX_METACLASSES = 4,
	MAX_PREFIX = 256,
	GRANULE = 16,
};

#define MAX_REFERENCES UINT64_C(0x1ffffffff) /* immortal ones included */

void hf_python_find(const struct hf_process *process, const struct hf_symbols *symbols,
		    struct hf_python *ret)
{
	uint64_t address = 0, size = 0, own = 0;

	*ret = (struct hf_python){.image = &process->image};
	if (process->image.word_bytes != 8)
		return;
	for (uint32_t i = 0; i < process->modules.count && !address; i++) {
		if (!hf_symbols_find(symbols, i, "PyType_Type", &address, &size))
			address = 0;
	}
	if (address && hf_image_word(&process->image, address + OB_TYPE, &own) && own == address)
		ret->type_type = address;
}

static bool is_debug_head(const uint8_t *data)
{
	static const uint8_t pad[] = {0xfd, 0xfd, 0xfd, 0xfd, 0xfd, 0xfd, 0xfd};
	return data[8] && strchr("omr", data[8]) && !memcmp(data + 9, pad, sizeof(pad));
}

uint32_t hf_python_debug_head(const uint8_t *data, uint64_t bytes)
{
	uint32_t head = 0;

	while (head < HF_PYTHON_DEBUG_HEADS && bytes >= head + HF_PYTHON_DEBUG_HEAD &&
	       is_debug_head(data + head))
		head += HF_PYTHON_DEBUG_HEAD;
	return head;
}

bool hf_python_is_type(const struct hf_python *python, uint64_t address)
{
	uint64_t meta = 0;

	for (int i = 0; i < MAX_METACLASSES; i++) {
		if (address % 8 || !hf_image_word(python->image, address + OB_TYPE, &meta))
			return false;
		if (meta == python->type_type)
			return true;
		address = meta;
	}
	return false;
}

bool hf_python_is_object(const struct hf_python *python, uint64_t address, uint64_t *ret_class)
{
	uint64_t references = 0;

	return hf_image_word(python->image, address, &references) && references <= MAX_REFERENCES &&
	       hf_image_word(python->image, address + OB_TYPE, ret_class) && *ret_class >= 4096 &&
	       hf_python_is_type(python, *ret_class);
}

/* Attributes at @values of a block, by the prefix in front and the size of both. */
static bool is_attributes(const struct hf_python *python, uint64_t block, uint64_t usable,
			  uint64_t values)
{
	uint64_t prefix = values - block;
	uint8_t told = 0;

	if (prefix % 8 || prefix < 8 || prefix >= MAX_PREFIX ||
	    !hf_image_read(python->image, values - 1, &told, 1) || told != prefix)
		return false;
	uint64_t most = prefix + (prefix - 2) * 8;
	uint64_t least = prefix > 9 ? prefix + (prefix - 9) * 8 : prefix;
	return usable >= least && usable < most + 2 * GRANULE;
}

bool hf_python_is_start(const struct hf_python *python, uint64_t block, uint64_t usable,
			uint64_t value)
{
	uint8_t first[HF_PYTHON_DEBUG_HEADS];
	uint64_t class = 0, flags = 0;

	if (usable > sizeof(first) && hf_image_read(python->image, block, first, sizeof(first))) {
		uint32_t head = hf_python_debug_head(first, sizeof(first));
		block += head;
		usable -= head;
		if (head && value <= block)
			return value == block;
	}
	uint64_t offset = value - block;
	if (offset == HF_PYTHON_GC_HEAD || offset == HF_PYTHON_MANAGED_HEAD) {
		if (hf_python_is_object(python, value, &class) &&
		    hf_image_word(python->image, class + TP_FLAGS, &flags) &&
		    (flags & FLAG_HAVE_GC))
			return true;
	}
	return is_attributes(python, block, usable, value + value % 2);
}
