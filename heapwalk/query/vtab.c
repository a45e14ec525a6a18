/*
 * vtab.c - one SQLite module for all tables of tables.c: eponymous and read-only.
 *
 * An equality on an id or an address column becomes a direct access instead of a scan:
 * idxNum says which (enum query_lookup); SQLite checks the constraint again itself.
 */
#include "heapwalk/query/vtab.h"

#include <stdlib.h>
#include <string.h>

#include "heapwalk/query/query.h"

struct query_vtab {
	sqlite3_vtab base; /* first */
	struct hf_analysis *analysis;
	const struct query_table *table;
};

struct module_aux {
	struct hf_analysis *analysis;
	const struct query_table *table;
};

struct hf_query {
	sqlite3 *db;
	struct hf_analysis *analysis;
	struct module_aux *aux;
};

static int connect_table(sqlite3 *db, void *aux, int argc, const char *const *argv,
			 sqlite3_vtab **ret, char **error)
{
	const struct module_aux *from = aux;
	int rc = sqlite3_declare_vtab(db, from->table->schema);
	(void)argc;
	(void)argv;
	(void)error;
	if (rc != SQLITE_OK)
		return rc;
	struct query_vtab *vtab = calloc(1, sizeof(*vtab));
	if (!vtab)
		return SQLITE_NOMEM;
	vtab->analysis = from->analysis;
	vtab->table = from->table;
	*ret = &vtab->base;
	return SQLITE_OK;
}

static int disconnect_table(sqlite3_vtab *vtab)
{
	free(vtab);
	return SQLITE_OK;
}

static int best_index(sqlite3_vtab *base, sqlite3_index_info *info)
{
	const struct query_table *table = ((struct query_vtab *)base)->table;
	int best = -1;
	enum query_lookup lookup = LOOKUP_NONE;

	for (int i = 0; i < info->nConstraint; i++) {
		int column = info->aConstraint[i].iColumn;
		if (!info->aConstraint[i].usable ||
		    info->aConstraint[i].op != SQLITE_INDEX_CONSTRAINT_EQ || column < 0)
			continue;
		enum query_lookup found = column == table->row_column	    ? LOOKUP_ROW
					  : column == table->address_column ? LOOKUP_ADDRESS
					  : column == table->target_column  ? LOOKUP_TARGET
									    : LOOKUP_NONE;
		if (found == LOOKUP_NONE || (lookup == LOOKUP_ROW && found != LOOKUP_ROW))
			continue;
		lookup = found;
		best = i;
	}
	info->idxNum = lookup;
	info->estimatedCost = lookup == LOOKUP_NONE ? 1e6 : 1;
	if (best >= 0)
		info->aConstraintUsage[best].argvIndex = 1;
	return SQLITE_OK;
}

static int open_cursor(sqlite3_vtab *base, sqlite3_vtab_cursor **ret)
{
	const struct query_vtab *vtab = (const struct query_vtab *)base;
	struct query_cursor *cursor = calloc(1, sizeof(*cursor));
	if (!cursor)
		return SQLITE_NOMEM;
	cursor->analysis = vtab->analysis;
	cursor->table = vtab->table;
	*ret = &cursor->base;
	return SQLITE_OK;
}

static int close_cursor(sqlite3_vtab_cursor *base)
{
	struct query_cursor *cursor = (struct query_cursor *)base;
	free(cursor->chunks);
	free(cursor->edges);
	query_fields_destroy(cursor->fields);
	free(cursor);
	return SQLITE_OK;
}

/* Narrow [row, end) to what the looked-up value can match. */
static void narrow(struct query_cursor *cursor, enum query_lookup lookup, sqlite3_value *value)
{
	sqlite3_int64 wanted = sqlite3_value_int64(value);
	uint64_t row = (uint64_t)wanted;

	if (sqlite3_value_type(value) == SQLITE_NULL) {
		cursor->end = 0;
		return;
	}
	if (sqlite3_value_numeric_type(value) != SQLITE_INTEGER)
		return; /* an odd comparison: scan, SQLite decides */
	if (lookup == LOOKUP_ADDRESS) {
		uint32_t id = hf_extents_find(cursor->analysis->extents, (uint64_t)wanted);
		row = id == HF_NO_OBJECT ? UINT64_MAX : id;
	} else if (lookup == LOOKUP_TARGET) {
		uint64_t count = 0;
		struct hf_error *err = NULL;
		cursor->end = 0;
		if (wanted < 0 || row >= hf_graph_objects(cursor->analysis->graph))
			return;
		err = hf_graph_in(cursor->analysis->graph, (uint32_t)row, &cursor->sources, &count);
		cursor->failed = err != NULL;
		hf_error_destroy(err);
		cursor->only_target = (uint32_t)row;
		cursor->end = cursor->failed ? 0 : count;
		return;
	}
	if (wanted < 0 || row >= cursor->end) {
		cursor->end = 0;
		return;
	}
	cursor->row = row;
	cursor->end = row + 1;
}

