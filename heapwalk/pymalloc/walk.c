/*
 * walk.c - the chunks of pymalloc's regions, pool by pool, and the figures that come of them.
 *
 *	system_bytes = inuse + pool + unused + overhead
 *
 * `pool` are free blocks in pools that have blocks in use, those never carved included (what
 * sys._debugmallocstats() calls available); `unused` are pools without any. Overhead is the
 * pools' headers, what is left over behind their last block, and at arenas' ends.
 */
#include "core/base/search.h"
#include "heapwalk/pymalloc/pymalloc.h"

enum { BATCH = 256 };

const struct pymalloc_arena *pymalloc_arena_at(const struct pymalloc *python, uint64_t address)
{
	return hf_range_at(python->arenas.data, python->arenas.count, address);
}

/* Up to @max chunks of @view from *@at on; *@at is moved behind them. */
static uint32_t take_chunks(const struct pymalloc_arena *arena, const struct pool_view *view,
			    uint64_t *at, struct hf_chunk *ret, uint32_t max)
{
	uint32_t count = 0;

	while (count < max && *at < view->end) {
		if (!pymalloc_chunk(arena, view, *at, &ret[count])) {
			*at = view->end;
			break;
		}
		*at = ret[count].address + ret[count].size;
		count++;
	}
	return count;
}

uint32_t pymalloc_chunks(const struct hf_allocator *allocator, uint32_t region, uint64_t *at,
			 struct hf_chunk *ret, uint32_t max)
{
	const struct pymalloc *python = (const struct pymalloc *)allocator;
	const struct hf_heap_region *range = &allocator->regions.data[region];
	uint32_t count = 0;

	if (*at < range->start)
		*at = range->start;
	while (count < max && *at < range->end) {
		const struct pymalloc_arena *arena = pymalloc_arena_at(python, *at);
		struct pool_view view;
		if (!arena)
			break;
		pymalloc_view(python, arena, *at, &view);
		count += take_chunks(arena, &view, at, ret + count, max - count);
	}
	return count;
}

bool pymalloc_chunk_at(const struct hf_allocator *allocator, uint64_t address, struct hf_chunk *ret)
{
	const struct pymalloc *python = (const struct pymalloc *)allocator;
	const struct pymalloc_arena *arena = pymalloc_arena_at(python, address);
	struct pool_view view;

	if (!arena)
		return false;
	pymalloc_view(python, arena, address, &view);
	return pymalloc_chunk(arena, &view, address, ret);
}

static void walk_view(struct pymalloc_walk *walk, const struct pymalloc_arena *arena,
		      const struct pool_view *view, hf_chunk_sink *sink, void *ctx)
{
	struct hf_chunk chunks[BATCH];
	uint64_t at = view->address;
	uint32_t count;

	do {
		count = take_chunks(arena, view, &at, chunks, BATCH);
		for (uint32_t i = 0; i < count; i++) {
			walk->state_count[chunks[i].state]++;
			walk->state_bytes[chunks[i].state] += chunks[i].size;
		}
		if (count)
			sink(ctx, chunks, count);
	} while (count == BATCH);
}

/*
 * With a sink, a walk, which several threads are on: it only notes that something is wrong. Without
 * one, that is told.
 */
static void go_over(const struct pymalloc *python, uint32_t region, hf_chunk_sink *sink, void *ctx)
{
	const struct hf_heap_region *range = &python->base.regions.data[region];
	struct pymalloc_walk *walk = &python->walks.data[region];
	const struct pymalloc_arena *arena = pymalloc_arena_at(python, range->start);

	for (; arena && arena < python->arenas.data + python->arenas.count &&
	       arena->start < range->end;
	     arena++) {
		struct pool_view view;
		uint32_t unused = 0;
		bool whole = true;
		for (uint64_t at = arena->start; at < arena->end; at = view.end) {
			pymalloc_view(python, arena, at, &view);
			unused += view.state == POOL_UNUSED;
			whole = whole && view.state != POOL_ABSENT && view.state != POOL_BROKEN;
			walk->troubled |= view.trouble != TROUBLE_NONE;
			if (sink)
				walk_view(walk, arena, &view, sink, ctx);
			else
				pymalloc_tell_pool(python, arena, &view);
		}
		if (!whole || unused == arena->free_pools)
			continue;
		walk->troubled = true;
		if (!sink)
			pymalloc_tell_arena(python, arena, unused);
	}
}

void pymalloc_walk(const struct hf_allocator *allocator, uint32_t region, hf_chunk_sink *sink,
		   void *ctx)
{
	const struct pymalloc *python = (const struct pymalloc *)allocator;

	python->walks.data[region] = (struct pymalloc_walk){0};
	go_over(python, region, sink, ctx);
}

void pymalloc_finish(struct hf_allocator *allocator)
{
	const struct pymalloc *python = (const struct pymalloc *)allocator;

	for (uint32_t i = 0; i < python->walks.count; i++) {
		struct pymalloc_walk *walk = &python->walks.data[i];
		if (walk->troubled)
			go_over(python, i, NULL, NULL);
		walk->troubled = false;
		struct hf_arena *arena = &allocator->arenas.data[allocator->regions.data[i].arena];
		for (unsigned state = 0; state < HF_CHUNK_STATES; state++) {
			arena->state_count[state] += walk->state_count[state];
			arena->state_bytes[state] += walk->state_bytes[state];
		}
	}
	hf_vec_foreach (arena, &allocator->arenas) {
		arena->inuse_count = arena->state_count[HF_CHUNK_INUSE];
		arena->inuse_bytes = arena->state_bytes[HF_CHUNK_INUSE];
		arena->overhead_bytes = arena->system_bytes - arena->inuse_bytes -
					arena->state_bytes[HF_CHUNK_POOL] -
					arena->state_bytes[HF_CHUNK_UNUSED];
	}
}
