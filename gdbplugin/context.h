/*
 * context.h - what GDB knows of its target, as _hf-context of heapforensics.gdb prints it.
 */
#ifndef HF_GDBPLUGIN_CONTEXT_H
#define HF_GDBPLUGIN_CONTEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/error.h"

enum hf_gdb_target {
	HF_GDB_NONE, /* at most a program, no memory */
	HF_GDB_CORE,
	HF_GDB_NATIVE, /* a process of this machine */
	HF_GDB_REMOTE, /* a process behind gdbserver or another stub */
};

struct hf_gdb_context {
	enum hf_gdb_target target;
	uint32_t pid;	     /* 0: unknown */
	char *core, *binary; /* absolute; NULL: none */
	char *sysroot, *debug_directories;
	char *language;
	char thread[32]; /* "1.3": inferior and thread; "" if there is no thread */
	unsigned width;	 /* 0: unlimited */
	bool style;
};

/* @text is GDB's, so it may hold anything that a core or a path makes it print. */
struct hf_error *hf_gdb_context_parse(const char *text, struct hf_gdb_context *ret);
void hf_gdb_context_deinit(struct hf_gdb_context *context);

#endif
