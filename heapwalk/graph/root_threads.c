/*
 * root_threads.c - what the threads hold: registers, frames, the rest of the stack, TLS.
 *
 *	stack_start     sp-red zone   sp            cfa 0         cfa 1     stack_top
 *	   |   dead         |  frame 0 .............|  frame 1 ....| ... rest  |  TLS, pthread |
 *
 * Memory below the stack pointer (less the red zone) is excluded: a stale word there is
 * no evidence. A frame's words are its own holder; what no frame covers (the thread's
 * start, argv and environment, or everything where unwinding failed) is the stack's.
 */
#include "heapwalk/graph/root_builder.h"

/* An upper bound of sizeof(struct pthread) in glibc 2.17 .. 2.44 (2304 on x86_64). */
enum { THREAD_DESCRIPTOR_BYTES = 2304 };

static bool claim(struct hf_claims *claims, uint64_t start, uint64_t end, uint32_t holder)
{
	struct hf_root_range range = {start, end, holder};
	return holder != HF_NO_INDEX && (start >= end || hf_vec_push(claims, range));
}

/*
 * A copy of the thread pointer is no pointer into the heap: on some machines (ppc64: 0x7000 bytes)
 * it points far behind the thread's block, to whatever lies there.
 */
static bool add_registers(struct root_builder *builder, uint32_t index,
			  const struct hf_thread *thread)
{
	for (uint32_t i = 0; i < thread->register_count; i++) {
		uint64_t value = thread->registers[i].value;
		if (value < builder->heap_low || value >= builder->heap_high || value == thread->tp)
			continue;
		struct hf_holder holder = {
		    .kind = HF_HOLDER_REGISTER,
		    .module = HF_NO_INDEX,
		    .thread = index,
		    .frame = thread->frames.count ? 0 : HF_NO_INDEX,
		    .name = thread->registers[i].name,
		};
		struct hf_root_value root = {value, root_builder_holder(builder, &holder)};
		if (root.holder == HF_NO_INDEX)
			return false;
		if ((builder->kinds & (1u << HF_HOLDER_REGISTER)) &&
		    !hf_vec_push(&builder->roots->values, root))
			return false;
	}
	return true;
}

static bool add_frame(struct root_builder *builder, uint32_t thread, uint32_t number,
		      const struct hf_frame *frame, uint64_t start, uint64_t end)
{
	struct hf_holder holder = {
	    .kind = HF_HOLDER_FRAME,
	    .module = frame->module,
	    .thread = thread,
	    .frame = number,
	    .name = frame->function,
	    .file = frame->file,
	    .line = frame->line,
	    .address = start,
	    .size = end - start,
	};
	return claim(&builder->named, start, end, root_builder_holder(builder, &holder));
}

/*
 * Give each frame [sp, cfa). Frames must rise within one mapping; a signal stack makes a
 * jump, where the lowest frame beyond it starts the live part of that other stack.
 */
static bool add_frames(struct root_builder *builder, uint32_t index, const struct hf_thread *thread,
		       uint64_t red_zone)
{
	uint64_t floor = 0;

	for (size_t i = 0; i < thread->frames.count; i++) {
		const struct hf_frame *frame = &thread->frames.data[i];
		const struct hf_mapping *mapping = hf_process_mapping(builder->process, frame->sp);
		if (!mapping || frame->cfa <= frame->sp || frame->cfa > mapping->end)
			continue;
		bool jumped = floor < mapping->start || floor > mapping->end;
		uint64_t start = jumped && frame->sp - mapping->start >= red_zone
				     ? frame->sp - red_zone
				     : frame->sp;
		if (!jumped && start < floor)
			start = floor;
		if (start >= frame->cfa)
			continue;
		if (jumped && i > 0 && mapping->kind == HF_MAPPING_STACK &&
		    !(thread->sp >= mapping->start && thread->sp < mapping->end) &&
		    !hf_spans_add(&builder->excluded, mapping->start, start))
			return false;
		if (!root_builder_locals(builder, index, (uint32_t)i, start, frame->cfa) ||
		    !add_frame(builder, index, (uint32_t)i, frame, start, frame->cfa))
			return false;
		floor = frame->cfa;
	}
	return true;
}

static bool add_stack(struct root_builder *builder, uint32_t index, const struct hf_thread *thread)
{
	uint64_t red_zone = hf_process_red_zone(builder->process);
	/* Below the stack's start where it overflowed: all of it is live. */
	uint64_t live = thread->sp >= thread->stack_start + red_zone ? thread->sp - red_zone
								     : thread->stack_start;

	if (thread->stack_start >= thread->stack_end || thread->sp >= thread->stack_end)
		return true;
	uint64_t top = thread->stack_top > live && thread->stack_top <= thread->stack_end
			   ? thread->stack_top
			   : thread->stack_end;
	if (!hf_spans_add(&builder->excluded, thread->stack_start, live) ||
	    !add_frames(builder, index, thread, red_zone))
		return false;
	struct hf_holder holder = {
	    .kind = HF_HOLDER_STACK,
	    .module = HF_NO_INDEX,
	    .thread = index,
	    .frame = HF_NO_INDEX,
	    .name = "stack",
	    .address = live,
	    .size = top - live,
	};
	return claim(&builder->stack_areas, live, top, root_builder_holder(builder, &holder));
}

