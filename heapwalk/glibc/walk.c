/*
 * walk.c - the chunks of a region, one after the other, each with its state.
 *
 *	start                                                                     end
 *	 | in use | tcache | in use | unsorted | in use | fence fence | foreign ... | top |
 *
 * A chunk's size leads to the next. The free lists, sorted by address, are read along with a
 * cursor; the next chunk's P bit is compared with what the lists say. Where the chain
 * breaks (an impossible size, memory that is missing) it is resumed at the next chunk that
 * a free list knows, or at the first place from which a plausible chain leads on; what was
 * skipped is told.
 *
 * Invariants: chunks come out ascending and disjoint; every step moves forward; the walk of a
 * region writes only that region's data, so different regions may be walked in parallel.
 */
#include "heapwalk/glibc/walk.h"

#include <stdio.h>
#include <string.h>

enum {
	BATCH = 512,
	CHECKPOINT_BYTES = 64 << 10,
	PLAUSIBLE_STEPS = 24, /* chunks that a resumed chain must make sense for */
};

/* ---- reading ------------------------------------------------------------------------------------
 */

static bool refill(struct glibc_walker *walker, uint64_t address)
{
	uint64_t available = 0;
	const uint8_t *view = hf_image_at(walker->glibc->image, address, &available);
	if (!view || available < walker->glibc->layout.word) {
		walker->view_end = walker->view_start = 0;
		return false;
	}
	walker->view = view;
	walker->view_start = address;
	walker->view_end = address + available;
	return true;
}

/* The size word of @chunk; a word that crosses two segments is read the slow way. */
static bool size_word(struct glibc_walker *walker, uint64_t chunk, uint64_t *ret)
{
	const struct glibc *glibc = walker->glibc;
	uint64_t address = chunk + glibc->layout.word;

	if (address < walker->view_start || address + glibc->layout.word > walker->view_end) {
		if (!refill(walker, address))
			return glibc_word(glibc, address, ret);
	}
	const uint8_t *at = walker->view + (address - walker->view_start);
	if (glibc->layout.word == 8 && !glibc->image->big_endian)
		memcpy(ret, at, 8);
	else
		*ret = hf_image_word_at(glibc->image, at);
	return true;
}

/* ---- plausibility
 * -------------------------------------------------------------------------------- */

static bool good_size(const struct glibc_walker *walker, uint64_t at, uint64_t word)
{
	uint64_t bytes = word & ~(uint64_t)GLIBC_FLAGS;
	return !(word & GLIBC_IS_MMAPPED) && bytes >= walker->glibc->layout.min_size &&
	       bytes % walker->glibc->layout.align == 0 && bytes <= walker->region->end - at;
}

static bool is_fence(const struct glibc_walker *walker, uint64_t word)
{
	return word == (2ull * walker->glibc->layout.word | GLIBC_PREV_INUSE);
}

/* Does a chain of sane chunks start at @at? */
static bool plausible_from(struct glibc_walker *walker, uint64_t at)
{
	bool main_arena = walker->region->kind != HF_REGION_HEAP;
	uint64_t word;

	for (unsigned step = 0; step < PLAUSIBLE_STEPS; step++) {
		if (at == walker->walk->top && at)
			return true;
		if (at >= walker->region->end || !size_word(walker, at, &word))
			return at == walker->region->end && step > 2;
		if (is_fence(walker, word))
			return step > 0;
		if (!good_size(walker, at, word) || (main_arena && (word & GLIBC_NON_MAIN)))
			return false;
		at += word & ~(uint64_t)GLIBC_FLAGS;
	}
	return true;
}

/* Next address at or above @at, below the region's end, whose bytes are there. */
static uint64_t next_present(const struct glibc_walker *walker, uint64_t at)
{
	hf_vec_foreach (segment, &walker->glibc->image->segments) {
		if (segment->end <= at || segment->present == 0)
			continue;
		if (segment->start >= walker->region->end)
			break;
		uint64_t from = segment->start > at ? segment->start : at;
		if (from < segment->start + segment->present)
			return from;
	}
	return walker->region->end;
}

