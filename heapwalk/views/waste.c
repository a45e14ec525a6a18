/*
 * waste.c - memory that is held and does nothing: what a program could save without losing
 * anything.
 *
 *	duplicates	blocks without pointers that have the same content: all but one
 *	containers	room of C++ containers for elements that are not there
 *	tables		arrays of pointers that are mostly null
 *	slack		bytes that malloc gave and the type does not need
 *	zeros		blocks of nothing but zeros: allocated, and never used
 *
 * The sums overlap little, but they do (a zero-filled block may be a duplicate, too: it counts as
 * zeros only); each table stands for itself.
 */
#include <stdlib.h>
#include <string.h>

#include "core/base/cleanup.h"
#include "core/base/search.h"
#include "heapwalk/views/waste.h"

enum { MAX_NAME = 2048, MIN_TABLE_WORDS = 64, MOSTLY_EMPTY_PERCENT = 75 };

/* ---- containers ------------------------------------------------------------------------------ */

static const struct hf_column container_columns[] = {
    {"type", "container", HF_COLUMN_ELASTIC},
    {"count", "how many", 0},
    {"empty", "empty", HF_COLUMN_OPTIONAL},
    {"elements", "elements", 0},
    {"bytes", "own bytes", 0},
    {"unused_bytes", "unused", 0},
    {"fill", "filled", HF_COLUMN_OPTIONAL},
};

struct container_sum {
	uint32_t ctype;
	uint8_t kind;
	uint64_t count, empty, elements, bytes, unused;
};

struct container_sums {
	HF_VEC(, struct container_sum) list; /* sorted by ctype while it is filled */
	bool failed;
};

static struct container_sum *sum_of(struct container_sums *sums, uint32_t ctype)
{
	size_t at = hf_first_not(0, sums->list.count, i, sums->list.data[i].ctype < ctype);

	if (at < sums->list.count && sums->list.data[at].ctype == ctype)
		return &sums->list.data[at];
	struct container_sum made = {.ctype = ctype};
	if (!hf_vec_push(&sums->list, made)) {
		sums->failed = true;
		return NULL;
	}
	memmove(&sums->list.data[at + 1], &sums->list.data[at],
		(sums->list.count - 1 - at) * sizeof(made));
	sums->list.data[at] = made;
	return &sums->list.data[at];
}

static void add_container(void *ctx, const struct hf_container *container)
{
	struct container_sum *sum = sum_of(ctx, container->ctype);

	if (!sum)
		return;
	sum->kind = container->kind;
	sum->count++;
	sum->empty += container->elements == 0;
	sum->elements += container->elements;
	sum->bytes += container->bytes;
	sum->unused += container->unused_bytes;
}

static int compare_sum(const void *a, const void *b)
{
	const struct container_sum *x = a, *y = b;
	if (x->bytes != y->bytes)
		return x->bytes < y->bytes ? 1 : -1;
	return (x->ctype > y->ctype) - (x->ctype < y->ctype);
}

struct hf_error *waste_containers(struct hf_analysis *analysis, uint64_t top, struct hf_doc *doc,
				  uint64_t *ret_bytes)
{
	struct container_sums sums = {0};

	hf_typing_each_container(analysis->typing, add_container, &sums);
	if (sums.list.count)
		qsort(sums.list.data, sums.list.count, sizeof(*sums.list.data), compare_sum);
	hf_doc_begin(doc, "containers", "CONTAINERS OF THE C++ LIBRARY, WITH THEIR OWN COST");
	struct hf_table *table =
	    hf_doc_table(doc, "containers", NULL, container_columns,
			 sizeof(container_columns) / sizeof(container_columns[0]));
	for (size_t i = 0; i < sums.list.count; i++) {
		const struct container_sum *sum = &sums.list.data[i];
		char name[MAX_NAME];
		*ret_bytes += sum->unused;
		if (i >= top)
			continue;
		hf_typing_ctype_name(analysis->typing, sum->ctype, name, sizeof(name));
		hf_doc_row(doc, table, 0);
		hf_doc_cell(doc, table, hf_text(hf_doc_dup(doc, name)));
		hf_doc_cell(doc, table, hf_count(sum->count));
		hf_doc_cell(doc, table, hf_count(sum->empty));
		hf_doc_cell(doc, table, hf_count(sum->elements));
		hf_doc_cell(doc, table, hf_bytes(sum->bytes));
		hf_doc_cell(doc, table, hf_bytes(sum->unused));
		hf_doc_cell(doc, table,
			    sum->bytes ? hf_share(sum->bytes - sum->unused, sum->bytes)
				       : hf_none());
	}
	hf_doc_end(doc);
	free(sums.list.data);
	return sums.failed ? hf_error_nomem() : NULL;
}

/* ---- by type: slack, mostly empty tables of pointers
 * ---------------------------------------------
 */

struct type_waste {
	uint32_t type;
	uint64_t count, bytes, waste;
};

static int compare_waste(const void *a, const void *b)
{
	const struct type_waste *x = a, *y = b;
	if (x->waste != y->waste)
		return x->waste < y->waste ? 1 : -1;
	return (x->type > y->type) - (x->type < y->type);
}

