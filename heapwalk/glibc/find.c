/*
 * find.c - the main arena, the layout that fits it, and mp_.
 *
 * 1. `main_arena` by symbol (a debug file, an unstripped static program); else
 * 2. by structure: 127 consecutive (fd, bk) pairs that are self-linked or properly linked,
 *    in writable memory; libc's own data is looked at first, then everything.
 * 3. The layout is the one whose `next` ring returns to its start, whose mp_ has its
 *    signature, and whose version is libc's own, in this order of trust. Field offsets are
 *    then compared with libc's DWARF where there is one.
 *
 * Verified on glibc 2.17 to 2.44: always exactly one geometry closes the ring.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "heapwalk/glibc/glibc.h"

enum {
	MIN_GOOD_PAIRS = 112, /* of 127: lists in flux or smashed must not hide the arena */
	MAX_ARENAS = 1 << 16,
	PAR_SEARCH_BYTES = 0x3000, /* mp_ lies this near to main_arena */
	DEFAULT_TOP_PAD = 0x20000,
	I386_ALIGNED_SINCE = 26, /* chunks to 16, on i386 */
	MAX_VERSION_SCAN = 8 << 20,
	/* What speaks for a layout: each more than all that follow. */
	RING_CLOSES = 8,
	PAR_FITS = 4,
	VERSION_FITS = 2,
	COUNTS_CONVINCE = 1,
};

/* ---- the bins ------------------------------------------------------------------------------ */

/* Is the (fd, bk) pair at @at empty, or a list whose ends point back at it? */
static bool good_pair(const struct glibc *glibc, uint64_t at)
{
	uint64_t w = glibc->layout.word, head = at - 2 * w, fd, bk, back;
	if (!glibc_word(glibc, at, &fd) || !glibc_word(glibc, at + w, &bk))
		return false;
	if (fd == head && bk == head)
		return true;
	return glibc_word(glibc, fd + 3 * w, &back) && back == head &&
	       glibc_word(glibc, bk + 2 * w, &back) && back == head;
}

static unsigned good_pairs(const struct glibc *glibc, uint64_t bins)
{
	unsigned good = 0;
	for (unsigned i = 0; i < GLIBC_BINS; i++)
		good += good_pair(glibc, bins + 2ull * i * glibc->layout.word);
	return good;
}

/*
 * The first hit may stand a few pairs before bins[0], since some bad pairs are allowed: the place
 * with the most good pairs is the right one.
 */
static uint64_t best_place(const struct glibc *glibc, uint64_t hit)
{
	uint64_t best = hit;
	unsigned most = good_pairs(glibc, hit);
	for (unsigned i = 1; i <= GLIBC_BINS - MIN_GOOD_PAIRS; i++) {
		uint64_t at = hit + 2ull * i * glibc->layout.word;
		unsigned good = good_pairs(glibc, at);
		if (good > most) {
			most = good;
			best = at;
		}
	}
	return best;
}

/* Scan [start, end) for bins[0]; bin 127 is never used, so it is always self-linked. */
static bool scan_for_bins(const struct glibc *glibc, uint64_t start, uint64_t end, uint64_t *ret)
{
	uint64_t w = glibc->layout.word, last = 2ull * (GLIBC_BINS - 1) * w;

	for (uint64_t at = (start + w - 1) & ~(w - 1);
	     at < end && end - at >= GLIBC_BIN_WORDS * w;) {
		uint64_t available = 0;
		const uint8_t *view = hf_image_at(glibc->image, at + last, &available);
		if (!view || available < 2 * w) {
			uint64_t next = view ? at + w : hf_image_next(glibc->image, at + last, end);
			if (next >= end)
				return false;
			at = view ? next : (next - last + w - 1) & ~(w - 1);
			continue;
		}
		uint64_t count = (available - w) / w;
		for (uint64_t i = 0; i < count && end - at >= GLIBC_BIN_WORDS * w; i++, at += w) {
			uint64_t expect = at + last - 2 * w;
			if (hf_image_word_at(glibc->image, view + i * w) == expect &&
			    hf_image_word_at(glibc->image, view + (i + 1) * w) == expect &&
			    good_pairs(glibc, at) >= MIN_GOOD_PAIRS) {
				*ret = best_place(glibc, at);
				return true;
			}
		}
	}
	return false;
}

/* ---- the layout ------------------------------------------------------------------------------ */

