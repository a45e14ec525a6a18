/*
 * elfcore.c - reading a core's headers and notes (see elfcore.h).
 *
 * Everything read here is untrusted: each table is bounds-checked against the file, and
 * a table that is cut gives the part that is there.
 */
#include "core/elf/elfcore.h"

#include <ctype.h>
#include <elf.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_PROGRAM_HEADERS = 1 << 24 };

struct elf_header {
	uint16_t type, machine, phentsize, phnum, shnum;
	uint64_t phoff, shoff;
};

/* ---- what it is, if it is no core ---------------------------------------------------- */

static bool looks_like_text(const uint8_t *data, uint64_t size)
{
	uint64_t n = size < 512 ? size : 512;
	for (uint64_t i = 0; i < n; i++) {
		if (!isprint(data[i]) && !isspace(data[i]))
			return false;
	}
	return true;
}

static struct hf_error *not_elf(const struct hf_input *input, const char *path)
{
	const char *what = looks_like_text(input->data, input->size) ? "it is a text file"
								     : "it has no ELF header";
	return hf_error_create(HF_ERR_FORMAT, "%s: not an ELF core file (%s)", path, what);
}

static struct hf_error *not_core(const char *path, uint16_t type)
{
	const char *what = type == ET_EXEC  ? "a program"
			   : type == ET_DYN ? "a program or shared library"
			   : type == ET_REL ? "an object file"
					    : "an ELF file of another kind";
	return hf_error_create(HF_ERR_FORMAT,
			       "%s: is %s, not a core file; give the core (made by a crash, by "
			       "gcore, or by `heapforensics snapshot PID`) as well",
			       path, what);
}

/* ---- headers -------------------------------------------------------------------------- */

static struct hf_cursor file_cursor(const struct hf_elfcore *core)
{
	return (struct hf_cursor){.data = core->input->data,
				  .size = core->input->size,
				  .big_endian = core->big_endian,
				  .word_bytes = core->word_bytes};
}

static struct hf_error *read_ident(const struct hf_input *input, const char *path,
				   struct hf_elfcore *core)
{
	const uint8_t *ident = input->data;
	if (input->size < EI_NIDENT || memcmp(ident, ELFMAG, SELFMAG) != 0)
		return not_elf(input, path);
	if (ident[EI_CLASS] != ELFCLASS32 && ident[EI_CLASS] != ELFCLASS64)
		return hf_error_create(HF_ERR_FORMAT, "%s: ELF file of no known class (%u)", path,
				       ident[EI_CLASS]);
	if (ident[EI_DATA] != ELFDATA2LSB && ident[EI_DATA] != ELFDATA2MSB)
		return hf_error_create(HF_ERR_FORMAT, "%s: ELF file of no known byte order (%u)",
				       path, ident[EI_DATA]);
	core->word_bytes = ident[EI_CLASS] == ELFCLASS64 ? 8 : 4;
	core->big_endian = ident[EI_DATA] == ELFDATA2MSB;
	return NULL;
}

static bool read_header(const struct hf_elfcore *core, struct elf_header *ret)
{
	struct hf_cursor at = file_cursor(core);
	hf_cursor_seek(&at, EI_NIDENT);
	ret->type = hf_cursor_u16(&at);
	ret->machine = hf_cursor_u16(&at);
	hf_cursor_u32(&at);  /* e_version */
	hf_cursor_word(&at); /* e_entry */
	ret->phoff = hf_cursor_word(&at);
	ret->shoff = hf_cursor_word(&at);
	hf_cursor_u32(&at); /* e_flags */
	hf_cursor_u16(&at); /* e_ehsize */
	ret->phentsize = hf_cursor_u16(&at);
	ret->phnum = hf_cursor_u16(&at);
	hf_cursor_u16(&at); /* e_shentsize */
	ret->shnum = hf_cursor_u16(&at);
	return !at.failed;
}

