/*
 * arenas.c - malloc's own figures: per arena, per free list, per thread cache; equal to what
 * mallinfo2(3) and malloc_info(3) would have returned at that moment.
 */
#include "heapwalk/views/sections.h"

static const struct hf_column arena_columns[] = {
    {"arena", "arena", 0},
    {"address", "address", HF_COLUMN_OPTIONAL},
    {"main", NULL, HF_COLUMN_JSON_ONLY},
    {"in_flux", NULL, HF_COLUMN_JSON_ONLY},
    {"heaps", "heaps", HF_COLUMN_OPTIONAL},
    {"attached_threads", "threads", HF_COLUMN_OPTIONAL},
    {"system_bytes", "system", 0},
    {"max_system_bytes", NULL, HF_COLUMN_JSON_ONLY},
    {"aspace_bytes", NULL, HF_COLUMN_JSON_ONLY},
    {"aspace_mprotect_bytes", NULL, HF_COLUMN_JSON_ONLY},
    {"inuse_count", "objects", 0},
    {"inuse_bytes", "in use", 0},
    {"tcache_count", NULL, HF_COLUMN_JSON_ONLY},
    {"tcache_bytes", "tcache", 0},
    {"fastbin_bytes", "fastbins", HF_COLUMN_OPTIONAL},
    {"bins_bytes", "bins", 0},
    {"top_bytes", "top", 0},
    {"overhead_bytes", "overhead", 0},
};

static void tell_arenas(const struct hf_allocator *allocator, struct hf_doc *doc)
{
	struct hf_table *table = hf_doc_table(doc, "arenas", NULL, arena_columns,
					      sizeof(arena_columns) / sizeof(arena_columns[0]));
	for (size_t i = 0; i < allocator->arenas.count; i++) {
		const struct hf_arena *arena = &allocator->arenas.data[i];
		if (arena->layer)
			continue;
		hf_doc_row(doc, table, 0);
		hf_doc_cell(doc, table, hf_number(i));
		hf_doc_cell(doc, table, hf_address(arena->address));
		hf_doc_cell(doc, table, hf_bool(arena->is_main));
		hf_doc_cell(doc, table, hf_bool(arena->in_flux));
		hf_doc_cell(doc, table, hf_count(arena->heaps));
		hf_doc_cell(doc, table, hf_count(arena->attached_threads));
		hf_doc_cell(doc, table, hf_bytes(arena->system_bytes));
		hf_doc_cell(doc, table, hf_bytes(arena->max_system_bytes));
		hf_doc_cell(doc, table, hf_bytes(arena->aspace_bytes));
		hf_doc_cell(doc, table, hf_bytes(arena->aspace_mprotect_bytes));
		hf_doc_cell(doc, table, hf_count(arena->inuse_count));
		hf_doc_cell(doc, table, hf_bytes(arena->inuse_bytes));
		hf_doc_cell(doc, table, hf_count(arena->state_count[HF_CHUNK_TCACHE]));
		hf_doc_cell(doc, table, hf_bytes(arena->state_bytes[HF_CHUNK_TCACHE]));
		hf_doc_cell(doc, table, hf_bytes(arena->state_bytes[HF_CHUNK_FASTBIN]));
		hf_doc_cell(
		    doc, table,
		    hf_bytes(hf_arena_bins_bytes(arena) - arena->state_bytes[HF_CHUNK_FASTBIN]));
		hf_doc_cell(doc, table, hf_bytes(arena->state_bytes[HF_CHUNK_TOP]));
		hf_doc_cell(doc, table, hf_bytes(arena->overhead_bytes));
	}
}

/* What stands over malloc, and takes memory from the system beside it. */
static void tell_layers(const struct hf_allocator *allocator, struct hf_doc *doc)
{
	static const struct hf_column columns[] = {
	    {"layer", "layer", 0},
	    {"arena", "arena", 0},
	    {"address", "table", HF_COLUMN_OPTIONAL},
	    {"system_arenas", "arenas", 0},
	    {"system_bytes", "system", 0},
	    {"inuse_count", "objects", 0},
	    {"inuse_bytes", "in use", 0},
	    {"free_count", NULL, HF_COLUMN_JSON_ONLY},
	    {"free_bytes", "free blocks", 0},
	    {"unused_pools", NULL, HF_COLUMN_JSON_ONLY},
	    {"unused_bytes", "unused pools", 0},
	    {"overhead_bytes", "overhead", 0},
	};
	struct hf_table *table = NULL;

	for (size_t i = 0; i < allocator->arenas.count; i++) {
		const struct hf_arena *arena = &allocator->arenas.data[i];
		if (!arena->layer)
			continue;
		if (!table)
			table = hf_doc_table(doc, "layers", "OVER MALLOC", columns,
					     sizeof(columns) / sizeof(columns[0]));
		hf_doc_row(doc, table, 0);
		hf_doc_cell(doc, table, hf_text(arena->layer));
		hf_doc_cell(doc, table, hf_number(i));
		hf_doc_cell(doc, table, hf_address(arena->address));
		hf_doc_cell(doc, table, hf_count(arena->heaps));
		hf_doc_cell(doc, table, hf_bytes(arena->system_bytes));
		hf_doc_cell(doc, table, hf_count(arena->inuse_count));
		hf_doc_cell(doc, table, hf_bytes(arena->inuse_bytes));
		hf_doc_cell(doc, table, hf_count(arena->state_count[HF_CHUNK_POOL]));
		hf_doc_cell(doc, table, hf_bytes(arena->state_bytes[HF_CHUNK_POOL]));
		hf_doc_cell(doc, table, hf_count(arena->state_count[HF_CHUNK_UNUSED]));
		hf_doc_cell(doc, table, hf_bytes(arena->state_bytes[HF_CHUNK_UNUSED]));
		hf_doc_cell(doc, table, hf_bytes(arena->overhead_bytes));
	}
}