static void take_class(struct glibc *glibc, const struct glibc_class *class)
{
	struct glibc_layout *layout = &glibc->layout;
	uint32_t w = class->word;

	layout->class = class;
	layout->fastbins = class->fastbins;
	layout->bins = class->bins;
	layout->top = class->bins - 2 * w;
	layout->fastbin_count = class->fastbins ? (layout->top - class->fastbins) / w : 0;
	layout->next = class->bins + GLIBC_BIN_WORDS * w + 16;
	layout->attached = class->attached_threads ? layout->next + 2 * w : 0;
	layout->system_mem = layout->next + (class->attached_threads ? 3 : 2) * w;
	layout->state_size = layout->system_mem + 2 * w;
	layout->heap_info = class->heap_info;
	layout->mangled = class->mangled;
	layout->align = class->align;
	layout->chunk_skew = w == 4 && class->align == 16 ? 8 : 0;
	layout->min_size = 4 * w;
	layout->heap_max = w == 8 ? 64ull << 20 : 1ull << 20;
}

/* May this machine's malloc be of @class? Of equal words some align chunks to 16, some to 8. */
static bool fits_machine(const struct glibc *glibc, const struct glibc_class *class)
{
	uint16_t machine = glibc->image->machine;

	if (class->word != glibc->image->word_bytes)
		return false;
	if (machine == HF_MACHINE_386)
		return class->align == (class->first >= I386_ALIGNED_SINCE ? 16 : 8);
	return (machine != HF_MACHINE_ARM && machine != HF_MACHINE_MIPS) || class->align == 8;
}

/* Does the ring of arenas from @arena close under the current layout? */
static bool ring_closes(const struct glibc *glibc, uint64_t arena)
{
	uint64_t at = arena;
	for (unsigned i = 0; i < MAX_ARENAS; i++) {
		if (!glibc_word(glibc, at + glibc->layout.next, &at) || at == 0)
			return false;
		if (at == arena)
			return true;
	}
	return false;
}

/* attached_threads is a small count; without that field system_mem stands there. */
static bool counts_fit(const struct glibc *glibc, uint64_t arena)
{
	uint64_t value;
	if (!glibc_word(glibc, arena + glibc->layout.next + 2ull * glibc->layout.word, &value))
		return false;
	return glibc->layout.attached ? value < 0x10000 : value == 0 || value >= 0x1000;
}

/* Which of the two is it? What malloc has of the system is whole pages, a count of threads rarely.
 */
static bool counts_convince(const struct glibc *glibc, uint64_t arena)
{
	uint64_t value = 0;
	glibc_word(glibc, arena + glibc->layout.next + 2ull * glibc->layout.word, &value);
	return value && (value % glibc->image->page_bytes != 0) == (glibc->layout.attached != 0);
}

/* Does @par look like mp_ of the current layout's class? */
static bool par_fits(const struct glibc *glibc, uint64_t par)
{
	const struct glibc_par_layout *at = &glibc->layout.class->par;
	uint64_t w = glibc->layout.word, value = 0, bins = 64;
	uint32_t maximum = 0, dynamic = 2, count = 0;

	return glibc_word(glibc, par + 3 * w, &value) && value <= 64 &&
	       hf_image_u32(glibc->image, par + at->n_mmaps_max, &maximum) && maximum == 65536 &&
	       hf_image_u32(glibc->image, par + at->no_dyn_threshold, &dynamic) && dynamic <= 1 &&
	       hf_image_u32(glibc->image, par + at->n_mmaps, &count) && count <= maximum &&
	       glibc_word(glibc, par + at->sbrk_base, &value) &&
	       (value == 0 || hf_process_mapping(glibc->process, value)) &&
	       (!at->tcache_bins ||
		(glibc_word(glibc, par + at->tcache_bins, &bins) && bins <= 76)) &&
	       glibc_word(glibc, par + w, &value) && value % 16 == 0;
}

static bool par_near(const struct glibc *glibc, uint64_t arena, uint64_t *ret)
{
	uint64_t w = glibc->layout.word, pad;
	for (uint64_t back = w; back <= PAR_SEARCH_BYTES && back < arena; back += w) {
		uint64_t par = arena - back;
		if (glibc_word(glibc, par + w, &pad) && (pad == DEFAULT_TOP_PAD || pad == 0) &&
		    par_fits(glibc, par)) {
			*ret = par;
			return true;
		}
	}
	return false;
}

/*
 * Choose among the classes: that the ring closes counts most, then mp_'s signature, then
 * whether libc's own version lies in the class's range. One of the first two must hold.
 */
