/*
 * glibc.h - private to heapwalk/glibc/: what is known of the process's malloc.
 *
 * Order of work: find.c finds the main arenas and settles the layout; regions.c the memory
 * they manage; tcache.c and lists.c the free chunks; mmapped.c the chunks with mappings of
 * their own. Then walk.c can tell every chunk's state in one ascending pass.
 */
#ifndef HF_HEAPWALK_GLIBC_GLIBC_H
#define HF_HEAPWALK_GLIBC_GLIBC_H

#include <pthread.h>

#include "core/base/strpool.h"
#include "core/process/process.h"
#include "core/symbols/symbols.h"
#include "heapwalk/allocator.h"
#include "include/glibc_malloc.h"

struct glibc_layout {
	const struct glibc_class *class;
	uint8_t word;
	uint32_t align, min_size;
	uint32_t chunk_skew; /* chunk addresses are chunk_skew modulo align: 0, or 8 on i386 */
	uint32_t fastbins, fastbin_count, bins;
	uint32_t top, next, attached, system_mem, state_size; /* offsets in malloc_state */
	uint32_t heap_info;
	uint64_t heap_max;
	bool mangled;
};

struct glibc_free { /* a chunk on a free list */
	uint64_t chunk;
	uint32_t arena; /* of a bin or fastbin; thread index for tcache */
	uint16_t bin;
	uint8_t state; /* enum hf_chunk_state */
};

HF_VEC(glibc_free_list, struct glibc_free);

struct glibc_told {
	struct hf_finding finding;
	char *message;	  /* NULL: memory is missing, which is evidence and no finding */
	uint64_t missing; /* bytes */
	uint64_t nth;	  /* of its code in this region */
	uint64_t more;	  /* so many of its code came after it and were not kept */
};

struct glibc_region { /* beside allocator.regions: what only the walk needs */
	uint64_t top; /* chunk address of the top in this region, 0 if it has none */
	bool walked;
	uint64_t state_count[HF_CHUNK_STATES], state_bytes[HF_CHUNK_STATES];
	uint64_t allocator_count, allocator_bytes;
	uint64_t missing_bytes;
	HF_VEC(, uint64_t) checkpoints;	  /* a chunk's address every so often */
	HF_VEC(, struct hf_range) gaps;	  /* foreign memory inside */
	HF_VEC(, struct glibc_told) told; /* until all regions have been walked */
	HF_VEC(, struct hf_range) doubtful;
};

struct glibc {
	struct hf_allocator base;
	const struct hf_process *process;
	const struct hf_image *image;
	struct hf_symbols *symbols;
	struct hf_diags *diags;
	struct hf_strpool *strings;
	struct glibc_layout layout;
	uint64_t main_arena, par; /* addresses; par 0 if mp_ was not found */
	uint32_t libc_module;	  /* module that holds main_arena */
	int version;		  /* minor; 0 unknown */
	uint64_t
	    cut_key; /* what chunks of a tcache list that is cut bear; 0: none is, or unknown */
	uint64_t sbrk_base, n_mmaps, mmapped_mem, tcache_count;
	struct glibc_free_list free;	     /* sorted by chunk */
	HF_VEC(, struct glibc_region) walks; /* one a region */
	HF_VEC(, uint64_t) tcaches;	     /* sorted: mem of each tcache struct */
	struct hf_range mended; /* the mapping of a mmapped chunk whose header is broken */
	struct hf_mallinfo2 info;
	pthread_mutex_t findings_lock; /* regions are walked in parallel */
	unsigned twice_searches;       /* how often lists.c looked for a block in the tcaches */
	uint64_t named;		       /* the block that malloc's last words name; 0: none */
	bool died_in_malloc;	       /* the thread that died stood in malloc code */
	bool mid_malloc;	       /* another one stands there: lists may be half updated */
	bool checked;
	uint64_t present_bytes; /* of the whole image */
	bool lists_missing;	/* some free list leads to memory that is not in the core */
};

/* ---- reading --------------------------------------------------------------------------- */

static inline bool glibc_word(const struct glibc *glibc, uint64_t address, uint64_t *ret)
{
	return hf_image_word(glibc->image, address, ret);
}

/* The size word of @chunk, flags and all. */
static inline bool glibc_size_word(const struct glibc *glibc, uint64_t chunk, uint64_t *ret)
{
	return hf_image_word(glibc->image, chunk + glibc->layout.word, ret);
}

static inline bool glibc_aligned(const struct glibc *glibc, uint64_t chunk)
{
	return (chunk & (glibc->layout.align - 1)) == glibc->layout.chunk_skew;
}

/*
 * What malloc says of a tcache's or fastbin's link to @chunk, which is none: it looks at the
 * alignment only (from 2.32 on, when links became mangled). An aligned one it follows.
 */
static inline const char *glibc_unaligned_text(const struct glibc *glibc, uint64_t chunk,
					       const char *text)
{
	return glibc->layout.mangled && !glibc_aligned(glibc, chunk) ? text : NULL;
}

/* A link of a tcache or fastbin list, stored at @at. */
static inline uint64_t glibc_unmangle(const struct glibc *glibc, uint64_t at, uint64_t stored)
{
	return glibc->layout.mangled ? (at >> 12) ^ stored : stored;
}

/* Lowest chunk address at or above @address. */
static inline uint64_t glibc_first_chunk(const struct glibc *glibc, uint64_t address)
{
	uint64_t align = glibc->layout.align, word = glibc->layout.word;
	return ((address + 2 * word + align - 1) & ~(align - 1)) - 2 * word;
}

