/*
 * graph_saved.c - the graph into an index and out of it (see graph.h).
 *
 * Saved is also what is otherwise made at the first call: reverse rows, the dominator tree
 * downward, depths and shortest chains. So a mapped graph allocates nothing but its blocks.
 */
#include <stdlib.h>
#include <string.h>

#include "core/base/parallel.h"
#include "heapwalk/graph/graph_private.h"

struct saved_block {
	uint32_t targets, longs;
};

struct saved_graph {
	uint64_t edges, targets, row_ends, in_edges;
	uint32_t objects, holders, blocks, tops;
	uint32_t incomplete, wide; /* wide: graph.sum_high is there */
	struct hf_leak_total totals[HF_LEAK_KINDS];
};

enum { BESIDE, PATHS, IN_ROWS, TREE, PARTS };

struct making {
	struct hf_graph *graph;
	void (*beside)(void *ctx);
	void *ctx;
	struct hf_error *err[PARTS];
};

/* Parts that need nothing of each other. */
static void make_part(void *ctx, uint64_t part, unsigned worker)
{
	struct making *making = ctx;
	struct hf_graph *graph = making->graph;
	const uint32_t *sources;
	uint32_t depth = 0;
	uint64_t edges = 0;
	struct hf_error *err = NULL;
	(void)worker;

	if (part == BESIDE)
		making->beside(making->ctx);
	else if (part == PATHS)
		err = hf_graph_open_paths(graph);
	else if (part == IN_ROWS)
		err = hf_graph_in(graph, 0, &sources, &edges);
	else
		err = hf_graph_open_tree(graph);
	if (!err && part == TREE)
		err = hf_graph_depth(graph, hf_graph_root(graph), &depth);
	making->err[part] = err;
}

struct hf_error *hf_graph_complete(struct hf_graph *graph, void (*beside)(void *ctx), void *ctx)
{
	struct making making = {.graph = graph, .beside = beside, .ctx = ctx};
	struct hf_error *err = NULL;

	hf_parallel_for(graph->options.threads, PARTS, make_part, &making);
	for (unsigned part = 0; part < PARTS; part++) {
		if (!err)
			err = making.err[part];
		else
			hf_error_destroy(making.err[part]);
	}
	return err;
}

static void save_rows(const struct hf_graph *graph, struct hf_stash_writer *writer)
{
	uint64_t holder_targets = graph->holders ? graph->holder_row[graph->holders] : 0;

	hf_stash_begin(writer, "graph.blocks");
	for (uint32_t i = 0; i < graph->block_count; i++) {
		const struct hf_row_block *block = &graph->blocks[i];
		struct saved_block saved = {block->count, block->longs};
		hf_stash_append(writer, &saved, sizeof(saved));
	}
	hf_stash_begin(writer, "graph.targets");
	for (uint32_t i = 0; i < graph->block_count; i++)
		hf_stash_append(writer, graph->blocks[i].targets,
				graph->blocks[i].count * sizeof(uint32_t));
	hf_stash_begin(writer, "graph.rows");
	for (uint32_t i = 0; i < graph->block_count; i++) {
		if (graph->blocks[i].longs)
			hf_stash_append(writer, graph->blocks[i].rows,
					(graph->blocks[i].longs + 1) * sizeof(uint32_t));
	}
	hf_stash_add(writer, "graph.holder_index", graph->holder_index,
		     graph->holders * sizeof(uint32_t));
	hf_stash_add(writer, "graph.holder_row", graph->holder_row,
		     (graph->holders + 1ull) * sizeof(uint64_t));
	hf_stash_add(writer, "graph.holder_targets", graph->holder_targets,
		     holder_targets * sizeof(uint32_t));
}

void hf_graph_save(const struct hf_graph *graph, struct hf_stash_writer *writer)
{
	uint64_t nodes = hf_graph_nodes(graph);

	save_rows(graph, writer);
	hf_stash_add(writer, "graph.link", graph->link, nodes * sizeof(*graph->link));
	hf_stash_add(writer, "graph.sum", graph->sum, nodes * sizeof(*graph->sum));
	if (graph->sum_high)
		hf_stash_add(writer, "graph.sum_high", graph->sum_high,
			     nodes * sizeof(*graph->sum_high));
	hf_stash_add(writer, "graph.kind", graph->kind, graph->objects);
	hf_stash_add(writer, "graph.tops", graph->tops.data, graph->tops.count * sizeof(uint32_t));
}

