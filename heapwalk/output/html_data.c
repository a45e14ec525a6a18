/*
 * html_data.c - a document of tables as JSON for the page's script, column by column:
 *
 *	{"command": "report",
 *	 "fields": {"inuse_bytes": 1234, ...},
 *	 "tables": {"tree": {"rows": 3, "depth": [0, 1, 2],
 *	                     "columns": {"type": {"kind": "text", "values": [-1, 0, 1]},
 *	                                 "retained_bytes": {"kind": "bytes", "values": [...]}}}},
 *	 "strings": ["struct session", "text"], "strings_left_out": 0}
 *
 * A text is its index in strings, -1 if there is none. Addresses are strings of hex digits: they
 * may not fit a double. Groups are left out: keys of tables and fields are unique.
 *
 * In a script element nothing is escaped but by JSON: so <, >, & and quotes are \u escapes here,
 * and what JavaScript takes for a line end (U+2028) is made visible by hf_escape() already.
 * The bytes of all strings have a limit; a string beyond it is -1, and counted.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/cleanup.h"
#include "heapwalk/output/escape.h"
#include "heapwalk/output/html.h"
#include "heapwalk/output/output.h"

enum { STRING_COLUMNS = 600, STRINGS_BYTES = 4 << 20 };

struct strings {
	HF_VEC(, char *) list;
	uint32_t *slots; /* index + 1; 0 is free */
	size_t slot_count;
	uint64_t bytes, left_out;
};

static const char *const kinds[] = {
    [HF_VALUE_NONE] = "none",
    [HF_VALUE_TEXT] = "text",
    [HF_VALUE_COUNT] = "count",
    [HF_VALUE_BYTES] = "bytes",
    [HF_VALUE_ADDRESS] = "address",
    [HF_VALUE_NUMBER] = "number",
    [HF_VALUE_SHARE] = "share",
    [HF_VALUE_REAL] = "real",
    [HF_VALUE_BOOL] = "bool",
    [HF_VALUE_CHANGE_BYTES] = "change_bytes",
    [HF_VALUE_CHANGE_COUNT] = "change_count",
};

/* ---- strings --------------------------------------------------------------------------------- */

static size_t hash(const char *text)
{
	uint64_t value = UINT64_C(0xcbf29ce484222325); /* FNV-1a */
	for (; *text; text++)
		value = (value ^ (uint8_t)*text) * UINT64_C(0x100000001b3);
	return (size_t)(value ^ value >> 29);
}

static bool grow(struct strings *strings)
{
	size_t count = strings->slot_count ? strings->slot_count * 2 : 1024;
	uint32_t *slots = calloc(count, sizeof(*slots));

	if (!slots)
		return false;
	for (size_t i = 0; i < strings->list.count; i++) {
		size_t at = hash(strings->list.data[i]) & (count - 1);
		while (slots[at])
			at = (at + 1) & (count - 1);
		slots[at] = (uint32_t)i + 1;
	}
	free(strings->slots);
	strings->slots = slots;
	strings->slot_count = count;
	return true;
}

/* A JSON string without its quotes, escaped for a script element too. NULL: no memory. */
static char *json_text(const char *text)
{
	HF_AUTO(free_ptr) char *escaped = hf_escape(text);
	char *json = NULL;
	size_t bytes = 0;

	if (!escaped)
		return NULL;
	size_t end = hf_columns_prefix(escaped, STRING_COLUMNS);
	bool cut = escaped[end] != '\0';
	escaped[end] = '\0';
	FILE *to = open_memstream(&json, &bytes);
	if (!to)
		return NULL;
	for (const char *at = escaped; *at; at++) {
		if (strchr("<>&'\"", *at))
			fprintf(to, "\\u%04x", *at);
		else if (*at == '\\')
			fputs("\\\\", to);
		else
			fputc(*at, to);
	}
	if (cut)
		fputs("\\u2026", to);
	if (fclose(to)) {
		free(json);
		return NULL;
	}
	return json;
}

/* The index of @text, -1 if it is beyond the limit. False: no memory. */
static bool find_string(struct strings *strings, const char *text, long *ret)
{
	HF_AUTO(free_ptr) char *json = json_text(text);

	if (!json || (strings->list.count * 2 >= strings->slot_count && !grow(strings)))
		return false;
	size_t at = hash(json) & (strings->slot_count - 1);
	for (; strings->slots[at]; at = (at + 1) & (strings->slot_count - 1)) {
		if (!strcmp(strings->list.data[strings->slots[at] - 1], json)) {
			*ret = (long)strings->slots[at] - 1;
			return true;
		}
	}
	*ret = -1;
	if (strings->bytes + strlen(json) > STRINGS_BYTES) {
		strings->left_out++;
		return true;
	}
	if (!hf_vec_push(&strings->list, json))
		return false;
	strings->bytes += strlen(json) + 3;
	strings->slots[at] = (uint32_t)strings->list.count;
	*ret = (long)strings->list.count - 1;
	json = NULL; /* the list's now */
	return true;
}

