/*
 * csv.c - the tables of a document as CSV (RFC 4180), a header line each, an empty line between.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "heapwalk/output/escape.h"
#include "heapwalk/output/output.h"

static void print_text(FILE *to, const char *text)
{
	char *escaped = hf_escape(text);
	if (!escaped)
		return;
	if (!strpbrk(escaped, ",\"")) {
		fputs(escaped, to);
	} else {
		fputc('"', to);
		for (const char *at = escaped; *at; at++) {
			if (*at == '"')
				fputc('"', to);
			fputc(*at, to);
		}
		fputc('"', to);
	}
	free(escaped);
}

void hf_csv_value(const struct hf_value *value, FILE *to)
{
	switch (value->kind) {
	case HF_VALUE_TEXT:
		print_text(to, value->text);
		break;
	case HF_VALUE_COUNT:
	case HF_VALUE_BYTES:
	case HF_VALUE_NUMBER:
		fprintf(to, "%" PRIu64, value->number);
		break;
	case HF_VALUE_ADDRESS:
		fprintf(to, "0x%" PRIx64, value->number);
		break;
	case HF_VALUE_SHARE:
	case HF_VALUE_REAL:
		fprintf(to, "%.6g", value->real);
		break;
	case HF_VALUE_BOOL:
		fputs(value->truth ? "true" : "false", to);
		break;
	case HF_VALUE_CHANGE_BYTES:
	case HF_VALUE_CHANGE_COUNT:
		fprintf(to, "%" PRId64, value->change);
		break;
	default:
		break;
	}
}

static void print_table(FILE *to, const struct hf_table *table)
{
	const char *comma = "";
	for (uint32_t i = 0; i < table->column_count; i++) {
		if (table->columns[i].flags & HF_COLUMN_TEXT_ONLY)
			continue;
		fprintf(to, "%s%s", comma, table->columns[i].key);
		comma = ",";
	}
	fputc('\n', to);
	hf_vec_foreach (row, &table->rows) {
		comma = "";
		for (uint32_t i = 0; i < table->column_count; i++) {
			if (table->columns[i].flags & HF_COLUMN_TEXT_ONLY)
				continue;
			fputs(comma, to);
			hf_csv_value(&table->cells.data[row->first_cell + i], to);
			comma = ",";
		}
		fputc('\n', to);
	}
}

struct hf_error *hf_output_csv(const struct hf_doc *doc, FILE *to)
{
	bool first = true;
	for (uint32_t i = 0; i < hf_doc_items(doc); i++) {
		const struct hf_item *item = hf_doc_item(doc, i);
		if (item->kind != HF_ITEM_TABLE || item->text_only)
			continue;
		if (!first)
			fputc('\n', to);
		first = false;
		print_table(to, item->table);
	}
	return NULL;
}
