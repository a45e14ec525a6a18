/*
 * extents.c - walking the regions into flat arrays (see extents.h).
 *
 * One task a region sets its bits and collects its objects' sizes; then the sizes are put
 * end to end, the blocks get their counts, and the addresses are read back from the bits: in
 * granules past the first object of each run of 256 ids, so that 32 bits do. The few that are too
 * far from it (one mapping and the next may be terabytes apart) stand in a list.
 *
 * Sizes are kept in units of 8 bytes in 32 bits; the few objects of 32 GiB and more have
 * theirs in a list beside.
 */
#include "heapwalk/graph/extents.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/parallel.h"
#include "core/base/search.h"
#include "heapwalk/graph/extents_inline.h"

/* ---- building -------------------------------------------------------------------------------- */

struct walk_ctx {
	struct hf_extents *extents;
	struct region_index *region;
};

static void set_bit(struct region_index *region, uint64_t granule)
{
	uint64_t block = granule / BLOCK_BITS, bit = granule % BLOCK_BITS;
	region->bits[block * BLOCK_WORDS + 1 + bit / 64] |= UINT64_C(1) << (bit % 64);
}

static bool add_size(struct region_index *region, uint64_t bytes)
{
	if (region->count == region->sizes_capacity) {
		size_t capacity = region->sizes_capacity ? region->sizes_capacity * 2 : 1024;
		uint32_t *sizes =
		    hf_bigmem_resize(NULL, region->sizes, region->sizes_capacity * sizeof(*sizes),
				     capacity * sizeof(*sizes));
		if (!sizes)
			return false;
		region->sizes = sizes;
		region->sizes_capacity = capacity;
	}
	uint64_t units = bytes / SIZE_UNIT;
	region->sizes[region->count++] = units >= GIANT ? GIANT : (uint32_t)units;
	return true;
}

static void take_chunks(void *ctx, const struct hf_chunk *chunks, uint32_t count)
{
	struct walk_ctx *walk = ctx;
	struct region_index *region = walk->region;

	for (uint32_t i = 0; i < count && !region->failed; i++) {
		const struct hf_chunk *chunk = &chunks[i];
		if (!hf_chunk_in_use(chunk))
			continue;
		set_bit(region, (chunk->object - region->start) >> walk->extents->granule_shift);
		if (!add_size(region, chunk->size))
			region->failed = true;
		if (chunk->kind == HF_OBJECT_ALLOCATOR &&
		    !hf_vec_push(&region->allocator_addresses, chunk->object))
			region->failed = true;
	}
}

static void walk_region(void *ctx, uint64_t task, unsigned worker)
{
	const struct walk_ctx *shared = ctx;
	struct walk_ctx walk = {.extents = shared->extents,
				.region = &shared->extents->regions[task]};
	(void)worker;
	shared->extents->allocator->ops->walk(shared->extents->allocator, (uint32_t)task,
					      take_chunks, &walk);
}

static struct hf_error *make_regions(struct hf_extents *extents)
{
	const struct hf_allocator *allocator = extents->allocator;
	size_t count = allocator->regions.count;

	extents->regions = calloc(count ? count : 1, sizeof(*extents->regions));
	if (!extents->regions)
		return hf_error_nomem();
	extents->region_count = (uint32_t)count;
	for (size_t i = 0; i < count; i++) {
		const struct hf_heap_region *from = &allocator->regions.data[i];
		struct region_index *region = &extents->regions[i];
		/* Granules are counted from an aligned address, where objects can be. */
		uint64_t granule = UINT64_C(1) << extents->granule_shift;
		region->start = from->start & ~(granule - 1);
		region->end = from->end;
		region->arena = from->arena;
		region->kind = from->kind;
		uint64_t granules = ((region->end - region->start) >> extents->granule_shift) + 1;
		region->blocks = (granules + BLOCK_BITS - 1) / BLOCK_BITS;
		region->bits = hf_bigmem_alloc(&extents->memory,
					       region->blocks * BLOCK_WORDS * sizeof(uint64_t));
		if (!region->bits)
			return hf_error_nomem();
	}
	if (count) {
		extents->low = extents->regions[0].start;
		extents->high = extents->regions[count - 1].end;
	}
	return NULL;
}

static struct hf_error *join_sizes(struct hf_extents *extents)
{
	uint64_t total = 0;

