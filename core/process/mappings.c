/*
 * mappings.c - the image's segments and the process's mappings, from PT_LOAD and NT_FILE.
 *
 *	PT_LOAD   |---------- memory_bytes -----------|
 *		  |-- file_bytes --|     (not dumped) |
 *	segments  |-- CORE -- LOST |-- NONE or FILE --|	LOST: behind the end of the file
 *
 * What was not dumped is absent: it is not zero. Pages of a module's file that the kernel
 * leaves out (clean text, read-only data) are given back later from the file itself, once
 * its build-id is known to match.
 */
#include <elf.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/cleanup.h"
#include "core/base/search.h"
#include "core/process/private.h"

enum { MAX_UNTOUCHED_BYTES = 1 << 20 };

static const struct file_entry *file_at(const struct hf_process_private *priv, uint64_t address)
{
	return hf_range_at(priv->files.data, priv->files.count, address);
}

/* Files that are memory: nobody's module, and their pages are heap or data like any other. */
static bool is_memory_file(const char *path)
{
	static const char *const prefixes[] = {"/anon_hugepage", "/memfd:", "/dev/zero", "/SYSV",
					       "/[aio]"};
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		if (!strncmp(path, prefixes[i], strlen(prefixes[i])))
			return true;
	}
	return false;
}

static bool add_mapping(struct hf_process *process, uint64_t start, uint64_t end, uint32_t flags,
			const struct file_entry *file)
{
	struct hf_mapping mapping = {
	    .start = start, .end = end, .flags = flags, .module = HF_NO_INDEX};
	if (file) {
		mapping.path = file->path;
		mapping.file_offset = file->offset + (start - file->start);
		if (!is_memory_file(file->path))
			mapping.kind = HF_MAPPING_FILE;
	}
	return hf_vec_push(&process->mappings, mapping);
}

/* Split a segment's range where the files of NT_FILE begin and end. */
static bool add_mappings(struct hf_process *process, const struct hf_program_header *header,
			 uint64_t end)
{
	uint64_t start = header->address;
	while (start < end) {
		const struct file_entry *file = file_at(process->priv, start);
		uint64_t stop = end;
		if (file && file->end < stop)
			stop = file->end;
		if (!add_mapping(process, start, stop, header->flags & 7, file))
			return false;
		start = stop;
	}
	return true;
}

static bool add_segments(struct hf_process *process, const struct hf_program_header *header,
			 uint64_t end)
{
	const struct hf_input *input = &process->priv->input;
	uint64_t promised = header->file_bytes;
	if (promised > end - header->address)
		promised = end - header->address;
	uint64_t there = header->offset < input->size ? input->size - header->offset : 0;
	uint64_t present = there < promised ? there : promised;

	process->info.missing_bytes += promised - present;
	struct hf_segment core = {.start = header->address,
				  .end = header->address + present,
				  .present = present,
				  .data = input->data + (present ? header->offset : 0),
				  .flags = header->flags & 7,
				  .source = HF_SEGMENT_CORE};
	struct hf_segment lost = {.start = core.end,
				  .end = header->address + promised,
				  .flags = header->flags & 7,
				  .source = HF_SEGMENT_LOST};
	struct hf_segment rest = {
	    .start = lost.end, .end = end, .flags = header->flags & 7, .source = HF_SEGMENT_NONE};
	return (!present || hf_vec_push(&process->image.segments, core)) &&
	       (lost.start >= lost.end || hf_vec_push(&process->image.segments, lost)) &&
	       (rest.start >= rest.end || hf_vec_push(&process->image.segments, rest));
}

static int compare_mappings(const void *a, const void *b)
{
	const struct hf_mapping *x = a, *y = b;
	return (x->start > y->start) - (x->start < y->start);
}

/* Sort; of overlapping mappings (a damaged core) the later one is cut. */
static void order_mappings(struct hf_process *process)
{
	uint64_t last_end = 0;
	size_t kept = 0;

	if (process->mappings.count)
		qsort(process->mappings.data, process->mappings.count,
		      sizeof(*process->mappings.data), compare_mappings);
	for (size_t i = 0; i < process->mappings.count; i++) {
		struct hf_mapping mapping = process->mappings.data[i];
		if (mapping.end <= last_end)
			continue;
		if (mapping.start < last_end) {
			mapping.file_offset += last_end - mapping.start;
			mapping.start = last_end;
		}
		process->mappings.data[kept++] = mapping;
		last_end = mapping.end;
	}
	process->mappings.count = kept;
}

