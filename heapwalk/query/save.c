/*
 * save.c - the tables of `query`, saved: as an SQLite file with indexes, and as lines of JSON.
 *
 * The rows come from the virtual tables themselves, so that a saved table is the queried one
 * by construction. A further table, meta(name, value), says where it all comes from.
 *
 *	sqlite	CREATE TABLE saved.T as declared; INSERT INTO saved.T SELECT * FROM main.T;
 *		indexes; all in one transaction
 *	ndjson	{"table":"objects","id":0,"address":"0x...",...} a row; meta first; of nodes and
 *		chunks only those that are no objects
 */
#include "heapwalk/query/save.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/cleanup.h"
#include "heapwalk/query/query.h"
#include "heapwalk/query/vtab.h"

enum { MAX_COLUMNS = 64, MAX_META = 8, PROGRESS_OPS = 1 << 22, PROGRESS_ROWS = 1 << 18 };

struct meta {
	const char *name;
	char *value;
};

static unsigned make_meta(const struct hf_analysis *analysis, struct meta ret[MAX_META])
{
	const struct hf_process_info *info = &analysis->process->info;
	unsigned count = 0;
	char *pid = NULL;

	if (asprintf(&pid, "%" PRIu32, info->pid) < 0)
		pid = NULL;
	ret[count++] = (struct meta){"schema", strdup("heapforensics/1")};
	ret[count++] = (struct meta){"version", strdup(HF_VERSION)};
	ret[count++] = (struct meta){"core", info->core_path ? strdup(info->core_path) : NULL};
	ret[count++] =
	    (struct meta){"executable", info->executable ? strdup(info->executable) : NULL};
	ret[count++] = (struct meta){"pid", pid};
	ret[count++] =
	    (struct meta){"partial", strdup(hf_diags_partial(analysis->diags) ? "true" : "false")};
	return count;
}

static void free_meta(struct meta *meta, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		free(meta[i].value);
}

/* ---- sqlite ---------------------------------------------------------------------------------- */

static const char *const indexes[] = {
    "CREATE INDEX saved.objects_address ON objects(address)",
    "CREATE INDEX saved.objects_type ON objects(type)",
    "CREATE INDEX saved.objects_retained ON objects(retained)",
    "CREATE INDEX saved.objects_dominator ON objects(dominator)",
    "CREATE INDEX saved.nodes_dominator ON nodes(dominator)",
    "CREATE INDEX saved.refs_source ON refs(source)",
    "CREATE INDEX saved.refs_target ON refs(target)",
    "CREATE INDEX saved.chunks_address ON chunks(address)",
};

static struct hf_error *sql_failed(sqlite3 *db, const struct hf_export *export)
{
	return hf_error_create(HF_ERR_IO, "%s: %s", export->path, sqlite3_errmsg(db));
}

static struct hf_error *run(sqlite3 *db, const struct hf_export *export, const char *sql)
{
	return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK ? NULL : sql_failed(db, export);
}

/* One statement with texts bound to its parameters. */
static struct hf_error *run_bound(sqlite3 *db, const struct hf_export *export, const char *sql,
				  const char *first, const char *second)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);

	if (rc == SQLITE_OK && first)
		rc = sqlite3_bind_text(stmt, 1, first, -1, SQLITE_STATIC);
	if (rc == SQLITE_OK && second)
		rc = sqlite3_bind_text(stmt, 2, second, -1, SQLITE_STATIC);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	struct hf_error *err = rc == SQLITE_DONE ? NULL : sql_failed(db, export);
	sqlite3_finalize(stmt);
	return err;
}

/* "CREATE TABLE T(id INTEGER, ..." becomes that of the file: ids are its row ids. */
static char *create_text(const struct query_table *table)
{
	static const char create[] = "CREATE TABLE ", id[] = "(id INTEGER,";
	const char *columns = strchr(table->schema, '(');
	bool keyed = !strncmp(columns, id, sizeof(id) - 1);
	char *text = NULL;

	if (asprintf(&text, "%ssaved.%s%s%s", create, table->name,
		     keyed ? "(id INTEGER PRIMARY KEY," : "",
		     keyed ? columns + sizeof(id) - 1 : columns) < 0)
		return NULL;
	return text;
}

static struct hf_error *save_table(sqlite3 *db, const struct hf_export *export,
				   const struct query_table *table)
{
	HF_AUTO(free_ptr) char *create = create_text(table);
	HF_AUTO(free_ptr) char *insert = NULL;

	if (!create || asprintf(&insert, "INSERT INTO saved.%s SELECT * FROM main.%s", table->name,
				table->name) < 0)
		return hf_error_nomem();
	struct hf_error *err = run(db, export, create);
	return err ? err : run(db, export, insert);
}

static struct hf_error *save_meta(sqlite3 *db, const struct hf_export *export)
{
	struct meta meta[MAX_META];
	unsigned count = make_meta(export->analysis, meta);
	struct hf_error *err = run(db, export, "CREATE TABLE saved.meta(name TEXT, value TEXT)");

	for (unsigned i = 0; i < count && !err; i++)
		err = run_bound(db, export, "INSERT INTO saved.meta VALUES(?, ?)", meta[i].name,
				meta[i].value);
	free_meta(meta, count);
	return err;
}

static int tell_progress(void *ctx)
{
	const struct hf_export *export = ctx;
	hf_progress_report(export->options.progress, "writing tables", 0, 0);
	return 0;
}

