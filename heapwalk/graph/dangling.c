/*
 * dangling.c - one pass over the words of the roots and the live objects, as the graph's scan,
 * but with the free blocks as targets.
 *
 * Blocks are found by binary search between the lowest and the highest; words outside, which
 * are nearly all, cost a comparison. Tasks are blocks of objects; each keeps its own results,
 * which are joined in order, so that the answer does not depend on the number of threads.
 */
#include "heapwalk/graph/dangling.h"

#include <stdlib.h>

#include "core/base/parallel.h"
#include "core/base/search.h"

enum { TASK_OBJECTS = 1 << 16 };

struct task {
	HF_VEC(, struct hf_dangling) pointers;
	uint64_t starts, insides;
	bool failed;
};

struct search {
	const struct hf_image *image;
	const struct hf_extents *extents;
	const struct hf_graph *graph;
	const struct hf_free_blocks *blocks;
	uint64_t low, high, max;
	bool with_insides;
	struct task *tasks;
};

/* Index of the block that holds @value, or UINT32_MAX. */
static uint32_t block_at(const struct hf_free_blocks *blocks, uint64_t value)
{
	size_t behind = hf_first_not(0, blocks->count, i, blocks->data[i].start <= value);

	if (behind == 0 || value >= blocks->data[behind - 1].end)
		return UINT32_MAX;
	return (uint32_t)(behind - 1);
}

static void offer(const struct search *search, struct task *task, struct hf_dangling pointer)
{
	if (pointer.value - search->low >= search->high - search->low)
		return;
	pointer.block = block_at(search->blocks, pointer.value);
	if (pointer.block == UINT32_MAX)
		return;
	bool start = search->blocks->data[pointer.block].start == pointer.value;
	if (start)
		task->starts++;
	else
		task->insides++;
	if ((start || search->with_insides) && task->pointers.count < search->max &&
	    !hf_vec_push(&task->pointers, pointer))
		task->failed = true;
}

/* The words of [start, end). */
static void scan(const struct search *search, struct task *task, uint64_t start, uint64_t end,
		 struct hf_dangling source)
{
	uint64_t word = search->image->word_bytes;

	start = (start + word - 1) & ~(word - 1);
	while (start < end && end - start >= word) {
		uint64_t available = 0;
		const uint8_t *data = hf_image_at(search->image, start, &available);
		if (!data || available < word) {
			const struct hf_segment *segment = hf_image_find(search->image, start);
			source.at = start;
			if (hf_image_word(search->image, start, &source.value))
				offer(search, task, source);
			bool hole = !data && segment && segment->end > start + word;
			start = hole ? (segment->end + word - 1) & ~(word - 1) : start + word;
			continue;
		}
		uint64_t bytes = available < end - start ? available : end - start;
		bytes -= bytes % word;
		for (uint64_t at = 0; at < bytes; at += word) {
			source.value = hf_image_word_at(search->image, data + at);
			source.at = start + at;
			offer(search, task, source);
		}
		start += bytes;
	}
}

/* Results of block @index stand behind those of the roots. */
static void scan_objects(void *ctx, uint64_t index, unsigned worker)
{
	const struct search *search = ctx;
	struct task *task = &search->tasks[index + 1];
	uint64_t first = index * TASK_OBJECTS, last = first + TASK_OBJECTS;
	uint32_t count = hf_graph_objects(search->graph);
	(void)worker;

	for (uint64_t i = first; i < last && i < count; i++) {
		uint32_t id = (uint32_t)i;
		enum hf_leak_kind kind = hf_graph_leak_kind(search->graph, id);
		if (kind == HF_DEFINITE || kind == HF_INDIRECT ||
		    hf_extents_kind(search->extents, id) == HF_OBJECT_ALLOCATOR)
			continue;
		uint64_t start = hf_extents_address(search->extents, id);
		scan(search, task, start, start + hf_extents_usable(search->extents, id),
		     (struct hf_dangling){.node = id});
	}
}

static void scan_roots(const struct search *search, const struct hf_roots *roots, struct task *task)
{
	hf_vec_foreach (range, &roots->ranges)
		scan(search, task, range->start, range->end,
		     (struct hf_dangling){.node = HF_NO_NODE, .holder = range->holder});
	hf_vec_foreach (value, &roots->values)
		offer(search, task,
		      (struct hf_dangling){
			  .node = HF_NO_NODE, .holder = value->holder, .value = value->value});
}

static struct hf_error *join(const struct search *search, uint64_t tasks,
			     struct hf_dangling_result *ret)
{
	struct hf_dangling_result result = {0};
	bool failed = false;

	for (uint64_t i = 0; i < tasks && !failed; i++) {
		const struct task *task = &search->tasks[i];
		result.starts += task->starts;
		result.insides += task->insides;
		failed = task->failed;
		hf_vec_foreach (pointer, &task->pointers) {
			if (result.pointers.count < search->max &&
			    !hf_vec_push(&result.pointers, *pointer))
				failed = true;
		}
	}
	if (failed) {
		free(result.pointers.data);
		return hf_error_nomem();
	}
	*ret = result;
	return NULL;
}

struct hf_error *hf_dangling_find(const struct hf_image *image, const struct hf_extents *extents,
				  const struct hf_roots *roots, const struct hf_graph *graph,
				  const struct hf_free_blocks *blocks, uint64_t max,
				  bool with_insides, unsigned threads,
				  struct hf_dangling_result *ret)
{
	uint64_t tasks = 1 + (hf_graph_objects(graph) + (uint64_t)TASK_OBJECTS - 1) / TASK_OBJECTS;
	struct search search = {.image = image,
				.extents = extents,
				.graph = graph,
				.blocks = blocks,
				.max = max,
				.with_insides = with_insides};

	if (blocks->count == 0) {
		*ret = (struct hf_dangling_result){0};
		return NULL;
	}
	search.low = blocks->data[0].start;
	search.high = blocks->data[blocks->count - 1].end;
	search.tasks = calloc(tasks, sizeof(*search.tasks));
	if (!search.tasks)
		return hf_error_nomem();
	scan_roots(&search, roots, &search.tasks[0]);
	hf_parallel_for(threads, tasks - 1, scan_objects, &search);
	struct hf_error *err = join(&search, tasks, ret);
	for (uint64_t i = 0; i < tasks; i++)
		free(search.tasks[i].pointers.data);
	free(search.tasks);
	return err;
}
