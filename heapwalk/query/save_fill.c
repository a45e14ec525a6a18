/*
 * save_fill.c - rows and keys of the big tables in the order in which btree.c wants them.
 *
 * Rows come as the tables themselves give them, so that a saved table is the queried one by
 * construction. Indexes over what ascends with the rows (addresses, sources) are written along
 * with them; the others are sorted by counting (types by the rank of their names, dominators,
 * targets) or digit by digit (retained sizes): row ids of equal keys ascend.
 */
#include "heapwalk/query/save_fill.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/cleanup.h"
#include "heapwalk/query/btree.h"
#include "heapwalk/query/vtab.h"

enum { MAX_COLUMNS = 24, PROGRESS_ROWS = 1 << 18, DIGIT_BITS = 11, DIGITS = 1 << DIGIT_BITS };

const char *const save_tree_names[SAVE_TREES] = {
    [SAVE_OBJECTS] = "objects",
    [SAVE_REFS] = "refs",
    [SAVE_CHUNKS] = "chunks",
    [SAVE_OBJECTS_ADDRESS] = "objects_address",
    [SAVE_OBJECTS_TYPE] = "objects_type",
    [SAVE_OBJECTS_RETAINED] = "objects_retained",
    [SAVE_OBJECTS_DOMINATOR] = "objects_dominator",
    [SAVE_REFS_SOURCE] = "refs_source",
    [SAVE_REFS_TARGET] = "refs_target",
    [SAVE_CHUNKS_ADDRESS] = "chunks_address",
};

HF_VEC(numbers, uint32_t);

struct filler {
	struct hf_export *export;
	struct hf_analysis *analysis;
	const uint32_t *roots;
	struct btree_file file;
	uint64_t chunks; /* rows */
	struct numbers targets;
	struct btree_record record;
};

static const struct query_table *table_of(enum save_tree tree)
{
	for (unsigned i = 0; i < query_table_count; i++) {
		if (!strcmp(query_tables[i].name, save_tree_names[tree]))
			return &query_tables[i];
	}
	return NULL;
}

/* Chunks in the order of the walk; false if they do not ascend. */
static bool count_chunks(struct hf_analysis *analysis, uint64_t *ret)
{
	struct query_cursor cursor;
	uint64_t count = 0, last = 0;
	bool ascend = true;

	query_rows_begin(&cursor, analysis, table_of(SAVE_CHUNKS), 0, QUERY_ROWS_ALL);
	for (; !query_rows_end(&cursor); query_rows_next(&cursor), count++) {
		uint64_t address = cursor.chunks[cursor.chunk_at].address;
		ascend = ascend && (!count || address > last) && address <= INT64_MAX;
		last = address;
	}
	ascend = ascend && !cursor.failed;
	query_rows_deinit(&cursor);
	*ret = count;
	return ascend;
}

bool save_can_fill(const struct hf_analysis *analysis)
{
	uint64_t low, high, edges = hf_graph_edges(analysis->graph), chunks;

	for (uint32_t i = 0; i < hf_typing_types(analysis->typing); i++) {
		if (strlen(hf_typing_type(analysis->typing, i)->name) > BTREE_MAX_TEXT)
			return false;
	}
	hf_extents_hull(analysis->extents, &low, &high);
	return high <= INT64_MAX && edges < UINT32_MAX &&
	       count_chunks((struct hf_analysis *)analysis, &chunks);
}

/* ---- rows ---------------------------------------------------------------------------------------
 */

/* The row at @cursor as a record; an id that is the row id itself is left out. */
static void make_record(struct query_cursor *cursor, unsigned columns, bool keyed,
			struct btree_record *ret)
{
	struct query_cell cell;

	btree_record_begin(ret);
	for (unsigned i = 0; i < columns; i++) {
		query_rows_cell(cursor, (int)i, &cell);
		if (cell.kind == QUERY_TEXT)
			btree_add_text(ret, cell.text, (uint32_t)strlen(cell.text));
		else if (cell.kind == QUERY_NULL || (keyed && i == 0))
			btree_add_null(ret);
		else
			btree_add_number(ret, cell.number);
		query_cell_free(&cell);
	}
}

