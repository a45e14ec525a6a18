/*
 * found.c - what is broken in pymalloc's pools, as findings and diagnostics.
 *
 * A block that is freed gets the link of its pool's free list as its first word, and that is where
 * an object's reference count was: an object that is still used after it went changes the link by
 * a few, and the link then leads between two blocks. A count that is off by one may be a block on
 * its way while the core was taken: that is a note.
 */
#include <stdarg.h>
#include <stdio.h>

#include "heapwalk/pymalloc/pymalloc.h"

enum { MAX_MESSAGE = 512, NEAR = 8 };

static void found(const struct pymalloc *python, struct hf_finding finding, const char *fmt, ...)
    HF_PRINTF(3, 4);

static void found(const struct pymalloc *python, struct hf_finding finding, const char *fmt, ...)
{
	/* Findings are the one thing that a walk of a const heap may add to. */
	struct pymalloc *writable = (struct pymalloc *)(uintptr_t)python;
	char message[MAX_MESSAGE];
	va_list args;

	va_start(args, fmt);
	vsnprintf(message, sizeof(message), fmt, args);
	va_end(args);
	finding.word_bytes = finding.word_bytes ? finding.word_bytes : 8;
	pthread_mutex_lock(&writable->findings_lock);
	writable->base.findings_count += finding.severity != HF_SEV_NOTE;
	if (hf_diags_code_count(python->diags, finding.code) < HF_DIAG_KEEP) {
		finding.message = hf_strpool_dup(writable->strings, message);
		if (finding.message)
			(void)hf_vec_push(&writable->base.findings, finding);
	}
	pthread_mutex_unlock(&writable->findings_lock);
	hf_diag_add(python->diags, HF_DIAG_HEAP, finding.severity, finding.code, finding.address,
		    "%s", message);
}

/* A free list of which a part may be missing. */
static void cut_list(const struct pymalloc *python)
{
	struct pymalloc *writable = (struct pymalloc *)(uintptr_t)python;

	pthread_mutex_lock(&writable->findings_lock);
	writable->base.lists_cut++;
	pthread_mutex_unlock(&writable->findings_lock);
}

static void doubtful(const struct pymalloc *python, const struct pool_view *view)
{
	struct pymalloc *writable = (struct pymalloc *)(uintptr_t)python;

	pthread_mutex_lock(&writable->findings_lock);
	if (writable->base.doubtful.count < HF_DIAG_KEEP)
		(void)hf_vec_push(&writable->base.doubtful,
				  (struct hf_range){view->address, view->end});
	pthread_mutex_unlock(&writable->findings_lock);
}

/* Is @link what a link to a block becomes when a reference count in its place is changed? */
static bool is_counted(const struct pool_view *view, uint64_t link)
{
	uint64_t first = view->address + POOL_HEADER;

	if (link + NEAR <= 2 * NEAR)
		return true; /* the last block's */
	if (link + NEAR < first || link >= first + (uint64_t)view->carved * view->size + NEAR)
		return false;
	uint64_t within = (link + NEAR - first) % view->size;
	return link % 8 && within <= 2 * NEAR;
}

static void tell_link(const struct pymalloc *python, const struct pymalloc_arena *arena,
		      const struct pool_view *view)
{
	bool in_header = view->word < view->address + POOL_HEADER;
	bool counted = !in_header && is_counted(view, view->found);

	found(python,
	      (struct hf_finding){.code = "pymalloc-link-broken",
				  .severity = HF_SEV_ERROR,
				  .blame = counted ? HF_BLAME_USE_AFTER_FREE : HF_BLAME_UNKNOWN,
				  .arena = arena->table,
				  .address = in_header ? view->address : view->word,
				  .word = view->word,
				  .has_found = true,
				  .found = view->found,
				  .culprit = counted ? view->word : 0},
	      "the free list of a pool of %u-byte blocks at 0x%lx leads to 0x%lx, where no block "
	      "is%s",
	      view->size, (unsigned long)view->address, (unsigned long)view->found,
	      counted ? ": a reference count was changed after the object was freed" : "");
	cut_list(python);
}

