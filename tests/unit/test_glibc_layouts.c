/*
 * test_glibc_layouts.c - every layout of the table, 2.17 to 2.44, on 64 and 32 bits: a composed
 * process of that glibc is walked exactly, with libc's version known and unknown; and what changed
 * with versions beside the layouts: keys, mangled links, malloc's last words.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/glibc_model.h"

/*
 * Version, machine, word, alignment | malloc_state: size, fastbinsY, top, bins, next,
 * attached_threads, system_mem | heap_info | malloc_par: n_mmaps, n_mmaps_max, mmapped_mem,
 * sbrk_base, tcache_bins | tcache: chunk, bytes of a count, entries | inverted counts, struct as
 * key, random key, mangled links, trailer of mmapped chunks
 */
#define OLD 0, 0, 0, 0, 0, 0, 0, 0
/* clang-format off */
static const struct model_generation generations[] = {
    {"2.17", 17, EM_X86_64, 8, 16, 2184, 8, 88, 104, 2152, 0, 2168, 32, 40, 44, 56, 80, 0, OLD},
    {"2.22", 22, EM_X86_64, 8, 16, 2184, 8, 88, 104, 2152, 0, 2168, 32, 40, 44, 56, 80, 0, OLD},
    {"2.23", 23, EM_X86_64, 8, 16, 2192, 8, 88, 104, 2152, 2168, 2176, 32, 40, 44, 56, 80, 0, OLD},
    {"2.25", 25, EM_X86_64, 8, 16, 2192, 8, 88, 104, 2152, 2168, 2176, 32, 40, 44, 56, 72, 0, OLD},
    {"2.26", 26, EM_X86_64, 8, 16, 2192, 8, 88, 104, 2152, 2168, 2176, 32, 40, 44, 56, 72, 80,
     0x250, 1, 64, 0, 0, 0, 0, 0},
    {"2.27", 27, EM_X86_64, 8, 16, 2200, 16, 96, 112, 2160, 2176, 2184, 32, 40, 44, 56, 72, 80,
     0x250, 1, 64, 0, 0, 0, 0, 0},
    {"2.29", 29, EM_X86_64, 8, 16, 2200, 16, 96, 112, 2160, 2176, 2184, 32, 40, 44, 56, 72, 80,
     0x250, 1, 64, 0, 1, 0, 0, 0},
    {"2.30", 30, EM_X86_64, 8, 16, 2200, 16, 96, 112, 2160, 2176, 2184, 32, 40, 44, 56, 72, 80,
     0x290, 2, 128, 0, 1, 0, 0, 0},
    {"2.32", 32, EM_X86_64, 8, 16, 2200, 16, 96, 112, 2160, 2176, 2184, 32, 40, 44, 56, 72, 80,
     0x290, 2, 128, 0, 1, 0, 1, 0},
    {"2.34", 34, EM_X86_64, 8, 16, 2200, 16, 96, 112, 2160, 2176, 2184, 32, 40, 44, 56, 72, 80,
     0x290, 2, 128, 0, 0, 1, 1, 0},
    {"2.35", 35, EM_X86_64, 8, 16, 2200, 16, 96, 112, 2160, 2176, 2184, 48, 60, 64, 80, 96, 104,
     0x290, 2, 128, 0, 0, 1, 1, 0},
    {"2.42", 42, EM_X86_64, 8, 16, 2200, 16, 96, 112, 2160, 2176, 2184, 48, 60, 64, 80, 96, 104,
     0x300, 2, 152, 1, 0, 1, 1, 0},
    {"2.43", 43, EM_X86_64, 8, 16, 2112, 0, 8, 24, 2072, 2088, 2096, 48, 68, 72, 88, 104, 112,
     0x310, 2, 152, 1, 0, 1, 1, 1},
    {"2.44", 44, EM_X86_64, 8, 16, 2112, 0, 8, 24, 2072, 2088, 2096, 48, 68, 72, 88, 104, 112,
     0x300, 2, 152, 1, 0, 1, 1, 1},
    /* i386 to 2.25, arm32: chunks are aligned to 8 */
    {"2.17", 17, EM_386, 4, 8, 1104, 8, 48, 56, 1088, 0, 1096, 16, 20, 24, 36, 48, 0, OLD},
    {"2.22", 22, EM_386, 4, 8, 1104, 8, 48, 56, 1088, 0, 1096, 16, 20, 24, 36, 48, 0, OLD},
    {"2.23", 23, EM_386, 4, 8, 1108, 8, 48, 56, 1088, 1096, 1100, 16, 20, 24, 36, 48, 0, OLD},
    {"2.25", 25, EM_386, 4, 8, 1108, 8, 48, 56, 1088, 1096, 1100, 16, 20, 24, 36, 44, 0, OLD},
    {"2.31", 31, EM_ARM, 4, 8, 1112, 12, 52, 60, 1092, 1100, 1104, 16, 20, 24, 36, 44, 48,
     0x188, 2, 128, 0, 1, 0, 0, 0},
    {"2.36", 36, EM_ARM, 4, 8, 1112, 12, 52, 60, 1092, 1100, 1104, 24, 32, 36, 48, 56, 60,
     0x188, 2, 128, 0, 0, 1, 1, 0},
    {"2.43", 43, EM_ARM, 4, 8, 1068, 0, 8, 16, 1048, 1056, 1060, 24, 36, 40, 52, 60, 64,
     0x1d8, 2, 152, 1, 0, 1, 1, 1},
    /* i386 from 2.26 */
    {"2.26", 26, EM_386, 4, 16, 1112, 8, 52, 60, 1092, 1100, 1104, 24, 20, 24, 36, 44, 48,
     0x150, 1, 64, 0, 0, 0, 0, 0},
    {"2.27", 27, EM_386, 4, 16, 1116, 12, 56, 64, 1096, 1104, 1108, 24, 20, 24, 36, 44, 48,
     0x150, 1, 64, 0, 0, 0, 0, 0},
    {"2.30", 30, EM_386, 4, 16, 1116, 12, 56, 64, 1096, 1104, 1108, 24, 20, 24, 36, 44, 48,
     0x190, 2, 128, 0, 1, 0, 0, 0},
    {"2.33", 33, EM_386, 4, 16, 1116, 12, 56, 64, 1096, 1104, 1108, 24, 20, 24, 36, 44, 48,
     0x190, 2, 128, 0, 1, 0, 1, 0},
    {"2.35", 35, EM_386, 4, 16, 1116, 12, 56, 64, 1096, 1104, 1108, 24, 32, 36, 48, 56, 60,
     0x190, 2, 128, 0, 0, 1, 1, 0},
    {"2.43", 43, EM_386, 4, 16, 1068, 0, 8, 16, 1048, 1056, 1060, 24, 36, 40, 52, 60, 64,
     0x1e0, 2, 152, 1, 0, 1, 1, 1},
    {"2.44", 44, EM_386, 4, 16, 1068, 0, 8, 16, 1048, 1056, 1060, 24, 36, 40, 52, 60, 64,
     0x1d0, 2, 152, 1, 0, 1, 1, 1},
};
/* clang-format on */
enum { GENERATIONS = sizeof(generations) / sizeof(generations[0]) };

