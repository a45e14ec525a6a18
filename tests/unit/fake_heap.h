/*
 * fake_heap.h - a heap made in memory: an image, an allocator and roots without any core.
 *
 * Objects stand end to end in one region; roots are the words of another segment. What the
 * graph sees is real memory, so its answers can be held against brute force.
 */
#ifndef HF_TESTS_FAKE_HEAP_H
#define HF_TESTS_FAKE_HEAP_H

#include <stdlib.h>
#include <string.h>

#include "heapwalk/allocator.h"
#include "heapwalk/graph/graph.h"

enum { FAKE_BASE = 0x10000000, FAKE_ROOTS = 0x10000, FAKE_HEADER = 16 };

struct fake_heap {
	struct hf_allocator base; /* first */
	struct hf_image image;
	struct hf_roots roots;
	uint32_t objects, holders;
	uint64_t *chunk, *size; /* address of the chunk; bytes */
	uint64_t *memory, *root_memory;
	uint64_t bytes;
};

static inline uint64_t fake_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static inline uint64_t fake_object(const struct fake_heap *heap, uint32_t id)
{
	return heap->chunk[id] + FAKE_HEADER;
}

static inline uint64_t fake_usable(const struct fake_heap *heap, uint32_t id)
{
	return heap->size[id] - 8;
}

static inline uint64_t *fake_words(const struct fake_heap *heap, uint32_t id)
{
	return heap->memory + (fake_object(heap, id) - FAKE_BASE) / 8;
}

static inline void fake_walk(const struct hf_allocator *allocator, uint32_t region,
			     hf_chunk_sink *sink, void *ctx)
{
	const struct fake_heap *heap = (const struct fake_heap *)allocator;
	(void)region;
	for (uint32_t id = 0; id < heap->objects; id++) {
		struct hf_chunk chunk = {.address = heap->chunk[id],
					 .size = heap->size[id],
					 .object = fake_object(heap, id),
					 .usable = fake_usable(heap, id)};
		sink(ctx, &chunk, 1);
	}
}

static inline bool fake_chunk_at(const struct hf_allocator *allocator, uint64_t address,
				 struct hf_chunk *ret)
{
	(void)allocator;
	(void)address;
	(void)ret;
	return false;
}

static const struct hf_allocator_ops fake_ops = {
    .name = "fake", .walk = fake_walk, .chunk_at = fake_chunk_at};

/* @objects objects of 4 to 8 words, all zero, and @holders root words. */
static inline void fake_init(struct fake_heap *heap, uint32_t objects, uint32_t holders,
			     uint64_t *random)
{
	*heap = (struct fake_heap){.objects = objects, .holders = holders};
	heap->chunk = calloc(objects + 1, sizeof(uint64_t));
	heap->size = calloc(objects + 1, sizeof(uint64_t));
	uint64_t at = FAKE_BASE;
	for (uint32_t id = 0; id < objects; id++) {
		heap->chunk[id] = at;
		heap->size[id] = 48 + 16 * (fake_random(random) % 3);
		at += heap->size[id];
	}
	heap->bytes = at - FAKE_BASE + 64;
	heap->memory = calloc(heap->bytes, 1);
	heap->root_memory = calloc(holders + 1, sizeof(uint64_t));
	heap->image.word_bytes = 8;
	heap->image.page_bytes = 4096;
	struct hf_segment roots = {.start = FAKE_ROOTS,
				   .end = FAKE_ROOTS + (holders + 1) * 8ull,
				   .present = (holders + 1) * 8ull,
				   .data = (const uint8_t *)heap->root_memory,
				   .flags = HF_SEGMENT_R | HF_SEGMENT_W};
	struct hf_segment memory = {.start = FAKE_BASE,
				    .end = FAKE_BASE + heap->bytes,
				    .present = heap->bytes,
				    .data = (const uint8_t *)heap->memory,
				    .flags = HF_SEGMENT_R | HF_SEGMENT_W};
	(void)hf_vec_push(&heap->image.segments, roots);
	(void)hf_vec_push(&heap->image.segments, memory);
	struct hf_heap_region region = {FAKE_BASE, FAKE_BASE + heap->bytes, 0, HF_REGION_BRK};
	(void)hf_vec_push(&heap->base.regions, region);
	for (uint32_t i = 0; i < holders; i++) {
		struct hf_holder holder = {
		    .name = "root", .address = FAKE_ROOTS + 8ull * i, .size = 8};
		struct hf_root_range range = {FAKE_ROOTS + 8ull * i, FAKE_ROOTS + 8ull * i + 8, i};
		(void)hf_vec_push(&heap->roots.holders, holder);
		(void)hf_vec_push(&heap->roots.ranges, range);
	}
	heap->base.ops = &fake_ops;
	heap->base.granule = 16;
	heap->base.overhead[HF_OBJECT_MALLOC] = heap->base.overhead[HF_OBJECT_ALLOCATOR] = 8;
	heap->base.overhead[HF_OBJECT_MMAP] = 16;
}

static inline void fake_deinit(struct fake_heap *heap)
{
	free(heap->chunk);
	free(heap->size);
	free(heap->memory);
	free(heap->root_memory);
	hf_vec_free(&heap->image.segments);
	hf_vec_free(&heap->base.regions);
	hf_vec_free(&heap->roots.holders);
	hf_vec_free(&heap->roots.ranges);
}

/* Graph of the heap as it stands; heuristics off. */
static inline struct hf_error *fake_graph(const struct fake_heap *heap, struct hf_extents **extents,
					  struct hf_graph **graph)
{
	struct hf_graph_options options = {.threads = 2};
	struct hf_error *err = hf_extents_create(&heap->base, 2, NULL, extents);
	return err ? err : hf_graph_create(&heap->image, *extents, &heap->roots, &options, graph);
}

#endif
