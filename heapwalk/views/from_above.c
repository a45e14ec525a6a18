/*
 * from_above.c - down the dominator tree without walking it (see from_above.h).
 *
 * Each object has a word, made from its dominator's and its own type:
 *
 *	31	30 ... 26	25	24 ... 0
 *	made	first		below	of these types, which are at or above it
 *
 * `below`: the node that was asked for is; `first`: the bit of its own type if that is not above
 * it, else NONE; this is not for those below. There are no branches on what chance decides: each
 * that is guessed wrong costs as much as all the rest.
 *
 * A walk would wait for memory at every step. Here objects are gone over by address, so that only
 * the dominator's word is a look elsewhere, and is asked for ahead. Words are kept of those objects
 * alone that dominate others:
 *
 *	sweep	upward by address; whose dominator has no word yet, waits. Where that helps few (a
 *		list that was built from its end), downward as well.
 *	climb	what still waits climbs to what has a word, and comes back: many at a time, so that
 *		none waits for memory. Those that have to climb too far are left, and what else
 *		waits near them,
 *	left	and go one after the other.
 *	count	all objects, once more by address: those without a word make it from above.
 *
 * A word depends on nothing but the one above it, so it does not matter who makes it, or how often:
 * all but the sweeps (each step of which may need the one before) is in parts for all processors,
 * and one may read a word that another makes. It is there as a whole, or it is 0.
 */
#include "heapwalk/views/from_above.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/bigmem.h"
#include "core/base/parallel.h"

enum {
	BLOCK = 64,
	PART_BLOCKS = 1 << 10,
	CLIMBERS = 16,	   /* at a time */
	FARTHEST = 128,	   /* a climb: what is longer is a list, which wants no memory ahead */
	MOST_TOO_FAR = 16, /* of a part: then it is left */
	FEW = 4		   /* a quarter of those that wait */
};

enum { FIRST_SHIFT = HF_FROM_ABOVE_TYPES + 1, NONE = 31 };

#define MADE	  UINT32_C(0x80000000)
#define BELOW	  (UINT32_C(1) << HF_FROM_ABOVE_TYPES)
#define INHERITED (BELOW | (BELOW - 1))

HF_VEC(objects_list, uint32_t);

struct descent {
	const struct hf_analysis *analysis;
	struct hf_graph_columns graph;
	struct hf_from_above *question;
	uint32_t objects, blocks, types;
	unsigned threads;
	uint8_t *bit_of_type; /* NONE: nobody asks for it */
	/* Of each node that dominates others; 0: not made yet. Those of holders are. */
	uint32_t *word;
	uint64_t *waiting; /* by block: a bit for each of its objects */
	uint64_t waiting_count;
	uint64_t (*retained)[NONE + 1]; /* by thread, then by bit */
	struct hf_below_total *below;	/* by thread, then by type; or NULL */
};

static inline uint32_t word_of(const struct descent *descent, uint32_t node)
{
	return __atomic_load_n(&descent->word[node], __ATOMIC_RELAXED);
}

static inline uint32_t make(const struct descent *descent, uint32_t object, uint32_t above)
{
	uint32_t bit = descent->bit_of_type[hf_typing_of(descent->analysis->typing, object)];
	uint32_t own = UINT32_C(1) << bit & (BELOW - 1);
	uint32_t first = own & ~above ? bit : NONE;
	uint32_t below = object == descent->question->node ? BELOW : 0;

	return MADE | first << FIRST_SHIFT | below | own | (above & INHERITED);
}

static inline uint32_t make_and_keep(struct descent *descent, uint32_t object, uint32_t above)
{
	uint32_t word = make(descent, object, above);
	__atomic_store_n(&descent->word[object], word, __ATOMIC_RELAXED);
	return word;
}

static inline void fetch(const struct descent *descent, uint32_t node)
{
	__builtin_prefetch(&descent->word[node]);
}

static uint32_t part_end(const struct descent *descent, uint64_t part)
{
	uint64_t end = (part + 1) * PART_BLOCKS;
	return end < descent->blocks ? (uint32_t)end : descent->blocks;
}

