/*
 * fields.c - the table of fields: every scalar of every object whose type DWARF describes.
 *
 * The fields of one object at a time are collected, in the order of their declaration. Structures
 * are opened, arrays too ("buckets[17]", "[3].name", those without a length to the object's end);
 * an array of characters is one field. What is still to be opened lies on a list, since the
 * nesting is the file's. An object has at most MAX_FIELDS rows.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "heapwalk/query/vtab.h"
#include "heapwalk/typing/values.h"

enum { MAX_FIELDS = 1 << 20, MAX_PATH = 512 };

struct field {
	struct hf_cfield field; /* its name is owned */
	char *name;
};

struct query_fields {
	HF_VEC(, struct field) list;
	size_t at;
	uint32_t object;
};

/* Collecting those of one object. */
struct collecting {
	struct query_cursor *cursor;
	struct query_fields *to;
	uint64_t usable;
	const char *prefix; /* path and place of the structure that is being opened */
	uint64_t base;
};

static void forget(struct query_fields *fields)
{
	hf_vec_foreach (field, &fields->list)
		free(field->name);
	fields->list.count = 0;
	fields->at = 0;
}

void query_fields_destroy(struct query_fields *fields)
{
	if (!fields)
		return;
	forget(fields);
	free(fields->list.data);
	free(fields);
}

static bool add_field(struct collecting *collecting, const char *name, struct hf_cfield field)
{
	struct field made = {.field = field, .name = strdup(name)};

	if (!made.name || collecting->to->list.count >= MAX_FIELDS ||
	    !hf_vec_push(&collecting->to->list, made)) {
		collecting->cursor->failed |= !made.name;
		free(made.name);
		return false;
	}
	return true;
}

static bool take_field(void *ctx, const struct hf_cfield *field)
{
	struct collecting *collecting = ctx;
	char name[MAX_PATH];
	struct hf_cfield placed = *field;

	placed.offset += collecting->base;
	snprintf(name, sizeof(name), "%s%s%s", collecting->prefix,
		 *collecting->prefix && *field->name ? "." : "", field->name);
	return add_field(collecting, name, placed);
}

/* Instead of the array at @index its elements, which go to the end of the list, to be opened. */
static void open_elements(struct collecting *collecting, const struct field *array, uint64_t count)
{
	struct hf_symbols *symbols = collecting->cursor->analysis->symbols;
	uint32_t element = hf_ctype_target(symbols, array->field.type);
	const struct hf_ctype *of = hf_ctype_get(symbols, element);
	uint64_t offset = array->field.offset;
	char prefix[MAX_PATH];

	for (uint64_t i = 0; i < count && collecting->to->list.count < MAX_FIELDS;
	     i++, offset += of->size) {
		snprintf(prefix, sizeof(prefix), "%s[%" PRIu64 "]", array->name, i);
		collecting->prefix = prefix;
		collecting->base = offset;
		hf_ctype_each_field(symbols, element, take_field, collecting);
	}
}

/* How many elements to open of what is an array; 0: it is none, or of characters. */
static uint64_t elements_of(const struct collecting *collecting, const struct field *field)
{
	struct hf_symbols *symbols = collecting->cursor->analysis->symbols;
	const struct hf_ctype *of = hf_ctype_get(symbols, field->field.type);

	if (of->kind != HF_CTYPE_ARRAY)
		return 0;
	const struct hf_ctype *element =
	    hf_ctype_get(symbols, hf_ctype_target(symbols, field->field.type));
	if (!element->size || element->kind == HF_CTYPE_CHARACTER ||
	    field->field.offset > collecting->usable)
		return 0;
	uint64_t room = (collecting->usable - field->field.offset) / element->size;
	return of->count && of->count < room ? of->count : room;
}

/* Arrays among what was collected are opened until none is left; each opens to what follows. */
static void open_arrays(struct collecting *collecting)
{
	struct query_fields *to = collecting->to;

	for (size_t i = 0; i < to->list.count; i++) {
		uint64_t count = elements_of(collecting, &to->list.data[i]);
		if (!count)
			continue;
		struct field array = to->list.data[i];
		to->list.data[i].name = NULL;
		open_elements(collecting, &array, count);
		free(array.name);
	}
}

static int compare_fields(const void *a, const void *b)
{
	const struct hf_cfield *x = &((const struct field *)a)->field,
			       *y = &((const struct field *)b)->field;
	if (x->offset != y->offset)
		return x->offset < y->offset ? -1 : 1;
	return x->bit_offset - y->bit_offset;
}

/* Opened arrays have no name any more; what was at the end goes to its place. */
static void put_in_order(struct query_fields *fields)
{
	size_t kept = 0;

	for (size_t i = 0; i < fields->list.count; i++) {
		if (fields->list.data[i].name)
			fields->list.data[kept++] = fields->list.data[i];
	}
	fields->list.count = kept;
	if (kept)
		qsort(fields->list.data, kept, sizeof(*fields->list.data), compare_fields);
}

