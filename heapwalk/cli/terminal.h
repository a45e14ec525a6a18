/*
 * terminal.h - what the terminal is: width, colours, progress.
 */
#ifndef HF_HEAPWALK_CLI_TERMINAL_H
#define HF_HEAPWALK_CLI_TERMINAL_H

#include <stdbool.h>

#include "core/base/progress.h"

/* Columns of the terminal behind @fd, 0 if it is none. COLUMNS in the environment wins. */
unsigned hf_terminal_width(int fd);

/* Colours on @fd by default: a terminal that is not dumb, and NO_COLOR is not set. */
bool hf_terminal_colors(int fd);

/* A progress line on standard error, only on a terminal, at most a few times a second. */
struct hf_progress_line {
	struct hf_progress progress;
	double last;
	bool drawn;
};
void hf_progress_line_init(struct hf_progress_line *line, bool quiet);
void hf_progress_line_clear(struct hf_progress_line *line);

#endif
