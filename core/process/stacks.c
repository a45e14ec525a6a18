/*
 * stacks.c - where thread stacks begin and end, the living and the dead.
 *
 *	stackblock                                                        + size
 *	   | guard |  stack grows down ...... <- sp | TLS blocks | struct pthread |
 *	                                                         ^ tp
 *
 * glibc keeps the stacks of ended threads for reuse. Nothing in a core says so, but the
 * descriptor at their top does: it holds its stack's address and size in two adjacent words,
 * on x86 it points at itself as well (words 0 and 2 of the TCB), and no living thread has its
 * address as thread pointer. Its place in its page, and that of the two words, is the same
 * for all threads of a process: where a thread lives, only that one place is looked at.
 *
 * Where TLS lies above the thread pointer (aarch64, riscv) the descriptor lies below it, and
 * nothing in it points at itself: dead stacks are told there with a living thread's help only.
 *
 * A guard need not be a mapping of its own: with glibc 2.42 and Linux 6.13 it lies inside the
 * stack's, and the kernel makes one mapping of several stacks and what borders on them.
 */
#include <stdlib.h>

#include "core/process/private.h"

enum {
	DESCRIPTOR_BYTES = 4096, /* an upper bound of sizeof(struct pthread) */
	DESCRIPTOR_ALIGN = 64,	 /* TCB_ALIGNMENT */
	MAX_SCAN = 64 << 20,	 /* of one mapping, from its start */
};

struct stack_block {
	uint64_t start, end, guard;
	int64_t told_at; /* the three words that say so, from the thread pointer */
};

static bool tls_below(const struct hf_process *process)
{
	return process->priv->machine && process->priv->machine->tls_below;
}

/* Is there a TCB that points at itself at @address? (x86 layouts) */
static bool is_tcb(const struct hf_process *process, uint64_t address)
{
	uint64_t word = process->image.word_bytes, self = 0, again = 0;
	return hf_image_word(&process->image, address, &self) && self == address &&
	       hf_image_word(&process->image, address + 2 * word, &again) && again == address;
}

/* Are {stackblock, stackblock_size, guardsize} of the descriptor at @tcb at @told_at from it? */
static bool block_at(const struct hf_process *process, uint64_t tcb, int64_t told_at,
		     struct stack_block *ret)
{
	uint64_t word = process->image.word_bytes, page = process->image.page_bytes;
	uint64_t at = tcb + (uint64_t)told_at, start, size, guard;

	if (!hf_image_word(&process->image, at, &start) ||
	    !hf_image_word(&process->image, at + word, &size) ||
	    !hf_image_word(&process->image, at + 2 * word, &guard))
		return false;
	if (!start || !size || start % page || size % page || guard % page || guard >= size ||
	    start > tcb || tcb - start >= size || start + size < start)
		return false;
	*ret = (struct stack_block){start, start + size, guard, told_at};
	return true;
}

/* The same, found by what the three words must be. */
static bool find_block(const struct hf_process *process, uint64_t tcb, struct stack_block *ret)
{
	int64_t word = process->image.word_bytes;
	int64_t low = tls_below(process) ? 4 * word : -DESCRIPTOR_BYTES;
	int64_t high = tls_below(process) ? DESCRIPTOR_BYTES : 0;

	for (int64_t at = low; at + 3 * word <= high; at += word) {
		if (block_at(process, tcb, at, ret))
			return true;
	}
	return false;
}

static bool is_living(const struct hf_process *process, uint64_t tcb)
{
	hf_vec_foreach (thread, &process->threads) {
		if (thread->tp == tcb)
			return true;
	}
	return false;
}

