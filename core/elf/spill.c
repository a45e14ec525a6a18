/*
 * spill.c - private files, sparse where they are zero (see spill.h).
 */
#include "core/elf/spill.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SPARSE_BLOCK = 4096 };

static bool all_zero(const uint8_t *data, size_t size)
{
	return size == 0 || (data[0] == 0 && !memcmp(data, data + 1, size - 1));
}

int hf_spill_open(void)
{
	const char *candidates[] = {getenv("TMPDIR"), "/var/tmp", "/tmp"};
	for (size_t i = 0; i < 3; i++) {
		int fd = candidates[i] && *candidates[i]
			     ? open(candidates[i], O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)
			     : -1;
		if (fd >= 0)
			return fd;
	}
	char name[] = "/tmp/heapforensics.XXXXXX";
	int fd = mkostemp(name, O_CLOEXEC);
	if (fd >= 0)
		unlink(name);
	return fd;
}

int hf_spill_write(int fd, uint64_t offset, const uint8_t *data, size_t size)
{
	while (size > 0) {
		size_t step = SPARSE_BLOCK - (size_t)(offset % SPARSE_BLOCK);
		step = step < size ? step : size;
		if (!all_zero(data, step)) {
			ssize_t done = pwrite(fd, data, step, (off_t)offset);
			if (done != (ssize_t)step)
				return done < 0 ? errno : ENOSPC;
		}
		data += step;
		size -= step;
		offset += step;
	}
	return 0;
}
