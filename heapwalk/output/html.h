/*
 * html.h - private to output/html*.c: the parts of a page.
 *
 *	html.c		the page: head, navigation, body, data, script
 *	html_doc.c	a document as plain, readable HTML
 *	html_data.c	a document of tables as JSON, for the script
 *	html/		style sheet and scripts; the build makes arrays of them (html/embed.sh)
 *
 * The page is one file that asks for nothing: its Content-Security-Policy allows no request
 * at all, and only the one script and the one style sheet whose hashes the build took. So even
 * a string that got past the escaping could neither run nor load anything. There are no style
 * attributes and no inline handlers.
 */
#ifndef HF_HEAPWALK_OUTPUT_HTML_H
#define HF_HEAPWALK_OUTPUT_HTML_H

#include <stdio.h>

#include "heapwalk/output/output.h"

/* Text of a core in an element or a quoted attribute. */
void html_text(FILE *to, const char *text);

/* "HOLDERS AND DOMINATORS (of all)" as a page has it: "Holders and dominators", "of all". */
void html_heading(FILE *to, const char *label, const char *element);

/* The items of @doc from @first up to @end, sections by groups. */
void html_items(const struct hf_doc *doc, uint32_t first, uint32_t end, FILE *to);
/* One past the group that begins at item @first. */
uint32_t html_group_end(const struct hf_doc *doc, uint32_t first);

/* A JSON object that is safe in a script element. */
struct hf_error *html_data(const struct hf_doc *doc, FILE *to);

/* Made by the build. */
struct html_asset {
	const unsigned char *data;
	size_t bytes;
	const char *hash; /* "sha256-..." of the data, for the policy */
};
extern const struct html_asset html_css, html_js;

#endif
