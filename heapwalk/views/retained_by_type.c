/*
 * retained_by_type.c - what each type keeps alive.
 *
 * An object counts with its retained bytes if no object of its type is above it in the dominator
 * tree, however many others stand between: so a list counts once, lists whose nodes alternate
 * do, too, and no type ever keeps more than the heap.
 *
 * Algorithm, for a few types, 31 at a time: for each object a set of those that are at or above it,
 * found from its dominator's. Objects are gone over by address, so that only the dominator's set is
 * a look elsewhere in memory, and is asked for ahead; those whose dominator has no set yet wait for
 * the next round. What still waits after some rounds (a list that was built from its end) climbs.
 * For many types: one walk down the tree and back, with a count of each type's objects above; it
 * takes as long as several such searches, for its memory is never there before it is needed.
 */
#include <stdlib.h>
#include <string.h>

#include "core/base/bigmem.h"
#include "core/base/cleanup.h"
#include "heapwalk/views/sections.h"

enum { TYPES_A_SEARCH = 31, MOST_SEARCHES = 8, ROUNDS = 8, AHEAD = 16, NOT_WANTED = 31 };

/* ---- sets -------------------------------------------------------------------------------------
 */

static const uint32_t is_known = UINT32_C(1) << TYPES_A_SEARCH;

HF_VEC(waiting, uint32_t);

struct search {
	const struct hf_analysis *analysis;
	const struct hf_graph *graph;
	uint32_t objects;
	uint8_t *bit_of_type; /* or NOT_WANTED */
	uint32_t *set;	      /* of each object: wanted types at or above it, and is_known; or 0 */
	uint64_t *retained;
};

/* No types are above holders. */
static uint32_t set_of(const struct search *search, uint32_t node)
{
	return node < search->objects ? search->set[node] : is_known;
}

static void settle(struct search *search, uint32_t object, uint32_t above)
{
	uint32_t type = hf_typing_of(search->analysis->typing, object);
	uint8_t bit = search->bit_of_type[type];

	if (bit != NOT_WANTED && !(above >> bit & 1)) {
		search->retained[type] += hf_graph_retained(search->graph, object);
		above |= UINT32_C(1) << bit;
	}
	search->set[object] = above;
}

static bool settle_or_wait(struct search *search, uint32_t object, struct waiting *waiting)
{
	uint32_t above = set_of(search, hf_graph_idom(search->graph, object));

	if (!(above & is_known))
		return hf_vec_push(waiting, object);
	settle(search, object, above);
	return true;
}

static void fetch_set(const struct search *search, uint32_t object)
{
	uint32_t dominator = hf_graph_idom(search->graph, object);
	if (dominator < search->objects)
		__builtin_prefetch(&search->set[dominator]);
}

static bool settle_first(struct search *search, struct waiting *waiting)
{
	for (uint32_t object = 0; object < search->objects; object++) {
		if (object + AHEAD < search->objects)
			fetch_set(search, object + AHEAD);
		if (!settle_or_wait(search, object, waiting))
			return false;
	}
	return true;
}

static bool settle_waiting(struct search *search, struct waiting *waiting)
{
	size_t count = waiting->count;

	waiting->count = 0; /* those that wait on are written over those that are done */
	for (size_t i = 0; i < count; i++) {
		if (i + AHEAD < count)
			fetch_set(search, waiting->data[i + AHEAD]);
		if (!settle_or_wait(search, waiting->data[i], waiting))
			return false;
	}
	return true;
}

/* Up to what is known, and back. */
static bool settle_climbing(struct search *search, uint32_t object, struct waiting *path)
{
	for (; !(set_of(search, object) & is_known);
	     object = hf_graph_idom(search->graph, object)) {
		if (!hf_vec_push(path, object))
			return false;
	}
	uint32_t above = set_of(search, object);
	while (path->count) {
		object = path->data[--path->count];
		settle(search, object, above);
		above = search->set[object];
	}
	return true;
}

