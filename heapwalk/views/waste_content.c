/*
 * waste_content.c - waste that the content tells: blocks that are there twice, blocks of zeros.
 *
 * Only blocks without pointers into the heap are compared: text to its end, anything else as a
 * whole. Each is hashed once; a sort by hash brings equal ones together. Two contents that hash
 * alike (64 bits) would count as one: too unlikely to matter, and every group is checked against
 * its first member.
 */
#include <stdlib.h>
#include <string.h>

#include "core/base/cleanup.h"
#include "heapwalk/views/waste.h"

enum { MIN_ZERO_BYTES = 64, DEFAULT_TOP = 10, MAX_COMPARED = 1 << 20, MIN_GROUP = 2 };

/* What counts of an object's content; NULL: it is not there as a whole, or has pointers. */
static const uint8_t *content_of(const struct hf_analysis *analysis, uint32_t object,
				 uint64_t *ret_bytes)
{
	const uint32_t *targets;
	uint64_t available = 0, usable = hf_extents_usable(analysis->extents, object);

	if (hf_extents_kind(analysis->extents, object) == HF_OBJECT_ALLOCATOR ||
	    hf_graph_out(analysis->graph, object, &targets))
		return NULL;
	const uint8_t *data = hf_image_at(
	    &analysis->process->image, hf_extents_address(analysis->extents, object), &available);
	if (!data || available < usable)
		return NULL;
	*ret_bytes = usable;
	if (hf_typing_source(analysis->typing, object) == HF_TYPE_STRING) {
		const uint8_t *end = memchr(data, 0, usable);
		*ret_bytes = end ? (uint64_t)(end - data) : usable;
	}
	return data;
}

static bool all_zero(const uint8_t *data, uint64_t bytes)
{
	return bytes == 0 || (data[0] == 0 && !memcmp(data, data + 1, bytes - 1));
}

static uint64_t hash_bytes(const uint8_t *data, uint64_t bytes)
{
	uint64_t hash = bytes * UINT64_C(0x9e3779b97f4a7c15) + 1, word;

	for (; bytes >= 8; bytes -= 8, data += 8) {
		memcpy(&word, data, 8);
		hash = (hash ^ word) * UINT64_C(0xff51afd7ed558ccd);
		hash ^= hash >> 32;
	}
	for (; bytes; bytes--, data++)
		hash = (hash ^ *data) * UINT64_C(0x100000001b3);
	return hash ^ hash >> 29;
}

/* ---- duplicates ------------------------------------------------------------------------------ */

struct hashed {
	uint64_t hash;
	uint32_t object;
};

HF_VEC(hashed_list, struct hashed);

struct group {
	uint32_t first; /* object */
	uint64_t count, gain;
};

HF_VEC(group_list, struct group);

static const struct hf_column duplicate_columns[] = {
    {"type", "type", HF_COLUMN_OPTIONAL},
    {"content", "content", HF_COLUMN_ELASTIC | HF_COLUMN_BLANK},
    {"count", "times", 0},
    {"size_bytes", "each", 0},
    {"gain_bytes", "could be gained", 0},
    {"example", "for example", HF_COLUMN_OPTIONAL},
};

static int compare_hashed(const void *a, const void *b)
{
	const struct hashed *x = a, *y = b;
	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	return (x->object > y->object) - (x->object < y->object);
}

static int compare_group(const void *a, const void *b)
{
	const struct group *x = a, *y = b;
	if (x->gain != y->gain)
		return x->gain < y->gain ? 1 : -1;
	return (x->first > y->first) - (x->first < y->first);
}

static bool same_content(const struct hf_analysis *analysis, uint32_t a, uint32_t b)
{
	uint64_t size_a = 0, size_b = 0;
	const uint8_t *data_a = content_of(analysis, a, &size_a);
	const uint8_t *data_b = content_of(analysis, b, &size_b);
	return data_a && data_b && size_a == size_b && !memcmp(data_a, data_b, size_a);
}

static bool collect(const struct hf_analysis *analysis, struct hashed_list *list)
{
	for (uint32_t id = 0; id < hf_graph_objects(analysis->graph); id++) {
		uint64_t bytes = 0;
		/* An object of a class is not there twice because another looks like it. */
		const struct hf_type *type =
		    hf_typing_type(analysis->typing, hf_typing_of(analysis->typing, id));
		if (type->form == HF_FORM_ONE || type->source == HF_TYPE_VTABLE)
			continue;
		const uint8_t *data = content_of(analysis, id, &bytes);
		if (!data || all_zero(data, bytes))
			continue;
		struct hashed hashed = {hash_bytes(data, bytes), id};
		if (!hf_vec_push(list, hashed))
			return false;
	}
	if (list->count)
		qsort(list->data, list->count, sizeof(*list->data), compare_hashed);
	return true;
}

static bool find_groups(const struct hf_analysis *analysis, const struct hashed_list *list,
			struct group_list *groups)
{
	for (size_t i = 0; i < list->count;) {
		struct group group = {.first = list->data[i].object, .count = 1};
		size_t next = i + 1;
		for (; next < list->count && list->data[next].hash == list->data[i].hash; next++) {
			uint32_t object = list->data[next].object;
			if (!same_content(analysis, group.first, object))
				continue;
			group.count++;
			group.gain += hf_extents_chunk_bytes(analysis->extents, object);
		}
		i = next;
		if (group.count >= MIN_GROUP && !hf_vec_push(groups, group))
			return false;
	}
	if (groups->count)
		qsort(groups->data, groups->count, sizeof(*groups->data), compare_group);
	return true;
}

