/*
 * radix.c - sorting many small records by a 64-bit number (see radix.h).
 *
 * Digit by digit, the lowest first; each pass keeps the order of what is equal in its digit (Knuth,
 * "The Art of Computer Programming" 5.2.5, algorithm R, by counting as in 5.2, algorithm D). Only
 * digits in which any two numbers differ are gone over: three for addresses of one heap.
 */
#include "core/base/radix.h"

#include <stdint.h>
#include <string.h>

#include "core/base/bigmem.h"

enum { DIGIT_BITS = 11, DIGITS = 1 << DIGIT_BITS };

static inline uint64_t number_at(const unsigned char *records, size_t i)
{
	uint64_t number;
	memcpy(&number, records + i * HF_RADIX_RECORD, sizeof(number));
	return number;
}

/* The bits that are not the same in all numbers. */
static uint64_t differing(const unsigned char *records, size_t count)
{
	uint64_t first = number_at(records, 0), bits = 0;

	for (size_t i = 1; i < count; i++)
		bits |= number_at(records, i) ^ first;
	return bits;
}

static void pass(const unsigned char *from, unsigned char *to, size_t count, unsigned shift)
{
	size_t place[DIGITS] = {0}, next = 0;

	for (size_t i = 0; i < count; i++)
		place[number_at(from, i) >> shift & (DIGITS - 1)]++;
	for (unsigned digit = 0; digit < DIGITS; digit++) {
		size_t of_digit = place[digit];
		place[digit] = next;
		next += of_digit;
	}
	for (size_t i = 0; i < count; i++) {
		size_t *at = &place[number_at(from, i) >> shift & (DIGITS - 1)];
		memcpy(to + (*at)++ * HF_RADIX_RECORD, from + i * HF_RADIX_RECORD, HF_RADIX_RECORD);
	}
}

bool hf_radix_sort(void *records, size_t count)
{
	size_t bytes = count * HF_RADIX_RECORD;
	uint64_t bits = count ? differing(records, count) : 0;
	unsigned char *from = records, *other = bits ? hf_bigmem_take(NULL, bytes) : NULL,
		      *to = other;

	if (bits && !other)
		return false;
	for (unsigned shift = 0; bits >> shift; shift += DIGIT_BITS) {
		shift += (unsigned)__builtin_ctzll(bits >> shift);
		pass(from, to, count, shift);
		unsigned char *sorted = to;
		to = from;
		from = sorted;
		if (shift + DIGIT_BITS >= 64)
			break;
	}
	if (from != records)
		memcpy(records, from, bytes);
	hf_bigmem_free(NULL, other, bytes);
	return true;
}
