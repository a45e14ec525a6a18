/*
 * graph.c - building the graph, and the plain questions to its arrays (see graph.h).
 */
#include "heapwalk/graph/graph.h"

#include <stdlib.h>
#include <time.h>

#include "heapwalk/graph/graph_private.h"

void hf_graph_stage_done(struct hf_graph *graph, const char *name, double *since)
{
	double end = hf_clock_seconds();
	if (graph->stage_count < HF_GRAPH_STAGES)
		graph->stages[graph->stage_count++] = (struct hf_stage_seconds){name, end - *since};
	*since = end;
}

struct hf_graph *hf_graph_new(const struct hf_image *image, const struct hf_extents *extents,
			      const struct hf_roots *roots, const struct hf_graph_options *options)
{
	struct hf_graph *graph = calloc(1, sizeof(*graph));
	if (!graph)
		return NULL;
	graph->image = image;
	graph->extents = extents;
	graph->roots = roots;
	graph->options = *options;
	graph->objects = hf_extents_count(extents);
	return graph;
}

struct hf_error *hf_graph_open(const struct hf_image *image, const struct hf_extents *extents,
			       const struct hf_roots *roots, const struct hf_graph_options *options,
			       struct hf_graph **ret)
{
	struct hf_graph *graph = hf_graph_new(image, extents, roots, options);
	if (!graph)
		return hf_error_nomem();
	struct hf_error *err = hf_graph_scan(graph);
	if (err)
		hf_graph_destroy(graph);
	else
		*ret = graph;
	return err;
}

struct hf_error *hf_graph_solve(struct hf_graph *graph)
{
	return hf_graph_dominate(graph);
}

struct hf_error *hf_graph_create(const struct hf_image *image, const struct hf_extents *extents,
				 const struct hf_roots *roots,
				 const struct hf_graph_options *options, struct hf_graph **ret)
{
	struct hf_graph *graph = NULL;
	struct hf_error *err = hf_graph_open(image, extents, roots, options, &graph);

	if (err)
		return err;
	err = hf_graph_solve(graph);
	if (err)
		hf_graph_destroy(graph);
	else
		*ret = graph;
	return err;
}

void hf_graph_destroy(struct hf_graph *graph)
{
	if (!graph)
		return;
	uint64_t nodes = hf_graph_nodes(graph), objects = graph->objects;
	for (uint32_t i = 0; graph->blocks && i < graph->block_count && !graph->mapped; i++) {
		struct hf_row_block *block = &graph->blocks[i];
		hf_bigmem_free(NULL, block->targets, block->capacity * sizeof(uint32_t));
		hf_bigmem_free(NULL, block->rows, block->rows_capacity * sizeof(uint32_t));
	}
	free(graph->blocks);
	free(graph->holder_items);
	if (graph->mapped) {
		free(graph);
		return;
	}
	free(graph->holder_index);
	free(graph->holder_row);
	free(graph->holder_targets);
	free(graph->tops.data);
	hf_bigmem_free(NULL, graph->link, nodes * sizeof(*graph->link));
	hf_bigmem_free(NULL, graph->kind, objects);
	hf_bigmem_free(NULL, graph->sum, nodes * sizeof(*graph->sum));
	hf_bigmem_free(NULL, graph->sum_high, nodes * sizeof(*graph->sum_high));
	if (graph->in_row)
		hf_bigmem_free(NULL, graph->in_sources, graph->in_row[objects] * sizeof(uint32_t));
	hf_bigmem_free(NULL, graph->in_row, (objects + 1) * sizeof(uint64_t));
	hf_bigmem_free(NULL, graph->child_first, nodes * sizeof(uint32_t));
	hf_bigmem_free(NULL, graph->child_next, nodes * sizeof(uint32_t));
	hf_bigmem_free(NULL, graph->depth, nodes * sizeof(uint32_t));
	hf_bigmem_free(NULL, graph->path_parent, objects * sizeof(uint32_t));
	free(graph);
}

const char *hf_leak_kind_name(enum hf_leak_kind kind)
{
	static const char *const names[HF_LEAK_KINDS] = {
	    [HF_REACHABLE] = "reachable", [HF_POSSIBLE] = "possible", [HF_INDIRECT] = "indirect",
	    [HF_DEFINITE] = "definite",	  [HF_UNKNOWN] = "unknown",
	};
	return kind < HF_LEAK_KINDS ? names[kind] : "unknown";
}

uint32_t hf_graph_objects(const struct hf_graph *graph)
{
	return graph->objects;
}

uint32_t hf_graph_holders(const struct hf_graph *graph)
{
	return graph->holders;
}

uint32_t hf_graph_root(const struct hf_graph *graph)
{
	return graph->objects + graph->holders;
}

