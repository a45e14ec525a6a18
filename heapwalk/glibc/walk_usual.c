/*
 * walk_usual.c - the chunks that nothing can be said of but their size: nearly all.
 *
 *	at                                            landmark (free chunk, tcache struct, top, end)
 *	 | in use | in use | in use | in use | in use |
 *	   size|P   size|P   size|P   size|P   size
 *
 * A chunk is usual if it ends at or before the next place where the walk has something to look up,
 * bears the flags of its region, and the header behind it is as sane and says that it is in use.
 * For such a chunk all that next_chunk() of walk.c and glibc_check_neighbours() test is true: the
 * size is good, no free chunk is swallowed, no list has it, the header behind is not smashed. So it
 * costs one load and a few compares, without a call. At the first chunk for which this cannot be
 * seen the run ends, before it, and next_chunk() decides.
 */
#include "heapwalk/glibc/walk.h"

#include <string.h>

enum {
	WORD = 8,     /* bytes; other targets' heaps are small */
	AHEAD = 4096, /* where the walk will be in a hundred nanoseconds */
};

static uint64_t lower(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* The next place that is no usual chunk's: not above walker->at where none can be told. */
static uint64_t next_landmark(struct glibc_walker *walker, uint64_t limit)
{
	const struct glibc *glibc = walker->glibc;
	const uint64_t *tcaches = glibc->tcaches.data;

	while (walker->tcache_at < glibc->tcaches.count &&
	       tcaches[walker->tcache_at] < glibc_mem(glibc, walker->at))
		walker->tcache_at++;
	if (walker->tcache_at < glibc->tcaches.count)
		limit = lower(limit, tcaches[walker->tcache_at] - 2 * WORD);
	if (walker->pause > walker->at)
		limit = lower(limit, walker->pause);
	if (walker->free_at < glibc->free.count)
		limit = lower(limit, glibc->free.data[walker->free_at].chunk);
	return limit;
}

static bool may_be_usual(const struct glibc_walker *walker)
{
	const struct glibc *glibc = walker->glibc;
	return glibc->layout.word == WORD && !glibc->image->big_endian && !glibc->cut_key &&
	       glibc->layout.min_size > 2 * WORD && walker->region->kind != HF_REGION_MMAPPED &&
	       !walker->gap_follows &&
	       (walker->before.size == 0 || walker->before.state == HF_CHUNK_INUSE);
}

/* The size word of the chunk that lies @past bytes behind what @view shows first. */
static inline uint64_t word_at(const uint8_t *view, uint64_t past)
{
	uint64_t word;
	memcpy(&word, view + past + WORD, sizeof(word));
	return word;
}

/* A wish, which nobody checks: it may be past the end. */
static inline void wish(const uint8_t *view, uint64_t past)
{
	__builtin_prefetch((const void *)((uintptr_t)view + past + AHEAD));
}

/* The walk has given @count chunks from @chunks on, and stands at @at; the last one bore @word. */
static void move_on(struct glibc_walker *walker, const struct hf_chunk *chunks, uint32_t count,
		    uint64_t at, uint64_t word)
{
	const struct hf_chunk *last = &chunks[count - 1];

	if (!walker->quiet) {
		walker->walk->state_count[HF_CHUNK_INUSE] += count;
		walker->walk->state_bytes[HF_CHUNK_INUSE] += at - walker->at;
		walker->before = *last;
	}
	walker->at = at;
	walker->last = last->address;
	walker->word = word;
}

uint32_t glibc_walker_usual(struct glibc_walker *walker, struct hf_chunk *chunks, uint32_t max)
{
	const struct glibc *glibc = walker->glibc;
	const struct hf_heap_region *region = walker->region;
	uint64_t at = walker->at, top = walker->walk->top, least = glibc->layout.min_size;
	uint64_t flags = glibc->layout.align - 1, header = 2 * WORD, last_word = 0;
	uint64_t usual = GLIBC_PREV_INUSE | (region->kind == HF_REGION_HEAP ? GLIBC_NON_MAIN : 0);
	const uint8_t *view = walker->view;
	uint64_t shown = walker->view_start; /* what it shows first */
	uint32_t count = 0, arena = region->arena;

	if (!may_be_usual(walker) || at + WORD < walker->view_start || walker->view_end < header ||
	    at > walker->view_end - header)
		return 0;
	uint64_t end = lower(region->end, top > at ? top : region->end);
	uint64_t stop = lower(next_landmark(walker, end), walker->view_end - header);
	uint64_t word = word_at(view, at - shown), checkpoint = walker->quiet ? UINT64_MAX : 0;

	if (((word ^ usual) & flags & ~(uint64_t)GLIBC_PREV_INUSE) || at >= stop)
		return 0;
	while (count < max) {
		uint64_t size = word & ~(uint64_t)GLIBC_FLAGS, next = at + size;
		if (size < least || size > stop - at)
			break;
		uint64_t next_word = word_at(view, next - shown);
		uint64_t next_size = next_word & ~(uint64_t)GLIBC_FLAGS;
		if ((next_word & flags) != usual || next_size < least || next_size > end - next)
			break;
		wish(view, next - shown);
		if (at >= (checkpoint | walker->next_checkpoint))
			glibc_set_checkpoint(walker, at);
		chunks[count++] = (struct hf_chunk){.address = at,
						    .size = size,
						    .object = at + header,
						    .usable = size - WORD,
						    .arena = arena,
						    .state = HF_CHUNK_INUSE,
						    .kind = HF_OBJECT_MALLOC};
		last_word = word;
		word = next_word;
		at = next;
	}
	if (count)
		move_on(walker, chunks, count, at, last_word);
	return count;
}
