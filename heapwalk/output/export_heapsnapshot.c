/*
 * export_heapsnapshot.c - a Chrome heap snapshot: DevTools' memory panel, memlab.
 *
 *	nodes   0 ""	1 (GC roots)	kinds of roots, (lost)	 holders   objects   continuations
 *	edges   0 -> 1 -> kinds -> holders -> objects -> objects;  (lost) -> leaders
 *
 * Compact JSON, keys in the order in which the readers want them: nodes, edges in the order of
 * their nodes, strings. Each part is written as it is made; an edge's target is the
 * index of its node times the number of fields of a node.
 *
 * Viewers compute retained sizes themselves, over all edges but weak ones. So an edge from a
 * lost object to a reachable one is weak: it keeps nothing alive (DESIGN.md section 2).
 * Self sizes are 32 bits wide in the viewers: what a greater object has beyond that stands in
 * continuation nodes that only it holds, so its retained size is right.
 * The name of an edge is the offset of the pointing word, or a number where there is none.
 */
#include <stdlib.h>

#include "core/base/cleanup.h"
#include "heapwalk/output/export.h"
#include "heapwalk/output/export_ids.h"

enum { NODE_FIELDS = 5, FIRST_CATEGORY = 2, PROGRESS_STEP = 1 << 18 };
enum { CATEGORY_LOST = HF_HOLDER_KINDS, CATEGORIES };
enum { NODE_OBJECT = 3, NODE_SYNTHETIC = 9 };
enum { EDGE_ELEMENT = 1, EDGE_WEAK = 6 };
enum { STRING_EMPTY, STRING_ROOTS, STRING_CONTINUED, STRING_FROM_LOST, STRING_CATEGORIES };
enum { LOWEST_NAME_ID = 32 };

#define MAX_SELF_BYTES UINT64_C(0xfffffff0)

static const char head[] =
    "{\"snapshot\":{\"meta\":{\"node_fields\":[\"type\",\"name\",\"id\",\"self_size\","
    "\"edge_count\"],\"node_types\":[[\"hidden\",\"array\",\"string\",\"object\",\"code\","
    "\"closure\",\"regexp\",\"number\",\"native\",\"synthetic\",\"concatenated string\","
    "\"sliced string\",\"symbol\",\"bigint\"],\"string\",\"number\",\"number\",\"number\"],"
    "\"edge_fields\":[\"type\",\"name_or_index\",\"to_node\"],\"edge_types\":[[\"context\","
    "\"element\",\"property\",\"internal\",\"hidden\",\"shortcut\",\"weak\"],"
    "\"string_or_number\",\"node\"]},";

struct big_object {
	uint32_t object, parts; /* parts: continuation nodes */
};

struct snapshot {
	struct hf_export *export;
	const struct hf_analysis *analysis;
	const struct hf_graph *graph;
	struct hf_writer *to;
	uint32_t objects, holders, types;
	uint64_t first_holder, first_object, first_part; /* node indexes in the file */
	uint64_t nodes, edges, parts, weak, far;
	HF_VEC(, struct big_object) big;
	HF_VEC(, uint64_t) offsets; /* of one node's pointing words */
	uint32_t category_holders[CATEGORIES];
	const char *comma;
};

/* ---- what there will be ---------------------------------------------------------------------- */

static struct hf_error *count_all(struct snapshot *snapshot)
{
	const uint32_t *targets;
	uint64_t tops = hf_graph_out(snapshot->graph, hf_graph_root(snapshot->graph), &targets);

