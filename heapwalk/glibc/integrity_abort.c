/*
 * integrity_abort.c - which block was malloc complaining of when it called abort()?
 *
 * A double free that glibc notices leaves no broken invariant behind: it aborts first. But the
 * pointer is still there, in the frames between abort() and the caller of free(), usually both
 * as the pointer that free() got and as its chunk, two words lower:
 *
 *	sp ->  abort  malloc_printerr  _int_free (p = mem - 2W)  free (mem) | caller
 *	       `---------------- words that are looked at ----------------'
 *
 * Each such word votes for a block whose state fits the message. The caller's own frame may
 * have the pointer still, in a variable or a saved register: that speaks for a block only if
 * it speaks for no other. Where that is not enough, nothing is said: without frames (no file to
 * unwind by) nothing of pointers to what is no heap memory.
 *
 * To 2.26 none of this is needed: the message itself names the block.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/demangle.h"
#include "heapwalk/glibc/integrity.h"

enum {
	MAX_STACK_BYTES = 64 << 10,
	BLIND_STACK_BYTES = 4 << 10, /* without frames */
	MAX_CANDIDATES = 1024,
	HEAP_SCORE = 100,
	BOTH_SCORE = 10,
	CHUNK_SCORE = 5,
	CALLER_FRAMES = 2, /* of the program, that are looked through */
};

/*
 * What malloc says of a block that is free already, or of a pointer that is none of its own:
 *
 *	"invalid pointer"	mem is not aligned, or its size runs beyond the address space
 *	"munmap_chunk()"	its size word is marked as mmapped
 *	"invalid size"		below the smallest, or no multiple of the alignment
 *	"next size", "(out)"	the size could be, but does not lead to a header
 */
enum complaint {
	TCACHE_TWICE,
	FASTBIN_TWICE,
	BIN_TWICE,
	BAD_POINTER,
	BAD_MMAPPED,
	BAD_SIZE,
	BAD_NEXT,
	OTHER
};

struct candidate {
	uint64_t mem;
	unsigned as_mem, as_chunk, in_caller;
};

struct search {
	const struct glibc *glibc;
	enum complaint complaint;
	uint64_t inner_start, inner_end; /* the stack of libc's frames: no block is there */
	bool blind; /* its end is not known: callers' words are among those looked at */
	uint64_t outer_start, outer_end; /* behind the last frame: argv, envp and their strings */
	const struct hf_thread *thread;	 /* that aborted */
	struct candidate candidates[MAX_CANDIDATES];
	unsigned count;
};

static enum complaint complaint_of(const char *message)
{
	static const struct {
		const char *part;
		enum complaint complaint;
	} known[] = {
	    {"double free detected in tcache", TCACHE_TWICE},
	    {"double free or corruption (fasttop)", FASTBIN_TWICE},
	    {"double free or corruption (!prev)", BIN_TWICE},
	    {"double free or corruption (top)", BIN_TWICE},
	    {"double free or corruption (out)", BAD_NEXT},
	    {"free(): invalid next size", BAD_NEXT},
	    {"free(): invalid pointer", BAD_POINTER},
	    {"free(): invalid size", BAD_SIZE},
	    {"munmap_chunk(): invalid pointer", BAD_MMAPPED},
	    {"mremap_chunk(): invalid pointer", BAD_MMAPPED},
	    {"realloc(): invalid pointer", BAD_POINTER},
	    {"realloc(): invalid old size", BAD_SIZE},
	    {"realloc(): invalid next size", BAD_NEXT},
	};
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strstr(message, known[i].part))
			return known[i].complaint;
	}
	return OTHER;
}

static bool on_own_stack(const struct search *search, uint64_t mem)
{
	return mem >= search->thread->stack_start && mem < search->thread->stack_end;
}

/* Stack and frame pointers of all frames: each function's prologue saves them. */
static bool is_frame_pointer(const struct search *search, uint64_t value)
{
	hf_vec_foreach (frame, &search->thread->frames) {
		if (value == frame->sp || value == frame->cfa ||
		    value == frame->cfa - 2ull * search->glibc->layout.word)
			return true;
	}
	return false;
}

/*
 * Memory that the program can have taken for a block: not what is read-only, nor our frames, nor
 * main()'s arguments, pointers to which stay in registers all the time. Of a stack without frames
 * every word can be anything: nothing is said of other memory then.
 */
