/*
 * tcache.c - every thread's cache of freed chunks, which nothing in a chunk's header tells.
 *
 *	tcache_perthread_struct:  counts[bins] | entries[bins]
 *	entries[i] -> mem (word 0: next, mangled from 2.32 on; word 1: key) -> ... -> 0
 *
 * Where a thread's struct is, in this order:
 *   1. the TLS variable `tcache` of libc, by symbol and the thread's TLS block;
 *   2. a word near the thread pointer that points at a valid struct, the nearest one;
 *   3. for all threads at once: every chunk of the struct's size whose contents validate.
 * A valid struct is a chunk of the right size whose counts and chains agree: exact on every
 * glibc from 2.26 to 2.44. In 2.42 and later the counts are inverted (free slots).
 */
#include <stdlib.h>
#include <string.h>

#include "heapwalk/glibc/integrity.h"

enum {
	SLOT_SEARCH_BYTES = 0x1000, /* further from tp lie stale copies, other threads' slots */
	MAX_CHAIN = 65535,
	MOST_BROKEN_BINS = 2,  /* of a struct that is one all the same */
	KEY_RANDOM_SINCE = 34, /* before: the address of the thread's struct */
};

struct cache {
	uint64_t mem;
	const struct glibc_tcache_layout *layout;
};

/* Chunks in bin @bin by its counter; false if that is impossible. */
static bool bin_count(const struct glibc *glibc, const struct cache *cache, unsigned bin,
		      uint64_t *ret)
{
	uint16_t count = 0;

	if (cache->layout->count_bytes == 1) {
		uint8_t byte = 0;
		if (!hf_image_read(glibc->image, cache->mem + bin, &byte, 1))
			return false;
		count = byte;
	} else if (!hf_image_u16(glibc->image, cache->mem + 2ull * bin, &count)) {
		return false;
	}
	if (cache->layout->inverted) {
		if (count > glibc->tcache_count)
			return false;
		count = (uint16_t)(glibc->tcache_count - count);
	}
	*ret = count;
	return true;
}

static bool bin_head(const struct glibc *glibc, const struct cache *cache, unsigned bin,
		     uint64_t *ret)
{
	return glibc_word(
	    glibc, cache->mem + cache->layout->entries + (uint64_t)bin * glibc->layout.word, ret);
}

/* May @mem be a cached block? */
static bool plausible_entry(const struct glibc *glibc, uint64_t mem)
{
	uint64_t chunk = mem - 2ull * glibc->layout.word;
	return glibc_aligned(glibc, chunk) && glibc_region_at(glibc, chunk) != UINT32_MAX;
}

/* Size of the chunks in a small bin. */
static uint64_t bin_chunk_size(const struct glibc *glibc, unsigned bin)
{
	return glibc->layout.min_size + (uint64_t)bin * glibc->layout.align;
}

/* The struct at @mem by its chunk: right size, inside a region. */
static bool cache_at(const struct glibc *glibc, uint64_t mem, struct cache *ret)
{
	uint64_t chunk = mem - 2ull * glibc->layout.word, word = 0;

	if (mem == 0 || !plausible_entry(glibc, mem) || !glibc_size_word(glibc, chunk, &word) ||
	    (word & GLIBC_IS_MMAPPED))
		return false;
	ret->mem = mem;
	ret->layout =
	    glibc_tcache_layout((uint8_t)glibc->layout.word, word & ~(uint64_t)GLIBC_FLAGS);
	/* The inverted form came with 2.42: an older glibc's block of that size is another's. */
	return ret->layout && !(ret->layout->inverted && glibc->version && glibc->version < 42);
}

/* Do the bin's head and its count agree, and has the first entry the bin's size? */
static bool bin_valid(const struct glibc *glibc, const struct cache *cache, unsigned bin,
		      bool *ret_used)
{
	uint64_t count, head, word;

	*ret_used = false;
	if (!bin_count(glibc, cache, bin, &count) || !bin_head(glibc, cache, bin, &head) ||
	    (count == 0) != (head == 0))
		return false;
	if (head == 0)
		return true;
	*ret_used = true;
	return plausible_entry(glibc, head) &&
	       glibc_size_word(glibc, head - 2ull * glibc->layout.word, &word) &&
	       (bin >= cache->layout->small_bins ||
		(word & ~(uint64_t)GLIBC_FLAGS) == bin_chunk_size(glibc, bin));
}

