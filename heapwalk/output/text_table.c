/*
 * text_table.c - tables that fit a terminal.
 *
 * Numbers stand right, text left. If a table is wider than the terminal, optional columns go,
 * from the right; then the elastic column is cut, with "..." at its end, or, if it holds sentences
 * and stands last, goes on below. In a pipe nothing is cut: a row is a line. Trees are drawn
 * with "`- ".
 */
#include <stdlib.h>
#include <string.h>

#include "heapwalk/output/escape.h"
#include "heapwalk/output/text.h"

enum { GAP = 2, MIN_ELASTIC = 16, BAR_WIDTH = 12, MAX_COLUMNS = 24 };

struct layout {
	const struct hf_table *table;
	char **cells; /* rows * columns, for people */
	unsigned width[MAX_COLUMNS];
	bool shown[MAX_COLUMNS], right[MAX_COLUMNS];
};

static char *tree_cell(const char *text, uint32_t depth)
{
	char *cell = NULL;
	if (depth == 0)
		return strdup(text);
	if (asprintf(&cell, "%*s`- %s", (int)(depth - 1) * 3, "", text) < 0)
		return NULL;
	return cell;
}

static char *bar_cell(double share)
{
	char bar[BAR_WIDTH + 1] = {0};
	int filled = (int)(share * BAR_WIDTH + 0.5);
	if (filled > BAR_WIDTH)
		filled = BAR_WIDTH;
	memset(bar, '#', (size_t)(filled < 0 ? 0 : filled));
	return strdup(bar);
}

static char *cell_text(const struct hf_column *column, const struct hf_value *value, uint32_t depth)
{
	if ((column->flags & HF_COLUMN_BAR) && value->kind == HF_VALUE_SHARE)
		return bar_cell(value->real);
	if ((column->flags & (HF_COLUMN_BAR | HF_COLUMN_BLANK)) && value->kind == HF_VALUE_NONE)
		return strdup("");
	char *text = text_value(value, false);
	if (text && (column->flags & HF_COLUMN_TREE)) {
		char *branch = tree_cell(text, depth);
		free(text);
		return branch;
	}
	return text;
}

static bool stands_right(enum hf_value_kind kind)
{
	return kind == HF_VALUE_COUNT || kind == HF_VALUE_BYTES || kind == HF_VALUE_SHARE ||
	       kind == HF_VALUE_NUMBER || kind == HF_VALUE_REAL || kind == HF_VALUE_CHANGE_BYTES ||
	       kind == HF_VALUE_CHANGE_COUNT;
}

static unsigned total_width(const struct layout *layout)
{
	unsigned total = 0;
	for (uint32_t i = 0; i < layout->table->column_count; i++)
		total += layout->shown[i] ? layout->width[i] + GAP : 0;
	return total ? total - GAP : 0;
}

static void measure(struct layout *layout)
{
	const struct hf_table *table = layout->table;
	for (uint32_t i = 0; i < table->column_count; i++) {
		const struct hf_column *column = &table->columns[i];
		layout->shown[i] = !(column->flags & HF_COLUMN_JSON_ONLY);
		layout->width[i] = column->label ? (unsigned)hf_columns(column->label) : 0;
		for (size_t row = 0; row < table->rows.count; row++) {
			const char *cell = layout->cells[row * table->column_count + i];
			unsigned width = cell ? (unsigned)hf_columns(cell) : 0;
			const struct hf_value *value =
			    &table->cells.data[table->rows.data[row].first_cell + i];
			if (width > layout->width[i])
				layout->width[i] = width;
			if (!(column->flags & HF_COLUMN_BAR) && stands_right(value->kind))
				layout->right[i] = true;
		}
	}
}

