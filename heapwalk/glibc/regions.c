/*
 * regions.c - the memory that each arena manages.
 *
 *	main arena      [sbrk_base ............ end of top)   one region; foreign sbrk inside is
 *	                                                      told by the walk (gaps)
 *	thread arena    heap -> prev heap -> ...               one region a heap
 *	non-contiguous  page-aligned regions of anonymous memory, without any header: a chain of
 *	main arena      plausible chunks that ends at the top or at a pair of fenceposts
 */
#include <stdlib.h>

#include "core/base/search.h"
#include "heapwalk/glibc/brent.h"
#include "heapwalk/glibc/glibc.h"

enum {
	MAX_ARENAS = 1 << 16,
	MAX_HEAPS = 1 << 20,
	MIN_CHAIN = 4,
	MAX_BRK_SKIP = 64 << 10,
	MOST_ABSENT = 16, /* a region is at most this many times what the core holds at all */
};

struct hf_error *glibc_add_region(struct glibc *glibc, uint64_t start, uint64_t end, uint32_t arena,
				  enum hf_region_kind kind, uint64_t top)
{
	struct hf_heap_region region = {start, end, arena, (uint8_t)kind};
	struct glibc_region walk = {.top = top};
	if (start >= end)
		return NULL;
	if (end - start > MOST_ABSENT * glibc->present_bytes) {
		/* Terabytes that only a header promises: what is indexed is bounded by what is
		 * there. */
		region.end = start + (MOST_ABSENT * glibc->present_bytes & ~UINT64_C(0xfff));
		hf_diag_add(glibc->diags, HF_DIAG_EVIDENCE, HF_SEV_WARNING, "heap-missing", start,
			    "a heap of %lu bytes is mostly not in the core: its end is left out",
			    (unsigned long)(end - start));
	}
	if (!hf_vec_push(&glibc->base.regions, region))
		return hf_error_nomem();
	if (!hf_vec_push(&glibc->walks, walk)) {
		glibc->base.regions.count--;
		return hf_error_nomem();
	}
	return NULL;
}

static struct hf_error *add_own(struct glibc *glibc, uint64_t start, uint64_t end)
{
	struct hf_range range = {start, end};
	return start >= end || hf_vec_push(&glibc->base.own, range) ? NULL : hf_error_nomem();
}

/* ---- arenas ---------------------------------------------------------------------------------- */

static struct hf_error *add_arena(struct glibc *glibc, uint64_t address)
{
	const struct glibc_layout *layout = &glibc->layout;
	struct hf_arena arena = {.address = address, .is_main = address == glibc->main_arena};
	uint32_t mutex = 0;
	uint64_t attached = 0;

	hf_image_u32(glibc->image, address, &mutex);
	arena.in_flux = mutex == 1 || mutex == 2; /* else it is overwritten */
	if (layout->attached && glibc_word(glibc, address + layout->attached, &attached))
		arena.attached_threads = (uint32_t)attached;
	glibc_word(glibc, address + layout->system_mem, &arena.system_bytes);
	glibc_word(glibc, address + layout->system_mem + layout->word, &arena.max_system_bytes);
	return hf_vec_push(&glibc->base.arenas, arena) ? NULL : hf_error_nomem();
}

/* A thread's arena stands behind the header of its first heap. */
static bool valid_thread_arena(const struct glibc *glibc, uint64_t arena)
{
	uint64_t heap = arena - glibc->layout.heap_info, owner = 0, prev = 1;
	return arena > glibc->layout.heap_info && heap % glibc->layout.heap_max == 0 &&
	       glibc_word(glibc, heap, &owner) && owner == arena &&
	       glibc_word(glibc, heap + glibc->layout.word, &prev) && prev == 0;
}

static bool known_arena(const struct glibc *glibc, uint64_t address)
{
	hf_vec_foreach (arena, &glibc->base.arenas) {
		if (arena->address == address)
			return true;
	}
	return false;
}

/* The ring is broken: heaps stand at multiples of their maximum, so look at those. */
static struct hf_error *find_lost_arenas(struct glibc *glibc)
{
	uint64_t step = glibc->layout.heap_max;

