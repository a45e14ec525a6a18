/*
 * check.c - every broken invariant at length: the broken word among its neighbours, who
 * probably wrote it, what that block is and who holds it; then live pointers to free blocks.
 *
 * Below the findings stand dangling pointers: words of live memory that hold the address of a
 * block that is free. They break nothing, so they are no findings; but what writes through
 * one does, and a freed block that was written to is told with the pointers that lead to it.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "core/base/cleanup.h"
#include "heapwalk/graph/dangling.h"
#include "heapwalk/views/findings.h"

enum {
	DETAILS = 10,	  /* findings told at length, unless --top or --all say otherwise */
	DUMP_AROUND = 32, /* bytes before and after the broken word's line */
	BATCH = 512,
	DANGLING_KEPT = 4096,
	DANGLING_SHOWN = 10,
	POINTERS_TOLD = 3,
};

/* ---- what a block is ---------------------------------------------------------------------- */

struct block {
	bool known, in_use;
	uint64_t address, usable;
	const char *state, *type, *content, *holder; /* NULL: unknown */
};

/* "g_cache (server.c:41)", "g_cache (server.c:41) through 3 blocks", "nothing: it is lost". */
static const char *holder_of(struct hf_analysis *analysis, struct hf_doc *doc, uint32_t object)
{
	uint32_t *path = NULL, count = 0;
	enum hf_leak_kind kind = hf_graph_leak_kind(analysis->graph, object);

	if (kind == HF_DEFINITE || kind == HF_INDIRECT)
		return "nothing (it is lost)";
	struct hf_error *err = hf_graph_path(analysis->graph, object, &path, &count);
	if (err || count == 0 || path[0] < hf_graph_objects(analysis->graph)) {
		hf_error_destroy(err);
		free(path);
		return NULL;
	}
	const char *name = hf_node_name(analysis, doc, path[0]);
	free(path);
	if (count <= 2)
		return name;
	return hf_doc_printf(doc, "%s through %u block%s", name, count - 2, count == 3 ? "" : "s");
}

static struct block block_at(struct hf_analysis *analysis, struct hf_doc *doc, uint64_t address)
{
	struct block block = {.address = address};
	struct hf_chunk chunk;

	if (!address || !analysis->allocator->ops->chunk_at(analysis->allocator, address, &chunk))
		return block;
	block.known = true;
	block.in_use = hf_chunk_in_use(&chunk);
	block.address = chunk.object;
	block.usable = chunk.usable;
	block.state = hf_chunk_state_name(chunk.state);
	uint32_t id = block.in_use && analysis->extents
			  ? hf_extents_find(analysis->extents, chunk.object)
			  : HF_NO_OBJECT;
	if (id == HF_NO_OBJECT || !analysis->typing)
		return block;
	block.type = hf_typing_type(analysis->typing, hf_typing_of(analysis->typing, id))->name;
	HF_AUTO(free_ptr)
	char *content = hf_typing_preview(analysis->process, analysis->extents, id);
	block.content = hf_doc_dup(doc, content);
	block.holder = holder_of(analysis, doc, id);
	return block;
}

/* "0x55d0, 40 bytes in use, text "AAAA", held by g_cache (server.c:41)" */
static const char *block_text(struct hf_doc *doc, const struct block *block)
{
	if (!block->known)
		return hf_doc_printf(doc, "0x%" PRIx64, block->address);
	if (!block->in_use)
		return hf_doc_printf(doc, "0x%" PRIx64 ", %" PRIu64 " bytes, free (%s)",
				     block->address, block->usable, block->state);
	return hf_doc_printf(doc, "0x%" PRIx64 ", %" PRIu64 " bytes in use%s%s%s%s%s%s",
			     block->address, block->usable, block->type ? ": " : "",
			     block->type ? block->type : "", block->content ? " " : "",
			     block->content ? block->content : "",
			     block->holder ? ", held by " : "", block->holder ? block->holder : "");
}

/* ---- pointers to free blocks ---------------------------------------------------------------- */

static const char *source_text(const struct hf_analysis *analysis, struct hf_doc *doc,
			       const struct hf_dangling *pointer)
{
	if (pointer->node != HF_NO_NODE)
		return hf_node_name(analysis, doc, pointer->node);
	HF_AUTO(free_ptr)
	char *name =
	    hf_holder_describe(&analysis->roots.holders.data[pointer->holder], analysis->process);
	const char *copy = hf_doc_dup(doc, name);
	return copy ? copy : "?";
}

