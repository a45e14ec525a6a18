/*
 * integrity_lists.c - free lists in depth: order, rings, bin numbers, keys.
 *
 *	large bin   head <-> 0x900 <-> 0x900 <-> 0x8a0 <-> 0x850 <-> head      fd, bk: descending
 *	                       \_____________________/ \_____/                  fd/bk_nextsize: a
 *	                       first of each size only, closed to a circle      ring over sizes
 *
 *	tcache entry   word 0: next, mangled     word 1: key, the same for all of a process
 *	               (2.34 on; before, from 2.29: the address of the thread's own tcache struct)
 *
 * lists.c has followed the links already: each list is walked here no further than it came.
 * The key's value is libc's `tcache_key`, else the one that most entries bear.
 */
#include <stdlib.h>
#include <string.h>

#include "heapwalk/glibc/integrity.h"

enum {
	BATCH = 512,
	MAX_HEAD_SEARCHES = 8,
	MIN_KEY_VOTES = 3,
	FD_NEXTSIZE = 4,
	BK_NEXTSIZE = 5 /* words of a free chunk */
};

static uint64_t size_of(const struct glibc *glibc, uint64_t chunk)
{
	uint64_t word = 0;
	glibc_size_word(glibc, chunk, &word);
	return word & ~(uint64_t)GLIBC_FLAGS;
}

/* ---- bins ------------------------------------------------------------------------------------ */

uint32_t glibc_bin_of(const struct glibc *glibc, uint64_t size)
{
	const struct glibc_layout *layout = &glibc->layout;
	bool wide = layout->word == 8, skewed = !wide && layout->align == 16;
	uint64_t smallest_large = wide ? 1024 : skewed ? 1008 : 512;
	uint64_t base = wide ? 48 : skewed ? 49 : 56, limit = wide ? 48 : skewed ? 45 : 38;

	if (size < smallest_large)
		return (uint32_t)(wide ? size >> 4 : skewed ? (size >> 4) + 1 : size >> 3);
	if (size >> 6 <= limit)
		return (uint32_t)(base + (size >> 6));
	if (size >> 9 <= 20)
		return (uint32_t)(91 + (size >> 9));
	if (size >> 12 <= 10)
		return (uint32_t)(110 + (size >> 12));
	if (size >> 15 <= 4)
		return (uint32_t)(119 + (size >> 15));
	if (size >> 18 <= 2)
		return (uint32_t)(124 + (size >> 18));
	return 126;
}

struct bin_walk {
	const struct glibc *glibc;
	const struct hf_bin_row *row;
	uint64_t previous_size;	    /* of the node before; 0 for the first */
	uint64_t first, last_first; /* nextsize ring: its start, the node before on it */
};

static void node_found(const struct bin_walk *walk, const char *code, uint64_t chunk, uint64_t word,
		       enum hf_blame blame, const char *abort_text, const char *what)
{
	uint64_t mem = glibc_mem(walk->glibc, chunk);
	glibc_found(walk->glibc, walk->row->arena,
		    (struct hf_finding){.code = code,
					.severity = HF_SEV_ERROR,
					.blame = (uint8_t)blame,
					.address = mem,
					.word = word,
					.culprit = blame == HF_BLAME_USE_AFTER_FREE ? mem : 0,
					.abort_text = abort_text},
		    "bin %u of arena %u: %s", walk->row->bin, walk->row->arena, what);
}

/* One word of the ring over the sizes must be @expected. */
static void check_ring_word(struct bin_walk *walk, uint64_t chunk, unsigned index,
			    uint64_t expected)
{
	uint64_t word = chunk + (uint64_t)index * walk->glibc->layout.word, value = 0;
	uint64_t mem = glibc_mem(walk->glibc, chunk);

	if (!glibc_word(walk->glibc, word, &value) || value == expected)
		return;
	glibc_found(walk->glibc, walk->row->arena,
		    (struct hf_finding){.code = "nextsize-ring",
					.severity = HF_SEV_ERROR,
					.blame = HF_BLAME_USE_AFTER_FREE,
					.address = mem,
					.word = word,
					.has_expected = true,
					.expected = expected,
					.culprit = mem,
					.abort_text = "corrupted double-linked list (not small)"},
		    "bin %u: this free block's link in the ring over the sizes leads to 0x%lx",
		    walk->row->bin, (unsigned long)value);
}