	hf_vec_foreach (mapping, &glibc->process->mappings) {
		if (!(mapping->flags & HF_SEGMENT_W) || mapping->module != HF_NO_INDEX)
			continue;
		for (uint64_t heap = (mapping->start + step - 1) & ~(step - 1);
		     heap >= mapping->start && heap < mapping->end; heap += step) {
			/* A header can promise terabytes that are not there. */
			uint64_t there = hf_image_next(glibc->image, heap, mapping->end);
			uint64_t arena = heap + glibc->layout.heap_info;
			if (there >= mapping->end)
				break;
			if (there - heap >= step) {
				heap = (there & ~(step - 1)) - step; /* the loop adds it */
				continue;
			}
			if (!valid_thread_arena(glibc, arena) || known_arena(glibc, arena) ||
			    glibc->base.arenas.count >= MAX_ARENAS)
				continue;
			struct hf_error *err = add_arena(glibc, arena);
			if (err)
				return err;
		}
	}
	return NULL;
}

static struct hf_error *walk_ring(struct glibc *glibc)
{
	uint64_t at = glibc->main_arena;
	do {
		uint64_t link = at + glibc->layout.next;
		struct hf_error *err = add_arena(glibc, at);
		if (err)
			return err;
		if (glibc_word(glibc, link, &at) &&
		    (at == glibc->main_arena ||
		     (valid_thread_arena(glibc, at) && !known_arena(glibc, at))))
			continue;
		glibc_found(glibc, HF_NO_ARENA,
			    (struct hf_finding){.code = "arena-ring-broken",
						.severity = HF_SEV_ERROR,
						.address = link - glibc->layout.next,
						.word = link},
			    "the ring of arenas goes from here to 0x%lx, which is no arena; the "
			    "rest is looked for in memory",
			    (unsigned long)at);
		return find_lost_arenas(glibc);
	} while (at != glibc->main_arena && glibc->base.arenas.count < MAX_ARENAS);
	return NULL;
}

/* ---- thread arenas --------------------------------------------------------------------------- */

struct heap {
	uint64_t address, arena, prev, size, mprotect_size;
};

static bool read_heap(const struct glibc *glibc, uint64_t address, struct heap *ret)
{
	uint64_t w = glibc->layout.word;
	ret->address = address;
	return glibc_word(glibc, address, &ret->arena) &&
	       glibc_word(glibc, address + w, &ret->prev) &&
	       glibc_word(glibc, address + 2 * w, &ret->size) &&
	       glibc_word(glibc, address + 3 * w, &ret->mprotect_size);
}

static bool good_heap_size(const struct glibc *glibc, uint64_t size)
{
	return size && size % glibc->image->page_bytes == 0 && size <= glibc->layout.heap_max;
}

static void heap_broken(const struct glibc *glibc, uint32_t arena, uint64_t heap, unsigned word,
			const char *what, uint64_t value)
{
	glibc_found(glibc, arena,
		    (struct hf_finding){.code = "heap-info-broken",
					.severity = HF_SEV_ERROR,
					.address = heap,
					.word = heap + (uint64_t)word * glibc->layout.word},
		    "the header of this heap of arena %u has an impossible %s, 0x%lx", arena, what,
		    (unsigned long)value);
}

/* How far the heap reaches, where its own header does not tell: to the end of its top. */
static uint64_t heap_reach(const struct glibc *glibc, const struct heap *heap, uint64_t top)
{
	const struct hf_mapping *mapping = hf_process_mapping(glibc->process, heap->address);
	uint64_t limit = heap->address + glibc->layout.heap_max, word = 0;
	uint64_t end = mapping && mapping->end < limit ? mapping->end : limit;

	if (top > heap->address && top < end && glibc_size_word(glibc, top, &word)) {
		uint64_t top_end = top + (word & ~(uint64_t)GLIBC_FLAGS);
		if (top_end > top && top_end <= end && top_end % glibc->image->page_bytes == 0)
			end = top_end;
	}
	return end - heap->address;
}

static bool good_prev(const struct glibc *glibc, const struct heap *heap)
{
	return heap->prev && heap->prev % glibc->layout.heap_max == 0 &&
	       hf_process_mapping(glibc->process, heap->prev);
}

