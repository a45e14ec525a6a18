/*
 * tables.c - the tables that are arrays of the analysis: a column is a function of the row.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "heapwalk/query/vtab.h"

static bool is_object(const struct hf_analysis *analysis, uint64_t node)
{
	return node < hf_graph_objects(analysis->graph);
}

static void dominator_column(const struct hf_analysis *analysis, struct query_cell *ctx,
			     uint32_t node)
{
	uint32_t above = hf_graph_idom(analysis->graph, node);
	if (above != HF_NO_NODE)
		query_number(ctx, above);
}

static void name_column(const struct hf_analysis *analysis, struct query_cell *ctx, uint32_t node)
{
	query_own_text(ctx, hf_analysis_describe(analysis, node));
}

/* ---- objects --------------------------------------------------------------------------------- */

static uint64_t objects_rows(const struct hf_analysis *analysis)
{
	return analysis->graph ? hf_graph_objects(analysis->graph) : 0;
}

static void depth_column(struct hf_analysis *analysis, struct query_cell *ctx, uint32_t id)
{
	uint32_t level = 0;
	struct hf_error *err = hf_graph_depth(analysis->graph, id, &level);
	if (!err)
		query_number(ctx, level);
	hf_error_destroy(err);
}

static void objects_column(struct query_cursor *cursor, struct query_cell *ctx, int column)
{
	struct hf_analysis *analysis = cursor->analysis;
	uint32_t id = (uint32_t)cursor->row;
	const struct hf_type *type =
	    hf_typing_type(analysis->typing, hf_typing_of(analysis->typing, id));
	uint32_t arena = hf_extents_arena(analysis->extents, id);

	switch (column) {
	case 0:
		query_number(ctx, id);
		break;
	case 1:
		query_number(ctx, hf_extents_address(analysis->extents, id));
		break;
	case 2:
		query_number(ctx, hf_extents_usable(analysis->extents, id));
		break;
	case 3:
		query_number(ctx, hf_extents_chunk_bytes(analysis->extents, id));
		break;
	case 4:
		if (arena != HF_NO_ARENA)
			query_number(ctx, arena);
		break;
	case 5:
		query_text(ctx, hf_object_kind_name(hf_extents_kind(analysis->extents, id)));
		break;
	case 6:
		query_text(ctx, hf_leak_kind_name(hf_graph_leak_kind(analysis->graph, id)));
		break;
	case 7:
		query_text(ctx, type->name);
		break;
	case 8:
		query_text(ctx, hf_type_source_name(hf_typing_source(analysis->typing, id)));
		break;
	case 9:
		query_number(ctx, hf_graph_retained(analysis->graph, id));
		break;
	case 10:
		query_number(ctx, hf_graph_retained_objects(analysis->graph, id));
		break;
	case 11:
		dominator_column(analysis, ctx, id);
		break;
	default:
		depth_column(analysis, ctx, id);
		break;
	}
}

/* ---- nodes and holders ----------------------------------------------------------------------- */

static uint64_t nodes_rows(const struct hf_analysis *analysis)
{
	return analysis->graph ? hf_graph_root(analysis->graph) + 1ull : 0;
}

/* Those that can point: the super root has no memory. */
static uint64_t refs_rows(const struct hf_analysis *analysis)
{
	return analysis->graph ? hf_graph_root(analysis->graph) : 0;
}

static void nodes_column(struct query_cursor *cursor, struct query_cell *ctx, int column)
{
	const struct hf_analysis *analysis = cursor->analysis;
	uint32_t node = (uint32_t)cursor->row, root = hf_graph_root(analysis->graph);
	const struct hf_holder *holder = NULL;

	if (!is_object(analysis, node) && node != root)
		holder =
		    &analysis->roots.holders.data[hf_graph_holder_index(analysis->graph, node)];
	switch (column) {
	case 0:
		query_number(ctx, node);
		break;
	case 1:
		query_text(ctx, holder	       ? hf_holder_kind_name(holder->kind)
				: node == root ? "root"
					       : "object");
		break;
	case 2:
		name_column(analysis, ctx, node);
		break;
	case 3:
		if (is_object(analysis, node))
			query_number(ctx, hf_extents_address(analysis->extents, node));
		else if (holder && holder->address)
			query_number(ctx, holder->address);
		break;
	case 4:
		query_number(ctx, hf_graph_retained(analysis->graph, node));
		break;
	default:
		dominator_column(analysis, ctx, node);
		break;
	}
}

