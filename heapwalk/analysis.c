/*
 * analysis.c - the stages of an analysis, in order (see analysis.h).
 *
 *	core file -> process -> symbols -> allocator -> extents -> roots -> graph -> types
 *	|------ DEPTH_PROCESS ------|----- DEPTH_HEAP -----|---- DEPTH_GRAPH --|- _TYPES -|
 *
 * Invariant: a later part exists only if all the earlier ones do. A process without a
 * known allocator ends after `allocator` (NULL), and that is no error.
 */
#include "heapwalk/analysis.h"
#include "heapwalk/evidence.h"
#include "heapwalk/memory.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/bigmem.h"
#include "core/base/cleanup.h"
#include "core/base/clock.h"
#include "core/base/parallel.h"

enum { DEFAULT_MAX_FRAMES = 4096 };

/* Note that stage @name took the time since *@since; *@since becomes now. */
static void stage_done(struct hf_analysis *analysis, const char *name, double *since)
{
	double end = hf_clock_seconds();
	if (analysis->stage_count < HF_MAX_STAGES)
		analysis->stages[analysis->stage_count++] =
		    (struct hf_stage_time){name, end - *since};
	*since = end;
}

/* Is @address in a file-mapped readable, or executable, mapping? For memcheck's heuristic. */
static bool file_mapped(void *ctx, uint64_t address, bool executable)
{
	const struct hf_mapping *mapping = hf_process_mapping(ctx, address);
	uint32_t wanted = executable ? HF_SEGMENT_X : HF_SEGMENT_R;
	return mapping && mapping->path && (mapping->flags & wanted);
}

/* Is @value, past hidden heads of CPython's, what its holders know the block by? */
static bool hidden_head(void *ctx, uint64_t block, uint64_t usable, uint64_t value)
{
	return hf_python_is_start(ctx, block, usable, value);
}

static uint32_t max_frames(const struct hf_analysis_options *options)
{
	return options->max_frames ? options->max_frames : DEFAULT_MAX_FRAMES;
}

static struct hf_graph_options graph_options_of(struct hf_analysis *analysis,
						const struct hf_analysis_options *options,
						unsigned threads)
{
	hf_python_find(analysis->process, analysis->symbols, &analysis->python);
	return (struct hf_graph_options){
	    .heuristics = options->heuristics,
	    .threads = threads,
	    .progress = options->process.progress,
	    .file_mapped = file_mapped,
	    .file_mapped_ctx = analysis->process,
	    .hidden_head = analysis->python.type_type ? hidden_head : NULL,
	    .hidden_head_ctx = &analysis->python,
	};
}

/* malloc, and what is layered over it. */
static struct hf_error *probe_allocator(struct hf_analysis *analysis)
{
	struct hf_allocator *malloc_of = NULL, *pools = NULL;
	struct hf_error *err =
	    hf_glibc_probe(analysis->process, analysis->symbols, analysis->diags, &malloc_of);

	if (!err && malloc_of)
		err = hf_pymalloc_probe(analysis->process, analysis->symbols, malloc_of,
					analysis->diags, &pools);
	if (err || !pools) {
		analysis->allocator = malloc_of;
		return err;
	}
	return hf_layered_create(malloc_of, pools, &analysis->allocator);
}

/* ---- from an index --------------------------------------------------------------------------- */

static void unload(struct hf_analysis *analysis)
{
	hf_typing_destroy(analysis->typing);
	hf_graph_destroy(analysis->graph);
	hf_roots_deinit(&analysis->roots);
	hf_extents_destroy(analysis->extents);
	hf_allocator_destroy(analysis->allocator);
	hf_symbols_destroy(analysis->symbols);
	hf_stash_close(analysis->stash);
	analysis->symbols = NULL;
	analysis->allocator = NULL;
	analysis->typing = NULL;
	analysis->graph = NULL;
	analysis->roots = (struct hf_roots){0};
	analysis->extents = NULL;
	analysis->stash = NULL;
}

