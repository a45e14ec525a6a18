/*
 * suspects.c - leak suspects in the manner of Eclipse MAT: what alone, or together with its
 * like, keeps more than a tenth of the heap, and where in it the memory piles up.
 *
 * Algorithm (MAT's FindLeaksQuery): T = 10 % of the heap. Single suspects: children of the super
 * root that retain more than T. Group suspects: the other children, grouped by type, that
 * together do. Accumulation point: from the suspect go to the biggest child while it has at
 * least 0.7 of its parent; where that ends, the memory piles up (deeper than 1,000: none).
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

uint32_t hf_accumulation_point(const struct hf_graph *graph, uint32_t node)
{
	for (unsigned depth = 0; depth < MAX_DEPTH; depth++) {
		uint32_t child = biggest_child(graph, node);
		if (child == HF_NO_NODE || hf_graph_retained(graph, child) * 100 <
					       hf_graph_retained(graph, node) * BIG_CHILD_PERCENT)
			return node;
		node = child;
	}
	return HF_NO_NODE;
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
	uint32_t point = hf_accumulation_point(analysis->graph, suspect->node);
	bool object = point < hf_graph_objects(analysis->graph);
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
	hf_doc_cell(doc, table,
		    point == HF_NO_NODE	     ? hf_text("a chain too deep to tell")
		    : point == suspect->node ? hf_text("itself")
					     : hf_text(hf_node_name(analysis, doc, point)));
	hf_doc_cell(doc, table,
		    object ? hf_address(hf_extents_address(analysis->extents, point)) : hf_none());
	hf_doc_cell(doc, table,
		    point == HF_NO_NODE ? hf_none()
					: hf_bytes(hf_graph_retained(analysis->graph, point)));
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
