/*
 * lists.c - the free lists of every arena: fastbins, the unsorted bin, small and large bins.
 *
 *	fastbinsY[i] -> chunk -> chunk -> 0		links mangled from 2.32 on
 *	bin i: head = &bins[2i] - 2W;  head.fd -> chunk <-> chunk <-> head
 *
 * Nothing here is trusted: a node must be aligned and lie in a region, a back link must
 * return, a list must end. A cycle is found by Brent's method (Brent 1980), so a list of any
 * length costs no memory. What is broken is told in the words that glibc itself would use
 * when it aborts. In an arena whose lock is held, lists may be half updated: told as a note.
 */
#include <stdio.h>
#include <stdlib.h>

#include "heapwalk/glibc/glibc.h"

/* Brent's cycle detection: feed each node; true when one came back. */
struct brent {
	uint64_t tortoise, steps, limit;
};

static bool came_back(struct brent *brent, uint64_t node)
{
	if (brent->limit && node == brent->tortoise)
		return true;
	if (++brent->steps >= brent->limit) {
		brent->tortoise = node;
		brent->limit = brent->limit ? 2 * brent->limit : 2;
		brent->steps = 0;
	}
	return false;
}

struct hf_error *glibc_add_free(struct glibc *glibc, uint64_t chunk, uint32_t owner, uint32_t bin,
				enum hf_chunk_state state)
{
	struct glibc_free entry = {chunk, owner, (uint16_t)bin, (uint8_t)state};
	return hf_vec_push(&glibc->free, entry) ? NULL : hf_error_nomem();
}

static int compare_chunks(const void *a, const void *b)
{
	const struct glibc_free *x = a, *y = b;
	if (x->chunk != y->chunk)
		return x->chunk < y->chunk ? -1 : 1;
	return (int)y->state - (int)x->state; /* a bin's word before a cache's */
}

/* Sort by chunk and drop doubles, which are double frees. */
void glibc_sort_free(struct glibc *glibc)
{
	struct glibc_free_list *list = &glibc->free;
	size_t kept = 0;

	if (list->count == 0)
		return;
	qsort(list->data, list->count, sizeof(*list->data), compare_chunks);
	for (size_t i = 1; i < list->count; i++) {
		if (list->data[i].chunk != list->data[kept].chunk) {
			list->data[++kept] = list->data[i];
			continue;
		}
		uint64_t mem = glibc_mem(glibc, list->data[i].chunk);
		if (list->data[i].state == list->data[kept].state &&
		    list->data[i].state != HF_CHUNK_TCACHE)
			continue; /* a circle, which was told */
		glibc_found(glibc, HF_NO_ARENA,
			    (struct hf_finding){.code = "double-free",
						.severity = HF_SEV_ERROR,
						.blame = HF_BLAME_DOUBLE_FREE,
						.address = mem,
						.culprit = mem,
						.abort_text = "double free or corruption"},
			    "this block is free twice: in the %s and the %s lists",
			    hf_chunk_state_name(list->data[kept].state),
			    hf_chunk_state_name(list->data[i].state));
	}
	list->count = kept + 1;
}