/* What the bins say of a struct. */
struct evidence {
	unsigned broken; /* bins that cannot be */
	unsigned used;	 /* that hold blocks, as they should */
};

static struct evidence look_at_bins(const struct glibc *glibc, const struct cache *cache)
{
	struct evidence evidence = {0};
	for (unsigned bin = 0; bin < cache->layout->bins; bin++) {
		bool used;
		if (!bin_valid(glibc, cache, bin, &used))
			evidence.broken++;
		else
			evidence.used += used;
	}
	return evidence;
}

/* Strict: every bin is right. An empty struct is a block of zeros (or of full counters). */
static bool cache_valid(const struct glibc *glibc, const struct cache *cache)
{
	struct evidence evidence = look_at_bins(glibc, cache);
	return evidence.broken == 0 && (evidence.used > 0 || cache->layout->inverted);
}

/*
 * What a thread's slot leads to: an empty struct is told by its place, as the first chunk of its
 * arena; and one that a bug wrote to is right but for a bin or two.
 */
static bool slot_valid(const struct glibc *glibc, const struct cache *cache, unsigned most_broken)
{
	uint64_t chunk = cache->mem - 2ull * glibc->layout.word;
	bool first = glibc->base.regions.data[glibc_region_at(glibc, chunk)].start == chunk;
	struct evidence evidence = look_at_bins(glibc, cache);
	return evidence.broken <= most_broken &&
	       (evidence.used > 0 || cache->layout->inverted || first);
}

/* ---- finding --------------------------------------------------------------------------------- */

static bool tls_word(const struct glibc *glibc, const struct hf_thread *thread, uint64_t offset,
		     uint64_t *ret)
{
	uint64_t block;
	return glibc->libc_module != HF_NO_INDEX &&
	       hf_process_tls_block(glibc->process, thread,
				    &glibc->process->modules.data[glibc->libc_module], &block) &&
	       glibc_word(glibc, block + offset, ret);
}

/* The slot nearest to the thread pointer that holds a struct with @most_broken bins at most. */
static bool slot_near_tp(const struct glibc *glibc, const struct hf_thread *thread,
			 unsigned most_broken, struct cache *ret)
{
	uint64_t w = glibc->layout.word, mem;

	for (uint64_t distance = w; distance <= SLOT_SEARCH_BYTES; distance += w) {
		for (int side = 0; side < 2; side++) {
			uint64_t at = side ? thread->tp + distance : thread->tp - distance;
			if (glibc_word(glibc, at, &mem) && cache_at(glibc, mem, ret) &&
			    slot_valid(glibc, ret, most_broken))
				return true;
		}
	}
	return false;
}

static bool cache_near_tp(const struct glibc *glibc, const struct hf_thread *thread,
			  struct cache *ret)
{
	return thread->tp != 0 && (slot_near_tp(glibc, thread, 0, ret) ||
				   slot_near_tp(glibc, thread, MOST_BROKEN_BINS, ret));
}

static int compare_words(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return (x > y) - (x < y);
}

static bool known_cache(const struct glibc *glibc, uint64_t mem)
{
	hf_vec_foreach (known, &glibc->tcaches) {
		if (*known == mem)
			return true;
	}
	return false;
}

/* ---- walking --------------------------------------------------------------------------------- */

/*
 * Entries bear a key from 2.29 on; a backport may have it, but need not. Where nothing tells the
 * version, mangled links do: they came with 2.32.
 */
static bool has_keys(const struct glibc *glibc)
{
	return glibc->version ? glibc->version >= 29 : glibc->layout.mangled;
}

bool glibc_random_keys(const struct glibc *glibc)
{
	return glibc->version ? glibc->version >= KEY_RANDOM_SINCE : glibc->layout.mangled;
}

/* The link at @word leads to @mem, which is no block: who was written to? */
static void entry_broken(const struct glibc *glibc, const struct cache *cache, unsigned bin,
			 uint64_t word, uint64_t mem)
{
	bool head = word >= cache->mem && word < cache->mem + cache->layout->smallest;
	if (glibc_list_cut(glibc, mem))
		return;
	glibc_found(
	    glibc, HF_NO_ARENA,
	    (struct hf_finding){
		.code = "tcache-corrupt",
		.severity = HF_SEV_ERROR,
		.blame = head ? HF_BLAME_OVERFLOW : HF_BLAME_USE_AFTER_FREE,
		.address = head ? cache->mem : word,
		.word = word,
		.culprit = head ? 0 : word,
		.abort_text = glibc_unaligned_text(glibc, mem - 2ull * glibc->layout.word,
						   "malloc(): unaligned tcache chunk detected")},
	    head ? "the tcache's list of %lu-byte chunks starts at 0x%lx, which is no such chunk"
		 : "the link in this freed block (tcache, %lu-byte chunks) leads to 0x%lx, "
		   "which is no such chunk",
	    (unsigned long)bin_chunk_size(glibc, bin), (unsigned long)mem);
}

