/*
 * found.c - how a broken invariant is reported.
 *
 * A finding goes to two places: to allocator->findings, with the broken word and the
 * probable culprit, and as one sentence to the diagnostics. Of each code the first
 * HF_DIAG_KEEP are kept, so that a heap of rubbish costs bounded memory.
 *
 * Half-updated lists are no corruption. free() may be under way in any thread when a core is
 * taken, and then what looks broken is told as a note:
 *
 *	an arena whose lock is held		everything of that arena
 *	a thread whose pc is in malloc's code	tcaches and fastbins, which take no lock; and
 *						everything if it is the only thread, for then
 *						glibc takes no locks
 *
 * But not where the thread that died was the one in malloc: by malloc's own abort(), or by a bad
 * address that it met there. Then the lock is held for that.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "heapwalk/glibc/glibc.h"

enum { MAX_FINDING_MESSAGE = 512, MAX_DOUBTFUL = 4096 };

static bool in_flux(const struct glibc *glibc, uint32_t arena, bool lockless)
{
	if (glibc->base.aborted || (glibc->died_in_malloc && !glibc->mid_malloc))
		return false;
	if (glibc->mid_malloc && (lockless || glibc->process->threads.count == 1))
		return true;
	return arena < glibc->base.arenas.count && glibc->base.arenas.data[arena].in_flux;
}

static void keep_finding(struct glibc *glibc, struct hf_finding *finding, const char *message)
{
	glibc->base.findings_count += finding->severity != HF_SEV_NOTE;
	if (hf_diags_code_count(glibc->diags, finding->code) >= HF_DIAG_KEEP)
		return;
	finding->message = hf_strpool_dup(glibc->strings, message);
	if (finding->message)
		(void)hf_vec_push(&glibc->base.findings, *finding);
}

/* What stands in the broken word. */
static void read_found(const struct glibc *glibc, struct hf_finding *finding)
{
	uint32_t four = 0;
	uint16_t two = 0;
	uint8_t one = 0;

	if (!finding->word)
		return;
	if (!finding->word_bytes)
		finding->word_bytes = glibc->layout.word;
	if (finding->word_bytes == 1) {
		finding->has_found = hf_image_read(glibc->image, finding->word, &one, 1);
		finding->found = one;
	} else if (finding->word_bytes == 2) {
		finding->has_found = hf_image_u16(glibc->image, finding->word, &two);
		finding->found = two;
	} else if (finding->word_bytes == 4) {
		finding->has_found = hf_image_u32(glibc->image, finding->word, &four);
		finding->found = four;
	} else {
		finding->has_found = glibc_word(glibc, finding->word, &finding->found);
	}
}

void glibc_found(const struct glibc *glibc, uint32_t arena, struct hf_finding finding,
		 const char *fmt, ...)
{
	/* Findings are the one thing that a walk of a const heap may add to. */
	struct glibc *writable = (struct glibc *)(uintptr_t)glibc;
	char message[MAX_FINDING_MESSAGE];
	va_list args;

	finding.arena = arena;
	if (finding.abort_text && !finding.met)
		finding.abort_text = glibc_says(glibc, finding.abort_text);
	read_found(glibc, &finding);
	va_start(args, fmt);
	vsnprintf(message, sizeof(message), fmt, args);
	va_end(args);
	if (finding.severity == HF_SEV_ERROR && !finding.settled &&
	    in_flux(glibc, arena, finding.lockless || arena == HF_NO_ARENA))
		finding.severity = HF_SEV_NOTE;
	pthread_mutex_lock(&writable->findings_lock);
	keep_finding(writable, &finding, message);
	pthread_mutex_unlock(&writable->findings_lock);
	if (finding.abort_text)
		hf_diag_add(glibc->diags, HF_DIAG_HEAP, finding.severity, finding.code,
			    finding.address, "%s (\"%s\")", message, finding.abort_text);
	else
		hf_diag_add(glibc->diags, HF_DIAG_HEAP, finding.severity, finding.code,
			    finding.address, "%s", message);
}

/* ---- what walks find ------------------------------------------------------------------------- */

static struct glibc_told *last_told(struct glibc_region *walk, const char *code)
{
	for (size_t i = walk->told.count; i-- > 0;) {
		if (!strcmp(walk->told.data[i].finding.code, code))
			return &walk->told.data[i];
	}
	return NULL;
}

static void keep_told(struct glibc_region *walk, struct glibc_told told, const char *message)
{
	struct glibc_told *last = last_told(walk, told.finding.code);

	told.nth = last ? last->nth + 1 : 1;
	if (told.nth > HF_DIAG_KEEP) {
		last->more++;
		return;
	}
	told.message = message ? strdup(message) : NULL;
	if ((message && !told.message) || !hf_vec_push(&walk->told, told))
		free(told.message);
}

void glibc_tell_later(struct glibc_region *walk, struct hf_finding finding, const char *message)
{
	keep_told(walk, (struct glibc_told){.finding = finding}, message);
}

void glibc_missing(struct glibc_region *walk, uint64_t start, uint64_t end)
{
	struct hf_finding finding = {.code = "heap-missing", .address = start};

	walk->missing_bytes += end - start;
	keep_told(walk, (struct glibc_told){.finding = finding, .missing = end - start}, NULL);
}

void glibc_doubtful(struct glibc_region *walk, uint64_t start, uint64_t end)
{
	struct hf_range range = {start, end};

	if (walk->doubtful.count < MAX_DOUBTFUL)
		(void)hf_vec_push(&walk->doubtful, range);
}

static void tell(struct glibc *glibc, uint32_t arena, const struct glibc_told *told)
{
	if (!told->message)
		hf_diag_add(glibc->diags, HF_DIAG_EVIDENCE, HF_SEV_WARNING, told->finding.code,
			    told->finding.address, "%lu bytes of the heap are not in the core",
			    (unsigned long)told->missing);
	else
		glibc_found(glibc, arena, told->finding, "%s", told->message);
}

void glibc_tell_walks(struct glibc *glibc)
{
	for (size_t i = 0; i < glibc->walks.count; i++) {
		struct glibc_region *walk = &glibc->walks.data[i];
		hf_vec_foreach (told, &walk->told) {
			for (uint64_t times = 0; times <= told->more; times++)
				tell(glibc, glibc->base.regions.data[i].arena, told);
		}
		hf_vec_foreach (range, &walk->doubtful) {
			if (glibc->base.doubtful.count < MAX_DOUBTFUL)
				(void)hf_vec_push(&glibc->base.doubtful, *range);
		}
		glibc_forget_told(walk);
	}
}

void glibc_forget_told(struct glibc_region *walk)
{
	hf_vec_foreach (told, &walk->told)
		free(told->message);
	hf_vec_free(&walk->told);
	hf_vec_free(&walk->doubtful);
}

/* ---- lists ----------------------------------------------------------------------------------- */

bool glibc_list_cut(const struct glibc *glibc, uint64_t address)
{
	struct glibc *writable = (struct glibc *)(uintptr_t)glibc;
	const struct hf_mapping *mapping = hf_process_mapping(glibc->process, address);

	/* Code that was not dumped is no heap: a link that leads there is broken. */
	if (!mapping || !(mapping->flags & HF_SEGMENT_W) ||
	    hf_image_at(glibc->image, address, NULL))
		return false;
	writable->lists_missing = true;
	writable->base.lists_cut++;
	hf_diag_add(
	    glibc->diags, HF_DIAG_EVIDENCE, HF_SEV_WARNING, "list-missing", address,
	    "a free list leads to memory that is not in the core: what else is on it counts "
	    "as in use");
	return true;
}
