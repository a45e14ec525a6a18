/*
 * terminal.c - where GDB's output goes (see terminal.h).
 */
#include "gdbplugin/terminal.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/cleanup.h"

bool hf_gdb_shows_colors(uint32_t gdb)
{
	char path[64];
	const char *none = getenv("NO_COLOR"), *term = getenv("TERM");

	if ((none && *none) || !term || !strcmp(term, "dumb"))
		return false;
	snprintf(path, sizeof(path), "/proc/%u/fd/1", gdb);
	HF_AUTO(close_fd) int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
	return fd >= 0 && isatty(fd);
}
