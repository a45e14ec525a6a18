/*
 * saved.c - what the walks found, into an index and out of it.
 *
 * Arenas, regions and free lists are found anew from the core: that is quick. Only the walks of
 * the regions are saved, one record a region, with its checkpoints and gaps end to end beside;
 * finish() then sums them up as after a walk. The findings are saved whole, for the walks and
 * the check told most of them.
 */
#include "heapwalk/glibc/glibc.h"

struct saved_walk {
	uint64_t start;
	uint64_t state_count[HF_CHUNK_STATES], state_bytes[HF_CHUNK_STATES];
	uint64_t allocator_count, allocator_bytes, missing_bytes;
	uint64_t checkpoints, gaps; /* how many */
};

struct saved_heap {
	uint64_t mmapped_count, mmapped_bytes;
	struct hf_mallinfo2 info;
};

/* ---- walks ----------------------------------------------------------------------------------- */

void glibc_save(const struct hf_allocator *allocator, struct hf_stash_writer *writer)
{
	const struct glibc *glibc = (const struct glibc *)allocator;
	struct saved_heap heap = {allocator->mmapped_count, allocator->mmapped_bytes, glibc->info};

	hf_stash_add(writer, "heap", &heap, sizeof(heap));
	hf_findings_save(allocator, "heap", writer);
	hf_stash_begin(writer, "heap.walks");
	for (size_t i = 0; i < glibc->walks.count; i++) {
		const struct glibc_region *walk = &glibc->walks.data[i];
		struct saved_walk saved = {
		    .start = allocator->regions.data[i].start,
		    .allocator_count = walk->allocator_count,
		    .allocator_bytes = walk->allocator_bytes,
		    .missing_bytes = walk->missing_bytes,
		    .checkpoints = walk->checkpoints.count,
		    .gaps = walk->gaps.count,
		};
		for (unsigned state = 0; state < HF_CHUNK_STATES; state++) {
			saved.state_count[state] = walk->state_count[state];
			saved.state_bytes[state] = walk->state_bytes[state];
		}
		hf_stash_append(writer, &saved, sizeof(saved));
	}
	hf_stash_begin(writer, "heap.checkpoints");
	hf_vec_foreach (walk, &glibc->walks)
		hf_stash_append(writer, walk->checkpoints.data,
				walk->checkpoints.count * sizeof(*walk->checkpoints.data));
	hf_stash_begin(writer, "heap.gaps");
	hf_vec_foreach (walk, &glibc->walks)
		hf_stash_append(writer, walk->gaps.data,
				walk->gaps.count * sizeof(*walk->gaps.data));
}

static void load_walk(struct glibc_region *walk, const struct saved_walk *saved)
{
	walk->walked = true;
	walk->allocator_count = saved->allocator_count;
	walk->allocator_bytes = saved->allocator_bytes;
	walk->missing_bytes = saved->missing_bytes;
	for (unsigned state = 0; state < HF_CHUNK_STATES; state++) {
		walk->state_count[state] = saved->state_count[state];
		walk->state_bytes[state] = saved->state_bytes[state];
	}
}

bool glibc_load(struct hf_allocator *allocator, const struct hf_stash *stash)
{
	struct glibc *glibc = (struct glibc *)allocator;
	size_t regions = allocator->regions.count, checkpoints = 0, gaps = 0, at = 0, gap = 0;
	const struct saved_heap *heap = hf_stash_array(stash, "heap", 1, sizeof(*heap));
	const struct saved_walk *saved =
	    hf_stash_array(stash, "heap.walks", regions, sizeof(*saved));
	const uint64_t *points = hf_stash_get(stash, "heap.checkpoints", &checkpoints);
	const struct hf_range *ranges = hf_stash_get(stash, "heap.gaps", &gaps);

	if (!heap || !saved || !points || !ranges || glibc->walks.count != regions)
		return false;
	checkpoints /= sizeof(*points);
	gaps /= sizeof(*ranges);
	for (size_t i = 0; i < regions; i++) {
		struct glibc_region *walk = &glibc->walks.data[i];
		if (saved[i].start != allocator->regions.data[i].start ||
		    saved[i].checkpoints > checkpoints - at || saved[i].gaps > gaps - gap)
			return false;
		load_walk(walk, &saved[i]);
		for (uint64_t j = 0; j < saved[i].checkpoints; j++) {
			if (!hf_vec_push(&walk->checkpoints, points[at++]))
				return false;
		}
		for (uint64_t j = 0; j < saved[i].gaps; j++) {
			if (!hf_vec_push(&walk->gaps, ranges[gap++]))
				return false;
		}
	}
	allocator->mmapped_count = heap->mmapped_count;
	allocator->mmapped_bytes = heap->mmapped_bytes;
	glibc->info = heap->info;
	glibc->checked = hf_findings_load(allocator, "heap", glibc->strings, stash);
	return glibc->checked;
}
