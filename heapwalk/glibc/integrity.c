/*
 * integrity.c - every invariant that the probe and the walk do not meet on their way.
 *
 * The walk must be fast, so it looks at one word a chunk. Here a second pass looks at both
 * words of each header, with the chunk before at hand:
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

#include <stdio.h>

enum { BATCH = 512 };

bool glibc_is_binned(uint8_t state)
{
	return state == HF_CHUNK_UNSORTED || state == HF_CHUNK_SMALL || state == HF_CHUNK_LARGE;
}

struct pass {
	const struct glibc *glibc;
	uint32_t arena;
	struct hf_chunk previous; /* size 0: none, or it does not touch this one */
};

/* This header may be believed: its size is what the walk went by. */
static bool header_intact(const struct hf_chunk *chunk, uint64_t word)
{
	return (word & ~(uint64_t)GLIBC_FLAGS) == chunk->size;
}

/* In whose writing the header of @chunk got damaged: the block before, if there is one. */
static void header_found(const struct pass *pass, const struct hf_chunk *chunk, const char *code,
			 uint64_t expected, const char *abort_text, const char *what)
{
	const struct hf_chunk *before = &pass->previous;
	bool known = before->size != 0;
	glibc_found(pass->glibc, pass->arena,
		    (struct hf_finding){.code = code,
					.severity = HF_SEV_ERROR,
					.blame = !known ? HF_BLAME_UNKNOWN
						 : hf_chunk_in_use(before)
						     ? HF_BLAME_OVERFLOW
						     : HF_BLAME_USE_AFTER_FREE,
					.address = chunk->object,
					.word = chunk->address + pass->glibc->layout.word,
					.has_expected = expected != 0,
					.expected = expected,
					.culprit = known ? before->object : 0,
					.abort_text = abort_text},
		    "%s", what);
}

static void check_flags(const struct pass *pass, const struct hf_chunk *chunk, uint64_t word)
{
	bool main_arena =
	    pass->arena == HF_NO_ARENA || pass->glibc->base.arenas.data[pass->arena].is_main;
	bool marked = word & GLIBC_NON_MAIN;
	bool should = !main_arena && !glibc_is_binned(chunk->state) &&
		      chunk->state != HF_CHUNK_TOP && chunk->state != HF_CHUNK_FENCEPOST &&
		      chunk->state != HF_CHUNK_LOST;

	if (chunk->state == HF_CHUNK_LOST || chunk->state == HF_CHUNK_FENCEPOST)
		return;
	if (marked && !should)
		header_found(
		    pass, chunk, "wrong-arena-flag", word ^ GLIBC_NON_MAIN,
		    "free(): invalid pointer",
		    main_arena
			? "the header says a thread's arena, but the block is in the main one"
			: "the header of a chunk in a bin bears the arena flag");
	else if (!marked && should)
		header_found(pass, chunk, "wrong-arena-flag", word ^ GLIBC_NON_MAIN,
			     "free(): invalid pointer",
			     "the header says main arena, but the block is in a thread's arena");
}

static void check_previous(const struct pass *pass, const struct hf_chunk *chunk, uint64_t word)
{
	const struct hf_chunk *before = &pass->previous;
	uint64_t footer = 0;

	if (!glibc_is_binned(before->state)) {
		/* Chunks in a tcache or fastbin count as in use. */
		bool cached = before->state == HF_CHUNK_TCACHE || before->state == HF_CHUNK_FASTBIN;
		if (cached && !(word & GLIBC_PREV_INUSE))
			header_found(pass, chunk, "chunk-flags-broken", word | GLIBC_PREV_INUSE,
				     "corrupted size vs. prev_size",
				     "the block's header says that the block before it is free in "
				     "a bin, but a tcache or fastbin has it");
		return;
	}
	if (!(word & GLIBC_PREV_INUSE) && glibc_word(pass->glibc, chunk->address, &footer) &&
	    footer != before->size) {
		char what[160];
		snprintf(what, sizeof(what),
			 "the free block before is 0x%lx bytes, but its footer says 0x%lx",
			 (unsigned long)before->size, (unsigned long)footer);
		glibc_found(pass->glibc, pass->arena,
			    (struct hf_finding){.code = "prev-size-broken",
						.severity = HF_SEV_ERROR,
						.blame = HF_BLAME_USE_AFTER_FREE,
						.address = before->object,
						.word = chunk->address,
						.has_expected = true,
						.expected = before->size,
						.culprit = before->object,
						.abort_text = "corrupted size vs. prev_size"},
			    "%s", what);
	}
	if (glibc_is_binned(chunk->state) || chunk->state == HF_CHUNK_TOP)
		header_found(pass, chunk, "free-neighbours", 0, NULL,
			     chunk->state == HF_CHUNK_TOP
				 ? "a chunk in a bin borders on the top: it should have been merged"
				 : "two chunks in bins are neighbours: they should be one");
}

static void check_chunk(struct pass *pass, const struct hf_chunk *chunk)
{
	uint64_t word = 0;

	if (pass->previous.size && pass->previous.address + pass->previous.size != chunk->address)
		pass->previous.size = 0; /* a gap, or memory that is missing */
	if (!glibc_size_word(pass->glibc, chunk->address, &word))
		return;
	bool intact = header_intact(chunk, word);
	if (intact)
		check_flags(pass, chunk, word);
	if (pass->previous.size && (intact || chunk->state == HF_CHUNK_FENCEPOST))
		check_previous(pass, chunk, word);
	pass->previous = *chunk;
	if (!intact)
		pass->previous.size = 0; /* what the walk made up is no evidence */
}

static void check_region(const struct glibc *glibc, uint32_t region)
{
	struct pass pass = {.glibc = glibc, .arena = glibc->base.regions.data[region].arena};
	struct hf_chunk chunks[BATCH];
	uint64_t at = 0;
	uint32_t count;

	if (glibc->base.regions.data[region].kind == HF_REGION_MMAPPED)
		return;
	do {
		count = glibc_chunks(&glibc->base, region, &at, chunks, BATCH);
		for (uint32_t i = 0; i < count; i++)
			check_chunk(&pass, &chunks[i]);
	} while (count == BATCH);
}

struct hf_error *glibc_check(struct hf_allocator *allocator)
{
	struct glibc *glibc = (struct glibc *)allocator; /* base is its first member */

	if (glibc->checked)
		return NULL;
	glibc->checked = true;
	glibc_check_arenas(glibc);
	for (uint32_t i = 0; i < allocator->regions.count; i++)
		check_region(glibc, i);
	glibc_check_lists(glibc);
	glibc_check_tcaches(glibc);
	glibc_check_abort(glibc);
	return NULL;
}
