/*
 * elfcore.h - an ELF core's headers and notes, as they stand in the file.
 *
 * Section headers are ignored (gdb's gcore writes them, the kernel does not), but for the
 * one that holds the real number of program headers when there are 65,535 or more
 * (PN_XNUM). The kernel puts it at the end of the file: where it was cut off, program
 * headers are read on for as long as they look like some.
 */
#ifndef HF_CORE_ELF_ELFCORE_H
#define HF_CORE_ELF_ELFCORE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/diag.h"
#include "core/base/error.h"
#include "core/base/vec.h"
#include "core/elf/cursor.h"
#include "core/elf/input.h"

struct hf_program_header {
	uint32_t type, flags;
	uint64_t offset, address, file_bytes, memory_bytes;
};

HF_VEC(hf_program_headers, struct hf_program_header);

struct hf_note {
	const char *name;    /* not terminated */
	uint32_t name_bytes; /* without the NUL */
	uint32_t type;
	const uint8_t *desc;
	uint64_t desc_bytes;
};

HF_VEC(hf_notes, struct hf_note);

struct hf_elfcore {
	const struct hf_input *input;
	uint8_t word_bytes;
	bool big_endian;
	uint16_t machine;
	bool has_sections; /* gdb's gcore */
	struct hf_program_headers headers;
	struct hf_notes notes;
	bool notes_cut; /* a note segment lies (partly) past the end of the file */
};

/* Read headers and notes of @input, which must outlive @ret. */
struct hf_error *hf_elfcore_open(const struct hf_input *input, const char *path,
				 struct hf_diags *diags, struct hf_elfcore *ret);
void hf_elfcore_deinit(struct hf_elfcore *core);

/* A cursor over a note's content, in the core's byte order. */
struct hf_cursor hf_note_cursor(const struct hf_elfcore *core, const struct hf_note *note);

/* Is the note's name exactly @name? */
bool hf_note_is(const struct hf_note *note, const char *name);

/* Parse notes in @data (of a core, or of a module's PT_NOTE); stops at the first bad one. */
bool hf_notes_parse(const uint8_t *data, uint64_t size, bool big_endian, struct hf_notes *ret);

/* "x86-64" for EM_X86_64; "machine 123" is written to @buffer for one that is not known. */
const char *hf_machine_name(uint16_t machine, char *buffer, size_t size);

#endif
