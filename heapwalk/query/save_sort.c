/*
 * save_sort.c - sorting by counting: linear, stable, and nothing is moved but row ids.
 *
 * Retained sizes are small for nearly all objects of a heap: those below SMALL take one count.
 * The others follow, sorted digit by digit, the least significant first.
 */
#include "heapwalk/query/save_sort.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/cleanup.h"

enum { DIGIT_BITS = 11, DIGITS = 1 << DIGIT_BITS, SMALL = 1 << 16, PREFETCH = 16 };

void save_sorted_deinit(struct save_sorted *sorted)
{
	free(sorted->ends);
	free(sorted->order);
	*sorted = (struct save_sorted){0};
}

struct hf_error *save_sort(uint64_t count, uint64_t keys,
			   uint32_t (*key_of)(const void *ctx, uint32_t row), const void *ctx,
			   struct save_sorted *ret)
{
	uint32_t *ends = calloc(keys + 2, sizeof(*ends));
	uint32_t *order = malloc((count + 1) * sizeof(*order));

	if (!ends || !order) {
		free(ends);
		free(order);
		return hf_error_nomem();
	}
	for (uint64_t i = 0; i < count; i++)
		ends[key_of(ctx, (uint32_t)i) + 1]++;
	for (uint64_t key = 0; key < keys; key++)
		ends[key + 1] += ends[key];
	/* ends[k] is where k begins; as its rows are placed, it becomes where it ends. */
	for (uint64_t i = 0; i < count; i++) {
		if (i + PREFETCH < count)
			__builtin_prefetch(&ends[key_of(ctx, (uint32_t)(i + PREFETCH))], 1);
		order[ends[key_of(ctx, (uint32_t)i)]++] = (uint32_t)i;
	}
	*ret = (struct save_sorted){keys, ends, order};
	return NULL;
}

/* @order's @count objects by retained size, through @other, digit by digit. */
static void sort_by_digits(const struct hf_graph *graph, uint32_t *order, uint32_t *other,
			   uint32_t count, uint64_t most)
{
	uint32_t *from = order, *to = other;

	for (unsigned shift = 0; shift < 64 && most >> shift; shift += DIGIT_BITS) {
		uint32_t starts[DIGITS + 1] = {0}, *swap = from;
		for (uint32_t i = 0; i < count; i++)
			starts[(hf_graph_retained(graph, from[i]) >> shift) % DIGITS + 1]++;
		for (unsigned digit = 0; digit < DIGITS; digit++)
			starts[digit + 1] += starts[digit];
		for (uint32_t i = 0; i < count; i++) {
			uint64_t retained = hf_graph_retained(graph, from[i]);
			to[starts[(retained >> shift) % DIGITS]++] = from[i];
		}
		from = to;
		to = swap;
	}
	if (from != order)
		memcpy(order, from, count * sizeof(*order));
}

struct hf_error *save_sort_by_retained(const struct hf_graph *graph, uint32_t count, uint32_t **ret)
{
	HF_AUTO(free_ptr) uint32_t *starts = calloc(SMALL + 2, sizeof(*starts));
	uint32_t *order = malloc((count + 1ull) * sizeof(*order));
	uint64_t most = 0;

	if (!starts || !order) {
		free(order);
		return hf_error_nomem();
	}
	/* The large ones are one group, behind all others. */
	for (uint32_t i = 0; i < count; i++) {
		uint64_t retained = hf_graph_retained(graph, i);
		starts[(retained < SMALL ? retained : SMALL) + 1]++;
		most |= retained;
	}
	for (uint32_t size = 0; size <= SMALL; size++)
		starts[size + 1] += starts[size];
	uint32_t first_large = starts[SMALL], large = count - first_large;
	for (uint32_t i = 0; i < count; i++) {
		uint64_t retained = hf_graph_retained(graph, i);
		order[starts[retained < SMALL ? retained : SMALL]++] = i;
	}
	HF_AUTO(free_ptr) uint32_t *other = malloc((large + 1ull) * sizeof(*other));
	if (!other) {
		free(order);
		return hf_error_nomem();
	}
	sort_by_digits(graph, order + first_large, other, large, most);
	*ret = order;
	return NULL;
}
