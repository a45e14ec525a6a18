/*
 * graph_oracle.h - what a graph should answer, by the simplest ways there are.
 *
 * The truth is made of the heap's bytes alone: each word is looked up by binary search, and
 * everything follows from that list of edges, without a line of heapwalk/graph/.
 *
 *	leak kinds	plain searches along start edges, then along all
 *	leaders		strong components by two depth-first searches (Kosaraju, Sharir 1981)
 *	dominators	Cooper, Harvey, Kennedy, "A simple, fast dominance algorithm" (2001)
 *	retained sizes	sums in postorder
 *	shortest chains	a queue; of equally short ones the best first step
 *
 * Nodes are numbered as in graph.h.
 */
#ifndef HF_TESTS_GRAPH_ORACLE_H
#define HF_TESTS_GRAPH_ORACLE_H

#include "tests/unit/shaped_heap.h"

struct oracle_edge {
	uint32_t from, to;
	bool interior;
	uint64_t address, value; /* of the word; address 0: a register */
};

struct oracle {
	const struct shaped_heap *shaped;
	uint32_t objects, holders, root;
	uint64_t *address, *usable, *size; /* by object */
	uint8_t *own;
	uint32_t *holder_index;
	struct oracle_edge *edge; /* by source, in the order of the words; the super root's last */
	uint64_t words, edges;	  /* edges: with those of the super root */
	uint64_t *row;		  /* by node: its first edge */
	uint32_t *in_head, *in_next; /* by target: the last edge + 1; the one before it */
	uint8_t *kind, *leader;
	uint32_t *postorder, *number, *idom, *depth;
	uint32_t numbered;
	uint64_t *retained;
	uint32_t *kept;	 /* objects, the node included */
	uint32_t *chain; /* nodes on the shortest chain to an object; 0: there is none */
	uint8_t *step;	 /* rank of that chain's first step */
	uint32_t *found; /* objects with a chain, in the order in which they are found */
	uint32_t found_count;
};

/* ---- edges ----------------------------------------------------------------------------------- */

static inline uint32_t oracle_find(const struct oracle *oracle, uint64_t value)
{
	uint32_t low = 0, high = oracle->objects;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (oracle->address[middle] <= value)
			low = middle + 1;
		else
			high = middle;
	}
	return low && value - oracle->address[low - 1] < oracle->usable[low - 1] ? low - 1
										 : HF_NO_OBJECT;
}

static inline void oracle_list_objects(struct oracle *oracle)
{
	const struct fake_heap *heap = &oracle->shaped->heap;

	for (uint32_t chunk = 0; chunk < heap->objects; chunk++) {
		uint8_t state = oracle->shaped->state[chunk];
		if (state == SHAPED_FREE)
			continue;
		uint32_t id = oracle->objects++;
		oracle->address[id] = fake_object(heap, chunk);
		oracle->usable[id] = fake_usable(heap, chunk);
		oracle->size[id] = heap->size[chunk];
		oracle->own[id] = state == SHAPED_OWN;
	}
}

static inline void oracle_add_word(struct oracle *oracle, uint32_t from, uint64_t address,
				   uint64_t value)
{
	uint32_t to = oracle_find(oracle, value);

	if (to != HF_NO_OBJECT && to != from)
		oracle->edge[oracle->edges++] =
		    (struct oracle_edge){from, to, value != oracle->address[to], address, value};
}

/* The words of a holder: those of its ranges, then its registers. */
static inline void oracle_add_holder(struct oracle *oracle, uint32_t from, uint32_t holder)
{
	const struct fake_heap *heap = &oracle->shaped->heap;

	hf_vec_foreach (range, &heap->roots.ranges) {
		for (uint64_t at = range->start; range->holder == holder && at < range->end;
		     at += 8)
			oracle_add_word(oracle, from, at, heap->root_memory[(at - FAKE_ROOTS) / 8]);
	}
	hf_vec_foreach (value, &heap->roots.values) {
		if (value->holder == holder)
			oracle_add_word(oracle, from, 0, value->value);
	}
}

static inline void oracle_list_edges(struct oracle *oracle)
{
	const struct fake_heap *heap = &oracle->shaped->heap;

	for (uint32_t id = 0; id < oracle->objects; id++) {
		oracle->row[id] = oracle->edges;
		for (uint64_t at = 0; !oracle->own[id] && at + 8 <= oracle->usable[id]; at += 8) {
			uint64_t address = oracle->address[id] + at;
			oracle_add_word(oracle, id, address,
					heap->memory[(address - FAKE_BASE) / 8]);
		}
	}
	for (uint32_t holder = 0; holder < heap->roots.holders.count; holder++) {
		uint32_t node = oracle->objects + oracle->holders;
		oracle->row[node] = oracle->edges;
		oracle_add_holder(oracle, node, holder);
		if (oracle->edges == oracle->row[node])
			continue;
		oracle->holder_index[oracle->holders++] = holder;
	}
	oracle->root = oracle->objects + oracle->holders;
	oracle->words = oracle->row[oracle->root] = oracle->edges;
}