/* @chunk is the first of its size: linked with the first of the size before. */
static void check_nextsize(struct bin_walk *walk, uint64_t chunk)
{
	if (walk->last_first) {
		check_ring_word(walk, walk->last_first, FD_NEXTSIZE, chunk);
		check_ring_word(walk, chunk, BK_NEXTSIZE, walk->last_first);
	} else {
		walk->first = chunk;
	}
	walk->last_first = chunk;
}

static void close_ring(struct bin_walk *walk)
{
	if (!walk->first)
		return;
	check_ring_word(walk, walk->last_first, FD_NEXTSIZE, walk->first);
	check_ring_word(walk, walk->first, BK_NEXTSIZE, walk->last_first);
}

static void check_node(struct bin_walk *walk, uint64_t chunk)
{
	uint64_t size = size_of(walk->glibc, chunk), w = walk->glibc->layout.word;
	uint32_t bin = walk->row->bin;

	if (size < walk->glibc->layout.min_size || size % walk->glibc->layout.align) {
		node_found(walk, "bin-size", chunk, chunk + w, HF_BLAME_OVERFLOW,
			   "malloc(): invalid size (unsorted)", "this free block's size cannot be");
		return;
	}
	if (bin == 1)
		return;
	if (glibc_bin_of(walk->glibc, size) != bin)
		node_found(walk, "wrong-bin", chunk, chunk + w, HF_BLAME_OVERFLOW,
			   "corrupted size vs. prev_size",
			   "this free block's size belongs into another bin");
	else if (bin >= 64 && walk->previous_size && size > walk->previous_size)
		node_found(walk, "large-bin-order", chunk, chunk + w, HF_BLAME_OVERFLOW, NULL,
			   "this free block is larger than the one before it");
	if (bin >= 64 && size != walk->previous_size)
		check_nextsize(walk, chunk);
	walk->previous_size = size;
}

static void check_bin(struct glibc *glibc, const struct hf_bin_row *row)
{
	struct bin_walk walk = {.glibc = glibc, .row = row};
	uint64_t w = glibc->layout.word, head = glibc_bin_head(glibc, row->arena, row->bin);
	uint64_t chunk = head, tail = 0, own = glibc->base.arenas.data[row->arena].address;
	uint32_t map = 0;

	if (row->broken)
		return; /* bins.c told */
	for (uint64_t i = 0; i < row->count; i++) {
		if (!glibc_word(glibc, chunk + 2 * w, &chunk))
			return;
		check_node(&walk, chunk);
	}
	uint64_t after = 0;
	close_ring(&walk);
	bool whole = glibc_word(glibc, chunk + 2 * w, &after) && after == head;
	if (whole && glibc_word(glibc, head + 3 * w, &tail) && tail != chunk)
		glibc_found(glibc, row->arena,
			    (struct hf_finding){.code = "bin-head",
						.severity = HF_SEV_ERROR,
						.address = own,
						.word = head + 3 * w,
						.has_expected = true,
						.expected = chunk,
						.abort_text = "corrupted double-linked list"},
			    "bin %u of arena %u: its head's back pointer is not its last block",
			    row->bin, row->arena);
	if (row->bin >= 2 &&
	    hf_image_u32(glibc->image,
			 own + glibc->layout.bins + GLIBC_BIN_WORDS * w + row->bin / 32 * 4,
			 &map) &&
	    !(map >> row->bin % 32 & 1))
		glibc_found(glibc, row->arena,
			    (struct hf_finding){.code = "binmap",
						.severity = HF_SEV_ERROR,
						.address = own,
						.word = own + glibc->layout.bins +
							GLIBC_BIN_WORDS * w + row->bin / 32 * 4,
						.word_bytes = 4,
						.has_expected = true,
						.expected = map | UINT32_C(1) << row->bin % 32},
			    "bin %u of arena %u holds blocks, but the map of bins says it is empty",
			    row->bin, row->arena);
}

