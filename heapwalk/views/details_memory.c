/*
 * details_memory.c - what one walk over all chunks tells: sizes, fragmentation by arena, and
 * where in each region the used and the free parts are.
 *
 * Size classes: up to four between powers of two, none finer than 16 bytes, so the small ones
 * are malloc's own and a histogram of any heap has fewer than 240 bars.
 *
 *	bytes	1..16 17..32 33..48 49..64 65..80 ... 113..128 129..160 161..192 ...
 *
 * Cells: a region in up to HF_DETAILS_CELLS equal parts; a chunk's bytes go to the cells that it
 * lies in. What no chunk covers in a cell is overhead.
 */
#include <stdlib.h>
#include <string.h>

#include "core/base/cleanup.h"
#include "heapwalk/views/details.h"
#include "heapwalk/views/sections.h"

enum { CLASSES = 4 * 64, BATCH = 1024, PAGE = 4096 };

enum cell { CELL_INUSE, CELL_TCACHE, CELL_BINS, CELL_TOP, CELLS };

struct amount {
	uint64_t count, bytes;
};

/* Of one arena; the last is for mmapped blocks. */
struct space {
	struct amount inuse, bins; /* bins: what a bin, or nobody, holds; tcache is not in it */
	uint64_t tcache_bytes, top_bytes, biggest_bytes, page_bytes;
};

struct region {
	uint32_t index;
	uint32_t cells; /* 0: not shown */
	uint64_t bytes;
	uint64_t (*cell)[CELLS];
};

struct survey {
	const struct hf_allocator *allocator;
	struct amount inuse[CLASSES], free[CLASSES];
	struct space *spaces;
	struct region *regions; /* one each, by index */
};

/* ---- size classes ---------------------------------------------------------------------------- */

static unsigned class_of(uint64_t bytes)
{
	if (bytes <= 64)
		return bytes ? (unsigned)((bytes - 1) / 16) : 0;
	unsigned log = 63 - (unsigned)__builtin_clzll(bytes - 1); /* 2^log <= bytes - 1 */
	return 4 * (log - 5) + (unsigned)((bytes - 1) >> (log - 2) & 3);
}

/* The biggest size of a class; saturates. */
static uint64_t class_end(unsigned class)
{
	unsigned log = class / 4 + 5;
	uint64_t end = 0;

	if (class < 4)
		return (class + 1) * 16ull;
	if (log > 63 || __builtin_mul_overflow(class % 4 + 5ull, UINT64_C(1) << (log - 2), &end))
		return UINT64_MAX;
	return end;
}

static void tell_sizes(const struct survey *survey, struct hf_doc *doc)
{
	static const struct hf_column columns[] = {
	    {"from_bytes", NULL, 0},  {"to_bytes", NULL, 0},   {"inuse_count", NULL, 0},
	    {"inuse_bytes", NULL, 0}, {"free_count", NULL, 0}, {"free_bytes", NULL, 0},
	};
	struct hf_table *table =
	    hf_doc_table(doc, "sizes", NULL, columns, sizeof(columns) / sizeof(columns[0]));

	for (unsigned class = 0; class < CLASSES; class ++) {
		const struct amount *inuse = &survey->inuse[class], *free = &survey->free[class];
		if (inuse->count == 0 && free->count == 0)
			continue;
		hf_doc_row(doc, table, 0);
		hf_doc_cell(doc, table, hf_bytes(class ? class_end(class - 1) + 1 : 1));
		hf_doc_cell(doc, table, hf_bytes(class_end(class)));
		hf_doc_cell(doc, table, hf_count(inuse->count));
		hf_doc_cell(doc, table, hf_bytes(inuse->bytes));
		hf_doc_cell(doc, table, hf_count(free->count));
		hf_doc_cell(doc, table, hf_bytes(free->bytes));
	}
}

/* ---- the walk -------------------------------------------------------------------------------- */

static int cell_of(const struct hf_chunk *chunk)
{
	switch (chunk->state) {
	case HF_CHUNK_INUSE:
	case HF_CHUNK_MMAPPED:
		return CELL_INUSE;
	case HF_CHUNK_TCACHE:
		return CELL_TCACHE;
	case HF_CHUNK_TOP:
	case HF_CHUNK_UNUSED:
		return CELL_TOP;
	case HF_CHUNK_FENCEPOST:
		return -1;
	default:
		return CELL_BINS;
	}
}

static void add(struct amount *amount, uint64_t bytes)
{
	amount->count++;
	amount->bytes += bytes;
}