static bool add_tls_variable(struct root_builder *builder, uint32_t thread,
			     const struct hf_variable *variable, uint64_t block, uint64_t block_end)
{
	uint64_t start = block + variable->address, end = start + variable->size;
	if (start < block || end <= start || end > block_end)
		return true;
	struct hf_holder holder = {
	    .kind = HF_HOLDER_TLS,
	    .module = variable->module,
	    .thread = thread,
	    .frame = HF_NO_INDEX,
	    .name = variable->name,
	    .file = variable->file,
	    .line = variable->line,
	    .address = start,
	    .size = variable->size,
	};
	return claim(&builder->named, start, end, root_builder_holder(builder, &holder));
}

/* Variables of one module's block; *low and *high grow to cover static blocks. */
static bool add_tls_block(struct root_builder *builder, uint32_t index,
			  const struct hf_thread *thread, uint32_t module, uint64_t *low,
			  uint64_t *high)
{
	const struct hf_module *owner = &builder->process->modules.data[module];
	uint64_t block = 0;

	if (!owner->tls_size || !hf_process_tls_block(builder->process, thread, owner, &block) ||
	    block + owner->tls_size < block)
		return true;
	/* The program's own is static always, known as such or not. */
	if (owner->tls_static || owner->is_executable) {
		*low = block < *low ? block : *low;
		*high = block + owner->tls_size > *high ? block + owner->tls_size : *high;
	}
	if (!builder->symbols)
		return true;
	hf_vec_foreach (variable, hf_symbols_tls_variables(builder->symbols)) {
		if (variable->module == module &&
		    !add_tls_variable(builder, index, variable, block, block + owner->tls_size))
			return false;
	}
	return true;
}

/* The dtv is pointed at one entry past its start: a start pointer, not an interior one. */
static bool add_dtv(struct root_builder *builder, uint32_t index, const struct hf_thread *thread)
{
	uint64_t dtv = 0, word = builder->process->image.word_bytes;

	if (!hf_process_dtv(builder->process, thread, &dtv) || dtv < 2 * word ||
	    !(builder->kinds & (1u << HF_HOLDER_TLS)))
		return true;
	struct hf_holder holder = {
	    .kind = HF_HOLDER_TLS,
	    .module = HF_NO_INDEX,
	    .thread = index,
	    .frame = HF_NO_INDEX,
	    .name = "dtv",
	};
	struct hf_root_value root = {dtv - 2 * word, root_builder_holder(builder, &holder)};
	return root.holder != HF_NO_INDEX && hf_vec_push(&builder->roots->values, root);
}

static bool add_tls(struct root_builder *builder, uint32_t index, const struct hf_thread *thread)
{
	const struct hf_mapping *mapping = hf_process_mapping(builder->process, thread->tp);
	uint64_t low = thread->tp, high = thread->tp;

	if (!thread->tp || !mapping)
		return true;
	for (uint32_t i = 0; i < builder->process->modules.count; i++) {
		if (!add_tls_block(builder, index, thread, i, &low, &high))
			return false;
	}
	/* The thread descriptor lies above tp where TLS lies below (x86), else below it. */
	if (high > thread->tp)
		low = low > THREAD_DESCRIPTOR_BYTES ? low - THREAD_DESCRIPTOR_BYTES : 0;
	else
		high += THREAD_DESCRIPTOR_BYTES;
	low = low < mapping->start ? mapping->start : low;
	high = high > mapping->end || high < thread->tp ? mapping->end : high;
	struct hf_holder holder = {
	    .kind = HF_HOLDER_TLS,
	    .module = HF_NO_INDEX,
	    .thread = index,
	    .frame = HF_NO_INDEX,
	    .name = "thread descriptor and TLS blocks",
	    .address = low,
	    .size = high - low,
	};
	return add_dtv(builder, index, thread) &&
	       claim(&builder->tls_areas, low, high, root_builder_holder(builder, &holder));
}

struct hf_error *root_builder_threads(struct root_builder *builder)
{
	for (uint32_t i = 0; i < builder->process->threads.count; i++) {
		const struct hf_thread *thread = &builder->process->threads.data[i];
		if (!add_registers(builder, i, thread) || !add_stack(builder, i, thread) ||
		    !add_tls(builder, i, thread))
			return hf_error_nomem();
	}
	return NULL;
}
