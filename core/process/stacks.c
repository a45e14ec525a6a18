/*
 * stacks.c - where thread stacks begin and end, the living and the dead.
 *
 *	stackblock                                                        + size
 *	   | guard |  stack grows down ...... <- sp | TLS blocks | struct pthread |
 *	                                                         ^ tp
 *
 * glibc keeps the stacks of ended threads for reuse. Nothing in a core says so, but the
 * descriptor at their top does: three adjacent words hold the stack's address, its size and its
 * guard's. How far below the stack's end they stand is the same for all threads of a
 * process, so a living thread tells where to look: in each page of writable memory at one
 * place. Where no thread but the first lives, the descriptor is told by pointing at itself (x86:
 * words 0 and 2 of the TCB), elsewhere by a mapping that is the stack exactly. A dead stack
 * is one that no thread's stack pointer lies in.
 *
 * A guard need not be a mapping of its own: with glibc 2.42 and Linux 6.13 it lies inside the
 * stack's, and the kernel makes one mapping of several stacks and what borders on them.
 */
#include <stdlib.h>
#include <string.h>

#include "core/process/private.h"

enum {
	DESCRIPTOR_BYTES = 4096, /* an upper bound of sizeof(struct pthread) */
	DESCRIPTOR_ALIGN = 64,	 /* TCB_ALIGNMENT */
	MAX_SCAN = 64 << 20,	 /* of one mapping, from its start */
	OVERFLOW_BYTES = 64 << 10,
};

struct stack_block {
	uint64_t start, end, guard;
	uint64_t told_at; /* address of the three words that say so */
};

static bool tls_below(const struct hf_process *process)
{
	return process->priv->machine && process->priv->machine->tls_below;
}

static bool may_hold_stack(const struct hf_mapping *mapping)
{
	return mapping->kind != HF_MAPPING_FILE && mapping->kind != HF_MAPPING_BRK &&
	       mapping->module == HF_NO_INDEX && (mapping->flags & HF_SEGMENT_W) &&
	       mapping->present;
}

/* Is there a TCB that points at itself at @address? (x86 layouts) */
static bool is_tcb(const struct hf_process *process, uint64_t address)
{
	uint64_t word = process->image.word_bytes, self = 0, again = 0;
	return hf_image_word(&process->image, address, &self) && self == address &&
	       hf_image_word(&process->image, address + 2 * word, &again) && again == address;
}

/* Are there {stackblock, stackblock_size, guardsize} at @at, of a block that contains @inside? */
static bool block_at(const struct hf_process *process, uint64_t at, uint64_t inside,
		     struct stack_block *ret)
{
	uint64_t word = process->image.word_bytes, page = process->image.page_bytes;
	uint64_t start, size, guard;

	if (!hf_image_word(&process->image, at, &start) || !start || start % page ||
	    start > inside || !hf_image_word(&process->image, at + word, &size) ||
	    !hf_image_word(&process->image, at + 2 * word, &guard))
		return false;
	if (!size || size % page || guard % page || guard >= size || inside - start >= size ||
	    start + size < start)
		return false;
	*ret = (struct stack_block){start, start + size, guard, at};
	return true;
}

/* The same, found by what the three words must be, on the side of @tp where they are. */
static bool find_block(const struct hf_process *process, uint64_t tp, struct stack_block *ret)
{
	uint64_t word = process->image.word_bytes;
	uint64_t at = tls_below(process) ? tp + 4 * word : tp - DESCRIPTOR_BYTES;

	for (uint64_t end = at + DESCRIPTOR_BYTES - 4 * word; at < end; at += word) {
		if (block_at(process, at, tp, ret))
			return true;
	}
	return false;
}

/* Without a thread pointer: a block that ends where the mapping does, and begins there too. */
static bool block_of_mapping(const struct hf_process *process, const struct hf_mapping *mapping,
			     struct stack_block *ret)
{
	uint64_t word = process->image.word_bytes;

	if (mapping->end - mapping->start < DESCRIPTOR_BYTES)
		return false;
	for (uint64_t at = mapping->end - 3 * word; at > mapping->end - DESCRIPTOR_BYTES;
	     at -= word) {
		if (block_at(process, at, mapping->end - 1, ret) && ret->end == mapping->end &&
		    (ret->start == mapping->start || ret->start + ret->guard == mapping->start))
			return true;
	}
	return false;
}

