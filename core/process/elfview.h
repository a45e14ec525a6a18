/*
 * elfview.h - the program headers of a mapped module, read from the image or from a file.
 */
#ifndef HF_CORE_PROCESS_ELFVIEW_H
#define HF_CORE_PROCESS_ELFVIEW_H

#include <stdbool.h>
#include <stdint.h>

#include "core/image/image.h"

struct hf_elf_view {
	uint16_t type;	  /* ET_EXEC, ET_DYN */
	uint16_t machine; /* EM_* */
	uint8_t word_bytes;
	bool big_endian;
	uint16_t headers;	 /* e_phnum */
	uint64_t entry;		 /* e_entry */
	uint64_t headers_offset; /* e_phoff */
	bool loads;		 /* it has a PT_LOAD at all */
	uint64_t low, high;	 /* lowest and one past highest p_vaddr of PT_LOAD */
	uint64_t low_offset;	 /* file offset of the lowest */
	uint64_t dynamic;	 /* p_vaddr of PT_DYNAMIC, 0 if none */
	uint64_t tls_size, tls_align;
	uint8_t build_id[32];
	uint8_t build_id_bytes;
};

/* Read the ELF header at @base of the image; false if there is none (or it is absent). */
bool hf_elf_view_image(const struct hf_image *image, uint64_t base, struct hf_elf_view *ret);

/* The same from a file on this machine. */
bool hf_elf_view_file(const char *path, struct hf_elf_view *ret);

#endif
