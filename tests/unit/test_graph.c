/*
 * test_graph.c - leak kinds, dominators and retained sizes against brute force on random graphs;
 * dominators, of big graphs too, against the simple iterative algorithm.
 *
 * Brute force: what a node keeps is what is no longer reached when it is taken away. The lost
 * are looked at from their leaders, by themselves.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/fake_heap.h"

enum { SMALL_GRAPHS = 10000, MAX_SMALL = 14, MAX_EDGES = 64 };

struct edge {
	uint32_t from, to; /* node numbers: objects, then holders */
	bool interior;
};

struct truth {
	uint32_t objects, holders, edges;
	struct edge edge[MAX_EDGES];
	enum hf_leak_kind kind[MAX_SMALL];
};

/* Write a random pointer into a random slot of @id's words, or of a root. */
static void add_edge(struct fake_heap *heap, struct truth *truth, uint32_t from, uint32_t slot,
		     uint32_t to, bool interior)
{
	uint64_t value = fake_object(heap, to) + (interior ? 8 + 8 * (to % 3) : 0);
	if (from < heap->objects)
		fake_words(heap, from)[slot] = value;
	else
		heap->root_memory[from - heap->objects] = value;
	if (from != to)
		truth->edge[truth->edges++] = (struct edge){from, to, interior};
}

static void make_random(struct fake_heap *heap, struct truth *truth, uint64_t *random)
{
	*truth = (struct truth){.objects = heap->objects, .holders = heap->holders};
	for (uint32_t id = 0; id < heap->objects; id++) {
		for (uint32_t slot = 0; slot < 3; slot++) {
			if (fake_random(random) % 100 < 45)
				add_edge(heap, truth, id, slot,
					 (uint32_t)(fake_random(random) % heap->objects),
					 fake_random(random) % 5 == 0);
		}
	}
	for (uint32_t i = 0; i < heap->holders; i++) {
		if (fake_random(random) % 4)
			add_edge(heap, truth, heap->objects + i, 0,
				 (uint32_t)(fake_random(random) % heap->objects),
				 fake_random(random) % 5 == 0);
	}
}

/* Mark what is reached from marked nodes; @without is taken away; @among: only these objects. */
static void close_over(const struct truth *truth, uint32_t mark, bool start_only, uint32_t without,
		       uint32_t among, uint32_t *ret)
{
	for (bool more = true; more;) {
		more = false;
		for (uint32_t i = 0; i < truth->edges; i++) {
			const struct edge *edge = &truth->edge[i];
			bool from = edge->from >= truth->objects || (mark >> edge->from & 1);
			if (edge->from == without || edge->to == without || !from ||
			    (mark >> edge->to & 1) || (start_only && edge->interior) ||
			    !(among >> edge->to & 1))
				continue;
			if (edge->from >= truth->objects && among != UINT32_MAX)
				continue;
			mark |= 1u << edge->to;
			more = true;
		}
	}
	*ret = mark;
}

/* Kinds by their definitions; returns the leaders. */
static uint32_t brute_kinds(struct truth *truth, uint32_t *ret_reached)
{
	uint32_t start, reached, leaders = 0;

	close_over(truth, 0, true, UINT32_MAX, UINT32_MAX, &start);
	close_over(truth, start, false, UINT32_MAX, UINT32_MAX, &reached);
	for (uint32_t id = 0; id < truth->objects; id++) {
		uint32_t forward, bit = 1u << id;
		if (reached & bit) {
			truth->kind[id] = start & bit ? HF_REACHABLE : HF_POSSIBLE;
			continue;
		}
		/* A leader: whoever leads to it is led to by it, and none of those is lower. */
		close_over(truth, bit, false, UINT32_MAX, ~reached, &forward);
		bool leader = true;
		for (uint32_t other = 0; other < truth->objects; other++) {
			uint32_t from_other;
			if (other == id || (reached >> other & 1))
				continue;
			close_over(truth, 1u << other, false, UINT32_MAX, ~reached, &from_other);
			if (from_other & bit)
				leader = leader && (forward >> other & 1) && other > id;
		}
		truth->kind[id] = leader ? HF_DEFINITE : HF_INDIRECT;
		leaders |= leader ? bit : 0;
	}
	*ret_reached = reached;
	return leaders;
}