/* The chain of bin @bin, @actual blocks of which @last is the last, is not as long as counted. */
static void count_differs(const struct glibc *glibc, const struct cache *cache, unsigned bin,
			  uint64_t expected, uint64_t actual, uint64_t last, bool goes_on)
{
	struct hf_finding finding = {.code = "tcache-count",
				     .severity = HF_SEV_ERROR,
				     .blame = HF_BLAME_USE_AFTER_FREE,
				     .address = last,
				     .word = last,
				     .culprit = last};
	if (actual == 0) {
		/* Nothing was freed: the counter itself must be wrong. */
		finding.blame = HF_BLAME_UNKNOWN;
		finding.address = cache->mem;
		finding.word = cache->mem + (uint64_t)bin * cache->layout->count_bytes;
		finding.word_bytes = cache->layout->count_bytes;
		finding.has_expected = true;
		finding.expected = cache->layout->inverted ? glibc->tcache_count : 0;
	}
	glibc_found(glibc, HF_NO_ARENA, finding,
		    "the tcache's list of %lu-byte chunks should hold %lu of them, but %s",
		    (unsigned long)bin_chunk_size(glibc, bin), (unsigned long)expected,
		    actual == 0 ? "is empty"
		    : goes_on	? "goes on after this one: its link was overwritten"
				: "ends here: its link was overwritten");
}

struct chain {
	const struct cache *cache;
	unsigned bin;
	uint64_t head, count, last; /* blocks so far, and the last of them; 0: none */
};

/* Is @mem, where the chain goes on after its last block, on it already? */
static bool chain_has(const struct glibc *glibc, const struct chain *chain, uint64_t mem)
{
	uint64_t at = chain->head, link;

	for (uint64_t i = 0; i < chain->count; i++) {
		if (at == mem)
			return true;
		if (!glibc_word(glibc, at, &link))
			return false;
		at = glibc_unmangle(glibc, at, link);
	}
	return false;
}

/* Could a chunk of @size have stood at @chunk? Then the next one's header is behind it. */
static bool header_behind(const struct glibc *glibc, uint64_t chunk, uint64_t size)
{
	uint64_t word = 0, next;

	if (!glibc_size_word(glibc, chunk + size, &word) || !(word & GLIBC_PREV_INUSE))
		return false;
	next = word & ~(uint64_t)GLIBC_FLAGS;
	return next >= glibc->layout.min_size && next % glibc->layout.align == 0 &&
	       glibc_region_at(glibc, chunk + size + next - 1) != UINT32_MAX;
}

/*
 * Is @mem, to which the chain's last block leads, another's block? Then it has neither this
 * list's size nor the key that all on the chain bear; without keys, its place has no room for a
 * block of this list.
 */
static bool is_foreign(const struct glibc *glibc, const struct chain *chain, uint64_t mem)
{
	uint64_t w = glibc->layout.word, word = 0, key = 0, last_key = 0;

	if (!chain->count || chain->bin >= chain->cache->layout->small_bins ||
	    !glibc_size_word(glibc, mem - 2 * w, &word) ||
	    (word & ~(uint64_t)GLIBC_FLAGS) == bin_chunk_size(glibc, chain->bin))
		return false;
	if (!has_keys(glibc))
		return !header_behind(glibc, mem - 2 * w, bin_chunk_size(glibc, chain->bin));
	return glibc_word(glibc, mem + w, &key) && glibc_word(glibc, chain->last + w, &last_key) &&
	       key != last_key;
}

/*
 * Not all of the chain was found. What is left of it still bears the key, by which the walk
 * knows it; if there is a key, and it is known.
 */
