/*
 * mmapped.c - chunks with a mapping of their own: found page by page, as no list has them.
 *
 *	m (page)                                   m + T
 *	 | prev_size = 0 | size | user ...            |	plain; i386 from 2.26: header at m + 8
 *	 | stale header  | gap  | off | size | user   |	memalign: the real header is further in
 *	                        ^ p = m + off
 *
 * size = T - off, flags M only (2.43: T - off - 2W). The header that was written first at m
 * stays when memalign moves it, so an inner header goes before it: for each power of two
 * the place where memalign would have put it, accepted only if it records its own offset.
 * The kernel merges neighbouring mappings: several chunks in one is the normal case.
 */
#include <stdlib.h>
#include <string.h>

#include "heapwalk/glibc/glibc.h"
#include "heapwalk/spans.h"

struct mmapped_header {
	uint64_t offset, length; /* from the mapping's start; of the mapping */
};

/* The header at @chunk of a mapping at @start, if it is one. */
static bool read_header(const struct glibc *glibc, uint64_t start, uint64_t chunk,
			struct mmapped_header *ret)
{
	uint64_t w = glibc->layout.word, before, size;

	if (!glibc_word(glibc, chunk, &before) || !glibc_word(glibc, chunk + w, &size) ||
	    (size & GLIBC_FLAGS) != GLIBC_IS_MMAPPED)
		return false;
	ret->offset = before & ~(uint64_t)1;
	ret->length = ret->offset + (size & ~(uint64_t)GLIBC_FLAGS) +
		      (glibc->layout.class->mmapped_trailer ? 2 * w : 0);
	return ret->offset == chunk - start && ret->length != 0 &&
	       ret->length % glibc->image->page_bytes == 0 && ret->length > ret->offset + 4 * w;
}

/* A header further in, as memalign leaves it. */
static bool inner_header(const struct glibc *glibc, uint64_t start, uint64_t limit,
			 uint64_t stale_length, uint64_t *ret_chunk, struct mmapped_header *ret)
{
	uint64_t w = glibc->layout.word;
	uint64_t first = start + 2 * w + glibc->layout.chunk_skew;
	bool found = false;

	for (uint64_t alignment = 16; alignment < limit - start; alignment *= 2) {
		uint64_t mem = (first + alignment - 1) & ~(alignment - 1);
		for (int twice = 0; twice < 2; twice++, mem += alignment) {
			struct mmapped_header header;
			if (mem <= first || mem >= limit ||
			    !read_header(glibc, start, mem - 2 * w, &header) ||
			    header.length > limit - start)
				continue;
			if (found && header.length != stale_length)
				continue;
			*ret_chunk = mem - 2 * w;
			*ret = header;
			if (header.length == stale_length)
				return true;
			found = true;
		}
	}
	return found;
}

bool glibc_mmapped_at(const struct glibc *glibc, uint64_t start, uint64_t limit,
		      uint64_t *ret_chunk, uint64_t *ret_length)
{
	struct mmapped_header plain, inner;
	uint64_t chunk = start + glibc->layout.chunk_skew, inner_chunk;

	if (glibc->mended.end && start == glibc->mended.start) {
		*ret_chunk = chunk;
		*ret_length = glibc->mended.end - start;
		return *ret_length <= limit - start;
	}
	if (!read_header(glibc, start, chunk, &plain))
		return false;
	if (inner_header(glibc, start, limit, plain.length, &inner_chunk, &inner)) {
		*ret_chunk = inner_chunk;
		*ret_length = inner.length;
		return true;
	}
	*ret_chunk = chunk;
	*ret_length = plain.length;
	return plain.length <= limit - start;
}

/* ---- where to look --------------------------------------------------------------------------- */

/* Writable memory without a module: huge pages of malloc appear as a file. */
static bool may_hold(const struct hf_mapping *mapping)
{
	return (mapping->flags & HF_SEGMENT_W) && mapping->module == HF_NO_INDEX &&
	       mapping->kind != HF_MAPPING_VDSO &&
	       (!mapping->path || strstr(mapping->path, "anon_hugepage"));
}

