/*
 * roots.h - the places outside the heap that hold pointers, told by name.
 *
 * A holder is one named place (a variable, a frame, a register, a mapping). Its memory
 * is a list of word-aligned ranges; a register is a bare value. Only holders that hold
 * something become nodes of the graph.
 *
 * Not roots: memory below a stack pointer (less the red zone), the cached stacks of
 * ended threads, regions of the allocator, the allocator's own structures, words that still
 * hold what their module's file gave them.
 */
#ifndef HF_HEAPWALK_GRAPH_ROOTS_H
#define HF_HEAPWALK_GRAPH_ROOTS_H

#include <stdint.h>

#include "core/base/error.h"
#include "core/base/stash.h"
#include "core/base/vec.h"
#include "core/process/process.h"
#include "core/symbols/symbols.h"
#include "heapwalk/allocator.h"

/* In order of strength: a variable is better evidence than a stray stack word. */
enum hf_holder_kind {
	HF_HOLDER_VARIABLE, /* a module's variable, by symbol or DWARF */
	HF_HOLDER_SECTION,  /* a word of a module's writable data without a symbol */
	HF_HOLDER_TLS,	    /* a thread's variable, or its TLS block */
	HF_HOLDER_FRAME,    /* a stack word of a frame */
	HF_HOLDER_REGISTER,
	HF_HOLDER_STACK,   /* a stack word that belongs to no known frame */
	HF_HOLDER_MAPPING, /* any other writable mapping */
	HF_HOLDER_KINDS
};

struct hf_holder {
	uint8_t kind;	   /* enum hf_holder_kind */
	uint32_t module;   /* or HF_NO_INDEX */
	uint32_t thread;   /* index in process->threads, or HF_NO_INDEX */
	uint32_t frame;	   /* 0 innermost; or HF_NO_INDEX */
	const char *name;  /* "g_cache", "frame_function", "rax", ".bss+0x40": owned by the roots */
	const char *local; /* of a frame: the variable; NULL: the frame's other words */
	const char *file;  /* of a variable; NULL if unknown */
	uint32_t line;
	uint64_t address, size; /* 0, 0 for a register */
};

struct hf_root_range {
	uint64_t start, end; /* word-aligned, half open */
	uint32_t holder;
};

struct hf_root_value {
	uint64_t value;
	uint32_t holder;
};

struct hf_roots {
	HF_VEC(, struct hf_holder) holders;
	HF_VEC(, struct hf_root_range) ranges; /* sorted by start, disjoint */
	HF_VEC(, struct hf_root_value) values;
	uint64_t ended_threads, ended_bytes; /* stacks of ended threads: in no range */
	void *strings;			     /* private */
};

/* @kinds: bit mask of 1 << enum hf_holder_kind, which kinds count (--roots=LIST). */
struct hf_error *hf_roots_create(const struct hf_process *process, struct hf_symbols *symbols,
				 const struct hf_allocator *allocator, uint32_t kinds,
				 struct hf_roots *ret);
void hf_roots_deinit(struct hf_roots *roots);

/* Into an index, and out of it (copied). *@ret_found false: @stash has none. */
struct hf_error *hf_roots_save(const struct hf_roots *roots, struct hf_stash_writer *writer);
struct hf_error *hf_roots_load(const struct hf_stash *stash, struct hf_roots *ret, bool *ret_found);

const char *hf_holder_kind_name(enum hf_holder_kind kind); /* "variable", "frame", ... */

/*
 * One line for people: `g_cache (server.c:41)`, `thread 3 frame #2 handle(): local req`,
 * `TLS t_arena in libfoo.so, thread 2`, `.bss+0x40 of libbar.so`. Caller frees.
 */
char *hf_holder_describe(const struct hf_holder *holder, const struct hf_process *process);

#endif