static uint64_t holders_rows(const struct hf_analysis *analysis)
{
	return analysis->graph ? hf_graph_holders(analysis->graph) : 0;
}

static void holders_column(struct query_cursor *cursor, struct query_cell *ctx, int column)
{
	const struct hf_analysis *analysis = cursor->analysis;
	uint32_t node = hf_graph_objects(analysis->graph) + (uint32_t)cursor->row;
	const struct hf_holder *holder =
	    &analysis->roots.holders.data[hf_graph_holder_index(analysis->graph, node)];
	const struct hf_process *process = analysis->process;

	switch (column) {
	case 0:
		query_number(ctx, node);
		break;
	case 1:
		query_text(ctx, hf_holder_kind_name(holder->kind));
		break;
	case 2:
		query_text(ctx, holder->name);
		break;
	case 3:
		if (holder->module < process->modules.count)
			query_text(ctx, process->modules.data[holder->module].name);
		break;
	case 4:
		if (holder->thread < process->threads.count)
			query_number(ctx, process->threads.data[holder->thread].number);
		break;
	case 5:
		if (holder->frame != HF_NO_INDEX)
			query_number(ctx, holder->frame);
		break;
	case 6:
		if (holder->address)
			query_number(ctx, holder->address);
		break;
	case 7:
		query_number(ctx, holder->size);
		break;
	case 8:
		query_number(ctx, hf_graph_retained(analysis->graph, node));
		break;
	default:
		query_text(ctx, holder->local);
		break;
	}
}

/* ---- the process ----------------------------------------------------------------------------- */

static uint64_t arenas_rows(const struct hf_analysis *analysis)
{
	return analysis->allocator ? analysis->allocator->arenas.count : 0;
}

static void arenas_column(struct query_cursor *cursor, struct query_cell *ctx, int column)
{
	const struct hf_arena *arena = &cursor->analysis->allocator->arenas.data[cursor->row];
	const uint64_t *bytes = arena->state_bytes;
	const uint64_t values[] = {
	    cursor->row,
	    arena->address,
	    arena->is_main,
	    arena->in_flux,
	    arena->heaps,
	    arena->attached_threads,
	    arena->system_bytes,
	    arena->max_system_bytes,
	    arena->inuse_count,
	    arena->inuse_bytes,
	    bytes[HF_CHUNK_TCACHE],
	    bytes[HF_CHUNK_FASTBIN],
	    bytes[HF_CHUNK_UNSORTED],
	    bytes[HF_CHUNK_SMALL],
	    bytes[HF_CHUNK_LARGE],
	    bytes[HF_CHUNK_TOP],
	    arena->overhead_bytes,
	    bytes[HF_CHUNK_POOL],
	    bytes[HF_CHUNK_UNUSED],
	};
	if (column < (int)(sizeof(values) / sizeof(values[0])))
		query_number(ctx, values[column]);
	else
		query_text(ctx, arena->layer);
}

static uint64_t threads_rows(const struct hf_analysis *analysis)
{
	return analysis->process->threads.count;
}

static void threads_column(struct query_cursor *cursor, struct query_cell *ctx, int column)
{
	const struct hf_thread *thread = &cursor->analysis->process->threads.data[cursor->row];
	const struct hf_frame *frame = thread->frames.count ? thread->frames.data : NULL;

	switch (column) {
	case 0:
		query_number(ctx, thread->number);
		break;
	case 1:
		query_number(ctx, thread->tid);
		break;
	case 2:
		query_text(ctx, thread->name[0] ? thread->name : NULL);
		break;
	case 3:
		query_number(ctx, (uint64_t)thread->signal);
		break;
	case 4:
		query_number(ctx, thread->pc);
		break;
	case 5:
		query_number(ctx, thread->sp);
		break;
	case 6:
		query_number(ctx, thread->frames.count);
		break;
	default:
		query_text(ctx, frame ? frame->function : NULL);
		break;
	}
}

