/*
 * by.c - sums instead of a tree: what each type, each holder, each module keeps alive.
 *
 * By type: as retained_by_type.c counts.
 *
 * By holder and by module: each object belongs to the child of the super root that dominates
 * it. If that is a holder it is the holder's alone; if it is an object that several holders
 * share, it goes to the strongest of them, told apart in a column of its own. Holders of the
 * same variable in several threads and frames make one line. What is lost is a line, too.
 */
#include <stdlib.h>
#include <string.h>

#include "core/base/demangle.h"
#include "core/base/cleanup.h"
#include "heapwalk/views/sections.h"

enum { DEFAULT_TOP = 25 };

struct sum {
	const char *name; /* the document's */
	const char *kind;
	uint64_t count, alone, shared, objects;
};

HF_VEC(sums, struct sum);

static const struct hf_column type_columns[] = {
    {"type", "type or shape", HF_COLUMN_ELASTIC},
    {"retained_bytes", "retained", 0},
    {"share", "share", 0},
    {"count", "objects", 0},
    {"shallow_bytes", "own bytes", HF_COLUMN_OPTIONAL},
};

static const struct hf_column owner_columns[] = {
    {"owner", "held by", HF_COLUMN_ELASTIC},
    {"kind", "kind", HF_COLUMN_OPTIONAL},
    {"retained_bytes", "alone", 0},
    {"shared_bytes", "with others", 0},
    {"share", "share", 0},
    {"objects", "objects", HF_COLUMN_OPTIONAL},
    {"count", "roots", HF_COLUMN_OPTIONAL},
};

/* ---- by type --------------------------------------------------------------------------------- */

struct type_line {
	uint32_t type;
	uint64_t retained;
};

static int compare_line(const void *a, const void *b)
{
	const struct type_line *x = a, *y = b;
	if (x->retained != y->retained)
		return x->retained < y->retained ? 1 : -1;
	return (x->type > y->type) - (x->type < y->type);
}

static struct hf_error *by_type(struct hf_analysis *analysis, const struct hf_view_options *options,
				struct hf_doc *doc)
{
	uint32_t types = hf_typing_types(analysis->typing);
	uint64_t whole = hf_graph_retained(analysis->graph, hf_graph_root(analysis->graph));
	uint64_t top = options->all ? UINT64_MAX : options->top ? options->top : DEFAULT_TOP;
	HF_AUTO(free_ptr) uint64_t *retained = calloc((size_t)types + 1, sizeof(*retained));
	HF_AUTO(free_ptr) struct type_line *lines = calloc((size_t)types + 1, sizeof(*lines));
	HF_AUTO(free_ptr) uint32_t *all = calloc((size_t)types + 1, sizeof(*all));

	for (uint32_t i = 0; all && i < types; i++)
		all[i] = i;
	struct hf_error *err = retained && lines && all
				   ? hf_retained_by_type(analysis, all, types, retained)
				   : hf_error_nomem();
	if (err)
		return err;
	for (uint32_t i = 0; i < types; i++)
		lines[i] = (struct type_line){i, retained[i]};
	qsort(lines, types, sizeof(*lines), compare_line);
	hf_doc_begin(doc, "dominators", "RETAINED BY TYPE");
	struct hf_table *table = hf_doc_table(doc, "types", NULL, type_columns,
					      sizeof(type_columns) / sizeof(type_columns[0]));
	for (uint32_t i = 0; i < types && i < top; i++) {
		const struct hf_type *type = hf_typing_type(analysis->typing, lines[i].type);
		if (type->count == 0 || lines[i].retained < options->min_bytes)
			continue;
		hf_doc_row(doc, table, 0);
		hf_doc_cell(doc, table, hf_text(type->name));
		hf_doc_cell(doc, table, hf_bytes(lines[i].retained));
		hf_doc_cell(doc, table, hf_share(lines[i].retained, whole));
		hf_doc_cell(doc, table, hf_count(type->count));
		hf_doc_cell(doc, table, hf_bytes(type->bytes));
	}
	hf_doc_end(doc);
	return NULL;
}

/* ---- by holder, by module -------------------------------------------------------------------- */

static const struct hf_holder *holder_of(const struct hf_analysis *analysis, uint32_t node)
{
	return &analysis->roots.holders.data[hf_graph_holder_index(analysis->graph, node)];
}