static bool could_be_given(const struct search *search, uint64_t mem)
{
	const struct hf_mapping *mapping = hf_process_mapping(search->glibc->process, mem);
	if (search->glibc->named)
		return true;
	return mapping && (mapping->flags & HF_SEGMENT_W) && !search->blind &&
	       !is_frame_pointer(search, mem) &&
	       !(mem >= search->inner_start && mem < search->inner_end) &&
	       !(mem >= search->outer_start && mem < search->outer_end);
}

/*
 * Is what would be the header of @mem one that malloc complains of in these words? A pointer that
 * is not aligned is, but on the stack every other word is none: frame pointers and slots of return
 * addresses say nothing there.
 */
static bool header_fits(const struct search *search, uint64_t mem)
{
	const struct glibc_layout *layout = &search->glibc->layout;
	uint64_t chunk = mem - 2ull * layout->word, word = 0;

	if (search->complaint == BAD_POINTER && !glibc_aligned(search->glibc, chunk))
		return glibc_region_at(search->glibc, mem) != UINT32_MAX ||
		       !on_own_stack(search, mem);
	if (!glibc_aligned(search->glibc, chunk) || !glibc_size_word(search->glibc, chunk, &word))
		return false;
	uint64_t size = word & ~(uint64_t)GLIBC_FLAGS;
	bool beyond = layout->word == 8 ? chunk > -size : chunk > (uint32_t)-size;
	bool sane = size >= layout->min_size && size % layout->align == 0;
	switch (search->complaint) {
	case BAD_POINTER:
		return beyond && !(word & GLIBC_IS_MMAPPED);
	case BAD_MMAPPED:
		return word & GLIBC_IS_MMAPPED;
	case BAD_SIZE:
		return !sane && !(word & GLIBC_IS_MMAPPED);
	default:
		return !beyond && sane && !(word & GLIBC_IS_MMAPPED);
	}
}

/*
 * The backtrace that old ones print with their last words takes memory: perhaps that of the block
 * which they name.
 */
static bool was_given_anew(const struct glibc *glibc, const struct hf_chunk *chunk)
{
	return glibc->named && hf_chunk_in_use(chunk);
}

/* Could malloc have complained so of the block at @mem? */
static bool fits(const struct search *search, const struct candidate *one)
{
	struct hf_chunk chunk;
	bool found = glibc_region_at(search->glibc, one->mem) != UINT32_MAX &&
		     glibc_chunk_at(&search->glibc->base, one->mem, &chunk);
	bool both = one->as_mem && one->as_chunk;
	bool itself = found && chunk.object == one->mem;
	bool given_anew = itself && both && was_given_anew(search->glibc, &chunk);

	switch (search->complaint) {
	case TCACHE_TWICE:
		return given_anew || (itself && chunk.state == HF_CHUNK_TCACHE);
	case FASTBIN_TWICE:
		return given_anew || (itself && chunk.state == HF_CHUNK_FASTBIN);
	case BIN_TWICE: /* it may have been merged with its neighbours since */
		return given_anew ||
		       (found && (both || itself) &&
			(glibc_is_binned(chunk.state) || chunk.state == HF_CHUNK_TOP));
	case BAD_POINTER:
	case BAD_MMAPPED:
	case BAD_SIZE:
	case BAD_NEXT:
		if (!(both || one->in_caller) || !header_fits(search, one->mem))
			return false;
		return found ? hf_chunk_in_use(&chunk) && chunk.object != one->mem
			     : could_be_given(search, one->mem);
	case OTHER:
		break;
	}
	return false;
}

static struct candidate *candidate_of(struct search *search, uint64_t mem)
{
	for (unsigned i = 0; i < search->count; i++) {
		if (search->candidates[i].mem == mem)
			return &search->candidates[i];
	}
	if (search->count == MAX_CANDIDATES)
		return NULL;
	search->candidates[search->count] = (struct candidate){.mem = mem};
	return &search->candidates[search->count++];
}

/* A word of libc's frames: a block, or its chunk. */
static void vote(struct search *search, uint64_t value)
{
	struct candidate *as_mem = candidate_of(search, value);
	if (as_mem)
		as_mem->as_mem++;
	struct candidate *as_chunk = candidate_of(search, glibc_mem(search->glibc, value));
	if (as_chunk)
		as_chunk->as_chunk++;
}

