/*
 * names.c - a table of (type, offset) -> name, each in the one slot that its hash says.
 */
#include "heapwalk/query/names.h"

#include <stdlib.h>
#include <string.h>

enum { SLOT_BITS = 10, SLOTS = 1 << SLOT_BITS };

struct slot {
	uint64_t offset;
	uint32_t type;
	bool used;
	char *name; /* NULL: no field is known there */
};

struct query_names {
	pthread_mutex_t *lock;
	char other[QUERY_MAX_FIELD];
	struct slot slots[SLOTS];
};

struct query_names *query_names_create(pthread_mutex_t *lock)
{
	struct query_names *names = calloc(1, sizeof(*names));
	if (names)
		names->lock = lock;
	return names;
}

void query_names_destroy(struct query_names *names)
{
	if (!names)
		return;
	for (unsigned i = 0; i < SLOTS; i++)
		free(names->slots[i].name);
	free(names);
}

/* The name in names->other, or NULL. */
static const char *ask(struct query_names *names, const struct hf_analysis *analysis,
		       const struct hf_edge *edge)
{
	pthread_mutex_lock(names->lock);
	bool known = hf_analysis_field(analysis, edge, names->other, sizeof(names->other));
	pthread_mutex_unlock(names->lock);
	return known ? names->other : NULL;
}

const char *query_names_field(struct query_names *names, const struct hf_analysis *analysis,
			      const struct hf_edge *edge)
{
	if (!analysis->typing || edge->source >= hf_graph_objects(analysis->graph))
		return ask(names, analysis, edge);
	uint32_t type = hf_typing_of(analysis->typing, edge->source);
	if (!hf_typing_type(analysis->typing, type)->ctype)
		return NULL;
	uint64_t offset =
	    edge->source_address - hf_extents_address(analysis->extents, edge->source);
	uint64_t hash = (offset << 24 ^ type) * UINT64_C(0x9e3779b97f4a7c15) >> (64 - SLOT_BITS);
	struct slot *slot = &names->slots[hash];
	if (slot->used && slot->type == type && slot->offset == offset)
		return slot->name;
	const char *name = ask(names, analysis, edge);
	free(slot->name);
	*slot = (struct slot){offset, type, true, name ? strdup(name) : NULL};
	/* Without memory it is told, but not kept. */
	slot->used = !name || slot->name;
	return name;
}