static void tell_group(const struct hf_analysis *analysis, const struct group *group,
		       struct hf_doc *doc, struct hf_table *table)
{
	const struct hf_type *type =
	    hf_typing_type(analysis->typing, hf_typing_of(analysis->typing, group->first));
	HF_AUTO(free_ptr)
	char *preview = hf_typing_preview(analysis->process, analysis->extents, group->first);

	hf_doc_row(doc, table, 0);
	hf_doc_cell(doc, table, hf_text(type->name));
	hf_doc_cell(doc, table, hf_text(preview));
	hf_doc_cell(doc, table, hf_count(group->count));
	hf_doc_cell(doc, table, hf_bytes(hf_extents_chunk_bytes(analysis->extents, group->first)));
	hf_doc_cell(doc, table, hf_bytes(group->gain));
	hf_doc_cell(doc, table, hf_address(hf_extents_address(analysis->extents, group->first)));
}

struct hf_error *waste_duplicates(struct hf_analysis *analysis, uint64_t top, struct hf_doc *doc,
				  uint64_t *ret_bytes)
{
	struct hashed_list list = {0};
	struct group_list groups = {0};
	bool fine = collect(analysis, &list) && find_groups(analysis, &list, &groups);

	hf_doc_begin(doc, "duplicates", "THE SAME CONTENT MORE THAN ONCE");
	struct hf_table *table =
	    hf_doc_table(doc, "duplicates", NULL, duplicate_columns,
			 sizeof(duplicate_columns) / sizeof(duplicate_columns[0]));
	for (size_t i = 0; i < groups.count; i++) {
		*ret_bytes += groups.data[i].gain;
		if (i < top)
			tell_group(analysis, &groups.data[i], doc, table);
	}
	hf_doc_end(doc);
	free(list.data);
	free(groups.data);
	return fine ? NULL : hf_error_nomem();
}

/* ---- zeros ----------------------------------------------------------------------------------- */

static const struct hf_column zero_columns[] = {
    {"type", "type", HF_COLUMN_ELASTIC},
    {"count", "objects", 0},
    {"bytes", "bytes", 0},
    {"example", "for example", HF_COLUMN_OPTIONAL},
};

struct zero_line {
	uint32_t type, example;
	uint64_t count, bytes;
};

static int compare_zero(const void *a, const void *b)
{
	const struct zero_line *x = a, *y = b;
	if (x->bytes != y->bytes)
		return x->bytes < y->bytes ? 1 : -1;
	return (x->type > y->type) - (x->type < y->type);
}

struct hf_error *waste_zeros(struct hf_analysis *analysis, uint64_t top, struct hf_doc *doc,
			     uint64_t *ret_bytes)
{
	uint32_t types = hf_typing_types(analysis->typing);
	HF_AUTO(free_ptr) struct zero_line *lines = calloc((size_t)types + 1, sizeof(*lines));

	if (!lines)
		return hf_error_nomem();
	for (uint32_t id = 0; id < hf_graph_objects(analysis->graph); id++) {
		uint64_t bytes = 0;
		const uint8_t *data = content_of(analysis, id, &bytes);
		if (!data || bytes < MIN_ZERO_BYTES || !all_zero(data, bytes))
			continue;
		struct zero_line *line = &lines[hf_typing_of(analysis->typing, id)];
		line->example = line->count++ ? line->example : id;
		line->bytes += hf_extents_chunk_bytes(analysis->extents, id);
	}
	for (uint32_t i = 0; i < types; i++)
		lines[i].type = i;
	qsort(lines, types, sizeof(*lines), compare_zero);
	hf_doc_begin(doc, "zeros", "NOTHING BUT ZEROS");
	struct hf_table *table = hf_doc_table(doc, "zeros", NULL, zero_columns,
					      sizeof(zero_columns) / sizeof(zero_columns[0]));
	for (uint32_t i = 0; i < types && lines[i].bytes; i++) {
		*ret_bytes += lines[i].bytes;
		if (i >= top)
			continue;
		hf_doc_row(doc, table, 0);
		hf_doc_cell(doc, table,
			    hf_text(hf_typing_type(analysis->typing, lines[i].type)->name));
		hf_doc_cell(doc, table, hf_count(lines[i].count));
		hf_doc_cell(doc, table, hf_bytes(lines[i].bytes));
		hf_doc_cell(doc, table,
			    hf_address(hf_extents_address(analysis->extents, lines[i].example)));
	}
	hf_doc_end(doc);
	return NULL;
}

/* ---- the view -------------------------------------------------------------------------------- */

struct hf_error *hf_view_waste(struct hf_analysis *analysis, const struct hf_view_options *options,
			       struct hf_doc *doc)
{
	static const struct {
		const char *key, *label;
		waste_section *section;
	} sections[] = {
	    {"duplicate_bytes", "the same content twice", waste_duplicates},
	    {"container_bytes", "room in containers", waste_containers},
	    {"table_bytes", "null pointers in tables", waste_tables},
	    {"slack_bytes", "slack behind types", waste_slack},
	    {"zero_bytes", "nothing but zeros", waste_zeros},
	};
	enum { SECTIONS = sizeof(sections) / sizeof(sections[0]) };
	uint64_t bytes[SECTIONS] = {0};
	uint64_t top = options->all ? UINT64_MAX : options->top ? options->top : DEFAULT_TOP;
	struct hf_error *err = NULL;

	if (!hf_view_has_heap(analysis, doc))
		return NULL;
	for (size_t i = 0; i < SECTIONS && !err; i++)
		err = sections[i].section(analysis, top, doc, &bytes[i]);
	hf_doc_begin(doc, "gain", "WHAT COULD BE GAINED");
	for (size_t i = 0; i < SECTIONS; i++)
		hf_doc_field(doc, sections[i].key, sections[i].label, hf_bytes(bytes[i]));
	hf_doc_end(doc);
	return err;
}
