/*
 * cgroup.c - the memory cgroup of a process (see cgroup.h).
 *
 * Where a process is stands in /proc/PID/cgroup, relative to the cgroup namespace's root; where
 * that is on this machine stands in /proc/self/mountinfo:
 *
 *	36 32 0:28 /ROOT /MOUNT rw,... - cgroup cgroup rw,memory
 *	4:memory:/ROOT/a/b					-> /MOUNT/a/b
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "core/base/cleanup.h"
#include "core/capture/private.h"

static bool path_exists(const char *folder, const char *name)
{
	HF_AUTO(free_ptr) char *path = NULL;
	return asprintf(&path, "%s/%s", folder, name) > 0 && access(path, F_OK) == 0;
}

static char *read_file(const char *folder, const char *name)
{
	HF_AUTO(free_ptr) char *path = NULL;
	if (asprintf(&path, "%s/%s", folder, name) < 0) {
		path = NULL;
		return NULL;
	}
	return capture_slurp(path, NULL);
}

/* A file of one number, or of "max". */
static bool read_number(const char *folder, const char *name, uint64_t *ret)
{
	HF_AUTO(free_ptr) char *text = read_file(folder, name);
	char *end;

	if (!text)
		return false;
	if (!strncmp(text, "max", 3)) {
		*ret = HF_CGROUP_NO_LIMIT;
		return true;
	}
	*ret = strtoull(text, &end, 10);
	return end != text;
}

/* ---- finding it ------------------------------------------------------------------------------ */

/* Is @word one of the comma-separated @list? */
static bool has_word(const char *list, size_t length, const char *word)
{
	size_t size = strlen(word);
	for (const char *at = list; at + size <= list + length; at++) {
		if ((at == list || at[-1] == ',') && !strncmp(at, word, size) &&
		    (at + size == list + length || at[size] == ','))
			return true;
	}
	return false;
}

/* The path of @pid in the hierarchy of version 1's memory, or of version 2; malloc'd or NULL. */
static char *path_of(pid_t pid, int version)
{
	HF_AUTO(free_ptr) char *text = capture_slurp_proc(pid, "cgroup", NULL);
	char *save = NULL;

	for (char *line = text ? strtok_r(text, "\n", &save) : NULL; line;
	     line = strtok_r(NULL, "\n", &save)) {
		char *controllers = strchr(line, ':');
		char *path = controllers ? strchr(controllers + 1, ':') : NULL;
		if (!path)
			continue;
		controllers++;
		size_t length = (size_t)(path - controllers);
		if (version == 1 ? has_word(controllers, length, "memory") : length == 0)
			return strdup(path + 1);
	}
	return NULL;
}

struct mount {
	char *root, *point;
};

static void mount_deinit(struct mount *mount)
{
	free(mount->root);
	free(mount->point);
	*mount = (struct mount){0};
}

/* "36 32 0:28 /ROOT /MOUNT rw shared:1 - TYPE SOURCE OPTIONS" */
static bool parse_mount(const char *line, int version, struct mount *ret)
{
	char root[4096], point[4096], type[64], options[1024];
	const char *tail = strstr(line, " - ");

	if (!tail || sscanf(line, "%*s %*s %*s %4095s %4095s", root, point) != 2 ||
	    sscanf(tail + 3, "%63s %*s %1023s", type, options) != 2)
		return false;
	if (version == 2
		? strcmp(type, "cgroup2") != 0
		: strcmp(type, "cgroup") != 0 || !has_word(options, strlen(options), "memory"))
		return false;
	*ret = (struct mount){strdup(root), strdup(point)};
	return ret->root && ret->point;
}

static bool find_mount(int version, struct mount *ret)
{
	HF_AUTO(free_ptr) char *text = capture_slurp("/proc/self/mountinfo", NULL);
	char *save = NULL;

	for (char *line = text ? strtok_r(text, "\n", &save) : NULL; line;
	     line = strtok_r(NULL, "\n", &save)) {
		if (parse_mount(line, version, ret))
			return true;
		mount_deinit(ret);
	}
	return false;
}

