/*
 * allocator.h - the contract between an allocator's knowledge and the graph.
 *
 * The graph knows no malloc. It asks an allocator back end (heapwalk/glibc/ is the first)
 * for these things, and nothing else:
 *
 *   probe    is this allocator in the process? finds its arenas, walks its free lists
 *   regions  memory that belongs to the allocator: sorted, disjoint. Not a root.
 *   walk     the chunks of one region, in address order, each with its state
 *   own      the allocator's own structures outside its regions (main_arena in libc's
 *            .data, say): words there are no roots
 *   arenas, mallinfo, threads   the figures that the allocator itself would report
 *
 * Words (DESIGN.md section 2): a chunk is what the allocator carves, size with header; an
 * object is a chunk in use, its address is what malloc returned. The allocator's own
 * blocks inside its regions (a thread's tcache struct) are objects of kind ALLOCATOR.
 *
 * Invariants of walk: chunks come in strictly ascending address order, do not overlap,
 * lie inside the region; object addresses are multiples of the granule.
 * A broken region is walked as far as sense can be made of it (resynchronised), with
 * diagnostics of kind HF_DIAG_HEAP.
 */
#ifndef HF_HEAPWALK_ALLOCATOR_H
#define HF_HEAPWALK_ALLOCATOR_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/diag.h"
#include "core/base/error.h"
#include "core/base/stash.h"
#include "core/base/strpool.h"
#include "core/process/process.h"
#include "core/symbols/symbols.h"

enum hf_chunk_state {
	HF_CHUNK_INUSE,
	HF_CHUNK_TCACHE,
	HF_CHUNK_FASTBIN,
	HF_CHUNK_UNSORTED,
	HF_CHUNK_SMALL,
	HF_CHUNK_LARGE,
	HF_CHUNK_TOP,
	HF_CHUNK_MMAPPED,   /* in use, in a mapping of its own */
	HF_CHUNK_FENCEPOST, /* overhead at the end of a region */
	HF_CHUNK_LOST,	    /* by its neighbours free, but on no list (corrupt or in flux) */
	HF_CHUNK_POOL,	    /* free, in a pool of equal blocks that has others in use */
	HF_CHUNK_UNUSED,    /* a whole pool without blocks */
	HF_CHUNK_STATES
};

enum hf_object_kind {
	HF_OBJECT_MALLOC,
	HF_OBJECT_MMAP,
	HF_OBJECT_ALLOCATOR,
	HF_OBJECT_POOL, /* of an allocator that is layered over malloc */
	HF_OBJECT_KINDS
};

#define HF_NO_ARENA UINT32_MAX

struct hf_chunk {
	uint64_t address; /* of the chunk (its header) */
	uint64_t size;	  /* bytes, header included */
	uint64_t object;  /* what malloc returned; meaningful for every state but FENCEPOST */
	uint64_t usable;  /* malloc_usable_size, if in use */
	uint32_t arena;	  /* index in arenas, HF_NO_ARENA for mmapped */
	uint8_t state;	  /* enum hf_chunk_state */
	uint8_t kind;	  /* enum hf_object_kind, if in use */
};

static inline bool hf_chunk_in_use(const struct hf_chunk *chunk)
{
	return chunk->state == HF_CHUNK_INUSE || chunk->state == HF_CHUNK_MMAPPED;
}

enum hf_region_kind {
	HF_REGION_BRK,
	HF_REGION_HEAP,
	HF_REGION_MMAP_ARENA,
	HF_REGION_MMAPPED,
	HF_REGION_POOLS, /* of equal blocks without headers; its objects are of kind POOL */
};

/* The kind of a region's objects that are not the allocator's own. */
static inline enum hf_object_kind hf_region_object_kind(uint8_t region_kind)
{
	return region_kind == HF_REGION_MMAPPED ? HF_OBJECT_MMAP
	       : region_kind == HF_REGION_POOLS ? HF_OBJECT_POOL
						: HF_OBJECT_MALLOC;
}

struct hf_heap_region {
	uint64_t start, end; /* target addresses; start is chunk-aligned, objects lie inside */
	uint32_t arena;	     /* HF_NO_ARENA for MMAPPED */
	uint8_t kind;	     /* enum hf_region_kind */
};

struct hf_range {
	uint64_t start, end;
};

/* Figures of one arena, in bytes and chunks; `free` ones count chunk sizes. */
struct hf_arena {
	uint64_t address;  /* of the malloc_state; of what the layer above has in its place */
	const char *layer; /* name of the allocator over malloc whose figures these are; or NULL */
	bool is_main;
	bool in_flux;	/* its lock was held: lists may be half updated */
	uint32_t heaps; /* heap_info segments (0 for a brk arena) */
	uint32_t attached_threads;
	uint64_t system_bytes, max_system_bytes;
	uint64_t aspace_bytes, aspace_mprotect_bytes;
	uint64_t top_bytes;
	uint64_t inuse_count, inuse_bytes; /* objects: tcache, overhead and free chunks excluded */
	uint64_t state_count[HF_CHUNK_STATES], state_bytes[HF_CHUNK_STATES]; /* by walk */
	uint64_t overhead_bytes; /* headers of heaps and arena, fenceposts, slack, foreign sbrk */
};

