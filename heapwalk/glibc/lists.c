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

#include "core/base/radix.h"
#include "core/base/search.h"
#include "heapwalk/glibc/brent.h"
#include "heapwalk/glibc/glibc.h"

/* Brent's cycle detection: feed each node; true when one came back. */
enum { MAX_TWICE_SEARCHES = 1024 };

struct hf_error *glibc_add_free(struct glibc *glibc, uint64_t chunk, uint32_t owner, uint32_t bin,
				enum hf_chunk_state state)
{
	struct glibc_free entry = {chunk, owner, (uint16_t)bin, (uint8_t)state};
	return hf_vec_push(&glibc->free, entry) ? NULL : hf_error_nomem();
}

_Static_assert(sizeof(struct glibc_free) == HF_RADIX_RECORD, "what the sort moves");

static int compare_states(const void *a, const void *b)
{
	const struct glibc_free *x = a, *y = b;
	return (int)y->state - (int)x->state; /* a bin's word before a cache's */
}

/* By chunk; what is said of one that is free twice, by state. */
static struct hf_error *sort_by_chunk(struct glibc_free *free, size_t count)
{
	if (!hf_radix_sort(free, count))
		return hf_error_nomem();
	for (size_t i = 0, end; i < count; i = end) {
		for (end = i + 1; end < count && free[end].chunk == free[i].chunk;)
			end++;
		if (end - i > 1)
			qsort(&free[i], end - i, sizeof(*free), compare_states);
	}
	return NULL;
}

/* What free() says when it is given a block of @state again. */
static const char *twice_text(uint8_t state)
{
	return state == HF_CHUNK_TCACHE	   ? "free(): double free detected in tcache 2"
	       : state == HF_CHUNK_FASTBIN ? "double free or corruption (fasttop)"
					   : "double free or corruption (!prev)";
}

/* Sort by chunk and drop doubles, which are double frees. */
struct hf_error *glibc_sort_free(struct glibc *glibc)
{
	struct glibc_free_list *list = &glibc->free;
	size_t kept = 0;

	if (list->count == 0)
		return NULL;
	struct hf_error *err = sort_by_chunk(list->data, list->count);
	if (err)
		return err;
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
						.lockless = true,
						.severity = HF_SEV_ERROR,
						.blame = HF_BLAME_DOUBLE_FREE,
						.address = mem,
						.culprit = mem,
						.abort_text = twice_text(list->data[i].state)},
			    list->data[kept].state == list->data[i].state
				? "this block is free twice: it is in the %s twice"
				: "this block is free twice: it is in the %s and in the %s lists",
			    hf_chunk_state_name(list->data[kept].state),
			    hf_chunk_state_name(list->data[i].state));
	}
	list->count = kept + 1;
	return NULL;
}

size_t glibc_free_from(const struct glibc *glibc, uint64_t chunk)
{
	return hf_first_not(0, glibc->free.count, i, glibc->free.data[i].chunk < chunk);
}

bool glibc_plausible_node(const struct glibc *glibc, uint64_t chunk, uint32_t arena)
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
	if (glibc_list_cut(glibc, value))
		return;
	glibc_found(glibc, arena,
		    (struct hf_finding){.code = code,
					.lockless = true,
					.settled = head, /* heads change by one store */
					.severity = HF_SEV_ERROR,
					.blame = head ? HF_BLAME_UNKNOWN : HF_BLAME_USE_AFTER_FREE,
					.address = head ? own : glibc_mem(glibc, holder),
					.word = word,
					.culprit = head ? 0 : glibc_mem(glibc, holder),
					.abort_text = abort_text},
		    "%s of arena %u leads to 0x%lx, which is no chunk of that arena", list, arena,
		    (unsigned long)value);
}

/* The chunk after @chunk in its fastbin; 0 if there is none. */
static uint64_t next_fast(const struct glibc *glibc, uint64_t chunk)
{
	uint64_t link = 0, at = glibc_mem(glibc, chunk);
	return glibc_word(glibc, at, &link) ? glibc_unmangle(glibc, at, link) : 0;
}

/*
 * A block that is in a tcache as well has the tcache's link where the fastbin's should be. The
 * double free is told when the lists are sorted; its consequences need not be.
 */