/* Where the walk can go on, after @at: a chunk a list knows, or a plausible chain. */
static uint64_t resume_after(struct glibc_walker *walker, uint64_t at)
{
	const struct glibc *glibc = walker->glibc;
	uint64_t align = glibc->layout.align, end = walker->region->end, word;
	size_t known = glibc_free_from(glibc, at + 1);
	uint64_t limit = end;

	if (known < glibc->free.count && glibc->free.data[known].chunk < limit)
		limit = glibc->free.data[known].chunk;
	if (walker->walk->top > at && walker->walk->top < limit)
		limit = walker->walk->top;
	for (at = glibc_first_chunk(glibc, at + 1); at < limit; at += align) {
		if (!size_word(walker, at, &word)) {
			at = glibc_first_chunk(glibc, next_present(walker, at + align)) - align;
			continue;
		}
		if (word && good_size(walker, at, word) && plausible_from(walker, at))
			return at;
	}
	return limit;
}

/* ---- the walk
 * ------------------------------------------------------------------------------------- */

void glibc_walker_init(struct glibc_walker *walker, const struct glibc *glibc, uint32_t region,
		       uint64_t from, bool quiet)
{
	/* Figures and diagnostics belong to the region's first full walk. */
	struct glibc *writable = (struct glibc *)(uintptr_t)glibc;
	*walker = (struct glibc_walker){
	    .glibc = glibc,
	    .region = &glibc->base.regions.data[region],
	    .walk = &writable->walks.data[region],
	    .at = from,
	    .quiet = quiet,
	    .free_at = glibc_free_from(glibc, from),
	    .next_checkpoint = from,
	};
}

static void complain(const struct glibc_walker *walker, enum hf_severity severity, const char *code,
		     uint64_t address, const char *what)
{
	if (walker->quiet)
		return;
	if (walker->region->arena != HF_NO_ARENA &&
	    walker->glibc->base.arenas.data[walker->region->arena].in_flux)
		severity = HF_SEV_NOTE;
	hf_diag_add(walker->glibc->diags, HF_DIAG_HEAP, severity, code, address, "%s", what);
}

static bool give(struct glibc_walker *walker, struct hf_chunk *chunk, uint64_t size,
		 enum hf_chunk_state state)
{
	uint64_t w = walker->glibc->layout.word;
	*chunk = (struct hf_chunk){.address = walker->at,
				   .size = size,
				   .object = walker->at + 2 * w,
				   .usable = size - w,
				   .arena = walker->region->arena,
				   .state = (uint8_t)state,
				   .kind = HF_OBJECT_MALLOC};
	walker->at += size;
	return true;
}

static bool is_tcache_struct(const struct glibc *glibc, uint64_t mem)
{
	size_t low = 0, high = glibc->tcaches.count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (glibc->tcaches.data[middle] < mem)
			low = middle + 1;
		else
			high = middle;
	}
	return low < glibc->tcaches.count && glibc->tcaches.data[low] == mem;
}

/* Foreign memory between two parts of a brk heap: what another sbrk caller took. */
static bool cross_gap(struct glibc_walker *walker)
{
	uint64_t start = walker->at, at = resume_after(walker, start);
	struct hf_range gap = {start, at};
	if (!walker->quiet && start < at)
		(void)hf_vec_push(&walker->walk->gaps, gap);
	walker->at = at;
	walker->free_at = glibc_free_from(walker->glibc, at);
	return at < walker->region->end;
}

static bool give_fence(struct glibc_walker *walker, struct hf_chunk *chunk)
{
	uint64_t w = walker->glibc->layout.word, end = walker->region->end, next;

	if (walker->region->kind != HF_REGION_BRK || end - walker->at <= 4 * w) {
		/* The end of a heap or of a region: nothing but overhead follows. */
		return give(walker, chunk, end - walker->at, HF_CHUNK_FENCEPOST);
	}
	bool second = size_word(walker, walker->at + 2 * w, &next) && is_fence(walker, next);
	give(walker, chunk, 2 * w, HF_CHUNK_FENCEPOST);
	walker->gap_follows = !second;
	return true;
}

/* The chain is broken at walker->at: give what lies up to where it can be resumed. */
static bool give_broken(struct glibc_walker *walker, struct hf_chunk *chunk, uint64_t word)
{
	uint64_t start = walker->at, next = resume_after(walker, start);
	char what[160];

	snprintf(what, sizeof(what),
		 "the chunk's size is 0x%lx, which cannot be (overwritten by the block before "
		 "it?); the walk goes on at 0x%lx",
		 (unsigned long)word, (unsigned long)next);
	complain(walker, HF_SEV_ERROR, "chunk-size-broken", start, what);
	/* It may be in use: what it points at must not be called lost. */
	give(walker, chunk, next - start, HF_CHUNK_INUSE);
	walker->free_at = glibc_free_from(walker->glibc, next);
	return true;
}

