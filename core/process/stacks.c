/*
 * stacks.c - where thread stacks begin and end, the living and the dead.
 *
 *	stackblock                                                        + size
 *	   | guard |  stack grows down ...... <- sp | TLS blocks | struct pthread |
 *	                                                         ^ tp
 *
 * glibc keeps the stacks of ended threads for reuse. Nothing in a core says so, but the
 * descriptor at their top does: it points at itself (x86: words 0 and 2 of the TCB), it
 * holds its stack's address and size in two adjacent words, and no living thread has its
 * address as thread pointer.
 */
#include <stdlib.h>
#include <string.h>

#include "core/process/private.h"

enum {
	DESCRIPTOR_BYTES = 4096, /* an upper bound of sizeof(struct pthread) */
	DESCRIPTOR_ALIGN = 64,	 /* TCB_ALIGNMENT */
	MAX_SCAN = 64 << 20,	 /* of one mapping, from its start */
};

struct stack_block {
	uint64_t start, end, guard;
};

/* Is there a TCB that points at itself at @address? (x86 layouts) */
static bool is_tcb(const struct hf_process *process, uint64_t address)
{
	uint64_t word = process->image.word_bytes, self = 0, again = 0;
	return hf_image_word(&process->image, address, &self) && self == address &&
	       hf_image_word(&process->image, address + 2 * word, &again) && again == address;
}

/* The descriptor's {stackblock, stackblock_size, guardsize}: found by what they must be. */
static bool find_block(const struct hf_process *process, uint64_t tcb, struct stack_block *ret)
{
	uint64_t word = process->image.word_bytes, page = process->image.page_bytes;
	for (uint64_t at = 4 * word; at + 3 * word <= DESCRIPTOR_BYTES; at += word) {
		uint64_t start, size, guard;
		if (!hf_image_word(&process->image, tcb + at, &start) ||
		    !hf_image_word(&process->image, tcb + at + word, &size) ||
		    !hf_image_word(&process->image, tcb + at + 2 * word, &guard))
			return false;
		if (!start || !size || start % page || size % page || guard % page ||
		    guard >= size || start > tcb || tcb - start >= size || start + size < start)
			continue;
		*ret = (struct stack_block){start, start + size, guard};
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

/* A stack mapping has a PROT_NONE guard right below; a malloc heap has not, but another's
 * reserve may end there, and then it is aligned to that reserve (64 MiB, 1 MiB). */
static bool may_hold_stack(const struct hf_process *process, size_t index)
{
	const struct hf_mapping *mapping = &process->mappings.data[index];
	if (mapping->kind == HF_MAPPING_FILE || mapping->module != HF_NO_INDEX ||
	    !(mapping->flags & HF_SEGMENT_W) || index == 0)
		return false;
	const struct hf_mapping *below = mapping - 1;
	return below->end == mapping->start && !(below->flags & HF_SEGMENT_W) && !below->path;
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

static bool scan_mapping(const struct hf_process *process, const struct hf_mapping *mapping,
			 struct hf_dead_stacks *dead)
{
	uint64_t end =
	    mapping->end - mapping->start > MAX_SCAN ? mapping->start + MAX_SCAN : mapping->end;
	for (uint64_t at = mapping->start; at < end; at += DESCRIPTOR_ALIGN) {
		struct stack_block block;
		uint64_t available = 0;
		const uint8_t *view = hf_image_at(&process->image, at, &available);
		if (!view) {
			at |= process->image.page_bytes - DESCRIPTOR_ALIGN;
			continue;
		}
		if (available < process->image.word_bytes ||
		    hf_image_word_at(&process->image, view) != at || !is_tcb(process, at) ||
		    is_living(process, at) || !find_block(process, at, &block))
			continue;
		struct hf_dead_stack stack = {block.start + block.guard, block.end,
					      dtv_of(process, at)};
		if (stack.start < mapping->start)
			stack.start = mapping->start;
		if (stack.end > mapping->end)
			stack.end = mapping->end;
		if (stack.start >= stack.end || stack.end <= at)
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
	struct hf_dead_stacks dead = {0};
	/* At a kill threads were alive that the image has no registers of. */
	if (process->info.snapshot.threads_missing ||
	    (process->info.snapshot.mode && !strcmp(process->info.snapshot.mode, "exit"))) {
		*ret = dead;
		return NULL;
	}
	for (size_t i = 0; i < process->mappings.count; i++) {
		if (may_hold_stack(process, i) &&
		    !scan_mapping(process, &process->mappings.data[i], &dead)) {
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
