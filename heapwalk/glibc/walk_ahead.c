/*
 * walk_ahead.c - the walk of a big region on several threads, with the result of one.
 *
 *	piece      0               1               2               3
 *	            |...............|..s----------e.|..s----------e.|..s---------- ...
 *	the walk   ->==============>==<taken as is>====<taken as is>====
 *
 * Where a chunk starts only the one before can say. But a guess is easy: where a chain of sane
 * headers leads on, there is nearly always a chunk, and a chain that began within one soon falls in
 * with the true one. So each piece of the region is walked from a guess on its own, beside the
 * others (fill); and in order of address one walk goes over the whole region and takes what the
 * pieces have (emit).
 *
 * Why the result is that of one walk: a step of a walker depends on nothing but the heap, which
 * does not change, and the walker. A guess is run in for a few chunks and then its walker is kept
 * (s). When the true walk stands there with the same state, every field that a step reads, the
 * piece's chunks are those that it would give. Else, in a heap that is corrupt there or where the
 * guess was wrong, the piece is dropped, and the true walk goes on by itself.
 *
 * A piece tells nothing: where a diagnostic, a gap or the like is due, it ends before that (e), and
 * the true walk, which takes up its walker there, comes to it next. So all of that is in order.
 */
#include <stdlib.h>

#include "core/base/bigmem.h"
#include "core/base/ordered.h"
#include "heapwalk/glibc/walk.h"

enum {
	PIECE_BYTES = 1 << 20,
	BIG_PIECES = 8,		/* of a region that is worth it */
	GUESS_BYTES = 16 << 10, /* in which a chunk must start; else there are few in the piece */
	RUN_IN = 16,		/* chunks */
	BATCH = 256,
	SIZE_UNIT = 8,
};

/* All else of a chunk follows from where it stands. */
struct brief {
	uint32_t units; /* size / SIZE_UNIT */
	uint8_t state, kind;
};

struct slot {
	struct glibc_walker start, end; /* before the first of the chunks, behind the last */
	struct glibc_region figures;	/* of these chunks */
	struct brief *chunks;
	uint32_t count;
};

struct ahead {
	const struct glibc *glibc;
	uint32_t region;
	uint32_t room; /* chunks a slot */
	hf_chunk_sink *sink;
	void *ctx;
	struct glibc_walker walker; /* the true one */
	struct slot slots[HF_ORDERED_SLOTS];
};

/* ---- pieces ---------------------------------------------------------------------------------- */

/* Nothing of @chunk, found at @at, is lost in a brief. */
static bool fits_brief(const struct glibc_walker *walker, const struct hf_chunk *chunk, uint64_t at)
{
	uint64_t word = walker->glibc->layout.word;
	return chunk->address == at && walker->at == at + chunk->size &&
	       chunk->size % SIZE_UNIT == 0 && chunk->size / SIZE_UNIT <= UINT32_MAX &&
	       chunk->object == at + 2 * word && chunk->usable == chunk->size - word &&
	       chunk->arena == walker->region->arena;
}

/* One chunk of which more is to be said than its size; false: the piece ends before it. */
static bool guess_one(struct glibc_walker *walker, struct hf_chunk *chunk)
{
	struct glibc_walker before = *walker;
	struct glibc_region figures = *walker->walk;

	if (glibc_walker_next(walker, chunk) && !walker->stopped && walker->searches == 0 &&
	    fits_brief(walker, chunk, before.at))
		return true;
	/* Checkpoints that were added are left behind the end, the array may have moved. */
	figures.checkpoints.data = walker->walk->checkpoints.data;
	figures.checkpoints.capacity = walker->walk->checkpoints.capacity;
	*walker->walk = figures;
	*walker = before;
	return false;
}

static uint32_t guess_some(struct glibc_walker *walker, struct hf_chunk *chunks, uint32_t max)
{
	uint32_t count = glibc_walker_usual(walker, chunks, max);
	return count ? count : guess_one(walker, chunks);
}

