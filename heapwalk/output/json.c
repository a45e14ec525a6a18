/*
 * json.c - a document as JSON, by json-c.
 *
 *	{"schema": "heapforensics/1", "command": ..., "partial": ..., <groups, fields, tables>}
 *
 * A group is an object, a table an array of objects, addresses are "0x..." strings (JSON
 * numbers lose bits beyond 2^53 in many readers; counts and sizes of a process stay below).
 */
#include <inttypes.h>
#include <json-c/json.h>
#include <stdlib.h>

#include "heapwalk/output/escape.h"
#include "heapwalk/output/output.h"

enum { MAX_DEPTH = 32 };

static json_object *string_value(const char *text)
{
	char *escaped = hf_escape(text);
	json_object *value = escaped ? json_object_new_string(escaped) : NULL;
	free(escaped);
	return value;
}

json_object *hf_json_value(const struct hf_value *value)
{
	char buffer[32];
	switch (value->kind) {
	case HF_VALUE_TEXT:
		return string_value(value->text);
	case HF_VALUE_COUNT:
	case HF_VALUE_BYTES:
	case HF_VALUE_NUMBER:
		return json_object_new_uint64(value->number);
	case HF_VALUE_ADDRESS:
		snprintf(buffer, sizeof(buffer), "0x%" PRIx64, value->number);
		return json_object_new_string(buffer);
	case HF_VALUE_SHARE:
	case HF_VALUE_REAL:
		snprintf(buffer, sizeof(buffer), "%.6g", value->real);
		return json_object_new_double_s(value->real, buffer);
	case HF_VALUE_BOOL:
		return json_object_new_boolean(value->truth);
	case HF_VALUE_CHANGE_BYTES:
	case HF_VALUE_CHANGE_COUNT:
		return json_object_new_int64(value->change);
	default:
		return NULL;
	}
}

static json_object *json_table(const struct hf_table *table)
{
	json_object *rows = json_object_new_array();
	bool tree = false;

	for (uint32_t i = 0; i < table->column_count; i++)
		tree = tree || (table->columns[i].flags & HF_COLUMN_TREE);
	hf_vec_foreach (row, &table->rows) {
		json_object *object = json_object_new_object();
		for (uint32_t i = 0; i < table->column_count; i++) {
			if (!(table->columns[i].flags & HF_COLUMN_TEXT_ONLY))
				json_object_object_add(
				    object, table->columns[i].key,
				    hf_json_value(&table->cells.data[row->first_cell + i]));
		}
		if (tree)
			json_object_object_add(object, "depth", json_object_new_uint64(row->depth));
		json_object_array_add(rows, object);
	}
	return rows;
}

/* Paragraphs under one key: the first is a string, more make it an array. */
static void add_text(json_object *into, const char *key, json_object *text)
{
	json_object *there = NULL;
	if (!json_object_object_get_ex(into, key, &there)) {
		json_object_object_add(into, key, text);
	} else if (json_object_is_type(there, json_type_array)) {
		json_object_array_add(there, text);
	} else {
		json_object *array = json_object_new_array();
		json_object_array_add(array, json_object_get(there));
		json_object_array_add(array, text);
		json_object_object_add(into, key, array);
	}
}

struct hf_error *hf_output_json(const struct hf_doc *doc, FILE *to)
{
	json_object *stack[MAX_DEPTH] = {json_object_new_object()};
	unsigned depth = 0;

	if (!stack[0])
		return hf_error_nomem();
	json_object_object_add(stack[0], "schema", json_object_new_string("heapforensics/1"));
	json_object_object_add(stack[0], "command", string_value(hf_doc_command(doc)));
	json_object_object_add(stack[0], "partial", json_object_new_boolean(hf_doc_partial(doc)));
	for (uint32_t i = 0; i < hf_doc_items(doc); i++) {
		const struct hf_item *item = hf_doc_item(doc, i);
		json_object *into = stack[depth];
		if (item->text_only)
			continue;
		if (item->kind == HF_ITEM_GROUP_BEGIN && depth + 1 < MAX_DEPTH) {
			stack[++depth] = json_object_new_object();
			json_object_object_add(into, item->key, stack[depth]);
		} else if (item->kind == HF_ITEM_GROUP_END && depth) {
			depth--;
		} else if (item->kind == HF_ITEM_TABLE) {
			json_object_object_add(into, item->key, json_table(item->table));
		} else if (item->kind == HF_ITEM_FIELD) {
			json_object_object_add(into, item->key, hf_json_value(&item->value));
		} else if (item->kind == HF_ITEM_PARAGRAPH || item->kind == HF_ITEM_RAW) {
			add_text(into, item->key, hf_json_value(&item->value));
		}
	}
	const char *text = json_object_to_json_string_ext(
	    stack[0],
	    JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED | JSON_C_TO_STRING_NOSLASHESCAPE);
	if (text)
		fprintf(to, "%s\n", text);
	json_object_put(stack[0]);
	return text ? NULL : hf_error_nomem();
}
