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
 */
#include <stdlib.h>

#include "core/base/bigmem.h"
#include "heapwalk/views/sections.h"

enum { MAX_GROUPS = 1 << 20, SHOWN = 6, MIN_PERMILLE = 5, AHEAD = 32 };

/* Of an object, in place of the top of its region; ids of objects are less. */
#define UNKNOWN (UINT32_MAX - 1)
#define TYPED	UINT32_MAX

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

static bool is_untyped(const struct hf_analysis *analysis, uint32_t node)
{
	return node < hf_graph_objects(analysis->graph) &&
	       hf_typing_source(analysis->typing, node) == HF_TYPE_SHAPE;
}

/* The top of @object's region, by climbing to one that knows it; those passed know it then. */
static void find_top(const struct hf_graph *graph, uint32_t object, uint32_t *top)
{
	uint32_t objects = hf_graph_objects(graph), at = object, found = UNKNOWN;

	while (found == UNKNOWN) {
		uint32_t above = top[at] == UNKNOWN ? hf_graph_idom(graph, at) : objects;
		if (top[at] != UNKNOWN)
			found = top[at];
		else if (above >= objects || top[above] == TYPED)
			found = at;
		else
			at = above;
	}
	top[found] = found;
	for (at = object; top[at] == UNKNOWN; at = hf_graph_idom(graph, at))
		top[at] = found;
}

/* For each untyped object the top of its region; behind a top, the bytes of the whole region. */
static void find_tops(const struct hf_analysis *analysis, uint32_t *top, uint64_t *behind)
{
	const struct hf_graph *graph = analysis->graph;
	uint32_t objects = hf_graph_objects(graph);

	for (uint32_t id = 0; id < objects; id++)
		top[id] = is_untyped(analysis, id) ? UNKNOWN : TYPED;
	for (uint32_t id = 0; id < objects; id++) {
		uint32_t above = id + AHEAD < objects ? hf_graph_idom(graph, id + AHEAD) : objects;
		if (above < objects)
			__builtin_prefetch(&top[above]);
		if (top[id] == UNKNOWN)
			find_top(graph, id, top);
	}
	for (uint32_t id = 0; id < objects; id++) {
		if (id + AHEAD < objects && top[id + AHEAD] != TYPED)
			__builtin_prefetch(&behind[top[id + AHEAD]], 1);
		if (top[id] != TYPED)
			behind[top[id]] += hf_extents_chunk_bytes(analysis->extents, id);
	}
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

static struct hf_error *find_groups(const struct hf_analysis *analysis, const uint64_t *behind,
				    struct groups *ret)
{
	for (uint32_t id = 0; id < hf_graph_objects(analysis->graph); id++) {
		if (!behind[id])
			continue;
		uint64_t key =
		    ((uint64_t)hf_typing_of(analysis->typing, id) << 32 | above_of(analysis, id)) +
		    1;
		struct group *group = group_of(ret, key);
		if (!group)
			return hf_error_nomem();
		group->count++;
		group->bytes += behind[id];
		if (behind[id] > group->example_bytes) {
			group->example = id;
			group->example_bytes = behind[id];
		}
	}
	return NULL;
}

struct hf_error *hf_section_untyped(struct hf_analysis *analysis, struct hf_doc *doc)
{
	size_t objects = hf_graph_objects(analysis->graph);
	uint32_t *top = hf_bigmem_alloc(NULL, objects * sizeof(*top));
	uint64_t *behind = hf_bigmem_alloc(NULL, objects * sizeof(*behind));
	struct groups groups = {0};
	struct hf_error *err = NULL;

	if (top && behind)
		find_tops(analysis, top, behind);
	hf_bigmem_free(NULL, top, objects * sizeof(*top));
	err = top && behind ? find_groups(analysis, behind, &groups) : hf_error_nomem();
	hf_bigmem_free(NULL, behind, objects * sizeof(*behind));
	if (!err) {
		hf_doc_begin(doc, "untyped", "THE UNKNOWN THAT WOULD EXPLAIN MOST");
		tell_groups(analysis, &groups, doc);
		hf_doc_end(doc);
	}
	free(groups.slots);
	return err;
}
