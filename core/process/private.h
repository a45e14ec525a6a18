/*
 * private.h - what only core/process/ knows of a process: the file and what hangs on it.
 */
#ifndef HF_CORE_PROCESS_PRIVATE_H
#define HF_CORE_PROCESS_PRIVATE_H

#include <elfutils/libdwfl.h>

#include "core/base/strpool.h"
#include "core/elf/elfcore.h"
#include "core/process/elfview.h"
#include "core/process/machine.h"
#include "core/process/process.h"

enum { PSARGS_BYTES = 80 }; /* of pr_psargs in NT_PRPSINFO, its end included */

struct file_entry { /* one line of NT_FILE */
	uint64_t start, end, offset;
	const char *path;
};

struct auxv_entry {
	uint64_t type, value;
};

struct mapped_file { /* a module's file, mapped to give the pages that the core left out */
	const uint8_t *data;
	uint64_t size;
};

struct hf_process_private {
	struct hf_input input;
	struct hf_elfcore core;
	struct hf_strpool *strings;
	const struct hf_machine *machine;
	HF_VEC(, struct file_entry) files; /* sorted by start */
	HF_VEC(, struct auxv_entry) auxv;
	HF_VEC(, struct mapped_file) mapped;
	const char *sysroot, *executable; /* owned by strings; "" / NULL */
	char *debuginfo_path;		  /* for libdwfl, which keeps a pointer to it */
	Dwfl_Callbacks callbacks;
	Dwfl *dwfl;
	void *unwindings;   /* unwind.c's, which the Dwfl points at */
	bool page_size_one; /* NT_FILE as gdb writes it */
	bool gdb_notes;
};

/* notes.c: threads, registers, signal, command line, files, auxiliary vector. */
struct hf_error *process_read_notes(struct hf_process *process);

/* snapshot.c: the note that our own snapshots have, and what follows from it. */
bool process_read_snapshot(struct hf_process *process, struct hf_cursor *at);
void process_judge_snapshot(struct hf_process *process);

/* arguments.c: the command line beyond what the note has room for. */
struct hf_error *process_complete_arguments(struct hf_process *process);

/* mappings.c: the image's segments and the mappings. */
struct hf_error *process_read_mappings(struct hf_process *process);
/* Cut the mapping that contains @address in two there (a no-op at its start). */
struct hf_error *process_split_mapping(struct hf_process *process, uint64_t address);
/* Fill pages that the core left out from @module's file, which matches. */
struct hf_error *process_fill_from_file(struct hf_process *process, uint32_t module);

/* Memory that was never written to is no hole: the kernel leaves it out. */
void process_fill_untouched(struct hf_process *process);

/* modules.c: which files are mapped, and which of them this machine has. */
struct hf_error *process_find_modules(struct hf_process *process);
/* "libc.so.6" of "/lib/libc.so.6"; all of a path that ends with a slash. */
const char *process_base_name(const char *path);
struct hf_error *process_add_module(struct hf_process *process, const char *path, uint64_t start,
				    const struct hf_elf_view *view);

/* unnamed.c: the modules of a core without NT_FILE. */
struct hf_error *process_find_unnamed(struct hf_process *process);

/* dwfl.c: libdwfl's view of the modules. */
struct hf_error *process_open_dwfl(struct hf_process *process);

/* linkmap.c: what the dynamic linker knows of the modules (TLS offsets). */
void process_read_link_map(struct hf_process *process);

/* stacks.c: bounds of each thread's stack. */
void process_bound_stacks(struct hf_process *process);

#endif
