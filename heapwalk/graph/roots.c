/*
 * roots.c - the roots of a process, told by name (see roots.h and root_builder.h).
 *
 * Invariants: ranges are word-aligned, sorted, disjoint, writable, and free of the
 * allocator's memory. A holder kind that is masked out still owns its memory, so that
 * the words do not turn up under a weaker name.
 */
#include "heapwalk/graph/root_builder.h"

#include <inttypes.h>
#include <stdlib.h>

#include "core/base/cleanup.h"

uint32_t root_builder_holder(struct root_builder *builder, const struct hf_holder *holder)
{
	if (builder->roots->holders.count >= HF_NO_INDEX ||
	    !hf_vec_push(&builder->roots->holders, *holder))
		return HF_NO_INDEX;
	return (uint32_t)(builder->roots->holders.count - 1);
}

/* ---- words that nobody set -------------------------------------------------------- */

/*
 * Does the word at @address, which holds @value, hold what its module's file gave it (@given)? Then
 * no pointer was ever stored there: when the file was written there was no heap to point into. Such
 * a number (libc's random table has 31) is an address of a big 32-bit heap once in a while. The one
 * heap that a file can know lies in the file, dumped with it (unexec).
 */
static bool is_given(const struct root_builder *builder, uint64_t address, uint64_t value,
		     const uint8_t *given)
{
	const struct hf_image *image = &builder->process->image;

	if (value < builder->heap_low || value >= builder->heap_high ||
	    hf_image_word_at(image, given) != value)
		return false;
	const struct hf_module *target = hf_process_module(builder->process, value);
	return !target || target != hf_process_module(builder->process, address);
}

/* The first such word of [start, end), which are word-aligned; @end if there is none. */
static uint64_t first_given(const struct root_builder *builder, uint64_t start, uint64_t end)
{
	const struct hf_image *image = &builder->process->image;
	uint64_t word = image->word_bytes, at_file = 0, at_core = 0;

	while (start < end) {
		const uint8_t *given = hf_process_file_at(builder->process, start, &at_file);
		const uint8_t *data = hf_image_at(image, start, &at_core);
		uint64_t bytes = at_file < at_core ? at_file : at_core;
		if (!given || !data || bytes < word)
			return end;
		bytes = bytes < end - start ? bytes : end - start;
		for (uint64_t at = 0; bytes - at >= word; at += word) {
			uint64_t value = hf_image_word_at(image, data + at);
			if (is_given(builder, start + at, value, given + at))
				return start + at;
		}
		start += bytes - bytes % word;
	}
	return end;
}

/* ---- handing memory out --------------------------------------------------------- */

struct emit_ctx {
	struct root_builder *builder;
	uint32_t holder;
};

static bool emit_range(void *ctx, uint64_t start, uint64_t end)
{
	struct emit_ctx *emit = ctx;
	struct root_builder *builder = emit->builder;
	uint64_t mask = builder->process->image.word_bytes - 1;
	uint8_t kind = builder->roots->holders.data[emit->holder].kind;

	start = (start + mask) & ~mask;
	end &= ~mask;
	if (!(builder->kinds & (1u << kind)))
		return true;
	while (start < end) {
		uint64_t given = first_given(builder, start, end);
		struct hf_root_range range = {start, given, emit->holder};
		if (start < given && !hf_vec_push(&builder->roots->ranges, range))
			return false;
		start = given + builder->process->image.word_bytes;
	}
	return true;
}

static int compare_range(const void *a, const void *b)
{
	const struct hf_root_range *x = a, *y = b;
	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return (x->holder > y->holder) - (x->holder < y->holder);
}

/* Give each claim what @covered leaves of it; then all the claims' memory is covered. */
static bool emit_claims(struct root_builder *builder, struct hf_claims *claims,
			struct hf_spans *covered)
{
	uint64_t last_end = 0;
	size_t before = covered->count;

	if (claims->count)
		qsort(claims->data, claims->count, sizeof(*claims->data), compare_range);
	hf_vec_foreach (claimed, claims) {
		struct emit_ctx emit = {builder, claimed->holder};
		uint64_t start = claimed->start > last_end ? claimed->start : last_end;
		if (start >= claimed->end)
			continue;
		struct hf_spans taken = {covered->data, before, before};
		if (!hf_spans_outside(&taken, start, claimed->end, emit_range, &emit) ||
		    !hf_spans_add(covered, start, claimed->end))
			return false;
		last_end = claimed->end;
	}
	hf_spans_normalize(covered);
	return true;
}

/* ---- modules and other mappings --------------------------------------------------- */

static const struct hf_section *section_at(const struct hf_module *module, uint64_t address)
{
	hf_vec_foreach (section, &module->sections) {
		if (address >= section->start && address < section->end)
			return section;
	}
	return NULL;
}

