/*
 * integrity.c - every invariant that the probe and the walk do not meet on their way.
 *
 * The walk itself looks at one word a chunk. Where its figures are collected, each chunk passes
 * through here as well, with the one before at hand:
 *
 *	 previous                     | this
 *	 ... in use: user data ...    | user data of previous | size | A M P |
 *	 ... free: links ...   footer | its size again        | size | A M 0 |
 *
 *	P clear   <=> the previous chunk is in a bin; then prev_size is that chunk's size
 *	A         <=> this chunk is not free in a bin, not a top or fencepost, of a thread arena
 *	two chunks in bins are never neighbours, nor is one next to the top
 *
 * integrity_lists.c tests the lists, integrity_arenas.c arenas and tops, integrity_abort.c
 * what malloc itself complained of. The invariants are those of glibc 2.17 to 2.44, with the
 * words that glibc's own checks print.
 */
#include "heapwalk/glibc/integrity.h"
#include "heapwalk/glibc/walk.h"

#include <stdio.h>

bool glibc_is_binned(uint8_t state)
{
	return state == HF_CHUNK_UNSORTED || state == HF_CHUNK_SMALL || state == HF_CHUNK_LARGE;
}

/* This header may be believed: its size is what the walk went by. */
static bool header_intact(const struct hf_chunk *chunk, uint64_t word)
{
	return (word & ~(uint64_t)GLIBC_FLAGS) == chunk->size;
}

/* In whose writing the header of @chunk got damaged: the block before, if there is one. */
static void header_found(struct glibc_walker *walker, const struct hf_chunk *chunk,
			 const char *code, uint64_t expected, const char *abort_text,
			 const char *what)
{
	const struct hf_chunk *before = &walker->before;
	bool known = before->size != 0;

	if (!glibc_walker_tells(walker))
		return;
	glibc_tell_later(walker->walk,
			 (struct hf_finding){.code = code,
					     .severity = HF_SEV_ERROR,
					     .blame = !known ? HF_BLAME_UNKNOWN
						      : hf_chunk_in_use(before)
							  ? HF_BLAME_OVERFLOW
							  : HF_BLAME_USE_AFTER_FREE,
					     .address = chunk->object,
					     .word = chunk->address + walker->glibc->layout.word,
					     .has_expected = expected != 0,
					     .expected = expected,
					     .culprit = known ? before->object : 0,
					     .abort_text = abort_text},
			 what);
}

static void check_flags(struct glibc_walker *walker, const struct hf_chunk *chunk, uint64_t word)
{
	bool main_arena = walker->region->arena == HF_NO_ARENA ||
			  walker->glibc->base.arenas.data[walker->region->arena].is_main;
	bool marked = word & GLIBC_NON_MAIN;
	bool should = !main_arena && !glibc_is_binned(chunk->state) &&
		      chunk->state != HF_CHUNK_TOP && chunk->state != HF_CHUNK_FENCEPOST &&
		      chunk->state != HF_CHUNK_LOST;

	if (chunk->state == HF_CHUNK_LOST || chunk->state == HF_CHUNK_FENCEPOST)
		return;
	if (marked && !should)
		header_found(
		    walker, chunk, "wrong-arena-flag", word ^ GLIBC_NON_MAIN,
		    "free(): invalid pointer",
		    main_arena
			? "the header says a thread's arena, but the block is in the main one"
			: "the header of a chunk in a bin bears the arena flag");
	else if (!marked && should)
		header_found(walker, chunk, "wrong-arena-flag", word ^ GLIBC_NON_MAIN,
			     "free(): invalid pointer",
			     "the header says main arena, but the block is in a thread's arena");
}

static void check_previous(struct glibc_walker *walker, const struct hf_chunk *chunk, uint64_t word)
{
	const struct hf_chunk *before = &walker->before;
	uint64_t footer = 0;

	if (!glibc_is_binned(before->state)) {
		/* Chunks in a tcache or fastbin count as in use. */
		bool cached = before->state == HF_CHUNK_TCACHE || before->state == HF_CHUNK_FASTBIN;
		if (cached && !(word & GLIBC_PREV_INUSE))
			header_found(walker, chunk, "chunk-flags-broken", word | GLIBC_PREV_INUSE,
				     "corrupted size vs. prev_size",
				     "the block's header says that the block before it is free in "
				     "a bin, but a tcache or fastbin has it");
		return;
	}
	if (!(word & GLIBC_PREV_INUSE) && glibc_word(walker->glibc, chunk->address, &footer) &&
	    footer != before->size && glibc_walker_tells(walker)) {
		char what[160];
		snprintf(what, sizeof(what),
			 "the free block before is 0x%lx bytes, but its footer says 0x%lx",
			 (unsigned long)before->size, (unsigned long)footer);
		glibc_tell_later(walker->walk,
				 (struct hf_finding){.code = "prev-size-broken",
						     .severity = HF_SEV_ERROR,
						     .blame = HF_BLAME_USE_AFTER_FREE,
						     .address = before->object,
						     .word = chunk->address,
						     .has_expected = true,
						     .expected = before->size,
						     .culprit = before->object,
						     .abort_text = "corrupted size vs. prev_size"},
				 what);
	}
	if (glibc_is_binned(chunk->state) || chunk->state == HF_CHUNK_TOP)
		header_found(walker, chunk, "free-neighbours", 0, NULL,
			     chunk->state == HF_CHUNK_TOP
				 ? "a chunk in a bin borders on the top: it should have been merged"
				 : "two chunks in bins are neighbours: they should be one");
}

void glibc_check_neighbours(struct glibc_walker *walker, const struct hf_chunk *chunk)
{
	struct hf_chunk *before = &walker->before;
	bool marked = walker->word & GLIBC_NON_MAIN,
	     thread = walker->region->kind == HF_REGION_HEAP;
	bool intact = header_intact(chunk, walker->word);

	if (before->size && before->address + before->size != chunk->address)
		before->size = 0; /* a gap, or memory that is missing */
	if (intact && marked != thread)
		check_flags(walker, chunk, walker->word);
	/* Nearly all are in use behind a block in use, and say so. */
	if (before->size && before->state != HF_CHUNK_INUSE &&
	    (intact || chunk->state == HF_CHUNK_FENCEPOST))
		check_previous(walker, chunk, walker->word);
	*before = *chunk;
	if (!intact)
		before->size = 0; /* what the walk made up is no evidence */
}

struct hf_error *glibc_check(struct hf_allocator *allocator)
{
	struct glibc *glibc = (struct glibc *)allocator; /* base is its first member */

	if (glibc->checked)
		return NULL;
	glibc->checked = true;
	glibc_check_arenas(glibc);
	glibc_check_lists(glibc);
	glibc_check_tcaches(glibc);
	glibc_check_abort(glibc);
	return NULL;
}