/* By the stack alone: the first three words above the stack pointer that say so. */
static bool block_above(const struct hf_process *process, uint64_t sp, struct stack_block *ret)
{
	const struct hf_mapping *mapping = hf_process_mapping(process, sp);
	uint64_t word = process->image.word_bytes, page = process->image.page_bytes;

	if (!mapping || !may_hold_stack(mapping))
		return false;
	uint64_t at = (sp + word - 1) & ~(word - 1), start;
	uint64_t end = mapping->end - at > MAX_SCAN ? at + MAX_SCAN : mapping->end;
	for (; at < end; at += word) {
		uint64_t available = 0;
		const uint8_t *view = hf_image_at(&process->image, at, &available);
		if (!view || available < word)
			return false;
		start = hf_image_word_at(&process->image, view);
		if (start && start % page == 0 && start <= sp && block_at(process, at, sp, ret) &&
		    at < ret->end && ret->start + ret->guard >= mapping->start &&
		    ret->end <= mapping->end)
			return true;
	}
	return false;
}

static bool living_block(const struct hf_process *process, const struct hf_thread *thread,
			 struct stack_block *ret)
{
	/* powerpc's thread pointer is some way off: there, too, the stack itself tells. */
	if (thread->tp && find_block(process, thread->tp, ret) && thread->sp >= ret->start &&
	    thread->sp < ret->end)
		return true;
	return block_above(process, thread->sp, ret);
}

static bool is_living(const struct hf_process *process, const struct stack_block *block)
{
	hf_vec_foreach (thread, &process->threads) {
		if (thread->sp >= block->start && thread->sp < block->end)
			return true;
	}
	return false;
}

/* The dynamic thread vector of a kept stack is kept for its next thread, too. */
static uint64_t dtv_of(const struct hf_process *process, uint64_t tcb)
{
	const struct hf_machine *machine = process->priv->machine;
	uint64_t word = process->image.word_bytes, dtv = 0;
	if (machine)
		hf_image_word(&process->image,
			      tcb + (uint64_t)((int64_t)machine->dtv_words * (int64_t)word), &dtv);
	return dtv;
}

/* Where descriptors stand, from the stack's end: learnt from a thread that was made. */
struct descriptor_place {
	uint64_t told_below_end; /* 0: nothing was learnt */
	uint64_t tp_below_end;	 /* 0: unknown */
};

static struct descriptor_place learn_place(const struct hf_process *process)
{
	struct descriptor_place place = {0};
	struct stack_block block;
	hf_vec_foreach (thread, &process->threads) {
		if (living_block(process, thread, &block) && block.told_at < block.end) {
			place.told_below_end = block.end - block.told_at;
			place.tp_below_end = thread->tp > block.start && thread->tp < block.end
						 ? block.end - thread->tp
						 : 0;
			break;
		}
	}
	return place;
}

static bool add_dead(const struct hf_process *process, const struct hf_mapping *mapping,
		     const struct stack_block *block, uint64_t tcb, struct hf_dead_stacks *dead)
{
	struct hf_dead_stack stack = {block->start + block->guard, block->end,
				      tcb ? dtv_of(process, tcb) : 0};
	if (stack.start < mapping->start)
		stack.start = mapping->start;
	if (stack.end > mapping->end)
		stack.end = mapping->end;
	return stack.start >= stack.end || hf_vec_push(dead, stack);
}

/* One look a page: does a stack end behind it? */
static bool scan_places(const struct hf_process *process, const struct descriptor_place *place,
			const struct hf_mapping *mapping, struct hf_dead_stacks *dead)
{
	uint64_t page = process->image.page_bytes, below = place->told_below_end;
	uint64_t at = hf_image_next(&process->image, mapping->start, mapping->end);

	while (at < mapping->end) {
		struct stack_block block;
		uint64_t end = (at & ~(page - 1)) + page;
		if (end < at)
			break;
		if (end - below >= mapping->start &&
		    block_at(process, end - below, end - 1, &block) && block.end == end &&
		    !is_living(process, &block) &&
		    !add_dead(process, mapping, &block,
			      place->tp_below_end ? end - place->tp_below_end : 0, dead))
			return false;
		at = hf_image_next(&process->image, end, mapping->end);
	}
	return true;
}

/* Every place where a TCB may be: what points at itself is rare. */
static bool scan_tcbs(const struct hf_process *process, const struct hf_mapping *mapping,
		      struct hf_dead_stacks *dead)
{
	uint64_t word = process->image.word_bytes, end = mapping->end;
	uint64_t at = hf_image_next(&process->image, mapping->start, mapping->end);

