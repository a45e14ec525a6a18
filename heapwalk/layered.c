/*
 * layered.c - two allocators told as one: malloc, and one that takes its memory from the system
 * beside it (CPython's pymalloc).
 *
 *	below	regions  a   b       d		arenas 0 1 2
 *	above	regions        c   c		arenas       0
 *	joined	regions  a   b c c   d		arenas 0 1 2 3
 *
 * Each keeps what it knows; here is only which region is whose, and the figures of both side by
 * side. They change with finish(), check() and load(), and are joined anew after each. Regions of
 * the two do not overlap: the probe of the one above sees to that. malloc's own figures
 * (mallinfo2, thread caches, bins) are those of the one below, unchanged.
 */
#include <stdlib.h>
#include <string.h>

#include "heapwalk/allocator.h"

enum { BATCH = 256 };

struct part {
	uint32_t region; /* in its own allocator */
	bool above;
};

struct layered {
	struct hf_allocator base;
	struct hf_allocator_ops ops; /* layered_ops by the name of the one below */
	struct hf_allocator *below, *above;
	struct part *parts; /* one a region */
};

static const struct hf_allocator *owner_of(const struct layered *layered, const struct part *part)
{
	return part->above ? layered->above : layered->below;
}

/* An arena's number among those of both. */
static uint32_t arena_of(const struct layered *layered, bool above, uint32_t arena)
{
	return above && arena != HF_NO_ARENA ? (uint32_t)layered->below->arenas.count + arena
					     : arena;
}

static void layered_destroy(struct hf_allocator *allocator)
{
	struct layered *layered = (struct layered *)allocator; /* base is its first member */

	hf_allocator_destroy(layered->below);
	hf_allocator_destroy(layered->above);
	free(layered->parts);
	free(allocator->regions.data);
	free(allocator->arenas.data);
	free(allocator->findings.data);
	free(allocator->doubtful.data);
	free(layered);
}

/* ---- joining --------------------------------------------------------------------------------- */

static bool join_findings(struct layered *layered)
{
	struct hf_allocator *base = &layered->base;
	const struct hf_allocator *each[] = {layered->below, layered->above};

	base->findings.count = base->doubtful.count = 0;
	for (int i = 0; i < 2; i++) {
		hf_vec_foreach (found, &each[i]->findings) {
			struct hf_finding finding = *found;
			finding.arena = arena_of(layered, i == 1, finding.arena);
			if (!hf_vec_push(&base->findings, finding))
				return false;
		}
		hf_vec_foreach (range, &each[i]->doubtful) {
			if (!hf_vec_push(&base->doubtful, *range))
				return false;
		}
	}
	base->findings_count = each[0]->findings_count + each[1]->findings_count;
	base->lists_cut = each[0]->lists_cut + each[1]->lists_cut;
	return true;
}

static bool join_arenas(struct layered *layered)
{
	struct hf_allocator *base = &layered->base;

	base->arenas.count = 0;
	hf_vec_foreach (arena, &layered->below->arenas) {
		if (!hf_vec_push(&base->arenas, *arena))
			return false;
	}
	hf_vec_foreach (arena, &layered->above->arenas) {
		struct hf_arena joined = *arena;
		joined.layer = layered->above->ops->name;
		if (!hf_vec_push(&base->arenas, joined))
			return false;
	}
	return true;
}

/* What only malloc has: seen through, not owned. */
static void see_below(struct layered *layered)
{
	struct hf_allocator *base = &layered->base;
	const struct hf_allocator *below = layered->below;

	base->own = below->own;
	base->gaps = below->gaps;
	base->bins = below->bins;
	base->caches = below->caches;
	base->mmapped_count = below->mmapped_count;
	base->mmapped_bytes = below->mmapped_bytes;
	base->aborted = below->aborted;
	base->abort_message = below->abort_message;
}

static struct hf_error *join(struct layered *layered)
{
	see_below(layered);
	return join_arenas(layered) && join_findings(layered) ? NULL : hf_error_nomem();
}

/* ---- the contract ---------------------------------------------------------------------------- */

struct renumber {
	const struct layered *layered;
	hf_chunk_sink *sink;
	void *ctx;
};

static void number_arenas(const struct layered *layered, struct hf_chunk *chunks, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		chunks[i].arena = arena_of(layered, true, chunks[i].arena);
}

static void pass_on(void *ctx, const struct hf_chunk *chunks, uint32_t count)
{
	const struct renumber *renumber = ctx;
	struct hf_chunk batch[BATCH];

	for (uint32_t at = 0; at < count;) {
		uint32_t taken = count - at < BATCH ? count - at : BATCH;
		memcpy(batch, chunks + at, taken * sizeof(*batch));
		number_arenas(renumber->layered, batch, taken);
		renumber->sink(renumber->ctx, batch, taken);
		at += taken;
	}
}

static void layered_walk(const struct hf_allocator *allocator, uint32_t region, hf_chunk_sink *sink,
			 void *ctx)
{
	const struct layered *layered = (const struct layered *)allocator;
	const struct part *part = &layered->parts[region];
	struct renumber renumber = {layered, sink, ctx};

	if (part->above)
		layered->above->ops->walk(layered->above, part->region, pass_on, &renumber);
	else
		layered->below->ops->walk(layered->below, part->region, sink, ctx);
}

