/*
 * mappings.c - a process without a heap that we know: its anonymous mappings, and who points there.
 *
 * Another allocator's blocks are not told apart, so that nothing can be said of what one of them
 * keeps alive. But variables, frames and registers are known as ever: each of their words that
 * leads into anonymous memory is counted, and of each mapping the strongest holders are told (a
 * variable before a word of a stack, roots.h has the order).
 */
#include <stdlib.h>

#include "core/base/search.h"
#include "heapwalk/views/sections.h"

enum { SHOWN = 8, HOLDERS = 3 };

struct place {
	uint64_t start, end, present;
	uint64_t pointers;
	uint32_t holders[HOLDERS]; /* the strongest first */
	unsigned known;
};

struct places {
	HF_VEC(, struct place) list; /* ascending while pointers are counted */
	const struct hf_roots *roots;
};

static const struct hf_column columns[] = {
    {"address", "anonymous memory", 0},
    {"bytes", "bytes", 0},
    {"pointers", "pointers", 0},
    {"held_by", "from", HF_COLUMN_SENTENCE},
};

static bool collect(const struct hf_process *process, struct places *places)
{
	hf_vec_foreach (mapping, &process->mappings) {
		struct place place = {mapping->start, mapping->end, mapping->present, 0, {0}, 0};
		bool anonymous =
		    mapping->kind == HF_MAPPING_ANONYMOUS || mapping->kind == HF_MAPPING_BRK;
		if (!anonymous || !(mapping->flags & HF_SEGMENT_W) ||
		    mapping->module != HF_NO_INDEX || !mapping->present)
			continue;
		if (!hf_vec_push(&places->list, place))
			return false;
	}
	return true;
}

static struct place *place_of(struct places *places, uint64_t address)
{
	return hf_range_at(places->list.data, places->list.count, address);
}

static void note(struct places *places, uint64_t value, uint32_t holder)
{
	struct place *place = place_of(places, value);
	const struct hf_holder *all = places->roots->holders.data;
	unsigned at = 0;

	if (!place)
		return;
	place->pointers++;
	while (at < place->known && place->holders[at] != holder &&
	       all[place->holders[at]].kind <= all[holder].kind)
		at++;
	if (at == HOLDERS || (at < place->known && place->holders[at] == holder))
		return;
	place->known += place->known < HOLDERS;
	for (unsigned i = place->known - 1; i > at; i--)
		place->holders[i] = place->holders[i - 1];
	place->holders[at] = holder;
}

static void count_pointers(const struct hf_image *image, struct places *places)
{
	uint64_t word = image->word_bytes;
	const uint8_t *data = NULL;

	hf_vec_foreach (range, &places->roots->ranges) {
		for (uint64_t at = range->start, words;
		     (words = hf_image_words(image, &at, range->end, &data)); at += words * word) {
			for (uint64_t i = 0; i < words; i++)
				note(places, hf_image_word_at(image, data + i * word),
				     range->holder);
		}
	}
	hf_vec_foreach (value_of, &places->roots->values)
		note(places, value_of->value, value_of->holder);
}

static int compare_place(const void *a, const void *b)
{
	const struct place *x = a, *y = b;
	if (x->present != y->present)
		return x->present < y->present ? 1 : -1;
	return (x->start > y->start) - (x->start < y->start);
}

static const char *holders_text(const struct hf_analysis *analysis, const struct places *places,
				const struct place *place, struct hf_doc *doc)
{
	const char *text = NULL;

	for (unsigned i = 0; i < place->known; i++) {
		char *name = hf_holder_describe(&places->roots->holders.data[place->holders[i]],
						analysis->process);
		if (name)
			text =
			    hf_doc_printf(doc, "%s%s%s", text ? text : "", text ? ", " : "", name);
		free(name);
	}
	if (text && place->pointers > place->known)
		text = hf_doc_printf(doc, "%s ...", text);
	return text ? text : "nothing outside such memory";
}

static void tell(const struct hf_analysis *analysis, struct places *places, struct hf_doc *doc)
{
	size_t count = places->list.count;
	struct hf_table *table;

	if (!count)
		return;
	qsort(places->list.data, count, sizeof(*places->list.data), compare_place);
	hf_doc_begin(doc, "mappings", "ANONYMOUS MEMORY AND WHO POINTS THERE");
	table = hf_doc_table(doc, "mappings", NULL, columns, sizeof(columns) / sizeof(columns[0]));
	for (size_t i = 0; i < count && i < SHOWN; i++) {
		const struct place *place = &places->list.data[i];
		hf_doc_row(doc, table, 0);
		hf_doc_cell(doc, table, hf_address(place->start));
		hf_doc_cell(doc, table, hf_bytes(place->present));
		hf_doc_cell(doc, table, hf_count(place->pointers));
		hf_doc_cell(doc, table, hf_text(holders_text(analysis, places, place, doc)));
	}
	if (count > SHOWN)
		hf_doc_note(doc, "%s smaller ones are not shown.",
			    hf_doc_count_text(doc, count - SHOWN));
	hf_doc_end(doc);
}

/* Roots as for an allocator whose regions are the places: what lies in them holds nothing. */
static struct hf_error *open_roots(const struct hf_analysis *analysis, const struct places *places,
				   struct hf_roots *ret)
{
	struct hf_allocator allocator = {0};
	struct hf_error *err = NULL;

	hf_vec_foreach (place, &places->list) {
		struct hf_heap_region region = {place->start, place->end, HF_NO_ARENA,
						HF_REGION_MMAPPED};
		if (!err && !hf_vec_push(&allocator.regions, region))
			err = hf_error_nomem();
	}
	if (!err)
		err = hf_roots_create(analysis->process, analysis->symbols, &allocator,
				      (1u << HF_HOLDER_KINDS) - 1, ret);
	hf_vec_free(&allocator.regions);
	return err;
}

struct hf_error *hf_section_mappings(const struct hf_analysis *analysis, struct hf_doc *doc)
{
	struct hf_roots roots = {0};
	struct places places = {.roots = &roots};
	struct hf_error *err = collect(analysis->process, &places) ? NULL : hf_error_nomem();

	if (!err)
		err = open_roots(analysis, &places, &roots);
	if (!err) {
		count_pointers(&analysis->process->image, &places);
		tell(analysis, &places, doc);
		hf_roots_deinit(&roots);
	}
	hf_vec_free(&places.list);
	return err;
}
