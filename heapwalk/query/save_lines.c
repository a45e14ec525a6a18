/*
 * save_lines.c - the tables of `query` as lines of JSON: {"table":"objects","id":0,...} a row.
 *
 * The rows come from the virtual tables themselves, so that a saved table is the queried one by
 * construction. What is NULL in a row is left out of its line. The first line is meta; of nodes and
 * chunks only those are told that are no objects. Objects and refs, which are nearly all of it, are
 * written on all processors (output/export_pieces.h).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/cleanup.h"
#include "heapwalk/output/export_pieces.h"
#include "heapwalk/query/save.h"
#include "heapwalk/query/save_meta.h"
#include "heapwalk/query/vtab.h"

enum { MAX_COLUMNS = 64, PROGRESS_ROWS = 1 << 18, ROW_WEIGHT = 256, REF_WEIGHT = 80 };

/* ---- rows ------------------------------------------------------------------------------------ */

struct columns {
	char *begin;		 /* `{"table":"T"` */
	char *keys[MAX_COLUMNS]; /* `,"id":` */
	int key_bytes[MAX_COLUMNS];
	bool address[MAX_COLUMNS];
	int count;
};

/* Names and types of "CREATE TABLE T(NAME TYPE, ...)". */
static bool describe_columns(const struct query_table *table, struct columns *ret)
{
	const char *at = strchr(table->schema, '(');

	*ret = (struct columns){0};
	if (asprintf(&ret->begin, "{\"table\":\"%s\"", table->name) < 0) {
		ret->begin = NULL;
		return false;
	}
	while (at && *at != ')' && ret->count < MAX_COLUMNS) {
		at += 1 + (at[1] == ' ');
		bool quoted = *at == '"';
		int length = (int)strcspn(at += quoted, quoted ? "\"" : " ");
		const char *type = at + length + quoted + 1;
		ret->address[ret->count] = !strncmp(type, "ADDRESS", 7);
		ret->key_bytes[ret->count] =
		    asprintf(&ret->keys[ret->count], ",\"%.*s\":", length, at);
		if (ret->key_bytes[ret->count] < 0) {
			ret->keys[ret->count] = NULL;
			return false;
		}
		ret->count++;
		at = type + strcspn(type, ",)");
	}
	return true;
}

static void put_cell(struct hf_writer *to, const struct query_cell *cell, bool address)
{
	if (cell->kind == QUERY_TEXT) {
		hf_put_json(to, cell->text);
	} else if (address) {
		hf_put_byte(to, '"');
		hf_put_hex(to, (uint64_t)cell->number);
		hf_put_byte(to, '"');
	} else {
		if (cell->number < 0)
			hf_put_byte(to, '-');
		hf_put_number(to, cell->number < 0 ? 0 - (uint64_t)cell->number
						   : (uint64_t)cell->number);
	}
}

static void free_columns(struct columns *columns)
{
	free(columns->begin);
	for (int i = 0; i < columns->count; i++)
		free(columns->keys[i]);
}

static void put_row(struct hf_writer *to, struct query_cursor *cursor,
		    const struct columns *columns)
{
	struct query_cell cell;

	hf_put_text(to, columns->begin);
	for (int i = 0; i < columns->count; i++) {
		query_rows_cell(cursor, i, &cell);
		if (cell.kind != QUERY_NULL) {
			hf_put(to, columns->keys[i], (size_t)columns->key_bytes[i]);
			put_cell(to, &cell, columns->address[i]);
		}
		query_cell_free(&cell);
	}
	hf_put(to, "}\n", 2);
}

/* ---- tables ---------------------------------------------------------------------------------- */

static void put_meta(struct hf_export *export)
{
	struct save_meta meta[SAVE_MAX_META];
	unsigned count = save_make_meta(export->analysis, meta);

	hf_put_text(export->to, "{\"table\":\"meta\"");
	for (unsigned i = 0; i < count; i++) {
		hf_put_format(export->to, ",\"%s\":", meta[i].name);
		if (meta[i].value)
			hf_put_json(export->to, meta[i].value);
		else
			hf_put_text(export->to, "null");
	}
	hf_put_text(export->to, "}\n");
	save_free_meta(meta, count);
}

/* A table from row @first on, one after the other. */
static struct hf_error *put_rows(struct hf_export *export, const struct query_table *table,
				 const struct columns *columns, uint64_t first)
{
	struct query_cursor cursor;
	bool chunks = !strcmp(table->name, "chunks");
	uint64_t done = 0;

	query_rows_begin(&cursor, export->analysis, table, first, QUERY_ROWS_ALL);
	for (; !query_rows_end(&cursor) && !export->to->error; query_rows_next(&cursor)) {
		if (done++ % PROGRESS_ROWS == 0)
			hf_progress_report(export->options.progress, table->name, done, 0);
		/* Those in use are told by the lines of objects. */
		if (!chunks || !hf_chunk_in_use(&cursor.chunks[cursor.chunk_at]))
			put_row(export->to, &cursor, columns);
	}
	bool failed = cursor.failed;
	query_rows_deinit(&cursor);
	return failed ? hf_error_nomem() : NULL;
}

