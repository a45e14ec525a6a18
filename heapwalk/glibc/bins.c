/*
 * bins.c - the unsorted, small and large bins of an arena: circles of free chunks, linked both
 * ways through their user data, closed by a head in the arena.
 *
 *	head <-> chunk <-> chunk <-> chunk <-> head		fd to the right, bk to the left
 *
 * The list is followed by fd, each bk compared. Where two do not agree, one of the words was
 * overwritten. Which one?
 *
 *	previous.fd -> chunk, chunk.bk -> elsewhere
 *
 *	chunk is no free chunk by its own neighbours	=> previous.fd is broken
 *	chunk was on the list already			=> previous.fd is broken: a circle
 *	elsewhere.fd -> chunk				=> previous.fd is broken
 *	else						=> chunk.bk is broken, go on
 *
 * Where fd cannot be followed any more, the rest is fetched from the other end, by bk.
 */
#include "heapwalk/glibc/brent.h"
#include "heapwalk/glibc/glibc.h"

enum { MAX_SEEN_SEARCHES = 64 };

struct bin_walk {
	struct glibc *glibc;
	uint32_t arena, bin;
	uint64_t head, w;
	struct hf_bin_row row;
	unsigned seen_searches;
};

static enum hf_chunk_state state_of_bin(uint32_t bin)
{
	return bin == 1 ? HF_CHUNK_UNSORTED : bin < 64 ? HF_CHUNK_SMALL : HF_CHUNK_LARGE;
}

static const char *says(const struct bin_walk *walk)
{
	return walk->bin == 1 ? "malloc(): unsorted double linked list corrupted"
			      : "corrupted double-linked list";
}

static bool in_arena(const struct bin_walk *walk, uint64_t chunk)
{
	return glibc_plausible_node(walk->glibc, chunk, walk->arena);
}

/* By its own size and its neighbour: is @chunk free, and in a bin? */
static bool looks_free(const struct bin_walk *walk, uint64_t chunk)
{
	const struct glibc *glibc = walk->glibc;
	uint64_t word = 0, next = 0, footer = 0;

	if (!in_arena(walk, chunk) || !glibc_size_word(glibc, chunk, &word))
		return false;
	uint64_t size = word & ~(uint64_t)GLIBC_FLAGS;
	uint32_t region = glibc_region_at(glibc, chunk);
	return size >= glibc->layout.min_size && size % glibc->layout.align == 0 &&
	       size < glibc->base.regions.data[region].end - chunk &&
	       glibc_size_word(glibc, chunk + size, &next) && !(next & GLIBC_PREV_INUSE) &&
	       glibc_word(glibc, chunk + size, &footer) && footer == size;
}

/* Does the list, from its head up to @last, pass @chunk? */
static bool seen(struct bin_walk *walk, uint64_t chunk, uint64_t last)
{
	uint64_t at = walk->head;

	if (walk->seen_searches++ >= MAX_SEEN_SEARCHES)
		return false;
	for (uint64_t i = 0; i < walk->row.count && at != last; i++) {
		if (!glibc_word(walk->glibc, at + 2 * walk->w, &at))
			return false;
		if (at == chunk)
			return true;
	}
	return false;
}

static struct hf_error *take(struct bin_walk *walk, uint64_t chunk, uint64_t word)
{
	struct hf_bin_row *row = &walk->row;

	row->count++;
	row->total_bytes += word;
	row->from_bytes = word < row->from_bytes ? word : row->from_bytes;
	row->to_bytes = word > row->to_bytes ? word : row->to_bytes;
	walk->glibc->info.fordblks += word & ~(uint64_t)GLIBC_FLAGS;
	return glibc_add_free(walk->glibc, chunk, walk->arena, walk->bin, state_of_bin(walk->bin));
}

/* The list backwards from its head down to @last; *@ret_next is the one that follows @last. */
static struct hf_error *take_backwards(struct bin_walk *walk, uint64_t last, uint64_t *ret_next,
				       bool *ret_whole)
{
	const struct glibc *glibc = walk->glibc;
	uint64_t next = walk->head, at = 0, forward = 0, word = 0;
	struct brent brent = {0};
	struct hf_error *err = NULL;

	*ret_whole = false;
	if (!glibc_word(glibc, next + 3 * walk->w, &at))
		return NULL;
	while (!err && at != last) {
		if (!looks_free(walk, at) || brent_came_back(&brent, at) ||
		    !glibc_word(glibc, at + 2 * walk->w, &forward) || forward != next ||
		    !glibc_size_word(glibc, at, &word))
			return NULL;
		err = take(walk, at, word);
		next = at;
		if (!glibc_word(glibc, at + 3 * walk->w, &at))
			return err;
	}
	*ret_next = next;
	*ret_whole = !err;
	return err;
}