static uint32_t block_end(const struct descent *descent, uint32_t block)
{
	uint64_t end = (block + 1ull) * BLOCK;
	return end < descent->objects ? (uint32_t)end : descent->objects;
}

/* All that others hang on. */
static void find_waiting(void *ctx, uint64_t part, unsigned worker)
{
	struct descent *descent = ctx;
	uint64_t count = 0;
	(void)worker;

	for (uint32_t block = (uint32_t)part * PART_BLOCKS; block < part_end(descent, part);
	     block++) {
		uint64_t bits = 0;
		uint32_t first = block * BLOCK, end = block_end(descent, block);
		for (uint32_t object = first; object < end; object++)
			bits |= (uint64_t)(hf_column_retained_objects(&descent->graph, object) > 1)
				<< (object - first);
		descent->waiting[block] = bits;
		count += (unsigned)__builtin_popcountll(bits);
	}
	__atomic_fetch_add(&descent->waiting_count, count, __ATOMIC_RELAXED);
}

/* ---- sweeps ---------------------------------------------------------------------------------- */

/* Objects of a block that wait, in the sweep's direction, and what is above each of them. */
struct batch {
	uint32_t count, object[BLOCK], above[BLOCK];
};

static inline void add(const struct descent *descent, uint32_t object, struct batch *batch)
{
	uint32_t above = hf_column_idom(&descent->graph, object);

	fetch(descent, above);
	batch->object[batch->count] = object;
	batch->above[batch->count++] = above;
}

static void add_waiting(const struct descent *descent, uint32_t block, bool upward,
			struct batch *batch)
{
	uint64_t bits = descent->waiting[block];

	for (batch->count = 0; bits;) {
		unsigned bit =
		    (unsigned)(upward ? __builtin_ctzll(bits) : BLOCK - 1 - __builtin_clzll(bits));
		add(descent, block * BLOCK + bit, batch);
		bits &= ~(UINT64_C(1) << bit);
	}
}

static void make_waiting(struct descent *descent, uint32_t block, const struct batch *batch)
{
	uint64_t made = 0;

	for (uint32_t i = 0; i < batch->count; i++) {
		uint32_t object = batch->object[i], above = word_of(descent, batch->above[i]);
		uint32_t all = -(above >> 31); /* of the bits, if that is made */
		descent->word[object] = make(descent, object, above) & all;
		made |= (uint64_t)(all & 1) << (object - block * BLOCK);
	}
	descent->waiting[block] &= ~made;
	descent->waiting_count -= (unsigned)__builtin_popcountll(made);
}

/* While a block's words are made, those above the next one's are on their way. */
static void sweep(struct descent *descent, bool upward)
{
	struct batch batches[2];
	uint32_t last = descent->blocks - 1;

	for (uint32_t i = 0; i <= descent->blocks; i++) {
		if (i < descent->blocks)
			add_waiting(descent, upward ? i : last - i, upward, &batches[i & 1]);
		if (i > 0)
			make_waiting(descent, upward ? i - 1 : last - (i - 1),
				     &batches[(i - 1) & 1]);
	}
}

/*
 * Upward; if that helps few, downward, and again while it helps: a list that was built from its end
 * may lie in regions that follow one another the other way.
 */
static void sweep_both_ways(struct descent *descent)
{
	bool upward = true;
	unsigned idle = 0;

	while (descent->waiting_count && idle < 2) {
		uint64_t before = descent->waiting_count;
		sweep(descent, upward);
		if (before - descent->waiting_count >= before / FEW)
			idle = upward ? 2 : 0;
		else
			idle++;
		upward = false;
	}
}

/* ---- climbs ---------------------------------------------------------------------------------- */

struct climber {
	uint32_t object;
	uint32_t at; /* asked for: the object, or what is above the last of the path */
	uint32_t count, path[FARTHEST];
};

static void go_to(const struct descent *descent, struct climber *climber, uint32_t node)
{
	climber->at = node;
	fetch(descent, node);
	if (node >= descent->objects)
		return;
	__builtin_prefetch(&descent->graph.link[node]);
	hf_typing_prefetch(descent->analysis->typing, node);
}

