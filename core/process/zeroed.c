/*
 * zeroed.c - is memory zero that cannot be? Then the core has a hole where bytes were: an
 * interrupted copy, a full disk, a sparse file put together wrongly. Nothing marks such bytes.
 *
 * What must not be zero: a thread's stack pointer; a page of a module's data whose file is not zero
 * there (relocated pointers, initialised variables); a thread's stack right above its stack
 * pointer, where return addresses are; a thread's control block, which points at itself (x86); a
 * descriptor that the lists of stacks lead to.
 */
#include <fcntl.h>
#include <gelf.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/cleanup.h"
#include "core/process/private.h"

enum { STACK_LOOK = 512, MAX_STACKS = 65536 };

static bool all_zero(const uint8_t *data, uint64_t size)
{
	return size == 0 || (data[0] == 0 && !memcmp(data, data + 1, size - 1));
}

/* Is all of [address, address + size) in the core, and zero? */
bool hf_process_zero_at(const struct hf_process *process, uint64_t address, uint64_t size)
{
	while (size > 0) {
		uint64_t available = 0;
		const uint8_t *view = hf_image_at(&process->image, address, &available);
		if (!view)
			return false;
		uint64_t step = available < size ? available : size;
		if (!all_zero(view, step))
			return false;
		address += step;
		size -= step;
	}
	return true;
}

/*
 * Where the bytes end that @module's file has for @address, in the segment that is loaded there.
 * What follows in the file is not for memory: the dynamic linker writes zeros over it, for .bss.
 *
 *	file    | .data |.shstrtab, section headers
 *	memory  | .data |.bss .....|
 */
static uint64_t loaded_end(const struct hf_process *process, const struct hf_module *module,
			   Elf *elf, uint64_t address)
{
	size_t count = 0;
	GElf_Phdr header;

	if (!elf || elf_getphdrnum(elf, &count) != 0)
		return 0;
	for (size_t i = 0; i < count; i++) {
		if (!gelf_getphdr(elf, (int)i, &header) || header.p_type != PT_LOAD)
			continue;
		uint64_t start = module->bias + header.p_vaddr, end = start + header.p_filesz;
		start -= start % process->image.page_bytes;
		if (address >= start && address < end)
			return end;
	}
	return 0;
}

/* Pages of @mapping that the core gives as zero and the file, at the same place, does not. */
static uint64_t zeroed_pages(const struct hf_process *process, const struct hf_module *module,
			     Elf *elf, const struct hf_mapping *mapping, const uint8_t *file,
			     uint64_t file_bytes)
{
	uint64_t page = process->image.page_bytes, zeroed = 0;
	for (uint64_t at = mapping->start; at < mapping->end; at += page) {
		uint64_t offset = mapping->file_offset + (at - mapping->start);
		const struct hf_segment *segment = hf_image_find(&process->image, at);
		if (offset >= file_bytes)
			break;
		uint64_t size = file_bytes - offset < page ? file_bytes - offset : page;
		uint64_t end = loaded_end(process, module, elf, at);
		if (end < at + size)
			size = end > at ? end - at : 0;
		if (segment && segment->source == HF_SEGMENT_CORE &&
		    !all_zero(file + offset, size) && hf_process_zero_at(process, at, size))
			zeroed += page;
	}
	return zeroed;
}

static uint64_t zeroed_in_module(const struct hf_process *process, uint32_t index)
{
	const struct hf_module *module = &process->modules.data[index];
	HF_AUTO(close_fd) int fd = -1;
	struct stat st;
	uint64_t zeroed = 0;

	if (!module->file || module->match == HF_FILE_DIFFERS)
		return 0;
	fd = open(module->file, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) != 0 || st.st_size <= 0)
		return 0;
	void *file = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (file == MAP_FAILED)
		return 0;
	Elf *elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);
	hf_vec_foreach (mapping, &process->mappings) {
		if (mapping->module == index && mapping->kind == HF_MAPPING_FILE)
			zeroed +=
			    zeroed_pages(process, module, elf, mapping, file, (uint64_t)st.st_size);
	}
	elf_end(elf);
	munmap(file, (size_t)st.st_size);
	return zeroed;
}

/*
 * One that was just made has pushed nothing: zero up to its thread-local variables and descriptor,
 * which are there. A hole ends with a page.
 */
