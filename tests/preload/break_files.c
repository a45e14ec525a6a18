/*
 * break_files.c - to be preloaded: the Nth step by which the program makes a file goes wrong. Steps
 * are the calls of its own that open a file for writing, write, give times or names, or remove.
 *
 * usage: LD_PRELOAD=break_files.so HF_BREAK_AT=N [HF_BREAK_BY=full] program
 *	the process is killed instead of step N; by=full: from it on the disk is full
 *	HF_BREAK_COUNT=FILE: the number of steps, at the end, into FILE
 *	HF_NO_TMPFILE=1: the file system cannot make files without a name
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static unsigned long steps, break_at;
static bool full, no_tmpfile;
static pid_t counted; /* forked helpers take steps of their own */

__attribute__((constructor)) static void begin(void)
{
	const char *at = getenv("HF_BREAK_AT"), *by = getenv("HF_BREAK_BY");

	break_at = at ? strtoul(at, NULL, 10) : 0;
	full = by && !strcmp(by, "full");
	no_tmpfile = getenv("HF_NO_TMPFILE") != NULL;
	counted = getpid();
}

__attribute__((destructor)) static void end(void)
{
	const char *name = getenv("HF_BREAK_COUNT");
	FILE *to = name && getpid() == counted ? fopen(name, "w") : NULL;

	if (to) {
		fprintf(to, "%lu\n", steps);
		fclose(to);
	}
}

/* Is there room for this step? */
static bool step(void)
{
	unsigned long number = __atomic_add_fetch(&steps, 1, __ATOMIC_RELAXED);

	if (!break_at || number < break_at)
		return true;
	if (!full)
		kill(getpid(), SIGKILL);
	errno = ENOSPC;
	return false;
}

#define real(name) ((__typeof__(name) *)dlsym(RTLD_NEXT, #name))

ssize_t write(int fd, const void *data, size_t bytes)
{
	return fd <= STDERR_FILENO || step() ? real(write)(fd, data, bytes) : -1;
}

ssize_t pwrite64(int fd, const void *data, size_t bytes, off64_t at)
{
	return step() ? real(pwrite64)(fd, data, bytes, at) : -1;
}

int open64(const char *path, int flags, ...)
{
	va_list arguments;
	mode_t mode = 0;

	if (flags & (O_CREAT | O_TMPFILE)) {
		va_start(arguments, flags);
		mode = va_arg(arguments, mode_t);
		va_end(arguments);
	}
	if (no_tmpfile && (flags & O_TMPFILE) == O_TMPFILE) {
		errno = EOPNOTSUPP;
		return -1;
	}
	if ((flags & O_ACCMODE) != O_RDONLY && !step())
		return -1;
	return real(open64)(path, flags, mode);
}

int mkostemp64(char *template, int flags)
{
	return step() ? real(mkostemp64)(template, flags) : -1;
}

int mkdir(const char *path, mode_t mode)
{
	return step() ? real(mkdir)(path, mode) : -1;
}

int linkat(int from_folder, const char *from, int to_folder, const char *to, int flags)
{
	return step() ? real(linkat)(from_folder, from, to_folder, to, flags) : -1;
}

int rename(const char *from, const char *to)
{
	return step() ? real(rename)(from, to) : -1;
}

int futimens(int fd, const struct timespec times[2])
{
	return step() ? real(futimens)(fd, times) : -1;
}
