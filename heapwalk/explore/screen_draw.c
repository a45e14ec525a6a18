/*
 * screen_draw.c - what explore looks like, on 80x24 and more:
 *
 *	 core.1234                                 heap 1.21 GiB in 7,244,105 objects
 *	 all roots > g_sessions (server.c:41)
 *	   retained   share     objects   what
 *	   1.02 GiB    84 %   7,233,066 + struct session  x 2,411,022
 *	   ...
 *	 1 of 3   by retained, grouped by type                    own bytes 48 B
 *	Enter open  Left back  / filter  a go to  p path  r refs  x dump  ? help  q quit
 *
 * Text from a core comes escaped; what the terminal's character set lacks is a question mark.
 */
#include <ncurses.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "heapwalk/explore/screen_private.h"
#include "heapwalk/output/escape.h"
#include "heapwalk/views/human.h"

enum {
	BAR = 8,
	POINTER = 19,
	BAR_COLUMNS = 96,
	OBJECT_COLUMNS = 56,
	SHALLOW_COLUMNS = 110,
	MAX_WIDE = 1024
};
enum { PAIR_BAR = 1, PAIR_HOLDER, PAIR_LOST, PAIR_NOTE };

void screen_colors(bool color)
{
	if (!color || !has_colors())
		return;
	start_color();
	use_default_colors();
	init_pair(PAIR_BAR, COLOR_GREEN, -1);
	init_pair(PAIR_HOLDER, COLOR_CYAN, -1);
	init_pair(PAIR_LOST, COLOR_RED, -1);
	init_pair(PAIR_NOTE, COLOR_YELLOW, -1);
}

/* The next character of *@text as the terminal can show it, *@text moved behind it. */
static wchar_t next_char(const char **text)
{
	mbstate_t state = {0};
	wchar_t wide = L'?';
	size_t bytes = mbrtowc(&wide, *text, MB_CUR_MAX + 3, &state);

	if (bytes == 0 || bytes > 16) { /* no character of this locale: one UTF-8 sequence */
		++*text;
		while (((unsigned char)**text & 0xc0) == 0x80)
			++*text;
		return L'?';
	}
	*text += bytes;
	return wcwidth(wide) < 0 ? L'?' : wide;
}

/* @text in at most @width columns from @column on; returns the columns that it took. */
static int put(int row, int column, int width, const char *text)
{
	wchar_t wide[MAX_WIDE];
	int count = 0, used = 0;

	while (*text && count < MAX_WIDE - 1) {
		wchar_t next = next_char(&text);
		if (used + wcwidth(next) > width)
			break;
		used += wcwidth(next);
		wide[count++] = next;
	}
	if (count)
		mvaddnwstr(row, column, wide, count);
	return used;
}

static int put_right(int row, int column, int width, const char *text)
{
	int length = (int)strlen(text);
	return put(row, column + (length < width ? width - length : 0), width, text);
}

static int columns_of(const char *text)
{
	return (int)hf_columns(text);
}

/* The whole row in reverse, for @text and then what is drawn over it. */
static void put_strip(const struct screen *screen, int row, const char *text, const char *right)
{
	int width = screen->columns;

	attron(A_REVERSE);
	mvhline(row, 0, ' ', width);
	int used = put(row, 1, width - 2, text);
	if (used + columns_of(right) + 4 <= width)
		put(row, width - 1 - columns_of(right), columns_of(right), right);
	attroff(A_REVERSE);
}

/* ---- the list -------------------------------------------------------------------------------- */

static void draw_title(const struct screen *screen)
{
	const struct hf_graph *graph = screen->analysis->graph;
	const char *core = screen->options->view.core ? screen->options->view.core : "";
	const char *base = strrchr(core, '/') ? strrchr(core, '/') + 1 : core;
	char bytes[HF_HUMAN_BYTES], count[HF_HUMAN_BYTES], right[160];
	char *safe = hf_escape(base);

	snprintf(right, sizeof(right), "heap %s in %s objects",
		 hf_human_bytes(hf_graph_retained(graph, hf_graph_root(graph)), bytes),
		 hf_human_count(hf_graph_objects(graph), count));
	put_strip(screen, 0, safe ? safe : "", right);
	free(safe);
}

/* "all roots > g_sessions > ...": the innermost lists, as many as there is room for. */
static void draw_way(const struct screen *screen)
{
	uint32_t depth = hf_browser_depth(screen->browser), first = depth - 1;
	int width = screen->columns - 2, used;
	int total = columns_of(hf_browser_level(screen->browser, first)->title);

	while (first > 0) {
		int more = columns_of(hf_browser_level(screen->browser, first - 1)->title) + 3;
		if (total + more > width - 6)
			break;
		total += more;
		first--;
	}
	attron(A_BOLD);
	used = first ? put(1, 1, width, "... > ") : 0;
	for (uint32_t i = first; i < depth && used < width; i++) {
		if (i > first)
			used += put(1, 1 + used, width - used, " > ");
		used += put(1, 1 + used, width - used, hf_browser_level(screen->browser, i)->title);
	}
	attroff(A_BOLD);
}