	for (uint32_t i = 0; i < extents->region_count; i++) {
		if (extents->regions[i].failed)
			return hf_error_nomem();
		total += extents->regions[i].count;
	}
	if (total > HF_MAX_OBJECTS)
		return hf_error_create(HF_ERR_LIMIT, "the heap has %lu objects; %lu are the limit",
				       (unsigned long)total, (unsigned long)HF_MAX_OBJECTS);
	extents->count = (uint32_t)total;
	extents->size = hf_bigmem_alloc(&extents->memory, total * sizeof(uint32_t));
	extents->near = hf_bigmem_alloc(&extents->memory, total * sizeof(uint32_t));
	extents->run =
	    hf_bigmem_alloc(&extents->memory, extents_runs(total) * sizeof(*extents->run));
	if (!extents->size || !extents->near || !extents->run)
		return hf_error_nomem();
	uint32_t first = 0;
	for (uint32_t i = 0; i < extents->region_count; i++) {
		struct region_index *region = &extents->regions[i];
		region->first = first;
		if (region->count)
			memcpy(extents->size + first, region->sizes,
			       region->count * sizeof(uint32_t));
		hf_bigmem_free(NULL, region->sizes, region->sizes_capacity * sizeof(uint32_t));
		region->sizes = NULL;
		region->sizes_capacity = 0;
		first += (uint32_t)region->count;
	}
	return NULL;
}

/* Give blocks their counts, and runs that begin here their granules. */
static void index_region(void *ctx, uint64_t task, unsigned worker)
{
	struct hf_extents *extents = ctx;
	struct region_index *region = &extents->regions[task];
	uint64_t first = region->start >> extents->granule_shift;
	uint32_t id = region->first;
	(void)worker;

	for (uint64_t block = 0; block < region->blocks; block++) {
		uint64_t *words = region->bits + block * BLOCK_WORDS;
		words[0] = id;
		for (unsigned i = 1; i < BLOCK_WORDS; i++) {
			uint64_t bits = words[i];
			uint32_t count = (uint32_t)__builtin_popcountll(bits);
			uint32_t to_run = -id & (RUN - 1); /* objects before one begins */
			if (to_run < count) {
				for (uint32_t skip = to_run; skip; skip--)
					bits &= bits - 1;
				extents->run[(id + to_run) >> RUN_SHIFT] =
				    first + block * BLOCK_BITS + (i - 1) * 64 +
				    (uint64_t)__builtin_ctzll(bits);
			}
			id += count;
		}
	}
}

static void place_object(struct hf_extents *extents, struct region_index *region, uint32_t id,
			 uint64_t granule)
{
	uint64_t past = granule - extents->run[id >> RUN_SHIFT];
	struct far_object object = {id, granule << extents->granule_shift};

	extents->near[id] = past < FAR ? (uint32_t)past : FAR;
	if (past >= FAR && !hf_vec_push(&region->far, object))
		region->failed = true;
}

/* Give objects their addresses. All runs know where they begin. */
static void place_objects(void *ctx, uint64_t task, unsigned worker)
{
	struct hf_extents *extents = ctx;
	struct region_index *region = &extents->regions[task];
	uint64_t first = region->start >> extents->granule_shift;
	uint32_t id = region->first;
	(void)worker;

	for (uint64_t block = 0; block < region->blocks; block++) {
		const uint64_t *words = region->bits + block * BLOCK_WORDS;
		for (unsigned i = 1; i < BLOCK_WORDS; i++) {
			uint64_t base = first + block * BLOCK_BITS + (i - 1) * 64;
			for (uint64_t bits = words[i]; bits; bits &= bits - 1)
				place_object(extents, region, id++,
					     base + (uint64_t)__builtin_ctzll(bits));
		}
	}
}

/* Ids ascend from region to region, and within one. */
static struct hf_error *join_far(struct hf_extents *extents)
{
	for (uint32_t i = 0; i < extents->region_count; i++) {
		if (extents->regions[i].failed)
			return hf_error_nomem();
		hf_vec_foreach (object, &extents->regions[i].far) {
			if (!hf_vec_push(&extents->far, *object))
				return hf_error_nomem();
		}
	}
	return NULL;
}

