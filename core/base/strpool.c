/*
 * strpool.c - strings packed into blocks (see strpool.h).
 *
 * Invariant: a block is never moved, so strings handed out stay where they are.
 */
#include "core/base/strpool.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_BYTES = 16 * 1024 };

struct block {
	struct block *next;
	size_t used, size;
	char bytes[];
};

struct hf_strpool {
	struct block *blocks;
};

struct hf_error *hf_strpool_create(struct hf_strpool **ret)
{
	struct hf_strpool *pool = calloc(1, sizeof(*pool));
	if (!pool)
		return hf_error_nomem();
	*ret = pool;
	return NULL;
}

void hf_strpool_destroy(struct hf_strpool *pool)
{
	if (!pool)
		return;
	while (pool->blocks) {
		struct block *next = pool->blocks->next;
		free(pool->blocks);
		pool->blocks = next;
	}
	free(pool);
}

static char *take(struct hf_strpool *pool, size_t bytes)
{
	struct block *block = pool->blocks;
	if (!block || block->size - block->used < bytes) {
		size_t size = bytes > BLOCK_BYTES ? bytes : BLOCK_BYTES;
		block = malloc(sizeof(*block) + size);
		if (!block)
			return NULL;
		*block = (struct block){pool->blocks, 0, size};
		pool->blocks = block;
	}
	char *at = block->bytes + block->used;
	block->used += bytes;
	return at;
}

void *hf_strpool_block(struct hf_strpool *pool, size_t bytes)
{
	enum { ALIGN = _Alignof(max_align_t) };
	char *room = bytes < SIZE_MAX - ALIGN ? take(pool, bytes + ALIGN) : NULL;
	if (!room)
		return NULL;
	room += (ALIGN - (uintptr_t)room % ALIGN) % ALIGN;
	return memset(room, 0, bytes);
}

const char *hf_strpool_dup(struct hf_strpool *pool, const char *text)
{
	size_t bytes = strlen(text) + 1;
	char *copy = take(pool, bytes);
	return copy ? memcpy(copy, text, bytes) : NULL;
}

const char *hf_strpool_printf(struct hf_strpool *pool, const char *fmt, ...)
{
	va_list ap, again;
	va_start(ap, fmt);
	va_copy(again, ap);
	int length = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	char *copy = length < 0 ? NULL : take(pool, (size_t)length + 1);
	if (copy)
		vsnprintf(copy, (size_t)length + 1, fmt, again);
	va_end(again);
	return copy;
}
