/*
 * test_walk_ahead.c - a big region walked on several threads gives what one walk gives: the
 * chunks, figures, checkpoints, gaps and diagnostics, in heaps of random chunks, sound and broken.
 *
 *	| in use | tcache | in use (its data: what looks like headers) | unsorted | ... | top |
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "heapwalk/glibc/glibc.h"

enum { HEAP_BYTES = 20 << 20, TOP_BYTES = 1 << 16, ROUNDS = 8, DAMAGES = 20 };

static const uint64_t START = UINT64_C(0x555500000000);

struct heap {
	struct glibc glibc;
	struct hf_image image;
	struct hf_process process;
	struct glibc_class class;
};

struct chunks {
	HF_VEC(, struct hf_chunk) list;
};

static uint64_t random_next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static void put(uint8_t *bytes, uint64_t at, uint64_t value)
{
	memcpy(bytes + at, &value, sizeof(value));
}

/*
 * What a program may have written into a block: addresses and small numbers; or, where @fakes, what
 * looks like a chain of chunks, which leads to the true ones behind it.
 */
static void fill_block(uint8_t *bytes, uint64_t from, uint64_t to, bool fakes, uint64_t *random)
{
	for (uint64_t at = from; at + 8 <= to; at += 8) {
		uint64_t number = (random_next(random) % 64 * 16) | 1;
		uint64_t address = START + random_next(random) % HEAP_BYTES;
		if (fakes)
			put(bytes, at, at % 16 ? 0x21 : 0);
		else
			put(bytes, at, random_next(random) % 4 ? address : number);
	}
}

/* Chunks up to the top; those on lists are noted. */
static uint64_t fill_heap(uint8_t *bytes, struct glibc_free_list *list, uint64_t *random)
{
	uint64_t at = 0, flags = GLIBC_PREV_INUSE;

	while (at < HEAP_BYTES - TOP_BYTES) {
		uint64_t kind = random_next(random) % 1000 / 10;
		uint64_t size = 32 + random_next(random) % (kind == 0 ? 20000 : 16) * 16;
		bool last = at + size >= HEAP_BYTES - TOP_BYTES;
		bool binned = kind > 90 && (flags & GLIBC_PREV_INUSE) && !last, cached = kind > 80;
		put(bytes, at + 8, size | flags);
		if (at + size > HEAP_BYTES - 4096)
			break;
		fill_block(bytes, at + 16, at + size, kind == 0 && size % 32, random);
		flags = GLIBC_PREV_INUSE;
		if (binned || cached) {
			struct glibc_free entry = {START + at, 0, 0,
						   binned ? HF_CHUNK_UNSORTED : HF_CHUNK_TCACHE};
			assert_true(hf_vec_push(list, entry));
		}
		if (binned) {
			put(bytes, at + size, size);
			flags = 0;
		}
		at += size;
	}
	put(bytes, at + 8, (HEAP_BYTES - at) | flags);
	return START + at;
}

static void open_heap(struct heap *heap, const uint8_t *bytes, const struct glibc_free_list *list,
		      uint64_t top)
{
	struct hf_segment segment = {.start = START,
				     .end = START + HEAP_BYTES,
				     .present = HEAP_BYTES,
				     .data = bytes,
				     .source = HF_SEGMENT_CORE};
	struct glibc *glibc = &heap->glibc;

	memset(heap, 0, sizeof(*heap));
	heap->image.word_bytes = 8;
	heap->image.page_bytes = 4096;
	assert_true(hf_vec_push(&heap->image.segments, segment));
	glibc->process = &heap->process;
	glibc->image = &heap->image;
	glibc->layout =
	    (struct glibc_layout){.class = &heap->class, .word = 8, .align = 16, .min_size = 32};
	glibc->main_arena = 1;
	glibc->free = *list;
	assert_null(hf_diags_create(&glibc->diags));
	assert_null(hf_strpool_create(&glibc->strings));
	pthread_mutex_init(&glibc->findings_lock, NULL);
	assert_true(
	    hf_vec_push(&glibc->base.regions,
			(struct hf_heap_region){START, START + HEAP_BYTES, 0, HF_REGION_BRK}));
	assert_true(hf_vec_push(&glibc->base.arenas, (struct hf_arena){.is_main = true}));
	assert_true(hf_vec_push(&glibc->walks, (struct glibc_region){.top = top}));
	/* One block early in the heap is a thread's cache. */
	assert_true(hf_vec_push(&glibc->tcaches, START + HEAP_BYTES / 2));
}

