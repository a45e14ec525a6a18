/*
 * strong.c - the holders that lead to an object which none of them alone keeps.
 *
 * Such an object stands at the top of the dominator tree, beside its holders, although whoever
 * asks "who holds it" means a variable: a program that was stopped within its list handling has
 * a pointer into the list on its stack. Breadth-first from all variables at once, the nearest
 * wins; for the second one, from all but the first, then from the weaker holders (stack words,
 * registers). A search is given up after so many objects that it costs no more than a blink.
 */
#include <stdlib.h>

#include "heapwalk/views/sections.h"

enum { MOST_VISITS = 1 << 20, MOST_VISITS_BY_SHARED = 1 << 16 };
enum { AHEAD = 16 }; /* so many visits earlier memory is asked for */

struct visit {
	uint32_t node, holder;
};

struct search {
	const struct hf_graph *graph;
	uint32_t wanted, found;
	uint64_t *seen; /* a bit an object */
	HF_VEC(, struct visit) queue;
	bool failed;
};

static void visit_targets(struct search *search, uint32_t node, uint32_t holder)
{
	const uint32_t *targets;
	uint64_t count = hf_graph_out(search->graph, node, &targets);

	for (uint64_t i = 0; i < count && search->found == HF_NO_NODE; i++) {
		uint32_t target = HF_EDGE_NODE(targets[i]);
		uint64_t bit = UINT64_C(1) << (target & 63);
		if (search->seen[target >> 6] & bit)
			continue;
		search->seen[target >> 6] |= bit;
		if (target == search->wanted)
			search->found = holder;
		else if (!hf_vec_push(&search->queue, (struct visit){target, holder}))
			search->failed = true;
	}
}

/* Of @object, the nearest holder of the kinds @first to @last, @except aside. */
static uint32_t nearest(const struct hf_analysis *analysis, uint32_t object,
			enum hf_holder_kind first, enum hf_holder_kind last, uint32_t except,
			size_t most_visits)
{
	uint32_t objects = hf_graph_objects(analysis->graph);
	struct search search = {.graph = analysis->graph, .wanted = object, .found = HF_NO_NODE};
	struct hf_graph_columns columns;

	hf_graph_columns(analysis->graph, &columns);
	search.seen = calloc(objects / 64 + 1, sizeof(*search.seen));
	if (!search.seen)
		return HF_NO_NODE;
	for (uint32_t i = 0; i < hf_graph_holders(analysis->graph); i++) {
		uint32_t index = hf_graph_holder_index(analysis->graph, objects + i);
		uint8_t kind = analysis->roots.holders.data[index].kind;
		if (kind >= first && kind <= last && objects + i != except)
			visit_targets(&search, objects + i, objects + i);
	}
	for (size_t at = 0; at < search.queue.count && at < most_visits && !search.failed &&
			    search.found == HF_NO_NODE;
	     at++) {
		struct visit visit = search.queue.data[at];
		if (at + AHEAD < search.queue.count)
			__builtin_prefetch(&columns.link[search.queue.data[at + AHEAD].node]);
		visit_targets(&search, visit.node, visit.holder);
	}
	hf_vec_free(&search.queue);
	free(search.seen);
	return search.found;
}

uint32_t hf_strong_holder(const struct hf_analysis *analysis, uint32_t object)
{
	return nearest(analysis, object, HF_HOLDER_VARIABLE, HF_HOLDER_TLS, HF_NO_NODE,
		       MOST_VISITS);
}

static uint32_t nearest_but(const struct hf_analysis *analysis, uint32_t object, uint32_t except)
{
	uint32_t strong = nearest(analysis, object, HF_HOLDER_VARIABLE, HF_HOLDER_TLS, except,
				  MOST_VISITS_BY_SHARED);
	return strong != HF_NO_NODE ? strong
				    : nearest(analysis, object, HF_HOLDER_FRAME, HF_HOLDER_MAPPING,
					      except, MOST_VISITS_BY_SHARED);
}

uint32_t hf_sharing_holders(const struct hf_analysis *analysis, uint32_t object, uint32_t ret[2])
{
	ret[0] = nearest_but(analysis, object, HF_NO_NODE);
	ret[1] = ret[0] == HF_NO_NODE ? HF_NO_NODE : nearest_but(analysis, object, ret[0]);
	return (ret[0] != HF_NO_NODE) + (ret[1] != HF_NO_NODE);
}