/* The heap before the one at @address as mend_heap() will have it; 0: there is none. */
static uint64_t heap_before(const struct glibc *glibc, uint64_t address, uint64_t first)
{
	struct heap heap;

	if (address == first || !read_heap(glibc, address, &heap))
		return 0;
	return good_prev(glibc, &heap) ? heap.prev : first;
}

/*
 * Does the chain of heaps from @last down come back to one that was met before? Then the one that
 * leads there, else 0. (Where the circle begins: Floyd 1967.)
 */
static uint64_t leads_back(const struct glibc *glibc, uint64_t last, uint64_t first)
{
	struct brent brent = {0};
	uint64_t inside = last, begin = last, end;

	while (inside && !brent_came_back(&brent, inside))
		inside = heap_before(glibc, inside, first);
	if (!inside)
		return 0;
	end = heap_before(glibc, last, first);
	for (uint64_t at = heap_before(glibc, inside, first); at != inside;
	     at = heap_before(glibc, at, first))
		end = heap_before(glibc, end, first);
	while (begin != end) {
		begin = heap_before(glibc, begin, first);
		end = heap_before(glibc, end, first);
	}
	while (heap_before(glibc, end, first) != begin)
		end = heap_before(glibc, end, first);
	return end;
}

/* Tell each broken field, and put in its place what must be there. */
static void mend_heap(const struct glibc *glibc, uint32_t arena, uint64_t first, uint64_t top,
		      uint64_t back, struct heap *heap)
{
	uint64_t owner = glibc->base.arenas.data[arena].address;
	bool is_first = heap->address == first;
	bool prev_good =
	    is_first ? heap->prev == 0 : good_prev(glibc, heap) && heap->address != back;

	if (heap->arena != owner)
		heap_broken(glibc, arena, heap->address, 0, "arena", heap->arena);
	if (!prev_good) {
		heap_broken(glibc, arena, heap->address, 1, "heap before it", heap->prev);
		heap->prev = is_first ? 0 : first;
	}
	if (!good_heap_size(glibc, heap->size)) {
		heap_broken(glibc, arena, heap->address, 2, "size", heap->size);
		heap->size = heap_reach(glibc, heap, top);
	}
	if (!good_heap_size(glibc, heap->mprotect_size) || heap->mprotect_size < heap->size) {
		heap_broken(glibc, arena, heap->address, 3, "mprotect_size", heap->mprotect_size);
		heap->mprotect_size = heap->size;
	}
}

static struct hf_error *add_heap(struct glibc *glibc, uint32_t index, const struct heap *heap,
				 uint64_t top)
{
	struct hf_arena *arena = &glibc->base.arenas.data[index];
	const struct glibc_layout *layout = &glibc->layout;
	bool first = heap->prev == 0;
	uint64_t header =
	    first ? arena->address + layout->state_size : heap->address + layout->heap_info;
	uint64_t start = glibc_first_chunk(glibc, header), end = heap->address + heap->size;
	bool has_top = top >= start && top < end;

	arena->heaps++;
	arena->aspace_bytes += heap->size;
	arena->aspace_mprotect_bytes += heap->mprotect_size;
	struct hf_error *err = add_own(glibc, heap->address, start);
	if (!err)
		err = add_own(glibc, end, heap->address + heap->mprotect_size);
	if (!err)
		err = glibc_add_region(glibc, start, end, index, HF_REGION_HEAP, has_top ? top : 0);
	return err;
}

static struct hf_error *add_thread_arena(struct glibc *glibc, uint32_t index)
{
	uint64_t arena = glibc->base.arenas.data[index].address, top = 0, total = 0;
	uint64_t first = arena - glibc->layout.heap_info;

