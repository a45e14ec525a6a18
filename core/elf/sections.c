/*
 * sections.c - sections compressed by zstd, made plain (see sections.h).
 *
 *	file	| header | ... as it was, but for the compressed bytes ... | section table |
 *	copy	| header'| ...          holes where they were          ... |    unused     |
 *		| section decompressed | ... | section table' |
 *
 * Everything else keeps its place, so that program headers and the other sections stay right. Both
 * files are sparse. How much a section holds is said by its file: more than MAX_RATIO times what
 * it takes is not believed, nor all together more than MAX_WHOLE_RATIO times the file; and never
 *more is written than it says.
 */
#include "core/elf/sections.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/cleanup.h"
#include "core/elf/decompress.h"
#include "core/elf/spill.h"

enum {
	CHDR_ZSTD = 2, /* ELFCOMPRESS_ZSTD, which older <elf.h> lack */
	MAX_RATIO = 512,
	MAX_WHOLE_RATIO = 64,
	MIN_BELIEVED = 1 << 20, /* a section may always be so big */
	TABLE_ALIGN = 16,
};

struct copy {
	Elf *elf;
	const uint8_t *data; /* the file */
	uint64_t size;
	int to;
	uint64_t end;  /* of the copy so far */
	uint64_t left; /* bytes that sections may still decompress to */
};

static bool is_zstd(Elf_Scn *section, GElf_Shdr *ret_header, GElf_Chdr *ret_packed)
{
	return gelf_getshdr(section, ret_header) && (ret_header->sh_flags & SHF_COMPRESSED) &&
	       ret_header->sh_type != SHT_NOBITS && gelf_getchdr(section, ret_packed) &&
	       ret_packed->ch_type == CHDR_ZSTD;
}

/* Has @elf sections that libelf cannot read? The smallest one tells of all. */
static bool needs_copy(Elf *elf)
{
	Elf_Scn *smallest = NULL;
	uint64_t bytes = UINT64_MAX;
	GElf_Shdr header;
	GElf_Chdr packed;

	for (Elf_Scn *section = NULL; (section = elf_nextscn(elf, section)) != NULL;) {
		if (!is_zstd(section, &header, &packed) || packed.ch_size >= bytes)
			continue;
		smallest = section;
		bytes = packed.ch_size;
	}
	return smallest && (bytes > MIN_BELIEVED || elf_compress(smallest, 0, 0) < 0);
}

/* ---- decompressing --------------------------------------------------------------------------- */

struct section_sink {
	int fd, write_error;
	uint64_t at, left;
};

static bool take_piece(void *ctx, const uint8_t *data, size_t size)
{
	struct section_sink *sink = ctx;

	if (size > sink->left)
		return false;
	sink->write_error = hf_spill_write(sink->fd, sink->at, data, size);
	if (sink->write_error)
		return false;
	sink->at += size;
	sink->left -= size;
	return true;
}

/* The section's bytes to the end of the copy, and so into its header. */
static struct hf_error *make_plain(struct copy *copy, GElf_Shdr *header, const GElf_Chdr *packed)
{
	uint64_t head = gelf_fsize(copy->elf, ELF_T_CHDR, 1, EV_CURRENT);
	uint64_t align = packed->ch_addralign > 1 ? packed->ch_addralign : 1;
	bool complete = false;

