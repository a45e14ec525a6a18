/*
 * save_fill.c - rows and keys of the big tables in the order in which btree.c wants them.
 *
 * A task fills one table, or an index over it, and all tasks run side by side. Indexes over what
 * ascends with the rows (addresses, sources) are written along with them; save_sort.c sorts
 * for the others: row ids of equal keys ascend. Which page a task gets depends on the others'
 * progress, what it writes there does not.
 */
#include "heapwalk/query/save_fill.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/parallel.h"
#include "heapwalk/query/btree.h"
#include "heapwalk/query/save_sort.h"
#include "heapwalk/query/vtab.h"

enum { PROGRESS_ROWS = 1 << 18, PREFETCH = 16 };

const char *const save_tree_names[SAVE_TREES] = {
    [SAVE_OBJECTS] = "object_rows",
    [SAVE_REFS] = "refs",
    [SAVE_CHUNKS] = "chunk_rows",
    [SAVE_OBJECTS_ADDRESS] = "objects_address",
    [SAVE_OBJECTS_TYPE] = "objects_type",
    [SAVE_OBJECTS_RETAINED] = "objects_retained",
    [SAVE_OBJECTS_DOMINATOR] = "objects_dominator",
    [SAVE_REFS_SOURCE] = "refs_source",
    [SAVE_REFS_TARGET] = "refs_target",
};

struct filler {
	struct hf_export *export;
	struct hf_analysis *analysis;
	const uint32_t *roots;
	struct btree_file file;
	uint32_t objects, nodes;
};

/* What one task works with. */
struct task {
	struct filler *filler;
	const struct hf_progress *progress; /* of one task only: it is called from its thread */
	struct btree_record record;
};

static const struct query_table *table_named(const char *name)
{
	for (unsigned i = 0; i < query_table_count; i++) {
		if (!strcmp(query_tables[i].name, name))
			return &query_tables[i];
	}
	return NULL;
}

bool save_can_fill_chunks(struct hf_analysis *analysis)
{
	struct query_cursor cursor;
	uint64_t last = 0;
	bool ascend = true;

	query_rows_begin(&cursor, analysis, table_named("chunks"), 0, QUERY_ROWS_ALL);
	for (; !query_rows_end(&cursor) && ascend; query_rows_next(&cursor)) {
		uint64_t address = cursor.chunks[cursor.chunk_at].address;
		ascend = address > last && address <= INT64_MAX;
		last = address;
	}
	ascend = ascend && !cursor.failed;
	query_rows_deinit(&cursor);
	return ascend;
}

static struct hf_error *first_of(struct hf_error *err, struct hf_error *other)
{
	if (!err)
		return other;
	hf_error_destroy(other);
	return err;
}

static void begin_tree(const struct task *task, struct btree *tree, enum save_tree which)
{
	btree_begin(tree, &task->filler->file, task->filler->roots[which],
		    which >= SAVE_OBJECTS_ADDRESS);
}

static void add_entry(struct task *task, struct btree *tree, int64_t key, uint64_t row)
{
	btree_record_begin(&task->record);
	btree_add_number(&task->record, key);
	btree_add_number(&task->record, (int64_t)row);
	btree_add_entry(tree, &task->record);
}

static void add_optional(struct btree_record *record, uint32_t number, uint32_t none)
{
	if (number == none)
		btree_add_null(record);
	else
		btree_add_number(record, number);
}

/* ---- rows ------------------------------------------------------------------------------------ */

/* The columns of object_rows: those of objects, names as numbers; the id is the row's. */
static void make_object(struct hf_analysis *analysis, uint32_t id, uint32_t depth,
			struct btree_record *ret)
{
	const struct hf_extents *extents = analysis->extents;
	const struct hf_graph *graph = analysis->graph;

	btree_record_begin(ret);
	btree_add_null(ret);
	btree_add_number(ret, (int64_t)hf_extents_address(extents, id));
	btree_add_number(ret, (int64_t)hf_extents_usable(extents, id));
	btree_add_number(ret, (int64_t)hf_extents_chunk_bytes(extents, id));
	add_optional(ret, hf_extents_arena(extents, id), HF_NO_ARENA);
	btree_add_number(ret, hf_extents_kind(extents, id));
	btree_add_number(ret, hf_graph_leak_kind(graph, id));
	btree_add_number(ret, hf_typing_of(analysis->typing, id));
	btree_add_number(ret, hf_typing_source(analysis->typing, id));
	btree_add_number(ret, (int64_t)hf_graph_retained(graph, id));
	btree_add_number(ret, (int64_t)hf_graph_retained_objects(graph, id));
	add_optional(ret, hf_graph_idom(graph, id), HF_NO_NODE);
	btree_add_number(ret, depth);
}

static struct hf_error *fill_objects(struct task *task)
{
	struct filler *filler = task->filler;
	struct btree tree, addresses;
	uint32_t depth = 0;
	struct hf_error *err = NULL;