	glibc_word(glibc, arena + glibc->layout.top, &top);
	uint64_t at = top & ~(glibc->layout.heap_max - 1);
	/* A top that is in no heap is told later; then the first heap is what there is. */
	if (!hf_process_mapping(glibc->process, at))
		at = first;
	uint64_t back = leads_back(glibc, at, first);
	for (unsigned i = 0; i < MAX_HEAPS; i++) {
		struct heap heap;
		if (!read_heap(glibc, at, &heap)) {
			hf_diag_add(glibc->diags, HF_DIAG_EVIDENCE, HF_SEV_WARNING, "heap-missing",
				    at, "the header of a heap of arena %u is not in the core",
				    index);
			break;
		}
		mend_heap(glibc, index, first, top, back, &heap);
		struct hf_error *err = add_heap(glibc, index, &heap, top);
		total += heap.size;
		if (err)
			return err;
		if (heap.prev == 0)
			break;
		at = heap.prev;
	}
	uint64_t expected = glibc->base.arenas.data[index].system_bytes;
	if (total != expected && !glibc->base.arenas.data[index].in_flux)
		glibc_found(glibc, index,
			    (struct hf_finding){.code = "system-mem-differs",
						.severity = HF_SEV_WARNING,
						.address = arena,
						.word = arena + glibc->layout.system_mem,
						.has_expected = true,
						.expected = total},
			    "heaps of %lu bytes were found, but the arena counts %lu",
			    (unsigned long)total, (unsigned long)expected);
	return NULL;
}

/* ---- the main arena -------------------------------------------------------------------------- */

/*
 * Follow chunks from @start while they are plausible. True if the chain ends at @top, or
 * at a pair of fenceposts that ends on a page boundary; *@ret_end is the region's end.
 */
static bool chain_ends(const struct glibc *glibc, uint64_t start, uint64_t limit, uint64_t top,
		       uint64_t *ret_end)
{
	uint64_t w = glibc->layout.word, at = start, size, page = glibc->image->page_bytes;

	while (at < limit && glibc_size_word(glibc, at, &size)) {
		uint64_t bytes = size & ~(uint64_t)GLIBC_FLAGS;
		if (size & (GLIBC_IS_MMAPPED | GLIBC_NON_MAIN))
			return false;
		if (at == top) {
			*ret_end = at + bytes;
			return bytes >= glibc->layout.min_size && *ret_end <= limit;
		}
		/* The first fencepost's P bit is clear where the old top before it is free. */
		if (bytes == 2 * w) {
			uint64_t next;
			if (!glibc_size_word(glibc, at + 2 * w, &next) || next != (2 * w | 1))
				return false;
			uint64_t end = at + 4 * w, rest = (page - end % page) % page;
			*ret_end = end + rest;
			return rest < 2 * w && at > start;
		}
		if (bytes < glibc->layout.min_size || bytes % glibc->layout.align ||
		    bytes > limit - at)
			return false;
		at += bytes;
	}
	return false;
}

/* Regions of a main arena that fell back to mmap: found page by page, until all is found. */
static struct hf_error *find_mmap_regions(struct glibc *glibc, uint64_t top, uint64_t *missing)
{
	uint64_t page = glibc->image->page_bytes;

	hf_vec_foreach (mapping, &glibc->process->mappings) {
		if (mapping->kind != HF_MAPPING_ANONYMOUS || mapping->module != HF_NO_INDEX ||
		    !(mapping->flags & HF_SEGMENT_W) || *missing == 0)
			continue;
		if (glibc->sbrk_base >= mapping->start && glibc->sbrk_base < mapping->end)
			continue;
		for (uint64_t at = mapping->start; at < mapping->end && *missing;) {
			uint64_t start = glibc_first_chunk(glibc, at), end = 0, size = 0;
			if (glibc_size_word(glibc, start, &size) && (size & GLIBC_FLAGS) == 1 &&
			    chain_ends(glibc, start, mapping->end, top, &end) &&
			    end - at <= *missing) {
				bool has_top = top >= start && top < end;
				struct hf_error *err = glibc_add_region(
				    glibc, start, end, 0, HF_REGION_MMAP_ARENA, has_top ? top : 0);
				if (!err)
					err = add_own(glibc, at, start);
				if (err)
					return err;
				*missing -= end - at;
				at = end;
				continue;
			}
			/* Memory that is not there is not stepped through page by page. */
			uint64_t next =
			    hf_image_next(glibc->image, at + page, mapping->end) & ~(page - 1);
			at = next > at ? next : mapping->end;
		}
	}
	return NULL;
}

