/*
 * screen.c - the terminal and the loop of explore (see screen.h).
 */
#include "heapwalk/explore/screen.h"

#include <locale.h>
#include <ncurses.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include "heapwalk/explore/screen_private.h"

enum { ESCAPE_MS = 25 };

struct hf_error *hf_explore_check(void)
{
	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return hf_error_create(HF_ERR_UNSUPPORTED,
				       "explore needs a terminal; the command dominators prints "
				       "the same tree to a file or a pipe");
	return NULL;
}

static void loop(struct screen *screen)
{
	while (!screen->quit) {
		wint_t key = 0;
		bool done = false;

		getmaxyx(stdscr, screen->rows, screen->columns);
		screen_draw(screen);
		int kind = get_wch(&key);
		if (kind == ERR) /* the terminal is gone */
			return;
		screen->message[0] = '\0';
		bool function = kind == KEY_CODE_YES;
		if (function && key == KEY_RESIZE) {
			getmaxyx(stdscr, screen->rows, screen->columns);
			screen_resized(screen);
		} else if (screen->prompt != PROMPT_NONE) {
			if (screen_typed(screen, key, function, &done) && done)
				screen_answer(screen);
		} else {
			screen_act(screen, screen_action(key, function, screen->page != NULL));
		}
	}
}

static struct hf_error *cannot_use(void)
{
	const char *term = getenv("TERM");

	return hf_error_create(HF_ERR_UNSUPPORTED,
			       "explore cannot use this terminal (TERM=%s); the command dominators "
			       "prints the same tree",
			       term ? term : "");
}

/* Ctrl-C is a key like others, so that the program ends in order: it quits. */
static void take_interrupts(void)
{
	struct termios modes;

	if (tcgetattr(STDIN_FILENO, &modes))
		return;
	modes.c_cc[VINTR] = _POSIX_VDISABLE;
	if (!tcsetattr(STDIN_FILENO, TCSANOW, &modes))
		def_prog_mode();
}

/* A screen on which the cursor can be moved; NULL if this is none. */
static SCREEN *open_terminal(void)
{
	SCREEN *terminal = newterm(NULL, stdout, stdin);

	if (terminal && !tigetstr("cup")) {
		endwin();
		delscreen(terminal);
		return NULL;
	}
	return terminal;
}

struct hf_error *hf_explore(struct hf_analysis *analysis, const struct hf_explore_options *options)
{
	struct screen screen = {.analysis = analysis, .options = options};
	struct hf_error *err = hf_explore_check();

	if (!err)
		err = hf_browser_create(analysis, &screen.browser);
	if (err)
		return err;
	setlocale(LC_CTYPE, "");
	SCREEN *terminal = open_terminal();
	if (!terminal) {
		hf_browser_destroy(screen.browser);
		return cannot_use();
	}
	cbreak();
	take_interrupts();
	noecho();
	nonl();
	keypad(stdscr, TRUE);
	set_escdelay(ESCAPE_MS);
	curs_set(0);
	screen_colors(options->color);
	getmaxyx(stdscr, screen.rows, screen.columns);
	screen_start(&screen);
	loop(&screen);
	endwin();
	delscreen(terminal);
	hf_page_destroy(screen.page);
	hf_browser_destroy(screen.browser);
	return NULL;
}
