/*
 * screen_act.c - what the actions of explore do: to the list, to a page of text, at the prompt.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/cleanup.h"
#include "heapwalk/explore/screen_private.h"
#include "heapwalk/output/escape.h"

enum { BIG_HEAP = 1 << 20, SIDE_STEP = 8 };

static void say(struct screen *screen, const char *message)
{
	HF_AUTO(free_ptr) char *safe = hf_escape(message);
	snprintf(screen->message, sizeof(screen->message), "%s", safe ? safe : "");
}

/* Tell what went wrong, if something did; true if nothing. */
static bool went_well(struct screen *screen, struct hf_error *err)
{
	if (!err)
		return true;
	say(screen, hf_error_message(err));
	hf_error_destroy(err);
	return false;
}

static uint64_t list_height(const struct screen *screen)
{
	return screen->rows > LIST_FRAME ? (uint64_t)(screen->rows - LIST_FRAME) : 1;
}

static uint64_t page_height(const struct screen *screen)
{
	return screen->rows > PAGE_FRAME ? (uint64_t)(screen->rows - PAGE_FRAME) : 1;
}

static uint32_t selected(struct screen *screen)
{
	uint32_t node = HF_NO_NODE;

	if (went_well(screen, hf_browser_selected(screen->browser, &node)) && node == HF_NO_NODE)
		say(screen, "there is nothing in this list");
	return node;
}

static void show_page(struct screen *screen, struct hf_page *page)
{
	if (!page) {
		say(screen, "out of memory");
		return;
	}
	hf_page_destroy(screen->page);
	screen->page = page;
	screen->page_top = screen->page_left = 0;
}

/* ---- prompts --------------------------------------------------------------------------------- */

static void ask(struct screen *screen, enum prompt_kind kind, const char *typed)
{
	screen->prompt = kind;
	snprintf(screen->typed, sizeof(screen->typed), "%s", typed);
}

static void show_info(struct screen *screen, const char *title, const char *argument)
{
	struct hf_view_options options = screen->options->view;
	struct hf_page *page = NULL;

	options.argument = argument;
	if (went_well(screen, hf_page_view(screen->analysis, hf_view_object, title, &options,
					   (unsigned)screen->columns, &page)))
		show_page(screen, page);
}

/* To an object or a root; what any other address is, a page tells. */
static void jump(struct screen *screen, const char *text)
{
	uint32_t node = HF_NO_NODE;
	uint64_t address = 0;

	if (!went_well(screen, hf_browser_jump(screen->browser, text, &node, &address)))
		return;
	if (node == HF_NO_NODE)
		show_info(screen, text, text);
	else
		hf_browser_move(screen->browser, hf_browser_here(screen->browser)->cursor,
				list_height(screen));
}

static void search(struct screen *screen, uint64_t from)
{
	uint64_t line = 0;

	if (!screen->search[0])
		return;
	if (hf_page_search(screen->page, screen->search, from, &line))
		screen->page_top = line;
	else
		say(screen, "no (other) line has that text");
}

void screen_answer(struct screen *screen)
{
	enum prompt_kind kind = screen->prompt;

	screen->prompt = PROMPT_NONE;
	if (hf_graph_objects(screen->analysis->graph) > BIG_HEAP)
		screen_draw_message(screen, "working ...");
	if (kind == PROMPT_FILTER) {
		went_well(screen, hf_browser_filter(screen->browser, screen->typed));
	} else if (kind == PROMPT_JUMP && screen->typed[0]) {
		jump(screen, screen->typed);
	} else if (kind == PROMPT_SEARCH) {
		memcpy(screen->search, screen->typed, sizeof(screen->search));
		search(screen, screen->page_top);
	}
}

/* ---- pages ----------------------------------------------------------------------------------- */

static void scroll_page(struct screen *screen, uint64_t up, uint64_t down)
{
	uint64_t lines = hf_page_lines(screen->page), height = page_height(screen);
	uint64_t last = lines > height ? lines - height : 0;

	screen->page_top -= up < screen->page_top ? up : screen->page_top;
	screen->page_top += down;
	if (screen->page_top > last)
		screen->page_top = last;
}

