/*
 * heuristics.c - the kinds of interior pointers that count as the start: memcheck's four, and
 * those past the hidden heads of a runtime's objects.
 *
 * Source: mc_leakcheck.c of Valgrind, as told in the facts. memcheck knows the size that was
 * asked for; a core knows usable bytes only, of which the program may have asked for any
 * size in (usable - granule, usable], or from malloc's smallest chunk less. So each test
 * that compares with the size accepts that range.
 */
#include "heapwalk/graph/graph_private.h"

enum { VTABLE_SCAN_WORDS = 20, VTABLE_MIN_POINTERS = 2, MIN_CHUNK_WORDS = 4 };

struct block {
	const struct hf_graph *graph;
	uint64_t address, usable, word;
	bool mmapped;
};

/* May the program have asked for @size bytes? */
static bool may_be_size(const struct block *block, uint64_t size)
{
	/* The granule of malloc's sizes; of a mapping's, pages. */
	uint64_t slack = block->mmapped ? block->graph->image->page_bytes : 2 * block->word;
	bool smallest = block->usable <= (MIN_CHUNK_WORDS - 1) * block->word;
	return size <= block->usable && (smallest || size + slack > block->usable);
}

static bool word_at(const struct block *block, uint64_t offset, uint64_t *ret)
{
	return hf_image_word(block->graph->image, block->address + offset, ret);
}

/* std::string before C++11: length, capacity, reference count, characters. */
static bool is_stdstring(const struct block *block, uint64_t offset)
{
	uint64_t length, capacity, w = block->word;
	return offset == 3 * w && word_at(block, 0, &length) && word_at(block, w, &capacity) &&
	       length <= capacity && capacity < block->usable &&
	       may_be_size(block, 3 * w + capacity + 1);
}

/* A 64-bit size in front (sqlite and others). */
static bool is_length64(const struct block *block, uint64_t offset)
{
	uint64_t size = 0;
	uint32_t low, high;
	bool big = block->graph->image->big_endian;

	if (offset != 8 || !hf_image_u32(block->graph->image, block->address, &low) ||
	    !hf_image_u32(block->graph->image, block->address + 4, &high))
		return false;
	size = big ? (uint64_t)low << 32 | high : (uint64_t)high << 32 | low;
	return size > 0 && size < block->usable && may_be_size(block, size + 8);
}

/* new T[n] with destructors: n in front. */
static bool is_newarray(const struct block *block, uint64_t offset)
{
	uint64_t n, w = block->word;

	if (offset != w || !word_at(block, 0, &n) || n == 0 || n > block->usable - w)
		return false;
	/* Some size in the range must be a multiple of n. */
	uint64_t highest = block->usable - w;
	return may_be_size(block, highest - highest % n + w);
}

static bool looks_like_vtable(const struct block *block, uint64_t address)
{
	const struct hf_graph_options *options = &block->graph->options;
	unsigned pointers = 0;

	if (address == 0 || address % block->word ||
	    !options->file_mapped(options->file_mapped_ctx, address, false))
		return false;
	for (unsigned i = 0; i < VTABLE_SCAN_WORDS; i++) {
		uint64_t value;
		if (!hf_image_word(block->graph->image, address + i * block->word, &value))
			return false;
		if (value == 0)
			continue;
		if (!options->file_mapped(options->file_mapped_ctx, value, true))
			return false;
		if (++pointers >= VTABLE_MIN_POINTERS)
			return true;
	}
	return false;
}

/* A base class within a class: both have a vtable pointer first. */
static bool is_multiple_inheritance(const struct block *block, uint64_t offset)
{
	uint64_t own, base;
	return block->graph->options.file_mapped && offset % block->word == 0 &&
	       word_at(block, offset, &base) && word_at(block, 0, &own) &&
	       looks_like_vtable(block, base) && looks_like_vtable(block, own);
}

static bool is_behind_head(const struct block *block, uint64_t value)
{
	const struct hf_graph_options *options = &block->graph->options;
	return options->hidden_head &&
	       options->hidden_head(options->hidden_head_ctx, block->address, block->usable, value);
}

bool hf_graph_heuristic(const struct hf_graph *graph, uint32_t object, uint64_t value)
{
	uint32_t on = graph->options.heuristics;
	struct block block = {.graph = graph,
			      .address = hf_extents_address(graph->extents, object),
			      .usable = hf_extents_usable(graph->extents, object),
			      .word = graph->image->word_bytes,
			      .mmapped = hf_extents_kind(graph->extents, object) == HF_OBJECT_MMAP};
	uint64_t offset = value - block.address;

	return ((on & HF_HEURISTIC_STDSTRING) && is_stdstring(&block, offset)) ||
	       ((on & HF_HEURISTIC_LENGTH64) && is_length64(&block, offset)) ||
	       ((on & HF_HEURISTIC_NEWARRAY) && is_newarray(&block, offset)) ||
	       ((on & HF_HEURISTIC_MULTIPLE_INHERITANCE) &&
		is_multiple_inheritance(&block, offset)) ||
	       ((on & HF_HEURISTIC_HIDDEN_HEAD) && is_behind_head(&block, value));
}
