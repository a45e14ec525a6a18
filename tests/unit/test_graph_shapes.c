/*
 * test_graph_shapes.c - everything that the graph answers, against the oracle, on 10,000 random
 * graphs and on shapes that are hard for one or the other fast path; by one thread and by four,
 * and again out of an index.
 *
 * The random heaps have free chunks and blocks of the allocator's own, pointers to the start, to
 * the inside, past the end and to nowhere, several words that say the same, and holders of all
 * kinds with ranges and registers. The big ones are more than a task's share of every parallel
 * stage.
 */
#include <stdlib.h>
#include <unistd.h>

#include "tests/unit/graph_checks.h"

enum { RANDOM_GRAPHS = 10000, MOST_CHUNKS = 40, SAVED_EACH = 100, BIG = 100000, QUICK_SHARE = 10 };

/* More than the 262,144 objects that are a task of the retained sizes. */
enum { HUGE = 300000 };

static char folder[] = "/tmp/graph_shapes.XXXXXX";

/* A tenth of it will do for a quick run (HF_QUICK), and under a sanitizer. */
static uint32_t count_of(uint32_t count)
{
	return getenv("HF_QUICK") ? count / QUICK_SHARE : count;
}

static void test_random(void **state)
{
	uint64_t random = UINT64_C(0x2545f4914f6cdd1d);
	(void)state;
	for (unsigned round = 0; round < count_of(RANDOM_GRAPHS); round++) {
		struct shaped_heap shaped;
		shaped_init(&shaped, 1 + any_of(&random, MOST_CHUNKS), 1 + any_of(&random, 6),
			    &random);
		randomize(&shaped, 5 + any_of(&random, 60), &random);
		cut_regions(&shaped, 1 + any_of(&random, 4));
		check(&shaped, round % SAVED_EACH ? NULL : folder);
		shaped_deinit(&shaped);
	}
}

/* ---- shapes ---------------------------------------------------------------------------------- */

static void check_shape(struct shaped_heap *shaped)
{
	check(shaped, folder);
	shaped_deinit(shaped);
}

/* Held at one end; upward or downward in memory; with pointers back to the one before, or none. */
static void test_chains(void **state)
{
	const uint32_t big = count_of(BIG);
	uint64_t random = 1;
	(void)state;
	for (unsigned form = 0; form < 4; form++) {
		struct shaped_heap shaped;
		shaped_init(&shaped, big, 1, &random);
		for (uint32_t i = 0; i + 1 < big; i++) {
			uint32_t from = form & 1 ? big - 1 - i : i;
			uint32_t to = form & 1 ? from - 1 : from + 1;
			point(&shaped, from, 0, to, 0);
			if (form & 2)
				point(&shaped, to, 1, from, 0);
		}
		hold(&shaped, 0, form & 1 ? big - 1 : 0, 0);
		check_shape(&shaped);
	}
}

/* One holder of all, who all point at one; and nobody holds the first ones of two short lists. */
static void test_star(void **state)
{
	const uint32_t big = count_of(BIG);
	uint64_t random = 2;
	struct shaped_heap shaped;
	(void)state;
	shaped_init(&shaped, big, 3 * big, &random); /* several pieces of a megabyte */
	join_holders(&shaped);
	for (uint32_t i = 0; i < big; i++) {
		point(&shaped, i, 1, big / 2, 0);
		if (i != 7 && i != 8)
			hold(&shaped, i * 3, i, i % 5 == 0 ? 8 : 0);
	}
	check_shape(&shaped);
}

/* All in one component, held at one place. */
static void test_giant_component(void **state)
{
	const uint32_t big = count_of(BIG);
	uint64_t random = 3;
	struct shaped_heap shaped;
	(void)state;
	shaped_init(&shaped, big, 2, &random);
	uint32_t *order = calloc(big, sizeof(*order));
	for (uint32_t i = 0; i < big; i++) {
		uint32_t other = any_of(&random, i + 1);
		order[i] = order[other];
		order[other] = i;
	}
	for (uint32_t i = 0; i < big; i++) {
		point(&shaped, order[i], 0, order[(i + 1) % big], 0);
		if (any_of(&random, 3) == 0)
			point(&shaped, i, 1, any_of(&random, big), any_of(&random, 8) ? 0 : 8);
	}
	hold(&shaped, 1, order[0], 0);
	free(order);
	check_shape(&shaped);
}

/* Pointers to oneself, and the same pointer several times over. */
static void test_loops_and_duplicates(void **state)
{
	const uint32_t big = count_of(BIG);
	uint64_t random = 4;
	struct shaped_heap shaped;
	(void)state;
	shaped_init(&shaped, big, 4, &random);
	for (uint32_t i = 0; i < big; i++) {
		uint32_t next = i % 100 == 99 ? i - 50 : (i + 1) % big;
		point(&shaped, i, 0, i, i % 3 ? 0 : 8);
		point(&shaped, i, 1, next, 0);
		point(&shaped, i, 2, next, i % 2 ? 0 : 16);
		point(&shaped, i, 3, next, 0);
	}
	for (uint32_t i = 0; i < 4; i++)
		hold(&shaped, i, big / 4 * i, i == 3 ? 8 : 0);
	check_shape(&shaped);
}