static bool run_in(struct glibc_walker *walker, struct glibc_region *figures)
{
	struct hf_chunk chunks[RUN_IN];
	uint64_t top = figures->top;
	uint32_t count, left = RUN_IN;

	while (left && (count = guess_some(walker, chunks, left)))
		left -= count;
	*figures = (struct glibc_region){.checkpoints = figures->checkpoints, .top = top};
	figures->checkpoints.count = 0;
	walker->next_checkpoint = walker->at;
	return left == 0;
}

static void fill(void *ctx, uint64_t piece, unsigned index, unsigned worker)
{
	struct ahead *ahead = ctx;
	const struct glibc *glibc = ahead->glibc;
	const struct hf_heap_region *region = &glibc->base.regions.data[ahead->region];
	struct slot *slot = &ahead->slots[index];
	struct glibc_walker *walker = &slot->end;
	uint64_t from = region->start + piece * PIECE_BYTES, left = region->end - from;
	uint64_t limit = from + (left < PIECE_BYTES ? left : PIECE_BYTES);
	struct hf_chunk chunks[BATCH];
	(void)worker;

	slot->count = 0;
	slot->figures.top = glibc->walks.data[ahead->region].top;
	glibc_walker_init(walker, glibc, ahead->region, from, false);
	walker->walk = &slot->figures;
	walker->guessing = true;
	uint64_t at =
	    glibc_walker_guess(walker, from, left < GUESS_BYTES ? limit : from + GUESS_BYTES);
	walker->at = at;
	walker->free_at = glibc_free_from(glibc, at);
	if (!at || !run_in(walker, &slot->figures) || walker->at >= limit)
		return;
	slot->start = *walker;
	walker->pause = limit;
	while (walker->at < limit && slot->count < ahead->room) {
		uint32_t room = ahead->room - slot->count;
		uint32_t count = guess_some(walker, chunks, room < BATCH ? room : BATCH);
		if (!count)
			break;
		for (uint32_t i = 0; i < count; i++)
			slot->chunks[slot->count++] =
			    (struct brief){(uint32_t)(chunks[i].size / SIZE_UNIT), chunks[i].state,
					   chunks[i].kind};
	}
}

/* ---- the true walk --------------------------------------------------------------------------- */

static bool same_chunk(const struct hf_chunk *a, const struct hf_chunk *b)
{
	return a->address == b->address && a->size == b->size && a->object == b->object &&
	       a->usable == b->usable && a->arena == b->arena && a->state == b->state &&
	       a->kind == b->kind;
}

/* Will both go on alike? What a walker has beside these fields spares it work, or counts. */
static bool same_state(const struct glibc_walker *a, const struct glibc_walker *b)
{
	return a->at == b->at && a->gap_follows == b->gap_follows && a->free_at == b->free_at &&
	       a->last == b->last && a->word == b->word && same_chunk(&a->before, &b->before);
}

static void add_figures(struct glibc_walker *walker, const struct glibc_region *figures)
{
	struct glibc_region *walk = walker->walk;

	for (unsigned state = 0; state < HF_CHUNK_STATES; state++) {
		walk->state_count[state] += figures->state_count[state];
		walk->state_bytes[state] += figures->state_bytes[state];
	}
	walk->allocator_count += figures->allocator_count;
	walk->allocator_bytes += figures->allocator_bytes;
	/* The first one may be where the true walk would have set none yet. */
	hf_vec_foreach (checkpoint, &figures->checkpoints) {
		if (*checkpoint >= walker->next_checkpoint)
			glibc_set_checkpoint(walker, *checkpoint);
	}
}

