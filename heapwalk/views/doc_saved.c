/*
 * doc_saved.c - a document into an index and out of it (see doc.h).
 *
 * One stream of 64-bit numbers and of texts (a number: length + 1, 0 for NULL; then the bytes):
 *
 *	command partial items { kind emphasis flags key label value [table] }
 *	table = columns { key label flags } rows { depth first_cell } cells { value }
 *	value = kind number | kind text
 */
#include <stdlib.h>
#include <string.h>

#include "heapwalk/views/doc_private.h"

enum { NO_TABLE = 0, A_TABLE = 1, TEXT_ONLY = 1, JSON_ONLY = 2 };

HF_VEC(bytes, uint8_t);

struct saver {
	struct bytes bytes;
	bool failed;
};

static void put_bytes(struct saver *saver, const void *data, size_t count)
{
	if (!count || saver->failed)
		return;
	if (!hf_vec_reserve(&saver->bytes, saver->bytes.count + count)) {
		saver->failed = true;
		return;
	}
	memcpy(saver->bytes.data + saver->bytes.count, data, count);
	saver->bytes.count += count;
}

static void put_number(struct saver *saver, uint64_t number)
{
	put_bytes(saver, &number, sizeof(number));
}

static void put_text(struct saver *saver, const char *text)
{
	size_t length = text ? strlen(text) : 0;

	put_number(saver, text ? length + 1 : 0);
	put_bytes(saver, text, length);
}

static void put_value(struct saver *saver, const struct hf_value *value)
{
	put_number(saver, value->kind);
	if (value->kind == HF_VALUE_TEXT)
		put_text(saver, value->text);
	else
		put_number(saver, value->kind == HF_VALUE_BOOL ? value->truth : value->number);
}

static void put_table(struct saver *saver, const struct hf_table *table)
{
	put_number(saver, table->column_count);
	for (uint32_t i = 0; i < table->column_count; i++) {
		put_text(saver, table->columns[i].key);
		put_text(saver, table->columns[i].label);
		put_number(saver, table->columns[i].flags);
	}
	put_number(saver, table->rows.count);
	hf_vec_foreach (row, &table->rows) {
		put_number(saver, row->depth);
		put_number(saver, row->first_cell);
	}
	put_number(saver, table->cells.count);
	hf_vec_foreach (cell, &table->cells)
		put_value(saver, cell);
}

struct hf_error *hf_doc_save(const struct hf_doc *doc, struct hf_stash_writer *writer)
{
	struct saver saver = {0};

	put_text(&saver, doc->command);
	put_number(&saver, doc->partial);
	put_number(&saver, doc->items.count);
	hf_vec_foreach (item, &doc->items) {
		put_number(&saver, item->kind);
		put_number(&saver, item->emphasis);
		put_number(&saver,
			   (item->text_only ? TEXT_ONLY : 0u) | (item->json_only ? JSON_ONLY : 0u));
		put_text(&saver, item->key);
		put_text(&saver, item->label);
		put_value(&saver, &item->value);
		put_number(&saver, item->table ? A_TABLE : NO_TABLE);
		if (item->table)
			put_table(&saver, item->table);
	}
	hf_stash_add(writer, "document", saver.bytes.data, saver.bytes.count);
	hf_vec_free(&saver.bytes);
	return saver.failed ? hf_error_nomem() : NULL;
}

/* ---- reading --------------------------------------------------------------------------------- */

struct loader {
	const uint8_t *at;
	size_t left;
	struct hf_doc *doc;
	bool broken;
};

static uint64_t get_number(struct loader *loader)
{
	uint64_t number = 0;

	if (loader->left < sizeof(number)) {
		loader->broken = true;
		return 0;
	}
	memcpy(&number, loader->at, sizeof(number));
	loader->at += sizeof(number);
	loader->left -= sizeof(number);
	return number;
}

static const char *get_text(struct loader *loader)
{
	uint64_t length = get_number(loader);

	if (length == 0)
		return NULL;
	if (length - 1 > loader->left || length > INT32_MAX) {
		loader->broken = true;
		return NULL;
	}
	const char *text =
	    hf_doc_printf(loader->doc, "%.*s", (int)(length - 1), (const char *)loader->at);
	loader->at += length - 1;
	loader->left -= length - 1;
	return text;
}