static void count_chunk(struct survey *survey, const struct hf_chunk *chunk, int cell)
{
	size_t arenas = survey->allocator->arenas.count;
	struct space *space = &survey->spaces[chunk->arena < arenas ? chunk->arena : arenas];
	uint64_t first = (chunk->address + PAGE - 1) / PAGE;
	uint64_t last = (chunk->address + chunk->size) / PAGE;

	if (cell == CELL_INUSE) {
		if (chunk->kind == HF_OBJECT_ALLOCATOR)
			return;
		add(&space->inuse, chunk->size);
		add(&survey->inuse[class_of(chunk->size)], chunk->size);
		return;
	}
	if (cell == CELL_TCACHE)
		space->tcache_bytes += chunk->size;
	else if (cell == CELL_TOP)
		space->top_bytes += chunk->size;
	else
		add(&space->bins, chunk->size);
	if (cell == CELL_BINS && chunk->size > space->biggest_bytes)
		space->biggest_bytes = chunk->size;
	if (cell != CELL_TCACHE && last > first)
		space->page_bytes += (last - first) * PAGE;
	if (cell != CELL_TOP)
		add(&survey->free[class_of(chunk->size)], chunk->size);
}

/* Where cell @index of @region starts. */
static uint64_t cell_start(const struct region *region, uint64_t start, uint32_t index)
{
	return start + (uint64_t)((unsigned __int128)region->bytes * index / region->cells);
}

static void draw_chunk(const struct region *region, uint64_t start, const struct hf_chunk *chunk,
		       int cell)
{
	uint64_t at = chunk->address, end = chunk->address + chunk->size;

	if (region->cells == 0 || at < start || end < at || end - start > region->bytes)
		return;
	uint32_t index =
	    (uint32_t)((unsigned __int128)(at - start) * region->cells / region->bytes);
	for (; at < end && index < region->cells; index++) {
		uint64_t stop = cell_start(region, start, index + 1);
		if (stop <= at)
			continue; /* rounding */
		stop = stop < end ? stop : end;
		region->cell[index][cell] += stop - at;
		at = stop;
	}
}

static struct hf_error *walk(struct survey *survey)
{
	const struct hf_allocator *allocator = survey->allocator;
	HF_AUTO(free_ptr) struct hf_chunk *chunks = malloc(BATCH * sizeof(*chunks));

	if (!chunks)
		return hf_error_nomem();
	for (uint32_t i = 0; i < allocator->regions.count; i++) {
		uint64_t at = 0;
		uint32_t count;
		do {
			count = allocator->ops->chunks(allocator, i, &at, chunks, BATCH);
			for (uint32_t k = 0; k < count; k++) {
				int cell = cell_of(&chunks[k]);
				if (cell < 0)
					continue;
				count_chunk(survey, &chunks[k], cell);
				draw_chunk(&survey->regions[i], allocator->regions.data[i].start,
					   &chunks[k], cell);
			}
		} while (count == BATCH);
	}
	return NULL;
}

/* ---- arenas ---------------------------------------------------------------------------------- */

static void tell_arenas(const struct survey *survey, struct hf_doc *doc)
{
	static const struct hf_column columns[] = {
	    {"arena", NULL, 0},	      {"main", NULL, 0},	   {"heaps", NULL, 0},
	    {"threads", NULL, 0},     {"system_bytes", NULL, 0},   {"inuse_count", NULL, 0},
	    {"inuse_bytes", NULL, 0}, {"tcache_bytes", NULL, 0},   {"bins_count", NULL, 0},
	    {"bins_bytes", NULL, 0},  {"top_bytes", NULL, 0},	   {"biggest_bytes", NULL, 0},
	    {"page_bytes", NULL, 0},  {"overhead_bytes", NULL, 0}, {"layer", NULL, 0},
	};
	const struct hf_allocator *allocator = survey->allocator;
	struct hf_table *table =
	    hf_doc_table(doc, "arenas", NULL, columns, sizeof(columns) / sizeof(columns[0]));

	for (size_t i = 0; i < allocator->arenas.count; i++) {
		const struct hf_arena *arena = &allocator->arenas.data[i];
		const struct space *space = &survey->spaces[i];
		uint64_t values[] = {arena->system_bytes,  space->inuse.count,	 space->inuse.bytes,
				     space->tcache_bytes,  space->bins.count,	 space->bins.bytes,
				     space->top_bytes,	   space->biggest_bytes, space->page_bytes,
				     arena->overhead_bytes};
		hf_doc_row(doc, table, 0);
		hf_doc_cell(doc, table, hf_number(i));
		hf_doc_cell(doc, table, hf_bool(arena->is_main));
		hf_doc_cell(doc, table, hf_count(arena->heaps));
		hf_doc_cell(doc, table, hf_count(arena->attached_threads));
		for (size_t k = 0; k < sizeof(values) / sizeof(values[0]); k++)
			hf_doc_cell(doc, table, hf_bytes(values[k]));
		hf_doc_cell(doc, table, arena->layer ? hf_text(arena->layer) : hf_none());
	}
	hf_doc_field(doc, "mmapped_count", NULL, hf_count(allocator->mmapped_count));
	hf_doc_field(doc, "mmapped_bytes", NULL, hf_bytes(allocator->mmapped_bytes));
}

/* ---- regions --------------------------------------------------------------------------------- */

static int bigger_region(const void *a, const void *b)
{
	const struct region *x = a, *y = b;
	if (x->bytes != y->bytes)
		return x->bytes < y->bytes ? 1 : -1;
	return (x->index > y->index) - (x->index < y->index);
}

