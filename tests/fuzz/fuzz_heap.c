/*
 * fuzz_heap.c - a core as a whole up to types: arenas, lists, walk, roots, graph, dominators.
 */
#include "heapwalk/analysis.h"
#include "tests/fuzz/fuzz.h"

/* Every chunk, once by batches and some by address, must lie in its region, ascending. */
static void look_at_chunks(const struct hf_allocator *allocator)
{
	struct hf_chunk chunks[64], one;

	for (uint32_t region = 0; region < allocator->regions.count; region++) {
		uint64_t at = 0, last = allocator->regions.data[region].start;
		uint32_t count;
		do {
			count = allocator->ops->chunks(allocator, region, &at, chunks, 64);
			for (uint32_t i = 0; i < count; i++) {
				if (chunks[i].address < last || chunks[i].size == 0 ||
				    chunks[i].address + chunks[i].size >
					allocator->regions.data[region].end)
					abort();
				last = chunks[i].address + chunks[i].size;
			}
			if (count)
				allocator->ops->chunk_at(allocator, chunks[0].object, &one);
		} while (count == 64);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char path[32];
	if (size == 0)
		return 0;
	int fd = fuzz_file(data, size, path);
	struct hf_analysis_options options = {.process = {.core = path, .sysroot = FUZZ_SYSROOT},
					      .depth = HF_DEPTH_TYPES,
					      .heuristics = UINT32_MAX,
					      .threads = 1};
	struct hf_analysis *analysis = NULL;
	struct hf_error *err = hf_analysis_open(&options, &analysis);

	if (!err && analysis->allocator)
		look_at_chunks(analysis->allocator);
	hf_error_destroy(err);
	hf_analysis_close(analysis);
	close(fd);
	return 0;
}
