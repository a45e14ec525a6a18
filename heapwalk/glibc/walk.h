/*
 * walk.h - private to heapwalk/glibc/: the state of a walk over one region's chunks.
 */
#ifndef HF_HEAPWALK_GLIBC_WALK_H
#define HF_HEAPWALK_GLIBC_WALK_H

#include "heapwalk/glibc/glibc.h"

enum { GLIBC_CHECKPOINT_BYTES = 64 << 10 };

struct glibc_walker {
	const struct glibc *glibc;
	const struct hf_heap_region *region;
	struct glibc_region *walk;
	uint64_t at;	  /* the next chunk */
	bool quiet;	  /* collect no figures, tell no diagnostics */
	bool gap_follows; /* the second fencepost was given */
	size_t free_at;	  /* cursor into glibc->free */
	size_t tcache_at; /* cursor into glibc->tcaches: none before it lies ahead */
	const uint8_t *view;
	uint64_t view_start, view_end; /* target addresses that @view shows */
	uint64_t next_checkpoint;
	uint64_t last;		/* the chunk given last; 0: none yet */
	uint64_t word;		/* the size word of that chunk */
	struct hf_chunk before; /* for the check: the chunk before; size 0: none that touches it */
	unsigned searches;	/* for a size whose low bytes were overwritten */
	uint64_t pause;		/* glibc_walker_usual() passes no chunk over it; 0: none */
	/* walk_ahead.c: where something is to be told, it stops instead. */
	bool guessing, stopped;
};

/* Start at chunk @from of region @region. */
void glibc_walker_init(struct glibc_walker *walker, const struct glibc *glibc, uint32_t region,
		       uint64_t from, bool quiet);

/* Next chunk, or false at the region's end. Counts it where figures are kept. */
bool glibc_walker_next(struct glibc_walker *walker, struct hf_chunk *chunk);

/* Up to @max of the next chunks; less only at the region's end, or at walker->pause. */
uint32_t glibc_walker_take(struct glibc_walker *walker, struct hf_chunk *chunks, uint32_t max);

/* The next place at or above @at, and below @limit, where a chain of sane chunks starts; or 0. */
uint64_t glibc_walker_guess(struct glibc_walker *walker, uint64_t at, uint64_t limit);

/* The next of the addresses that a walk keeps to begin from: one each so many bytes. */
static inline void glibc_set_checkpoint(struct glibc_walker *walker, uint64_t at)
{
	(void)hf_vec_push(&walker->walk->checkpoints, at);
	walker->next_checkpoint = (at | (GLIBC_CHECKPOINT_BYTES - 1)) + 1;
}

/* May something be told now? */
static inline bool glibc_walker_tells(struct glibc_walker *walker)
{
	walker->stopped |= walker->guessing;
	return !walker->quiet && !walker->guessing;
}

/*
 * walk_usual.c: up to @max of the next chunks into @chunks, as long as nothing can be said of them
 * but their size; 0 if glibc_walker_next() has to say. Counts them, too.
 */
uint32_t glibc_walker_usual(struct glibc_walker *walker, struct hf_chunk *chunks, uint32_t max);

/* integrity.c: test @chunk, just given, against the one before. */
void glibc_check_neighbours(struct glibc_walker *walker, const struct hf_chunk *chunk);

#endif