static void count_present(struct hf_process *process)
{
	size_t at = 0;
	hf_vec_foreach (mapping, &process->mappings) {
		mapping->present = 0;
		while (at < process->image.segments.count &&
		       process->image.segments.data[at].end <= mapping->start)
			at++;
		for (size_t i = at; i < process->image.segments.count; i++) {
			const struct hf_segment *segment = &process->image.segments.data[i];
			if (segment->start >= mapping->end)
				break;
			uint64_t low =
			    segment->start > mapping->start ? segment->start : mapping->start;
			uint64_t high = segment->start + segment->present;
			high = high < mapping->end ? high : mapping->end;
			if (high > low)
				mapping->present += high - low;
		}
	}
}

/*
 * gdb's gcore writes no header for memory that it does not dump (clean text and read-only data):
 * NT_FILE alone knows it. What no segment covers becomes an absent one, so that its bytes can
 * come from the file; flags are read-only until the file tells.
 */
static bool add_undumped(struct hf_process *process, const struct file_entry *file, uint64_t start,
			 uint64_t end)
{
	struct hf_segment segment = {
	    .start = start, .end = end, .flags = HF_SEGMENT_R, .source = HF_SEGMENT_NONE};
	if (start >= end)
		return true;
	if (!hf_vec_push(&process->image.segments, segment) ||
	    !add_mapping(process, start, end, HF_SEGMENT_R, file))
		return false;
	process->mappings.data[process->mappings.count - 1].undumped = true;
	return true;
}

static bool add_files_without_segment(struct hf_process *process)
{
	size_t count = process->image.segments.count, at = 0; /* sorted up to here */

	hf_vec_foreach (file, &process->priv->files) {
		uint64_t start = file->start;
		while (at < count && process->image.segments.data[at].end <= start)
			at++;
		for (size_t i = at; i < count && start < file->end; i++) {
			const struct hf_segment segment = process->image.segments.data[i];
			if (segment.start >= file->end)
				break;
			if (!add_undumped(process, file, start, segment.start))
				return false;
			start = segment.end;
		}
		if (!add_undumped(process, file, start, file->end))
			return false;
	}
	return true;
}

struct hf_error *process_read_mappings(struct hf_process *process)
{
	hf_vec_foreach (header, &process->priv->core.headers) {
		if (header->type != PT_LOAD || header->memory_bytes == 0)
			continue;
		uint64_t end = header->address + header->memory_bytes;
		if (end < header->address) {
			hf_diag_add(process->diags, HF_DIAG_EVIDENCE, HF_SEV_WARNING,
				    "segment-damaged", header->address,
				    "a segment's size is impossible; it is left out");
			continue;
		}
		if (!add_segments(process, header, end) || !add_mappings(process, header, end))
			return hf_error_nomem();
	}
	struct hf_error *err = hf_image_finish(&process->image);
	if (!err && !add_files_without_segment(process))
		err = hf_error_nomem();
	if (!err)
		err = hf_image_finish(&process->image);
	if (err)
		return err;
	order_mappings(process);
	count_present(process);
	if (process->info.missing_bytes)
		hf_diag_add(process->diags, HF_DIAG_EVIDENCE, HF_SEV_WARNING, "core-truncated", 0,
			    "the core is cut off: %" PRIu64
			    " bytes of memory that it announces are not in the file (core size "
			    "limit, full disk, or an interrupted copy)",
			    process->info.missing_bytes);
	return NULL;
}

const struct hf_mapping *hf_process_mapping(const struct hf_process *process, uint64_t address)
{
	return hf_range_at(process->mappings.data, process->mappings.count, address);
}

struct hf_error *process_split_mapping(struct hf_process *process, uint64_t address)
{
	const struct hf_mapping *found = hf_process_mapping(process, address);
	if (!found || found->start == address)
		return NULL;
	size_t index = (size_t)(found - process->mappings.data);
	struct hf_mapping upper = *found;
	if (!hf_vec_push(&process->mappings, upper))
		return hf_error_nomem();
	struct hf_mapping *at = &process->mappings.data[index];
	memmove(at + 1, at, (process->mappings.count - 1 - index) * sizeof(*at));
	at[0].end = address;
	at[1].start = address;
	at[1].file_offset += address - at[0].start;
	count_present(process);
	return NULL;
}

/* ---- pages from a module's file ----------------------------------------------------- */