/* The heads of empty bins point at themselves. */
static void check_empty_heads(struct glibc *glibc, uint32_t arena)
{
	uint64_t w = glibc->layout.word;

	for (uint32_t bin = 1; bin <= GLIBC_BINS; bin++) {
		uint64_t head = glibc_bin_head(glibc, arena, bin), fd = 0, bk = 0;
		if (glibc_word(glibc, head + 2 * w, &fd) && glibc_word(glibc, head + 3 * w, &bk) &&
		    fd == head && bk != head)
			glibc_found(glibc, arena,
				    (struct hf_finding){
					.code = "bin-head",
					.severity = HF_SEV_ERROR,
					.address = glibc->base.arenas.data[arena].address,
					.word = head + 3 * w,
					.has_expected = true,
					.expected = head,
					.abort_text = "malloc(): corrupted unsorted chunks"},
				    "bin %u of arena %u is empty forwards, but not backwards", bin,
				    arena);
	}
}

void glibc_check_lists(struct glibc *glibc)
{
	hf_vec_foreach (row, &glibc->base.bins) {
		if (row->state != HF_CHUNK_FASTBIN)
			check_bin(glibc, row);
	}
	for (uint32_t arena = 0; arena < glibc->base.arenas.count; arena++)
		check_empty_heads(glibc, arena);
}

/* ---- tcaches --------------------------------------------------------------------------------- */

enum key_kind { KEY_NONE, KEY_STRUCT, KEY_RANDOM };

struct keys {
	enum key_kind kind;
	uint64_t value; /* KEY_RANDOM */
};

static bool key_of(const struct glibc *glibc, const struct glibc_free *entry, uint64_t *ret)
{
	return entry->state == HF_CHUNK_TCACHE &&
	       glibc_word(glibc, glibc_mem(glibc, entry->chunk) + glibc->layout.word, ret);
}

static bool is_cache(const struct glibc *glibc, uint64_t mem)
{
	hf_vec_foreach (cache, &glibc->tcaches) {
		if (*cache == mem)
			return true;
	}
	return false;
}

/* The key that most entries bear (Boyer, Moore 1981), and how many do. */
static uint64_t majority(const struct glibc *glibc, uint64_t *ret_votes, uint64_t *ret_total)
{
	uint64_t candidate = 0, lead = 0, key, votes = 0, total = 0;

	hf_vec_foreach (entry, &glibc->free) {
		if (!key_of(glibc, entry, &key))
			continue;
		total++;
		if (lead == 0)
			candidate = key;
		if (candidate == key)
			lead++;
		else
			lead--;
	}
	hf_vec_foreach (entry, &glibc->free)
		votes += key_of(glibc, entry, &key) && key == candidate;
	*ret_votes = votes;
	*ret_total = total;
	return candidate;
}

static struct keys learn_keys(const struct glibc *glibc)
{
	struct keys keys = {KEY_NONE, 0};
	uint64_t address, size, key, votes, total, structs = 0;

