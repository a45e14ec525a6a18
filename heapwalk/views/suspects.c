/*
 * suspects.c - leak suspects in the manner of Eclipse MAT: what alone, or together with its
 * like, keeps more than a tenth of the heap, and where in it the memory piles up.
 *
 * Algorithm (MAT's FindLeaksQuery): T = 10 % of the heap. Single suspects: children of the super
 * root that retain more than T. Group suspects: the other children, grouped by type, that
 * together do. Accumulation point: from the suspect go to the biggest child while it has at
 * least 0.7 of its parent; where that ends, the memory piles up. A path over 1,000 deep is a chain,
 * most often a linked list: then it piles up in the chain, which its first object tells.
 */
#include <stdlib.h>

#include "heapwalk/views/sections.h"
#include "heapwalk/views/suspects.h"

enum { BIG_CHILD_PERCENT = 70, MAX_DEPTH = 1000, MAX_SUSPECTS = 10 };

static const struct hf_column columns[] = {
    {"suspect", "suspect", HF_COLUMN_ELASTIC},
    {"retained_bytes", "retained", 0},
    {"share", "share", 0},
    {"count", "count", HF_COLUMN_OPTIONAL},
    {"accumulation", "piles up in", HF_COLUMN_ELASTIC},
    {"accumulation_address", NULL, HF_COLUMN_JSON_ONLY},
    {"accumulation_bytes", "bytes there", HF_COLUMN_OPTIONAL},
};

static uint32_t biggest_child(const struct hf_graph *graph, uint32_t node)
{
	uint32_t best = HF_NO_NODE;
	for (uint32_t child = hf_graph_first_child(graph, node); child != HF_NO_NODE;
	     child = hf_graph_next_sibling(graph, child)) {
		if (best == HF_NO_NODE ||
		    hf_graph_retained(graph, child) > hf_graph_retained(graph, best))
			best = child;
	}
	return best;
}

/* Where memory piles up: in and below @node, or in a chain that begins there. */
struct pile {
	uint32_t node;
	uint32_t chain; /* at least as many objects follow each other; 0: no chain */
	bool of_one_type;
};

/* Wants an open tree. */
static struct pile pile_below(const struct hf_analysis *analysis, uint32_t node)
{
	const struct hf_graph *graph = analysis->graph;
	const struct hf_typing *typing = analysis->typing;
	struct pile all = {HF_NO_NODE, 0, false}, run = {HF_NO_NODE, 0, true};

	for (unsigned depth = 0; depth < MAX_DEPTH; depth++) {
		uint32_t child = biggest_child(graph, node);
		if (child == HF_NO_NODE || hf_graph_retained(graph, child) * 100 <
					       hf_graph_retained(graph, node) * BIG_CHILD_PERCENT)
			return (struct pile){node, 0, false};
		if (all.node == HF_NO_NODE)
			all.node = child;
		if (run.node == HF_NO_NODE ||
		    hf_typing_of(typing, child) != hf_typing_of(typing, node))
			run = (struct pile){child, 0, true};
		all.chain++;
		run.chain++;
		node = child;
	}
	return run.chain > MAX_DEPTH / 2 ? run : all;
}

static const char *pile_name(const struct hf_analysis *analysis, struct hf_doc *doc,
			     const struct pile *pile)
{
	const struct hf_typing *typing = analysis->typing;

	if (!pile->chain)
		return hf_node_name(analysis, doc, pile->node);
	return hf_doc_printf(doc, "over %s x %s in a chain from 0x%lx",
			     hf_doc_count_text(doc, pile->chain / 100 * 100),
			     pile->of_one_type
				 ? hf_typing_type(typing, hf_typing_of(typing, pile->node))->name
				 : "objects",
			     (unsigned long)hf_extents_address(analysis->extents, pile->node));
}

static int by_retained(const void *a, const void *b)
{
	const struct hf_suspect *x = a, *y = b;
	return x->retained < y->retained ? 1 : x->retained > y->retained ? -1 : 0;
}