	begin_tree(task, &tree, SAVE_OBJECTS);
	begin_tree(task, &addresses, SAVE_OBJECTS_ADDRESS);
	for (uint32_t id = 0; id < filler->objects && !err && !tree.failed; id++) {
		err = hf_graph_depth(filler->analysis->graph, id, &depth);
		make_object(filler->analysis, id, depth, &task->record);
		btree_add_row(&tree, id, &task->record);
		add_entry(task, &addresses,
			  (int64_t)hf_extents_address(filler->analysis->extents, id), id);
		if (id % PROGRESS_ROWS == 0)
			hf_progress_report(task->progress, "writing tables", id, filler->objects);
	}
	err = first_of(err, btree_end(&tree));
	return first_of(err, btree_end(&addresses));
}

static struct hf_error *fill_chunks(struct task *task)
{
	struct btree tree;
	struct query_cursor cursor;
	struct btree_record *record = &task->record;

	if (!task->filler->roots[SAVE_CHUNKS])
		return NULL;
	begin_tree(task, &tree, SAVE_CHUNKS);
	query_rows_begin(&cursor, task->filler->analysis, table_named("chunks"), 0, QUERY_ROWS_ALL);
	for (; !query_rows_end(&cursor) && !tree.failed; query_rows_next(&cursor)) {
		const struct hf_chunk *chunk = &cursor.chunks[cursor.chunk_at];
		btree_record_begin(record);
		btree_add_null(record); /* the address is the row's id */
		btree_add_number(record, (int64_t)chunk->size);
		add_optional(record, chunk->arena, HF_NO_ARENA);
		btree_add_number(record, chunk->state);
		btree_add_row(&tree, chunk->address, record);
	}
	bool failed = cursor.failed;
	query_rows_deinit(&cursor);
	struct hf_error *err = btree_end(&tree);
	return err || !failed ? err : hf_error_nomem();
}

static void make_ref(struct query_cursor *cursor, struct btree_record *ret)
{
	struct query_cell cell;

	btree_record_begin(ret);
	for (int column = 0; column < 6; column++) {
		query_rows_cell(cursor, column, &cell);
		if (cell.kind == QUERY_TEXT)
			btree_add_text(ret, cell.text, (uint32_t)strlen(cell.text));
		else if (cell.kind == QUERY_NULL)
			btree_add_null(ret);
		else
			btree_add_number(ret, cell.number);
	}
}

HF_VEC(targets, uint32_t);

/* refs, the index over their sources, and their targets for the other one. */
static struct hf_error *fill_ref_rows(struct task *task, struct query_names *names,
				      struct targets *targets)
{
	struct btree tree, sources;
	struct query_cursor cursor;
	uint64_t row = 1;
	bool failed = false;

	begin_tree(task, &tree, SAVE_REFS);
	begin_tree(task, &sources, SAVE_REFS_SOURCE);
	query_rows_begin(&cursor, task->filler->analysis, table_named("refs"), 0, QUERY_ROWS_ALL);
	cursor.names = names;
	for (; !query_rows_end(&cursor) && !tree.failed && !failed; row++) {
		const struct hf_edge *edge = &cursor.edges[cursor.edge_at];
		make_ref(&cursor, &task->record);
		btree_add_row(&tree, row, &task->record);
		add_entry(task, &sources, edge->source, row);
		failed = targets->count >= UINT32_MAX - 1 || !hf_vec_push(targets, edge->target);
		if (row % PROGRESS_ROWS == 0)
			hf_progress_report(task->progress, "writing tables", edge->source,
					   task->filler->nodes);
		query_rows_next(&cursor);
	}
	failed = failed || cursor.failed;
	query_rows_deinit(&cursor);
	struct hf_error *err = first_of(btree_end(&tree), btree_end(&sources));
	if (!err && targets->count >= UINT32_MAX - 1)
		return hf_error_create(HF_ERR_LIMIT, "more than 2^32 pointers: use ndjson");
	return err || !failed ? err : hf_error_nomem();
}

/* ---- sorted indexes -------------------------------------------------------------------------- */

/* @sorted holds row ids, less @first_row, by ascending key; it is used up. */
static struct hf_error *fill_sorted(struct task *task, enum save_tree which,
				    struct save_sorted *sorted, uint32_t first_row)
{
	struct btree tree;
	uint64_t at = 0;

	begin_tree(task, &tree, which);
	for (uint64_t key = 0; key < sorted->keys; key++) {
		for (; at < sorted->ends[key] && !tree.failed; at++)
			add_entry(task, &tree, (int64_t)key,
				  (uint64_t)sorted->order[at] + first_row);
	}
	save_sorted_deinit(sorted);
	return btree_end(&tree);
}

