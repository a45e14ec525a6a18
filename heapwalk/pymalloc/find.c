/*
 * find.c - pymalloc's tables of arenas, found by structure, and the arenas in them.
 *
 * The pointer to the table is a static variable of CPython's module (to 3.11), or part of the main
 * interpreter's state, which lies in the same module's data (3.12 and later). Neither has a name
 * that is left in a stripped program. The state of another interpreter with arenas of its own (3.12
 * and later) has 256 KiB for a map of them, and is a mmapped block of malloc's.
 *
 * So every aligned word of the module's data, and of such blocks, is tried as such a pointer; a
 * table is believed if an arena in it has pools that say the table's index of that arena, and sizes
 * that add up. Pointers to the table's later entries fail that by themselves.
 *
 * A table has 16 entries at first and is doubled. It is read by such halves: the first that has an
 * entry which is neither empty nor an arena is beyond its end.
 */
#include <stdlib.h>
#include <string.h>

#include "core/base/search.h"
#include "heapwalk/pymalloc/pymalloc.h"

enum { FIRST_ENTRIES = 16, MAX_ENTRIES = 1 << 24, MAX_TABLES = 64, PROBED_POOLS = 8 };

/* Of an interpreter's state, and how much of such memory is searched at all. */
enum { LEAST_STATE = 256 << 10, MAX_STATE = 1 << 20, MAX_SEARCHED = 256 << 20 };

/* All that CPython has been built with on 64-bit Linux, see Objects/obmalloc.c. */
static const struct pymalloc_cut cuts[] = {
    {.arena = 256 << 10, .pool = 4 << 10, .alignment = 16, .page = 4096}, /* 3.7 to 3.9 */
    {.arena = 1 << 20, .pool = 16 << 10, .alignment = 16, .page = 4096},  /* 3.10 and later */
    {.arena = 256 << 10, .pool = 4 << 10, .alignment = 8, .page = 4096},  /* 3.6 */
};

struct entry {
	uint64_t address, carved;
	uint32_t free_pools, total_pools;
	uint64_t free_list;
};

struct search {
	struct pymalloc *python;
	const struct hf_process *process;
	const struct hf_allocator *below;
	bool cut_known;
	HF_VEC(, uint64_t) tables; /* those that were believed */
};

static bool read_entry(const struct hf_image *image, uint64_t address, struct entry *ret)
{
	return hf_image_word(image, address + ENTRY_ADDRESS, &ret->address) &&
	       hf_image_word(image, address + ENTRY_POOL_ADDRESS, &ret->carved) &&
	       hf_image_u32(image, address + ENTRY_FREE_POOLS, &ret->free_pools) &&
	       hf_image_u32(image, address + ENTRY_TOTAL_POOLS, &ret->total_pools) &&
	       hf_image_word(image, address + ENTRY_FREE_LIST, &ret->free_list);
}

/* The arena that @entry describes, if its figures add up. */
static bool read_arena(const struct pymalloc_cut *cut, const struct entry *entry,
		       struct pymalloc_arena *ret)
{
	uint64_t start = entry->address, end = start + cut->arena;
	uint64_t first = (start + cut->pool - 1) & ~(uint64_t)(cut->pool - 1);
	uint32_t pools = first == start ? ARENA_POOLS : ARENA_POOLS - 1;
	uint64_t last = first + (uint64_t)pools * cut->pool;

	if (start == 0 || start % cut->page || end < start || entry->total_pools != pools ||
	    entry->free_pools > pools || entry->carved < first || entry->carved > last ||
	    (entry->carved - first) % cut->pool ||
	    (entry->free_list && (entry->free_list < first || entry->free_list >= last ||
				  entry->free_list % cut->pool)))
		return false;
	*ret = (struct pymalloc_arena){.start = start,
				       .end = end,
				       .pools = first,
				       .pools_end = last,
				       .carved = entry->carved,
				       .free_pools = entry->free_pools};
	return true;
}

/*
 * Do the first pools of @arena that are in use say that it is number @index of its table? False if
 * most say otherwise; *@ret_confirmed: some do.
 */
static bool ask_pools(const struct hf_image *image, const struct pymalloc_cut *cut,
		      const struct pymalloc_arena *arena, uint32_t index, bool *ret_confirmed)
{
	unsigned right = 0, wrong = 0;

	for (uint64_t at = arena->pools; at < arena->carved && right + wrong < PROBED_POOLS;
	     at += cut->pool) {
		struct pool_header header;
		if (!pymalloc_header(image, at, &header) || header.count == 0)
			continue;
		if (header.arena_index == index && header.size_index < MAX_BLOCK / cut->alignment &&
		    header.max_offset + (header.size_index + 1) * cut->alignment == cut->pool)
			right++;
		else
			wrong++;
	}
	*ret_confirmed = right > wrong;
	return right >= wrong;
}