/* Free chunks in bins, whose link lists hold them; and free blocks and pools of a layer. */
static inline uint64_t hf_arena_bins_bytes(const struct hf_arena *arena)
{
	return arena->state_bytes[HF_CHUNK_FASTBIN] + arena->state_bytes[HF_CHUNK_UNSORTED] +
	       arena->state_bytes[HF_CHUNK_SMALL] + arena->state_bytes[HF_CHUNK_LARGE] +
	       arena->state_bytes[HF_CHUNK_LOST];
}

static inline uint64_t hf_arena_pools_bytes(const struct hf_arena *arena)
{
	return arena->state_bytes[HF_CHUNK_POOL] + arena->state_bytes[HF_CHUNK_UNUSED];
}

/* mallinfo2(3), as glibc would have returned it at that moment. */
struct hf_mallinfo2 {
	uint64_t arena, ordblks, smblks, hblks, hblkhd, usmblks, fsmblks, uordblks, fordblks,
	    keepcost;
};

/* One row of malloc_info(3) for an arena: <size from to total count>, in its order. */
struct hf_bin_row {
	uint32_t arena;
	uint8_t state; /* FASTBIN, UNSORTED, SMALL, LARGE */
	uint32_t bin;  /* index in its kind: fastbin index or bin number */
	uint64_t from_bytes, to_bytes, total_bytes, count;
	bool broken; /* a link is broken: not all of the list may have been found */
};

struct hf_thread_cache {
	uint32_t thread;  /* index in process->threads, HF_NO_INDEX if it cannot be told */
	uint32_t arena;	  /* the thread's arena, HF_NO_ARENA if unknown */
	uint64_t address; /* of the allocator's struct (an ALLOCATOR object); 0 if none */
	uint64_t count, bytes;
};

/* Who probably broke an invariant, and how. */
enum hf_blame {
	HF_BLAME_UNKNOWN,
	HF_BLAME_OVERFLOW,	 /* the culprit was written past its end */
	HF_BLAME_UNDERFLOW,	 /* the culprit was written before its start */
	HF_BLAME_USE_AFTER_FREE, /* the culprit was written to after free() */
	HF_BLAME_DOUBLE_FREE,	 /* the culprit was freed twice */
	HF_BLAME_WRONG_FREE,	 /* free() was given what malloc had not returned */
	HF_BLAMES
};

/* A broken invariant of the heap. Addresses are those that malloc returned, not headers. */
struct hf_finding {
	const char *code; /* static, kebab-case; stable */
	uint8_t severity; /* enum hf_severity; a note where lists may be half updated */
	uint8_t blame;	  /* enum hf_blame */
	bool has_found, has_expected;
	bool lockless;	    /* of a list that is changed without a lock */
	bool settled;	    /* no update passes through this state: never a note for that */
	bool met;	    /* the allocator met this itself and ended the process */
	uint8_t word_bytes; /* of the word: 1, 2, 4 or 8 */
	uint32_t arena;	    /* index in arenas; HF_NO_ARENA: of none in particular */
	uint64_t address;   /* the block, arena or list that is broken */
	uint64_t word;	    /* the word that holds what it should not; 0: none in particular */
	uint64_t found, expected; /* what the word holds, and what it should */
	uint64_t culprit;	  /* the block whose use probably did it; 0: unknown */
	const char *message;
	const char *abort_text; /* what the allocator says when it meets this; NULL: nothing */
};

HF_VEC(hf_findings, struct hf_finding);

/* Receives chunks in batches, in address order. */
typedef void hf_chunk_sink(void *ctx, const struct hf_chunk *chunks, uint32_t count);

struct hf_allocator;

