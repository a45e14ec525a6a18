/*
 * unnamed.c - the modules of a core that does not name its mapped files (no NT_FILE).
 *
 * Such are the cores of qemu-user, and any core whose notes are lost. What tells of modules:
 *   1. segments that begin with an ELF header: a module each, without a name;
 *   2. the auxiliary vector: where the program's headers and entry are. The program's own file
 *      must agree with both, and then it is known where the file lies;
 *   3. the dynamic linker's list: l_addr (the bias), l_name, l_ld. A file must have its dynamic
 *      section just there.
 * Files found by 2 and 3 cannot be compared by build-id: that page was not dumped.
 */
#include <elf.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/cleanup.h"
#include "core/process/private.h"

enum { MAX_LINK_MAPS = 4096, MAX_DYNAMIC = 4096, MAX_NAME = 4096 };

static bool has_module(const struct hf_process *process, uint64_t start, uint64_t end)
{
	hf_vec_foreach (module, &process->modules) {
		if (module->start < end && start < module->end)
			return true;
	}
	return false;
}

/* ---- 1. ELF headers in memory --------------------------------------------------------- */

static struct hf_error *add_by_header(struct hf_process *process)
{
	hf_vec_foreach (mapping, &process->mappings) {
		struct hf_elf_view view;
		if (mapping->path || !hf_elf_view_image(&process->image, mapping->start, &view) ||
		    !view.loads)
			continue;
		const char *path =
		    hf_strpool_printf(process->priv->strings, "module@0x%" PRIx64, mapping->start);
		if (!path)
			return hf_error_nomem();
		struct hf_error *err = process_add_module(process, path, mapping->start, &view);
		if (err)
			return err;
	}
	return NULL;
}

/* ---- 2. the program --------------------------------------------------------------------- */

static bool same_machine(const struct hf_process *process, const struct hf_elf_view *view)
{
	const struct hf_image *image = &process->image;
	return view->loads && view->machine == image->machine &&
	       view->word_bytes == image->word_bytes && view->big_endian == image->big_endian;
}

/* Does the file at @path fit the auxiliary vector? *@ret_bias gets where it lies. */
static bool program_fits(const struct hf_process *process, const char *path,
			 struct hf_elf_view *view, uint64_t *ret_bias)
{
	uint64_t headers = 0, entry = 0, count = 0;

	if (!hf_elf_view_file(path, view) || !same_machine(process, view) ||
	    !hf_process_auxv(process, AT_PHDR, &headers) ||
	    !hf_process_auxv(process, AT_ENTRY, &entry))
		return false;
	uint64_t bias = entry - view->entry;
	if (headers != bias + view->low - view->low_offset + view->headers_offset ||
	    (hf_process_auxv(process, AT_PHNUM, &count) && count != view->headers))
		return false;
	*ret_bias = bias;
	return true;
}

static struct hf_error *add_program(struct hf_process *process, uint64_t *ret_dynamic)
{
	const char *path = process->priv->executable;
	HF_AUTO(free_ptr) char *found = NULL;
	char name[MAX_NAME] = "";
	uint64_t at = 0, bias = 0;
	struct hf_elf_view view;

	if (hf_process_auxv(process, AT_EXECFN, &at))
		hf_image_string(&process->image, at, name, sizeof(name));
	if (!path || !program_fits(process, path, &view, &bias)) {
		if (name[0] != '/' || asprintf(&found, "%s%s", process->priv->sysroot, name) < 0 ||
		    !program_fits(process, found, &view, &bias))
			return NULL;
		path = name;
	}
	*ret_dynamic = view.dynamic ? bias + view.dynamic : 0;
	uint64_t start = (bias + view.low) & ~(process->image.page_bytes - 1);
	if (has_module(process, start, bias + view.high))
		return NULL;
	path = hf_strpool_dup(process->priv->strings, name[0] ? name : path);
	/* The file's build-id is not that of the core, which has none to compare with. */
	view.build_id_bytes = 0;
	return path ? process_add_module(process, path, start, &view) : hf_error_nomem();
}

/* ---- 3. the dynamic linker's list ------------------------------------------------------ */

static bool first_link_map(const struct hf_process *process, uint64_t dynamic, uint64_t *ret)
{
	uint64_t word = process->image.word_bytes, tag = DT_NULL, value = 0;

	for (uint64_t i = 0; dynamic && i < MAX_DYNAMIC; i++) {
		uint64_t at = dynamic + i * 2 * word;
		if (!hf_image_word(&process->image, at, &tag) || tag == DT_NULL ||
		    !hf_image_word(&process->image, at + word, &value))
			return false;
		if (tag == DT_DEBUG)
			return value && hf_image_word(&process->image, value + word, ret);
	}
	return false;
}

/* A library: its file tells its span, if this machine has the file that lies there. */
static struct hf_error *add_library(struct hf_process *process, const char *name, uint64_t bias,
				    uint64_t dynamic)
{
	HF_AUTO(free_ptr) char *path = NULL;
	struct hf_elf_view view;
	const struct hf_mapping *mapping = hf_process_mapping(process, dynamic);

	if (name[0] != '/' || !mapping || has_module(process, dynamic, dynamic + 1))
		return NULL;
	if (asprintf(&path, "%s%s", process->priv->sysroot, name) < 0)
		return hf_error_nomem();
	if (!hf_elf_view_file(path, &view) || !same_machine(process, &view) ||
	    bias + view.dynamic != dynamic) {
		/* No such file here: what is known is the data with the dynamic section. */
		view = (struct hf_elf_view){
		    .loads = true, .low = mapping->start - bias, .high = mapping->end - bias};
	}
	view.build_id_bytes = 0;
	uint64_t start = (bias + view.low) & ~(process->image.page_bytes - 1);
	const char *kept = hf_strpool_dup(process->priv->strings, name);
	if (!kept)
		return hf_error_nomem();
	return has_module(process, start, bias + view.high)
		   ? NULL
		   : process_add_module(process, kept, start, &view);
}

static struct hf_error *add_by_link_map(struct hf_process *process, uint64_t dynamic)
{
	const struct hf_image *image = &process->image;
	uint64_t word = image->word_bytes, map = 0;

	if (!first_link_map(process, dynamic, &map))
		return NULL;
	for (unsigned i = 0; map && i < MAX_LINK_MAPS; i++) {
		uint64_t bias, name_at, ld;
		char name[MAX_NAME] = "";
		if (!hf_image_word(image, map, &bias) ||
		    !hf_image_word(image, map + word, &name_at) ||
		    !hf_image_word(image, map + 2 * word, &ld))
			break;
		hf_image_string(image, name_at, name, sizeof(name));
		struct hf_error *err = add_library(process, name, bias, ld);
		if (err)
			return err;
		if (!hf_image_word(image, map + 3 * word, &map))
			break;
	}
	return NULL;
}

struct hf_error *process_find_unnamed(struct hf_process *process)
{
	uint64_t dynamic = 0;

	if (process->priv->files.count)
		return NULL;
	hf_diag_add(process->diags, HF_DIAG_EVIDENCE, HF_SEV_WARNING, "no-file-names", 0,
		    "the core does not name its mapped files: modules are told by their ELF "
		    "headers, the auxiliary vector and the dynamic linker's list");
	struct hf_error *err = add_by_header(process);
	if (!err)
		err = add_program(process, &dynamic);
	if (!err)
		err = add_by_link_map(process, dynamic);
	return err;
}