static void fit(struct layout *layout, unsigned width)
{
	const struct hf_table *table = layout->table;

	for (uint32_t i = table->column_count; i-- > 0 && total_width(layout) > width;) {
		if (table->columns[i].flags & HF_COLUMN_OPTIONAL)
			layout->shown[i] = false;
	}
	/* The widest elastic column gives way, a step at a time. */
	while (total_width(layout) > width) {
		uint32_t widest = table->column_count;
		for (uint32_t i = 0; i < table->column_count; i++) {
			if (layout->shown[i] && (table->columns[i].flags & HF_COLUMN_ELASTIC) &&
			    layout->width[i] > MIN_ELASTIC &&
			    (widest == table->column_count ||
			     layout->width[i] > layout->width[widest]))
				widest = i;
		}
		if (widest == table->column_count)
			break;
		layout->width[widest]--;
	}
}

static void print_padded(const struct text_writer *writer, const char *cell, unsigned width,
			 bool right, bool last)
{
	unsigned columns = (unsigned)hf_columns(cell);

	if (columns > width) {
		size_t bytes = hf_columns_prefix(cell, width > 3 ? width - 3 : width);
		fprintf(writer->to, "%.*s%s", (int)bytes, cell, width > 3 ? "..." : "");
		return;
	}
	if (right)
		fprintf(writer->to, "%*s", (int)(width - columns), "");
	fputs(cell, writer->to);
	if (!right && !last)
		fprintf(writer->to, "%*s", (int)(width - columns), "");
}

static void print_line(const struct text_writer *writer, const struct layout *layout, size_t row,
		       unsigned indent, bool heading)
{
	uint32_t count = layout->table->column_count, last = 0;

	for (uint32_t i = 0; i < count; i++) {
		const char *cell =
		    heading ? layout->table->columns[i].label : layout->cells[row * count + i];
		if (layout->shown[i] && cell && *cell)
			last = i;
	}
	fprintf(writer->to, "%*s", (int)indent, "");
	bool first = true;
	unsigned at = indent;
	for (uint32_t i = 0; i <= last; i++) {
		if (!layout->shown[i])
			continue;
		const char *cell =
		    heading ? layout->table->columns[i].label : layout->cells[row * count + i];
		if (!first)
			fprintf(writer->to, "%*s", GAP, "");
		at += first ? 0 : GAP;
		first = false;
		if (i == last && !heading && writer->width &&
		    (layout->table->columns[i].flags & HF_COLUMN_SENTENCE)) {
			text_wrap(writer, cell, at, at);
			return;
		}
		print_padded(writer, cell ? cell : "", layout->width[i], layout->right[i],
			     i == last);
		at += layout->width[i];
	}
	fputc('\n', writer->to);
}

static bool has_heading(const struct layout *layout)
{
	for (uint32_t i = 0; i < layout->table->column_count; i++) {
		const char *label = layout->table->columns[i].label;
		if (layout->shown[i] && label && *label)
			return true;
	}
	return false;
}

void text_table(const struct text_writer *writer, const struct hf_table *table, unsigned indent)
{
	size_t count = table->rows.count * table->column_count;
	struct layout layout = {.table = table, .cells = calloc(count + 1, sizeof(char *))};

	if (!layout.cells || table->column_count > MAX_COLUMNS) {
		free(layout.cells);
		return;
	}
	for (size_t row = 0; row < table->rows.count; row++) {
		for (uint32_t i = 0; i < table->column_count; i++)
			layout.cells[row * table->column_count + i] =
			    cell_text(&table->columns[i],
				      &table->cells.data[table->rows.data[row].first_cell + i],
				      table->rows.data[row].depth);
	}
	measure(&layout);
	if (writer->width)
		fit(&layout, writer->width > indent ? writer->width - indent : 1);
	if (has_heading(&layout)) {
		if (writer->color)
			fputs("\033[2m", writer->to);
		print_line(writer, &layout, 0, indent, true);
		if (writer->color)
			fputs("\033[0m", writer->to);
	}
	for (size_t row = 0; row < table->rows.count; row++)
		print_line(writer, &layout, row, indent, false);
	if (table->rows.count == 0)
		fprintf(writer->to, "%*snone\n", (int)indent, "");
	for (size_t i = 0; i < count; i++)
		free(layout.cells[i]);
	free(layout.cells);
}