static uint64_t bytes_of(const struct fake_heap *heap, uint32_t set)
{
	uint64_t bytes = 0;
	for (uint32_t id = 0; id < heap->objects; id++)
		bytes += set >> id & 1 ? heap->size[id] : 0;
	return bytes;
}

/* Objects that are no longer reached without @node. */
static uint32_t brute_kept(const struct truth *truth, uint32_t reached, uint32_t leaders,
			   uint32_t node)
{
	uint32_t left;
	if (node >= truth->objects || (reached >> node & 1)) {
		close_over(truth, 0, false, node, UINT32_MAX, &left);
		return reached & ~left;
	}
	close_over(truth, leaders & ~(1u << node), false, node, ~reached, &left);
	return ~reached & ((1u << truth->objects) - 1) & ~left;
}

static void check_small(const struct fake_heap *heap, struct truth *truth)
{
	struct hf_extents *extents = NULL;
	struct hf_graph *graph = NULL;
	uint32_t reached, leaders = brute_kinds(truth, &reached);

	assert_null(fake_graph(heap, &extents, &graph));
	assert_int_equal(hf_graph_objects(graph), heap->objects);
	for (uint32_t id = 0; id < heap->objects; id++) {
		assert_int_equal(hf_graph_leak_kind(graph, id), truth->kind[id]);
		uint32_t kept = brute_kept(truth, reached, leaders, id);
		assert_int_equal(hf_graph_retained(graph, id), bytes_of(heap, kept));
		/* The immediate dominator keeps it, and is kept by every other that does. */
		uint32_t above = hf_graph_idom(graph, id);
		if (above < heap->objects)
			assert_true(brute_kept(truth, reached, leaders, above) >> id & 1);
		for (uint32_t other = 0; other < heap->objects; other++) {
			uint32_t others = brute_kept(truth, reached, leaders, other);
			if (other == id || !(others >> id & 1))
				continue;
			assert_true(above == other ||
				    (above < heap->objects && (others >> above & 1)));
		}
	}
	for (uint32_t i = 0; i < hf_graph_holders(graph); i++) {
		uint32_t node = heap->objects + i;
		uint32_t holder = heap->objects + hf_graph_holder_index(graph, node);
		assert_int_equal(hf_graph_retained(graph, node),
				 bytes_of(heap, brute_kept(truth, reached, leaders, holder)));
	}
	assert_int_equal(hf_graph_retained(graph, hf_graph_root(graph)),
			 bytes_of(heap, (1u << heap->objects) - 1));
	hf_graph_destroy(graph);
	hf_extents_destroy(extents);
}

/* ---- Cooper, Harvey, Kennedy, "A simple, fast dominance algorithm" (2001) -------------------- */

struct chk {
	const struct hf_graph *graph;
	uint32_t nodes, root, count;
	uint32_t *order, *number, *idom; /* postorder; node -> number + 1; by node */
	uint32_t *stack, *cursor;
};

static void postorder(struct chk *chk, bool lost)
{
	uint32_t depth = 0;
	const uint32_t *targets;

	chk->stack[depth++] = chk->root;
	chk->number[chk->root] = 1;
	while (depth) {
		uint32_t node = chk->stack[depth - 1];
		uint64_t count = hf_graph_out(chk->graph, node, &targets);
		if (chk->cursor[node] < count) {
			uint32_t next = HF_EDGE_NODE(targets[chk->cursor[node]++]);
			bool is_lost = next < hf_graph_objects(chk->graph) &&
				       hf_graph_leak_kind(chk->graph, next) >= HF_INDIRECT;
			if (chk->number[next] || is_lost != lost)
				continue;
			chk->number[next] = 1;
			chk->stack[depth++] = next;
			continue;
		}
		chk->order[chk->count] = node;
		chk->number[node] = ++chk->count;
		depth--;
	}
}

static uint32_t intersect(const struct chk *chk, uint32_t a, uint32_t b)
{
	while (a != b) {
		while (chk->number[a] < chk->number[b])
			a = chk->idom[a];
		while (chk->number[b] < chk->number[a])
			b = chk->idom[b];
	}
	return a;
}