static struct hf_error *suspects_of(struct hf_analysis *analysis, const struct hf_tops *tops,
				    struct hf_suspects *ret)
{
	const struct hf_graph *graph = analysis->graph;
	uint64_t limit = hf_graph_retained(graph, hf_graph_root(graph)) / 100 * HF_TOPS_BIG_PERCENT;
	bool fine = true;

	for (size_t i = 0; i < tops->big.count && fine; i++) {
		uint32_t node = tops->big.data[i];
		fine =
		    hf_vec_push(ret, (struct hf_suspect){node, 1, hf_graph_retained(graph, node)});
	}
	for (uint32_t type = 0; type < hf_typing_types(analysis->typing) && fine; type++) {
		const struct hf_top_group *group = &tops->small[type];
		if (group->retained > limit)
			fine = hf_vec_push(ret, (struct hf_suspect){group->example, group->count,
								    group->retained});
	}
	if (fine && ret->count > 1)
		qsort(ret->data, ret->count, sizeof(*ret->data), by_retained);
	return fine ? hf_graph_open_tree(analysis->graph) : hf_error_nomem();
}

struct hf_error *hf_suspects_find(struct hf_analysis *analysis, struct hf_suspects *ret)
{
	struct hf_tops tops = {0};
	struct hf_error *err = hf_tops_find(analysis, &tops);

	if (!err)
		err = suspects_of(analysis, &tops, ret);
	hf_tops_deinit(&tops);
	return err;
}

static void add_row(const struct hf_analysis *analysis, struct hf_doc *doc, struct hf_table *table,
		    const struct hf_suspect *suspect)
{
	uint64_t whole = hf_graph_retained(analysis->graph, hf_graph_root(analysis->graph));
	struct pile pile = pile_below(analysis, suspect->node);
	bool object = pile.node < hf_graph_objects(analysis->graph);
	const char *name = hf_node_name(analysis, doc, suspect->node);

	if (suspect->count > 1)
		name = hf_doc_printf(
		    doc, "%s x %s, the biggest at 0x%lx", hf_doc_count_text(doc, suspect->count),
		    hf_typing_type(analysis->typing, hf_typing_of(analysis->typing, suspect->node))
			->name,
		    (unsigned long)hf_extents_address(analysis->extents, suspect->node));
	hf_doc_row(doc, table, 0);
	hf_doc_cell(doc, table, hf_text(name));
	hf_doc_cell(doc, table, hf_bytes(suspect->retained));
	hf_doc_cell(doc, table, hf_share(suspect->retained, whole));
	hf_doc_cell(doc, table, hf_count(suspect->count));
	hf_doc_cell(
	    doc, table,
	    hf_text(pile.node == suspect->node ? "itself" : pile_name(analysis, doc, &pile)));
	hf_doc_cell(doc, table,
		    object ? hf_address(hf_extents_address(analysis->extents, pile.node))
			   : hf_none());
	hf_doc_cell(doc, table, hf_bytes(hf_graph_retained(analysis->graph, pile.node)));
}

struct hf_error *hf_section_suspects(struct hf_analysis *analysis, const struct hf_tops *tops,
				     struct hf_doc *doc)
{
	struct hf_suspects suspects = {0};
	struct hf_error *err = suspects_of(analysis, tops, &suspects);

	if (!err && suspects.count) {
		hf_doc_begin(doc, "suspects", "SUSPECTS (each keeps over a tenth of the heap)");
		struct hf_table *table = hf_doc_table(doc, "suspects", NULL, columns,
						      sizeof(columns) / sizeof(columns[0]));
		for (size_t i = 0; i < suspects.count && i < MAX_SUSPECTS; i++)
			add_row(analysis, doc, table, &suspects.data[i]);
		hf_doc_end(doc);
	}
	free(suspects.data);
	return err;
}
