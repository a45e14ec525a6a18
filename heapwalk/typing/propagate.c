/*
 * propagate.c - candidates for an object's type, and the queues (see propagate.h).
 */
#include "heapwalk/typing/propagate.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_PART_OFFSET = 1 << 16, COOKIE_BYTES = 8, MAX_ROUNDS = 8 };

const uint8_t *propagation_view(struct propagation *prop, uint64_t address, uint64_t *ret_available)
{
	return typing_view(prop->image, &prop->segment, address, ret_available);
}

/* ---- queues ---------------------------------------------------------------------------------- */

void propagation_push(struct propagation *prop, uint32_t object, enum rank rank)
{
	struct queue *queue = &prop->queues[rank];
	struct queue_block *last = queue->last;

	if (!last || last->tail == QUEUE_BLOCK) {
		struct queue_block *block = malloc(sizeof(*block));
		if (!block) {
			prop->failed = true;
			return;
		}
		block->next = NULL;
		block->head = block->tail = 0;
		if (last)
			last->next = block;
		else
			queue->first = block;
		queue->last = last = block;
	}
	last->objects[last->tail++] = object;
}

static bool pop(struct queue *queue, uint32_t *ret)
{
	struct queue_block *first = queue->first;

	while (first && first->head == first->tail) {
		if (first == queue->last && first->tail < QUEUE_BLOCK)
			return false;
		queue->first = first->next;
		if (!queue->first)
			queue->last = NULL;
		free(first);
		first = queue->first;
	}
	if (!first)
		return false;
	*ret = first->objects[first->head++];
	return true;
}

static void free_queues(struct propagation *prop)
{
	for (int rank = 0; rank < RANKS; rank++) {
		for (struct queue_block *block = prop->queues[rank].first, *next; block;
		     block = next) {
			next = block->next;
			free(block);
		}
	}
}

static bool is_opened(const struct propagation *prop, uint32_t object)
{
	return prop->opened[object / 64] >> (object % 64) & 1;
}

/* ---- candidates ------------------------------------------------------------------------------ */

struct candidate {
	uint32_t type;
	enum rank rank;
	enum hf_type_source source;
};

static enum rank worse(enum rank a, enum rank b)
{
	return a > b ? a : b;
}

static uint32_t interned(struct propagation *prop, struct layout *layout, uint32_t ctype,
			 enum hf_type_form form)
{
	uint32_t *slot = form == HF_FORM_ONE ? &layout->one : &layout->array;
	if (*slot == 0)
		*slot = typing_intern_ctype(prop->typing, ctype, form, 0) + 1;
	return *slot - 1; /* TYPE_NONE where 0 came of TYPE_NONE + 1 */
}

/* Pointers, numbers, characters: an array of them, if the object is made of nothing else. */
static bool scalar_candidate(struct propagation *prop, uint32_t object, uint64_t delta,
			     uint32_t ctype, const struct hf_ctype *of, struct candidate *ret)
{
	const uint32_t *targets;
	struct layout *layout = (struct layout *)layout_of(prop->typing->layouts, ctype);
	bool pointer = of->kind == HF_CTYPE_POINTER;

	uint64_t usable = hf_extents_usable(prop->extents, object);
	if (delta || of->size == 0 || usable < of->size)
		return false;
	/* A few words may be left from what was there before; a container's own buffer is its. */
	bool buffer = ret->source == HF_TYPE_CONTAINER && ret->rank <= RANK_POINTERS;
	uint64_t words = usable / prop->image->word_bytes;
	unsigned most = of->kind == HF_CTYPE_CHARACTER ? 16 : 4;
	if (!pointer && !buffer &&
	    hf_graph_out(prop->typing->graph, object, &targets) * most > words)
		return false;
	ret->type = interned(prop, layout, ctype, HF_FORM_ARRAY);
	ret->rank = worse(ret->rank, pointer ? RANK_POINTERS : RANK_SCALAR);
	return true;
}

/* new T[n]: a count, then the elements, which the pointer leads to. */
static bool has_cookie(const struct propagation *prop, uint32_t object, uint64_t delta,
		       const struct layout *layout, uint64_t usable)
{
	uint64_t count = 0, bytes;

	if (delta != COOKIE_BYTES || !layout->size || usable < delta + layout->size ||
	    !hf_image_word(prop->image, hf_extents_address(prop->extents, object), &count) ||
	    count == 0 || __builtin_mul_overflow(count, layout->size, &bytes))
		return false;
	return bytes <= usable - delta && usable - delta - bytes <= FORM_LOOSE_SLACK;
}

