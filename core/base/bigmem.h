/*
 * bigmem.h - big flat arrays: zeroed, page-backed, on huge pages where the kernel has them.
 *
 * Random walks over a heap's arrays are bound by memory latency and by TLB misses; huge
 * pages take away the second. Pages that are never touched cost nothing. An account adds
 * up what is held and remembers the peak, for `make bench`; it is not thread-safe.
 */
#ifndef HF_CORE_BASE_BIGMEM_H
#define HF_CORE_BASE_BIGMEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"

struct hf_bigmem_account {
	uint64_t now, peak; /* bytes */
};

/*
 * From now on big arrays lie in files without a name in @folder, not in memory: the kernel writes
 * what does not fit to them (--work-dir). For the whole process; call it before anything is
 * allocated and before there are threads. NULL: in memory again.
 */
struct hf_error *hf_bigmem_use_folder(const char *folder);

bool hf_bigmem_in_folder(void);

/* The folder, and why an array could not be made in it; NULL: all could. */
const char *hf_bigmem_full_folder(int *ret_errno);

/* @bytes of zeroed memory, NULL when there is none. 0 bytes give a valid pointer. */
void *hf_bigmem_alloc(struct hf_bigmem_account *account, size_t bytes);

/* The same for what will be filled anyway: it may hold what a freed block held. */
void *hf_bigmem_take(struct hf_bigmem_account *account, size_t bytes);

/* Grow or shrink; contents up to the smaller size are kept, the rest is zero. NULL: unchanged. */
void *hf_bigmem_resize(struct hf_bigmem_account *account, void *memory, size_t old_bytes,
		       size_t bytes);

/* @bytes as it was allocated. NULL memory is allowed. */
void hf_bigmem_free(struct hf_bigmem_account *account, void *memory, size_t bytes);

/* Note @bytes that were taken without the account, by several threads, or (negative) given back. */
void hf_bigmem_charge(struct hf_bigmem_account *account, int64_t bytes);

/*
 * What was freed is kept for the arrays to come, of the whole process. Give it back to the system
 * but for about @keep bytes, when not so many will come.
 */
void hf_bigmem_trim(size_t keep);

/* Accounts apart, which may be NULL (nothing is added up then), any thread may call all these. */

#endif
