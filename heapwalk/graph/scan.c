/*
 * scan.c - one pass over the roots' and the objects' words: who points at whom.
 *
 * Each word that falls into the hull of the heap is a candidate. Finding its object costs a
 * random memory access, so candidates are collected in a small batch: the lookup's cache
 * line is prefetched when one is found and read when the batch is full. Which words are candidates
 * nobody can predict, so every word is put down there, and counted if it is one. Rows keep the
 * order of the words. Tasks are blocks of objects, and pieces of the roots' ranges.
 */
#include <stdlib.h>
#include <string.h>

#include "core/base/parallel.h"
#include "heapwalk/graph/extents_inline.h"
#include "heapwalk/graph/graph_private.h"

enum {
	BATCH = 128,	  /* candidates */
	PIECE_WORDS = 32, /* that are tested without asking whether the batch has room */
	AHEAD = 1024,	  /* bytes of the image that will be read in a hundred nanoseconds */
	ROOT_PIECE_BYTES = 1 << 20
};

struct object_rows;
struct root_piece;

struct scanner {
	const struct hf_graph *graph;
	uint64_t low, span; /* hull of the heap */
	uint32_t region_hint, count;
	/* Where edges go: one of them. */
	struct object_rows *rows;
	struct root_piece *piece;
	bool failed;
	bool plain; /* words are as ours */
	/* Bytes of the image that were found last: the next object stands behind. */
	const uint8_t *window;
	uint64_t window_start, window_bytes;
	uint64_t value[BATCH];
	uint32_t source[BATCH];
	struct hf_location location[BATCH];
};

static void flush(struct scanner *scanner);

/* Room for @count more candidates, PIECE_WORDS at most. */
static inline void make_room(struct scanner *scanner, uint32_t count)
{
	if (scanner->count + count > BATCH)
		flush(scanner);
}

/* There are @count values now: find where to look for the new ones, @source's, and fetch that. */
static inline __attribute__((always_inline)) void locate(struct scanner *scanner, uint32_t source,
							 uint64_t count)
{
	for (uint64_t i = scanner->count; i < count; i++) {
		scanner->source[i] = source;
		extents_locate(scanner->graph->extents, scanner->value[i], &scanner->region_hint,
			       &scanner->location[i]);
	}
	scanner->count = (uint32_t)count;
}

static void offer(struct scanner *scanner, uint32_t source, uint64_t value)
{
	if (value - scanner->low >= scanner->span)
		return;
	make_room(scanner, 1);
	scanner->value[scanner->count] = value;
	locate(scanner, source, scanner->count + 1ull);
}

/* Every word is put down, and counted if it is a candidate: that nobody can predict. */
static inline void scan_words_plain(struct scanner *scanner, uint32_t source, const uint8_t *data,
				    uint64_t bytes)
{
	uint64_t low = scanner->low, span = scanner->span, words = bytes / 8;

	__builtin_prefetch((const void *)((uintptr_t)data + AHEAD));
	while (words) {
		uint64_t piece = words < PIECE_WORDS ? words : PIECE_WORDS;
		make_room(scanner, (uint32_t)piece);
		uint64_t count = scanner->count;
		for (const uint8_t *end = data + 8 * piece; data < end; data += 8) {
			uint64_t value;
			memcpy(&value, data, 8);
			scanner->value[count] = value;
			count += value - low < span;
		}
		locate(scanner, source, count);
		words -= piece;
	}
}

/* hf_image_at(), at once where the last answer still holds. */
static inline const uint8_t *bytes_at(struct scanner *scanner, uint64_t address, uint64_t *ret)
{
	uint64_t past = address - scanner->window_start;

	if (past >= scanner->window_bytes) {
		scanner->window_bytes = 0;
		scanner->window =
		    hf_image_at(scanner->graph->image, address, &scanner->window_bytes);
		scanner->window_start = address;
		past = 0;
	}
	*ret = scanner->window_bytes - past;
	return scanner->window ? scanner->window + past : NULL;
}

