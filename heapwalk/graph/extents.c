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

enum { PIECE_BLOCKS = 4096, LEAST_SIZES = 512 };

struct walk_ctx {
	struct hf_extents *extents;
	struct region_index *region; /* of take_chunks() */
	uint32_t first;		     /* of walk_region(): that of task 0 */
};

static void set_bit(struct region_index *region, uint64_t granule)
{
	uint64_t block = granule / BLOCK_BITS, bit = granule % BLOCK_BITS;
	region->bits[block * BLOCK_WORDS + 1 + bit / 64] |= UINT64_C(1) << (bit % 64);
}

/*
 * Room for @count more sizes. How many there will be is guessed from how many there are in front of
 * @at, so that the array seldom moves; but it never becomes more than eight times as large.
 */
static bool reserve_sizes(struct region_index *region, uint32_t count, uint64_t at)
{
	if (region->sizes_capacity - region->count >= count)
		return true;
	uint64_t least = (region->count + count) * 2 + LEAST_SIZES;
	double whole = (double)(region->end - region->start), past = (double)(at - region->start);
	double guess = past > 0 ? (double)region->count * 1.06 * (whole / past) : 0;
	uint64_t capacity = guess < (double)least	  ? least
			    : guess > 4.0 * (double)least ? 4 * least
							  : (uint64_t)guess;
	uint32_t *sizes =
	    hf_bigmem_resize(NULL, region->sizes, region->sizes_capacity * sizeof(*sizes),
			     capacity * sizeof(*sizes));
	if (!sizes)
		return false;
	region->sizes = sizes;
	region->sizes_capacity = capacity;
	return true;
}

static void take_chunks(void *ctx, const struct hf_chunk *chunks, uint32_t count)
{
	struct walk_ctx *walk = ctx;
	struct region_index *region = walk->region;
	unsigned shift = walk->extents->granule_shift;

	if (region->failed || !reserve_sizes(region, count, chunks[0].address)) {
		region->failed = true;
		return;
	}
	uint32_t *sizes = region->sizes + region->count;
	for (uint32_t i = 0; i < count; i++) {
		const struct hf_chunk *chunk = &chunks[i];
		uint64_t units = chunk->size / SIZE_UNIT;
		if (!hf_chunk_in_use(chunk))
			continue;
		set_bit(region, (chunk->object - region->start) >> shift);
		*sizes++ = units >= GIANT ? GIANT : (uint32_t)units;
		region->giants |= units >= GIANT;
		if (chunk->kind == HF_OBJECT_ALLOCATOR &&
		    !hf_vec_push(&region->allocator_addresses, chunk->object))
			region->failed = true;
	}
	region->count = (uint64_t)(sizes - region->sizes);
}

static void walk_region(void *ctx, uint64_t task, unsigned worker)
{
	const struct walk_ctx *shared = ctx;
	uint32_t region = shared->first + (uint32_t)task;
	struct walk_ctx walk = {.extents = shared->extents,
				.region = &shared->extents->regions[region]};
	(void)worker;
	shared->extents->allocator->ops->walk(shared->extents->allocator, region, take_chunks,
					      &walk);
}

/* Of the memory that is to be walked chunk by chunk, the part of one thread. */
static uint64_t bytes_a_thread(const struct hf_extents *extents, unsigned threads)
{
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < extents->region_count; i++) {
		const struct region_index *region = &extents->regions[i];
		if (region->kind != HF_REGION_MMAPPED)
			bytes += region->end - region->start;
	}
	return bytes / threads;
}