/* What the threads that write one table share. */
struct lines {
	struct hf_analysis *analysis;
	const struct query_table *table;
	const struct columns *columns;
	pthread_mutex_t lock;
	struct query_names **names; /* a worker; NULL where the table has no fields */
};

static struct hf_error *put_piece(void *ctx, uint32_t first, uint32_t end, unsigned worker,
				  struct hf_writer *to)
{
	struct lines *lines = ctx;
	struct query_cursor cursor;

	query_rows_begin(&cursor, lines->analysis, lines->table, first, end);
	cursor.names = lines->names ? lines->names[worker] : NULL;
	for (; !query_rows_end(&cursor) && !to->error; query_rows_next(&cursor))
		put_row(to, &cursor, lines->columns);
	bool failed = cursor.failed;
	query_rows_deinit(&cursor);
	return failed ? hf_error_nomem() : NULL;
}

static uint64_t weigh_row(void *ctx, uint32_t row)
{
	(void)ctx;
	(void)row;
	return ROW_WEIGHT;
}

/* A word that points where another one of its node does is no further edge, but a line. */
static uint64_t weigh_refs(void *ctx, uint32_t node)
{
	const struct lines *lines = ctx;
	const struct hf_graph *graph = lines->analysis->graph;
	const uint32_t *targets;
	uint64_t edges = hf_graph_out(graph, node, &targets), bytes;

	if (!edges)
		return 1;
	if (node < hf_graph_objects(graph))
		bytes = hf_extents_chunk_bytes(lines->analysis->extents, node);
	else
		bytes =
		    lines->analysis->roots.holders.data[hf_graph_holder_index(graph, node)].size;
	return 1 + (edges * REF_WEIGHT > bytes ? edges * REF_WEIGHT : bytes);
}

static struct hf_error *put_refs(struct hf_export *export, struct lines *lines,
				 const struct hf_export_pieces *pieces)
{
	unsigned threads = export->options.threads;
	struct hf_error *err = NULL;

	lines->names = calloc(threads, sizeof(struct query_names *));
	for (unsigned i = 0; lines->names && i < threads; i++) {
		lines->names[i] = query_names_create(&lines->lock);
		if (!lines->names[i] && !err)
			err = hf_error_nomem();
	}
	if (!lines->names)
		return hf_error_nomem();
	if (!err)
		err = hf_export_pieces(export, pieces);
	for (unsigned i = 0; i < threads; i++)
		query_names_destroy(lines->names[i]);
	free(lines->names);
	return err;
}

/* Objects or refs. */
static struct hf_error *put_big(struct hf_export *export, const struct query_table *table,
				const struct columns *columns)
{
	const struct hf_graph *graph = export->analysis->graph;
	bool refs = !strcmp(table->name, "refs");
	struct lines lines = {.analysis = export->analysis,
			      .table = table,
			      .columns = columns,
			      .lock = PTHREAD_MUTEX_INITIALIZER};
	const struct hf_export_pieces pieces = {
	    .stage = table->name,
	    .end = refs ? hf_graph_root(graph) : hf_graph_objects(graph),
	    .ctx = &lines,
	    .weight = refs ? weigh_refs : weigh_row,
	    .write = put_piece,
	};
	uint32_t depth;

	/* Made at the first call, which must not be one of several at once. */
	struct hf_error *err =
	    hf_graph_depth(export->analysis->graph, hf_graph_root(graph), &depth);
	if (err)
		return err;
	return refs ? put_refs(export, &lines, &pieces) : hf_export_pieces(export, &pieces);
}

static struct hf_error *put_table(struct hf_export *export, const struct query_table *table)
{
	struct columns columns;
	struct hf_error *err = NULL;
	bool nodes = !strcmp(table->name, "nodes");

	if (!describe_columns(table, &columns))
		err = hf_error_nomem();
	else if (!strcmp(table->name, "objects") || !strcmp(table->name, "refs"))
		err = put_big(export, table, &columns);
	else
		err = put_rows(export, table, &columns,
			       nodes ? hf_graph_objects(export->analysis->graph) : 0);
	free_columns(&columns);
	return err;
}

static struct hf_error *write_ndjson(struct hf_export *export)
{
	struct hf_error *err = NULL;

	put_meta(export);
	for (unsigned i = 0; i < query_table_count && !err; i++) {
		if (!query_tables[i].asked_only)
			err = put_table(export, &query_tables[i]);
	}
	if (!err)
		hf_export_note(export, "nodes and chunks that are objects are told by the lines of "
				       "objects alone; what is NULL is left out");
	return err;
}

const struct hf_export_ops hf_export_ndjson = {
    .name = "ndjson",
    .opened = "jq, or any program that reads a line of JSON at a time",
    .write = write_ndjson,
};
