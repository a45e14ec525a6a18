/*
 * extents.h - the objects of a heap in flat arrays, and address -> object id in O(1).
 *
 * Object ids are 32-bit, 0 .. count-1, in ascending address order.
 * A bitmap with one bit per granule marks where objects start. It stands in blocks of one
 * cache line: the number of objects before the block, then 448 bits. So the object at or
 * before an address costs one memory access and a few popcounts.
 *
 *   granules   0   1   2   3   4   5   6   7        (of one region)
 *   bits       1   0   0   1   0   1   0   0
 *   objects    [ id 0   ]  [ 1 ]   [ 2       ]
 *
 * Invariants: addresses strictly ascending; [address, address + usable) disjoint.
 */
#ifndef HF_HEAPWALK_GRAPH_EXTENTS_H
#define HF_HEAPWALK_GRAPH_EXTENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/base/progress.h"
#include "core/base/stash.h"
#include "heapwalk/allocator.h"

#define HF_NO_OBJECT UINT32_MAX

/* Ids of nodes stay below 2^31: the graph keeps a bit beside each. */
#define HF_MAX_OBJECTS (UINT32_C(0x7fffffff) - (1u << 24))

struct hf_extents;

/* Walk all regions of @allocator (in parallel) and index the objects. */
struct hf_error *hf_extents_create(const struct hf_allocator *allocator, unsigned threads,
				   const struct hf_progress *progress, struct hf_extents **ret);
void hf_extents_destroy(struct hf_extents *extents);

/*
 * Into an index, and out of it: the arrays stay in @stash, which must outlive the extents.
 * *@ret is NULL where the index is of another heap.
 */
void hf_extents_save(const struct hf_extents *extents, struct hf_stash_writer *writer);
struct hf_error *hf_extents_load(const struct hf_stash *stash, const struct hf_allocator *allocator,
				 struct hf_extents **ret);

uint32_t hf_extents_count(const struct hf_extents *extents);

/* Lowest address and one past the highest of all regions: a quick "no pointer into here". */
void hf_extents_hull(const struct hf_extents *extents, uint64_t *ret_low, uint64_t *ret_high);

/* The object whose [address, address + usable) contains @address, or HF_NO_OBJECT. */
uint32_t hf_extents_find(const struct hf_extents *extents, uint64_t address);

/*
 * The same for many addresses at once, the scan's way: hf_extents_locate() finds the block and
 * prefetches it, hf_extents_resolve() reads it later. *@ret_start: it is the object's address.
 */
struct hf_location {
	const uint64_t *block; /* NULL: in no region */
	uint32_t bit;
	uint32_t offset; /* bytes past the granule's start */
};
void hf_extents_locate(const struct hf_extents *extents, uint64_t address, uint32_t *region_hint,
		       struct hf_location *ret);
uint32_t hf_extents_resolve(const struct hf_extents *extents, const struct hf_location *location,
			    uint64_t address, bool *ret_start);

/* The object with the highest address <= @address, or HF_NO_OBJECT. */
uint32_t hf_extents_before(const struct hf_extents *extents, uint64_t address);

/* Its address and size will be asked for soon; or its size alone. */
void hf_extents_prefetch(const struct hf_extents *extents, uint32_t id);
void hf_extents_prefetch_size(const struct hf_extents *extents, uint32_t id);
uint64_t hf_extents_address(const struct hf_extents *extents, uint32_t id);
uint64_t hf_extents_chunk_bytes(const struct hf_extents *extents, uint32_t id);
uint64_t hf_extents_usable(const struct hf_extents *extents, uint32_t id);
enum hf_object_kind hf_extents_kind(const struct hf_extents *extents, uint32_t id);
uint32_t hf_extents_arena(const struct hf_extents *extents, uint32_t id); /* or HF_NO_ARENA */

/* The same for sweeps over all objects, without a call for each. Valid while the extents live. */
struct hf_extents_columns {
	const struct hf_extents *extents;
	const uint64_t *run;  /* by id / 256: the number of a granule */
	const uint32_t *near; /* by id: granules past that; UINT32_MAX: it stands elsewhere */
	const uint32_t *size; /* by id: chunk bytes / 8; UINT32_MAX: it stands elsewhere */
	uint32_t overhead;    /* bytes of a chunk that are not usable, where that is one number */
	uint8_t granule_shift;
	bool one_overhead;
};

void hf_extents_columns(const struct hf_extents *extents, struct hf_extents_columns *ret);

static inline uint64_t hf_column_address(const struct hf_extents_columns *columns, uint32_t id)
{
	uint32_t near = columns->near[id];

	return near == UINT32_MAX ? hf_extents_address(columns->extents, id)
				  : (columns->run[id / 256] + near) << columns->granule_shift;
}

static inline uint64_t hf_column_usable(const struct hf_extents_columns *columns, uint32_t id)
{
	uint32_t units = columns->size[id];

	return units == UINT32_MAX || !columns->one_overhead
		   ? hf_extents_usable(columns->extents, id)
		   : units * UINT64_C(8) - columns->overhead;
}

/* Ids of kind ALLOCATOR, ascending; returns their number. */
uint32_t hf_extents_allocator_objects(const struct hf_extents *extents, const uint32_t **ret);

/* Bytes of our own memory that the arrays take, for the bench. */
uint64_t hf_extents_memory(const struct hf_extents *extents);

#endif
