/*
 * folder.c - the private folder of one GDB (see folder.h).
 *
 * A folder whose GDB has ended is removed by whoever sees it first, and its number may be taken
 * anew at any moment. So it is looked at and emptied through one open descriptor, its name goes
 * only if there is nothing below it, and a folder gets its number when its owner stands in it.
 */
#include "gdbplugin/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/base/cleanup.h"

enum { FRESH_SECONDS = 10, OWNER_TEXT = 128, BIG_PATH = 4096 };

static const char BIG_FILE[] = "big"; /* names the snapshot's folder */

/* ---- files ----------------------------------------------------------------------------------- */

struct hf_error *hf_gdb_read_all(int fd, char **ret)
{
	size_t count = 0, capacity = 0;
	char *text = NULL;

	for (;;) {
		if (count + 4097 > capacity) {
			char *bigger = realloc(text, capacity = capacity * 2 + 8192);
			if (!bigger) {
				free(text);
				return hf_error_nomem();
			}
			text = bigger;
		}
		ssize_t got = read(fd, text + count, 4096);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			struct hf_error *err = hf_error_errno(errno, "reading from GDB");
			free(text);
			return err;
		}
		if (got == 0)
			break;
		count += (size_t)got;
	}
	text[count] = '\0';
	*ret = text;
	return NULL;
}

static void path_of(const struct hf_gdb_folder *folder, const char *name, char ret[128])
{
	snprintf(ret, 128, "%s/%s", folder->path, name);
}

/* The text of @name in the open folder @at, or at the path @name if @at is AT_FDCWD. */
static struct hf_error *read_at(int at, const char *name, char **ret)
{
	HF_AUTO(close_fd) int fd = openat(at, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0 && errno == ENOENT) {
		*ret = NULL;
		return NULL;
	}
	if (fd < 0)
		return hf_error_errno(errno, "%s", name);
	return hf_gdb_read_all(fd, ret);
}

struct hf_error *hf_gdb_folder_read(const struct hf_gdb_folder *folder, const char *name,
				    char **ret)
{
	char path[128];

	path_of(folder, name, path);
	return read_at(AT_FDCWD, path, ret);
}

struct hf_error *hf_gdb_folder_create(const struct hf_gdb_folder *folder, const char *name,
				      FILE **ret)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s.new", folder->path, name);
	unlink(path);
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
	if (!file) {
		struct hf_error *err = hf_error_errno(errno, "%s", path);
		if (fd >= 0)
			close(fd);
		return err;
	}
	*ret = file;
	return NULL;
}

struct hf_error *hf_gdb_folder_publish(const struct hf_gdb_folder *folder, const char *name,
				       FILE *file)
{
	char from[128], to[128];
	bool failed = ferror(file) != 0;

	snprintf(from, sizeof(from), "%s/%s.new", folder->path, name);
	path_of(folder, name, to);
	failed |= fclose(file) != 0;
	if (!failed && rename(from, to) == 0)
		return NULL;
	struct hf_error *err = hf_error_errno(errno, "%s", to);
	unlink(from);
	return err;
}

struct hf_error *hf_gdb_folder_write(const struct hf_gdb_folder *folder, const char *name,
				     const char *text)
{
	FILE *file = NULL;
	struct hf_error *err = hf_gdb_folder_create(folder, name, &file);

	if (err)
		return err;
	fputs(text, file);
	return hf_gdb_folder_publish(folder, name, file);
}

void hf_gdb_folder_remove(const struct hf_gdb_folder *folder, const char *name)
{
	char path[128];
	path_of(folder, name, path);
	unlink(path);
}

/* ---- removing -------------------------------------------------------------------------------- */

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *walk)
{
	(void)st;
	(void)kind;
	(void)walk;
	remove(path);
	return 0;
}

