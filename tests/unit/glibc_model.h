/*
 * glibc_model.h - a process with any glibc's malloc, composed byte by byte, without any core.
 *
 *	DATA    mp_ ... main_arena          libc's writable data, or a static program's
 *	BRK     | in use | fastbin | tcache | unsorted | small | large | top |
 *	HEAP    | heap_info | malloc_state | the same ...                    |
 *	MAPPED  | one mmapped chunk |
 *	TLS     slots near two threads' thread pointers, each with the address of its tcache
 *
 * A generation says what a range of versions has in common, as offsets that libc's own DWARF gives
 * (glibc built from the release's tag): they are not taken from heapwalk/glibc/layout.c, for they
 * are held against it. All addresses fit into 32 bits, so that one map serves both widths.
 */
#ifndef HF_TESTS_GLIBC_MODEL_H
#define HF_TESTS_GLIBC_MODEL_H

#include <elf.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/process/private.h"
#include "heapwalk/allocator.h"

#define MODEL_BRK    UINT64_C(0x56600000)
#define MODEL_HEAP   UINT64_C(0xf4000000) /* a multiple of 64 MiB */
#define MODEL_MAPPED UINT64_C(0xf6000000)
#define MODEL_TLS    UINT64_C(0xf7100000)
#define MODEL_DATA   UINT64_C(0xf7200000)
#define MODEL_WORDS  UINT64_C(0xf7300000) /* malloc's last ones */
#define MODEL_PAR    (MODEL_DATA + 0x440)
#define MODEL_ARENA  (MODEL_DATA + 0xd80)
#define MODEL_KEY    UINT64_C(0x7e57c0de) /* random, or user data that looks the same everywhere */

enum {
	MODEL_AREAS = 6,
	MODEL_BYTES = 0x8000, /* of each area */
	MODEL_CHUNKS = 64,
	MODEL_FREE = 3, /* chunks on each list */
	MODEL_SLOT = 0x50,
	SMALL_BYTES = 0x90,
	FAST_BYTES = 0x30,
	CACHED_BYTES = 0x60,
	LARGE_BYTES = 0x800,
};

struct model_generation {
	const char *version;
	int minor;
	uint16_t machine, word, align;
	/* struct malloc_state; attached 0, fastbins 0: there is none */
	uint16_t state_bytes, fastbins, top, bins, next, attached, system_mem;
	uint16_t heap_info_bytes;
	/* struct malloc_par */
	uint16_t n_mmaps, n_mmaps_max, mmapped_mem, sbrk_base, tcache_bins;
	/* the chunk of a tcache_perthread_struct; 0: there is none */
	uint16_t cache_chunk, count_bytes, entries;
	bool inverted, struct_keys, random_keys, mangled, trailer;
};

struct model_chunk {
	uint64_t address, size;
	uint8_t state;
};

struct model_area {
	uint64_t start;
	uint8_t kind; /* enum hf_mapping_kind */
	uint8_t bytes[MODEL_BYTES];
};

struct model {
	const struct model_generation *is;
	struct model_area areas[MODEL_AREAS];
	struct model_chunk chunks[MODEL_CHUNKS];
	unsigned count;
	char module[32];
	uint64_t free_bytes; /* in bins and tops: mallinfo's fordblks */
	struct hf_process_private priv;
	struct hf_process process;
	struct hf_diags *diags;
	struct hf_allocator *allocator;
};

/* ---- memory ------------------------------------------------------------------------------- */

static inline uint8_t *model_at(struct model *model, uint64_t address)
{
	for (unsigned i = 0; i < MODEL_AREAS; i++) {
		struct model_area *area = &model->areas[i];
		if (address >= area->start && address - area->start < MODEL_BYTES)
			return area->bytes + (address - area->start);
	}
	abort();
}

static inline void model_put(struct model *model, uint64_t address, uint64_t value, unsigned bytes)
{
	memcpy(model_at(model, address), &value, bytes); /* little endian, as the machine */
}

static inline void model_word(struct model *model, uint64_t address, uint64_t value)
{
	model_put(model, address, value, model->is->word);
}

/* A link of a tcache or fastbin, stored at @at. */
static inline void model_link(struct model *model, uint64_t at, uint64_t to)
{
	model_word(model, at, model->is->mangled ? at >> 12 ^ to : to);
}

/* ---- an arena's chunks ---------------------------------------------------------------------- */

struct model_arena {
	struct model *model;
	uint64_t address, at, end;
	bool is_main, previous_free;
	uint64_t previous_bytes;
};

static inline uint64_t model_mem(const struct model_arena *arena, uint64_t chunk)
{
	return chunk + 2u * arena->model->is->word;
}