/* @last's fd leads to @chunk, which cannot be: fetch the rest backwards, and tell. */
static struct hf_error *forward_broken(struct bin_walk *walk, uint64_t last, uint64_t chunk,
				       bool circle)
{
	const struct glibc *glibc = walk->glibc;
	bool head = last == walk->head, whole = false;
	uint64_t next = 0, mem = glibc_mem(glibc, last);
	struct hf_error *err = take_backwards(walk, last, &next, &whole);

	if (err)
		return err;
	walk->row.broken = true;
	if (glibc_list_cut(glibc, chunk))
		return NULL;
	walk->glibc->base.lists_cut += !whole;
	glibc_found(glibc, walk->arena,
		    (struct hf_finding){
			.code = head		 ? "bin-head"
				: circle	 ? "bin-cycle"
				: walk->bin == 1 ? "unsorted-links"
						 : "bin-links",
			.severity = HF_SEV_ERROR,
			.blame = head ? HF_BLAME_UNKNOWN : HF_BLAME_USE_AFTER_FREE,
			.address = head ? glibc->base.arenas.data[walk->arena].address : mem,
			.word = last + 2 * walk->w,
			.has_expected = whole,
			.expected = next,
			.culprit = head ? 0 : mem,
			.abort_text = says(walk)},
		    "bin %u: the link forward from %s leads to 0x%lx, %s%s", walk->bin,
		    head ? "its head" : "this free block", (unsigned long)chunk,
		    circle ? "where the list was before" : "which is no free chunk of this list",
		    whole ? "" : "; not all that is behind it was found: it counts as in use");
	return NULL;
}

static void backward_broken(const struct bin_walk *walk, uint64_t chunk, uint64_t back,
			    uint64_t previous)
{
	uint64_t mem = glibc_mem(walk->glibc, chunk);
	glibc_found(walk->glibc, walk->arena,
		    (struct hf_finding){.code = walk->bin == 1 ? "unsorted-links" : "bin-links",
					.severity = HF_SEV_ERROR,
					.blame = HF_BLAME_USE_AFTER_FREE,
					.address = mem,
					.word = chunk + 3 * walk->w,
					.has_expected = true,
					.expected = previous,
					.culprit = mem,
					.abort_text = says(walk)},
		    "bin %u: this free block's back pointer is 0x%lx, but 0x%lx leads to it",
		    walk->bin, (unsigned long)back, (unsigned long)previous);
}

/* previous.fd is @chunk, but chunk.bk is @back: is it chunk.bk that is broken? */
static bool back_is_wrong(const struct bin_walk *walk, uint64_t chunk, uint64_t back)
{
	uint64_t forward = 0;
	if (!looks_free(walk, chunk))
		return false;
	return !(back == walk->head || in_arena(walk, back)) ||
	       !glibc_word(walk->glibc, back + 2 * walk->w, &forward) || forward != chunk;
}

static struct hf_error *follow(struct bin_walk *walk)
{
	const struct glibc *glibc = walk->glibc;
	uint64_t chunk = 0, previous = walk->head, back = 0, word = 0;
	struct brent brent = {0};
	struct hf_error *err = NULL;

	if (!glibc_word(glibc, walk->head + 2 * walk->w, &chunk))
		return NULL;
	while (!err && chunk != walk->head) {
		if (!in_arena(walk, chunk))
			return forward_broken(walk, previous, chunk, false);
		if (!glibc_size_word(glibc, chunk, &word) ||
		    !glibc_word(glibc, chunk + 3 * walk->w, &back)) {
			glibc_list_cut(glibc, chunk + 3 * walk->w);
			return NULL;
		}
		if (back != previous) {
			if (seen(walk, chunk, previous))
				return forward_broken(walk, previous, chunk, true);
			if (!back_is_wrong(walk, chunk, back))
				return forward_broken(walk, previous, chunk, false);
			backward_broken(walk, chunk, back, previous);
		}
		if (brent_came_back(&brent, chunk))
			return forward_broken(walk, previous, chunk, true);
		err = take(walk, chunk, word);
		previous = chunk;
		if (!glibc_word(glibc, chunk + 2 * walk->w, &chunk))
			break;
	}
	return err;
}

struct hf_error *glibc_walk_bin(struct glibc *glibc, uint32_t arena, uint32_t bin)
{
	struct bin_walk walk = {.glibc = glibc,
				.arena = arena,
				.bin = bin,
				.head = glibc_bin_head(glibc, arena, bin),
				.w = glibc->layout.word,
				.row = {.arena = arena,
					.state = (uint8_t)state_of_bin(bin),
					.bin = bin,
					.from_bytes = UINT64_MAX}};
	struct hf_error *err = follow(&walk);

	if (err)
		return err;
	glibc->info.ordblks += walk.row.count;
	return walk.row.count == 0 || hf_vec_push(&glibc->base.bins, walk.row) ? NULL
									       : hf_error_nomem();
}
