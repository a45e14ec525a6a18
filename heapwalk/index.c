/*
 * index.c - finding, checking and beginning index files (see index.h).
 *
 * Invariant: nothing here trusts a file's content before its identity and the files that it was
 * made from have been compared.
 */
#include "heapwalk/index.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <xxhash.h>

#include "core/base/cleanup.h"
#include "heapwalk/index_private.h"

/* ---- identities ------------------------------------------------------------------------------ */

/* "WHAT device:inode:size:mtime\n", or "WHAT -\n". */
static void add_identity(FILE *to, const char *what, const char *path)
{
	struct stat about;

	if (!path || stat(path, &about))
		fprintf(to, "%s -\n", what);
	else
		fprintf(to, "%s %" PRIx64 ":%" PRIu64 ":%" PRIu64 ":%" PRIu64 ".%09ld\n", what,
			(uint64_t)about.st_dev, (uint64_t)about.st_ino, (uint64_t)about.st_size,
			(uint64_t)about.st_mtim.tv_sec, about.st_mtim.tv_nsec);
}

static char *identity_of(const struct hf_index_options *options,
			 const struct hf_process_options *process)
{
	char *text = NULL;
	size_t bytes = 0;
	FILE *to = open_memstream(&text, &bytes);

	if (!to)
		return NULL;
	fprintf(to, "heapforensics %s\n", HF_VERSION);
	add_identity(to, "tool", "/proc/self/exe");
	add_identity(to, "core", process->core);
	add_identity(to, "program", process->executable);
	fprintf(to,
		"sysroot %s\ndebuginfo %s\nurls %s\nroots %" PRIx32 " heuristics %" PRIx32
		" frames %" PRIu32 "\n",
		process->sysroot ? process->sysroot : "",
		process->debuginfo_path ? process->debuginfo_path : "",
		getenv("DEBUGINFOD_URLS") ? getenv("DEBUGINFOD_URLS") : "", options->root_kinds,
		options->heuristics, options->max_frames);
	if (fclose(to)) {
		free(text);
		return NULL;
	}
	return text;
}

/* A line a file: "device:inode:size:mtime PATH", or "- PATH" for one that is not there. */
static void add_file(FILE *to, const char *path)
{
	char name[PATH_BYTES];

	snprintf(name, sizeof(name), "%s", path);
	add_identity(to, "", path);
	fprintf(to, "%s\n", name);
}

/* Where a debug file would be that the module does without. */
static void add_missing_debug(FILE *to, const struct hf_module *module)
{
	char path[PATH_BYTES];
	int at =
	    snprintf(path, sizeof(path), "/usr/lib/debug/.build-id/%02x/", module->build_id[0]);

	for (unsigned i = 1; i < module->build_id_bytes; i++)
		at += snprintf(path + at, sizeof(path) - (size_t)at, "%02x", module->build_id[i]);
	snprintf(path + at, sizeof(path) - (size_t)at, ".debug");
	add_file(to, path);
}

static char *files_of(const struct hf_process *process, struct hf_symbols *symbols)
{
	char *text = NULL;
	size_t bytes = 0;
	FILE *to = open_memstream(&text, &bytes);

	if (!to)
		return NULL;
	hf_vec_foreach (module, &process->modules) {
		uint32_t number = (uint32_t)(module - process->modules.data);
		const char *debug = hf_symbols_debug_file(symbols, number);
		const char *file = module->file ? module->file : module->path;
		if (file && *file == '/')
			add_file(to, file);
		if (debug)
			add_file(to, debug);
		else if (module->build_id_bytes && !module->has_dwarf)
			add_missing_debug(to, module);
	}
	if (fclose(to)) {
		free(text);
		return NULL;
	}
	return text;
}

/* Are the files that @text (from an index) lists as they were? */
static bool files_agree(const char *text, size_t bytes)
{
	HF_AUTO(free_ptr) char *now = NULL;
	size_t now_bytes = 0, at = 0;
	FILE *to = open_memstream(&now, &now_bytes);

	if (!to)
		return false;
	/* Two lines a file: its identity, its path. */
	while (at < bytes) {
		const char *end = memchr(text + at, '\n', bytes - at);
		const char *path = end ? end + 1 : NULL;
		const char *stop = path ? memchr(path, '\n', (size_t)(text + bytes - path)) : NULL;
		char name[PATH_BYTES];
		if (!stop || (size_t)(stop - path) >= sizeof(name))
			break;
		memcpy(name, path, (size_t)(stop - path));
		name[stop - path] = '\0';
		add_file(to, name);
		at = (size_t)(stop + 1 - text);
	}
	return fclose(to) == 0 && at == bytes && now_bytes == bytes && !memcmp(now, text, bytes);
}

/* ---- where ----------------------------------------------------------------------------------- */

static char *default_folder(const char *given)
{
	const char *home = getenv("HOME"), *cache = getenv("XDG_CACHE_HOME");
	const char *own = getenv("HEAPFORENSICS_INDEX");
	char *folder = NULL;
	int length = -1;

	if (given || (own && *own))
		return strdup(given ? given : own);
	if (cache && *cache == '/')
		length = asprintf(&folder, "%s/heapforensics", cache);
	else if (home && *home == '/')
		length = asprintf(&folder, "%s/.cache/heapforensics", home);
	return length < 0 ? NULL : folder;
}