	if (glibc->symbols && glibc->libc_module != HF_NO_INDEX &&
	    hf_symbols_find(glibc->symbols, glibc->libc_module, "tcache_key", &address, &size) &&
	    glibc_word(glibc, address, &keys.value) && keys.value) {
		keys.kind = KEY_RANDOM;
		return keys;
	}
	keys.value = majority(glibc, &votes, &total);
	hf_vec_foreach (entry, &glibc->free)
		structs += key_of(glibc, entry, &key) && is_cache(glibc, key);
	if (structs * 2 > total && total >= MIN_KEY_VOTES)
		keys.kind = KEY_STRUCT;
	else if (votes * 2 > total && votes >= MIN_KEY_VOTES && keys.value >> 12 &&
		 glibc_random_keys(glibc))
		keys.kind = KEY_RANDOM;
	return keys;
}

static void check_entry(struct glibc *glibc, const struct glibc_free *entry,
			const struct keys *keys)
{
	uint64_t mem = glibc_mem(glibc, entry->chunk), w = glibc->layout.word, key = 0;
	uint64_t size = size_of(glibc, entry->chunk);
	uint64_t expected = glibc->layout.min_size + (uint64_t)entry->bin * glibc->layout.align;

	if (entry->bin < 64 && size != expected)
		glibc_found(glibc, HF_NO_ARENA,
			    (struct hf_finding){.code = "tcache-size",
						.severity = HF_SEV_ERROR,
						.blame = HF_BLAME_OVERFLOW,
						.address = mem,
						.word = entry->chunk + w},
			    "a chunk of %lu bytes is in the tcache's list of %lu-byte chunks",
			    (unsigned long)size, (unsigned long)expected);
	if (keys->kind == KEY_NONE || !key_of(glibc, entry, &key) ||
	    (keys->kind == KEY_STRUCT ? is_cache(glibc, key) : key == keys->value))
		return;
	glibc_found(glibc, HF_NO_ARENA,
		    (struct hf_finding){.code = "tcache-key",
					.severity = HF_SEV_ERROR,
					.blame = HF_BLAME_USE_AFTER_FREE,
					.address = mem,
					.word = mem + w,
					.has_expected = keys->kind == KEY_RANDOM,
					.expected = keys->value,
					.culprit = mem},
		    "this freed block (tcache, %lu-byte chunks) should bear malloc's key, but "
		    "holds 0x%lx",
		    (unsigned long)expected, (unsigned long)key);
}

/*
 * A tcache's list starts at what is no chunk: malloc has put there the link of the block that
 * it gave out last, and that link was overwritten while the block was free. Most often it
 * still stands in the block:
 *
 *	entries[bin] = unmangle(word 0 of the block)
 */
static void explain_head(struct glibc *glibc, struct hf_finding *finding)
{
	struct hf_chunk chunks[BATCH];

	for (uint32_t region = 0; region < glibc->base.regions.count; region++) {
		uint64_t at = 0;
		uint32_t count;
		do {
			count = glibc_chunks(&glibc->base, region, &at, chunks, BATCH);
			for (uint32_t i = 0; i < count; i++) {
				uint64_t mem = chunks[i].object, link = 0;
				if (chunks[i].state != HF_CHUNK_INUSE ||
				    !glibc_word(glibc, mem, &link) ||
				    glibc_unmangle(glibc, mem, link) != finding->found)
					continue;
				finding->culprit = mem;
				finding->blame = HF_BLAME_USE_AFTER_FREE;
				return;
			}
		} while (count == BATCH);
	}
}

static void explain_heads(struct glibc *glibc)
{
	unsigned searches = 0;

	if (!glibc->layout.mangled)
		return; /* any block may hold that pointer */
	hf_vec_foreach (finding, &glibc->base.findings) {
		if (!strcmp(finding->code, "tcache-corrupt") && !finding->culprit &&
		    finding->has_found && searches++ < MAX_HEAD_SEARCHES)
			explain_head(glibc, finding);
	}
}

void glibc_check_tcaches(struct glibc *glibc)
{
	struct keys keys = learn_keys(glibc);

	hf_vec_foreach (entry, &glibc->free) {
		if (entry->state == HF_CHUNK_TCACHE)
			check_entry(glibc, entry, &keys);
	}
	explain_heads(glibc);
}
