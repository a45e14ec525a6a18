/*
 * save_sort.h - private to heapwalk/query/: row ids in the order of an index.
 */
#ifndef HF_HEAPWALK_QUERY_SAVE_SORT_H
#define HF_HEAPWALK_QUERY_SAVE_SORT_H

#include "heapwalk/graph/graph.h"

/* Those with key k are order[ends[k - 1]] .. order[ends[k] - 1], and ascend. */
struct save_sorted {
	uint64_t keys;
	uint32_t *ends, *order;
};

/* 0 .. @count-1 by key_of(), which is below @keys. */
struct hf_error *save_sort(uint64_t count, uint64_t keys,
			   uint32_t (*key_of)(const void *ctx, uint32_t row), const void *ctx,
			   struct save_sorted *ret);
void save_sorted_deinit(struct save_sorted *sorted);

/* Objects by retained size. The caller frees *@ret. */
struct hf_error *save_sort_by_retained(const struct hf_graph *graph, uint32_t count,
				       uint32_t **ret);

#endif
