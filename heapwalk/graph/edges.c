/*
 * edges.c - the words that point, read again from the image: which they are is not stored.
 *
 * What a word points at is one look-up in the extents' bitmap, and in a big heap each of them
 * misses the cache. So words that may point are collected, a batch at a time, of as many nodes as
 * are asked for; where the last of them is found, the bitmap's lines of the first have come.
 */
#include <stdlib.h>
#include <string.h>

#include "heapwalk/graph/graph_private.h"

enum { BATCH = 64 };

/* A word whose value lies between the lowest and the highest region. */
struct candidate {
	struct hf_edge_place place; /* of the word */
	uint64_t address, value;    /* address 0: a register */
	struct hf_location location;
};

struct walk {
	const struct hf_graph *graph;
	struct hf_edge_place *place;
	hf_edge_fn *fn;
	void *ctx;
	uint64_t low, high;
	uint32_t region; /* hint */
	bool stopped;
	unsigned count;
	struct candidate batch[BATCH];
};

/* Is it to go on? */
static bool give(const struct walk *walk, const struct candidate *candidate)
{
	const struct hf_graph *graph = walk->graph;
	bool start = false;
	uint32_t target =
	    hf_extents_resolve(graph->extents, &candidate->location, candidate->value, &start);

	if (target == HF_NO_OBJECT || target == candidate->place.node)
		return true;
	struct hf_edge edge = {
	    .source = candidate->place.node,
	    .target = target,
	    .source_address = candidate->address,
	    .value = candidate->value,
	    .target_address = start ? candidate->value : hf_extents_address(graph->extents, target),
	    .interior = !start && !hf_graph_heuristic(graph, target, candidate->value),
	};
	return walk->fn(walk->ctx, &edge);
}

static void flush(struct walk *walk)
{
	for (unsigned i = 0; i < walk->count && !walk->stopped; i++) {
		const struct candidate *candidate = &walk->batch[i];
		if (give(walk, candidate))
			continue;
		walk->stopped = true;
		*walk->place = candidate->place;
		walk->place->next = candidate->address + walk->graph->image->word_bytes;
		if (!candidate->address)
			walk->place->item++;
	}
	walk->count = 0;
}

static void consider(struct walk *walk, const struct hf_edge_place *place, uint64_t address,
		     uint64_t value)
{
	struct candidate *candidate = &walk->batch[walk->count];

	if (value < walk->low || value >= walk->high)
		return;
	hf_extents_locate(walk->graph->extents, value, &walk->region, &candidate->location);
	if (!candidate->location.block)
		return;
	candidate->place = *place;
	candidate->address = address;
	candidate->value = value;
	if (++walk->count == BATCH)
		flush(walk);
}

/* Words of [@start, @end) that are there, piece by piece as the image has them. */
static void walk_range(struct walk *walk, const struct hf_edge_place *place, uint64_t start,
		       uint64_t end)
{
	const struct hf_image *image = walk->graph->image;
	uint64_t word = image->word_bytes;
	bool native = word == 8 && !image->big_endian;

	for (uint64_t at = start; at < end && end - at >= word && !walk->stopped;) {
		uint64_t available = 0;
		const uint8_t *data = hf_image_at(image, at, &available);
		if (!data) {
			uint64_t next = hf_image_next(image, at + word, end);
			if (next >= end)
				return;
			at = next + (word - next % word) % word;
			continue;
		}
		uint64_t words = (available < end - at ? available : end - at) / word;
		for (uint64_t i = 0; i < words && !walk->stopped; i++) {
			uint64_t value;
			if (native)
				memcpy(&value, data + i * 8, sizeof(value));
			else
				value = hf_image_word_at(image, data + i * word);
			consider(walk, place, at + i * word, value);
		}
		at += words ? words * word : word;
	}
}

static void walk_object(struct walk *walk, const struct hf_edge_place *place)
{
	const struct hf_extents *extents = walk->graph->extents;
	const uint32_t *targets;

	if (!hf_graph_out(walk->graph, place->node, &targets))
		return;
	uint64_t address = hf_extents_address(extents, place->node);
	walk_range(walk, place, place->next > address ? place->next : address,
		   address + hf_extents_usable(extents, place->node));
}

/* Items of a holder: its ranges, then its values, counted through those of all holders. */
static void walk_holder(struct walk *walk, struct hf_edge_place place)
{
	const struct hf_graph *graph = walk->graph;
	const struct hf_roots *roots = graph->roots;
	uint32_t holder = graph->holder_index[place.node - graph->objects];
	struct hf_holder_items items = graph->holder_items[holder];
	uint64_t ranges = roots->ranges.count, next = place.next;

	place.item = place.item > items.first ? place.item : items.first;
	for (; place.item < ranges && place.item < items.end && !walk->stopped;
	     place.item++, next = 0) {
		const struct hf_root_range *range = &roots->ranges.data[place.item];
		if (range->holder == holder)
			walk_range(walk, &place, next > range->start ? next : range->start,
				   range->end);
	}
	for (; place.item < items.end && !walk->stopped; place.item++) {
		const struct hf_root_value *value = &roots->values.data[place.item - ranges];
		if (value->holder == holder)
			consider(walk, &place, 0, value->value);
	}
}

static void note_item(struct hf_graph *graph, uint32_t holder, uint32_t item)
{
	struct hf_holder_items *items = &graph->holder_items[holder];

	if (!items->end)
		items->first = item;
	items->end = item + 1;
}

bool hf_graph_find_items(struct hf_graph *graph)
{
	const struct hf_roots *roots = graph->roots;
	uint32_t item = 0;

	graph->holder_items = calloc(roots->holders.count + 1, sizeof(*graph->holder_items));
	if (!graph->holder_items)
		return false;
	hf_vec_foreach (range, &roots->ranges)
		note_item(graph, range->holder, item++);
	hf_vec_foreach (value, &roots->values)
		note_item(graph, value->holder, item++);
	return true;
}

void hf_graph_each_edge_from(const struct hf_graph *graph, struct hf_edge_place *place,
			     uint32_t end, hf_edge_fn *fn, void *ctx)
{
	struct walk walk;
	struct hf_edge_place at = *place;

	walk.graph = graph;
	walk.place = place;
	walk.fn = fn;
	walk.ctx = ctx;
	walk.region = UINT32_MAX;
	walk.stopped = false;
	walk.count = 0;
	hf_extents_hull(graph->extents, &walk.low, &walk.high);
	while (at.node < end && at.node < graph->objects + graph->holders && !walk.stopped) {
		if (at.node < graph->objects)
			walk_object(&walk, &at);
		else
			walk_holder(&walk, at);
		at = (struct hf_edge_place){.node = at.node + 1};
	}
	flush(&walk);
	if (!walk.stopped)
		*place = (struct hf_edge_place){.node = end};
}

void hf_graph_each_edge(const struct hf_graph *graph, uint32_t node, hf_edge_fn *fn, void *ctx)
{
	struct hf_edge_place place = {.node = node};

	if (node != HF_NO_NODE)
		hf_graph_each_edge_from(graph, &place, node + 1, fn, ctx);
}
