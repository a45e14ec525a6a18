/*
 * graph_checks.h - every answer of a graph held against the oracle's.
 */
#ifndef HF_TESTS_GRAPH_CHECKS_H
#define HF_TESTS_GRAPH_CHECKS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "heapwalk/graph/dangling.h"
#include "tests/unit/graph_oracle.h"

enum { SAMPLES = 64 }; /* of what takes its time for each object */

struct checked {
	const struct shaped_heap *shaped;
	const struct oracle *oracle;
	struct hf_extents *extents;
	struct hf_graph *graph;
	uint64_t seed;
};

static inline void check_extents(struct checked *checked)
{
	const struct oracle *oracle = checked->oracle;
	const struct fake_heap *heap = &checked->shaped->heap;
	uint32_t own = 0, hint = 0;

	assert_int_equal(hf_extents_count(checked->extents), oracle->objects);
	for (uint32_t id = 0; id < oracle->objects; id++) {
		assert_int_equal(hf_extents_address(checked->extents, id), oracle->address[id]);
		assert_int_equal(hf_extents_usable(checked->extents, id), oracle->usable[id]);
		assert_int_equal(hf_extents_chunk_bytes(checked->extents, id), oracle->size[id]);
		assert_int_equal(hf_extents_kind(checked->extents, id) == HF_OBJECT_ALLOCATOR,
				 oracle->own[id]);
		own += oracle->own[id];
	}
	const uint32_t *ids;
	assert_int_equal(hf_extents_allocator_objects(checked->extents, &ids), own);
	for (uint32_t chunk = 0; chunk < heap->objects; chunk++) {
		uint64_t at = heap->chunk[chunk] + any_of(&checked->seed, 80);
		uint32_t expected = oracle_find(oracle, at);
		bool start = false;
		struct hf_location location;
		assert_int_equal(hf_extents_find(checked->extents, at), expected);
		hf_extents_locate(checked->extents, at, &hint, &location);
		if (!location.block) {
			assert_int_equal(expected, HF_NO_OBJECT);
			continue;
		}
		assert_int_equal(hf_extents_resolve(checked->extents, &location, at, &start),
				 expected);
		if (expected != HF_NO_OBJECT)
			assert_int_equal(start, at == oracle->address[expected]);
	}
}

static inline void check_rows(struct checked *checked)
{
	const struct oracle *oracle = checked->oracle;
	const uint32_t *targets;

	assert_int_equal(hf_graph_objects(checked->graph), oracle->objects);
	assert_int_equal(hf_graph_holders(checked->graph), oracle->holders);
	assert_int_equal(hf_graph_edges(checked->graph), oracle->words);
	for (uint32_t node = 0; node < oracle->root; node++) {
		const struct oracle_edge *edge = &oracle->edge[oracle->row[node]];
		uint64_t count = hf_graph_out(checked->graph, node, &targets);
		assert_int_equal(count, oracle->row[node + 1] - oracle->row[node]);
		for (uint64_t i = 0; i < count; i++)
			assert_int_equal(targets[i],
					 edge[i].to | (edge[i].interior ? HF_EDGE_INTERIOR : 0));
	}
	for (uint32_t i = 0; i < oracle->holders; i++)
		assert_int_equal(hf_graph_holder_index(checked->graph, oracle->objects + i),
				 oracle->holder_index[i]);
}

/* Edges by source are sources by target in their order. */
static inline void check_reverse_rows(struct checked *checked)
{
	const struct oracle *oracle = checked->oracle;
	uint64_t *met = calloc(oracle->objects + 1ull, sizeof(*met)), count = 0;
	const uint32_t *sources;

	for (uint64_t i = 0; i < oracle->words; i++) {
		const struct oracle_edge *edge = &oracle->edge[i];
		assert_null(hf_graph_in(checked->graph, edge->to, &sources, &count));
		assert_true(met[edge->to] < count);
		assert_int_equal(sources[met[edge->to]++],
				 edge->from | (edge->interior ? HF_EDGE_INTERIOR : 0));
	}
	for (uint32_t id = 0; id < oracle->objects; id++) {
		assert_null(hf_graph_in(checked->graph, id, &sources, &count));
		assert_int_equal(count, met[id]);
	}
	free(met);
}

