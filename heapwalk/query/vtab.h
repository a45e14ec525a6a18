/*
 * vtab.h - private to heapwalk/query/: a virtual table is a row of functions.
 */
#ifndef HF_HEAPWALK_QUERY_VTAB_H
#define HF_HEAPWALK_QUERY_VTAB_H

#include <sqlite3.h>
#include <stdlib.h>

#include "heapwalk/analysis.h"
#include "heapwalk/query/names.h"

enum query_cell_kind { QUERY_NULL, QUERY_NUMBER, QUERY_TEXT };

/*
 * What a column holds in a row. A text lives as long as the analysis, or is owned; that of a cursor
 * with names until the next cell.
 */
struct query_cell {
	enum query_cell_kind kind;
	int64_t number;
	const char *text;
	char *owned;
};

struct query_cursor {
	sqlite3_vtab_cursor base; /* first */
	struct hf_analysis *analysis;
	const struct query_table *table;
	uint64_t row, end; /* the plain tables: row numbers */
	/* chunks: a batch of the walk */
	struct hf_chunk *chunks;
	uint32_t chunk_count, chunk_at, region;
	uint64_t next_address;
	/* refs: a batch of edges; those of the rows up to `end` that come behind are at `place` */
	struct hf_edge *edges;
	size_t edge_count, edge_at;
	struct hf_edge_place place;
	struct query_names *names;   /* NULL: texts of fields are owned by the cell */
	uint32_t only_target;	     /* HF_NO_NODE: all */
	const uint32_t *sources;     /* of only_target, at `row`; NULL: every node */
	struct query_fields *fields; /* fields: those of the object before `row` */
	bool failed;
};

/* How a constraint on one column narrows a scan. */
enum query_lookup { LOOKUP_NONE, LOOKUP_ROW, LOOKUP_ADDRESS, LOOKUP_SOURCE, LOOKUP_TARGET };

struct query_table {
	const char *name, *schema;
	/* Column numbers that can be looked up directly; -1: none. */
	int row_column, address_column, target_column;
	uint64_t (*rows)(const struct hf_analysis *analysis);
	void (*column)(struct query_cursor *cursor, struct query_cell *ctx, int column);
	/* NULL for plain tables: rows 0 .. rows()-1. Else they move the cursor themselves. */
	void (*first)(struct query_cursor *cursor);
	void (*next)(struct query_cursor *cursor);
	bool (*at_end)(const struct query_cursor *cursor);
	bool asked_only; /* made from what is asked for: not among the tables that are exported */
};

extern const struct query_table query_tables[];
extern const unsigned query_table_count;

/* tables.c: the plain ones; streams.c: chunks and refs. */
void query_chunks_first(struct query_cursor *cursor);
void query_chunks_next(struct query_cursor *cursor);
bool query_chunks_at_end(const struct query_cursor *cursor);
void query_chunks_column(struct query_cursor *cursor, struct query_cell *ctx, int column);
void query_refs_first(struct query_cursor *cursor);
void query_refs_next(struct query_cursor *cursor);
bool query_refs_at_end(const struct query_cursor *cursor);
void query_refs_column(struct query_cursor *cursor, struct query_cell *ctx, int column);

/* fields.c */
uint64_t query_fields_rows(const struct hf_analysis *analysis);
void query_fields_first(struct query_cursor *cursor);
void query_fields_next(struct query_cursor *cursor);
bool query_fields_at_end(const struct query_cursor *cursor);
void query_fields_column(struct query_cursor *cursor, struct query_cell *ctx, int column);
void query_fields_destroy(struct query_fields *fields);

struct hf_query;
sqlite3 *query_db(struct hf_query *query);
bool query_partial(const struct hf_query *query);

/* ---- cells ----------------------------------------------------------------------------------- */

static inline void query_text(struct query_cell *cell, const char *text)
{
	cell->kind = text ? QUERY_TEXT : QUERY_NULL;
	cell->text = text;
}

/* The cell frees @text. */
static inline void query_own_text(struct query_cell *cell, char *text)
{
	query_text(cell, text);
	cell->owned = text;
}

static inline void query_number(struct query_cell *cell, uint64_t number)
{
	cell->kind = QUERY_NUMBER;
	cell->number = (int64_t)number;
}

/* ---- rows without SQLite --------------------------------------------------------------------- */

/*
 * The rows of @table from row @first on and before @end (of refs: those of the sources so
 * numbered; of chunks: all):
 *
 *	for (query_rows_begin(&cursor, analysis, table, first, end); !query_rows_end(&cursor);
 *	     query_rows_next(&cursor))
 *		query_rows_cell(&cursor, column, &cell), ..., query_cell_free(&cell);
 *	query_rows_deinit(&cursor);
 *
 * Several threads may read rows, each with a cursor of its own, and of refs with names.
 */
#define QUERY_ROWS_ALL UINT64_MAX
void query_rows_begin(struct query_cursor *cursor, struct hf_analysis *analysis,
		      const struct query_table *table, uint64_t first, uint64_t end);
bool query_rows_end(const struct query_cursor *cursor);
void query_rows_next(struct query_cursor *cursor);
void query_rows_deinit(struct query_cursor *cursor);

static inline void query_rows_cell(struct query_cursor *cursor, int column, struct query_cell *ret)
{
	*ret = (struct query_cell){.kind = QUERY_NULL};
	cursor->table->column(cursor, ret, column);
}

static inline void query_cell_free(struct query_cell *cell)
{
	free(cell->owned);
}

#endif