static void vote_in_caller(struct search *search, uint64_t value)
{
	struct candidate *one = candidate_of(search, value);
	if (one)
		one->in_caller++;
}

/* Index of the first frame outside libc: who called free(). */
static uint32_t caller_frame(const struct glibc *glibc, const struct hf_thread *thread)
{
	for (uint32_t i = 0; i < thread->frames.count; i++) {
		uint32_t module = thread->frames.data[i].module;
		if (module != HF_NO_INDEX && !glibc->process->modules.data[module].is_libc)
			return i;
	}
	return HF_NO_INDEX;
}

static void vote_words(struct search *search, uint64_t from, uint64_t to, bool in_caller)
{
	uint64_t w = search->glibc->layout.word, value;

	if (to - from > MAX_STACK_BYTES)
		to = from + MAX_STACK_BYTES;
	for (uint64_t at = from; at < to; at += w) {
		if (!glibc_word(search->glibc, at, &value) ||
		    value < search->glibc->image->page_bytes)
			continue;
		if (in_caller)
			vote_in_caller(search, value);
		else
			vote(search, value);
	}
}

static void collect_votes(struct search *search, const struct hf_thread *thread, uint32_t caller)
{
	if (search->glibc->named) {
		vote(search, search->glibc->named);
		vote(search, search->glibc->named - 2ull * search->glibc->layout.word);
		return;
	}
	uint64_t end = thread->sp + BLIND_STACK_BYTES;
	const struct hf_frame *frame = caller == HF_NO_INDEX ? NULL : &thread->frames.data[caller];

	if (frame && frame->sp > thread->sp)
		end = frame->sp;
	search->blind = !frame;
	search->inner_start = thread->sp;
	search->inner_end = end;
	if (thread->frames.count) {
		search->outer_start = thread->frames.data[thread->frames.count - 1].sp;
		search->outer_end = thread->stack_end;
	}
	vote_words(search, thread->sp, end, false);
	for (uint32_t i = 0; i < thread->register_count; i++)
		vote(search, thread->registers[i].value);
	for (uint32_t i = 0; frame && i < CALLER_FRAMES; i++, frame++) {
		if (caller + i >= thread->frames.count)
			break;
		for (uint32_t bit = 0; bit < HF_FRAME_REGISTERS; bit++) {
			uint64_t value = frame->registers[bit];
			if (frame->known >> bit & 1)
				vote_in_caller(search, value);
		}
		if (frame->cfa > frame->sp)
			vote_words(search, frame->sp, frame->cfa, true);
	}
}

/*
 * The block most spoken for, heap memory before other. What only the caller's frame speaks for
 * must be alone.
 */
static const struct candidate *winner(const struct search *search)
{
	const struct candidate *best = NULL;
	unsigned best_score = 0, rivals = 0;

	for (unsigned i = 0; i < search->count; i++) {
		const struct candidate *one = &search->candidates[i];
		bool heap = glibc_region_at(search->glibc, one->mem) != UINT32_MAX;
		bool both = one->as_mem && one->as_chunk;
		unsigned score = (heap ? HEAP_SCORE : 1) + (both ? BOTH_SCORE : 0) +
				 (one->as_chunk ? CHUNK_SCORE : 0);
		if (score < best_score || !fits(search, one))
			continue;
		rivals = score == best_score ? rivals + 1 : 0;
		best = one;
		best_score = score;
	}
	return rivals ? NULL : best;
}

/*
 * A chunk that looks free is taken off its list, to be joined: its size must be what the chunk
 * behind it says. If one header alone is broken, that is why it is not, or why it looks free.
 */
static bool met_in_unlink(struct hf_findings *findings, const char *message)
{
	struct hf_finding *met = NULL;

	if (!strstr(message, "corrupted size vs. prev_size"))
		return false;
	hf_vec_foreach (finding, findings) {
		if (finding->severity != HF_SEV_ERROR || !finding->word ||
		    finding->word >= finding->address)
			continue;
		if (met)
			return false;
		met = finding;
	}
	return met && (met->met = true);
}

