/*
 * chains.c - a trie of (parent, label) over the dominator tree (see chains.h).
 *
 * One walk of the dominator tree without recursion: a node's link is found from its
 * dominator's link and its own label. The table from (link, label) to link also remembers
 * folds, so that the chain is searched upward only once for each pair. Then totals by one
 * sweep backward: a parent's index is always lower than its children's.
 */
#include "heapwalk/views/chains.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/bigmem.h"
#include "core/base/strpool.h"

enum { PROGRESS_STEP = 1 << 20, FIRST_SLOTS = 1 << 12 };

enum { CATEGORY_LOST = HF_HOLDER_KINDS, CATEGORY_SHARED, CATEGORIES };

/* What people call the kinds of roots. */
static const char *const category_names[CATEGORIES] = {
    [HF_HOLDER_VARIABLE] = "variables",		 [HF_HOLDER_SECTION] = "unnamed module data",
    [HF_HOLDER_TLS] = "thread-local storage",	 [HF_HOLDER_FRAME] = "stack frames",
    [HF_HOLDER_REGISTER] = "registers",		 [HF_HOLDER_STACK] = "stacks outside frames",
    [HF_HOLDER_MAPPING] = "other mappings",	 [CATEGORY_LOST] = "lost: nothing points here",
    [CATEGORY_SHARED] = "held by several roots",
};

struct slot {
	uint64_t key; /* parent << 32 | label, plus 1; 0: free */
	uint32_t link;
};

struct builder {
	struct hf_analysis *analysis;
	const struct hf_graph *graph;
	struct hf_chains *chains;
	struct slot *slots;
	uint64_t slot_count, used;
	uint32_t *link_of; /* nodes */
	uint32_t types;	   /* labels 0 .. types-1 are the types */
	uint32_t categories[CATEGORIES];
	uint32_t *holder_label; /* holders */
	bool failed;
};

static uint64_t mix(uint64_t key)
{
	key *= UINT64_C(0x9e3779b97f4a7c15);
	return key ^ key >> 29;
}

static bool grow(struct builder *builder)
{
	uint64_t count = builder->slot_count ? builder->slot_count * 2 : FIRST_SLOTS;
	struct slot *slots = calloc(count, sizeof(*slots));

	if (!slots)
		return false;
	for (uint64_t i = 0; i < builder->slot_count; i++) {
		if (!builder->slots[i].key)
			continue;
		uint64_t at = mix(builder->slots[i].key) & (count - 1);
		while (slots[at].key)
			at = (at + 1) & (count - 1);
		slots[at] = builder->slots[i];
	}
	free(builder->slots);
	builder->slots = slots;
	builder->slot_count = count;
	return true;
}

/* The link of @label below @parent: there already, folded onto one above, or new. */
static uint32_t link_below(struct builder *builder, uint32_t parent, uint32_t label)
{
	struct hf_chains *chains = builder->chains;
	uint64_t key = ((uint64_t)parent << 32 | label) + 1;

	if (builder->used * 2 >= builder->slot_count && !grow(builder))
		goto nomem;
	uint64_t at = mix(key) & (builder->slot_count - 1);
	while (builder->slots[at].key && builder->slots[at].key != key)
		at = (at + 1) & (builder->slot_count - 1);
	if (builder->slots[at].key)
		return builder->slots[at].link;
	uint32_t link = parent;
	while (link != HF_NO_NODE && chains->chains.data[link].label != label)
		link = chains->chains.data[link].parent;
	if (link == HF_NO_NODE) {
		struct hf_chain chain = {.parent = parent,
					 .label = label,
					 .depth = chains->chains.data[parent].depth + 1};
		if (!hf_vec_push(&chains->chains, chain))
			goto nomem;
		link = (uint32_t)chains->chains.count - 1;
	}
	builder->slots[at] = (struct slot){key, link};
	builder->used++;
	return link;
nomem:
	builder->failed = true;
	return parent;
}

static uint32_t add_label(struct builder *builder, struct hf_chain_label label)
{
	label.name = label.name ? hf_strpool_dup(builder->chains->priv, label.name) : NULL;
	if (!label.name || !hf_vec_push(&builder->chains->labels, label))
		builder->failed = true;
	return (uint32_t)builder->chains->labels.count - 1;
}

/* ---- labels ---------------------------------------------------------------------------------- */

struct named_holder {
	char *name;
	uint32_t holder;
};

static int by_name(const void *a, const void *b)
{
	const struct named_holder *x = a, *y = b;
	int order = strcmp(x->name, y->name);
	return order ? order : (x->holder > y->holder) - (x->holder < y->holder);
}

static void locate(const struct hf_process *process, const struct hf_holder *holder,
		   struct hf_chain_label *label)
{
	label->file = holder->file;
	label->line = holder->line;
	if (holder->kind != HF_HOLDER_FRAME || holder->thread >= process->threads.count)
		return;
	const struct hf_thread *thread = &process->threads.data[holder->thread];
	if (holder->frame < thread->frames.count) {
		label->file = thread->frames.data[holder->frame].file;
		label->line = thread->frames.data[holder->frame].line;
	}
}