static bool skip_missing(struct glibc_walker *walker)
{
	uint64_t start = walker->at;
	uint64_t present = next_present(walker, start + walker->glibc->layout.word);

	if (present < walker->region->end && present > start) {
		walker->at = glibc_first_chunk(walker->glibc, present) - 1;
		walker->at = resume_after(walker, walker->at);
	} else {
		walker->at = walker->region->end;
	}
	if (!walker->quiet) {
		walker->walk->missing_bytes += walker->at - start;
		hf_diag_add(walker->glibc->diags, HF_DIAG_EVIDENCE, HF_SEV_WARNING, "heap-missing",
			    start, "%lu bytes of the heap are not in the core",
			    (unsigned long)(walker->at - start));
	}
	walker->free_at = glibc_free_from(walker->glibc, walker->at);
	return walker->at < walker->region->end;
}

/* State of the ordinary chunk at walker->at, by the lists and the next chunk's P bit. */
static enum hf_chunk_state ordinary_state(struct glibc_walker *walker, uint64_t bytes)
{
	const struct glibc *glibc = walker->glibc;
	uint64_t next_word = GLIBC_PREV_INUSE;
	enum hf_chunk_state listed = HF_CHUNK_INUSE;

	while (walker->free_at < glibc->free.count &&
	       glibc->free.data[walker->free_at].chunk < walker->at) {
		complain(walker, HF_SEV_ERROR, "free-chunk-misplaced",
			 glibc->free.data[walker->free_at].chunk,
			 "a free list leads into the middle of a chunk");
		walker->free_at++;
	}
	if (walker->free_at < glibc->free.count &&
	    glibc->free.data[walker->free_at].chunk == walker->at)
		listed = glibc->free.data[walker->free_at++].state;
	if (walker->at + bytes < walker->region->end)
		size_word(walker, walker->at + bytes, &next_word);
	bool binned =
	    listed == HF_CHUNK_UNSORTED || listed == HF_CHUNK_SMALL || listed == HF_CHUNK_LARGE;
	if (binned && (next_word & GLIBC_PREV_INUSE))
		complain(walker, HF_SEV_ERROR, "binned-chunk-in-use", walker->at,
			 "a chunk is in a bin, but the chunk after it says that it is in use "
			 "(\"double free or corruption (!prev)\")");
	if (listed == HF_CHUNK_INUSE && !(next_word & GLIBC_PREV_INUSE)) {
		complain(walker, HF_SEV_ERROR, "free-chunk-lost", walker->at,
			 "the chunk after it says that this one is free, but no list has it");
		return HF_CHUNK_LOST;
	}
	return listed;
}

static bool give_mmapped(struct glibc_walker *walker, struct hf_chunk *chunk)
{
	const struct glibc *glibc = walker->glibc;
	uint64_t w = glibc->layout.word, at, length;

	if (!glibc_mmapped_at(glibc, walker->at, walker->region->end, &at, &length))
		return false;
	uint64_t trailer = glibc->layout.class->mmapped_trailer ? 2 * w : 0;
	uint64_t size = walker->at + length - at - trailer;
	*chunk = (struct hf_chunk){.address = at,
				   .size = size,
				   .object = at + 2 * w,
				   .usable = size - (trailer ? w : 2 * w),
				   .arena = HF_NO_ARENA,
				   .state = HF_CHUNK_MMAPPED,
				   .kind = HF_OBJECT_MMAP};
	walker->at += length;
	return true;
}

