/*
 * sweeps.c - the first and the last pass over all objects: marks, and what nothing else told.
 *
 *	marked	parts: first words that may be vtables	-> one after the other: their types
 *	rest	parts: shapes, and who has each first	-> shapes get types, the first seen first
 *		parts: these types, and what each counts -> sums
 *
 * Types have numbers in the order in which they were made, so they are made between sweeps, in the
 * order of objects: results do not depend on the threads. Meanwhile an object has a mark of its
 * own in `of`: CANDIDATE, or its shape with RANK_PENDING.
 */
#include <stdlib.h>
#include <string.h>

#include "core/base/parallel.h"
#include "heapwalk/typing/private.h"

#define CANDIDATE (TYPE_NONE - 1)

/* ---- marks ----------------------------------------------------------------------------------- */

struct marking {
	struct hf_typing *typing;
	struct typing_vtables *vtables;
	const struct hf_progress *progress;
	bool *any; /* by part: it has candidates */
};

static bool first_word(const struct hf_typing *typing, uint32_t id, const struct hf_segment **last,
		       uint64_t *ret)
{
	const struct hf_image *image = &typing->process->image;
	uint64_t bytes = 0;
	const uint8_t *data = typing_bytes_near(typing, id, last, &bytes);

	if (!data || bytes < image->word_bytes)
		return false;
	*ret = hf_image_word_at(image, data);
	return true;
}

static void mark_part(void *ctx, uint64_t part, unsigned worker)
{
	struct marking *marking = ctx;
	struct hf_typing *typing = marking->typing;
	const struct hf_segment *last = NULL;
	struct hf_range gap = {0, 0};
	uint64_t word = 0, first = part * SWEEP_PART;
	bool any = false;

	hf_progress_report(worker == 0 ? marking->progress : NULL, "naming objects", first,
			   hf_extents_count(typing->extents));
	for (uint32_t id = (uint32_t)first; id < sweep_end(typing, part); id++) {
		bool candidate = first_word(typing, id, &last, &word) &&
				 typing_vtable_likely(marking->vtables, word, &gap);
		typing->of[id] = candidate ? CANDIDATE : TYPE_NONE;
		any |= candidate;
	}
	marking->any[part] = any;
}

static void type_candidates(struct marking *marking, uint64_t part)
{
	struct hf_typing *typing = marking->typing;
	const struct hf_segment *last = NULL;

	for (uint32_t id = (uint32_t)(part * SWEEP_PART); id < sweep_end(typing, part); id++) {
		uint64_t word = 0;
		if (typing->of[id] != CANDIDATE)
			continue;
		uint32_t type = first_word(typing, id, &last, &word)
				    ? typing_vtable_type(marking->vtables, word)
				    : TYPE_NONE;
		typing->of[id] =
		    type == TYPE_NONE ? TYPE_NONE : type_pack(type, HF_TYPE_VTABLE, RANK_SURE);
	}
}

struct hf_error *typing_type_marked(struct hf_typing *typing, const struct hf_progress *progress)
{
	uint64_t parts = sweep_parts(typing);
	const uint32_t *own;
	uint32_t owns = hf_extents_allocator_objects(typing->extents, &own);
	struct marking marking = {.typing = typing,
				  .vtables = typing_vtables_create(typing),
				  .progress = progress,
				  .any = calloc(parts + 1, sizeof(*marking.any))};
	bool fine = marking.vtables && marking.any;

	if (fine)
		hf_parallel_for(typing->threads, parts, mark_part, &marking);
	for (uint32_t i = 0; i < owns && fine; i++)
		typing->of[own[i]] = type_pack(0, HF_TYPE_ALLOCATOR, RANK_SURE);
	for (uint64_t part = 0; part < parts && fine; part++) {
		if (marking.any[part])
			type_candidates(&marking, part);
	}
	free(marking.any);
	typing_vtables_destroy(marking.vtables);
	return fine ? NULL : hf_error_nomem();
}

/* ---- the rest -------------------------------------------------------------------------------- */

struct tally {
	uint64_t count, bytes, sure; /* sure: the sum of percents */
	uint64_t sources[HF_TYPE_SOURCES];
};

struct resting {
	struct hf_typing *typing;
	/* By worker and shape: the first object of it that the worker saw; UINT32_MAX: none. */
	uint32_t (*firsts)[TYPING_SHAPES + 1];
	uint32_t types[TYPING_SHAPES + 1]; /* by shape, of those that are there */
	struct tally *tallies;		   /* by worker and type */
};

