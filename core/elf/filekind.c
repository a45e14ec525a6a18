/*
 * filekind.c - what a file is, by its first bytes (see filekind.h).
 */
#include "core/elf/filekind.h"

#include <elf.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/cleanup.h"
#include "core/elf/decompress.h"

enum { TYPE_AT = 16, HEAD_BYTES = 64 };

enum hf_file_kind hf_file_kind(const char *path)
{
	uint8_t head[HEAD_BYTES] = {0};
	struct stat st;

	if (stat(path, &st))
		return HF_FILE_KIND_ABSENT;
	HF_AUTO(close_fd) int fd = S_ISREG(st.st_mode) ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	ssize_t got = fd >= 0 ? read(fd, head, sizeof(head)) : 0;
	if (got < TYPE_AT + 2 || memcmp(head, ELFMAG, SELFMAG))
		return got > 0 && hf_compression_of(head, (size_t)got) ? HF_FILE_KIND_COMPRESSED
								       : HF_FILE_KIND_OTHER;
	unsigned type = head[EI_DATA] == ELFDATA2MSB ? head[TYPE_AT + 1] : head[TYPE_AT];
	return type == ET_CORE			   ? HF_FILE_KIND_CORE
	       : type == ET_EXEC || type == ET_DYN ? HF_FILE_KIND_PROGRAM
						   : HF_FILE_KIND_OTHER;
}
