/*
 * pymalloc.h - private to heapwalk/pymalloc/: CPython's own allocator of small objects, which
 * takes arenas by mmap and carves them into pools of equal blocks (64-bit CPython 3.6 and later).
 *
 *	table   arena_object[]: address, pool_address, nfreepools, ntotalpools, freepools, ...
 *	           |
 *	arena   [ slack | pool | pool | pool | ... never used yet | slack ]	256 KiB or 1 MiB
 *	                   |				^ pool_address
 *	pool    [ header | block | block | free | block | ... never used yet | slack ]	4 or 16 KiB
 *	                            ^ freeblock -> ... -> 0		^ nextoffset
 *
 * A pool's header says its arena's index in the table, the class of its blocks' size, how many
 * are in use, and where the next one would be carved. All of it comes from CPython's
 * Objects/obmalloc.c; the layouts have not changed since 3.6, only the sizes of arena and pool,
 * which a used pool tells: maxnextoffset + block size = pool size.
 *
 * Order of work: find.c finds the tables and their arenas; pool.c reads one pool; walk.c tells
 * the chunks of regions; found.c reports what is broken.
 */
#ifndef HF_HEAPWALK_PYMALLOC_PYMALLOC_H
#define HF_HEAPWALK_PYMALLOC_PYMALLOC_H

#include <pthread.h>

#include "core/base/strpool.h"
#include "heapwalk/allocator.h"

enum {
	ENTRY_BYTES = 48, /* struct arena_object */
	ENTRY_ADDRESS = 0,
	ENTRY_POOL_ADDRESS = 8,
	ENTRY_FREE_POOLS = 16,
	ENTRY_TOTAL_POOLS = 20,
	ENTRY_FREE_LIST = 24,

	POOL_HEADER = 48, /* struct pool_header */
	POOL_COUNT = 0,
	POOL_FREE_BLOCK = 8,
	POOL_NEXT = 16,
	POOL_ARENA_INDEX = 32,
	POOL_SIZE_INDEX = 36,
	POOL_NEXT_OFFSET = 40,
	POOL_MAX_OFFSET = 44,

	ARENA_POOLS = 64, /* pools' sizes in an arena; one is lost if it is not aligned to them */
	MAX_BLOCK = 512,
	MAX_POOL = 16384,
	MAX_BLOCKS = MAX_POOL / 16,
};

/* How one table's arenas are cut. */
struct pymalloc_cut {
	uint32_t arena, pool;	  /* bytes */
	uint32_t alignment, page; /* of blocks; of arenas */
};

struct pymalloc_arena {
	uint64_t start, end;
	uint64_t pools, pools_end; /* where the first pool starts, the last one ends */
	uint64_t carved;	   /* pools from here on have never been used */
	uint64_t entry;		   /* address of its arena_object */
	uint32_t index;		   /* in its table */
	uint32_t table;		   /* index in base.arenas */
	uint32_t free_pools;	   /* as the table says */
};

/* What a walk of one region found. */
struct pymalloc_walk {
	uint64_t state_count[HF_CHUNK_STATES], state_bytes[HF_CHUNK_STATES];
	uint64_t troubled; /* something is wrong there that has not been told yet */
};

struct pymalloc {
	struct hf_allocator base;
	const struct hf_image *image;
	struct hf_diags *diags;
	struct hf_strpool *strings;
	struct pymalloc_cut cut;
	HF_VEC(, struct pymalloc_arena) arenas; /* sorted by start */
	HF_VEC(, struct pymalloc_walk) walks;	/* one a region */
	pthread_mutex_t findings_lock;		/* regions are walked in parallel */
};

/* ---- pool.c -------------------------------------------------------------------------------- */

enum pool_state {
	POOL_ABSENT, /* its header is not in the core */
	POOL_SLACK,  /* no pool: what is left over at an arena's ends */
	POOL_UNUSED, /* without blocks */
	POOL_USED,
	POOL_BROKEN, /* its header makes no sense */
};

/* What is wrong with a pool; only of the first broken link. */
enum pool_trouble { TROUBLE_NONE, TROUBLE_HEADER, TROUBLE_LINK, TROUBLE_TWICE, TROUBLE_COUNT };

struct pool_view {
	uint64_t address, end; /* of the pool, or the slack */
	uint8_t state;	       /* enum pool_state */
	uint8_t trouble;       /* enum pool_trouble */
	uint32_t size, blocks; /* of a block; of them, those never carved included */
	uint32_t carved;
	uint32_t in_use; /* as the header says */
	uint32_t listed; /* on the free list */
	uint64_t word;	 /* where a broken link stands, and what it holds */
	uint64_t found;
	uint64_t free[MAX_BLOCKS / 64]; /* a bit for each free block */
};

/* What stands at @address of @arena: the pool that contains it, or slack. */
void pymalloc_view(const struct pymalloc *python, const struct pymalloc_arena *arena,
		   uint64_t address, struct pool_view *ret);
/* The chunk at @address in @view; false if nothing is known there. */
bool pymalloc_chunk(const struct pymalloc_arena *arena, const struct pool_view *view,
		    uint64_t address, struct hf_chunk *ret);

/* A pool's header as it stands in the core. */
struct pool_header {
	uint64_t free_block, next;
	uint32_t count, arena_index, size_index, next_offset, max_offset;
};
bool pymalloc_header(const struct hf_image *image, uint64_t pool, struct pool_header *ret);

/* ---- find.c -------------------------------------------------------------------------------- */

/* The tables of the modules that hold CPython, and their arenas outside @below's regions. */
struct hf_error *pymalloc_find(struct pymalloc *python, const struct hf_process *process,
			       const struct hf_symbols *symbols, const struct hf_allocator *below);
/* The arena that contains @address, or NULL. */
const struct pymalloc_arena *pymalloc_arena_at(const struct pymalloc *python, uint64_t address);

/* ---- walk.c -------------------------------------------------------------------------------- */

void pymalloc_walk(const struct hf_allocator *allocator, uint32_t region, hf_chunk_sink *sink,
		   void *ctx);
uint32_t pymalloc_chunks(const struct hf_allocator *allocator, uint32_t region, uint64_t *at,
			 struct hf_chunk *ret, uint32_t max);
bool pymalloc_chunk_at(const struct hf_allocator *allocator, uint64_t address,
		       struct hf_chunk *ret);
void pymalloc_finish(struct hf_allocator *allocator);

/* ---- found.c: thread-safe ------------------------------------------------------------------ */

void pymalloc_tell_pool(const struct pymalloc *python, const struct pymalloc_arena *arena,
			const struct pool_view *view);
/* The arena's own count of its unused pools differs from the walk's. */
void pymalloc_tell_arena(const struct pymalloc *python, const struct pymalloc_arena *arena,
			 uint32_t unused);

#endif
