/*
 * pages.c - what becomes of each page of each mapping.
 *
 *	area	|----------------------------------------------------|
 *	pagemap	|present|  absent  |present| swapped |    absent     |
 *	runs	| DATA  |   ZERO   | DATA  | MISSING |     ZERO      |	private memory
 *
 * Invariants: an area's runs cover it without gap or overlap, by address; neighbours differ.
 *
 * The kernel says which pages are present by the PAGEMAP_SCAN ioctl (6.7; it knows the zero
 * page too) or, slower, by /proc/PID/pagemap.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "core/base/cleanup.h"
#include "core/capture/private.h"

/* From linux/fs.h of 6.7, which may be newer than the headers here. */
struct page_region {
	uint64_t start, end, categories;
};

struct pm_scan_arg {
	uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
	uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};

#define SCAN_IOCTL _IOWR('f', 16, struct pm_scan_arg)

enum { IS_FILE = 1 << 2, IS_PRESENT = 1 << 3, IS_SWAPPED = 1 << 4, IS_PFNZERO = 1 << 5 };
enum { SCAN_REGIONS = 8192, PAGEMAP_ENTRIES = 1 << 16, SMALL_FILE = 16 << 20 };

static const uint64_t giant_hole = UINT64_C(4) << 30;

HF_VEC(regions, struct page_region);

struct planner {
	pid_t pid;
	int pagemap;
	bool no_scan; /* the kernel has no PAGEMAP_SCAN */
	bool swap_is_real;
	const struct capture_plan_options *options;
	struct capture_plan *plan;
	uint32_t area;		/* the current one */
	struct regions regions; /* its present or swapped pages */
	void *buffer;
};

/* ---- asking the kernel ---------------------------------------------------------------------- */

static bool add_region(struct regions *regions, uint64_t start, uint64_t end, uint64_t bits)
{
	struct page_region *last = regions->count ? &regions->data[regions->count - 1] : NULL;
	if (last && last->end == start && last->categories == bits) {
		last->end = end;
		return true;
	}
	return hf_vec_push(regions, (struct page_region){start, end, bits});
}

/* 1 done, 0 the kernel cannot, -1 failed with errno. */
static int scan_ioctl(struct planner *planner, uint64_t start, uint64_t end)
{
	struct page_region *found = planner->buffer;
	struct pm_scan_arg arg = {.size = sizeof(arg),
				  .start = start,
				  .end = end,
				  .vec = (uintptr_t)found,
				  .vec_len = SCAN_REGIONS,
				  .category_anyof_mask = IS_PRESENT | IS_SWAPPED,
				  .return_mask = IS_FILE | IS_PRESENT | IS_SWAPPED | IS_PFNZERO};
	while (arg.start < end) {
		int count = ioctl(planner->pagemap, SCAN_IOCTL, &arg);
		if (count < 0)
			return arg.start == start && errno != ESRCH ? 0 : -1;
		for (int i = 0; i < count; i++) {
			if (!add_region(&planner->regions, found[i].start, found[i].end,
					found[i].categories))
				return -1;
		}
		if (arg.walk_end <= arg.start)
			break;
		arg.start = arg.walk_end;
	}
	return 1;
}

static bool scan_pagemap(struct planner *planner, uint64_t start, uint64_t end)
{
	uint64_t page = planner->plan->page_bytes, *entries = planner->buffer;

	while (start < end) {
		uint64_t wanted = (end - start) / page;
		wanted = wanted < PAGEMAP_ENTRIES ? wanted : PAGEMAP_ENTRIES;
		ssize_t got = pread(planner->pagemap, entries, wanted * sizeof(*entries),
				    (off_t)(start / page * sizeof(*entries)));
		if (got < (ssize_t)sizeof(*entries))
			return false;
		for (size_t i = 0; i < (size_t)got / sizeof(*entries); i++, start += page) {
			uint64_t bits = (entries[i] >> 63 & 1 ? IS_PRESENT : 0) |
					(entries[i] >> 62 & 1 ? IS_SWAPPED : 0) |
					(entries[i] >> 61 & 1 ? IS_FILE : 0);
			if ((bits & (IS_PRESENT | IS_SWAPPED)) &&
			    !add_region(&planner->regions, start, start + page, bits))
				return false;
		}
	}
	return true;
}

static struct hf_error *scan_area(struct planner *planner, const struct capture_area *area)
{
	planner->regions.count = 0;
	if (!planner->no_scan) {
		int done = scan_ioctl(planner, area->start, area->end);
		if (done > 0)
			return NULL;
		if (done < 0)
			return hf_error_errno(errno, "/proc/%d/pagemap", (int)planner->pid);
		planner->no_scan = true;
		planner->regions.count = 0;
	}
	if (!scan_pagemap(planner, area->start, area->end))
		return hf_error_errno(errno ? errno : ESRCH, "/proc/%d/pagemap", (int)planner->pid);
	return NULL;
}