static void chain_cut(struct glibc *glibc, const struct chain *chain)
{
	uint64_t address, size, key = 0;

	if (glibc->cut_key)
		return;
	glibc->base.lists_cut++;
	if (!has_keys(glibc))
		return;
	bool told =
	    glibc->symbols && glibc->libc_module != HF_NO_INDEX &&
	    hf_symbols_find(glibc->symbols, glibc->libc_module, "tcache_key", &address, &size) &&
	    glibc_word(glibc, address, &key);
	if (glibc->version && glibc->version < KEY_RANDOM_SINCE)
		key = chain->cache->mem;
	else if (!told && chain->count)
		glibc_word(glibc, chain->head + glibc->layout.word, &key);
	/* A key is random, or the address of a struct: no small number. */
	glibc->cut_key = key >> 12 ? key : 0;
	glibc->base.lists_cut -= glibc->cut_key != 0;
}

static struct hf_error *walk_chain(struct glibc *glibc, const struct cache *cache, unsigned bin,
				   uint64_t expected, struct hf_thread_cache *row)
{
	uint64_t w = glibc->layout.word, mem = 0, word, link;
	uint64_t link_at = cache->mem + cache->layout->entries + (uint64_t)bin * w;
	struct chain chain = {.cache = cache, .bin = bin};

	bin_head(glibc, cache, bin, &mem);
	chain.head = mem;
	while (mem && chain.count < expected && chain.count < MAX_CHAIN) {
		if (!plausible_entry(glibc, mem) || !glibc_size_word(glibc, mem - 2 * w, &word) ||
		    is_foreign(glibc, &chain, mem)) {
			entry_broken(glibc, cache, bin, link_at, mem);
			chain_cut(glibc, &chain);
			return NULL;
		}
		struct hf_error *err =
		    glibc_add_free(glibc, mem - 2 * w, row->thread, bin, HF_CHUNK_TCACHE);
		if (err)
			return err;
		chain.count++;
		row->count++;
		row->bytes += word & ~(uint64_t)GLIBC_FLAGS;
		chain.last = link_at = mem;
		if (!glibc_word(glibc, mem, &link))
			return NULL;
		mem = glibc_unmangle(glibc, mem, link);
	}
	if (mem && !plausible_entry(glibc, mem)) {
		entry_broken(glibc, cache, bin, link_at, mem);
	} else if ((mem || chain.count != expected) && !(mem && chain_has(glibc, &chain, mem))) {
		/* A circle is a double free, and told when the lists are sorted. */
		count_differs(glibc, cache, bin, expected, chain.count, chain.last, mem != 0);
		chain_cut(glibc, &chain);
	}
	return NULL;
}

static struct hf_error *walk_cache(struct glibc *glibc, const struct cache *cache,
				   struct hf_thread_cache *row)
{
	if (!hf_vec_push(&glibc->tcaches, cache->mem))
		return hf_error_nomem();
	row->address = cache->mem;
	for (unsigned bin = 0; bin < cache->layout->bins; bin++) {
		uint64_t expected = 0;
		if (!bin_count(glibc, cache, bin, &expected)) {
			glibc_found(glibc, HF_NO_ARENA,
				    (struct hf_finding){
					.code = "tcache-count",
					.severity = HF_SEV_ERROR,
					.blame = HF_BLAME_OVERFLOW,
					.address = cache->mem,
					.word = cache->mem + bin * cache->layout->count_bytes,
					.word_bytes = cache->layout->count_bytes,
					.abort_text = "free(): too many chunks detected in tcache"},
				    "the tcache's counter of bin %u is impossible", bin);
			expected = MAX_CHAIN;
		}
		struct hf_error *err = walk_chain(glibc, cache, bin, expected, row);
		if (err)
			return err;
	}
	return NULL;
}

static bool has_caches(const struct glibc *glibc)
{
	return glibc->layout.class->last >= 26;
}

static uint32_t arena_at(const struct glibc *glibc, uint64_t address)
{
	for (uint32_t i = 0; i < glibc->base.arenas.count; i++) {
		if (glibc->base.arenas.data[i].address == address)
			return i;
	}
	return HF_NO_ARENA;
}

struct slots { /* offsets in libc's TLS block */
	bool has_cache, has_arena;
	uint64_t cache, arena;
};

static struct slots find_slots(const struct glibc *glibc)
{
	struct slots slots = {0};
	uint64_t size;
	if (glibc->symbols && glibc->libc_module != HF_NO_INDEX) {
		slots.has_cache = hf_symbols_find(glibc->symbols, glibc->libc_module, "tcache",
						  &slots.cache, &size);
		/* The latter is its name to 2.22. */
		slots.has_arena = hf_symbols_find(glibc->symbols, glibc->libc_module,
						  "thread_arena", &slots.arena, &size) ||
				  hf_symbols_find(glibc->symbols, glibc->libc_module,
						  "__libc_tsd_MALLOC", &slots.arena, &size);
	}
	return slots;
}

