/*
 * vtab.h - private to heapwalk/query/: a virtual table is a row of functions.
 */
#ifndef HF_HEAPWALK_QUERY_VTAB_H
#define HF_HEAPWALK_QUERY_VTAB_H

#include <sqlite3.h>

#include "heapwalk/analysis.h"

struct query_cursor {
	sqlite3_vtab_cursor base; /* first */
	struct hf_analysis *analysis;
	const struct query_table *table;
	uint64_t row, end; /* the plain tables: row numbers */
	/* chunks: a batch of the walk */
	struct hf_chunk *chunks;
	uint32_t chunk_count, chunk_at, region;
	uint64_t next_address;
	/* refs: the edges of the source at `row` */
	struct hf_edge *edges;
	size_t edge_count, edge_at, edge_capacity;
	uint32_t only_target;	 /* HF_NO_NODE: all */
	const uint32_t *sources; /* of only_target; NULL: every node */
	bool failed;
};

/* How a constraint on one column narrows a scan. */
enum query_lookup { LOOKUP_NONE, LOOKUP_ROW, LOOKUP_ADDRESS, LOOKUP_SOURCE, LOOKUP_TARGET };

struct query_table {
	const char *name, *schema;
	/* Column numbers that can be looked up directly; -1: none. */
	int row_column, address_column, target_column;
	uint64_t (*rows)(const struct hf_analysis *analysis);
	void (*column)(struct query_cursor *cursor, sqlite3_context *ctx, int column);
	/* NULL for plain tables: rows 0 .. rows()-1. Else they move the cursor themselves. */
	void (*first)(struct query_cursor *cursor);
	void (*next)(struct query_cursor *cursor);
	bool (*at_end)(const struct query_cursor *cursor);
};

extern const struct query_table query_tables[];
extern const unsigned query_table_count;

/* tables.c: the plain ones; streams.c: chunks and refs. */
void query_chunks_first(struct query_cursor *cursor);
void query_chunks_next(struct query_cursor *cursor);
bool query_chunks_at_end(const struct query_cursor *cursor);
void query_chunks_column(struct query_cursor *cursor, sqlite3_context *ctx, int column);
void query_refs_first(struct query_cursor *cursor);
void query_refs_next(struct query_cursor *cursor);
bool query_refs_at_end(const struct query_cursor *cursor);
void query_refs_column(struct query_cursor *cursor, sqlite3_context *ctx, int column);

struct hf_query;
sqlite3 *query_db(struct hf_query *query);
bool query_partial(const struct hf_query *query);

static inline void query_text(sqlite3_context *ctx, const char *text)
{
	if (text)
		sqlite3_result_text(ctx, text, -1, SQLITE_TRANSIENT);
	else
		sqlite3_result_null(ctx);
}

static inline void query_number(sqlite3_context *ctx, uint64_t number)
{
	sqlite3_result_int64(ctx, (sqlite3_int64)number);
}

#endif
