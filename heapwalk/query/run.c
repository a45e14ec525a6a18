/*
 * run.c - running SQL and printing rows as they come; and the little shell.
 *
 * Text is printed in batches, each aligned by itself; CSV and JSON row by row: a query over
 * 100 million objects needs no memory.
 */
#include <ctype.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/cleanup.h"
#include "heapwalk/output/escape.h"
#include "heapwalk/query/query.h"
#include "heapwalk/query/vtab.h"

enum { TEXT_BATCH = 1000, MAX_RESULT_COLUMNS = 100 };

struct result {
	sqlite3_stmt *stmt;
	int columns;
	bool address[MAX_RESULT_COLUMNS];
};

static bool is_address(sqlite3_stmt *stmt, int column)
{
	const char *type = sqlite3_column_decltype(stmt, column);
	return type && !strcmp(type, "ADDRESS");
}

static struct hf_error *sql_error(struct hf_query *query)
{
	return hf_error_create(HF_ERR_USAGE, "SQL: %s", sqlite3_errmsg(query_db(query)));
}

/* ---- text and CSV: a document a batch -------------------------------------------------------- */

static struct hf_value cell(const struct result *result, int column)
{
	sqlite3_stmt *stmt = result->stmt;
	switch (sqlite3_column_type(stmt, column)) {
	case SQLITE_NULL:
		return hf_none();
	case SQLITE_INTEGER: {
		uint64_t number = (uint64_t)sqlite3_column_int64(stmt, column);
		if (!result->address[column] && sqlite3_column_int64(stmt, column) < 0)
			return hf_text((const char *)sqlite3_column_text(stmt, column));
		return result->address[column] ? hf_address(number) : hf_number(number);
	}
	case SQLITE_FLOAT:
		return hf_real(sqlite3_column_double(stmt, column));
	default:
		return hf_text((const char *)sqlite3_column_text(stmt, column));
	}
}

static struct hf_error *print_batch(const struct result *result, bool headings, int *rc,
				    const struct hf_output_options *options, FILE *to)
{
	struct hf_column columns[MAX_RESULT_COLUMNS];
	struct hf_doc *doc = NULL;
	struct hf_error *err = hf_doc_create("query", &doc);

	if (err)
		return err;
	for (int i = 0; i < result->columns; i++) {
		const char *name = hf_doc_dup(doc, sqlite3_column_name(result->stmt, i));
		columns[i] = (struct hf_column){name, headings ? name : "", 0};
	}
	struct hf_table *table =
	    hf_doc_table(doc, "rows", NULL, columns, (uint32_t)result->columns);
	for (unsigned rows = 0; rows < TEXT_BATCH && *rc == SQLITE_ROW; rows++) {
		hf_doc_row(doc, table, 0);
		for (int i = 0; i < result->columns; i++)
			hf_doc_cell(doc, table, cell(result, i));
		*rc = sqlite3_step(result->stmt);
	}
	err = hf_doc_error(doc);
	if (!err)
		err = hf_output(doc, options, to);
	hf_doc_destroy(doc);
	return err;
}

static void print_csv_row(const struct result *result, FILE *to)
{
	for (int i = 0; i < result->columns; i++) {
		struct hf_value value = cell(result, i);
		if (i)
			fputc(',', to);
		hf_csv_value(&value, to);
	}
	fputc('\n', to);
}

static void print_csv(const struct result *result, int *rc, FILE *to)
{
	for (int i = 0; i < result->columns; i++) {
		struct hf_value name = hf_text(sqlite3_column_name(result->stmt, i));
		if (i)
			fputc(',', to);
		hf_csv_value(&name, to);
	}
	fputc('\n', to);
	for (; *rc == SQLITE_ROW && !ferror(to); *rc = sqlite3_step(result->stmt))
		print_csv_row(result, to);
}

static void print_json(struct hf_query *query, const struct result *result, int *rc, FILE *to)
{
	const char *comma = "";

	fprintf(to,
		"{\"schema\": \"heapforensics/1\", \"command\": \"query\", \"partial\": %s,\n"
		"\"rows\": [",
		query_partial(query) ? "true" : "false");
	for (; *rc == SQLITE_ROW && !ferror(to); *rc = sqlite3_step(result->stmt)) {
		json_object *row = json_object_new_object();
		for (int i = 0; i < result->columns; i++) {
			struct hf_value value = cell(result, i);
			json_object_object_add(row, sqlite3_column_name(result->stmt, i),
					       hf_json_value(&value));
		}
		fprintf(to, "%s\n%s", comma,
			json_object_to_json_string_ext(row, JSON_C_TO_STRING_NOSLASHESCAPE));
		json_object_put(row);
		comma = ",";
	}
	fputs("\n]}\n", to);
}