bool glibc_walker_next(struct glibc_walker *walker, struct hf_chunk *chunk)
{
	uint64_t word;

	if (walker->region->kind == HF_REGION_MMAPPED)
		return walker->at < walker->region->end && give_mmapped(walker, chunk);
	if (walker->gap_follows) {
		walker->gap_follows = false;
		if (!cross_gap(walker))
			return false;
	}
	while (walker->at < walker->region->end && !size_word(walker, walker->at, &word)) {
		if (!skip_missing(walker))
			return false;
	}
	if (walker->at >= walker->region->end)
		return false;
	if (!walker->quiet && walker->at >= walker->next_checkpoint) {
		(void)hf_vec_push(&walker->walk->checkpoints, walker->at);
		walker->next_checkpoint = walker->at + CHECKPOINT_BYTES;
	}
	if (walker->at == walker->walk->top)
		return give(walker, chunk, walker->region->end - walker->at, HF_CHUNK_TOP);
	if (is_fence(walker, word))
		return give_fence(walker, chunk);
	if (!good_size(walker, walker->at, word))
		return give_broken(walker, chunk, word);
	uint64_t bytes = word & ~(uint64_t)GLIBC_FLAGS;
	/* A chunk that fills an old heap to its end is what was left of its top. */
	if (walker->region->kind == HF_REGION_HEAP && walker->at + bytes == walker->region->end)
		return give(walker, chunk, bytes, HF_CHUNK_FENCEPOST);
	give(walker, chunk, bytes, HF_CHUNK_INUSE);
	walker->at -= bytes; /* the state looks at the chunk where it stands */
	chunk->state = (uint8_t)ordinary_state(walker, bytes);
	walker->at += bytes;
	if (chunk->state == HF_CHUNK_INUSE && is_tcache_struct(walker->glibc, chunk->object))
		chunk->kind = HF_OBJECT_ALLOCATOR;
	return true;
}

/* ---- the ops
 * ---------------------------------------------------------------------------------------- */

static void count_chunk(struct glibc_region *walk, const struct hf_chunk *chunk)
{
	walk->state_count[chunk->state]++;
	walk->state_bytes[chunk->state] += chunk->size;
	if (chunk->state == HF_CHUNK_INUSE && chunk->kind == HF_OBJECT_ALLOCATOR) {
		walk->allocator_count++;
		walk->allocator_bytes += chunk->size;
	}
}

static void walk_region(const struct glibc *glibc, uint32_t region, bool quiet, hf_chunk_sink *sink,
			void *ctx)
{
	struct hf_chunk batch[BATCH];
	struct glibc_walker walker;
	uint32_t count = 0;

	glibc_walker_init(&walker, glibc, region, glibc->base.regions.data[region].start, quiet);
	while (glibc_walker_next(&walker, &batch[count])) {
		if (!quiet)
			count_chunk(walker.walk, &batch[count]);
		if (++count == BATCH) {
			sink(ctx, batch, count);
			count = 0;
		}
	}
	if (count)
		sink(ctx, batch, count);
}

void glibc_walk_silently(const struct glibc *glibc, uint32_t region, hf_chunk_sink *sink, void *ctx)
{
	walk_region(glibc, region, true, sink, ctx);
}

void glibc_walk(const struct hf_allocator *allocator, uint32_t region, hf_chunk_sink *sink,
		void *ctx)
{
	struct glibc *glibc = (struct glibc *)(uintptr_t)allocator; /* base is its first member */
	struct glibc_region *walk = &glibc->walks.data[region];
	bool again = walk->walked;

	walk->walked = true;
	walk_region(glibc, region, again, sink, ctx);
}

uint32_t glibc_chunks(const struct hf_allocator *allocator, uint32_t region, uint64_t *at,
		      struct hf_chunk *ret, uint32_t max)
{
	const struct glibc *glibc = (const struct glibc *)allocator; /* base is its first member */
	uint64_t start = glibc->base.regions.data[region].start;
	struct glibc_walker walker;
	uint32_t count = 0;

	glibc_walker_init(&walker, glibc, region, *at ? *at : start, true);
	while (count < max && glibc_walker_next(&walker, &ret[count]))
		count++;
	/* The next call knows only the place: a gap that follows is crossed here. */
	if (walker.gap_follows)
		cross_gap(&walker);
	*at = walker.at;
	return count;
}

bool glibc_chunk_at(const struct hf_allocator *allocator, uint64_t address, struct hf_chunk *ret)
{
	const struct glibc *glibc = (const struct glibc *)allocator;
	uint32_t region = glibc_region_at(glibc, address);
	struct glibc_walker walker;
	struct hf_chunk chunk;

	if (region == UINT32_MAX)
		return false;
	uint64_t from = glibc->base.regions.data[region].start;
	hf_vec_foreach (checkpoint, &glibc->walks.data[region].checkpoints) {
		if (*checkpoint > address)
			break;
		from = *checkpoint;
	}
	glibc_walker_init(&walker, glibc, region, from, true);
	while (glibc_walker_next(&walker, &chunk) && chunk.address <= address) {
		if (address - chunk.address < chunk.size) {
			*ret = chunk;
			return true;
		}
	}
	return false;
}
