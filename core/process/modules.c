/*
 * modules.c - which ELF files are mapped, and which of them this machine has.
 *
 * A module starts at a mapping of offset 0 whose memory holds an ELF header (or whose
 * file, if that page was not dumped); the file's further mappings above it, up to the
 * span that its program headers give, are its own, and so is the anonymous .bss behind.
 * The same file mapped twice (dlmopen) gives two modules.
 *
 * A file of this machine is used only if its build-id equals the one in memory: a
 * rebuilt or upgraded file would name the wrong variables.
 */
#include <elf.h>
#include <gelf.h>
#include <inttypes.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/cleanup.h"
#include "core/process/elfview.h"
#include "core/process/private.h"

const char *process_base_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash && slash[1] ? slash + 1 : path;
}

static uint64_t page_down(const struct hf_process *process, uint64_t address)
{
	return address & ~(process->image.page_bytes - 1);
}

static uint64_t page_up(const struct hf_process *process, uint64_t address)
{
	return page_down(process, address + process->image.page_bytes - 1);
}

/* ---- finding what is mapped ------------------------------------------------------------ */

struct hf_error *process_add_module(struct hf_process *process, const char *path, uint64_t start,
				    const struct hf_elf_view *view)
{
	uint64_t low = page_down(process, view->low);
	struct hf_module module = {
	    .path = path,
	    .name = process_base_name(path),
	    .start = start,
	    .bias = start - low,
	    .end = page_up(process, start + (view->high - low)),
	    .tls_size = view->tls_size,
	    .tls_align = view->tls_align,
	    .build_id_bytes = view->build_id_bytes,
	};
	if (module.end <= module.start)
		return NULL;
	memcpy(module.build_id, view->build_id, sizeof(module.build_id));
	return hf_vec_push(&process->modules, module) ? NULL : hf_error_nomem();
}

static bool view_of_mapping(const struct hf_process *process, const struct hf_mapping *mapping,
			    struct hf_elf_view *view)
{
	if (hf_elf_view_image(&process->image, mapping->start, view))
		return view->loads;
	HF_AUTO(free_ptr) char *path = NULL;
	uint8_t byte;
	/* Only if the page is absent or a hole: one that holds anything else is data. */
	if ((hf_image_read(&process->image, mapping->start, &byte, 1) &&
	     !hf_process_zero_at(process, mapping->start, process->image.page_bytes)) ||
	    asprintf(&path, "%s%s", process->priv->sysroot, mapping->path) < 0)
		return false;
	return hf_elf_view_file(path, view) && view->loads;
}

static struct hf_error *find_mapped(struct hf_process *process)
{
	for (size_t i = 0; i < process->mappings.count; i++) {
		const struct hf_mapping *mapping = &process->mappings.data[i];
		struct hf_elf_view view;
		if (mapping->kind != HF_MAPPING_FILE || mapping->file_offset != 0 ||
		    !view_of_mapping(process, mapping, &view))
			continue;
		struct hf_error *err =
		    process_add_module(process, mapping->path, mapping->start, &view);
		if (err)
			return err;
	}
	return NULL;
}

static struct hf_error *find_vdso(struct hf_process *process)
{
	uint64_t base = 0;
	struct hf_elf_view view;
	if (!hf_process_auxv(process, AT_SYSINFO_EHDR, &base) ||
	    !hf_elf_view_image(&process->image, base, &view) || !view.loads)
		return NULL;
	struct hf_mapping *mapping = (struct hf_mapping *)hf_process_mapping(process, base);
	hf_vec_foreach (module, &process->modules) {
		if (module->start == base)
			return NULL;
	}
	mapping->kind = HF_MAPPING_VDSO;
	return process_add_module(process, "[vdso]", mapping->start, &view);
}

/* ---- whose mapping is it ------------------------------------------------------------------ */

static int compare_modules(const void *a, const void *b)
{
	const struct hf_module *x = a, *y = b;
	return (x->start > y->start) - (x->start < y->start);
}

/* Modules must not overlap: the next one's start bounds the one before. */
static void order_modules(struct hf_process *process)
{
	if (process->modules.count == 0)
		return;
	qsort(process->modules.data, process->modules.count, sizeof(*process->modules.data),
	      compare_modules);
	for (size_t i = 0; i + 1 < process->modules.count; i++) {
		if (process->modules.data[i].end > process->modules.data[i + 1].start)
			process->modules.data[i].end = process->modules.data[i + 1].start;
	}
}

/* The brk heap may follow a .bss in one mapping: cut it off there. */
static struct hf_error *cut_behind_modules(struct hf_process *process)
{
	hf_vec_foreach (module, &process->modules) {
		struct hf_error *err = process_split_mapping(process, module->end);
		if (err)
			return err;
	}
	return NULL;
}

