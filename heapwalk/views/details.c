/*
 * details.c - the parts of the details (see details.h), in order.
 */
#include "heapwalk/views/details.h"
#include "heapwalk/views/sections.h"

/* The headline figures, and how the core was named, for commands that can be pasted. */
static void tell_heap(const struct hf_analysis *analysis, const struct hf_view_options *options,
		      struct hf_doc *doc)
{
	const struct hf_process_info *info = &analysis->process->info;
	struct hf_heap_totals totals;

	hf_heap_totals(analysis, &totals);
	hf_doc_field(doc, "title", NULL,
		     hf_text(info->arguments[0] ? info->arguments : info->command));
	hf_doc_field(doc, "core", NULL, hf_text(options->core));
	hf_doc_field(doc, "binary", NULL, hf_text(options->binary));
	hf_doc_field(doc, "inuse_bytes", NULL, hf_bytes(totals.inuse_bytes));
	hf_doc_field(doc, "objects", NULL, hf_count(totals.objects));
	hf_doc_field(doc, "lost_bytes", NULL, hf_bytes(totals.lost_bytes));
	hf_doc_field(doc, "lost_count", NULL, hf_count(totals.lost_count));
	hf_doc_field(doc, "possible_bytes", NULL, hf_bytes(totals.leaks[HF_POSSIBLE].bytes));
	hf_doc_field(doc, "free_bytes", NULL, hf_bytes(totals.free_bytes));
	hf_doc_field(doc, "system_bytes", NULL,
		     hf_bytes(totals.system_bytes + totals.mmapped_bytes));
}

static struct hf_error *tell_types(struct hf_analysis *analysis, struct hf_doc *doc)
{
	uint64_t count = 0, bytes = 0, objects = 0;

	for (uint32_t i = 0; i < hf_typing_types(analysis->typing); i++) {
		const struct hf_type *type = hf_typing_type(analysis->typing, i);
		count += type->count != 0;
		objects += type->count;
		bytes += type->bytes;
	}
	struct hf_error *err = hf_section_types(analysis, HF_DETAILS_TYPES, doc);
	hf_doc_field(doc, "types_count", NULL, hf_count(count));
	hf_doc_field(doc, "types_objects", NULL, hf_count(objects));
	hf_doc_field(doc, "types_bytes", NULL, hf_bytes(bytes));
	return err;
}

struct hf_error *hf_view_details(struct hf_analysis *analysis,
				 const struct hf_view_options *options, struct hf_doc *doc)
{
	struct hf_error *err = NULL;

	hf_details_mappings(analysis, doc);
	if (!analysis->graph)
		return NULL;
	tell_heap(analysis, options, doc);
	err = hf_details_tree(analysis, doc);
	if (err)
		return err;
	err = tell_types(analysis, doc);
	if (!err)
		err = hf_details_memory(analysis, doc);
	if (!err)
		err = hf_details_leaks(analysis, options, doc);
	if (!err)
		err = hf_view_check(analysis, &(struct hf_view_options){.top = 0}, doc);
	return err;
}
