/*
 * mangling.c - are the links of tcaches and fastbins mangled ("safe-linking")?
 *
 *	plain, to 2.31:   word at L = next            0 at the end
 *	mangled, 2.32 on: word at L = (L >> 12) ^ next    L >> 12 at the end
 *
 * 2.27 to 2.34 share all offsets, so where libc's version is not known (a static program, a
 * stripped libc that is not at hand) the rows of the table before and after 2.32 fit alike. The
 * links themselves decide: each is read in both ways, and one that makes sense in one way
 * only, as the end of a list or as a chunk's address, is a vote. A known version is outvoted
 * only by links that never contradict one another: distributions port features back.
 */
#include "heapwalk/glibc/glibc.h"

enum { MAX_CHAIN = 16 };

struct votes {
	const struct glibc *glibc;
	unsigned plain, mangled;
};

/* May @value be what a link holds, an address @skew bytes into a chunk? */
static bool sensible(const struct glibc *glibc, uint64_t value, uint64_t skew)
{
	return value == 0 || (value >= skew && glibc_aligned(glibc, value - skew) &&
			      glibc_region_at(glibc, value - skew) != UINT32_MAX);
}

/* Count the link at @at; *@ret_next gets where it leads if that can be told. */
static bool vote(struct votes *votes, uint64_t at, uint64_t skew, uint64_t *ret_next)
{
	uint64_t stored;

	if (!glibc_word(votes->glibc, at, &stored))
		return false;
	bool plain = sensible(votes->glibc, stored, skew);
	bool mangled = sensible(votes->glibc, (at >> 12) ^ stored, skew);
	if (plain == mangled)
		return false;
	votes->plain += plain;
	votes->mangled += mangled;
	*ret_next = plain ? stored : (at >> 12) ^ stored;
	return *ret_next != 0;
}

static void vote_cached(void *ctx, uint64_t mem)
{
	struct votes *votes = ctx;
	for (unsigned i = 0; i < MAX_CHAIN; i++) {
		if (!vote(votes, mem, 2ull * votes->glibc->layout.word, &mem))
			break;
	}
}

static void vote_fastbin(struct votes *votes, uint64_t head)
{
	uint64_t w = votes->glibc->layout.word, chunk = 0;

	if (!glibc_word(votes->glibc, head, &chunk) || chunk == 0 ||
	    !sensible(votes->glibc, chunk, 0))
		return;
	for (unsigned i = 0; i < MAX_CHAIN; i++) {
		if (!vote(votes, chunk + 2 * w, 0, &chunk))
			break;
	}
}

void glibc_settle_mangling(struct glibc *glibc)
{
	struct votes votes = {.glibc = glibc};
	struct glibc_layout *layout = &glibc->layout;

	if (layout->class->last < 26)
		return; /* neither caches nor mangling */
	hf_vec_foreach (arena, &glibc->base.arenas) {
		for (uint32_t i = 0; i < layout->fastbin_count; i++)
			vote_fastbin(&votes, arena->address + layout->fastbins +
						 (uint64_t)i * layout->word);
	}
	for (uint32_t i = 0; i < glibc->process->threads.count; i++)
		glibc_tcache_heads(glibc, i, vote_cached, &votes);
	if (glibc->version ? layout->mangled ? votes.mangled == 0 && votes.plain > 1
					     : votes.plain == 0 && votes.mangled > 1
			   : votes.plain + votes.mangled > 0)
		layout->mangled = votes.mangled > votes.plain;
}
