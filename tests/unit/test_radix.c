/*
 * test_radix.c - the radix sort against the C library's qsort(), with what is equal in its order.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/radix.h"

struct record {
	uint64_t number;
	uint32_t place, unused;
};

_Static_assert(sizeof(struct record) == HF_RADIX_RECORD, "the record's size");

static uint64_t state = UINT64_C(88172645463325252);

static uint64_t any(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	return state ^= state << 17;
}

static int compare(const void *a, const void *b)
{
	const struct record *x = a, *y = b;
	if (x->number != y->number)
		return x->number < y->number ? -1 : 1;
	return x->place < y->place ? -1 : x->place > y->place;
}

static void check(size_t count, uint64_t mask, uint64_t base)
{
	struct record *records = calloc(count + 1, sizeof(*records));
	struct record *expected = calloc(count + 1, sizeof(*expected));

	assert_non_null(records);
	assert_non_null(expected);
	for (size_t i = 0; i < count; i++)
		records[i] = (struct record){base + (any() & mask), (uint32_t)i, 0};
	memcpy(expected, records, count * sizeof(*records));
	qsort(expected, count, sizeof(*expected), compare);
	assert_true(hf_radix_sort(records, count));
	assert_memory_equal(records, expected, (count + 1) * sizeof(*records));
	free(records);
	free(expected);
}

static void test_all_widths(void **unused)
{
	(void)unused;
	for (unsigned bits = 0; bits <= 64; bits++) {
		uint64_t mask = bits < 64 ? (UINT64_C(1) << bits) - 1 : UINT64_MAX;
		check(1000, mask, 0);
		check(1000, mask << (64 - bits) % 64, 0);
		check(1000, mask & ~UINT64_C(15), UINT64_C(0x7f3a00000010));
	}
}

static void test_all_counts(void **unused)
{
	(void)unused;
	for (size_t count = 0; count < 70; count++)
		check(count, UINT64_MAX, 0);
	check(300000, UINT32_MAX & ~UINT64_C(15), UINT64_C(0x555555559000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_all_widths),
	    cmocka_unit_test(test_all_counts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