/* Variables and objects are evidence; a word left on a stack or in a register is little. */
static bool is_strong(const struct hf_analysis *analysis, const struct hf_dangling *pointer)
{
	if (pointer->node != HF_NO_NODE)
		return true;
	uint8_t kind = analysis->roots.holders.data[pointer->holder].kind;
	return kind == HF_HOLDER_VARIABLE || kind == HF_HOLDER_SECTION || kind == HF_HOLDER_TLS;
}

static struct hf_error *find_pointers(const struct hf_analysis *analysis,
				      const struct hf_free_blocks *blocks, bool with_insides,
				      struct hf_dangling_result *ret)
{
	return hf_dangling_find(&analysis->process->image, analysis->extents, &analysis->roots,
				analysis->graph, blocks, DANGLING_KEPT, with_insides,
				analysis->threads, ret);
}

/* "g_last (server.c:12) and 2 more": who points into the free block at @address. */
static const char *pointers_text(struct hf_analysis *analysis, struct hf_doc *doc,
				 const struct block *block)
{
	struct hf_free_blocks blocks = {0};
	struct hf_dangling_result found = {0};
	const char *text = NULL;
	uint64_t told = 0;

	if (!analysis->graph ||
	    !hf_vec_push(&blocks,
			 (struct hf_free_block){block->address, block->address + block->usable, 0}))
		return NULL;
	struct hf_error *err = find_pointers(analysis, &blocks, true, &found);
	hf_vec_foreach (pointer, &found.pointers) {
		if (told == POINTERS_TOLD)
			break;
		if (!is_strong(analysis, pointer) && told)
			continue;
		text = hf_doc_printf(doc, "%s%s%s", text ? text : "", text ? ", " : "",
				     source_text(analysis, doc, pointer));
		told++;
	}
	uint64_t all = found.starts + found.insides;
	if (text && all > told)
		text =
		    hf_doc_printf(doc, "%s and %s more", text, hf_doc_count_text(doc, all - told));
	hf_error_destroy(err);
	free(found.pointers.data);
	free(blocks.data);
	return text;
}

/* ---- one finding ----------------------------------------------------------------------------- */

static const char *hex(struct hf_doc *doc, uint64_t value)
{
	return hf_doc_printf(doc, "0x%" PRIx64, value);
}

static const char *arena_text(const struct hf_analysis *analysis, struct hf_doc *doc,
			      uint32_t arena)
{
	if (arena >= analysis->allocator->arenas.count)
		return NULL;
	if (analysis->allocator->arenas.data[arena].is_main)
		return "main arena";
	if (analysis->allocator->arenas.data[arena].layer)
		return analysis->allocator->arenas.data[arena].layer;
	return hf_doc_printf(doc, "arena %u", arena);
}

static const char *word_text(struct hf_doc *doc, const struct hf_finding *finding)
{
	if (!finding->word)
		return NULL;
	return hf_doc_printf(doc, "0x%" PRIx64 "%s%s%s%s", finding->word,
			     finding->has_found ? " holds " : " is missing",
			     finding->has_found ? hex(doc, finding->found) : "",
			     finding->has_expected ? ", should hold " : "",
			     finding->has_expected ? hex(doc, finding->expected) : "");
}

static const char *blame_text(struct hf_doc *doc, const struct hf_finding *finding,
			      const char *culprit)
{
	static const char *const how[HF_BLAMES] = {
	    [HF_BLAME_UNKNOWN] = "perhaps",
	    [HF_BLAME_OVERFLOW] = "written past the end of",
	    [HF_BLAME_UNDERFLOW] = "written before the start of",
	    [HF_BLAME_USE_AFTER_FREE] = "written to after free():",
	    [HF_BLAME_DOUBLE_FREE] = "freed twice:",
	    [HF_BLAME_WRONG_FREE] = "free() was given a pointer into",
	};
	return hf_doc_printf(doc, "%s %s",
			     how[finding->blame < HF_BLAMES ? finding->blame : HF_BLAME_UNKNOWN],
			     culprit);
}

const char *hf_finding_blame(struct hf_analysis *analysis, struct hf_doc *doc,
			     const struct hf_finding *finding)
{
	if (!finding->culprit)
		return NULL;
	struct block culprit = block_at(analysis, doc, finding->culprit);
	return blame_text(doc, finding, block_text(doc, &culprit));
}