static const struct hf_column slack_columns[] = {
    {"type", "type", HF_COLUMN_ELASTIC},
    {"count", "objects", 0},
    {"type_bytes", "type's size", HF_COLUMN_OPTIONAL},
    {"bytes", "bytes", 0},
    {"slack_bytes", "not needed", 0},
};

static void tell_types(const struct hf_analysis *analysis, struct type_waste *lines, uint32_t count,
		       uint64_t top, struct hf_doc *doc, uint64_t *ret_bytes)
{
	struct hf_table *table = hf_doc_table(doc, "types", NULL, slack_columns,
					      sizeof(slack_columns) / sizeof(slack_columns[0]));

	qsort(lines, count, sizeof(*lines), compare_waste);
	for (uint32_t i = 0; i < count && lines[i].waste; i++) {
		const struct hf_type *type = hf_typing_type(analysis->typing, lines[i].type);
		*ret_bytes += lines[i].waste;
		if (i >= top)
			continue;
		hf_doc_row(doc, table, 0);
		hf_doc_cell(doc, table, hf_text(type->name));
		hf_doc_cell(doc, table, hf_count(lines[i].count));
		hf_doc_cell(doc, table, type->size ? hf_bytes(type->size) : hf_none());
		hf_doc_cell(doc, table, hf_bytes(lines[i].bytes));
		hf_doc_cell(doc, table, hf_bytes(lines[i].waste));
	}
}

/* Is something of @object for nothing, and how many bytes? */
typedef bool wasted_fn(const struct hf_analysis *analysis, uint32_t object,
		       const struct hf_type *type, uint64_t *ret);

static struct hf_error *waste_by_type(const struct hf_analysis *analysis, wasted_fn *wasted,
				      uint64_t top, struct hf_doc *doc, uint64_t *ret_bytes)
{
	uint32_t types = hf_typing_types(analysis->typing);
	HF_AUTO(free_ptr) struct type_waste *lines = calloc((size_t)types + 1, sizeof(*lines));

	if (!lines)
		return hf_error_nomem();
	for (uint32_t i = 0; i < types; i++)
		lines[i].type = i;
	for (uint32_t id = 0; id < hf_graph_objects(analysis->graph); id++) {
		struct type_waste *line = &lines[hf_typing_of(analysis->typing, id)];
		uint64_t bytes = 0;
		if (!wasted(analysis, id, hf_typing_type(analysis->typing, line->type), &bytes))
			continue;
		line->count++;
		line->bytes += hf_extents_chunk_bytes(analysis->extents, id);
		line->waste += bytes;
	}
	tell_types(analysis, lines, types, top, doc, ret_bytes);
	return NULL;
}

static bool slack_of(const struct hf_analysis *analysis, uint32_t object,
		     const struct hf_type *type, uint64_t *ret)
{
	uint64_t usable = hf_extents_usable(analysis->extents, object);

	if (type->form != HF_FORM_ONE || type->flexible || !type->size || type->size > usable)
		return false;
	*ret = usable - type->size;
	return true;
}

struct hf_error *waste_slack(struct hf_analysis *analysis, uint64_t top, struct hf_doc *doc,
			     uint64_t *ret_bytes)
{
	hf_doc_begin(doc, "slack", "SLACK: WHAT MALLOC GAVE AND THE TYPE DOES NOT NEED");
	struct hf_error *err = waste_by_type(analysis, slack_of, top, doc, ret_bytes);
	hf_doc_end(doc);
	return err;
}

/* Words of the object that are 0. */
static uint64_t null_words(const struct hf_analysis *analysis, uint32_t object, uint64_t *ret_words)
{
	const struct hf_image *image = &analysis->process->image;
	uint64_t available = 0, usable = hf_extents_usable(analysis->extents, object), nulls = 0;
	const uint8_t *data =
	    hf_image_at(image, hf_extents_address(analysis->extents, object), &available);

	*ret_words = data ? (available < usable ? available : usable) / image->word_bytes : 0;
	for (uint64_t i = 0; i < *ret_words; i++)
		nulls += hf_image_word_at(image, data + i * image->word_bytes) == 0;
	return nulls;
}

static bool nulls_of(const struct hf_analysis *analysis, uint32_t object,
		     const struct hf_type *type, uint64_t *ret)
{
	uint64_t words = 0, nulls;

	if (type->form != HF_FORM_ARRAY || !type->pointer)
		return false;
	nulls = null_words(analysis, object, &words);
	*ret = nulls * analysis->process->image.word_bytes;
	return words >= MIN_TABLE_WORDS && nulls * 100 >= words * MOSTLY_EMPTY_PERCENT;
}

struct hf_error *waste_tables(struct hf_analysis *analysis, uint64_t top, struct hf_doc *doc,
			      uint64_t *ret_bytes)
{
	hf_doc_begin(doc, "tables", "TABLES OF POINTERS THAT ARE MOSTLY NULL");
	struct hf_error *err = waste_by_type(analysis, nulls_of, top, doc, ret_bytes);
	hf_doc_end(doc);
	return err;
}
