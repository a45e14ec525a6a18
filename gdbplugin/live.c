/*
 * live.c - the memory of a live process (see live.h).
 *
 * A snapshot stays good until the process ran on. A process that GDB holds stopped does not change;
 * each time it is let go and stopped again its threads are scheduled, so their counts of context
 * switches grow: those of all threads make its key. For a process of this machine they are read
 * from /proc, behind gdbserver by GDB's `info proc status TID`. Where they cannot be had the key
 * is empty, and no snapshot is good twice. GDB's own writes do not show: there is heap-refresh.
 */
#include "gdbplugin/live.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/cleanup.h"

static const char SNAPSHOT[] = "snapshot"; /* the key of the snapshot that we have */
static const char KEY[] = "key";	   /* the process's key at this command */

enum { KEY_BYTES = 128, MAX_TASKS = 100000 };

/* ---- keys ------------------------------------------------------------------------------------ */

/* Add up the two counts of context switches of every task in @text; returns how many there were. */
static unsigned add_switches(const char *text, uint64_t *sum)
{
	static const char name[] = "voluntary_ctxt_switches:";
	unsigned found = 0;

	while ((text = strstr(text, name))) {
		text += sizeof(name) - 1;
		*sum += strtoull(text, NULL, 10);
		found++;
	}
	return found;
}

static unsigned add_task(const char *path, uint64_t *sum)
{
	HF_AUTO(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
	HF_AUTO(free_ptr) char *text = NULL;

	if (fd < 0)
		return 0;
	struct hf_error *err = hf_gdb_read_all(fd, &text);
	hf_error_destroy(err);
	return text ? add_switches(text, sum) : 0;
}

/* *@ret is "" where the process cannot be seen: then no snapshot is good twice. */
static void native_key(uint32_t pid, char ret[KEY_BYTES])
{
	char path[320];
	uint64_t switches = 0;
	unsigned threads = 0;
	bool good = true;
	struct dirent *entry;

	snprintf(path, sizeof(path), "/proc/%u/task", pid);
	DIR *dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/proc/%u/task/%s/status", pid, entry->d_name);
		good &= add_task(path, &switches) == 2;
		threads++;
	}
	if (dir)
		closedir(dir);
	ret[0] = '\0';
	if (good && threads)
		snprintf(ret, KEY_BYTES, "native %u %u %" PRIu64 "\n", pid, threads, switches);
}

/* ---- processes behind a stub ----------------------------------------------------------------- */

/* "[Current thread is 1 (Thread 1234.1235)]", "(Thread 0x7f12 (LWP 1235))", "(LWP 7)" */
static unsigned long task_of(const char *line, const char *end)
{
	const char *lwp = memmem(line, (size_t)(end - line), "LWP ", 4);
	const char *thread = memmem(line, (size_t)(end - line), "Thread ", 7);
	const char *dot = thread ? memchr(thread, '.', (size_t)(end - thread)) : NULL;

	return lwp ? strtoul(lwp + 4, NULL, 10) : dot ? strtoul(dot + 1, NULL, 10) : 0;
}

struct hf_error *hf_gdb_live_threads(const struct hf_gdb_folder *folder,
				     const struct hf_gdb_context *context, const char *threads)
{
	FILE *file = NULL;
	struct hf_error *err = hf_gdb_folder_create(folder, "tasks", &file);
	unsigned count = 0;

	if (err)
		return err;
	for (const char *line = threads; *line && count < MAX_TASKS;) {
		const char *end = strchrnul(line, '\n');
		unsigned long task = task_of(line, end);
		/* -s: a stub without files must not end the command. */
		if (task && *context->thread) {
			fprintf(file, "thread apply %s -s -q -- info proc status %lu\n",
				context->thread, task);
			count++;
		}
		line = *end ? end + 1 : end;
	}
	fprintf(file, "echo @tasks %u\\n\n", count);
	return hf_gdb_folder_publish(folder, "tasks", file);
}

