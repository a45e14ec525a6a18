/*
 * html_doc.c - a document as HTML that reads well without style and without script: sections,
 * definition lists, tables with scopes, lists of commands.
 *
 * Numbers are written as people read them; the exact one is beside it (data-v), for sorting.
 */
#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/cleanup.h"
#include "heapwalk/output/escape.h"
#include "heapwalk/output/html.h"
#include "heapwalk/output/text.h"

/* A name may be as long as the one who made the core likes. */
enum { CELL_COLUMNS = 1000 };

static const char *const emphasis_class[] = {[HF_PLAIN] = "plain",
					     [HF_GOOD] = "good",
					     [HF_WARN] = "warn",
					     [HF_BAD] = "bad",
					     [HF_STRONG] = "strong"};

void html_text(FILE *to, const char *text)
{
	HF_AUTO(free_ptr) char *escaped = hf_escape(text ? text : "");

	for (const char *at = escaped ? escaped : ""; *at; at++) {
		switch (*at) {
		case '&':
			fputs("&amp;", to);
			break;
		case '<':
			fputs("&lt;", to);
			break;
		case '>':
			fputs("&gt;", to);
			break;
		case '"':
			fputs("&quot;", to);
			break;
		case '\'':
			fputs("&#39;", to);
			break;
		default:
			fputc(*at, to);
			break;
		}
	}
}

/* ---- headings -------------------------------------------------------------------------------- */

static bool all_capitals(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if (islower((unsigned char)text[i]))
			return false;
	}
	return true;
}

void html_heading(FILE *to, const char *label, const char *element)
{
	const char *aside = strstr(label, " (");
	size_t length = aside ? (size_t)(aside - label) : strlen(label);
	HF_AUTO(free_ptr) char *name = strndup(label, length);

	if (!name)
		return;
	if (all_capitals(name, length)) {
		for (size_t i = 1; i < length; i++)
			name[i] = (char)tolower((unsigned char)name[i]);
	}
	fprintf(to, "<%s>", element);
	html_text(to, name);
	if (aside && !strcmp(element, "h2")) {
		HF_AUTO(free_ptr) char *rest = strdup(aside + 2);
		if (rest && *rest && rest[strlen(rest) - 1] == ')')
			rest[strlen(rest) - 1] = '\0';
		fputs(" <small>", to);
		html_text(to, rest);
		fputs("</small>", to);
	}
	fprintf(to, "</%s>", element);
}

/* ---- tables ---------------------------------------------------------------------------------- */

static bool is_numeric(const struct hf_table *table, uint32_t column)
{
	hf_vec_foreach (row, &table->rows) {
		enum hf_value_kind kind = table->cells.data[row->first_cell + column].kind;
		if (kind != HF_VALUE_NONE)
			return !(table->columns[column].flags & HF_COLUMN_BAR) &&
			       kind != HF_VALUE_TEXT && kind != HF_VALUE_ADDRESS &&
			       kind != HF_VALUE_BOOL;
	}
	return false;
}

static bool is_empty(const struct hf_table *table, uint32_t column)
{
	hf_vec_foreach (row, &table->rows) {
		if (table->cells.data[row->first_cell + column].kind != HF_VALUE_NONE)
			return false;
	}
	return true;
}

static bool is_shown(const struct hf_table *table, uint32_t column)
{
	const struct hf_column *of = &table->columns[column];
	return !(of->flags & HF_COLUMN_JSON_ONLY) &&
	       !((of->flags & HF_COLUMN_BLANK) && is_empty(table, column));
}

