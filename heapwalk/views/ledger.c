/*
 * ledger.c - where the process's memory is: every mapped byte in exactly one line.
 *
 *	sum of the lines == sum of the sizes of all mappings that can be accessed
 *
 * A mapping's bytes that belong to the allocator are told by state of chunk; the rest of it by
 * what kind of mapping it is.
 */
#include <stdlib.h>

#include "heapwalk/spans.h"
#include "heapwalk/views/sections.h"

enum line {
	LINE_INUSE_MAIN,
	LINE_INUSE_THREADS,
	LINE_MMAPPED,
	LINE_INUSE_LAYER,
	LINE_TCACHE,
	LINE_BINS,
	LINE_POOLS,
	LINE_TOP,
	LINE_ABSENT,
	LINE_OVERHEAD,
	LINE_STACKS,
	LINE_ENDED,
	LINE_ANONYMOUS,
	LINE_MODULE_DATA,
	LINE_FILES,
	LINE_CODE,
	LINE_RESERVED,
	LINES
};

static const struct {
	const char *key, *label;
} lines[LINES] = {
    [LINE_INUSE_MAIN] = {"heap_inuse_main", "heap, in use: main arena"},
    [LINE_INUSE_THREADS] = {"heap_inuse_threads", "heap, in use: thread arenas"},
    [LINE_MMAPPED] = {"heap_mmapped", "heap, in use: mmapped blocks"},
    [LINE_INUSE_LAYER] = {"heap_inuse_pymalloc", "heap, in use: pymalloc"},
    [LINE_TCACHE] = {"heap_free_tcache", "heap, free in tcache"},
    [LINE_BINS] = {"heap_free_bins", "heap, free in bins"},
    [LINE_POOLS] = {"heap_free_pools", "heap, free in pymalloc's pools"},
    [LINE_TOP] = {"heap_free_top", "heap, free at the top"},
    [LINE_ABSENT] = {"heap_absent", "heap, not in the core"},
    [LINE_OVERHEAD] = {"heap_overhead", "heap, malloc's own and slack"},
    [LINE_STACKS] = {"stacks", "thread stacks"},
    [LINE_ENDED] = {"ended_stacks", "stacks of ended threads"},
    [LINE_ANONYMOUS] = {"anonymous", "other anonymous memory"},
    [LINE_MODULE_DATA] = {"module_data", "data of program and libraries"},
    [LINE_FILES] = {"files", "other mapped files"},
    [LINE_CODE] = {"code", "code and read-only data"},
    [LINE_RESERVED] = {"reserved", "reserved, no access"},
};

static const struct hf_column columns[] = {
    {"kind", NULL, HF_COLUMN_JSON_ONLY},
    {"what", "", HF_COLUMN_ELASTIC},
    {"bytes", "bytes", 0},
    {"share", "share", 0},
    {"bar", "", HF_COLUMN_BAR | HF_COLUMN_TEXT_ONLY | HF_COLUMN_OPTIONAL},
};

static enum line line_of_arena(const struct hf_arena *arena)
{
	return arena->layer	? LINE_INUSE_LAYER
	       : arena->is_main ? LINE_INUSE_MAIN
				: LINE_INUSE_THREADS;
}

/* Bytes of [at, end) that the core lacks. */
static uint64_t absent_bytes(const struct hf_image *image, uint64_t at, uint64_t end)
{
	uint64_t absent = 0, there = 0;

	while (at < end) {
		bool is_there = hf_image_at(image, at, &there) != NULL;
		uint64_t next = is_there ? at + there : hf_image_next(image, at, end);
		next = next < end ? next : end;
		absent += is_there ? 0 : next - at;
		at = next;
	}
	return absent;
}

/* Chunks by state, and what of each region is no chunk of it. Returns the regions' bytes. */
static uint64_t add_heap(const struct hf_process *process, const struct hf_allocator *allocator,
			 uint64_t bytes[LINES])
{
	uint64_t regions = 0, known = 0;

	hf_vec_foreach (region, &allocator->regions)
		regions += region->end - region->start;
	hf_vec_foreach (gap, &allocator->gaps)
		regions -= gap->end - gap->start;
	hf_vec_foreach (arena, &allocator->arenas) {
		bytes[line_of_arena(arena)] += arena->inuse_bytes;
		bytes[LINE_TCACHE] += arena->state_bytes[HF_CHUNK_TCACHE];
		bytes[LINE_TOP] += arena->state_bytes[HF_CHUNK_TOP];
		bytes[LINE_BINS] += hf_arena_bins_bytes(arena);
		bytes[LINE_POOLS] += hf_arena_pools_bytes(arena);
	}
	bytes[LINE_MMAPPED] += allocator->mmapped_bytes;
	for (unsigned i = 0; i <= LINE_TOP; i++)
		known += bytes[i];
	uint64_t rest = regions > known ? regions - known : 0, absent = 0;
	hf_vec_foreach (region, &allocator->regions)
		absent += absent_bytes(&process->image, region->start, region->end);
	bytes[LINE_ABSENT] = absent < rest ? absent : rest;
	bytes[LINE_OVERHEAD] += rest - bytes[LINE_ABSENT];
	return regions;
}

enum { NOTABLE_PERCENT = 10 };

struct part {
	uint64_t bytes;
};

static bool add_part(void *ctx, uint64_t start, uint64_t end)
{
	((struct part *)ctx)->bytes += end - start;
	return true;
}

static enum line line_of(const struct hf_mapping *mapping)
{
	bool writable = mapping->flags & HF_SEGMENT_W;

