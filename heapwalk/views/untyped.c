/*
 * untyped.c - the unknown that would explain most.
 *
 * An object without a type hides what hangs on it: its pointers say nothing. Below each object
 * with a type (or a holder) the untyped objects make regions in the dominator tree; the top of a
 * region is what has to be named. Tops of the same shape below the same type make a group; the
 * group is worth all untyped bytes of its regions.
 *
 *	struct server			typed
 *	`- 72 B with pointers  x 9	the tops of nine regions: name one, and they open
 *	   `- 1 KiB data  x 9		untyped too: counts for the tops
 *
 * A region's bytes are what its top retains, less what is retained by the objects with a type that
 * hang on it. So nothing is done for the untyped objects below a top; only those with a type whose
 * dominator has none ask for the top above them, and what they pass on the way up remembers it.
 *
 * Objects in parts for all processors, groups joined in the order of the parts.
 */
#include <stdlib.h>

#include "core/base/bigmem.h"
#include "core/base/parallel.h"
#include "heapwalk/views/sections.h"

enum { MAX_GROUPS = 1 << 20, SHOWN = 6, MIN_PERMILLE = 5, AHEAD = 32, PART = 1 << 18 };

struct group {
	uint64_t key; /* shape << 32 | what is above, plus 1 */
	uint32_t example;
	uint64_t example_bytes;
	uint64_t count, bytes;
};

struct groups {
	struct group *slots;
	uint32_t count, used;
};

static const struct hf_column columns[] = {
    {"shape", "without a type", HF_COLUMN_ELASTIC},
    {"below", "held by", HF_COLUMN_ELASTIC},
    {"count", "objects", 0},
    {"untyped_bytes", "would explain", 0},
    {"share", "share", HF_COLUMN_OPTIONAL},
    {"example", "for example", 0},
};