static void iterate(struct chk *chk)
{
	for (uint32_t node = 0; node < chk->nodes; node++)
		chk->idom[node] = HF_NO_NODE;
	chk->idom[chk->root] = chk->root;
	for (bool changed = true; changed;) {
		changed = false;
		for (uint32_t i = chk->count; i-- > 0;) {
			uint32_t node = chk->order[i];
			const uint32_t *targets;
			uint64_t count = hf_graph_out(chk->graph, node, &targets);
			if (chk->idom[node] == HF_NO_NODE)
				continue;
			for (uint64_t t = 0; t < count; t++) {
				uint32_t to = HF_EDGE_NODE(targets[t]);
				if (!chk->number[to] || to == chk->root)
					continue;
				uint32_t found = chk->idom[to] == HF_NO_NODE
						     ? node
						     : intersect(chk, chk->idom[to], node);
				if (found != chk->idom[to]) {
					chk->idom[to] = found;
					changed = true;
				}
			}
		}
	}
}

static void check_iteratively(const struct fake_heap *heap)
{
	struct hf_extents *extents = NULL;
	struct hf_graph *graph = NULL;
	assert_null(fake_graph(heap, &extents, &graph));
	for (int lost = 0; lost < 2; lost++) {
		uint32_t nodes = hf_graph_root(graph) + 1;
		struct chk chk = {.graph = graph, .nodes = nodes, .root = nodes - 1};
		uint32_t *memory = calloc(5ull * nodes + 5, sizeof(*memory));
		chk.order = memory;
		chk.number = memory + nodes;
		chk.idom = memory + 2ull * nodes;
		chk.stack = memory + 3ull * nodes;
		chk.cursor = memory + 4ull * nodes;
		postorder(&chk, lost != 0);
		iterate(&chk);
		for (uint32_t node = 0; node + 1 < nodes; node++) {
			if (chk.number[node])
				assert_int_equal(hf_graph_idom(graph, node), chk.idom[node]);
		}
		free(memory);
	}
	hf_graph_destroy(graph);
	hf_extents_destroy(extents);
}

static void test_small_random_graphs(void **state)
{
	uint64_t random = UINT64_C(0x9e3779b97f4a7c15);
	(void)state;
	for (unsigned round = 0; round < SMALL_GRAPHS; round++) {
		struct fake_heap heap;
		static struct truth truth;
		fake_init(&heap, 1 + (uint32_t)(fake_random(&random) % MAX_SMALL),
			  1 + (uint32_t)(fake_random(&random) % 4), &random);
		make_random(&heap, &truth, &random);
		check_small(&heap, &truth);
		check_iteratively(&heap);
		fake_deinit(&heap);
	}
}

static void test_big_random_graph(void **state)
{
	uint64_t random = 42;
	(void)state;
	for (unsigned degree = 60; degree <= 140; degree += 40) {
		struct fake_heap heap;
		fake_init(&heap, 50000, 20, &random);
		for (uint32_t id = 0; id < heap.objects; id++) {
			for (uint32_t slot = 0; slot < 3; slot++) {
				if (fake_random(&random) % 300 < degree)
					fake_words(&heap, id)[slot] = fake_object(
					    &heap, (uint32_t)(fake_random(&random) % heap.objects));
			}
		}
		for (uint32_t i = 0; i < heap.holders; i++)
			heap.root_memory[i] =
			    fake_object(&heap, (uint32_t)(fake_random(&random) % heap.objects));
		check_iteratively(&heap);
		fake_deinit(&heap);
	}
}

/* ---- shapes that break naive code ------------------------------------------------------------ */

/* A list of all objects, held at one end, with a pointer back to the start in each. */
static void test_long_list(void **state)
{
	uint64_t random = 7, total = 0;
	struct fake_heap heap;
	struct hf_extents *extents = NULL;
	struct hf_graph *graph = NULL;
	uint32_t count = 300000, *path, length;
	(void)state;
	fake_init(&heap, count, 1, &random);
	for (uint32_t id = 0; id < count; id++) {
		if (id + 1 < count)
			fake_words(&heap, id)[0] = fake_object(&heap, id + 1);
		fake_words(&heap, id)[1] = fake_object(&heap, 0);
		total += heap.size[id];
	}
	heap.root_memory[0] = fake_object(&heap, 0);
	assert_null(fake_graph(&heap, &extents, &graph));
	assert_int_equal(hf_graph_retained(graph, 0), total);
	assert_int_equal(hf_graph_idom(graph, count - 1), count - 2);
	assert_int_equal(hf_graph_retained_objects(graph, 1), count - 1);
	assert_null(hf_graph_path(graph, count - 1, &path, &length));
	assert_int_equal(length, count + 1);
	assert_int_equal(path[0], count); /* the holder */
	free(path);
	hf_graph_destroy(graph);
	hf_extents_destroy(extents);
	fake_deinit(&heap);
}

