/*
 * dwfl.c - libdwfl's view of the modules: symbols, DWARF, unwinding.
 *
 * We report the modules ourselves, with the files that were found to match, and give
 * libdwfl our image as memory. So it works the same for kernel cores, gcore cores, damaged
 * and compressed ones, and for the vDSO, whose ELF file exists only in memory.
 */
#include <fcntl.h>
#include <string.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/elf/sections.h"
#include "core/process/private.h"

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

/* And for its debug information, in another file. */
static int find_debuginfo(Dwfl_Module *dwfl_module, void **user, const char *name, Dwarf_Addr base,
			  const char *file_name, const char *link, GElf_Word crc, char **ret_name)
{
	int fd = dwfl_standard_find_debuginfo(dwfl_module, user, name, base, file_name, link, crc,
					      ret_name);
	return fd < 0 ? fd : readable(*user, name, base, *ret_name ? *ret_name : name, fd);
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