static unsigned count_columns(const struct query_table *table)
{
	unsigned count = 1;
	for (const char *at = table->schema; *at; at++)
		count += *at == ',';
	return count;
}

static void add_entry(struct filler *filler, struct btree *tree, int64_t key, uint64_t row)
{
	btree_record_begin(&filler->record);
	btree_add_number(&filler->record, key);
	btree_add_number(&filler->record, (int64_t)row);
	btree_add_entry(tree, &filler->record);
}

/* The key by which the rows of a table ascend. */
static int64_t ascending_key(const struct filler *filler, const struct query_cursor *cursor,
			     enum save_tree table)
{
	if (table == SAVE_OBJECTS)
		return (int64_t)hf_extents_address(filler->analysis->extents,
						   (uint32_t)cursor->row);
	if (table == SAVE_CHUNKS)
		return (int64_t)cursor->chunks[cursor->chunk_at].address;
	return cursor->edges[cursor->edge_at].source;
}

/* @table, and @index over what ascends with its rows. */
static struct hf_error *fill_rows(struct filler *filler, enum save_tree table, enum save_tree index,
				  uint64_t rows)
{
	const struct query_table *of = table_of(table);
	struct query_cursor cursor;
	struct btree tree, keys;
	unsigned columns = count_columns(of);
	uint64_t row = table == SAVE_OBJECTS ? 0 : 1;
	bool failed = false;

	btree_begin(&tree, &filler->file, filler->roots[table], false, rows);
	btree_begin(&keys, &filler->file, filler->roots[index], true, rows);
	query_rows_begin(&cursor, filler->analysis, of, 0, QUERY_ROWS_ALL);
	for (; !query_rows_end(&cursor) && !filler->file.error && !failed; row++) {
		if (row % PROGRESS_ROWS == 0)
			hf_progress_report(filler->export->options.progress, of->name, row, rows);
		make_record(&cursor, columns, table == SAVE_OBJECTS, &filler->record);
		btree_add_row(&tree, row, &filler->record);
		add_entry(filler, &keys, ascending_key(filler, &cursor, table), row);
		if (table == SAVE_REFS)
			failed =
			    !hf_vec_push(&filler->targets, cursor.edges[cursor.edge_at].target);
		query_rows_next(&cursor);
	}
	failed = failed || cursor.failed;
	query_rows_deinit(&cursor);
	struct hf_error *err = btree_end(&tree);
	struct hf_error *other = btree_end(&keys);
	if (err)
		hf_error_destroy(other);
	else
		err = other;
	return err ? err : failed ? hf_error_nomem() : NULL;
}

/* ---- sorted indexes -----------------------------------------------------------------------------
 */

/* Row ids of an index in its order: @order; their keys are numbers, or texts by rank. */
typedef void add_key_fn(struct filler *filler, uint32_t row);

static struct hf_error *fill_index(struct filler *filler, enum save_tree tree,
				   const uint32_t *order, uint64_t count, uint32_t first_row,
				   add_key_fn *add_key)
{
	struct btree keys;

	hf_progress_report(filler->export->options.progress, save_tree_names[tree], 0, 0);
	btree_begin(&keys, &filler->file, filler->roots[tree], true, count);
	for (uint64_t i = 0; i < count && !filler->file.error; i++) {
		btree_record_begin(&filler->record);
		add_key(filler, order[i]);
		btree_add_number(&filler->record, (int64_t)order[i] + first_row);
		btree_add_entry(&keys, &filler->record);
	}
	return btree_end(&keys);
}

