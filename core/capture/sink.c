/*
 * sink.c - buffers to the file, in a thread of its own, so that reading need not wait.
 *
 * Plain: each slot is written at its offset, past the page cache (O_DIRECT) where the file
 * system can, so that nothing is charged to the target's cgroup should we be in it; else
 * buffered, and dropped from the cache as we go.
 *
 * Compressed: slots come by ascending offset and go through one zstd stream; holes are fed as
 * zeros. The head is not known before the end, so it gets a frame of its own with raw blocks,
 * whose size is known beforehand:
 *
 *	|magic, header (6)|block header (3)|128 KiB raw|...| zstd frame of all the rest
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include "core/base/cleanup.h"
#include "core/capture/private.h"

enum { RAW_BLOCK = 128 << 10, FRAME_HEADER = 6, BLOCK_HEADER = 3, PAGE = 4096 };
enum { OUT_BYTES = 1 << 20, DROP_BYTES = 32 << 20 };

struct capture_sink {
	int fd;
	bool direct, zstd, reserved;
	bool named; /* it has a name in its folder: @path until it gets its own */
	char *path;
	pthread_t thread;
	bool running, ending;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct capture_slot slots[CAPTURE_SLOTS];
	bool taken[CAPTURE_SLOTS];		     /* by the reader, or waiting */
	struct capture_slot *waiting[CAPTURE_SLOTS]; /* a queue */
	unsigned waiting_count;
	bool writing;
	int error;		     /* errno of the first failed write; 0 */
	uint64_t head_bytes, raw_at; /* raw_at: bytes of content given to zstd */
	uint64_t file_at, dropped;   /* compressed: end of the file */
	ZSTD_CCtx *context;
	uint8_t *out, *zeros;
};

/* ---- writing (in the thread) ----------------------------------------------------------------- */

static int write_all(struct capture_sink *sink, const uint8_t *data, size_t size, uint64_t offset)
{
	while (size) {
		ssize_t done = pwrite(sink->fd, data, size, (off_t)offset);
		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0 && errno == EINVAL && sink->direct) {
			sink->direct = false;
			fcntl(sink->fd, F_SETFL, 0);
			continue;
		}
		if (done <= 0)
			return done < 0 ? errno : ENOSPC;
		data += done;
		size -= (size_t)done;
		offset += (uint64_t)done;
		if (size % PAGE && sink->direct) {
			sink->direct = false;
			fcntl(sink->fd, F_SETFL, 0);
		}
	}
	return 0;
}

/* Buffered: start writing back what was written, drop from the cache what came before. */
static void drop_cache(struct capture_sink *sink, uint64_t end)
{
	if (sink->direct || end < sink->dropped + DROP_BYTES)
		return;
	off_t from = (off_t)sink->dropped, size = (off_t)(end - sink->dropped);
	sync_file_range(sink->fd, from, size,
			SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
			    SYNC_FILE_RANGE_WAIT_AFTER);
	posix_fadvise(sink->fd, from, size, POSIX_FADV_DONTNEED);
	sink->dropped = end;
}

static int compress(struct capture_sink *sink, const uint8_t *data, size_t size,
		    ZSTD_EndDirective mode)
{
	ZSTD_inBuffer in = {data, size, 0};
	size_t left;
	do {
		ZSTD_outBuffer out = {sink->out, OUT_BYTES, 0};
		left = ZSTD_compressStream2(sink->context, &out, &in, mode);
		if (ZSTD_isError(left))
			return EIO;
		int error = write_all(sink, sink->out, out.pos, sink->file_at);
		if (error)
			return error;
		sink->file_at += out.pos;
	} while (in.pos < in.size || (mode == ZSTD_e_end && left));
	drop_cache(sink, sink->file_at);
	return 0;
}

static int compress_zeros(struct capture_sink *sink, uint64_t until)
{
	int error = 0;
	while (!error && sink->raw_at < until) {
		uint64_t size = until - sink->raw_at;
		size = size < CAPTURE_SLOT_BYTES ? size : CAPTURE_SLOT_BYTES;
		error = compress(sink, sink->zeros, size, ZSTD_e_continue);
		sink->raw_at += size;
	}
	return error;
}

static int write_slot(struct capture_sink *sink, const struct capture_slot *slot)
{
	if (!sink->zstd) {
		int error = write_all(sink, slot->data, slot->size, slot->offset);
		drop_cache(sink, slot->offset + slot->size);
		return error;
	}
	int error = compress_zeros(sink, slot->offset);
	if (!error)
		error = compress(sink, slot->data, slot->size, ZSTD_e_continue);
	sink->raw_at += slot->size;
	return error;
}