static bool search_types(struct search *search, const uint32_t *types, uint32_t count)
{
	struct waiting waiting = {0}, path = {0};

	memset(search->bit_of_type, NOT_WANTED, hf_typing_types(search->analysis->typing));
	for (uint32_t i = 0; i < count; i++)
		search->bit_of_type[types[i]] = (uint8_t)i;
	bool fine = settle_first(search, &waiting);
	for (int round = 1; round < ROUNDS && fine; round++)
		fine = settle_waiting(search, &waiting);
	for (size_t i = 0; i < waiting.count && fine; i++)
		fine = settle_climbing(search, waiting.data[i], &path);
	hf_vec_free(&waiting);
	hf_vec_free(&path);
	return fine;
}

static struct hf_error *search_few(const struct hf_analysis *analysis, const uint32_t *types,
				   uint32_t count, uint64_t *retained)
{
	uint32_t objects = hf_graph_objects(analysis->graph);
	size_t bytes = (size_t)objects * sizeof(uint32_t);
	HF_AUTO(free_ptr)
	uint8_t *bit_of_type = malloc((size_t)hf_typing_types(analysis->typing) + 1);
	struct search search = {.analysis = analysis,
				.graph = analysis->graph,
				.objects = objects,
				.bit_of_type = bit_of_type,
				.retained = retained};
	bool fine = bit_of_type != NULL;

	for (uint32_t from = 0; fine && from < count; from += TYPES_A_SEARCH) {
		uint32_t left = count - from;
		search.set = hf_bigmem_alloc(NULL, bytes);
		fine = search.set && search_types(&search, types + from,
						  left < TYPES_A_SEARCH ? left : TYPES_A_SEARCH);
		hf_bigmem_free(NULL, search.set, bytes);
	}
	return fine ? NULL : hf_error_nomem();
}

/* ---- one walk ---------------------------------------------------------------------------------
 */

/* What the walk will want when it comes back from @node's subtree, or goes down there. */
static void fetch_around(const struct hf_analysis *analysis, uint32_t node)
{
	uint32_t next = hf_graph_next_sibling(analysis->graph, node);

	if (next == HF_NO_NODE)
		return;
	hf_graph_prefetch_child(analysis->graph, next);
	hf_graph_prefetch_node(analysis->graph, next);
	if (next < hf_graph_objects(analysis->graph))
		hf_typing_prefetch(analysis->typing, next);
}

static struct hf_error *walk_tree(struct hf_analysis *analysis, uint64_t *retained)
{
	const struct hf_graph *graph = analysis->graph;
	uint32_t objects = hf_graph_objects(graph), root = hf_graph_root(graph), at = root;
	uint32_t *above = calloc((size_t)hf_typing_types(analysis->typing) + 1, sizeof(*above));
	struct hf_error *err = above ? hf_graph_open_tree(analysis->graph) : hf_error_nomem();

	for (bool down = true; !err;) {
		uint32_t next = down ? hf_graph_first_child(graph, at) : HF_NO_NODE;
		if (down && at < objects) {
			uint32_t type = hf_typing_of(analysis->typing, at);
			if (above[type]++ == 0)
				retained[type] += hf_graph_retained(graph, at);
			fetch_around(analysis, at);
		}
		if (next != HF_NO_NODE) {
			at = next;
			continue;
		}
		if (at == root)
			break;
		if (at < objects)
			above[hf_typing_of(analysis->typing, at)]--;
		next = hf_graph_next_sibling(graph, at);
		down = next != HF_NO_NODE;
		at = down ? next : hf_graph_idom(graph, at);
	}
	free(above);
	return err;
}

struct hf_error *hf_retained_by_type(struct hf_analysis *analysis, const uint32_t *types,
				     uint32_t count, uint64_t *retained)
{
	if (count <= TYPES_A_SEARCH * MOST_SEARCHES)
		return search_few(analysis, types, count, retained);
	return walk_tree(analysis, retained);
}
