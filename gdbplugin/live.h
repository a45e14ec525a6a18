/*
 * live.h - the memory of a live process, as a private core that GDB writes.
 */
#ifndef HF_GDBPLUGIN_LIVE_H
#define HF_GDBPLUGIN_LIVE_H

#include <stdbool.h>

#include "gdbplugin/context.h"
#include "gdbplugin/folder.h"

/*
 * The core to read: the target's own, or the snapshot of a process that has not run since. Else
 * *@ret_wanted is true, and *@ret is where GDB shall write one. The caller frees it.
 */
struct hf_error *hf_gdb_live_core(const struct hf_gdb_folder *folder,
				  const struct hf_gdb_context *context, char **ret,
				  bool *ret_wanted);

/* GDB was asked for a core and came back. */
struct hf_error *hf_gdb_live_dumped(const struct hf_gdb_folder *folder,
				    const struct hf_gdb_context *context);

void hf_gdb_live_forget(const struct hf_gdb_folder *folder);

#endif