/*
 * Is what malloc met a finding already? Either it would have said just that, or the header
 * that it complained of is one that was found broken.
 */
static bool is_known(struct search *search)
{
	struct hf_findings *findings = &((struct glibc *)(uintptr_t)search->glibc)->base.findings;
	const char *message = search->glibc->base.abort_message;

	hf_vec_foreach (finding, findings) {
		if (finding->abort_text && !strcmp(finding->abort_text, message))
			return finding->met = true;
	}
	hf_vec_foreach (finding, findings) {
		const struct candidate *one = candidate_of(search, finding->address);
		bool header = finding->word && finding->word < finding->address;
		if (search->complaint >= BAD_POINTER && header && one &&
		    (one->as_mem || one->as_chunk))
			return finding->met = true;
	}
	return met_in_unlink(findings, message);
}

static const char *caller_text(const struct glibc *glibc, const struct hf_thread *thread,
			       uint32_t caller)
{
	if (caller == HF_NO_INDEX)
		return hf_strpool_printf(glibc->strings, "thread %u", thread->number);
	const struct hf_frame *frame = &thread->frames.data[caller];
	const char *function = frame->function ? frame->function : "?";
	if (frame->file)
		return hf_strpool_printf(glibc->strings, "%s%s at %s:%u, thread %u", function,
					 hf_call_brackets(function), frame->file, frame->line,
					 thread->number);
	return hf_strpool_printf(glibc->strings, "%s%s at 0x%lx, thread %u", function,
				 hf_call_brackets(function), (unsigned long)frame->pc,
				 thread->number);
}

static void tell(const struct search *search, uint64_t mem, const char *caller)
{
	const struct glibc *glibc = search->glibc;
	struct hf_chunk chunk = {0};
	struct hf_finding finding = {.code = "double-free",
				     .severity = HF_SEV_ERROR,
				     .blame = HF_BLAME_DOUBLE_FREE,
				     .met = true,
				     .address = mem,
				     .culprit = mem,
				     .abort_text = glibc->base.abort_message};
	bool found = glibc_chunk_at(&glibc->base, mem, &chunk);

	if (search->complaint < BAD_POINTER && was_given_anew(glibc, &chunk)) {
		glibc_found(glibc, HF_NO_ARENA, finding,
			    "this block was free already, and was freed again by %s; it has been "
			    "given out anew since",
			    caller);
		return;
	}
	if (search->complaint < BAD_POINTER) {
		glibc_found(glibc, HF_NO_ARENA, finding,
			    "this block is free already (%s), and was freed again by %s",
			    hf_chunk_state_name(chunk.state), caller);
		return;
	}
	finding.code = "wrong-free";
	finding.blame = HF_BLAME_WRONG_FREE;
	finding.culprit = found ? chunk.object : 0;
	if (found)
		glibc_found(glibc, HF_NO_ARENA, finding,
			    "%s handed this to free() or realloc(): not what malloc returned, but "
			    "%lu bytes into the block at 0x%lx",
			    caller, (unsigned long)(mem - chunk.object),
			    (unsigned long)chunk.object);
	else
		glibc_found(glibc, HF_NO_ARENA, finding,
			    "%s handed this to free() or realloc(), but it is no heap memory",
			    caller);
}

static const struct hf_thread *aborting_thread(const struct glibc *glibc)
{
	const struct hf_thread *thread = NULL;
	hf_vec_foreach (one, &glibc->process->threads) {
		if (!thread || (thread->signal != SIGABRT && one->signal == SIGABRT))
			thread = one;
	}
	return thread;
}

void glibc_check_abort(struct glibc *glibc)
{
	const struct hf_thread *thread = aborting_thread(glibc);

	if (!glibc->base.aborted || !thread)
		return;
	struct search *search = calloc(1, sizeof(*search));
	if (!search)
		return;
	search->glibc = glibc;
	search->thread = thread;
	search->complaint = complaint_of(glibc->base.abort_message);
	uint32_t caller = caller_frame(glibc, thread);
	if (search->complaint != OTHER)
		collect_votes(search, thread, caller);
	if (!is_known(search) && search->complaint != OTHER) {
		const struct candidate *best = winner(search);
		const char *who = best ? caller_text(glibc, thread, caller) : NULL;
		if (who)
			tell(search, best->mem, who);
	}
	free(search);
}
