/*
 * fuzz.h - what the fuzz targets share: the input as a file that the tool can open.
 *
 * A target is a libFuzzer program: LLVMFuzzerTestOneInput() gets bytes from a stranger and
 * must come back, whatever they are. Nothing outside the input is read: the files that a core
 * names are looked for below a folder that does not exist.
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define FUZZ_SYSROOT "/nonexistent"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A file in memory with these bytes; @path gets a name for it. The caller closes it. */
static inline int fuzz_file(const uint8_t *data, size_t size, char path[32])
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	snprintf(path, 32, "/proc/self/fd/%d", fd);
	return fd;
}

#endif