static struct hf_error *walk_thread(struct glibc *glibc, uint32_t index, const struct slots *slots)
{
	const struct hf_thread *thread = &glibc->process->threads.data[index];
	struct hf_thread_cache row = {.thread = index, .arena = HF_NO_ARENA};
	struct cache cache = {0};
	uint64_t value = 0;
	bool found = false,
	     told = slots->has_cache && tls_word(glibc, thread, slots->cache, &value);

	if (slots->has_arena && tls_word(glibc, thread, slots->arena, &value))
		row.arena = arena_at(glibc, value);
	if (!has_caches(glibc))
		found = false;
	else if (told && tls_word(glibc, thread, slots->cache, &value))
		found = cache_at(glibc, value, &cache);
	else
		found = cache_near_tp(glibc, thread, &cache);
	struct hf_error *err = NULL;
	if (found && !known_cache(glibc, cache.mem))
		err = walk_cache(glibc, &cache, &row);
	if (!err && !hf_vec_push(&glibc->base.caches, row))
		err = hf_error_nomem();
	return err;
}

/* ---- by content ------------------------------------------------------------------------------ */

struct candidates {
	const struct glibc *glibc;
	HF_VEC(, struct cache) found;
};

static void collect_candidates(void *ctx, const struct hf_chunk *chunks, uint32_t count)
{
	struct candidates *candidates = ctx;
	for (uint32_t i = 0; i < count; i++) {
		struct cache cache;
		if (glibc_tcache_layout((uint8_t)candidates->glibc->layout.word, chunks[i].size) &&
		    chunks[i].state == HF_CHUNK_INUSE &&
		    cache_at(candidates->glibc, chunks[i].object, &cache) &&
		    cache_valid(candidates->glibc, &cache) &&
		    !known_cache(candidates->glibc, cache.mem))
			(void)hf_vec_push(&candidates->found, cache);
	}
}

/* Where not even a thread pointer is known: by what the structs look like. */
static struct hf_error *walk_by_content(struct glibc *glibc)
{
	struct candidates candidates = {.glibc = glibc};
	struct hf_error *err = NULL;

	for (uint32_t i = 0; i < glibc->base.regions.count; i++)
		glibc_walk_silently(glibc, i, collect_candidates, &candidates);
	hf_vec_foreach (cache, &candidates.found) {
		struct hf_thread_cache row = {.thread = HF_NO_INDEX, .arena = HF_NO_ARENA};
		err = walk_cache(glibc, cache, &row);
		if (!err && !hf_vec_push(&glibc->base.caches, row))
			err = hf_error_nomem();
		if (err)
			break;
	}
	free(candidates.found.data);
	return err;
}

/* Not every thread could be asked where its cache is. */
static bool lacks_thread_pointers(const struct glibc *glibc)
{
	hf_vec_foreach (thread, &glibc->process->threads) {
		if (thread->tp == 0)
			return true;
	}
	return false;
}

/* 2.26 forgot to empty an ended thread's cache (glibc bug 22111): it is there, with its blocks. */
static bool keeps_dead(const struct glibc *glibc)
{
	return glibc->layout.class->last == 26;
}

struct hf_error *glibc_walk_tcaches(struct glibc *glibc)
{
	struct slots slots = find_slots(glibc);
	struct hf_error *err = NULL;

	for (uint32_t i = 0; !err && i < glibc->process->threads.count; i++)
		err = walk_thread(glibc, i, &slots);
	if (!err && has_caches(glibc) &&
	    (glibc->tcaches.count == 0 || lacks_thread_pointers(glibc) || keeps_dead(glibc)))
		err = walk_by_content(glibc);
	if (glibc->tcaches.count > 1)
		qsort(glibc->tcaches.data, glibc->tcaches.count, sizeof(uint64_t), compare_words);
	return err;
}

void glibc_tcache_heads(const struct glibc *glibc, uint32_t thread,
			void (*visit)(void *ctx, uint64_t mem), void *ctx)
{
	struct cache cache = {0};

	if (!cache_near_tp(glibc, &glibc->process->threads.data[thread], &cache))
		return;
	for (unsigned bin = 0; bin < cache.layout->bins; bin++) {
		uint64_t count = 0, head = 0;
		if (bin_count(glibc, &cache, bin, &count) && count &&
		    bin_head(glibc, &cache, bin, &head) && head)
			visit(ctx, head);
	}
}
