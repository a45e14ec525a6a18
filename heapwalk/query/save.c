/*
 * save.c - the tables of `query`, saved: as an SQLite file with indexes, and as lines of JSON.
 *
 * The rows come from the virtual tables themselves, so that a saved table is the queried one
 * by construction. A further table, meta(name, value), says where it all comes from.
 *
 *	sqlite	SQLite makes the schema and the small tables (INSERT ... SELECT * FROM main.T);
 *		the big ones are filled page by page (save_fill.c), or by SQLite too where names
 *		are longer than a page. `nodes` is a view: what is an object stands in objects
 *	ndjson	{"table":"objects","id":0,"address":"0x...",...} a row; meta first; of nodes and
 *		chunks only those that are no objects
 */
#include "heapwalk/query/save.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/cleanup.h"
#include "heapwalk/query/btree.h"
#include "heapwalk/query/query.h"
#include "heapwalk/query/save_fill.h"
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

static bool is_nodes(const struct query_table *table)
{
	return !strcmp(table->name, "nodes");
}

/* Tables that save_fill() can fill: they have as many rows as there are objects, or more. */
static bool is_big(const struct query_table *table)
{
	for (unsigned i = 0; i <= SAVE_CHUNKS; i++) {
		if (!strcmp(table->name, save_tree_names[i]))
			return true;
	}
	return false;
}

static struct hf_error *create_table(sqlite3 *db, const struct hf_export *export,
				     const struct query_table *table)
{
	HF_AUTO(free_ptr) char *create = create_text(table);
	return create ? run(db, export, create) : hf_error_nomem();
}

static struct hf_error *copy_table(sqlite3 *db, const struct hf_export *export,
				   const struct query_table *table)
{
	HF_AUTO(free_ptr) char *insert = NULL;

	if (asprintf(&insert, "INSERT INTO saved.%s SELECT * FROM main.%s", table->name,
		     table->name) < 0) {
		insert = NULL;
		return hf_error_nomem();
	}
	return run(db, export, insert);
}

/* Of the nodes only those are saved that are no objects; a view has them all. */
static struct hf_error *save_nodes(sqlite3 *db, const struct hf_export *export)
{
	HF_AUTO(free_ptr) char *sql = NULL;

	if (asprintf(&sql,
		     "CREATE TABLE saved.other_nodes(id INTEGER PRIMARY KEY, kind TEXT, name TEXT, "
		     "address ADDRESS, retained INTEGER, dominator INTEGER);"
		     "INSERT INTO saved.other_nodes SELECT * FROM main.nodes WHERE id >= %u;"
		     "CREATE VIEW saved.nodes AS SELECT id, 'object' AS kind, "
		     "printf('%%s 0x%%llx', type, address) AS name, address, retained, dominator "
		     "FROM objects UNION ALL SELECT * FROM other_nodes",
		     hf_graph_objects(export->analysis->graph)) < 0) {
		sql = NULL;
		return hf_error_nomem();
	}
	return run(db, export, sql);
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

/* Schema and all small tables; the big ones too, row by row, if they are not to be filled. */
static struct hf_error *save_tables(sqlite3 *db, struct hf_export *export, bool fill)
{
	struct hf_error *err = save_meta(db, export);

	for (unsigned i = 0; i < query_table_count && !err; i++) {
		const struct query_table *table = &query_tables[i];
		if (is_nodes(table)) {
			err = save_nodes(db, export);
			continue;
		}
		err = create_table(db, export, table);
		if (!err && !(fill && is_big(table)))
			err = copy_table(db, export, table);
	}
	for (unsigned i = 0; i < sizeof(indexes) / sizeof(indexes[0]) && !err; i++)
		err = run(db, export, indexes[i]);
	return err;
}

/* Where the trees of the file begin, and how many pages it has. */
static struct hf_error *find_roots(sqlite3 *db, const struct hf_export *export,
				   uint32_t roots[SAVE_TREES], uint32_t *ret_pages)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(db, "SELECT name, rootpage FROM saved.sqlite_schema", -1, &stmt,
				    NULL);

	while (rc == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW) {
		const char *name = (const char *)sqlite3_column_text(stmt, 0);
		for (unsigned i = 0; i < SAVE_TREES; i++) {
			if (!strcmp(name, save_tree_names[i]))
				roots[i] = (uint32_t)sqlite3_column_int64(stmt, 1);
		}
	}
	sqlite3_finalize(stmt);
	stmt = NULL;
	if (rc == SQLITE_OK)
		rc = sqlite3_prepare_v2(db, "PRAGMA saved.page_count", -1, &stmt, NULL);
	if (rc == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW)
		*ret_pages = (uint32_t)sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	return rc == SQLITE_OK ? NULL : sql_failed(db, export);
}

static struct hf_error *save_all(sqlite3 *db, struct hf_export *export)
{
	bool fill = save_can_fill(export->analysis);
	uint32_t roots[SAVE_TREES] = {0}, pages = 0;
	char page_size[64];
	struct hf_error *err = run_bound(db, export, "ATTACH ? AS saved", export->path, NULL);

	snprintf(page_size, sizeof(page_size), "PRAGMA saved.page_size = %d", BTREE_PAGE_BYTES);
	if (!err)
		err = run(db, export, page_size);
	/* A file that failed is thrown away: no journal is needed. */
	if (!err)
		err = run(db, export,
			  "PRAGMA saved.journal_mode = OFF; PRAGMA saved.synchronous = OFF; BEGIN");
	if (!err)
		err = save_tables(db, export, fill);
	if (!err)
		err = run(db, export, "COMMIT");
	if (!err && fill)
		err = find_roots(db, export, roots, &pages);
	if (!err)
		err = run(db, export, "DETACH saved");
	return !err && fill ? save_fill(export, roots, pages) : err;
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
	query_rows_begin(&cursor, analysis, table, first, QUERY_ROWS_ALL);
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