/* Every row; the caller narrows it, then calls start(). */
static void rewind_cursor(struct query_cursor *cursor)
{
	const struct query_table *table = cursor->table;

	cursor->row = 0;
	cursor->end = table->rows ? table->rows(cursor->analysis) : 0;
	cursor->only_target = HF_NO_NODE;
	cursor->sources = NULL;
	cursor->failed = false;
}

static int filter(sqlite3_vtab_cursor *base, int lookup, const char *text, int argc,
		  sqlite3_value **argv)
{
	struct query_cursor *cursor = (struct query_cursor *)base;
	(void)text;

	rewind_cursor(cursor);
	if (argc && cursor->end)
		narrow(cursor, (enum query_lookup)lookup, argv[0]);
	if (cursor->table->first)
		cursor->table->first(cursor);
	return cursor->failed ? SQLITE_NOMEM : SQLITE_OK;
}

static int next_row(sqlite3_vtab_cursor *base)
{
	struct query_cursor *cursor = (struct query_cursor *)base;
	if (cursor->table->next)
		cursor->table->next(cursor);
	else
		cursor->row++;
	return cursor->failed ? SQLITE_NOMEM : SQLITE_OK;
}

static int at_end(sqlite3_vtab_cursor *base)
{
	const struct query_cursor *cursor = (const struct query_cursor *)base;
	return cursor->table->at_end ? cursor->table->at_end(cursor) : cursor->row >= cursor->end;
}

static int read_column(sqlite3_vtab_cursor *base, sqlite3_context *ctx, int column)
{
	struct query_cursor *cursor = (struct query_cursor *)base;
	struct query_cell cell;

	query_rows_cell(cursor, column, &cell);
	if (cell.kind == QUERY_NUMBER)
		sqlite3_result_int64(ctx, cell.number);
	else if (cell.kind == QUERY_TEXT)
		sqlite3_result_text(ctx, cell.text, -1, cell.owned ? free : SQLITE_STATIC);
	return SQLITE_OK;
}

static int read_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *ret)
{
	const struct query_cursor *cursor = (const struct query_cursor *)base;
	*ret = (sqlite3_int64)cursor->row;
	return SQLITE_OK;
}

static const sqlite3_module module = {
    .xConnect = connect_table,
    .xBestIndex = best_index,
    .xDisconnect = disconnect_table,
    .xOpen = open_cursor,
    .xClose = close_cursor,
    .xFilter = filter,
    .xNext = next_row,
    .xEof = at_end,
    .xColumn = read_column,
    .xRowid = read_rowid,
};

/* ---- rows without SQLite --------------------------------------------------------------------- */

void query_rows_begin(struct query_cursor *cursor, struct hf_analysis *analysis,
		      const struct query_table *table, uint64_t first, uint64_t end)
{
	*cursor = (struct query_cursor){.analysis = analysis, .table = table};
	rewind_cursor(cursor);
	cursor->row = first;
	if (end < cursor->end)
		cursor->end = end;
	if (table->first)
		table->first(cursor);
}

bool query_rows_end(const struct query_cursor *cursor)
{
	return cursor->failed || at_end((sqlite3_vtab_cursor *)&cursor->base);
}

void query_rows_next(struct query_cursor *cursor)
{
	next_row(&cursor->base);
}

void query_rows_deinit(struct query_cursor *cursor)
{
	free(cursor->chunks);
	free(cursor->edges);
	query_fields_destroy(cursor->fields);
}

struct hf_error *hf_query_open(struct hf_analysis *analysis, struct hf_query **ret)
{
	struct hf_query *query = calloc(1, sizeof(*query));
	if (!query)
		return hf_error_nomem();
	query->analysis = analysis;
	query->aux = calloc(query_table_count, sizeof(*query->aux));
	bool fine = query->aux && sqlite3_open_v2(":memory:", &query->db,
						  SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE |
						      SQLITE_OPEN_NOMUTEX,
						  NULL) == SQLITE_OK; /* one thread uses it */
	for (unsigned i = 0; fine && i < query_table_count; i++) {
		query->aux[i] = (struct module_aux){analysis, &query_tables[i]};
		fine = sqlite3_create_module(query->db, query_tables[i].name, &module,
					     &query->aux[i]) == SQLITE_OK;
	}
	if (!fine) {
		hf_query_close(query);
		return hf_error_nomem();
	}
	*ret = query;
	return NULL;
}

void hf_query_close(struct hf_query *query)
{
	if (!query)
		return;
	sqlite3_close(query->db);
	free(query->aux);
	free(query);
}

sqlite3 *query_db(struct hf_query *query)
{
	return query->db;
}

bool query_partial(const struct hf_query *query)
{
	return hf_diags_partial(query->analysis->diags);
}

const char *hf_query_schema(unsigned index, const char **ret_name)
{
	if (index >= query_table_count)
		return NULL;
	if (ret_name)
		*ret_name = query_tables[index].name;
	return query_tables[index].schema;
}
