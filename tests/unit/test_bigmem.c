/*
 * test_bigmem.c - big arrays made of each other's pieces: what they hold is theirs alone, what must
 * be zero is, sizes change with contents kept, and no more is mapped than arrays were at most.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "core/base/bigmem.h"
#include "core/base/parallel.h"

enum { MIB = 1 << 20, SLOTS = 8, STEPS = 150, TASKS = 4, ROOM = 8 * MIB };

/* It has memory of its own for what is touched. */
#ifdef __SANITIZE_THREAD__
enum { TSAN = true };
#else
enum { TSAN = false };
#endif

/* An array's words tell the array and their place. */
struct array {
	uint64_t *words;
	size_t count;
	uint64_t seed;
};

struct state {
	struct array arrays[SLOTS];
	struct hf_bigmem_account account;
	uint64_t random, bytes;
};

static uint64_t next_random(struct state *state)
{
	state->random ^= state->random << 13;
	state->random ^= state->random >> 7;
	state->random ^= state->random << 17;
	return state->random;
}

/* Under and over what has pieces, and of any remainder. */
static size_t random_count(struct state *state)
{
	static const size_t most[] = {4096, MIB, 8 * MIB, 24 * MIB};
	return next_random(state) % most[next_random(state) % 4] / sizeof(uint64_t);
}

static void fill(struct array *array, size_t from, uint64_t seed)
{
	array->seed = seed;
	for (size_t i = from; i < array->count; i++)
		array->words[i] = seed + i;
}

static void check(const struct array *array, size_t count)
{
	for (size_t i = 0; i < count; i++)
		assert_true(array->words[i] == array->seed + i);
}

static void check_zeros(const struct array *array, size_t from)
{
	for (size_t i = from; i < array->count; i++)
		assert_true(array->words[i] == 0);
}

static void resize(struct state *state, struct array *array)
{
	size_t old = array->count;

	array->count = random_count(state);
	array->words = hf_bigmem_resize(&state->account, array->words, old * sizeof(uint64_t),
					array->count * sizeof(uint64_t));
	assert_non_null(array->words);
	check(array, old < array->count ? old : array->count);
	if (old < array->count)
		check_zeros(array, old);
	fill(array, old < array->count ? old : array->count, array->seed);
}

static void make(struct state *state, struct array *array)
{
	bool zeroed = next_random(state) % 2;

	array->count = random_count(state);
	array->words = (zeroed ? hf_bigmem_alloc : hf_bigmem_take)(&state->account,
								   array->count * sizeof(uint64_t));
	assert_non_null(array->words);
	if (zeroed)
		check_zeros(array, 0);
	fill(array, 0, next_random(state));
}

static void let_go(struct state *state, struct array *array)
{
	check(array, array->count);
	hf_bigmem_free(&state->account, array->words, array->count * sizeof(uint64_t));
	array->words = NULL;
}

static void use(void *ctx, uint64_t task, unsigned worker)
{
	struct state state = {.random = task * 7919 + 1};
	(void)ctx;
	(void)worker;

	for (unsigned step = 0; step < STEPS; step++) {
		struct array *array = &state.arrays[next_random(&state) % SLOTS];
		if (!array->words)
			make(&state, array);
		else if (next_random(&state) % 3)
			resize(&state, array);
		else
			let_go(&state, array);
		if (next_random(&state) % 64 == 0)
			hf_bigmem_trim(next_random(&state) % (32 * MIB));
	}
	for (unsigned i = 0; i < SLOTS; i++) {
		if (state.arrays[i].words)
			let_go(&state, &state.arrays[i]);
	}
	assert_int_equal(state.account.now, 0);
}

static void arrays_hold_their_own(void **unused)
{
	(void)unused;
	use(NULL, 0, 0);
	hf_parallel_for(4, TASKS, use, NULL);
	hf_bigmem_trim(0);
}

/* Memory of this process that is its own, and in use. */
static uint64_t resident(void)
{
	unsigned long pages = 0, shared = 0;
	FILE *from = fopen("/proc/self/statm", "re");

	assert_non_null(from);
	assert_int_equal(fscanf(from, "%*u %lu %lu", &pages, &shared), 2);
	fclose(from);
	return (uint64_t)(pages - shared) * 4096;
}

static void freed_memory_is_used_again(void **unused)
{
	uint64_t before = resident(), room = TSAN ? 1024 * MIB : ROOM;
	size_t bytes = 40 * MIB + 12345;
	(void)unused;

	for (unsigned i = 0; i < 10; i++) {
		void *memory = hf_bigmem_take(NULL, bytes - i * MIB);
		memset(memory, 1, bytes - i * MIB);
		assert_true(resident() < before + bytes + room);
		hf_bigmem_free(NULL, memory, bytes - i * MIB);
	}
	hf_bigmem_trim(0);
	assert_true(resident() < before + room);
}

/* Where data is limited nothing is kept, and arrays from before the limit can be given back. */
static void nothing_is_kept_under_a_limit(void **unused)
{
	struct rlimit old, limit;
	uint64_t before = resident(), room = TSAN ? 1024 * MIB : ROOM;
	void *early = hf_bigmem_take(NULL, 20 * MIB);
	(void)unused;

	assert_int_equal(getrlimit(RLIMIT_DATA, &old), 0);
	limit = (struct rlimit){RLIM_INFINITY >> 1, old.rlim_max};
	if (setrlimit(RLIMIT_DATA, &limit))
		skip();
	void *memory = hf_bigmem_take(NULL, 20 * MIB);
	memset(early, 1, 20 * MIB);
	memset(memory, 1, 20 * MIB);
	memory = hf_bigmem_resize(NULL, memory, 20 * MIB, 30 * MIB);
	assert_int_equal(((char *)memory)[20 * MIB - 1], 1);
	assert_int_equal(((char *)memory)[20 * MIB], 0);
	hf_bigmem_free(NULL, memory, 30 * MIB);
	hf_bigmem_free(NULL, early, 20 * MIB);
	assert_true(resident() < before + room);
	assert_int_equal(setrlimit(RLIMIT_DATA, &old), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(arrays_hold_their_own),
	    cmocka_unit_test(freed_memory_is_used_again),
	    cmocka_unit_test(nothing_is_kept_under_a_limit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