void hf_graph_save_completed(const struct hf_graph *graph, struct hf_stash_writer *writer)
{
	uint64_t nodes = hf_graph_nodes(graph), objects = graph->objects;
	struct saved_graph saved = {
	    .edges = graph->edges,
	    .objects = graph->objects,
	    .holders = graph->holders,
	    .blocks = graph->block_count,
	    .tops = (uint32_t)graph->tops.count,
	    .incomplete = graph->options.incomplete,
	    .wide = graph->sum_high != NULL,
	};

	memcpy(saved.totals, graph->totals, sizeof(saved.totals));
	saved.in_edges = graph->in_row[objects];
	for (uint32_t i = 0; i < graph->block_count; i++) {
		const struct hf_row_block *block = &graph->blocks[i];
		saved.targets += block->count;
		saved.row_ends += block->longs ? block->longs + 1ull : 0;
	}
	hf_stash_add(writer, "graph", &saved, sizeof(saved));
	hf_stash_add(writer, "graph.in_row", graph->in_row, (objects + 1) * sizeof(uint64_t));
	hf_stash_add(writer, "graph.in_sources", graph->in_sources,
		     saved.in_edges * sizeof(uint32_t));
	hf_stash_add(writer, "graph.first", graph->child_first, nodes * sizeof(uint32_t));
	hf_stash_add(writer, "graph.next", graph->child_next, nodes * sizeof(uint32_t));
	hf_stash_add(writer, "graph.depth", graph->depth, nodes * sizeof(uint32_t));
	hf_stash_add(writer, "graph.path", graph->path_parent, objects * sizeof(uint32_t));
}

/* Point @field at section @name; false if it has not @count elements. */
#define take(stash, name, field, count)                                                            \
	(((field) = (__typeof__(field))hf_stash_array((stash), (name), (count),                    \
						      sizeof(*(field)))) != NULL)

static bool load_rows(struct hf_graph *graph, const struct hf_stash *stash,
		      const struct saved_graph *saved)
{
	const struct saved_block *blocks;
	const uint32_t *targets, *rows;
	uint64_t target = 0, row = 0;

	graph->blocks = calloc(saved->blocks ? saved->blocks : 1, sizeof(*graph->blocks));
	if (!graph->blocks || !take(stash, "graph.blocks", blocks, saved->blocks) ||
	    !take(stash, "graph.targets", targets, saved->targets) ||
	    !take(stash, "graph.rows", rows, saved->row_ends))
		return false;
	graph->block_count = saved->blocks;
	for (uint32_t i = 0; i < saved->blocks; i++) {
		struct hf_row_block *block = &graph->blocks[i];
		block->targets = (uint32_t *)targets + target;
		block->count = block->capacity = blocks[i].targets;
		block->rows = (uint32_t *)rows + row;
		block->longs = blocks[i].longs;
		block->rows_capacity = block->longs ? block->longs + 1 : 0;
		target += block->count;
		row += block->rows_capacity;
	}
	return target == saved->targets && row == saved->row_ends &&
	       take(stash, "graph.holder_index", graph->holder_index, saved->holders) &&
	       take(stash, "graph.holder_row", graph->holder_row, saved->holders + 1ull) &&
	       take(stash, "graph.holder_targets", graph->holder_targets,
		    graph->holder_row[saved->holders]);
}

static bool load(struct hf_graph *graph, const struct hf_stash *stash)
{
	const struct saved_graph *saved = hf_stash_array(stash, "graph", 1, sizeof(*saved));

	if (!saved || saved->objects != graph->objects || !saved->objects ||
	    saved->blocks != (saved->objects - 1) / HF_ROW_BLOCK + 1 ||
	    saved->holders > UINT32_MAX - 1 - saved->objects)
		return false;
	graph->edges = saved->edges;
	graph->holders = saved->holders;
	graph->options.incomplete = saved->incomplete;
	memcpy(graph->totals, saved->totals, sizeof(saved->totals));
	graph->tops.count = graph->tops.capacity = saved->tops;
	uint64_t nodes = hf_graph_nodes(graph), objects = graph->objects;
	return load_rows(graph, stash, saved) && take(stash, "graph.link", graph->link, nodes) &&
	       take(stash, "graph.sum", graph->sum, nodes) &&
	       (!saved->wide || take(stash, "graph.sum_high", graph->sum_high, nodes)) &&
	       take(stash, "graph.kind", graph->kind, objects) &&
	       take(stash, "graph.tops", graph->tops.data, saved->tops) &&
	       take(stash, "graph.in_row", graph->in_row, objects + 1) &&
	       take(stash, "graph.in_sources", graph->in_sources, saved->in_edges) &&
	       take(stash, "graph.first", graph->child_first, nodes) &&
	       take(stash, "graph.next", graph->child_next, nodes) &&
	       take(stash, "graph.depth", graph->depth, nodes) &&
	       take(stash, "graph.path", graph->path_parent, objects);
}

struct hf_error *hf_graph_load(const struct hf_stash *stash, const struct hf_image *image,
			       const struct hf_extents *extents, const struct hf_roots *roots,
			       const struct hf_graph_options *options, struct hf_graph **ret)
{
	struct hf_graph *graph = hf_graph_new(image, extents, roots, options);

	if (!graph)
		return hf_error_nomem();
	graph->mapped = true;
	if (!hf_graph_find_items(graph)) {
		hf_graph_destroy(graph);
		return hf_error_nomem();
	}
	if (!load(graph, stash)) {
		hf_graph_destroy(graph);
		graph = NULL;
	}
	*ret = graph;
	return NULL;
}