/* The folder of @path below @mount, if it can be seen from here; malloc'd or NULL. */
static char *folder_of(const struct mount *mount, const char *path)
{
	size_t root = strlen(mount->root);
	char *folder = NULL;

	if (root > 1 && !strncmp(path, mount->root, root) &&
	    (path[root] == '/' || path[root] == '\0'))
		path += root;
	if (!strncmp(path, "/..", 3))
		return NULL;
	if (asprintf(&folder, "%s%s", mount->point, strcmp(path, "/") ? path : "") < 0)
		return NULL;
	if (access(folder, F_OK) == 0)
		return folder;
	free(folder);
	return NULL;
}

static const char *usage_name(int version)
{
	return version == 2 ? "memory.current" : "memory.usage_in_bytes";
}

static const char *limit_name(int version)
{
	return version == 2 ? "memory.max" : "memory.limit_in_bytes";
}

struct hf_error *hf_cgroup_of(pid_t pid, struct hf_cgroup *ret)
{
	*ret = (struct hf_cgroup){0};
	for (int version = 1; version <= 2; version++) {
		HF_AUTO(free_ptr) char *path = path_of(pid, version);
		struct mount mount = {0};
		if (!path || !find_mount(version, &mount))
			continue;
		char *folder = folder_of(&mount, path);
		if (folder && path_exists(folder, usage_name(version))) {
			*ret = (struct hf_cgroup){version, folder, hf_take(mount.point), NULL};
			free(mount.root);
			return NULL;
		}
		free(folder);
		mount_deinit(&mount);
	}
	return NULL;
}

struct hf_error *hf_cgroup_open(const char *path, struct hf_cgroup *ret)
{
	char *folder = realpath(path, NULL);

	if (!folder)
		return hf_error_errno(errno, "%s", path);
	int version = path_exists(folder, usage_name(2)) ? 2 : 1;
	struct mount mount = {0};
	if (!path_exists(folder, usage_name(version)) || !find_mount(version, &mount)) {
		free(folder);
		return hf_error_create(HF_ERR_USAGE,
				       "%s: not a memory cgroup (it has neither memory.current nor "
				       "memory.usage_in_bytes)",
				       path);
	}
	*ret = (struct hf_cgroup){version, folder, hf_take(mount.point), NULL};
	free(mount.root);
	return NULL;
}

void hf_cgroup_deinit(struct hf_cgroup *cgroup)
{
	free(cgroup->path);
	free(cgroup->mount);
	free(cgroup->limiting);
	*cgroup = (struct hf_cgroup){0};
}

/* ---- its memory ------------------------------------------------------------------------------ */

/* Version 1 says "no limit" as the greatest multiple of a page. */
static uint64_t limit_at(const struct hf_cgroup *cgroup, const char *folder)
{
	uint64_t limit;
	if (!read_number(folder, limit_name(cgroup->version), &limit) ||
	    limit > (UINT64_C(1) << 62))
		return HF_CGROUP_NO_LIMIT;
	return limit;
}

uint64_t hf_cgroup_limit(struct hf_cgroup *cgroup)
{
	HF_AUTO(free_ptr) char *level = strdup(cgroup->path);
	uint64_t tightest = HF_CGROUP_NO_LIMIT;
	size_t shortest = strlen(cgroup->mount);

	free(cgroup->limiting);
	cgroup->limiting = NULL;
	while (level && strlen(level) >= shortest && !strncmp(level, cgroup->mount, shortest)) {
		uint64_t limit = limit_at(cgroup, level);
		if (limit < tightest) {
			tightest = limit;
			free(cgroup->limiting);
			cgroup->limiting = strdup(level);
		}
		char *slash = strrchr(level, '/');
		if (!slash || slash == level)
			break;
		*slash = '\0';
	}
	return tightest;
}