/* One step up; or, where there is a word, all the way down. False: it has ended. */
static bool step(struct descent *descent, struct climber *climber)
{
	uint32_t above = word_of(descent, climber->at), object = climber->object;

	if (above & MADE) {
		while (climber->count)
			above = make_and_keep(descent, climber->path[--climber->count], above);
		descent->waiting[object / BLOCK] &= ~(UINT64_C(1) << object % BLOCK);
		return false;
	}
	if (climber->count == FARTHEST)
		return false;
	climber->path[climber->count++] = climber->at;
	go_to(descent, climber, hf_column_idom(&descent->graph, climber->at));
	return true;
}

/* Next one of a part that waits. */
struct queue {
	uint32_t block, end;
	uint64_t bits;
};

static bool begin(struct descent *descent, struct queue *queue, struct climber *climber)
{
	while (!queue->bits) {
		if (queue->block + 1 >= queue->end)
			return false;
		queue->bits = descent->waiting[++queue->block];
	}
	climber->count = 0;
	climber->object = queue->block * BLOCK + (uint32_t)__builtin_ctzll(queue->bits);
	queue->bits &= queue->bits - 1;
	go_to(descent, climber, climber->object);
	return true;
}

static void climb_part(void *ctx, uint64_t part, unsigned worker)
{
	struct descent *descent = ctx;
	uint32_t first = (uint32_t)part * PART_BLOCKS;
	struct queue queue = {first, part_end(descent, part), descent->waiting[first]};
	struct climber climbers[CLIMBERS];
	unsigned count = 0, too_far = 0;
	(void)worker;

	while (count < CLIMBERS && begin(descent, &queue, &climbers[count]))
		count++;
	for (unsigned i = 0; count; i = i + 1 < count ? i + 1 : 0) {
		if (step(descent, &climbers[i]))
			continue;
		too_far += climbers[i].count == FARTHEST;
		if (too_far < MOST_TOO_FAR && begin(descent, &queue, &climbers[i]))
			continue;
		climbers[i] = climbers[--count];
	}
}

static bool climb(struct descent *descent, uint32_t object, struct objects_list *path)
{
	uint32_t above;

	while (!((above = word_of(descent, object)) & MADE)) {
		if (!hf_vec_push(path, object))
			return false;
		object = hf_column_idom(&descent->graph, object);
	}
	while (path->count)
		above = make_and_keep(descent, path->data[--path->count], above);
	return true;
}

static bool climb_left(struct descent *descent)
{
	struct objects_list path = {0};
	bool fine = true;

	for (uint32_t block = 0; block < descent->blocks && fine; block++) {
		for (uint64_t bits = descent->waiting[block]; bits && fine; bits &= bits - 1)
			fine =
			    climb(descent, block * BLOCK + (uint32_t)__builtin_ctzll(bits), &path);
	}
	hf_vec_free(&path);
	return fine;
}

/* ---- all of them ----------------------------------------------------------------------------- */

static void add_without(const struct descent *descent, uint32_t block, struct batch *batch)
{
	uint32_t end = block_end(descent, block), count = 0;

	for (uint32_t object = block * BLOCK; object < end; object++) {
		bool without = descent->word[object] == 0;
		uint32_t above = hf_column_idom(&descent->graph, object);
		batch->object[count] = object;
		batch->above[count] = above;
		fetch(descent, without ? above : object);
		count += without;
	}
	batch->count = count;
}

static inline void count_below(const struct descent *descent, uint32_t object, uint32_t word,
			       unsigned worker)
{
	if (!(word & BELOW))
		return;
	uint32_t type = hf_typing_of(descent->analysis->typing, object);
	struct hf_below_total *below = &descent->below[(uint64_t)worker * descent->types + type];
	below->count++;
	below->bytes += hf_extents_chunk_bytes(descent->analysis->extents, object);
}

static inline void count(const struct descent *descent, uint32_t object, uint32_t word,
			 unsigned worker)
{
	uint32_t first = word ? word >> FIRST_SHIFT & NONE : NONE;

	descent->retained[worker][first] += hf_column_retained(&descent->graph, object);
	if (descent->below)
		count_below(descent, object, word, worker);
}