static inline void oracle_link_sources(struct oracle *oracle)
{
	for (uint64_t i = 0; i < oracle->words; i++) {
		oracle->in_next[i] = oracle->in_head[oracle->edge[i].to];
		oracle->in_head[oracle->edge[i].to] = (uint32_t)i + 1;
	}
}

/* ---- leak kinds ------------------------------------------------------------------------------ */

/* From those that @mark has on, along start edges or all; @queue has room for all objects. */
static inline void oracle_close(const struct oracle *oracle, bool start_only, uint8_t *mark,
				uint32_t *queue)
{
	uint32_t head = 0, tail = 0;

	for (uint32_t id = 0; id < oracle->objects; id++) {
		if (mark[id])
			queue[tail++] = id;
	}
	while (head < tail) {
		uint32_t from = queue[head++];
		for (uint64_t i = oracle->row[from]; i < oracle->row[from + 1]; i++) {
			uint32_t to = oracle->edge[i].to;
			if (mark[to] || (start_only && oracle->edge[i].interior))
				continue;
			mark[to] = 1;
			queue[tail++] = to;
		}
	}
}

static inline void oracle_mark_held(const struct oracle *oracle, bool start_only, uint8_t *mark)
{
	for (uint64_t i = oracle->row[oracle->objects]; i < oracle->words; i++) {
		if (!start_only || !oracle->edge[i].interior)
			mark[oracle->edge[i].to] = 1;
	}
}

static inline bool oracle_is_lost(const struct oracle *oracle, uint32_t node)
{
	return node < oracle->objects && oracle->kind[node] >= HF_INDIRECT;
}

/* Does the edge keep its target alive? What is lost keeps only what is lost. */
static inline bool oracle_keeps(const struct oracle *oracle, const struct oracle_edge *edge)
{
	return !oracle_is_lost(oracle, edge->from) || oracle_is_lost(oracle, edge->to);
}

/* Postorder of a depth-first search from @from along edges that keep; @seen by node. */
static inline void oracle_postorder(const struct oracle *oracle, uint32_t from, uint8_t *seen,
				    uint32_t *stack, uint64_t *cursor, uint32_t *order,
				    uint32_t *count)
{
	uint32_t depth = 0;

	stack[depth++] = from;
	seen[from] = 1;
	cursor[from] = oracle->row[from];
	while (depth) {
		uint32_t node = stack[depth - 1];
		if (cursor[node] == oracle->row[node + 1]) {
			order[(*count)++] = node;
			depth--;
			continue;
		}
		const struct oracle_edge *edge = &oracle->edge[cursor[node]++];
		if (seen[edge->to] || !oracle_keeps(oracle, edge))
			continue;
		seen[edge->to] = 1;
		cursor[edge->to] = oracle->row[edge->to];
		stack[depth++] = edge->to;
	}
}

/* Backward from @from over the lost that have no component yet: its component. */
static inline uint32_t oracle_component(const struct oracle *oracle, uint32_t from, uint32_t number,
					uint32_t *component, uint32_t *stack)
{
	uint32_t depth = 0, lowest = from;

	stack[depth++] = from;
	component[from] = number;
	while (depth) {
		uint32_t node = stack[--depth];
		lowest = node < lowest ? node : lowest;
		for (uint32_t i = oracle->in_head[node]; i; i = oracle->in_next[i - 1]) {
			uint32_t source = oracle->edge[i - 1].from;
			if (!oracle_is_lost(oracle, source) || component[source])
				continue;
			component[source] = number;
			stack[depth++] = source;
		}
	}
	return lowest;
}

/* A component that no other points at has a leader: its lowest object. */
static inline void oracle_find_leaders(struct oracle *oracle)
{
	uint32_t count = 0, numbers = 0, objects = oracle->objects + 1;
	uint32_t *work = calloc(4ull * objects, sizeof(*work)), *order = work;
	uint32_t *component = work + objects, *stack = work + 2ull * objects;
	uint32_t *lowest = work + 3ull * objects;
	uint64_t *cursor = calloc(objects, sizeof(*cursor));
	uint8_t *seen = calloc(2ull * objects, 1), *entered = seen + objects;

	for (uint32_t id = 0; id < oracle->objects; id++) {
		if (oracle_is_lost(oracle, id) && !seen[id])
			oracle_postorder(oracle, id, seen, stack, cursor, order, &count);
	}
	while (count) {
		uint32_t id = order[--count];
		if (!component[id]) {
			numbers++;
			lowest[numbers] = oracle_component(oracle, id, numbers, component, stack);
		}
	}
	for (uint64_t i = 0; i < oracle->row[oracle->objects]; i++) {
		const struct oracle_edge *edge = &oracle->edge[i];
		if (oracle_is_lost(oracle, edge->from) && oracle_is_lost(oracle, edge->to) &&
		    component[edge->from] != component[edge->to])
			entered[component[edge->to]] = 1;
	}
	for (uint32_t number = 1; number <= numbers; number++) {
		if (!entered[number])
			oracle->leader[lowest[number]] = 1;
	}
	free(work);
	free(cursor);
	free(seen);
}