/* Is there nothing but zeros behind the first @size bytes? */
static bool zero_behind(struct propagation *prop, uint32_t object, uint64_t size, uint64_t usable)
{
	uint64_t available = 0;
	const uint8_t *data =
	    propagation_view(prop, hf_extents_address(prop->extents, object), &available);

	for (uint64_t i = size; data && i < usable && i < available; i++) {
		if (data[i])
			return false;
	}
	return true;
}

static bool structure_candidate(struct propagation *prop, uint32_t object, uint64_t delta,
				uint32_t ctype, struct candidate *ret)
{
	struct layout *layout = (struct layout *)layout_of(prop->typing->layouts, ctype);
	uint64_t usable = hf_extents_usable(prop->extents, object);
	bool mmapped =
	    usable > 64 * 1024 && hf_extents_kind(prop->extents, object) == HF_OBJECT_MMAP;

	if (layout->size == 0 || delta > usable || usable - delta < layout->size)
		return false;
	enum form form = delta ? FORM_PREFIX : layout_form(layout, usable, mmapped);
	/* A base that is the first member of what is really there. */
	if (delta == 0 && form != FORM_FLEXIBLE && propagation_may_be_outer(prop, ctype, usable) &&
	    (form != FORM_ONE || !zero_behind(prop, object, layout->size, usable)))
		form = FORM_PREFIX;
	switch (form) {
	case FORM_NONE:
		return false;
	case FORM_ONE:
	case FORM_FLEXIBLE:
		ret->type = interned(prop, layout, ctype, HF_FORM_ONE);
		ret->rank = worse(ret->rank,
				  usable - layout->size > FORM_SLACK ? RANK_POINTERS : RANK_EXACT);
		return true;
	case FORM_ARRAY:
		ret->type = interned(prop, layout, ctype, HF_FORM_ARRAY);
		ret->rank = worse(ret->rank, RANK_ARRAY);
		return true;
	case FORM_PREFIX:
		if (has_cookie(prop, object, delta, layout, usable)) {
			ret->type = typing_intern_ctype(prop->typing, ctype, HF_FORM_ARRAY,
							(uint32_t)delta);
			ret->rank = worse(ret->rank, RANK_ARRAY);
			return true;
		}
		if (delta >= MAX_PART_OFFSET)
			return false;
		ret->type = typing_intern_ctype(prop->typing, ctype, HF_FORM_PART, (uint32_t)delta);
		ret->rank = RANK_PART;
		ret->source = HF_TYPE_SHAPE;
		return true;
	}
	return false;
}

static bool make_candidate(struct propagation *prop, uint32_t object, uint64_t delta,
			   uint32_t ctype, struct candidate *ret)
{
	const struct hf_ctype *of = hf_ctype_get(prop->symbols, ctype);
	bool fine = false;

	switch ((enum hf_ctype_kind)of->kind) {
	case HF_CTYPE_STRUCT:
	case HF_CTYPE_UNION:
	case HF_CTYPE_ARRAY:
		fine = structure_candidate(prop, object, delta, ctype, ret);
		break;
	case HF_CTYPE_POINTER:
	case HF_CTYPE_INTEGER:
	case HF_CTYPE_CHARACTER:
	case HF_CTYPE_BOOLEAN:
	case HF_CTYPE_FLOAT:
	case HF_CTYPE_ENUM:
		fine = scalar_candidate(prop, object, delta, ctype, of, ret);
		break;
	case HF_CTYPE_VOID:
	case HF_CTYPE_FUNCTION:
	case HF_CTYPE_OTHER:
		break;
	}
	return fine && ret->type != TYPE_NONE;
}

/* Equals: what the object holds decides, and the first stays where it does not. */
static bool better(struct propagation *prop, uint32_t object, uint32_t type, uint32_t than)
{
	struct verdict mine = propagation_check(prop, object, type, true);
	struct verdict theirs = propagation_check(prop, object, than, true);

	if (mine.bad != theirs.bad)
		return mine.bad < theirs.bad;
	return mine.good > theirs.good;
}

static void take(struct propagation *prop, uint32_t object, const struct candidate *candidate,
		 bool push)
{
	prop->typing->of[object] = type_pack(candidate->type, candidate->source, candidate->rank);
	if (!push)
		return;
	prop->opened[object / 64] &= ~(UINT64_C(1) << (object % 64));
	propagation_push(prop, object, candidate->rank);
}

void propagation_offer(struct propagation *prop, uint32_t object, uint64_t value, uint32_t target,
		       enum hf_type_source source, enum rank rank)
{
	uint64_t delta = value - hf_extents_address(prop->extents, object);
	struct candidate candidate = {TYPE_NONE, rank, source};
	struct hf_type *types = prop->typing->types.data;
	uint32_t now = prop->typing->of[object];