static uint32_t target_key(const void *ctx, uint32_t ref)
{
	return ((const struct targets *)ctx)->data[ref];
}

static uint32_t dominator_key(const void *ctx, uint32_t object)
{
	return hf_graph_idom(ctx, object);
}

static uint32_t type_key(const void *ctx, uint32_t object)
{
	return hf_typing_of(ctx, object);
}

static struct hf_error *fill_refs(struct task *task)
{
	struct filler *filler = task->filler;
	pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	struct query_names *names = query_names_create(&lock);
	struct targets targets = {0};
	struct save_sorted sorted = {0};
	struct hf_error *err = names ? fill_ref_rows(task, names, &targets) : hf_error_nomem();

	if (!err)
		err = save_sort(targets.count, filler->objects, target_key, &targets, &sorted);
	hf_vec_free(&targets);
	if (!err)
		err = fill_sorted(task, SAVE_REFS_TARGET, &sorted, 1);
	query_names_destroy(names);
	return err;
}

static struct hf_error *fill_dominators(struct task *task)
{
	struct filler *filler = task->filler;
	struct save_sorted sorted = {0};
	struct hf_error *err = save_sort(filler->objects, filler->nodes, dominator_key,
					 filler->analysis->graph, &sorted);

	return err ? err : fill_sorted(task, SAVE_OBJECTS_DOMINATOR, &sorted, 0);
}

static struct hf_error *fill_types(struct task *task)
{
	const struct hf_typing *typing = task->filler->analysis->typing;
	struct save_sorted sorted = {0};
	struct hf_error *err =
	    save_sort(task->filler->objects, hf_typing_types(typing), type_key, typing, &sorted);

	return err ? err : fill_sorted(task, SAVE_OBJECTS_TYPE, &sorted, 0);
}

/* Sizes are too many for groups: each is read again for its entry. */
static struct hf_error *fill_retained(struct task *task)
{
	const struct hf_graph *graph = task->filler->analysis->graph;
	uint32_t count = task->filler->objects, *order = NULL;
	struct btree tree;
	struct hf_error *err = save_sort_by_retained(graph, count, &order);

	if (err)
		return err;
	begin_tree(task, &tree, SAVE_OBJECTS_RETAINED);
	for (uint32_t i = 0; i < count && !tree.failed; i++) {
		if (i + PREFETCH < count)
			hf_graph_prefetch(graph, order[i + PREFETCH]);
		add_entry(task, &tree, (int64_t)hf_graph_retained(graph, order[i]), order[i]);
	}
	free(order);
	return btree_end(&tree);
}

/* ---- all ------------------------------------------------------------------------------------- */

/* The longest first. */
static struct hf_error *(*const tasks[])(struct task *task) = {
    fill_refs, fill_objects, fill_chunks, fill_retained, fill_dominators, fill_types,
};

enum { TASKS = sizeof(tasks) / sizeof(tasks[0]) };

struct run {
	struct filler *filler;
	struct hf_error *err[TASKS];
};

static void run_task(void *ctx, uint64_t number, unsigned worker)
{
	struct run *run = ctx;
	struct task task = {.filler = run->filler};
	(void)worker;

	if (number == 0)
		task.progress = run->filler->export->options.progress;
	run->err[number] = tasks[number](&task);
}

static struct hf_error *fill_all(struct filler *filler)
{
	struct run run = {.filler = filler};
	struct hf_error *err = NULL;
	uint32_t depth;

	/* Made at the first call, which must not be one of several at once. */
	err = hf_graph_depth(filler->analysis->graph, filler->nodes - 1, &depth);
	if (err)
		return err;
	hf_parallel_for(filler->export->options.threads, TASKS, run_task, &run);
	for (unsigned i = 0; i < TASKS; i++)
		err = first_of(err, run.err[i]);
	return err ? err : btree_file_finish(&filler->file, filler->export->path);
}

struct hf_error *save_fill(struct hf_export *export, const uint32_t roots[SAVE_TREES],
			   uint32_t pages)
{
	struct filler filler = {
	    .export = export,
	    .analysis = export->analysis,
	    .roots = roots,
	    .objects = hf_graph_objects(export->analysis->graph),
	    .nodes = hf_graph_root(export->analysis->graph) + 1,
	};
	uint64_t low, high;
	int fd = open(export->path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return hf_error_errno(errno, "%s", export->path);
	hf_extents_hull(export->analysis->extents, &low, &high);
	btree_file_init(&filler.file, fd, pages);
	struct hf_error *err = high <= INT64_MAX
				   ? fill_all(&filler)
				   : hf_error_create(HF_ERR_LIMIT, "addresses from 2^63 on are "
								   "beyond SQLite's integers: use "
								   "ndjson");
	btree_file_deinit(&filler.file);
	if (close(fd) && !err)
		err = hf_error_errno(errno, "%s", export->path);
	return err;
}