/* The words of [start, end), which is word-aligned; missing memory holds nothing. */
static void scan_range(struct scanner *scanner, uint32_t source, uint64_t start, uint64_t end)
{
	const struct hf_image *image = scanner->graph->image;
	uint64_t word = image->word_bytes;

	while (start < end) {
		uint64_t available = 0, value;
		const uint8_t *data = bytes_at(scanner, start, &available);
		if (!data || available < word) {
			/* A word across two segments, or a hole: skip to what is there. */
			if (hf_image_word(image, start, &value))
				offer(scanner, source, value);
			const struct hf_segment *segment = hf_image_find(image, start);
			bool hole = !data && segment && segment->end > start;
			start = hole ? (segment->end + word - 1) & ~(word - 1) : start + word;
			continue;
		}
		uint64_t bytes = available < end - start ? available : end - start;
		bytes -= bytes % word;
		if (bytes == 0)
			break;
		if (scanner->plain) {
			scan_words_plain(scanner, source, data, bytes);
		} else {
			for (uint64_t at = 0; at < bytes; at += word)
				offer(scanner, source, hf_image_word_at(image, data + at));
		}
		start += bytes;
	}
}

/* The same for an object, at once where all of it stands in the window. */
static inline void scan_object(struct scanner *scanner, uint32_t id)
{
	const struct hf_extents *extents = scanner->graph->extents;
	uint64_t address = extents_address(extents, id), bytes = extents_usable(extents, id);
	uint64_t past = address - scanner->window_start;

	if (scanner->plain && past < scanner->window_bytes &&
	    bytes <= scanner->window_bytes - past && bytes % 8 == 0)
		scan_words_plain(scanner, id, scanner->window + past, bytes);
	else
		scan_range(scanner, id, address, address + bytes);
}

static void scanner_init(struct scanner *scanner, const struct hf_graph *graph,
			 struct object_rows *rows, struct root_piece *piece)
{
	uint64_t high;

	scanner->graph = graph;
	hf_extents_hull(graph->extents, &scanner->low, &high);
	scanner->span = high - scanner->low;
	scanner->region_hint = 0;
	scanner->count = 0;
	scanner->rows = rows;
	scanner->piece = piece;
	scanner->failed = false;
	scanner->plain = graph->image->word_bytes == 8 && !graph->image->big_endian;
	scanner->window = NULL;
	scanner->window_bytes = scanner->window_start = 0;
}

/* ---- rows ------------------------------------------------------------------------------------ */

/*
 * A block's rows while they are made, in arrays of the worker's own, which the next block takes
 * again; then they are copied to where they fit. Memory that was touched before is cheap.
 */
struct object_rows {
	struct hf_graph *graph;
	uint32_t *targets, *ends; /* ends[longs]: where the last long row ends */
	uint32_t count, longs, singles;
	size_t targets_capacity, ends_capacity;
};

struct object_scan {
	struct hf_graph *graph;
	struct object_rows *rows; /* one a worker */
	_Atomic bool failed;
};

static bool reserve(uint32_t **data, size_t *capacity, size_t count)
{
	if (count <= *capacity)
		return true;
	size_t wanted = count * 2;
	uint32_t *grown =
	    hf_bigmem_resize(NULL, *data, *capacity * sizeof(**data), wanted * sizeof(**data));
	if (!grown)
		return false;
	*data = grown;
	*capacity = wanted;
	return true;
}

/* Room for what a batch can add: each candidate a target, or two and a row. */
static bool reserve_rows(struct object_rows *rows)
{
	return (uint64_t)rows->count + 2 * BATCH <= UINT32_MAX &&
	       reserve(&rows->targets, &rows->targets_capacity, rows->count + 2ull * BATCH) &&
	       reserve(&rows->ends, &rows->ends_capacity, rows->longs + BATCH + 1ull);
}

