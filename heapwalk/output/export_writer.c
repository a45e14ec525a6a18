/*
 * export_writer.c - buffered bytes (see export_writer.h).
 */
#include "heapwalk/output/export_writer.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "heapwalk/output/escape.h"

enum {
	BUFFER_BYTES = 1 << 20,
	MOST_DIGITS = 20, /* of 64 bits, "0x" included */
};

static const uint64_t WINDOW_BYTES = UINT64_C(64) << 20;

struct hf_error *hf_writer_init(struct hf_writer *writer, int fd)
{
	*writer = (struct hf_writer){.fd = fd, .capacity = BUFFER_BYTES};
	writer->data = malloc(writer->capacity);
	return writer->data ? NULL : hf_error_nomem();
}

void hf_writer_deinit(struct hf_writer *writer)
{
	free(writer->data);
	writer->data = NULL;
}

/*
 * A file of gigabytes would push the core out of the page cache, and each of its pages would have
 * to be found first. So the window before the last is let go when it is on the disk.
 *
 *	0 ......... written back, dropped | being written back | filled now
 *					   started - WINDOW     started
 *
 * What is no file, or a file system that cannot do this, refuses, and nothing is lost.
 */
static void let_go(struct hf_writer *writer)
{
	while (writer->flushed - writer->started >= WINDOW_BYTES) {
		off_t at = (off_t)writer->started, window = (off_t)WINDOW_BYTES;
		sync_file_range(writer->fd, at, window, SYNC_FILE_RANGE_WRITE);
		if (at > 0) {
			sync_file_range(writer->fd, at - window, window,
					SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
					    SYNC_FILE_RANGE_WAIT_AFTER);
			posix_fadvise(writer->fd, at - window, window, POSIX_FADV_DONTNEED);
		}
		writer->started += WINDOW_BYTES;
	}
}

static void write_out(struct hf_writer *writer, const uint8_t *data, size_t bytes)
{
	while (bytes && !writer->error) {
		ssize_t written = write(writer->fd, data, bytes);
		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0) {
			writer->error = errno;
			return;
		}
		data += written;
		bytes -= (size_t)written;
		writer->flushed += (uint64_t)written;
		let_go(writer);
	}
}

struct hf_error *hf_writer_flush(struct hf_writer *writer, const char *name)
{
	if (!writer->error && writer->fd >= 0)
		write_out(writer, writer->data, writer->count);
	writer->count = writer->fd >= 0 ? 0 : writer->count;
	return writer->error ? hf_error_errno(writer->error, "%s", name) : NULL;
}

bool hf_writer_room(struct hf_writer *writer, size_t bytes)
{
	if (writer->error)
		return false;
	if (bytes <= writer->capacity - writer->count)
		return true;
	if (writer->fd >= 0) {
		write_out(writer, writer->data, writer->count);
		writer->count = 0;
	}
	size_t capacity = writer->capacity;
	while (bytes > capacity - writer->count) {
		if (capacity > SIZE_MAX / 2) {
			writer->error = ENOMEM;
			return false;
		}
		capacity *= 2;
	}
	if (capacity != writer->capacity) {
		uint8_t *data = realloc(writer->data, capacity);
		if (!data) {
			writer->error = ENOMEM;
			return false;
		}
		writer->data = data;
		writer->capacity = capacity;
	}
	return !writer->error;
}

void hf_put_more(struct hf_writer *to, const void *data, size_t bytes)
{
	if (to->fd >= 0 && bytes > to->capacity - to->count && bytes >= BUFFER_BYTES) {
		/* Big pieces go out as they are. */
		write_out(to, to->data, to->count);
		to->count = 0;
		write_out(to, data, bytes);
		return;
	}
	if (!hf_writer_room(to, bytes) || !bytes)
		return;
	memcpy(to->data + to->count, data, bytes);
	to->count += bytes;
}

void hf_put_text(struct hf_writer *to, const char *text)
{
	hf_put(to, text, strlen(text));
}