	if (header->sh_offset > copy->size || header->sh_size > copy->size - header->sh_offset ||
	    header->sh_size < head || align > (1u << 20))
		return hf_error_create(HF_ERR_FORMAT, "a compressed section is not in the file");
	uint64_t bytes = header->sh_size - head;
	if ((packed->ch_size > MIN_BELIEVED && packed->ch_size / MAX_RATIO > bytes) ||
	    packed->ch_size > copy->left)
		return hf_error_create(HF_ERR_FORMAT,
				       "a section of %" PRIu64 " bytes is said to hold %" PRIu64,
				       bytes, packed->ch_size);
	copy->left -= packed->ch_size;
	copy->end = (copy->end + align - 1) / align * align;
	struct section_sink sink = {.fd = copy->to, .at = copy->end, .left = packed->ch_size};
	struct hf_error *err = hf_decompress("zstd", copy->data + header->sh_offset + head, bytes,
					     take_piece, &sink, &complete);
	if (err)
		return err;
	if (sink.write_error)
		return hf_error_errno(sink.write_error, "cannot decompress (set TMPDIR)");
	if (!complete || sink.left)
		return hf_error_create(HF_ERR_FORMAT, "a compressed section is damaged");
	header->sh_flags &= ~(GElf_Xword)SHF_COMPRESSED;
	header->sh_offset = copy->end;
	header->sh_size = packed->ch_size;
	header->sh_addralign = packed->ch_addralign;
	copy->end += packed->ch_size;
	return NULL;
}

/* The file as it is, but for the compressed bytes: they are not read any more. */
static struct hf_error *copy_rest(const struct copy *copy)
{
	GElf_Shdr header;
	GElf_Chdr packed;
	int failed = hf_spill_write(copy->to, 0, copy->data, copy->size);

	if (failed)
		return hf_error_errno(failed, "cannot copy (set TMPDIR)");
	for (Elf_Scn *section = NULL; (section = elf_nextscn(copy->elf, section)) != NULL;) {
		if (is_zstd(section, &header, &packed) && header.sh_offset <= copy->size &&
		    header.sh_size <= copy->size - header.sh_offset)
			fallocate(copy->to, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				  (off_t)header.sh_offset, (off_t)header.sh_size);
	}
	return NULL;
}

/* ---- headers --------------------------------------------------------------------------------- */

static struct hf_error *write_native(const struct copy *copy, uint64_t offset, void *native,
				     size_t bytes, Elf_Type type)
{
	unsigned encoding = (unsigned)elf_getident(copy->elf, NULL)[EI_DATA];
	HF_AUTO(free_ptr) uint8_t *foreign = malloc(bytes);
	Elf_Data from = {.d_buf = native, .d_type = type, .d_version = EV_CURRENT, .d_size = bytes};
	Elf_Data to = from;

	to.d_buf = foreign;
	if (!foreign)
		return hf_error_nomem();
	if (!gelf_xlatetof(copy->elf, &to, &from, encoding))
		return hf_error_create(HF_ERR_FORMAT, "%s", elf_errmsg(-1));
	int failed = hf_spill_write(copy->to, offset, foreign, to.d_size);
	return failed ? hf_error_errno(failed, "cannot copy (set TMPDIR)") : NULL;
}

static Elf32_Shdr narrow(const GElf_Shdr *header)
{
	return (Elf32_Shdr){
	    .sh_name = header->sh_name,
	    .sh_type = header->sh_type,
	    .sh_flags = (Elf32_Word)header->sh_flags,
	    .sh_addr = (Elf32_Addr)header->sh_addr,
	    .sh_offset = (Elf32_Off)header->sh_offset,
	    .sh_size = (Elf32_Word)header->sh_size,
	    .sh_link = header->sh_link,
	    .sh_info = header->sh_info,
	    .sh_addralign = (Elf32_Word)header->sh_addralign,
	    .sh_entsize = (Elf32_Word)header->sh_entsize,
	};
}

static struct hf_error *write_table(const struct copy *copy, const GElf_Shdr *headers, size_t count)
{
	if (gelf_getclass(copy->elf) == ELFCLASS64)
		return write_native(copy, copy->end, (void *)(uintptr_t)headers,
				    count * sizeof(*headers), ELF_T_SHDR);
	HF_AUTO(free_ptr) Elf32_Shdr *narrowed = calloc(count, sizeof(*narrowed));
	if (!narrowed)
		return hf_error_nomem();
	if (copy->end > UINT32_MAX)
		return hf_error_create(HF_ERR_FORMAT, "sections of more than 4 GiB");
	for (size_t i = 0; i < count; i++)
		narrowed[i] = narrow(&headers[i]);
	return write_native(copy, copy->end, narrowed, count * sizeof(*narrowed), ELF_T_SHDR);
}