/* Sources come in ascending order, so a row's targets stand together. There is room. */
static inline void add_object_edge(struct object_rows *rows, uint32_t source, uint32_t target)
{
	struct hf_graph_link *link = &rows->graph->link[source];
	uint32_t row = link->row;

	if (HF_EDGE_NODE(target) == source)
		return;
	if (row == HF_NO_NODE) {
		link->row = target;
		rows->singles++;
		return;
	}
	if (!hf_row_is_long(row)) {
		/* The second target of a row: both go into the block. */
		rows->ends[rows->longs] = rows->count;
		link->row = HF_ROW_LONG + rows->longs++;
		rows->singles--;
		rows->targets[rows->count++] = row;
	}
	rows->targets[rows->count++] = target;
	rows->ends[rows->longs] = rows->count;
}

/* A copy that fits; NULL for nothing. */
static uint32_t *fitted(const uint32_t *data, uint64_t count, bool *failed)
{
	uint32_t *copy = count ? hf_bigmem_take(NULL, count * sizeof(*data)) : NULL;

	if (copy)
		memcpy(copy, data, count * sizeof(*data));
	*failed |= count && !copy;
	return copy;
}

static bool keep_rows(const struct object_rows *rows, struct hf_row_block *block)
{
	uint32_t ends = rows->longs ? rows->longs + 1 : 0;
	bool failed = false;

	block->count = block->capacity = rows->count;
	block->longs = rows->longs;
	block->singles = rows->singles;
	block->rows_capacity = ends;
	block->targets = fitted(rows->targets, rows->count, &failed);
	block->rows = fitted(rows->ends, ends, &failed);
	return !failed;
}

struct root_edge {
	uint32_t holder, target;
};

struct root_piece {
	uint64_t start, end;
	uint32_t holder;
	HF_VEC(, struct root_edge) edges;
	bool failed;
};

static inline bool add_root_edge(struct root_piece *piece, uint32_t source, uint32_t target)
{
	struct root_edge edge = {source, target};
	return hf_vec_push(&piece->edges, edge);
}

/* ---- candidates ------------------------------------------------------------------------------ */

static inline __attribute__((always_inline)) void resolve_all(struct scanner *scanner)
{
	const struct hf_graph *graph = scanner->graph;

	for (uint32_t i = 0; i < scanner->count && !scanner->failed; i++) {
		const struct hf_location *location = &scanner->location[i];
		uint64_t value = scanner->value[i];
		bool start;
		if (!location->block)
			continue;
		uint32_t target = extents_resolve(graph->extents, location, value, &start);
		if (target == HF_NO_OBJECT)
			continue;
		if (!start && !hf_graph_heuristic(graph, target, value))
			target |= HF_EDGE_INTERIOR;
		if (scanner->rows)
			add_object_edge(scanner->rows, scanner->source[i], target);
		else if (!add_root_edge(scanner->piece, scanner->source[i], target))
			scanner->failed = true;
	}
}

EXTENTS_POPCNT static void resolve_popcnt(struct scanner *scanner)
{
	resolve_all(scanner);
}

static void resolve_plain(struct scanner *scanner)
{
	resolve_all(scanner);
}

static void flush(struct scanner *scanner)
{
	if (scanner->rows && !reserve_rows(scanner->rows))
		scanner->failed = true;
	if (scanner->graph->extents->popcnt)
		resolve_popcnt(scanner);
	else
		resolve_plain(scanner);
	scanner->count = 0;
}

/* ---- objects --------------------------------------------------------------------------------- */