static uint64_t mappings_rows(const struct hf_analysis *analysis)
{
	return analysis->process->mappings.count;
}

static void mappings_column(struct query_cursor *cursor, struct query_cell *ctx, int column)
{
	static const char *const kinds[] = {"anonymous", "file", "stack", "brk", "vdso"};
	const struct hf_process *process = cursor->analysis->process;
	const struct hf_mapping *mapping = &process->mappings.data[cursor->row];
	char flags[4] = {mapping->flags & HF_SEGMENT_R ? 'r' : '-',
			 mapping->flags & HF_SEGMENT_W ? 'w' : '-',
			 mapping->flags & HF_SEGMENT_X ? 'x' : '-', '\0'};

	switch (column) {
	case 0:
		query_number(ctx, mapping->start);
		break;
	case 1:
		query_number(ctx, mapping->end);
		break;
	case 2:
		query_number(ctx, mapping->end - mapping->start);
		break;
	case 3:
		query_own_text(ctx, strdup(flags));
		break;
	case 4:
		query_text(ctx, kinds[mapping->kind]);
		break;
	case 5:
		query_number(ctx, mapping->present);
		break;
	case 6:
		query_text(ctx, mapping->path);
		break;
	default:
		if (mapping->module < process->modules.count)
			query_text(ctx, process->modules.data[mapping->module].name);
		break;
	}
}

static uint64_t modules_rows(const struct hf_analysis *analysis)
{
	return analysis->process->modules.count;
}

static void modules_column(struct query_cursor *cursor, struct query_cell *ctx, int column)
{
	static const char *const matches[] = {"none", "matches", "unverified", "differs"};
	const struct hf_module *module = &cursor->analysis->process->modules.data[cursor->row];
	char id[2 * sizeof(module->build_id) + 1] = "";

	switch (column) {
	case 0:
		query_text(ctx, module->name);
		break;
	case 1:
		query_text(ctx, module->path);
		break;
	case 2:
		query_number(ctx, module->start);
		break;
	case 3:
		query_number(ctx, module->end);
		break;
	case 4:
		for (unsigned i = 0; i < module->build_id_bytes; i++)
			snprintf(id + 2 * i, 3, "%02x", module->build_id[i]);
		query_own_text(ctx, id[0] ? strdup(id) : NULL);
		break;
	case 5:
		query_text(ctx, module->file);
		break;
	case 6:
		query_text(ctx, matches[module->match]);
		break;
	default:
		query_text(ctx, module->has_dwarf    ? "dwarf"
				: module->has_symtab ? "symtab"
						     : "none");
		break;
	}
}

static uint64_t types_rows(const struct hf_analysis *analysis)
{
	return analysis->typing ? hf_typing_types(analysis->typing) : 0;
}

static void types_column(struct query_cursor *cursor, struct query_cell *ctx, int column)
{
	const struct hf_type *type =
	    hf_typing_type(cursor->analysis->typing, (uint32_t)cursor->row);
	switch (column) {
	case 0:
		query_number(ctx, cursor->row);
		break;
	case 1:
		query_text(ctx, type->name);
		break;
	case 2:
		query_text(ctx, hf_type_source_name(type->source));
		break;
	case 3:
		query_number(ctx, type->confidence);
		break;
	case 4:
		query_number(ctx, type->count);
		break;
	default:
		query_number(ctx, type->bytes);
		break;
	}
}

static uint64_t findings_rows(const struct hf_analysis *analysis)
{
	return hf_diags_count(analysis->diags);
}

static void findings_column(struct query_cursor *cursor, struct query_cell *ctx, int column)
{
	const struct hf_diag *diag = hf_diags_get(cursor->analysis->diags, cursor->row);
	switch (column) {
	case 0:
		query_text(ctx, hf_severity_name(diag->severity));
		break;
	case 1:
		query_text(ctx, diag->code);
		break;
	case 2:
		if (diag->address)
			query_number(ctx, diag->address);
		break;
	default:
		query_text(ctx, diag->message);
		break;
	}
}

/* ---- the list -------------------------------------------------------------------------------- */

