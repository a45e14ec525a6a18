/*
 * elfview.c - program headers of a module (see elfview.h).
 *
 * The first page of every mapped ELF file is in a default kernel core, so the headers and
 * the build-id note, which linkers put near the start, can be read without the file.
 */
#include "core/process/elfview.h"

#include <elf.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/cleanup.h"
#include "core/elf/elfcore.h"

enum { MAX_HEADERS = 256, MAX_NOTE_BYTES = 4096 };

/* Where the bytes come from: an image at a base address, or a file descriptor. */
struct source {
	const struct hf_image *image;
	uint64_t base;
	int fd;
};

static bool read_bytes(const struct source *source, uint64_t offset, void *buffer, size_t size)
{
	if (source->image)
		return hf_image_read(source->image, source->base + offset, buffer, size);
	return offset <= INT64_MAX &&
	       pread(source->fd, buffer, size, (off_t)offset) == (ssize_t)size;
}

static void take_build_id(const uint8_t *data, size_t size, bool big_endian,
			  struct hf_elf_view *view)
{
	struct hf_notes notes = {0};
	hf_notes_parse(data, size, big_endian, &notes);
	hf_vec_foreach (note, &notes) {
		if (note->type == NT_GNU_BUILD_ID && hf_note_is(note, "GNU") &&
		    note->desc_bytes <= sizeof(view->build_id) && !view->build_id_bytes) {
			memcpy(view->build_id, note->desc, note->desc_bytes);
			view->build_id_bytes = (uint8_t)note->desc_bytes;
		}
	}
	hf_vec_free(&notes);
}

static void take_load(struct hf_elf_view *view, uint64_t offset, uint64_t address, uint64_t size)
{
	if (address + size < address)
		return;
	if (!view->loads || address < view->low) {
		view->low = address;
		view->low_offset = offset;
	}
	if (!view->loads || address + size > view->high)
		view->high = address + size;
	view->loads = true;
}

static void take_header(const struct source *source, struct hf_cursor *at, struct hf_elf_view *view)
{
	uint64_t flags_before = 0;
	uint32_t type = hf_cursor_u32(at);
	if (at->word_bytes == 8)
		flags_before = hf_cursor_u32(at);
	(void)flags_before;
	uint64_t offset = hf_cursor_word(at), address = hf_cursor_word(at);
	hf_cursor_word(at); /* p_paddr */
	uint64_t file_bytes = hf_cursor_word(at), memory_bytes = hf_cursor_word(at);
	if (at->word_bytes == 4)
		hf_cursor_u32(at);
	uint64_t align = hf_cursor_word(at);
	uint8_t note[MAX_NOTE_BYTES];

	if (at->failed)
		return;
	if (type == PT_LOAD) {
		take_load(view, offset, address, memory_bytes);
	} else if (type == PT_DYNAMIC) {
		view->dynamic = address;
	} else if (type == PT_TLS) {
		view->tls_size = memory_bytes;
		view->tls_align = align;
	} else if (type == PT_NOTE && file_bytes <= sizeof(note) &&
		   read_bytes(source, offset, note, file_bytes)) {
		take_build_id(note, file_bytes, at->big_endian, view);
	}
}

static bool read_view(const struct source *source, struct hf_elf_view *ret)
{
	struct hf_elf_view view = {0};
	uint8_t header[64], *table = NULL;

	if (!read_bytes(source, 0, header, 52) || memcmp(header, ELFMAG, SELFMAG) != 0)
		return false;
	bool wide = header[EI_CLASS] == ELFCLASS64;
	if (wide && !read_bytes(source, 0, header, 64))
		return false;
	struct hf_cursor at = {.data = header,
			       .size = wide ? 64 : 52,
			       .at = EI_NIDENT,
			       .big_endian = header[EI_DATA] == ELFDATA2MSB,
			       .word_bytes = wide ? 8 : 4};
	view.word_bytes = at.word_bytes;
	view.big_endian = at.big_endian;
	view.type = hf_cursor_u16(&at);
	view.machine = hf_cursor_u16(&at);
	hf_cursor_u32(&at); /* e_version */
	view.entry = hf_cursor_word(&at);
	uint64_t phoff = view.headers_offset = hf_cursor_word(&at);
	hf_cursor_seek(&at, wide ? 54 : 42);
	uint16_t stride = hf_cursor_u16(&at), count = view.headers = hf_cursor_u16(&at);
	if (at.failed || stride < (wide ? 56 : 32) || stride > 128 || count > MAX_HEADERS)
		return false;
	size_t bytes = (size_t)stride * count;
	table = malloc(bytes + 1);
	bool fine = table && read_bytes(source, phoff, table, bytes);
	for (uint16_t i = 0; fine && i < count; i++) {
		struct hf_cursor entry = at;
		entry.data = table + (size_t)i * stride;
		entry.size = stride;
		entry.at = 0;
		entry.failed = false;
		take_header(source, &entry, &view);
	}
	free(table);
	if (fine)
		*ret = view;
	return fine;
}

bool hf_elf_view_image(const struct hf_image *image, uint64_t base, struct hf_elf_view *ret)
{
	struct source source = {image, base, -1};
	return read_view(&source, ret);
}

bool hf_elf_view_file(const char *path, struct hf_elf_view *ret)
{
	HF_AUTO(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct source source = {NULL, 0, fd};
	return fd >= 0 && read_view(&source, ret);
}