static void scan_block(void *ctx, uint64_t task, unsigned worker)
{
	struct object_scan *scan = ctx;
	struct hf_graph *graph = scan->graph;
	const struct hf_extents *extents = graph->extents;
	struct object_rows *rows = &scan->rows[worker];
	uint32_t first = (uint32_t)(task << HF_ROW_BLOCK_SHIFT);
	uint32_t last =
	    graph->objects - first > HF_ROW_BLOCK ? first + HF_ROW_BLOCK : graph->objects;
	const uint32_t *skip;
	uint32_t skips = hf_extents_allocator_objects(extents, &skip), next_skip = 0;
	struct scanner scanner;

	rows->graph = graph;
	rows->count = rows->longs = rows->singles = 0;
	scanner_init(&scanner, graph, rows, NULL);
	while (next_skip < skips && skip[next_skip] < first)
		next_skip++;
	for (uint32_t id = first; id < last; id++)
		graph->link[id].row = HF_NO_NODE;
	for (uint32_t id = first; id < last && !scanner.failed; id++) {
		if (next_skip < skips && skip[next_skip] == id) {
			next_skip++;
			continue;
		}
		scan_object(&scanner, id);
	}
	flush(&scanner);
	if (scanner.failed || !keep_rows(rows, &graph->blocks[task]))
		scan->failed = true;
	hf_progress_report(worker == 0 ? graph->options.progress : NULL, "following pointers", last,
			   graph->objects);
}

static struct hf_error *scan_objects(struct hf_graph *graph)
{
	struct object_scan scan = {.graph = graph};
	unsigned threads = graph->options.threads ? graph->options.threads : 1;

	graph->block_count =
	    (uint32_t)(((uint64_t)graph->objects + HF_ROW_BLOCK - 1) >> HF_ROW_BLOCK_SHIFT);
	graph->blocks = calloc(graph->block_count + 1, sizeof(*graph->blocks));
	scan.rows = calloc(threads, sizeof(*scan.rows));
	if (!graph->blocks || !scan.rows) {
		free(scan.rows);
		return hf_error_nomem();
	}
	hf_parallel_for(threads, graph->block_count, scan_block, &scan);
	for (unsigned i = 0; i < threads; i++) {
		struct object_rows *rows = &scan.rows[i];
		hf_bigmem_free(NULL, rows->targets,
			       rows->targets_capacity * sizeof(*rows->targets));
		hf_bigmem_free(NULL, rows->ends, rows->ends_capacity * sizeof(*rows->ends));
	}
	free(scan.rows);
	if (scan.failed)
		return hf_error_nomem();
	for (uint32_t i = 0; i < graph->block_count; i++)
		graph->edges += (uint64_t)graph->blocks[i].count + graph->blocks[i].singles;
	return NULL;
}

/* ---- roots ----------------------------------------------------------------------------------- */

HF_VEC(root_pieces, struct root_piece);

struct root_scan {
	const struct hf_graph *graph;
	struct root_pieces pieces;
};

static void scan_piece(void *ctx, uint64_t task, unsigned worker)
{
	struct root_scan *scan = ctx;
	struct root_piece *piece = &scan->pieces.data[task];
	struct scanner scanner;
	(void)worker;

	scanner_init(&scanner, scan->graph, NULL, piece);
	scan_range(&scanner, piece->holder, piece->start, piece->end);
	flush(&scanner);
	piece->failed = scanner.failed;
}

static bool cut_ranges(struct root_scan *scan)
{
	hf_vec_foreach (range, &scan->graph->roots->ranges) {
		for (uint64_t at = range->start; at < range->end;) {
			/* A header may promise terabytes: only what is there is cut in pieces. */
			uint64_t there = hf_image_next(scan->graph->image, at, range->end);
			if (there >= range->end)
				break;
			/* A piece begins where a word may: not inside one that is cut in two. */
			at = there - at > ROOT_PIECE_BYTES
				 ? at + (there - at) / ROOT_PIECE_BYTES * ROOT_PIECE_BYTES
				 : at;
			uint64_t end =
			    range->end - at > ROOT_PIECE_BYTES ? at + ROOT_PIECE_BYTES : range->end;
			struct root_piece piece = {
			    .start = at, .end = end, .holder = range->holder};
			if (!hf_vec_push(&scan->pieces, piece))
				return false;
			at = end;
		}
	}
	return true;
}