static void tell_mallinfo2(const struct hf_allocator *allocator, struct hf_doc *doc)
{
	struct hf_mallinfo2 info = allocator->ops->mallinfo2(allocator);
	const struct {
		const char *key;
		uint64_t value;
		bool bytes;
	} fields[] = {
	    {"arena", info.arena, true},       {"ordblks", info.ordblks, false},
	    {"smblks", info.smblks, false},    {"hblks", info.hblks, false},
	    {"hblkhd", info.hblkhd, true},     {"usmblks", info.usmblks, true},
	    {"fsmblks", info.fsmblks, true},   {"uordblks", info.uordblks, true},
	    {"fordblks", info.fordblks, true}, {"keepcost", info.keepcost, true},
	};
	hf_doc_begin(doc, "mallinfo2", "MALLINFO2 (what malloc itself would have said)");
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		hf_doc_field(doc, fields[i].key, fields[i].key,
			     fields[i].bytes ? hf_bytes(fields[i].value)
					     : hf_count(fields[i].value));
	hf_doc_end(doc);
}

static void tell_bins(const struct hf_allocator *allocator, struct hf_doc *doc)
{
	static const struct hf_column columns[] = {
	    {"arena", "arena", 0},	 {"state", "list", 0},	    {"bin", "bin", 0},
	    {"count", "chunks", 0},	 {"from_bytes", "from", 0}, {"to_bytes", "to", 0},
	    {"total_bytes", "total", 0},
	};
	struct hf_table *table = hf_doc_table(doc, "bins", "FREE LISTS (as malloc_info(3))",
					      columns, sizeof(columns) / sizeof(columns[0]));
	hf_vec_foreach (bin, &allocator->bins) {
		hf_doc_row(doc, table, 0);
		hf_doc_cell(doc, table, hf_number(bin->arena));
		hf_doc_cell(doc, table, hf_text(hf_chunk_state_name(bin->state)));
		hf_doc_cell(doc, table, hf_number(bin->bin));
		hf_doc_cell(doc, table, hf_count(bin->count));
		hf_doc_cell(doc, table, hf_bytes(bin->from_bytes));
		hf_doc_cell(doc, table, hf_bytes(bin->to_bytes));
		hf_doc_cell(doc, table, hf_bytes(bin->total_bytes));
	}
}

static void tell_caches(const struct hf_analysis *analysis, struct hf_doc *doc)
{
	static const struct hf_column columns[] = {
	    {"thread", "thread", 0}, {"arena", "arena", 0}, {"address", "tcache", 0},
	    {"count", "chunks", 0},  {"bytes", "bytes", 0},
	};
	struct hf_table *table = hf_doc_table(doc, "thread_caches", "THREAD CACHES", columns,
					      sizeof(columns) / sizeof(columns[0]));
	hf_vec_foreach (cache, &analysis->allocator->caches) {
		bool known = cache->thread < analysis->process->threads.count;
		hf_doc_row(doc, table, 0);
		hf_doc_cell(doc, table,
			    known ? hf_number(analysis->process->threads.data[cache->thread].number)
				  : hf_none());
		hf_doc_cell(doc, table,
			    cache->arena == HF_NO_ARENA ? hf_none() : hf_number(cache->arena));
		hf_doc_cell(doc, table, cache->address ? hf_address(cache->address) : hf_none());
		hf_doc_cell(doc, table, hf_count(cache->count));
		hf_doc_cell(doc, table, hf_bytes(cache->bytes));
	}
}

struct hf_error *hf_view_arenas(struct hf_analysis *analysis, const struct hf_view_options *options,
				struct hf_doc *doc)
{
	const struct hf_allocator *allocator = analysis->allocator;

	(void)options;
	if (!allocator) {
		hf_section_evidence(analysis, doc);
		return NULL;
	}
	hf_doc_begin(doc, "malloc", "ARENAS");
	hf_doc_field(doc, "allocator", "allocator", hf_text(allocator->ops->name));
	hf_doc_field(doc, "version", "version", hf_text(allocator->version));
	hf_doc_field(doc, "mmapped_count", "mmapped blocks", hf_count(allocator->mmapped_count));
	hf_doc_field(doc, "mmapped_bytes", "mmapped bytes", hf_bytes(allocator->mmapped_bytes));
	hf_doc_field(doc, "mmap_threshold", "mmap threshold", hf_bytes(allocator->mmap_threshold));
	hf_doc_field(doc, "trim_threshold", "trim threshold", hf_bytes(allocator->trim_threshold));
	hf_doc_end(doc);
	tell_arenas(allocator, doc);
	tell_layers(allocator, doc);
	tell_mallinfo2(allocator, doc);
	tell_bins(allocator, doc);
	tell_caches(analysis, doc);
	return NULL;
}