/* Anonymous memory that can be written, from end to end. */
static bool is_mapped(const struct search *search, const struct pymalloc_arena *arena)
{
	for (uint64_t at = arena->start; at < arena->end;) {
		const struct hf_mapping *mapping = hf_process_mapping(search->process, at);
		if (!mapping || mapping->module != HF_NO_INDEX || !(mapping->flags & HF_SEGMENT_W))
			return false;
		at = mapping->end;
	}
	return true;
}

enum entry_kind { ENTRY_WRONG, ENTRY_EMPTY, ENTRY_ARENA, ENTRY_CONFIRMED };

/* Entry @index of the table at @table; *@ret gets its arena. */
static enum entry_kind try_entry(const struct search *search, const struct pymalloc_cut *cut,
				 uint64_t table, uint32_t index, struct pymalloc_arena *ret)
{
	const struct hf_image *image = search->python->image;
	uint64_t at = table + (uint64_t)index * ENTRY_BYTES;
	struct entry entry;
	bool confirmed;

	if (!read_entry(image, at, &entry))
		return ENTRY_WRONG;
	if (entry.address == 0)
		return ENTRY_EMPTY;
	if (!read_arena(cut, &entry, ret) || !is_mapped(search, ret) ||
	    !ask_pools(image, cut, ret, index, &confirmed))
		return ENTRY_WRONG;
	ret->entry = at;
	ret->index = index;
	return confirmed ? ENTRY_CONFIRMED : ENTRY_ARENA;
}

/* Is there a table at @address, of arenas that are cut so? Looks at its first entries. */
static bool is_table(const struct search *search, const struct pymalloc_cut *cut, uint64_t address)
{
	struct pymalloc_arena arena;
	bool confirmed = false;

	for (uint32_t i = 0; i < FIRST_ENTRIES; i++) {
		enum entry_kind kind = try_entry(search, cut, address, i, &arena);
		if (kind == ENTRY_WRONG)
			return false;
		confirmed |= kind == ENTRY_CONFIRMED;
	}
	return confirmed;
}

/* May the word be a pointer to a table? Quick: most words are no pointers. */
static bool may_be_table(const struct search *search, uint64_t address)
{
	uint64_t start = 0;

	if (address < 4096 || address % 16 ||
	    !hf_image_word(search->python->image, address, &start) || start % 4096)
		return false;
	hf_vec_foreach (table, &search->tables) {
		if (*table == address)
			return false;
	}
	return true;
}

/* ---- the arenas of a table ------------------------------------------------------------------- */

/* Does a region of @below overlap @arena? They are sorted. */
static bool is_taken(const struct hf_allocator *below, const struct pymalloc_arena *arena)
{
	const struct hf_heap_region *all = below->regions.data;
	size_t first = hf_first_not(0, below->regions.count, i, all[i].end <= arena->start);

	return first < below->regions.count && all[first].start < arena->end;
}

static struct hf_error *add_arena(const struct search *search, struct pymalloc_arena *arena)
{
	struct pymalloc *python = search->python;

	if (is_taken(search->below, arena)) {
		hf_diag_add(python->diags, HF_DIAG_EVIDENCE, HF_SEV_NOTE, "pymalloc-inside",
			    arena->start,
			    "an arena of pymalloc lies in a block of malloc: it is told as one "
			    "block");
		return NULL;
	}
	arena->table = (uint32_t)python->base.arenas.count - 1;
	return hf_vec_push(&python->arenas, *arena) ? NULL : hf_error_nomem();
}

/* Entries @from to @to of a table, all or (*@ret_whole false) none. */
static struct hf_error *read_entries(const struct search *search, const struct pymalloc_cut *cut,
				     uint64_t table, uint32_t from, uint32_t to, bool *ret_whole)
{
	size_t before = search->python->arenas.count;
	struct pymalloc_arena arena;

	for (uint32_t i = from; i < to; i++) {
		enum entry_kind kind = try_entry(search, cut, table, i, &arena);
		*ret_whole = kind != ENTRY_WRONG;
		if (!*ret_whole) {
			search->python->arenas.count = before;
			return NULL;
		}
		struct hf_error *err = kind == ENTRY_EMPTY ? NULL : add_arena(search, &arena);
		if (err)
			return err;
	}
	return NULL;
}

static struct hf_error *read_table(struct search *search, const struct pymalloc_cut *cut,
				   uint64_t table)
{
	struct hf_error *err = NULL;
	bool whole = true;

	if (!hf_vec_push(&search->tables, table) ||
	    !hf_vec_push(&search->python->base.arenas, (struct hf_arena){.address = table}))
		return hf_error_nomem();
	for (uint32_t from = 0, to = FIRST_ENTRIES; !err && whole && to <= MAX_ENTRIES; to *= 2) {
		err = read_entries(search, cut, table, from, to, &whole);
		from = to;
	}
	return err;
}

static struct hf_error *try_table(struct search *search, uint64_t address)
{
	struct pymalloc *python = search->python;

