/*
 * text.c - a document as text for people.
 *
 * Headings stand at the margin, what belongs to them is indented by two. Consecutive fields
 * are aligned. Colours only where the caller says so (a terminal).
 */
#include "heapwalk/output/text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "heapwalk/output/escape.h"
#include "heapwalk/views/human.h"

enum { PIPE_WRAP = 100, MIN_WRAP = 40, INDENT = 2, MAX_LABEL = 24 };

/* "+1.02 MiB", "-3", "0" */
static int change_text(const struct hf_value *value, char **ret)
{
	char buffer[HF_HUMAN_BYTES];
	uint64_t size = value->change < 0 ? -(uint64_t)value->change : (uint64_t)value->change;

	return asprintf(ret, "%s%s",
			value->change > 0   ? "+"
			: value->change < 0 ? "-"
					    : "",
			value->kind == HF_VALUE_CHANGE_BYTES ? hf_human_bytes(size, buffer)
							     : hf_human_count(size, buffer));
}

char *text_value(const struct hf_value *value, bool exact)
{
	char buffer[HF_HUMAN_BYTES], plain[HF_HUMAN_BYTES], *text = NULL;
	int length = 0;

	switch (value->kind) {
	case HF_VALUE_TEXT:
		return hf_escape(value->text);
	case HF_VALUE_COUNT:
		return strdup(hf_human_count(value->number, buffer));
	case HF_VALUE_BYTES:
		if (!exact || value->number < 1024)
			return strdup(hf_human_bytes(value->number, buffer));
		length = asprintf(&text, "%s (%s bytes)", hf_human_bytes(value->number, buffer),
				  hf_human_count(value->number, plain));
		break;
	case HF_VALUE_ADDRESS:
		length = asprintf(&text, "0x%" PRIx64, value->number);
		break;
	case HF_VALUE_NUMBER:
		length = asprintf(&text, "%" PRIu64, value->number);
		break;
	case HF_VALUE_SHARE:
		return strdup(hf_human_share(value->real, buffer));
	case HF_VALUE_REAL:
		length = asprintf(&text, "%.3g", value->real);
		break;
	case HF_VALUE_BOOL:
		return strdup(value->truth ? "yes" : "no");
	case HF_VALUE_CHANGE_BYTES:
	case HF_VALUE_CHANGE_COUNT:
		length = change_text(value, &text);
		break;
	default:
		return strdup("-");
	}
	return length < 0 ? NULL : text;
}

void text_emphasis(const struct text_writer *writer, enum hf_emphasis emphasis)
{
	static const char *const codes[] = {[HF_PLAIN] = "\033[0m",
					    [HF_GOOD] = "\033[32m",
					    [HF_WARN] = "\033[33m",
					    [HF_BAD] = "\033[1;31m",
					    [HF_STRONG] = "\033[1m"};
	if (writer->color)
		fputs(codes[emphasis], writer->to);
}

void text_wrap(const struct text_writer *writer, const char *text, unsigned first, unsigned indent)
{
	unsigned width = writer->width ? writer->width : PIPE_WRAP, column = first;
	bool fresh = true; /* nothing on this line yet */

	if (width < indent + MIN_WRAP)
		width = indent + MIN_WRAP;
	while (*text) {
		size_t word = strcspn(text, " ");
		unsigned columns = 0;
		for (size_t i = 0; i < word; i++)
			columns += ((unsigned char)text[i] & 0xc0) != 0x80;
		if (!fresh && column + 1 + columns > width) {
			fprintf(writer->to, "\n%*s", (int)indent, "");
			column = indent;
			fresh = true;
		}
		if (!fresh) {
			fputc(' ', writer->to);
			column++;
		}
		fwrite(text, 1, word, writer->to);
		column += columns;
		fresh = false;
		text += word;
		text += strspn(text, " ");
	}
	fputc('\n', writer->to);
}