static bool is_newborn(const struct hf_process *process, const struct hf_thread *thread)
{
	uint64_t page = 4096, word = process->image.word_bytes, at = thread->sp, value = 0;

	if (thread->tp <= thread->sp || thread->tp - thread->sp >= page)
		return false;
	while (at < thread->tp && hf_image_word(&process->image, at, &value) && value == 0)
		at += word;
	return at % page != 0 && hf_image_word(&process->image, thread->tp, &value) && value != 0;
}

static uint64_t zeroed_in_thread(const struct hf_process *process, const struct hf_thread *thread)
{
	const struct hf_machine *machine = process->priv->machine;
	uint64_t word = process->image.word_bytes, self = 1;

	/* No thread has no stack: its registers are gone. (qemu-user may not tell them all.) */
	if (thread->sp == 0 && process->info.core_kind == HF_CORE_KERNEL)
		return word;
	if (thread->stack_top > thread->sp && thread->stack_top - thread->sp > STACK_LOOK &&
	    hf_process_zero_at(process, thread->sp, STACK_LOOK) && !is_newborn(process, thread))
		return STACK_LOOK;
	bool x86 = machine && machine->tls_below && machine->dtv_words == 1;
	if (x86 && thread->tp && hf_image_word(&process->image, thread->tp, &self) && self == 0)
		return word;
	return 0;
}

/*
 * The dynamic linker (before glibc 2.34 libpthread) keeps lists of the stacks that it made, those
 *in use and those of ended threads. They are rings through the descriptors at the stacks' ends:
 *
 *	head {next, prev} <-> descriptor {next, prev} <-> ... <-> head
 *
 * All descriptors stand at one place of a page, and none is zero there.
 */
static bool keeps_stacks(const struct hf_module *module)
{
	static const char *const names[] = {"ld-", "ld.so", "ld64.so", "libpthread"};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!strncmp(module->name, names[i], strlen(names[i])))
			return true;
	}
	return false;
}

static bool may_be_descriptor(const struct hf_process *process, uint64_t address)
{
	const struct hf_mapping *mapping = hf_process_mapping(process, address);
	return mapping && mapping->module == HF_NO_INDEX && (mapping->flags & HF_SEGMENT_W) &&
	       (mapping->kind == HF_MAPPING_ANONYMOUS || mapping->kind == HF_MAPPING_STACK);
}

/* Does the ring whose head is @head come to a descriptor of zeros? */
static bool is_ring_zeroed(const struct hf_process *process, uint64_t head)
{
	const struct hf_image *image = &process->image;
	uint64_t word = image->word_bytes, next, prev, before = head, node;

	if (!hf_image_word(image, head, &node) || !hf_image_word(image, head + word, &prev) ||
	    node % 4096 != prev % 4096 || node % 4096 == 0 || !may_be_descriptor(process, prev))
		return false;
	for (uint32_t i = 0; i < MAX_STACKS && node != head; i++) {
		if (node % 4096 != prev % 4096 || !may_be_descriptor(process, node) ||
		    !hf_image_word(image, node, &next) || !hf_image_word(image, node + word, &prev))
			return false;
		if (next == 0 && prev == 0)
			return true;
		if (prev != before)
			return false;
		before = prev = node;
		node = next;
	}
	return false;
}

static uint64_t zeroed_in_stacks(const struct hf_process *process, uint32_t index)
{
	uint64_t word = process->image.word_bytes, zeroed = 0;

	if (!keeps_stacks(&process->modules.data[index]))
		return 0;
	hf_vec_foreach (mapping, &process->mappings) {
		if (mapping->module != index || !(mapping->flags & HF_SEGMENT_W))
			continue;
		for (uint64_t at = mapping->start; mapping->end - at >= 2 * word; at += word)
			zeroed += is_ring_zeroed(process, at) ? 2 * word : 0;
	}
	return zeroed;
}

uint64_t hf_process_zeroed(const struct hf_process *process)
{
	uint64_t zeroed = 0;
	for (uint32_t i = 0; i < process->modules.count; i++)
		zeroed += zeroed_in_module(process, i) + zeroed_in_stacks(process, i);
	hf_vec_foreach (thread, &process->threads)
		zeroed += zeroed_in_thread(process, thread);
	return zeroed;
}