/* The value to sort by, as an attribute. */
static void put_sort_value(const struct hf_value *value, FILE *to)
{
	switch (value->kind) {
	case HF_VALUE_COUNT:
	case HF_VALUE_BYTES:
	case HF_VALUE_NUMBER:
		fprintf(to, " data-v=\"%" PRIu64 "\"", value->number);
		break;
	case HF_VALUE_SHARE:
	case HF_VALUE_REAL:
		fprintf(to, " data-v=\"%.6g\"", value->real);
		break;
	case HF_VALUE_CHANGE_BYTES:
	case HF_VALUE_CHANGE_COUNT:
		fprintf(to, " data-v=\"%" PRId64 "\"", value->change);
		break;
	default:
		break;
	}
}

static void put_bar(const struct hf_value *value, FILE *to)
{
	double share = value->kind == HF_VALUE_SHARE ? value->real : 0;

	share = share > 1 ? 1 : share > 0 ? share : 0;
	fprintf(to,
		"<svg class=\"bar\" viewBox=\"0 0 100 8\" preserveAspectRatio=\"none\" "
		"aria-hidden=\"true\"><rect width=\"%.2f\" height=\"8\"/></svg>",
		share * 100);
}

static const char *change_class(const struct hf_value *value)
{
	if (value->kind != HF_VALUE_CHANGE_BYTES && value->kind != HF_VALUE_CHANGE_COUNT)
		return "";
	return value->change > 0 ? " up" : value->change < 0 ? " down" : "";
}

static void put_cell(const struct hf_table *table, const struct hf_row *row, uint32_t column,
		     bool numeric, FILE *to)
{
	const struct hf_column *of = &table->columns[column];
	const struct hf_value *value = &table->cells.data[row->first_cell + column];
	const char *element = of->flags & HF_COLUMN_TREE ? "th scope=\"row\"" : "td";

	fprintf(to, "<%s class=\"%s%s%s\"", element, numeric ? "n" : "t",
		of->flags & HF_COLUMN_ELASTIC ? " wide" : "", change_class(value));
	put_sort_value(value, to);
	fputc('>', to);
	if (of->flags & HF_COLUMN_TREE) {
		for (uint32_t i = 0; i < row->depth; i++)
			fputs("<i></i>", to);
	}
	if (of->flags & HF_COLUMN_BAR) {
		put_bar(value, to);
	} else if (value->kind != HF_VALUE_NONE || !(of->flags & HF_COLUMN_BLANK)) {
		HF_AUTO(free_ptr) char *text = text_value(value, false);
		bool code = value->kind == HF_VALUE_ADDRESS;
		size_t end = text ? hf_columns_prefix(text, CELL_COLUMNS) : 0;
		bool cut = text && text[end];
		if (cut)
			text[end] = '\0';
		fputs(code ? "<code>" : "", to);
		html_text(to, text);
		fputs(cut ? "&hellip;" : "", to);
		fputs(code ? "</code>" : "", to);
	}
	fprintf(to, "</%.2s>", element);
}

static void put_table(const struct hf_item *item, FILE *to)
{
	const struct hf_table *table = item->table;
	HF_AUTO(free_ptr) bool *numeric = calloc(table->column_count + 1, sizeof(*numeric));
	bool tree = false;

	if (!numeric || table->rows.count == 0)
		return;
	for (uint32_t i = 0; i < table->column_count; i++) {
		numeric[i] = is_numeric(table, i);
		tree = tree || table->columns[i].flags & HF_COLUMN_TREE;
	}
	fprintf(to, "<div class=\"scroll\"><table class=\"%s\" aria-label=\"",
		tree ? "tree" : "flat");
	html_text(to, item->label ? item->label : item->key);
	fputs("\"><thead><tr>", to);
	for (uint32_t i = 0; i < table->column_count; i++) {
		if (!is_shown(table, i))
			continue;
		fprintf(to, "<th scope=\"col\" class=\"%s\">", numeric[i] ? "n" : "t");
		html_text(to, table->columns[i].label);
		fputs("</th>", to);
	}
	fputs("</tr></thead><tbody>\n", to);
	hf_vec_foreach (row, &table->rows) {
		fputs("<tr>", to);
		for (uint32_t i = 0; i < table->column_count; i++) {
			if (is_shown(table, i))
				put_cell(table, row, i, numeric[i], to);
		}
		fputs("</tr>\n", to);
	}
	fputs("</tbody></table></div>\n", to);
}