/* Memory that is spoken for: regions, the arenas' own, stacks living and dead. */
static struct hf_error *taken_memory(const struct glibc *glibc, struct hf_spans *ret)
{
	uint64_t page = glibc->image->page_bytes;
	struct hf_dead_stacks dead = {0};
	bool fine = true;

	hf_vec_foreach (region, &glibc->base.regions)
		fine = fine && hf_spans_add(ret, region->start, region->end);
	hf_vec_foreach (own, &glibc->base.own)
		fine = fine && hf_spans_add(ret, own->start, own->end);
	hf_vec_foreach (thread, &glibc->process->threads) {
		uint64_t low = thread->sp & ~(page - 1);
		uint64_t high = thread->stack_top ? thread->stack_top : thread->stack_end;
		low = low < thread->stack_start ? thread->stack_start : low;
		if (low < high)
			fine = fine && hf_spans_add(ret, low, high);
	}
	struct hf_error *err = hf_process_dead_stacks(glibc->process, &dead);
	if (!err)
		hf_vec_foreach (stack, &dead)
			fine = fine && hf_spans_add(ret, stack->start, stack->end);
	free(dead.data);
	hf_spans_normalize(ret);
	return err ? err : fine ? NULL : hf_error_nomem();
}

struct mmapped_search {
	struct glibc *glibc;
	uint64_t run_start, run_end; /* adjacent chunks: one region */
	struct hf_error *err;
};

static bool flush_run(struct mmapped_search *search)
{
	if (search->run_start < search->run_end)
		search->err = glibc_add_region(search->glibc, search->run_start, search->run_end,
					       HF_NO_ARENA, HF_REGION_MMAPPED, 0);
	search->run_start = search->run_end = 0;
	return search->err == NULL;
}

static bool search_part(void *ctx, uint64_t start, uint64_t end)
{
	struct mmapped_search *search = ctx;
	struct glibc *glibc = search->glibc;
	uint64_t page = glibc->image->page_bytes, chunk, length;

	for (uint64_t at = (start + page - 1) & ~(page - 1); at < end;) {
		if (!glibc_mmapped_at(glibc, at, end, &chunk, &length)) {
			/* Memory that is not there is not stepped through page by page. */
			uint64_t next = hf_image_next(glibc->image, at + page, end) & ~(page - 1);
			at = next > at ? next : end;
			continue;
		}
		if (at != search->run_end) {
			if (!flush_run(search))
				return false;
			search->run_start = at;
		}
		at += length;
		search->run_end = at;
		glibc->base.mmapped_count++;
		glibc->base.mmapped_bytes += length;
	}
	return flush_run(search);
}

/* Call search_part-like @fn for all memory that may hold a mmapped chunk. */
static struct hf_error *each_part(const struct glibc *glibc, hf_span_fn *fn, void *ctx)
{
	struct hf_spans taken = {0};
	uint64_t start = 0, end = 0;
	struct hf_error *err = taken_memory(glibc, &taken);

	/* Coalesce adjacent mappings: a chunk may span several. */
	hf_vec_foreach (mapping, &glibc->process->mappings) {
		if (err || !may_hold(mapping))
			continue;
		if (mapping->start != end) {
			hf_spans_outside(&taken, start, end, fn, ctx);
			start = mapping->start;
		}
		end = mapping->end;
	}
	if (!err)
		hf_spans_outside(&taken, start, end, fn, ctx);
	free(taken.data);
	return err;
}

/* ---- a header that is broken ----------------------------------------------------------------- */

struct gap_search {
	uint64_t length, start;
	unsigned found;
};

static bool match_gap(void *ctx, uint64_t start, uint64_t end)
{
	struct gap_search *search = ctx;
	if (end - start == search->length) {
		search->start = start;
		search->found++;
	}
	return true;
}

/*
 * One chunk is missing, and malloc's own figures say how long it is: if just one hole between
 * what is known has that length, the chunk is there, and its header is broken.
 */
