/*
 * streams.c - the tables that are no arrays: chunks (a walk, a batch at a time) and refs (the
 * words of the nodes, scanned again).
 */
#include <stdlib.h>
#include <string.h>

#include "heapwalk/query/vtab.h"

enum { CHUNK_BATCH = 1024, EDGE_BATCH = 256 };

/* ---- chunks ---------------------------------------------------------------------------------- */

static void fill_chunks(struct query_cursor *cursor)
{
	const struct hf_allocator *allocator = cursor->analysis->allocator;

	cursor->chunk_count = cursor->chunk_at = 0;
	while (cursor->chunk_count == 0 && cursor->region < allocator->regions.count) {
		cursor->chunk_count = allocator->ops->chunks(
		    allocator, cursor->region, &cursor->next_address, cursor->chunks, CHUNK_BATCH);
		if (cursor->chunk_count < CHUNK_BATCH) {
			cursor->region++;
			cursor->next_address = 0;
		}
	}
}

void query_chunks_first(struct query_cursor *cursor)
{
	cursor->region = 0;
	cursor->next_address = 0;
	cursor->chunk_count = cursor->chunk_at = 0;
	cursor->row = 0;
	if (!cursor->chunks)
		cursor->chunks = malloc(CHUNK_BATCH * sizeof(*cursor->chunks));
	cursor->failed = !cursor->chunks;
	if (!cursor->failed && cursor->analysis->allocator)
		fill_chunks(cursor);
}

void query_chunks_next(struct query_cursor *cursor)
{
	cursor->row++;
	if (++cursor->chunk_at >= cursor->chunk_count)
		fill_chunks(cursor);
}

bool query_chunks_at_end(const struct query_cursor *cursor)
{
	return cursor->chunk_at >= cursor->chunk_count;
}

void query_chunks_column(struct query_cursor *cursor, struct query_cell *ctx, int column)
{
	const struct hf_chunk *chunk = &cursor->chunks[cursor->chunk_at];
	switch (column) {
	case 0:
		query_number(ctx, chunk->address);
		break;
	case 1:
		query_number(ctx, chunk->size);
		break;
	case 2:
		if (chunk->arena != HF_NO_ARENA)
			query_number(ctx, chunk->arena);
		break;
	default:
		query_text(ctx, hf_chunk_state_name(chunk->state));
		break;
	}
}

/* ---- refs ------------------------------------------------------------------------------------ */

static bool take_edge(void *ctx, const struct hf_edge *edge)
{
	struct query_cursor *cursor = ctx;

	if (cursor->only_target == HF_NO_NODE || edge->target == cursor->only_target)
		cursor->edges[cursor->edge_count++] = *edge;
	return cursor->edge_count < EDGE_BATCH;
}

/* Go on with the sources of one target: one that points twice stands twice among them. */
static void fill_from_sources(struct query_cursor *cursor)
{
	while (cursor->edge_count == 0 && cursor->row < cursor->end) {
		uint32_t source = HF_EDGE_NODE(cursor->sources[cursor->row]);
		if (cursor->place.node != source)
			cursor->place = (struct hf_edge_place){.node = source};
		hf_graph_each_edge_from(cursor->analysis->graph, &cursor->place, source + 1,
					take_edge, cursor);
		while (cursor->place.node != source && cursor->row < cursor->end &&
		       HF_EDGE_NODE(cursor->sources[cursor->row]) == source)
			cursor->row++;
	}
}

static void fill_edges(struct query_cursor *cursor)
{
	cursor->edge_count = cursor->edge_at = 0;
	if (cursor->sources)
		fill_from_sources(cursor);
	else
		hf_graph_each_edge_from(cursor->analysis->graph, &cursor->place,
					(uint32_t)cursor->end, take_edge, cursor);
}

void query_refs_first(struct query_cursor *cursor)
{
	cursor->edge_count = cursor->edge_at = 0;
	cursor->place = (struct hf_edge_place){
	    .node = cursor->sources ? HF_NO_NODE : (uint32_t)cursor->row,
	};
	if (!cursor->edges)
		cursor->edges = malloc(EDGE_BATCH * sizeof(*cursor->edges));
	cursor->failed = cursor->failed || !cursor->edges;
	if (!cursor->failed && cursor->analysis->graph)
		fill_edges(cursor);
}

void query_refs_next(struct query_cursor *cursor)
{
	if (++cursor->edge_at >= cursor->edge_count)
		fill_edges(cursor);
}

bool query_refs_at_end(const struct query_cursor *cursor)
{
	return cursor->edge_at >= cursor->edge_count;
}

static uint64_t source_address(const struct hf_analysis *analysis, uint32_t node)
{
	if (node < hf_graph_objects(analysis->graph))
		return hf_extents_address(analysis->extents, node);
	return analysis->roots.holders.data[hf_graph_holder_index(analysis->graph, node)].address;
}

static void field_column(struct query_cursor *cursor, struct query_cell *ctx,
			 const struct hf_edge *edge)
{
	char field[QUERY_MAX_FIELD];

	if (cursor->names)
		query_text(ctx, query_names_field(cursor->names, cursor->analysis, edge));
	else if (hf_analysis_field(cursor->analysis, edge, field, sizeof(field)))
		query_own_text(ctx, strdup(field));
}

void query_refs_column(struct query_cursor *cursor, struct query_cell *ctx, int column)
{
	const struct hf_edge *edge = &cursor->edges[cursor->edge_at];

	switch (column) {
	case 0:
		query_number(ctx, edge->source);
		break;
	case 1:
		query_number(ctx, edge->target);
		break;
	case 2:
		if (edge->source_address)
			query_number(ctx, edge->source_address -
					      source_address(cursor->analysis, edge->source));
		break;
	case 3:
		query_number(ctx, edge->value - edge->target_address);
		break;
	case 4:
		query_number(ctx, edge->interior);
		break;
	default:
		field_column(cursor, ctx, edge);
		break;
	}
}