static void own_mappings(struct hf_process *process)
{
	for (uint32_t i = 0; i < process->modules.count; i++) {
		struct hf_module *module = &process->modules.data[i];
		bool named = process->priv->files.count > 0;
		hf_vec_foreach (mapping, &process->mappings) {
			if (mapping->start < module->start || mapping->end > module->end)
				continue;
			bool own_file = mapping->path && !strcmp(mapping->path, module->path);
			bool bss = !mapping->path && mapping->start > module->start;
			if (own_file || bss || !named || mapping->kind == HF_MAPPING_VDSO)
				mapping->module = i;
		}
	}
}

static void flag_modules(struct hf_process *process)
{
	uint64_t phdr = 0, entry = 0;
	bool has_phdr = hf_process_auxv(process, AT_PHDR, &phdr);
	bool has_entry = hf_process_auxv(process, AT_ENTRY, &entry);
	struct hf_module *program = NULL;
	bool libc = false;

	hf_vec_foreach (module, &process->modules) {
		if ((has_phdr && phdr >= module->start && phdr < module->end) ||
		    (has_entry && entry >= module->start && entry < module->end))
			program = module;
		module->is_libc =
		    !strcmp(module->name, "libc.so.6") || !strncmp(module->name, "libc-2.", 7);
		libc = libc || module->is_libc;
	}
	if (!program)
		return;
	program->is_executable = true;
	process->info.executable = program->path;
	if (!libc)
		program->is_libc = true; /* a static program, perhaps */
}

/* ---- files on this machine ------------------------------------------------------------------ */

static void hex(const uint8_t *bytes, size_t count, char *buffer)
{
	for (size_t i = 0; i < count; i++)
		sprintf(buffer + 2 * i, "%02x", bytes[i]);
	buffer[2 * count] = '\0';
}

static enum hf_file_match match_file(const struct hf_process *process,
				     const struct hf_module *module, const char *path,
				     struct hf_elf_view *view)
{
	const struct hf_image *image = &process->image;
	if (!hf_elf_view_file(path, view) || view->machine != image->machine ||
	    view->word_bytes != image->word_bytes || view->big_endian != image->big_endian)
		return HF_FILE_NONE;
	if (!module->build_id_bytes || !view->build_id_bytes)
		return HF_FILE_UNVERIFIED;
	bool same = module->build_id_bytes == view->build_id_bytes &&
		    !memcmp(module->build_id, view->build_id, view->build_id_bytes);
	return same ? HF_FILE_MATCHES : HF_FILE_DIFFERS;
}

/* A file that is not what the core was made by. */
struct difference {
	const char *path; /* NULL: there is none */
	char id[2 * sizeof(((struct hf_elf_view *)NULL)->build_id) + 1];
};

static void tell_difference(struct hf_process *process, const struct hf_module *module,
			    const struct difference *other)
{
	char core_id[2 * sizeof(module->build_id) + 1];
	const char *given = process->priv->executable;
	bool named = module->is_executable && given && !strcmp(given, other->path);

	hex(module->build_id, module->build_id_bytes, core_id);
	hf_diag_add(process->diags, HF_DIAG_EVIDENCE, named ? HF_SEV_WARNING : HF_SEV_NOTE,
		    named ? "binary-differs" : "file-differs", module->start,
		    "%s has build-id %s, but the core was made by build-id %s: %s %s%s",
		    other->path, other->id, core_id,
		    module->file ? "the file used is" : "it is not used, so names from",
		    module->file ? module->file : module->name, module->file ? "" : " are missing");
}

/* Use @path for @module if it matches. */
static bool try_file(struct hf_process *process, struct hf_module *module, const char *path,
		     struct difference *other)
{
	struct hf_elf_view view;
	enum hf_file_match match = match_file(process, module, path, &view);

	if (match == HF_FILE_DIFFERS) {
		module->match = HF_FILE_DIFFERS;
		if (!other->path) {
			other->path = hf_strpool_dup(process->priv->strings, path);
			hex(view.build_id, view.build_id_bytes, other->id);
		}
		return false;
	}
	if (match == HF_FILE_NONE)
		return false;
	module->file = hf_strpool_dup(process->priv->strings, path);
	module->match = (uint8_t)match;
	return module->file != NULL;
}

static bool try_build_id(struct hf_process *process, struct hf_module *module,
			 struct difference *other)
{
	static const char *const directories[] = {"/usr/lib/debug/.build-id", "/usr/lib/.build-id"};
	char id[2 * sizeof(module->build_id) + 1];

	if (module->build_id_bytes < 2)
		return false;
	hex(module->build_id, module->build_id_bytes, id);
	for (size_t i = 0; i < 2; i++) {
		HF_AUTO(free_ptr) char *path = NULL;
		if (asprintf(&path, "%s%s/%.2s/%s", process->priv->sysroot, directories[i], id,
			     id + 2) < 0)
			return false;
		if (access(path, R_OK) == 0 && try_file(process, module, path, other))
			return true;
	}
	return false;
}

