/*
 * input.h - what GDB pipes to the helper.
 */
#ifndef HF_GDBPLUGIN_INPUT_H
#define HF_GDBPLUGIN_INPUT_H

#include "core/base/error.h"

/* All of standard input, as GDB meant it. The caller frees it. */
struct hf_error *hf_gdb_read_input(char **ret);

#endif
