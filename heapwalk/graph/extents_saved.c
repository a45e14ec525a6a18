/*
 * extents_saved.c - extents into an index and out of it (see extents.h).
 *
 * Only the big arrays are mapped; what describes them is small and copied.
 */
#include <stdlib.h>
#include <string.h>

#include "heapwalk/graph/extents_private.h"

struct saved_region {
	uint64_t start, end, blocks, bits; /* bits: index of its first word in the section */
	uint32_t first, arena;
	uint32_t kind, unused;
};

struct saved_far {
	uint64_t address;
	uint32_t id, unused;
};

struct saved_giant {
	uint64_t bytes;
	uint32_t id, unused;
};

void hf_extents_save(const struct hf_extents *extents, struct hf_stash_writer *writer)
{
	uint64_t words = 0;

	hf_stash_begin(writer, "extents.regions");
	for (uint32_t i = 0; i < extents->region_count; i++) {
		const struct region_index *region = &extents->regions[i];
		struct saved_region saved = {region->start, region->end,   region->blocks, words,
					     region->first, region->arena, region->kind,   0};
		hf_stash_append(writer, &saved, sizeof(saved));
		words += region->blocks * BLOCK_WORDS;
	}
	hf_stash_begin(writer, "extents.bits");
	for (uint32_t i = 0; i < extents->region_count; i++)
		hf_stash_append(writer, extents->regions[i].bits,
				extents->regions[i].blocks * BLOCK_WORDS * sizeof(uint64_t));
	hf_stash_add(writer, "extents.size", extents->size,
		     (size_t)extents->count * sizeof(*extents->size));
	hf_stash_add(writer, "extents.near", extents->near,
		     (size_t)extents->count * sizeof(*extents->near));
	hf_stash_add(writer, "extents.run", extents->run,
		     extents_runs(extents->count) * sizeof(*extents->run));
	hf_stash_add(writer, "extents.own", extents->allocator_ids.data,
		     extents->allocator_ids.count * sizeof(uint32_t));
	hf_stash_begin(writer, "extents.giants");
	hf_vec_foreach (giant, &extents->giants) {
		struct saved_giant saved = {giant->bytes, giant->id, 0};
		hf_stash_append(writer, &saved, sizeof(saved));
	}
	hf_stash_begin(writer, "extents.far");
	hf_vec_foreach (object, &extents->far) {
		struct saved_far saved = {object->address, object->id, 0};
		hf_stash_append(writer, &saved, sizeof(saved));
	}
}

/* The regions of the index are those of the heap, and their bits are there. */
static bool load_regions(struct hf_extents *extents, const struct hf_stash *stash)
{
	const struct hf_allocator *allocator = extents->allocator;
	size_t count = allocator->regions.count, bytes = 0;
	const struct saved_region *saved =
	    hf_stash_array(stash, "extents.regions", count, sizeof(*saved));
	const uint64_t *bits = hf_stash_get(stash, "extents.bits", &bytes);

	extents->regions = calloc(count ? count : 1, sizeof(*extents->regions));
	if (!saved || !bits || !extents->regions)
		return false;
	extents->region_count = (uint32_t)count;
	for (size_t i = 0; i < count; i++) {
		const struct hf_heap_region *heap = &allocator->regions.data[i];
		uint64_t words = bytes / sizeof(uint64_t);
		if (saved[i].end != heap->end || saved[i].arena != heap->arena ||
		    saved[i].bits > words ||
		    saved[i].blocks > (words - saved[i].bits) / BLOCK_WORDS)
			return false;
		extents->regions[i] = (struct region_index){
		    .start = saved[i].start,
		    .end = saved[i].end,
		    .blocks = saved[i].blocks,
		    .bits = (uint64_t *)bits + saved[i].bits,
		    .first = saved[i].first,
		    .arena = saved[i].arena,
		    .kind = (uint8_t)saved[i].kind,
		};
	}
	if (count) {
		extents->low = extents->regions[0].start;
		extents->high = extents->regions[count - 1].end;
	}
	return true;
}

static bool load_arrays(struct hf_extents *extents, const struct hf_stash *stash)
{
	size_t sizes = 0, own = 0, giants = 0, fars = 0;
	const uint32_t *size = hf_stash_get(stash, "extents.size", &sizes);
	const uint32_t *ids = hf_stash_get(stash, "extents.own", &own);
	const struct saved_giant *giant = hf_stash_get(stash, "extents.giants", &giants);
	const struct saved_far *far = hf_stash_get(stash, "extents.far", &fars);

	if (!far || !size || sizes / sizeof(*size) > HF_MAX_OBJECTS || !ids || !giant)
		return false;
	extents->count = (uint32_t)(sizes / sizeof(*size));
	extents->size = (uint32_t *)size;
	extents->near =
	    (uint32_t *)hf_stash_array(stash, "extents.near", extents->count, sizeof(uint32_t));
	extents->run = (uint64_t *)hf_stash_array(stash, "extents.run",
						  extents_runs(extents->count), sizeof(uint64_t));
	for (size_t i = 0; i < own / sizeof(*ids); i++) {
		if (!hf_vec_push(&extents->allocator_ids, ids[i]))
			return false;
	}
	for (size_t i = 0; i < giants / sizeof(*giant); i++) {
		struct giant loaded = {.id = giant[i].id, .bytes = giant[i].bytes};
		if (!hf_vec_push(&extents->giants, loaded))
			return false;
	}
	for (size_t i = 0; i < fars / sizeof(*far); i++) {
		struct far_object loaded = {.id = far[i].id, .address = far[i].address};
		if (!hf_vec_push(&extents->far, loaded))
			return false;
	}
	return (extents->near && extents->run) || !extents->count;
}

struct hf_error *hf_extents_load(const struct hf_stash *stash, const struct hf_allocator *allocator,
				 struct hf_extents **ret)
{
	struct hf_extents *extents = calloc(1, sizeof(*extents));

	if (!extents)
		return hf_error_nomem();
	extents_attach(extents, allocator);
	extents->mapped = true;
	if (!load_regions(extents, stash) || !load_arrays(extents, stash)) {
		hf_extents_destroy(extents);
		extents = NULL;
	}
	*ret = extents;
	return NULL;
}