static bool choose_class(struct glibc *glibc, uint64_t bins, uint64_t symbol_par)
{
	unsigned count;
	const struct glibc_class *classes = glibc_classes(&count), *best = NULL;
	int best_score = -1;
	uint64_t best_par = 0;

	for (unsigned i = 0; i < count; i++) {
		if (!fits_machine(glibc, &classes[i]))
			continue;
		take_class(glibc, &classes[i]);
		uint64_t arena = bins - classes[i].bins, par = 0;
		if (!counts_fit(glibc, arena))
			continue;
		/* A smashed ring must not hide the heap: what else fits may speak for it. */
		int score = ring_closes(glibc, arena) ? RING_CLOSES : 0;
		if (symbol_par ? par_fits(glibc, symbol_par) : par_near(glibc, arena, &par))
			score += PAR_FITS;
		if (glibc->version >= classes[i].first && glibc->version <= classes[i].last)
			score += VERSION_FITS;
		score += counts_convince(glibc, arena) ? COUNTS_CONVINCE : 0;
		/* Of equals the later: distributions go forward. */
		if (score >= PAR_FITS && score >= best_score) {
			best_score = score;
			best = &classes[i];
			best_par = score & PAR_FITS ? (symbol_par ? symbol_par : par) : symbol_par;
		}
	}
	if (!best)
		return false;
	take_class(glibc, best);
	glibc->main_arena = bins - best->bins;
	glibc->par = best_par;
	return true;
}

/* ---- libc's version -------------------------------------------------------------------------- */

static int version_in(const uint8_t *data, uint64_t size)
{
	static const char mark[] = "stable release version 2.", mark_dev[] = "release version 2.";
	const uint8_t *found = memmem(data, size, mark, sizeof(mark) - 1);
	size_t skip = sizeof(mark) - 1;
	if (!found) {
		found = memmem(data, size, mark_dev, sizeof(mark_dev) - 1);
		skip = sizeof(mark_dev) - 1;
	}
	if (!found || (uint64_t)(data + size - found) < skip + 3)
		return 0;
	int version = 0;
	for (const uint8_t *at = found + skip; at < found + skip + 2; at++) {
		if (*at >= '0' && *at <= '9')
			version = version * 10 + (*at - '0');
	}
	return version;
}

/* From the file name (libc-2.31.so), else from the banner in libc's read-only data. */
static int libc_version(const struct glibc *glibc, const struct hf_module *module)
{
	int version = 0;
	if (!strncmp(module->name, "libc-2.", 7))
		version = (int)strtol(module->name + 7, NULL, 10);
	hf_vec_foreach (segment, &glibc->image->segments) {
		if (version || segment->start < module->start || segment->start >= module->end ||
		    !segment->data || (segment->flags & HF_SEGMENT_W))
			continue;
		uint64_t size =
		    segment->present < MAX_VERSION_SCAN ? segment->present : MAX_VERSION_SCAN;
		version = version_in(segment->data, size);
	}
	return version >= 17 && version < 100 ? version : 0;
}

/* ---- where to look --------------------------------------------------------------------------- */

static bool bins_by_symbol(struct glibc *glibc, uint32_t module, uint64_t *ret_bins,
			   uint64_t *ret_par)
{
	uint64_t arena = 0, par = 0, size = 0;
	unsigned count;
	const struct glibc_class *classes = glibc_classes(&count);

	if (!glibc->symbols ||
	    !hf_symbols_find(glibc->symbols, module, "main_arena", &arena, &size))
		return false;
	if (hf_symbols_find(glibc->symbols, module, "mp_", &par, &size))
		*ret_par = par;
	/* A few words off, most pairs are still good ones: the best place is the right one. */
	unsigned most = 0;
	for (unsigned i = 0; i < count; i++) {
		if (!fits_machine(glibc, &classes[i]))
			continue;
		unsigned good = good_pairs(glibc, arena + classes[i].bins);
		if (good > most) {
			most = good;
			*ret_bins = arena + classes[i].bins;
		}
	}
	return most >= MIN_GOOD_PAIRS;
}

static bool bins_in_module(struct glibc *glibc, uint32_t module, uint64_t *ret)
{
	hf_vec_foreach (mapping, &glibc->process->mappings) {
		if (mapping->module == module && (mapping->flags & HF_SEGMENT_W) &&
		    scan_for_bins(glibc, mapping->start, mapping->end, ret))
			return true;
	}
	return false;
}