static bool try_places(struct hf_process *process, struct hf_module *module,
		       struct difference *other)
{
	HF_AUTO(free_ptr) char *path = NULL;
	const char *given = process->priv->executable;

	if (module->is_executable && given && try_file(process, module, given, other))
		return true;
	if (asprintf(&path, "%s%s", process->priv->sysroot, module->path) < 0)
		return false;
	bool same = given && !strcmp(path, given);
	if (module->path[0] == '/' && !(module->is_executable && same) &&
	    try_file(process, module, path, other))
		return true;
	return try_build_id(process, module, other);
}

static void find_file(struct hf_process *process, struct hf_module *module)
{
	struct difference other = {0};

	if (!strcmp(module->path, "[vdso]"))
		return;
	bool found = try_places(process, module, &other);
	if (other.path)
		tell_difference(process, module, &other);
	if (found || other.path)
		return;
	hf_diag_add(process->diags, HF_DIAG_EVIDENCE,
		    module->is_executable ? HF_SEV_WARNING : HF_SEV_NOTE,
		    module->is_executable ? "binary-missing" : "file-missing", module->start,
		    "%s is not on this machine: its variables and functions have no names "
		    "(--sysroot tells where the files are)",
		    module->path);
}

/* Memory that only NT_FILE knows is protected as the file's program headers say. */
static void protect_undumped(struct hf_process *process, const struct hf_module *module, Elf *elf)
{
	size_t count = 0;

	if (elf_getphdrnum(elf, &count))
		return;
	for (size_t i = 0; i < count; i++) {
		GElf_Phdr header;
		if (!gelf_getphdr(elf, (int)i, &header) || header.p_type != PT_LOAD)
			continue;
		uint64_t start = page_down(process, module->bias + header.p_vaddr);
		uint64_t end = page_up(process, module->bias + header.p_vaddr + header.p_memsz);
		hf_vec_foreach (mapping, &process->mappings) {
			if (mapping->undumped && mapping->start >= start && mapping->end <= end &&
			    mapping->module == (uint32_t)(module - process->modules.data))
				mapping->flags = header.p_flags & 7;
		}
	}
}

static struct hf_error *read_sections(struct hf_process *process, struct hf_module *module)
{
	HF_AUTO(close_fd) int fd = module->file ? open(module->file, O_RDONLY | O_CLOEXEC) : -1;
	Elf *elf = fd >= 0 ? elf_begin(fd, ELF_C_READ_MMAP, NULL) : NULL;
	Elf_Scn *scn = NULL;
	size_t names = 0;
	bool fine = true;

	if (elf)
		protect_undumped(process, module, elf);
	if (elf && elf_getshdrstrndx(elf, &names) == 0) {
		while (fine && (scn = elf_nextscn(elf, scn))) {
			GElf_Shdr header;
			if (!gelf_getshdr(scn, &header))
				continue;
			if (header.sh_type == SHT_SYMTAB)
				module->has_symtab = true;
			const uint64_t wanted = SHF_ALLOC | SHF_WRITE;
			const char *name = elf_strptr(elf, names, header.sh_name);
			if ((header.sh_flags & wanted) != wanted || !name || !header.sh_size ||
			    (header.sh_flags & SHF_TLS))
				continue;
			struct hf_section section = {hf_strpool_dup(process->priv->strings, name),
						     module->bias + header.sh_addr,
						     module->bias + header.sh_addr +
							 header.sh_size};
			fine = section.name && hf_vec_push(&module->sections, section);
		}
	}
	elf_end(elf);
	return fine ? NULL : hf_error_nomem();
}

struct hf_error *process_find_modules(struct hf_process *process)
{
	struct hf_error *err = find_mapped(process);

	elf_version(EV_CURRENT);
	if (!err)
		err = process_find_unnamed(process);
	if (!err)
		err = find_vdso(process);
	if (err)
		return err;
	order_modules(process);
	err = cut_behind_modules(process);
	if (err)
		return err;
	own_mappings(process);
	flag_modules(process);
	for (uint32_t i = 0; i < process->modules.count; i++) {
		struct hf_module *module = &process->modules.data[i];
		find_file(process, module);
		err = read_sections(process, module);
		if (!err)
			err = process_fill_from_file(process, i);
		if (err)
			return err;
	}
	process_fill_untouched(process);
	return NULL;
}

const struct hf_module *hf_process_module(const struct hf_process *process, uint64_t address)
{
	hf_vec_foreach (module, &process->modules) {
		if (address >= module->start && address < module->end)
			return module;
	}
	return NULL;
}