/* ---- values ---------------------------------------------------------------------------------- */

static bool put_value(struct strings *strings, const struct hf_value *value, FILE *to)
{
	long index = -1;
	bool fine = true;

	switch (value->kind) {
	case HF_VALUE_TEXT:
		fine = find_string(strings, value->text, &index);
		fprintf(to, "%ld", index);
		break;
	case HF_VALUE_ADDRESS:
		fprintf(to, "\"%" PRIx64 "\"", value->number);
		break;
	case HF_VALUE_NONE:
		fputs("null", to);
		break;
	default: /* numbers and truths are written alike */
		hf_csv_value(value, to);
		break;
	}
	return fine;
}

/* What a column is of: the kind of its first known value. */
static enum hf_value_kind column_kind(const struct hf_table *table, uint32_t column)
{
	hf_vec_foreach (row, &table->rows) {
		enum hf_value_kind kind = table->cells.data[row->first_cell + column].kind;
		if (kind != HF_VALUE_NONE)
			return kind;
	}
	return HF_VALUE_NONE;
}

static bool put_column(struct strings *strings, const struct hf_table *table, uint32_t column,
		       FILE *to)
{
	enum hf_value_kind kind = column_kind(table, column);
	bool fine = true;

	fprintf(to, "\"%s\":{\"kind\":\"%s\",\"values\":[", table->columns[column].key,
		kinds[kind]);
	hf_vec_foreach (row, &table->rows) {
		const struct hf_value *value = &table->cells.data[row->first_cell + column];
		if (row != table->rows.data)
			fputc(',', to);
		if (kind == HF_VALUE_TEXT && value->kind == HF_VALUE_NONE)
			fputs("-1", to);
		else
			fine = put_value(strings, value, to) && fine;
	}
	fputs("]}", to);
	return fine;
}

static bool put_table(struct strings *strings, const struct hf_item *item, FILE *to)
{
	const struct hf_table *table = item->table;
	bool tree = false, fine = true, first = true;

	for (uint32_t i = 0; i < table->column_count; i++)
		tree = tree || table->columns[i].flags & HF_COLUMN_TREE;
	fprintf(to, "\"%s\":{\"rows\":%zu,", item->key, table->rows.count);
	if (tree) {
		fputs("\"depth\":[", to);
		hf_vec_foreach (row, &table->rows)
			fprintf(to, "%s%" PRIu32, row == table->rows.data ? "" : ",", row->depth);
		fputs("],", to);
	}
	fputs("\"columns\":{", to);
	for (uint32_t i = 0; i < table->column_count; i++) {
		if (table->columns[i].flags & HF_COLUMN_TEXT_ONLY)
			continue;
		fputs(first ? "" : ",\n", to);
		first = false;
		fine = put_column(strings, table, i, to) && fine;
	}
	fputs("}}", to);
	return fine;
}

/* ---- the object ------------------------------------------------------------------------------ */

static bool put_items(struct strings *strings, const struct hf_doc *doc, enum hf_item_kind kind,
		      FILE *to)
{
	bool fine = true, first = true;

	for (uint32_t i = 0; i < hf_doc_items(doc); i++) {
		const struct hf_item *item = hf_doc_item(doc, i);
		if (item->kind != kind || item->text_only)
			continue;
		fputs(first ? "" : ",\n", to);
		first = false;
		if (kind == HF_ITEM_TABLE) {
			fine = put_table(strings, item, to) && fine;
			continue;
		}
		fprintf(to, "\"%s\":", item->key);
		if (item->value.kind == HF_VALUE_TEXT) {
			HF_AUTO(free_ptr) char *json = json_text(item->value.text);
			fprintf(to, "\"%s\"", json ? json : "");
		} else {
			fine = put_value(strings, &item->value, to) && fine;
		}
	}
	return fine;
}

struct hf_error *html_data(const struct hf_doc *doc, FILE *to)
{
	struct strings strings = {.left_out = 0};
	bool fine;

	fprintf(to, "{\"command\":\"%s\",\n\"fields\":{", hf_doc_command(doc));
	fine = put_items(&strings, doc, HF_ITEM_FIELD, to);
	fputs("},\n\"tables\":{", to);
	fine = put_items(&strings, doc, HF_ITEM_TABLE, to) && fine;
	fputs("},\n\"strings\":[", to);
	hf_vec_foreach (text, &strings.list) {
		fprintf(to, "%s\"%s\"", text == strings.list.data ? "" : ",\n", *text);
		free(*text);
	}
	fprintf(to, "],\"strings_left_out\":%" PRIu64 "}", strings.left_out);
	free(strings.list.data);
	free(strings.slots);
	return fine ? NULL : hf_error_nomem();
}