static bool read_program_header(const struct hf_elfcore *core, uint64_t offset,
				struct hf_program_header *ret)
{
	struct hf_cursor at = file_cursor(core);
	if (offset > at.size)
		return false;
	hf_cursor_seek(&at, offset);
	ret->type = hf_cursor_u32(&at);
	if (core->word_bytes == 8)
		ret->flags = hf_cursor_u32(&at);
	ret->offset = hf_cursor_word(&at);
	ret->address = hf_cursor_word(&at);
	hf_cursor_word(&at); /* p_paddr */
	ret->file_bytes = hf_cursor_word(&at);
	ret->memory_bytes = hf_cursor_word(&at);
	if (core->word_bytes == 4)
		ret->flags = hf_cursor_u32(&at);
	hf_cursor_word(&at); /* p_align: the record must be there whole */
	return !at.failed;
}

static bool looks_like_segment(const struct hf_program_header *header)
{
	return (header->type == PT_LOAD || header->type == PT_NOTE) && !(header->flags & ~7u) &&
	       header->address + header->memory_bytes >= header->address;
}

/* The real count where e_phnum is PN_XNUM; UINT64_MAX if that was cut off. */
static uint64_t extended_count(const struct hf_elfcore *core, const struct elf_header *header)
{
	struct hf_cursor at = file_cursor(core);
	if (header->shoff == 0 || header->shoff > at.size)
		return UINT64_MAX;
	hf_cursor_seek(&at, header->shoff);
	hf_cursor_skip(&at, core->word_bytes == 8 ? 44 : 28); /* to sh_info */
	uint32_t count = hf_cursor_u32(&at);
	return at.failed || count < PN_XNUM ? UINT64_MAX : count;
}

static struct hf_error *read_program_headers(struct hf_elfcore *core,
					     const struct elf_header *header,
					     struct hf_diags *diags)
{
	uint64_t count = header->phnum, least = core->word_bytes == 8 ? 56 : 32;
	uint64_t stride = header->phentsize >= least ? header->phentsize : least;

	if (count == PN_XNUM)
		count = extended_count(core, header);
	bool counted = count != UINT64_MAX;
	for (uint64_t i = 0; i < count && i < MAX_PROGRAM_HEADERS; i++) {
		struct hf_program_header segment = {0};
		if (header->phoff > core->input->size ||
		    !read_program_header(core, header->phoff + i * stride, &segment)) {
			if (counted)
				hf_diag_add(diags, HF_DIAG_EVIDENCE, HF_SEV_WARNING,
					    "program-headers-cut", 0,
					    "the core ends inside its program headers: %" PRIu64
					    " of %" PRIu64 " could be read",
					    i, count);
			break;
		}
		if (!counted && !looks_like_segment(&segment))
			break;
		if (!hf_vec_push(&core->headers, segment))
			return hf_error_nomem();
	}
	if (!counted)
		hf_diag_add(diags, HF_DIAG_EVIDENCE, HF_SEV_WARNING, "program-header-count-lost", 0,
			    "the number of program headers was cut off; %zu were found",
			    core->headers.count);
	return NULL;
}

/* ---- notes ------------------------------------------------------------------------------ */

bool hf_notes_parse(const uint8_t *data, uint64_t size, bool big_endian, struct hf_notes *ret)
{
	struct hf_cursor at = {.data = data, .size = size, .big_endian = big_endian};
	while (at.size - at.at >= 12) {
		struct hf_note note = {0};
		uint32_t name_bytes = hf_cursor_u32(&at);
		note.desc_bytes = hf_cursor_u32(&at);
		note.type = hf_cursor_u32(&at);
		note.name = (const char *)data + at.at;
		hf_cursor_skip(&at, ((uint64_t)name_bytes + 3) & ~3ull);
		note.desc = data + at.at;
		uint64_t padded = (note.desc_bytes + 3) & ~3ull;
		if (padded > at.size - at.at && note.desc_bytes <= at.size - at.at)
			padded = note.desc_bytes;
		hf_cursor_skip(&at, padded);
		if (at.failed)
			break;
		note.name_bytes = (uint32_t)strnlen(note.name, name_bytes);
		if (!hf_vec_push(ret, note))
			return false;
	}
	return true;
}

