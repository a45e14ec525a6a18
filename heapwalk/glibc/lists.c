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

static enum hf_severity severity_in(const struct glibc *glibc, uint32_t arena)
{
	return glibc->base.arenas.data[arena].in_flux ? HF_SEV_NOTE : HF_SEV_ERROR;
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
		hf_diag_add(glibc->diags, HF_DIAG_HEAP, HF_SEV_ERROR, "double-free",
			    list->data[i].chunk + 2ull * glibc->layout.word,
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

/* ---- fastbins -------------------------------------------------------------------------------- */

static struct hf_error *walk_fastbin(struct glibc *glibc, uint32_t arena, uint32_t index)
{
	const struct glibc_layout *layout = &glibc->layout;
	uint64_t w = layout->word, head = glibc->base.arenas.data[arena].address + layout->fastbins;
	uint64_t size = (w == 8 ? 16ull : 8ull) * (index + 2), count = 0, chunk = 0;
	struct brent brent = {0};

	if (!glibc_word(glibc, head + index * w, &chunk))
		return NULL;
	while (chunk) {
		uint64_t word = 0, link = 0;
		if (!plausible_node(glibc, chunk, arena) || !glibc_size_word(glibc, chunk, &word)) {
			hf_diag_add(glibc->diags, HF_DIAG_HEAP, severity_in(glibc, arena),
				    "fastbin-corrupt", chunk,
				    "fastbin %u leads to 0x%lx, which is no chunk of its arena "
				    "(\"malloc(): unaligned fastbin chunk detected\")",
				    index, (unsigned long)chunk);
			break;
		}
		if (came_back(&brent, chunk)) {
			hf_diag_add(glibc->diags, HF_DIAG_HEAP, severity_in(glibc, arena),
				    "fastbin-cycle", chunk,
				    "fastbin %u runs in a circle: a double free "
				    "(\"double free or corruption (fasttop)\")",
				    index);
			break;
		}
		if ((word & ~(uint64_t)GLIBC_FLAGS) != size)
			hf_diag_add(glibc->diags, HF_DIAG_HEAP, severity_in(glibc, arena),
				    "fastbin-size", chunk,
				    "a chunk of %lu bytes is in the fastbin of %lu "
				    "(\"malloc(): memory corruption (fast)\")",
				    (unsigned long)(word & ~(uint64_t)GLIBC_FLAGS),
				    (unsigned long)size);
		struct hf_error *err = glibc_add_free(glibc, chunk, arena, index, HF_CHUNK_FASTBIN);
		if (err)
			return err;
		count++;
		if (!glibc_word(glibc, chunk + 2 * w, &link))
			break;
		chunk = glibc_unmangle(glibc, chunk + 2 * w, link);
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
	uint64_t back = 0;
	enum hf_severity severity = severity_in(glibc, arena);

	if (!plausible_node(glibc, chunk, arena)) {
		hf_diag_add(glibc->diags, HF_DIAG_HEAP, severity, "bin-corrupt", previous,
			    "bin %u of arena %u leads to 0x%lx, which is no chunk of that arena "
			    "(\"corrupted double-linked list\")",
			    bin, arena, (unsigned long)chunk);
		return true;
	}
	if (came_back(brent, chunk)) {
		hf_diag_add(glibc->diags, HF_DIAG_HEAP, severity, "bin-cycle", chunk,
			    "bin %u of arena %u runs in a circle that does not pass its head", bin,
			    arena);
		return true;
	}
	if (glibc_word(glibc, chunk + 3ull * glibc->layout.word, &back) && back != previous)
		hf_diag_add(
		    glibc->diags, HF_DIAG_HEAP, severity, bin == 1 ? "unsorted-links" : "bin-links",
		    chunk, "the free chunk's back pointer is 0x%lx, but 0x%lx leads to it (\"%s\")",
		    (unsigned long)back, (unsigned long)previous,
		    bin == 1 ? "malloc(): unsorted double linked list corrupted"
			     : "corrupted double-linked list");
	return false;
}

static struct hf_error *walk_bin(struct glibc *glibc, uint32_t arena, uint32_t bin)
{
	const struct glibc_layout *layout = &glibc->layout;
	uint64_t w = layout->word;
	uint64_t head =
	    glibc->base.arenas.data[arena].address + layout->bins + 2ull * (bin - 1) * w - 2 * w;
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
