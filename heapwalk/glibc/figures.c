/*
 * figures.c - what malloc would say of itself, and what it would not: sums by arena.
 *
 *	system_bytes = inuse + tcache + fastbin + unsorted + small + large + lost + top + overhead
 *
 * Overhead is the rest: headers of heaps and arenas, fenceposts, alignment slack, the tcache
 * structs, and memory of other sbrk callers, which malloc counts as its own.
 */
#include "heapwalk/glibc/glibc.h"

void glibc_finish(struct hf_allocator *allocator)
{
	struct glibc *glibc = (struct glibc *)allocator; /* base is its first member */

	glibc_tell_walks(glibc);
	for (size_t i = 0; i < glibc->walks.count; i++) {
		const struct glibc_region *walk = &glibc->walks.data[i];
		uint32_t index = allocator->regions.data[i].arena;
		hf_vec_foreach (gap, &walk->gaps)
			(void)hf_vec_push(&allocator->gaps, *gap);
		if (index == HF_NO_ARENA)
			continue;
		struct hf_arena *arena = &allocator->arenas.data[index];
		for (unsigned state = 0; state < HF_CHUNK_STATES; state++) {
			arena->state_count[state] += walk->state_count[state];
			arena->state_bytes[state] += walk->state_bytes[state];
		}
		arena->inuse_count += walk->state_count[HF_CHUNK_INUSE] - walk->allocator_count;
		arena->inuse_bytes += walk->state_bytes[HF_CHUNK_INUSE] - walk->allocator_bytes;
	}
	hf_vec_foreach (arena, &allocator->arenas) {
		uint64_t known = arena->inuse_bytes;
		for (unsigned state = 0; state < HF_CHUNK_STATES; state++) {
			if (state != HF_CHUNK_INUSE && state != HF_CHUNK_FENCEPOST)
				known += arena->state_bytes[state];
		}
		arena->overhead_bytes =
		    arena->system_bytes > known ? arena->system_bytes - known : 0;
	}
}

struct hf_mallinfo2 glibc_mallinfo2(const struct hf_allocator *allocator)
{
	return ((const struct glibc *)allocator)->info;
}