/* Give the piece's chunks, and stand behind them. */
static void take_piece(struct ahead *ahead, const struct slot *slot)
{
	struct glibc_walker *walker = &ahead->walker;
	uint64_t word = ahead->glibc->layout.word, at = walker->at, next_checkpoint;
	struct hf_chunk chunks[BATCH];
	struct glibc_region *walk = walker->walk;
	unsigned searches = walker->searches;

	for (uint32_t done = 0; done < slot->count;) {
		uint32_t left = slot->count - done, count = left < BATCH ? left : BATCH;
		for (uint32_t i = 0; i < count; i++) {
			const struct brief *brief = &slot->chunks[done + i];
			uint64_t size = (uint64_t)brief->units * SIZE_UNIT;
			chunks[i] = (struct hf_chunk){.address = at,
						      .size = size,
						      .object = at + 2 * word,
						      .usable = size - word,
						      .arena = walker->region->arena,
						      .state = brief->state,
						      .kind = brief->kind};
			at += size;
		}
		ahead->sink(ahead->ctx, chunks, count);
		done += count;
	}
	add_figures(walker, &slot->figures);
	next_checkpoint = walker->next_checkpoint;
	*walker = slot->end;
	walker->walk = walk;
	walker->searches = searches;
	walker->next_checkpoint = next_checkpoint;
	walker->pause = 0;
	walker->guessing = walker->stopped = false;
}

/* Give the chunks up to @limit, and one that reaches over it; all if it is 0. */
static void walk_to(struct ahead *ahead, uint64_t limit)
{
	struct hf_chunk chunks[BATCH];
	uint32_t count;

	ahead->walker.pause = limit;
	do {
		count = glibc_walker_take(&ahead->walker, chunks, BATCH);
		if (count)
			ahead->sink(ahead->ctx, chunks, count);
	} while (count == BATCH);
}

static bool emit(void *ctx, uint64_t piece, unsigned index, unsigned worker)
{
	struct ahead *ahead = ctx;
	const struct slot *slot = &ahead->slots[index];
	(void)piece;
	(void)worker;

	if (slot->count) {
		walk_to(ahead, slot->start.at);
		if (same_state(&ahead->walker, &slot->start))
			take_piece(ahead, slot);
	}
	return true;
}

static void walk_pieces(struct ahead *ahead, struct brief *chunks, uint64_t bytes, unsigned threads)
{
	struct hf_ordered ordered = {.threads = threads,
				     .pieces = (bytes + PIECE_BYTES - 1) / PIECE_BYTES,
				     .ctx = ahead,
				     .fill = fill,
				     .emit = emit};

	for (unsigned i = 0; i < HF_ORDERED_SLOTS; i++)
		ahead->slots[i].chunks = chunks + (size_t)i * ahead->room;
	hf_ordered_for(&ordered);
	walk_to(ahead, 0);
	for (unsigned i = 0; i < HF_ORDERED_SLOTS; i++)
		free(ahead->slots[i].figures.checkpoints.data);
}

void glibc_walk_big(const struct hf_allocator *allocator, uint32_t region, unsigned threads,
		    hf_chunk_sink *sink, void *ctx)
{
	struct glibc *glibc = (struct glibc *)(uintptr_t)allocator; /* base is its first member */
	const struct hf_heap_region *where = &allocator->regions.data[region];
	struct glibc_region *walk = &glibc->walks.data[region];
	uint64_t bytes = where->end - where->start;
	uint32_t room = PIECE_BYTES / glibc->layout.min_size;
	size_t size = (size_t)HF_ORDERED_SLOTS * room * sizeof(struct brief);
	bool big = threads > 1 && !walk->walked && where->kind != HF_REGION_MMAPPED &&
		   bytes / PIECE_BYTES >= BIG_PIECES;
	struct ahead *ahead = big ? calloc(1, sizeof(*ahead)) : NULL;
	struct brief *chunks = ahead ? hf_bigmem_take(NULL, size) : NULL;

	if (!chunks) {
		free(ahead);
		glibc_walk(allocator, region, sink, ctx);
		return;
	}
	walk->walked = true;
	ahead->glibc = glibc;
	ahead->region = region;
	ahead->room = room;
	ahead->sink = sink;
	ahead->ctx = ctx;
	glibc_walker_init(&ahead->walker, glibc, region, where->start, false);
	walk_pieces(ahead, chunks, bytes, threads);
	hf_bigmem_free(NULL, chunks, size);
	free(ahead);
}
