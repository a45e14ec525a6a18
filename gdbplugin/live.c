/*
 * live.c - the memory of a live process (see live.h).
 *
 * A snapshot stays good until the process ran on. A process that GDB holds stopped does not change;
 * each time it is let go and stopped again its threads are scheduled, so their counts of context
 * switches grow: those of all threads, with the process's own start, make its key.
 */
#include "gdbplugin/live.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/cleanup.h"

static const char SNAPSHOT[] = "snapshot"; /* the key of the snapshot that we have */

/* ---- keys --------------------------------------------------------------------------------------
 */

static bool add_switches(const char *path, uint64_t *sum)
{
	FILE *file = fopen(path, "re");
	char line[256];
	unsigned found = 0;

	while (file && fgets(line, sizeof(line), file)) {
		const char *at = strstr(line, "voluntary_ctxt_switches:");
		if (!at)
			continue;
		*sum += strtoull(strchr(at, ':') + 1, NULL, 10);
		found++;
	}
	if (file)
		fclose(file);
	return found == 2;
}

/* *@ret is "" where the process cannot be seen: then no snapshot is good twice. */
static void native_key(uint32_t pid, char ret[128])
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
		good &= add_switches(path, &switches);
		threads++;
	}
	if (dir)
		closedir(dir);
	ret[0] = '\0';
	if (good && threads)
		snprintf(ret, 128, "native %u %u %" PRIu64 "\n", pid, threads, switches);
}

/* ---- snapshots ---------------------------------------------------------------------------------
 */

struct hf_error *hf_gdb_live_core(const struct hf_gdb_folder *folder,
				  const struct hf_gdb_context *context, char **ret,
				  bool *ret_wanted)
{
	HF_AUTO(free_ptr) char *core = NULL, *have = NULL;
	char key[128] = "";
	struct hf_error *err = NULL;

	if (context->target == HF_GDB_NONE)
		return hf_error_create(HF_ERR_USAGE,
				       "GDB has no core file and no live process here");
	if (context->target == HF_GDB_CORE) {
		if (!context->core)
			return hf_error_create(HF_ERR_NOT_FOUND,
					       "the core file that GDB opened is gone");
		*ret = strdup(context->core);
		*ret_wanted = false;
		return *ret ? NULL : hf_error_nomem();
	}
	err = hf_gdb_folder_big(folder, &core);
	if (!err)
		err = hf_gdb_folder_read(folder, SNAPSHOT, &have);
	if (err)
		return err;
	if (context->target == HF_GDB_NATIVE)
		native_key(context->pid, key);
	*ret_wanted = !have || !*key || strcmp(have, key) != 0;
	if (*ret_wanted) {
		hf_gdb_folder_remove(folder, SNAPSHOT);
		unlink(core);
	}
	*ret = hf_take(core);
	return NULL;
}

struct hf_error *hf_gdb_live_dumped(const struct hf_gdb_folder *folder,
				    const struct hf_gdb_context *context)
{
	HF_AUTO(free_ptr) char *core = NULL;
	char key[128] = "";
	struct hf_error *err = hf_gdb_folder_big(folder, &core);

	if (err)
		return err;
	if (access(core, R_OK))
		return hf_error_create(HF_ERR_IO,
				       "GDB wrote no core of the process: see help gcore");
	if (context->target == HF_GDB_NATIVE)
		native_key(context->pid, key);
	return hf_gdb_folder_write(folder, SNAPSHOT, key);
}

void hf_gdb_live_forget(const struct hf_gdb_folder *folder)
{
	hf_gdb_folder_remove(folder, SNAPSHOT);
}