static void count_part(void *ctx, uint64_t part, unsigned worker)
{
	const struct descent *descent = ctx;
	uint32_t first = (uint32_t)part * PART_BLOCKS, end = part_end(descent, part);
	struct batch batches[2];

	add_without(descent, first, &batches[first & 1]);
	for (uint32_t block = first; block < end; block++) {
		const struct batch *batch = &batches[block & 1];
		if (block + 1 < end)
			add_without(descent, block + 1, &batches[(block + 1) & 1]);
		for (uint32_t object = block * BLOCK; object < block_end(descent, block); object++)
			count(descent, object, descent->word[object], worker);
		for (uint32_t i = 0; i < batch->count; i++)
			count(descent, batch->object[i],
			      make(descent, batch->object[i], word_of(descent, batch->above[i])),
			      worker);
	}
}

static bool descend(struct descent *descent)
{
	uint64_t parts = (descent->blocks + PART_BLOCKS - 1ull) / PART_BLOCKS;

	hf_parallel_for(descent->threads, parts, find_waiting, descent);
	sweep_both_ways(descent);
	hf_parallel_for(descent->threads, parts, climb_part, descent);
	if (!climb_left(descent))
		return false;
	hf_parallel_for(descent->threads, parts, count_part, descent);
	return true;
}

/* What the threads counted. */
static void join(const struct descent *descent)
{
	struct hf_from_above *question = descent->question;

	memset(question->retained, 0, sizeof(question->retained));
	for (unsigned worker = 0; worker < descent->threads; worker++) {
		for (uint32_t i = 0; i < question->type_count; i++)
			question->retained[i] += descent->retained[worker][i];
	}
	for (uint64_t i = 0; descent->below && i < (uint64_t)descent->threads * descent->types;
	     i++) {
		struct hf_below_total *below = &question->below[i % descent->types];
		if (i < descent->types)
			*below = (struct hf_below_total){0};
		below->count += descent->below[i].count;
		below->bytes += descent->below[i].bytes;
	}
}

static void prepare(struct descent *descent, uint64_t nodes)
{
	const struct hf_from_above *question = descent->question;

	memset(descent->bit_of_type, NONE, (size_t)descent->types + 1);
	for (uint32_t i = 0; i < question->type_count; i++)
		descent->bit_of_type[question->types[i]] = (uint8_t)i;
	for (uint64_t node = descent->objects; node < nodes; node++)
		descent->word[node] = node == question->node ? MADE | BELOW : MADE;
}

struct hf_error *hf_from_above(const struct hf_analysis *analysis, struct hf_from_above *question)
{
	uint32_t objects = hf_graph_objects(analysis->graph);
	uint64_t nodes = hf_graph_root(analysis->graph) + 1ull;
	uint32_t types = hf_typing_types(analysis->typing);
	unsigned threads = analysis->threads;
	struct descent descent = {.analysis = analysis,
				  .question = question,
				  .objects = objects,
				  .blocks = objects / BLOCK + (objects % BLOCK > 0),
				  .types = types,
				  .threads = threads};
	size_t word_bytes = nodes * sizeof(*descent.word);
	size_t waiting_bytes = (size_t)descent.blocks * sizeof(*descent.waiting);

	hf_graph_columns(analysis->graph, &descent.graph);
	descent.bit_of_type = malloc((size_t)types + 1);
	descent.retained = calloc(threads, sizeof(*descent.retained));
	if (question->below)
		descent.below = calloc((size_t)threads * types + 1, sizeof(*descent.below));
	descent.word = hf_bigmem_alloc(NULL, word_bytes);
	descent.waiting = hf_bigmem_alloc(NULL, waiting_bytes);
	bool fine = descent.bit_of_type && descent.retained && descent.word && descent.waiting &&
		    (descent.below || !question->below);
	if (fine) {
		prepare(&descent, nodes);
		fine = descend(&descent);
	}
	if (fine)
		join(&descent);
	hf_bigmem_free(NULL, descent.waiting, waiting_bytes);
	hf_bigmem_free(NULL, descent.word, word_bytes);
	free(descent.bit_of_type);
	free(descent.retained);
	free(descent.below);
	return fine ? NULL : hf_error_nomem();
}