struct layout {
	int retained, share, bar, objects, shallow, pointer, pointer_width,
	    name; /* columns; 0: left out */
};

static struct layout layout_of(const struct screen *screen)
{
	bool parts = hf_browser_here(screen->browser)->list.kind < HF_LIST_SOURCES;
	int width = screen->columns, at = 1;
	struct layout layout = {.retained = at};

	at += 11;
	layout.share = at;
	at += 8;
	layout.bar = parts && width >= BAR_COLUMNS ? at : 0;
	at += layout.bar ? BAR + 3 : 0;
	layout.shallow = width >= SHALLOW_COLUMNS ? at : 0;
	at += layout.shallow ? 12 : 0;
	layout.objects = parts && width >= OBJECT_COLUMNS ? at : 0;
	at += layout.objects ? 12 : 0;
	layout.pointer = parts ? 0 : at;
	layout.pointer_width = width >= BAR_COLUMNS ? POINTER + (width - BAR_COLUMNS) / 3 : POINTER;
	at += layout.pointer ? layout.pointer_width + 1 : 0;
	layout.name = at;
	return layout;
}

static void draw_heads(const struct screen *screen, const struct layout *layout)
{
	attron(A_UNDERLINE);
	mvhline(2, 0, ' ', screen->columns);
	put_right(2, layout->retained, 10, "retained");
	put_right(2, layout->share, 7, "share");
	if (layout->shallow)
		put_right(2, layout->shallow, 11, "shallow");
	if (layout->objects)
		put_right(2, layout->objects, 11, "objects");
	if (layout->pointer)
		put(2, layout->pointer, layout->pointer_width, "pointer");
	put(2, layout->name + 2, screen->columns - layout->name - 2, "what");
	attroff(A_UNDERLINE);
}

static void draw_bar(int row, int column, double share, bool plain)
{
	int filled = (int)(share * BAR + 0.5);

	mvaddch(row, column, '[');
	if (!plain)
		attron(COLOR_PAIR(PAIR_BAR));
	for (int i = 0; i < BAR; i++)
		addch(i < filled ? '#' : ' ');
	if (!plain)
		attroff(COLOR_PAIR(PAIR_BAR));
	addch(']');
}

static void draw_figures(int row, const struct layout *layout, const struct hf_line *line,
			 bool plain)
{
	char text[HF_HUMAN_BYTES + 2];

	put_right(row, layout->retained, 10, hf_human_bytes(line->retained, text));
	put_right(row, layout->share, 7, hf_human_share(line->share, text));
	if (layout->bar)
		draw_bar(row, layout->bar, line->level_share, plain);
	if (layout->shallow) {
		hf_human_bytes(line->shallow, text);
		if (!line->shallow_exact)
			strcat(text, "+");
		put_right(row, layout->shallow, 11, text);
	}
	if (layout->objects)
		put_right(row, layout->objects, 11, hf_human_count(line->objects, text));
	if (layout->pointer)
		put(row, layout->pointer, layout->pointer_width, line->pointer);
}

static void draw_line(const struct screen *screen, int row, const struct layout *layout,
		      const struct hf_line *line, bool cursor)
{
	int left = screen->columns - layout->name;
	int pair = line->lost ? PAIR_LOST : line->holder ? PAIR_HOLDER : 0;

	if (cursor) {
		attron(A_REVERSE);
		mvhline(row, 0, ' ', screen->columns);
	}
	draw_figures(row, layout, line, cursor);
	mvaddch(row, layout->name, line->opens ? '+' : ' ');
	if (!cursor)
		attron(COLOR_PAIR(pair));
	int used = 2 + put(row, layout->name + 2, left - 2, line->name);
	if (!cursor)
		attroff(COLOR_PAIR(pair));
	if (line->note[0] && left - used > 6) {
		if (!cursor)
			attron(COLOR_PAIR(PAIR_NOTE));
		put(row, layout->name + used + 2, left - used - 2, line->note);
		if (!cursor)
			attroff(COLOR_PAIR(PAIR_NOTE));
	}
	attroff(A_REVERSE);
}

