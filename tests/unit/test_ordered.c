/*
 * test_ordered.c - pieces made on several threads come out in order, each once, in bounded slots.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/base/ordered.h"

enum { NONE = 0, MOST = 200 };

struct pieces {
	uint64_t slots[HF_ORDERED_SLOTS]; /* piece + 1; NONE: free */
	uint64_t emitted, stop_at;
	unsigned threads;
};

static void fill(void *ctx, uint64_t piece, unsigned slot, unsigned worker)
{
	struct pieces *pieces = ctx;
	assert_true(slot < HF_ORDERED_SLOTS);
	assert_true(worker < pieces->threads);
	assert_int_equal(pieces->slots[slot], NONE);
	pieces->slots[slot] = piece + 1;
}

static bool emit(void *ctx, uint64_t piece, unsigned slot, unsigned worker)
{
	struct pieces *pieces = ctx;
	assert_true(worker < pieces->threads);
	assert_int_equal(piece, pieces->emitted);
	assert_int_equal(pieces->slots[slot], piece + 1);
	pieces->slots[slot] = NONE;
	return ++pieces->emitted != pieces->stop_at;
}

static uint64_t run(unsigned threads, uint64_t count, uint64_t stop_at)
{
	struct pieces pieces = {.threads = threads, .stop_at = stop_at};
	const struct hf_ordered ordered = {
	    .threads = threads, .pieces = count, .ctx = &pieces, .fill = fill, .emit = emit};
	hf_ordered_for(&ordered);
	return pieces.emitted;
}

static void in_order(void **state)
{
	(void)state;
	for (unsigned threads = 1; threads < 5; threads++) {
		for (uint64_t count = 0; count < MOST; count++)
			assert_int_equal(run(threads, count, 0), count);
	}
}

static void stopped(void **state)
{
	(void)state;
	for (uint64_t at = 1; at < MOST; at++)
		assert_int_equal(run(2, MOST, at), at);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(in_order),
	    cmocka_unit_test(stopped),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
