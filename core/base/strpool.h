/*
 * strpool.h - strings that live as long as their pool: many small allocations, one release.
 */
#ifndef HF_CORE_BASE_STRPOOL_H
#define HF_CORE_BASE_STRPOOL_H

#include <stddef.h>

#include "core/base/error.h"

struct hf_strpool;

struct hf_error *hf_strpool_create(struct hf_strpool **ret);
void hf_strpool_destroy(struct hf_strpool *pool);

/* Copies owned by the pool; NULL when out of memory. Not thread-safe. */
const char *hf_strpool_dup(struct hf_strpool *pool, const char *text);
const char *hf_strpool_printf(struct hf_strpool *pool, const char *fmt, ...) HF_PRINTF(2, 3);

/* @bytes of zeroed memory, aligned for anything, that lives as long as the strings. */
void *hf_strpool_block(struct hf_strpool *pool, size_t bytes);

#endif