/* ---- runs ------------------------------------------------------------------------------------ */

struct verdict { /* on a page */
	uint8_t state, reason;
};

struct rules { /* of an area: for pages that are not present, and for unchanged file pages */
	struct verdict absent, clean;
};

static const struct verdict data = {CAPTURE_DATA, HF_SKIP_NONE};
static const struct verdict zero = {CAPTURE_ZERO, HF_SKIP_NONE};

static struct verdict missing(enum hf_skip_reason reason)
{
	return (struct verdict){CAPTURE_MISSING, (uint8_t)reason};
}

static bool add_run(struct planner *planner, uint64_t start, uint64_t end, struct verdict verdict)
{
	struct capture_plan *plan = planner->plan;
	struct capture_run *last = plan->runs.count ? &plan->runs.data[plan->runs.count - 1] : NULL;

	if (start >= end)
		return true;
	if (verdict.state == CAPTURE_ZERO && end - start >= giant_hole)
		verdict = missing(HF_SKIP_UNTOUCHED);
	if (verdict.state == CAPTURE_DATA && !plan->canary)
		plan->canary = start;
	if (last && last->area == planner->area && last->end == start &&
	    last->state == verdict.state && last->reason == verdict.reason) {
		last->end = end;
		return true;
	}
	return hf_vec_push(&plan->runs, (struct capture_run){.start = start,
							     .end = end,
							     .area = planner->area,
							     .state = verdict.state,
							     .reason = verdict.reason});
}

static struct verdict judge(const struct planner *planner, const struct rules *rules, uint64_t bits)
{
	if (bits & IS_PFNZERO)
		return zero;
	if (bits & IS_PRESENT)
		return bits & IS_FILE ? rules->clean : data;
	bool take = planner->options->read_swap || !planner->swap_is_real;
	return take ? data : missing(HF_SKIP_SWAPPED);
}

static bool add_by_rules(struct planner *planner, const struct capture_area *area,
			 const struct rules *rules)
{
	uint64_t at = area->start;
	hf_vec_foreach (region, &planner->regions) {
		if (!add_run(planner, at, region->start, rules->absent) ||
		    !add_run(planner, region->start, region->end,
			     judge(planner, rules, region->categories)))
			return false;
		at = region->end;
	}
	return add_run(planner, at, area->end, rules->absent);
}

/* Has the private file mapping pages of its own (changed ones)? */
static bool has_own_pages(const struct planner *planner)
{
	hf_vec_foreach (region, &planner->regions) {
		if (!(region->categories & IS_FILE))
			return true;
	}
	return false;
}

/* As the kernel's core filter 0x33: changed mappings whole, of others an ELF file's first page. */
static bool add_file(struct planner *planner, const struct capture_area *area)
{
	uint64_t page = planner->plan->page_bytes, first = area->start;
	struct rules rules = {missing(HF_SKIP_FILE), missing(HF_SKIP_FILE)};
	bool small = area->end - area->start <= SMALL_FILE;
	char magic[SELFMAG];

	if (has_own_pages(planner)) {
		if (small)
			rules = (struct rules){data, data};
		return add_by_rules(planner, area, &rules);
	}
	if (small && (area->flags & PF_W))
		return add_run(planner, area->start, area->end, data);
	if (area->file_offset == 0 && (area->flags & PF_R) &&
	    capture_peek(planner->pid, area->start, magic, sizeof(magic)) &&
	    !memcmp(magic, ELFMAG, SELFMAG))
		first += page;
	return add_run(planner, area->start, first, data) &&
	       add_run(planner, first, area->end, rules.absent);
}

static bool add_area(struct planner *planner, const struct capture_area *area)
{
	static const struct rules own = {{CAPTURE_ZERO, 0}, {CAPTURE_DATA, 0}};
	struct rules memory = {missing(HF_SKIP_SHARED), data};

	if (area->kind == CAPTURE_AREA_VDSO)
		return add_run(planner, area->start, area->end, data);
	if (area->kind == CAPTURE_AREA_SPECIAL || (area->vmflags & CAPTURE_DEVICE))
		return add_run(planner, area->start, area->end, missing(HF_SKIP_DEVICE));
	if (area->vmflags & CAPTURE_DONTDUMP)
		return add_run(planner, area->start, area->end, missing(HF_SKIP_DONTDUMP));
	if (area->kind == CAPTURE_AREA_FILE)
		return add_file(planner, area);
	if (area->kind == CAPTURE_AREA_MEMORY)
		return add_by_rules(planner, area, &memory);
	if (area->kind == CAPTURE_AREA_SHARED)
		return add_run(planner, area->start, area->end, missing(HF_SKIP_FILE));
	if (!(area->flags & (PF_R | PF_W | PF_X)) && planner->regions.count == 0)
		return add_run(planner, area->start, area->end, missing(HF_SKIP_UNTOUCHED));
	return add_by_rules(planner, area, &own);
}