/* What malloc returned for the chunk at @chunk. */
static inline uint64_t glibc_mem(const struct glibc *glibc, uint64_t chunk)
{
	return chunk + 2ull * glibc->layout.word;
}

/* Bin 1 to 127 of @arena: the address of its head, seen as a chunk. */
static inline uint64_t glibc_bin_head(const struct glibc *glibc, uint32_t arena, uint32_t bin)
{
	uint64_t w = glibc->layout.word;
	return glibc->base.arenas.data[arena].address + glibc->layout.bins + 2 * w * (bin - 1) -
	       2 * w;
}

/* ---- the parts ----------------------------------------------------------------------------- */

/* find.c: main arena, layout, mp_. *@ret_found false: no glibc malloc here. */
struct hf_error *glibc_find(struct glibc *glibc, bool *ret_found);

/* regions.c: the arena ring and the memory of each arena. */
struct hf_error *glibc_find_regions(struct glibc *glibc);
struct hf_error *glibc_add_region(struct glibc *glibc, uint64_t start, uint64_t end, uint32_t arena,
				  enum hf_region_kind kind, uint64_t top);
/* Index of the region that contains @address, or UINT32_MAX. Needs sorted regions. */
uint32_t glibc_region_at(const struct glibc *glibc, uint64_t address);
struct hf_error *glibc_sort_regions(struct glibc *glibc);

/* mangling.c: whether links are mangled, by what they hold. Needs sorted regions. */
void glibc_settle_mangling(struct glibc *glibc);

/* mmapped.c */
struct hf_error *glibc_find_mmapped(struct glibc *glibc);
/* The mmapped chunk whose mapping starts at @start: chunk address and mapping's length. */
bool glibc_mmapped_at(const struct glibc *glibc, uint64_t start, uint64_t limit,
		      uint64_t *ret_chunk, uint64_t *ret_length);

/* tcache.c, then lists.c and bins.c: free chunks into glibc->free (unsorted until glibc_sort_free).
 */
struct hf_error *glibc_walk_lists(struct glibc *glibc);
struct hf_error *glibc_walk_bin(struct glibc *glibc, uint32_t arena, uint32_t bin);
struct hf_error *glibc_walk_tcaches(struct glibc *glibc);
/* May @chunk be a node of a list of @arena? */
bool glibc_plausible_node(const struct glibc *glibc, uint64_t chunk, uint32_t arena);
/* The first block of each list in @thread's tcache, if one is found near its thread pointer. */
void glibc_tcache_heads(const struct glibc *glibc, uint32_t thread,
			void (*visit)(void *ctx, uint64_t mem), void *ctx);
struct hf_error *glibc_add_free(struct glibc *glibc, uint64_t chunk, uint32_t owner, uint32_t bin,
				enum hf_chunk_state state);
struct hf_error *glibc_sort_free(struct glibc *glibc);
/* First free chunk at or above @chunk. */
size_t glibc_free_from(const struct glibc *glibc, uint64_t chunk);

/* walk.c: the ops, and a walk that keeps no figures and tells nothing. */
void glibc_walk_silently(const struct glibc *glibc, uint32_t region, hf_chunk_sink *sink,
			 void *ctx);
void glibc_walk(const struct hf_allocator *allocator, uint32_t region, hf_chunk_sink *sink,
		void *ctx);
/* walk_ahead.c: the same on several threads. */
void glibc_walk_big(const struct hf_allocator *allocator, uint32_t region, unsigned threads,
		    hf_chunk_sink *sink, void *ctx);
uint32_t glibc_chunks(const struct hf_allocator *allocator, uint32_t region, uint64_t *at,
		      struct hf_chunk *ret, uint32_t max);
bool glibc_chunk_at(const struct hf_allocator *allocator, uint64_t address, struct hf_chunk *ret);

/*
 * found.c: report a broken invariant. @arena HF_NO_ARENA: any. severity HF_SEV_ERROR becomes a
 * note where lists may be half updated. Thread-safe.
 */
void glibc_found(const struct glibc *glibc, uint32_t arena, struct hf_finding finding,
		 const char *fmt, ...) HF_PRINTF(4, 5);
/*
 * Regions are walked by several threads: what a walk finds is kept with its region, and told region
 * by region in the end, so that it does not matter who came first. glibc_missing(): memory that is
 * not there. glibc_doubtful(): the chain of chunks is lost there, which counts as one block in use.
 */
void glibc_tell_later(struct glibc_region *walk, struct hf_finding finding, const char *message);
void glibc_missing(struct glibc_region *walk, uint64_t start, uint64_t end);
void glibc_doubtful(struct glibc_region *walk, uint64_t start, uint64_t end);
void glibc_tell_walks(struct glibc *glibc);
void glibc_forget_told(struct glibc_region *walk);
/* True, and told, if a list leads to @address only because that memory is not in the core. */
bool glibc_list_cut(const struct glibc *glibc, uint64_t address);
/* says.c: what this glibc says where the newest one says @text; NULL: nothing. */
const char *glibc_says(const struct glibc *glibc, const char *text);
/* What malloc said before abort(), and whether some thread stands in malloc code. */
void glibc_read_crash(struct glibc *glibc);

/* integrity.c */
struct hf_error *glibc_check(struct hf_allocator *allocator);

/* figures.c */
void glibc_finish(struct hf_allocator *allocator);
struct hf_mallinfo2 glibc_mallinfo2(const struct hf_allocator *allocator);

/* saved.c: the walks into an index and out of it. */
void glibc_save(const struct hf_allocator *allocator, struct hf_stash_writer *writer);
bool glibc_load(struct hf_allocator *allocator, const struct hf_stash *stash);

#endif