struct hf_error *hf_index_locate(const struct hf_index_options *options,
				 const struct hf_process_options *process, struct hf_index **ret)
{
	struct stat about;
	struct hf_index *index;

	*ret = NULL;
	if (options->mode == HF_INDEX_OFF || !process->core || stat(process->core, &about) ||
	    !S_ISREG(about.st_mode))
		return NULL;
	index = calloc(1, sizeof(*index));
	if (!index)
		return hf_error_nomem();
	index->max_bytes = options->max_bytes ? options->max_bytes : HF_INDEX_MAX_BYTES;
	index->root = default_folder(options->folder);
	index->identity = identity_of(options, process);
	if (!index->root || !index->identity ||
	    asprintf(&index->folder, "%s/%016" PRIx64, index->root,
		     (uint64_t)XXH64(index->identity, strlen(index->identity), 0)) < 0) {
		index->folder = NULL;
		hf_index_destroy(index);
		return NULL; /* no home */
	}
	*ret = index;
	return NULL;
}

void hf_index_destroy(struct hf_index *index)
{
	if (!index)
		return;
	free(index->root);
	free(index->folder);
	free(index->identity);
	free(index);
}

const char *hf_index_folder(const struct hf_index *index)
{
	return index->folder;
}

/* ---- files ----------------------------------------------------------------------------------- */

static char *path_of(const struct hf_index *index, const char *name)
{
	char *path = NULL;
	return asprintf(&path, "%s/%s", index->folder, name) < 0 ? NULL : path;
}

/* The folder is of use now. */
static void touch(const struct hf_index *index)
{
	HF_AUTO(free_ptr) char *path = path_of(index, "used");
	HF_AUTO(close_fd)
	int fd = path ? open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600) : -1;

	if (fd >= 0)
		(void)futimens(fd, NULL);
}

static bool agrees(const struct hf_index *index, const struct hf_stash *stash)
{
	size_t identity = 0, files = 0;
	const char *text = hf_stash_get(stash, "identity", &identity);
	const char *list = hf_stash_get(stash, "files", &files);

	return text && list && identity == strlen(index->identity) &&
	       !memcmp(text, index->identity, identity) && files_agree(list, files);
}

struct hf_error *hf_index_open(const struct hf_index *index, const char *name,
			       struct hf_stash **ret)
{
	HF_AUTO(free_ptr) char *path = path_of(index, name);
	struct hf_stash *stash = NULL;

	*ret = NULL;
	if (!path)
		return hf_error_nomem();
	struct hf_error *err = hf_stash_open(path, &stash);
	if (err && hf_error_code(err) == HF_ERR_NOMEM)
		return err;
	if (err) {
		/* Damaged, foreign or none: it is made anew. */
		hf_error_destroy(err);
		return NULL;
	}
	if (!agrees(index, stash)) {
		hf_stash_close(stash);
		return NULL;
	}
	touch(index);
	*ret = stash;
	return NULL;
}

/* mkdir -p, for ourselves only. */
static struct hf_error *make_folders(const char *path)
{
	HF_AUTO(free_ptr) char *part = strdup(path);

	if (!part)
		return hf_error_nomem();
	for (char *at = part + 1;; at++) {
		char was = *at;
		if (was != '/' && was != '\0')
			continue;
		*at = '\0';
		if (mkdir(part, 0700) && errno != EEXIST)
			return hf_error_errno(errno, "%s", part);
		*at = was;
		if (!was)
			return NULL;
	}
}

static struct hf_error *create(const struct hf_index *index, const char *name, const char *files,
			       size_t bytes, struct hf_stash_writer **ret)
{
	HF_AUTO(free_ptr) char *path = path_of(index, name);
	struct hf_stash_writer *writer = NULL;

	if (!path)
		return hf_error_nomem();
	struct hf_error *err = make_folders(index->folder);
	if (!err)
		err = hf_stash_create(path, &writer);
	if (err)
		return err;
	hf_stash_add(writer, "identity", index->identity, strlen(index->identity));
	hf_stash_add(writer, "files", files, bytes);
	touch(index);
	*ret = writer;
	return NULL;
}

struct hf_error *hf_index_create(const struct hf_index *index, const struct hf_process *process,
				 struct hf_symbols *symbols, const char *name,
				 struct hf_stash_writer **ret)
{
	HF_AUTO(free_ptr) char *files = files_of(process, symbols);
	return files ? create(index, name, files, strlen(files), ret) : hf_error_nomem();
}

struct hf_error *hf_index_create_beside(const struct hf_index *index, const struct hf_stash *arrays,
					const char *name, struct hf_stash_writer **ret)
{
	size_t bytes = 0;
	const char *files = hf_stash_get(arrays, "files", &bytes);
	return create(index, name, files ? files : "", bytes, ret);
}