static void collect(struct query_cursor *cursor, uint32_t object)
{
	const struct hf_analysis *analysis = cursor->analysis;
	const struct hf_type *type =
	    hf_typing_type(analysis->typing, hf_typing_of(analysis->typing, object));
	struct collecting collecting = {.cursor = cursor,
					.to = cursor->fields,
					.usable = hf_extents_usable(analysis->extents, object),
					.prefix = "",
					.base = type->offset};
	char prefix[32];

	cursor->fields->object = object;
	if (!type->ctype || !type->size || type->offset > collecting.usable)
		return;
	uint64_t count =
	    type->form == HF_FORM_ARRAY ? (collecting.usable - type->offset) / type->size : 1;
	for (uint64_t i = 0; i < count && cursor->fields->list.count < MAX_FIELDS; i++) {
		if (type->form == HF_FORM_ARRAY) {
			snprintf(prefix, sizeof(prefix), "[%" PRIu64 "]", i);
			collecting.prefix = prefix;
			if (hf_ctype_get(analysis->symbols, type->ctype)->kind ==
			    HF_CTYPE_CHARACTER)
				return;
		}
		collecting.base = type->offset + i * type->size;
		hf_ctype_each_field(analysis->symbols, type->ctype, take_field, &collecting);
	}
	open_arrays(&collecting);
	put_in_order(cursor->fields);
}

/* ---- the table ------------------------------------------------------------------------------- */

uint64_t query_fields_rows(const struct hf_analysis *analysis)
{
	return analysis->graph ? hf_graph_objects(analysis->graph) : 0;
}

static void fill(struct query_cursor *cursor)
{
	forget(cursor->fields);
	while (cursor->fields->list.count == 0 && cursor->row < cursor->end && !cursor->failed)
		collect(cursor, (uint32_t)cursor->row++);
}

void query_fields_first(struct query_cursor *cursor)
{
	if (!cursor->fields)
		cursor->fields = calloc(1, sizeof(*cursor->fields));
	cursor->failed |= !cursor->fields;
	if (cursor->fields)
		fill(cursor);
}

void query_fields_next(struct query_cursor *cursor)
{
	if (++cursor->fields->at >= cursor->fields->list.count)
		fill(cursor);
}

bool query_fields_at_end(const struct query_cursor *cursor)
{
	return !cursor->fields || cursor->fields->at >= cursor->fields->list.count;
}

static void value_column(struct query_cell *ctx, const struct hf_field_value *value)
{
	char text[32];

	switch (value->kind) {
	case HF_FIELD_SIGNED:
	case HF_FIELD_UNSIGNED:
	case HF_FIELD_BOOLEAN:
		query_number(ctx, value->number);
		break;
	case HF_FIELD_POINTER:
		snprintf(text, sizeof(text), "0x%" PRIx64, value->number);
		query_own_text(ctx, value->number ? strdup(text) : NULL);
		break;
	case HF_FIELD_NAME:
		query_text(ctx, value->name);
		break;
	case HF_FIELD_FLOAT:
		snprintf(text, sizeof(text), "%.17g", value->real);
		query_own_text(ctx, strdup(text));
		break;
	case HF_FIELD_TEXT:
		query_own_text(ctx, strdup(value->text));
		break;
	case HF_FIELD_NONE:
		break;
	}
}

void query_fields_column(struct query_cursor *cursor, struct query_cell *ctx, int column)
{
	const struct hf_analysis *analysis = cursor->analysis;
	const struct query_fields *fields = cursor->fields;
	const struct field *at = &fields->list.data[fields->at];
	uint64_t address = hf_extents_address(analysis->extents, fields->object);
	struct hf_field_value value = {.kind = HF_FIELD_NONE};
	char type[MAX_PATH];

	if (column >= 5)
		hf_field_read(&analysis->process->image, analysis->symbols, &at->field,
			      address + at->field.offset, &value);
	switch (column) {
	case 0:
		query_number(ctx, fields->object);
		break;
	case 1:
		query_number(ctx, address);
		break;
	case 2:
		query_own_text(ctx, strdup(at->name));
		break;
	case 3:
		hf_typing_ctype_name(analysis->typing, at->field.type, type, sizeof(type));
		query_own_text(ctx, strdup(type));
		break;
	case 4:
		query_number(ctx, at->field.offset);
		break;
	case 5:
		value_column(ctx, &value);
		break;
	default:
		if (value.kind == HF_FIELD_POINTER) {
			uint32_t target = hf_extents_find(analysis->extents, value.number);
			if (target != HF_NO_OBJECT)
				query_number(ctx, target);
		}
	}
}
