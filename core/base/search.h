/*
 * search.h - binary search in what is sorted, written once.
 *
 *	hf_first_not(from, end, at, before)	the first index of [from, end) for which the
 *						condition @before, of the index @at, does not
 *						hold; @end when it holds for all
 *	hf_range_at(data, count, address)	the element whose [start, end) holds @address, or
 *						NULL: of elements with these fields that are
 *						disjoint and ascending
 *
 * What @before holds for comes first: it does not hold again behind an index where it does not.
 * It is evaluated about log2(end - from) times, each other argument once.
 */
#ifndef HF_CORE_BASE_SEARCH_H
#define HF_CORE_BASE_SEARCH_H

#include <stddef.h>
#include <stdint.h>

#define hf_first_not(from, end, at, before)                                                        \
	({                                                                                         \
		__typeof__((end) + 0) hf_low_ = (from), hf_high_ = (end);                          \
		while (hf_low_ < hf_high_) {                                                       \
			__typeof__((end) + 0) at = hf_low_ + (hf_high_ - hf_low_) / 2;             \
			if (before)                                                                \
				hf_low_ = at + 1;                                                  \
			else                                                                       \
				hf_high_ = at;                                                     \
		}                                                                                  \
		hf_low_;                                                                           \
	})

/* Three ways, not hf_first_not(): most searches end before the last step. */
#define hf_range_at(data, count, address)                                                          \
	({                                                                                         \
		__typeof__((data) + 0) hf_data_ = (data), hf_found_ = NULL;                        \
		uint64_t hf_address_ = (address);                                                  \
		size_t hf_low_ = 0, hf_high_ = (count);                                            \
		while (hf_low_ < hf_high_) {                                                       \
			size_t hf_at_ = hf_low_ + (hf_high_ - hf_low_) / 2;                        \
			if (hf_address_ < hf_data_[hf_at_].start) {                                \
				hf_high_ = hf_at_;                                                 \
			} else if (hf_address_ >= hf_data_[hf_at_].end) {                          \
				hf_low_ = hf_at_ + 1;                                              \
			} else {                                                                   \
				hf_found_ = &hf_data_[hf_at_];                                     \
				break;                                                             \
			}                                                                          \
		}                                                                                  \
		hf_found_;                                                                         \
	})

#endif
