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
 * Each such word votes for a block whose state fits the message; chunk and mem together are
 * what counts. Where no block gets both, nothing is said.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "heapwalk/glibc/integrity.h"

enum {
	MAX_STACK_BYTES = 64 << 10,
	BLIND_STACK_BYTES = 4 << 10, /* without frames */
	MAX_CANDIDATES = 256,
};

enum complaint { TCACHE_TWICE, FASTBIN_TWICE, BIN_TWICE, NOT_A_BLOCK };

struct candidate {
	uint64_t mem;
	unsigned as_mem, as_chunk;
};

struct search {
	const struct glibc *glibc;
	enum complaint complaint;
	struct candidate candidates[MAX_CANDIDATES];
	unsigned count;
};

static bool complaint_of(const char *message, enum complaint *ret)
{
	static const struct {
		const char *part;
		enum complaint complaint;
	} known[] = {
	    {"double free detected in tcache", TCACHE_TWICE},
	    {"double free or corruption (fasttop)", FASTBIN_TWICE},
	    {"double free or corruption (!prev)", BIN_TWICE},
	    {"double free or corruption (top)", BIN_TWICE},
	    {"double free or corruption (out)", NOT_A_BLOCK},
	    {"free(): invalid pointer", NOT_A_BLOCK},
	    {"free(): invalid size", NOT_A_BLOCK},
	    {"munmap_chunk(): invalid pointer", NOT_A_BLOCK},
	    {"mremap_chunk(): invalid pointer", NOT_A_BLOCK},
	    {"realloc(): invalid pointer", NOT_A_BLOCK},
	    {"realloc(): invalid old size", NOT_A_BLOCK},
	};
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strstr(message, known[i].part)) {
			*ret = known[i].complaint;
			return true;
		}
	}
	return false;
}

/* Could malloc have complained so of the block at @mem? */
static bool fits(const struct search *search, uint64_t mem)
{
	struct hf_chunk chunk;
	bool found = glibc_region_at(search->glibc, mem) != UINT32_MAX &&
		     glibc_chunk_at(&search->glibc->base, mem, &chunk);

	switch (search->complaint) {
	case TCACHE_TWICE:
		return found && chunk.object == mem && chunk.state == HF_CHUNK_TCACHE;
	case FASTBIN_TWICE:
		return found && chunk.object == mem && chunk.state == HF_CHUNK_FASTBIN;
	case BIN_TWICE: /* it may have been merged with its neighbours since */
		return found && (glibc_is_binned(chunk.state) || chunk.state == HF_CHUNK_TOP);
	case NOT_A_BLOCK:
		return found ? chunk.state == HF_CHUNK_INUSE && chunk.object != mem
			     : hf_process_mapping(search->glibc->process, mem) != NULL;
	}
	return false;
}

static void vote(struct search *search, uint64_t mem, bool as_chunk)
{
	unsigned i = 0;

	while (i < search->count && search->candidates[i].mem != mem)
		i++;
	if (i == search->count) {
		if (i == MAX_CANDIDATES)
			return;
		search->candidates[search->count++] = (struct candidate){.mem = mem};
	}
	search->candidates[i].as_mem += !as_chunk;
	search->candidates[i].as_chunk += as_chunk;
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

static void collect_votes(struct search *search, const struct hf_thread *thread, uint32_t caller)
{
	const struct glibc *glibc = search->glibc;
	uint64_t w = glibc->layout.word, end = thread->sp + BLIND_STACK_BYTES, value;

	if (caller != HF_NO_INDEX && thread->frames.data[caller].sp > thread->sp)
		end = thread->frames.data[caller].sp;
	if (end - thread->sp > MAX_STACK_BYTES)
		end = thread->sp + MAX_STACK_BYTES;
	for (uint64_t at = thread->sp; at < end; at += w) {
		if (!glibc_word(glibc, at, &value) || value % 2)
			continue;
		vote(search, value, false);
		vote(search, value + 2 * w, true);
	}
	for (uint32_t i = 0; i < thread->register_count; i++) {
		vote(search, thread->registers[i].value, false);
		vote(search, thread->registers[i].value + 2 * w, true);
	}
}

/* The block most spoken for: as mem and as chunk, if a chunk is needed to believe it. */
static const struct candidate *winner(const struct search *search)
{
	const struct candidate *best = NULL;
	bool need_both = search->complaint == NOT_A_BLOCK || search->complaint == BIN_TWICE;
	unsigned best_score = 0;

	for (unsigned i = 0; i < search->count; i++) {
		const struct candidate *one = &search->candidates[i];
		unsigned score = one->as_mem + one->as_chunk;
		bool both = one->as_mem && one->as_chunk;
		score += both ? 100 : 0;
		if (score <= best_score || (need_both && !both) || !fits(search, one->mem))
			continue;
		best = one;
		best_score = score;
	}
	return best;
}

static const char *caller_text(const struct glibc *glibc, const struct hf_thread *thread,
			       uint32_t caller)
{
	if (caller == HF_NO_INDEX)
		return hf_strpool_printf(glibc->strings, "thread %u", thread->number);
	const struct hf_frame *frame = &thread->frames.data[caller];
	if (frame->file)
		return hf_strpool_printf(glibc->strings, "%s() at %s:%u, thread %u",
					 frame->function ? frame->function : "?", frame->file,
					 frame->line, thread->number);
	return hf_strpool_printf(glibc->strings, "%s() at 0x%lx, thread %u",
				 frame->function ? frame->function : "?", (unsigned long)frame->pc,
				 thread->number);
}

static void tell(const struct search *search, uint64_t mem, const char *caller)
{
	const struct glibc *glibc = search->glibc;
	struct hf_chunk chunk = {0};
	struct hf_finding finding = {.code = "double-free",
				     .severity = HF_SEV_ERROR,
				     .blame = HF_BLAME_DOUBLE_FREE,
				     .address = mem,
				     .culprit = mem,
				     .abort_text = glibc->base.abort_message};
	bool found = glibc_chunk_at(&glibc->base, mem, &chunk);

	if (search->complaint != NOT_A_BLOCK) {
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

void glibc_check_abort(struct glibc *glibc)
{
	struct search *search;
	enum complaint complaint;
	const struct hf_thread *thread = NULL;

	if (!glibc->base.aborted || !complaint_of(glibc->base.abort_message, &complaint))
		return;
	hf_vec_foreach (one, &glibc->process->threads) {
		if (!thread || (thread->signal != SIGABRT && one->signal == SIGABRT))
			thread = one;
	}
	search = thread ? calloc(1, sizeof(*search)) : NULL;
	if (!search)
		return;
	search->glibc = glibc;
	search->complaint = complaint;
	uint32_t caller = caller_frame(glibc, thread);
	collect_votes(search, thread, caller);
	const struct candidate *best = winner(search);
	const char *who = best ? caller_text(glibc, thread, caller) : NULL;
	if (who)
		tell(search, best->mem, who);
	free(search);
}