static void *run_sink(void *arg)
{
	struct capture_sink *sink = arg;

	pthread_mutex_lock(&sink->lock);
	for (;;) {
		while (!sink->waiting_count && !sink->ending)
			pthread_cond_wait(&sink->changed, &sink->lock);
		if (!sink->waiting_count)
			break;
		struct capture_slot *slot = sink->waiting[0];
		sink->waiting_count--;
		memmove(sink->waiting, sink->waiting + 1,
			sink->waiting_count * sizeof(*sink->waiting));
		sink->writing = true;
		int error = sink->error;
		pthread_mutex_unlock(&sink->lock);
		if (!error)
			error = write_slot(sink, slot);
		pthread_mutex_lock(&sink->lock);
		sink->error = error;
		sink->writing = false;
		sink->taken[slot - sink->slots] = false;
		pthread_cond_broadcast(&sink->changed);
	}
	pthread_mutex_unlock(&sink->lock);
	return NULL;
}

/* ---- life ------------------------------------------------------------------------------------ */

static bool init_zstd(struct capture_sink *sink)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	sink->context = ZSTD_createCCtx();
	sink->out = malloc(OUT_BYTES);
	sink->zeros = calloc(1, CAPTURE_SLOT_BYTES);
	if (!sink->context || !sink->out || !sink->zeros)
		return false;
	ZSTD_CCtx_setParameter(sink->context, ZSTD_c_compressionLevel, 1);
	ZSTD_CCtx_setParameter(sink->context, ZSTD_c_nbWorkers, cpus > 4 ? 4 : (int)cpus);
	return true;
}

static bool init_buffers(struct capture_sink *sink)
{
	for (int i = 0; i < CAPTURE_SLOTS; i++) {
		sink->slots[i].data = aligned_alloc(PAGE, CAPTURE_SLOT_BYTES);
		if (!sink->slots[i].data)
			return false;
		memset(sink->slots[i].data, 0, CAPTURE_SLOT_BYTES);
	}
	return !sink->zstd || init_zstd(sink);
}

/* The sink's thread takes no signals: they are the caller's. */
static int start_thread(struct capture_sink *sink)
{
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int error = pthread_create(&sink->thread, NULL, run_sink, sink);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	sink->running = error == 0;
	return error;
}

static int try_open(struct capture_sink *sink, int flags)
{
	HF_AUTO(free_ptr) char *folder = strdup(sink->path);
	int fd =
	    folder ? open(dirname(folder), O_WRONLY | O_TMPFILE | O_CLOEXEC | flags, 0600) : -1;

	sink->named = fd < 0;
	if (fd < 0)
		fd = open(sink->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW | flags,
			  0600);
	if (fd < 0 && errno == EINVAL)
		unlink(sink->path); /* some file systems create first and refuse O_DIRECT then */
	return fd;
}

/* A file without a name leaves nothing behind, however we end. */
static void open_file(struct capture_sink *sink)
{
	if (!sink->zstd)
		sink->fd = try_open(sink, O_DIRECT);
	sink->direct = sink->fd >= 0;
	if (sink->fd < 0)
		sink->fd = try_open(sink, 0);
}

struct hf_error *capture_sink_name(struct capture_sink *sink, const char *path)
{
	char link[64];

	snprintf(link, sizeof(link), "/proc/self/fd/%d", sink->fd);
	if (!sink->named && linkat(AT_FDCWD, link, AT_FDCWD, sink->path, AT_SYMLINK_FOLLOW) != 0)
		return hf_error_errno(errno, "%s", sink->path);
	sink->named = true;
	if (rename(sink->path, path) != 0)
		return hf_error_errno(errno, "%s", path);
	sink->named = false;
	return NULL;
}

struct hf_error *capture_sink_create(const char *path, bool zstd, struct capture_sink **ret)
{
	struct capture_sink *sink = calloc(1, sizeof(*sink));

	if (!sink)
		return hf_error_nomem();
	pthread_mutex_init(&sink->lock, NULL);
	pthread_cond_init(&sink->changed, NULL);
	sink->zstd = zstd;
	sink->fd = -1;
	sink->path = strdup(path);
	if (!sink->path || !init_buffers(sink)) {
		capture_sink_destroy(sink);
		return hf_error_nomem();
	}
	open_file(sink);
	int error = sink->fd < 0 ? errno : start_thread(sink);
	if (error) {
		capture_sink_destroy(sink);
		return hf_error_errno(error, "%s", path);
	}
	*ret = sink;
	return NULL;
}

struct hf_error *capture_sink_reserve(struct capture_sink *sink, uint64_t bytes)
{
	if (fallocate(sink->fd, 0, 0, (off_t)bytes) != 0)
		return errno == EOPNOTSUPP ? NULL : hf_error_errno(errno, "%s", sink->path);
	sink->reserved = true;
	return NULL;
}

void capture_sink_start(struct capture_sink *sink, uint64_t head_bytes)
{
	uint64_t blocks = (head_bytes + RAW_BLOCK - 1) / RAW_BLOCK;
	sink->head_bytes = sink->raw_at = head_bytes;
	sink->file_at = FRAME_HEADER + blocks * BLOCK_HEADER + head_bytes;
}