static uint32_t slot_of(const struct group *slots, uint32_t count, uint64_t key)
{
	uint32_t at = (uint32_t)((key * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & (count - 1);
	while (slots[at].key && slots[at].key != key)
		at = (at + 1) & (count - 1);
	return at;
}

static struct group *group_of(struct groups *groups, uint64_t key)
{
	if (groups->used * 2 >= groups->count) {
		uint32_t count = groups->count ? groups->count * 2 : 256;
		struct group *slots = count <= MAX_GROUPS ? calloc(count, sizeof(*slots)) : NULL;
		if (!slots)
			return NULL;
		for (uint32_t i = 0; i < groups->count; i++) {
			if (groups->slots[i].key)
				slots[slot_of(slots, count, groups->slots[i].key)] =
				    groups->slots[i];
		}
		free(groups->slots);
		groups->slots = slots;
		groups->count = count;
	}
	struct group *group = &groups->slots[slot_of(groups->slots, groups->count, key)];
	groups->used += group->key == 0;
	group->key = key;
	return group;
}

HF_VEC(object_list, uint32_t);

struct part {
	struct object_list typed; /* objects with a type whose dominator has none */
	struct groups groups;
	bool failed;
};

struct finder {
	const struct hf_analysis *analysis;
	struct hf_graph_columns graph;
	uint32_t objects;
	uint64_t *untyped; /* a bit an object */
	struct part *parts;
	uint64_t part_count;
	uint32_t *top;	/* of objects that were passed, + 1; 0: it is not known */
	uint64_t *less; /* of tops: what is below the region. NULL: nothing is */
};

static inline bool is_untyped(const struct finder *finder, uint32_t node)
{
	return node < finder->objects && (finder->untyped[node / 64] >> node % 64 & 1);
}

static uint32_t part_end(const struct finder *finder, uint64_t part)
{
	uint64_t end = (part + 1) * PART;
	return end < finder->objects ? (uint32_t)end : finder->objects;
}

static void find_untyped(void *ctx, uint64_t part, unsigned worker)
{
	const struct finder *finder = ctx;
	uint32_t end = part_end(finder, part);
	(void)worker;

	for (uint32_t id = (uint32_t)part * PART; id < end; id++) {
		uint64_t bit = hf_typing_source(finder->analysis->typing, id) == HF_TYPE_SHAPE;
		finder->untyped[id / 64] |= bit << id % 64;
	}
}

static void find_typed(void *ctx, uint64_t number, unsigned worker)
{
	const struct finder *finder = ctx;
	struct part *part = &finder->parts[number];
	uint32_t end = part_end(finder, number);
	(void)worker;

	for (uint32_t id = (uint32_t)number * PART; id < end; id++) {
		if (!is_untyped(finder, id) &&
		    is_untyped(finder, hf_column_idom(&finder->graph, id)) &&
		    !hf_vec_push(&part->typed, id))
			part->failed = true;
	}
}

/* The top of @object's region, by climbing to one that knows it; those passed know it then. */
static uint32_t find_top(const struct finder *finder, uint32_t object)
{
	uint32_t at = object, above = hf_column_idom(&finder->graph, at);

	while (!finder->top[at] && is_untyped(finder, above)) {
		at = above;
		above = hf_column_idom(&finder->graph, at);
	}
	uint32_t found = finder->top[at] ? finder->top[at] - 1 : at;
	for (at = object; at != found && !finder->top[at]; at = hf_column_idom(&finder->graph, at))
		finder->top[at] = found + 1;
	return found;
}

static void take_off(const struct finder *finder, const struct object_list *typed)
{
	const struct hf_graph_columns *graph = &finder->graph;

	for (size_t i = 0; i < typed->count; i++) {
		uint32_t id = typed->data[i];
		if (i + AHEAD < typed->count) {
			uint32_t above = hf_column_idom(graph, typed->data[i + AHEAD]);
			__builtin_prefetch(&graph->link[above]);
			__builtin_prefetch(&finder->top[above]);
			__builtin_prefetch(&finder->less[above], 1);
		}
		finder->less[find_top(finder, hf_column_idom(graph, id))] +=
		    hf_column_retained(graph, id);
	}
}

/* What the regions do not have of what their tops retain. */
static bool find_less(struct finder *finder)
{
	size_t objects = finder->objects;
	uint64_t count = 0;

	for (uint64_t i = 0; i < finder->part_count; i++) {
		count += finder->parts[i].typed.count;
		if (finder->parts[i].failed)
			return false;
	}
	if (count == 0)
		return true;
	finder->top = hf_bigmem_alloc(NULL, objects * sizeof(*finder->top));
	finder->less = hf_bigmem_alloc(NULL, objects * sizeof(*finder->less));
	bool fine = finder->top && finder->less;
	for (uint64_t i = 0; fine && i < finder->part_count; i++)
		take_off(finder, &finder->parts[i].typed);
	hf_bigmem_free(NULL, finder->top, objects * sizeof(*finder->top));
	return fine;
}

/* A number for what stands above: a type, or a kind of holder. */
static uint32_t above_of(const struct hf_analysis *analysis, uint32_t node)
{
	uint32_t above = hf_graph_idom(analysis->graph, node);
	uint32_t types = hf_typing_types(analysis->typing);

	if (above < hf_graph_objects(analysis->graph))
		return hf_typing_of(analysis->typing, above);
	if (above >= hf_graph_root(analysis->graph))
		return types + HF_HOLDER_KINDS +
		       (hf_graph_is_leader(analysis->graph, node) ? 1u : 0u);
	uint32_t index = hf_graph_holder_index(analysis->graph, above);
	return types + analysis->roots.holders.data[index].kind;
}

static const char *above_name(const struct hf_analysis *analysis, struct hf_doc *doc,
			      const struct group *group)
{
	uint32_t types = hf_typing_types(analysis->typing);
	uint32_t above = (uint32_t)(group->key - 1);

	if (above < types)
		return hf_typing_type(analysis->typing, above)->name;
	if (above == types + HF_HOLDER_KINDS)
		return "several roots";
	if (above > types + HF_HOLDER_KINDS)
		return "nobody (lost)";
	uint32_t holder = hf_graph_idom(analysis->graph, group->example);
	return group->count == 1
		   ? hf_node_name(analysis, doc, holder)
		   : hf_doc_printf(doc, "%s and others", hf_node_name(analysis, doc, holder));
}

static int compare_group(const void *a, const void *b)
{
	const struct group *x = a, *y = b;
	if (x->bytes != y->bytes)
		return x->bytes < y->bytes ? 1 : -1;
	return (x->key > y->key) - (x->key < y->key);
}

static void tell_groups(const struct hf_analysis *analysis, struct groups *groups,
			struct hf_doc *doc)
{
	uint64_t whole = hf_graph_retained(analysis->graph, hf_graph_root(analysis->graph));
	struct hf_table *table = NULL;

	if (groups->count)
		qsort(groups->slots, groups->count, sizeof(*groups->slots), compare_group);
	for (uint32_t i = 0; i < groups->count && i < SHOWN; i++) {
		const struct group *group = &groups->slots[i];
		if (!group->key || group->bytes < whole / 1000 * MIN_PERMILLE)
			break;
		if (!table)
			table = hf_doc_table(doc, "unknown", NULL, columns,
					     sizeof(columns) / sizeof(columns[0]));
		hf_doc_row(doc, table, 0);
		hf_doc_cell(
		    doc, table,
		    hf_text(hf_typing_type(analysis->typing, (uint32_t)((group->key - 1) >> 32))
				->name));
		hf_doc_cell(doc, table, hf_text(above_name(analysis, doc, group)));
		hf_doc_cell(doc, table, hf_count(group->count));
		hf_doc_cell(doc, table, hf_bytes(group->bytes));
		hf_doc_cell(doc, table, hf_share(group->bytes, whole));
		hf_doc_cell(doc, table,
			    hf_address(hf_extents_address(analysis->extents, group->example)));
	}
	if (table)
		hf_doc_note(doc, "Name the type of one of them: --type=ADDRESS='struct NAME'; its "
				 "pointers then tell more.");
	else
		hf_doc_note(doc, "No group of objects without a type matters.");
}

static void add_top(const struct finder *finder, uint32_t id, struct part *part)
{
	uint64_t bytes =
	    hf_column_retained(&finder->graph, id) - (finder->less ? finder->less[id] : 0);
	uint64_t type = hf_typing_of(finder->analysis->typing, id);

	if (!bytes)
		return;
	struct group *group =
	    group_of(&part->groups, (type << 32 | above_of(finder->analysis, id)) + 1);
	if (!group) {
		part->failed = true;
		return;
	}
	group->count++;
	group->bytes += bytes;
	if (bytes > group->example_bytes) {
		group->example = id;
		group->example_bytes = bytes;
	}
}

static void find_groups(void *ctx, uint64_t number, unsigned worker)
{
	const struct finder *finder = ctx;
	struct part *part = &finder->parts[number];
	uint32_t end = part_end(finder, number);
	(void)worker;

	for (uint32_t id = (uint32_t)number * PART; id < end && !part->failed; id++) {
		uint32_t later =
		    id + AHEAD < end ? hf_column_idom(&finder->graph, id + AHEAD) : finder->objects;
		if (later < finder->objects)
			hf_typing_prefetch(finder->analysis->typing, later);
		if (is_untyped(finder, id) &&
		    !is_untyped(finder, hf_column_idom(&finder->graph, id)))
			add_top(finder, id, part);
	}
}

static bool join(const struct finder *finder, struct groups *ret)
{
	for (uint64_t i = 0; i < finder->part_count; i++) {
		const struct part *part = &finder->parts[i];
		if (part->failed)
			return false;
		for (uint32_t slot = 0; slot < part->groups.count; slot++) {
			const struct group *from = &part->groups.slots[slot];
			struct group *to = from->key ? group_of(ret, from->key) : NULL;
			if (!to && from->key)
				return false;
			if (!to)
				continue;
			to->count += from->count;
			to->bytes += from->bytes;
			if (from->example_bytes > to->example_bytes) {
				to->example = from->example;
				to->example_bytes = from->example_bytes;
			}
		}
	}
	return true;
}

static bool find(struct finder *finder, struct groups *ret)
{
	unsigned threads = finder->analysis->threads;

	hf_parallel_for(threads, finder->part_count, find_untyped, finder);
	hf_parallel_for(threads, finder->part_count, find_typed, finder);
	if (!find_less(finder))
		return false;
	hf_parallel_for(threads, finder->part_count, find_groups, finder);
	return join(finder, ret);
}

struct hf_error *hf_section_untyped(struct hf_analysis *analysis, struct hf_doc *doc)
{
	uint32_t objects = hf_graph_objects(analysis->graph);
	struct finder finder = {
	    .analysis = analysis, .objects = objects, .part_count = (objects + PART - 1ull) / PART};
	struct groups groups = {0};

	hf_graph_columns(analysis->graph, &finder.graph);
	finder.untyped = calloc(objects / 64 + 1, sizeof(*finder.untyped));
	finder.parts = calloc(finder.part_count + 1, sizeof(*finder.parts));
	bool fine = finder.untyped && finder.parts && find(&finder, &groups);
	for (uint64_t i = 0; finder.parts && i < finder.part_count; i++) {
		hf_vec_free(&finder.parts[i].typed);
		free(finder.parts[i].groups.slots);
	}
	hf_bigmem_free(NULL, finder.less, objects * sizeof(*finder.less));
	free(finder.untyped);
	free(finder.parts);
	if (fine) {
		hf_doc_begin(doc, "untyped", "THE UNKNOWN THAT WOULD EXPLAIN MOST");
		tell_groups(analysis, &groups, doc);
		hf_doc_end(doc);
	}
	free(groups.slots);
	return fine ? NULL : hf_error_nomem();
}