static inline uint64_t model_first_chunk(const struct model_generation *is, uint64_t at)
{
	return ((at + 2u * is->word + is->align - 1) & ~(uint64_t)(is->align - 1)) - 2u * is->word;
}

static inline uint64_t model_chunk(struct model_arena *arena, uint64_t bytes, uint8_t state)
{
	struct model *model = arena->model;
	uint64_t chunk = arena->at, w = model->is->word;
	bool binned =
	    state == HF_CHUNK_UNSORTED || state == HF_CHUNK_SMALL || state == HF_CHUNK_LARGE;
	bool top = state == HF_CHUNK_TOP;

	if (arena->previous_free)
		model_word(model, chunk, arena->previous_bytes);
	model_word(model, chunk + w,
		   bytes | !arena->previous_free | (arena->is_main || binned || top ? 0 : 4));
	model->chunks[model->count++] = (struct model_chunk){chunk, bytes, state};
	if (binned || top || state == HF_CHUNK_FASTBIN)
		model->free_bytes += bytes;
	arena->previous_free = binned;
	arena->previous_bytes = bytes;
	arena->at += bytes;
	return chunk;
}

/* MODEL_FREE chunks of @state and about @bytes, each with a block in use behind it. */
static inline void model_kept_apart(struct model_arena *arena, uint64_t bytes, unsigned step,
				    uint8_t state, uint64_t ret[MODEL_FREE])
{
	for (unsigned i = 0; i < MODEL_FREE; i++) {
		ret[i] = model_chunk(arena, bytes - i * step, state);
		model_chunk(arena, 0x40, HF_CHUNK_INUSE);
	}
}

/* A circle through the head of @bin. */
static inline void model_bin(struct model_arena *arena, unsigned bin, const uint64_t *chunks)
{
	struct model *model = arena->model;
	uint64_t w = model->is->word;
	uint64_t head = arena->address + model->is->bins + 2 * w * (bin - 1) - 2 * w, before = head;

	for (unsigned i = 0; i < MODEL_FREE; i++) {
		model_word(model, before + 2 * w, chunks[i]);
		model_word(model, chunks[i] + 3 * w, before);
		before = chunks[i];
	}
	model_word(model, before + 2 * w, head);
	model_word(model, head + 3 * w, before);
	uint64_t map = arena->address + model->is->bins + 254 * w + bin / 32 * 4;
	*model_at(model, map + bin % 32 / 8) |= (uint8_t)(1u << bin % 8);
}

static inline void model_bins(struct model_arena *arena)
{
	const struct model_generation *is = arena->model->is;
	bool wide = is->word == 8, skewed = !wide && is->align == 16;
	unsigned w = is->word, large = (wide ? 48 : skewed ? 49 : 56) + LARGE_BYTES / 64;
	uint64_t chunks[MODEL_FREE];

	model_kept_apart(arena, 0x420, 0x100, HF_CHUNK_UNSORTED, chunks);
	model_bin(arena, 1, chunks);
	model_kept_apart(arena, SMALL_BYTES, 0, HF_CHUNK_SMALL, chunks);
	model_bin(arena, SMALL_BYTES / (wide || skewed ? 16 : 8) + skewed, chunks);
	model_kept_apart(arena, LARGE_BYTES + 32, 16, HF_CHUNK_LARGE, chunks);
	model_bin(arena, large, chunks);
	for (unsigned i = 0; i < MODEL_FREE;
	     i++) { /* the ring over the sizes, all of them others */
		model_word(arena->model, chunks[i] + 4 * w, chunks[(i + 1) % MODEL_FREE]);
		model_word(arena->model, chunks[i] + 5 * w,
			   chunks[(i + MODEL_FREE - 1) % MODEL_FREE]);
	}
}

static inline void model_fastbin(struct model_arena *arena)
{
	const struct model_generation *is = arena->model->is;
	uint64_t next = 0;

	for (unsigned i = 0; i < MODEL_FREE; i++) {
		uint64_t chunk = model_chunk(arena, FAST_BYTES, HF_CHUNK_FASTBIN);
		model_link(arena->model, model_mem(arena, chunk), next);
		next = chunk;
	}
	unsigned index = FAST_BYTES / (is->word == 8 ? 16 : 8) - 2;
	model_word(arena->model, arena->address + is->fastbins + index * is->word, next);
}

