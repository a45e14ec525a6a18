/*
 * stash.c - writing and mapping files of sections (see stash.h).
 *
 * The writer's file has no name until it is whole (O_TMPFILE), so that a writer that is killed
 * leaves nothing; then it is called "PATH.XXXXXX", and rename(2) gives it its name. On file systems
 * that cannot do that it is called so from the beginning. Its writer holds a lock on it (flock(2)):
 * what nobody holds was left behind by one that was killed, and the next writer removes it.
 * XXH64: Collet, the xxHash specification.
 */
#include "core/base/stash.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <xxhash.h>

#include "core/base/cleanup.h"
#include "core/base/vec.h"

#define STASH_MAGIC UINT64_C(0x3153415453464865) /* "eHFSTAS1" in memory order */

enum { STASH_VERSION = 4, ALIGN = 64, MAX_SECTIONS = 1024, MAX_TRIES = 100, SUFFIX = 6 };
enum { PIECE = 512 << 10 };

struct header {
	uint64_t magic;
	uint32_t version, sections;
	uint64_t table;	 /* offset */
	uint64_t bytes;	 /* of the whole file */
	int64_t seconds; /* the file's modification time */
	uint32_t nanoseconds;
	uint32_t boot; /* of the machine, when it was written: this_boot() */
	uint64_t table_sum;
	uint64_t sum; /* of what stands before it */
};

/* No byte between it and the first section that no checksum knows. */
_Static_assert(sizeof(struct header) % ALIGN == 0, "the first section follows the header");

struct section {
	char name[HF_STASH_NAME];
	uint64_t offset, bytes, sum;
};

struct hf_stash_writer {
	char *path, *temporary;
	int fd;
	bool named; /* the file is called `temporary` */
	uint64_t at;
	HF_VEC(, struct section) sections;
	XXH64_state_t *state;
	struct hf_error *err; /* the first one */
};

struct hf_stash {
	const uint8_t *data;
	uint64_t bytes;
	const struct section *sections;
	uint32_t count;
};

/*
 * A number for the time since the machine was started; 0 where it cannot be told. What was written
 * before may have been lost in part when the power failed, and the time of the file not.
 */
static uint32_t this_boot(void)
{
	char id[64];
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? 0 : read(fd, id, sizeof(id));

	if (fd >= 0)
		close(fd);
	return got > 0 ? (uint32_t)XXH64(id, (size_t)got, 0) : 0;
}

/* ---- writing --------------------------------------------------------------------------------- */

static void put(struct hf_stash_writer *writer, const void *data, size_t bytes)
{
	const uint8_t *from = data;

	while (bytes && !writer->err) {
		ssize_t done = write(writer->fd, from, bytes < (1 << 30) ? bytes : 1 << 30);
		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0) {
			writer->err = hf_error_errno(done ? errno : ENOSPC, "%s", writer->path);
			return;
		}
		from += done;
		bytes -= (size_t)done;
		writer->at += (size_t)done;
	}
}

static void align(struct hf_stash_writer *writer)
{
	static const uint8_t zeros[ALIGN];
	put(writer, zeros, (ALIGN - writer->at % ALIGN) % ALIGN);
}

/* The section that is being written has its checksum now. */
static void end_section(struct hf_stash_writer *writer)
{
	if (!writer->sections.count)
		return;
	struct section *last = &writer->sections.data[writer->sections.count - 1];
	last->bytes = writer->at - last->offset;
	last->sum = XXH64_digest(writer->state);
}

/* Is @name one of our temporaries? */
static bool is_temporary(const struct hf_stash_writer *writer, const char *name)
{
	const char *slash = strrchr(writer->temporary, '/');
	const char *own = slash ? slash + 1 : writer->temporary;
	size_t length = strlen(own) - SUFFIX;

	return strlen(name) == length + SUFFIX && !strncmp(name, own, length);
}