/* 0 .. count-1 by ascending key_of(i) < keys, equal ones in their order. */
static uint32_t *sort_by_counting(const struct filler *filler, uint64_t count, uint64_t keys,
				  uint32_t (*key_of)(const struct filler *filler, uint32_t i))
{
	uint32_t *starts = calloc(keys + 2, sizeof(*starts));
	uint32_t *order = malloc((count + 1) * sizeof(*order));

	if (starts && order) {
		for (uint64_t i = 0; i < count; i++)
			starts[key_of(filler, (uint32_t)i) + 1]++;
		for (uint64_t key = 0; key < keys; key++)
			starts[key + 1] += starts[key];
		for (uint64_t i = 0; i < count; i++)
			order[starts[key_of(filler, (uint32_t)i)]++] = (uint32_t)i;
	} else {
		free(order);
		order = NULL;
	}
	free(starts);
	return order;
}

static uint32_t dominator_of(const struct filler *filler, uint32_t object)
{
	return hf_graph_idom(filler->analysis->graph, object);
}

static void add_dominator(struct filler *filler, uint32_t row)
{
	btree_add_number(&filler->record, dominator_of(filler, row));
}

static uint32_t target_of(const struct filler *filler, uint32_t edge)
{
	return filler->targets.data[edge];
}

static void add_target(struct filler *filler, uint32_t row)
{
	btree_add_number(&filler->record, target_of(filler, row));
}

static uint64_t retained_of(const struct filler *filler, uint32_t object)
{
	return hf_graph_retained(filler->analysis->graph, object);
}

static void add_retained(struct filler *filler, uint32_t row)
{
	btree_add_number(&filler->record, (int64_t)retained_of(filler, row));
}

static void add_type(struct filler *filler, uint32_t row)
{
	const struct hf_typing *typing = filler->analysis->typing;
	const char *name = hf_typing_type(typing, hf_typing_of(typing, row))->name;
	btree_add_text(&filler->record, name, (uint32_t)strlen(name));
}

/* Objects by retained size: least significant digit first. */
static uint32_t *sort_by_retained(const struct filler *filler, uint32_t count)
{
	uint32_t *order = malloc((count + 1ull) * sizeof(*order));
	uint32_t *other = malloc((count + 1ull) * sizeof(*other));
	uint64_t most = 0;

	if (!order || !other) {
		free(order);
		free(other);
		return NULL;
	}
	for (uint32_t i = 0; i < count; i++) {
		order[i] = i;
		most |= retained_of(filler, i);
	}
	for (unsigned shift = 0; shift < 64 && most >> shift; shift += DIGIT_BITS) {
		uint32_t starts[DIGITS + 1] = {0}, *swap = other;
		for (uint32_t i = 0; i < count; i++)
			starts[(retained_of(filler, i) >> shift) % DIGITS + 1]++;
		for (unsigned digit = 0; digit < DIGITS; digit++)
			starts[digit + 1] += starts[digit];
		for (uint32_t i = 0; i < count; i++) {
			uint64_t retained = retained_of(filler, order[i]);
			other[starts[(retained >> shift) % DIGITS]++] = order[i];
		}
		other = order;
		order = swap;
	}
	free(other);
	return order;
}

struct named {
	const char *name;
	uint32_t type;
};

static int by_name(const void *a, const void *b)
{
	const struct named *x = a, *y = b;
	return strcmp(x->name, y->name);
}

/* Objects by the name of their type: types of one name have one rank. */
static uint32_t *sort_by_type(const struct filler *filler, uint32_t count)
{
	const struct hf_typing *typing = filler->analysis->typing;
	uint32_t types = hf_typing_types(typing), rank = 0;
	HF_AUTO(free_ptr) struct named *named = calloc(types + 1ull, sizeof(*named));
	HF_AUTO(free_ptr) uint32_t *ranks = calloc(types + 1ull, sizeof(*ranks));
	HF_AUTO(free_ptr) uint32_t *starts = calloc(types + 2ull, sizeof(*starts));
	uint32_t *order = malloc((count + 1ull) * sizeof(*order));

	if (!named || !ranks || !starts || !order) {
		free(order);
		return NULL;
	}
	for (uint32_t i = 0; i < types; i++)
		named[i] = (struct named){hf_typing_type(typing, i)->name, i};
	if (types)
		qsort(named, types, sizeof(*named), by_name);
	for (uint32_t i = 0; i < types; i++) {
		rank += i && strcmp(named[i].name, named[i - 1].name);
		ranks[named[i].type] = rank;
	}
	for (uint32_t i = 0; i < count; i++)
		starts[ranks[hf_typing_of(typing, i)] + 1]++;
	for (uint32_t i = 0; i <= rank; i++)
		starts[i + 1] += starts[i];
	for (uint32_t i = 0; i < count; i++)
		order[starts[ranks[hf_typing_of(typing, i)]]++] = i;
	return order;
}