static struct hf_error *print_rows(struct hf_query *query, const struct result *result, int *rc,
				   const struct hf_output_options *options, FILE *to)
{
	struct hf_error *err = NULL;

	if (options->format == HF_FORMAT_JSON) {
		print_json(query, result, rc, to);
		return NULL;
	}
	if (options->format == HF_FORMAT_CSV) {
		print_csv(result, rc, to);
		return NULL;
	}
	bool headings = true;
	do {
		err = print_batch(result, headings, rc, options, to);
		headings = false;
	} while (!err && *rc == SQLITE_ROW && !ferror(to));
	return err;
}

struct hf_error *hf_query_run(struct hf_query *query, const char *sql,
			      const struct hf_output_options *options, FILE *to)
{
	struct hf_error *err = NULL;

	while (!err && *sql) {
		struct result result = {0};
		const char *rest = NULL;
		if (sqlite3_prepare_v2(query_db(query), sql, -1, &result.stmt, &rest) != SQLITE_OK)
			return sql_error(query);
		sql = rest;
		if (!result.stmt)
			continue; /* white space, a comment */
		result.columns = sqlite3_column_count(result.stmt);
		if (result.columns > MAX_RESULT_COLUMNS)
			result.columns = MAX_RESULT_COLUMNS;
		for (int i = 0; i < result.columns; i++)
			result.address[i] = is_address(result.stmt, i);
		int rc = sqlite3_step(result.stmt);
		if ((rc == SQLITE_ROW || rc == SQLITE_DONE) && result.columns)
			err = print_rows(query, &result, &rc, options, to);
		if (!err && rc != SQLITE_DONE && rc != SQLITE_ROW)
			err = sql_error(query);
		sqlite3_finalize(result.stmt);
	}
	return err;
}

/* ---- the shell ------------------------------------------------------------------------------- */

static void print_tables(FILE *to, bool schema)
{
	const char *name, *text;
	for (unsigned i = 0; (text = hf_query_schema(i, &name)); i++)
		fprintf(to, "%s%s\n", schema ? text : name, schema ? ";" : "");
}

/* A dot command, as sqlite3's shell has them; false: leave the shell. */
static bool dot_command(const char *line, FILE *to)
{
	if (!strncmp(line, ".quit", 5) || !strncmp(line, ".exit", 5))
		return false;
	if (!strncmp(line, ".tables", 7))
		print_tables(to, false);
	else if (!strncmp(line, ".schema", 7))
		print_tables(to, true);
	else
		fputs("SQL statements end with ';'. Other commands: .tables .schema .help .quit\n",
		      to);
	return true;
}

static bool append(char **text, const char *line)
{
	char *joined = NULL;
	if (asprintf(&joined, "%s%s", *text ? *text : "", line) < 0)
		return false;
	free(*text);
	*text = joined;
	return true;
}

struct hf_error *hf_query_shell(struct hf_query *query, FILE *from, bool interactive,
				const struct hf_output_options *options, FILE *to)
{
	HF_AUTO(free_ptr) char *line = NULL;
	HF_AUTO(free_ptr) char *text = NULL;
	size_t capacity = 0;
	struct hf_error *err = NULL;

	if (interactive)
		fputs("SQL over the heap; .tables lists the tables, .help helps, .quit leaves.\n",
		      to);
	for (;;) {
		if (interactive) {
			fputs(text ? "   ...> " : "heap> ", to);
			fflush(to);
		}
		if (getline(&line, &capacity, from) < 0)
			break;
		if (!text && line[0] == '.') {
			if (!dot_command(line, to))
				return NULL;
			continue;
		}
		if (!append(&text, line))
			return hf_error_nomem();
		if (!sqlite3_complete(text))
			continue;
		err = hf_query_run(query, text, options, to);
		free(text);
		text = NULL;
		if (err && !interactive)
			return err;
		if (err) {
			fprintf(to, "%s\n", hf_error_message(err));
			hf_error_destroy(err);
		}
	}
	if (interactive)
		fputc('\n', to);
	return text ? hf_query_run(query, text, options, to) : NULL;
}
