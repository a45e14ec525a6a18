/*
 * spans.c - sets of address ranges (see spans.h).
 *
 * Invariant after hf_spans_normalize(): data[i].end < data[i + 1].start.
 */
#include "core/base/search.h"
#include "heapwalk/spans.h"

#include <stdlib.h>

bool hf_spans_add(struct hf_spans *spans, uint64_t start, uint64_t end)
{
	struct hf_range range = {start, end};
	return start >= end || hf_vec_push(spans, range);
}

static int compare_start(const void *a, const void *b)
{
	const struct hf_range *x = a, *y = b;
	return (x->start > y->start) - (x->start < y->start);
}

void hf_spans_normalize(struct hf_spans *spans)
{
	size_t kept = 0;

	if (spans->count == 0)
		return;
	qsort(spans->data, spans->count, sizeof(*spans->data), compare_start);
	for (size_t i = 1; i < spans->count; i++) {
		struct hf_range *last = &spans->data[kept], *next = &spans->data[i];
		if (next->start > last->end)
			spans->data[++kept] = *next;
		else if (next->end > last->end)
			last->end = next->end;
	}
	spans->count = kept + 1;
}

/* Index of the first span that ends after @address. */
static size_t first_ending_after(const struct hf_spans *spans, uint64_t address)
{
	return hf_first_not(0, spans->count, i, spans->data[i].end <= address);
}

bool hf_spans_outside(const struct hf_spans *spans, uint64_t start, uint64_t end, hf_span_fn *fn,
		      void *ctx)
{
	for (size_t i = first_ending_after(spans, start); start < end; i++) {
		bool last = i >= spans->count || spans->data[i].start >= end;
		uint64_t stop = last ? end : spans->data[i].start;
		if (start < stop && !fn(ctx, start, stop))
			return false;
		if (last)
			break;
		start = spans->data[i].end;
	}
	return true;
}