static inline void check_kinds(struct checked *checked)
{
	const struct oracle *oracle = checked->oracle;
	struct hf_leak_total totals[HF_LEAK_KINDS], expected[HF_LEAK_KINDS] = {{0, 0}};
	const uint32_t *targets;
	uint32_t leaders = 0;

	for (uint32_t id = 0; id < oracle->objects; id++) {
		assert_int_equal(hf_graph_leak_kind(checked->graph, id), oracle->kind[id]);
		assert_int_equal(hf_graph_is_leader(checked->graph, id), oracle->leader[id]);
		expected[oracle->kind[id]].count++;
		expected[oracle->kind[id]].bytes += oracle->size[id];
		leaders += oracle->leader[id];
	}
	hf_graph_leak_totals(checked->graph, totals);
	assert_memory_equal(totals, expected, sizeof(totals));
	uint64_t count = hf_graph_out(checked->graph, oracle->root, &targets);
	assert_int_equal(count, oracle->holders + leaders);
	for (uint64_t i = 0; i < count; i++)
		assert_true(targets[i] >= oracle->objects || oracle->leader[targets[i]]);
}

/* Biggest first; of equals the lower number. */
static inline void check_children(struct checked *checked, uint32_t node, uint64_t max,
				  uint64_t expected)
{
	uint32_t *children = NULL;
	uint64_t count = 0;

	assert_null(hf_graph_children(checked->graph, node, max, &children, &count));
	assert_int_equal(count, max && max < expected ? max : expected);
	for (uint64_t i = 0; i < count; i++) {
		assert_int_equal(checked->oracle->idom[children[i]], node);
		uint64_t keeps = checked->oracle->retained[children[i]];
		uint64_t before = i ? checked->oracle->retained[children[i - 1]] : UINT64_MAX;
		assert_true(before > keeps || (before == keeps && children[i - 1] < children[i]));
	}
	free(children);
}

static inline void check_tree(struct checked *checked)
{
	const struct oracle *oracle = checked->oracle;
	uint32_t nodes = oracle->root + 1, depth = 0;
	uint32_t *expected = calloc(nodes, sizeof(*expected));

	assert_int_equal(oracle->numbered, nodes); /* everything hangs on the super root */
	for (uint32_t node = 0; node < nodes; node++) {
		assert_int_equal(hf_graph_idom(checked->graph, node), oracle->idom[node]);
		assert_int_equal(hf_graph_retained(checked->graph, node), oracle->retained[node]);
		assert_int_equal(hf_graph_retained_objects(checked->graph, node),
				 oracle->kept[node]);
		assert_null(hf_graph_depth(checked->graph, node, &depth));
		assert_int_equal(depth, oracle->depth[node]);
		if (node != oracle->root)
			expected[oracle->idom[node]]++;
	}
	assert_null(hf_graph_open_tree(checked->graph));
	for (uint32_t node = 0; node < nodes; node++) {
		uint32_t count = 0, last = 0;
		for (uint32_t child = hf_graph_first_child(checked->graph, node);
		     child != HF_NO_NODE; child = hf_graph_next_sibling(checked->graph, child)) {
			assert_int_equal(oracle->idom[child], node);
			assert_true(!count || child > last);
			last = child;
			count++;
		}
		assert_int_equal(count, expected[node]);
		check_children(checked, node, 0, expected[node]);
		check_children(checked, node, 3, expected[node]);
	}
	free(expected);
}