/* libc's data first, then the other modules', then all writable memory. */
static bool find_bins(struct glibc *glibc, uint64_t *ret_bins, uint64_t *ret_par)
{
	const struct hf_process *process = glibc->process;

	for (int libc = 1; libc >= 0; libc--) {
		for (uint32_t i = 0; i < process->modules.count; i++) {
			const struct hf_module *module = &process->modules.data[i];
			if (module->is_libc != (libc == 1))
				continue;
			glibc->libc_module = i;
			glibc->version = libc ? libc_version(glibc, module) : 0;
			if (bins_by_symbol(glibc, i, ret_bins, ret_par) ||
			    bins_in_module(glibc, i, ret_bins))
				return true;
		}
	}
	glibc->libc_module = HF_NO_INDEX;
	glibc->version = 0;
	hf_vec_foreach (mapping, &process->mappings) {
		if ((mapping->flags & HF_SEGMENT_W) && mapping->module == HF_NO_INDEX &&
		    scan_for_bins(glibc, mapping->start, mapping->end, ret_bins))
			return true;
	}
	return false;
}

/* ---- the layout by DWARF --------------------------------------------------------------------- */

/* Offsets that libc's own DWARF gives must agree; where they do not, DWARF is right. */
static bool layout_from_dwarf(struct glibc *glibc)
{
	struct glibc_layout *layout = &glibc->layout;
	uint64_t bins, top, next, system_mem, size, ignored;

	if (!glibc->symbols || glibc->libc_module == HF_NO_INDEX ||
	    !hf_symbols_member(glibc->symbols, glibc->libc_module, "malloc_state", "bins", &bins,
			       &ignored) ||
	    !hf_symbols_member(glibc->symbols, glibc->libc_module, "malloc_state", "top", &top,
			       &ignored) ||
	    !hf_symbols_member(glibc->symbols, glibc->libc_module, "malloc_state", "next", &next,
			       &ignored) ||
	    !hf_symbols_member(glibc->symbols, glibc->libc_module, "malloc_state", "system_mem",
			       &system_mem, &ignored) ||
	    !hf_symbols_member(glibc->symbols, glibc->libc_module, "malloc_state", NULL, &ignored,
			       &size))
		return false;
	if (bins != layout->bins)
		return false;
	layout->top = (uint32_t)top;
	layout->next = (uint32_t)next;
	layout->system_mem = (uint32_t)system_mem;
	layout->state_size = (uint32_t)size;
	if (hf_symbols_member(glibc->symbols, glibc->libc_module, "_heap_info", NULL, &ignored,
			      &size))
		layout->heap_info = (uint32_t)size;
	return true;
}

static void name_version(struct glibc *glibc, bool by_dwarf)
{
	const struct glibc_class *class = glibc->layout.class;
	char *to = glibc->base.version;
	size_t room = sizeof(glibc->base.version);

	if (glibc->version)
		snprintf(to, room, "2.%d", glibc->version);
	else if (class->first == class->last)
		snprintf(to, room, "2.%d?", class->first);
	else
		snprintf(to, room, "2.%d-2.%d?", class->first, class->last);
	bool in_table = glibc->version >= class->first && glibc->version <= class->last;
	snprintf(glibc->base.layout_source, sizeof(glibc->base.layout_source), "%s",
		 by_dwarf   ? "DWARF"
		 : in_table ? "table"
			    : "probing");
}

static void read_par(struct glibc *glibc)
{
	const struct glibc_par_layout *at = &glibc->layout.class->par;
	uint64_t par = glibc->par, w = glibc->layout.word, huge = 0;
	uint32_t n_mmaps = 0;

	if (!par)
		return;
	glibc_word(glibc, par, &glibc->base.trim_threshold);
	glibc_word(glibc, par + w, &glibc->base.top_pad);
	glibc_word(glibc, par + 2 * w, &glibc->base.mmap_threshold);
	glibc_word(glibc, par + 4 * w, &glibc->base.arena_max);
	hf_image_u32(glibc->image, par + at->n_mmaps, &n_mmaps);
	glibc->n_mmaps = n_mmaps;
	glibc_word(glibc, par + at->mmapped_mem, &glibc->mmapped_mem);
	glibc_word(glibc, par + at->sbrk_base, &glibc->sbrk_base);
	if (at->tcache_count)
		glibc_word(glibc, par + at->tcache_count, &glibc->tcache_count);
	/* 2.35 to 2.41 with huge pages: heaps of four huge pages. */
	if (at->hp_pagesize && glibc_word(glibc, par + at->hp_pagesize, &huge) && huge &&
	    !(huge & (huge - 1)) && glibc->layout.class->first == 35 && glibc->version < 42)
		glibc->layout.heap_max = 4 * huge;
}