/* Bare values (registers): one more piece. */
static bool scan_values(struct root_scan *scan)
{
	struct root_piece piece = {0};
	struct scanner scanner;

	scanner_init(&scanner, scan->graph, NULL, &piece);
	hf_vec_foreach (value, &scan->graph->roots->values)
		offer(&scanner, value->holder, value->value);
	flush(&scanner);
	if (!scanner.failed && hf_vec_push(&scan->pieces, piece))
		return true;
	free(piece.edges.data);
	return false;
}

/* Rows of those holders that hold something, by counting sort. */
static struct hf_error *make_holder_rows(struct hf_graph *graph, const struct root_scan *scan)
{
	size_t holders = graph->roots->holders.count;
	uint64_t total = 0, *count = calloc(holders + 1, sizeof(*count));

	if (!count)
		return hf_error_nomem();
	hf_vec_foreach (piece, &scan->pieces) {
		hf_vec_foreach (edge, &piece->edges)
			count[edge->holder]++;
	}
	for (size_t i = 0; i < holders; i++)
		graph->holders += count[i] != 0;
	graph->holder_index = malloc((graph->holders + 1) * sizeof(uint32_t));
	graph->holder_row = malloc((graph->holders + 1) * sizeof(uint64_t));
	uint32_t node = 0;
	for (size_t i = 0; graph->holder_index && graph->holder_row && i < holders; i++) {
		uint64_t row = total;
		total += count[i];
		if (count[i]) {
			graph->holder_index[node] = (uint32_t)i;
			graph->holder_row[node++] = row;
		}
		count[i] = row;
	}
	graph->holder_targets = malloc((total + 1) * sizeof(uint32_t));
	if (!graph->holder_index || !graph->holder_row || !graph->holder_targets) {
		free(count);
		return hf_error_nomem();
	}
	graph->holder_row[node] = total;
	hf_vec_foreach (piece, &scan->pieces) {
		hf_vec_foreach (edge, &piece->edges)
			graph->holder_targets[count[edge->holder]++] = edge->target;
	}
	graph->edges += total;
	free(count);
	return NULL;
}

static struct hf_error *scan_roots(struct hf_graph *graph)
{
	struct root_scan scan = {.graph = graph};
	struct hf_error *err = NULL;

	if (!cut_ranges(&scan)) {
		err = hf_error_nomem();
	} else {
		hf_parallel_for(graph->options.threads, scan.pieces.count, scan_piece, &scan);
		if (!scan_values(&scan))
			err = hf_error_nomem();
	}
	hf_vec_foreach (piece, &scan.pieces) {
		if (piece->failed && !err)
			err = hf_error_nomem();
	}
	if (!err)
		err = make_holder_rows(graph, &scan);
	if (!err && !hf_graph_find_items(graph))
		err = hf_error_nomem();
	hf_vec_foreach (piece, &scan.pieces)
		free(piece->edges.data);
	free(scan.pieces.data);
	return err;
}

struct hf_error *hf_graph_scan(struct hf_graph *graph)
{
	double since = hf_clock_seconds();
	struct hf_error *err = scan_roots(graph);

	hf_graph_stage_done(graph, "scan roots", &since);
	if (err)
		return err;
	if ((uint64_t)graph->objects + graph->holders + 1 > (uint64_t)HF_EDGE_INTERIOR)
		return hf_error_create(HF_ERR_LIMIT, "the graph has more than 2^31 nodes");
	graph->link =
	    hf_bigmem_alloc(&graph->memory, (uint64_t)hf_graph_nodes(graph) * sizeof(*graph->link));
	if (!graph->link)
		return hf_error_nomem();
	err = scan_objects(graph);
	hf_graph_stage_done(graph, "scan objects", &since);
	return err;
}