struct capture_slot *capture_sink_slot(struct capture_sink *sink)
{
	struct capture_slot *slot = NULL;

	pthread_mutex_lock(&sink->lock);
	while (!slot && !sink->error) {
		for (int i = 0; i < CAPTURE_SLOTS && !slot; i++) {
			if (!sink->taken[i])
				slot = &sink->slots[i];
		}
		if (!slot)
			pthread_cond_wait(&sink->changed, &sink->lock);
	}
	if (slot)
		sink->taken[slot - sink->slots] = true;
	pthread_mutex_unlock(&sink->lock);
	return slot;
}

void capture_sink_submit(struct capture_sink *sink, struct capture_slot *slot)
{
	pthread_mutex_lock(&sink->lock);
	sink->waiting[sink->waiting_count++] = slot;
	pthread_cond_broadcast(&sink->changed);
	pthread_mutex_unlock(&sink->lock);
}

struct hf_error *capture_sink_drain(struct capture_sink *sink)
{
	pthread_mutex_lock(&sink->lock);
	while (sink->waiting_count || sink->writing)
		pthread_cond_wait(&sink->changed, &sink->lock);
	int error = sink->error;
	pthread_mutex_unlock(&sink->lock);
	return error ? hf_error_errno(error, "%s", sink->path) : NULL;
}

static int write_raw_frame(struct capture_sink *sink, const uint8_t *head)
{
	static const uint8_t frame[FRAME_HEADER] = {0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x38};
	uint64_t at = FRAME_HEADER;
	int error = write_all(sink, frame, sizeof(frame), 0);

	for (uint64_t done = 0; !error && done < sink->head_bytes;) {
		uint64_t size = sink->head_bytes - done;
		size = size < RAW_BLOCK ? size : RAW_BLOCK;
		uint32_t word = (uint32_t)size << 3 | (done + size == sink->head_bytes);
		uint8_t block[BLOCK_HEADER] = {(uint8_t)word, (uint8_t)(word >> 8),
					       (uint8_t)(word >> 16)};
		error = write_all(sink, block, sizeof(block), at);
		if (!error)
			error = write_all(sink, head + done, size, at + BLOCK_HEADER);
		at += BLOCK_HEADER + size;
		done += size;
	}
	return error;
}

static int finish_zstd(struct capture_sink *sink, const uint8_t *head, uint64_t file_bytes)
{
	int error = compress_zeros(sink, file_bytes);
	if (!error)
		error = compress(sink, NULL, 0, ZSTD_e_end);
	return error ? error : write_raw_frame(sink, head);
}

struct hf_error *capture_sink_finish(struct capture_sink *sink, const void *head,
				     uint64_t file_bytes, uint64_t *ret_bytes)
{
	struct stat st;
	struct hf_error *err = capture_sink_drain(sink);
	if (err)
		return err;
	int error = sink->zstd ? finish_zstd(sink, head, file_bytes)
			       : write_all(sink, head, sink->head_bytes, 0);
	if (!error && !sink->zstd && ftruncate(sink->fd, (off_t)file_bytes) != 0)
		error = errno;
	if (!error && fdatasync(sink->fd) != 0)
		error = errno;
	if (!error && fstat(sink->fd, &st) != 0)
		error = errno;
	if (error)
		return hf_error_errno(error, "%s", sink->path);
	*ret_bytes = (uint64_t)st.st_blocks * 512;
	return NULL;
}

void capture_sink_punch(struct capture_sink *sink, uint64_t start, uint64_t end)
{
	if (sink->reserved && start < end)
		fallocate(sink->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)start,
			  (off_t)(end - start));
}

int capture_sink_fd(const struct capture_sink *sink)
{
	return sink->fd;
}

void capture_sink_keep_fd(struct capture_sink *sink)
{
	sink->fd = -1;
}

const char *capture_sink_path(const struct capture_sink *sink)
{
	return sink->path;
}

void capture_sink_destroy(struct capture_sink *sink)
{
	if (!sink)
		return;
	if (sink->running) {
		pthread_mutex_lock(&sink->lock);
		sink->ending = true;
		pthread_cond_broadcast(&sink->changed);
		pthread_mutex_unlock(&sink->lock);
		pthread_join(sink->thread, NULL);
	}
	if (sink->named)
		unlink(sink->path);
	if (sink->fd >= 0)
		close(sink->fd);
	for (int i = 0; i < CAPTURE_SLOTS; i++)
		free(sink->slots[i].data);
	ZSTD_freeCCtx(sink->context);
	free(sink->out);
	free(sink->zeros);
	free(sink->path);
	pthread_cond_destroy(&sink->changed);
	pthread_mutex_destroy(&sink->lock);
	free(sink);
}
