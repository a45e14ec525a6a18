/*
 * root_builder.h - private to roots.c and its two helpers: how the roots are put together.
 *
 * Every writable word of the process belongs to at most one holder. Claims on memory are
 * collected in four strengths and then given out, the stronger first, each only what
 * nobody took before:
 *
 *	excluded	allocator's regions and structures, dead stacks: nobody's
 *	locals		variables of frames that hold something
 *	named		variables, TLS variables, frames
 *	areas		a thread's TLS area; what is left of its stack
 *	the rest	sections of modules word by word, other mappings as a whole
 */
#ifndef HF_HEAPWALK_GRAPH_ROOT_BUILDER_H
#define HF_HEAPWALK_GRAPH_ROOT_BUILDER_H

#include "core/base/strpool.h"
#include "heapwalk/graph/roots.h"
#include "heapwalk/spans.h"

HF_VEC(hf_claims, struct hf_root_range);

struct root_builder {
	const struct hf_process *process;
	struct hf_symbols *symbols;
	const struct hf_allocator *allocator;
	uint32_t kinds;
	struct hf_roots *roots;
	struct hf_strpool *strings;
	struct hf_spans excluded;
	struct hf_claims locals, named, tls_areas, stack_areas;
	uint64_t heap_low, heap_high; /* hull of the allocator's regions */
};

/* Add a holder; HF_NO_INDEX when out of memory. */
uint32_t root_builder_holder(struct root_builder *builder, const struct hf_holder *holder);

/* Registers, frames, stacks and TLS of all threads; dead stack memory goes to excluded. */
struct hf_error *root_builder_threads(struct root_builder *builder);

/*
 * The variables of a frame that hold something: in its memory [start, end), or in a register that
 * an inner frame saved, or that the thread still has.
 */
bool root_builder_locals(struct root_builder *builder, uint32_t thread, uint32_t frame,
			 uint64_t start, uint64_t end);

#endif