/* A lost ring counts once: its lowest address leads. */
static void test_lost_ring(void **state)
{
	uint64_t random = 3;
	struct fake_heap heap;
	struct hf_extents *extents = NULL;
	struct hf_graph *graph = NULL;
	struct hf_leak_total totals[HF_LEAK_KINDS];
	uint32_t leader = 0;
	(void)state;
	fake_init(&heap, 10, 1, &random);
	for (uint32_t id = 0; id < 10; id++)
		fake_words(&heap, id)[0] = fake_object(&heap, (id + 3) % 10);
	assert_null(fake_graph(&heap, &extents, &graph));
	hf_graph_leak_totals(graph, totals);
	assert_int_equal(totals[HF_DEFINITE].count, 1);
	assert_int_equal(totals[HF_INDIRECT].count, 9);
	assert_int_equal(hf_graph_leak_kind(graph, 0), HF_DEFINITE);
	assert_null(hf_graph_leader(graph, 7, &leader));
	assert_int_equal(leader, 0);
	hf_graph_destroy(graph);
	hf_extents_destroy(extents);
	fake_deinit(&heap);
}

/* Who points here, whom a node keeps in order, and the next pointer past an object's end. */
static void test_rows(void **state)
{
	uint64_t random = 5, count = 0;
	struct fake_heap heap;
	struct hf_extents *extents = NULL;
	struct hf_graph *graph = NULL;
	const uint32_t *sources;
	uint32_t *children;
	(void)state;
	fake_init(&heap, 6, 1, &random);
	for (uint32_t id = 1; id < 5; id++)
		fake_words(&heap, 0)[id - 1] = fake_object(&heap, id);
	fake_words(&heap, 1)[0] = fake_object(&heap, 4) + fake_usable(&heap, 4); /* past its end */
	heap.root_memory[0] = fake_object(&heap, 0);
	assert_null(fake_graph(&heap, &extents, &graph));
	assert_null(hf_graph_in(graph, 4, &sources, &count));
	assert_int_equal(count, 1);
	assert_int_equal(HF_EDGE_NODE(sources[0]), 0);
	assert_null(hf_graph_children(graph, 0, 2, &children, &count));
	assert_int_equal(count, 2);
	assert_true(hf_graph_retained(graph, children[0]) >= hf_graph_retained(graph, children[1]));
	free(children);
	assert_int_equal(hf_graph_leak_kind(graph, 5), HF_DEFINITE);
	hf_graph_destroy(graph);
	hf_extents_destroy(extents);
	fake_deinit(&heap);
}

enum { EDGES = 4096 };

struct edge_list {
	struct hf_edge edges[EDGES];
	uint32_t count, wanted;
};

static bool take_edge(void *ctx, const struct hf_edge *edge)
{
	struct edge_list *list = ctx;
	assert_true(list->count < EDGES);
	list->edges[list->count++] = *edge;
	return list->count < list->wanted;
}

/* All pointing words, taken @step at a time, are those of each node for itself. */
static void check_edges(const struct fake_heap *heap, const struct hf_graph *graph, uint32_t step)
{
	static struct edge_list all, pieces;
	uint32_t nodes = hf_graph_root(graph);
	struct hf_edge_place place = {.node = 0};

	all = (struct edge_list){.wanted = EDGES};
	pieces = (struct edge_list){.wanted = step};
	for (uint32_t node = 0; node < nodes; node++)
		hf_graph_each_edge(graph, node, take_edge, &all);
	for (; place.node < nodes; pieces.wanted += step)
		hf_graph_each_edge_from(graph, &place, nodes, take_edge, &pieces);
	assert_int_equal(pieces.count, all.count);
	for (uint32_t i = 0; i < all.count; i++) {
		const struct hf_edge *edge = &pieces.edges[i];
		assert_int_equal(edge->source, all.edges[i].source);
		assert_int_equal(edge->source_address, all.edges[i].source_address);
		assert_int_equal(edge->target, all.edges[i].target);
		assert_int_equal(edge->target_address, fake_object(heap, edge->target));
		assert_true(edge->value - edge->target_address < fake_usable(heap, edge->target));
	}
}

