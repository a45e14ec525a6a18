/*
 * edges.c - single pointers: who points at an object and whom it points at (refs), and the
 * shortest chain of pointers from a root (path).
 */
#include <stdlib.h>
#include <string.h>

#include "heapwalk/views/sections.h"

enum { DEFAULT_TOP = 50, MAX_PATHS = 32 };

static const struct hf_column ref_columns[] = {
    {"node", NULL, HF_COLUMN_JSON_ONLY},
    {"what", "what", HF_COLUMN_ELASTIC},
    {"source_address", "pointer at", 0},
    {"source_offset", "offset", HF_COLUMN_OPTIONAL},
    {"target_offset", "into it", HF_COLUMN_OPTIONAL},
    {"interior", NULL, HF_COLUMN_JSON_ONLY},
    {"retained_bytes", "retained", 0},
};

static uint64_t node_address(const struct hf_analysis *analysis, uint32_t node)
{
	if (node < hf_graph_objects(analysis->graph))
		return hf_extents_address(analysis->extents, node);
	return analysis->roots.holders.data[hf_graph_holder_index(analysis->graph, node)].address;
}

static void add_ref(const struct hf_analysis *analysis, struct hf_doc *doc, struct hf_table *table,
		    const struct hf_edge *edge, uint32_t other)
{
	uint64_t base = node_address(analysis, edge->source);

	hf_doc_row(doc, table, 0);
	hf_doc_cell(doc, table, hf_number(other));
	hf_doc_cell(doc, table, hf_text(hf_node_name(analysis, doc, other)));
	hf_doc_cell(doc, table,
		    edge->source_address ? hf_address(edge->source_address) : hf_none());
	hf_doc_cell(doc, table,
		    edge->source_address >= base && base ? hf_number(edge->source_address - base)
							 : hf_none());
	hf_doc_cell(doc, table,
		    hf_number(edge->value - hf_extents_address(analysis->extents, edge->target)));
	hf_doc_cell(doc, table, hf_bool(edge->interior));
	hf_doc_cell(doc, table, hf_bytes(hf_graph_retained(analysis->graph, other)));
}

struct ref_walk {
	const struct hf_analysis *analysis;
	struct hf_doc *doc;
	struct hf_table *table;
	uint32_t only_target; /* HF_NO_NODE: all */
	uint64_t left;
};

static bool each_ref(void *ctx, const struct hf_edge *edge)
{
	struct ref_walk *walk = ctx;
	bool incoming = walk->only_target != HF_NO_NODE;

	if (incoming && edge->target != walk->only_target)
		return true;
	if (walk->left == 0)
		return false;
	walk->left--;
	add_ref(walk->analysis, walk->doc, walk->table, edge,
		incoming ? edge->source : edge->target);
	return true;
}

static struct hf_error *tell_incoming(struct hf_analysis *analysis, struct hf_doc *doc,
				      uint32_t object, uint64_t top)
{
	const uint32_t *sources;
	uint64_t count = 0;
	struct hf_error *err = hf_graph_in(analysis->graph, object, &sources, &count);
	uint32_t last = HF_NO_NODE;

	if (err)
		return err;
	hf_doc_begin(doc, "incoming", "POINT HERE");
	hf_doc_json_field(doc, "incoming_count", hf_count(count));
	struct ref_walk walk = {analysis, doc,
				hf_doc_table(doc, "refs", NULL, ref_columns,
					     sizeof(ref_columns) / sizeof(ref_columns[0])),
				object, top};
	/* Holders are the last of the sources, and tell most: backward. */
	for (uint64_t i = count; i-- > 0 && walk.left;) {
		uint32_t source = HF_EDGE_NODE(sources[i]);
		if (source == last)
			continue;
		last = source;
		hf_graph_each_edge(analysis->graph, source, each_ref, &walk);
	}
	if (count > top)
		hf_doc_note(doc, "%s pointers in all; --all shows them.",
			    hf_doc_count_text(doc, count));
	hf_doc_end(doc);
	return NULL;
}