/* digits[@at] to digits[MOST_DIGITS - 1]; all that is copied has a fixed length, which is quick. */
static void put_digits(struct hf_writer *to, const char digits[2 * MOST_DIGITS], unsigned at)
{
	if (to->capacity - to->count < MOST_DIGITS) {
		hf_put_more(to, digits + at, MOST_DIGITS - at);
		return;
	}
	memcpy(to->data + to->count, digits + at, MOST_DIGITS);
	to->count += MOST_DIGITS - at;
}

/* Two digits at a time. */
void hf_put_number(struct hf_writer *to, uint64_t number)
{
	static const char pairs[] = "00010203040506070809101112131415161718192021222324"
				    "25262728293031323334353637383940414243444546474849"
				    "50515253545556575859606162636465666768697071727374"
				    "75767778798081828384858687888990919293949596979899";
	char digits[2 * MOST_DIGITS];
	unsigned at = MOST_DIGITS;

	for (; number >= 100; number /= 100)
		memcpy(digits + (at -= 2), pairs + number % 100 * 2, 2);
	if (number >= 10)
		memcpy(digits + (at -= 2), pairs + number * 2, 2);
	else
		digits[--at] = (char)('0' + number);
	put_digits(to, digits, at);
}

void hf_put_hex(struct hf_writer *to, uint64_t number)
{
	char digits[2 * MOST_DIGITS];
	unsigned at = MOST_DIGITS;

	do {
		digits[--at] = "0123456789abcdef"[number & 15];
		number >>= 4;
	} while (number);
	digits[--at] = 'x';
	digits[--at] = '0';
	put_digits(to, digits, at);
}

void hf_put_format(struct hf_writer *to, const char *fmt, ...)
{
	va_list args, again;

	va_start(args, fmt);
	va_copy(again, args);
	int length = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	if (length >= 0 && hf_writer_room(to, (size_t)length + 1)) {
		vsnprintf((char *)to->data + to->count, (size_t)length + 1, fmt, again);
		to->count += (size_t)length;
	}
	va_end(again);
}

void hf_put_json(struct hf_writer *to, const char *text)
{
	size_t plain = 0;

	while (text[plain] >= 0x20 && text[plain] < 0x7f && text[plain] != '"' &&
	       text[plain] != '\\')
		plain++;
	if (!text[plain]) {
		hf_put_byte(to, '"');
		hf_put(to, text, plain);
		hf_put_byte(to, '"');
		return;
	}
	char *escaped = hf_escape(text);
	if (!escaped) {
		to->error = to->error ? to->error : ENOMEM;
		return;
	}
	hf_put_byte(to, '"');
	/* No control characters are left: only the two that JSON itself uses. */
	for (const char *at = escaped; *at; at++) {
		if (*at == '"' || *at == '\\')
			hf_put_byte(to, '\\');
		hf_put_byte(to, (uint8_t)*at);
	}
	hf_put_byte(to, '"');
	free(escaped);
}

void hf_put_big(struct hf_writer *to, uint64_t number, unsigned bytes)
{
	/* All eight, shifted to the front: what comes next overwrites the rest. */
	if (!hf_writer_room(to, sizeof(number)))
		return;
	number = htobe64(number << (64 - 8 * bytes));
	memcpy(to->data + to->count, &number, sizeof(number));
	to->count += bytes;
}

void hf_put_varint(struct hf_writer *to, uint64_t number)
{
	if (!hf_writer_room(to, 10))
		return;
	for (; number >= 0x80; number >>= 7)
		to->data[to->count++] = (uint8_t)(number | 0x80);
	to->data[to->count++] = (uint8_t)number;
}

void hf_put_field(struct hf_writer *to, unsigned field, uint64_t number)
{
	hf_put_varint(to, (uint64_t)field << 3);
	hf_put_varint(to, number);
}

void hf_put_bytes_field(struct hf_writer *to, unsigned field, const void *data, size_t bytes)
{
	hf_put_varint(to, (uint64_t)field << 3 | 2);
	hf_put_varint(to, bytes);
	hf_put(to, data, bytes);
}