static bool map_module_file(struct hf_process *process, const char *path, struct mapped_file *ret)
{
	HF_AUTO(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	if (fd < 0 || fstat(fd, &st) != 0 || st.st_size <= 0)
		return false;
	void *data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (data == MAP_FAILED)
		return false;
	*ret = (struct mapped_file){data, (uint64_t)st.st_size};
	if (!hf_vec_push(&process->priv->mapped, *ret)) {
		munmap(data, (size_t)st.st_size);
		return false;
	}
	return true;
}

/*
 * Did the kernel write nothing of this segment, as it does with anonymous memory that was never
 * touched? Then the next one stands where this one would; a size that was lost later leaves a gap.
 */
static bool was_left_out(const struct hf_process *process, uint64_t start)
{
	const struct hf_program_header *found = NULL;

	hf_vec_foreach (header, &process->priv->core.headers) {
		if (header->type != PT_LOAD)
			continue;
		if (found)
			return header->offset == found->offset;
		if (header->address == start && header->file_bytes == 0)
			found = header;
	}
	return found && found->offset == process->priv->input.size;
}

/* Did the core's writer dump private memory at all (coredump_filter)? A stack is such memory. */
static bool dumps_private(const struct hf_process *process)
{
	hf_vec_foreach (thread, &process->threads) {
		if (thread->sp && hf_image_at(&process->image, thread->sp, NULL))
			return true;
	}
	return false;
}

/*
 * Anonymous memory without bytes in a kernel core was never touched, or the program keeps it out
 * (MADV_DONTDUMP). Small pieces are signal stacks and the like, and untouched; big ones may be
 * pools that are kept out for their size, and stay holes. Nobody keeps out a .bss.
 */
static bool may_be_untouched(const struct hf_process *process, const struct hf_segment *segment)
{
	const struct hf_mapping *mapping = hf_process_mapping(process, segment->start);

	if (segment->source != HF_SEGMENT_NONE || !(segment->flags & HF_SEGMENT_W) || !mapping ||
	    mapping->path || mapping->end < segment->end)
		return false;
	return mapping->module != HF_NO_INDEX ||
	       (mapping->kind == HF_MAPPING_ANONYMOUS &&
		segment->end - segment->start <= MAX_UNTOUCHED_BYTES);
}

void process_fill_untouched(struct hf_process *process)
{
	if (process->info.core_kind != HF_CORE_KERNEL || !dumps_private(process))
		return;
	hf_vec_foreach (segment, &process->image.segments) {
		if (!may_be_untouched(process, segment) || !was_left_out(process, segment->start))
			continue;
		segment->source = HF_SEGMENT_ZERO;
		segment->present = segment->end - segment->start;
	}
}

struct hf_error *process_fill_from_file(struct hf_process *process, uint32_t module)
{
	struct hf_module *owner = &process->modules.data[module];
	struct mapped_file file;

	if (!owner->file || !map_module_file(process, owner->file, &file))
		return NULL;
	owner->contents = file.data;
	owner->contents_bytes = file.size;
	hf_vec_foreach (segment, &process->image.segments) {
		if (segment->source != HF_SEGMENT_NONE || segment->end <= owner->start ||
		    segment->start >= owner->end)
			continue;
		const struct hf_mapping *mapping = hf_process_mapping(process, segment->start);
		if (!mapping || mapping->module != module || mapping->kind != HF_MAPPING_FILE)
			continue;
		/* A module's data was written to (its relocations, if nothing else). */
		if (mapping->flags & HF_SEGMENT_W)
			continue;
		uint64_t offset = mapping->file_offset + (segment->start - mapping->start);
		if (offset >= file.size)
			continue;
		uint64_t present = file.size - offset, wanted = segment->end - segment->start;
		segment->data = file.data + offset;
		segment->present = present < wanted ? present : wanted;
		segment->source = HF_SEGMENT_FILE;
	}
	return NULL;
}

const uint8_t *hf_process_file_at(const struct hf_process *process, uint64_t address,
				  uint64_t *ret_available)
{
	const struct hf_mapping *mapping = hf_process_mapping(process, address);

	if (!mapping || mapping->module == HF_NO_INDEX || mapping->kind != HF_MAPPING_FILE)
		return NULL;
	const struct hf_module *owner = &process->modules.data[mapping->module];
	uint64_t offset = mapping->file_offset + (address - mapping->start);
	if (offset < mapping->file_offset || offset >= owner->contents_bytes)
		return NULL;
	uint64_t in_file = owner->contents_bytes - offset, in_mapping = mapping->end - address;
	*ret_available = in_file < in_mapping ? in_file : in_mapping;
	return owner->contents + offset;
}
