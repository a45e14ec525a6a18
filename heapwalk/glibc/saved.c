/*
 * saved.c - what the walks found, into an index and out of it.
 *
 * Arenas, regions and free lists are found anew from the core: that is quick. Only the walks of
 * the regions are saved, one record a region, with its checkpoints and gaps end to end beside;
 * finish() then sums them up as after a walk. The findings are saved whole, for the walks and
 * the check told most of them; their texts stand end to end beside, each ended by a zero.
 */
#include <string.h>

#include "heapwalk/glibc/glibc.h"

struct saved_finding {
	struct hf_finding finding;	    /* its pointers are NULL */
	uint64_t code, message, abort_text; /* offset of the text + 1; 0: none */
};

struct saved_findings {
	uint64_t kept, all, lists_cut, doubtful;
};

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

/* ---- findings ---------------------------------------------------------------------------------
 */

/* What @text costs, and where it is to stand. */
static uint64_t place_text(const char *text, uint64_t *end)
{
	uint64_t at = *end;
	if (!text)
		return 0;
	*end += strlen(text) + 1;
	return at + 1;
}

static void save_findings(const struct hf_allocator *allocator, struct hf_stash_writer *writer)
{
	struct saved_findings counts = {allocator->findings.count, allocator->findings_count,
					allocator->lists_cut, allocator->doubtful.count};
	uint64_t end = 0;

	hf_stash_add(writer, "heap.found", &counts, sizeof(counts));
	hf_stash_begin(writer, "heap.findings");
	hf_vec_foreach (finding, &allocator->findings) {
		struct saved_finding saved;
		memset(&saved, 0, sizeof(saved));
		saved.finding = *finding;
		saved.finding.code = saved.finding.message = saved.finding.abort_text = NULL;
		saved.code = place_text(finding->code, &end);
		saved.message = place_text(finding->message, &end);
		saved.abort_text = place_text(finding->abort_text, &end);
		hf_stash_append(writer, &saved, sizeof(saved));
	}
	hf_stash_begin(writer, "heap.texts");
	hf_vec_foreach (finding, &allocator->findings) {
		const char *texts[] = {finding->code, finding->message, finding->abort_text};
		for (unsigned i = 0; i < 3; i++) {
			if (texts[i])
				hf_stash_append(writer, texts[i], strlen(texts[i]) + 1);
		}
	}
	hf_stash_append(writer, "", 1); /* so that every text ends within the section */
	hf_stash_add(writer, "heap.doubtful", allocator->doubtful.data,
		     allocator->doubtful.count * sizeof(*allocator->doubtful.data));
}

/* A copy of the text at @place - 1; NULL for none. False: there is no such text. */
static bool load_text(struct glibc *glibc, const char *texts, size_t bytes, uint64_t place,
		      const char **ret)
{
	*ret = NULL;
	if (place == 0)
		return true;
	if (place > bytes)
		return false;
	*ret = hf_strpool_dup(glibc->strings, texts + place - 1);
	return *ret != NULL;
}

static bool load_findings(struct glibc *glibc, const struct hf_stash *stash)
{
	struct hf_allocator *allocator = &glibc->base;
	size_t bytes = 0;
	const struct saved_findings *counts =
	    hf_stash_array(stash, "heap.found", 1, sizeof(*counts));
	const char *texts = hf_stash_get(stash, "heap.texts", &bytes);
	const struct saved_finding *saved =
	    counts ? hf_stash_array(stash, "heap.findings", counts->kept, sizeof(*saved)) : NULL;
	const struct hf_range *doubtful =
	    counts ? hf_stash_array(stash, "heap.doubtful", counts->doubtful, sizeof(*doubtful))
		   : NULL;

	if (!saved || !doubtful || !texts || bytes == 0 || texts[bytes - 1])
		return false;
	allocator->findings.count = allocator->doubtful.count = 0;
	for (uint64_t i = 0; i < counts->kept; i++) {
		struct hf_finding finding = saved[i].finding;
		if (!load_text(glibc, texts, bytes, saved[i].code, &finding.code) ||
		    !load_text(glibc, texts, bytes, saved[i].message, &finding.message) ||
		    !load_text(glibc, texts, bytes, saved[i].abort_text, &finding.abort_text) ||
		    !finding.code || !finding.message ||
		    !hf_vec_push(&allocator->findings, finding))
			return false;
	}
	for (uint64_t i = 0; i < counts->doubtful; i++) {
		if (!hf_vec_push(&allocator->doubtful, doubtful[i]))
			return false;
	}
	allocator->findings_count = counts->all;
	allocator->lists_cut = counts->lists_cut;
	glibc->checked = true;
	return true;
}

/* ---- walks --------------------------------------------------------------------------------------
 */

void glibc_save(const struct hf_allocator *allocator, struct hf_stash_writer *writer)
{
	const struct glibc *glibc = (const struct glibc *)allocator;
	struct saved_heap heap = {allocator->mmapped_count, allocator->mmapped_bytes, glibc->info};

	hf_stash_add(writer, "heap", &heap, sizeof(heap));
	save_findings(allocator, writer);
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
	return load_findings(glibc, stash);
}