	for (uint32_t id = 0; id < snapshot->objects; id++) {
		uint64_t bytes = hf_extents_chunk_bytes(snapshot->analysis->extents, id);
		struct big_object big = {id, (uint32_t)((bytes - 1) / MAX_SELF_BYTES)};
		if (bytes <= MAX_SELF_BYTES)
			continue;
		snapshot->parts += big.parts;
		if (!hf_vec_push(&snapshot->big, big))
			return hf_error_nomem();
	}
	/* Holders are the tops of the tree, and so are the lost leaders. */
	for (uint64_t i = 0; i < tops; i++) {
		const struct hf_holder *holder = hf_export_holder(snapshot->analysis, targets[i]);
		snapshot->category_holders[holder ? holder->kind : CATEGORY_LOST]++;
	}
	snapshot->first_holder = FIRST_CATEGORY + CATEGORIES;
	snapshot->first_object = snapshot->first_holder + snapshot->holders;
	snapshot->first_part = snapshot->first_object + snapshot->objects;
	snapshot->nodes = snapshot->first_part + snapshot->parts;
	snapshot->edges = 1 + CATEGORIES + tops + snapshot->parts;
	for (uint32_t node = 0; node < snapshot->objects + snapshot->holders; node++)
		snapshot->edges += hf_graph_out(snapshot->graph, node, &targets);
	if (snapshot->nodes * NODE_FIELDS > UINT32_MAX || snapshot->edges * 3 > UINT32_MAX)
		return hf_error_create(HF_ERR_LIMIT,
				       "a heap snapshot cannot hold %lu nodes and %lu edges: its "
				       "readers count in 32 bits",
				       (unsigned long)snapshot->nodes,
				       (unsigned long)snapshot->edges);
	return NULL;
}

/* ---- nodes ----------------------------------------------------------------------------------- */

static void put_node(struct snapshot *snapshot, unsigned type, uint64_t name, uint64_t id,
		     uint64_t self_bytes, uint64_t edges)
{
	struct hf_writer *to = snapshot->to;

	hf_put_text(to, snapshot->comma);
	snapshot->comma = ",\n";
	hf_put_number(to, type);
	hf_put_byte(to, ',');
	hf_put_number(to, name);
	hf_put_byte(to, ',');
	hf_put_number(to, id);
	hf_put_byte(to, ',');
	hf_put_number(to, self_bytes);
	hf_put_byte(to, ',');
	hf_put_number(to, edges);
}

static uint64_t part_bytes(uint64_t bytes, uint32_t part)
{
	uint64_t before = (uint64_t)part * MAX_SELF_BYTES;
	return bytes - before < MAX_SELF_BYTES ? bytes - before : MAX_SELF_BYTES;
}

static struct hf_error *put_holders(struct snapshot *snapshot, struct hf_export_names *names)
{
	const uint32_t *targets;
	uint64_t first_name = STRING_CATEGORIES + CATEGORIES + (uint64_t)snapshot->types;

	put_node(snapshot, NODE_SYNTHETIC, STRING_EMPTY, 2, 0, 1);
	put_node(snapshot, NODE_SYNTHETIC, STRING_ROOTS, 4, 0, CATEGORIES);
	for (unsigned i = 0; i < CATEGORIES; i++)
		put_node(snapshot, NODE_SYNTHETIC, STRING_CATEGORIES + i, 6 + 2 * i, 0,
			 snapshot->category_holders[i]);
	for (uint32_t i = 0; i < snapshot->holders; i++) {
		uint32_t node = snapshot->objects + i;
		HF_AUTO(free_ptr) char *name = hf_analysis_describe(snapshot->analysis, node);
		if (!name)
			return hf_error_nomem();
		put_node(snapshot, NODE_SYNTHETIC, first_name + i,
			 2 * (uint64_t)hf_export_name_id(names, name, LOWEST_NAME_ID), 0,
			 hf_graph_out(snapshot->graph, node, &targets));
	}
	return NULL;
}

static void put_objects(struct snapshot *snapshot, struct hf_export_ids *ids)
{
	const uint32_t *targets;
	size_t next_big = 0;

	for (uint32_t id = 0; id < snapshot->objects; id++) {
		uint64_t bytes = hf_extents_chunk_bytes(snapshot->analysis->extents, id);
		uint32_t parts = 0;
		if (next_big < snapshot->big.count && snapshot->big.data[next_big].object == id)
			parts = snapshot->big.data[next_big++].parts;
		if (id % PROGRESS_STEP == 0)
			hf_progress_report(snapshot->export->options.progress, "writing nodes", id,
					   snapshot->objects);
		put_node(snapshot, NODE_OBJECT,
			 STRING_CATEGORIES + CATEGORIES +
			     (uint64_t)hf_typing_of(snapshot->analysis->typing, id),
			 2 * (uint64_t)hf_export_id(ids, id) + 1, part_bytes(bytes, 0),
			 hf_graph_out(snapshot->graph, id, &targets) + parts);
	}
}

