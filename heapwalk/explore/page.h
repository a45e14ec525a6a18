/*
 * page.h - text to scroll through: what a command says of an object, its memory, the help.
 *
 * Lines are made when they are asked for, so the memory of an object of any size is a page.
 */
#ifndef HF_HEAPWALK_EXPLORE_PAGE_H
#define HF_HEAPWALK_EXPLORE_PAGE_H

#include "heapwalk/analysis.h"
#include "heapwalk/views/view.h"

struct hf_page;

enum { HF_PAGE_LINE = 256 };

/* Plain text, copied. */
struct hf_page *hf_page_text(const char *title, const char *text);

/*
 * What the command's @view says of @options' argument, in @width columns. The paths in @options
 * must outlive the page, its argument need not.
 */
struct hf_error *hf_page_view(struct hf_analysis *analysis, hf_view_fn *view, const char *title,
			      const struct hf_view_options *options, unsigned width,
			      struct hf_page **ret);

/* The memory of an object or a holder; an error if it has none. */
struct hf_error *hf_page_dump(struct hf_analysis *analysis, uint32_t node, struct hf_page **ret);
void hf_page_destroy(struct hf_page *page);

const char *hf_page_title(const struct hf_page *page);
uint64_t hf_page_lines(const struct hf_page *page);

/* Line @index without control characters, cut to @size bytes; returns @buffer. */
const char *hf_page_line(const struct hf_page *page, uint64_t index, char *buffer, size_t size);

/* The page for a screen of another width: a view is asked again. */
struct hf_error *hf_page_resize(struct hf_page *page, unsigned width);

/* A dump as bytes, or as words with what they point at. False: it is no dump. */
bool hf_page_toggle_words(struct hf_page *page);

/* First line at or after @from that contains @text, whatever the case; false if none does. */
bool hf_page_search(const struct hf_page *page, const char *text, uint64_t from, uint64_t *ret);

#endif
