/*
 * streams.c - the tables that are no arrays: chunks (a walk, a batch at a time) and refs (the
 * words of one node at a time, scanned again).
 */
#include <stdlib.h>
#include <string.h>

#include "heapwalk/query/vtab.h"

enum { CHUNK_BATCH = 1024 };

/* ---- chunks
 * -------------------------------------------------------------------------------------- */

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

/* ---- refs
 * ----------------------------------------------------------------------------------------- */

static bool take_edge(void *ctx, const struct hf_edge *edge)
{
	struct query_cursor *cursor = ctx;

	if (cursor->only_target != HF_NO_NODE && edge->target != cursor->only_target)
		return true;
	if (cursor->edge_count == cursor->edge_capacity) {
		size_t capacity = cursor->edge_capacity ? cursor->edge_capacity * 2 : 64;
		struct hf_edge *edges = realloc(cursor->edges, capacity * sizeof(*edges));
		if (!edges) {
			cursor->failed = true;
			return false;
		}
		cursor->edges = edges;
		cursor->edge_capacity = capacity;
	}
	cursor->edges[cursor->edge_count++] = *edge;
	return true;
}

/* Go on to the next source that has an edge. */
static void fill_edges(struct query_cursor *cursor)
{
	cursor->edge_count = cursor->edge_at = 0;
	while (cursor->edge_count == 0 && cursor->row < cursor->end && !cursor->failed) {
		uint64_t row = cursor->row++;
		uint32_t source =
		    cursor->sources ? HF_EDGE_NODE(cursor->sources[row]) : (uint32_t)row;
		/* A source that points twice stands twice in the reverse row. */
		if (cursor->sources && row && HF_EDGE_NODE(cursor->sources[row - 1]) == source)
			continue;
		hf_graph_each_edge(cursor->analysis->graph, source, take_edge, cursor);
	}
}

void query_refs_first(struct query_cursor *cursor)
{
	cursor->edge_count = cursor->edge_at = 0;
	cursor->failed = false;
	if (cursor->analysis->graph)
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

void query_refs_column(struct query_cursor *cursor, struct query_cell *ctx, int column)
{
	const struct hf_edge *edge = &cursor->edges[cursor->edge_at];
	char field[512];

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
		query_number(ctx, edge->value -
				      hf_extents_address(cursor->analysis->extents, edge->target));
		break;
	case 4:
		query_number(ctx, edge->interior);
		break;
	default:
		if (hf_analysis_field(cursor->analysis, edge, field, sizeof(field)))
			query_own_text(ctx, strdup(field));
		break;
	}
}