static uint64_t field_sum(const char *text, const char *first, const char *second)
{
	uint64_t a = 0, b = 0;
	capture_field(text, first, &a);
	capture_field(text, second, &b);
	return a + b;
}

bool hf_cgroup_memory(struct hf_cgroup *cgroup, struct hf_cgroup_memory *ret)
{
	struct hf_cgroup_memory memory = {.limit = HF_CGROUP_NO_LIMIT};

	if (!cgroup->path)
		return false;
	memory.limit = hf_cgroup_limit(cgroup);
	const char *folder = cgroup->limiting ? cgroup->limiting : cgroup->path;
	if (!hf_cgroup_usage(cgroup, &memory.usage))
		return false;
	HF_AUTO(free_ptr) char *stat = read_file(folder, "memory.stat");
	memory.cache = cgroup->version == 2
			   ? field_sum(stat, "inactive_file", "active_file")
			   : field_sum(stat, "total_inactive_file", "total_active_file");
	HF_AUTO(free_ptr)
	char *events =
	    read_file(cgroup->path, cgroup->version == 2 ? "memory.events" : "memory.oom_control");
	capture_field(events, "high", &memory.high_events);
	capture_field(events, "oom_kill", &memory.oom_kills);
	*ret = memory;
	return true;
}

bool hf_cgroup_usage(const struct hf_cgroup *cgroup, uint64_t *ret)
{
	const char *folder = cgroup->limiting ? cgroup->limiting : cgroup->path;
	return folder && read_number(folder, usage_name(cgroup->version), ret);
}

bool hf_cgroup_oom_kills(const struct hf_cgroup *cgroup, uint64_t *ret)
{
	HF_AUTO(free_ptr)
	char *text = cgroup->path
			 ? read_file(cgroup->path,
				     cgroup->version == 2 ? "memory.events" : "memory.oom_control")
			 : NULL;
	return capture_field(text, "oom_kill", ret);
}

static int open_in(const char *folder, const char *name, int flags)
{
	HF_AUTO(free_ptr) char *path = NULL;
	if (asprintf(&path, "%s/%s", folder, name) < 0) {
		path = NULL;
		return -1;
	}
	return open(path, flags | O_CLOEXEC);
}

/* Version 1: "EVENTFD USAGE-FD BYTES" to cgroup.event_control. */
static int usage_eventfd(const char *folder, uint64_t usage)
{
	HF_AUTO(close_fd) int file = open_in(folder, usage_name(1), O_RDONLY);
	HF_AUTO(close_fd) int control = open_in(folder, "cgroup.event_control", O_WRONLY);
	int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	char line[64];
	int length =
	    snprintf(line, sizeof(line), "%d %d %llu", event, file, (unsigned long long)usage);

	if (event >= 0 && file >= 0 && control >= 0 &&
	    write(control, line, (size_t)length) == length)
		return event;
	if (event >= 0)
		close(event);
	return -1;
}

int hf_cgroup_wake_fd(const struct hf_cgroup *cgroup, uint64_t usage)
{
	const char *folder = cgroup->limiting ? cgroup->limiting : cgroup->path;
	if (!folder)
		return -1;
	if (cgroup->version == 1)
		return usage_eventfd(folder, usage);
	return open_in(folder, "memory.events", O_RDONLY);
}

static size_t read_processes(const char *folder, pid_t *pids, size_t max)
{
	HF_AUTO(free_ptr) char *text = read_file(folder, "cgroup.procs");
	size_t count = 0;
	char *at = text;

	while (at && *at && count < max) {
		char *end;
		long pid = strtol(at, &end, 10);
		if (end == at)
			break;
		if (pid > 0)
			pids[count++] = (pid_t)pid;
		at = end;
	}
	return count;
}

HF_VEC(folders, char *);

