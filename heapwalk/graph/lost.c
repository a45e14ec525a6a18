/*
 * lost.c - the leaders of what is lost: one for each source component of the lost graph.
 *
 * memcheck calls a lost block definite if no other lost block leads to it, and of a lost
 * cycle just one. In terms of the graph: the strong components of the lost objects that no
 * other component points into; the leader is a component's lowest address.
 *
 * Algorithm: Tarjan, "Depth-first search and linear graph algorithms" (1972), with an explicit
 * stack. Lost objects are those whose mark is 0. Work arrays are as long as the lost are many.
 */
#include <stdlib.h>

#include "heapwalk/graph/graph_private.h"

struct frame {
	uint32_t lost;	 /* index in the work arrays */
	uint32_t cursor; /* next edge of its row */
};

struct tarjan {
	const struct hf_graph *graph;
	uint32_t *number_of; /* object -> index in the work arrays + 1; 0: not lost */
	uint32_t *object;    /* index -> object */
	uint32_t *index, *low, *component;
	uint32_t *lowest; /* component -> lowest object */
	uint8_t *has_in;  /* component: another one leads to it */
	uint32_t *stack;
	struct frame *frames;
	uint32_t lost, next_index, components, stack_count;
};

#define NO_COMPONENT UINT32_MAX

static void open_node(struct tarjan *tarjan, uint32_t lost)
{
	tarjan->index[lost] = tarjan->low[lost] = ++tarjan->next_index;
	tarjan->stack[tarjan->stack_count++] = lost;
}

/* All nodes of a component are at the top of the stack, @root the deepest. */
static void close_component(struct tarjan *tarjan, uint32_t root)
{
	uint32_t lowest = UINT32_MAX, lost;
	do {
		lost = tarjan->stack[--tarjan->stack_count];
		tarjan->component[lost] = tarjan->components;
		if (tarjan->object[lost] < lowest)
			lowest = tarjan->object[lost];
	} while (lost != root);
	tarjan->lowest[tarjan->components++] = lowest;
}

static void search_from(struct tarjan *tarjan, uint32_t root)
{
	uint32_t depth = 0;

	tarjan->frames[depth++] = (struct frame){root, 0};
	open_node(tarjan, root);
	while (depth) {
		struct frame *frame = &tarjan->frames[depth - 1];
		const uint32_t *targets;
		uint32_t count = hf_graph_row(tarjan->graph, tarjan->object[frame->lost], &targets);
		uint32_t lost = frame->lost;
		if (frame->cursor < count) {
			uint32_t next = tarjan->number_of[HF_EDGE_NODE(targets[frame->cursor++])];
			if (next-- == 0)
				continue;
			if (tarjan->index[next] == 0) {
				open_node(tarjan, next);
				tarjan->frames[depth++] = (struct frame){next, 0};
			} else if (tarjan->component[next] == NO_COMPONENT &&
				   tarjan->index[next] < tarjan->low[lost]) {
				tarjan->low[lost] = tarjan->index[next];
			}
			continue;
		}
		if (tarjan->low[lost] == tarjan->index[lost])
			close_component(tarjan, lost);
		if (--depth) {
			uint32_t above = tarjan->frames[depth - 1].lost;
			if (tarjan->low[lost] < tarjan->low[above])
				tarjan->low[above] = tarjan->low[lost];
		}
	}
}

static void note_incoming(struct tarjan *tarjan)
{
	for (uint32_t lost = 0; lost < tarjan->lost; lost++) {
		const uint32_t *targets;
		uint32_t count = hf_graph_row(tarjan->graph, tarjan->object[lost], &targets);
		for (uint32_t i = 0; i < count; i++) {
			uint32_t next = tarjan->number_of[HF_EDGE_NODE(targets[i])];
			if (next && tarjan->component[next - 1] != tarjan->component[lost])
				tarjan->has_in[tarjan->component[next - 1]] = 1;
		}
	}
}

static int compare_ids(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return (x > y) - (x < y);
}

static bool allocate(struct tarjan *tarjan)
{
	size_t count = tarjan->lost, bytes = count * sizeof(uint32_t);

	tarjan->number_of =
	    hf_bigmem_alloc(NULL, (uint64_t)tarjan->graph->objects * sizeof(uint32_t));
	tarjan->object = hf_bigmem_alloc(NULL, bytes);
	tarjan->index = hf_bigmem_alloc(NULL, bytes);
	tarjan->low = hf_bigmem_alloc(NULL, bytes);
	tarjan->component = hf_bigmem_alloc(NULL, bytes);
	tarjan->lowest = hf_bigmem_alloc(NULL, bytes);
	tarjan->stack = hf_bigmem_alloc(NULL, bytes);
	tarjan->has_in = hf_bigmem_alloc(NULL, count);
	tarjan->frames = hf_bigmem_alloc(NULL, count * sizeof(*tarjan->frames));
	return tarjan->number_of && tarjan->object && tarjan->index && tarjan->low &&
	       tarjan->component && tarjan->lowest && tarjan->stack && tarjan->has_in &&
	       tarjan->frames;
}

static void release(struct tarjan *tarjan)
{
	size_t count = tarjan->lost, bytes = count * sizeof(uint32_t);

	hf_bigmem_free(NULL, tarjan->number_of,
		       (uint64_t)tarjan->graph->objects * sizeof(uint32_t));
	hf_bigmem_free(NULL, tarjan->object, bytes);
	hf_bigmem_free(NULL, tarjan->index, bytes);
	hf_bigmem_free(NULL, tarjan->low, bytes);
	hf_bigmem_free(NULL, tarjan->component, bytes);
	hf_bigmem_free(NULL, tarjan->lowest, bytes);
	hf_bigmem_free(NULL, tarjan->stack, bytes);
	hf_bigmem_free(NULL, tarjan->has_in, count);
	hf_bigmem_free(NULL, tarjan->frames, count * sizeof(*tarjan->frames));
}

static void number_lost(struct tarjan *tarjan)
{
	uint32_t lost = 0;
	for (uint32_t id = 0; id < tarjan->graph->objects; id++) {
		if (tarjan->graph->link[id].mark)
			continue;
		tarjan->object[lost] = id;
		tarjan->component[lost] = NO_COMPONENT;
		tarjan->number_of[id] = ++lost;
	}
}

struct hf_error *hf_graph_find_leaders(struct hf_graph *graph, struct hf_node_list *ret)
{
	struct tarjan tarjan = {.graph = graph};
	struct hf_error *err = NULL;

	for (uint32_t id = 0; id < graph->objects; id++)
		tarjan.lost += graph->link[id].mark == 0;
	if (tarjan.lost == 0)
		return NULL;
	if (!allocate(&tarjan)) {
		release(&tarjan);
		return hf_error_nomem();
	}
	number_lost(&tarjan);
	for (uint32_t lost = 0; lost < tarjan.lost; lost++) {
		if (tarjan.index[lost] == 0)
			search_from(&tarjan, lost);
	}
	note_incoming(&tarjan);
	for (uint32_t i = 0; i < tarjan.components && !err; i++) {
		if (!tarjan.has_in[i] && !hf_vec_push(ret, tarjan.lowest[i]))
			err = hf_error_nomem();
	}
	if (!err && ret->count > 1)
		qsort(ret->data, ret->count, sizeof(uint32_t), compare_ids);
	release(&tarjan);
	return err;
}
