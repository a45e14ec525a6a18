/*
 * types.c - histogram of the heap by type, or by shape where the type is unknown.
 *
 * Retained of a type: as retained_by_type.c counts.
 */
#include <stdlib.h>

#include "core/base/cleanup.h"
#include "heapwalk/views/sections.h"

enum { DEFAULT_TOP = 25 };

static const struct hf_column columns[] = {
    {"type", "type or shape", HF_COLUMN_ELASTIC},
    {"source", "known by", HF_COLUMN_OPTIONAL},
    {"confidence", NULL, HF_COLUMN_JSON_ONLY},
    {"size", NULL, HF_COLUMN_JSON_ONLY},
    {"votes", NULL, HF_COLUMN_JSON_ONLY},
    {"conflicts", NULL, HF_COLUMN_JSON_ONLY},
    {"count", "objects", 0},
    {"shallow_bytes", "bytes", 0},
    {"share", "share", 0},
    {"retained_bytes", "retained", 0},
};

struct line {
	uint32_t type;
	uint64_t bytes;
};

static int by_bytes(const void *a, const void *b)
{
	const struct line *x = a, *y = b;
	if (x->bytes != y->bytes)
		return x->bytes < y->bytes ? 1 : -1;
	return (x->type > y->type) - (x->type < y->type);
}

/* Into @ret, which has room for all. */
static bool list_types(const struct hf_analysis *analysis, uint64_t top, struct hf_type_lines *ret)
{
	uint32_t types = hf_typing_types(analysis->typing);
	HF_AUTO(free_ptr) struct line *lines = calloc((size_t)types + 1, sizeof(*lines));

	if (!lines)
		return false;
	for (uint32_t type = 0; type < types; type++)
		lines[type] = (struct line){type, hf_typing_type(analysis->typing, type)->bytes};
	qsort(lines, types, sizeof(*lines), by_bytes);
	for (uint32_t i = 0; i < types && (top == 0 || i < top); i++) {
		if (hf_typing_type(analysis->typing, lines[i].type)->count)
			ret->types[ret->count++] = lines[i].type;
	}
	return true;
}

void hf_type_lines_deinit(struct hf_type_lines *lines)
{
	free(lines->types);
	free(lines->retained);
	*lines = (struct hf_type_lines){0};
}

struct hf_error *hf_type_lines_make(struct hf_analysis *analysis, uint64_t top,
				    struct hf_type_lines *ret)
{
	size_t room = (size_t)hf_typing_types(analysis->typing) + 1;
	struct hf_type_lines lines = {.types = calloc(room, sizeof(*lines.types)),
				      .retained = calloc(room, sizeof(*lines.retained))};
	struct hf_error *err = lines.types && lines.retained && list_types(analysis, top, &lines)
				   ? NULL
				   : hf_error_nomem();

	if (!err)
		err = hf_retained_by_type(analysis, lines.types, lines.count, lines.retained);
	if (err)
		hf_type_lines_deinit(&lines);
	else
		*ret = lines;
	return err;
}

void hf_type_lines_tell(const struct hf_analysis *analysis, const struct hf_type_lines *lines,
			struct hf_doc *doc)
{
	uint64_t whole = hf_graph_retained(analysis->graph, hf_graph_root(analysis->graph));
	struct hf_table *table =
	    hf_doc_table(doc, "types", NULL, columns, sizeof(columns) / sizeof(columns[0]));

	for (uint32_t i = 0; i < lines->count; i++) {
		const struct hf_type *type = hf_typing_type(analysis->typing, lines->types[i]);
		hf_doc_row(doc, table, 0);
		hf_doc_cell(doc, table, hf_text(type->name));
		hf_doc_cell(doc, table, hf_text(hf_type_source_name(type->source)));
		hf_doc_cell(doc, table, hf_number(type->confidence));
		hf_doc_cell(doc, table, type->size ? hf_bytes(type->size) : hf_none());
		hf_doc_cell(doc, table, hf_count(type->votes));
		hf_doc_cell(doc, table, hf_count(type->conflicts));
		hf_doc_cell(doc, table, hf_count(type->count));
		hf_doc_cell(doc, table, hf_bytes(type->bytes));
		hf_doc_cell(doc, table, hf_share(type->bytes, whole));
		hf_doc_cell(doc, table, hf_bytes(lines->retained[lines->types[i]]));
	}
}

struct hf_error *hf_section_types(struct hf_analysis *analysis, uint64_t top, struct hf_doc *doc)
{
	struct hf_type_lines lines = {0};
	struct hf_error *err = hf_type_lines_make(analysis, top, &lines);

	if (!err)
		hf_type_lines_tell(analysis, &lines, doc);
	hf_type_lines_deinit(&lines);
	return err;
}

/* How much of the heap has a type. */
static void tell_coverage(const struct hf_analysis *analysis, struct hf_doc *doc)
{
	uint64_t bytes[2] = {0, 0}, count[2] = {0, 0};

	for (uint32_t i = 0; i < hf_typing_types(analysis->typing); i++) {
		const struct hf_type *type = hf_typing_type(analysis->typing, i);
		bool typed = type->source != HF_TYPE_SHAPE;
		bytes[typed] += type->bytes;
		count[typed] += type->count;
	}
	hf_doc_begin(doc, "coverage", NULL);
	hf_doc_json_field(doc, "typed_objects", hf_count(count[1]));
	hf_doc_json_field(doc, "typed_bytes", hf_bytes(bytes[1]));
	hf_doc_json_field(doc, "untyped_objects", hf_count(count[0]));
	hf_doc_json_field(doc, "untyped_bytes", hf_bytes(bytes[0]));
	hf_doc_note(doc, "%s of %s have a type (%.1f %%).", hf_doc_bytes_text(doc, bytes[1]),
		    hf_doc_bytes_text(doc, bytes[0] + bytes[1]),
		    bytes[0] + bytes[1] ? 100.0 * (double)bytes[1] / (double)(bytes[0] + bytes[1])
					: 0.0);
	hf_doc_end(doc);
}

struct hf_error *hf_view_types(struct hf_analysis *analysis, const struct hf_view_options *options,
			       struct hf_doc *doc)
{
	if (!hf_view_has_heap(analysis, doc))
		return NULL;
	hf_doc_begin(doc, "histogram", "TYPES");
	struct hf_error *err = hf_section_types(analysis,
						options->all   ? 0
						: options->top ? options->top
							       : DEFAULT_TOP,
						doc);
	hf_doc_end(doc);
	if (err)
		return err;
	tell_coverage(analysis, doc);
	return hf_section_untyped(analysis, doc);
}