static void draw_rows(struct screen *screen, const struct layout *layout)
{
	const struct hf_level *level = hf_browser_here(screen->browser);
	uint64_t rows = hf_browser_rows(screen->browser);

	for (int i = 0; i < screen->rows - LIST_FRAME && level->top + (uint64_t)i < rows; i++) {
		struct hf_line line;
		uint64_t index = level->top + (uint64_t)i;
		struct hf_error *err = hf_browser_line(screen->browser, index, &line);
		if (err) {
			snprintf(screen->message, sizeof(screen->message), "%s",
				 hf_error_message(err));
			hf_error_destroy(err);
			return;
		}
		draw_line(screen, 3 + i, layout, &line, index == level->cursor);
	}
	if (rows == 0)
		put(3, layout->name, screen->columns - layout->name,
		    level->list.filter[0] ? "nothing has that in its name (Esc: no filter)"
					  : "nothing");
}

static void draw_status(const struct screen *screen)
{
	static const char *const orders[] = {"retained", "shallow", "objects",
					     "name",	 "address", "the path"};
	const struct hf_level *level = hf_browser_here(screen->browser);
	const struct hf_list *list = &level->list;
	char at[HF_HUMAN_BYTES], rows[HF_HUMAN_BYTES], own[HF_HUMAN_BYTES], hidden[HF_HUMAN_BYTES];
	char left[HF_FILTER_BYTES + 160], right[96] = "";

	int length = snprintf(left, sizeof(left), "%s of %s   by %s%s%s",
			      hf_human_count(level->cursor + (list->rows.count != 0), at),
			      hf_human_count(list->rows.count, rows), orders[list->sort],
			      list->reverse ? ", turned round" : "",
			      list->grouped ? ", grouped by type" : "");
	if (list->filter[0])
		snprintf(left + length, sizeof(left) - (size_t)length, "   only \"%s\" (%s hidden)",
			 list->filter, hf_human_count(list->hidden, hidden));
	if (list->kind == HF_LIST_CHILDREN && list->members)
		snprintf(right, sizeof(right), "own bytes %s", hf_human_bytes(list->own, own));
	put_strip(screen, screen->rows - 2, left, right);
}

/* ---- the last line --------------------------------------------------------------------------- */

static void draw_last(const struct screen *screen)
{
	static const char *const prompts[] = {
	    [PROMPT_FILTER] = "only names with: ",
	    [PROMPT_JUMP] = "go to (address or variable): ",
	    [PROMPT_SEARCH] = "search: ",
	};
	const char *hints =
	    screen->page
		? "PgDn PgUp scroll   / search   w words   q close"
		: "Enter open  Left back  / filter  a go to  p path  r refs  x dump  ? help";
	int row = screen->rows - 1, width = screen->columns - 1;

	if (screen->prompt != PROMPT_NONE) {
		int used = put(row, 0, width, prompts[screen->prompt]);
		used += put(row, used, width - used, screen->typed);
		curs_set(1);
		move(row, used < width ? used : width);
		return;
	}
	curs_set(0);
	if (screen->message[0]) {
		attron(A_BOLD);
		put(row, 0, width, screen->message);
		attroff(A_BOLD);
	} else {
		put(row, 0, width, hints);
	}
}

void screen_draw_message(const struct screen *screen, const char *message)
{
	move(screen->rows - 1, 0);
	clrtoeol();
	put(screen->rows - 1, 0, screen->columns - 1, message);
	refresh();
}

/* ---- pages ----------------------------------------------------------------------------------- */

static const char *skip_columns(const char *text, unsigned columns)
{
	return text + hf_columns_prefix(text, columns);
}

static void draw_page(const struct screen *screen)
{
	char line[4 * HF_PAGE_LINE], right[128], at[HF_HUMAN_BYTES], all[HF_HUMAN_BYTES];
	uint64_t lines = hf_page_lines(screen->page);
	uint64_t end = screen->page_top + (uint64_t)(screen->rows - PAGE_FRAME);

	snprintf(right, sizeof(right), "line %s of %s",
		 hf_human_count(end < lines ? end : lines, at), hf_human_count(lines, all));
	put_strip(screen, 0, hf_page_title(screen->page), right);
	for (int i = 0; i < screen->rows - PAGE_FRAME; i++) {
		hf_page_line(screen->page, screen->page_top + (uint64_t)i, line, sizeof(line));
		put(1 + i, 0, screen->columns, skip_columns(line, screen->page_left));
	}
}

void screen_draw(struct screen *screen)
{
	erase();
	if (screen->rows < SCREEN_MIN_ROWS || screen->columns < SCREEN_MIN_COLUMNS) {
		put(0, 0, screen->columns, "The window is too small.");
	} else if (screen->page) {
		draw_page(screen);
		draw_last(screen);
	} else {
		struct layout layout = layout_of(screen);
		draw_title(screen);
		draw_way(screen);
		draw_heads(screen, &layout);
		draw_rows(screen, &layout);
		draw_status(screen);
		draw_last(screen);
	}
	refresh();
}
