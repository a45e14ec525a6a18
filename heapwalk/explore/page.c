/*
 * page.c - pages of text (see page.h).
 *
 * A dump shows bytes, 16 a line behind their offset, or words, one a line with what they point at:
 *
 *	+0      e0 a2 de c0 d0 55 00 00  07 00 00 00 00 00 00 00  .....U..........
 *	+0      0x000055d0c0dea2e0  next            struct session 0x55d0c0dea2e0
 */
#include "heapwalk/explore/page.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/cleanup.h"
#include "heapwalk/output/escape.h"
#include "heapwalk/output/output.h"

enum { BYTES_A_LINE = 16, SEARCH_LINES = 1 << 22 };

struct hf_page {
	struct hf_analysis *analysis;
	char *title;
	/* text */
	char *text;
	HF_VEC(, const char *) lines; /* each ends at a newline */
	hf_view_fn *view;
	struct hf_view_options options;
	char *argument;
	/* a dump */
	uint32_t node;
	uint64_t address, bytes;
	bool words;
};

static struct hf_error *set_text(struct hf_page *page, char *text)
{
	page->lines.count = 0;
	for (const char *at = text; *at; at += strcspn(at, "\n"), at += *at == '\n') {
		if (!hf_vec_push(&page->lines, at)) {
			page->lines.count = 0;
			free(text);
			return hf_error_nomem();
		}
	}
	free(page->text);
	page->text = text;
	return NULL;
}

static struct hf_page *new_page(const char *title)
{
	struct hf_page *page = calloc(1, sizeof(*page));

	if (page)
		page->title = hf_escape(title);
	if (page && !page->title) {
		free(page);
		page = NULL;
	}
	return page;
}

void hf_page_destroy(struct hf_page *page)
{
	if (!page)
		return;
	free(page->title);
	free(page->text);
	free(page->argument);
	hf_vec_free(&page->lines);
	free(page);
}

struct hf_page *hf_page_text(const char *title, const char *text)
{
	struct hf_page *page = new_page(title);
	char *copy = page ? strdup(text) : NULL;
	struct hf_error *err = copy ? set_text(page, copy) : hf_error_nomem();

	if (err) {
		hf_error_destroy(err);
		hf_page_destroy(page);
		return NULL;
	}
	return page;
}

/* ---- views ----------------------------------------------------------------------------------- */

static struct hf_error *print_doc(const struct hf_doc *doc, unsigned width, char **ret)
{
	struct hf_output_options options = {.format = HF_FORMAT_TEXT, .width = width};
	char *text = NULL;
	size_t bytes = 0;
	FILE *to = open_memstream(&text, &bytes);

	if (!to)
		return hf_error_nomem();
	struct hf_error *err = hf_output(doc, &options, to);
	if (fclose(to) && !err)
		err = hf_error_nomem();
	if (err)
		free(text);
	else
		*ret = text;
	return err;
}

struct hf_error *hf_page_resize(struct hf_page *page, unsigned width)
{
	struct hf_doc *doc = NULL;
	char *text = NULL;

	if (!page->view)
		return NULL;
	struct hf_error *err = hf_doc_create("explore", &doc);
	if (err)
		return err;
	err = page->view(page->analysis, &page->options, doc);
	if (!err)
		err = hf_doc_error(doc);
	if (!err)
		err = print_doc(doc, width, &text);
	if (!err)
		err = set_text(page, text);
	hf_doc_destroy(doc);
	return err;
}

struct hf_error *hf_page_view(struct hf_analysis *analysis, hf_view_fn *view, const char *title,
			      const struct hf_view_options *options, unsigned width,
			      struct hf_page **ret)
{
	struct hf_page *page = new_page(title);

	if (!page)
		return hf_error_nomem();
	page->analysis = analysis;
	page->view = view;
	page->argument = strdup(options->argument);
	page->options = *options;
	page->options.argument = page->argument;
	struct hf_error *err = page->argument ? hf_page_resize(page, width) : hf_error_nomem();
	if (err)
		hf_page_destroy(page);
	else
		*ret = page;
	return err;
}

/* ---- dumps ----------------------------------------------------------------------------------- */

struct hf_error *hf_page_dump(struct hf_analysis *analysis, uint32_t node, struct hf_page **ret)
{
	uint32_t objects = hf_graph_objects(analysis->graph);
	uint64_t address = 0, bytes = 0;
	HF_AUTO(free_ptr) char *name = hf_analysis_describe(analysis, node);

	if (node < objects) {
		address = hf_extents_address(analysis->extents, node);
		bytes = hf_extents_usable(analysis->extents, node);
	} else if (node != hf_graph_root(analysis->graph)) {
		uint32_t index = hf_graph_holder_index(analysis->graph, node);
		address = analysis->roots.holders.data[index].address;
		bytes = analysis->roots.holders.data[index].size;
	}
	if (!bytes)
		return hf_error_create(HF_ERR_NOT_FOUND, "%s has no memory to show",
				       name ? name : "it");
	struct hf_page *page = name ? new_page(name) : NULL;
	if (!page)
		return hf_error_nomem();
	page->analysis = analysis;
	page->node = node;
	page->address = address;
	page->bytes = bytes;
	*ret = page;
	return NULL;
}