static const char *malloc_text(const struct hf_analysis *analysis, struct hf_doc *doc,
			       const struct hf_finding *finding)
{
	const char *said = analysis->allocator->abort_message;
	if (finding->met && said)
		return hf_doc_printf(doc, "stopped the process here: \"%s\"", said);
	if (finding->abort_text)
		return hf_doc_printf(doc, "would say \"%s\"", finding->abort_text);
	return NULL;
}

static const char *dump_text(const struct hf_analysis *analysis, struct hf_doc *doc,
			     const struct hf_finding *finding)
{
	uint64_t at = finding->word ? finding->word : finding->address;
	uint64_t line = at & ~UINT64_C(15);
	uint64_t start = line > DUMP_AROUND ? line - DUMP_AROUND : line;
	const char *text = hf_hexdump(analysis, doc, start, line - start + 16 + DUMP_AROUND,
				      finding->word, finding->word ? finding->word_bytes : 0);
	return text ? text
		    : hf_hexdump(analysis, doc, line, 16, finding->word,
				 finding->word ? finding->word_bytes : 0);
}

static void text_field(struct hf_doc *doc, const char *label, const char *text)
{
	if (text)
		hf_doc_text_field(doc, label, hf_text(text));
}

/* What a finding says for people and for machines. */
struct told {
	const struct hf_finding *finding;
	struct block block, culprit;
	const char *pointers, *dump;
};

static struct told tell_of(struct hf_analysis *analysis, struct hf_doc *doc,
			   const struct hf_finding *finding)
{
	struct told told = {.finding = finding,
			    .block = block_at(analysis, doc, finding->address),
			    .culprit = block_at(analysis, doc, finding->culprit)};
	if (told.culprit.known && !told.culprit.in_use)
		told.pointers = pointers_text(analysis, doc, &told.culprit);
	told.dump = dump_text(analysis, doc, finding);
	return told;
}

static void add_text(const struct hf_analysis *analysis, struct hf_doc *doc, uint64_t number,
		     const struct told *told)
{
	const struct hf_finding *finding = told->finding;
	const char *arena = arena_text(analysis, doc, finding->arena);

	hf_doc_text_begin(doc, hf_doc_printf(doc, "%" PRIu64 ". %s at 0x%" PRIx64 "%s%s%s", number,
					     finding->code, finding->address, arena ? ", " : "",
					     arena ? arena : "",
					     finding->severity == HF_SEV_NOTE ? " (in flux)" : ""));
	text_field(doc, "what", finding->message);
	text_field(doc, "word", word_text(doc, finding));
	if (told->block.known && finding->address != finding->culprit)
		text_field(doc, "block", block_text(doc, &told->block));
	if (finding->culprit)
		text_field(doc, "culprit",
			   blame_text(doc, finding, block_text(doc, &told->culprit)));
	text_field(doc, "pointers", told->pointers);
	text_field(doc, "malloc", malloc_text(analysis, doc, finding));
	if (told->dump)
		hf_doc_text_raw(doc, told->dump);
	hf_doc_text_end(doc);
}

static const struct hf_column machine_columns[] = {
    {"severity", "severity", 0},
    {"code", "code", 0},
    {"arena", "arena", 0},
    {"address", "address", 0},
    {"message", "what", 0},
    {"word", "word", 0},
    {"found", "found", 0},
    {"expected", "expected", 0},
    {"blame", "blame", 0},
    {"culprit", "culprit", 0},
    {"culprit_state", "state", 0},
    {"culprit_bytes", "bytes", 0},
    {"culprit_type", "type", 0},
    {"culprit_content", "content", 0},
    {"culprit_holder", "holder", 0},
    {"dangling", "pointers", 0},
    {"malloc_says", "malloc says", 0},
    {"met", "met by malloc", 0},
    {"hexdump", "bytes", 0},
};