static bool load_parts(struct hf_analysis *analysis, const struct hf_analysis_options *options)
{
	const struct hf_stash *stash = analysis->stash;
	const struct hf_process *process = analysis->process;
	struct hf_graph_options graph_options = graph_options_of(analysis, options, 1);
	bool found = false;
	struct hf_error *err = hf_extents_load(stash, analysis->allocator, &analysis->extents);

	if (!err && analysis->extents)
		err = hf_roots_load(stash, &analysis->roots, &found);
	if (!err && found)
		err = hf_graph_load(stash, &process->image, analysis->extents, &analysis->roots,
				    &graph_options, &analysis->graph);
	if (!err && analysis->graph)
		err = hf_typing_load(stash, process, analysis->symbols, analysis->extents,
				     analysis->graph, &analysis->roots, &analysis->typing);
	hf_error_destroy(err);
	return analysis->typing && analysis->allocator->ops->load(analysis->allocator, stash) &&
	       hf_process_load_frames(analysis->process, stash) &&
	       hf_diags_load(analysis->diags, stash);
}

/* Everything but the process itself, if the index has it; false: it must be made. */
static bool load_index(struct hf_analysis *analysis, const struct hf_analysis_options *options,
		       double *since)
{
	struct hf_error *err =
	    options->index ? hf_index_open(options->index, "arrays", &analysis->stash) : NULL;

	if (!err && analysis->stash)
		err = hf_symbols_load(analysis->stash, analysis->process, &analysis->symbols);
	if (!err && analysis->symbols)
		err = probe_allocator(analysis);
	hf_error_destroy(err);
	if (!analysis->allocator || !load_parts(analysis, options)) {
		unload(analysis);
		return false;
	}
	analysis->allocator->ops->finish(analysis->allocator);
	stage_done(analysis, "index", since);
	return true;
}

struct saving {
	struct hf_analysis *analysis;
	struct hf_stash_writer *writer;
	struct hf_error *err;
};

/* What is there as soon as an analysis is: it is written while the rest is made. */
static void save_parts(void *ctx)
{
	struct saving *saving = ctx;
	struct hf_analysis *analysis = saving->analysis;
	struct hf_stash_writer *writer = saving->writer;

	hf_extents_save(analysis->extents, writer);
	analysis->allocator->ops->save(analysis->allocator, writer);
	saving->err = hf_symbols_save(analysis->symbols, writer);
	if (!saving->err)
		saving->err = hf_process_save_frames(analysis->process, writer);
	if (!saving->err)
		saving->err = hf_roots_save(&analysis->roots, writer);
	hf_typing_save(analysis->typing, writer);
	hf_diags_save(analysis->diags, writer);
	hf_graph_save(analysis->graph, writer);
}

struct hf_error *hf_analysis_save(struct hf_analysis *analysis, const struct hf_index *index,
				  void (*ready)(void *ctx), void *ctx)
{
	struct saving saving = {.analysis = analysis};
	uint64_t bytes = 0;

	if (analysis->stash || !analysis->typing || !hf_graph_objects(analysis->graph))
		return NULL;
	bytes = hf_graph_memory(analysis->graph) + hf_extents_memory(analysis->extents);
	/* Twice: reverse rows, the tree downward and the chains come to it. */
	if (!hf_index_make_room(index, bytes * 2))
		return hf_error_create(HF_ERR_LIMIT,
				       "no room for an index of %" PRIu64 " MiB below %s",
				       (bytes * 2 >> 20) + 1, hf_index_folder(index));
	struct hf_error *err =
	    hf_index_create(index, analysis->process, analysis->symbols, "arrays", &saving.writer);
	if (err)
		return err;
	err = hf_graph_complete(analysis->graph, save_parts, &saving);
	if (err)
		hf_error_destroy(saving.err);
	else
		err = saving.err;
	if (err) {
		hf_stash_abort(saving.writer);
		return err;
	}
	ready(ctx);
	hf_graph_save_completed(analysis->graph, saving.writer);
	return hf_stash_commit(saving.writer);
}

double hf_analysis_seconds(const struct hf_analysis *analysis)
{
	double seconds = 0;
	for (unsigned i = 0; i < analysis->stage_count; i++)
		seconds += analysis->stages[i].seconds;
	return seconds;
}

/* ---- stages ---------------------------------------------------------------------------------- */