/* The struct first, as it is made first to 2.41; then a list of MODEL_FREE chunks. */
static inline void model_tcache(struct model_arena *arena, uint64_t tp)
{
	struct model *model = arena->model;
	const struct model_generation *is = model->is;
	uint64_t cache = model_mem(arena, model_chunk(arena, is->cache_chunk, HF_CHUNK_INUSE));
	uint64_t next = 0;
	unsigned bin = (CACHED_BYTES - (is->word == 8 ? 32 : 16)) / is->align;

	for (unsigned i = 0; is->inverted && i < 76; i++)
		model_put(model, cache + 2 * i, is->minor >= 43 ? 16 : 7, 2);
	model_chunk(arena, 0x50, HF_CHUNK_INUSE);
	for (unsigned i = 0; i < MODEL_FREE; i++) {
		uint64_t mem = model_mem(arena, model_chunk(arena, CACHED_BYTES, HF_CHUNK_TCACHE));
		model_link(model, mem, next);
		/* Without keys there is what the user left: mostly the same, but not always. */
		model_word(model, mem + is->word,
			   is->struct_keys	      ? cache
			   : is->random_keys || i > 0 ? MODEL_KEY
						      : MODEL_KEY + 0x1000);
		next = mem;
	}
	model_put(model, cache + bin * is->count_bytes,
		  is->inverted ? (is->minor >= 43 ? 16 : 7) - MODEL_FREE : MODEL_FREE,
		  is->count_bytes);
	model_word(model, cache + is->entries + bin * is->word, next);
	model_word(model, tp - MODEL_SLOT, cache);
}

static inline void model_state(struct model_arena *arena, uint64_t next, uint64_t top,
			       uint64_t bytes)
{
	struct model *model = arena->model;
	const struct model_generation *is = model->is;

	model_put(model, arena->address + 4, arena->is_main ? 0 : 2, 4); /* NONCONTIGUOUS */
	model_word(model, arena->address + is->top, top);
	model_word(model, arena->address + is->next, next);
	if (is->attached)
		model_word(model, arena->address + is->attached, 1);
	model_word(model, arena->address + is->system_mem, bytes);
	model_word(model, arena->address + is->system_mem + is->word, bytes);
}

static inline void model_fill(struct model_arena *arena, uint64_t tp)
{
	struct model *model = arena->model;
	const struct model_generation *is = model->is;
	uint64_t w = is->word;

	for (unsigned bin = 1; bin <= 127; bin++) {
		uint64_t head = arena->address + is->bins + 2 * w * (bin - 1) - 2 * w;
		model_word(model, head + 2 * w, head);
		model_word(model, head + 3 * w, head);
	}
	if (is->cache_chunk)
		model_tcache(arena, tp);
	model_chunk(arena, 0x40, HF_CHUNK_INUSE);
	if (is->fastbins)
		model_fastbin(arena);
	model_chunk(arena, 0x40, HF_CHUNK_INUSE);
	model_bins(arena);
	uint64_t top = model_chunk(arena, arena->end - arena->at, HF_CHUNK_TOP);
	bool other_main = !arena->is_main;
	model_state(arena, other_main ? MODEL_ARENA : MODEL_HEAP + is->heap_info_bytes, top,
		    MODEL_BYTES);
}

/* ---- the process ---------------------------------------------------------------------------- */

static inline void model_par(struct model *model)
{
	const struct model_generation *is = model->is;
	uint64_t w = is->word;

	for (unsigned i = 0; i < 3; i++) /* trim_threshold, top_pad, mmap_threshold */
		model_word(model, MODEL_PAR + i * w, 0x20000);
	model_word(model, MODEL_PAR + 3 * w, w == 8 ? 8 : 2); /* arena_test */
	model_put(model, MODEL_PAR + is->n_mmaps, 1, 4);
	model_put(model, MODEL_PAR + is->n_mmaps_max, 65536, 4);
	model_word(model, MODEL_PAR + is->mmapped_mem, MODEL_BYTES);
	model_word(model, MODEL_PAR + is->sbrk_base, MODEL_BRK);
	if (!is->tcache_bins)
		return;
	model_word(model, MODEL_PAR + is->tcache_bins, 64);
	model_word(model, MODEL_PAR + is->tcache_bins + w, 1032);
	model_word(model, MODEL_PAR + is->tcache_bins + 2 * w, is->minor >= 43 ? 16 : 7);
}

static inline void model_mmapped(struct model *model)
{
	const struct model_generation *is = model->is;
	uint64_t skew = is->word == 4 && is->align == 16 ? 8 : 0;
	uint64_t bytes = MODEL_BYTES - skew - (is->trailer ? 2 * is->word : 0);

	model_word(model, MODEL_MAPPED + skew, skew);
	model_word(model, MODEL_MAPPED + skew + is->word, bytes | 2);
	model->chunks[model->count++] =
	    (struct model_chunk){MODEL_MAPPED + skew, bytes, HF_CHUNK_MMAPPED};
}