/* The model of the last version that comes with @word before or at 2.@minor. */
static struct model *create(int minor, unsigned word)
{
	char module[32];
	const struct model_generation *is = NULL;

	for (unsigned i = 0; i < GENERATIONS; i++) {
		if (generations[i].word == word && generations[i].minor <= minor)
			is = &generations[i];
	}
	snprintf(module, sizeof(module), "libc-2.%d.so", minor);
	return model_create(is, module);
}

/* ---- walks ---------------------------------------------------------------------------------- */

struct found {
	struct model_chunk chunks[MODEL_CHUNKS];
	unsigned count;
};

static void collect(void *ctx, const struct hf_chunk *chunks, uint32_t count)
{
	struct found *found = ctx;
	for (uint32_t i = 0; i < count && found->count < MODEL_CHUNKS; i++)
		found->chunks[found->count++] =
		    (struct model_chunk){chunks[i].address, chunks[i].size, chunks[i].state};
}

static int by_address(const void *a, const void *b)
{
	const struct model_chunk *x = a, *y = b;
	return (x->address > y->address) - (x->address < y->address);
}

/* Probe, walk and check the model's process as an analysis does. */
static void analyse(struct model *model, struct found *found)
{
	struct hf_allocator *allocator = NULL;

	assert_null(hf_glibc_probe(&model->process, NULL, model->diags, &model->allocator));
	allocator = model->allocator;
	assert_non_null(allocator);
	found->count = 0;
	for (uint32_t i = 0; i < allocator->regions.count; i++)
		allocator->ops->walk(allocator, i, collect, found);
	allocator->ops->finish(allocator);
	assert_null(allocator->ops->check(allocator));
	hf_vec_foreach (finding, &allocator->findings)
		print_message("%s at 0x%lx: %s\n", finding->code, (unsigned long)finding->address,
			      finding->message);
}

