/*
 * terminal.c - what the terminal is (see terminal.h).
 */
#include "heapwalk/cli/terminal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "core/base/clock.h"

enum { MIN_WIDTH = 40, MAX_WIDTH = 1000 };

static const double REDRAW_SECONDS = 0.1, FIRST_SECONDS = 0.3;

unsigned hf_terminal_width(int fd)
{
	const char *columns = getenv("COLUMNS");
	struct winsize size;
	long width = 0;

	if (!isatty(fd))
		return 0;
	if (columns)
		width = strtol(columns, NULL, 10);
	if (width <= 0 && ioctl(fd, TIOCGWINSZ, &size) == 0)
		width = size.ws_col;
	if (width <= 0)
		width = 80;
	return (unsigned)(width < MIN_WIDTH ? MIN_WIDTH : width > MAX_WIDTH ? MAX_WIDTH : width);
}

bool hf_terminal_colors(int fd)
{
	const char *none = getenv("NO_COLOR"), *term = getenv("TERM");
	return isatty(fd) && !(none && *none) && term && strcmp(term, "dumb") != 0;
}

static void draw(void *ctx, const char *stage, uint64_t done, uint64_t total)
{
	struct hf_progress_line *line = ctx;
	double time = hf_clock_seconds();

	if (time - line->last < REDRAW_SECONDS)
		return;
	line->last = time;
	line->drawn = true;
	if (total)
		fprintf(stderr, "\r\033[K%s %lu %%", stage, (unsigned long)(done * 100 / total));
	else
		fprintf(stderr, "\r\033[K%s", stage);
	fflush(stderr);
}

void hf_progress_line_init(struct hf_progress_line *line, bool quiet)
{
	*line =
	    (struct hf_progress_line){.last = hf_clock_seconds() + FIRST_SECONDS - REDRAW_SECONDS};
	line->progress.ctx = line;
	if (!quiet && isatty(STDERR_FILENO))
		line->progress.report = draw;
}

void hf_progress_line_clear(struct hf_progress_line *line)
{
	if (line->drawn)
		fputs("\r\033[K", stderr);
	line->drawn = false;
}
