/*
 * shapes.c - text, and the shapes of what nothing else told: size class and what is in it.
 *
 *	text                 printable to its end, no pointers
 *	48 B with pointers   some words point into the heap
 *	1 KiB pointer array  at least half of at least 8 words do
 *	48 B data, 48 B zeros
 *
 * Sizes up to 1 KiB stand for themselves, greater ones for their power of two, so that a
 * histogram has few rows and like stays with like.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "heapwalk/typing/private.h"

enum shape { SHAPE_ZEROS, SHAPE_DATA, SHAPE_POINTERS, SHAPE_ARRAY, SHAPES };

enum {
	EXACT_BYTES = 1024, /* sizes up to here are told exactly, in steps of a 32-bit word */
	STEP = 4,
	EXACT_CLASSES = EXACT_BYTES / STEP + 1,
	CLASSES = EXACT_CLASSES + 64,
	MIN_ARRAY_WORDS = 8,
	MIN_TEXT = 4,
	MALLOC_SLACK = 24,	  /* what malloc may add behind a string */
	MAX_ZERO_CHECK = 1 << 16, /* bytes that are looked at */
};

_Static_assert(TYPING_SHAPES == CLASSES * SHAPES, "a shape is a class of sizes and what is in it");

/* Length of the UTF-8 sequence at @data, 0 if it is none. */
static unsigned utf8_length(const uint8_t *data, uint64_t bytes)
{
	unsigned length = data[0] >= 0xc2 && data[0] < 0xe0   ? 2
			  : data[0] >= 0xe0 && data[0] < 0xf0 ? 3
			  : data[0] >= 0xf0 && data[0] < 0xf5 ? 4
							      : 0;
	if (length == 0 || length > bytes)
		return 0;
	for (unsigned i = 1; i < length; i++) {
		if ((data[i] & 0xc0) != 0x80)
			return 0;
	}
	return length;
}

uint64_t typing_text_length(const uint8_t *data, uint64_t bytes)
{
	uint64_t at = 0;
	while (at < bytes) {
		if ((data[at] >= 0x20 && data[at] < 0x7f) || data[at] == '\n' || data[at] == '\t' ||
		    data[at] == '\r') {
			at++;
			continue;
		}
		unsigned length = data[at] >= 0x80 ? utf8_length(data + at, bytes - at) : 0;
		if (length == 0)
			break;
		at += length;
	}
	return at;
}

bool typing_is_address(const struct hf_process *process, const uint8_t *data, uint64_t length)
{
	if (length >= process->image.word_bytes)
		return false;
	return hf_process_mapping(process, hf_image_word_at(&process->image, data)) != NULL;
}

static bool all_zero(const uint8_t *data, uint64_t bytes)
{
	if (bytes > MAX_ZERO_CHECK)
		bytes = MAX_ZERO_CHECK;
	return bytes == 0 || (data[0] == 0 && !memcmp(data, data + 1, bytes - 1));
}

/* Text to its NUL, and nothing but malloc's slack or zeros behind. */
static bool is_text(const struct hf_process *process, const uint8_t *data, uint64_t bytes)
{
	uint64_t length = typing_text_length(data, bytes);
	if (length < MIN_TEXT || bytes < process->image.word_bytes ||
	    typing_is_address(process, data, length))
		return false;
	if (length == bytes)
		return true;
	if (data[length] != 0)
		return false;
	return bytes - length - 1 <= MALLOC_SLACK || all_zero(data + length, bytes - length);
}

static unsigned class_of(uint64_t bytes)
{
	if (bytes <= EXACT_BYTES)
		return (unsigned)(bytes / STEP);
	return EXACT_CLASSES + 63 - (unsigned)__builtin_clzll(bytes);
}

static void class_name(unsigned class, char *buffer, size_t size)
{
	static const char units[] = "BKMGTPE";
	if (class < EXACT_CLASSES) {
		snprintf(buffer, size, "%u B", class * STEP);
		return;
	}
	unsigned power = class - EXACT_CLASSES;
	snprintf(buffer, size, "%u-%u %ciB", 1u << (power % 10), 2u << (power % 10),
		 units[power / 10]);
}

uint32_t typing_shape_type(struct hf_typing *typing, unsigned shape)
{
	static const char *const names[SHAPES] = {"zeros", "data", "with pointers",
						  "pointer array"};
	char size[32], name[64];

	if (shape == TYPING_TEXT)
		return typing_intern(typing, HF_TYPE_STRING, "text", 0);
	class_name(shape / SHAPES, size, sizeof(size));
	snprintf(name, sizeof(name), "%s %s", size, names[shape % SHAPES]);
	return typing_intern(typing, HF_TYPE_SHAPE, name, 0);
}

unsigned typing_shape_of(const struct hf_typing *typing, uint32_t object, uint64_t usable,
			 const uint8_t *data, uint64_t bytes)
{
	const uint32_t *targets;
	uint64_t edges = hf_graph_out(typing->graph, object, &targets);
	uint64_t words = bytes >> __builtin_ctz(typing->process->image.word_bytes);
	enum shape shape = SHAPE_DATA;

	if (edges == 0 && data && is_text(typing->process, data, bytes))
		return TYPING_TEXT;
	if (edges)
		shape =
		    words >= MIN_ARRAY_WORDS && edges * 2 >= words ? SHAPE_ARRAY : SHAPE_POINTERS;
	else if (data && all_zero(data, bytes))
		shape = SHAPE_ZEROS;
	return class_of(usable) * SHAPES + shape;
}