static struct hf_error *open_heap(struct hf_analysis *analysis,
				  const struct hf_analysis_options *options, unsigned threads,
				  double *since)
{
	const struct hf_progress *progress = options->process.progress;
	struct hf_error *err;

	hf_progress_report(progress, "finding the heap", 0, 0);
	err = probe_allocator(analysis);
	stage_done(analysis, "arenas and free lists", since);
	if (err || !analysis->allocator)
		return err;
	err = hf_extents_create(analysis->allocator, threads, progress, &analysis->extents);
	if (!err)
		analysis->allocator->ops->finish(analysis->allocator);
	stage_done(analysis, "walk", since);
	return err;
}

static struct hf_error *open_graph(struct hf_analysis *analysis,
				   const struct hf_analysis_options *options, unsigned threads,
				   double *since)
{
	uint32_t kinds = options->root_kinds ? options->root_kinds : UINT32_MAX;
	struct hf_graph_options graph_options = graph_options_of(analysis, options, threads);
	struct hf_error *err;

	hf_progress_report(options->process.progress, "unwinding the threads", 0, 0);
	err = hf_process_unwind(analysis->process, max_frames(options));
	stage_done(analysis, "unwind", since);
	if (err)
		return err;
	err = analysis->allocator->ops->check(analysis->allocator);
	stage_done(analysis, "check", since);
	if (err)
		return err;
	err = hf_roots_create(analysis->process, analysis->symbols, analysis->allocator, kinds,
			      &analysis->roots);
	stage_done(analysis, "roots", since);
	if (err)
		return err;
	graph_options.incomplete = hf_evidence_incomplete(analysis);
	err = hf_graph_open(&analysis->process->image, analysis->extents, &analysis->roots,
			    &graph_options, &analysis->graph);
	stage_done(analysis, "scan", since);
	return err;
}

/* "ADDR=TYPE"; of "VARIABLE=TYPE" it is what the variable points at. */
static struct hf_error *parse_claim(const struct hf_analysis *analysis, const char *text,
				    struct hf_type_claim *ret)
{
	const char *equals = strchr(text, '=');
	HF_AUTO(free_ptr)
	char *place = equals ? strndup(text, (size_t)(equals - text)) : NULL;
	uint32_t node = HF_NO_NODE;

	if (!equals || !equals[1])
		return hf_error_create(HF_ERR_USAGE, "--type=%s: ADDR=TYPE is meant", text);
	if (!place)
		return hf_error_nomem();
	struct hf_error *err = hf_analysis_resolve(analysis, place, &ret->address, &node);
	if (!err && hf_extents_find(analysis->extents, ret->address) == HF_NO_OBJECT)
		hf_image_word(&analysis->process->image, ret->address, &ret->address);
	ret->name = equals + 1;
	return err;
}

static struct hf_error *open_types(struct hf_analysis *analysis,
				   const struct hf_analysis_options *options, unsigned threads)
{
	struct hf_type_claims claims = {0};
	struct hf_error *err = NULL;

	for (size_t i = 0; i < options->type_count && !err; i++) {
		struct hf_type_claim claim = {0};
		err = parse_claim(analysis, options->types[i], &claim);
		if (!err && !hf_vec_push(&claims, claim))
			err = hf_error_nomem();
	}
	if (!err)
		err = hf_typing_create(analysis->process, analysis->symbols, analysis->extents,
				       analysis->graph, &analysis->roots, &claims, threads,
				       options->process.progress, &analysis->typing);
	hf_vec_free(&claims);
	return err;
}

/*
 * Dominators and types need the rows of the graph, and nothing of each other: one processor
 * each. The first is one long walk that cannot be split.
 */
enum { HALF_GRAPH, HALF_TYPES, HALVES };

struct halves {
	struct hf_analysis *analysis;
	const struct hf_analysis_options *options;
	unsigned type_threads;
	struct hf_error *err[HALVES];
};

static void run_half(void *ctx, uint64_t half, unsigned worker)
{
	struct halves *halves = ctx;
	double since = hf_clock_seconds();
	(void)worker;

	if (half == HALF_GRAPH) {
		halves->err[half] = hf_graph_solve(halves->analysis->graph);
		return;
	}
	halves->err[half] = open_types(halves->analysis, halves->options, halves->type_threads);
	halves->analysis->types_seconds = hf_clock_seconds() - since;
}

