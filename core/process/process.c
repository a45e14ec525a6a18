/*
 * process.c - opening a core as a process (see process.h), and small questions to it.
 *
 * Order: input, headers and notes, mappings, modules, libdwfl, link map, stacks. Each
 * step uses only what the earlier ones found.
 */
#include <elf.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "core/process/private.h"
#include "core/process/units.h"

static bool keep_options(struct hf_process_private *priv, const struct hf_process_options *options)
{
	const char *root = options->sysroot ? options->sysroot : "";
	size_t length = strlen(root);
	while (length > 0 && root[length - 1] == '/')
		length--;
	priv->sysroot = hf_strpool_printf(priv->strings, "%.*s", (int)length, root);
	if (options->executable)
		priv->executable = hf_strpool_dup(priv->strings, options->executable);
	if (options->debuginfo_path)
		priv->debuginfo_path = strdup(options->debuginfo_path);
	return priv->sysroot && (!options->executable || priv->executable) &&
	       (!options->debuginfo_path || priv->debuginfo_path);
}

static struct hf_error *open_core(struct hf_process *process,
				  const struct hf_process_options *options)
{
	struct hf_process_private *priv = process->priv;
	char name[32];
	struct hf_error *err =
	    hf_input_open(options->core, process->diags, options->progress, &priv->input);
	if (err)
		return err;
	err = hf_elfcore_open(&priv->input, options->core, process->diags, &priv->core);
	if (err)
		return err;
	process->image.word_bytes = priv->core.word_bytes;
	process->image.big_endian = priv->core.big_endian;
	process->image.machine = priv->core.machine;
	process->image.page_bytes = 4096;
	process->info.core_path =
	    hf_strpool_dup(priv->strings, options->core_name ? options->core_name : options->core);
	process->info.core_bytes = priv->input.file_size;
	priv->machine = hf_machine_find(priv->core.machine, priv->core.word_bytes);
	if (!priv->machine)
		hf_diag_add(process->diags, HF_DIAG_EVIDENCE, HF_SEV_WARNING, "machine-unknown", 0,
			    "registers of %s are not known: threads cannot be read",
			    hf_machine_name(priv->core.machine, name, sizeof(name)));
	return process->info.core_path ? NULL : hf_error_nomem();
}

static void note_time(struct hf_process *process, const char *core)
{
	struct stat st;
	process->info.taken_ns = process->info.snapshot.time_ns;
	if (!process->info.taken_ns && stat(core, &st) == 0 && st.st_mtim.tv_sec > 0)
		process->info.taken_ns =
		    (uint64_t)st.st_mtim.tv_sec * 1000000000u + (uint64_t)st.st_mtim.tv_nsec;
}

static struct hf_error *open_all(struct hf_process *process,
				 const struct hf_process_options *options)
{
	uint64_t page = 0;
	struct hf_error *err = open_core(process, options);
	if (!err)
		err = process_read_notes(process);
	if (err)
		return err;
	note_time(process, options->core);
	if (hf_process_auxv(process, AT_PAGESZ, &page) && page >= 4096 && page <= (1u << 20) &&
	    !(page & (page - 1)))
		process->image.page_bytes = page;
	err = process_read_mappings(process);
	if (!err)
		err = process_complete_arguments(process);
	if (!err)
		err = process_find_modules(process);
	if (!err)
		err = process_open_dwfl(process);
	if (err)
		return err;
	process_read_link_map(process);
	process_bound_stacks(process);
	return NULL;
}

struct hf_error *hf_process_open(const struct hf_process_options *options, struct hf_diags *diags,
				 struct hf_process **ret)
{
	struct hf_process *process = calloc(1, sizeof(*process));
	if (process)
		process->priv = calloc(1, sizeof(*process->priv));
	if (!process || !process->priv) {
		free(process);
		return hf_error_nomem();
	}
	process->diags = diags;
	process->info.arguments = "";
	struct hf_error *err = hf_strpool_create(&process->priv->strings);
	if (!err && !keep_options(process->priv, options))
		err = hf_error_nomem();
	if (!err)
		err = open_all(process, options);
	if (err)
		hf_process_close(process);
	else
		*ret = process;
	return err;
}

void hf_process_close(struct hf_process *process)
{
	if (!process)
		return;
	struct hf_process_private *priv = process->priv;
	if (priv->dwfl)
		dwfl_end(priv->dwfl);
	free(priv->unwindings);
	hf_vec_foreach (thread, &process->threads)
		hf_vec_free(&thread->frames);
	hf_vec_foreach (module, &process->modules) {
		hf_vec_free(&module->sections);
		hf_units_destroy(module->units);
	}
	hf_vec_foreach (file, &priv->mapped)
		munmap((void *)(uintptr_t)file->data, file->size);
	hf_vec_free(&process->threads);
	hf_vec_free(&process->modules);
	hf_vec_free(&process->mappings);
	hf_vec_free(&priv->files);
	hf_vec_free(&priv->auxv);
	hf_vec_free(&priv->mapped);
	hf_image_deinit(&process->image);
	hf_elfcore_deinit(&priv->core);
	hf_input_close(&priv->input);
	hf_strpool_destroy(priv->strings);
	free(priv->debuginfo_path);
	free(priv);
	free(process);
}

bool hf_process_auxv(const struct hf_process *process, uint64_t type, uint64_t *ret)
{
	hf_vec_foreach (entry, &process->priv->auxv) {
		if (entry->type == type) {
			*ret = entry->value;
			return true;
		}
	}
	return false;
}

uint64_t hf_process_red_zone(const struct hf_process *process)
{
	return process->priv->machine ? process->priv->machine->red_zone : 0;
}

const char *hf_signal_name(int signal)
{
	static const struct {
		int signal;
		const char *name;
	} names[] = {
	    {SIGABRT, "SIGABRT"}, {SIGSEGV, "SIGSEGV"}, {SIGBUS, "SIGBUS"},   {SIGFPE, "SIGFPE"},
	    {SIGILL, "SIGILL"},	  {SIGTRAP, "SIGTRAP"}, {SIGQUIT, "SIGQUIT"}, {SIGSYS, "SIGSYS"},
	    {SIGKILL, "SIGKILL"}, {SIGTERM, "SIGTERM"}, {SIGINT, "SIGINT"},   {SIGXCPU, "SIGXCPU"},
	    {SIGXFSZ, "SIGXFSZ"}, {SIGSTOP, "SIGSTOP"}, {SIGUSR1, "SIGUSR1"}, {SIGUSR2, "SIGUSR2"},
	    {SIGHUP, "SIGHUP"},	  {SIGPIPE, "SIGPIPE"}, {SIGALRM, "SIGALRM"}, {SIGCONT, "SIGCONT"}};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (names[i].signal == signal)
			return names[i].name;
	}
	return "an unnamed signal";
}