/* ---- without the main arena ------------------------------------------------------------------ */

/* Is memory missing where the main arena would be? */
static bool main_arena_missing(const struct glibc *glibc)
{
	if (glibc->process->info.missing_bytes)
		return true;
	hf_vec_foreach (mapping, &glibc->process->mappings) {
		if (mapping->module != HF_NO_INDEX && (mapping->flags & HF_SEGMENT_W) &&
		    glibc->process->modules.data[mapping->module].is_libc &&
		    (mapping->present < mapping->end - mapping->start ||
		     hf_process_zero_at(glibc->process, mapping->start, glibc->image->page_bytes)))
			return true;
	}
	return false;
}

/* Arenas of threads under the current layout: each stands behind its heap's header. */
static unsigned count_thread_arenas(const struct glibc *glibc)
{
	uint64_t step = glibc->layout.heap_max, owner = 0, prev = 1;
	unsigned count = 0;

	hf_vec_foreach (mapping, &glibc->process->mappings) {
		if (!(mapping->flags & HF_SEGMENT_W) || mapping->module != HF_NO_INDEX)
			continue;
		uint64_t heap = (mapping->start + step - 1) & ~(step - 1);
		uint64_t arena = heap + glibc->layout.heap_info;
		if (heap >= mapping->start && heap < mapping->end &&
		    glibc_word(glibc, heap, &owner) && owner == arena &&
		    glibc_word(glibc, heap + glibc->layout.word, &prev) && prev == 0 &&
		    good_pairs(glibc, arena + glibc->layout.bins) >= MIN_GOOD_PAIRS)
			count++;
	}
	return count;
}

/*
 * The main arena was not dumped, or cut off: the layout is told by the threads' arenas and libc's
 * version alone, and regions.c looks for the heap by the chain of its chunks.
 */
static bool settle_without_main(struct glibc *glibc)
{
	unsigned count, best_score = 0;
	const struct glibc_class *classes = glibc_classes(&count), *best = NULL;

	if (!main_arena_missing(glibc))
		return false;
	for (uint32_t i = 0; i < glibc->process->modules.count; i++) {
		if (glibc->process->modules.data[i].is_libc) {
			glibc->libc_module = i;
			glibc->version = libc_version(glibc, &glibc->process->modules.data[i]);
		}
	}
	for (unsigned i = 0; i < count; i++) {
		if (!fits_machine(glibc, &classes[i]))
			continue;
		take_class(glibc, &classes[i]);
		unsigned score =
		    4 * count_thread_arenas(glibc) +
		    (glibc->version >= classes[i].first && glibc->version <= classes[i].last) * 2u;
		/* Without any evidence: what most systems run. */
		score += classes[i].first == 35;
		if (score > best_score) {
			best_score = score;
			best = &classes[i];
		}
	}
	if (!best)
		return false;
	take_class(glibc, best);
	glibc->main_arena = glibc->par = 0;
	return true;
}

struct hf_error *glibc_find(struct glibc *glibc, bool *ret_found)
{
	uint64_t bins = 0, par = 0;

	*ret_found = false;
	glibc->layout.word = glibc->image->word_bytes;
	bool found = find_bins(glibc, &bins, &par);
	bool settled = found && choose_class(glibc, bins, par);
	if (!settled && settle_without_main(glibc)) {
		name_version(glibc, layout_from_dwarf(glibc));
		*ret_found = true;
		return NULL;
	}
	if (!found)
		return NULL;
	if (!settled) {
		hf_diag_add(glibc->diags, HF_DIAG_HEAP, HF_SEV_ERROR, "arena-ring-broken", bins,
			    "lists of free chunks that look like a glibc arena are here, but no "
			    "known layout's ring of arenas closes");
		return NULL;
	}
	bool by_dwarf = layout_from_dwarf(glibc);
	name_version(glibc, by_dwarf);
	read_par(glibc);
	if (!glibc->par)
		hf_diag_add(glibc->diags, HF_DIAG_EVIDENCE, HF_SEV_NOTE, "no-malloc-par",
			    glibc->main_arena,
			    "malloc's parameters (mp_) were not found: the number of mmapped "
			    "chunks cannot be cross-checked");
	*ret_found = true;
	return NULL;
}