static void put_parts(struct snapshot *snapshot, struct hf_export_names *names)
{
	hf_vec_foreach (big, &snapshot->big) {
		uint64_t bytes = hf_extents_chunk_bytes(snapshot->analysis->extents, big->object);
		for (uint32_t part = 1; part <= big->parts; part++)
			put_node(snapshot, NODE_OBJECT, STRING_CONTINUED,
				 2 * (uint64_t)hf_export_name_id(names, "part", LOWEST_NAME_ID),
				 part_bytes(bytes, part), 0);
	}
}

static struct hf_error *put_nodes(struct snapshot *snapshot)
{
	struct hf_export_ids ids = {0};
	struct hf_export_names names = {0};
	struct hf_error *err = hf_export_ids_init(snapshot->analysis, &ids);

	if (!err)
		err = hf_export_names_init(snapshot->holders + snapshot->parts, &names);
	if (!err && !ids.stable)
		hf_export_note(snapshot->export, "the heap spans more than 2^31 granules: ids are "
						 "not the same in another dump of the process");
	hf_put_text(snapshot->to, "\"nodes\":[");
	snapshot->comma = "";
	if (!err)
		err = put_holders(snapshot, &names);
	if (!err) {
		put_objects(snapshot, &ids);
		put_parts(snapshot, &names);
	}
	hf_put_text(snapshot->to, "],\n");
	hf_export_ids_deinit(&ids);
	hf_export_names_deinit(&names);
	return err;
}

/* ---- edges ----------------------------------------------------------------------------------- */

static void put_edge(struct snapshot *snapshot, unsigned type, uint64_t name, uint64_t to_index)
{
	struct hf_writer *to = snapshot->to;

	hf_put_text(to, snapshot->comma);
	snapshot->comma = ",\n";
	hf_put_number(to, type);
	hf_put_byte(to, ',');
	hf_put_number(to, name);
	hf_put_byte(to, ',');
	hf_put_number(to, to_index * NODE_FIELDS);
}

static void put_root_edges(struct snapshot *snapshot)
{
	const uint32_t *targets;
	uint64_t tops = hf_graph_out(snapshot->graph, hf_graph_root(snapshot->graph), &targets);

	put_edge(snapshot, EDGE_ELEMENT, 1, 1);
	for (unsigned i = 0; i < CATEGORIES; i++)
		put_edge(snapshot, EDGE_ELEMENT, i + 1, FIRST_CATEGORY + i);
	for (unsigned i = 0; i < CATEGORIES; i++) {
		uint64_t number = 0;
		for (uint64_t at = 0; at < tops; at++) {
			const struct hf_holder *holder =
			    hf_export_holder(snapshot->analysis, targets[at]);
			if ((holder ? holder->kind : CATEGORY_LOST) != i)
				continue;
			put_edge(snapshot, EDGE_ELEMENT, ++number,
				 holder ? snapshot->first_holder + targets[at] - snapshot->objects
					: snapshot->first_object + targets[at]);
		}
	}
}

static bool take_offset(void *ctx, const struct hf_edge *edge)
{
	struct snapshot *snapshot = ctx;
	uint64_t start = hf_extents_address(snapshot->analysis->extents, edge->source);
	return hf_vec_push(&snapshot->offsets, edge->source_address - start);
}

static void put_object_edges(struct snapshot *snapshot, uint32_t node)
{
	const uint32_t *targets;
	uint64_t count = hf_graph_out(snapshot->graph, node, &targets);

	snapshot->offsets.count = 0;
	if (node < snapshot->objects && count)
		hf_graph_each_edge(snapshot->graph, node, take_offset, snapshot);
	bool offsets = snapshot->offsets.count == count;
	for (uint64_t i = 0; i < count; i++) {
		uint32_t target = HF_EDGE_NODE(targets[i]);
		uint64_t name = offsets ? snapshot->offsets.data[i] : i;
		bool weak = !hf_export_keeps(snapshot->analysis, node, target);
		if (name > UINT32_MAX) {
			snapshot->far++;
			name = UINT32_MAX;
		}
		snapshot->weak += weak;
		put_edge(snapshot, weak ? EDGE_WEAK : EDGE_ELEMENT, weak ? STRING_FROM_LOST : name,
			 snapshot->first_object + target);
	}
}

