/*
 * lazy_sort.h - a sorted list of which only the beginning is ever looked at.
 *
 * A screen shows two dozen of perhaps a million rows. Incremental quicksort (Paredes and Navarro,
 * "Optimal Incremental Sorting", ALENEX 2006) sorts as far as it is asked, in place: the first k of
 * n rows cost O(n + k log k) in all, however often one asks.
 *
 *	data   | sorted |  a  P   b   P   c  |		P: pivots, in their final places (`stops`);
 *	       0      sorted  ^       ^    count	all of a is before P, all of b behind it
 */
#ifndef HF_HEAPWALK_EXPLORE_LAZY_SORT_H
#define HF_HEAPWALK_EXPLORE_LAZY_SORT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/vec.h"

/* A total order: of two different rows exactly one is before the other. */
typedef bool hf_before_fn(const void *ctx, uint32_t a, uint32_t b);

struct hf_lazy_sort {
	uint32_t *data; /* not owned */
	size_t count, sorted;
	HF_VEC(, size_t) stops;
	hf_before_fn *before;
	const void *ctx;
	uint64_t random;
};

/* Start over data[0 .. count); keeps the memory of an earlier use. */
void hf_lazy_sort_start(struct hf_lazy_sort *sort, uint32_t *data, size_t count,
			hf_before_fn *before, const void *ctx);
void hf_lazy_sort_deinit(struct hf_lazy_sort *sort);

/* Afterwards data[0 .. upto) is sorted (all of it, if upto is more). False: out of memory. */
bool hf_lazy_sort_upto(struct hf_lazy_sort *sort, size_t upto);

/* Where @row, which is in data, stands in the order; sorts that far. False: out of memory. */
bool hf_lazy_sort_place(struct hf_lazy_sort *sort, uint32_t row, size_t *ret);

#endif
