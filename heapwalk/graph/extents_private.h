/*
 * extents_private.h - private to heapwalk/graph/: the arrays behind extents.h.
 */
#ifndef HF_HEAPWALK_GRAPH_EXTENTS_PRIVATE_H
#define HF_HEAPWALK_GRAPH_EXTENTS_PRIVATE_H

#include "core/base/bigmem.h"
#include "core/base/vec.h"
#include "heapwalk/graph/extents.h"

enum { BLOCK_WORDS = 8, BLOCK_BITS = 448, SIZE_UNIT = 8 };

/* Addresses are kept as granules past the first of each run of ids. */
enum { RUN_SHIFT = 8, RUN = 1 << RUN_SHIFT };

#define GIANT UINT32_MAX
#define FAR   UINT32_MAX

/* One whose run begins too far before it for 32 bits. */
struct far_object {
	uint32_t id;
	uint64_t address;
};

struct region_index {
	uint64_t start, end; /* target addresses */
	uint64_t blocks;     /* number of blocks */
	uint64_t *bits;	     /* blocks * BLOCK_WORDS */
	uint32_t first;	     /* id of its first object */
	uint32_t arena;
	uint8_t kind;
	/* while building */
	uint32_t *sizes;
	size_t sizes_capacity;
	uint64_t count;
	HF_VEC(, uint64_t) allocator_addresses;
	bool giants; /* there are some */
	bool failed;
};

struct giant {
	uint32_t id;
	uint64_t bytes;
};

struct hf_extents {
	const struct hf_allocator *allocator;
	struct region_index *regions;
	uint32_t region_count, count;
	uint64_t low, high;
	unsigned granule_shift;
	uint64_t *run;	/* by id / RUN: number of its first object's granule */
	uint32_t *near; /* by id: granules past that, or FAR */
	uint32_t *size; /* chunk bytes / SIZE_UNIT */
	HF_VEC(, uint32_t) allocator_ids;
	HF_VEC(, struct giant) giants;
	HF_VEC(, struct far_object) far; /* by id */
	struct hf_bigmem_account memory;
	bool popcnt; /* the processor counts bits itself */
	bool mapped; /* the arrays lie in an index */
	bool mixed;  /* what a chunk has beside its object depends on the region */
};

/* Whose objects these are: settles the granule and `mixed`. */
void extents_attach(struct hf_extents *extents, const struct hf_allocator *allocator);

/* The region that contains @address, or UINT32_MAX. */
uint32_t extents_region_of(const struct hf_extents *extents, uint64_t address);

static inline uint64_t extents_runs(uint64_t objects)
{
	return (objects + RUN - 1) >> RUN_SHIFT;
}

#endif