	for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
		bool same =
		    python->cut.pool == cuts[i].pool && python->cut.alignment == cuts[i].alignment;
		if ((search->cut_known && !same) || !is_table(search, &cuts[i], address))
			continue;
		search->cut_known = true;
		python->cut = cuts[i];
		return read_table(search, &cuts[i], address);
	}
	return NULL;
}

/* ---- where to look --------------------------------------------------------------------------- */

static struct hf_error *search_words(struct search *search, uint64_t start, uint64_t end)
{
	const struct hf_image *image = search->python->image;
	struct hf_error *err = NULL;
	const uint8_t *data = NULL;

	for (uint64_t at = start, words; !err && search->tables.count < MAX_TABLES &&
					 (words = hf_image_words(image, &at, end, &data));
	     at += words * 8) {
		for (uint64_t i = 0; i < words && !err; i++) {
			uint64_t value = hf_image_word_at(image, data + i * 8);
			if (may_be_table(search, value))
				err = try_table(search, value);
		}
	}
	return err;
}

/* The mmapped blocks of @below that may be another interpreter's state. */
static struct hf_error *search_states(struct search *search)
{
	const struct hf_allocator *below = search->below;
	struct hf_error *err = NULL;
	uint64_t searched = 0;

	for (uint32_t i = 0; i < below->regions.count && !err; i++) {
		struct hf_chunk chunk;
		uint64_t at = 0;
		if (below->regions.data[i].kind != HF_REGION_MMAPPED)
			continue;
		while (!err && searched < MAX_SEARCHED &&
		       below->ops->chunks(below, i, &at, &chunk, 1) == 1) {
			uint64_t bytes = chunk.usable < MAX_STATE ? chunk.usable : MAX_STATE;
			if (bytes < LEAST_STATE)
				continue;
			err = search_words(search, chunk.object, chunk.object + bytes);
			searched += bytes;
		}
	}
	return err;
}

static int by_start(const void *a, const void *b)
{
	const struct pymalloc_arena *x = a, *y = b;
	return (x->start > y->start) - (x->start < y->start);
}

/* Only in a broken core do arenas overlap: the first stays. */
static void drop_overlaps(struct pymalloc *python)
{
	size_t kept = 0;

	hf_vec_foreach (arena, &python->arenas) {
		if (kept && arena->start < python->arenas.data[kept - 1].end)
			hf_diag_add(python->diags, HF_DIAG_HEAP, HF_SEV_WARNING, "pymalloc-overlap",
				    arena->start,
				    "two arenas of pymalloc overlap: one of them is left out");
		else
			python->arenas.data[kept++] = *arena;
	}
	python->arenas.count = kept;
}

/* Neighbours of one table make one region. */
static struct hf_error *make_regions(struct pymalloc *python)
{
	struct hf_allocator *base = &python->base;
	struct hf_heap_region *last = NULL;

	hf_vec_foreach (arena, &python->arenas) {
		struct hf_arena *figures = &base->arenas.data[arena->table];
		figures->heaps++;
		figures->system_bytes += arena->end - arena->start;
		if (last && arena->start == last->end && arena->table == last->arena) {
			last->end = arena->end;
			continue;
		}
		if (!hf_vec_push(&base->regions,
				 (struct hf_heap_region){arena->start, arena->end, arena->table,
							 HF_REGION_POOLS}) ||
		    !hf_vec_push(&python->walks, (struct pymalloc_walk){0}))
			return hf_error_nomem();
		last = &base->regions.data[base->regions.count - 1];
	}
	return NULL;
}

/* By a symbol that CPython exports; or, where its file is not at hand, by the module's name. */
static bool is_python(const struct hf_symbols *symbols, const struct hf_process *process,
		      uint32_t module)
{
	const char *name = process->modules.data[module].name;
	uint64_t address, size;

	return hf_symbols_find(symbols, module, "PyType_Type", &address, &size) ||
	       !strncmp(name, "python", 6) || !strncmp(name, "libpython", 9);
}

struct hf_error *pymalloc_find(struct pymalloc *python, const struct hf_process *process,
			       const struct hf_symbols *symbols, const struct hf_allocator *below)
{
	struct search search = {.python = python, .process = process, .below = below};
	struct hf_error *err = NULL;

	for (uint32_t i = 0; i < process->modules.count && !err; i++) {
		if (!is_python(symbols, process, i))
			continue;
		hf_vec_foreach (mapping, &process->mappings) {
			if (!err && mapping->module == i && (mapping->flags & HF_SEGMENT_W))
				err = search_words(&search, mapping->start, mapping->end);
		}
	}
	if (!err && search.cut_known)
		err = search_states(&search);
	hf_vec_free(&search.tables);
	if (err || python->arenas.count == 0)
		return err;
	qsort(python->arenas.data, python->arenas.count, sizeof(*python->arenas.data), by_start);
	drop_overlaps(python);
	return make_regions(python);
}
