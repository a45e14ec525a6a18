/*
 * export_writer.h - a buffered stream of bytes for the exports: faster than stdio where
 * hundreds of millions of small numbers are written, and it knows its position.
 *
 * Errors stick: after one, writing does nothing, and hf_writer_flush() tells it. A writer
 * without a descriptor (-1) collects everything in memory (for parts whose length
 * must stand before them); its users keep those small.
 */
#ifndef HF_HEAPWALK_OUTPUT_EXPORT_WRITER_H
#define HF_HEAPWALK_OUTPUT_EXPORT_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "core/base/error.h"

struct hf_writer {
	int fd; /* -1: memory */
	uint8_t *data;
	size_t count, capacity;
	uint64_t flushed; /* bytes before data[0] */
	uint64_t started; /* of these, given to the disk (or tried) */
	int error;	  /* errno of the first failure */
};

struct hf_error *hf_writer_init(struct hf_writer *writer, int fd);
void hf_writer_deinit(struct hf_writer *writer);

/* Write out what is buffered; the error of anything before it. */
struct hf_error *hf_writer_flush(struct hf_writer *writer, const char *name);

/* Forget what was collected in memory. */
static inline void hf_writer_reset(struct hf_writer *writer)
{
	writer->count = 0;
}

static inline uint64_t hf_writer_position(const struct hf_writer *writer)
{
	return writer->flushed + writer->count;
}

/* Room for @bytes more at data + count; false after an error. */
bool hf_writer_room(struct hf_writer *writer, size_t bytes);

/* What hf_put() does where the buffer is full. */
void hf_put_more(struct hf_writer *to, const void *data, size_t bytes);

static inline void hf_put(struct hf_writer *to, const void *data, size_t bytes)
{
	if (bytes > to->capacity - to->count) {
		hf_put_more(to, data, bytes);
		return;
	}
	memcpy(to->data + to->count, data, bytes);
	to->count += bytes;
}

void hf_put_text(struct hf_writer *to, const char *text);
void hf_put_number(struct hf_writer *to, uint64_t number); /* decimal */
void hf_put_hex(struct hf_writer *to, uint64_t number);	   /* 0x... */
void hf_put_format(struct hf_writer *to, const char *fmt, ...) HF_PRINTF(2, 3);

/* A JSON string with its quotes. @text may be anything: it is escaped (output/escape.h). */
void hf_put_json(struct hf_writer *to, const char *text);

static inline void hf_put_byte(struct hf_writer *to, unsigned byte)
{
	if (to->count < to->capacity || hf_writer_room(to, 1))
		to->data[to->count++] = (uint8_t)byte;
}

/* Big-endian integers of 1 to 8 bytes. */
void hf_put_big(struct hf_writer *to, uint64_t number, unsigned bytes);

/* Protocol buffers: a varint; a field's tag with a varint; a field of bytes. */
void hf_put_varint(struct hf_writer *to, uint64_t number);
void hf_put_field(struct hf_writer *to, unsigned field, uint64_t number);
void hf_put_bytes_field(struct hf_writer *to, unsigned field, const void *data, size_t bytes);

#endif