/* Notes stand one behind the other, and each has a name: zeros are none, but a hole in the file. */
static bool has_zeroed_notes(const struct hf_elfcore *core)
{
	hf_vec_foreach (note, &core->notes) {
		if (!note->type && !note->name_bytes && !note->desc_bytes)
			return true;
	}
	return false;
}

static struct hf_error *read_notes(struct hf_elfcore *core, struct hf_diags *diags)
{
	const struct hf_input *input = core->input;
	hf_vec_foreach (header, &core->headers) {
		if (header->type != PT_NOTE)
			continue;
		uint64_t start = header->offset < input->size ? header->offset : input->size;
		uint64_t there = input->size - start;
		if (header->file_bytes > there)
			core->notes_cut = true;
		else
			there = header->file_bytes;
		if (!hf_notes_parse(input->data + start, there, core->big_endian, &core->notes))
			return hf_error_nomem();
	}
	if (core->notes_cut)
		hf_diag_add(diags, HF_DIAG_EVIDENCE, HF_SEV_WARNING, "notes-missing", 0,
			    "the core ends before or inside its notes: threads, registers, signal "
			    "and file names are missing or incomplete");
	else if (has_zeroed_notes(core))
		hf_diag_add(diags, HF_DIAG_EVIDENCE, HF_SEV_WARNING, "notes-missing", 0,
			    "the core's notes are zero in part (a hole: a copy that was "
			    "interrupted?): threads, registers, signal and file names are missing "
			    "or incomplete");
	return NULL;
}

bool hf_note_is(const struct hf_note *note, const char *name)
{
	return strlen(name) == note->name_bytes && !memcmp(note->name, name, note->name_bytes);
}

struct hf_cursor hf_note_cursor(const struct hf_elfcore *core, const struct hf_note *note)
{
	return (struct hf_cursor){.data = note->desc,
				  .size = note->desc_bytes,
				  .big_endian = core->big_endian,
				  .word_bytes = core->word_bytes};
}

/* ---- opening ----------------------------------------------------------------------------- */

const char *hf_machine_name(uint16_t machine, char *buffer, size_t size)
{
	static const struct {
		uint16_t machine;
		const char *name;
	} names[] = {{EM_X86_64, "x86-64"}, {EM_386, "i386"},	 {EM_AARCH64, "aarch64"},
		     {EM_ARM, "arm"},	    {EM_RISCV, "riscv"}, {EM_PPC64, "ppc64"},
		     {EM_S390, "s390x"},    {EM_PPC, "powerpc"}, {EM_MIPS, "mips"}};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (names[i].machine == machine)
			return names[i].name;
	}
	snprintf(buffer, size, "machine %u", machine);
	return buffer;
}

struct hf_error *hf_elfcore_open(const struct hf_input *input, const char *path,
				 struct hf_diags *diags, struct hf_elfcore *ret)
{
	struct hf_elfcore core = {.input = input};
	struct elf_header header;
	struct hf_error *err = read_ident(input, path, &core);

	if (err)
		return err;
	if (!read_header(&core, &header))
		return hf_error_create(HF_ERR_FORMAT, "%s: the file ends inside its ELF header",
				       path);
	if (header.type != ET_CORE)
		return not_core(path, header.type);
	core.machine = header.machine;
	core.has_sections = header.shnum > 1;
	err = read_program_headers(&core, &header, diags);
	if (!err)
		err = read_notes(&core, diags);
	if (!err && core.headers.count == 0)
		err = hf_error_create(HF_ERR_FORMAT,
				      "%s: a core file without any segment (cut after its header?)",
				      path);
	if (err)
		hf_elfcore_deinit(&core);
	else
		*ret = core;
	return err;
}

void hf_elfcore_deinit(struct hf_elfcore *core)
{
	hf_vec_free(&core->headers);
	hf_vec_free(&core->notes);
}
