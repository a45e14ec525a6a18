/*
 * save.c - the tables of `query` as an SQLite file with indexes.
 *
 * The rows come from the virtual tables themselves, so that a saved table is the queried one
 * by construction. A further table, meta(name, value), says where it all comes from.
 *
 *	SQLite makes the schema and the small tables (INSERT ... SELECT * FROM main.T); the big
 *	ones are filled page by page (save_fill.c). There, names that repeat are numbers, and the
 *	tables of the contract are views over them: `objects` over object_rows and types,
 *	`chunks` over chunk_rows, `nodes` over objects and other_nodes
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
#include "heapwalk/query/save_meta.h"
#include "heapwalk/query/vtab.h"

enum { PROGRESS_OPS = 1 << 22 };

/* ---- sqlite ---------------------------------------------------------------------------------- */

/* In one string: clang takes two in an array for a missing comma. */
#define NODES_VIEW                                                                                 \
	"CREATE VIEW saved.nodes AS SELECT id, 'object' AS kind, "                                 \
	"printf('%s 0x%llx', type, address) AS name, address, retained, dominator FROM objects "   \
	"UNION ALL SELECT * FROM other_nodes"

/*
 * Names that repeat in millions of rows are numbers there, and views put the names back. A column
 * @COLUMN below is such a number told by name.
 */
static const char *const schema[] = {
    "CREATE TABLE saved.object_rows(id INTEGER PRIMARY KEY, address ADDRESS, usable INTEGER, "
    "chunk_size INTEGER, arena INTEGER, kind INTEGER, leak_kind INTEGER, type INTEGER, "
    "type_source INTEGER, retained INTEGER, retained_objects INTEGER, dominator INTEGER, "
    "depth INTEGER)",
    "CREATE INDEX saved.objects_address ON object_rows(address)",
    "CREATE INDEX saved.objects_type ON object_rows(type)",
    "CREATE INDEX saved.objects_retained ON object_rows(retained)",
    "CREATE INDEX saved.objects_dominator ON object_rows(dominator)",
    "CREATE VIEW saved.objects AS SELECT o.id, o.address, o.usable, o.chunk_size, o.arena, "
    "@kind, @leak_kind, t.name AS type, @type_source, o.retained, o.retained_objects, "
    "o.dominator, o.depth FROM object_rows AS o JOIN types AS t ON t.id = o.type",
    NODES_VIEW,
    "CREATE INDEX saved.types_name ON types(name)",
    "CREATE INDEX saved.refs_source ON refs(source)",
    "CREATE INDEX saved.refs_target ON refs(target)",
};

static const char *const chunks_schema[] = {
    "CREATE TABLE saved.chunk_rows(address INTEGER PRIMARY KEY, size INTEGER, arena INTEGER, "
    "state INTEGER)",
    "CREATE VIEW saved.chunks AS SELECT address, size, arena, @state FROM chunk_rows AS o",
};

static const char *kind_name(unsigned value)
{
	return value < HF_OBJECT_KINDS ? hf_object_kind_name(value) : NULL;
}

static const char *leak_kind_name(unsigned value)
{
	return value < HF_LEAK_KINDS ? hf_leak_kind_name(value) : NULL;
}

static const char *source_name(unsigned value)
{
	return value < HF_TYPE_SOURCES ? hf_type_source_name(value) : NULL;
}

static const char *state_name(unsigned value)
{
	return value < HF_CHUNK_STATES ? hf_chunk_state_name(value) : NULL;
}

static const struct {
	const char *column;
	const char *(*name)(unsigned value); /* NULL past the last */
} named_columns[] = {
    {"kind", kind_name},
    {"leak_kind", leak_kind_name},
    {"type_source", source_name},
    {"state", state_name},
};

static struct hf_error *sql_failed(sqlite3 *db, const struct hf_export *export)
{
	return hf_error_create(HF_ERR_IO, "%s: %s", export->path, sqlite3_errmsg(db));
}

static struct hf_error *run(sqlite3 *db, const struct hf_export *export, const char *sql)
{
	return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK ? NULL : sql_failed(db, export);
}

