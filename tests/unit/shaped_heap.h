/*
 * shaped_heap.h - fake heaps whose chunks need not be objects, in several regions, with holders of
 * all kinds: made pointer by pointer, or at random.
 */
#ifndef HF_TESTS_SHAPED_HEAP_H
#define HF_TESTS_SHAPED_HEAP_H

#include "tests/unit/fake_heap.h"

enum shaped_state { SHAPED_LIVE, SHAPED_FREE, SHAPED_OWN }; /* OWN: the allocator's */

/* A fake heap whose chunks need not be objects. */
struct shaped_heap {
	struct fake_heap heap; /* first; its objects are chunks here */
	uint8_t *state;	       /* by chunk: enum shaped_state */
};

/* The chunks between the region's bounds. */
static inline void shaped_walk(const struct hf_allocator *allocator, uint32_t region,
			       hf_chunk_sink *sink, void *ctx)
{
	const struct shaped_heap *shaped = (const struct shaped_heap *)allocator;
	const struct hf_heap_region *bounds = &allocator->regions.data[region];
	const struct fake_heap *heap = &shaped->heap;

	for (uint32_t i = 0; i < heap->objects; i++) {
		struct hf_chunk chunk = {
		    .address = heap->chunk[i],
		    .size = heap->size[i],
		    .object = fake_object(heap, i),
		    .usable = fake_usable(heap, i),
		    .state = shaped->state[i] == SHAPED_FREE ? HF_CHUNK_SMALL : HF_CHUNK_INUSE,
		    .kind = shaped->state[i] == SHAPED_OWN ? HF_OBJECT_ALLOCATOR : HF_OBJECT_MALLOC,
		};
		if (chunk.address >= bounds->start && chunk.address < bounds->end)
			sink(ctx, &chunk, 1);
	}
}

static const struct hf_allocator_ops shaped_ops = {
    .name = "shaped", .walk = shaped_walk, .chunk_at = fake_chunk_at};

/* @roots root words, a holder each, of all kinds in turn. */
static inline void shaped_init(struct shaped_heap *shaped, uint32_t chunks, uint32_t roots,
			       uint64_t *random)
{
	*shaped = (struct shaped_heap){.state = calloc(chunks + 1, 1)};
	fake_init(&shaped->heap, chunks, roots, random);
	shaped->heap.base.ops = &shaped_ops;
	for (uint32_t i = 0; i < roots; i++)
		shaped->heap.roots.holders.data[i].kind = (uint8_t)(i * 5 % HF_HOLDER_KINDS);
}

static inline void shaped_deinit(struct shaped_heap *shaped)
{
	hf_vec_free(&shaped->heap.roots.values);
	fake_deinit(&shaped->heap);
	free(shaped->state);
}

/* Adjacent regions instead of one. */
static inline void cut_regions(struct shaped_heap *shaped, uint32_t regions)
{
	struct fake_heap *heap = &shaped->heap;
	uint64_t start = FAKE_BASE, end = heap->base.regions.data[0].end;

	heap->base.regions.count = 0;
	for (uint32_t i = 1; i <= regions; i++) {
		uint32_t chunk = (uint32_t)((uint64_t)heap->objects * i / regions);
		struct hf_heap_region region = {start, i == regions ? end : heap->chunk[chunk], 0,
						HF_REGION_BRK};
		start = region.end;
		if (region.start < region.end)
			(void)hf_vec_push(&heap->base.regions, region);
	}
}

/* One holder with all the root words, instead of one each. */
static inline void join_holders(struct shaped_heap *shaped)
{
	struct hf_roots *roots = &shaped->heap.roots;

	roots->ranges.data[0].end = roots->ranges.data[roots->ranges.count - 1].end;
	roots->ranges.count = 1;
}

static inline void point(struct shaped_heap *shaped, uint32_t from, uint32_t slot, uint32_t to,
			 uint32_t offset)
{
	fake_words(&shaped->heap, from)[slot] = fake_object(&shaped->heap, to) + offset;
}

static inline void hold(struct shaped_heap *shaped, uint32_t root, uint32_t to, uint32_t offset)
{
	shaped->heap.root_memory[root] = fake_object(&shaped->heap, to) + offset;
}

static inline uint32_t any_of(uint64_t *random, uint32_t count)
{
	return (uint32_t)(fake_random(random) % count);
}

/* Start, inside, one past the end (the next one's header), or far away. */
static inline uint32_t any_offset(const struct fake_heap *heap, uint32_t to, uint64_t *random)
{
	uint32_t dice = any_of(random, 20);

	return dice < 14   ? 0
	       : dice < 18 ? any_of(random, (uint32_t)fake_usable(heap, to))
	       : dice < 19 ? (uint32_t)fake_usable(heap, to)
			   : 1u << 30;
}

static inline void randomize(struct shaped_heap *shaped, uint32_t percent, uint64_t *random)
{
	struct fake_heap *heap = &shaped->heap;
	uint32_t chunks = heap->objects;

	for (uint32_t chunk = 0; chunk < chunks; chunk++) {
		uint32_t dice = any_of(random, 20);
		shaped->state[chunk] = dice == 0   ? SHAPED_OWN
				       : dice <= 3 ? SHAPED_FREE
						   : SHAPED_LIVE;
		for (uint32_t slot = 0; slot < 5; slot++) {
			uint32_t to = any_of(random, chunks);
			if (any_of(random, 100) < percent)
				point(shaped, chunk, slot, to, any_offset(heap, to, random));
		}
	}
	for (uint32_t i = 0; i < heap->holders; i++) {
		uint32_t to = any_of(random, chunks);
		if (any_of(random, 4))
			hold(shaped, i, to, any_offset(heap, to, random));
		to = any_of(random, chunks);
		struct hf_root_value value = {fake_object(heap, to) + any_offset(heap, to, random),
					      i};
		if (any_of(random, 3) == 0)
			(void)hf_vec_push(&heap->roots.values, value);
	}
}

#endif
