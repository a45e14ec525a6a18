/*
 * dwfl.c - libdwfl's view of the modules: symbols, DWARF, unwinding.
 *
 * We report the modules ourselves, with the files that were found to match, and give
 * libdwfl our image as memory. So it works the same for kernel cores, gcore cores, damaged
 * and compressed ones, and for the vDSO, whose ELF file exists only in memory.
 */
#include <elfutils/libdwelf.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/base/cleanup.h"
#include "core/elf/sections.h"
#include "core/process/private.h"

enum { MAX_BUILD_ID = 64 };

/*
 * The file that is open as @fd, in a form that libelf can read; @fd is closed if it is another one.
 * Where there is none it stays as it is: the module's symbols may be had all the same.
 */
static int readable(const struct hf_process *process, const char *name, uint64_t base,
		    const char *path, int fd)
{
	int plain = -1;
	struct hf_error *err = hf_sections_make_plain(fd, &plain);

	if (err)
		hf_diag_add(process->diags, HF_DIAG_EVIDENCE, HF_SEV_NOTE, "debug-info-unreadable",
			    base,
			    "%s has debug information compressed by zstd that cannot be read (%s: "
			    "%s): its types and lines are unknown",
			    name, path, hf_error_message(err));
	hf_error_destroy(err);
	if (plain < 0)
		return fd;
	close(fd);
	return plain;
}

/* libdwfl asks for the ELF file of a module that we reported. */
static int find_elf(Dwfl_Module *dwfl_module, void **user, const char *name, Dwarf_Addr base,
		    char **file_name, Elf **elf)
{
	const struct hf_process *process = *user;
	const struct hf_module *module = hf_process_module(process, base);
	(void)dwfl_module;
	(void)name;

	if (!module)
		return -1;
	if (!strcmp(module->path, "[vdso]")) {
		uint64_t available = 0;
		const void *bytes = hf_image_at(&process->image, module->start, &available);
		*elf = bytes ? elf_memory((char *)(uintptr_t)bytes, available) : NULL;
		return -1;
	}
	if (!module->file)
		return -1;
	int fd = open(module->file, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return fd;
	*file_name = strdup(module->file);
	return readable(process, module->name, base, module->file, fd);
}

static bool has_build_id(int fd, const unsigned char *bits, size_t length)
{
	Elf *elf = elf_begin(fd, ELF_C_READ_MMAP_PRIVATE, NULL);
	const void *found = NULL;
	bool same = elf && dwelf_elf_gnu_build_id(elf, &found) == (ssize_t)length &&
		    memcmp(found, bits, length) == 0;

	elf_end(elf);
	return same;
}

/* "/usr/lib/debug" + build-id abcdef -> "/usr/lib/debug/.build-id/ab/cdef.debug" */
static char *build_id_path(const char *folder, size_t folder_length, const unsigned char *bits,
			   size_t length)
{
	char hex[2 * MAX_BUILD_ID + 1] = "", *path = NULL;

	for (size_t i = 0; i < length && i < MAX_BUILD_ID; i++)
		snprintf(hex + 2 * i, 3, "%02x", bits[i]);
	if (asprintf(&path, "%.*s/.build-id/%.2s/%s.debug", (int)folder_length, folder, hex,
		     hex + 2) < 0)
		return NULL;
	return path;
}

/*
 * The first file with the module's debug information by build-id, if it needs another form: libdwfl
 * would keep the one that it opens itself. -1: it does not.
 */
static int find_compressed(const struct hf_process *process, Dwfl_Module *dwfl_module,
			   const char *name, uint64_t base, char **ret_name)
{
	const char *folder = process->priv->debuginfo_path;
	const unsigned char *bits;
	GElf_Addr at;
	int length = dwfl_module_build_id(dwfl_module, &bits, &at);

	if (length < 2 || length > MAX_BUILD_ID)
		return -1;
	for (folder = folder ? folder : "/usr/lib/debug"; *folder;) {
		folder += *folder == '+' || *folder == '-'; /* check its sum, or do not */
		size_t folder_length = strcspn(folder, ":");
		HF_AUTO(free_ptr)
		char *path = *folder == '/'
				 ? build_id_path(folder, folder_length, bits, (size_t)length)
				 : NULL;
		int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
		int plain = fd >= 0 ? readable(process, name, base, path, fd) : -1;
		if (plain >= 0 && plain != fd && has_build_id(plain, bits, (size_t)length)) {
			*ret_name = hf_take(path);
			return plain;
		}
		if (plain >= 0) {
			close(plain);
			return -1;
		}
		folder += folder_length + (folder[folder_length] == ':');
	}
	return -1;
}

/* And for its debug information, in another file. */
static int find_debuginfo(Dwfl_Module *dwfl_module, void **user, const char *name, Dwarf_Addr base,
			  const char *file_name, const char *link, GElf_Word crc, char **ret_name)
{
	int fd = find_compressed(*user, dwfl_module, name, base, ret_name);

	if (fd >= 0)
		return fd;
	fd = dwfl_standard_find_debuginfo(dwfl_module, user, name, base, file_name, link, crc,
					  ret_name);
	if (fd < 0 || (*ret_name && strstr(*ret_name, "/.build-id/")))
		return fd;
	return readable(*user, name, base, *ret_name ? *ret_name : name, fd);
}

static bool report_module(struct hf_process *process, struct hf_module *module)
{
	void **user = NULL;
	if (!module->file && strcmp(module->path, "[vdso]") != 0)
		return true;
	Dwfl_Module *reported =
	    dwfl_report_module(process->priv->dwfl, module->name, module->start, module->end);
	if (!reported)
		return false;
	dwfl_module_info(reported, &user, NULL, NULL, NULL, NULL, NULL, NULL);
	*user = process;
	module->dwfl = reported;
	return true;
}

struct hf_error *process_open_dwfl(struct hf_process *process)
{
	struct hf_process_private *priv = process->priv;

	priv->callbacks = (Dwfl_Callbacks){
	    .find_elf = find_elf,
	    .find_debuginfo = find_debuginfo,
	    .debuginfo_path = &priv->debuginfo_path,
	};
	priv->dwfl = dwfl_begin(&priv->callbacks);
	if (!priv->dwfl)
		return hf_error_nomem();
	dwfl_report_begin(priv->dwfl);
	hf_vec_foreach (module, &process->modules) {
		if (!report_module(process, module))
			hf_diag_add(process->diags, HF_DIAG_EVIDENCE, HF_SEV_NOTE,
				    "module-unreadable", module->start,
				    "libdwfl does not take %s: %s", module->name, dwfl_errmsg(-1));
	}
	dwfl_report_end(priv->dwfl, NULL, NULL);
	return NULL;
}
