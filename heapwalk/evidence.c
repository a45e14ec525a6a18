/*
 * evidence.c - what is missing that may hold pointers (see evidence.h).
 *
 *	cut off, not dumped          ranges of roots and heaps without bytes
 *	no threads                   registers and stacks held something
 *	parts of the heap not found  broken headers, counts of malloc's that do not agree
 *	free lists cut               blocks that look in use may be free
 *	holes                        zero where zero cannot be
 */
#include "heapwalk/evidence.h"

#include <inttypes.h>

enum { ZERO_LOOK = 256 };

/* Bytes of [start, end) that the core lacks. */
static uint64_t absent_bytes(const struct hf_image *image, uint64_t start, uint64_t end)
{
	uint64_t absent = 0;
	for (uint64_t at = start; at < end;) {
		const struct hf_segment *segment = hf_image_find(image, at);
		uint64_t available = 0, stop = segment ? segment->end : at + 1;
		if (hf_image_at(image, at, &available)) {
			at += available;
			continue;
		}
		if (!segment) {
			/* Between segments there is no memory at all: go on at the next one. */
			at = end;
			continue;
		}
		stop = stop < end ? stop : end;
		absent += stop - at;
		at = stop;
	}
	return absent;
}

static bool lacks_memory(const struct hf_analysis *analysis)
{
	const struct hf_image *image = &analysis->process->image;
	uint64_t absent = 0;

	hf_vec_foreach (range, &analysis->roots.ranges) {
		const struct hf_mapping *mapping =
		    hf_process_mapping(analysis->process, range->start);
		/* A shared file's pages are left out of cores by default, and hold no pointers. */
		if (mapping && (mapping->kind != HF_MAPPING_FILE || mapping->module != HF_NO_INDEX))
			absent += absent_bytes(image, range->start, range->end);
	}
	hf_vec_foreach (region, &analysis->allocator->regions)
		absent += absent_bytes(image, region->start, region->end);
	if (absent)
		hf_diag_add(analysis->diags, HF_DIAG_EVIDENCE, HF_SEV_WARNING, "pointers-missing",
			    0,
			    "%" PRIu64 " bytes that may hold pointers are not in the core: what "
			    "nothing leads to is not called lost, and retained sizes are estimates",
			    absent);
	return absent != 0 || analysis->process->info.missing_bytes != 0;
}

/*
 * A chain of chunks that ends in zeros, which may go on behind the part in doubt. Whether the core
 * has a hole there or the program wrote them: what pointers stood there is not known.
 */
static bool has_holes(const struct hf_analysis *analysis)
{
	const struct hf_process *process = analysis->process;
	uint64_t zeroed = hf_process_zeroed(process), first = 0;

	hf_vec_foreach (range, &analysis->allocator->doubtful) {
		if (hf_process_zero_at(process, range->start, ZERO_LOOK)) {
			zeroed += range->end - range->start;
			first = first ? first : range->start;
		}
	}
	if (zeroed)
		hf_diag_add(analysis->diags, HF_DIAG_EVIDENCE, HF_SEV_WARNING, "core-holes", first,
			    "at least %" PRIu64 " bytes are zero where they cannot have been: the "
			    "core has holes (a copy that was interrupted?), or zeros were written "
			    "over it; what nothing leads to is not called lost",
			    zeroed);
	return zeroed != 0;
}

/* What is known of the heap's extent does not add up: some of it was not found. */
static bool lacks_heap(const struct hf_analysis *analysis)
{
	static const char *const codes[] = {"arena-ring-broken",  "heap-info-broken",
					    "mmapped-differs",	  "heap-missing",
					    "main-arena-missing", "regions-overlap"};
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		if (hf_diags_code_count(analysis->diags, codes[i]))
			return true;
	}
	return false;
}

bool hf_evidence_incomplete(const struct hf_analysis *analysis)
{
	bool memory = lacks_memory(analysis), holes = has_holes(analysis);
	bool threads = analysis->process->threads.count == 0 ||
		       hf_diags_code_count(analysis->diags, "notes-missing") ||
		       hf_diags_code_count(analysis->diags, "thread-cut");

	return memory || holes || threads || lacks_heap(analysis) || analysis->allocator->lists_cut;
}