static struct hf_error *save_all(sqlite3 *db, struct hf_export *export)
{
	struct hf_error *err = run_bound(db, export, "ATTACH ? AS saved", export->path, NULL);

	/* A file that failed is thrown away: no journal is needed. */
	if (!err)
		err = run(db, export,
			  "PRAGMA saved.journal_mode = OFF; PRAGMA saved.synchronous = OFF; BEGIN");
	if (!err)
		err = save_meta(db, export);
	for (unsigned i = 0; i < query_table_count && !err; i++)
		err = save_table(db, export, &query_tables[i]);
	for (unsigned i = 0; i < sizeof(indexes) / sizeof(indexes[0]) && !err; i++)
		err = run(db, export, indexes[i]);
	return err ? err : run(db, export, "COMMIT; DETACH saved");
}

static struct hf_error *write_sqlite(struct hf_export *export)
{
	struct hf_query *query = NULL;
	struct hf_error *err = hf_query_open(export->analysis, &query);

	if (err)
		return err;
	sqlite3_progress_handler(query_db(query), PROGRESS_OPS, tell_progress, export);
	err = save_all(query_db(query), export);
	hf_query_close(query);
	return err;
}

const struct hf_export_ops hf_export_sqlite = {
    .name = "sqlite",
    .opened = "sqlite3 FILE",
    .own_file = true,
    .write = write_sqlite,
};

/* ---- ndjson ---------------------------------------------------------------------------------- */

struct columns {
	char *keys[MAX_COLUMNS]; /* `,"id":` */
	bool address[MAX_COLUMNS];
	int count;
};

/* Names and types of "CREATE TABLE T(NAME TYPE, ...)". */
static bool describe_columns(const char *schema, struct columns *ret)
{
	const char *at = strchr(schema, '(');

	*ret = (struct columns){0};
	while (at && *at != ')' && ret->count < MAX_COLUMNS) {
		at += 1 + (at[1] == ' ');
		bool quoted = *at == '"';
		int length = (int)strcspn(at += quoted, quoted ? "\"" : " ");
		const char *type = at + length + quoted + 1;
		ret->address[ret->count] = !strncmp(type, "ADDRESS", 7);
		if (asprintf(&ret->keys[ret->count], ",\"%.*s\":", length, at) < 0) {
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
	} else if (cell->kind == QUERY_NULL) {
		hf_put(to, "null", 4);
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

static void put_row(struct hf_writer *to, const char *begin, struct query_cursor *cursor,
		    const struct columns *columns)
{
	struct query_cell cell;

	hf_put_text(to, begin);
	for (int i = 0; i < columns->count; i++) {
		query_rows_cell(cursor, i, &cell);
		hf_put_text(to, columns->keys[i]);
		put_cell(to, &cell, columns->address[i]);
		query_cell_free(&cell);
	}
	hf_put(to, "}\n", 2);
}

/* Is the row told by one of `objects` already? Nodes and chunks that are objects are. */
static bool is_told(const struct query_cursor *cursor, bool chunks)
{
	return chunks && hf_chunk_in_use(&cursor->chunks[cursor->chunk_at]);
}

static struct hf_error *put_table(struct hf_export *export, const struct query_table *table)
{
	HF_AUTO(free_ptr) char *begin = NULL;
	struct hf_analysis *analysis = export->analysis;
	struct columns columns = {0};
	struct query_cursor cursor;
	bool nodes = !strcmp(table->name, "nodes"), chunks = !strcmp(table->name, "chunks");
	uint64_t done = 0, first = nodes ? hf_graph_objects(analysis->graph) : 0;

	if (!describe_columns(table->schema, &columns) ||
	    asprintf(&begin, "{\"table\":\"%s\"", table->name) < 0)
		return hf_error_nomem();
	query_rows_begin(&cursor, analysis, table, first);
	for (; !query_rows_end(&cursor) && !export->to->error; query_rows_next(&cursor)) {
		if (done++ % PROGRESS_ROWS == 0)
			hf_progress_report(export->options.progress, table->name, done, 0);
		if (!is_told(&cursor, chunks))
			put_row(export->to, begin, &cursor, &columns);
	}
	bool failed = cursor.failed;
	query_rows_deinit(&cursor);
	for (int i = 0; i < columns.count; i++)
		free(columns.keys[i]);
	return failed ? hf_error_nomem() : NULL;
}

static void put_meta(struct hf_export *export)
{
	struct meta meta[MAX_META];
	unsigned count = make_meta(export->analysis, meta);

	hf_put_text(export->to, "{\"table\":\"meta\"");
	for (unsigned i = 0; i < count; i++) {
		hf_put_format(export->to, ",\"%s\":", meta[i].name);
		if (meta[i].value)
			hf_put_json(export->to, meta[i].value);
		else
			hf_put_text(export->to, "null");
	}
	hf_put_text(export->to, "}\n");
	free_meta(meta, count);
}

static struct hf_error *write_ndjson(struct hf_export *export)
{
	struct hf_error *err = NULL;

	put_meta(export);
	for (unsigned i = 0; i < query_table_count && !err; i++)
		err = put_table(export, &query_tables[i]);
	if (!err)
		hf_export_note(export, "nodes and chunks that are objects are told by the lines of "
				       "objects alone");
	return err;
}

const struct hf_export_ops hf_export_ndjson = {
    .name = "ndjson",
    .opened = "jq, or any program that reads a line of JSON at a time",
    .write = write_ndjson,
};