	if (end - mapping->start > MAX_SCAN)
		end = mapping->start + MAX_SCAN;
	if (at >= end)
		return true;
	at = (at + DESCRIPTOR_ALIGN - 1) & ~(uint64_t)(DESCRIPTOR_ALIGN - 1);
	while (at < end) {
		struct stack_block block;
		uint64_t available = 0;
		const uint8_t *view = hf_image_at(&process->image, at, &available);
		if (!view) {
			uint64_t next = hf_image_next(&process->image, at, end);
			if (next >= end)
				break;
			at = (next + DESCRIPTOR_ALIGN - 1) & ~(uint64_t)(DESCRIPTOR_ALIGN - 1);
			continue;
		}
		if (available >= word && hf_image_word_at(&process->image, view) == at &&
		    is_tcb(process, at) && find_block(process, at, &block) &&
		    !is_living(process, &block)) {
			if (!add_dead(process, mapping, &block, at, dead))
				return false;
			at = block.end > at ? block.end : at + DESCRIPTOR_ALIGN;
			continue;
		}
		at += DESCRIPTOR_ALIGN;
	}
	return true;
}

static bool scan_mapping(const struct hf_process *process, const struct descriptor_place *place,
			 const struct hf_mapping *mapping, struct hf_dead_stacks *dead)
{
	struct stack_block block;

	if (place->told_below_end)
		return scan_places(process, place, mapping, dead);
	if (tls_below(process))
		return scan_tcbs(process, mapping, dead);
	return !block_of_mapping(process, mapping, &block) || is_living(process, &block) ||
	       add_dead(process, mapping, &block, 0, dead);
}

struct hf_error *hf_process_dead_stacks(const struct hf_process *process,
					struct hf_dead_stacks *ret)
{
	struct descriptor_place place = learn_place(process);
	struct hf_dead_stacks dead = {0};
	/* At a kill threads were alive that the image has no registers of. */
	if (process->info.snapshot.threads_missing ||
	    (process->info.snapshot.mode && !strcmp(process->info.snapshot.mode, "exit"))) {
		*ret = dead;
		return NULL;
	}

	hf_vec_foreach (mapping, &process->mappings) {
		if (may_hold_stack(mapping) && !scan_mapping(process, &place, mapping, &dead)) {
			hf_vec_free(&dead);
			return hf_error_nomem();
		}
	}
	*ret = dead;
	return NULL;
}

/* ---- the living ---------------------------------------------------------------------------- */

/* A thread's block bounds its stack where other memory was merged with it. */
static void bound_by_block(const struct hf_process *process, struct hf_thread *thread)
{
	struct stack_block block;
	if (!living_block(process, thread, &block))
		return;
	if (block.start + block.guard > thread->stack_start &&
	    block.start + block.guard <= thread->sp)
		thread->stack_start = block.start + block.guard;
	if (block.end < thread->stack_end) {
		thread->stack_end = block.end;
		thread->stack_top = block.end;
	}
}

/*
 * The mapping that @sp is in; or the one it has just left, downward: a stack that overflowed.
 *
 *	|- nothing, or a guard page -|-- the stack --|
 *	                      ^ sp, within OVERFLOW_BYTES
 */
static struct hf_mapping *stack_mapping(struct hf_process *process, uint64_t sp)
{
	const struct hf_mapping *mapping = hf_process_mapping(process, sp);

	if (!sp || (mapping && mapping->flags))
		return (struct hf_mapping *)mapping;
	hf_vec_foreach (above, &process->mappings) {
		if (above->start <= sp || !above->flags)
			continue;
		bool fits = above->start - sp <= OVERFLOW_BYTES && !above->path &&
			    above->kind == HF_MAPPING_ANONYMOUS;
		return fits ? above : NULL;
	}
	return NULL;
}

void process_bound_stacks(struct hf_process *process)
{
	hf_vec_foreach (thread, &process->threads) {
		struct hf_mapping *mapping = stack_mapping(process, thread->sp);
		if (!mapping || mapping->module != HF_NO_INDEX || !(mapping->flags & HF_SEGMENT_W))
			continue;
		if (mapping->kind == HF_MAPPING_ANONYMOUS)
			mapping->kind = HF_MAPPING_STACK;
		thread->stack_start = mapping->start;
		thread->stack_end = thread->stack_top = mapping->end;
		bound_by_block(process, thread);
	}
}