static void shape_part(void *ctx, uint64_t part, unsigned worker)
{
	struct resting *resting = ctx;
	struct hf_typing *typing = resting->typing;
	uint32_t *firsts = resting->firsts[worker];
	const struct hf_segment *last = NULL;

	for (uint32_t id = (uint32_t)(part * SWEEP_PART); id < sweep_end(typing, part); id++) {
		uint64_t bytes = 0, usable;
		uint32_t packed = typing->of[id];
		if (packed != TYPE_NONE && packed_rank(packed) != RANK_SCALAR)
			continue;
		usable = hf_column_usable(&typing->columns, id);
		const uint8_t *data = typing_view(&typing->process->image, &last,
						  hf_column_address(&typing->columns, id), &bytes);
		bytes = bytes < usable ? bytes : usable;
		unsigned shape = typing_shape_of(typing, id, usable, data, bytes);
		if (id < firsts[shape])
			firsts[shape] = id;
		/* Characters by a pointer's type may be text; other numbers stay what they are. */
		if (packed == TYPE_NONE || shape == TYPING_TEXT)
			typing->of[id] = type_pack(shape, HF_TYPE_SHAPE, RANK_PENDING);
	}
}

struct seen_shape {
	uint32_t first;
	unsigned shape;
};

static int compare_seen(const void *a, const void *b)
{
	const struct seen_shape *x = a, *y = b;
	return (x->first > y->first) - (x->first < y->first);
}

/* Text comes before all, then shapes in the order of the first object of each. */
static bool make_shapes(struct resting *resting)
{
	struct seen_shape seen[TYPING_SHAPES];
	size_t count = 0;

	resting->types[TYPING_TEXT] = typing_shape_type(resting->typing, TYPING_TEXT);
	bool fine = resting->types[TYPING_TEXT] != TYPE_NONE;
	for (unsigned shape = 0; shape < TYPING_SHAPES; shape++) {
		uint32_t first = UINT32_MAX;
		for (unsigned worker = 0; worker < resting->typing->threads; worker++) {
			uint32_t at = resting->firsts[worker][shape];
			first = at < first ? at : first;
		}
		if (first != UINT32_MAX)
			seen[count++] = (struct seen_shape){first, shape};
	}
	qsort(seen, count, sizeof(*seen), compare_seen);
	for (size_t i = 0; i < count && fine; i++) {
		uint32_t type = typing_shape_type(resting->typing, seen[i].shape);
		resting->types[seen[i].shape] = type;
		fine = type != TYPE_NONE;
	}
	return fine;
}

static void count_part(void *ctx, uint64_t part, unsigned worker)
{
	struct resting *resting = ctx;
	struct hf_typing *typing = resting->typing;
	struct tally *tallies = resting->tallies + worker * typing->types.count;

	for (uint32_t id = (uint32_t)(part * SWEEP_PART); id < sweep_end(typing, part); id++) {
		uint32_t packed = typing->of[id];
		if (packed_rank(packed) == RANK_PENDING) {
			unsigned shape = packed_type(packed);
			packed = type_pack(resting->types[shape],
					   shape == TYPING_TEXT ? HF_TYPE_STRING : HF_TYPE_SHAPE,
					   RANK_SHAPE);
			typing->of[id] = packed;
		}
		struct tally *tally = &tallies[packed_type(packed)];
		enum hf_type_source source = packed_source(packed);
		tally->count++;
		tally->bytes += hf_extents_chunk_bytes(typing->extents, id);
		tally->sources[source]++;
		tally->sure += typing_confidence(source, packed_rank(packed));
	}
}

static void add_up(struct resting *resting, size_t index)
{
	struct hf_type *type = &resting->typing->types.data[index];
	struct tally sum = resting->tallies[index];

	for (unsigned worker = 1; worker < resting->typing->threads; worker++) {
		const struct tally *other =
		    &resting->tallies[worker * resting->typing->types.count + index];
		sum.count += other->count;
		sum.bytes += other->bytes;
		sum.sure += other->sure;
		for (int s = 0; s < HF_TYPE_SOURCES; s++)
			sum.sources[s] += other->sources[s];
	}
	type->count = sum.count;
	type->bytes = sum.bytes;
	for (int s = 0; s < HF_TYPE_SOURCES; s++) {
		if (sum.sources[s] > sum.sources[type->source])
			type->source = (uint8_t)s;
	}
	type->confidence = sum.count ? (uint8_t)(sum.sure / sum.count) : 0;
}

struct hf_error *typing_type_rest(struct hf_typing *typing)
{
	struct resting resting = {.typing = typing,
				  .firsts = calloc(typing->threads, sizeof(*resting.firsts))};
	uint64_t parts = sweep_parts(typing);
	bool fine = resting.firsts != NULL;

	if (fine) {
		memset(resting.firsts, 0xff, typing->threads * sizeof(*resting.firsts));
		hf_parallel_for(typing->threads, parts, shape_part, &resting);
		fine = make_shapes(&resting);
	}
	if (fine) {
		resting.tallies =
		    calloc(typing->types.count * (size_t)typing->threads, sizeof(*resting.tallies));
		fine = resting.tallies != NULL;
	}
	if (fine)
		hf_parallel_for(typing->threads, parts, count_part, &resting);
	for (size_t i = 0; i < typing->types.count && fine; i++)
		add_up(&resting, i);
	free(resting.firsts);
	free(resting.tallies);
	return fine ? NULL : hf_error_nomem();
}