static void add_row(struct hf_doc *doc, struct hf_table *table, const struct told *told)
{
	const struct hf_finding *finding = told->finding;
	const struct block *culprit = &told->culprit;

	hf_doc_row(doc, table, 0);
	hf_doc_cell(doc, table, hf_text(hf_severity_name(finding->severity)));
	hf_doc_cell(doc, table, hf_text(finding->code));
	hf_doc_cell(doc, table,
		    finding->arena == HF_NO_ARENA ? hf_none() : hf_number(finding->arena));
	hf_doc_cell(doc, table, finding->address ? hf_address(finding->address) : hf_none());
	hf_doc_cell(doc, table, hf_text(finding->message));
	hf_doc_cell(doc, table, finding->word ? hf_address(finding->word) : hf_none());
	hf_doc_cell(doc, table, finding->has_found ? hf_address(finding->found) : hf_none());
	hf_doc_cell(doc, table, finding->has_expected ? hf_address(finding->expected) : hf_none());
	hf_doc_cell(doc, table, hf_text(hf_blame_name(finding->blame)));
	hf_doc_cell(doc, table, finding->culprit ? hf_address(finding->culprit) : hf_none());
	hf_doc_cell(doc, table, hf_text(culprit->state));
	hf_doc_cell(doc, table, culprit->known ? hf_bytes(culprit->usable) : hf_none());
	hf_doc_cell(doc, table, hf_text(culprit->type));
	hf_doc_cell(doc, table, hf_text(culprit->content));
	hf_doc_cell(doc, table, hf_text(culprit->holder));
	hf_doc_cell(doc, table, hf_text(told->pointers));
	hf_doc_cell(doc, table, hf_text(finding->abort_text));
	hf_doc_cell(doc, table, hf_bool(finding->met));
	hf_doc_cell(doc, table, hf_text(told->dump));
}

static void tell_findings(struct hf_analysis *analysis, const struct hf_view_options *options,
			  struct hf_doc *doc, const struct hf_finding **sorted)
{
	uint64_t details = options->all ? UINT64_MAX : options->top ? options->top : DETAILS, i;
	struct hf_table *table = hf_doc_table(doc, "findings", NULL, machine_columns,
					      sizeof(machine_columns) / sizeof(machine_columns[0]));

	hf_doc_json_only(doc);
	for (i = 0; sorted[i] && i < details; i++) {
		struct told told = tell_of(analysis, doc, sorted[i]);
		add_row(doc, table, &told);
		add_text(analysis, doc, i + 1, &told);
	}
	/* The rest in short: to look each one up would cost too much. */
	if (!sorted[i])
		return;
	for (uint64_t j = i; sorted[j]; j++) {
		struct told told = {.finding = sorted[j]};
		add_row(doc, table, &told);
	}
	hf_findings_table(doc, sorted + i, UINT64_MAX);
	hf_doc_text_only(doc);
}

/* ---- all live pointers to free blocks ------------------------------------------------------- */

static bool is_free(const struct hf_chunk *chunk)
{
	return chunk->state == HF_CHUNK_TCACHE || chunk->state == HF_CHUNK_FASTBIN ||
	       chunk->state == HF_CHUNK_UNSORTED || chunk->state == HF_CHUNK_SMALL ||
	       chunk->state == HF_CHUNK_LARGE || chunk->state == HF_CHUNK_LOST ||
	       chunk->state == HF_CHUNK_POOL;
}

static struct hf_error *collect_free(const struct hf_allocator *allocator,
				     struct hf_free_blocks *ret)
{
	struct hf_chunk chunks[BATCH];

	for (uint32_t region = 0; region < allocator->regions.count; region++) {
		uint64_t at = 0;
		uint32_t count;
		do {
			count = allocator->ops->chunks(allocator, region, &at, chunks, BATCH);
			for (uint32_t i = 0; i < count; i++) {
				const struct hf_chunk *chunk = &chunks[i];
				if (is_free(chunk) &&
				    !hf_vec_push(
					ret, (struct hf_free_block){chunk->object,
								    chunk->object + chunk->usable,
								    chunk->state}))
					return hf_error_nomem();
			}
		} while (count == BATCH);
	}
	return NULL;
}

static void add_dangling(const struct hf_analysis *analysis, struct hf_doc *doc,
			 const struct hf_free_blocks *blocks,
			 const struct hf_dangling_result *found, uint64_t top)
{
	static const struct hf_column columns[] = {
	    {"what", "held in", HF_COLUMN_ELASTIC},
	    {"pointer_at", "pointer at", 0},
	    {"block", "free block", 0},
	    {"block_bytes", "size", 0},
	    {"state", "free in", 0},
	};
	struct hf_table *table =
	    hf_doc_table(doc, "pointers", NULL, columns, sizeof(columns) / sizeof(columns[0]));
	uint64_t shown = 0;

	hf_vec_foreach (pointer, &found->pointers) {
		const struct hf_free_block *block = &blocks->data[pointer->block];
		if (!is_strong(analysis, pointer) || shown++ >= top)
			continue;
		hf_doc_row(doc, table, 0);
		hf_doc_cell(doc, table, hf_text(source_text(analysis, doc, pointer)));
		hf_doc_cell(doc, table, pointer->at ? hf_address(pointer->at) : hf_none());
		hf_doc_cell(doc, table, hf_address(block->start));
		hf_doc_cell(doc, table, hf_bytes(block->end - block->start));
		hf_doc_cell(doc, table, hf_text(hf_chunk_state_name(block->state)));
	}
}

