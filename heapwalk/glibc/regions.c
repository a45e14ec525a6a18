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

#include "heapwalk/glibc/glibc.h"

enum {
	MAX_ARENAS = 1 << 16,
	MAX_HEAPS = 1 << 20,
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

/* ---- arenas ------------------------------------------------------------------------------------
 */

static struct hf_error *add_arena(struct glibc *glibc, uint64_t address)
{
	const struct glibc_layout *layout = &glibc->layout;
	struct hf_arena arena = {.address = address, .is_main = address == glibc->main_arena};
	uint32_t mutex = 0;
	uint64_t attached = 0;

	hf_image_u32(glibc->image, address, &mutex);
	arena.in_flux = mutex != 0;
	if (layout->attached && glibc_word(glibc, address + layout->attached, &attached))
		arena.attached_threads = (uint32_t)attached;
	glibc_word(glibc, address + layout->system_mem, &arena.system_bytes);
	glibc_word(glibc, address + layout->system_mem + layout->word, &arena.max_system_bytes);
	return hf_vec_push(&glibc->base.arenas, arena) ? NULL : hf_error_nomem();
}

static struct hf_error *walk_ring(struct glibc *glibc)
{
	uint64_t at = glibc->main_arena;
	do {
		struct hf_error *err = add_arena(glibc, at);
		if (err)
			return err;
		if (!glibc_word(glibc, at + glibc->layout.next, &at)) {
			hf_diag_add(glibc->diags, HF_DIAG_HEAP, HF_SEV_ERROR, "arena-ring-broken",
				    at, "the ring of arenas cannot be followed to its end");
			break;
		}
	} while (at != glibc->main_arena && glibc->base.arenas.count < MAX_ARENAS);
	return NULL;
}

/* ---- thread arenas --------------------------------------------------------------------------- */

struct heap {
	uint64_t address, arena, prev, size, mprotect_size;
};

static bool read_heap(const struct glibc *glibc, uint64_t address, struct heap *ret)
{
	uint64_t w = glibc->layout.word, page = glibc->image->page_bytes;
	ret->address = address;
	return glibc_word(glibc, address, &ret->arena) &&
	       glibc_word(glibc, address + w, &ret->prev) &&
	       glibc_word(glibc, address + 2 * w, &ret->size) &&
	       glibc_word(glibc, address + 3 * w, &ret->mprotect_size) && ret->size != 0 &&
	       ret->size % page == 0 && ret->size <= ret->mprotect_size &&
	       ret->mprotect_size <= glibc->layout.heap_max;
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

static struct hf_error *broken_heap(struct glibc *glibc, uint64_t arena, uint64_t heap)
{
	hf_diag_add(glibc->diags, HF_DIAG_HEAP, HF_SEV_ERROR, "heap-info-broken", heap,
		    "a heap of the arena at 0x%lx has an impossible header: its objects are "
		    "missing from here on",
		    (unsigned long)arena);
	return NULL;
}

static struct hf_error *add_thread_arena(struct glibc *glibc, uint32_t index)
{
	uint64_t arena = glibc->base.arenas.data[index].address, top = 0, total = 0;
	uint64_t first = arena - glibc->layout.heap_info;

	if (!glibc_word(glibc, arena + glibc->layout.top, &top))
		return broken_heap(glibc, arena, arena);
	uint64_t at = top & ~(glibc->layout.heap_max - 1);
	for (unsigned i = 0; i < MAX_HEAPS; i++) {
		struct heap heap;
		if (!read_heap(glibc, at, &heap) || heap.arena != arena ||
		    (heap.prev == 0) != (at == first))
			return broken_heap(glibc, arena, at);
		struct hf_error *err = add_heap(glibc, index, &heap, top);
		total += heap.size;
		if (err || heap.prev == 0)
			break;
		at = heap.prev;
	}
	uint64_t expected = glibc->base.arenas.data[index].system_bytes;
	if (total != expected && !glibc->base.arenas.data[index].in_flux)
		hf_diag_add(glibc->diags, HF_DIAG_HEAP, HF_SEV_WARNING, "system-mem-differs", arena,
			    "heaps of %lu bytes were found, but the arena counts %lu",
			    (unsigned long)total, (unsigned long)expected);
	return NULL;
}

/* ---- the main arena
 * ------------------------------------------------------------------------------ */

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
		if (size == (2 * w | 1)) {
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
			uint64_t next = hf_image_next(glibc->image, at + page) & ~(page - 1);
			at = next > at ? next : mapping->end;
		}
	}
	return NULL;
}

/* End of the first brk region: its top, or the fenceposts where sbrk stopped serving. */
static uint64_t brk_end(const struct glibc *glibc, uint64_t start, uint64_t top, bool top_inside)
{
	uint64_t size = 0, end = 0;
	const struct hf_mapping *mapping = hf_process_mapping(glibc->process, start);
	uint64_t limit = mapping ? mapping->end : start;

	if (top_inside && glibc_size_word(glibc, top, &size))
		return top + (size & ~(uint64_t)GLIBC_FLAGS);
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
		uint64_t end = brk_end(glibc, start, top, inside);
		err = glibc_add_region(glibc, start, end, 0, HF_REGION_BRK, inside ? top : 0);
		if (!err)
			err = add_own(glibc, base, start);
		missing -= end - base < missing ? end - base : missing;
	}
	if (!err && (!inside || !contiguous))
		err = find_mmap_regions(glibc, top, &missing);
	return err;
}

/* ---- all ----------------------------------------------------------------------------------------
 */

static int compare_starts(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return (x > y) - (x < y);
}

/* Regions and their walk data are parallel arrays: sort both by the same permutation. */
void glibc_sort_regions(struct glibc *glibc)
{
	size_t count = glibc->base.regions.count;
	struct pair {
		uint64_t start;
		struct hf_heap_region region;
		struct glibc_region walk;
	} *pairs = count > 1 ? malloc(count * sizeof(*pairs)) : NULL;

	if (!pairs)
		return;
	for (size_t i = 0; i < count; i++)
		pairs[i] = (struct pair){glibc->base.regions.data[i].start,
					 glibc->base.regions.data[i], glibc->walks.data[i]};
	qsort(pairs, count, sizeof(*pairs), compare_starts);
	size_t kept = 0;
	uint64_t last_end = 0;
	for (size_t i = 0; i < count; i++) {
		if (pairs[i].start < last_end) {
			hf_diag_add(glibc->diags, HF_DIAG_HEAP, HF_SEV_ERROR, "regions-overlap",
				    pairs[i].start, "two heap regions claim the same memory");
			continue;
		}
		glibc->base.regions.data[kept] = pairs[i].region;
		glibc->walks.data[kept++] = pairs[i].walk;
		last_end = pairs[i].region.end;
	}
	glibc->base.regions.count = glibc->walks.count = kept;
	free(pairs);
}

uint32_t glibc_region_at(const struct glibc *glibc, uint64_t address)
{
	size_t low = 0, high = glibc->base.regions.count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct hf_heap_region *region = &glibc->base.regions.data[middle];
		if (address < region->start)
			high = middle;
		else if (address >= region->end)
			low = middle + 1;
		else
			return (uint32_t)middle;
	}
	return UINT32_MAX;
}

struct hf_error *glibc_find_regions(struct glibc *glibc)
{
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
	if (!err)
		glibc_sort_regions(glibc);
	return err;
}