/*
 * Memory that holds roots: what is writable, and what a module could write until its start-up made
 * it read-only (RELRO): a dumped page of a writable section.
 */
static bool may_hold_roots(const struct root_builder *builder, const struct hf_mapping *mapping)
{
	if (mapping->flags & HF_SEGMENT_W)
		return true;
	if (mapping->module == HF_NO_INDEX || (mapping->flags & HF_SEGMENT_X) ||
	    mapping->present == 0)
		return false;
	const struct hf_module *owner = &builder->process->modules.data[mapping->module];
	hf_vec_foreach (section, &owner->sections) {
		if (section->start < mapping->end && section->end > mapping->start)
			return true;
	}
	return false;
}

/* One word of a module's data that no symbol covers, and that may point into the heap. */
static bool emit_section_word(struct root_builder *builder, uint32_t module, uint64_t address)
{
	const struct hf_module *owner = &builder->process->modules.data[module];
	const struct hf_section *section = section_at(owner, address);
	uint64_t word = builder->process->image.word_bytes;
	struct hf_holder holder = {
	    .kind = HF_HOLDER_SECTION,
	    .module = module,
	    .thread = HF_NO_INDEX,
	    .frame = HF_NO_INDEX,
	    .name = section ? hf_strpool_printf(builder->strings, "%s+0x%" PRIx64, section->name,
						address - section->start)
			    : hf_strpool_printf(builder->strings, "data+0x%" PRIx64,
						address - owner->start),
	    .address = address,
	    .size = word,
	};
	struct emit_ctx emit = {builder, root_builder_holder(builder, &holder)};
	return holder.name && emit.holder != HF_NO_INDEX &&
	       emit_range(&emit, address, address + word);
}

struct module_ctx {
	struct root_builder *builder;
	uint32_t module;
};

static bool emit_module_gap(void *ctx, uint64_t start, uint64_t end)
{
	struct module_ctx *gap = ctx;
	struct root_builder *builder = gap->builder;
	const struct hf_image *image = &builder->process->image;
	uint64_t word = image->word_bytes;

	start = (start + word - 1) & ~(word - 1);
	while (start < end && end - start >= word) {
		uint64_t available = 0;
		const uint8_t *view = hf_image_at(image, start, &available);
		if (!view || available < word) {
			/* Absent here: go on at the next page, where another segment may start. */
			start = (start | 4095) + 1;
			continue;
		}
		uint64_t words = (available < end - start ? available : end - start) / word;
		for (uint64_t i = 0; i < words; i++) {
			uint64_t value = hf_image_word_at(image, view + i * word);
			if (value >= builder->heap_low && value < builder->heap_high &&
			    !emit_section_word(builder, gap->module, start + i * word))
				return false;
		}
		start += words * word;
	}
	return true;
}

static bool emit_mapping(struct root_builder *builder, const struct hf_mapping *mapping,
			 const struct hf_spans *covered)
{
	if (!may_hold_roots(builder, mapping))
		return true;
	if (mapping->module != HF_NO_INDEX) {
		struct module_ctx ctx = {builder, mapping->module};
		return hf_spans_outside(covered, mapping->start, mapping->end, emit_module_gap,
					&ctx);
	}
	struct hf_holder holder = {
	    .kind = HF_HOLDER_MAPPING,
	    .module = HF_NO_INDEX,
	    .thread = HF_NO_INDEX,
	    .frame = HF_NO_INDEX,
	    .name = mapping->path			? mapping->path
		    : mapping->kind == HF_MAPPING_STACK ? "stack"
		    : mapping->kind == HF_MAPPING_BRK	? "brk area"
							: "anonymous",
	    .address = mapping->start,
	    .size = mapping->end - mapping->start,
	};
	struct emit_ctx emit = {builder, root_builder_holder(builder, &holder)};
	return emit.holder != HF_NO_INDEX &&
	       hf_spans_outside(covered, mapping->start, mapping->end, emit_range, &emit);
}

/* Variables of modules, where their memory is writable. */
static bool claim_variables(struct root_builder *builder)
{
	if (!builder->symbols)
		return true;
	hf_vec_foreach (variable, hf_symbols_variables(builder->symbols)) {
		const struct hf_mapping *mapping =
		    hf_process_mapping(builder->process, variable->address);
		uint64_t end = variable->address + variable->size;
		if (!mapping || !may_hold_roots(builder, mapping) || end <= variable->address)
			continue;
		struct hf_holder holder = {
		    .kind = HF_HOLDER_VARIABLE,
		    .module = variable->module,
		    .thread = HF_NO_INDEX,
		    .frame = HF_NO_INDEX,
		    .name = variable->name,
		    .file = variable->file,
		    .line = variable->line,
		    .address = variable->address,
		    .size = variable->size,
		};
		struct hf_root_range range = {variable->address, end,
					      root_builder_holder(builder, &holder)};
		if (range.holder == HF_NO_INDEX || !hf_vec_push(&builder->named, range))
			return false;
	}
	return true;
}