static struct hf_error *open_halves(struct hf_analysis *analysis,
				    const struct hf_analysis_options *options, unsigned threads,
				    double *since)
{
	struct halves halves = {.analysis = analysis, .options = options};

	/* All but the one that walks the graph. */
	halves.type_threads = threads > 1 ? threads - 1 : 1;
	hf_progress_report(options->process.progress, "finding dominators", 0, 0);
	hf_parallel_for(threads, options->depth < HF_DEPTH_TYPES ? 1 : HALVES, run_half, &halves);
	/* What comes now is smaller: an array of a word an object, if any. */
	hf_bigmem_trim((size_t)hf_graph_objects(analysis->graph) * sizeof(uint32_t));
	stage_done(analysis, "graph and types", since);
	if (halves.err[HALF_GRAPH]) {
		hf_error_destroy(halves.err[HALF_TYPES]);
		return halves.err[HALF_GRAPH];
	}
	return halves.err[HALF_TYPES];
}

static struct hf_error *open_stages(struct hf_analysis *analysis,
				    const struct hf_analysis_options *options)
{
	unsigned threads = options->threads ? options->threads : hf_parallel_threads();
	double since = hf_clock_seconds();
	struct hf_error *err;

	analysis->threads = threads;
	hf_progress_report(options->process.progress, "reading the core", 0, 0);
	err = hf_process_open(&options->process, analysis->diags, &analysis->process);
	stage_done(analysis, "open", &since);
	if (err)
		return err;
	if (load_index(analysis, options, &since))
		return hf_memory_limit(options->max_memory);
	err = hf_symbols_create(analysis->process, &analysis->symbols);
	stage_done(analysis, "symbols", &since);
	/* Not before the symbols are read: libdw ends the program, or worse, when it gets none. */
	analysis->taken_bytes = hf_memory_taken();
	if (!err)
		err = hf_memory_limit(options->max_memory);
	if (err || options->depth < HF_DEPTH_HEAP)
		return err;
	err = open_heap(analysis, options, threads, &since);
	if (err || !analysis->allocator) {
		if (!err && options->depth >= HF_DEPTH_GRAPH)
			err = hf_process_unwind(analysis->process, max_frames(options));
		return err;
	}
	if (options->depth < HF_DEPTH_GRAPH)
		return NULL;
	err = open_graph(analysis, options, threads, &since);
	return err ? err : open_halves(analysis, options, threads, &since);
}

struct hf_error *hf_analysis_open(const struct hf_analysis_options *options,
				  struct hf_analysis **ret)
{
	struct hf_analysis *analysis = calloc(1, sizeof(*analysis));
	struct hf_error *err;

	if (!analysis)
		return hf_error_nomem();
	err = hf_diags_create(&analysis->diags);
	if (!err)
		err = hf_memory_explain(analysis, false, open_stages(analysis, options));
	if (err)
		hf_analysis_close(analysis);
	else
		*ret = analysis;
	return err;
}

void hf_analysis_close(struct hf_analysis *analysis)
{
	if (!analysis)
		return;
	hf_typing_destroy(analysis->typing);
	hf_graph_destroy(analysis->graph);
	hf_roots_deinit(&analysis->roots);
	hf_extents_destroy(analysis->extents);
	hf_stash_close(analysis->stash);
	hf_allocator_destroy(analysis->allocator);
	hf_symbols_destroy(analysis->symbols);
	hf_process_close(analysis->process);
	hf_diags_destroy(analysis->diags);
	free(analysis);
	hf_bigmem_trim(0);
}

/* ---- what the user means --------------------------------------------------------- */

/* Holder node of the variable at @address, HF_NO_NODE if it holds nothing. */
static uint32_t holder_node(const struct hf_analysis *analysis, uint64_t address)
{
	uint32_t first = hf_graph_objects(analysis->graph);
	uint32_t holders = hf_graph_holders(analysis->graph);

	for (uint32_t i = 0; i < holders; i++) {
		uint32_t index = hf_graph_holder_index(analysis->graph, first + i);
		const struct hf_holder *holder = &analysis->roots.holders.data[index];
		if (holder->size && address >= holder->address &&
		    address - holder->address < holder->size)
			return first + i;
	}
	return HF_NO_NODE;
}

static uint32_t node_at(const struct hf_analysis *analysis, uint64_t address)
{
	if (!analysis->graph)
		return HF_NO_NODE;
	uint32_t object = hf_extents_find(analysis->extents, address);
	return object != HF_NO_OBJECT ? object : holder_node(analysis, address);
}