static struct hf_error *mend_one(struct glibc *glibc, bool *ret_mended)
{
	const struct hf_allocator *base = &glibc->base;
	struct gap_search search = {.length = glibc->mmapped_mem - base->mmapped_bytes};
	uint64_t w = glibc->layout.word, page = glibc->image->page_bytes;

	*ret_mended = false;
	if (glibc->n_mmaps != base->mmapped_count + 1 ||
	    base->mmapped_bytes >= glibc->mmapped_mem || search.length % page)
		return NULL;
	struct hf_error *err = each_part(glibc, match_gap, &search);
	if (err || search.found != 1)
		return err;
	uint64_t chunk = search.start + glibc->layout.chunk_skew, before = 0;
	uint64_t trailer = glibc->layout.class->mmapped_trailer ? 2 * w : 0;
	hf_vec_foreach (region, &base->regions) {
		uint64_t length = 0;
		for (uint64_t at = region->start; region->end == search.start && at < region->end;
		     at += length) {
			if (!glibc_mmapped_at(glibc, at, region->end, &before, &length))
				break;
		}
	}
	glibc_found(
	    glibc, HF_NO_ARENA,
	    (struct hf_finding){.code = "mmapped-header",
				.severity = HF_SEV_ERROR,
				.blame = before ? HF_BLAME_OVERFLOW : HF_BLAME_UNKNOWN,
				.address = glibc_mem(glibc, chunk),
				.word = chunk + w,
				.has_expected = true,
				.expected = (search.start + search.length - chunk - trailer) |
					    GLIBC_IS_MMAPPED,
				.culprit = before ? glibc_mem(glibc, before) : 0,
				.abort_text = "munmap_chunk(): invalid pointer"},
	    "the header of this mmapped block is broken; malloc's figures say that it has "
	    "a mapping of %lu bytes",
	    (unsigned long)search.length);
	glibc->mended = (struct hf_range){search.start, search.start + search.length};
	glibc->base.mmapped_count++;
	glibc->base.mmapped_bytes += search.length;
	*ret_mended = true;
	return glibc_add_region(glibc, glibc->mended.start, glibc->mended.end, HF_NO_ARENA,
				HF_REGION_MMAPPED, 0);
}

static void compare_with_par(struct glibc *glibc)
{
	const struct hf_allocator *base = &glibc->base;
	uint64_t drift = base->mmapped_bytes - glibc->mmapped_mem;

	if (!glibc->par)
		return;
	/* 2.43 and 2.44 add 2W too much at each mremap: their own miscount. */
	bool known_drift = glibc->layout.class->mmapped_trailer &&
			   base->mmapped_bytes < glibc->mmapped_mem &&
			   drift % (2ull * glibc->layout.word) == 0;
	if (base->mmapped_count != glibc->n_mmaps ||
	    (base->mmapped_bytes != glibc->mmapped_mem && !known_drift))
		glibc_found(glibc, HF_NO_ARENA,
			    (struct hf_finding){
				.code = "mmapped-differs",
				/* In a core that is cut, it may be what is missing. */
				.severity = glibc->process->info.missing_bytes ? HF_SEV_NOTE
									       : HF_SEV_WARNING,
				.address = glibc->par},
			    "%lu mmapped chunks of %lu bytes were found, but malloc counts %lu "
			    "of %lu: a header at the start of a mapping may be overwritten",
			    (unsigned long)base->mmapped_count, (unsigned long)base->mmapped_bytes,
			    (unsigned long)glibc->n_mmaps, (unsigned long)glibc->mmapped_mem);
}

struct hf_error *glibc_find_mmapped(struct glibc *glibc)
{
	struct mmapped_search search = {.glibc = glibc};
	bool mended = false;

	if (glibc->par && glibc->n_mmaps == 0)
		return NULL;
	struct hf_error *err = each_part(glibc, search_part, &search);
	if (!err)
		err = search.err;
	if (!err && glibc->par)
		err = mend_one(glibc, &mended);
	if (err)
		return err;
	compare_with_par(glibc);
	return glibc_sort_regions(glibc);
}
