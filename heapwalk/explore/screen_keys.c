/*
 * screen_keys.c - the one table of keys: what they do, and the help that says so.
 */
#include <ncurses.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>
#include <wctype.h>

#include "heapwalk/explore/screen_private.h"

enum { ESCAPE = 27, DELETE = 127, CTRL_B = 2, CTRL_C = 3, CTRL_F = 6, CTRL_H = 8, CTRL_U = 21 };

#define F(code) (-(code)) /* a function key: letters and those must not be mixed up */

struct key {
	int codes[6]; /* 0: no more */
	enum screen_action list, page;
	const char *names, *help; /* names NULL: not in the help */
};

static const struct key keys[] = {
    {{F(KEY_UP), 'k'}, ACT_UP, ACT_UP, NULL, NULL},
    {{F(KEY_DOWN), 'j'}, ACT_DOWN, ACT_DOWN, "up down j k", "move; PgUp PgDn Home End too"},
    {{F(KEY_PPAGE), CTRL_B}, ACT_PAGE_UP, ACT_PAGE_UP, NULL, NULL},
    {{F(KEY_NPAGE), CTRL_F, ' '}, ACT_PAGE_DOWN, ACT_PAGE_DOWN, NULL, NULL},
    {{F(KEY_HOME), '^', '<'}, ACT_FIRST, ACT_FIRST, NULL, NULL},
    {{F(KEY_END), 'G', '>'}, ACT_LAST, ACT_LAST, NULL, NULL},
    {{F(KEY_RIGHT), 'l'}, ACT_OPEN, ACT_OPEN, "right l Enter", "open: what it keeps alive"},
    {{'\r', '\n', F(KEY_ENTER)}, ACT_OPEN, ACT_DOWN, NULL, NULL},
    {{F(KEY_LEFT), 'h'}, ACT_BACK, ACT_BACK, "left h Backspace", "back to where you were"},
    {{F(KEY_BACKSPACE), DELETE, CTRL_H}, ACT_BACK, ACT_CANCEL, NULL, NULL},
    {{'u'}, ACT_DOMINATOR, ACT_NONE, "u", "up: to what keeps this list alive"},
    {{'s'}, ACT_SORT_RETAINED, ACT_NONE, "s", "sort by retained size; again: turned round"},
    {{'S'}, ACT_SORT_SHALLOW, ACT_NONE, "S", "sort by the objects' own (shallow) size"},
    {{'c', 'C'}, ACT_SORT_COUNT, ACT_NONE, "c", "sort by the count of objects kept alive"},
    {{'n'}, ACT_SORT_NAME, ACT_NEXT, "n", "sort by name; in a text: next match"},
    {{'o'}, ACT_SORT_ADDRESS, ACT_NONE, "o", "sort by address, as it lies in memory"},
    {{'t'}, ACT_GROUP, ACT_NONE, "t", "objects of one type as one row, or each alone"},
    {{'m'}, ACT_MEMBERS, ACT_NONE, "m", "every member of the group, chains included"},
    {{'/'}, ACT_FILTER, ACT_FILTER, "/", "only names with this text; in a text: search"},
    {{ESCAPE}, ACT_CANCEL, ACT_CANCEL, "Esc", "no filter any more; close a text"},
    {{'a', 'g', ':'}, ACT_JUMP, ACT_NONE, "a", "go to an address or a variable"},
    {{'p'}, ACT_PATH, ACT_NONE, "p", "the shortest path of pointers from a root"},
    {{'r'}, ACT_SOURCES, ACT_NONE, "r", "who points at it"},
    {{'R'}, ACT_TARGETS, ACT_NONE, "R", "whom it points at"},
    {{'x'}, ACT_DUMP, ACT_NONE, "x", "its memory, in hexadecimal"},
    {{'w'}, ACT_NONE, ACT_WORDS, "w", "in its memory: words and what they point at"},
    {{'i'}, ACT_INFO, ACT_NONE, "i", "all about it: the command \"object\""},
    {{'?', F(KEY_F(1))}, ACT_HELP, ACT_NONE, "?", "this help"},
    {{'q'}, ACT_QUIT, ACT_CANCEL, "q", "quit; close a text"},
    {{CTRL_C}, ACT_QUIT, ACT_QUIT, NULL, NULL},
};

enum screen_action screen_action(unsigned key, bool function, bool page)
{
	int code = function ? F((int)key) : (int)key;

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		for (size_t j = 0; j < 6 && keys[i].codes[j]; j++) {
			if (keys[i].codes[j] == code)
				return page ? keys[i].page : keys[i].list;
		}
	}
	return ACT_NONE;
}

char *screen_help(void)
{
	char *text = NULL;
	size_t bytes = 0;
	FILE *to = open_memstream(&text, &bytes);

	if (!to)
		return NULL;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (keys[i].names)
			fprintf(to, "  %-18s %s\n", keys[i].names, keys[i].help);
	}
	fputs(
	    "\n"
	    "A row is a root, an object, or a group: objects of one type that one thing keeps\n"
	    "alive, with the chains that they form (a list is one group). \"+\" marks what can be\n"
	    "opened. Keys that need one object take the biggest of a group.\n"
	    "\n"
	    "  retained   what would be freed if the row went; the bar: its part of this list\n"
	    "  share      of the whole heap\n"
	    "  objects    how many it keeps alive, itself included\n"
	    "  shallow    its own bytes (on a wide screen)\n"
	    "\n"
	    "What several roots share belongs to none of them alone and stands in the first\n"
	    "list, with a note that names its holders; so do the leaders of what is lost.\n",
	    to);
	if (fclose(to)) {
		free(text);
		return NULL;
	}
	return text;
}

/* Take the last character off @text: UTF-8. */
static void erase_last(char *text)
{
	size_t length = strlen(text);

	while (length && ((unsigned char)text[length - 1] & 0xc0) == 0x80)
		length--;
	text[length ? length - 1 : 0] = '\0';
}

static void append(char *text, size_t size, wchar_t typed)
{
	char bytes[16];
	mbstate_t state = {0};
	size_t count = wcrtomb(bytes, typed, &state), length = strlen(text);

	if (count == (size_t)-1 || length + count + 1 > size)
		return;
	memcpy(text + length, bytes, count);
	text[length + count] = '\0';
}

bool screen_typed(struct screen *screen, unsigned key, bool function, bool *ret_done)
{
	bool enter = function ? key == KEY_ENTER : key == '\r' || key == '\n';
	bool erase = function ? key == KEY_BACKSPACE : key == DELETE || key == CTRL_H;

	*ret_done = enter;
	if (enter)
		return true;
	if (erase)
		erase_last(screen->typed);
	else if (!function && (key == ESCAPE || key == CTRL_C))
		screen->prompt = PROMPT_NONE;
	else if (!function && key == CTRL_U)
		screen->typed[0] = '\0';
	else if (!function && iswprint((wint_t)key))
		append(screen->typed, sizeof(screen->typed), (wchar_t)key);
	return true;
}