/* Whom the graph names before each object points at it, is a step nearer, and began as well. */
static inline void check_chains(struct checked *checked)
{
	const struct oracle *oracle = checked->oracle;
	uint8_t *points = calloc(oracle->objects + 1ull, 1);
	uint8_t *step = malloc(oracle->objects + 1ull);

	assert_null(hf_graph_open_paths(checked->graph));
	memset(step, UINT8_MAX, oracle->objects + 1ull);
	for (uint64_t i = 0; i < oracle->words; i++) {
		const struct oracle_edge *edge = &oracle->edge[i];
		if (hf_graph_path_parent(checked->graph, edge->to) != edge->from)
			continue;
		points[edge->to] = 1;
		if (edge->from < oracle->objects)
			continue;
		uint8_t rank = oracle_step_rank(oracle, edge);
		step[edge->to] = rank < step[edge->to] ? rank : step[edge->to];
	}
	for (uint32_t id = 0; id < oracle->objects; id++) {
		uint32_t parent = hf_graph_path_parent(checked->graph, id);
		if (!oracle->chain[id])
			assert_int_equal(parent, HF_NO_NODE);
		else if (oracle->chain[id] == 1)
			assert_int_equal(parent, oracle->root);
		else
			assert_true(points[id] &&
				    (parent >= oracle->objects
					 ? oracle->chain[id] == 2
					 : oracle->chain[id] == oracle->chain[parent] + 1));
	}
	for (uint32_t i = 0; i < oracle->found_count; i++) {
		uint32_t id = oracle->found[i];
		if (oracle->chain[id] > 1 &&
		    hf_graph_path_parent(checked->graph, id) < oracle->objects)
			step[id] = step[hf_graph_path_parent(checked->graph, id)];
		assert_int_equal(step[id], oracle->step[id]);
	}
	free(points);
	free(step);
}

/* Each whole path takes its own time: of some objects. */
static inline void check_some_paths(struct checked *checked)
{
	const struct oracle *oracle = checked->oracle;
	uint32_t step = oracle->objects / SAMPLES + 1, *path = NULL, count = 0, leader = 0;

	for (uint32_t id = 0; id < oracle->objects; id += step) {
		assert_null(hf_graph_path(checked->graph, id, &path, &count));
		assert_int_equal(count, oracle->chain[id] ? oracle->chain[id] : 1);
		assert_int_equal(path[count - 1], id);
		for (uint32_t i = 1; i < count; i++)
			assert_int_equal(hf_graph_path_parent(checked->graph, path[i]),
					 path[i - 1]);
		if (oracle_is_lost(oracle, id)) {
			assert_null(hf_graph_leader(checked->graph, id, &leader));
			assert_int_equal(leader, path[0]);
			assert_true(oracle->leader[leader]);
		}
		free(path);
	}
}

struct words {
	const struct oracle *oracle;
	uint64_t at;
};

static inline bool compare_word(void *ctx, const struct hf_edge *edge)
{
	struct words *words = ctx;
	const struct oracle *oracle = words->oracle;
	const struct oracle_edge *expected = &oracle->edge[words->at++];

	assert_int_equal(edge->source, expected->from);
	assert_int_equal(edge->target, expected->to);
	assert_int_equal(edge->interior, expected->interior);
	assert_int_equal(edge->source_address, expected->address);
	assert_int_equal(edge->value, expected->value);
	assert_int_equal(edge->target_address, oracle->address[expected->to]);
	return true;
}

static inline void check_words(struct checked *checked)
{
	struct words words = {.oracle = checked->oracle};
	struct hf_edge_place place = {.node = 0};

	hf_graph_each_edge_from(checked->graph, &place, checked->oracle->root, compare_word,
				&words);
	assert_int_equal(words.at, checked->oracle->words);
}