static inline void oracle_find_kinds(struct oracle *oracle)
{
	uint8_t *start = calloc(2ull * oracle->objects + 2, 1), *all = start + oracle->objects;
	uint32_t *queue = calloc(oracle->objects + 1ull, sizeof(*queue));

	oracle_mark_held(oracle, true, start);
	oracle_close(oracle, true, start, queue);
	memcpy(all, start, oracle->objects);
	oracle_mark_held(oracle, false, all);
	oracle_close(oracle, false, all, queue);
	for (uint32_t id = 0; id < oracle->objects; id++)
		oracle->kind[id] = start[id] || oracle->own[id] ? HF_REACHABLE
				   : all[id]			? HF_POSSIBLE
								: HF_INDIRECT;
	oracle_find_leaders(oracle);
	/* The super root's edges: holders, leaders, and what of the allocator's own nobody holds.
	 */
	for (uint32_t i = 0; i < oracle->holders; i++)
		oracle->edge[oracle->edges++] =
		    (struct oracle_edge){.from = oracle->root, .to = oracle->objects + i};
	for (uint32_t id = 0; id < oracle->objects; id++) {
		if (oracle->leader[id])
			oracle->kind[id] = HF_DEFINITE;
		if (oracle->leader[id] || (oracle->own[id] && !all[id]))
			oracle->edge[oracle->edges++] =
			    (struct oracle_edge){.from = oracle->root, .to = id};
	}
	oracle->row[oracle->root + 1] = oracle->edges;
	free(start);
	free(queue);
}

/* ---- dominators ------------------------------------------------------------------------------ */

static inline uint32_t oracle_meet(const struct oracle *oracle, uint32_t a, uint32_t b)
{
	while (a != b) {
		while (oracle->number[a] < oracle->number[b])
			a = oracle->idom[a];
		while (oracle->number[b] < oracle->number[a])
			b = oracle->idom[b];
	}
	return a;
}

/* One pass in reverse postorder; did anything change? */
static inline bool oracle_improve(struct oracle *oracle)
{
	bool changed = false;

	for (uint32_t i = oracle->numbered; i-- > 0;) {
		uint32_t node = oracle->postorder[i];
		for (uint64_t e = oracle->row[node]; e < oracle->row[node + 1]; e++) {
			uint32_t to = oracle->edge[e].to;
			if (!oracle_keeps(oracle, &oracle->edge[e]))
				continue;
			uint32_t idom = oracle->idom[to] == HF_NO_NODE
					    ? node
					    : oracle_meet(oracle, oracle->idom[to], node);
			changed = changed || idom != oracle->idom[to];
			oracle->idom[to] = idom;
		}
	}
	return changed;
}

static inline void oracle_dominate(struct oracle *oracle)
{
	uint64_t nodes = oracle->root + 1ull;
	uint8_t *seen = calloc(nodes, 1);
	uint32_t *stack = calloc(nodes, sizeof(*stack));
	uint64_t *cursor = calloc(nodes, sizeof(*cursor));

	oracle_postorder(oracle, oracle->root, seen, stack, cursor, oracle->postorder,
			 &oracle->numbered);
	for (uint32_t i = 0; i < oracle->numbered; i++) {
		oracle->number[oracle->postorder[i]] = i + 1;
		oracle->idom[oracle->postorder[i]] = HF_NO_NODE;
	}
	oracle->idom[oracle->root] = oracle->root;
	while (oracle_improve(oracle))
		;
	oracle->idom[oracle->root] = HF_NO_NODE;
	free(seen);
	free(stack);
	free(cursor);
}

static inline void oracle_sum(struct oracle *oracle)
{
	for (uint32_t i = 0; i < oracle->numbered; i++) {
		uint32_t node = oracle->postorder[i], above = oracle->idom[node];
		if (node < oracle->objects) {
			oracle->retained[node] += oracle->size[node];
			oracle->kept[node]++;
		}
		if (above == HF_NO_NODE)
			continue;
		oracle->retained[above] += oracle->retained[node];
		oracle->kept[above] += oracle->kept[node];
	}
	for (uint32_t i = oracle->numbered - 1; i-- > 0;) {
		uint32_t node = oracle->postorder[i];
		oracle->depth[node] = oracle->depth[oracle->idom[node]] + 1;
	}
}

