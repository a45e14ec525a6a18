/*
 * sidecar.c - what the kernel says of the target, as JSON: a file beside the core, and, without
 * what is long (maps, modules, files of the cgroup), a note within it.
 *
 *	before the pause	modules and their build-ids, smaps_rollup (walks page tables)
 *	within it		status, maps, the memory cgroup's figures
 *	after it		how it went
 */
#include <dirent.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "core/base/cleanup.h"
#include "core/capture/private.h"
#include "core/process/elfview.h"

typedef struct json_object json;

static void put_text(json *object, const char *key, const char *value)
{
	json_object_object_add(object, key, value ? json_object_new_string(value) : NULL);
}

static void put_number(json *object, const char *key, uint64_t value)
{
	json_object_object_add(object, key, json_object_new_uint64(value));
}

static void put_bool(json *object, const char *key, bool value)
{
	json_object_object_add(object, key, json_object_new_boolean(value));
}

/* ---- modules --------------------------------------------------------------------------------- */

static void put_build_id(json *module, const struct hf_elf_view *view)
{
	char text[2 * sizeof(view->build_id) + 1] = "";
	for (size_t i = 0; i < view->build_id_bytes; i++)
		sprintf(text + 2 * i, "%02x", view->build_id[i]);
	put_text(module, "build_id", *text ? text : NULL);
}

static bool view_file(const char *path, struct hf_elf_view *ret)
{
	struct stat st; /* never open what could block */
	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && hf_elf_view_file(path, ret);
}

/* The mapped file itself where we may (a deleted one too), else what has its name now. */
static bool view_module(pid_t pid, const struct capture_area *area, struct hf_elf_view *ret)
{
	HF_AUTO(free_ptr) char *mapped = NULL;
	HF_AUTO(free_ptr) char *named = NULL;

	if (asprintf(&mapped, "/proc/%d/map_files/%" PRIx64 "-%" PRIx64, (int)pid, area->start,
		     area->end) < 0 ||
	    asprintf(&named, "/proc/%d/root%s", (int)pid, area->path) < 0)
		return false;
	return view_file(mapped, ret) || view_file(named, ret);
}

static json *read_modules(pid_t pid)
{
	json *modules = json_object_new_array();
	struct capture_areas areas = {0};

	hf_error_destroy(capture_read_maps(pid, NULL, &areas));
	hf_vec_foreach (area, &areas) {
		struct hf_elf_view view = {0};
		if (area->kind != CAPTURE_AREA_FILE || area->file_offset != 0 ||
		    !view_module(pid, area, &view))
			continue;
		json *module = json_object_new_object();
		char address[32];
		snprintf(address, sizeof(address), "0x%" PRIx64, area->start);
		put_text(module, "path", area->path);
		put_text(module, "address", address);
		put_build_id(module, &view);
		json_object_array_add(modules, module);
	}
	capture_areas_deinit(&areas);
	return modules;
}

/* ---- the cgroup ------------------------------------------------------------------------------ */

/* All memory.* files of the target's own level that can be read. */
static json *read_cgroup_files(const char *folder)
{
	json *files = json_object_new_object();
	DIR *dir = opendir(folder);

	for (struct dirent *entry; dir && (entry = readdir(dir));) {
		HF_AUTO(free_ptr) char *path = NULL;
		if (strncmp(entry->d_name, "memory.", 7) != 0 ||
		    strstr(entry->d_name, "slabinfo") || strstr(entry->d_name, "numa_stat"))
			continue;
		if (asprintf(&path, "%s/%s", folder, entry->d_name) < 0)
			break;
		HF_AUTO(free_ptr) char *text = capture_slurp(path, NULL);
		if (text)
			put_text(files, entry->d_name, text);
	}
	if (dir)
		closedir(dir);
	return files;
}

static void read_cgroup(struct capture_sidecar *sidecar)
{
	struct hf_cgroup cgroup;
	struct hf_cgroup_memory memory;
	json *object = NULL;

	hf_error_destroy(hf_cgroup_of(sidecar->pid, &cgroup));
	if (cgroup.path && hf_cgroup_memory(&cgroup, &memory)) {
		object = json_object_new_object();
		put_number(object, "version", (uint64_t)cgroup.version);
		put_text(object, "path", cgroup.path);
		put_text(object, "limiting_path", cgroup.limiting);
		if (memory.limit != HF_CGROUP_NO_LIMIT)
			put_number(object, "limit_bytes", memory.limit);
		else
			put_text(object, "limit_bytes", NULL);
		put_number(object, "usage_bytes", memory.usage);
		put_number(object, "cache_bytes", memory.cache);
		put_number(object, "high_events", memory.high_events);
		put_number(object, "oom_kills", memory.oom_kills);
		sidecar->cgroup_files = read_cgroup_files(cgroup.path);
	}
	hf_cgroup_deinit(&cgroup);
	sidecar->cgroup = object;
}