/* ---- items ----------------------------------------------------------------------------------- */

uint32_t html_group_end(const struct hf_doc *doc, uint32_t first)
{
	uint32_t depth = 0;

	for (uint32_t i = first; i < hf_doc_items(doc); i++) {
		enum hf_item_kind kind = hf_doc_item(doc, i)->kind;
		depth += kind == HF_ITEM_GROUP_BEGIN;
		depth -= kind == HF_ITEM_GROUP_END && depth;
		if (depth == 0)
			return i + 1;
	}
	return hf_doc_items(doc);
}

/* Consecutive items of one kind share a list: what must be closed before @kind. */
static const char *list_of(enum hf_item_kind kind)
{
	return kind == HF_ITEM_FIELD ? "dl" : kind == HF_ITEM_HINT ? "ul" : NULL;
}

static void put_group(const struct hf_item *item, uint32_t depth, FILE *to)
{
	if (depth == 0) {
		fputs("<section id=\"s-", to);
		html_text(to, item->key);
		fputs("\">\n", to);
	} else {
		fputs("<div class=\"group\">\n", to);
	}
	if (item->label)
		html_heading(to, item->label, depth == 0 ? "h2" : "h3");
}

static void put_item(const struct hf_item *item, FILE *to)
{
	HF_AUTO(free_ptr) char *text = NULL;

	switch (item->kind) {
	case HF_ITEM_FIELD:
		fputs("<div><dt>", to);
		html_text(to, item->label);
		fprintf(to, "</dt><dd class=\"%s\">", emphasis_class[item->emphasis]);
		text = text_value(&item->value, true);
		html_text(to, text);
		fputs("</dd></div>\n", to);
		break;
	case HF_ITEM_HINT:
		fputs("<li><code class=\"command\">", to);
		html_text(to, item->value.text);
		fputs("</code></li>\n", to);
		break;
	case HF_ITEM_RAW:
		fputs("<pre>", to);
		for (const char *at = item->value.text ? item->value.text : ""; *at;) {
			size_t length = strcspn(at, "\n");
			HF_AUTO(free_ptr) char *line = strndup(at, length);
			html_text(to, line);
			fputc('\n', to);
			at += length + (at[length] == '\n');
		}
		fputs("</pre>\n", to);
		break;
	case HF_ITEM_TABLE:
		if (item->label)
			html_heading(to, item->label, "h3");
		put_table(item, to);
		break;
	default:
		fprintf(to, "<p class=\"%s\">", emphasis_class[item->emphasis]);
		text = text_value(&item->value, false);
		html_text(to, text);
		fputs("</p>\n", to);
		break;
	}
}

void html_items(const struct hf_doc *doc, uint32_t first, uint32_t end, FILE *to)
{
	const char *open = NULL; /* the list that is open */
	uint32_t depth = 0;

	for (uint32_t i = first; i < end; i++) {
		const struct hf_item *item = hf_doc_item(doc, i);
		const char *list = list_of(item->kind);
		if (item->json_only)
			continue;
		if (open && open != list) {
			fprintf(to, "</%s>\n", open);
			open = NULL;
		}
		if (list && !open)
			fprintf(to, "<%s class=\"%s\">\n", list,
				item->kind == HF_ITEM_FIELD ? "fields" : "commands");
		open = list;
		if (item->kind == HF_ITEM_GROUP_BEGIN) {
			put_group(item, depth++, to);
		} else if (item->kind == HF_ITEM_GROUP_END) {
			depth -= depth > 0;
			fputs(depth ? "</div>\n" : "</section>\n", to);
		} else {
			put_item(item, to);
		}
	}
	if (open)
		fprintf(to, "</%s>\n", open);
}