	/* A tag in the low bits. */
	if (delta > 0 && delta < 8 && hf_ctype_get(prop->symbols, target)->size >= 8)
		delta = 0;
	if (!make_candidate(prop, object, delta, target, &candidate))
		return;
	types = prop->typing->types.data;
	if (now != TYPE_NONE && packed_type(now) == candidate.type) {
		types[candidate.type].votes++;
		if (candidate.rank < packed_rank(now))
			take(prop, object, &candidate, !is_opened(prop, object));
		return;
	}
	bool equals = now != TYPE_NONE && candidate.rank == packed_rank(now);
	if (now != TYPE_NONE &&
	    (candidate.rank > packed_rank(now) ||
	     (equals && (is_opened(prop, object) ||
			 !better(prop, object, candidate.type, packed_type(now)))))) {
		types[packed_type(now)].conflicts += candidate.rank < RANK_SCALAR;
		return;
	}
	struct verdict verdict =
	    propagation_check(prop, object, candidate.type, candidate.rank > RANK_POINTERS);
	if (!verdict_fine(&verdict, candidate.rank)) {
		prop->rejected++;
		return;
	}
	types[candidate.type].votes++;
	prop->parts += candidate.rank == RANK_PART;
	take(prop, object, &candidate, !equals);
}

void propagation_assign(struct propagation *prop, uint32_t object, uint32_t type,
			enum hf_type_source source, enum rank rank)
{
	struct candidate candidate = {type, rank, source};
	prop->typing->types.data[type].votes++;
	take(prop, object, &candidate, true);
}

/* ---- the whole ------------------------------------------------------------------------------- */

static bool pop_best(struct propagation *prop, uint32_t *ret)
{
	for (int rank = 0; rank < RANKS; rank++) {
		while (pop(&prop->queues[rank], ret)) {
			if (prop->typing->of[*ret] != TYPE_NONE && !is_opened(prop, *ret))
				return true;
		}
	}
	return false;
}

void propagation_drain(struct propagation *prop)
{
	uint32_t batch[OPEN_BATCH];
	uint64_t available;

	for (;;) {
		uint32_t count = 0;
		while (count < OPEN_BATCH && pop_best(prop, &batch[count])) {
			uint32_t object = batch[count++];
			prop->opened[object / 64] |= UINT64_C(1) << (object % 64);
			hf_extents_prefetch(prop->extents, object);
		}
		for (uint32_t i = 0; i < count; i++)
			__builtin_prefetch(propagation_view(
			    prop, hf_extents_address(prop->extents, batch[i]), &available));
		for (uint32_t i = 0; i < count; i++)
			propagation_open_object(prop, batch[i]);
		propagation_flush(prop);
		if (count == 0)
			return;
	}
}

void propagation_init(struct propagation *prop, struct hf_typing *typing)
{
	*prop = (struct propagation){.typing = typing,
				     .symbols = typing->symbols,
				     .extents = typing->extents,
				     .image = &typing->process->image};
	hf_extents_hull(typing->extents, &prop->low, &prop->high);
}

struct hf_error *typing_propagate(struct hf_typing *typing, const struct hf_progress *progress)
{
	uint32_t objects = hf_extents_count(typing->extents);
	struct propagation *prop = calloc(1, sizeof(*prop));
	uint64_t bytes = ((uint64_t)objects / 64 + 1) * sizeof(uint64_t);

	if (!prop)
		return hf_error_nomem();
	propagation_init(prop, typing);
	prop->opened = hf_bigmem_alloc(NULL, bytes);
	if (!prop->opened) {
		free(prop);
		return hf_error_nomem();
	}
	hf_progress_report(progress, "spreading types", 0, 0);
	propagation_seed(prop);
	propagation_flush(prop);
	propagation_drain(prop);
	for (int round = 0; round < MAX_ROUNDS && !prop->failed; round++) {
		bool more = propagation_infer(prop);
		propagation_drain(prop);
		more |= propagation_infer_void(prop);
		propagation_drain(prop);
		if (!more) {
			more = propagation_infer_content(prop);
			propagation_drain(prop);
		}
		if (!more)
			break;
	}
	contents_destroy(prop->contents);
	outers_destroy(prop->outers);
	limits_destroy(prop->limits);
	closures_destroy(prop->closures);
	bool failed = prop->failed;
	free_queues(prop);
	hf_bigmem_free(NULL, prop->opened, bytes);
	free(prop);
	return failed ? hf_error_nomem() : NULL;
}
