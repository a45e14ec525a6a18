/*
 * openmetrics.c - gauges of one core (see openmetrics.h; the format: openmetrics.io, and
 * Prometheus' text format 0.0.4, which node_exporter's textfile collector reads: so there is
 * no type of one that the other does not know).
 *
 *	# TYPE NAME gauge	# UNIT NAME bytes	# HELP NAME ...
 *	NAME{command="server",...} VALUE
 *	# EOF
 *
 * Every series carries the program's name. A label's value may be anything that a core holds:
 * it is escaped. Holders (and types) of one name are added up, since a series stands once.
 */
#include "heapwalk/output/openmetrics.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/cleanup.h"
#include "heapwalk/output/escape.h"
#include "heapwalk/views/sections.h"

enum { DEFAULT_TOP = 10, ARENA_NAME = 40 };

struct writer {
	struct hf_analysis *analysis;
	FILE *to;
	uint64_t top;
	const char *metric; /* the family at hand */
	bool failed;
};

/* NAME="VALUE" */
static void put_label(struct writer *writer, const char *name, const char *value)
{
	HF_AUTO(free_ptr) char *escaped = hf_escape(value);

	writer->failed = writer->failed || !escaped;
	fprintf(writer->to, "%s=\"", name);
	for (const char *at = escaped ? escaped : ""; *at; at++) {
		if (*at == '"' || *at == '\\')
			fputc('\\', writer->to);
		fputc(*at, writer->to);
	}
	fputc('"', writer->to);
}

static void family(struct writer *writer, const char *name, const char *unit, const char *help)
{
	writer->metric = name;
	fprintf(writer->to, "# TYPE heapforensics_%s gauge\n", name);
	if (unit)
		fprintf(writer->to, "# UNIT heapforensics_%s %s\n", name, unit);
	fprintf(writer->to, "# HELP heapforensics_%s %s\n", name, help);
}

/* One sample, with up to two labels more than the program's name. */
static void sample(struct writer *writer, const char *label, const char *value, const char *label_2,
		   const char *value_2, uint64_t number)
{
	fprintf(writer->to, "heapforensics_%s{", writer->metric);
	put_label(writer, "command", writer->analysis->process->info.command);
	if (label) {
		fputc(',', writer->to);
		put_label(writer, label, value);
	}
	if (label_2) {
		fputc(',', writer->to);
		put_label(writer, label_2, value_2);
	}
	fprintf(writer->to, "} %" PRIu64 "\n", number);
}

static void figure(struct writer *writer, const char *name, const char *unit, const char *help,
		   uint64_t number)
{
	family(writer, name, unit, help);
	sample(writer, NULL, NULL, NULL, NULL, number);
}

/* ---- the process and its memory -------------------------------------------------------------- */

static void put_info(struct writer *writer)
{
	const struct hf_analysis *analysis = writer->analysis;
	char pid[16];

	snprintf(pid, sizeof(pid), "%" PRIu32, analysis->process->info.pid);
	family(writer, "analysis_info", NULL, "What was analysed, by which version.");
	sample(writer, "version", HF_VERSION, "pid", pid, 1);
	figure(writer, "partial", NULL, "1 if evidence was missing: figures are lower bounds.",
	       (uint64_t)hf_diags_partial(analysis->diags));
	figure(writer, "threads", NULL, "Threads of the process.",
	       analysis->process->threads.count);
}

/* The ledger's lines, as the report has them. */
static struct hf_error *put_memory(struct writer *writer)
{
	struct hf_doc *doc = NULL;
	struct hf_error *err = hf_doc_create("report", &doc);

	if (err)
		return err;
	hf_section_ledger(writer->analysis, doc);
	err = hf_doc_error(doc);
	family(writer, "memory_bytes", "bytes",
	       "Memory of the process; the kinds add up to all of it.");
	for (uint32_t i = 0; i < hf_doc_items(doc) && !err; i++) {
		const struct hf_item *item = hf_doc_item(doc, i);
		if (item->kind != HF_ITEM_TABLE)
			continue;
		hf_vec_foreach (row, &item->table->rows) {
			const struct hf_value *cells = &item->table->cells.data[row->first_cell];
			if (strcmp(cells[0].text, "total"))
				sample(writer, "kind", cells[0].text, NULL, NULL, cells[2].number);
		}
	}
	hf_doc_destroy(doc);
	return err;
}