uint64_t hf_graph_edges(const struct hf_graph *graph)
{
	return graph->edges;
}

uint32_t hf_graph_holder_index(const struct hf_graph *graph, uint32_t node)
{
	return graph->holder_index[node - graph->objects];
}

enum hf_leak_kind hf_graph_leak_kind(const struct hf_graph *graph, uint32_t object)
{
	enum hf_leak_kind kind = graph->kind[object];
	return graph->options.incomplete && kind >= HF_INDIRECT ? HF_UNKNOWN : kind;
}

bool hf_graph_is_leader(const struct hf_graph *graph, uint32_t object)
{
	return graph->kind[object] == HF_DEFINITE;
}

uint32_t hf_graph_idom(const struct hf_graph *graph, uint32_t node)
{
	return graph->link[node].mark;
}

uint64_t hf_graph_retained(const struct hf_graph *graph, uint32_t node)
{
	uint64_t high = graph->sum_high ? graph->sum_high[node] : 0;
	return (high << 32 | graph->sum[node].units) * HF_SUM_UNIT;
}

void hf_graph_prefetch(const struct hf_graph *graph, uint32_t node)
{
	__builtin_prefetch(&graph->sum[node]);
}

uint64_t hf_graph_retained_objects(const struct hf_graph *graph, uint32_t node)
{
	return graph->sum[node].objects;
}

uint32_t hf_graph_holders_of(const struct hf_graph *graph, uint32_t object, uint32_t *ret,
			     uint32_t max)
{
	uint32_t found = 0;

	for (uint32_t i = 0; i < graph->holders; i++) {
		for (uint64_t at = graph->holder_row[i]; at < graph->holder_row[i + 1]; at++) {
			if (HF_EDGE_NODE(graph->holder_targets[at]) != object)
				continue;
			if (found < max)
				ret[found] = graph->objects + i;
			found++;
			break;
		}
	}
	return found;
}

uint64_t hf_graph_out(const struct hf_graph *graph, uint32_t node, const uint32_t **ret_targets)
{
	if (node < graph->objects)
		return hf_graph_row(graph, node, ret_targets);
	uint32_t holder = node - graph->objects;
	if (holder < graph->holders) {
		*ret_targets = graph->holder_targets + graph->holder_row[holder];
		return graph->holder_row[holder + 1] - graph->holder_row[holder];
	}
	*ret_targets = graph->tops.data;
	return graph->tops.count;
}

void hf_graph_leak_totals(const struct hf_graph *graph, struct hf_leak_total ret[HF_LEAK_KINDS])
{
	struct hf_leak_total *unknown = &ret[HF_UNKNOWN];

	for (unsigned kind = 0; kind < HF_LEAK_KINDS; kind++)
		ret[kind] = graph->totals[kind];
	for (unsigned kind = HF_INDIRECT; graph->options.incomplete && kind < HF_UNKNOWN; kind++) {
		unknown->count += ret[kind].count;
		unknown->bytes += ret[kind].bytes;
		ret[kind] = (struct hf_leak_total){0};
	}
}

const char *hf_graph_stage(const struct hf_graph *graph, unsigned i, double *ret_seconds)
{
	if (i >= graph->stage_count)
		return NULL;
	*ret_seconds = graph->stages[i].seconds;
	return graph->stages[i].name;
}

/* Rows of objects, which no account counts: the scan's tasks make them. */
static uint64_t row_memory(const struct hf_graph *graph)
{
	uint64_t rows = (uint64_t)graph->block_count * sizeof(*graph->blocks);

	for (uint32_t i = 0; i < graph->block_count; i++)
		rows += ((uint64_t)graph->blocks[i].capacity + graph->blocks[i].rows_capacity) *
			sizeof(uint32_t);
	return rows;
}

uint64_t hf_graph_memory(const struct hf_graph *graph)
{
	uint64_t nodes = hf_graph_nodes(graph), lazy = 0;
	if (graph->in_row && !graph->mapped)
		lazy += (graph->objects + 1ull) * sizeof(uint64_t) +
			graph->in_row[graph->objects] * sizeof(uint32_t);
	lazy += (graph->child_first ? 2 * nodes : 0) * sizeof(uint32_t);
	lazy += (graph->depth ? nodes : 0) * sizeof(uint32_t);
	lazy += (graph->path_parent ? graph->objects : 0) * sizeof(uint32_t);
	return graph->memory.now + row_memory(graph) + (graph->mapped ? 0 : lazy);
}

/* What is made later, when first asked for, comes to what was left by then. */
uint64_t hf_graph_memory_peak(const struct hf_graph *graph)
{
	uint64_t now = hf_graph_memory(graph), solving = graph->memory.peak + row_memory(graph);
	return now > solving ? now : solving;
}
