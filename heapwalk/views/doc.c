/*
 * doc.c - building a document (see doc.h).
 *
 * Invariant: after a failed addition `failed` is set, and later additions do nothing; the
 * items that are there stay well-formed (groups nest).
 */
#include "heapwalk/views/doc.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "heapwalk/views/doc_private.h"
#include "heapwalk/views/human.h"

struct hf_error *hf_doc_create(const char *command, struct hf_doc **ret)
{
	struct hf_doc *doc = calloc(1, sizeof(*doc));
	if (!doc)
		return hf_error_nomem();
	struct hf_error *err = hf_strpool_create(&doc->strings);
	if (err) {
		free(doc);
		return err;
	}
	doc->command = hf_doc_dup(doc, command);
	*ret = doc;
	return NULL;
}

void hf_doc_destroy(struct hf_doc *doc)
{
	if (!doc)
		return;
	hf_vec_foreach (item, &doc->items) {
		if (item->table) {
			free(item->table->cells.data);
			free(item->table->rows.data);
			free(item->table);
		}
	}
	free(doc->items.data);
	hf_strpool_destroy(doc->strings);
	free(doc);
}

struct hf_error *hf_doc_error(struct hf_doc *doc)
{
	return doc->failed ? hf_error_nomem() : NULL;
}

const char *hf_doc_command(const struct hf_doc *doc)
{
	return doc->command;
}

void hf_doc_set_partial(struct hf_doc *doc, bool partial)
{
	doc->partial = partial;
}

bool hf_doc_partial(const struct hf_doc *doc)
{
	return doc->partial;
}

uint32_t hf_doc_items(const struct hf_doc *doc)
{
	return (uint32_t)doc->items.count;
}

const struct hf_item *hf_doc_item(const struct hf_doc *doc, uint32_t index)
{
	return &doc->items.data[index];
}

/* ---- strings --------------------------------------------------------------------------------- */

const char *hf_doc_dup(struct hf_doc *doc, const char *text)
{
	const char *copy = text ? hf_strpool_dup(doc->strings, text) : NULL;
	if (text && !copy)
		doc->failed = true;
	return copy;
}

static const char *format(struct hf_doc *doc, const char *fmt, va_list args)
{
	char *text = NULL;
	if (vasprintf(&text, fmt, args) < 0) {
		doc->failed = true;
		return NULL;
	}
	const char *copy = hf_doc_dup(doc, text);
	free(text);
	return copy;
}

const char *hf_doc_printf(struct hf_doc *doc, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	const char *text = format(doc, fmt, args);
	va_end(args);
	return text ? text : "";
}

const char *hf_doc_bytes_text(struct hf_doc *doc, uint64_t bytes)
{
	char buffer[HF_HUMAN_BYTES];
	return hf_doc_printf(doc, "%s", hf_human_bytes(bytes, buffer));
}

const char *hf_doc_count_text(struct hf_doc *doc, uint64_t count)
{
	char buffer[HF_HUMAN_BYTES];
	return hf_doc_printf(doc, "%s", hf_human_count(count, buffer));
}

/* ---- items ----------------------------------------------------------------------------------- */

static void add(struct hf_doc *doc, struct hf_item item)
{
	item.key = hf_doc_dup(doc, item.key);
	item.label = hf_doc_dup(doc, item.label);
	if (item.value.kind == HF_VALUE_TEXT)
		item.value.text = hf_doc_dup(doc, item.value.text);
	if (doc->failed || !hf_vec_push(&doc->items, item))
		doc->failed = true;
}

void hf_doc_begin(struct hf_doc *doc, const char *key, const char *label)
{
	add(doc, (struct hf_item){.kind = HF_ITEM_GROUP_BEGIN, .key = key, .label = label});
}

void hf_doc_end(struct hf_doc *doc)
{
	add(doc, (struct hf_item){.kind = HF_ITEM_GROUP_END});
}

void hf_doc_field(struct hf_doc *doc, const char *key, const char *label, struct hf_value value)
{
	add(doc,
	    (struct hf_item){.kind = HF_ITEM_FIELD, .key = key, .label = label, .value = value});
}

