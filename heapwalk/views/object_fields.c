/*
 * object_fields.c - an object's content field by field, as its type tells it; offsets count from
 * the start of the block, as in refs and hexdumps.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/symbols/types.h"
#include "heapwalk/views/sections.h"

enum { MAX_FIELDS = 200, MAX_TYPE_NAME = 256, MAX_TEXT = 64 };

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

/* @bytes (at most 8) at @address as a number; false if they are not there. */
static bool read_number(const struct fields *fields, uint64_t address, uint64_t bytes,
			uint64_t *ret)
{
	const struct hf_image *image = &fields->analysis->process->image;
	uint8_t data[8];

	if (bytes > sizeof(data) || !hf_image_read(image, address, data, bytes))
		return false;
	*ret = 0;
	for (uint64_t i = 0; i < bytes; i++)
		*ret |= (uint64_t)data[i] << (8 * (image->big_endian ? bytes - 1 - i : i));
	return true;
}

static const char *text_value(const struct fields *fields, uint64_t address, uint64_t bytes)
{
	char text[MAX_TEXT + 1];

	bytes = bytes < MAX_TEXT ? bytes : MAX_TEXT;
	if (!hf_image_read(&fields->analysis->process->image, address, text, bytes))
		return NULL;
	text[bytes] = '\0';
	return hf_doc_printf(fields->doc, "\"%s\"", text);
}

static const char *float_value(const struct fields *fields, uint64_t bytes, uint64_t number)
{
	if (bytes == sizeof(float)) {
		uint32_t half = (uint32_t)number;
		float value;
		memcpy(&value, &half, sizeof(value));
		return hf_doc_printf(fields->doc, "%g", (double)value);
	}
	double value;
	memcpy(&value, &number, sizeof(value));
	return hf_doc_printf(fields->doc, "%g", value);
}

static const char *integer_value(const struct fields *fields, const struct hf_ctype *of,
				 uint64_t number, unsigned bits)
{
	bool negative = of->is_signed && bits < 64 && bits > 0 && number >> (bits - 1) & 1;
	int64_t value = (int64_t)(negative ? number | ~UINT64_C(0) << bits : number);

	return of->is_signed ? hf_doc_printf(fields->doc, "%" PRId64, value)
			     : hf_doc_printf(fields->doc, "%" PRIu64, number);
}

static const char *value_of(const struct fields *fields, const struct hf_cfield *field,
			    const struct hf_ctype *of)
{
	struct hf_symbols *symbols = fields->analysis->symbols;
	uint64_t address = fields->address + field->offset, number = 0;
	unsigned bits = field->bit_size ? field->bit_size : (unsigned)(of->size * 8);

	if (of->kind == HF_CTYPE_ARRAY) {
		uint32_t element = hf_ctype_target(symbols, field->type);
		return hf_ctype_get(symbols, element)->kind == HF_CTYPE_CHARACTER
			   ? text_value(fields, address, of->size)
			   : NULL;
	}
	if (!of->size || !read_number(fields, address, of->size, &number))
		return NULL;
	if (field->bit_size && bits < 64)
		number = number >> field->bit_offset & ((UINT64_C(1) << bits) - 1);
	switch ((enum hf_ctype_kind)of->kind) {
	case HF_CTYPE_BOOLEAN:
		return number == 0   ? "false"
		       : number == 1 ? "true"
				     : hf_doc_printf(fields->doc, "%" PRIu64 " (no bool)", number);
	case HF_CTYPE_FLOAT:
		return float_value(fields, of->size, number);
	case HF_CTYPE_ENUM: {
		const char *name = hf_ctype_enumerator(symbols, field->type, (int64_t)number);
		return name ? name : hf_doc_printf(fields->doc, "%" PRIu64, number);
	}
	case HF_CTYPE_POINTER:
		return number ? hf_doc_printf(fields->doc, "0x%" PRIx64, number) : "null";
	default:
		return integer_value(fields, of, number, bits);
	}
}

/* An object, a variable, a function: what a pointer leads to. */
static const char *target_of(const struct fields *fields, const struct hf_cfield *field,
			     const struct hf_ctype *of)
{
	struct hf_analysis *analysis = fields->analysis;
	uint64_t value = 0, offset = 0;

	if (of->kind != HF_CTYPE_POINTER ||
	    !read_number(fields, fields->address + field->offset, of->size, &value) || !value)
		return NULL;
	uint32_t object = hf_extents_find(analysis->extents, value);
	if (object != HF_NO_OBJECT) {
		uint64_t into = value - hf_extents_address(analysis->extents, object);
		const char *name = hf_node_name(analysis, fields->doc, object);
		return into ? hf_doc_printf(fields->doc, "%s +%" PRIu64, name, into) : name;
	}
	const char *symbol = hf_symbols_name_at(analysis->symbols, value, &offset);
	if (!symbol)
		return NULL;
	return offset ? hf_doc_printf(fields->doc, "%s+%" PRIu64, symbol, offset) : symbol;
}

static bool tell_field(void *ctx, const struct hf_cfield *field)
{
	struct fields *fields = ctx;
	const struct hf_ctype *of = hf_ctype_get(fields->analysis->symbols, field->type);
	char type[MAX_TYPE_NAME];

	if (fields->left-- == 0)
		return false;
	hf_typing_ctype_name(fields->analysis->typing, field->type, type, sizeof(type));
	hf_doc_row(fields->doc, fields->table, 0);
	hf_doc_cell(fields->doc, fields->table, hf_number(fields->before + field->offset));
	hf_doc_cell(fields->doc, fields->table, hf_text(hf_doc_dup(fields->doc, field->name)));
	hf_doc_cell(fields->doc, fields->table, hf_text(hf_doc_dup(fields->doc, type)));
	hf_doc_cell(fields->doc, fields->table, hf_text(value_of(fields, field, of)));
	hf_doc_cell(fields->doc, fields->table, hf_text(target_of(fields, field, of)));
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
