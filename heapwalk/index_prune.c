/*
 * index_prune.c - keeping all indexes together within their bounds: the longest unused go first.
 *
 * Only folders whose name is one of ours (16 hexadecimal digits) are touched, and in them only
 * plain files. A reader that has one mapped keeps it: its pages live on until it is closed.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "core/base/cleanup.h"
#include "core/base/vec.h"
#include "heapwalk/index_private.h"

enum { NAME_DIGITS = 16, FREE_SHARE = 4 };

struct folder {
	char name[NAME_DIGITS + 1];
	struct timespec used;
	uint64_t bytes;
};

HF_VEC(folders, struct folder);

static bool is_ours(const char *name)
{
	return strlen(name) == NAME_DIGITS && strspn(name, "0123456789abcdef") == NAME_DIGITS;
}

typedef void file_fn(int folder, const char *name, const struct stat *about, void *ctx);

/* Every plain file of folder @name. */
static void each_file(int root, const char *name, file_fn *fn, void *ctx)
{
	int fd = openat(root, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct stat about;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return;
	}
	for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
		if (!fstatat(fd, entry->d_name, &about, AT_SYMLINK_NOFOLLOW) &&
		    S_ISREG(about.st_mode))
			fn(fd, entry->d_name, &about, ctx);
	}
	closedir(dir);
}

static void count_file(int fd, const char *name, const struct stat *about, void *ctx)
{
	struct folder *folder = ctx;
	(void)fd;

	folder->bytes += (uint64_t)about->st_blocks * 512;
	if (!strcmp(name, "used"))
		folder->used = about->st_mtim;
}

static void remove_file(int fd, const char *name, const struct stat *about, void *ctx)
{
	(void)about;
	(void)ctx;
	unlinkat(fd, name, 0);
}

static int by_use(const void *a, const void *b)
{
	const struct folder *first = a, *second = b;

	if (first->used.tv_sec != second->used.tv_sec)
		return first->used.tv_sec < second->used.tv_sec ? -1 : 1;
	if (first->used.tv_nsec != second->used.tv_nsec)
		return first->used.tv_nsec < second->used.tv_nsec ? -1 : 1;
	return strcmp(first->name, second->name);
}

static void list(int root, const char *but, struct folders *ret)
{
	int fd = dup(root);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return;
	}
	for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
		struct folder folder = {{0}, {0}, 0};
		if (!is_ours(entry->d_name) || !strcmp(entry->d_name, but))
			continue;
		snprintf(folder.name, sizeof(folder.name), "%.*s", NAME_DIGITS, entry->d_name);
		each_file(root, folder.name, count_file, &folder);
		if (!hf_vec_push(ret, folder))
			break;
	}
	closedir(dir);
}

/* Of the file system that @path is in, or will be: its nearest folder that is there. */
static bool stat_disk(const char *path, struct statvfs *ret)
{
	HF_AUTO(free_ptr) char *copy = strdup(path);
	char *at = copy;

	while (at && statvfs(at, ret)) {
		if (errno != ENOENT || !strcmp(at, "/") || !strcmp(at, "."))
			return false;
		at = dirname(at);
	}
	return at != NULL;
}

/* At most a quarter of what is free, so that no index ever fills a disk. */
static bool disk_has(const char *path, uint64_t bytes)
{
	struct statvfs disk;
	return stat_disk(path, &disk) &&
	       (uint64_t)disk.f_bavail * disk.f_frsize / FREE_SHARE >= bytes;
}

bool hf_index_make_room(const struct hf_index *index, uint64_t bytes)
{
	struct folders folders = {0};
	const char *own = strrchr(index->folder, '/') + 1;
	int root = open(index->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	uint64_t total = bytes;

	if (bytes > index->max_bytes)
		return false;
	if (root < 0) /* it does not exist yet */
		return disk_has(index->root, bytes);
	list(root, own, &folders);
	hf_vec_foreach (folder, &folders)
		total += folder->bytes;
	if (folders.count)
		qsort(folders.data, folders.count, sizeof(*folders.data), by_use);
	hf_vec_foreach (folder, &folders) {
		if (total <= index->max_bytes)
			break;
		each_file(root, folder->name, remove_file, NULL);
		unlinkat(root, folder->name, AT_REMOVEDIR);
		total -= folder->bytes;
	}
	hf_vec_free(&folders);
	bool room = disk_has(index->root, bytes);
	close(root);
	return room;
}
