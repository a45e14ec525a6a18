/*
 * scan.c - one pass over the roots' and the objects' words: who points at whom.
 *
 * Each word that falls into the hull of the heap is a candidate. Finding its object costs a
 * random memory access, so candidates are collected in a small batch: the lookup's cache
 * line is prefetched when one is found and read when the batch is full. Rows keep the
 * order of the words. Tasks are blocks of objects, and pieces of the roots' ranges.
 */
#include <stdlib.h>
#include <string.h>

#include "core/base/parallel.h"
#include "heapwalk/graph/graph_private.h"

enum { BATCH = 48, MIN_ROW_CAPACITY = 1024, ROOT_PIECE_BYTES = 1 << 20 };

struct candidate {
	uint64_t value;
	uint32_t source;
	struct hf_location location;
};

struct scanner;
typedef bool edge_sink(struct scanner *scanner, uint32_t source, uint32_t target);

struct scanner {
	const struct hf_graph *graph;
	uint64_t low, high; /* hull of the heap */
	uint32_t region_hint, count;
	edge_sink *sink;
	void *ctx;
	bool failed;
	/* Bytes of the image that were found last: the next object stands behind. */
	const uint8_t *window;
	uint64_t window_start, window_bytes;
	struct candidate batch[BATCH];
};

static void flush(struct scanner *scanner)
{
	const struct hf_graph *graph = scanner->graph;

	for (uint32_t i = 0; i < scanner->count && !scanner->failed; i++) {
		const struct candidate *candidate = &scanner->batch[i];
		bool start;
		uint32_t target = hf_extents_resolve(graph->extents, &candidate->location,
						     candidate->value, &start);
		if (target == HF_NO_OBJECT)
			continue;
		if (!start && !hf_graph_heuristic(graph, target, candidate->value))
			target |= HF_EDGE_INTERIOR;
		if (!scanner->sink(scanner, candidate->source, target))
			scanner->failed = true;
	}
	scanner->count = 0;
}

static inline void offer(struct scanner *scanner, uint32_t source, uint64_t value)
{
	if (value - scanner->low >= scanner->high - scanner->low)
		return;
	struct candidate *candidate = &scanner->batch[scanner->count];
	hf_extents_locate(scanner->graph->extents, value, &scanner->region_hint,
			  &candidate->location);
	if (!candidate->location.block)
		return;
	candidate->value = value;
	candidate->source = source;
	if (++scanner->count == BATCH)
		flush(scanner);
}

static void scan_words_plain(struct scanner *scanner, uint32_t source, const uint8_t *data,
			     uint64_t bytes)
{
	uint64_t low = scanner->low, span = scanner->high - scanner->low;
	for (uint64_t at = 0; at + 8 <= bytes; at += 8) {
		uint64_t value;
		memcpy(&value, data + at, 8);
		if (value - low < span)
			offer(scanner, source, value);
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
		if (word == 8 && !image->big_endian) {
			scan_words_plain(scanner, source, data, bytes);
		} else {
			for (uint64_t at = 0; at < bytes; at += word)
				offer(scanner, source, hf_image_word_at(image, data + at));
		}
		start += bytes;
	}
}

static void scanner_init(struct scanner *scanner, const struct hf_graph *graph, edge_sink *sink,
			 void *ctx)
{
	scanner->graph = graph;
	hf_extents_hull(graph->extents, &scanner->low, &scanner->high);
	scanner->region_hint = 0;
	scanner->count = 0;
	scanner->sink = sink;
	scanner->ctx = ctx;
	scanner->failed = false;
	scanner->window = NULL;
	scanner->window_bytes = scanner->window_start = 0;
}

/* ---- objects --------------------------------------------------------------------------------- */

struct object_rows {
	struct hf_graph *graph;
	struct hf_row_block *block;
	_Atomic bool failed; /* shared: any task */
};

static bool push(uint32_t **data, uint32_t *count, uint32_t *capacity, uint32_t value)
{
	if (*count == *capacity) {
		uint64_t next = *capacity ? (uint64_t)*capacity * 3 / 2 : MIN_ROW_CAPACITY;
		if (next > UINT32_MAX)
			return false;
		uint32_t *moved =
		    hf_bigmem_resize(NULL, *data, *capacity * sizeof(value), next * sizeof(value));
		if (!moved)
			return false;
		*data = moved;
		*capacity = (uint32_t)next;
	}
	(*data)[(*count)++] = value;
	return true;
}

static bool push_target(struct hf_row_block *block, uint32_t target)
{
	return push(&block->targets, &block->count, &block->capacity, target);
}

/* Where the next long row ends, so far: where the last one does. */
static bool push_row_end(struct hf_row_block *block)
{
	uint32_t ends = block->longs + (block->rows != NULL);
	return push(&block->rows, &ends, &block->rows_capacity, block->count);
}

