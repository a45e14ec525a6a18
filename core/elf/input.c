/*
 * input.c - opening a core file, compressed or not (see input.h).
 *
 * Invariant: the mapping is private and read-only, holes of the file are anonymous memory. A file
 * that shrinks under us would raise SIGBUS; cores do not shrink, and a pipe or device is refused.
 */
#include "core/elf/input.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/cleanup.h"
#include "core/elf/decompress.h"
#include "core/elf/spill.h"

enum {
	BIG_HOLE = 1 << 20,
	MAX_HOLES = 16384, /* a process may have 65,530 mappings */
};

struct spill {
	int fd;
	uint64_t size;
	int write_error;
	const struct hf_progress *progress;
};

static bool spill_piece(void *ctx, const uint8_t *data, size_t size)
{
	struct spill *spill = ctx;

	spill->write_error = hf_spill_write(spill->fd, spill->size, data, size);
	if (spill->write_error)
		return false;
	spill->size += size;
	hf_progress_report(spill->progress, "decompressing", spill->size, 0);
	return true;
}

/*
 * Memory that a process never touched is a hole in its core. Read through the file each page of a
 * hole costs a page of the cache; as anonymous memory all are the kernel's one page of zeros.
 */
static void map_holes(int fd, uint64_t size, uint8_t *data)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), at = 0;

	for (uint32_t i = 0; i < MAX_HOLES && at < size; i++) {
		off_t hole = lseek(fd, (off_t)at, SEEK_HOLE);
		off_t next = hole < 0 ? hole : lseek(fd, hole, SEEK_DATA);
		if (hole < 0 || (next < 0 && errno != ENXIO))
			return;
		at = next < 0 || (uint64_t)next > size ? size : (uint64_t)next;
		uint64_t start = ((uint64_t)hole + page - 1) & ~(page - 1), end = at & ~(page - 1);
		if (end < start + BIG_HOLE)
			continue;
		void *zeros = mmap(data + start, end - start, PROT_READ,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
		if (zeros == MAP_FAILED)
			return;
		(void)madvise(zeros, end - start, MADV_HUGEPAGE);
	}
}

static struct hf_error *map_fd(int fd, uint64_t size, const uint8_t **ret)
{
	void *data = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (data == MAP_FAILED)
		return hf_error_errno(errno, "cannot map %" PRIu64 " bytes", size);
	map_holes(fd, size, data);
	*ret = data;
	return NULL;
}

/* Replace the mapping of compressed bytes by one of the decompressed. */
static struct hf_error *expand(struct hf_input *input, struct hf_diags *diags,
			       const struct hf_progress *progress)
{
	HF_AUTO(close_fd) int fd = hf_spill_open();
	struct spill spill = {.fd = fd, .progress = progress};
	bool complete = false;

	if (fd < 0)
		return hf_error_errno(errno, "cannot make a temporary file to decompress into");
	struct hf_error *err = hf_decompress(input->compression, input->data, input->size,
					     spill_piece, &spill, &complete);
	if (err)
		return err;
	if (spill.write_error)
		return hf_error_errno(spill.write_error, "cannot decompress (set TMPDIR)");
	if (spill.size == 0)
		return hf_error_create(HF_ERR_FORMAT, "the %s stream holds nothing readable",
				       input->compression);
	if (ftruncate(fd, (off_t)spill.size) != 0)
		return hf_error_errno(errno, "cannot decompress");
	const uint8_t *data = NULL;
	err = map_fd(fd, spill.size, &data);
	if (err)
		return err;
	munmap((void *)(uintptr_t)input->data, input->size);
	input->data = data;
	input->size = spill.size;
	input->cut = !complete;
	if (!complete)
		hf_diag_add(diags, HF_DIAG_EVIDENCE, HF_SEV_WARNING, "compressed-stream-cut", 0,
			    "the %s stream is damaged or ends early: only the first %" PRIu64
			    " bytes of the core could be had",
			    input->compression, spill.size);
	return NULL;
}

static struct hf_error *check_file(const char *path, const struct stat *st)
{
	if (S_ISDIR(st->st_mode))
		return hf_error_create(HF_ERR_FORMAT, "%s: is a directory, not a core file", path);
	if (!S_ISREG(st->st_mode))
		return hf_error_create(HF_ERR_FORMAT,
				       "%s: is not a regular file; save the core to a file first",
				       path);
	if (st->st_size == 0)
		return hf_error_create(
		    HF_ERR_FORMAT, "%s: is empty (was the core size limit 0, or the disk full?)",
		    path);
	return NULL;
}

struct hf_error *hf_input_open(const char *path, struct hf_diags *diags,
			       const struct hf_progress *progress, struct hf_input *ret)
{
	HF_AUTO(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct hf_input input = {0};
	struct stat st;

	if (fd < 0)
		return hf_error_errno(errno, "%s", path);
	if (fstat(fd, &st) != 0)
		return hf_error_errno(errno, "%s", path);
	struct hf_error *err = check_file(path, &st);
	if (err)
		return err;
	input.size = input.file_size = (uint64_t)st.st_size;
	err = map_fd(fd, input.size, &input.data);
	if (err)
		return hf_error_prefix(err, "%s", path);
	input.compression = hf_compression_of(input.data, input.size);
	if (input.compression) {
		err = expand(&input, diags, progress);
		if (err) {
			hf_input_close(&input);
			return hf_error_prefix(err, "%s", path);
		}
	}
	*ret = input;
	return NULL;
}

void hf_input_close(struct hf_input *input)
{
	if (input->data)
		munmap((void *)(uintptr_t)input->data, input->size);
	*input = (struct hf_input){0};
}