static inline void check_holders(struct checked *checked)
{
	const struct oracle *oracle = checked->oracle;
	uint32_t step = oracle->objects / SAMPLES + 1, nodes[2];

	for (uint32_t id = 0; id < oracle->objects; id += step) {
		uint32_t expected = 0, last = 0, first[2] = {0, 0};
		for (uint64_t i = oracle->row[oracle->objects]; i < oracle->words; i++) {
			const struct oracle_edge *edge = &oracle->edge[i];
			if (edge->to != id || (expected && edge->from == last))
				continue;
			last = edge->from;
			if (expected < 2)
				first[expected] = last;
			expected++;
		}
		assert_int_equal(hf_graph_holders_of(checked->graph, id, nodes, 2), expected);
		for (uint32_t i = 0; i < expected && i < 2; i++)
			assert_int_equal(nodes[i], first[i]);
	}
}

/* ---- pointers to free blocks ----------------------------------------------------------------- */

struct dangling_truth {
	const struct hf_free_blocks *blocks;
	const struct hf_dangling_result *result;
	uint64_t starts, insides;
	size_t at;
};

static inline void expect_dangling(struct dangling_truth *truth, struct hf_dangling expected)
{
	for (uint32_t i = 0; i < truth->blocks->count; i++) {
		const struct hf_free_block *block = &truth->blocks->data[i];
		if (expected.value < block->start || expected.value >= block->end)
			continue;
		if (expected.value == block->start)
			truth->starts++;
		else
			truth->insides++;
		assert_true(truth->at < truth->result->pointers.count);
		const struct hf_dangling *found = &truth->result->pointers.data[truth->at++];
		assert_int_equal(found->at, expected.at);
		assert_int_equal(found->value, expected.value);
		assert_int_equal(found->node, expected.node);
		assert_int_equal(found->holder, expected.holder);
		assert_int_equal(found->block, i);
	}
}

/* Every word that is not lost, in the order of the answer. */
static inline void expect_all_dangling(const struct checked *checked, struct dangling_truth *truth)
{
	const struct fake_heap *heap = &checked->shaped->heap;
	const struct oracle *oracle = checked->oracle;

	hf_vec_foreach (range, &heap->roots.ranges) {
		for (uint64_t at = range->start; at < range->end; at += 8)
			expect_dangling(
			    truth,
			    (struct hf_dangling){.at = at,
						 .value = heap->root_memory[(at - FAKE_ROOTS) / 8],
						 .node = HF_NO_NODE,
						 .holder = range->holder});
	}
	hf_vec_foreach (value, &heap->roots.values)
		expect_dangling(truth, (struct hf_dangling){.value = value->value,
							    .node = HF_NO_NODE,
							    .holder = value->holder});
	for (uint32_t id = 0; id < oracle->objects; id++) {
		uint64_t end = oracle->address[id] + oracle->usable[id];
		if (oracle->kind[id] >= HF_INDIRECT || oracle->own[id])
			continue;
		for (uint64_t at = oracle->address[id]; at + 8 <= end; at += 8)
			expect_dangling(
			    truth, (struct hf_dangling){.at = at,
							.value = heap->memory[(at - FAKE_BASE) / 8],
							.node = id});
	}
}

/* The answer's oracle is quadratic: some of the free chunks are enough. */
static inline void check_dangling(const struct checked *checked, unsigned threads)
{
	const struct shaped_heap *shaped = checked->shaped;
	struct hf_free_blocks blocks = {0};
	struct hf_dangling_result result = {0};

	for (uint32_t chunk = 0; chunk < shaped->heap.objects && blocks.count < SAMPLES; chunk++) {
		struct hf_free_block block = {.start = fake_object(&shaped->heap, chunk),
					      .end = fake_object(&shaped->heap, chunk) +
						     fake_usable(&shaped->heap, chunk)};
		if (shaped->state[chunk] == SHAPED_FREE)
			assert_true(hf_vec_push(&blocks, block));
	}
	assert_null(hf_dangling_find(&shaped->heap.image, checked->extents, &shaped->heap.roots,
				     checked->graph, &blocks, UINT64_MAX, true, threads, &result));
	struct dangling_truth truth = {.blocks = &blocks, .result = &result};
	expect_all_dangling(checked, &truth);
	assert_int_equal(truth.at, result.pointers.count);
	assert_int_equal(truth.starts, result.starts);
	assert_int_equal(truth.insides, result.insides);
	hf_vec_free(&result.pointers);
	hf_vec_free(&blocks);
}