/* "@kind" as "CASE o.kind WHEN 0 THEN 'malloc' ... END AS kind". */
static void put_named(FILE *to, const char *column, size_t bytes)
{
	for (unsigned i = 0; i < sizeof(named_columns) / sizeof(named_columns[0]); i++) {
		const char *name = named_columns[i].column;
		if (strlen(name) != bytes || strncmp(name, column, bytes))
			continue;
		fprintf(to, "CASE o.%s", name);
		for (unsigned value = 0; named_columns[i].name(value); value++)
			fprintf(to, " WHEN %u THEN '%s'", value, named_columns[i].name(value));
		fprintf(to, " END AS %s", name);
	}
}

static struct hf_error *run_schema(sqlite3 *db, const struct hf_export *export, const char *sql)
{
	HF_AUTO(free_ptr) char *text = NULL;
	size_t size = 0;
	FILE *to = open_memstream(&text, &size);

	if (!to)
		return hf_error_nomem();
	while (*sql) {
		size_t plain = strcspn(sql, "@");
		fprintf(to, "%.*s", (int)plain, sql);
		sql += plain;
		if (*sql == '@') {
			size_t bytes = strspn(++sql, "abcdefghijklmnopqrstuvwxyz_");
			put_named(to, sql, bytes);
			sql += bytes;
		}
	}
	return fclose(to) ? hf_error_nomem() : run(db, export, text);
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

/* Is the table made by a schema of its own, and filled by save_fill()? */
static bool is_big(const char *name)
{
	return !strcmp(name, "objects") || !strcmp(name, "nodes") || !strcmp(name, "chunks");
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
		     "INSERT INTO saved.other_nodes SELECT * FROM main.nodes WHERE id >= %u",
		     hf_graph_objects(export->analysis->graph)) < 0) {
		sql = NULL;
		return hf_error_nomem();
	}
	return run(db, export, sql);
}

/* Chunks by address; where those of a broken heap do not ascend, as they come, and not indexed. */
static struct hf_error *save_chunks(sqlite3 *db, struct hf_export *export)
{
	const struct query_table *table = query_tables;
	struct hf_error *err = NULL;

	if (save_can_fill_chunks(export->analysis)) {
		for (unsigned i = 0; i < sizeof(chunks_schema) / sizeof(chunks_schema[0]); i++)
			err = err ? err : run_schema(db, export, chunks_schema[i]);
		return err;
	}
	while (strcmp(table->name, "chunks"))
		table++;
	err = create_table(db, export, table);
	return err ? err : copy_table(db, export, table);
}

static struct hf_error *save_meta(sqlite3 *db, const struct hf_export *export)
{
	struct save_meta meta[SAVE_MAX_META];
	unsigned count = save_make_meta(export->analysis, meta);
	struct hf_error *err = run(db, export, "CREATE TABLE saved.meta(name TEXT, value TEXT)");

	for (unsigned i = 0; i < count && !err; i++)
		err = run_bound(db, export, "INSERT INTO saved.meta VALUES(?, ?)", meta[i].name,
				meta[i].value);
	save_free_meta(meta, count);
	return err;
}

static int tell_progress(void *ctx)
{
	const struct hf_export *export = ctx;
	hf_progress_report(export->options.progress, "writing tables", 0, 0);
	return 0;
}

/* The whole schema, and the rows of what save_fill() does not fill. */
static struct hf_error *save_tables(sqlite3 *db, struct hf_export *export)
{
	struct hf_error *err = save_meta(db, export);

	for (unsigned i = 0; i < query_table_count && !err; i++) {
		const struct query_table *table = &query_tables[i];
		if (is_big(table->name) || table->asked_only)
			continue;
		err = create_table(db, export, table);
		if (!err && strcmp(table->name, "refs"))
			err = copy_table(db, export, table);
	}
	if (!err)
		err = save_nodes(db, export);
	if (!err)
		err = save_chunks(db, export);
	for (unsigned i = 0; i < sizeof(schema) / sizeof(schema[0]) && !err; i++)
		err = run_schema(db, export, schema[i]);
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
		err = save_tables(db, export);
	if (!err)
		err = run(db, export, "COMMIT");
	if (!err)
		err = find_roots(db, export, roots, &pages);
	if (!err)
		err = run(db, export, "DETACH saved");
	return err ? err : save_fill(export, roots, pages);
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