static void close_page(struct screen *screen)
{
	hf_page_destroy(screen->page);
	screen->page = NULL;
}

static void act_on_page(struct screen *screen, enum screen_action action)
{
	switch (action) {
	case ACT_UP:
		scroll_page(screen, 1, 0);
		break;
	case ACT_DOWN:
		scroll_page(screen, 0, 1);
		break;
	case ACT_PAGE_UP:
		scroll_page(screen, page_height(screen), 0);
		break;
	case ACT_PAGE_DOWN:
		scroll_page(screen, 0, page_height(screen));
		break;
	case ACT_FIRST:
		screen->page_top = 0;
		break;
	case ACT_LAST:
		scroll_page(screen, 0, hf_page_lines(screen->page));
		break;
	case ACT_OPEN:
		screen->page_left += SIDE_STEP;
		break;
	case ACT_BACK:
		if (screen->page_left == 0)
			close_page(screen);
		else
			screen->page_left -= SIDE_STEP;
		break;
	case ACT_WORDS:
		screen->page_top = 0;
		if (!hf_page_toggle_words(screen->page))
			say(screen, "w is for the memory of an object (x)");
		break;
	case ACT_FILTER:
		ask(screen, PROMPT_SEARCH, "");
		break;
	case ACT_NEXT:
		search(screen, screen->page_top + 1);
		break;
	case ACT_CANCEL:
		close_page(screen);
		break;
	case ACT_QUIT:
		screen->quit = true;
		break;
	default:
		break;
	}
}

/* ---- the list -------------------------------------------------------------------------------- */

static void move(struct screen *screen, uint64_t up, uint64_t down)
{
	uint64_t cursor = hf_browser_here(screen->browser)->cursor;

	cursor -= up < cursor ? up : cursor;
	hf_browser_move(screen->browser, cursor + down, list_height(screen));
}

static void open_list(struct screen *screen, enum hf_list_kind kind, const char *if_empty)
{
	bool opened = false;

	if (selected(screen) != HF_NO_NODE &&
	    went_well(screen, hf_browser_open(screen->browser, kind, &opened)) && !opened)
		say(screen, if_empty);
}

static void show_dump(struct screen *screen)
{
	uint32_t node = selected(screen);
	struct hf_page *page = NULL;

	if (node != HF_NO_NODE && went_well(screen, hf_page_dump(screen->analysis, node, &page)))
		show_page(screen, page);
}

static void show_selected(struct screen *screen)
{
	uint32_t node = selected(screen), objects = hf_graph_objects(screen->analysis->graph);
	char address[32];

	if (node == HF_NO_NODE)
		return;
	HF_AUTO(free_ptr) char *name = hf_analysis_describe(screen->analysis, node);
	const char *argument = name;
	if (node < objects) {
		snprintf(address, sizeof(address), "0x%" PRIx64,
			 hf_extents_address(screen->analysis->extents, node));
		argument = address;
	} else if (node != hf_graph_root(screen->analysis->graph)) {
		uint32_t index = hf_graph_holder_index(screen->analysis->graph, node);
		uint64_t at = screen->analysis->roots.holders.data[index].address;
		snprintf(address, sizeof(address), "0x%" PRIx64, at);
		argument = at ? address : name;
	}
	show_info(screen, name ? name : "?", argument ? argument : "?");
}

static void show_help(struct screen *screen)
{
	HF_AUTO(free_ptr) char *text = screen_help();
	show_page(screen, text ? hf_page_text("help", text) : NULL);
}

static void go_to_dominator(struct screen *screen)
{
	const struct hf_level *level = hf_browser_here(screen->browser);

	if (level->focus == hf_graph_root(screen->analysis->graph))
		say(screen, "this is the top");
	else
		went_well(screen, hf_browser_go(screen->browser, level->focus));
}

static void cancel(struct screen *screen)
{
	if (hf_browser_here(screen->browser)->list.filter[0])
		went_well(screen, hf_browser_filter(screen->browser, ""));
}