/* ---- worth ----------------------------------------------------------------------------------- */

/*
 * In which order memory is read when it may vanish meanwhile: 0 modules' data, 1 the first pages
 * of big mappings (an allocator's own structures), 2 stacks and other small mappings, 3 the rest.
 */
static bool mark_worth(struct planner *planner, size_t first_run)
{
	enum { SMALL = 1 << 20, HEAD_PAGES = 2 };
	struct capture_plan *plan = planner->plan;
	struct capture_area *area = &plan->areas.data[planner->area];
	const struct capture_area *before = planner->area ? area - 1 : NULL;
	uint64_t bytes = 0, sp = planner->options->leader_sp;

	for (size_t i = first_run; i < plan->runs.count; i++)
		bytes += plan->runs.data[i].state == CAPTURE_DATA
			     ? plan->runs.data[i].end - plan->runs.data[i].start
			     : 0;
	if (area->kind != CAPTURE_AREA_ANONYMOUS ||
	    (before && before->kind == CAPTURE_AREA_FILE && before->end == area->start))
		area->worth = 0;
	else
		area->worth = bytes <= SMALL || (sp >= area->start && sp < area->end) ? 2 : 3;
	for (size_t i = first_run; i < plan->runs.count; i++)
		plan->runs.data[i].worth = area->worth;
	if (area->worth != 3 || first_run == plan->runs.count)
		return true;
	struct capture_run head = plan->runs.data[first_run];
	uint64_t cut = head.start + HEAD_PAGES * plan->page_bytes;
	if (head.state != CAPTURE_DATA || head.end <= cut)
		return true;
	if (!hf_vec_push(&plan->runs, head))
		return false;
	struct capture_run *at = &plan->runs.data[first_run];
	memmove(at + 1, at, (plan->runs.count - 1 - first_run) * sizeof(*at));
	at[0].worth = 1;
	at[0].end = at[1].start = cut;
	return true;
}

/* ---- the plan -------------------------------------------------------------------------------- */

static struct hf_error *plan_areas(struct planner *planner)
{
	struct capture_plan *plan = planner->plan;
	struct hf_error *err = NULL;

	for (uint32_t i = 0; !err && i < plan->areas.count; i++) {
		const struct capture_area *area = &plan->areas.data[i];
		size_t first_run = plan->runs.count;
		planner->area = i;
		planner->regions.count = 0;
		if (area->kind <= CAPTURE_AREA_MEMORY && !area->vmflags)
			err = scan_area(planner, area);
		if (!err && (!add_area(planner, area) ||
			     (planner->options->by_worth && !mark_worth(planner, first_run))))
			err = hf_error_nomem();
	}
	return err;
}

struct hf_error *capture_plan_pages(pid_t pid, const struct capture_plan_options *options,
				    struct capture_plan *plan)
{
	char path[64];
	uint64_t swap = 1;
	HF_AUTO(free_ptr) char *status = capture_slurp_proc(pid, "status", NULL);
	HF_AUTO(free_ptr) void *buffer = malloc(PAGEMAP_ENTRIES * sizeof(uint64_t));

	snprintf(path, sizeof(path), "/proc/%d/pagemap", (int)pid);
	HF_AUTO(close_fd) int pagemap = open(path, O_RDONLY | O_CLOEXEC);
	if (pagemap < 0)
		return hf_error_errno(errno, "%s", path);
	if (!buffer)
		return hf_error_nomem();
	struct planner planner = {
	    .pid = pid, .pagemap = pagemap, .options = options, .plan = plan, .buffer = buffer};
	/* Pages under migration look swapped: with nothing in swap, they are just read. */
	planner.swap_is_real = !status || !capture_field(status, "VmSwap", &swap) || swap != 0;
	struct hf_error *err = plan_areas(&planner);
	hf_vec_free(&planner.regions);
	hf_vec_foreach (run, &plan->runs)
		plan->data_bytes += run->state == CAPTURE_DATA ? run->end - run->start : 0;
	return err;
}

void capture_plan_deinit(struct capture_plan *plan)
{
	capture_areas_deinit(&plan->areas);
	hf_vec_free(&plan->runs);
	hf_vec_free(&plan->gaps);
}
