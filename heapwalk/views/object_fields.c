/*
 * object_fields.c - an object's content field by field, as its type tells it; offsets count from
 * the start of the block, as in refs and hexdumps.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "core/symbols/types.h"
#include "heapwalk/typing/values.h"
#include "heapwalk/views/sections.h"

enum { MAX_FIELDS = 200, MAX_TYPE_NAME = 256 };

static const struct hf_column columns[] = {
    {"offset", "offset", 0},
    {"name", "field", 0},
    {"type", "type", HF_COLUMN_OPTIONAL},
    {"value", "value", HF_COLUMN_ELASTIC},
    {"target", "leads to", HF_COLUMN_ELASTIC | HF_COLUMN_BLANK},
};

struct fields {
	struct hf_analysis *analysis;
	struct hf_doc *doc;
	struct hf_table *table;
	uint64_t address; /* of the first byte that is of the type */
	uint64_t before;  /* bytes of the block that stand before it */
	uint64_t left;
};

static const char *value_text(const struct fields *fields, const struct hf_field_value *value)
{
	switch (value->kind) {
	case HF_FIELD_SIGNED:
		return hf_doc_printf(fields->doc, "%" PRId64, (int64_t)value->number);
	case HF_FIELD_UNSIGNED:
		return hf_doc_printf(fields->doc, "%" PRIu64, value->number);
	case HF_FIELD_BOOLEAN:
		return value->number == 0 ? "false"
		       : value->number == 1
			   ? "true"
			   : hf_doc_printf(fields->doc, "%" PRIu64 " (no bool)", value->number);
	case HF_FIELD_POINTER:
		return value->number ? hf_doc_printf(fields->doc, "0x%" PRIx64, value->number)
				     : "null";
	case HF_FIELD_NAME:
		return value->name;
	case HF_FIELD_FLOAT:
		return hf_doc_printf(fields->doc, "%g", value->real);
	case HF_FIELD_TEXT:
		return hf_doc_printf(fields->doc, "\"%s\"", value->text);
	case HF_FIELD_NONE:
		break;
	}
	return NULL;
}

/* An object, a variable, a function: what a pointer leads to. */
static const char *target_of(const struct fields *fields, const struct hf_field_value *value)
{
	struct hf_analysis *analysis = fields->analysis;
	uint64_t offset = 0;

	if (value->kind != HF_FIELD_POINTER || !value->number)
		return NULL;
	uint32_t object = hf_extents_find(analysis->extents, value->number);
	if (object != HF_NO_OBJECT) {
		uint64_t into = value->number - hf_extents_address(analysis->extents, object);
		const char *name = hf_node_name(analysis, fields->doc, object);
		return into ? hf_doc_printf(fields->doc, "%s +%" PRIu64, name, into) : name;
	}
	const char *symbol = hf_symbols_name_at(analysis->symbols, value->number, &offset);
	if (!symbol)
		return NULL;
	return offset ? hf_doc_printf(fields->doc, "%s+%" PRIu64, symbol, offset) : symbol;
}

static bool tell_field(void *ctx, const struct hf_cfield *field)
{
	struct fields *fields = ctx;
	struct hf_analysis *analysis = fields->analysis;
	struct hf_field_value value;
	char type[MAX_TYPE_NAME];

	if (fields->left-- == 0)
		return false;
	hf_typing_ctype_name(analysis->typing, field->type, type, sizeof(type));
	hf_field_read(&analysis->process->image, analysis->symbols, field,
		      fields->address + field->offset, &value);
	hf_doc_row(fields->doc, fields->table, 0);
	hf_doc_cell(fields->doc, fields->table, hf_number(fields->before + field->offset));
	hf_doc_cell(fields->doc, fields->table, hf_text(hf_doc_dup(fields->doc, field->name)));
	hf_doc_cell(fields->doc, fields->table, hf_text(hf_doc_dup(fields->doc, type)));
	hf_doc_cell(fields->doc, fields->table, hf_text(value_text(fields, &value)));
	hf_doc_cell(fields->doc, fields->table, hf_text(target_of(fields, &value)));
	return true;
}

void hf_section_fields(struct hf_analysis *analysis, struct hf_doc *doc, uint32_t object)
{
	const struct hf_type *type =
	    hf_typing_type(analysis->typing, hf_typing_of(analysis->typing, object));
	struct fields fields = {.analysis = analysis,
				.doc = doc,
				.address =
				    hf_extents_address(analysis->extents, object) + type->offset,
				.before = type->offset,
				.left = MAX_FIELDS};
	uint8_t kind = hf_ctype_get(analysis->symbols, type->ctype)->kind;

	if (!type->ctype || (kind != HF_CTYPE_STRUCT && kind != HF_CTYPE_UNION))
		return;
	hf_doc_begin(doc, "fields",
		     type->form == HF_FORM_ARRAY ? "FIELDS OF ITS FIRST ELEMENT" : "FIELDS");
	fields.table =
	    hf_doc_table(doc, "fields", NULL, columns, sizeof(columns) / sizeof(columns[0]));
	hf_ctype_each_field(analysis->symbols, type->ctype, tell_field, &fields);
	hf_doc_end(doc);
}