static void tell_twice(const struct pymalloc *python, const struct pymalloc_arena *arena,
		       const struct pool_view *view)
{
	found(python,
	      (struct hf_finding){.code = "pymalloc-list-loop",
				  .severity = HF_SEV_ERROR,
				  .blame = HF_BLAME_DOUBLE_FREE,
				  .arena = arena->table,
				  .address = view->found,
				  .word = view->word,
				  .has_found = true,
				  .found = view->found,
				  .culprit = view->found},
	      "this block of %u bytes is on the free list of its pool twice", view->size);
	cut_list(python);
}

static void tell_count(const struct pymalloc *python, const struct pymalloc_arena *arena,
		       const struct pool_view *view)
{
	uint32_t expected = view->carved - view->listed;
	bool one = view->in_use + 1 == expected || view->in_use == expected + 1;

	found(python,
	      (struct hf_finding){.code = "pymalloc-count",
				  .severity = one ? HF_SEV_NOTE : HF_SEV_ERROR,
				  .arena = arena->table,
				  .address = view->address,
				  .word = view->address + POOL_COUNT,
				  .word_bytes = 4,
				  .has_found = true,
				  .found = view->in_use,
				  .has_expected = true,
				  .expected = expected},
	      "a pool of %u-byte blocks counts %u in use, but %u of %u are not on its free list",
	      view->size, view->in_use, expected, view->carved);
}

/* The header stands behind the last block of the pool before. */
static void tell_header(const struct pymalloc *python, const struct pymalloc_arena *arena,
			const struct pool_view *view)
{
	struct hf_chunk before = {0};
	struct pool_view previous;
	bool overrun = false;

	if (view->address > arena->pools) {
		pymalloc_view(python, arena, view->address - 1, &previous);
		uint64_t last =
		    previous.address + POOL_HEADER +
		    (uint64_t)(previous.blocks ? previous.blocks - 1 : 0) * previous.size;
		overrun = previous.state == POOL_USED &&
			  pymalloc_chunk(arena, &previous, last, &before) &&
			  before.state == HF_CHUNK_INUSE;
	}
	found(python,
	      (struct hf_finding){.code = "pymalloc-header",
				  .severity = HF_SEV_ERROR,
				  .blame = overrun ? HF_BLAME_OVERFLOW : HF_BLAME_UNKNOWN,
				  .arena = arena->table,
				  .address = view->address,
				  .word = view->address,
				  .culprit = overrun ? before.object : 0},
	      "the header of a pool is broken: its %lu bytes count as one block in use",
	      (unsigned long)(view->end - view->address));
	doubtful(python, view);
	cut_list(python);
}

void pymalloc_tell_pool(const struct pymalloc *python, const struct pymalloc_arena *arena,
			const struct pool_view *view)
{
	switch ((enum pool_trouble)view->trouble) {
	case TROUBLE_NONE:
		return;
	case TROUBLE_HEADER:
		tell_header(python, arena, view);
		return;
	case TROUBLE_LINK:
		tell_link(python, arena, view);
		return;
	case TROUBLE_TWICE:
		tell_twice(python, arena, view);
		return;
	case TROUBLE_COUNT:
		tell_count(python, arena, view);
		return;
	}
}

void pymalloc_tell_arena(const struct pymalloc *python, const struct pymalloc_arena *arena,
			 uint32_t unused)
{
	uint32_t counted = arena->free_pools;
	bool one = counted + 1 == unused || counted == unused + 1;

	found(python,
	      (struct hf_finding){.code = "pymalloc-arena-count",
				  .severity = one ? HF_SEV_NOTE : HF_SEV_WARNING,
				  .arena = arena->table,
				  .address = arena->start,
				  .word = arena->entry + ENTRY_FREE_POOLS,
				  .word_bytes = 4,
				  .has_found = true,
				  .found = counted,
				  .has_expected = true,
				  .expected = unused},
	      "an arena of pymalloc counts %u unused pools, but has %u", counted, unused);
}
