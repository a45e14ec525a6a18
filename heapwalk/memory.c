/*
 * memory.c - the kernel's limit on data, and an estimate of what would have been enough.
 *
 * The estimate is what had been taken before the heap was read, and bytes an object: those of all
 * arrays while the dominators are found (docs/SCALE.md), and what arrays that grow have too much;
 * where the pointers have been counted, more for each that may join ways.
 */
#include "heapwalk/memory.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "core/base/bigmem.h"

enum {
	LEAST_ROOM = 16 << 20, /* for all that does not grow with the heap */
	ARRAYS_AN_OBJECT = 64, /* with a pointer and a half to each */
	ARRAYS_A_JOIN = 104,   /* where there are two, more for the second half */
	ARRAYS_A_POINTER = 12, /* for all that come to these */
	OTHERS_AN_OBJECT = 2,  /* with the arrays in a working folder */
	CHUNKS = 1024,
	MIB = 1 << 20,
};

uint64_t hf_memory_taken(void)
{
	unsigned long pages = 0;
	FILE *from = fopen("/proc/self/statm", "re");

	if (!from)
		return 0;
	if (fscanf(from, "%*u %*u %*u %*u %*u %lu", &pages) != 1)
		pages = 0;
	fclose(from);
	return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

struct hf_error *hf_memory_limit(uint64_t bytes)
{
	struct rlimit limit;

	if (bytes == 0 || getrlimit(RLIMIT_DATA, &limit))
		return NULL;
	limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
	if (setrlimit(RLIMIT_DATA, &limit))
		return hf_error_errno(errno, "--max-memory");
	/* What is taken already counts: is there room at all? */
	void *room = malloc(LEAST_ROOM);
	if (!room)
		return hf_error_nomem();
	free(room);
	return NULL;
}

/* Without memory: chunk by chunk, where the objects have not been listed. */
static uint64_t count_objects(const struct hf_analysis *analysis)
{
	const struct hf_allocator *allocator = analysis->allocator;
	struct hf_chunk chunks[CHUNKS];
	uint64_t count = 0;

	if (analysis->extents)
		return hf_extents_count(analysis->extents);
	for (uint32_t i = 0; allocator && i < allocator->regions.count; i++) {
		uint64_t at = 0;
		uint32_t got = CHUNKS;
		while (got == CHUNKS) {
			got = allocator->ops->chunks(allocator, i, &at, chunks, CHUNKS);
			for (uint32_t j = 0; j < got; j++)
				count += hf_chunk_in_use(&chunks[j]);
		}
	}
	return count;
}

struct hf_error *hf_memory_explain(const struct hf_analysis *analysis, bool opened,
				   struct hf_error *err)
{
	uint64_t taken = analysis->taken_bytes;

	if (!err || hf_error_code(err) != HF_ERR_NOMEM || !taken || analysis->stash)
		return err;
	hf_error_destroy(err);
	uint64_t objects = count_objects(analysis);
	if (!objects)
		return hf_error_create(HF_ERR_NOMEM,
				       "out of memory: %lu MiB are taken before the heap is read, "
				       "and about %lu MiB are the least",
				       (unsigned long)(taken / MIB),
				       (unsigned long)((taken + LEAST_ROOM) / MIB + 1));
	bool in_folder = hf_bigmem_in_folder();
	uint64_t each = in_folder ? OTHERS_AN_OBJECT : ARRAYS_AN_OBJECT;
	uint64_t needed = taken + LEAST_ROOM + objects * each;
	uint64_t pointers = analysis->graph && !in_folder ? hf_graph_edges(analysis->graph) : 0;
	uint64_t usual = objects + objects / 2;
	uint64_t further = pointers > usual ? pointers - usual : 0;
	uint64_t joins = further < objects / 2 ? further : objects / 2;
	needed += joins * ARRAYS_A_JOIN + (further - joins) * ARRAYS_A_POINTER;
	return hf_error_create(HF_ERR_NOMEM,
			       "out of memory: %lu objects take about %lu MiB in all%s",
			       (unsigned long)objects, (unsigned long)(needed / MIB + 1),
			       opened ? ", and what was asked for comes to it" : "");
}