/* ---- putting it together ------------------------------------------------------------ */

static bool exclude_part(void *ctx, uint64_t start, uint64_t end)
{
	return hf_spans_add(ctx, start, end);
}

/* Of a kept stack nothing is a root but its dtv, which libc keeps with it. */
static bool add_kept_dtv(struct root_builder *builder, const struct hf_dead_stack *stack)
{
	uint64_t word = builder->process->image.word_bytes;
	struct hf_holder holder = {
	    .kind = HF_HOLDER_TLS,
	    .module = HF_NO_INDEX,
	    .thread = HF_NO_INDEX,
	    .frame = HF_NO_INDEX,
	    .name = "dtv of an ended thread's stack",
	};
	if (stack->dtv < 2 * word || !(builder->kinds & (1u << HF_HOLDER_TLS)))
		return true;
	struct hf_root_value root = {stack->dtv - 2 * word, root_builder_holder(builder, &holder)};
	return root.holder != HF_NO_INDEX && hf_vec_push(&builder->roots->values, root);
}

static bool exclude(struct root_builder *builder)
{
	struct hf_dead_stacks dead = {0};
	bool fine = true;

	struct hf_spans gaps = {builder->allocator->gaps.data, builder->allocator->gaps.count, 0};

	builder->heap_low = UINT64_MAX;
	hf_vec_foreach (region, &builder->allocator->regions) {
		fine = fine && hf_spans_outside(&gaps, region->start, region->end, exclude_part,
						&builder->excluded);
		if (region->start < builder->heap_low)
			builder->heap_low = region->start;
		if (region->end > builder->heap_high)
			builder->heap_high = region->end;
	}
	hf_vec_foreach (own, &builder->allocator->own)
		fine = fine && hf_spans_add(&builder->excluded, own->start, own->end);
	struct hf_error *err = hf_process_dead_stacks(builder->process, &dead);
	if (err) {
		hf_error_destroy(err);
		fine = false;
	}
	hf_vec_foreach (stack, &dead) {
		builder->roots->ended_threads++;
		builder->roots->ended_bytes += stack->end - stack->start;
		fine = fine && hf_spans_add(&builder->excluded, stack->start, stack->end) &&
		       add_kept_dtv(builder, stack);
	}
	hf_vec_free(&dead);
	return fine;
}

static bool emit_all(struct root_builder *builder)
{
	struct hf_spans *covered = &builder->excluded;

	hf_spans_normalize(covered);
	if (!emit_claims(builder, &builder->locals, covered) ||
	    !emit_claims(builder, &builder->named, covered) ||
	    !emit_claims(builder, &builder->tls_areas, covered) ||
	    !emit_claims(builder, &builder->stack_areas, covered))
		return false;
	hf_vec_foreach (mapping, &builder->process->mappings) {
		if (!emit_mapping(builder, mapping, covered))
			return false;
	}
	if (builder->roots->ranges.count)
		qsort(builder->roots->ranges.data, builder->roots->ranges.count,
		      sizeof(*builder->roots->ranges.data), compare_range);
	return true;
}

struct hf_error *hf_roots_create(const struct hf_process *process, struct hf_symbols *symbols,
				 const struct hf_allocator *allocator, uint32_t kinds,
				 struct hf_roots *ret)
{
	struct hf_roots roots = {0};
	struct hf_strpool *strings = NULL;
	struct hf_error *err = hf_strpool_create(&strings);
	if (err)
		return err;
	roots.strings = strings;
	struct root_builder builder = {
	    .process = process,
	    .symbols = symbols,
	    .allocator = allocator,
	    .kinds = kinds,
	    .roots = &roots,
	    .strings = strings,
	};
	if (!exclude(&builder) || !claim_variables(&builder))
		err = hf_error_nomem();
	if (!err)
		err = root_builder_threads(&builder);
	if (!err && !emit_all(&builder))
		err = hf_error_nomem();
	hf_vec_free(&builder.excluded);
	hf_vec_free(&builder.locals);
	hf_vec_free(&builder.named);
	hf_vec_free(&builder.tls_areas);
	hf_vec_free(&builder.stack_areas);
	if (err)
		hf_roots_deinit(&roots);
	else
		*ret = roots;
	return err;
}

void hf_roots_deinit(struct hf_roots *roots)
{
	hf_vec_free(&roots->holders);
	hf_vec_free(&roots->ranges);
	hf_vec_free(&roots->values);
	hf_strpool_destroy(roots->strings);
	roots->strings = NULL;
}
