/*
 * screen_private.h - private to screen*.c: the state of the screen, its actions and its drawing.
 *
 * screen.c owns the terminal and the loop: draw, wait for a key, act. A key means an action by the
 * one table in screen_keys.c, of which the help is made too.
 */
#ifndef HF_HEAPWALK_EXPLORE_SCREEN_PRIVATE_H
#define HF_HEAPWALK_EXPLORE_SCREEN_PRIVATE_H

#include "heapwalk/explore/browser.h"
#include "heapwalk/explore/page.h"
#include "heapwalk/explore/screen.h"

enum screen_action {
	ACT_NONE,
	ACT_UP,
	ACT_DOWN,
	ACT_PAGE_UP,
	ACT_PAGE_DOWN,
	ACT_FIRST,
	ACT_LAST,
	ACT_OPEN,
	ACT_BACK,
	ACT_DOMINATOR,
	ACT_SORT_RETAINED,
	ACT_SORT_SHALLOW,
	ACT_SORT_COUNT,
	ACT_SORT_NAME,
	ACT_SORT_ADDRESS,
	ACT_GROUP,
	ACT_MEMBERS,
	ACT_FILTER,
	ACT_CANCEL,
	ACT_JUMP,
	ACT_PATH,
	ACT_SOURCES,
	ACT_TARGETS,
	ACT_DUMP,
	ACT_INFO,
	ACT_HELP,
	ACT_QUIT,
	/* of a page */
	ACT_WORDS,
	ACT_NEXT,
};

enum prompt_kind { PROMPT_NONE, PROMPT_FILTER, PROMPT_JUMP, PROMPT_SEARCH };

struct screen {
	struct hf_analysis *analysis;
	const struct hf_explore_options *options;
	struct hf_browser *browser;
	struct hf_page *page; /* NULL: the list is shown */
	uint64_t page_top;
	unsigned page_left;
	enum prompt_kind prompt;
	char typed[HF_FILTER_BYTES];
	char search[HF_FILTER_BYTES];
	char message[256]; /* until the next key */
	bool quit;
	int rows, columns;
};

/* Heights that the parts of the screen leave for the list and for a page. */
enum { SCREEN_MIN_ROWS = 8, SCREEN_MIN_COLUMNS = 40, LIST_FRAME = 5, PAGE_FRAME = 2 };

/* screen_draw.c */
void screen_colors(bool color);
void screen_draw(struct screen *screen);
void screen_draw_message(const struct screen *screen, const char *message);

/* screen_keys.c: what a key (of wget_wch) means here; @function: it is a KEY_*. */
enum screen_action screen_action(unsigned key, bool function, bool page);
/* A key while something is typed: true when it was taken (or the prompt ended: *@ret_done). */
bool screen_typed(struct screen *screen, unsigned key, bool function, bool *ret_done);
char *screen_help(void); /* the caller frees it */

/* screen_act.c */
void screen_act(struct screen *screen, enum screen_action action);
void screen_answer(struct screen *screen); /* what was typed at the prompt is complete */
void screen_start(struct screen *screen);
void screen_resized(struct screen *screen);

#endif