size_t glibc_free_from(const struct glibc *glibc, uint64_t chunk)
{
	size_t low = 0, high = glibc->free.count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (glibc->free.data[middle].chunk < chunk)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* May @chunk be a node of a list of @arena? */
static bool plausible_node(const struct glibc *glibc, uint64_t chunk, uint32_t arena)
{
	uint32_t region = glibc_aligned(glibc, chunk) ? glibc_region_at(glibc, chunk) : UINT32_MAX;
	return region != UINT32_MAX && glibc->base.regions.data[region].arena == arena;
}

/* ---- fastbins ----------------------------------------------------------------------------- */

/*
 * A list's link leads nowhere: the block that holds the link was written to after free(), or
 * the list's head was smashed.
 */
static void link_broken(const struct glibc *glibc, uint32_t arena, const char *code,
			uint64_t holder, uint64_t word, const char *abort_text, const char *list,
			uint64_t value)
{
	uint64_t own = glibc->base.arenas.data[arena].address;
	bool head = word >= own && word < own + glibc->layout.state_size;
	glibc_found(glibc, arena,
		    (struct hf_finding){.code = code,
					.severity = HF_SEV_ERROR,
					.blame = head ? HF_BLAME_UNKNOWN : HF_BLAME_USE_AFTER_FREE,
					.address = head ? own : glibc_mem(glibc, holder),
					.word = word,
					.culprit = head ? 0 : glibc_mem(glibc, holder),
					.abort_text = abort_text},
		    "%s of arena %u leads to 0x%lx, which is no chunk of that arena", list, arena,
		    (unsigned long)value);
}

/* Tests of one fastbin chunk; false: the list cannot be followed any further. */
static bool fastbin_node_good(const struct glibc *glibc, uint32_t arena, uint32_t index,
			      uint64_t chunk, uint64_t link_at, uint64_t expected,
			      struct brent *brent)
{
	uint64_t word = 0, mem = glibc_mem(glibc, chunk);
	char list[32];

	snprintf(list, sizeof(list), "fastbin %u", index);
	if (!plausible_node(glibc, chunk, arena) || !glibc_size_word(glibc, chunk, &word)) {
		link_broken(glibc, arena, "fastbin-corrupt", link_at - 2ull * glibc->layout.word,
			    link_at, "malloc(): unaligned fastbin chunk detected", list, chunk);
		return false;
	}
	if (came_back(brent, chunk)) {
		glibc_found(
		    glibc, arena,
		    (struct hf_finding){.code = "fastbin-cycle",
					.severity = HF_SEV_ERROR,
					.blame = HF_BLAME_DOUBLE_FREE,
					.address = mem,
					.word = mem,
					.culprit = mem,
					.abort_text = "double free or corruption (fasttop)"},
		    "fastbin %u runs in a circle: this block was freed twice", index);
		return false;
	}
	if ((word & ~(uint64_t)GLIBC_FLAGS) != expected)
		glibc_found(glibc, arena,
			    (struct hf_finding){.code = "fastbin-size",
						.severity = HF_SEV_ERROR,
						.blame = HF_BLAME_OVERFLOW,
						.address = mem,
						.word = chunk + glibc->layout.word,
						.has_expected = true,
						.expected = expected | (word & GLIBC_FLAGS),
						.abort_text = "malloc(): memory corruption (fast)"},
			    "a chunk of %lu bytes is in the fastbin of %lu",
			    (unsigned long)(word & ~(uint64_t)GLIBC_FLAGS),
			    (unsigned long)expected);
	return true;
}

static struct hf_error *walk_fastbin(struct glibc *glibc, uint32_t arena, uint32_t index)
{
	const struct glibc_layout *layout = &glibc->layout;
	uint64_t w = layout->word;
	uint64_t link_at = glibc->base.arenas.data[arena].address + layout->fastbins + index * w;
	uint64_t size = (w == 8 ? 16ull : 8ull) * (index + 2), count = 0, chunk = 0;
	struct brent brent = {0};

	if (!glibc_word(glibc, link_at, &chunk))
		return NULL;
	while (chunk && fastbin_node_good(glibc, arena, index, chunk, link_at, size, &brent)) {
		uint64_t link = 0;
		struct hf_error *err = glibc_add_free(glibc, chunk, arena, index, HF_CHUNK_FASTBIN);
		if (err)
			return err;
		count++;
		link_at = chunk + 2 * w;
		if (!glibc_word(glibc, link_at, &link))
			break;
		chunk = glibc_unmangle(glibc, link_at, link);
	}
	struct hf_bin_row row = {.arena = arena,
				 .state = HF_CHUNK_FASTBIN,
				 .bin = index,
				 .from_bytes = size - (layout->align - 1),
				 .to_bytes = size,
				 .total_bytes = count * size,
				 .count = count};
	glibc->info.smblks += count;
	glibc->info.fsmblks += count * size;
	glibc->info.fordblks += count * size;
	return count == 0 || hf_vec_push(&glibc->base.bins, row) ? NULL : hf_error_nomem();
}

/* ---- bins ---------------------------------------------------------------------------------------
 */

static enum hf_chunk_state state_of_bin(uint32_t bin)
{
	return bin == 1 ? HF_CHUNK_UNSORTED : bin < 64 ? HF_CHUNK_SMALL : HF_CHUNK_LARGE;
}

/* Why a bin's walk cannot go on at @chunk, or false. */
static bool bin_broken(struct glibc *glibc, uint32_t arena, uint32_t bin, uint64_t chunk,
		       uint64_t previous, struct brent *brent)
{
	uint64_t back = 0, w = glibc->layout.word, mem = glibc_mem(glibc, chunk);
	const char *says = bin == 1 ? "malloc(): unsorted double linked list corrupted"
				    : "corrupted double-linked list";
	char list[32];

	snprintf(list, sizeof(list), "bin %u", bin);
	if (!plausible_node(glibc, chunk, arena)) {
		link_broken(glibc, arena, "bin-corrupt", previous, previous + 2 * w, says, list,
			    chunk);
		return true;
	}
	if (came_back(brent, chunk)) {
		glibc_found(glibc, arena,
			    (struct hf_finding){.code = "bin-cycle",
						.severity = HF_SEV_ERROR,
						.blame = HF_BLAME_DOUBLE_FREE,
						.address = mem,
						.word = mem,
						.culprit = mem,
						.abort_text = says},
			    "bin %u of arena %u runs in a circle that does not pass its head", bin,
			    arena);
		return true;
	}
	if (glibc_word(glibc, chunk + 3 * w, &back) && back != previous)
		glibc_found(glibc, arena,
			    (struct hf_finding){.code = bin == 1 ? "unsorted-links" : "bin-links",
						.severity = HF_SEV_ERROR,
						.blame = HF_BLAME_USE_AFTER_FREE,
						.address = mem,
						.word = chunk + 3 * w,
						.has_expected = true,
						.expected = previous,
						.culprit = mem,
						.abort_text = says},
			    "the free block's back pointer is 0x%lx, but 0x%lx leads to it",
			    (unsigned long)back, (unsigned long)previous);
	return false;
}

static struct hf_error *walk_bin(struct glibc *glibc, uint32_t arena, uint32_t bin)
{
	uint64_t w = glibc->layout.word;
	uint64_t head = glibc_bin_head(glibc, arena, bin);
	uint64_t chunk = 0, previous = head, word = 0;
	struct hf_bin_row row = {.arena = arena,
				 .state = (uint8_t)state_of_bin(bin),
				 .bin = bin,
				 .from_bytes = UINT64_MAX};
	struct brent brent = {0};

	if (!glibc_word(glibc, head + 2 * w, &chunk))
		return NULL;
	while (chunk != head && !bin_broken(glibc, arena, bin, chunk, previous, &brent) &&
	       glibc_size_word(glibc, chunk, &word)) {
		struct hf_error *err = glibc_add_free(glibc, chunk, arena, bin, state_of_bin(bin));
		if (err)
			return err;
		row.count++;
		row.total_bytes += word;
		row.from_bytes = word < row.from_bytes ? word : row.from_bytes;
		row.to_bytes = word > row.to_bytes ? word : row.to_bytes;
		glibc->info.fordblks += word & ~(uint64_t)GLIBC_FLAGS;
		previous = chunk;
		if (!glibc_word(glibc, chunk + 2 * w, &chunk))
			break;
	}
	glibc->info.ordblks += row.count;
	return row.count == 0 || hf_vec_push(&glibc->base.bins, row) ? NULL : hf_error_nomem();
}

/* ---- all
 * ------------------------------------------------------------------------------------------ */

static void add_top(struct glibc *glibc, uint32_t index)
{
	struct hf_arena *arena = &glibc->base.arenas.data[index];
	uint64_t top = 0, word = 0;

	glibc->info.arena += arena->system_bytes;
	glibc->info.ordblks++;
	if (!glibc_word(glibc, arena->address + glibc->layout.top, &top) ||
	    !glibc_size_word(glibc, top, &word))
		return;
	arena->top_bytes = word & ~(uint64_t)GLIBC_FLAGS;
	glibc->info.fordblks += arena->top_bytes;
	if (arena->is_main)
		glibc->info.keepcost = arena->top_bytes;
}

/* malloc_info's order: fastbins, bins 2 to 127, the unsorted bin. */
struct hf_error *glibc_walk_lists(struct glibc *glibc)
{
	for (uint32_t arena = 0; arena < glibc->base.arenas.count; arena++) {
		struct hf_error *err = NULL;
		for (uint32_t i = 0; !err && i < glibc->layout.fastbin_count; i++)
			err = walk_fastbin(glibc, arena, i);
		for (uint32_t bin = 2; !err && bin <= GLIBC_BINS; bin++)
			err = walk_bin(glibc, arena, bin);
		if (!err)
			err = walk_bin(glibc, arena, 1);
		if (err)
			return err;
		add_top(glibc, arena);
	}
	glibc->info.hblks = glibc->n_mmaps;
	glibc->info.hblkhd = glibc->mmapped_mem;
	glibc->info.uordblks = glibc->info.arena - glibc->info.fordblks;
	return NULL;
}