/* End of the first brk region: its top, or the fenceposts where sbrk stopped serving. */
static uint64_t brk_end(const struct glibc *glibc, uint64_t start, uint64_t top, bool top_inside,
			uint64_t contiguous_end)
{
	uint64_t size = 0, end = 0, page = glibc->image->page_bytes;
	const struct hf_mapping *mapping = hf_process_mapping(glibc->process, start);
	uint64_t limit = mapping ? mapping->end : start;

	if (top_inside && glibc_size_word(glibc, top, &size)) {
		end = top + (size & ~(uint64_t)GLIBC_FLAGS);
		bool sane =
		    end > top && end % page == 0 && hf_process_mapping(glibc->process, end - 1);
		/* A smashed top: the arena still knows how much it has. */
		return sane ? end : contiguous_end > top ? contiguous_end : limit;
	}
	if (chain_ends(glibc, start, limit, 0, &end))
		return end;
	return limit;
}

static struct hf_error *add_main_arena(struct glibc *glibc)
{
	struct hf_arena *arena = &glibc->base.arenas.data[0];
	uint64_t top = 0, base = glibc->sbrk_base, missing = arena->system_bytes;
	bool contiguous, inside = false;
	uint32_t flags = 0;
	struct hf_error *err = NULL;

	glibc_word(glibc, arena->address + glibc->layout.top, &top);
	hf_image_u32(glibc->image, arena->address + 4, &flags);
	contiguous = !(flags & GLIBC_NONCONTIGUOUS);
	arena->aspace_bytes = arena->aspace_mprotect_bytes = arena->system_bytes;
	if (top >= arena->address && top < arena->address + glibc->layout.state_size)
		return NULL; /* never used */
	if (!base && contiguous && arena->system_bytes) {
		/* mp_ was not found: walk down from the top. */
		uint64_t size = 0;
		glibc_size_word(glibc, top, &size);
		base = top + (size & ~(uint64_t)GLIBC_FLAGS) - arena->system_bytes;
		glibc->sbrk_base = base;
	}
	if (base) {
		uint64_t start = glibc_first_chunk(glibc, base);
		const struct hf_mapping *mapping = hf_process_mapping(glibc->process, base);
		inside = top >= start && ((mapping && top < mapping->end) || contiguous);
		uint64_t reach = base + arena->system_bytes;
		if (!contiguous || !hf_process_mapping(glibc->process, reach - 1))
			reach = 0;
		uint64_t end = brk_end(glibc, start, top, inside, reach);
		err = glibc_add_region(glibc, start, end, 0, HF_REGION_BRK, inside ? top : 0);
		if (!err)
			err = add_own(glibc, base, start);
		missing -= end - base < missing ? end - base : missing;
	}
	if (!err && (!inside || !contiguous))
		err = find_mmap_regions(glibc, top, &missing);
	return err;
}

/* ---- without the main arena ------------------------------------------------------------------ */

/*
 * May a brk heap's chunks begin at @start? They must lead to @limit, whose last one is the top, or
 * to where the core ends.
 */
static bool plausible_brk(const struct glibc *glibc, uint64_t start, uint64_t limit,
			  uint64_t *ret_top)
{
	uint64_t at = start, size = 0;
	unsigned steps = 0;

	*ret_top = 0;
	for (; at < limit && glibc_size_word(glibc, at, &size); steps++) {
		uint64_t bytes = size & ~(uint64_t)GLIBC_FLAGS;
		if ((size & (GLIBC_IS_MMAPPED | GLIBC_NON_MAIN)) ||
		    (steps == 0 && !(size & GLIBC_PREV_INUSE)) || bytes < glibc->layout.min_size ||
		    bytes % glibc->layout.align || bytes > limit - at)
			return false;
		if (at + bytes == limit)
			*ret_top = at;
		at += bytes;
	}
	return steps >= MIN_CHAIN;
}

/* The brk heap follows the program: the first written memory above it without a file. */
static struct hf_error *find_brk(struct glibc *glibc)
{
	uint64_t above = 0, top = 0, align = glibc->layout.align;

