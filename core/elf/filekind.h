/*
 * filekind.h - what a file is, by its first bytes.
 */
#ifndef HF_CORE_ELF_FILEKIND_H
#define HF_CORE_ELF_FILEKIND_H

enum hf_file_kind {
	HF_FILE_KIND_ABSENT,
	HF_FILE_KIND_CORE,	 /* an ELF core */
	HF_FILE_KIND_COMPRESSED, /* zstd, gzip, xz, lz4: a core, most likely */
	HF_FILE_KIND_PROGRAM,	 /* an ELF program or library */
	HF_FILE_KIND_OTHER,
};

enum hf_file_kind hf_file_kind(const char *path);

#endif