/* ---- shortest chains ------------------------------------------------------------------------- */

/* A start pointer before an interior one, then the stronger holder. */
static inline uint8_t oracle_step_rank(const struct oracle *oracle, const struct oracle_edge *edge)
{
	uint32_t holder = oracle->holder_index[edge->from - oracle->objects];
	return (uint8_t)(edge->interior * HF_HOLDER_KINDS +
			 oracle->shaped->heap.roots.holders.data[holder].kind);
}

static inline void oracle_chain_to(struct oracle *oracle, uint32_t to, uint32_t chain, uint8_t step)
{
	if (!oracle->chain[to]) {
		oracle->chain[to] = chain;
		oracle->step[to] = step;
		oracle->found[oracle->found_count++] = to;
	} else if (oracle->chain[to] == chain && step < oracle->step[to]) {
		oracle->step[to] = step;
	}
}

static inline void oracle_chains_on(struct oracle *oracle, uint32_t from)
{
	for (; from < oracle->found_count; from++) {
		uint32_t node = oracle->found[from];
		for (uint64_t i = oracle->row[node]; i < oracle->row[node + 1]; i++)
			oracle_chain_to(oracle, oracle->edge[i].to, oracle->chain[node] + 1,
					oracle->step[node]);
	}
}

static inline void oracle_find_chains(struct oracle *oracle)
{
	for (uint64_t i = oracle->row[oracle->objects]; i < oracle->words; i++)
		oracle_chain_to(oracle, oracle->edge[i].to, 2,
				oracle_step_rank(oracle, &oracle->edge[i]));
	oracle_chains_on(oracle, 0);
	uint32_t lost = oracle->found_count;
	for (uint32_t id = 0; id < oracle->objects; id++) {
		if (oracle->leader[id])
			oracle_chain_to(oracle, id, 1, UINT8_MAX);
	}
	oracle_chains_on(oracle, lost);
}

/* ---- all ------------------------------------------------------------------------------------- */

static inline void oracle_init(struct oracle *oracle, const struct shaped_heap *shaped)
{
	const struct fake_heap *heap = &shaped->heap;
	uint64_t chunks = heap->objects, nodes = chunks + heap->roots.holders.count + 2;
	uint64_t edges = heap->bytes / 8 + heap->holders + heap->roots.values.count + nodes;

	*oracle = (struct oracle){.shaped = shaped};
	oracle->address = calloc(nodes, sizeof(uint64_t));
	oracle->usable = calloc(nodes, sizeof(uint64_t));
	oracle->size = calloc(nodes, sizeof(uint64_t));
	oracle->own = calloc(nodes, 1);
	oracle->holder_index = calloc(nodes, sizeof(uint32_t));
	oracle->edge = calloc(edges, sizeof(*oracle->edge));
	oracle->row = calloc(nodes + 1, sizeof(uint64_t));
	oracle->in_head = calloc(nodes, sizeof(uint32_t));
	oracle->in_next = calloc(edges, sizeof(uint32_t));
	oracle->kind = calloc(nodes, 1);
	oracle->leader = calloc(nodes, 1);
	oracle->postorder = calloc(nodes, sizeof(uint32_t));
	oracle->number = calloc(nodes, sizeof(uint32_t));
	oracle->idom = calloc(nodes, sizeof(uint32_t));
	oracle->depth = calloc(nodes, sizeof(uint32_t));
	oracle->retained = calloc(nodes, sizeof(uint64_t));
	oracle->kept = calloc(nodes, sizeof(uint32_t));
	oracle->chain = calloc(nodes, sizeof(uint32_t));
	oracle->step = calloc(nodes, 1);
	oracle->found = calloc(nodes, sizeof(uint32_t));
	oracle_list_objects(oracle);
	oracle_list_edges(oracle);
	oracle_link_sources(oracle);
	oracle_find_kinds(oracle);
	oracle_dominate(oracle);
	oracle_sum(oracle);
	oracle_find_chains(oracle);
}

static inline void oracle_deinit(struct oracle *oracle)
{
	void *arrays[] = {oracle->address,	oracle->usable, oracle->size,	oracle->own,
			  oracle->holder_index, oracle->edge,	oracle->row,	oracle->in_head,
			  oracle->in_next,	oracle->kind,	oracle->leader, oracle->postorder,
			  oracle->number,	oracle->idom,	oracle->depth,	oracle->retained,
			  oracle->kept,		oracle->chain,	oracle->step,	oracle->found};

	for (unsigned i = 0; i < sizeof(arrays) / sizeof(arrays[0]); i++)
		free(arrays[i]);
}

#endif
