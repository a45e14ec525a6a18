/*
 * glibc_malloc.h - glibc's malloc internals by version, as offsets: glibc installs them nowhere.
 *
 * chunk (W = word; `mem` is what malloc returned):
 *
 *	chunk ->  +-----------------------------+
 *	          | prev_size (if prev is free) |	else the previous chunk's last user word
 *	          | size              | A | M | P |	A: not main arena, M: mmapped, P: prev used
 *	mem   ->  | fd                          |	user data while in use
 *	          | bk                          |
 *	          | fd_nextsize, bk_nextsize    |	large bins only
 *	next  ->  | prev_size = size if free    |
 *
 * struct malloc_state, relative to B = &bins[0]; only what stands before `top` varies:
 *
 *	mutex flags [have_fastchunks] [fastbinsY...] | top last_remainder | B: bins[254]
 *	| binmap[4] | next next_free [attached_threads] system_mem max_system_mem
 *
 * A heap of a thread arena, aligned to the heap maximum (64 MiB; 1 MiB on 32 bits):
 *
 *	| heap_info | malloc_state (first heap only) | chunks ... | unused, then PROT_NONE ... |
 *	            ^ ar_ptr of all heaps of the chain
 *
 * Everything here was measured on real processes of glibc 2.17 to 2.44.
 */
#ifndef HF_GLIBC_MALLOC_H
#define HF_GLIBC_MALLOC_H

#include <stdbool.h>
#include <stdint.h>

enum { GLIBC_PREV_INUSE = 1, GLIBC_IS_MMAPPED = 2, GLIBC_NON_MAIN = 4, GLIBC_FLAGS = 7 };

enum { GLIBC_BINS = 127, GLIBC_BIN_WORDS = 254, GLIBC_NONCONTIGUOUS = 2 };

/* struct malloc_par, as offsets in bytes; 0 where a field does not exist. */
struct glibc_par_layout {
	uint16_t hp_pagesize;
	uint16_t n_mmaps, n_mmaps_max, no_dyn_threshold; /* int */
	uint16_t mmapped_mem, sbrk_base;
	uint16_t tcache_bins, tcache_max_bytes, tcache_count;
	uint16_t size;
};

/* What a range of versions has in common. */
struct glibc_class {
	uint8_t first, last; /* minor versions: 35 .. 41 */
	uint8_t word;	     /* 4 or 8 */
	uint8_t align;	     /* of chunks: 16 or 8 */
	uint16_t fastbins;   /* offset in malloc_state; 0: there are none */
	uint16_t bins;	     /* offset of bins[0] */
	bool attached_threads;
	uint8_t heap_info;    /* sizeof */
	bool mangled;	      /* safe-linking: (address of the link >> 12) ^ pointer */
	bool mmapped_trailer; /* 2.43: mmapped chunk size is mapping - front - 2W */
	struct glibc_par_layout par;
};

/* All classes, oldest first; *@ret_count gets their number. */
const struct glibc_class *glibc_classes(unsigned *ret_count);

/*
 * tcache_perthread_struct, told by the size of the chunk that holds it: what it asks for, and what
 * is too little to be split off (2.43 asks for its padding twice).
 */
struct glibc_tcache_layout {
	uint8_t word;
	uint16_t smallest, largest; /* of the chunk */
	uint8_t bins;		    /* 64 or 76 */
	uint8_t small_bins;	    /* 64 */
	uint8_t count_bytes;	    /* 1 or 2 */
	uint16_t entries;	    /* offset of the pointers */
	bool inverted;		    /* counts are free slots (2.42) */
};

const struct glibc_tcache_layout *glibc_tcache_layout(uint8_t word, uint64_t chunk_size);

#endif