/* The second target of a row: both go into the block. */
static bool begin_long_row(struct hf_row_block *block, struct hf_graph_link *link)
{
	uint32_t first = link->row;

	if ((!block->rows && !push_row_end(block)) || !push_row_end(block))
		return false;
	link->row = HF_ROW_LONG + block->longs++;
	block->singles--;
	return push_target(block, first);
}

/* Sources come in ascending order, so a row's targets stand together. */
static bool add_object_edge(struct scanner *scanner, uint32_t source, uint32_t target)
{
	struct object_rows *rows = scanner->ctx;
	struct hf_row_block *block = rows->block;
	struct hf_graph_link *link = &rows->graph->link[source];

	if (HF_EDGE_NODE(target) == source)
		return true;
	if (link->row == HF_NO_NODE) {
		link->row = target;
		block->singles++;
		return true;
	}
	if (!hf_row_is_long(link->row) && !begin_long_row(block, link))
		return false;
	if (!push_target(block, target))
		return false;
	block->rows[block->longs] = block->count;
	return true;
}

static void scan_block(void *ctx, uint64_t task, unsigned worker)
{
	struct hf_graph *graph = ((struct object_rows *)ctx)->graph;
	const struct hf_extents *extents = graph->extents;
	uint32_t first = (uint32_t)(task << HF_ROW_BLOCK_SHIFT);
	uint32_t last =
	    graph->objects - first > HF_ROW_BLOCK ? first + HF_ROW_BLOCK : graph->objects;
	struct object_rows rows = {.graph = graph, .block = &graph->blocks[task]};
	const uint32_t *skip;
	uint32_t skips = hf_extents_allocator_objects(extents, &skip), next_skip = 0;
	struct scanner scanner;
	(void)worker;

	scanner_init(&scanner, graph, add_object_edge, &rows);
	while (next_skip < skips && skip[next_skip] < first)
		next_skip++;
	for (uint32_t id = first; id < last; id++)
		graph->link[id].row = HF_NO_NODE;
	for (uint32_t id = first; id < last && !scanner.failed; id++) {
		if (next_skip < skips && skip[next_skip] == id) {
			next_skip++;
			continue;
		}
		uint64_t address = hf_extents_address(extents, id);
		uint64_t bytes = hf_extents_usable(extents, id);
		scan_range(&scanner, id, address, address + bytes);
	}
	flush(&scanner);
	if (scanner.failed)
		((struct object_rows *)ctx)->failed = true;
	hf_progress_report(worker == 0 ? graph->options.progress : NULL, "following pointers", last,
			   graph->objects);
}

/* Give back what was not filled. */
static void fit(uint32_t **data, uint32_t *capacity, uint32_t count)
{
	uint32_t *fitted = *data ? hf_bigmem_resize(NULL, *data, *capacity * sizeof(uint32_t),
						    count * sizeof(uint32_t))
				 : NULL;
	if (fitted) {
		*data = fitted;
		*capacity = count;
	}
}

static struct hf_error *scan_objects(struct hf_graph *graph)
{
	struct object_rows shared = {.graph = graph};

	graph->block_count =
	    (uint32_t)(((uint64_t)graph->objects + HF_ROW_BLOCK - 1) >> HF_ROW_BLOCK_SHIFT);
	graph->blocks = calloc(graph->block_count + 1, sizeof(*graph->blocks));
	if (!graph->blocks)
		return hf_error_nomem();
	hf_parallel_for(graph->options.threads, graph->block_count, scan_block, &shared);
	if (shared.failed)
		return hf_error_nomem();
	for (uint32_t i = 0; i < graph->block_count; i++) {
		struct hf_row_block *block = &graph->blocks[i];
		graph->edges += (uint64_t)block->count + block->singles;
		fit(&block->targets, &block->capacity, block->count);
		fit(&block->rows, &block->rows_capacity, block->rows ? block->longs + 1 : 0);
	}
	return NULL;
}

/* ---- roots ----------------------------------------------------------------------------------- */

struct root_edge {
	uint32_t holder, target;
};

struct root_piece {
	uint64_t start, end;
	uint32_t holder;
	HF_VEC(, struct root_edge) edges;
	bool failed;
};

HF_VEC(root_pieces, struct root_piece);

struct root_scan {
	const struct hf_graph *graph;
	struct root_pieces pieces;
};

static bool add_root_edge(struct scanner *scanner, uint32_t source, uint32_t target)
{
	struct root_piece *piece = scanner->ctx;
	struct root_edge edge = {source, target};
	return hf_vec_push(&piece->edges, edge);
}

static void scan_piece(void *ctx, uint64_t task, unsigned worker)
{
	struct root_scan *scan = ctx;
	struct root_piece *piece = &scan->pieces.data[task];
	struct scanner scanner;
	(void)worker;

	scanner_init(&scanner, scan->graph, add_root_edge, piece);
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

	scanner_init(&scanner, scan->graph, add_root_edge, &piece);
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