/* Rings that nobody holds; some lead to others, some to what is held. */
static void test_lost_cycles(void **state)
{
	const uint32_t big = count_of(BIG);
	uint64_t random = 5;
	struct shaped_heap shaped;
	(void)state;
	shaped_init(&shaped, big, 1, &random);
	for (uint32_t first = 10, next; first < big; first = next) {
		next = first + 1 + any_of(&random, 40);
		next = next < big ? next : big;
		for (uint32_t i = first; i < next; i++)
			point(&shaped, i, 0, i + 1 < next ? i + 1 : first,
			      any_of(&random, 9) ? 0 : 24);
		if (any_of(&random, 2))
			point(&shaped, first, 1, any_of(&random, big), 0);
	}
	point(&shaped, 0, 0, 1, 0);
	hold(&shaped, 0, 0, 0);
	check_shape(&shaped);
}

/* A few objects that every one of many holders points at, at their start and inside. */
static void test_many_holders(void **state)
{
	uint64_t random = 6;
	struct shaped_heap shaped;
	(void)state;
	shaped_init(&shaped, 200, 2000, &random);
	for (uint32_t i = 0; i < 2000; i++)
		hold(&shaped, i, i % 7 ? i % 5 : i % 200, i % 3 ? 0 : 8);
	for (uint32_t i = 0; i < 199; i++)
		point(&shaped, i, 0, i + 1, i % 4 ? 0 : 8);
	check_shape(&shaped);
}

/* Only pointers to the inside lead on, now to all, now past the middle: what is possible. */
static void test_interior_chain(void **state)
{
	const uint32_t big = count_of(BIG);
	uint64_t random = 7;
	(void)state;
	for (uint32_t from = 0; from < big; from += big / 2) {
		struct shaped_heap shaped;
		shaped_init(&shaped, big, 1, &random);
		for (uint32_t i = 0; i + 1 < big; i++) {
			point(&shaped, i, 0, i + 1, i >= from ? 8 : 0);
			if (i % 3 == 0)
				point(&shaped, i, 1, i / 2, 0);
		}
		hold(&shaped, 0, 0, 0);
		check_shape(&shaped);
	}
}

/*
 * Ways part and meet again, twice at a time, and lead back: what folding leaves whole, and what
 * path compression is for.
 */
static void test_ladder(void **state)
{
	const uint32_t big = count_of(BIG);
	uint64_t random = 8;
	(void)state;
	for (unsigned lost = 0; lost < 2; lost++) {
		struct shaped_heap shaped;
		shaped_init(&shaped, big, 1, &random);
		for (uint32_t i = 0; i < big; i++) {
			for (uint32_t step = 1; step <= 2 && i + step < big; step++)
				point(&shaped, i, step, i + step, 0);
			if (i % 64 == 63)
				point(&shaped, i, 3, i - any_of(&random, 63), 0);
		}
		if (!lost)
			hold(&shaped, 0, 0, 0);
		check_shape(&shaped);
	}
}

/*
 * Two lists whose members share what they hold, deep below the root: each of those is as far from
 * its dominator as its place in the lists.
 */
static void test_twin_lists(void **state)
{
	const uint32_t big = count_of(BIG) / 5, deep = 12;
	uint64_t random = 10;
	struct shaped_heap shaped;
	(void)state;
	shaped_init(&shaped, big, 1, &random);
	for (uint32_t i = 0; i < deep; i++)
		point(&shaped, i, 0, i + 1, 0);
	point(&shaped, deep - 1, 1, deep + 1, 0);
	for (uint32_t i = deep; i + 2 < big; i += 3) {
		for (uint32_t list = i; list < i + 2; list++) {
			point(&shaped, list, 0, i + 2, 0);
			if (list + 3 < big)
				point(&shaped, list, 1, list + 3, 0);
		}
	}
	hold(&shaped, 0, 0, 0);
	check_shape(&shaped);
}

/* Sparse and dense, in one region and in several, with everything that random ones have. */
static void test_big_random(void **state)
{
	const bool quick = getenv("HF_QUICK");
	uint64_t random = 9;
	(void)state;
	for (uint32_t percent = 12; percent <= (quick ? 12 : 32); percent += 20) {
		struct shaped_heap shaped;
		shaped_init(&shaped, HUGE, 50, &random);
		randomize(&shaped, percent, &random);
		cut_regions(&shaped, percent / 4);
		check_shape(&shaped);
	}
}

static int make_folder(void **state)
{
	(void)state;
	return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
	(void)state;
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_random),
	    cmocka_unit_test(test_chains),
	    cmocka_unit_test(test_star),
	    cmocka_unit_test(test_giant_component),
	    cmocka_unit_test(test_loops_and_duplicates),
	    cmocka_unit_test(test_lost_cycles),
	    cmocka_unit_test(test_many_holders),
	    cmocka_unit_test(test_interior_chain),
	    cmocka_unit_test(test_ladder),
	    cmocka_unit_test(test_twin_lists),
	    cmocka_unit_test(test_big_random),
	};
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