static void layered_walk_big(const struct hf_allocator *allocator, uint32_t region,
			     unsigned threads, hf_chunk_sink *sink, void *ctx)
{
	const struct layered *layered = (const struct layered *)allocator;
	const struct part *part = &layered->parts[region];

	if (!part->above && layered->below->ops->walk_big)
		layered->below->ops->walk_big(layered->below, part->region, threads, sink, ctx);
	else
		layered_walk(allocator, region, sink, ctx);
}

static uint32_t layered_chunks(const struct hf_allocator *allocator, uint32_t region, uint64_t *at,
			       struct hf_chunk *ret, uint32_t max)
{
	const struct layered *layered = (const struct layered *)allocator;
	const struct part *part = &layered->parts[region];
	const struct hf_allocator *owner = owner_of(layered, part);
	uint32_t count = owner->ops->chunks(owner, part->region, at, ret, max);

	if (part->above)
		number_arenas(layered, ret, count);
	return count;
}

static bool layered_chunk_at(const struct hf_allocator *allocator, uint64_t address,
			     struct hf_chunk *ret)
{
	const struct layered *layered = (const struct layered *)allocator;

	if (!layered->above->ops->chunk_at(layered->above, address, ret))
		return layered->below->ops->chunk_at(layered->below, address, ret);
	number_arenas(layered, ret, 1);
	return true;
}

static void layered_finish(struct hf_allocator *allocator)
{
	struct layered *layered = (struct layered *)allocator;

	layered->below->ops->finish(layered->below);
	layered->above->ops->finish(layered->above);
	hf_error_destroy(join(layered));
}

static struct hf_error *layered_check(struct hf_allocator *allocator)
{
	struct layered *layered = (struct layered *)allocator;
	struct hf_error *err = layered->below->ops->check(layered->below);

	if (!err)
		err = layered->above->ops->check(layered->above);
	return err ? err : join(layered);
}

static struct hf_mallinfo2 layered_mallinfo2(const struct hf_allocator *allocator)
{
	const struct layered *layered = (const struct layered *)allocator;
	return layered->below->ops->mallinfo2(layered->below);
}

static void layered_save(const struct hf_allocator *allocator, struct hf_stash_writer *writer)
{
	const struct layered *layered = (const struct layered *)allocator;

	layered->below->ops->save(layered->below, writer);
	layered->above->ops->save(layered->above, writer);
}

static bool layered_load(struct hf_allocator *allocator, const struct hf_stash *stash)
{
	struct layered *layered = (struct layered *)allocator;

	if (!layered->below->ops->load(layered->below, stash) ||
	    !layered->above->ops->load(layered->above, stash))
		return false;
	struct hf_error *err = join(layered);
	hf_error_destroy(err);
	return !err;
}

static const struct hf_allocator_ops layered_ops = {
    .destroy = layered_destroy,
    .walk = layered_walk,
    .walk_big = layered_walk_big,
    .finish = layered_finish,
    .chunks = layered_chunks,
    .chunk_at = layered_chunk_at,
    .mallinfo2 = layered_mallinfo2,
    .save = layered_save,
    .load = layered_load,
    .check = layered_check,
};

/* ---- making it ------------------------------------------------------------------------------- */

/* Both lists are sorted. */
static bool join_regions(struct layered *layered)
{
	const struct hf_allocator *below = layered->below, *above = layered->above;
	struct hf_allocator *base = &layered->base;
	uint32_t low = 0, high = 0;

	layered->parts =
	    calloc(below->regions.count + above->regions.count + 1, sizeof(*layered->parts));
	if (!layered->parts)
		return false;
	while (low < below->regions.count || high < above->regions.count) {
		bool from_above =
		    low == below->regions.count ||
		    (high < above->regions.count &&
		     above->regions.data[high].start < below->regions.data[low].start);
		struct hf_heap_region region =
		    from_above ? above->regions.data[high] : below->regions.data[low];
		layered->parts[low + high] = (struct part){from_above ? high : low, from_above};
		region.arena = arena_of(layered, from_above, region.arena);
		low += !from_above;
		high += from_above;
		if (!hf_vec_push(&base->regions, region))
			return false;
	}
	return true;
}

struct hf_error *hf_layered_create(struct hf_allocator *below, struct hf_allocator *above,
				   struct hf_allocator **ret)
{
	struct layered *layered = calloc(1, sizeof(*layered));

	if (!layered) {
		hf_allocator_destroy(below);
		hf_allocator_destroy(above);
		return hf_error_nomem();
	}
	struct hf_allocator *base = &layered->base;
	layered->ops = layered_ops;
	layered->ops.name = below->ops->name;
	*base = (struct hf_allocator){.ops = &layered->ops,
				      .granule = below->granule < above->granule ? below->granule
										 : above->granule,
				      .mmap_threshold = below->mmap_threshold,
				      .trim_threshold = below->trim_threshold,
				      .top_pad = below->top_pad,
				      .arena_max = below->arena_max};
	memcpy(base->version, below->version, sizeof(base->version));
	memcpy(base->layout_source, below->layout_source, sizeof(base->layout_source));
	memcpy(base->overhead, below->overhead, sizeof(base->overhead));
	base->overhead[HF_OBJECT_POOL] = above->overhead[HF_OBJECT_POOL];
	layered->below = below;
	layered->above = above;
	struct hf_error *err = join_regions(layered) ? join(layered) : hf_error_nomem();
	if (err) {
		layered_destroy(base);
		return err;
	}
	*ret = base;
	return NULL;
}