static void read_command(struct capture_sidecar *sidecar)
{
	char link[64], path[4096];
	size_t size = 0;

	snprintf(link, sizeof(link), "/proc/%d/exe", (int)sidecar->pid);
	ssize_t length = readlink(link, path, sizeof(path) - 1);
	path[length > 0 ? length : 0] = '\0';
	sidecar->executable = length > 0 ? strdup(path) : NULL;
	sidecar->arguments = capture_slurp_proc(sidecar->pid, "cmdline", &size);
	for (size_t i = 0; sidecar->arguments && i + 1 < size; i++) {
		if (!sidecar->arguments[i])
			sidecar->arguments[i] = ' ';
	}
}

void capture_sidecar_before(struct capture_sidecar *sidecar)
{
	if (!sidecar->modules)
		sidecar->modules = read_modules(sidecar->pid);
	if (!sidecar->smaps_rollup && !sidecar->request->at_exit)
		sidecar->smaps_rollup = capture_slurp_proc(sidecar->pid, "smaps_rollup", NULL);
}

void capture_sidecar_during(struct capture_sidecar *sidecar)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	sidecar->time_ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
	sidecar->status = capture_slurp_proc(sidecar->pid, "status", NULL);
	sidecar->maps = capture_slurp_proc(sidecar->pid, "maps", NULL);
	sidecar->limits = capture_slurp_proc(sidecar->pid, "limits", NULL);
	read_cgroup(sidecar);
	read_command(sidecar);
}

/* ---- the text -------------------------------------------------------------------------------- */

/* Lines of "Key:  value" as an object; "N kB" becomes the number of bytes. */
static json *parse_lines(const char *text)
{
	json *object = json_object_new_object();

	for (const char *line = text; line && *line;) {
		const char *colon = strchr(line, ':'), *end = strchrnul(line, '\n');
		if (colon && colon < end && !memchr(line, ' ', (size_t)(colon - line))) {
			HF_AUTO(free_ptr) char *key = strndup(line, (size_t)(colon - line));
			const char *value = colon + 1 + strspn(colon + 1, " \t");
			HF_AUTO(free_ptr)
			char *copy = value < end ? strndup(value, (size_t)(end - value)) : NULL;
			char *unit = copy;
			uint64_t number = copy ? strtoull(copy, &unit, 10) : 0;
			if (key && copy && unit > copy && !strcmp(unit, " kB"))
				put_number(object, key, number << 10);
			else if (key && copy)
				put_text(object, key, copy);
		}
		line = *end ? end + 1 : end;
	}
	return object;
}

static json *parse_array(const char *text)
{
	json *array = json_object_new_array();
	for (const char *line = text; line && *line;) {
		const char *end = strchrnul(line, '\n');
		json_object_array_add(array, json_object_new_string_len(line, (int)(end - line)));
		line = *end ? end + 1 : end;
	}
	return array;
}

/* "Max data size   1048576   unlimited   bytes": the soft limit. */
static void put_limit(json *object, const char *key, const char *text, const char *name)
{
	const char *line = text ? strstr(text, name) : NULL;
	char *end = NULL;
	uint64_t value = line ? strtoull(line + strlen(name), &end, 10) : 0;
	if (line && end != line + strlen(name) && (*end == ' ' || *end == '\t'))
		put_number(object, key, value);
	else
		put_text(object, key, NULL);
}

static void put_nspid(json *object, const char *status)
{
	json *array = json_object_new_array();
	const char *line = status ? strstr(status, "\nNSpid:") : NULL;

	for (char *at = line ? (char *)(uintptr_t)line + 7 : NULL; at;) {
		char *end;
		long pid = strtol(at, &end, 10);
		if (end == at || memchr(at, '\n', (size_t)(end - at)))
			break;
		json_object_array_add(array, json_object_new_int64(pid));
		at = end;
	}
	json_object_object_add(object, "nspid", array);
}