/* A region that is more than one thread's part is walked by all; the others side by side. */
static void walk_regions(struct hf_extents *extents, unsigned threads)
{
	const struct hf_allocator *allocator = extents->allocator;
	uint64_t part = bytes_a_thread(extents, threads);
	struct walk_ctx walk = {.extents = extents};

	for (uint32_t i = 0; i <= extents->region_count; i++) {
		struct region_index *region = &extents->regions[i];
		bool end = i == extents->region_count;
		bool big = !end && threads > 1 && allocator->ops->walk_big &&
			   region->kind != HF_REGION_MMAPPED && region->end - region->start > part;
		if (!end && !big)
			continue;
		hf_parallel_for(threads, i - walk.first, walk_region, &walk);
		walk.first = i + 1;
		walk.region = region;
		if (big)
			allocator->ops->walk_big(allocator, i, threads, take_chunks, &walk);
	}
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

static struct hf_error *count_objects(struct hf_extents *extents)
{
	uint64_t total = 0;

	for (uint32_t i = 0; i < extents->region_count; i++) {
		if (extents->regions[i].failed)
			return hf_error_nomem();
		extents->regions[i].first = (uint32_t)total;
		total += extents->regions[i].count;
	}
	if (total > HF_MAX_OBJECTS)
		return hf_error_create(HF_ERR_LIMIT, "the heap has %lu objects; %lu are the limit",
				       (unsigned long)total, (unsigned long)HF_MAX_OBJECTS);
	extents->count = (uint32_t)total;
	return NULL;
}

/*
 * The sizes of all regions, end to end: in the array of the first region that has any if it has
 * most of them, as in most processes.
 */
static struct hf_error *join_sizes(struct hf_extents *extents)
{
	uint64_t bytes = extents->count * sizeof(uint32_t);

	for (uint32_t i = 0; i < extents->region_count; i++) {
		struct region_index *region = &extents->regions[i];
		uint64_t room = region->sizes_capacity * sizeof(uint32_t);
		if (!region->count)
			continue;
		bool first = !extents->size, most = region->count > extents->count / 2;
		if (first)
			extents->size = most ? hf_bigmem_resize(NULL, region->sizes, room, bytes)
					     : hf_bigmem_alloc(NULL, bytes);
		if (!extents->size)
			return hf_error_nomem();
		if (!first || !most) {
			memcpy(extents->size + region->first, region->sizes,
			       region->count * sizeof(uint32_t));
			hf_bigmem_free(NULL, region->sizes, room);
		}
		region->sizes = NULL;
		region->sizes_capacity = 0;
	}
	if (!extents->size)
		extents->size = hf_bigmem_alloc(NULL, bytes);
	extents->memory.now += bytes; /* it grew without an account */
	return extents->size ? NULL : hf_error_nomem();
}

static struct hf_error *allocate_places(struct hf_extents *extents)
{
	uint64_t count = extents->count;

	extents->near = hf_bigmem_alloc(&extents->memory, count * sizeof(uint32_t));
	extents->run =
	    hf_bigmem_alloc(&extents->memory, extents_runs(count) * sizeof(*extents->run));
	return extents->near && extents->run ? NULL : hf_error_nomem();
}

/* ---- addresses ------------------------------------------------------------------------------- */

/* Blocks that one task gives their counts, and objects in them their places. */
struct piece {
	struct hf_extents *extents;
	const struct region_index *region;
	uint64_t block, end; /* of the region's */
	uint32_t first;	     /* id of the first object in it */
	uint32_t count;
	HF_VEC(, struct far_object) far;
	bool failed;
};

HF_VEC(pieces, struct piece);

static bool cut_pieces(struct hf_extents *extents, struct pieces *pieces)
{
	for (uint32_t i = 0; i < extents->region_count; i++) {
		const struct region_index *region = &extents->regions[i];
		for (uint64_t block = 0; block < region->blocks; block += PIECE_BLOCKS) {
			uint64_t left = region->blocks - block;
			struct piece piece = {.extents = extents,
					      .region = region,
					      .block = block,
					      .end = block +
						     (left < PIECE_BLOCKS ? left : PIECE_BLOCKS)};
			if (!hf_vec_push(pieces, piece))
				return false;
		}
	}
	return true;
}

static void count_piece(void *ctx, uint64_t task, unsigned worker)
{
	struct piece *piece = &((struct piece *)ctx)[task];
	uint64_t count = 0;
	(void)worker;

	for (uint64_t block = piece->block; block < piece->end; block++) {
		const uint64_t *words = piece->region->bits + block * BLOCK_WORDS;
		for (unsigned i = 1; i < BLOCK_WORDS; i++)
			count += (uint64_t)__builtin_popcountll(words[i]);
	}
	piece->count = (uint32_t)count;
}

/* Pieces of a region follow each other. */
static void number_pieces(struct pieces *pieces)
{
	hf_vec_foreach (piece, pieces)
		piece->first =
		    piece->block == 0 ? piece->region->first : piece[-1].first + piece[-1].count;
}

/* Give blocks their counts, and runs that begin here their granules. */
static void index_piece(void *ctx, uint64_t task, unsigned worker)
{
	const struct piece *piece = &((struct piece *)ctx)[task];
	const struct hf_extents *extents = piece->extents;
	uint64_t first = piece->region->start >> extents->granule_shift;
	uint32_t id = piece->first;
	(void)worker;

	for (uint64_t block = piece->block; block < piece->end; block++) {
		uint64_t *words = piece->region->bits + block * BLOCK_WORDS;
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

static inline void place_object(struct piece *piece, uint32_t id, uint64_t granule)
{
	const struct hf_extents *extents = piece->extents;
	uint64_t past = granule - extents->run[id >> RUN_SHIFT];
	struct far_object object = {id, granule << extents->granule_shift};

	extents->near[id] = past < FAR ? (uint32_t)past : FAR;
	if (past >= FAR && !hf_vec_push(&piece->far, object))
		piece->failed = true;
}

/* Give objects their addresses. All runs know where they begin. */
static void place_objects(void *ctx, uint64_t task, unsigned worker)
{
	struct piece *piece = &((struct piece *)ctx)[task];
	uint64_t first = piece->region->start >> piece->extents->granule_shift;
	uint32_t id = piece->first;
	(void)worker;

	for (uint64_t block = piece->block; block < piece->end; block++) {
		const uint64_t *words = piece->region->bits + block * BLOCK_WORDS;
		for (unsigned i = 1; i < BLOCK_WORDS; i++) {
			uint64_t base = first + block * BLOCK_BITS + (i - 1) * 64;
			for (uint64_t bits = words[i]; bits; bits &= bits - 1)
				place_object(piece, id++, base + (uint64_t)__builtin_ctzll(bits));
		}
	}
}

/* Ids ascend from piece to piece, and within one. */
static bool join_far(struct hf_extents *extents, const struct pieces *pieces)
{
	hf_vec_foreach (piece, pieces) {
		if (piece->failed)
			return false;
		hf_vec_foreach (object, &piece->far) {
			if (!hf_vec_push(&extents->far, *object))
				return false;
		}
	}
	return true;
}

static struct hf_error *place_all(struct hf_extents *extents, unsigned threads)
{
	struct pieces pieces = {0};
	bool done = cut_pieces(extents, &pieces);

	if (done) {
		hf_parallel_for(threads, pieces.count, count_piece, pieces.data);
		number_pieces(&pieces);
		hf_parallel_for(threads, pieces.count, index_piece, pieces.data);
		hf_parallel_for(threads, pieces.count, place_objects, pieces.data);
		done = join_far(extents, &pieces);
	}
	hf_vec_foreach (piece, &pieces)
		free(piece->far.data);
	free(pieces.data);
	return done ? NULL : hf_error_nomem();
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
		for (uint64_t j = 0; region->giants && j < region->count; j++) {
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
		hf_progress_report(progress, "walking the heap", 0, 0);
		walk_regions(extents, threads);
		err = count_objects(extents);
	}
	if (!err)
		err = join_sizes(extents);
	if (!err)
		err = allocate_places(extents);
	if (!err)
		err = place_all(extents, threads);
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

void hf_extents_columns(const struct hf_extents *extents, struct hf_extents_columns *ret)
{
	*ret = extents_columns(extents);
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
