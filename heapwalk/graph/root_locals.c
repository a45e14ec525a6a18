/*
 * root_locals.c - the variables of a frame as holders of their own.
 *
 * A variable in memory has its words. One in a register that the function called then saves has
 * the word where an inner frame saved it:
 *
 *	frame 0  | ... | saved rbx |   <- frame 2's `req` lived in rbx
 *	frame 1  | ...             |
 *	frame 2  | ...             |
 *
 * and if none did, the thread's own register. Only what points into the heap is named, so
 * that a deep recursion does not make holders of its counters.
 */
#include "core/symbols/types.h"
#include "heapwalk/graph/root_builder.h"

enum { MAX_INNER_FRAMES = 8, MAX_SAVED_WORDS = 64 };

struct local_ctx {
	struct root_builder *builder;
	uint32_t thread, frame;
	uint64_t start, end; /* of the frame */
	bool failed;
};

static const struct hf_thread *thread_of(const struct local_ctx *at)
{
	return &at->builder->process->threads.data[at->thread];
}

static bool in_heap(const struct root_builder *builder, uint64_t value)
{
	return value >= builder->heap_low && value < builder->heap_high;
}

/* Does one of the words point into the heap? */
static bool holds_something(const struct root_builder *builder, uint64_t start, uint64_t end)
{
	uint64_t word = builder->process->image.word_bytes, value;

	for (uint64_t at = (start + word - 1) & ~(word - 1); at + word <= end; at += word) {
		if (hf_image_word(&builder->process->image, at, &value) && in_heap(builder, value))
			return true;
	}
	return false;
}

static bool claim_local(struct local_ctx *at, const char *name, uint64_t start, uint64_t end)
{
	const struct hf_frame *frame = &thread_of(at)->frames.data[at->frame];
	struct hf_holder holder = {
	    .kind = HF_HOLDER_FRAME,
	    .module = frame->module,
	    .thread = at->thread,
	    .frame = at->frame,
	    .name = frame->function,
	    .local = name,
	    .file = frame->file,
	    .line = frame->line,
	    .address = start,
	    .size = end - start,
	};
	struct hf_root_range range = {start, end, root_builder_holder(at->builder, &holder)};
	at->failed = range.holder == HF_NO_INDEX || !hf_vec_push(&at->builder->locals, range);
	return !at->failed;
}

/* The word in an inner frame where the register was saved: the nearest, from the top down. */
static bool find_saved(const struct local_ctx *at, uint64_t wanted, uint64_t *ret)
{
	const struct hf_image *image = &at->builder->process->image;
	uint64_t word = image->word_bytes, value;

	for (uint32_t n = 1; n <= MAX_INNER_FRAMES && n <= at->frame; n++) {
		const struct hf_frame *inner = &thread_of(at)->frames.data[at->frame - n];
		uint64_t place = inner->cfa;
		for (uint32_t i = 0; i < MAX_SAVED_WORDS && place >= inner->sp + word; i++) {
			place -= word;
			if (hf_image_word(image, place, &value) && value == wanted) {
				*ret = place;
				return true;
			}
		}
	}
	return false;
}

/* The thread's own register that has this value: it gets the variable's name. */
static void name_register(const struct local_ctx *at, const char *name, uint64_t wanted)
{
	struct hf_roots *roots = at->builder->roots;

	hf_vec_foreach (value, &roots->values) {
		struct hf_holder *holder = &roots->holders.data[value->holder];
		if (value->value != wanted || holder->kind != HF_HOLDER_REGISTER ||
		    holder->thread != at->thread || holder->local)
			continue;
		holder->local = name;
		holder->frame = at->frame;
		return;
	}
}

static bool add_local(void *ctx, const struct hf_local *local)
{
	struct local_ctx *at = ctx;
	uint64_t end = local->address + local->size, saved;
	uint64_t word = at->builder->process->image.word_bytes;

	if (!local->address) {
		if (local->size != word || !in_heap(at->builder, local->value))
			return true;
		if (find_saved(at, local->value, &saved))
			return claim_local(at, local->name, saved, saved + word);
		name_register(at, local->name, local->value);
		return true;
	}
	if (local->address < at->start || end > at->end || end <= local->address ||
	    !holds_something(at->builder, local->address, end))
		return true;
	return claim_local(at, local->name, local->address, end);
}

bool root_builder_locals(struct root_builder *builder, uint32_t thread, uint32_t frame,
			 uint64_t start, uint64_t end)
{
	struct local_ctx ctx = {builder, thread, frame, start, end, false};

	if (builder->symbols)
		hf_symbols_each_local(builder->symbols, &builder->process->threads.data[thread],
				      frame, add_local, &ctx);
	return !ctx.failed;
}
