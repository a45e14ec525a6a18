/*
 * cursor.h - a bounds-checked reader of untrusted bytes in a given byte order.
 *
 * A read past the end returns 0 and sets `failed`; the cursor then stays where it was, so
 * a parser may read a whole record and test once.
 */
#ifndef HF_CORE_ELF_CURSOR_H
#define HF_CORE_ELF_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hf_cursor {
	const uint8_t *data;
	size_t size, at;
	bool big_endian;
	uint8_t word_bytes; /* what hf_cursor_word() reads: 4 or 8 */
	bool failed;
};

static inline uint64_t hf_cursor_uint(struct hf_cursor *cursor, size_t bytes)
{
	uint64_t value = 0;
	if (cursor->failed || cursor->size - cursor->at < bytes) {
		cursor->failed = true;
		return 0;
	}
	for (size_t i = 0; i < bytes; i++)
		value = value << 8 |
			cursor->data[cursor->at + (cursor->big_endian ? i : bytes - 1 - i)];
	cursor->at += bytes;
	return value;
}

static inline uint16_t hf_cursor_u16(struct hf_cursor *cursor)
{
	return (uint16_t)hf_cursor_uint(cursor, 2);
}

static inline uint32_t hf_cursor_u32(struct hf_cursor *cursor)
{
	return (uint32_t)hf_cursor_uint(cursor, 4);
}

static inline uint64_t hf_cursor_word(struct hf_cursor *cursor)
{
	return hf_cursor_uint(cursor, cursor->word_bytes);
}

/* Move on by @bytes, or to @bytes from the start. */
static inline void hf_cursor_skip(struct hf_cursor *cursor, size_t bytes)
{
	if (cursor->failed || cursor->size - cursor->at < bytes)
		cursor->failed = true;
	else
		cursor->at += bytes;
}

static inline void hf_cursor_seek(struct hf_cursor *cursor, size_t at)
{
	if (at > cursor->size)
		cursor->failed = true;
	else
		cursor->at = at;
}

#endif