static void act_on_list(struct screen *screen, enum screen_action action)
{
	struct hf_browser *browser = screen->browser;

	switch (action) {
	case ACT_SORT_RETAINED:
		went_well(screen, hf_browser_sort(browser, HF_SORT_RETAINED));
		break;
	case ACT_SORT_SHALLOW:
		went_well(screen, hf_browser_sort(browser, HF_SORT_SHALLOW));
		break;
	case ACT_SORT_COUNT:
		went_well(screen, hf_browser_sort(browser, HF_SORT_COUNT));
		break;
	case ACT_SORT_NAME:
		went_well(screen, hf_browser_sort(browser, HF_SORT_NAME));
		break;
	case ACT_SORT_ADDRESS:
		went_well(screen, hf_browser_sort(browser, HF_SORT_ADDRESS));
		break;
	case ACT_GROUP:
		went_well(screen, hf_browser_group(browser));
		break;
	case ACT_OPEN:
		open_list(screen, HF_LIST_CHILDREN, "it keeps nothing else alive");
		break;
	case ACT_MEMBERS:
		open_list(screen, HF_LIST_MEMBERS, "it has no members");
		break;
	case ACT_SOURCES:
		open_list(screen, HF_LIST_SOURCES, "nothing points at it");
		break;
	case ACT_TARGETS:
		open_list(screen, HF_LIST_TARGETS, "it points at no object");
		break;
	case ACT_PATH:
		open_list(screen, HF_LIST_PATH, "no path leads to it");
		break;
	case ACT_BACK:
		if (!hf_browser_back(browser))
			say(screen, "this is the first list (q quits)");
		break;
	case ACT_DOMINATOR:
		go_to_dominator(screen);
		break;
	default:
		break;
	}
}

static void move_or_show(struct screen *screen, enum screen_action action)
{
	const struct hf_level *level = hf_browser_here(screen->browser);

	switch (action) {
	case ACT_UP:
		move(screen, 1, 0);
		break;
	case ACT_DOWN:
		move(screen, 0, 1);
		break;
	case ACT_PAGE_UP:
		move(screen, list_height(screen), 0);
		break;
	case ACT_PAGE_DOWN:
		move(screen, 0, list_height(screen));
		break;
	case ACT_FIRST:
		hf_browser_move(screen->browser, 0, list_height(screen));
		break;
	case ACT_LAST:
		hf_browser_move(screen->browser, UINT64_MAX, list_height(screen));
		break;
	case ACT_FILTER:
		ask(screen, PROMPT_FILTER, level->list.filter);
		break;
	case ACT_JUMP:
		ask(screen, PROMPT_JUMP, "");
		break;
	case ACT_CANCEL:
		cancel(screen);
		break;
	case ACT_DUMP:
		show_dump(screen);
		break;
	case ACT_INFO:
		show_selected(screen);
		break;
	case ACT_HELP:
		show_help(screen);
		break;
	case ACT_QUIT:
		screen->quit = true;
		break;
	default:
		act_on_list(screen, action);
		break;
	}
}

void screen_act(struct screen *screen, enum screen_action action)
{
	bool slow = action != ACT_UP && action != ACT_DOWN && action != ACT_NONE &&
		    hf_graph_objects(screen->analysis->graph) > BIG_HEAP;

	if (slow)
		screen_draw_message(screen, "working ...");
	if (screen->page)
		act_on_page(screen, action);
	else
		move_or_show(screen, action);
}

void screen_start(struct screen *screen)
{
	bool opened;

	if (!screen->options->view.argument)
		return;
	jump(screen, screen->options->view.argument);
	if (!screen->page && !screen->message[0])
		went_well(screen, hf_browser_open(screen->browser, HF_LIST_CHILDREN, &opened));
}

void screen_resized(struct screen *screen)
{
	hf_browser_move(screen->browser, hf_browser_here(screen->browser)->cursor,
			list_height(screen));
	if (screen->page &&
	    went_well(screen, hf_page_resize(screen->page, (unsigned)screen->columns)))
		scroll_page(screen, 0, 0);
}