/* Holders of the same name share a label: sort them by name. */
static void label_holders(struct builder *builder)
{
	uint32_t first = hf_graph_objects(builder->graph);
	uint32_t count = hf_graph_holders(builder->graph);
	const struct hf_process *process = builder->analysis->process;
	struct named_holder *named = calloc((size_t)count + 1, sizeof(*named));
	uint32_t label = HF_NO_NODE;

	builder->holder_label = calloc((size_t)count + 1, sizeof(*builder->holder_label));
	if (!named || !builder->holder_label)
		builder->failed = true;
	for (uint32_t i = 0; i < count && !builder->failed; i++) {
		named[i] =
		    (struct named_holder){hf_analysis_describe(builder->analysis, first + i), i};
		builder->failed = !named[i].name;
	}
	if (!builder->failed && count)
		qsort(named, count, sizeof(*named), by_name);
	for (uint32_t i = 0; i < count && !builder->failed; i++) {
		if (i == 0 || strcmp(named[i].name, named[i - 1].name)) {
			struct hf_chain_label new_label = {.name = named[i].name};
			uint32_t index =
			    hf_graph_holder_index(builder->graph, first + named[i].holder);
			locate(process, &builder->analysis->roots.holders.data[index], &new_label);
			label = add_label(builder, new_label);
		}
		builder->holder_label[named[i].holder] = label;
	}
	for (uint32_t i = 0; named && i < count; i++)
		free(named[i].name);
	free(named);
}

static void make_labels(struct builder *builder)
{
	builder->types = hf_typing_types(builder->analysis->typing);
	for (uint32_t i = 0; i < builder->types && !builder->failed; i++)
		add_label(builder, (struct hf_chain_label){
				       .name = hf_typing_type(builder->analysis->typing, i)->name,
				       .object = true});
	for (unsigned i = 0; i < CATEGORIES; i++)
		builder->categories[i] =
		    add_label(builder, (struct hf_chain_label){.name = category_names[i]});
	if (!builder->failed)
		label_holders(builder);
}

/* ---- the walk -------------------------------------------------------------------------------- */

static uint32_t link_of(struct builder *builder, uint32_t node, uint32_t above)
{
	uint32_t objects = hf_graph_objects(builder->graph);
	uint32_t parent = builder->link_of[above];

	if (above == hf_graph_root(builder->graph)) {
		unsigned category = CATEGORY_SHARED;
		if (node >= objects)
			category = builder->analysis->roots.holders
				       .data[hf_graph_holder_index(builder->graph, node)]
				       .kind;
		else if (hf_graph_leak_kind(builder->graph, node) == HF_DEFINITE ||
			 hf_graph_leak_kind(builder->graph, node) == HF_INDIRECT)
			category = CATEGORY_LOST;
		parent = link_below(builder, parent, builder->categories[category]);
	}
	uint32_t label = node < objects ? hf_typing_of(builder->analysis->typing, node)
					: builder->holder_label[node - objects];
	return link_below(builder, parent, label);
}

static void count_node(struct builder *builder, uint32_t node, uint32_t above)
{
	uint32_t link = link_of(builder, node, above);
	struct hf_chain *chain = &builder->chains->chains.data[link];

	builder->link_of[node] = link;
	if (node >= hf_graph_objects(builder->graph))
		return;
	builder->chains->folded += link <= builder->link_of[above];
	chain->own_objects++;
	chain->own_bytes += hf_extents_chunk_bytes(builder->analysis->extents, node);
}

static void walk(struct builder *builder, const struct hf_progress *progress)
{
	const struct hf_graph *graph = builder->graph;
	uint32_t root = hf_graph_root(graph), at = root;
	uint64_t done = 0;
	bool down = true;

	while (!builder->failed) {
		uint32_t next = down ? hf_graph_first_child(graph, at) : HF_NO_NODE;
		uint32_t above = at;
		if (next == HF_NO_NODE && at == root)
			return;
		if (next == HF_NO_NODE) {
			next = hf_graph_next_sibling(graph, at);
			above = hf_graph_idom(graph, at);
		}
		down = next != HF_NO_NODE;
		at = down ? next : above;
		if (!down)
			continue;
		if (done++ % PROGRESS_STEP == 0)
			hf_progress_report(progress, "adding up chains", done, root);
		count_node(builder, at, above);
	}
}

static void add_up(struct hf_chains *chains)
{
	for (size_t i = chains->chains.count; i-- > 0;) {
		struct hf_chain *chain = &chains->chains.data[i];
		chain->total_objects += chain->own_objects;
		chain->total_bytes += chain->own_bytes;
		if (chain->parent == HF_NO_NODE)
			continue;
		chains->chains.data[chain->parent].total_objects += chain->total_objects;
		chains->chains.data[chain->parent].total_bytes += chain->total_bytes;
	}
}

struct hf_error *hf_chains_create(struct hf_analysis *analysis, const struct hf_progress *progress,
				  struct hf_chains *ret)
{
	struct hf_chains chains = {0};
	struct hf_strpool *strings = NULL;
	struct builder builder = {
	    .analysis = analysis, .graph = analysis->graph, .chains = &chains};
	uint64_t nodes = (uint64_t)hf_graph_root(analysis->graph) + 1;
	struct hf_chain all = {.parent = HF_NO_NODE, .label = HF_NO_NODE};
	struct hf_error *err = hf_graph_open_tree(analysis->graph);

	if (!err)
		err = hf_strpool_create(&strings);
	if (err)
		return err;
	chains.priv = strings;
	builder.link_of = hf_bigmem_alloc(NULL, nodes * sizeof(*builder.link_of));
	builder.failed = !builder.link_of || !hf_vec_push(&chains.chains, all);
	if (!builder.failed)
		make_labels(&builder);
	if (!builder.failed)
		walk(&builder, progress);
	hf_bigmem_free(NULL, builder.link_of, nodes * sizeof(*builder.link_of));
	free(builder.holder_label);
	free(builder.slots);
	if (builder.failed) {
		hf_chains_deinit(&chains);
		return hf_error_nomem();
	}
	add_up(&chains);
	*ret = chains;
	return NULL;
}

void hf_chains_deinit(struct hf_chains *chains)
{
	hf_vec_free(&chains->labels);
	hf_vec_free(&chains->chains);
	hf_strpool_destroy(chains->priv);
	chains->priv = NULL;
}