const struct query_table query_tables[] = {
    {"objects",
     "CREATE TABLE objects(id INTEGER, address ADDRESS, usable INTEGER, chunk_size INTEGER, "
     "arena INTEGER, kind TEXT, leak_kind TEXT, type TEXT, type_source TEXT, retained INTEGER, "
     "retained_objects INTEGER, dominator INTEGER, depth INTEGER)",
     0, 1, -1, objects_rows, objects_column, NULL, NULL, NULL, false},
    {"nodes",
     "CREATE TABLE nodes(id INTEGER, kind TEXT, name TEXT, address ADDRESS, retained INTEGER, "
     "dominator INTEGER)",
     0, -1, -1, nodes_rows, nodes_column, NULL, NULL, NULL, false},
    {"refs",
     "CREATE TABLE refs(source INTEGER, target INTEGER, source_offset INTEGER, "
     "target_offset INTEGER, interior INTEGER, field TEXT)",
     0, -1, 1, refs_rows, query_refs_column, query_refs_first, query_refs_next, query_refs_at_end,
     false},
    {"fields",
     "CREATE TABLE fields(object INTEGER, address ADDRESS, path TEXT, type TEXT, offset INTEGER, "
     "value, target INTEGER)",
     0, 1, -1, query_fields_rows, query_fields_column, query_fields_first, query_fields_next,
     query_fields_at_end, true},
    {"chunks", "CREATE TABLE chunks(address ADDRESS, size INTEGER, arena INTEGER, state TEXT)", -1,
     -1, -1, NULL, query_chunks_column, query_chunks_first, query_chunks_next, query_chunks_at_end,
     false},
    {"holders",
     "CREATE TABLE holders(id INTEGER, kind TEXT, name TEXT, module TEXT, thread INTEGER, "
     "frame INTEGER, address ADDRESS, size INTEGER, retained INTEGER, variable TEXT)",
     -1, -1, -1, holders_rows, holders_column, NULL, NULL, NULL, false},
    {"arenas",
     "CREATE TABLE arenas(id INTEGER, address ADDRESS, main INTEGER, in_flux INTEGER, "
     "heaps INTEGER, attached_threads INTEGER, system_bytes INTEGER, max_system_bytes INTEGER, "
     "inuse_count INTEGER, inuse_bytes INTEGER, tcache_bytes INTEGER, fastbin_bytes INTEGER, "
     "unsorted_bytes INTEGER, small_bytes INTEGER, large_bytes INTEGER, top_bytes INTEGER, "
     "overhead_bytes INTEGER, pool_bytes INTEGER, unused_bytes INTEGER, layer TEXT)",
     0, -1, -1, arenas_rows, arenas_column, NULL, NULL, NULL, false},
    {"threads",
     "CREATE TABLE threads(number INTEGER, tid INTEGER, name TEXT, signal INTEGER, pc ADDRESS, "
     "sp ADDRESS, frames INTEGER, function TEXT)",
     -1, -1, -1, threads_rows, threads_column, NULL, NULL, NULL, false},
    {"mappings",
     "CREATE TABLE mappings(start ADDRESS, \"end\" ADDRESS, size INTEGER, flags TEXT, kind TEXT, "
     "present INTEGER, path TEXT, module TEXT)",
     -1, -1, -1, mappings_rows, mappings_column, NULL, NULL, NULL, false},
    {"modules",
     "CREATE TABLE modules(name TEXT, path TEXT, start ADDRESS, \"end\" ADDRESS, build_id TEXT, "
     "file TEXT, match TEXT, symbols TEXT)",
     -1, -1, -1, modules_rows, modules_column, NULL, NULL, NULL, false},
    {"types",
     "CREATE TABLE types(id INTEGER, name TEXT, source TEXT, confidence INTEGER, count INTEGER, "
     "bytes INTEGER)",
     0, -1, -1, types_rows, types_column, NULL, NULL, NULL, false},
    {"findings", "CREATE TABLE findings(severity TEXT, code TEXT, address ADDRESS, message TEXT)",
     -1, -1, -1, findings_rows, findings_column, NULL, NULL, NULL, false},
};

const unsigned query_table_count = sizeof(query_tables) / sizeof(query_tables[0]);