static void close_heap(struct heap *heap)
{
	struct glibc *glibc = &heap->glibc;

	hf_diags_destroy(glibc->diags);
	hf_strpool_destroy(glibc->strings);
	pthread_mutex_destroy(&glibc->findings_lock);
	free(glibc->base.regions.data);
	free(glibc->base.arenas.data);
	free(glibc->base.findings.data);
	free(glibc->base.doubtful.data);
	free(glibc->walks.data[0].checkpoints.data);
	free(glibc->walks.data[0].gaps.data);
	free(glibc->walks.data);
	free(glibc->tcaches.data);
	hf_image_deinit(&heap->image);
}

static void collect(void *ctx, const struct hf_chunk *chunks, uint32_t count)
{
	struct chunks *found = ctx;
	for (uint32_t i = 0; i < count; i++)
		assert_true(hf_vec_push(&found->list, chunks[i]));
}

static void assert_same_walk(const struct heap *a, const struct heap *b)
{
	const struct glibc_region *x = &a->glibc.walks.data[0], *y = &b->glibc.walks.data[0];

	assert_memory_equal(x->state_count, y->state_count, sizeof(x->state_count));
	assert_memory_equal(x->state_bytes, y->state_bytes, sizeof(x->state_bytes));
	assert_int_equal(x->allocator_count, y->allocator_count);
	assert_int_equal(x->allocator_bytes, y->allocator_bytes);
	assert_int_equal(x->missing_bytes, y->missing_bytes);
	assert_int_equal(x->gaps.count, y->gaps.count);
	assert_int_equal(x->checkpoints.count, y->checkpoints.count);
	assert_memory_equal(x->checkpoints.data, y->checkpoints.data,
			    x->checkpoints.count * sizeof(*x->checkpoints.data));
	assert_int_equal(a->glibc.base.findings_count, b->glibc.base.findings_count);
	assert_int_equal(a->glibc.base.doubtful.count, b->glibc.base.doubtful.count);
	assert_int_equal(hf_diags_count(a->glibc.diags), hf_diags_count(b->glibc.diags));
	for (size_t i = 0; i < hf_diags_count(a->glibc.diags); i++) {
		const struct hf_diag *p = hf_diags_get(a->glibc.diags, i);
		const struct hf_diag *q = hf_diags_get(b->glibc.diags, i);
		assert_int_equal(p->address, q->address);
		assert_string_equal(p->message, q->message);
	}
}

static void assert_same_chunks(const struct chunks *a, const struct chunks *b)
{
	assert_int_equal(a->list.count, b->list.count);
	for (size_t i = 0; i < a->list.count; i++) {
		const struct hf_chunk *x = &a->list.data[i], *y = &b->list.data[i];
		assert_int_equal(x->address, y->address);
		assert_int_equal(x->size, y->size);
		assert_int_equal(x->object, y->object);
		assert_int_equal(x->usable, y->usable);
		assert_int_equal(x->arena, y->arena);
		assert_int_equal(x->state, y->state);
		assert_int_equal(x->kind, y->kind);
	}
}

static void walk_both_ways(const uint8_t *bytes, const struct glibc_free_list *list, uint64_t top)
{
	struct heap one, many;
	struct chunks by_one = {0}, by_many = {0};

	open_heap(&one, bytes, list, top);
	open_heap(&many, bytes, list, top);
	glibc_walk(&one.glibc.base, 0, collect, &by_one);
	glibc_walk_big(&many.glibc.base, 0, 3, collect, &by_many);
	glibc_tell_walks(&one.glibc);
	glibc_tell_walks(&many.glibc);
	assert_same_chunks(&by_one, &by_many);
	assert_same_walk(&one, &many);
	close_heap(&one);
	close_heap(&many);
	free(by_one.list.data);
	free(by_many.list.data);
}

static void test_walks(void **state)
{
	uint8_t *bytes = malloc(HEAP_BYTES);
	uint64_t random = 88172645463325252;
	(void)state;

	assert_non_null(bytes);
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct glibc_free_list list = {0};
		memset(bytes, 0, HEAP_BYTES);
		uint64_t top = fill_heap(bytes, &list, &random);
		walk_both_ways(bytes, &list, top);
		/* Words, anywhere, become what looks like a size, or does not. */
		for (unsigned i = 0; i < DAMAGES * (round + 1); i++)
			put(bytes, random_next(&random) % (HEAP_BYTES / 8) * 8,
			    i % 2 ? random_next(&random)
				  : random_next(&random) % 256 * 16 + random_next(&random) % 2);
		walk_both_ways(bytes, &list, top);
		/* Not known which are free, or where the top is. */
		list.count /= 2;
		walk_both_ways(bytes, &list, 0);
		free(list.data);
	}
	free(bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_walks)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