/* "0", or "pymalloc-1" */
static void name_arena(const struct hf_allocator *allocator, size_t arena, char name[ARENA_NAME])
{
	const char *layer = allocator->arenas.data[arena].layer;
	snprintf(name, ARENA_NAME, "%s%s%zu", layer ? layer : "", layer ? "-" : "", arena);
}

static void put_arenas(struct writer *writer)
{
	const struct hf_allocator *allocator = writer->analysis->allocator;
	char number[ARENA_NAME];

	family(writer, "arena_system_bytes", "bytes", "Memory that an arena took from the system.");
	for (size_t i = 0; i < allocator->arenas.count; i++) {
		name_arena(allocator, i, number);
		sample(writer, "arena", number, NULL, NULL, allocator->arenas.data[i].system_bytes);
	}
	family(writer, "arena_inuse_bytes", "bytes", "Of it, in use by the program.");
	for (size_t i = 0; i < allocator->arenas.count; i++) {
		name_arena(allocator, i, number);
		sample(writer, "arena", number, NULL, NULL, allocator->arenas.data[i].inuse_bytes);
	}
}

static void put_heap(struct writer *writer)
{
	struct hf_heap_totals totals;

	hf_heap_totals(writer->analysis, &totals);
	figure(writer, "heap_inuse_bytes", "bytes", "Heap in use by the program.",
	       totals.inuse_bytes);
	figure(writer, "heap_objects", NULL, "Objects in use by the program.", totals.objects);
	family(writer, "heap_free_bytes", "bytes", "Heap that is free but not given back.");
	sample(writer, "where", "tcache", NULL, NULL, totals.tcache_bytes);
	sample(writer, "where", "bins", NULL, NULL, totals.bins_bytes);
	sample(writer, "where", "top", NULL, NULL, totals.top_bytes);
	if (totals.layer_bytes)
		sample(writer, "where", "pools", NULL, NULL, totals.pools_bytes);
	put_arenas(writer);
	if (!writer->analysis->graph)
		return;
	family(writer, "leak_bytes", "bytes",
	       "Heap by how it is reached; definite and indirect are lost.");
	for (unsigned kind = 0; kind < HF_LEAK_KINDS; kind++)
		sample(writer, "kind", hf_leak_kind_name(kind), NULL, NULL,
		       totals.leaks[kind].bytes);
	family(writer, "leak_objects", NULL, "The same, objects.");
	for (unsigned kind = 0; kind < HF_LEAK_KINDS; kind++)
		sample(writer, "kind", hf_leak_kind_name(kind), NULL, NULL,
		       totals.leaks[kind].count);
}

/* ---- series by name -------------------------------------------------------------------------- */

struct series {
	char *name;
	const char *kind;
	uint64_t bytes, count;
};

HF_VEC(all_series, struct series);

static int by_name(const void *a, const void *b)
{
	const struct series *x = a, *y = b;
	int order = strcmp(x->kind, y->kind);
	return order ? order : strcmp(x->name, y->name);
}

static int by_bytes(const void *a, const void *b)
{
	const struct series *x = a, *y = b;
	return x->bytes != y->bytes ? (x->bytes < y->bytes ? 1 : -1) : by_name(a, b);
}

static bool add_series(struct all_series *all, char *name, const char *kind, uint64_t bytes,
		       uint64_t count)
{
	struct series series = {name, kind, bytes, count};
	if (name && hf_vec_push(all, series))
		return true;
	free(name);
	return false;
}

/* Those of one kind and name together, biggest first. */
static void merge(struct all_series *all)
{
	size_t kept = 0;

	if (all->count)
		qsort(all->data, all->count, sizeof(*all->data), by_name);
	for (size_t i = 0; i < all->count; i++) {
		struct series *next = &all->data[i], *last = kept ? &all->data[kept - 1] : NULL;
		if (last && by_name(last, next) == 0) {
			last->bytes += next->bytes;
			last->count += next->count;
			free(next->name);
		} else {
			all->data[kept++] = *next;
		}
	}
	all->count = kept;
	if (kept)
		qsort(all->data, kept, sizeof(*all->data), by_bytes);
}