static struct hf_error *note_special(struct hf_extents *extents)
{
	for (uint32_t i = 0; i < extents->region_count; i++) {
		struct region_index *region = &extents->regions[i];
		hf_vec_foreach (address, &region->allocator_addresses) {
			uint32_t id = hf_extents_before(extents, *address);
			if (!hf_vec_push(&extents->allocator_ids, id))
				return hf_error_nomem();
		}
		for (uint64_t j = 0; j < region->count; j++) {
			uint32_t id = region->first + (uint32_t)j;
			struct hf_chunk chunk;
			if (extents->size[id] != GIANT ||
			    !extents->allocator->ops->chunk_at(
				extents->allocator, hf_extents_address(extents, id), &chunk))
				continue;
			struct giant giant = {id, chunk.size};
			if (!hf_vec_push(&extents->giants, giant))
				return hf_error_nomem();
		}
	}
	return NULL;
}

void extents_attach(struct hf_extents *extents, const struct hf_allocator *allocator)
{
	const uint32_t *overhead = allocator->overhead;

	extents->allocator = allocator;
	extents->granule_shift = (unsigned)__builtin_ctz(allocator->granule);
#ifdef __x86_64__
	extents->popcnt = __builtin_cpu_supports("popcnt");
#endif

	hf_vec_foreach (region, &allocator->regions)
		extents->mixed |=
		    overhead[hf_region_object_kind(region->kind)] != overhead[HF_OBJECT_MALLOC];
}

struct hf_error *hf_extents_create(const struct hf_allocator *allocator, unsigned threads,
				   const struct hf_progress *progress, struct hf_extents **ret)
{
	struct hf_extents *extents = calloc(1, sizeof(*extents));
	if (!extents)
		return hf_error_nomem();
	extents_attach(extents, allocator);
	struct hf_error *err = make_regions(extents);
	if (!err) {
		struct walk_ctx walk = {.extents = extents};
		hf_progress_report(progress, "walking the heap", 0, 0);
		hf_parallel_for(threads, extents->region_count, walk_region, &walk);
		err = join_sizes(extents);
	}
	if (!err) {
		hf_parallel_for(threads, extents->region_count, index_region, extents);
		hf_parallel_for(threads, extents->region_count, place_objects, extents);
		err = join_far(extents);
	}
	if (!err)
		err = note_special(extents);
	if (err) {
		hf_extents_destroy(extents);
		return err;
	}
	*ret = extents;
	return NULL;
}

void hf_extents_destroy(struct hf_extents *extents)
{
	if (!extents)
		return;
	for (uint32_t i = 0; i < extents->region_count; i++) {
		struct region_index *region = &extents->regions[i];
		if (!extents->mapped)
			hf_bigmem_free(NULL, region->bits,
				       region->blocks * BLOCK_WORDS * sizeof(uint64_t));
		hf_bigmem_free(NULL, region->sizes, region->sizes_capacity * sizeof(uint32_t));
		free(region->allocator_addresses.data);
		free(region->far.data);
	}
	free(extents->regions);
	free(extents->allocator_ids.data);
	free(extents->giants.data);
	free(extents->far.data);
	if (!extents->mapped) {
		hf_bigmem_free(NULL, extents->size, extents->count * sizeof(uint32_t));
		hf_bigmem_free(NULL, extents->near, extents->count * sizeof(uint32_t));
		hf_bigmem_free(NULL, extents->run,
			       extents_runs(extents->count) * sizeof(*extents->run));
	}
	free(extents);
}

/* ---- looking up ------------------------------------------------------------------------------ */

uint32_t extents_region_of(const struct hf_extents *extents, uint64_t address)
{
	const struct region_index *region =
	    hf_range_at(extents->regions, extents->region_count, address);
	return region ? (uint32_t)(region - extents->regions) : UINT32_MAX;
}

void hf_extents_locate(const struct hf_extents *extents, uint64_t address, uint32_t *region_hint,
		       struct hf_location *ret)
{
	extents_locate(extents, address, region_hint, ret);
}

EXTENTS_POPCNT static uint32_t resolve_popcnt(const struct hf_extents *extents,
					      const struct hf_location *location, uint64_t address,
					      bool *ret_start)
{
	return extents_resolve(extents, location, address, ret_start);
}

