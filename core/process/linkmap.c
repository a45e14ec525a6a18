/*
 * linkmap.c - TLS: what the dynamic linker knows of each module, and where a thread's
 * block of it lies.
 *
 *	variant II (x86, s390x)                 variant I (aarch64, riscv, ...)
 *	| block 2 | block 1 | TCB ...           TCB | block 1 | block 2 | ...
 *	                    ^ tp                ^ tp (riscv: at block 1)
 *	block = tp - l_tls_offset               block = tp + l_tls_offset
 *
 * l_tls_offset and l_tls_modid are private fields of struct link_map. The C library
 * publishes where they are for the thread debug library: _thread_db_* symbols, each three
 * 32-bit words {bits, count, offset}. Without that, the program's own block still is
 * known, since it is always the first.
 */
#include <elf.h>
#include <string.h>

#include "core/process/elfview.h"
#include "core/process/private.h"

enum { MAX_LINK_MAPS = 65536, MAX_DYNAMIC = 4096 };

/* Address of symbol @name in @module's files; false if it is not there. */
static bool symbol_address(const struct hf_module *module, const char *name, uint64_t *ret)
{
	Dwfl_Module *dwfl = module->dwfl;
	int count = dwfl ? dwfl_module_getsymtab(dwfl) : 0;
	for (int i = 1; i < count; i++) {
		GElf_Sym sym;
		GElf_Addr address;
		const char *found =
		    dwfl_module_getsym_info(dwfl, i, &sym, &address, NULL, NULL, NULL);
		if (found && !strcmp(found, name)) {
			*ret = address;
			return true;
		}
	}
	return false;
}

/* Offset in a C library structure, from its descriptor {bits, count, offset}. */
static bool descriptor(const struct hf_process *process, const char *name, uint64_t *ret)
{
	hf_vec_foreach (module, &process->modules) {
		uint64_t address;
		uint32_t offset;
		bool holder = module->is_libc || !strncmp(module->name, "libpthread", 10);
		if (!holder || !symbol_address(module, name, &address) ||
		    !hf_image_u32(&process->image, address + 8, &offset) || offset > 65536)
			continue;
		*ret = offset;
		return true;
	}
	return false;
}

/* Value of dynamic tag @tag of @module, from its memory. */
static bool dynamic_value(const struct hf_process *process, const struct hf_module *module,
			  uint64_t tag, uint64_t *ret)
{
	struct hf_elf_view view;
	uint64_t word = process->image.word_bytes, found, value;
	if (!hf_elf_view_image(&process->image, module->start, &view) &&
	    (!module->file || !hf_elf_view_file(module->file, &view)))
		return false;
	if (!view.dynamic)
		return false;
	for (uint64_t i = 0; i < MAX_DYNAMIC; i++) {
		uint64_t at = module->bias + view.dynamic + i * 2 * word;
		if (!hf_image_word(&process->image, at, &found) || found == DT_NULL ||
		    !hf_image_word(&process->image, at + word, &value))
			return false;
		if (found == tag) {
			*ret = value;
			return true;
		}
	}
	return false;
}

/* The module whose dynamic section is at @ld. */
static struct hf_module *module_of_dynamic(struct hf_process *process, uint64_t ld)
{
	return (struct hf_module *)hf_process_module(process, ld);
}

static bool first_link_map(const struct hf_process *process, uint64_t *ret)
{
	uint64_t debug = 0, word = process->image.word_bytes;
	hf_vec_foreach (module, &process->modules) {
		if (module->is_executable && dynamic_value(process, module, DT_DEBUG, &debug) &&
		    debug)
			return hf_image_word(&process->image, debug + word, ret) && *ret;
	}
	return false;
}

void process_read_link_map(struct hf_process *process)
{
	const struct hf_image *image = &process->image;
	uint64_t word = image->word_bytes, map = 0, modid_at = 0, offset_at = 0, ld = 0;
	const uint64_t none = word == 8 ? UINT64_MAX : UINT32_MAX;
	bool below = process->priv->machine && process->priv->machine->tls_below;
	bool known = descriptor(process, "_thread_db_link_map_l_tls_modid", &modid_at) &&
		     descriptor(process, "_thread_db_link_map_l_tls_offset", &offset_at);

	if (!known || !first_link_map(process, &map))
		return;
	for (int i = 0; map && i < MAX_LINK_MAPS; i++) {
		uint64_t modid = 0, offset = 0;
		if (!hf_image_word(image, map + 2 * word, &ld))
			break;
		struct hf_module *module = module_of_dynamic(process, ld);
		if (module && hf_image_word(image, map + modid_at, &modid) &&
		    hf_image_word(image, map + offset_at, &offset) && modid) {
			module->tls_modid = modid;
			module->tls_offset = offset;
			/* 0 (variant II) and -1: not yet static; -2: forced dynamic. */
			module->tls_static =
			    offset != none && offset != none - 1 && !(below && offset == 0);
		}
		if (!hf_image_word(image, map + 3 * word, &map))
			break;
	}
}

/* ---- a thread's blocks -------------------------------------------------------------------- */

bool hf_process_dtv(const struct hf_process *process, const struct hf_thread *thread, uint64_t *ret)
{
	const struct hf_machine *machine = process->priv->machine;
	uint64_t word = process->image.word_bytes, dtv = 0;
	if (!machine || !thread->tp)
		return false;
	uint64_t at = thread->tp + (uint64_t)((int64_t)machine->dtv_words * (int64_t)word);
	if (!hf_image_word(&process->image, at, &dtv) || dtv == 0)
		return false;
	*ret = dtv;
	return true;
}

static bool block_from_dtv(const struct hf_process *process, const struct hf_thread *thread,
			   const struct hf_module *module, uint64_t *ret)
{
	uint64_t word = process->image.word_bytes, dtv = 0, length = 0, block = 0;
	const uint64_t none = word == 8 ? UINT64_MAX : UINT32_MAX;
	if (!module->tls_modid || !hf_process_dtv(process, thread, &dtv) ||
	    !hf_image_word(&process->image, dtv - 2 * word, &length) ||
	    module->tls_modid > length ||
	    !hf_image_word(&process->image, dtv + module->tls_modid * 2 * word, &block) ||
	    block == 0 || block == none)
		return false;
	*ret = block;
	return true;
}

bool hf_process_tls_block(const struct hf_process *process, const struct hf_thread *thread,
			  const struct hf_module *module, uint64_t *ret)
{
	const struct hf_machine *machine = process->priv->machine;
	uint64_t align = module->tls_align ? module->tls_align : 1;

	if (!machine || !thread->tp || !module->tls_size)
		return false;
	if (module->tls_static) {
		*ret = machine->tls_below ? thread->tp - module->tls_offset
					  : thread->tp + module->tls_offset;
		return true;
	}
	if (block_from_dtv(process, thread, module, ret))
		return true;
	if (!module->is_executable || (align & (align - 1)))
		return false;
	if (machine->tls_below)
		*ret = thread->tp - ((module->tls_size + align - 1) & ~(align - 1));
	else
		*ret = (thread->tp + (machine->machine == EM_AARCH64 ? 16 : 0) + align - 1) &
		       ~(align - 1);
	return true;
}
