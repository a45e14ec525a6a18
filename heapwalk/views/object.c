/*
 * object.c - what an address is: object, free chunk, root, mapping; its type, content, holders,
 * neighbours and dominator chain.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/cleanup.h"
#include "heapwalk/views/sections.h"

enum { DUMP_BYTES = 128, MAX_CHAIN = 64 };

/* The first bytes, as gdb users know them. */
static void tell_dump(const struct hf_analysis *analysis, struct hf_doc *doc, uint64_t address,
		      uint64_t bytes)
{
	bytes = bytes < DUMP_BYTES ? bytes : DUMP_BYTES;
	const char *text = hf_hexdump(analysis, doc, address, bytes, 0, 0);
	if (!text)
		return;
	hf_doc_begin(doc, "content", "CONTENT");
	hf_doc_raw(doc, "hexdump", text);
	hf_doc_end(doc);
}

static void tell_chunk(const struct hf_analysis *analysis, struct hf_doc *doc, uint64_t address)
{
	struct hf_chunk chunk;

	if (!analysis->allocator->ops->chunk_at(analysis->allocator, address, &chunk))
		return;
	hf_doc_begin(doc, "chunk", "CHUNK");
	hf_doc_field(doc, "address", "chunk", hf_address(chunk.address));
	hf_doc_field(doc, "state", "state", hf_text(hf_chunk_state_name(chunk.state)));
	hf_doc_field(doc, "size_bytes", "size", hf_bytes(chunk.size));
	if (chunk.arena != HF_NO_ARENA)
		hf_doc_field(doc, "arena", "arena", hf_number(chunk.arena));
	hf_doc_end(doc);
}

static void tell_neighbours(const struct hf_analysis *analysis, struct hf_doc *doc,
			    uint64_t address)
{
	static const struct hf_column columns[] = {
	    {"where", "", 0},	       {"address", "address", 0},	    {"state", "state", 0},
	    {"size_bytes", "size", 0}, {"type", "what", HF_COLUMN_ELASTIC},
	};
	struct hf_chunk chunk, other;
	const struct hf_allocator *allocator = analysis->allocator;

	if (!allocator->ops->chunk_at(allocator, address, &chunk))
		return;
	hf_doc_begin(doc, "neighbours", "NEIGHBOURS");
	struct hf_table *table =
	    hf_doc_table(doc, "chunks", NULL, columns, sizeof(columns) / sizeof(columns[0]));
	for (int after = 0; after < 2; after++) {
		uint64_t at = after ? chunk.address + chunk.size : chunk.address - 1;
		if (!allocator->ops->chunk_at(allocator, at, &other))
			continue;
		uint32_t id = hf_chunk_in_use(&other)
				  ? hf_extents_find(analysis->extents, other.object)
				  : HF_NO_OBJECT;
		hf_doc_row(doc, table, 0);
		hf_doc_cell(doc, table, hf_text(after ? "after" : "before"));
		hf_doc_cell(doc, table, hf_address(other.object));
		hf_doc_cell(doc, table, hf_text(hf_chunk_state_name(other.state)));
		hf_doc_cell(doc, table, hf_bytes(other.size));
		hf_doc_cell(doc, table,
			    id == HF_NO_OBJECT ? hf_none()
					       : hf_text(hf_node_name(analysis, doc, id)));
	}
	hf_doc_end(doc);
}

static void tell_chain(const struct hf_analysis *analysis, struct hf_doc *doc, uint32_t node)
{
	static const struct hf_column columns[] = {
	    {"node", NULL, HF_COLUMN_JSON_ONLY},
	    {"what", "", HF_COLUMN_TREE | HF_COLUMN_ELASTIC},
	    {"retained_bytes", "retained", 0},
	};
	uint32_t chain[MAX_CHAIN], count = 0;
	uint32_t root = hf_graph_root(analysis->graph);

	for (uint32_t at = hf_graph_idom(analysis->graph, node);
	     at != HF_NO_NODE && at != root && count < MAX_CHAIN;
	     at = hf_graph_idom(analysis->graph, at))
		chain[count++] = at;
	hf_doc_begin(doc, "dominators", "KEPT ALIVE BY (dominators, outermost first)");
	struct hf_table *table =
	    hf_doc_table(doc, "chain", NULL, columns, sizeof(columns) / sizeof(columns[0]));
	for (uint32_t i = 0; i < count; i++) {
		uint32_t at = chain[count - 1 - i];
		hf_doc_row(doc, table, i);
		hf_doc_cell(doc, table, hf_number(at));
		hf_doc_cell(doc, table, hf_text(hf_node_name(analysis, doc, at)));
		hf_doc_cell(doc, table, hf_bytes(hf_graph_retained(analysis->graph, at)));
	}
	hf_doc_end(doc);
	if (count == 0)
		hf_doc_note(doc, "  Nothing alone keeps it: several roots lead here, or none.");
}