static struct hf_value get_value(struct loader *loader)
{
	struct hf_value value = {.kind = (enum hf_value_kind)get_number(loader)};

	if (value.kind == HF_VALUE_TEXT)
		value.text = get_text(loader);
	else if (value.kind == HF_VALUE_BOOL)
		value.truth = get_number(loader) != 0;
	else
		value.number = get_number(loader);
	if (value.kind > HF_VALUE_CHANGE_COUNT || (value.kind == HF_VALUE_TEXT && !value.text))
		loader->broken = true;
	return value;
}

/* A number of things that each take at least a number. */
static uint64_t get_count(struct loader *loader)
{
	uint64_t count = get_number(loader);

	if (count > loader->left / sizeof(uint64_t)) {
		loader->broken = true;
		return 0;
	}
	return count;
}

static void get_cells(struct loader *loader, struct hf_table *table)
{
	uint64_t rows = get_count(loader);

	for (uint64_t i = 0; i < rows && !loader->broken; i++) {
		struct hf_row row = {(uint32_t)get_number(loader), (uint32_t)get_number(loader)};
		if (!hf_vec_push(&table->rows, row))
			loader->broken = true;
	}
	uint64_t cells = get_count(loader);
	for (uint64_t i = 0; i < cells && !loader->broken; i++) {
		struct hf_value value = get_value(loader);
		if (!hf_vec_push(&table->cells, value))
			loader->broken = true;
	}
	hf_vec_foreach (row, &table->rows) {
		if (row->first_cell > table->cells.count ||
		    table->column_count > table->cells.count - row->first_cell)
			loader->broken = true;
	}
}

/* Columns live as long as the document: in its strings. */
static struct hf_column *get_columns(struct loader *loader, uint64_t count)
{
	struct hf_column *columns =
	    hf_strpool_block(loader->doc->strings, (count + 1) * sizeof(*columns));

	for (uint64_t i = 0; columns && i < count && !loader->broken; i++) {
		columns[i].key = get_text(loader);
		columns[i].label = get_text(loader);
		columns[i].flags = (uint32_t)get_number(loader);
	}
	return columns;
}

static struct hf_table *get_table(struct loader *loader)
{
	struct hf_table *table = calloc(1, sizeof(*table));
	uint64_t count = get_count(loader);

	if (table) {
		table->column_count = (uint32_t)count;
		table->columns = get_columns(loader, count);
	}
	if (!table || !table->columns || loader->broken)
		loader->broken = true;
	else
		get_cells(loader, table);
	return table;
}

static void get_items(struct loader *loader)
{
	uint64_t count = get_count(loader);

	for (uint64_t i = 0; i < count && !loader->broken; i++) {
		struct hf_item item = {.kind = (enum hf_item_kind)get_number(loader)};
		item.emphasis = (enum hf_emphasis)get_number(loader);
		uint64_t flags = get_number(loader);
		item.text_only = (flags & TEXT_ONLY) != 0;
		item.json_only = (flags & JSON_ONLY) != 0;
		item.key = get_text(loader);
		item.label = get_text(loader);
		item.value = get_value(loader);
		if (get_number(loader) == A_TABLE)
			item.table = get_table(loader);
		if (!hf_vec_push(&loader->doc->items, item)) {
			loader->broken = true;
			if (item.table) {
				hf_vec_free(&item.table->cells);
				hf_vec_free(&item.table->rows);
				free(item.table);
			}
		}
	}
}

struct hf_error *hf_doc_load(const struct hf_stash *stash, struct hf_doc **ret)
{
	struct loader loader = {0};

	*ret = NULL;
	loader.at = hf_stash_get(stash, "document", &loader.left);
	if (!loader.at)
		return NULL;
	struct hf_error *err = hf_doc_create("", &loader.doc);
	if (err)
		return err;
	loader.doc->command = get_text(&loader);
	loader.doc->partial = get_number(&loader) != 0;
	get_items(&loader);
	if (loader.broken || loader.doc->failed || !loader.doc->command) {
		hf_doc_destroy(loader.doc);
		return NULL;
	}
	*ret = loader.doc;
	return NULL;
}
