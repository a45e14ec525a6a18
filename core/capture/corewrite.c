/*
 * corewrite.c - where each run lies in the file, and the head of the file.
 *
 *	head	ELF header | program headers (with room) | section header | notes | padding
 *	data	the first group's runs | the next group's | ...		page aligned
 *
 * A group is a stretch of data and zero runs of one area, followed by what is missing up to the
 * next group: one PT_LOAD, memsz > filesz if something is missing. Zero runs are holes.
 *
 * Reading may leave gaps, which split groups: the head has room for that. Should there be more
 * gaps than room, what stands between near gaps is given up until the headers fit.
 *
 * More than 65,534 headers are counted in the first section header (PN_XNUM, as the kernel does).
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/cleanup.h"
#include "core/capture/private.h"

enum { SPARE_HEADERS = 512, SPLITS = 4 };

HF_VEC(headers, Elf64_Phdr);

static uint64_t page_up(uint64_t value, uint64_t page)
{
	return (value + page - 1) / page * page;
}

static bool starts_group(const struct capture_run *run, const struct capture_run *before)
{
	return !before || before->area != run->area || before->end != run->start ||
	       (before->state == CAPTURE_MISSING && run->state != CAPTURE_MISSING);
}

struct hf_error *capture_layout(struct capture_plan *plan, uint64_t note_bytes)
{
	uint64_t groups = 0, room;
	const struct capture_run *before = NULL;

	hf_vec_foreach (run, &plan->runs) {
		groups += starts_group(run, before);
		before = run;
	}
	room = groups * SPLITS + SPARE_HEADERS;
	if (room > UINT32_MAX / 2)
		return hf_error_create(HF_ERR_LIMIT, "too many pieces of memory (%llu)",
				       (unsigned long long)groups);
	plan->header_room = (uint32_t)room;
	plan->head_bytes = page_up(sizeof(Elf64_Ehdr) + sizeof(Elf64_Shdr) +
				       (room + 1) * sizeof(Elf64_Phdr) + note_bytes,
				   plan->page_bytes);
	uint64_t at = plan->head_bytes;
	hf_vec_foreach (run, &plan->runs) {
		run->offset = at;
		if (run->state != CAPTURE_MISSING)
			at += run->end - run->start;
	}
	plan->file_bytes = at;
	return NULL;
}

/* ---- program headers ------------------------------------------------------------------------- */

struct writer {
	const struct capture_plan *plan;
	struct headers headers;
	const struct capture_run *last; /* whose end the last header has reached */
	size_t gap;			/* the next one */
	uint64_t too_small;		/* kept stretches below this are given up */
	uint64_t *skipped;
};

static bool new_header(struct writer *writer, const struct capture_run *run, uint64_t start)
{
	Elf64_Phdr header = {.p_type = PT_LOAD,
			     .p_flags = writer->plan->areas.data[run->area].flags,
			     .p_offset = run->offset + (start - run->start),
			     .p_vaddr = start,
			     .p_align = writer->plan->page_bytes};
	return hf_vec_push(&writer->headers, header);
}

/* [start, end) of @run is in the file or missing. */
static bool add_part(struct writer *writer, const struct capture_run *run, uint64_t start,
		     uint64_t end, bool kept, uint8_t reason)
{
	if (start >= end)
		return true;
	Elf64_Phdr *last =
	    writer->headers.count ? &writer->headers.data[writer->headers.count - 1] : NULL;
	bool same =
	    last && writer->last->area == run->area && last->p_vaddr + last->p_memsz == start;
	bool holed = same && last->p_memsz > last->p_filesz;
	if (kept && holed && end - start < writer->too_small) {
		kept = false;
		reason = HF_SKIP_UNREADABLE;
	}
	if (!same || (kept && holed)) {
		if (!new_header(writer, run, start))
			return false;
		last = &writer->headers.data[writer->headers.count - 1];
	}
	writer->last = run;
	last->p_memsz += end - start;
	if (kept)
		last->p_filesz += end - start;
	else
		writer->skipped[reason] += (end - start) / writer->plan->page_bytes;
	return true;
}

static bool add_run(struct writer *writer, const struct capture_run *run)
{
	const struct capture_plan *plan = writer->plan;
	uint64_t at = run->start;

	if (run->state != CAPTURE_DATA)
		return add_part(writer, run, at, run->end, run->state == CAPTURE_ZERO, run->reason);
	while (writer->gap < plan->gaps.count && plan->gaps.data[writer->gap].end <= at)
		writer->gap++;
	for (size_t i = writer->gap; i < plan->gaps.count && at < run->end; i++) {
		const struct capture_gap *gap = &plan->gaps.data[i];
		if (gap->start >= run->end)
			break;
		uint64_t from = gap->start > at ? gap->start : at;
		uint64_t to = gap->end < run->end ? gap->end : run->end;
		if (!add_part(writer, run, at, from, true, 0) ||
		    !add_part(writer, run, from, to, false, gap->reason))
			return false;
		at = to;
	}
	return add_part(writer, run, at, run->end, true, 0);
}