static int by_index(const void *a, const void *b)
{
	const struct region *x = a, *y = b;
	return (x->index > y->index) - (x->index < y->index);
}

/* Give cells to the biggest regions that hold more than one chunk. */
static struct hf_error *choose_regions(struct survey *survey)
{
	const struct hf_allocator *allocator = survey->allocator;
	size_t count = allocator->regions.count, chosen = 0;
	struct region *regions = calloc(count + 1, sizeof(*regions));

	survey->regions = regions;
	if (!regions)
		return hf_error_nomem();
	for (uint32_t i = 0; i < count; i++) {
		regions[i].index = i;
		regions[i].bytes =
		    allocator->regions.data[i].end - allocator->regions.data[i].start;
	}
	qsort(regions, count, sizeof(*regions), bigger_region);
	for (size_t i = 0; i < count && chosen < HF_DETAILS_REGIONS; i++) {
		const struct hf_heap_region *region = &allocator->regions.data[regions[i].index];
		uint64_t pages = regions[i].bytes / PAGE;
		if (region->kind == HF_REGION_MMAPPED || pages == 0)
			continue;
		chosen++;
		regions[i].cells = pages < HF_DETAILS_CELLS ? (uint32_t)pages : HF_DETAILS_CELLS;
		regions[i].cell = calloc(regions[i].cells, sizeof(*regions[i].cell));
		if (!regions[i].cell)
			return hf_error_nomem();
	}
	qsort(regions, count, sizeof(*regions), by_index);
	return NULL;
}

static const char *region_name(const struct hf_heap_region *region)
{
	switch (region->kind) {
	case HF_REGION_BRK:
		return "brk";
	case HF_REGION_HEAP:
		return "heap";
	case HF_REGION_POOLS:
		return "pools";
	default:
		return "mmap";
	}
}

static void tell_regions(const struct survey *survey, struct hf_doc *doc)
{
	static const struct hf_column columns[] = {
	    {"start", NULL, 0}, {"end", NULL, 0},  {"bytes", NULL, 0},
	    {"arena", NULL, 0}, {"kind", NULL, 0}, {"cells", NULL, 0},
	};
	struct hf_table *table =
	    hf_doc_table(doc, "regions", NULL, columns, sizeof(columns) / sizeof(columns[0]));
	struct amount others = {0};

	for (size_t i = 0; i < survey->allocator->regions.count; i++) {
		const struct hf_heap_region *region = &survey->allocator->regions.data[i];
		if (region->kind == HF_REGION_MMAPPED)
			continue;
		if (survey->regions[i].cells == 0) {
			add(&others, survey->regions[i].bytes);
			continue;
		}
		hf_doc_row(doc, table, 0);
		hf_doc_cell(doc, table, hf_address(region->start));
		hf_doc_cell(doc, table, hf_address(region->end));
		hf_doc_cell(doc, table, hf_bytes(survey->regions[i].bytes));
		hf_doc_cell(doc, table, hf_number(region->arena));
		hf_doc_cell(doc, table, hf_text(region_name(region)));
		hf_doc_cell(doc, table, hf_count(survey->regions[i].cells));
	}
	hf_doc_field(doc, "regions_merged", NULL, hf_count(others.count));
	hf_doc_field(doc, "regions_merged_bytes", NULL, hf_bytes(others.bytes));
}

/* The cells of all regions one after the other, in the regions' order. */
static void tell_cells(const struct survey *survey, struct hf_doc *doc)
{
	static const struct hf_column columns[CELLS] = {
	    [CELL_INUSE] = {"inuse", NULL, 0},
	    [CELL_TCACHE] = {"tcache", NULL, 0},
	    [CELL_BINS] = {"bins", NULL, 0},
	    [CELL_TOP] = {"top", NULL, 0},
	};
	struct hf_table *table = hf_doc_table(doc, "cells", NULL, columns, CELLS);

	for (size_t i = 0; i < survey->allocator->regions.count; i++) {
		for (uint32_t k = 0; k < survey->regions[i].cells; k++) {
			hf_doc_row(doc, table, 0);
			for (unsigned cell = 0; cell < CELLS; cell++)
				hf_doc_cell(doc, table, hf_bytes(survey->regions[i].cell[k][cell]));
		}
	}
}

struct hf_error *hf_details_memory(const struct hf_analysis *analysis, struct hf_doc *doc)
{
	struct survey survey = {.allocator = analysis->allocator};
	struct hf_error *err = choose_regions(&survey);

	survey.spaces = calloc(survey.allocator->arenas.count + 1, sizeof(*survey.spaces));
	if (!err && !survey.spaces)
		err = hf_error_nomem();
	if (!err)
		err = walk(&survey);
	if (!err) {
		tell_sizes(&survey, doc);
		tell_arenas(&survey, doc);
		tell_regions(&survey, doc);
		tell_cells(&survey, doc);
	}
	for (size_t i = 0; survey.regions && i < survey.allocator->regions.count; i++)
		free(survey.regions[i].cell);
	free(survey.regions);
	free(survey.spaces);
	return err;
}