void hf_doc_json_field(struct hf_doc *doc, const char *key, struct hf_value value)
{
	add(doc, (struct hf_item){.kind = HF_ITEM_FIELD,
				  .key = key,
				  .label = key,
				  .value = value,
				  .json_only = true});
}

void hf_doc_text_field(struct hf_doc *doc, const char *label, struct hf_value value)
{
	add(doc, (struct hf_item){.kind = HF_ITEM_FIELD,
				  .key = label,
				  .label = label,
				  .value = value,
				  .text_only = true});
}

void hf_doc_text_begin(struct hf_doc *doc, const char *label)
{
	add(doc,
	    (struct hf_item){
		.kind = HF_ITEM_GROUP_BEGIN, .key = "text", .label = label, .text_only = true});
}

void hf_doc_text_end(struct hf_doc *doc)
{
	add(doc, (struct hf_item){.kind = HF_ITEM_GROUP_END, .text_only = true});
}

void hf_doc_text_raw(struct hf_doc *doc, const char *text)
{
	add(doc,
	    (struct hf_item){
		.kind = HF_ITEM_RAW, .key = "text", .value = hf_text(text), .text_only = true});
}

void hf_doc_json_only(struct hf_doc *doc)
{
	if (doc->items.count)
		doc->items.data[doc->items.count - 1].json_only = true;
}

void hf_doc_text_only(struct hf_doc *doc)
{
	if (doc->items.count)
		doc->items.data[doc->items.count - 1].text_only = true;
}

void hf_doc_emphasize(struct hf_doc *doc, enum hf_emphasis emphasis)
{
	if (doc->items.count)
		doc->items.data[doc->items.count - 1].emphasis = emphasis;
}

void hf_doc_paragraph(struct hf_doc *doc, const char *key, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	const char *text = format(doc, fmt, args);
	va_end(args);
	add(doc, (struct hf_item){.kind = HF_ITEM_PARAGRAPH, .key = key, .value = hf_text(text)});
}

void hf_doc_note(struct hf_doc *doc, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	const char *text = format(doc, fmt, args);
	va_end(args);
	add(doc, (struct hf_item){.kind = HF_ITEM_PARAGRAPH,
				  .key = "note",
				  .value = hf_text(text),
				  .text_only = true});
}

void hf_doc_hint(struct hf_doc *doc, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	const char *text = format(doc, fmt, args);
	va_end(args);
	add(doc,
	    (struct hf_item){
		.kind = HF_ITEM_HINT, .key = "hint", .value = hf_text(text), .text_only = true});
}

void hf_doc_raw(struct hf_doc *doc, const char *key, const char *text)
{
	add(doc, (struct hf_item){.kind = HF_ITEM_RAW, .key = key, .value = hf_text(text)});
}

/* ---- tables ---------------------------------------------------------------------------------- */

struct hf_table *hf_doc_table(struct hf_doc *doc, const char *key, const char *label,
			      const struct hf_column *columns, uint32_t column_count)
{
	struct hf_table *table = calloc(1, sizeof(*table));
	size_t before = doc->items.count;

	if (!table) {
		doc->failed = true;
		return NULL;
	}
	table->columns = columns;
	table->column_count = column_count;
	add(doc,
	    (struct hf_item){.kind = HF_ITEM_TABLE, .key = key, .label = label, .table = table});
	if (doc->items.count == before) {
		free(table);
		return NULL;
	}
	return table;
}

void hf_doc_row(struct hf_doc *doc, struct hf_table *table, uint32_t depth)
{
	if (!table || doc->failed)
		return;
	struct hf_row row = {depth, (uint32_t)table->cells.count};
	table->next_cell = row.first_cell;
	/* Cells not given stay unknown. */
	for (uint32_t i = 0; i < table->column_count; i++) {
		if (!hf_vec_push(&table->cells, hf_none()))
			doc->failed = true;
	}
	if (doc->failed || !hf_vec_push(&table->rows, row))
		doc->failed = true;
}

void hf_doc_cell(struct hf_doc *doc, struct hf_table *table, struct hf_value value)
{
	if (!table || doc->failed || table->next_cell >= table->cells.count)
		return;
	if (value.kind == HF_VALUE_TEXT)
		value.text = hf_doc_dup(doc, value.text);
	table->cells.data[table->next_cell++] = value;
}