static bool may_hold_stack(const struct hf_mapping *mapping)
{
	return mapping->kind != HF_MAPPING_FILE && mapping->kind != HF_MAPPING_BRK &&
	       mapping->module == HF_NO_INDEX && (mapping->flags & HF_SEGMENT_W) &&
	       mapping->present;
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

/* Where descriptors stand: learnt from a living thread that pthread_create made. */
struct descriptor_place {
	bool known;
	uint64_t in_page;
	int64_t told_at;
};

static struct descriptor_place learn_place(const struct hf_process *process)
{
	struct descriptor_place place = {0};
	struct stack_block block;
	hf_vec_foreach (thread, &process->threads) {
		if (thread->tp && thread->sp && find_block(process, thread->tp, &block) &&
		    thread->sp >= block.start && thread->sp < block.end) {
			place.known = true;
			place.in_page = thread->tp % process->image.page_bytes;
			place.told_at = block.told_at;
			break;
		}
	}
	return place;
}

/* The stack of an ended thread whose descriptor is at @tcb, if there is one. */
static bool dead_stack_at(const struct hf_process *process, const struct descriptor_place *place,
			  const struct hf_mapping *mapping, uint64_t tcb, struct hf_dead_stack *ret)
{
	struct stack_block block;

	if ((tls_below(process) && !is_tcb(process, tcb)) || is_living(process, tcb) ||
	    !(place->known ? block_at(process, tcb, place->told_at, &block)
			   : find_block(process, tcb, &block)))
		return false;
	*ret = (struct hf_dead_stack){block.start + block.guard, block.end, dtv_of(process, tcb)};
	if (ret->start < mapping->start)
		ret->start = mapping->start;
	if (ret->end > mapping->end)
		ret->end = mapping->end;
	return ret->start < ret->end && ret->end > tcb;
}

/* The next place at or above @at where a descriptor may be. */
static uint64_t next_place(const struct hf_process *process, const struct descriptor_place *place,
			   uint64_t at)
{
	uint64_t page = process->image.page_bytes, next = hf_image_next(&process->image, at);
	uint64_t step = place->known ? page : DESCRIPTOR_ALIGN;
	uint64_t rest = place->known ? place->in_page : 0;

	if (next > UINT64_MAX - 2 * page)
		return UINT64_MAX;
	uint64_t aligned = (next & ~(step - 1)) + rest;
	return aligned < next ? aligned + step : aligned;
}

static bool scan_mapping(const struct hf_process *process, const struct descriptor_place *place,
			 const struct hf_mapping *mapping, struct hf_dead_stacks *dead)
{
	uint64_t word = process->image.word_bytes, end = mapping->end;

	if (!place->known && end - mapping->start > MAX_SCAN)
		end = mapping->start + MAX_SCAN;
	for (uint64_t at = next_place(process, place, mapping->start); at < end;
	     at = next_place(process, place, at + DESCRIPTOR_ALIGN)) {
		struct hf_dead_stack stack;
		uint64_t available = 0;
		const uint8_t *view = hf_image_at(&process->image, at, &available);
		/* What points at itself is rare: the first word alone rules out nearly all. */
		if (!view || (tls_below(process) &&
			      (available < word || hf_image_word_at(&process->image, view) != at)))
			continue;
		if (!dead_stack_at(process, place, mapping, at, &stack))
			continue;
		if (!hf_vec_push(dead, stack))
			return false;
		at = stack.end - DESCRIPTOR_ALIGN;
	}
	return true;
}

struct hf_error *hf_process_dead_stacks(const struct hf_process *process,
					struct hf_dead_stacks *ret)
{
	struct descriptor_place place = learn_place(process);
	struct hf_dead_stacks dead = {0};

	if (!place.known && !tls_below(process)) {
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
	if (!thread->tp || !find_block(process, thread->tp, &block) || thread->sp < block.start ||
	    thread->sp >= block.end)
		return;
	if (block.start + block.guard > thread->stack_start &&
	    block.start + block.guard <= thread->sp)
		thread->stack_start = block.start + block.guard;
	if (block.end < thread->stack_end) {
		thread->stack_end = block.end;
		thread->stack_top = block.end;
	}
}

void process_bound_stacks(struct hf_process *process)
{
	hf_vec_foreach (thread, &process->threads) {
		struct hf_mapping *mapping =
		    (struct hf_mapping *)hf_process_mapping(process, thread->sp);
		if (!mapping || mapping->module != HF_NO_INDEX || !(mapping->flags & HF_SEGMENT_W))
			continue;
		if (mapping->kind == HF_MAPPING_ANONYMOUS)
			mapping->kind = HF_MAPPING_STACK;
		thread->stack_start = mapping->start;
		thread->stack_end = thread->stack_top = mapping->end;
		bound_by_block(process, thread);
	}
}
