/*
 * sections.h - ELF files with sections that the libelf at hand cannot read, made readable for it.
 *
 * elfutils before 0.189, or built without it, knows nothing of sections compressed by zstd
 * (ELFCOMPRESS_ZSTD). libzstd is here: such a file is copied with its sections plain.
 */
#ifndef HF_CORE_ELF_SECTIONS_H
#define HF_CORE_ELF_SECTIONS_H

#include "core/base/error.h"

/*
 * *@ret: a private file (the caller closes it) with the same ELF as @fd, which libelf can read; -1
 * where it can read @fd itself. An error: the sections are broken, or there is no room for them.
 */
struct hf_error *hf_sections_make_plain(int fd, int *ret);

#endif