	if (mapping->kind == HF_MAPPING_STACK)
		return LINE_STACKS;
	if (mapping->module != HF_NO_INDEX || mapping->kind == HF_MAPPING_VDSO)
		return writable ? LINE_MODULE_DATA : mapping->flags ? LINE_CODE : LINE_RESERVED;
	if (mapping->kind == HF_MAPPING_FILE)
		return LINE_FILES;
	if (mapping->flags == 0)
		return LINE_RESERVED;
	return writable ? LINE_ANONYMOUS : LINE_CODE;
}

/* Memory of the allocator's regions (without foreign parts) goes to the heap's lines. */
static struct hf_spans heap_spans(const struct hf_allocator *allocator)
{
	struct hf_spans spans = {0}, gaps = {0};

	if (!allocator)
		return spans;
	gaps.data = allocator->gaps.data;
	gaps.count = allocator->gaps.count;
	hf_vec_foreach (region, &allocator->regions) {
		uint64_t at = region->start;
		hf_vec_foreach (gap, &gaps) {
			if (gap->start < at || gap->end > region->end)
				continue;
			hf_spans_add(&spans, at, gap->start);
			at = gap->end;
		}
		hf_spans_add(&spans, at, region->end);
	}
	hf_spans_normalize(&spans);
	return spans;
}

/* From the stack pointers up. */
static uint64_t stacks_in_use(const struct hf_process *process)
{
	uint64_t bytes = 0;

	hf_vec_foreach (thread, &process->threads) {
		uint64_t from = thread->sp > thread->stack_start ? thread->sp : thread->stack_start;
		bytes += from < thread->stack_top ? thread->stack_top - from : 0;
	}
	return bytes;
}

/* A kernel's core has whole stacks: what looks like much of the memory may be none. */
static void tell_stacks(const struct hf_analysis *analysis, struct hf_doc *doc, uint64_t bytes,
			uint64_t total)
{
	uint64_t used = stacks_in_use(analysis->process);

	hf_doc_json_field(doc, "stacks_in_use_bytes", hf_bytes(used));
	if (used < bytes && bytes * 100 >= total * NOTABLE_PERCENT)
		hf_doc_note(doc,
			    "Of the thread stacks %s are in use, from the stack pointers up; the "
			    "rest may never have been touched.",
			    hf_doc_bytes_text(doc, used));
}

/* Stacks of ended threads, out of other anonymous memory. */
static void add_ended(const struct hf_analysis *analysis, struct hf_ledger *ledger,
		      uint64_t bytes[LINES])
{
	uint64_t ended = analysis->roots.ended_bytes;

	ledger->ended_threads = analysis->roots.ended_threads;
	bytes[LINE_ENDED] = ended < bytes[LINE_ANONYMOUS] ? ended : bytes[LINE_ANONYMOUS];
	bytes[LINE_ANONYMOUS] -= bytes[LINE_ENDED];
}

static void fill(const struct hf_analysis *analysis, struct hf_ledger *ledger,
		 uint64_t bytes[LINES])
{
	struct hf_spans heap = heap_spans(analysis->allocator);

	*ledger = (struct hf_ledger){0};
	if (analysis->allocator)
		add_heap(analysis->process, analysis->allocator, bytes);
	hf_vec_foreach (mapping, &analysis->process->mappings) {
		struct part outside = {0};
		hf_spans_outside(&heap, mapping->start, mapping->end, add_part, &outside);
		bytes[line_of(mapping)] += outside.bytes;
	}
	free(heap.data);
	add_ended(analysis, ledger, bytes);
	for (unsigned i = 0; i < LINE_RESERVED; i++)
		ledger->all_bytes += bytes[i];
	ledger->anonymous_bytes = bytes[LINE_ANONYMOUS];
	ledger->ended_bytes = bytes[LINE_ENDED];
}

void hf_ledger_sum(const struct hf_analysis *analysis, struct hf_ledger *ret)
{
	uint64_t bytes[LINES] = {0};
	fill(analysis, ret, bytes);
}

void hf_section_ledger(const struct hf_analysis *analysis, struct hf_doc *doc)
{
	uint64_t bytes[LINES] = {0};
	struct hf_ledger ledger;

	fill(analysis, &ledger, bytes);
	uint64_t total = ledger.all_bytes;
	hf_doc_begin(doc, "memory", "MEMORY");
	struct hf_table *table =
	    hf_doc_table(doc, "ledger", NULL, columns, sizeof(columns) / sizeof(columns[0]));
	for (unsigned i = 0; i < LINE_RESERVED; i++) {
		if (bytes[i] == 0)
			continue;
		hf_doc_row(doc, table, 0);
		hf_doc_cell(doc, table, hf_text(lines[i].key));
		hf_doc_cell(doc, table, hf_text(lines[i].label));
		hf_doc_cell(doc, table, hf_bytes(bytes[i]));
		hf_doc_cell(doc, table, hf_share(bytes[i], total));
		hf_doc_cell(doc, table, hf_share(bytes[i], total));
	}
	hf_doc_row(doc, table, 0);
	hf_doc_cell(doc, table, hf_text("total"));
	hf_doc_cell(doc, table, hf_text("all memory"));
	hf_doc_cell(doc, table, hf_bytes(total));
	hf_doc_cell(doc, table, hf_share(total, total));
	tell_stacks(analysis, doc, bytes[LINE_STACKS], total);
	hf_doc_json_field(doc, "reserved_bytes", hf_bytes(bytes[LINE_RESERVED]));
	if (bytes[LINE_RESERVED])
		hf_doc_note(doc, "Beside it %s of address space is reserved without memory.",
			    hf_doc_bytes_text(doc, bytes[LINE_RESERVED]));
	hf_doc_end(doc);
}