struct hf_error *hf_gdb_live_tasks(const struct hf_gdb_folder *folder,
				   const struct hf_gdb_context *context, const char *tasks)
{
	char key[KEY_BYTES] = "";
	uint64_t switches = 0;
	unsigned found = add_switches(tasks, &switches);
	const char *count = strstr(tasks, "@tasks ");
	unsigned long wanted = count ? strtoul(count + 7, NULL, 10) : 0;

	if (wanted && found == 2 * wanted)
		snprintf(key, sizeof(key), "remote %u %lu %" PRIu64 "\n", context->pid, wanted,
			 switches);
	return hf_gdb_folder_write(folder, KEY, key);
}

/* ---- snapshots ------------------------------------------------------------------------------- */

static struct hf_error *core_file(const struct hf_gdb_context *context, char **ret)
{
	if (!context->core)
		return hf_error_create(HF_ERR_NOT_FOUND, "the core file that GDB opened is gone");
	char *core = strdup(context->core);
	if (!core)
		return hf_error_nomem();
	*ret = core;
	return NULL;
}

struct hf_error *hf_gdb_live_core(const struct hf_gdb_folder *folder,
				  const struct hf_gdb_context *context, char **ret,
				  enum hf_gdb_need *ret_need)
{
	HF_AUTO(free_ptr) char *core = NULL, *have = NULL, *key = NULL;
	char native[KEY_BYTES];

	*ret_need = HF_GDB_NEED_NOTHING;
	if (context->target == HF_GDB_NONE)
		return hf_error_create(HF_ERR_USAGE, "GDB has no core and no live process here");
	if (context->target == HF_GDB_CORE)
		return core_file(context, ret);
	struct hf_error *err = hf_gdb_folder_big(folder, "core", &core);
	if (!err)
		err = hf_gdb_folder_read(folder, SNAPSHOT, &have);
	if (!err && context->target == HF_GDB_NATIVE) {
		native_key(context->pid, native);
		err = hf_gdb_folder_write(folder, KEY, native);
	}
	if (!err)
		err = hf_gdb_folder_read(folder, KEY, &key);
	if (err)
		return err;
	if (!key) {
		*ret_need = HF_GDB_NEED_THREADS;
	} else if (!have || strcmp(have, key) || access(core, R_OK)) {
		*ret_need = HF_GDB_NEED_CORE;
		hf_gdb_folder_remove(folder, SNAPSHOT);
		hf_gdb_folder_empty_big(folder);
		free(hf_take(core));
		err = hf_gdb_folder_big(folder, "core", &core);
	}
	if (!err)
		*ret = hf_take(core);
	return err;
}

struct hf_error *hf_gdb_live_dumped(const struct hf_gdb_folder *folder)
{
	HF_AUTO(free_ptr) char *core = NULL, *key = NULL;
	struct hf_error *err = hf_gdb_folder_big(folder, "core", &core);

	if (!err)
		err = hf_gdb_folder_read(folder, KEY, &key);
	if (err)
		return err;
	if (access(core, R_OK))
		return hf_error_create(HF_ERR_IO,
				       "GDB wrote no core of the process (see help gcore)");
	return hf_gdb_folder_write(folder, SNAPSHOT, key ? key : "");
}

void hf_gdb_live_restart(const struct hf_gdb_folder *folder)
{
	HF_AUTO(free_ptr) char *have = NULL;
	struct hf_error *err = hf_gdb_folder_read(folder, SNAPSHOT, &have);

	hf_error_destroy(err);
	hf_gdb_folder_remove(folder, KEY);
	if (have && !*have) /* of a process that cannot be watched */
		hf_gdb_folder_remove(folder, SNAPSHOT);
}

void hf_gdb_live_forget(const struct hf_gdb_folder *folder)
{
	hf_gdb_folder_remove(folder, SNAPSHOT);
}