/* Remove the temporaries of writers that are no more. */
static void remove_left_behind(const struct hf_stash_writer *writer, const char *folder)
{
	DIR *dir = opendir(folder);

	for (struct dirent *entry = dir ? readdir(dir) : NULL; entry; entry = readdir(dir)) {
		if (!is_temporary(writer, entry->d_name))
			continue;
		int fd = openat(dirfd(dir), entry->d_name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
		if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
			unlinkat(dirfd(dir), entry->d_name, 0);
		if (fd >= 0)
			close(fd);
	}
	if (dir)
		closedir(dir);
}

static int open_file(struct hf_stash_writer *writer)
{
	HF_AUTO(free_ptr) char *copy = strdup(writer->path);
	const char *folder = copy ? dirname(copy) : NULL;
	int fd = -1;

	if (folder) {
		remove_left_behind(writer, folder);
		fd = open(folder, O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
	}
	writer->named = fd < 0;
	if (fd < 0)
		fd = mkostemp(writer->temporary, O_CLOEXEC);
	if (fd >= 0)
		(void)flock(fd, LOCK_EX | LOCK_NB); /* without it, another may throw it away */
	return fd;
}

/* Give a file without a name that of the temporary; the X are numbers that nobody else has. */
static bool name_file(struct hf_stash_writer *writer)
{
	char own[32];
	struct timespec now;

	if (writer->named)
		return true;
	snprintf(own, sizeof(own), "/proc/self/fd/%d", writer->fd);
	for (unsigned tries = 0; tries < MAX_TRIES && !writer->named; tries++) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		uint64_t number = ((uint64_t)now.tv_nsec << 8 | tries) ^ (uint64_t)getpid() << 20;
		char *end = writer->temporary + strlen(writer->temporary) - SUFFIX;
		for (unsigned i = 0; i < SUFFIX; i++, number /= 26)
			end[i] = (char)('a' + number % 26);
		writer->named =
		    linkat(AT_FDCWD, own, AT_FDCWD, writer->temporary, AT_SYMLINK_FOLLOW) == 0;
		if (!writer->named && errno != EEXIST)
			return false;
	}
	return writer->named;
}

struct hf_error *hf_stash_create(const char *path, struct hf_stash_writer **ret)
{
	static const struct header none;
	struct hf_stash_writer *writer = calloc(1, sizeof(*writer));

	if (!writer)
		return hf_error_nomem();
	writer->fd = -1;
	writer->path = strdup(path);
	writer->state = XXH64_createState();
	if (!writer->path || !writer->state ||
	    asprintf(&writer->temporary, "%s.XXXXXX", path) < 0) {
		writer->temporary = NULL;
		hf_stash_abort(writer);
		return hf_error_nomem();
	}
	writer->fd = open_file(writer);
	if (writer->fd < 0) {
		struct hf_error *err = hf_error_errno(errno, "%s", path);
		hf_stash_abort(writer);
		return err;
	}
	put(writer, &none, sizeof(none));
	*ret = writer;
	return NULL;
}

void hf_stash_begin(struct hf_stash_writer *writer, const char *name)
{
	struct section section = {{0}, 0, 0, 0};

	end_section(writer);
	align(writer);
	section.offset = writer->at;
	snprintf(section.name, sizeof(section.name), "%s", name);
	if (!writer->err &&
	    (writer->sections.count >= MAX_SECTIONS || !hf_vec_push(&writer->sections, section)))
		writer->err = hf_error_nomem();
	XXH64_reset(writer->state, 0);
}

void hf_stash_append(struct hf_stash_writer *writer, const void *data, size_t bytes)
{
	const uint8_t *from = data;

	/* Piece by piece: what the checksum has read is in the cache when it is written. */
	for (size_t piece; bytes; from += piece, bytes -= piece) {
		piece = bytes < PIECE ? bytes : PIECE;
		XXH64_update(writer->state, from, piece);
		put(writer, from, piece);
	}
}

void hf_stash_add(struct hf_stash_writer *writer, const char *name, const void *data, size_t bytes)
{
	hf_stash_begin(writer, name);
	hf_stash_append(writer, data, bytes);
}

/* The table, then the header with the time that the file gets. */
static void finish(struct hf_stash_writer *writer)
{
	struct timespec now;
	struct header header = {.magic = STASH_MAGIC, .version = STASH_VERSION};
	size_t table_bytes = writer->sections.count * sizeof(struct section);

	end_section(writer);
	align(writer);
	header.table = writer->at;
	header.sections = (uint32_t)writer->sections.count;
	header.table_sum = XXH64(writer->sections.data, table_bytes, 0);
	put(writer, writer->sections.data, table_bytes);
	header.bytes = writer->at;
	clock_gettime(CLOCK_REALTIME, &now);
	header.seconds = now.tv_sec;
	header.nanoseconds = (uint32_t)now.tv_nsec;
	header.boot = this_boot();
	header.sum = XXH64(&header, offsetof(struct header, sum), 0);
	if (writer->err)
		return;
	struct timespec times[2] = {now, now};
	if (pwrite(writer->fd, &header, sizeof(header), 0) != (ssize_t)sizeof(header) ||
	    futimens(writer->fd, times) || !name_file(writer) ||
	    rename(writer->temporary, writer->path))
		writer->err = hf_error_errno(errno, "%s", writer->path);
}

static void release(struct hf_stash_writer *writer)
{
	if (writer->fd >= 0)
		close(writer->fd);
	free(writer->path);
	free(writer->temporary);
	hf_vec_free(&writer->sections);
	XXH64_freeState(writer->state);
	free(writer);
}

struct hf_error *hf_stash_commit(struct hf_stash_writer *writer)
{
	struct hf_error *err;

	finish(writer);
	err = writer->err;
	if (err && writer->named)
		unlink(writer->temporary);
	release(writer);
	return err;
}

void hf_stash_abort(struct hf_stash_writer *writer)
{
	if (!writer)
		return;
	hf_error_destroy(writer->err);
	if (writer->fd >= 0 && writer->named)
		unlink(writer->temporary);
	release(writer);
}

/* ---- reading --------------------------------------------------------------------------------- */

/* Header and table hold together, and every section lies in the file. */
static bool sound(const struct hf_stash *stash, const struct header *header)
{
	const struct section *sections = (const void *)(stash->data + header->table);

	if (header->sum != XXH64(header, offsetof(struct header, sum), 0) ||
	    header->version != STASH_VERSION || header->bytes != stash->bytes ||
	    header->table % ALIGN || header->table > stash->bytes ||
	    header->sections > MAX_SECTIONS ||
	    header->sections * sizeof(struct section) != stash->bytes - header->table ||
	    header->table_sum != XXH64(sections, header->sections * sizeof(struct section), 0))
		return false;
	for (uint32_t i = 0; i < header->sections; i++) {
		if (sections[i].offset % ALIGN || sections[i].offset > stash->bytes ||
		    sections[i].bytes > stash->bytes - sections[i].offset ||
		    sections[i].name[HF_STASH_NAME - 1])
			return false;
	}
	return true;
}

static bool checksums_hold(const struct hf_stash *stash)
{
	for (uint32_t i = 0; i < stash->count; i++) {
		const struct section *section = &stash->sections[i];
		if (XXH64(stash->data + section->offset, section->bytes, 0) != section->sum)
			return false;
	}
	return true;
}

static struct hf_error *map(struct hf_stash *stash, int fd, const char *path)
{
	struct stat about;

	if (fstat(fd, &about))
		return hf_error_errno(errno, "%s", path);
	if (!S_ISREG(about.st_mode) || about.st_uid != geteuid())
		return hf_error_create(HF_ERR_FORMAT, "%s: not a file of ours", path);
	if ((uint64_t)about.st_size < sizeof(struct header))
		return hf_error_create(HF_ERR_FORMAT, "%s: cut off", path);
	stash->bytes = (uint64_t)about.st_size;
	void *data = mmap(NULL, stash->bytes, PROT_READ, MAP_SHARED, fd, 0);
	if (data == MAP_FAILED)
		return hf_error_errno(errno, "%s", path);
	stash->data = data;
	const struct header *header = data;
	if (header->magic != STASH_MAGIC || !sound(stash, header))
		return hf_error_create(HF_ERR_FORMAT, "%s: damaged, or of another version", path);
	stash->sections = (const void *)(stash->data + header->table);
	stash->count = header->sections;
	bool untouched = about.st_mtim.tv_sec == header->seconds &&
			 about.st_mtim.tv_nsec == header->nanoseconds &&
			 header->boot == this_boot();
	if (!untouched && !checksums_hold(stash))
		return hf_error_create(HF_ERR_FORMAT, "%s: damaged", path);
	return NULL;
}

struct hf_error *hf_stash_open(const char *path, struct hf_stash **ret)
{
	struct hf_stash *stash;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return errno == ENOENT ? hf_error_create(HF_ERR_NOT_FOUND, "%s: none", path)
				       : hf_error_errno(errno, "%s", path);
	stash = calloc(1, sizeof(*stash));
	struct hf_error *err = stash ? map(stash, fd, path) : hf_error_nomem();
	close(fd);
	if (err)
		hf_stash_close(stash);
	else
		*ret = stash;
	return err;
}

void hf_stash_close(struct hf_stash *stash)
{
	if (!stash)
		return;
	if (stash->data)
		munmap((void *)stash->data, stash->bytes);
	free(stash);
}

const void *hf_stash_get(const struct hf_stash *stash, const char *name, size_t *ret_bytes)
{
	for (uint32_t i = 0; i < stash->count; i++) {
		if (strcmp(stash->sections[i].name, name))
			continue;
		*ret_bytes = stash->sections[i].bytes;
		return stash->data + stash->sections[i].offset;
	}
	return NULL;
}

const void *hf_stash_array(const struct hf_stash *stash, const char *name, size_t count,
			   size_t size)
{
	size_t bytes = 0;
	const void *data = hf_stash_get(stash, name, &bytes);

	return data && size && bytes / size == count && bytes % size == 0 ? data : NULL;
}