struct hf_allocator_ops {
	const char *name; /* "glibc" */
	void (*destroy)(struct hf_allocator *allocator);
	/* Thread-safe for different regions. */
	void (*walk)(const struct hf_allocator *allocator, uint32_t region, hf_chunk_sink *sink,
		     void *ctx);
	/*
	 * The same on @threads threads, which pays for a big region; NULL where there is no such
	 * way. @sink is called by one of them at a time, in order; the result is that of walk.
	 */
	void (*walk_big)(const struct hf_allocator *allocator, uint32_t region, unsigned threads,
			 hf_chunk_sink *sink, void *ctx);
	/*
	 * Call once when every region has been walked: sums the walk's figures into arenas
	 * and fills gaps. Before it, inuse_*, state_* and overhead_bytes are zero.
	 */
	void (*finish)(struct hf_allocator *allocator);
	/*
	 * The same as a pull: up to @max chunks of @region from *@at on (0: its start) into
	 * @ret; *@at is moved on. Returns their number, less than @max at the end.
	 */
	uint32_t (*chunks)(const struct hf_allocator *allocator, uint32_t region, uint64_t *at,
			   struct hf_chunk *ret, uint32_t max);
	/* The chunk that contains @address (any state); false if none. May walk a region. */
	bool (*chunk_at)(const struct hf_allocator *allocator, uint64_t address,
			 struct hf_chunk *ret);
	struct hf_mallinfo2 (*mallinfo2)(const struct hf_allocator *allocator);
	/*
	 * What the walks and finish() found, into an index; and out of it, into a freshly probed
	 * allocator, in place of walking. False: the index is of another heap.
	 */
	void (*save)(const struct hf_allocator *allocator, struct hf_stash_writer *writer);
	bool (*load)(struct hf_allocator *allocator, const struct hf_stash *stash);
	/*
	 * Test every invariant that probe and walk have not met on their way, once; call it
	 * after finish(), and after the threads are unwound if what abort() was about is to
	 * be told. What is broken is added to findings and to the diagnostics.
	 */
	struct hf_error *(*check)(struct hf_allocator *allocator);
};

struct hf_allocator {
	const struct hf_allocator_ops *ops;
	char version[32];	/* "2.36"; with a trailing '?' if probed */
	char layout_source[32]; /* "DWARF", "table", "probing" */
	uint32_t granule;	/* alignment of objects, bytes: 16 or 8 */
	/* usable = chunk_size - overhead[kind], for each enum hf_object_kind */
	uint32_t overhead[HF_OBJECT_KINDS];
	HF_VEC(, struct hf_heap_region) regions; /* sorted, disjoint */
	HF_VEC(, struct hf_range) own;		 /* sorted, disjoint */
	HF_VEC(, struct hf_range) gaps; /* inside regions, but not the allocator's: foreign sbrk */
	HF_VEC(, struct hf_arena) arenas; /* ring order, main first */
	HF_VEC(, struct hf_bin_row) bins; /* non-empty ones */
	HF_VEC(, struct hf_thread_cache) caches;
	uint64_t mmapped_count, mmapped_bytes; /* found by the walk, whole mappings */
	uint64_t mmap_threshold, trim_threshold, top_pad, arena_max; /* mp_; 0 if unknown */
	struct hf_findings findings; /* broken invariants, the first of each code; see check */
	uint64_t findings_count;     /* without notes, but with those that were not kept */
	uint64_t lists_cut; /* free lists of which a part may be missing: it counts as in use */
	/* Where the chain of chunks was lost: each range counts as one block in use. */
	HF_VEC(, struct hf_range) doubtful;
	bool aborted;		   /* the process ended because the allocator called abort() */
	const char *abort_message; /* what the allocator said before SIGABRT; NULL if nothing */
};

/*
 * Find glibc's malloc in @process. NULL and *@ret NULL: there is none (a diagnostic says
 * what was looked for). @symbols may be NULL. @diags gets what is broken.
 */
struct hf_error *hf_glibc_probe(const struct hf_process *process, struct hf_symbols *symbols,
				struct hf_diags *diags, struct hf_allocator **ret);

/*
 * Find CPython's pymalloc, which takes its arenas beside @below's memory. *@ret NULL: there is
 * none. Both are then to be joined by hf_layered_create().
 */
struct hf_error *hf_pymalloc_probe(const struct hf_process *process,
				   const struct hf_symbols *symbols,
				   const struct hf_allocator *below, struct hf_diags *diags,
				   struct hf_allocator **ret);

/*
 * One allocator of two: the regions, arenas and findings of both; malloc's figures are @below's.
 * Owns both, also where it fails.
 */
struct hf_error *hf_layered_create(struct hf_allocator *below, struct hf_allocator *above,
				   struct hf_allocator **ret);

static inline void hf_allocator_destroy(struct hf_allocator *allocator)
{
	if (allocator)
		allocator->ops->destroy(allocator);
}

/* Findings and what goes with them, in sections named after @prefix. */
void hf_findings_save(const struct hf_allocator *allocator, const char *prefix,
		      struct hf_stash_writer *writer);
bool hf_findings_load(struct hf_allocator *allocator, const char *prefix,
		      struct hf_strpool *strings, const struct hf_stash *stash);

const char *hf_chunk_state_name(enum hf_chunk_state state); /* "inuse", "tcache", ... */
const char *hf_object_kind_name(enum hf_object_kind kind);  /* "malloc", "mmap", "allocator" */
const char *hf_blame_name(enum hf_blame blame);		    /* "overflow", "double free", ... */

#endif