/* The variable called @name: the program's own before the libraries'. */
static const struct hf_variable *variable_named(const struct hf_analysis *analysis,
						const char *name)
{
	const struct hf_variable *found = NULL;

	hf_vec_foreach (variable, hf_symbols_variables(analysis->symbols)) {
		if (strcmp(variable->name, name))
			continue;
		if (variable->module < analysis->process->modules.count &&
		    analysis->process->modules.data[variable->module].is_executable)
			return variable;
		if (!found)
			found = variable;
	}
	return found;
}

/* A holder by the name that the report prints: a TLS variable, a section word, a register. */
static bool holder_named(const struct hf_analysis *analysis, const char *name, uint32_t *ret_node)
{
	if (!analysis->graph)
		return false;
	uint32_t first = hf_graph_objects(analysis->graph);
	for (uint32_t i = 0; i < hf_graph_holders(analysis->graph); i++) {
		uint32_t index = hf_graph_holder_index(analysis->graph, first + i);
		const struct hf_holder *holder = &analysis->roots.holders.data[index];
		HF_AUTO(free_ptr) char *described = hf_holder_describe(holder, analysis->process);
		bool plain = holder->kind != HF_HOLDER_FRAME && holder->kind != HF_HOLDER_MAPPING;
		if ((plain && holder->name && !strcmp(holder->name, name)) ||
		    (described && !strcmp(described, name))) {
			*ret_node = first + i;
			return true;
		}
	}
	return false;
}

static bool parse_address(const char *text, uint64_t *ret)
{
	char *end = NULL;
	if (*text < '0' || *text > '9')
		return false;
	unsigned long long value = strtoull(text, &end, 0);
	if (*end)
		return false;
	*ret = value;
	return true;
}

struct hf_error *hf_analysis_resolve(const struct hf_analysis *analysis, const char *text,
				     uint64_t *ret_address, uint32_t *ret_node)
{
	uint64_t address = 0;
	uint32_t node = HF_NO_NODE;

	if (parse_address(text, &address)) {
		*ret_address = address;
		*ret_node = node_at(analysis, address);
		return NULL;
	}
	const struct hf_variable *variable = variable_named(analysis, text);
	if (variable) {
		*ret_address = variable->address;
		*ret_node = node_at(analysis, variable->address);
		return NULL;
	}
	if (holder_named(analysis, text, &node)) {
		uint32_t index = hf_graph_holder_index(analysis->graph, node);
		*ret_address = analysis->roots.holders.data[index].address;
		*ret_node = node;
		return NULL;
	}
	return hf_error_create(HF_ERR_NOT_FOUND,
			       "no variable or root is called \"%s\", and it is no address", text);
}

bool hf_analysis_field(const struct hf_analysis *analysis, const struct hf_edge *edge, char *buffer,
		       size_t size)
{
	uint32_t objects = hf_graph_objects(analysis->graph);
	bool known;

	if (!analysis->typing || !edge->source_address)
		return false;
	if (edge->source < objects) {
		uint64_t base = hf_extents_address(analysis->extents, edge->source);
		known = hf_typing_field(analysis->typing, edge->source, edge->source_address - base,
					buffer, size, NULL);
	} else {
		uint32_t index = hf_graph_holder_index(analysis->graph, edge->source);
		known = hf_typing_root_field(analysis->typing, &analysis->roots.holders.data[index],
					     edge->source_address, buffer, size, NULL);
	}
	return known && *buffer;
}

char *hf_analysis_describe(const struct hf_analysis *analysis, uint32_t node)
{
	uint32_t objects = hf_graph_objects(analysis->graph);
	char *text = NULL;
	int length;

	if (node == hf_graph_root(analysis->graph))
		return strdup("all roots");
	if (node >= objects) {
		uint32_t index = hf_graph_holder_index(analysis->graph, node);
		return hf_holder_describe(&analysis->roots.holders.data[index], analysis->process);
	}
	uint64_t address = hf_extents_address(analysis->extents, node);
	if (analysis->typing) {
		uint32_t type = hf_typing_of(analysis->typing, node);
		length = asprintf(&text, "%s 0x%" PRIx64,
				  hf_typing_type(analysis->typing, type)->name, address);
	} else {
		length = asprintf(&text, "0x%" PRIx64, address);
	}
	return length < 0 ? NULL : text;
}
