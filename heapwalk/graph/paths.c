/*
 * paths.c - shortest chains from a root to an object.
 *
 * One breadth-first search from all holders at once, made at the first call; the lost are
 * then searched from their leaders. Among equally short chains the stronger holder wins
 * (a variable before a stray stack word), and start pointers win over interior ones in the
 * first step: holders are taken by strength, and of each its start pointers first.
 */
#include <stdlib.h>

#include "heapwalk/graph/graph_private.h"

enum { AHEAD = 16 }; /* so many objects earlier memory is asked for */

#define UNSEEN 0u /* path_parent holds node + 1 */

struct bfs {
	struct hf_graph *graph;
	uint32_t *queue;
	uint32_t head, tail;
};

static void reach(struct bfs *bfs, uint32_t object, uint32_t from)
{
	if (bfs->graph->path_parent[object] != UNSEEN)
		return;
	bfs->graph->path_parent[object] = from + 1;
	bfs->queue[bfs->tail++] = object;
}

static void reach_row(struct bfs *bfs, uint32_t node, bool interior)
{
	const uint32_t *targets;
	uint64_t count = hf_graph_out(bfs->graph, node, &targets);
	for (uint64_t i = 0; i < count; i++) {
		if (((targets[i] & HF_EDGE_INTERIOR) != 0) == interior)
			reach(bfs, HF_EDGE_NODE(targets[i]), node);
	}
}

/* What waits in the queue is known long before it is taken: first its row, then its targets. */
static void fetch(const struct bfs *bfs)
{
	const struct hf_graph *graph = bfs->graph;
	const uint32_t *targets;

	if (bfs->head + 2 * AHEAD < bfs->tail)
		__builtin_prefetch(&graph->link[bfs->queue[bfs->head + 2 * AHEAD]]);
	if (bfs->head + AHEAD >= bfs->tail)
		return;
	uint32_t count = hf_graph_row(graph, bfs->queue[bfs->head + AHEAD], &targets);
	for (uint32_t i = 0; i < count && i < AHEAD; i++)
		__builtin_prefetch(&graph->path_parent[HF_EDGE_NODE(targets[i])], 1);
}

static void drain(struct bfs *bfs)
{
	while (bfs->head < bfs->tail) {
		uint32_t object = bfs->queue[bfs->head++];
		fetch(bfs);
		reach_row(bfs, object, false);
		reach_row(bfs, object, true);
	}
}

static void search_holders(struct bfs *bfs)
{
	struct hf_graph *graph = bfs->graph;

	for (int interior = 0; interior < 2; interior++) {
		for (unsigned kind = 0; kind < HF_HOLDER_KINDS; kind++) {
			for (uint32_t i = 0; i < graph->holders; i++) {
				uint32_t index = graph->holder_index[i];
				if (graph->roots->holders.data[index].kind == kind)
					reach_row(bfs, graph->objects + i, interior != 0);
			}
		}
	}
	drain(bfs);
}

static struct hf_error *make_paths(struct hf_graph *graph)
{
	uint64_t bytes = (uint64_t)graph->objects * sizeof(uint32_t);
	struct bfs bfs = {.graph = graph, .queue = hf_bigmem_alloc(NULL, bytes)};

	graph->path_parent = hf_bigmem_alloc(NULL, bytes);
	if (!bfs.queue || !graph->path_parent) {
		hf_bigmem_free(NULL, bfs.queue, bytes);
		hf_bigmem_free(NULL, graph->path_parent, bytes);
		graph->path_parent = NULL;
		return hf_error_nomem();
	}
	search_holders(&bfs);
	for (uint32_t id = 0; id < graph->objects; id++) {
		if (graph->kind[id] == HF_DEFINITE)
			reach(&bfs, id, hf_graph_root(graph));
	}
	drain(&bfs);
	hf_bigmem_free(NULL, bfs.queue, bytes);
	return NULL;
}

struct hf_error *hf_graph_open_paths(struct hf_graph *graph)
{
	return graph->path_parent ? NULL : make_paths(graph);
}

uint32_t hf_graph_path_parent(const struct hf_graph *graph, uint32_t object)
{
	return graph->path_parent[object] - 1; /* UNSEEN - 1 is HF_NO_NODE */
}

struct hf_error *hf_graph_path(struct hf_graph *graph, uint32_t object, uint32_t **ret,
			       uint32_t *ret_count)
{
	struct hf_error *err = graph->path_parent ? NULL : make_paths(graph);
	uint32_t count = 1, root = hf_graph_root(graph);

	if (err)
		return err;
	for (uint32_t at = object; at < graph->objects && graph->path_parent[at] != UNSEEN;) {
		at = graph->path_parent[at] - 1;
		count += at != root;
	}
	uint32_t *path = malloc(count * sizeof(*path));
	if (!path)
		return hf_error_nomem();
	uint32_t at = object;
	for (uint32_t i = count; i-- > 0;) {
		path[i] = at;
		if (i > 0)
			at = graph->path_parent[at] - 1;
	}
	*ret = path;
	*ret_count = count;
	return NULL;
}

struct hf_error *hf_graph_leader(struct hf_graph *graph, uint32_t object, uint32_t *ret)
{
	struct hf_error *err = graph->path_parent ? NULL : make_paths(graph);
	uint32_t root = hf_graph_root(graph);

	if (err)
		return err;
	while (graph->path_parent[object] != UNSEEN && graph->path_parent[object] - 1 < root &&
	       graph->path_parent[object] - 1 < graph->objects)
		object = graph->path_parent[object] - 1;
	*ret = object;
	return NULL;
}