bool hf_page_toggle_words(struct hf_page *page)
{
	page->words = page->bytes && !page->words;
	return page->bytes != 0;
}

static void byte_line(const struct hf_page *page, uint64_t offset, char *to, const char *end)
{
	const struct hf_image *image = &page->analysis->process->image;
	uint64_t left = page->bytes - offset, bytes = left < BYTES_A_LINE ? left : BYTES_A_LINE;
	char text[BYTES_A_LINE + 1] = "";

	to += snprintf(to, (size_t)(end - to), "+%-7" PRIu64, offset);
	for (uint64_t i = 0; i < BYTES_A_LINE && end - to > 8; i++) {
		uint8_t byte;
		const char *gap = i % 8 == 7 ? "  " : " ";
		bool there =
		    i < bytes && hf_image_read(image, page->address + offset + i, &byte, 1);
		to += there	  ? snprintf(to, (size_t)(end - to), "%02x%s", byte, gap)
		      : i < bytes ? snprintf(to, (size_t)(end - to), "--%s", gap)
				  : snprintf(to, (size_t)(end - to), "  %s", gap);
		text[i] = i >= bytes			? '\0'
			  : !there			? ' '
			  : byte >= 0x20 && byte < 0x7f ? (char)byte
							: '.';
	}
	snprintf(to, (size_t)(end - to), "%s", text);
}

/* The name of the field at @address, in a column of its own where fields are known. */
static char *print_field(const struct hf_page *page, uint64_t address, char *to, const char *end)
{
	struct hf_edge word = {.source = page->node, .source_address = address};
	char field[HF_PAGE_LINE / 2];

	if (!hf_analysis_field(page->analysis, &word, field, sizeof(field)))
		return to;
	HF_AUTO(free_ptr) char *safe = hf_escape(field);
	int length = snprintf(to, (size_t)(end - to), "%-16s  ", safe ? safe : "");
	return length < end - to ? to + length : to + strlen(to);
}

static void word_line(const struct hf_page *page, uint64_t offset, char *to, const char *end)
{
	const struct hf_analysis *analysis = page->analysis;
	int digits = analysis->process->image.word_bytes * 2;
	uint64_t value = 0;

	to += snprintf(to, (size_t)(end - to), "+%-7" PRIu64, offset);
	if (!hf_image_word(&analysis->process->image, page->address + offset, &value)) {
		snprintf(to, (size_t)(end - to), "not in the core");
		return;
	}
	to += snprintf(to, (size_t)(end - to), "0x%0*" PRIx64 "  ", digits, value);
	to = print_field(page, page->address + offset, to, end);
	uint32_t object = hf_extents_find(analysis->extents, value);
	if (object != HF_NO_OBJECT) {
		HF_AUTO(free_ptr) char *name = hf_analysis_describe(analysis, object);
		HF_AUTO(free_ptr) char *safe = name ? hf_escape(name) : NULL;
		uint64_t into = value - hf_extents_address(analysis->extents, object);
		to += snprintf(to, (size_t)(end - to), "%s", safe ? safe : "?");
		if (into && to < end)
			snprintf(to, (size_t)(end - to), " + %" PRIu64, into);
		return;
	}
	uint64_t into = 0;
	const char *symbol = hf_process_module(analysis->process, value)
				 ? hf_symbols_name_at(analysis->symbols, value, &into)
				 : NULL;
	HF_AUTO(free_ptr) char *safe = symbol ? hf_escape(symbol) : NULL;
	if (safe)
		snprintf(to, (size_t)(end - to), "%s + %" PRIu64, safe, into);
}

/* ---- lines ----------------------------------------------------------------------------------- */

const char *hf_page_title(const struct hf_page *page)
{
	return page->title;
}

static uint64_t step_of(const struct hf_page *page)
{
	return page->words ? page->analysis->process->image.word_bytes : BYTES_A_LINE;
}

uint64_t hf_page_lines(const struct hf_page *page)
{
	if (page->bytes)
		return page->bytes / step_of(page) +
		       (!page->words && page->bytes % step_of(page) != 0);
	return page->lines.count;
}

const char *hf_page_line(const struct hf_page *page, uint64_t index, char *buffer, size_t size)
{
	*buffer = '\0';
	if (index >= hf_page_lines(page) || size < HF_PAGE_LINE)
		return buffer;
	if (page->bytes && page->words) {
		word_line(page, index * step_of(page), buffer, buffer + size);
	} else if (page->bytes) {
		byte_line(page, index * step_of(page), buffer, buffer + size);
	} else {
		const char *line = page->lines.data[index];
		snprintf(buffer, size, "%.*s", (int)strcspn(line, "\n"), line);
	}
	return buffer;
}

bool hf_page_search(const struct hf_page *page, const char *text, uint64_t from, uint64_t *ret)
{
	char line[HF_PAGE_LINE];
	uint64_t lines = hf_page_lines(page);

	for (uint64_t i = from; i < lines && i - from < SEARCH_LINES; i++) {
		if (strcasestr(hf_page_line(page, i, line, sizeof(line)), text)) {
			*ret = i;
			return true;
		}
	}
	return false;
}
