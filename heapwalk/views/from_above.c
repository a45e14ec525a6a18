/*
 * from_above.c - down the dominator tree without walking it (see from_above.h).
 *
 * A walk waits for memory at every step. Here objects are gone over by address, so that only the
 * dominator's word is a look elsewhere, and is asked for ahead; those whose dominator has no word
 * yet wait for the next round. What still waits after some rounds (a list that was built from its
 * end) climbs to what has one, and comes back: each word is made once.
 */
#include "heapwalk/views/from_above.h"

#include <stdlib.h>

#include "core/base/bigmem.h"

enum { ROUNDS = 8, AHEAD = 16 };

static const uint32_t is_made = UINT32_C(1) << HF_FROM_ABOVE_BITS;

HF_VEC(objects_list, uint32_t);

struct descent {
	const struct hf_graph *graph;
	const struct hf_from_above *calls;
	uint32_t objects;
	uint32_t *word; /* of each object, with is_made; 0: not made yet */
};

static uint32_t word_of(const struct descent *descent, uint32_t node)
{
	return node < descent->objects ? descent->word[node]
				       : descent->calls->top(descent->calls->ctx, node) | is_made;
}

static void make(struct descent *descent, uint32_t object, uint32_t above)
{
	descent->word[object] =
	    descent->calls->make(descent->calls->ctx, object, above & ~is_made) | is_made;
}

static bool make_or_wait(struct descent *descent, uint32_t object, struct objects_list *waiting)
{
	uint32_t above = word_of(descent, hf_graph_idom(descent->graph, object));

	if (!(above & is_made))
		return hf_vec_push(waiting, object);
	make(descent, object, above);
	return true;
}

static void fetch_above(const struct descent *descent, uint32_t object)
{
	uint32_t dominator = hf_graph_idom(descent->graph, object);
	if (dominator < descent->objects)
		__builtin_prefetch(&descent->word[dominator]);
}

static bool first_round(struct descent *descent, struct objects_list *waiting)
{
	for (uint32_t object = 0; object < descent->objects; object++) {
		if (object + AHEAD < descent->objects)
			fetch_above(descent, object + AHEAD);
		if (!make_or_wait(descent, object, waiting))
			return false;
	}
	return true;
}

static bool next_round(struct descent *descent, struct objects_list *waiting)
{
	size_t count = waiting->count;

	waiting->count = 0; /* those that wait on are written over those that are done */
	for (size_t i = 0; i < count; i++) {
		if (i + AHEAD < count)
			fetch_above(descent, waiting->data[i + AHEAD]);
		if (!make_or_wait(descent, waiting->data[i], waiting))
			return false;
	}
	return true;
}

static bool climb(struct descent *descent, uint32_t object, struct objects_list *path)
{
	uint32_t above;

	while (!((above = word_of(descent, object)) & is_made)) {
		if (!hf_vec_push(path, object))
			return false;
		object = hf_graph_idom(descent->graph, object);
	}
	while (path->count) {
		object = path->data[--path->count];
		make(descent, object, above);
		above = descent->word[object];
	}
	return true;
}

struct hf_error *hf_from_above(const struct hf_graph *graph, const struct hf_from_above *calls)
{
	struct descent descent = {
	    .graph = graph, .calls = calls, .objects = hf_graph_objects(graph)};
	struct objects_list waiting = {0}, path = {0};
	size_t bytes = (size_t)descent.objects * sizeof(*descent.word);

	descent.word = hf_bigmem_alloc(NULL, bytes);
	bool fine = descent.word && first_round(&descent, &waiting);
	for (int round = 1; round < ROUNDS && fine; round++)
		fine = next_round(&descent, &waiting);
	for (size_t i = 0; i < waiting.count && fine; i++)
		fine = climb(&descent, waiting.data[i], &path);
	hf_bigmem_free(NULL, descent.word, bytes);
	hf_vec_free(&waiting);
	hf_vec_free(&path);
	return fine ? NULL : hf_error_nomem();
}