/* The strongest holder that points at each shared top: one pass over what the holders hold. */
static struct hf_error *strongest_holders(const struct hf_analysis *analysis, uint32_t **ret)
{
	const struct hf_graph *graph = analysis->graph;
	uint32_t objects = hf_graph_objects(graph);
	uint32_t *strongest = malloc(((size_t)objects + 1) * sizeof(*strongest));

	if (!strongest)
		return hf_error_nomem();
	memset(strongest, 0xff, ((size_t)objects + 1) * sizeof(*strongest));
	for (uint32_t i = 0; i < hf_graph_holders(graph); i++) {
		const uint32_t *targets;
		uint64_t count = hf_graph_out(graph, objects + i, &targets);
		for (uint64_t e = 0; e < count; e++) {
			uint32_t *best = &strongest[HF_EDGE_NODE(targets[e])];
			if (*best == HF_NO_NODE || holder_of(analysis, objects + i)->kind <
						       holder_of(analysis, *best)->kind)
				*best = objects + i;
		}
	}
	*ret = strongest;
	return NULL;
}

static const char *module_name(const struct hf_analysis *analysis, const struct hf_holder *holder)
{
	if (holder->module < analysis->process->modules.count)
		return analysis->process->modules.data[holder->module].name;
	return holder->kind == HF_HOLDER_MAPPING ? "other mappings" : "stacks and registers";
}

/* What makes holders one line: the variable, not the thread or the depth of a recursion. */
static const char *owner_name(const struct hf_analysis *analysis, struct hf_doc *doc, uint32_t node)
{
	const struct hf_holder *holder = holder_of(analysis, node);

	switch ((enum hf_holder_kind)holder->kind) {
	case HF_HOLDER_FRAME:
		return hf_doc_printf(doc, "%s%s%s%s", holder->name ? holder->name : "??",
				     holder->name ? hf_call_brackets(holder->name) : "",
				     holder->local ? ": local " : "",
				     holder->local ? holder->local : "");
	case HF_HOLDER_TLS:
		return hf_doc_printf(doc, "TLS %s", holder->name);
	case HF_HOLDER_REGISTER:
		return "registers";
	case HF_HOLDER_STACK:
		return "stacks, outside of known frames";
	default:
		return hf_node_name(analysis, doc, node);
	}
}

struct owners {
	const struct hf_analysis *analysis;
	struct hf_doc *doc;
	struct sums sums;
	uint32_t *slots; /* open addressing by the name's hash; index + 1 */
	uint32_t slot_count;
	bool modules;
};

static uint32_t hash_text(const char *text)
{
	uint32_t hash = 2166136261u;
	for (; *text; text++)
		hash = (hash ^ (uint8_t)*text) * 16777619u;
	return hash ^ hash >> 15;
}

static bool grow_owners(struct owners *owners)
{
	uint32_t count = owners->slot_count ? owners->slot_count * 2 : 256;
	uint32_t *slots = calloc(count, sizeof(*slots));

	if (!slots)
		return false;
	for (size_t i = 0; i < owners->sums.count; i++) {
		uint32_t at = hash_text(owners->sums.data[i].name) & (count - 1);
		while (slots[at])
			at = (at + 1) & (count - 1);
		slots[at] = (uint32_t)i + 1;
	}
	free(owners->slots);
	owners->slots = slots;
	owners->slot_count = count;
	return true;
}

static struct sum *sum_of(struct owners *owners, const char *name, const char *kind)
{
	if (!name || (owners->sums.count * 2 >= owners->slot_count && !grow_owners(owners)))
		return NULL;
	uint32_t at = hash_text(name) & (owners->slot_count - 1);
	for (; owners->slots[at]; at = (at + 1) & (owners->slot_count - 1)) {
		struct sum *sum = &owners->sums.data[owners->slots[at] - 1];
		if (!strcmp(sum->name, name))
			return sum;
	}
	struct sum made = {.name = name, .kind = kind};
	if (!hf_vec_push(&owners->sums, made))
		return NULL;
	owners->slots[at] = (uint32_t)owners->sums.count;
	return &owners->sums.data[owners->sums.count - 1];
}