/* False: out of memory. The headers may be more than fit. */
static bool make_headers(struct writer *writer)
{
	writer->headers.count = 0;
	writer->last = NULL;
	writer->gap = 0;
	memset(writer->skipped, 0, HF_SKIP_REASONS * sizeof(*writer->skipped));
	hf_vec_foreach (run, &writer->plan->runs) {
		if (!add_run(writer, run))
			return false;
	}
	return true;
}

static bool fit_headers(struct writer *writer)
{
	const struct capture_plan *plan = writer->plan;
	if (!make_headers(writer))
		return false;
	for (writer->too_small = plan->page_bytes;
	     writer->headers.count > plan->header_room && writer->too_small < UINT64_MAX / 2;) {
		writer->too_small *= 2;
		if (!make_headers(writer))
			return false;
	}
	return true;
}

/* ---- the head -------------------------------------------------------------------------------- */

static void fill_head(const struct capture_plan *plan, const struct capture_elf *elf,
		      const struct headers *headers, const struct capture_bytes *notes,
		      uint8_t *head)
{
	uint64_t count = headers->count + 1;
	uint64_t section_at = sizeof(Elf64_Ehdr) + (plan->header_room + 1) * sizeof(Elf64_Phdr);
	bool many = count >= PN_XNUM;
	Elf64_Ehdr header = {.e_type = ET_CORE,
			     .e_machine = elf->machine,
			     .e_version = EV_CURRENT,
			     .e_phoff = sizeof(Elf64_Ehdr),
			     .e_flags = elf->flags,
			     .e_ehsize = sizeof(Elf64_Ehdr),
			     .e_phentsize = sizeof(Elf64_Phdr),
			     .e_phnum = (Elf64_Half)(many ? PN_XNUM : count)};
	memcpy(header.e_ident, ELFMAG, SELFMAG);
	header.e_ident[EI_CLASS] = ELFCLASS64;
	header.e_ident[EI_DATA] =
	    __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB;
	header.e_ident[EI_VERSION] = EV_CURRENT;
	if (many) {
		Elf64_Shdr section = {.sh_info = (Elf64_Word)count, .sh_size = 1};
		header.e_shoff = section_at;
		header.e_shentsize = sizeof(Elf64_Shdr);
		header.e_shnum = 1;
		memcpy(head + section_at, &section, sizeof(section));
	}
	memcpy(head, &header, sizeof(header));
	Elf64_Phdr note = {.p_type = PT_NOTE,
			   .p_offset = section_at + sizeof(Elf64_Shdr),
			   .p_filesz = notes->count,
			   .p_align = 4};
	memcpy(head + header.e_phoff, &note, sizeof(note));
	if (headers->count)
		memcpy(head + header.e_phoff + sizeof(note), headers->data,
		       headers->count * sizeof(*headers->data));
	if (notes->count)
		memcpy(head + note.p_offset, notes->data, notes->count);
}

struct hf_error *capture_make_head(const struct capture_plan *plan, const struct capture_elf *elf,
				   const struct capture_bytes *notes,
				   uint64_t skipped[HF_SKIP_REASONS], uint8_t **ret)
{
	struct writer writer = {.plan = plan, .skipped = skipped};
	struct hf_error *err = NULL;
	uint8_t *head = NULL;
	uint64_t room = sizeof(Elf64_Ehdr) + sizeof(Elf64_Shdr) +
			(plan->header_room + UINT64_C(1)) * sizeof(Elf64_Phdr) + notes->count;

	if (room > plan->head_bytes || !fit_headers(&writer) ||
	    writer.headers.count > plan->header_room)
		err = room > plan->head_bytes
			  ? hf_error_create(HF_ERR_INTERNAL, "the notes have outgrown their room")
			  : hf_error_nomem();
	if (!err && posix_memalign((void **)&head, plan->page_bytes, plan->head_bytes))
		err = hf_error_nomem();
	if (!err) {
		memset(head, 0, plan->head_bytes);
		fill_head(plan, elf, &writer.headers, notes, head);
		*ret = head;
	}
	hf_vec_free(&writer.headers);
	return err;
}

struct hf_error *capture_read_elf(pid_t pid, struct capture_elf *ret)
{
	Elf64_Ehdr header;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	HF_AUTO(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return hf_error_create(HF_ERR_NOT_FOUND,
				       access(path, F_OK) && errno == ENOENT && !capture_state(pid)
					   ? "there is no process %d"
					   : "process %d has no program (a kernel thread, or one "
					     "that has ended)",
				       (int)pid);
	if (fd < 0)
		return hf_error_errno(errno,
				      "process %d cannot be read (it needs CAP_SYS_PTRACE, or the "
				      "same user and kernel.yama.ptrace_scope 0)",
				      (int)pid);
	if (pread(fd, &header, sizeof(header), 0) != sizeof(header) ||
	    memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)
		return hf_error_create(HF_ERR_FORMAT, "%s: not an ELF program", path);
	if (header.e_ident[EI_CLASS] != ELFCLASS64)
		return hf_error_create(HF_ERR_UNSUPPORTED,
				       "process %d is a 32-bit program: use gdb's gcore for its "
				       "core, which heapforensics reads as well",
				       (int)pid);
	*ret = (struct capture_elf){header.e_machine, header.e_flags};
	return NULL;
}