/* ---- all of it ------------------------------------------------------------------------------- */

static inline void check_answers(struct checked *checked)
{
	check_extents(checked);
	check_rows(checked);
	check_words(checked);
	check_kinds(checked);
	check_tree(checked);
	check_reverse_rows(checked);
	check_chains(checked);
	check_some_paths(checked);
	check_holders(checked);
}

struct saving {
	struct checked *checked;
	struct hf_stash_writer *writer;
};

static inline void save_at_once(void *ctx)
{
	const struct saving *saving = ctx;

	hf_extents_save(saving->checked->extents, saving->writer);
	hf_graph_save(saving->checked->graph, saving->writer);
}

/* The same answers out of an index, a file in @folder. */
static inline void check_saved(struct checked *checked, const struct hf_graph_options *options,
			       const char *folder)
{
	const struct fake_heap *heap = &checked->shaped->heap;
	struct saving saving = {.checked = checked};
	struct checked loaded = *checked;
	struct hf_stash *stash = NULL;
	char path[64];

	if (!checked->oracle->objects)
		return; /* nothing is kept of an empty heap */
	snprintf(path, sizeof(path), "%s/arrays", folder);
	assert_null(hf_stash_create(path, &saving.writer));
	assert_null(hf_graph_complete(checked->graph, save_at_once, &saving));
	hf_graph_save_completed(checked->graph, saving.writer);
	assert_null(hf_stash_commit(saving.writer));
	assert_null(hf_stash_open(path, &stash));
	assert_int_equal(unlink(path), 0);
	assert_null(hf_extents_load(stash, &heap->base, &loaded.extents));
	assert_non_null(loaded.extents);
	assert_null(hf_graph_load(stash, &heap->image, loaded.extents, &heap->roots, options,
				  &loaded.graph));
	assert_non_null(loaded.graph);
	check_answers(&loaded);
	hf_graph_destroy(loaded.graph);
	hf_extents_destroy(loaded.extents);
	hf_stash_close(stash);
}

static inline void check_by(const struct shaped_heap *shaped, const struct oracle *oracle,
			    struct hf_graph_options options, const char *folder)
{
	unsigned threads = options.threads;
	struct checked checked = {.shaped = shaped, .oracle = oracle, .seed = 88172645463325252ull};

	assert_null(hf_extents_create(&shaped->heap.base, threads, NULL, &checked.extents));
	assert_null(hf_graph_create(&shaped->heap.image, checked.extents, &shaped->heap.roots,
				    &options, &checked.graph));
	check_answers(&checked);
	check_dangling(&checked, threads);
	if (folder)
		check_saved(&checked, &options, folder);
	hf_graph_destroy(checked.graph);
	hf_extents_destroy(checked.extents);
}

/*
 * By one thread and by four, which share all levels but the smallest; with and without what saves
 * the depth-first search work; out of an index too, unless @folder is NULL.
 */
static inline void check(const struct shaped_heap *shaped, const char *folder)
{
	uint32_t level = shaped->heap.objects < 1000 ? 8 : 512;
	struct oracle oracle;

	oracle_init(&oracle, shaped);
	check_by(shaped, &oracle, (struct hf_graph_options){.threads = 1}, folder);
	check_by(shaped, &oracle, (struct hf_graph_options){.threads = 4, .shared_from = level},
		 folder);
	check_by(shaped, &oracle, (struct hf_graph_options){.threads = 1, .plain = true}, NULL);
	oracle_deinit(&oracle);
}

#endif