static void assert_walked(struct model *model)
{
	struct found found;

	analyse(model, &found);
	const struct hf_allocator *allocator = model->allocator;
	assert_int_equal(allocator->findings.count, 0);
	assert_int_equal(allocator->arenas.count, 2);
	qsort(model->chunks, model->count, sizeof(model->chunks[0]), by_address);
	qsort(found.chunks, found.count, sizeof(found.chunks[0]), by_address);
	assert_int_equal(found.count, model->count);
	for (unsigned i = 0; i < found.count; i++) {
		assert_int_equal(found.chunks[i].address, model->chunks[i].address);
		assert_int_equal(found.chunks[i].size, model->chunks[i].size);
		assert_string_equal(hf_chunk_state_name(found.chunks[i].state),
				    hf_chunk_state_name(model->chunks[i].state));
	}
	struct hf_mallinfo2 info = allocator->ops->mallinfo2(allocator);
	assert_int_equal(info.arena, 2 * MODEL_BYTES);
	assert_int_equal(info.fordblks, model->free_bytes);
	assert_int_equal(info.hblks, 1);
	assert_int_equal(info.hblkhd, MODEL_BYTES);
}

static void every_layout(void **state)
{
	(void)state;
	for (unsigned i = 0; i < GENERATIONS; i++) {
		const struct model_generation *is = &generations[i];
		char module[32];
		print_message("glibc %s, %u bytes a word, aligned to %u\n", is->version, is->word,
			      is->align);
		snprintf(module, sizeof(module), "libc-%s.so", is->version);
		struct model *model = model_create(is, module);
		assert_walked(model);
		assert_string_equal(model->allocator->version, is->version);
		assert_string_equal(model->allocator->layout_source, "table");
		model_destroy(model);
	}
}

static void every_layout_without_version(void **state)
{
	(void)state;
	for (unsigned i = 0; i < GENERATIONS; i++) {
		print_message("glibc %s, %u bytes a word, aligned to %u\n", generations[i].version,
			      generations[i].word, generations[i].align);
		struct model *model = model_create(&generations[i], "server");
		assert_walked(model);
		assert_string_equal(model->allocator->layout_source, "probing");
		model_destroy(model);
	}
}

/* A tcache's struct took a whole free chunk, whose rest would have been too small. */
static void cache_in_larger_chunk(void **state)
{
	(void)state;
	for (unsigned i = 0; i < GENERATIONS; i++) {
		struct model_generation larger = generations[i];
		if (larger.word != 8 || !larger.cache_chunk)
			continue;
		larger.cache_chunk += 16;
		struct model *model = model_create(&larger, "server");
		assert_walked(model);
		model_destroy(model);
	}
}

/* The cache of a thread that ended, which 2.26 kept. */
static void dead_threads_cache(void **state)
{
	(void)state;
	for (unsigned word = 4; word <= 8; word += 4) {
		struct model *model = create(26, word);
		model->process.threads.count = 1;
		assert_walked(model);
		model_destroy(model);
	}
}

/* ---- malloc's last words -------------------------------------------------------------------- */