static struct sum *sum_of_holder(struct owners *owners, uint32_t node)
{
	const struct hf_holder *holder = holder_of(owners->analysis, node);
	if (owners->modules)
		return sum_of(owners, module_name(owners->analysis, holder), NULL);
	return sum_of(owners, owner_name(owners->analysis, owners->doc, node),
		      hf_holder_kind_name(holder->kind));
}

static bool add_top(struct owners *owners, uint32_t node, const uint32_t *strongest)
{
	const struct hf_graph *graph = owners->analysis->graph;
	bool object = node < hf_graph_objects(graph);
	uint64_t bytes = hf_graph_retained(graph, node);
	struct sum *sum;

	if (!object)
		sum = sum_of_holder(owners, node);
	else if (hf_graph_is_leader(graph, node))
		sum = sum_of(owners, "nobody: lost", "lost");
	else if (strongest[node] != HF_NO_NODE)
		sum = sum_of_holder(owners, strongest[node]);
	else
		sum = sum_of(owners, "several paths, by no holder directly", "shared");
	if (!sum)
		return false;
	*(object && !hf_graph_is_leader(graph, node) ? &sum->shared : &sum->alone) += bytes;
	sum->objects += hf_graph_retained_objects(graph, node);
	sum->count += !object;
	return true;
}

static int compare_sum(const void *a, const void *b)
{
	const struct sum *x = a, *y = b;
	uint64_t p = x->alone + x->shared, q = y->alone + y->shared;
	if (p != q)
		return p < q ? 1 : -1;
	return strcmp(x->name, y->name);
}

static void tell_owners(struct owners *owners, const struct hf_view_options *options)
{
	struct hf_doc *doc = owners->doc;
	const struct hf_graph *graph = owners->analysis->graph;
	uint64_t whole = hf_graph_retained(graph, hf_graph_root(graph));
	uint64_t top = options->all ? UINT64_MAX : options->top ? options->top : DEFAULT_TOP;
	struct hf_table *table = hf_doc_table(doc, "owners", NULL, owner_columns,
					      sizeof(owner_columns) / sizeof(owner_columns[0]));

	if (owners->sums.count)
		qsort(owners->sums.data, owners->sums.count, sizeof(*owners->sums.data),
		      compare_sum);
	for (size_t i = 0; i < owners->sums.count && i < top; i++) {
		const struct sum *sum = &owners->sums.data[i];
		if (sum->alone + sum->shared < options->min_bytes)
			break;
		hf_doc_row(doc, table, 0);
		hf_doc_cell(doc, table, hf_text(sum->name));
		hf_doc_cell(doc, table, hf_text(sum->kind));
		hf_doc_cell(doc, table, hf_bytes(sum->alone));
		hf_doc_cell(doc, table, hf_bytes(sum->shared));
		hf_doc_cell(doc, table, hf_share(sum->alone + sum->shared, whole));
		hf_doc_cell(doc, table, hf_count(sum->objects));
		hf_doc_cell(doc, table, hf_count(sum->count));
	}
}

static struct hf_error *by_owner(struct hf_analysis *analysis,
				 const struct hf_view_options *options, struct hf_doc *doc,
				 bool modules)
{
	const struct hf_graph *graph = analysis->graph;
	struct owners owners = {.analysis = analysis, .doc = doc, .modules = modules};
	HF_AUTO(free_ptr) uint32_t *strongest = NULL;
	struct hf_error *err = hf_graph_open_tree(analysis->graph);

	if (!err)
		err = strongest_holders(analysis, &strongest);
	for (uint32_t node = err ? HF_NO_NODE : hf_graph_first_child(graph, hf_graph_root(graph));
	     node != HF_NO_NODE && !err; node = hf_graph_next_sibling(graph, node)) {
		if (!add_top(&owners, node, strongest))
			err = hf_error_nomem();
	}
	if (!err) {
		hf_doc_begin(doc, "dominators",
			     modules ? "RETAINED BY MODULE" : "RETAINED BY HOLDER");
		tell_owners(&owners, options);
		hf_doc_end(doc);
	}
	free(owners.sums.data);
	free(owners.slots);
	return err;
}

struct hf_error *hf_view_by(struct hf_analysis *analysis, const struct hf_view_options *options,
			    struct hf_doc *doc)
{
	if (!strcmp(options->by, "type"))
		return by_type(analysis, options, doc);
	return by_owner(analysis, options, doc, !strcmp(options->by, "module"));
}
