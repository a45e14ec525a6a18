/*
 * integrity.h - private to heapwalk/glibc/: the parts of the integrity check.
 */
#ifndef HF_HEAPWALK_GLIBC_INTEGRITY_H
#define HF_HEAPWALK_GLIBC_INTEGRITY_H

#include "heapwalk/glibc/glibc.h"

/* Free in the unsorted, a small or a large bin: the states that P bits and footers tell. */
bool glibc_is_binned(uint8_t state);

/* Bin of a free chunk of @size bytes, the unsorted bin aside. */
uint32_t glibc_bin_of(const struct glibc *glibc, uint64_t size);

/* tcache.c: may the entries' keys be one random word? Older ones are addresses, or user data. */
bool glibc_random_keys(const struct glibc *glibc);

void glibc_check_lists(struct glibc *glibc);
void glibc_check_tcaches(struct glibc *glibc);
void glibc_check_arenas(struct glibc *glibc);
/* Which block was malloc complaining of when it aborted? */
void glibc_check_abort(struct glibc *glibc);

#endif