static void free_series(struct all_series *all)
{
	hf_vec_foreach (series, all)
		free(series->name);
	hf_vec_free(all);
}

/* Holders, and in one series each what several share, and what is lost: together the heap. */
static struct hf_error *put_holders(struct writer *writer)
{
	struct hf_analysis *analysis = writer->analysis;
	const struct hf_graph *graph = analysis->graph;
	struct all_series all = {0};
	struct hf_error *err = hf_graph_open_tree(analysis->graph);
	uint64_t shared = 0, lost = 0;
	bool fine = true;

	if (err)
		return err;
	for (uint32_t node = hf_graph_first_child(graph, hf_graph_root(graph));
	     node != HF_NO_NODE && fine; node = hf_graph_next_sibling(graph, node)) {
		uint64_t bytes = hf_graph_retained(graph, node);
		if (node < hf_graph_objects(graph)) {
			*(hf_graph_is_leader(graph, node) ? &lost : &shared) += bytes;
			continue;
		}
		if (!bytes)
			continue;
		const struct hf_holder *holder =
		    &analysis->roots.holders.data[hf_graph_holder_index(graph, node)];
		fine = add_series(&all, hf_analysis_describe(analysis, node),
				  hf_holder_kind_name(holder->kind), bytes, 1);
	}
	family(
	    writer, "holder_retained_bytes", "bytes",
	    "What would be freed if a root let go; the biggest, and \"rest\": together the heap.");
	merge(&all);
	uint64_t rest = 0;
	for (size_t i = 0; i < all.count && fine; i++) {
		const struct series *series = &all.data[i];
		if (i < writer->top)
			sample(writer, "kind", series->kind, "holder", series->name, series->bytes);
		else
			rest += series->bytes;
	}
	sample(writer, "kind", "rest", "holder", "", rest);
	sample(writer, "kind", "shared", "holder", "", shared);
	sample(writer, "kind", "lost", "holder", "", lost);
	free_series(&all);
	return fine ? NULL : hf_error_nomem();
}

static struct hf_error *put_types(struct writer *writer)
{
	const struct hf_typing *typing = writer->analysis->typing;
	struct all_series all = {0};
	bool fine = true;

	for (uint32_t i = 0; i < hf_typing_types(typing) && fine; i++) {
		const struct hf_type *type = hf_typing_type(typing, i);
		if (type->count)
			fine = add_series(&all, strdup(type->name), "", type->bytes, type->count);
	}
	merge(&all);
	family(writer, "type_bytes", "bytes", "Heap by type or shape: the biggest.");
	for (size_t i = 0; i < all.count && i < writer->top; i++)
		sample(writer, "type", all.data[i].name, NULL, NULL, all.data[i].bytes);
	family(writer, "type_objects", NULL, "The same, objects.");
	for (size_t i = 0; i < all.count && i < writer->top; i++)
		sample(writer, "type", all.data[i].name, NULL, NULL, all.data[i].count);
	free_series(&all);
	return fine ? NULL : hf_error_nomem();
}

static void put_findings(struct writer *writer)
{
	const struct hf_diags *diags = writer->analysis->diags;

	family(writer, "findings", NULL, "Broken invariants of the heap, by code.");
	for (size_t i = 0; i < hf_diags_codes(diags); i++) {
		enum hf_diag_kind kind;
		enum hf_severity worst;
		uint64_t count = 0;
		const char *code = hf_diags_code(diags, i, &kind, &worst, &count);
		if (kind == HF_DIAG_HEAP)
			sample(writer, "code", code, "severity", hf_severity_name(worst), count);
	}
}

struct hf_error *hf_output_openmetrics(struct hf_analysis *analysis, uint64_t top, FILE *to)
{
	struct writer writer = {.analysis = analysis, .to = to, .top = top ? top : DEFAULT_TOP};
	struct hf_error *err;

	put_info(&writer);
	err = put_memory(&writer);
	if (!err && analysis->allocator) {
		put_heap(&writer);
		put_findings(&writer);
	}
	if (!err && analysis->graph)
		err = put_holders(&writer);
	if (!err && analysis->graph && analysis->typing)
		err = put_types(&writer);
	fputs("# EOF\n", to);
	return err ? err : writer.failed ? hf_error_nomem() : NULL;
}