/* The ELF header tells of the new table. */
static struct hf_error *write_header(const struct copy *copy)
{
	Elf64_Ehdr *wide = elf64_getehdr(copy->elf);
	Elf32_Ehdr *small = elf32_getehdr(copy->elf);

	if (wide) {
		Elf64_Ehdr header = *wide;
		header.e_shoff = copy->end;
		return write_native(copy, 0, &header, sizeof(header), ELF_T_EHDR);
	}
	if (small) {
		Elf32_Ehdr header = *small;
		header.e_shoff = (Elf32_Off)copy->end;
		return write_native(copy, 0, &header, sizeof(header), ELF_T_EHDR);
	}
	return hf_error_create(HF_ERR_FORMAT, "%s", elf_errmsg(-1));
}

/* ---- the whole ------------------------------------------------------------------------------- */

static struct hf_error *fill_copy(struct copy *copy)
{
	size_t count = 0;

	if (elf_getshdrnum(copy->elf, &count) != 0 || !count)
		return hf_error_create(HF_ERR_FORMAT, "%s", elf_errmsg(-1));
	HF_AUTO(free_ptr) GElf_Shdr *headers = calloc(count, sizeof(*headers));
	if (!headers)
		return hf_error_nomem();
	struct hf_error *err = copy_rest(copy);
	copy->end = copy->size;
	for (size_t i = 0; i < count && !err; i++) {
		Elf_Scn *section = elf_getscn(copy->elf, i);
		GElf_Shdr header;
		GElf_Chdr packed;
		if (!section || !gelf_getshdr(section, &headers[i]))
			return hf_error_create(HF_ERR_FORMAT, "%s", elf_errmsg(-1));
		if (is_zstd(section, &header, &packed))
			err = make_plain(copy, &headers[i], &packed);
	}
	copy->end = (copy->end + TABLE_ALIGN - 1) / TABLE_ALIGN * TABLE_ALIGN;
	if (!err)
		err = write_table(copy, headers, count);
	if (!err)
		err = write_header(copy);
	uint64_t table = gelf_fsize(copy->elf, ELF_T_SHDR, count, EV_CURRENT);
	if (!err && ftruncate(copy->to, (off_t)(copy->end + table)) != 0)
		err = hf_error_errno(errno, "cannot copy (set TMPDIR)");
	return err;
}

static struct hf_error *copy_plain(Elf *elf, int fd, int *ret)
{
	HF_AUTO(close_fd) int to = hf_spill_open();
	struct stat st;

	if (to < 0)
		return hf_error_errno(errno, "cannot make a temporary file to decompress into");
	if (fstat(fd, &st) != 0 || st.st_size <= 0)
		return hf_error_errno(errno, "cannot read it");
	struct copy copy = {.elf = elf, .size = (uint64_t)st.st_size, .to = to};
	void *data = mmap(NULL, copy.size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (data == MAP_FAILED)
		return hf_error_errno(errno, "cannot map it");
	copy.data = data;
	copy.left = copy.size * MAX_WHOLE_RATIO + 16 * (uint64_t)MIN_BELIEVED;
	struct hf_error *err = fill_copy(&copy);
	munmap(data, copy.size);
	if (err)
		return err;
	*ret = to;
	to = -1;
	return NULL;
}

struct hf_error *hf_sections_make_plain(int fd, int *ret)
{
	struct hf_error *err = NULL;
	Elf *elf = elf_begin(fd, ELF_C_READ_MMAP_PRIVATE, NULL);
	int made = -1;

	if (elf && elf_kind(elf) == ELF_K_ELF && needs_copy(elf))
		err = copy_plain(elf, fd, &made);
	elf_end(elf);
	if (!err)
		*ret = made;
	return err;
}