static bool in_tcache(struct glibc *glibc, uint64_t chunk)
{
	if (glibc->twice_searches++ >= MAX_TWICE_SEARCHES)
		return false;
	hf_vec_foreach (free, &glibc->free) {
		if (free->chunk == chunk && free->state == HF_CHUNK_TCACHE)
			return true;
	}
	return false;
}

/* Where the circle that the fastbin at @link_at runs into begins (Floyd 1967). */
static uint64_t circle_start(const struct glibc *glibc, uint64_t first, uint64_t inside)
{
	uint64_t length = 1, ahead, behind = first;

	for (uint64_t at = next_fast(glibc, inside); at && at != inside; at = next_fast(glibc, at))
		length++;
	ahead = first;
	for (uint64_t i = 0; i < length; i++)
		ahead = next_fast(glibc, ahead);
	while (ahead != behind) {
		ahead = next_fast(glibc, ahead);
		behind = next_fast(glibc, behind);
	}
	return behind;
}

/* Tests of one fastbin chunk; false: the list cannot be followed any further. */
static bool fastbin_node_good(struct glibc *glibc, uint32_t arena, uint32_t index, uint64_t chunk,
			      uint64_t link_at, uint64_t expected, struct brent *brent)
{
	uint64_t word = 0;
	char list[32];

	snprintf(list, sizeof(list), "fastbin %u", index);
	if (!glibc_plausible_node(glibc, chunk, arena) || !glibc_size_word(glibc, chunk, &word)) {
		if (in_tcache(glibc, link_at - 2ull * glibc->layout.word))
			return false;
		link_broken(glibc, arena, "fastbin-corrupt", link_at - 2ull * glibc->layout.word,
			    link_at,
			    glibc_unaligned_text(glibc, chunk,
						 "malloc(): unaligned fastbin chunk detected"),
			    list, chunk);
		return false;
	}
	if (brent_came_back(brent, chunk)) {
		uint64_t first = 0, own = glibc->base.arenas.data[arena].address;
		glibc_word(glibc, own + glibc->layout.fastbins + index * glibc->layout.word,
			   &first);
		uint64_t mem = glibc_mem(glibc, circle_start(glibc, first, chunk));
		glibc_found(
		    glibc, arena,
		    (struct hf_finding){.code = "double-free",
					.lockless = true,
					.severity = HF_SEV_ERROR,
					.blame = HF_BLAME_DOUBLE_FREE,
					.address = mem,
					.culprit = mem,
					.abort_text = "double free or corruption (fasttop)"},
		    "this block is free twice: fastbin %u runs in a circle from here", index);
		return false;
	}
	if ((word & ~(uint64_t)GLIBC_FLAGS) != expected) {
		if (in_tcache(glibc, link_at - 2ull * glibc->layout.word))
			return false;
		glibc_found(glibc, arena,
			    (struct hf_finding){.code = "fastbin-size",
						.lockless = true,
						.severity = HF_SEV_ERROR,
						.blame = HF_BLAME_OVERFLOW,
						.address = glibc_mem(glibc, chunk),
						.word = chunk + glibc->layout.word,
						.has_expected = true,
						.expected = expected | (word & GLIBC_FLAGS),
						.abort_text = "malloc(): memory corruption (fast)"},
			    "a chunk of %lu bytes is in the fastbin of %lu",
			    (unsigned long)(word & ~(uint64_t)GLIBC_FLAGS),
			    (unsigned long)expected);
	}
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
				 .count = count,
				 .broken = chunk != 0};
	glibc->base.lists_cut += row.broken;
	glibc->info.smblks += count;
	glibc->info.fsmblks += count * size;
	glibc->info.fordblks += count * size;
	return count == 0 || hf_vec_push(&glibc->base.bins, row) ? NULL : hf_error_nomem();
}

/* ---- all ------------------------------------------------------------------------------------- */

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
			err = glibc_walk_bin(glibc, arena, bin);
		if (!err)
			err = glibc_walk_bin(glibc, arena, 1);
		if (err)
			return err;
		add_top(glibc, arena);
	}
	glibc->info.hblks = glibc->n_mmaps;
	glibc->info.hblkhd = glibc->mmapped_mem;
	glibc->info.uordblks = glibc->info.arena - glibc->info.fordblks;
	return NULL;
}
