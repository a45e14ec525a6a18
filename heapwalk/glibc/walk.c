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
#include "core/base/search.h"
#include "heapwalk/glibc/walk.h"

#include <stdio.h>
#include <string.h>

enum {
	BATCH = 256,
	MAX_SIZE_SEARCHES = 256, /* a walk: each may look at 4,096 places */
	PLAUSIBLE_STEPS = 24,	 /* chunks that a resumed chain must make sense for */
};

/* ---- reading --------------------------------------------------------------------------------- */

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

/* ---- plausibility ---------------------------------------------------------------------------- */

static bool good_size(const struct glibc_walker *walker, uint64_t at, uint64_t word)
{
	uint64_t bytes = word & ~(uint64_t)GLIBC_FLAGS, top = walker->walk->top;
	return !(word & GLIBC_IS_MMAPPED) && bytes >= walker->glibc->layout.min_size &&
	       bytes % walker->glibc->layout.align == 0 && bytes <= walker->region->end - at &&
	       !(top > at && top - at < bytes);
}

/*
 * Fenceposts: 2W|1 twice where sbrk stopped serving, 2W then 0 at the end of an old heap. The
 * first one's P bit is clear when the rest of the old top, freed before it, is in a bin.
 */
static bool is_fence(struct glibc_walker *walker, uint64_t at, uint64_t word)
{
	uint64_t w = walker->glibc->layout.word, next = 0, before = 0, end = walker->region->end;

	if ((word & ~(uint64_t)GLIBC_PREV_INUSE) != 2 * w)
		return false;
	if (walker->region->kind == HF_REGION_HEAP)
		return end - at <= 4 * w + walker->glibc->layout.align;
	if (at + 2 * w < end && size_word(walker, at + 2 * w, &next) && next == (2 * w | 1))
		return true;
	return word == (2 * w | 1) && at >= walker->region->start + 2 * w &&
	       size_word(walker, at - 2 * w, &before) &&
	       (before & ~(uint64_t)GLIBC_PREV_INUSE) == 2 * w;
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
		if (is_fence(walker, at, word))
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

uint64_t glibc_walker_guess(struct glibc_walker *walker, uint64_t at, uint64_t limit)
{
	uint64_t word;

	for (at = glibc_first_chunk(walker->glibc, at); at < limit;
	     at += walker->glibc->layout.align) {
		if (size_word(walker, at, &word) && word && good_size(walker, at, word) &&
		    plausible_from(walker, at))
			return at;
	}
	return 0;
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

/* ---- the walk -------------------------------------------------------------------------------- */

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

static void complain(struct glibc_walker *walker, struct hf_finding finding, const char *what)
{
	if (!glibc_walker_tells(walker))
		return;
	finding.severity = HF_SEV_ERROR;
	glibc_tell_later(walker->walk, finding, what);
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
	walker->last = chunk->address;
	return true;
}

static bool is_tcache_struct(const struct glibc *glibc, uint64_t mem)
{
	size_t at = hf_first_not(0, glibc->tcaches.count, i, glibc->tcaches.data[i] < mem);
	return at < glibc->tcaches.count && glibc->tcaches.data[at] == mem;
}

/* Foreign memory between two parts of a brk heap: what another sbrk caller took. */
static bool cross_gap(struct glibc_walker *walker)
{
	uint64_t start = walker->at, at = resume_after(walker, start);
	struct hf_range gap = {start, at};
	if (start < at && glibc_walker_tells(walker))
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
	bool first = size_word(walker, walker->at + 2 * w, &next) && next == (2 * w | 1);
	give(walker, chunk, 2 * w, HF_CHUNK_FENCEPOST);
	walker->gap_follows = !first;
	return true;
}

/* The flags of a block in use after a block in use: nearly all are. */
static uint64_t usual_flags(const struct glibc_walker *walker)
{
	return GLIBC_PREV_INUSE | (walker->region->kind == HF_REGION_HEAP ? GLIBC_NON_MAIN : 0);
}

/* The header of the chunk at walker->at says @word, but its neighbours make it @size bytes. */
static void tell_size_broken(struct glibc_walker *walker, uint64_t word, uint64_t size)
{
	const struct glibc *glibc = walker->glibc;
	uint64_t before = walker->last, w = glibc->layout.word, shared = 0;
	char what[160];

	/* What ran over the end of the block before went through its last word. */
	bool through = before && glibc_word(glibc, walker->at, &shared) && (shared || !word);
	snprintf(
	    what, sizeof(what),
	    "the block's header says size 0x%lx, which cannot be: its neighbours make it 0x%lx",
	    (unsigned long)word, (unsigned long)size);
	complain(walker,
		 (struct hf_finding){.code = "chunk-size-broken",
				     .blame = through ? HF_BLAME_OVERFLOW : HF_BLAME_UNKNOWN,
				     .address = glibc_mem(glibc, walker->at),
				     .word = walker->at + w,
				     .has_expected = walker->at + size < walker->region->end,
				     .expected = size | usual_flags(walker),
				     .culprit = before ? glibc_mem(glibc, before) : 0,
				     .abort_text = "free(): invalid size"},
		 what);
}

/* The chain is broken at walker->at: give what lies up to where it can be resumed. */
static bool give_broken(struct glibc_walker *walker, struct hf_chunk *chunk, uint64_t word)
{
	uint64_t start = walker->at, next = resume_after(walker, start);

	if (glibc_walker_tells(walker)) {
		tell_size_broken(walker, word, next - start);
		/* Less than two of the smallest is one block for sure. */
		if (next - start >= 2ull * walker->glibc->layout.min_size)
			glibc_doubtful(walker->walk, start, next);
	}
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
	if (glibc_walker_tells(walker))
		glibc_missing(walker->walk, start, walker->at);
	walker->free_at = glibc_free_from(walker->glibc, walker->at);
	return walker->at < walker->region->end;
}

static bool is_binned(enum hf_chunk_state state)
{
	return state == HF_CHUNK_UNSORTED || state == HF_CHUNK_SMALL || state == HF_CHUNK_LARGE;
}

/* What the lists say of the chunk at walker->at. */
static enum hf_chunk_state listed_state(struct glibc_walker *walker)
{
	const struct glibc *glibc = walker->glibc;
	const struct glibc_free_list *list = &glibc->free;

	for (; walker->free_at < list->count && list->data[walker->free_at].chunk < walker->at;
	     walker->free_at++) {
		uint64_t mem = glibc_mem(glibc, list->data[walker->free_at].chunk);
		complain(walker,
			 (struct hf_finding){.code = "free-chunk-misplaced",
					     .address = mem,
					     .culprit =
						 walker->last ? glibc_mem(glibc, walker->last) : 0},
			 "a free list leads into the middle of a chunk: that chunk's size is too "
			 "large, or the list's link was overwritten");
	}
	if (walker->free_at < list->count && list->data[walker->free_at].chunk == walker->at)
		return list->data[walker->free_at++].state;
	return HF_CHUNK_INUSE;
}

/* The header at @next is smashed: its P bit says nothing either. */
static bool header_smashed(struct glibc_walker *walker, uint64_t next, uint64_t word)
{
	uint64_t bytes = word & ~(uint64_t)GLIBC_FLAGS;
	if (next >= walker->region->end)
		return false;
	if (next == walker->walk->top)
		return bytes != walker->region->end - next;
	return !good_size(walker, next, word) && !is_fence(walker, next, word);
}

/* Does the size in the header at @next lead to where no header is? */
static bool next_misleads(struct glibc_walker *walker, uint64_t next, uint64_t word)
{
	uint64_t after = next + (word & ~(uint64_t)GLIBC_FLAGS), after_word;
	return after < walker->region->end && size_word(walker, after, &after_word) &&
	       header_smashed(walker, after, after_word);
}

/*
 * Not on a list, but the next chunk's P bit says free. If the footer agrees, no list has it
 * (lists are broken or in flux); else the bit was cleared by what ran over the block's end.
 */
static enum hf_chunk_state unlisted_state(struct glibc_walker *walker, uint64_t bytes,
					  uint64_t next_word)
{
	const struct glibc *glibc = walker->glibc;
	uint64_t next = walker->at + bytes, footer = 0, mem = glibc_mem(glibc, walker->at);

	if (glibc_word(glibc, next, &footer) && footer == bytes) {
		/* Without the main arena nobody knows its lists; or the list was cut off. */
		if (glibc->lists_missing || (!glibc->main_arena && walker->region->arena == 0))
			return HF_CHUNK_LOST;
		complain(walker, (struct hf_finding){.code = "free-chunk-lost", .address = mem},
			 "the chunk after it says that this one is free, but no list has it");
		return HF_CHUNK_LOST;
	}
	/* The whole size word was overwritten: that is told when the walk comes to it. */
	if (next_misleads(walker, next, next_word))
		return HF_CHUNK_INUSE;
	complain(
	    walker,
	    (struct hf_finding){.code = "chunk-flags-broken",
				.blame = HF_BLAME_OVERFLOW,
				.address = glibc_mem(glibc, next),
				.word = next + glibc->layout.word,
				.has_expected = true,
				.expected = next_word | GLIBC_PREV_INUSE,
				.culprit = mem,
				.abort_text = "corrupted size vs. prev_size"},
	    "the block's header says that the block before it is free, but that one is in use");
	return HF_CHUNK_INUSE;
}

/* Does the chunk at walker->at reach over a chunk that a free list knows, and rightly? */
static bool swallows_free(struct glibc_walker *walker, uint64_t bytes)
{
	const struct glibc_free_list *list = &walker->glibc->free;
	size_t next = walker->free_at;

	while (next < list->count && list->data[next].chunk <= walker->at)
		next++;
	return next < list->count && list->data[next].chunk - walker->at < bytes &&
	       plausible_from(walker, list->data[next].chunk);
}

/* State of the ordinary chunk at walker->at, by the lists and the next chunk's P bit. */
static enum hf_chunk_state ordinary_state(struct glibc_walker *walker, uint64_t bytes,
					  uint64_t next_word, bool smashed)
{
	uint64_t mem = glibc_mem(walker->glibc, walker->at);
	enum hf_chunk_state listed = listed_state(walker);

	if (smashed)
		return listed;
	if (is_binned(listed) && (next_word & GLIBC_PREV_INUSE))
		complain(
		    walker,
		    (struct hf_finding){.code = "binned-chunk-in-use",
					.blame = HF_BLAME_OVERFLOW,
					.address = mem,
					.word = walker->at + bytes + walker->glibc->layout.word,
					.has_expected = true,
					.expected = next_word & ~(uint64_t)GLIBC_PREV_INUSE,
					.culprit = mem,
					.abort_text = "double free or corruption (!prev)"},
		    "the block is in a bin, but the chunk after it says that it is in use");
	if (listed == HF_CHUNK_INUSE && !(next_word & GLIBC_PREV_INUSE))
		return unlisted_state(walker, bytes, next_word);
	uint64_t key = 0;
	if (walker->glibc->cut_key && listed == HF_CHUNK_INUSE &&
	    glibc_word(walker->glibc, mem + walker->glibc->layout.word, &key) &&
	    key == walker->glibc->cut_key)
		return HF_CHUNK_TCACHE;
	return listed;
}

/* Is @size, for the chunk at walker->at, one that leads on to a sane chain? */
static bool leads_on(struct glibc_walker *walker, uint64_t size)
{
	uint64_t at = walker->at;
	return size >= walker->glibc->layout.min_size && size % walker->glibc->layout.align == 0 &&
	       size < walker->region->end - at &&
	       !(walker->walk->top > at && walker->walk->top - at < size) &&
	       plausible_from(walker, at + size);
}

/*
 * The size at walker->at is possible, but what it leads to is no header. Was it changed in its
 * low byte or two, by a string that ran over from the block before?
 *
 *	 before: ... a a a a a a a | a 00 00 00 ..   0x131 became 0x161: too long
 *	 before: ... a a a a a a a | 00 01 00 00 ..  0x131 became 0x100: too short
 *
 * Too long: the true next header is within what the size spans. Too short: then only if the
 * byte is what a string leaves, its end or one more of the same; else it is the next header
 * that was smashed. *@bytes becomes the size that leads on.
 */
static bool overrun_size(struct glibc_walker *walker, uint64_t word, uint64_t *bytes)
{
	const struct glibc *glibc = walker->glibc;
	uint64_t align = glibc->layout.align, w = glibc->layout.word;
	uint8_t around[3] = {0}; /* the last byte before the size, its two lowest */

	if (glibc->image->big_endian || walker->at < walker->region->start + w ||
	    !hf_image_read(glibc->image, walker->at + w - 1, around, sizeof(around)) || !around[0])
		return false;
	bool string = around[1] == 0 || around[1] == around[0];
	for (uint64_t size = word & ~UINT64_C(0xff); size <= (word | 0xff); size += align) {
		if (size != *bytes && (size < *bytes || string) && leads_on(walker, size)) {
			*bytes = size;
			return true;
		}
	}
	if (around[1] != around[0] || around[2] == 0 || walker->searches++ >= MAX_SIZE_SEARCHES)
		return false;
	for (uint64_t size = word & ~UINT64_C(0xffff); size < *bytes; size += align) {
		if (leads_on(walker, size)) {
			*bytes = size;
			return true;
		}
	}
	return false;
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

static bool next_chunk(struct glibc_walker *walker, struct hf_chunk *chunk)
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
	if (!walker->quiet && walker->at >= walker->next_checkpoint)
		glibc_set_checkpoint(walker, walker->at);
	walker->word = word;
	if (walker->at == walker->walk->top)
		return give(walker, chunk, walker->region->end - walker->at, HF_CHUNK_TOP);
	if (is_fence(walker, walker->at, word))
		return give_fence(walker, chunk);
	uint64_t bytes = word & ~(uint64_t)GLIBC_FLAGS, next_word = GLIBC_PREV_INUSE;
	if (!good_size(walker, walker->at, word) || swallows_free(walker, bytes))
		return give_broken(walker, chunk, word);
	/* A chunk that fills an old heap to its end is what was left of its top. */
	if (walker->region->kind == HF_REGION_HEAP && walker->at + bytes == walker->region->end)
		return give(walker, chunk, bytes, HF_CHUNK_FENCEPOST);
	if (walker->at + bytes < walker->region->end)
		size_word(walker, walker->at + bytes, &next_word);
	bool smashed = header_smashed(walker, walker->at + bytes, next_word);
	if (smashed && overrun_size(walker, word, &bytes) && glibc_walker_tells(walker))
		tell_size_broken(walker, word, bytes);
	give(walker, chunk, bytes, HF_CHUNK_INUSE);
	walker->at -= bytes; /* the state looks at the chunk where it stands */
	chunk->state = (uint8_t)ordinary_state(walker, bytes, next_word, smashed);
	walker->at += bytes;
	if (chunk->state == HF_CHUNK_INUSE && is_tcache_struct(walker->glibc, chunk->object))
		chunk->kind = HF_OBJECT_ALLOCATOR;
	return true;
}

/* ---- figures --------------------------------------------------------------------------------- */

static void count_chunk(struct glibc_region *walk, const struct hf_chunk *chunk)
{
	walk->state_count[chunk->state]++;
	walk->state_bytes[chunk->state] += chunk->size;
	if (chunk->state == HF_CHUNK_INUSE && chunk->kind == HF_OBJECT_ALLOCATOR) {
		walk->allocator_count++;
		walk->allocator_bytes += chunk->size;
	}
}

bool glibc_walker_next(struct glibc_walker *walker, struct hf_chunk *chunk)
{
	if (!next_chunk(walker, chunk))
		return false;
	if (walker->quiet)
		return true;
	if (walker->region->kind != HF_REGION_MMAPPED)
		glibc_check_neighbours(walker, chunk);
	count_chunk(walker->walk, chunk);
	return true;
}

/* ---- the ops --------------------------------------------------------------------------------- */

uint32_t glibc_walker_take(struct glibc_walker *walker, struct hf_chunk *chunks, uint32_t max)
{
	uint32_t count = 0;

	while (count < max && !(walker->pause && walker->at >= walker->pause)) {
		uint32_t usual = glibc_walker_usual(walker, chunks + count, max - count);
		count += usual;
		if (usual)
			continue;
		if (!glibc_walker_next(walker, &chunks[count]))
			break;
		count++;
	}
	return count;
}

static void walk_region(const struct glibc *glibc, uint32_t region, bool quiet, hf_chunk_sink *sink,
			void *ctx)
{
	struct hf_chunk batch[BATCH];
	struct glibc_walker walker;
	uint32_t count;

	glibc_walker_init(&walker, glibc, region, glibc->base.regions.data[region].start, quiet);
	do {
		count = glibc_walker_take(&walker, batch, BATCH);
		if (count)
			sink(ctx, batch, count);
	} while (count == BATCH);
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

	glibc_walker_init(&walker, glibc, region, *at ? *at : start, true);
	uint32_t count = glibc_walker_take(&walker, ret, max);
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