	hf_vec_foreach (module, &glibc->process->modules)
		above = module->is_executable ? module->end : above;
	hf_vec_foreach (mapping, &glibc->process->mappings) {
		if (mapping->start < above || mapping->module != HF_NO_INDEX || mapping->path ||
		    !(mapping->flags & HF_SEGMENT_W) || !mapping->present)
			continue;
		uint64_t first = glibc_first_chunk(glibc, mapping->start);
		/* A static program's TLS stands before its first chunk. */
		for (uint64_t at = first; at < first + MAX_BRK_SKIP && at < mapping->end;
		     at += align) {
			if (!plausible_brk(glibc, at, mapping->end, &top))
				continue;
			struct hf_arena *arena = &glibc->base.arenas.data[0];
			arena->system_bytes = arena->max_system_bytes = mapping->end - at;
			struct hf_error *err = add_own(glibc, mapping->start, at);
			return err ? err
				   : glibc_add_region(glibc, at, mapping->end, 0, HF_REGION_BRK,
						      top);
		}
		break;
	}
	return NULL;
}

static struct hf_error *find_without_main(struct glibc *glibc)
{
	struct hf_error *err = add_arena(glibc, 0);
	if (!err)
		err = find_lost_arenas(glibc);
	if (!err)
		err = find_brk(glibc);
	for (uint32_t i = 1; !err && i < glibc->base.arenas.count; i++)
		err = add_thread_arena(glibc, i);
	return err ? err : glibc_sort_regions(glibc);
}

/* ---- all ------------------------------------------------------------------------------------- */

static int compare_starts(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return (x > y) - (x < y);
}

/* Regions and their walk data are parallel arrays: sort both by the same permutation. */
struct hf_error *glibc_sort_regions(struct glibc *glibc)
{
	size_t count = glibc->base.regions.count;
	struct pair {
		uint64_t start;
		struct hf_heap_region region;
		struct glibc_region walk;
	} *pairs = count > 1 ? malloc(count * sizeof(*pairs)) : NULL;

	if (!pairs)
		return count > 1 ? hf_error_nomem() : NULL;
	for (size_t i = 0; i < count; i++)
		pairs[i] = (struct pair){glibc->base.regions.data[i].start,
					 glibc->base.regions.data[i], glibc->walks.data[i]};
	qsort(pairs, count, sizeof(*pairs), compare_starts);
	size_t kept = 0;
	uint64_t last_end = 0;
	for (size_t i = 0; i < count; i++) {
		if (pairs[i].start < last_end) {
			glibc_found(glibc, pairs[i].region.arena,
				    (struct hf_finding){.code = "regions-overlap",
							.severity = HF_SEV_ERROR,
							.address = pairs[i].start},
				    "two heap regions claim the same memory");
			continue;
		}
		glibc->base.regions.data[kept] = pairs[i].region;
		glibc->walks.data[kept++] = pairs[i].walk;
		last_end = pairs[i].region.end;
	}
	glibc->base.regions.count = glibc->walks.count = kept;
	free(pairs);
	return NULL;
}

uint32_t glibc_region_at(const struct glibc *glibc, uint64_t address)
{
	const struct hf_heap_region *all = glibc->base.regions.data;
	const struct hf_heap_region *region = hf_range_at(all, glibc->base.regions.count, address);
	return region ? (uint32_t)(region - all) : UINT32_MAX;
}

struct hf_error *glibc_find_regions(struct glibc *glibc)
{
	if (!glibc->main_arena)
		return find_without_main(glibc);
	struct hf_error *err = walk_ring(glibc);
	if (!err)
		err =
		    add_own(glibc, glibc->main_arena, glibc->main_arena + glibc->layout.state_size);
	if (!err && glibc->par)
		err = add_own(glibc, glibc->par, glibc->par + glibc->layout.class->par.size);
	if (!err)
		err = add_main_arena(glibc);
	for (uint32_t i = 1; !err && i < glibc->base.arenas.count; i++)
		err = add_thread_arena(glibc, i);
	return err ? err : glibc_sort_regions(glibc);
}
