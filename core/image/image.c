/*
 * image.c - target address -> bytes (see image.h for the invariants).
 *
 * Lookup is a binary search over the sorted segments. Segments that were made from a
 * damaged file may overlap: hf_image_finish() lets the earlier one keep its bytes.
 */
#include "core/base/search.h"
#include "core/image/image.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(HF_MACHINE_386 == EM_386 && HF_MACHINE_MIPS == EM_MIPS && HF_MACHINE_ARM == EM_ARM,
	       "values of EM_*");

enum { ZERO_VIEW_BYTES = 64 * 1024 };

static const uint8_t zero_view[ZERO_VIEW_BYTES];

const struct hf_segment *hf_image_find(const struct hf_image *image, uint64_t address)
{
	return hf_range_at(image->segments.data, image->segments.count, address);
}

const void *hf_image_at(const struct hf_image *image, uint64_t address, uint64_t *ret_available)
{
	const struct hf_segment *segment = hf_image_find(image, address);
	if (!segment || address - segment->start >= segment->present)
		return NULL;
	uint64_t offset = address - segment->start, available = segment->present - offset;
	if (segment->source == HF_SEGMENT_ZERO) {
		if (ret_available)
			*ret_available = available < ZERO_VIEW_BYTES ? available : ZERO_VIEW_BYTES;
		return zero_view;
	}
	if (ret_available)
		*ret_available = available;
	return segment->data + offset;
}

uint64_t hf_image_next(const struct hf_image *image, uint64_t address, uint64_t end)
{
	size_t first =
	    hf_first_not(0, image->segments.count, at, image->segments.data[at].end <= address);
	for (size_t i = first; i < image->segments.count && image->segments.data[i].start < end;
	     i++) {
		const struct hf_segment *segment = &image->segments.data[i];
		uint64_t from = segment->start > address ? segment->start : address;
		if (from - segment->start < segment->present)
			return from < end ? from : end;
	}
	return end;
}

uint64_t hf_image_words(const struct hf_image *image, uint64_t *at, uint64_t end,
			const uint8_t **ret)
{
	uint64_t word = image->word_bytes;

	while (*at < end && end - *at >= word) {
		uint64_t available = 0;
		*ret = hf_image_at(image, *at, &available);
		if (available > end - *at)
			available = end - *at;
		if (*ret && available >= word)
			return available / word;
		uint64_t next = *ret ? *at + word : hf_image_next(image, *at + word, end);
		if (next >= end || end - next < word)
			break;
		*at = next + (word - next % word) % word;
	}
	return 0;
}

bool hf_image_read(const struct hf_image *image, uint64_t address, void *buffer, size_t size)
{
	uint8_t *to = buffer;
	while (size > 0) {
		uint64_t available;
		const void *from = hf_image_at(image, address, &available);
		if (!from)
			return false;
		size_t step = available < size ? (size_t)available : size;
		memcpy(to, from, step);
		to += step;
		address += step;
		size -= step;
	}
	return true;
}

static uint64_t from_target(const struct hf_image *image, const uint8_t *bytes, size_t size)
{
	uint64_t value = 0;
	for (size_t i = 0; i < size; i++)
		value = value << 8 | bytes[image->big_endian ? i : size - 1 - i];
	return value;
}

uint64_t hf_image_word_at(const struct hf_image *image, const void *data)
{
	if (image->word_bytes == 8 && !image->big_endian) {
		uint64_t value;
		memcpy(&value, data, sizeof(value));
		return value;
	}
	return from_target(image, data, image->word_bytes);
}

static bool read_value(const struct hf_image *image, uint64_t address, size_t size, uint64_t *ret)
{
	uint8_t bytes[8];
	if (!hf_image_read(image, address, bytes, size))
		return false;
	*ret = from_target(image, bytes, size);
	return true;
}

bool hf_image_word(const struct hf_image *image, uint64_t address, uint64_t *ret)
{
	return read_value(image, address, image->word_bytes, ret);
}

bool hf_image_u32(const struct hf_image *image, uint64_t address, uint32_t *ret)
{
	uint64_t value;
	if (!read_value(image, address, 4, &value))
		return false;
	*ret = (uint32_t)value;
	return true;
}

bool hf_image_u16(const struct hf_image *image, uint64_t address, uint16_t *ret)
{
	uint64_t value;
	if (!read_value(image, address, 2, &value))
		return false;
	*ret = (uint16_t)value;
	return true;
}

bool hf_image_string(const struct hf_image *image, uint64_t address, char *buffer, size_t max)
{
	size_t length = 0;
	while (length + 1 < max) {
		uint64_t available;
		const char *from = hf_image_at(image, address + length, &available);
		if (!from)
			break;
		size_t room = max - 1 - length;
		size_t step = available < room ? (size_t)available : room;
		size_t found = strnlen(from, step);
		memcpy(buffer + length, from, found);
		length += found;
		if (found < step) {
			buffer[length] = '\0';
			return true;
		}
	}
	if (length == 0)
		return false;
	buffer[length] = '\0';
	return true;
}

static int compare_start(const void *a, const void *b)
{
	const struct hf_segment *x = a, *y = b;
	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return (x->present < y->present) - (x->present > y->present);
}

/* Cut the front of @segment so that it starts at @start (inside it). */
static void trim_front(struct hf_segment *segment, uint64_t start)
{
	uint64_t cut = start - segment->start;
	segment->start = start;
	if (cut >= segment->present) {
		segment->present = 0;
		segment->data = NULL;
		return;
	}
	segment->present -= cut;
	if (segment->data)
		segment->data += cut;
}

struct hf_error *hf_image_finish(struct hf_image *image)
{
	size_t kept = 0;
	uint64_t last_end = 0;

	if (image->segments.count)
		qsort(image->segments.data, image->segments.count, sizeof(*image->segments.data),
		      compare_start);
	for (size_t i = 0; i < image->segments.count; i++) {
		struct hf_segment segment = image->segments.data[i];
		if (segment.end <= last_end || segment.start >= segment.end)
			continue;
		if (segment.start < last_end)
			trim_front(&segment, last_end);
		image->segments.data[kept++] = segment;
		last_end = segment.end;
	}
	image->segments.count = kept;
	return NULL;
}

void hf_image_deinit(struct hf_image *image)
{
	hf_vec_free(&image->segments);
}
