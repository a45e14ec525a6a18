/*
 * extents_inline.h - private to heapwalk/graph/: extents.h's look-ups without a call, for loops
 * over all objects or all pointers. What is rare (far, giant, mixed) is a call still.
 */
#ifndef HF_HEAPWALK_GRAPH_EXTENTS_INLINE_H
#define HF_HEAPWALK_GRAPH_EXTENTS_INLINE_H

#include "heapwalk/graph/extents_private.h"

#define EXTENTS_INLINE static inline __attribute__((always_inline))

#ifdef __x86_64__
/* The first x86-64 processors cannot count bits: where `popcnt` of the extents says that it can. */
#define EXTENTS_POPCNT __attribute__((target("popcnt")))
#else
#define EXTENTS_POPCNT
#endif

EXTENTS_INLINE struct hf_extents_columns extents_columns(const struct hf_extents *extents)
{
	_Static_assert(RUN == 256 && SIZE_UNIT == 8 && FAR == UINT32_MAX && GIANT == UINT32_MAX,
		       "what extents.h reads");
	return (struct hf_extents_columns){
	    .extents = extents,
	    .run = extents->run,
	    .near = extents->near,
	    .size = extents->size,
	    .overhead = extents->allocator->overhead[HF_OBJECT_MALLOC],
	    .granule_shift = (uint8_t)extents->granule_shift,
	    .one_overhead = !extents->mixed,
	};
}

EXTENTS_INLINE uint64_t extents_address(const struct hf_extents *extents, uint32_t id)
{
	const struct hf_extents_columns columns = extents_columns(extents);
	return hf_column_address(&columns, id);
}

EXTENTS_INLINE uint64_t extents_chunk_bytes(const struct hf_extents *extents, uint32_t id)
{
	uint32_t units = extents->size[id];
	if (__builtin_expect(units == GIANT, 0))
		return hf_extents_chunk_bytes(extents, id);
	return (uint64_t)units * SIZE_UNIT;
}

EXTENTS_INLINE uint64_t extents_usable(const struct hf_extents *extents, uint32_t id)
{
	const struct hf_extents_columns columns = extents_columns(extents);
	return hf_column_usable(&columns, id);
}

/*
 * The number of bits at or before @bit in @block, plus the objects before the block. All words are
 * counted, those behind the bit under a mask of 0: how many are before it nobody can predict.
 *
 *	masks	1 1 1 1 1 1 0 0 0 0 0 0		6 of them from 6 - word on
 */
EXTENTS_INLINE uint64_t extents_rank(const uint64_t *block, uint32_t bit)
{
	static const uint64_t masks[2 * (BLOCK_WORDS - 2)] = {UINT64_MAX, UINT64_MAX, UINT64_MAX,
							      UINT64_MAX, UINT64_MAX, UINT64_MAX};
	uint32_t word = bit / 64;
	const uint64_t *mask = masks + (BLOCK_WORDS - 2) - word;
	uint64_t last = block[1 + word] & (UINT64_MAX >> (63 - bit % 64));
	uint64_t rank = block[0] + (uint64_t)__builtin_popcountll(last);

#pragma GCC unroll 6
	for (uint32_t i = 0; i < BLOCK_WORDS - 2; i++)
		rank += (uint64_t)__builtin_popcountll(block[1 + i] & mask[i]);
	return rank;
}

/* hf_extents_locate(). */
EXTENTS_INLINE void extents_locate(const struct hf_extents *extents, uint64_t address,
				   uint32_t *region_hint, struct hf_location *ret)
{
	const struct region_index *region = extents->regions;
	uint32_t hint = *region_hint;

	ret->block = NULL;
	if (hint >= extents->region_count ||
	    address - region[hint].start >= region[hint].end - region[hint].start) {
		hint = extents_region_of(extents, address);
		if (hint == UINT32_MAX)
			return;
		*region_hint = hint;
	}
	region += hint;
	uint64_t granule = (address - region->start) >> extents->granule_shift;
	ret->block = region->bits + granule / BLOCK_BITS * BLOCK_WORDS;
	ret->bit = (uint32_t)(granule % BLOCK_BITS);
	ret->offset = (uint32_t)(address & ((UINT64_C(1) << extents->granule_shift) - 1));
	__builtin_prefetch(ret->block);
}

/* hf_extents_resolve(). */
EXTENTS_INLINE uint32_t extents_resolve(const struct hf_extents *extents,
					const struct hf_location *location, uint64_t address,
					bool *ret_start)
{
	const uint64_t *block = location->block;
	uint32_t bit = location->bit;
	uint64_t through = extents_rank(block, bit);

	*ret_start = (block[1 + bit / 64] >> (bit % 64) & 1) && location->offset == 0;
	if (*ret_start)
		return (uint32_t)through - 1;
	if (through == 0)
		return HF_NO_OBJECT;
	uint32_t id = (uint32_t)through - 1;
	return address - extents_address(extents, id) < extents_usable(extents, id) ? id
										    : HF_NO_OBJECT;
}

#endif
