/*
 * test_tree_prune.c - pruning a tree for the page: it keeps what retains most, stays a tree, and
 * loses no byte, no count and no object.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "heapwalk/views/details.h"

static uint64_t next_random(uint64_t *state)
{
	*state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return *state >> 33;
}

/* A random tree in preorder; children never retain more than their parent in all. */
static void grow(struct hf_tree *tree, uint64_t *random, uint32_t depth, uint64_t retained,
		 uint32_t deepest)
{
	uint64_t left = retained;
	struct hf_tree_node node = {.example = (uint32_t)tree->count,
				    .depth = depth,
				    .count = 1,
				    .retained_bytes = retained,
				    .objects = 1};

	assert_true(hf_vec_push(tree, node));
	while (depth < deepest && left > 16 && next_random(random) % 8) {
		uint64_t part = 1 + next_random(random) % (left / 2);
		grow(tree, random, depth + 1, part, deepest);
		left -= part;
	}
	if (depth < deepest && left > 16 && next_random(random) % 2) {
		struct hf_tree_node rest = {.example = HF_NO_NODE,
					    .depth = depth + 1,
					    .count = 2,
					    .retained_bytes = 1,
					    .objects = 2};
		assert_true(hf_vec_push(tree, rest));
	}
}

/* Retained bytes and members of the children of node @at. */
static void below(const struct hf_tree *tree, size_t at, uint64_t *ret_bytes, uint64_t *ret_count)
{
	*ret_bytes = *ret_count = 0;
	for (size_t i = at + 1; i < tree->count && tree->data[i].depth > tree->data[at].depth;
	     i++) {
		if (tree->data[i].depth != tree->data[at].depth + 1)
			continue;
		*ret_bytes += tree->data[i].retained_bytes;
		*ret_count += tree->data[i].count;
	}
}

static size_t find(const struct hf_tree *tree, uint32_t example)
{
	for (size_t i = 0; i < tree->count; i++) {
		if (tree->data[i].example == example)
			return i;
	}
	return tree->count;
}

static size_t named(const struct hf_tree *tree)
{
	size_t count = 0;
	hf_vec_foreach (node, tree)
		count += node->example != HF_NO_NODE;
	return count;
}

/* Every kept node has what it had: its children's sums are the same as before. */
static void check_sums(const struct hf_tree *before, const struct hf_tree *after)
{
	for (size_t i = 0; i < after->count; i++) {
		uint64_t bytes[2], count[2];
		if (i)
			assert_true(after->data[i].depth <= after->data[i - 1].depth + 1);
		if (after->data[i].example == HF_NO_NODE)
			continue;
		below(before, find(before, after->data[i].example), &bytes[0], &count[0]);
		below(after, i, &bytes[1], &count[1]);
		assert_int_equal(bytes[0], bytes[1]);
		assert_int_equal(count[0], count[1]);
	}
}

/* What is kept retains more than everything that is not. */
static void check_choice(const struct hf_tree *before, const struct hf_tree *after)
{
	uint64_t least = UINT64_MAX;

	hf_vec_foreach (node, after) {
		if (node->example != HF_NO_NODE && node->depth && node->retained_bytes < least)
			least = node->retained_bytes;
	}
	hf_vec_foreach (node, before) {
		if (node->example != HF_NO_NODE && find(after, node->example) == after->count)
			assert_true(node->retained_bytes <= least);
	}
}

static void copy_of(const struct hf_tree *tree, struct hf_tree *ret)
{
	*ret = (struct hf_tree){0};
	hf_vec_foreach (node, tree)
		assert_true(hf_vec_push(ret, *node));
}

static void test_random_trees(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 60; seed++) {
		struct hf_tree tree = {0}, pruned;
		uint64_t random = seed, merged = 0;
		size_t max = 1 + seed % 40;

		grow(&tree, &random, 0, 20000, 7);
		copy_of(&tree, &pruned);
		assert_null(hf_tree_prune(&pruned, max, &merged));
		assert_true(named(&pruned) <= max + 1); /* the start always stays */
		assert_true(pruned.count <= 2 * named(&pruned));
		assert_int_equal(merged != 0, named(&tree) > named(&pruned));
		check_sums(&tree, &pruned);
		check_choice(&tree, &pruned);
		free(pruned.data);
		free(tree.data);
	}
}

static void test_small_tree_stays(void **state)
{
	struct hf_tree tree = {0}, pruned;
	uint64_t random = 5, merged = 0;

	(void)state;
	grow(&tree, &random, 0, 5000, 5);
	copy_of(&tree, &pruned);
	assert_null(hf_tree_prune(&pruned, 100000, &merged));
	assert_int_equal(merged, 0);
	assert_int_equal(pruned.count, tree.count);
	assert_memory_equal(pruned.data, tree.data, tree.count * sizeof(*tree.data));
	free(pruned.data);
	free(tree.data);
}

/* Of a thousand equals the first stay. */
static void test_equals(void **state)
{
	struct hf_tree tree = {0};
	uint64_t merged = 0;

	(void)state;
	for (uint32_t i = 0; i < 1001; i++) {
		struct hf_tree_node node = {.example = i,
					    .depth = i != 0,
					    .count = 1,
					    .retained_bytes = i ? 10 : 10000,
					    .objects = 1};
		assert_true(hf_vec_push(&tree, node));
	}
	assert_null(hf_tree_prune(&tree, 100, &merged));
	assert_int_equal(merged, 901);
	assert_int_equal(tree.count, 101);
	assert_int_equal(tree.data[99].example, 99);
	assert_int_equal(tree.data[100].example, HF_NO_NODE);
	assert_int_equal(tree.data[100].count, 901);
	assert_int_equal(tree.data[100].retained_bytes, 9010);
	free(tree.data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_random_trees),
	    cmocka_unit_test(test_small_tree_stays),
	    cmocka_unit_test(test_equals),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
