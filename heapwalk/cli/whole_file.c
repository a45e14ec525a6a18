/*
 * whole_file.c - FILE.part, then FILE (see whole_file.h).
 *
 * A signal that ends us (Ctrl-C) takes away what is not whole: the handler knows the names.
 */
#include "heapwalk/cli/whole_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/cleanup.h"

/* ---- when we are interrupted ----------------------------------------------------------------- */

enum { UNFINISHED = 8 };
static const char *volatile unfinished[UNFINISHED]; /* a handler can be told no other way */
static const int signals[] = {SIGINT, SIGTERM, SIGHUP};

static void on_signal(int number)
{
	for (int i = 0; i < UNFINISHED; i++) {
		if (unfinished[i])
			unlink(unfinished[i]);
	}
	signal(number, SIG_DFL);
	raise(number); /* which waits until we return */
}

/* From now on @part is removed if a signal ends us; what is ignored stays so. */
static void remember(const char *part)
{
	struct sigaction action = {.sa_handler = on_signal}, before;
	int free_one = 0;

	while (free_one < UNFINISHED - 1 && unfinished[free_one])
		free_one++;
	unfinished[free_one] = part;
	sigemptyset(&action.sa_mask);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		if (sigaction(signals[i], NULL, &before) == 0 && before.sa_handler == SIG_DFL)
			sigaction(signals[i], &action, NULL);
	}
}

static void forget(const char *part)
{
	for (int i = 0; i < UNFINISHED; i++) {
		if (unfinished[i] == part)
			unfinished[i] = NULL;
	}
}

/* ---- the file -------------------------------------------------------------------------------- */

/*
 * Is something else called that, or can nothing be made beside it? It stands where links lead; one
 * that leads nowhere is left to open(2).
 */
static bool is_direct(const char *name)
{
	HF_AUTO(free_ptr) char *path = NULL;
	struct stat st;

	if (stat(name, &st) == 0) {
		if (!S_ISREG(st.st_mode))
			return true;
		path = realpath(name, NULL);
	} else {
		if (errno != ENOENT || lstat(name, &st) == 0)
			return true;
		path = strdup(name);
	}
	return !path || access(dirname(path), W_OK) != 0;
}

static struct hf_error *name_part(struct hf_whole_file *file)
{
	struct stat st;

	if (stat(file->name, &st) == 0) {
		/* A file that may not be written to stays as it is. */
		if (access(file->name, W_OK))
			return hf_error_errno(errno, "%s", file->name);
		file->mode = st.st_mode & 07777;
		file->path = realpath(file->name, NULL);
	} else {
		file->path = strdup(file->name);
	}
	if (!file->path || asprintf(&file->part, "%s.part", file->path) < 0) {
		file->part = NULL;
		return hf_error_nomem();
	}
	if (unlink(file->part) && errno != ENOENT)
		return hf_error_errno(errno, "%s", file->part);
	remember(file->part);
	return NULL;
}

static void release(struct hf_whole_file *file)
{
	if (file->part)
		forget(file->part);
	free(file->path);
	free(file->part);
	file->path = file->part = NULL;
}

struct hf_error *hf_whole_file_begin(const char *name, struct hf_whole_file *ret)
{
	struct hf_whole_file file = {.name = name};
	struct hf_error *err = is_direct(name) ? NULL : name_part(&file);

	if (err)
		release(&file);
	else
		*ret = file;
	return err;
}

const char *hf_whole_file_path(const struct hf_whole_file *file)
{
	return file->part ? file->part : file->name;
}

struct hf_error *hf_whole_file_open(const struct hf_whole_file *file, int *ret_fd)
{
	int flags = O_WRONLY | O_CREAT | O_CLOEXEC | (file->part ? O_EXCL : O_TRUNC);
	int fd = open(hf_whole_file_path(file), flags, file->mode ? file->mode : 0666);

	if (fd < 0)
		return hf_error_errno(errno, "%s", file->name);
	*ret_fd = fd;
	return NULL;
}

struct hf_error *hf_whole_file_fopen(const struct hf_whole_file *file, FILE **ret)
{
	int fd = -1;
	struct hf_error *err = hf_whole_file_open(file, &fd);
	FILE *to = err ? NULL : fdopen(fd, "w");

	if (!err && !to) {
		err = hf_error_errno(errno, "%s", file->name);
		close(fd);
	}
	if (!err)
		*ret = to;
	return err;
}

struct hf_error *hf_whole_file_end(struct hf_whole_file *file, struct hf_error *err)
{
	if (file->part && !err &&
	    ((file->mode && chmod(file->part, file->mode)) || rename(file->part, file->path)))
		err = hf_error_errno(errno, "%s", file->name);
	if (file->part && err)
		unlink(file->part);
	release(file);
	return err;
}
