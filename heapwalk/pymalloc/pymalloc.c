/*
 * pymalloc.c - the pymalloc back end of the allocator contract: probing, and what it owns.
 */
#include <stdio.h>
#include <stdlib.h>

#include "heapwalk/pymalloc/pymalloc.h"

static void pymalloc_destroy(struct hf_allocator *allocator)
{
	struct pymalloc *python = (struct pymalloc *)allocator; /* base is its first member */

	free(python->arenas.data);
	free(python->walks.data);
	free(allocator->regions.data);
	free(allocator->arenas.data);
	free(allocator->findings.data);
	free(allocator->doubtful.data);
	pthread_mutex_destroy(&python->findings_lock);
	hf_strpool_destroy(python->strings);
	free(python);
}

/* The walk has met all that can be met. */
static struct hf_error *pymalloc_check(struct hf_allocator *allocator)
{
	(void)allocator;
	return NULL;
}

/* malloc's figures are those of the allocator below. */
static struct hf_mallinfo2 pymalloc_mallinfo2(const struct hf_allocator *allocator)
{
	(void)allocator;
	return (struct hf_mallinfo2){0};
}

static void pymalloc_save(const struct hf_allocator *allocator, struct hf_stash_writer *writer)
{
	const struct pymalloc *python = (const struct pymalloc *)allocator;

	hf_stash_add(writer, "pymalloc.walks", python->walks.data,
		     python->walks.count * sizeof(*python->walks.data));
	hf_findings_save(allocator, "pymalloc", writer);
}

static bool pymalloc_load(struct hf_allocator *allocator, const struct hf_stash *stash)
{
	struct pymalloc *python = (struct pymalloc *)allocator;
	const struct pymalloc_walk *saved =
	    hf_stash_array(stash, "pymalloc.walks", python->walks.count, sizeof(*saved));

	for (size_t i = 0; saved && i < python->walks.count; i++)
		python->walks.data[i] = saved[i];
	return saved && hf_findings_load(allocator, "pymalloc", python->strings, stash);
}

static const struct hf_allocator_ops ops = {
    .name = "pymalloc",
    .destroy = pymalloc_destroy,
    .walk = pymalloc_walk,
    .finish = pymalloc_finish,
    .chunks = pymalloc_chunks,
    .chunk_at = pymalloc_chunk_at,
    .mallinfo2 = pymalloc_mallinfo2,
    .save = pymalloc_save,
    .load = pymalloc_load,
    .check = pymalloc_check,
};

struct hf_error *hf_pymalloc_probe(const struct hf_process *process,
				   const struct hf_symbols *symbols,
				   const struct hf_allocator *below, struct hf_diags *diags,
				   struct hf_allocator **ret)
{
	if (process->image.word_bytes != 8 || process->image.big_endian) {
		*ret = NULL;
		return NULL;
	}
	struct pymalloc *python = calloc(1, sizeof(*python));
	if (!python)
		return hf_error_nomem();
	pthread_mutex_init(&python->findings_lock, NULL);
	python->base.ops = &ops;
	python->base.granule = 16;
	python->image = &process->image;
	python->diags = diags;
	snprintf(python->base.layout_source, sizeof(python->base.layout_source), "probing");
	struct hf_error *err = hf_strpool_create(&python->strings);
	if (!err)
		err = pymalloc_find(python, process, symbols, below);
	if (err || python->arenas.count == 0) {
		pymalloc_destroy(&python->base);
		if (!err)
			*ret = NULL;
		return err;
	}
	python->base.granule = python->cut.alignment;
	*ret = &python->base;
	return NULL;
}