static void add_folders_below(const char *folder, struct folders *folders)
{
	DIR *dir = opendir(folder);
	for (struct dirent *entry; dir && (entry = readdir(dir));) {
		char *path = NULL;
		if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
			continue;
		if (asprintf(&path, "%s/%s", folder, entry->d_name) >= 0 &&
		    !hf_vec_push(folders, path))
			free(path);
	}
	if (dir)
		closedir(dir);
}

size_t hf_cgroup_processes(const struct hf_cgroup *cgroup, pid_t *pids, size_t max)
{
	struct folders folders = {0};
	size_t count = read_processes(cgroup->path, pids, max);

	add_folders_below(cgroup->path, &folders);
	for (size_t i = 0; i < folders.count; i++) { /* grows meanwhile */
		count += read_processes(folders.data[i], pids + count, max - count);
		add_folders_below(folders.data[i], &folders);
	}
	hf_vec_foreach (folder, &folders)
		free(*folder);
	hf_vec_free(&folders);
	return count;
}

bool hf_cgroup_shared(pid_t pid, pid_t other)
{
	struct hf_cgroup a = {0}, b = {0};
	bool shared = false;

	hf_error_destroy(hf_cgroup_of(pid, &a));
	hf_error_destroy(hf_cgroup_of(other, &b));
	if (a.path && b.path) {
		size_t length = strlen(a.path);
		shared = !strncmp(a.path, b.path, length) &&
			 (b.path[length] == '\0' || b.path[length] == '/');
	}
	hf_cgroup_deinit(&a);
	hf_cgroup_deinit(&b);
	return shared;
}

/* ---- freezing -------------------------------------------------------------------------------- */

static bool write_freeze(const char *folder, const char *value)
{
	HF_AUTO(free_ptr) char *path = NULL;
	if (asprintf(&path, "%s/cgroup.freeze", folder) < 0) {
		path = NULL;
		return false;
	}
	HF_AUTO(close_fd) int fd = open(path, O_WRONLY | O_CLOEXEC);
	return fd >= 0 && write(fd, value, 1) == 1;
}

struct hf_error *hf_cgroup_freezable(pid_t pid, char **ret)
{
	HF_AUTO(free_ptr) char *path = path_of(pid, 2);
	HF_AUTO(free_ptr) char *own = path_of(getpid(), 2);
	struct mount mount = {0};

	if (!path || !find_mount(2, &mount))
		return hf_error_create(HF_ERR_UNSUPPORTED, "there is no cgroup v2 to freeze");
	char *folder = folder_of(&mount, path);
	mount_deinit(&mount);
	if (!folder || !path_exists(folder, "cgroup.freeze")) {
		free(folder);
		return hf_error_create(HF_ERR_UNSUPPORTED,
				       "process %d is in no cgroup v2 that could be frozen",
				       (int)pid);
	}
	size_t length = strlen(path);
	if (own && !strncmp(own, path, length) && (own[length] == '\0' || own[length] == '/')) {
		free(folder);
		return hf_error_create(HF_ERR_UNSUPPORTED,
				       "process %d's cgroup holds heapforensics too: to freeze it "
				       "would freeze us",
				       (int)pid);
	}
	*ret = folder;
	return NULL;
}

struct hf_error *hf_cgroup_freeze(const char *folder)
{
	if (!write_freeze(folder, "1"))
		return hf_error_errno(errno, "%s/cgroup.freeze", folder);
	for (int tries = 0; tries < 2000; tries++) {
		HF_AUTO(free_ptr) char *events = read_file(folder, "cgroup.events");
		uint64_t frozen = 0;
		if (capture_field(events, "frozen", &frozen) && frozen)
			return NULL;
		nanosleep(&(struct timespec){0, 1000000}, NULL);
	}
	hf_cgroup_thaw(folder);
	return hf_error_create(HF_ERR_IO, "%s did not freeze within 2 seconds", folder);
}

void hf_cgroup_thaw(const char *path)
{
	write_freeze(path, "0");
}
