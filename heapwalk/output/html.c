/*
 * html.c - a document as one page that a browser opens from disk (see html.h).
 *
 *	header		what this is of, theme
 *	nav		the sections
 *	main		the verdict, then the document as it would be printed, then what can be
 *			explored: the script fills that from the data
 */
#include <string.h>

#include "heapwalk/output/html.h"

/* What the page is of: the details say it, else the first field that is a text. */
static const char *subject_of(const struct hf_doc *doc, const struct hf_doc *details)
{
	for (uint32_t i = 0; details && i < hf_doc_items(details); i++) {
		const struct hf_item *item = hf_doc_item(details, i);
		if (item->kind == HF_ITEM_FIELD && item->value.kind == HF_VALUE_TEXT &&
		    !strcmp(item->key, "title"))
			return item->value.text;
	}
	for (uint32_t i = 0; i < hf_doc_items(doc); i++) {
		const struct hf_item *item = hf_doc_item(doc, i);
		if (item->kind == HF_ITEM_FIELD && item->value.kind == HF_VALUE_TEXT &&
		    !item->json_only)
			return item->value.text;
	}
	return "";
}

/* The item where the group @key begins on the first level; the number of items if none does. */
static uint32_t find_group(const struct hf_doc *doc, const char *key)
{
	uint32_t items = hf_doc_items(doc);

	for (uint32_t i = 0; i < items; i = html_group_end(doc, i)) {
		const struct hf_item *item = hf_doc_item(doc, i);
		if (item->kind == HF_ITEM_GROUP_BEGIN && !strcmp(item->key, key))
			return i;
	}
	return items;
}

static void put_head(const struct hf_doc *doc, const char *subject, FILE *to)
{
	fprintf(to,
		"<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
		"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
		"script-src '%s'; style-src '%s'; img-src data:; base-uri 'none'; "
		"form-action 'none'\">\n"
		"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
		"<meta name=\"color-scheme\" content=\"light dark\">\n"
		"<meta name=\"generator\" content=\"heapforensics " HF_VERSION "\">\n"
		"<link rel=\"icon\" href=\"data:,\">\n<title>",
		html_js.hash, html_css.hash);
	html_text(to, subject);
	fputs(" - heap ", to);
	html_text(to, hf_doc_command(doc));
	fputs("</title>\n<style>", to);
	fwrite(html_css.data, 1, html_css.bytes, to);
	fputs("</style>\n</head>\n", to);
}

static void put_header(const struct hf_doc *doc, const char *subject, FILE *to)
{
	fputs("<a class=\"skip\" href=\"#main\">Skip to the report</a>\n"
	      "<header class=\"top\"><span class=\"brand\">heapforensics</span> "
	      "<span class=\"what\">",
	      to);
	html_text(to, hf_doc_command(doc));
	fputs("</span> <span class=\"subject\">", to);
	html_text(to, subject);
	fputs("</span><span class=\"tools\" id=\"tools\"></span></header>\n", to);
}

static void put_link(const struct hf_item *item, FILE *to)
{
	if (item->kind != HF_ITEM_GROUP_BEGIN || item->json_only || !item->label)
		return;
	fputs("<li><a href=\"#s-", to);
	html_text(to, item->key);
	fputs("\">", to);
	html_heading(to, item->label, "span");
	fputs("</a></li>\n", to);
}

/* In the order of the page: the verdict first. */
static void put_navigation(const struct hf_doc *doc, uint32_t verdict, FILE *to)
{
	fputs("<nav class=\"side\" aria-label=\"Sections\" id=\"nav\">\n"
	      "<h2>Report</h2>\n<ul>\n",
	      to);
	if (verdict < hf_doc_items(doc))
		put_link(hf_doc_item(doc, verdict), to);
	for (uint32_t i = 0; i < hf_doc_items(doc); i = html_group_end(doc, i)) {
		if (i != verdict)
			put_link(hf_doc_item(doc, i), to);
	}
	fputs("</ul>\n</nav>\n", to);
}

static void put_partial(const struct hf_doc *doc, FILE *to)
{
	bool told = find_group(doc, "evidence") < hf_doc_items(doc);

	fprintf(to,
		"<p class=\"partial\" role=\"note\">Evidence was missing or doubtful, so some "
		"figures may be incomplete%s.</p>\n",
		told ? ": <a href=\"#s-evidence\">what was missing</a>" : "");
}

struct hf_error *hf_output_html(const struct hf_doc *doc, const struct hf_output_options *options,
				FILE *to)
{
	uint32_t items = hf_doc_items(doc), verdict = find_group(doc, "verdict");
	uint32_t after = verdict < items ? html_group_end(doc, verdict) : items;
	const char *subject = subject_of(doc, options->details);
	struct hf_error *err = NULL;

	put_head(doc, subject, to);
	fputs("<body>\n", to);
	put_header(doc, subject, to);
	fputs("<div class=\"page\">\n", to);
	put_navigation(doc, verdict, to);
	fputs("<main id=\"main\">\n", to);
	if (hf_doc_partial(doc))
		put_partial(doc, to);
	html_items(doc, verdict, after, to);
	fputs("<div id=\"tiles\"></div>\n<div class=\"report\">\n", to);
	html_items(doc, 0, verdict, to);
	html_items(doc, after, items, to);
	fputs("</div>\n<div id=\"explore\"></div>\n"
	      "<noscript><p class=\"partial\">The report is complete as it stands; what can be "
	      "explored needs scripts.</p></noscript>\n"
	      "</main>\n</div>\n<div id=\"live\" class=\"hidden\" aria-live=\"polite\"></div>\n"
	      "<script type=\"application/json\" id=\"data\">",
	      to);
	if (options->details)
		err = html_data(options->details, to);
	else
		fputs("{}", to);
	fputs("</script>\n<script>", to);
	fwrite(html_js.data, 1, html_js.bytes, to);
	fputs("</script>\n</body>\n</html>\n", to);
	return err;
}