uint32_t hf_extents_resolve(const struct hf_extents *extents, const struct hf_location *location,
			    uint64_t address, bool *ret_start)
{
	return extents->popcnt ? resolve_popcnt(extents, location, address, ret_start)
			       : extents_resolve(extents, location, address, ret_start);
}

void hf_extents_hull(const struct hf_extents *extents, uint64_t *ret_low, uint64_t *ret_high)
{
	*ret_low = extents->low;
	*ret_high = extents->high;
}

uint32_t hf_extents_find(const struct hf_extents *extents, uint64_t address)
{
	uint32_t hint = UINT32_MAX;
	struct hf_location location;
	bool start;

	hf_extents_locate(extents, address, &hint, &location);
	return location.block ? hf_extents_resolve(extents, &location, address, &start)
			      : HF_NO_OBJECT;
}

uint32_t hf_extents_before(const struct hf_extents *extents, uint64_t address)
{
	uint32_t behind =
	    hf_first_not(0, extents->count, id, hf_extents_address(extents, id) <= address);
	return behind ? behind - 1 : HF_NO_OBJECT;
}

/* ---- facts of one object --------------------------------------------------------------------- */

uint32_t hf_extents_count(const struct hf_extents *extents)
{
	return extents->count;
}

void hf_extents_prefetch(const struct hf_extents *extents, uint32_t id)
{
	__builtin_prefetch(&extents->near[id]);
	__builtin_prefetch(&extents->size[id]);
}

void hf_extents_prefetch_size(const struct hf_extents *extents, uint32_t id)
{
	__builtin_prefetch(&extents->size[id]);
}

static uint64_t far_address(const struct hf_extents *extents, uint32_t id)
{
	size_t at = hf_first_not(0, extents->far.count, i, extents->far.data[i].id < id);
	return at < extents->far.count ? extents->far.data[at].address : 0;
}

uint64_t hf_extents_address(const struct hf_extents *extents, uint32_t id)
{
	if (extents->near[id] == FAR)
		return far_address(extents, id);
	return (extents->run[id >> RUN_SHIFT] + extents->near[id]) << extents->granule_shift;
}

uint64_t hf_extents_chunk_bytes(const struct hf_extents *extents, uint32_t id)
{
	if (extents->size[id] != GIANT)
		return (uint64_t)extents->size[id] * SIZE_UNIT;
	hf_vec_foreach (giant, &extents->giants) {
		if (giant->id == id)
			return giant->bytes;
	}
	return (uint64_t)GIANT * SIZE_UNIT;
}

static bool is_allocators(const struct hf_extents *extents, uint32_t id)
{
	const uint32_t *ids = extents->allocator_ids.data;
	size_t count = extents->allocator_ids.count;
	size_t at = hf_first_not(0, count, i, ids[i] < id);
	return at < count && ids[at] == id;
}

/* The region that holds object @id: the last whose first id is not above it. */
static const struct region_index *region_of_id(const struct hf_extents *extents, uint32_t id)
{
	uint32_t low = 0, high = extents->region_count;
	while (high - low > 1) {
		uint32_t middle = low + (high - low) / 2;
		if (extents->regions[middle].first <= id)
			low = middle;
		else
			high = middle;
	}
	return &extents->regions[low];
}

enum hf_object_kind hf_extents_kind(const struct hf_extents *extents, uint32_t id)
{
	enum hf_object_kind kind = hf_region_object_kind(region_of_id(extents, id)->kind);

	return kind == HF_OBJECT_MALLOC && is_allocators(extents, id) ? HF_OBJECT_ALLOCATOR : kind;
}

uint32_t hf_extents_arena(const struct hf_extents *extents, uint32_t id)
{
	return region_of_id(extents, id)->arena;
}

uint64_t hf_extents_usable(const struct hf_extents *extents, uint32_t id)
{
	enum hf_object_kind kind = extents->mixed
				       ? hf_region_object_kind(region_of_id(extents, id)->kind)
				       : HF_OBJECT_MALLOC;
	return hf_extents_chunk_bytes(extents, id) - extents->allocator->overhead[kind];
}

uint32_t hf_extents_allocator_objects(const struct hf_extents *extents, const uint32_t **ret)
{
	*ret = extents->allocator_ids.data;
	return (uint32_t)extents->allocator_ids.count;
}

uint64_t hf_extents_memory(const struct hf_extents *extents)
{
	return extents->memory.now;
}