static void test_edges_in_pieces(void **state)
{
	uint64_t random = 7;
	struct fake_heap heap;
	struct hf_extents *extents = NULL;
	struct hf_graph *graph = NULL;
	uint32_t count = 300;
	(void)state;
	fake_init(&heap, count, 8, &random);
	for (uint32_t id = 0; id < count; id++) {
		for (uint32_t word = 0; word < 3; word++)
			fake_words(&heap, id)[word] =
			    fake_object(&heap, fake_random(&random) % count) +
			    fake_random(&random) % 3 * 8;
	}
	for (uint32_t i = 0; i < 8; i++)
		heap.root_memory[i] = fake_object(&heap, fake_random(&random) % count);
	assert_null(fake_graph(&heap, &extents, &graph));
	for (uint32_t step = 1; step < 300; step += step < 70 ? 1 : 37)
		check_edges(&heap, graph, step);
	hf_graph_destroy(graph);
	hf_extents_destroy(extents);
	fake_deinit(&heap);
}

/* ---- objects of 20 GiB each in a region of its own ------------------------------------------- */

enum { HUGE_OBJECTS = 5, HUGE_WORDS = 8 };
#define HUGE_BYTES (UINT64_C(20) << 30)

static uint64_t huge_object(uint32_t id)
{
	return FAKE_BASE + id * HUGE_BYTES + FAKE_HEADER;
}

static void huge_walk(const struct hf_allocator *allocator, uint32_t region, hf_chunk_sink *sink,
		      void *ctx)
{
	struct hf_chunk chunk = {.address = huge_object(region) - FAKE_HEADER,
				 .size = HUGE_BYTES,
				 .object = huge_object(region),
				 .usable = HUGE_BYTES - 8};
	(void)allocator;
	sink(ctx, &chunk, 1);
}

/* Further apart than 32 bits of granules, and together more than 32 bits of units. */
static void test_huge_objects(void **state)
{
	static const struct hf_allocator_ops ops = {
	    .name = "huge", .walk = huge_walk, .chunk_at = fake_chunk_at};
	static uint64_t words[HUGE_OBJECTS][HUGE_WORDS];
	uint64_t random = 11;
	struct fake_heap heap;
	struct hf_extents *extents = NULL;
	struct hf_graph *graph = NULL;
	(void)state;
	fake_init(&heap, 1, 1, &random);
	heap.base.ops = &ops;
	heap.base.regions.count = 0;
	heap.image.segments.count = 1; /* the roots */
	for (uint32_t id = 0; id < HUGE_OBJECTS; id++) {
		uint64_t start = huge_object(id) - FAKE_HEADER;
		struct hf_heap_region region = {start, start + 4096, 0, HF_REGION_BRK};
		struct hf_segment segment = {.start = huge_object(id),
					     .end = huge_object(id) + HUGE_BYTES - FAKE_HEADER,
					     .present = sizeof(words[id]),
					     .data = (const uint8_t *)words[id],
					     .flags = HF_SEGMENT_R | HF_SEGMENT_W};
		assert_true(hf_vec_push(&heap.base.regions, region));
		assert_true(hf_vec_push(&heap.image.segments, segment));
		if (id + 1 < HUGE_OBJECTS)
			words[id][id] = huge_object(id + 1);
	}
	heap.root_memory[0] = huge_object(0);
	assert_null(fake_graph(&heap, &extents, &graph));
	assert_int_equal(hf_graph_objects(graph), HUGE_OBJECTS);
	for (uint32_t id = 0; id < HUGE_OBJECTS; id++) {
		assert_int_equal(hf_extents_address(extents, id), huge_object(id));
		assert_int_equal(hf_extents_find(extents, huge_object(id)), id);
		assert_int_equal(hf_graph_retained(graph, id), (HUGE_OBJECTS - id) * HUGE_BYTES);
		assert_int_equal(hf_graph_retained_objects(graph, id), HUGE_OBJECTS - id);
	}
	assert_int_equal(hf_graph_retained(graph, hf_graph_root(graph)), HUGE_OBJECTS * HUGE_BYTES);
	hf_graph_destroy(graph);
	hf_extents_destroy(extents);
	fake_deinit(&heap);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_small_random_graphs),
	    cmocka_unit_test(test_big_random_graph),
	    cmocka_unit_test(test_long_list),
	    cmocka_unit_test(test_lost_ring),
	    cmocka_unit_test(test_rows),
	    cmocka_unit_test(test_edges_in_pieces),
	    cmocka_unit_test(test_huge_objects),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