static void abort_with(struct model *model, const char *words)
{
	model->process.info.signal = SIGABRT;
	model_put(model, MODEL_WORDS, 4096, 4);
	strcpy((char *)model_at(model, MODEL_WORDS + 4), words);
}

static uint64_t chunk_of_state(const struct model *model, uint8_t state)
{
	for (unsigned i = 0; i < model->count; i++) {
		if (model->chunks[i].state == state)
			return model->chunks[i].address;
	}
	return 0;
}

/* The message of @model names the first block of @state, and so does the one finding. */
static void names_block_of(struct model *model, unsigned word, uint8_t state)
{
	uint64_t mem = chunk_of_state(model, state) + 2ull * word;
	struct found found;
	char words[160];

	snprintf(words, sizeof(words),
		 "*** Error in `./it's: 0x1': double free or corruption (fasttop): 0x%0*lx ***\n",
		 (int)(2 * word), (unsigned long)mem);
	abort_with(model, words);
	analyse(model, &found);
	const struct hf_allocator *allocator = model->allocator;
	assert_true(allocator->aborted);
	assert_string_equal(allocator->abort_message, "double free or corruption (fasttop)");
	assert_int_equal(allocator->findings.count, 1);
	assert_string_equal(allocator->findings.data[0].code, "double-free");
	assert_int_equal(allocator->findings.data[0].address, mem);
	assert_true(allocator->findings.data[0].met);
}

/*
 * To 2.26 the message names the program and the block: no stack is needed to tell which, nor that
 * the block is still free (the backtrace that is printed takes memory).
 */
static void words_with_names(void **state)
{
	static const struct {
		int minor;
		unsigned word;
	} where[] = {{17, 8}, {22, 4}, {23, 8}, {26, 8}, {26, 4}};
	static const uint8_t states[] = {HF_CHUNK_FASTBIN, HF_CHUNK_INUSE};

	(void)state;
	for (unsigned i = 0; i < 2 * sizeof(where) / sizeof(where[0]); i++) {
		struct model *model = create(where[i / 2].minor, where[i / 2].word);
		names_block_of(model, where[i / 2].word, states[i % 2]);
		model_destroy(model);
	}
}

static void words_alone(void **state)
{
	struct model *model = create(27, 8);
	struct found found;

	(void)state;
	abort_with(model, "free(): invalid pointer\n");
	analyse(model, &found);
	assert_true(model->allocator->aborted);
	assert_string_equal(model->allocator->abort_message, "free(): invalid pointer");
	model_destroy(model);
}

/* Other guards' words, whatever the program's name, are not malloc's. */
static void words_of_others(void **state)
{
	struct model *model = create(23, 8);
	struct found found;

	(void)state;
	abort_with(model, "*** stack smashing detected ***: ./malloc terminated\n");
	analyse(model, &found);
	assert_false(model->allocator->aborted);
	model_destroy(model);
}

/* ---- what malloc would say ------------------------------------------------------------------- */

static const struct hf_finding *finding(const struct model *model, const char *code)
{
	hf_vec_foreach (one, &model->allocator->findings) {
		if (!strcmp(one->code, code))
			return one;
	}
	return NULL;
}

/* A top of no sane size: told by malloc from 2.29 on. */
static void says_of_top(void **state)
{
	(void)state;
	for (int minor = 28; minor <= 29; minor++) {
		struct model *model = create(minor, 8);
		struct found found;

		model_word(model, chunk_of_state(model, HF_CHUNK_TOP) + 8, 0x4141414141414141);
		analyse(model, &found);
		const struct hf_finding *one = finding(model, "top-size-broken");
		assert_non_null(one);
		if (minor == 28)
			assert_null(one->abort_text);
		else
			assert_string_equal(one->abort_text, "malloc(): corrupted top size");
		model_destroy(model);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_layout),	     cmocka_unit_test(every_layout_without_version),
	    cmocka_unit_test(cache_in_larger_chunk), cmocka_unit_test(dead_threads_cache),
	    cmocka_unit_test(words_with_names),	     cmocka_unit_test(words_alone),
	    cmocka_unit_test(words_of_others),	     cmocka_unit_test(says_of_top),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
