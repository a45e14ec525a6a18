/*
 * terminal.c - where GDB's output goes (see terminal.h).
 *
 * GDB's commands cannot ask whether their output is being captured. But it can be seen: under
 * `pipe heap-leaks | grep x` GDB has a child whose standard input is a pipe that GDB itself holds
 * open for writing. (The pipe to us is closed by then: we have read to its end.) The inferior, too,
 * may read a pipe, but then one that GDB does not write.
 */
#include "gdbplugin/terminal.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/cleanup.h"

enum { LINK_BYTES = 64, TEXT_BYTES = 4096 };

static size_t read_text(const char *path, char ret[TEXT_BYTES])
{
	HF_AUTO(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, ret, TEXT_BYTES - 1);

	ret[got > 0 ? got : 0] = '\0';
	return got > 0 ? (size_t)got : 0;
}

/* "pipe:[123]" if descriptor @fd of @pid is one. */
static bool pipe_of(uint32_t pid, const char *fd, char ret[LINK_BYTES])
{
	char path[320];

	snprintf(path, sizeof(path), "/proc/%u/fd/%s", pid, fd);
	ssize_t got = readlink(path, ret, LINK_BYTES - 1);
	ret[got > 0 ? got : 0] = '\0';
	return !strncmp(ret, "pipe:", 5);
}

static bool opened_for_writing(uint32_t pid, const char *fd)
{
	char path[320], text[TEXT_BYTES];

	snprintf(path, sizeof(path), "/proc/%u/fdinfo/%s", pid, fd);
	read_text(path, text);
	const char *flags = strstr(text, "flags:");
	return flags && (strtoul(flags + 6, NULL, 8) & O_ACCMODE) == O_WRONLY;
}

static bool writes_pipe(uint32_t pid, const char *name)
{
	char path[64], other[LINK_BYTES];
	struct dirent *entry;
	bool found = false;

	snprintf(path, sizeof(path), "/proc/%u/fd", pid);
	DIR *dir = opendir(path);
	while (dir && !found && (entry = readdir(dir)))
		found = pipe_of(pid, entry->d_name, other) && !strcmp(other, name) &&
			opened_for_writing(pid, entry->d_name);
	if (dir)
		closedir(dir);
	return found;
}

static bool is_captured(uint32_t gdb)
{
	char path[64], text[TEXT_BYTES], name[LINK_BYTES], *end = NULL;

	snprintf(path, sizeof(path), "/proc/%u/task/%u/children", gdb, gdb);
	read_text(path, text);
	for (const char *at = text; *at; at = end) {
		unsigned long child = strtoul(at, &end, 10);
		if (end == at)
			break;
		if (pipe_of((uint32_t)child, "0", name) && writes_pipe(gdb, name))
			return true;
	}
	return false;
}

/* -i=mi3, --interpreter mi, ...: words of the command line end in NULs. */
static bool is_mi(uint32_t gdb)
{
	char path[64], text[TEXT_BYTES];

	snprintf(path, sizeof(path), "/proc/%u/cmdline", gdb);
	size_t length = read_text(path, text);
	bool next = false;
	for (const char *word = text; word < text + length; word += strlen(word) + 1) {
		const char *name = word + strspn(word, "-"), *value = strchr(name, '=');
		size_t bytes = value ? (size_t)(value - name) : strlen(name);
		if (next && !strncmp(word, "mi", 2))
			return true;
		bool option = name > word && bytes && !strncmp(name, "interpreter", bytes);
		if (option && value && !strncmp(value + 1, "mi", 2))
			return true;
		next = option && !value;
	}
	return false;
}

bool hf_gdb_shows_colors(uint32_t gdb)
{
	char path[64];
	const char *none = getenv("NO_COLOR"), *term = getenv("TERM");

	if ((none && *none) || !term || !strcmp(term, "dumb"))
		return false;
	snprintf(path, sizeof(path), "/proc/%u/fd/1", gdb);
	HF_AUTO(close_fd) int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
	return fd >= 0 && isatty(fd) && !is_mi(gdb) && !is_captured(gdb);
}