static void tell_outgoing(struct hf_analysis *analysis, struct hf_doc *doc, uint32_t node,
			  uint64_t top)
{
	const uint32_t *targets;
	uint64_t count = hf_graph_out(analysis->graph, node, &targets);

	hf_doc_begin(doc, "outgoing", "POINTS AT");
	hf_doc_json_field(doc, "outgoing_count", hf_count(count));
	struct ref_walk walk = {analysis, doc,
				hf_doc_table(doc, "refs", NULL, ref_columns,
					     sizeof(ref_columns) / sizeof(ref_columns[0])),
				HF_NO_NODE, top};
	hf_graph_each_edge(analysis->graph, node, each_ref, &walk);
	if (count > top)
		hf_doc_note(doc, "%s pointers in all; --all shows them.",
			    hf_doc_count_text(doc, count));
	hf_doc_end(doc);
}

/* The node that the user means, which must be there. */
static struct hf_error *resolve(struct hf_analysis *analysis, const struct hf_view_options *options,
				bool object_only, uint32_t *ret)
{
	uint64_t address = 0;

	if (!options->argument)
		return hf_error_create(HF_ERR_USAGE, "an address or a variable's name is needed");
	struct hf_error *err = hf_analysis_resolve(analysis, options->argument, &address, ret);
	if (err)
		return err;
	if (*ret == HF_NO_NODE || (object_only && *ret >= hf_graph_objects(analysis->graph)))
		return hf_error_create(
		    HF_ERR_NOT_FOUND, "%s (0x%lx) is no object of the heap%s; try: object %s",
		    options->argument, (unsigned long)address,
		    object_only ? "" : " and no root that holds one", options->argument);
	return NULL;
}

struct hf_error *hf_view_refs(struct hf_analysis *analysis, const struct hf_view_options *options,
			      struct hf_doc *doc)
{
	uint64_t top = options->all ? UINT64_MAX : options->top ? options->top : DEFAULT_TOP;
	uint32_t node = HF_NO_NODE;

	if (!hf_view_has_heap(analysis, doc))
		return NULL;
	struct hf_error *err = resolve(analysis, options, false, &node);
	if (err)
		return err;
	hf_doc_field(doc, "what", "what", hf_text(hf_node_name(analysis, doc, node)));
	hf_doc_json_field(doc, "node", hf_number(node));
	if (node < hf_graph_objects(analysis->graph))
		err = tell_incoming(analysis, doc, node, top);
	if (!err)
		tell_outgoing(analysis, doc, node, top);
	return err;
}

/* ---- path ---------------------------------------------------------------------------------------
 */

static const struct hf_column hop_columns[] = {
    {"node", NULL, HF_COLUMN_JSON_ONLY},
    {"what", "", HF_COLUMN_TREE | HF_COLUMN_ELASTIC},
    {"address", NULL, HF_COLUMN_JSON_ONLY},
    {"pointer_at", "pointer at", 0},
    {"offset", "offset", HF_COLUMN_OPTIONAL},
    {"into", "into next", HF_COLUMN_OPTIONAL},
    {"retained_bytes", "retained", HF_COLUMN_OPTIONAL},
};

struct hop {
	uint32_t target;
	struct hf_edge edge;
	bool found;
};

/* The pointer that makes the hop: a start pointer before an interior one. */
static bool each_hop(void *ctx, const struct hf_edge *edge)
{
	struct hop *hop = ctx;
	if (edge->target != hop->target)
		return true;
	if (!hop->found || (hop->edge.interior && !edge->interior))
		hop->edge = *edge;
	hop->found = true;
	return hop->edge.interior;
}

