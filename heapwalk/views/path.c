/*
 * path.c - the shortest chain of pointers from a root to an object, field by field.
 *
 *	g_cache (cache.c:41)				buckets
 *	`- struct entry *[] 0x55d0..2a0			[17]
 *	   `- struct entry 0x55d0..300			next
 *	      `- ... 997 times struct entry.next ...
 *	         `- struct entry 0x55d0..f00		value
 *
 * Hops from one object to another of the same type by the same field are folded, so that a
 * list of a million nodes is one line.
 */
#include <stdlib.h>
#include <string.h>

#include "heapwalk/views/sections.h"

enum { MAX_PATHS = 32, MIN_FOLD = 3 };

static const struct hf_column hop_columns[] = {
    {"node", NULL, HF_COLUMN_JSON_ONLY},
    {"what", "", HF_COLUMN_TREE | HF_COLUMN_ELASTIC},
    {"field", "field", HF_COLUMN_BLANK},
    {"folded", NULL, HF_COLUMN_JSON_ONLY},
    {"address", NULL, HF_COLUMN_JSON_ONLY},
    {"pointer_at", "pointer at", HF_COLUMN_BLANK},
    {"offset", "offset", HF_COLUMN_OPTIONAL | HF_COLUMN_BLANK},
    {"into", "into next", HF_COLUMN_OPTIONAL | HF_COLUMN_BLANK},
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

static struct hop hop_of(const struct hf_analysis *analysis, const uint32_t *path, uint32_t count,
			 uint32_t at)
{
	struct hop hop = {.target = at + 1 < count ? path[at + 1] : HF_NO_NODE};
	if (at + 1 < count)
		hf_graph_each_edge(analysis->graph, path[at], each_hop, &hop);
	return hop;
}

/* One word for "an object of this type, by this field": equal ones are folded; 0: never. */
static uint64_t fold_key(const struct hf_analysis *analysis, const uint32_t *path, uint32_t count,
			 uint32_t at)
{
	if (at + 1 >= count || path[at] >= hf_graph_objects(analysis->graph))
		return 0;
	uint32_t type = hf_typing_of(analysis->typing, path[at]);
	if (hf_typing_of(analysis->typing, path[at + 1]) != type)
		return 0;
	struct hop hop = hop_of(analysis, path, count, at);
	if (!hop.found)
		return 0;
	uint64_t offset = hop.edge.source_address - hf_node_address(analysis, path[at]);
	return offset > UINT32_MAX - 1 ? 0 : (uint64_t)type << 32 | (offset + 1);
}

/* How many hops from @at on are the same. */
static uint32_t same_hops(const struct hf_analysis *analysis, const uint32_t *path, uint32_t count,
			  uint32_t at)
{
	uint64_t key = fold_key(analysis, path, count, at);
	uint32_t length = 1;
	while (key && at + length < count && fold_key(analysis, path, count, at + length) == key)
		length++;
	return length;
}

static void tell_hop(const struct hf_analysis *analysis, struct hf_doc *doc, struct hf_table *table,
		     uint32_t node, const struct hop *hop)
{
	uint64_t base = hf_node_address(analysis, node);

	hf_doc_cell(doc, table, hf_number(node));
	hf_doc_cell(doc, table, hf_text(hf_node_name(analysis, doc, node)));
	hf_doc_cell(doc, table,
		    hop->found ? hf_text(hf_edge_field(analysis, doc, &hop->edge)) : hf_none());
	hf_doc_cell(doc, table, hf_none());
	hf_doc_cell(doc, table, base ? hf_address(base) : hf_none());
	if (hop->found) {
		uint64_t target = hf_extents_address(analysis->extents, hop->target);
		bool in_memory = hop->edge.source_address && base;
		hf_doc_cell(doc, table,
			    hop->edge.source_address ? hf_address(hop->edge.source_address)
						     : hf_text("register"));
		hf_doc_cell(doc, table,
			    in_memory ? hf_number(hop->edge.source_address - base) : hf_none());
		hf_doc_cell(doc, table, hf_number(hop->edge.value - target));
	} else {
		hf_doc_cell(doc, table, hf_none());
		hf_doc_cell(doc, table, hf_none());
		hf_doc_cell(doc, table, hf_none());
	}
	hf_doc_cell(doc, table, hf_bytes(hf_graph_retained(analysis->graph, node)));
}

/* "... 999,998 times struct entry.next ..." */
static void tell_fold(const struct hf_analysis *analysis, struct hf_doc *doc,
		      struct hf_table *table, uint32_t node, const struct hop *hop, uint32_t times)
{
	const char *field = hf_edge_field(analysis, doc, &hop->edge);
	const char *type =
	    hf_typing_type(analysis->typing, hf_typing_of(analysis->typing, node))->name;
	const char *by = field ? field
			       : hf_doc_printf(doc, "+%lu",
					       (unsigned long)(hop->edge.source_address -
							       hf_node_address(analysis, node)));

	hf_doc_cell(doc, table, hf_none());
	hf_doc_cell(doc, table,
		    hf_text(hf_doc_printf(doc, "... %s times %s.%s ...",
					  hf_doc_count_text(doc, times), type, by)));
	hf_doc_cell(doc, table, hf_text(field));
	hf_doc_cell(doc, table, hf_count(times));
	for (int i = 0; i < 4; i++)
		hf_doc_cell(doc, table, hf_none());
	hf_doc_cell(doc, table, hf_bytes(hf_graph_retained(analysis->graph, node)));
}

static void tell_path(const struct hf_analysis *analysis, struct hf_doc *doc, const uint32_t *path,
		      uint32_t count)
{
	struct hf_table *table = hf_doc_table(doc, "path", NULL, hop_columns,
					      sizeof(hop_columns) / sizeof(hop_columns[0]));
	uint32_t depth = 0;

	for (uint32_t i = 0; i < count;) {
		struct hop hop = hop_of(analysis, path, count, i);
		uint32_t same = same_hops(analysis, path, count, i);
		hf_doc_row(doc, table, depth++);
		tell_hop(analysis, doc, table, path[i++], &hop);
		if (same < MIN_FOLD)
			continue;
		hf_doc_row(doc, table, depth++);
		hop = hop_of(analysis, path, count, i);
		tell_fold(analysis, doc, table, path[i], &hop, same - 1);
		i += same - 1;
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
	if (options->type && !options->argument)
		return hf_view_merged_paths(analysis, options, doc);
	struct hf_error *err = hf_view_resolve(analysis, options, true, &object);
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