static void put_edges(struct snapshot *snapshot)
{
	uint64_t part = snapshot->first_part;
	size_t next_big = 0;

	hf_put_text(snapshot->to, "\"edges\":[");
	snapshot->comma = "";
	put_root_edges(snapshot);
	for (uint32_t i = 0; i < snapshot->holders; i++)
		put_object_edges(snapshot, snapshot->objects + i);
	for (uint32_t id = 0; id < snapshot->objects; id++) {
		if (id % PROGRESS_STEP == 0)
			hf_progress_report(snapshot->export->options.progress, "writing edges", id,
					   snapshot->objects);
		put_object_edges(snapshot, id);
		if (next_big == snapshot->big.count || snapshot->big.data[next_big].object != id)
			continue;
		for (uint32_t i = 0; i < snapshot->big.data[next_big].parts; i++)
			put_edge(snapshot, EDGE_ELEMENT, UINT32_MAX, part++);
		next_big++;
	}
	hf_put_text(snapshot->to, "],\n");
}

/* ---- strings --------------------------------------------------------------------------------- */

static struct hf_error *put_strings(struct snapshot *snapshot)
{
	struct hf_writer *to = snapshot->to;

	hf_put_text(to, "\"strings\":[\"\",\n\"(GC roots)\",\n\"(continued)\",\n\"from lost\"");
	for (unsigned i = 0; i < CATEGORIES; i++) {
		const char *name =
		    i == CATEGORY_LOST ? "lost" : hf_holder_kind_name((enum hf_holder_kind)i);
		hf_put_format(to, ",\n\"(%s)\"", name);
	}
	for (uint32_t i = 0; i < snapshot->types; i++) {
		hf_put_text(to, ",\n");
		hf_put_json(to, hf_typing_type(snapshot->analysis->typing, i)->name);
	}
	for (uint32_t i = 0; i < snapshot->holders; i++) {
		HF_AUTO(free_ptr)
		char *name = hf_analysis_describe(snapshot->analysis, snapshot->objects + i);
		if (!name)
			return hf_error_nomem();
		hf_put_text(to, ",\n");
		hf_put_json(to, name);
	}
	hf_put_text(to, "]}\n");
	return NULL;
}

static void tell_limits(struct snapshot *snapshot)
{
	if (snapshot->parts)
		hf_export_note(snapshot->export,
			       "%zu objects of 4 GiB or more: sizes are 32 bits wide here, the "
			       "rest of each stands in (continued) nodes that it holds",
			       snapshot->big.count);
	if (snapshot->weak)
		hf_export_note(snapshot->export,
			       "%lu pointers from lost objects to reachable ones are weak edges: "
			       "they keep nothing alive",
			       (unsigned long)snapshot->weak);
	if (snapshot->far)
		hf_export_note(snapshot->export,
			       "%lu pointers stand 4 GiB or more into their object: their edges "
			       "are named 4294967295",
			       (unsigned long)snapshot->far);
}

static struct hf_error *write_heapsnapshot(struct hf_export *export)
{
	const struct hf_analysis *analysis = export->analysis;
	struct snapshot snapshot = {
	    .export = export,
	    .analysis = analysis,
	    .graph = analysis->graph,
	    .to = export->to,
	    .objects = hf_graph_objects(analysis->graph),
	    .holders = hf_graph_holders(analysis->graph),
	    .types = hf_typing_types(analysis->typing),
	};
	struct hf_error *err = count_all(&snapshot);

	if (!err) {
		hf_put_text(export->to, head);
		hf_put_format(export->to,
			      "\"node_count\":%lu,\"edge_count\":%lu,"
			      "\"trace_function_count\":0},\n",
			      (unsigned long)snapshot.nodes, (unsigned long)snapshot.edges);
		err = put_nodes(&snapshot);
	}
	if (!err) {
		put_edges(&snapshot);
		err = put_strings(&snapshot);
	}
	if (!err)
		tell_limits(&snapshot);
	hf_vec_free(&snapshot.big);
	hf_vec_free(&snapshot.offsets);
	return err;
}

const struct hf_export_ops hf_export_heapsnapshot = {
    .name = "heapsnapshot",
    .opened = "Chrome DevTools (Memory, Load), or memlab analyze shape --snapshot FILE",
    .write = write_heapsnapshot,
};