static struct hf_error *tell_dangling(struct hf_analysis *analysis,
				      const struct hf_view_options *options, struct hf_doc *doc)
{
	struct hf_free_blocks blocks = {0};
	struct hf_dangling_result found = {0};
	uint64_t top = options->all ? UINT64_MAX : options->top ? options->top : DANGLING_SHOWN;
	uint64_t strong = 0;
	struct hf_error *err = collect_free(analysis->allocator, &blocks);

	if (!err)
		err = find_pointers(analysis, &blocks, false, &found);
	if (!err) {
		hf_vec_foreach (pointer, &found.pointers)
			strong += is_strong(analysis, pointer);
		hf_doc_begin(doc, "dangling",
			     "DANGLING POINTERS (no finding: harmless if not used)");
		hf_doc_json_field(doc, "starts_count", hf_count(found.starts));
		hf_doc_json_field(doc, "insides_count", hf_count(found.insides));
		hf_doc_note(doc,
			    "Words of live memory that hold the address of a free block: %s; that "
			    "point into one: %s.",
			    hf_doc_count_text(doc, found.starts),
			    hf_doc_count_text(doc, found.insides));
		if (strong)
			add_dangling(analysis, doc, &blocks, &found, top);
		hf_doc_end(doc);
	}
	free(found.pointers.data);
	free(blocks.data);
	return err;
}

/* ---- the command, and the head of the report ------------------------------------------------- */

void hf_section_abort(struct hf_analysis *analysis, struct hf_doc *doc)
{
	const struct hf_allocator *allocator = analysis->allocator;
	const struct hf_finding *met = NULL;

	if (!allocator || !allocator->aborted)
		return;
	hf_vec_foreach (finding, &allocator->findings)
		met = finding->met && !met ? finding : met;
	hf_doc_begin(doc, "abort", "MALLOC ABORTED THE PROCESS");
	hf_doc_field(doc, "message", "it said", hf_text(allocator->abort_message));
	hf_doc_emphasize(doc, HF_BAD);
	const char *place = hf_thread_place(analysis, doc, 0);
	hf_doc_field(doc, "thread", "in",
		     hf_text(hf_doc_printf(doc, "%s%s%s", hf_thread_name(analysis, doc, 0),
					   place ? ", " : "", place ? place : "")));
	if (met) {
		hf_doc_field(doc, "code", "finding", hf_text(met->code));
		hf_doc_field(doc, "address", "block", hf_address(met->address));
		hf_doc_field(doc, "finding", "because", hf_text(met->message));
		const char *blame = hf_finding_blame(analysis, doc, met);
		if (blame)
			hf_doc_field(doc, "culprit", "culprit", hf_text(blame));
	} else if (hf_findings_count(analysis)) {
		hf_doc_note(doc, "What it met is among the findings under INTEGRITY.");
	} else {
		hf_doc_note(doc, "What it met left no trace: no invariant is broken now.");
	}
	hf_doc_end(doc);
}

struct hf_error *hf_view_check(struct hf_analysis *analysis, const struct hf_view_options *options,
			       struct hf_doc *doc)
{
	const struct hf_finding **sorted = hf_findings_sorted(analysis);
	struct hf_error *err = NULL;

	if (!sorted)
		return hf_error_nomem();
	hf_section_abort(analysis, doc);
	hf_doc_begin(doc, "integrity", "INTEGRITY");
	hf_doc_json_field(doc, "findings_count", hf_count(hf_findings_count(analysis)));
	hf_doc_json_field(doc, "notes_count", hf_count(hf_findings_notes(analysis)));
	if (analysis->allocator) {
		if (!sorted[0])
			hf_doc_note(doc, "Every chunk, free list and arena is as it should be.");
		tell_findings(analysis, options, doc, sorted);
		hf_findings_doubt(analysis, doc);
	}
	hf_doc_end(doc);
	free(sorted);
	if (analysis->graph)
		err = tell_dangling(analysis, options, doc);
	hf_section_evidence(analysis, doc);
	return err;
}