static void remove_tree(const char *path)
{
	nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static bool is_big(const char *path)
{
	return path && strstr(path, "/heapforensics-");
}

void hf_gdb_folder_empty_big(const struct hf_gdb_folder *folder)
{
	HF_AUTO(free_ptr) char *big = NULL;
	struct hf_error *err = hf_gdb_folder_read(folder, BIG_FILE, &big);

	hf_error_destroy(err);
	if (!is_big(big))
		return;
	remove_tree(big);
	hf_gdb_folder_remove(folder, BIG_FILE);
}

static int open_folder(const struct hf_gdb_folder *folder)
{
	return open(folder->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* Empty the folder that is open as @fd, which is closed, and take its name if it still has it. */
static void remove_folder(const struct hf_gdb_folder *folder, int fd)
{
	HF_AUTO(free_ptr) char *big = NULL;
	struct hf_error *err = read_at(fd, BIG_FILE, &big);
	DIR *list = fdopendir(fd);

	hf_error_destroy(err);
	if (is_big(big))
		remove_tree(big);
	for (struct dirent *entry; list && (entry = readdir(list));)
		unlinkat(dirfd(list), entry->d_name, 0);
	if (list)
		closedir(list);
	else
		close(fd);
	rmdir(folder->path);
}

/* Wait for GDB's end by its pidfd; where there are none, by asking for it now and then. */
static void wait_for_end(int pidfd, uint32_t pid)
{
	struct pollfd poller = {.fd = pidfd, .events = POLLIN};

	if (pidfd >= 0) {
		while (poll(&poller, 1, -1) < 0 && errno == EINTR)
			;
		return;
	}
	while (kill((pid_t)pid, 0) == 0 || errno == EPERM)
		sleep(5);
}

/* A process of its own session, holding nothing of ours open, that removes the folder in the end.
 */
static void start_janitor(const struct hf_gdb_folder *folder, uint32_t pid)
{
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0), kept = open_folder(folder);
	pid_t child = fork();

	if (child != 0) {
		if (pidfd >= 0)
			close(pidfd);
		if (kept >= 0)
			close(kept);
		while (child > 0 && waitpid(child, NULL, 0) < 0 && errno == EINTR)
			;
		return;
	}
	if (kept < 0 || setsid() < 0 || fork() != 0)
		_exit(0);
	for (int fd = 0; fd < 1024; fd++) {
		if (fd != pidfd && fd != kept)
			close(fd);
	}
	if (chdir("/"))
		_exit(1);
	signal(SIGHUP, SIG_IGN);
	wait_for_end(pidfd, pid);
	remove_folder(folder, kept);
	_exit(0);
}

/* ---- whose folder ---------------------------------------------------------------------------- */

/* "PID STARTTIME NAMESPACE": no other process ever has the same. */
static bool owner_text(uint32_t pid, char ret[OWNER_TEXT])
{
	char path[64], stat[1024], space[64] = "";

	snprintf(path, sizeof(path), "/proc/%u/stat", pid);
	HF_AUTO(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, stat, sizeof(stat) - 1);
	if (got <= 0)
		return false;
	stat[got] = '\0';
	const char *at = strrchr(stat, ')'); /* the name may hold anything */
	for (int field = 2; at && field < 22; field++)
		at = strchr(at + 1, ' ');
	if (!at)
		return false;
	if (readlink("/proc/self/ns/pid", space, sizeof(space) - 1) < 0)
		space[0] = '\0';
	snprintf(ret, OWNER_TEXT, "%u %llu %s\n", pid, strtoull(at, NULL, 10), space);
	return true;
}

enum owner { OWNER_US, OWNER_OTHER, OWNER_DEAD };

/* Of the folder that is open as @fd. @us is our GDB's owner text. */
static enum owner owner_of(int fd, const char *us, const struct stat *st)
{
	char now[OWNER_TEXT];
	HF_AUTO(free_ptr) char *text = NULL;
	struct hf_error *err = read_at(fd, "owner", &text);

	if (err) {
		hf_error_destroy(err);
		return OWNER_OTHER;
	}
	if (!text)
		return st->st_mtime + FRESH_SECONDS < time(NULL) ? OWNER_DEAD : OWNER_OTHER;
	if (!strcmp(text, us))
		return OWNER_US;
	const char *space = strrchr(text, ' '), *our_space = strrchr(us, ' ');
	if (!space || !our_space || strcmp(space, our_space))
		return OWNER_OTHER; /* of another container: its processes cannot be seen */
	bool alive = owner_text((uint32_t)strtoul(text, NULL, 10), now) && !strcmp(now, text);
	return alive ? OWNER_OTHER : OWNER_DEAD;
}

/* Could the name that rename(2) refused with @error be had? */
static bool is_taken(int error)
{
	return error == ENOTEMPTY || error == EEXIST || error == ENOTDIR || error == EPERM ||
	       error == EACCES;
}

/* Give the folder, which has its owner, the first number that is free. */
static struct hf_error *number_folder(struct hf_gdb_folder *folder)
{
	char fresh[sizeof(folder->path)];

	memcpy(fresh, folder->path, sizeof(fresh));
	for (unsigned number = HF_GDB_FIRST_FOLDER; number <= HF_GDB_LAST_FOLDER; number++) {
		folder->number = number;
		snprintf(folder->path, sizeof(folder->path), "/tmp/heapforensics-%u", number);
		if (rename(fresh, folder->path) == 0)
			return NULL;
		if (!is_taken(errno))
			break;
	}
	struct hf_error *err =
	    is_taken(errno)
		? hf_error_create(HF_ERR_LIMIT, "/tmp/heapforensics-%d to -%d are all in use",
				  HF_GDB_FIRST_FOLDER, HF_GDB_LAST_FOLDER)
		: hf_error_errno(errno, "a private folder for GDB: %s", folder->path);
	memcpy(folder->path, fresh, sizeof(fresh));
	return err;
}

static struct hf_error *make_folder(struct hf_gdb_folder *folder, const char *us, uint32_t pid)
{
	snprintf(folder->path, sizeof(folder->path), "/tmp/heapforensics-XXXXXX");
	if (!mkdtemp(folder->path))
		return hf_error_errno(errno, "a private folder for GDB: %s", folder->path);
	struct hf_error *err = hf_gdb_folder_write(folder, "owner", us);
	if (!err)
		err = number_folder(folder);
	if (err)
		remove_folder(folder, open_folder(folder));
	else
		start_janitor(folder, pid);
	return err;
}

/* Is the folder ours? One that is an ended GDB's is removed. */
static bool is_ours(const struct hf_gdb_folder *folder, const char *us)
{
	int fd = open_folder(folder);
	struct stat st;

	if (fd < 0)
		return false;
	enum owner owner = fstat(fd, &st) || st.st_uid != geteuid() || (st.st_mode & 077)
			       ? OWNER_OTHER
			       : owner_of(fd, us, &st);
	if (owner == OWNER_DEAD)
		remove_folder(folder, fd);
	else
		close(fd);
	return owner == OWNER_US;
}

struct hf_error *hf_gdb_folder_open(uint32_t pid, struct hf_gdb_folder *ret)
{
	struct hf_gdb_folder folder;
	char us[OWNER_TEXT];

	if (!owner_text(pid, us))
		return hf_error_create(HF_ERR_NOT_FOUND, "no process %u: only GDB starts this",
				       pid);
	for (unsigned number = HF_GDB_FIRST_FOLDER; number <= HF_GDB_LAST_FOLDER; number++) {
		folder.number = number;
		snprintf(folder.path, sizeof(folder.path), "/tmp/heapforensics-%u", number);
		if (is_ours(&folder, us)) {
			*ret = folder;
			return NULL;
		}
	}
	struct hf_error *err = make_folder(&folder, us, pid);
	if (!err)
		*ret = folder;
	return err;
}

struct hf_error *hf_gdb_folder_big(const struct hf_gdb_folder *folder, const char *name, char **ret)
{
	HF_AUTO(free_ptr) char *big = NULL;
	const char *parent = getenv("TMPDIR");
	char path[BIG_PATH];

	struct hf_error *err = hf_gdb_folder_read(folder, BIG_FILE, &big);
	if (!err && !big) {
		if (!parent || *parent != '/')
			parent = access("/var/tmp", W_OK) == 0 ? "/var/tmp" : "/tmp";
		snprintf(path, sizeof(path), "%s/heapforensics-XXXXXX", parent);
		if (!mkdtemp(path))
			return hf_error_errno(errno, "a private folder for the snapshot: %s", path);
		big = strdup(path);
		err = big ? hf_gdb_folder_write(folder, BIG_FILE, big) : hf_error_nomem();
	}
	if (!err && asprintf(ret, "%s/%s", big, name) < 0)
		err = hf_error_nomem();
	return err;
}