static void tell_path(const struct hf_analysis *analysis, struct hf_doc *doc, const uint32_t *path,
		      uint32_t count)
{
	struct hf_table *table = hf_doc_table(doc, "path", NULL, hop_columns,
					      sizeof(hop_columns) / sizeof(hop_columns[0]));
	for (uint32_t i = 0; i < count; i++) {
		struct hop hop = {.target = i + 1 < count ? path[i + 1] : HF_NO_NODE};
		uint64_t base = node_address(analysis, path[i]);
		if (i + 1 < count)
			hf_graph_each_edge(analysis->graph, path[i], each_hop, &hop);
		hf_doc_row(doc, table, i);
		hf_doc_cell(doc, table, hf_number(path[i]));
		hf_doc_cell(doc, table, hf_text(hf_node_name(analysis, doc, path[i])));
		hf_doc_cell(doc, table, base ? hf_address(base) : hf_none());
		if (hop.found) {
			uint64_t target = hf_extents_address(analysis->extents, hop.target);
			bool in_memory = hop.edge.source_address && base;
			hf_doc_cell(doc, table,
				    hop.edge.source_address ? hf_address(hop.edge.source_address)
							    : hf_text("register"));
			hf_doc_cell(doc, table,
				    in_memory ? hf_number(hop.edge.source_address - base)
					      : hf_none());
			hf_doc_cell(doc, table, hf_number(hop.edge.value - target));
		} else {
			hf_doc_cell(doc, table, hf_none());
			hf_doc_cell(doc, table, hf_none());
			hf_doc_cell(doc, table, hf_none());
		}
		hf_doc_cell(doc, table, hf_bytes(hf_graph_retained(analysis->graph, path[i])));
	}
}

/* Distinct chains: one through each node that points at the object. */
static struct hf_error *tell_all_paths(struct hf_analysis *analysis, struct hf_doc *doc,
				       uint32_t object)
{
	const uint32_t *sources;
	uint64_t count = 0, shown = 0;
	struct hf_error *err = hf_graph_in(analysis->graph, object, &sources, &count);

	for (uint64_t i = count; !err && i-- > 0 && shown < MAX_PATHS;) {
		uint32_t source = HF_EDGE_NODE(sources[i]), *path = NULL, length = 0;
		if (i + 1 < count && source == HF_EDGE_NODE(sources[i + 1]))
			continue;
		if (source < hf_graph_objects(analysis->graph))
			err = hf_graph_path(analysis->graph, source, &path, &length);
		uint32_t *whole = err ? NULL : realloc(path, (length + 2ull) * sizeof(*path));
		if (!whole) {
			free(path);
			return err ? err : hf_error_nomem();
		}
		if (length == 0)
			whole[length++] = source;
		bool through = false;
		for (uint32_t j = 0; j < length; j++)
			through = through || whole[j] == object;
		whole[length++] = object;
		if (!through) {
			hf_doc_begin(doc, hf_doc_printf(doc, "path_%lu", (unsigned long)shown + 1),
				     hf_doc_printf(doc, "PATH %lu", (unsigned long)shown + 1));
			tell_path(analysis, doc, whole, length);
			hf_doc_end(doc);
			shown++;
		}
		free(whole);
	}
	return err;
}

struct hf_error *hf_view_path(struct hf_analysis *analysis, const struct hf_view_options *options,
			      struct hf_doc *doc)
{
	uint32_t object = HF_NO_NODE, *path = NULL, count = 0;

	if (!hf_view_has_heap(analysis, doc))
		return NULL;
	struct hf_error *err = resolve(analysis, options, true, &object);
	if (err)
		return err;
	enum hf_leak_kind kind = hf_graph_leak_kind(analysis->graph, object);
	hf_doc_field(doc, "object", "object", hf_text(hf_node_name(analysis, doc, object)));
	hf_doc_field(doc, "leak_kind", "leak kind", hf_text(hf_leak_kind_name(kind)));
	if (kind == HF_DEFINITE)
		hf_doc_note(doc, "No root leads here: it is lost, and leads what hangs on it.");
	else if (kind == HF_UNKNOWN)
		hf_doc_note(doc, "No root leads here in what the core holds; memory is missing.");
	else if (kind == HF_INDIRECT)
		hf_doc_note(doc, "No root leads here: the chain starts at the lost leader.");
	if (options->all)
		return tell_all_paths(analysis, doc, object);
	err = hf_graph_path(analysis->graph, object, &path, &count);
	if (!err)
		tell_path(analysis, doc, path, count);
	free(path);
	return err;
}
