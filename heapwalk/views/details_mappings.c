/*
 * details_mappings.c - the address space as a strip: each mapping by what it is for, neighbours
 * of one kind and one module as one part.
 */
#include <string.h>

#include "heapwalk/views/details.h"

static const struct hf_column columns[] = {
    {"start", NULL, 0}, {"end", NULL, 0},     {"kind", NULL, 0},
    {"bytes", NULL, 0}, {"present", NULL, 0}, {"name", NULL, 0},
};

struct part {
	uint64_t start, end, bytes, present;
	const char *kind, *name;
};

/*
 * What of the heap is in @mapping: "pools" where all of it is of a layer over malloc, NULL:
 * nothing. Regions are sorted: those before @*at end below every later mapping.
 */
static const char *heap_in(const struct hf_allocator *allocator, const struct hf_mapping *mapping,
			   size_t *at)
{
	const char *kind = NULL;

	if (!allocator)
		return NULL;
	while (*at < allocator->regions.count && allocator->regions.data[*at].end <= mapping->start)
		(*at)++;
	for (size_t i = *at;
	     i < allocator->regions.count && allocator->regions.data[i].start < mapping->end; i++) {
		if (allocator->regions.data[i].kind != HF_REGION_POOLS)
			return "heap";
		kind = "pools";
	}
	return kind;
}

static const char *kind_of(const struct hf_mapping *mapping, const char *heap)
{
	if (heap)
		return heap;
	if (mapping->kind == HF_MAPPING_STACK)
		return "stack";
	if (mapping->flags == 0)
		return "reserved";
	if (mapping->module != HF_NO_INDEX || mapping->kind == HF_MAPPING_VDSO)
		return mapping->flags & HF_SEGMENT_W ? "data" : "code";
	if (mapping->kind == HF_MAPPING_FILE)
		return "file";
	return mapping->flags & HF_SEGMENT_W ? "anonymous" : "code";
}

static void tell_part(struct hf_doc *doc, struct hf_table *table, const struct part *part)
{
	hf_doc_row(doc, table, 0);
	hf_doc_cell(doc, table, hf_address(part->start));
	hf_doc_cell(doc, table, hf_address(part->end));
	hf_doc_cell(doc, table, hf_text(part->kind));
	hf_doc_cell(doc, table, hf_bytes(part->bytes));
	hf_doc_cell(doc, table, hf_bytes(part->present));
	hf_doc_cell(doc, table, hf_text(part->name));
}

static bool like(const struct part *part, const char *kind, const char *name)
{
	if (strcmp(part->kind, kind) || !part->name != !name)
		return false;
	return !name || !strcmp(part->name, name);
}

void hf_details_mappings(const struct hf_analysis *analysis, struct hf_doc *doc)
{
	const struct hf_process *process = analysis->process;
	struct hf_table *table =
	    hf_doc_table(doc, "mappings", NULL, columns, sizeof(columns) / sizeof(columns[0]));
	struct part part = {0};
	uint64_t parts = 0, merged = 0, merged_bytes = 0;
	size_t region = 0;

	hf_vec_foreach (mapping, &process->mappings) {
		const char *kind = kind_of(mapping, heap_in(analysis->allocator, mapping, &region));
		const char *name = mapping->module != HF_NO_INDEX
				       ? process->modules.data[mapping->module].name
				       : mapping->path;
		uint64_t bytes = mapping->end - mapping->start;
		if (part.kind && part.end == mapping->start && like(&part, kind, name)) {
			part.end = mapping->end;
		} else {
			if (part.kind)
				tell_part(doc, table, &part);
			if (parts == HF_DETAILS_MAPPINGS) {
				part.kind = NULL;
				merged++;
				merged_bytes += bytes;
				continue;
			}
			parts++;
			part = (struct part){mapping->start, mapping->end, 0, 0, kind, name};
		}
		part.bytes += bytes;
		part.present += mapping->present;
	}
	if (part.kind)
		tell_part(doc, table, &part);
	hf_doc_field(doc, "mappings_merged", NULL, hf_count(merged));
	hf_doc_field(doc, "mappings_merged_bytes", NULL, hf_bytes(merged_bytes));
}
