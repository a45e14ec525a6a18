/*
 * spans.h - sets of address ranges: sorted, disjoint, half open.
 */
#ifndef HF_HEAPWALK_SPANS_H
#define HF_HEAPWALK_SPANS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/vec.h"
#include "heapwalk/allocator.h"

HF_VEC(hf_spans, struct hf_range);

/* Add [start, end); empty ranges are left out. False when out of memory. */
bool hf_spans_add(struct hf_spans *spans, uint64_t start, uint64_t end);

/* Sort and merge what was added: afterwards sorted and disjoint. */
void hf_spans_normalize(struct hf_spans *spans);

/* Receives the parts of a range that are in no span, ascending; false stops. */
typedef bool hf_span_fn(void *ctx, uint64_t start, uint64_t end);

/* Call @fn for each part of [start, end) outside @spans; false if @fn returned false. */
bool hf_spans_outside(const struct hf_spans *spans, uint64_t start, uint64_t end, hf_span_fn *fn,
		      void *ctx);

#endif