static void tell_object(struct hf_analysis *analysis, struct hf_doc *doc, uint32_t id,
			uint64_t address)
{
	uint64_t start = hf_extents_address(analysis->extents, id);
	const struct hf_type *type =
	    hf_typing_type(analysis->typing, hf_typing_of(analysis->typing, id));
	HF_AUTO(free_ptr)
	char *content = hf_typing_preview(analysis->process, analysis->extents, id);

	hf_doc_begin(doc, "object", "OBJECT");
	hf_doc_field(doc, "address", "address", hf_address(start));
	if (address != start)
		hf_doc_field(doc, "offset", "offset", hf_bytes(address - start));
	hf_doc_json_field(doc, "id", hf_number(id));
	hf_doc_field(doc, "type", "type", hf_text(type->name));
	hf_doc_emphasize(doc, HF_STRONG);
	hf_doc_field(doc, "type_source", "known by",
		     hf_text(hf_type_source_name(hf_typing_source(analysis->typing, id))));
	if (hf_typing_confidence(analysis->typing, id))
		hf_doc_field(doc, "confidence", "sure",
			     hf_share(hf_typing_confidence(analysis->typing, id), 100));
	hf_doc_field(doc, "usable_bytes", "usable",
		     hf_bytes(hf_extents_usable(analysis->extents, id)));
	hf_doc_field(doc, "chunk_bytes", "chunk",
		     hf_bytes(hf_extents_chunk_bytes(analysis->extents, id)));
	hf_doc_field(doc, "kind", "kind",
		     hf_text(hf_object_kind_name(hf_extents_kind(analysis->extents, id))));
	hf_doc_field(doc, "leak_kind", "leak kind",
		     hf_text(hf_leak_kind_name(hf_graph_leak_kind(analysis->graph, id))));
	hf_doc_field(doc, "retained_bytes", "retained",
		     hf_bytes(hf_graph_retained(analysis->graph, id)));
	hf_doc_field(doc, "retained_objects", "keeps objects",
		     hf_count(hf_graph_retained_objects(analysis->graph, id)));
	if (content)
		hf_doc_field(doc, "content", "content", hf_text(content));
	hf_doc_end(doc);
	hf_section_fields(analysis, doc, id);
	tell_dump(analysis, doc, start, hf_extents_usable(analysis->extents, id));
	tell_chain(analysis, doc, id);
}

static void tell_holder(const struct hf_analysis *analysis, struct hf_doc *doc, uint32_t node)
{
	const struct hf_holder *holder =
	    &analysis->roots.holders.data[hf_graph_holder_index(analysis->graph, node)];

	hf_doc_begin(doc, "holder", "ROOT");
	hf_doc_field(doc, "name", "name", hf_text(hf_node_name(analysis, doc, node)));
	hf_doc_field(doc, "kind", "kind", hf_text(hf_holder_kind_name(holder->kind)));
	hf_doc_json_field(doc, "id", hf_number(node));
	if (holder->address) {
		hf_doc_field(doc, "address", "address", hf_address(holder->address));
		hf_doc_field(doc, "size_bytes", "size", hf_bytes(holder->size));
	}
	hf_doc_field(doc, "retained_bytes", "retained",
		     hf_bytes(hf_graph_retained(analysis->graph, node)));
	hf_doc_end(doc);
}

/* What else an address can be: a variable, a symbol, a mapping. */
static void tell_place(const struct hf_analysis *analysis, struct hf_doc *doc, uint64_t address)
{
	const struct hf_mapping *mapping = hf_process_mapping(analysis->process, address);
	const struct hf_module *module = hf_process_module(analysis->process, address);
	uint64_t offset = 0;
	const char *symbol = hf_symbols_name_at(analysis->symbols, address, &offset);

	hf_doc_begin(doc, "place", "PLACE");
	hf_doc_field(doc, "address", "address", hf_address(address));
	if (symbol)
		hf_doc_field(
		    doc, "symbol", "symbol",
		    hf_text(hf_doc_printf(doc, "%s+0x%lx", symbol, (unsigned long)offset)));
	if (module)
		hf_doc_field(doc, "module", "module", hf_text(module->name));
	if (!mapping) {
		hf_doc_note(doc, "The process has no memory at this address.");
	} else {
		hf_doc_field(doc, "mapping", "mapping",
			     hf_text(hf_doc_printf(doc, "0x%lx-0x%lx %c%c%c %s",
						   (unsigned long)mapping->start,
						   (unsigned long)mapping->end,
						   mapping->flags & HF_SEGMENT_R ? 'r' : '-',
						   mapping->flags & HF_SEGMENT_W ? 'w' : '-',
						   mapping->flags & HF_SEGMENT_X ? 'x' : '-',
						   mapping->path ? mapping->path : "anonymous")));
	}
	hf_doc_end(doc);
	tell_dump(analysis, doc, address,
		  mapping && mapping->end - address < DUMP_BYTES ? mapping->end - address
								 : DUMP_BYTES);
}

struct hf_error *hf_view_object(struct hf_analysis *analysis, const struct hf_view_options *options,
				struct hf_doc *doc)
{
	uint64_t address = 0;
	uint32_t node = HF_NO_NODE;

	if (!options->argument)
		return hf_error_create(HF_ERR_USAGE,
				       "object needs an address or a variable's name");
	struct hf_error *err = hf_analysis_resolve(analysis, options->argument, &address, &node);
	if (err)
		return err;
	if (!analysis->graph) {
		tell_place(analysis, doc, address);
		hf_section_evidence(analysis, doc);
		return NULL;
	}
	bool object = node < hf_graph_objects(analysis->graph);
	if (object)
		tell_object(analysis, doc, node, address);
	else if (node != HF_NO_NODE)
		tell_holder(analysis, doc, node);
	tell_chunk(analysis, doc, address);
	if (!object)
		tell_place(analysis, doc, address);
	tell_neighbours(analysis, doc, address);
	if (node != HF_NO_NODE) {
		hf_doc_begin(doc, "next", "NEXT");
		if (object)
			hf_view_hint(doc, options, "path", options->argument);
		hf_view_hint(doc, options, "refs", options->argument);
		hf_view_hint(doc, options, "dominators", options->argument);
		hf_doc_end(doc);
	}
	return NULL;
}