static json *process_object(const struct capture_sidecar *sidecar)
{
	json *object = json_object_new_object();
	uint64_t parent = 0, uid = 0;

	put_number(object, "pid", (uint64_t)sidecar->pid);
	put_nspid(object, sidecar->status);
	if (capture_field(sidecar->status, "PPid", &parent))
		put_number(object, "ppid", parent);
	if (capture_field(sidecar->status, "Uid", &uid))
		put_number(object, "uid", uid);
	hf_vec_foreach (thread, &sidecar->threads->list) {
		if (thread->tid == sidecar->pid)
			put_text(object, "name", thread->name);
	}
	put_text(object, "executable", sidecar->executable);
	put_text(object, "command_line", sidecar->arguments);
	put_number(object, "threads", sidecar->result->threads);
	put_number(object, "threads_missing", sidecar->result->threads_missing);
	return object;
}

static json *memory_object(const struct capture_sidecar *sidecar)
{
	const struct hf_snapshot_result *result = sidecar->result;
	json *object = json_object_new_object(), *skipped = json_object_new_object();

	put_number(object, "page_bytes", result->page_bytes);
	put_number(object, "memory_bytes", result->memory_bytes);
	for (int i = HF_SKIP_NONE + 1; i < HF_SKIP_REASONS; i++)
		put_number(skipped, hf_skip_reason_name((enum hf_skip_reason)i),
			   result->pages_skipped[i]);
	json_object_object_add(object, "pages_skipped", skipped);
	return object;
}

static const char *mode_name(const struct capture_request *request)
{
	static const char *const names[] = {"pause", "freeze", "no-pause"};
	return request->at_exit ? "exit" : names[request->options.mode];
}

static void put_time(json *object, int64_t time_ns)
{
	time_t seconds = (time_t)(time_ns / 1000000000);
	struct tm utc;
	char text[64] = "";
	if (gmtime_r(&seconds, &utc))
		strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &utc);
	put_text(object, "time", text);
	json_object_object_add(object, "time_ns", json_object_new_int64(time_ns));
}

static void put_head(json *object, const struct capture_sidecar *sidecar)
{
	const struct hf_snapshot_result *result = sidecar->result;
	struct utsname host;

	put_text(object, "schema", "heapforensics-snapshot/1");
	put_text(object, "version", HF_VERSION);
	put_text(object, "trigger", sidecar->request->trigger);
	put_text(object, "reason", sidecar->request->reason);
	put_text(object, "mode", mode_name(sidecar->request));
	put_time(object, sidecar->time_ns);
	if (uname(&host) == 0) {
		put_text(object, "host", host.nodename);
		put_text(object, "kernel", host.release);
	}
	put_bool(object, "consistent", result->consistent);
	put_bool(object, "complete", result->complete);
	put_bool(object, "killed", result->killed);
	json_object_object_add(object, "pause_seconds",
			       json_object_new_double(result->pause_seconds));
	json_object_object_add(object, "seconds", json_object_new_double(result->seconds));
}

struct hf_error *capture_sidecar_text(const struct capture_sidecar *sidecar, bool brief, char **ret)
{
	json *object = json_object_new_object(), *limits = json_object_new_object();

	put_head(object, sidecar);
	json_object_object_add(object, "process", process_object(sidecar));
	json_object_object_add(object, "memory", memory_object(sidecar));
	put_limit(limits, "data_bytes", sidecar->limits, "Max data size");
	put_limit(limits, "address_space_bytes", sidecar->limits, "Max address space");
	json_object_object_add(object, "limits", limits);
	json_object_object_add(object, "cgroup", json_object_get(sidecar->cgroup));
	json_object_object_add(object, "smaps_rollup", parse_lines(sidecar->smaps_rollup));
	if (!brief) {
		json_object_object_add(object, "cgroup_files",
				       json_object_get(sidecar->cgroup_files));
		json_object_object_add(object, "status", parse_lines(sidecar->status));
		json_object_object_add(object, "maps", parse_array(sidecar->maps));
		json_object_object_add(object, "modules", json_object_get(sidecar->modules));
	}
	const char *text = json_object_to_json_string_ext(
	    object, JSON_C_TO_STRING_NOSLASHESCAPE | (brief ? 0 : JSON_C_TO_STRING_PRETTY));
	char *copy = text ? strdup(text) : NULL;
	json_object_put(object);
	if (!copy)
		return hf_error_nomem();
	*ret = copy;
	return NULL;
}

void capture_sidecar_deinit(struct capture_sidecar *sidecar)
{
	free(sidecar->smaps_rollup);
	free(sidecar->status);
	free(sidecar->maps);
	free(sidecar->limits);
	free(sidecar->arguments);
	free(sidecar->executable);
	json_object_put(sidecar->cgroup);
	json_object_put(sidecar->cgroup_files);
	json_object_put(sidecar->modules);
}
