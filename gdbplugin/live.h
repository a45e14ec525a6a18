/*
 * live.h - the memory of a live process, as a private core that GDB writes.
 */
#ifndef HF_GDBPLUGIN_LIVE_H
#define HF_GDBPLUGIN_LIVE_H

#include <stdbool.h>

#include "gdbplugin/context.h"
#include "gdbplugin/folder.h"

/* What must be had from GDB before there is a core to read. */
enum hf_gdb_need {
	HF_GDB_NEED_NOTHING,
	HF_GDB_NEED_THREADS, /* `thread apply all thread`: hf_gdb_live_threads() */
	HF_GDB_NEED_CORE,    /* a core, written to *@ret: hf_gdb_live_dumped() */
};

/* *@ret is the target's own core, or the snapshot's. The caller frees it. */
struct hf_error *hf_gdb_live_core(const struct hf_gdb_folder *folder,
				  const struct hf_gdb_context *context, char **ret,
				  enum hf_gdb_need *ret_need);

/*
 * A process behind a stub: from the list of its threads a script `tasks`, which asks for the
 * state of each; what it prints is for hf_gdb_live_tasks().
 */
struct hf_error *hf_gdb_live_threads(const struct hf_gdb_folder *folder,
				     const struct hf_gdb_context *context, const char *threads);
struct hf_error *hf_gdb_live_tasks(const struct hf_gdb_folder *folder,
				   const struct hf_gdb_context *context, const char *tasks);

struct hf_error *hf_gdb_live_dumped(const struct hf_gdb_folder *folder);

/* A new command: what the process was a while ago says nothing. */
void hf_gdb_live_restart(const struct hf_gdb_folder *folder);
void hf_gdb_live_forget(const struct hf_gdb_folder *folder);

#endif
