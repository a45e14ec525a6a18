/*
 * extents.h - the objects of a heap in flat arrays, and address -> object id in O(1).
 *
 * Object ids are 32-bit, 0 .. count-1, in ascending address order.
 * A bitmap with one bit per granule marks where objects start; a rank directory counts
 * the bits before each block, so the object at or before an address is one popcount away.
 *
 *   granules   0   1   2   3   4   5   6   7        (region after region, end to end)
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
#include "heapwalk/allocator.h"

#define HF_NO_OBJECT UINT32_MAX

struct hf_extents;

/* Walk all regions of @allocator (in parallel) and index the objects. */
struct hf_error *hf_extents_create(const struct hf_allocator *allocator, unsigned threads,
				   const struct hf_progress *progress, struct hf_extents **ret);
void hf_extents_destroy(struct hf_extents *extents);

uint32_t hf_extents_count(const struct hf_extents *extents);

/* The object whose [address, address + usable) contains @address, or HF_NO_OBJECT. */
uint32_t hf_extents_find(const struct hf_extents *extents, uint64_t address);

/* The object with the highest address <= @address, or HF_NO_OBJECT. */
uint32_t hf_extents_before(const struct hf_extents *extents, uint64_t address);

uint64_t hf_extents_address(const struct hf_extents *extents, uint32_t id);
uint64_t hf_extents_chunk_bytes(const struct hf_extents *extents, uint32_t id);
uint64_t hf_extents_usable(const struct hf_extents *extents, uint32_t id);
enum hf_object_kind hf_extents_kind(const struct hf_extents *extents, uint32_t id);
uint32_t hf_extents_arena(const struct hf_extents *extents, uint32_t id); /* or HF_NO_ARENA */

/* Bytes of our own memory that the arrays take, for the bench. */
uint64_t hf_extents_memory(const struct hf_extents *extents);

#endif