/* ---- all ----------------------------------------------------------------------------------------
 */

static struct hf_error *fill_sorted(struct filler *filler, enum save_tree tree)
{
	uint32_t objects = hf_graph_objects(filler->analysis->graph), *order;
	uint64_t nodes = hf_graph_root(filler->analysis->graph) + 1ull, count = objects;
	add_key_fn *add_key;

	switch (tree) {
	case SAVE_OBJECTS_TYPE:
		order = sort_by_type(filler, objects);
		add_key = add_type;
		break;
	case SAVE_OBJECTS_RETAINED:
		order = sort_by_retained(filler, objects);
		add_key = add_retained;
		break;
	case SAVE_OBJECTS_DOMINATOR:
		order = sort_by_counting(filler, objects, nodes, dominator_of);
		add_key = add_dominator;
		break;
	default:
		count = filler->targets.count;
		order = sort_by_counting(filler, count, nodes, target_of);
		add_key = add_target;
		break;
	}
	if (!order)
		return hf_error_nomem();
	struct hf_error *err =
	    fill_index(filler, tree, order, count, tree == SAVE_REFS_TARGET, add_key);
	free(order);
	return err;
}

/* What refs has: the words that point, which are more than the edges where words repeat. */
static uint64_t count_refs(struct filler *filler)
{
	struct query_cursor cursor;
	uint64_t count = 0;

	query_rows_begin(&cursor, filler->analysis, table_of(SAVE_REFS), 0, QUERY_ROWS_ALL);
	for (; !query_rows_end(&cursor); query_rows_next(&cursor))
		count++;
	query_rows_deinit(&cursor);
	return count;
}

static struct hf_error *fill_all(struct filler *filler)
{
	struct hf_error *err = fill_rows(filler, SAVE_OBJECTS, SAVE_OBJECTS_ADDRESS,
					 hf_graph_objects(filler->analysis->graph));

	for (enum save_tree tree = SAVE_OBJECTS_TYPE; tree <= SAVE_OBJECTS_DOMINATOR && !err;
	     tree++)
		err = fill_sorted(filler, tree);
	if (!err)
		err = fill_rows(filler, SAVE_REFS, SAVE_REFS_SOURCE, count_refs(filler));
	if (!err)
		err = fill_sorted(filler, SAVE_REFS_TARGET);
	if (!err)
		err = fill_rows(filler, SAVE_CHUNKS, SAVE_CHUNKS_ADDRESS, filler->chunks);
	return err ? err : btree_file_finish(&filler->file, filler->export->path);
}

struct hf_error *save_fill(struct hf_export *export, const uint32_t roots[SAVE_TREES],
			   uint32_t pages)
{
	struct filler *filler = calloc(1, sizeof(*filler));

	if (!filler)
		return hf_error_nomem();
	filler->export = export;
	filler->analysis = export->analysis;
	filler->roots = roots;
	int fd = open(export->path, O_WRONLY | O_CLOEXEC);
	struct hf_error *err = fd < 0 ? hf_error_errno(errno, "%s", export->path) : NULL;
	if (!err) {
		filler->file = btree_file_open(fd, pages);
		count_chunks(filler->analysis, &filler->chunks);
		err = fill_all(filler);
		if (close(fd) && !err)
			err = hf_error_errno(errno, "%s", export->path);
	}
	hf_vec_free(&filler->targets);
	free(filler);
	return err;
}