static void print_heading(const struct text_writer *writer, const char *label, unsigned depth)
{
	char *escaped = hf_escape(label);
	if (!escaped)
		return;
	fprintf(writer->to, "%*s", (int)(depth * INDENT), "");
	text_emphasis(writer, HF_STRONG);
	fputs(escaped, writer->to);
	text_emphasis(writer, HF_PLAIN);
	fputc('\n', writer->to);
	free(escaped);
}

/* Widest label of the run of fields that starts at @index. */
static unsigned label_width(const struct hf_doc *doc, uint32_t index)
{
	unsigned widest = 0;
	for (; index < hf_doc_items(doc); index++) {
		const struct hf_item *item = hf_doc_item(doc, index);
		if (item->json_only)
			continue;
		if (item->kind != HF_ITEM_FIELD)
			break;
		unsigned width = (unsigned)hf_columns(item->label);
		if (width > widest)
			widest = width;
	}
	return widest < MAX_LABEL ? widest : MAX_LABEL;
}

static void print_field(const struct text_writer *writer, const struct hf_item *item,
			unsigned indent, unsigned width)
{
	char *value = text_value(&item->value, true);
	if (!value)
		return;
	fprintf(writer->to, "%*s%-*s  ", (int)indent, "", (int)width, item->label);
	text_emphasis(writer, item->emphasis);
	text_wrap(writer, value, indent + width + 2, indent + width + 2);
	if (item->emphasis != HF_PLAIN)
		text_emphasis(writer, HF_PLAIN);
	free(value);
}

static void print_paragraph(const struct text_writer *writer, const struct hf_item *item,
			    unsigned indent)
{
	char *text = text_value(&item->value, false);
	if (!text)
		return;
	fprintf(writer->to, "%*s", (int)indent, "");
	text_emphasis(writer, item->emphasis);
	text_wrap(writer, text, indent, indent);
	if (item->emphasis != HF_PLAIN)
		text_emphasis(writer, HF_PLAIN);
	free(text);
}

/* Preformatted lines: only the newlines are kept. */
static void print_raw(const struct text_writer *writer, const char *text, unsigned indent)
{
	char *copy = strdup(text), *save = NULL;
	for (char *line = copy ? strtok_r(copy, "\n", &save) : NULL; line;
	     line = strtok_r(NULL, "\n", &save)) {
		char *escaped = hf_escape(line);
		fprintf(writer->to, "%*s%s\n", (int)indent, "", escaped ? escaped : "");
		free(escaped);
	}
	free(copy);
}

struct hf_error *hf_output_text(const struct hf_doc *doc, const struct hf_output_options *options,
				FILE *to)
{
	struct text_writer writer = {to, options->width, options->color};
	unsigned depth = 0, width = 0;
	bool in_fields = false, printed = false;

	for (uint32_t i = 0; i < hf_doc_items(doc); i++) {
		const struct hf_item *item = hf_doc_item(doc, i);
		unsigned indent = depth * INDENT;
		if (item->json_only)
			continue;
		if (item->kind == HF_ITEM_FIELD) {
			width = in_fields ? width : label_width(doc, i);
			print_field(&writer, item, indent, width);
			in_fields = printed = true;
			continue;
		}
		in_fields = false;
		switch (item->kind) {
		case HF_ITEM_GROUP_BEGIN:
			if (item->label) {
				if (depth == 0 && printed)
					fputc('\n', to);
				print_heading(&writer, item->label, depth);
			}
			depth++;
			break;
		case HF_ITEM_GROUP_END:
			depth -= depth > 0;
			break;
		case HF_ITEM_TABLE:
			if (item->label) {
				if (depth == 0 && printed)
					fputc('\n', to);
				print_heading(&writer, item->label, depth);
			}
			text_table(&writer, item->table, indent);
			break;
		case HF_ITEM_HINT:
			fprintf(to, "%*s%s\n", (int)indent, "",
				item->value.text ? item->value.text : "");
			break;
		case HF_ITEM_RAW:
			if (item->value.text)
				print_raw(&writer, item->value.text, indent);
			break;
		default:
			print_paragraph(&writer, item, indent);
			break;
		}
		printed = true;
	}
	return NULL;
}