static inline void model_memory(struct model *model)
{
	static const struct {
		uint64_t start;
		uint8_t kind;
	} kinds[MODEL_AREAS] = {
	    {MODEL_BRK, HF_MAPPING_BRK},	  {MODEL_HEAP, HF_MAPPING_ANONYMOUS},
	    {MODEL_MAPPED, HF_MAPPING_ANONYMOUS}, {MODEL_TLS, HF_MAPPING_STACK},
	    {MODEL_DATA, HF_MAPPING_FILE},	  {MODEL_WORDS, HF_MAPPING_ANONYMOUS},
	};
	for (unsigned i = 0; i < MODEL_AREAS; i++) {
		struct model_area *area = &model->areas[i];
		uint64_t end = kinds[i].start + MODEL_BYTES;
		area->start = kinds[i].start;
		area->kind = kinds[i].kind;
		struct hf_segment segment = {.start = area->start,
					     .end = end,
					     .present = MODEL_BYTES,
					     .data = area->bytes,
					     .flags = HF_SEGMENT_R | HF_SEGMENT_W,
					     .source = HF_SEGMENT_CORE};
		struct hf_mapping mapping = {.start = area->start,
					     .end = end,
					     .present = MODEL_BYTES,
					     .flags = HF_SEGMENT_R | HF_SEGMENT_W,
					     .module =
						 area->kind == HF_MAPPING_FILE ? 0 : HF_NO_INDEX,
					     .kind = area->kind};
		(void)hf_vec_push(&model->process.image.segments, segment);
		(void)hf_vec_push(&model->process.mappings, mapping);
	}
}

/* @module: the name of libc's file, which tells its version; or a static program's. */
static inline void model_process(struct model *model, const char *module)
{
	struct hf_process *process = &model->process;
	struct hf_module libc = {.name = model->module,
				 .path = model->module,
				 .start = MODEL_DATA,
				 .end = MODEL_DATA + MODEL_BYTES,
				 .is_libc = true};

	snprintf(model->module, sizeof(model->module), "%s", module);
	process->priv = &model->priv;
	process->image.word_bytes = (uint8_t)model->is->word;
	process->image.machine = model->is->machine;
	process->image.page_bytes = 4096;
	process->diags = model->diags;
	model->priv.machine = hf_machine_find(process->image.machine, process->image.word_bytes);
	(void)hf_vec_push(&process->modules, libc);
	for (unsigned i = 0; i < 2; i++) {
		struct hf_thread thread = {.tid = i + 1,
					   .number = i + 1,
					   .tp = MODEL_TLS + 0x2000 + i * 0x4000,
					   .sp = MODEL_TLS + 0x1000 + i * 0x4000,
					   .stack_start = MODEL_TLS,
					   .stack_end = MODEL_TLS + MODEL_BYTES};
		(void)hf_vec_push(&process->threads, thread);
	}
}

static inline struct model *model_create(const struct model_generation *is, const char *module)
{
	struct model *model = calloc(1, sizeof(*model));

	model->is = is;
	(void)hf_diags_create(&model->diags);
	model_memory(model);
	model_process(model, module);
	struct model_arena brk = {.model = model,
				  .address = MODEL_ARENA,
				  .at = model_first_chunk(is, MODEL_BRK),
				  .end = MODEL_BRK + MODEL_BYTES,
				  .is_main = true};
	model_fill(&brk, model->process.threads.data[0].tp);
	uint64_t state = MODEL_HEAP + is->heap_info_bytes;
	struct model_arena heap = {.model = model,
				   .address = state,
				   .at = model_first_chunk(is, state + is->state_bytes),
				   .end = MODEL_HEAP + MODEL_BYTES};
	model_word(model, MODEL_HEAP, state);
	model_word(model, MODEL_HEAP + 2u * is->word, MODEL_BYTES);
	model_word(model, MODEL_HEAP + 3u * is->word, MODEL_BYTES);
	model_fill(&heap, model->process.threads.data[1].tp);
	model_mmapped(model);
	model_par(model);
	return model;
}

static inline void model_destroy(struct model *model)
{
	if (model->allocator)
		model->allocator->ops->destroy(model->allocator);
	hf_diags_destroy(model->diags);
	hf_vec_free(&model->process.image.segments);
	hf_vec_free(&model->process.mappings);
	hf_vec_free(&model->process.modules);
	hf_vec_free(&model->process.threads);
	free(model);
}

#endif
