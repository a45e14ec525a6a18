/*
 * lazy_sort.c - incremental quicksort (see lazy_sort.h).
 *
 * Invariant: data[0 .. sorted) is final; stops ascends from its end to its start, its first is
 * `count`; an element between two stops belongs between the pivots that stand there.
 */
#include "heapwalk/explore/lazy_sort.h"

#include <stdlib.h>

enum { SMALL = 24 };

void hf_lazy_sort_start(struct hf_lazy_sort *sort, uint32_t *data, size_t count,
			hf_before_fn *before, const void *ctx)
{
	sort->data = data;
	sort->count = count;
	sort->sorted = 0;
	sort->stops.count = 0;
	sort->before = before;
	sort->ctx = ctx;
	sort->random = UINT64_C(0x9e3779b97f4a7c15);
}

void hf_lazy_sort_deinit(struct hf_lazy_sort *sort)
{
	hf_vec_free(&sort->stops);
}

static void swap(uint32_t *a, uint32_t *b)
{
	uint32_t kept = *a;
	*a = *b;
	*b = kept;
}

static void insertion_sort(const struct hf_lazy_sort *sort, size_t from, size_t to)
{
	for (size_t i = from + 1; i < to; i++) {
		uint32_t row = sort->data[i];
		size_t at = i;
		for (; at > from && sort->before(sort->ctx, row, sort->data[at - 1]); at--)
			sort->data[at] = sort->data[at - 1];
		sort->data[at] = row;
	}
}

/* A pivot that no arrangement of the rows makes bad on purpose: a random one. */
static size_t partition(struct hf_lazy_sort *sort, size_t from, size_t to)
{
	uint32_t *data = sort->data;
	size_t kept = from;

	sort->random = sort->random * UINT64_C(6364136223846793005) + 1442695040888963407u;
	swap(&data[from + (size_t)(sort->random >> 33) % (to - from)], &data[to - 1]);
	uint32_t pivot = data[to - 1];
	for (size_t i = from; i + 1 < to; i++) {
		if (sort->before(sort->ctx, data[i], pivot))
			swap(&data[i], &data[kept++]);
	}
	swap(&data[kept], &data[to - 1]);
	return kept;
}

bool hf_lazy_sort_upto(struct hf_lazy_sort *sort, size_t upto)
{
	upto = upto < sort->count ? upto : sort->count;
	if (sort->stops.count == 0 && !hf_vec_push(&sort->stops, sort->count))
		return false;
	while (sort->sorted < upto) {
		size_t stop = sort->stops.data[sort->stops.count - 1];
		if (sort->sorted == stop) {
			sort->stops.count--;
			sort->sorted++;
		} else if (stop - sort->sorted <= SMALL) {
			insertion_sort(sort, sort->sorted, stop);
			sort->sorted = stop;
		} else if (!hf_vec_push(&sort->stops, partition(sort, sort->sorted, stop))) {
			return false;
		}
	}
	return true;
}

bool hf_lazy_sort_place(struct hf_lazy_sort *sort, uint32_t row, size_t *ret)
{
	size_t place = 0;

	for (size_t i = 0; i < sort->count; i++)
		place += sort->data[i] != row && sort->before(sort->ctx, sort->data[i], row);
	if (!hf_lazy_sort_upto(sort, place + 1))
		return false;
	*ret = place;
	return true;
}
