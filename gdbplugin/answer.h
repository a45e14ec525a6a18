/*
 * answer.h - running a command of the command line for GDB, and its answer as a GDB script.
 */
#ifndef HF_GDBPLUGIN_ANSWER_H
#define HF_GDBPLUGIN_ANSWER_H

#include <stdbool.h>

#include "gdbplugin/context.h"
#include "gdbplugin/folder.h"
#include "heapwalk/cli/options.h"

enum { HF_GDB_MAX_WORDS = 64 };

struct hf_gdb_request {
	uint32_t gdb;	     /* GDB's process */
	const char *command; /* "leaks" */
	const char *core;    /* the core to read: the target's, or a snapshot */
	const char *index;   /* folder for an index of it; NULL: the user's own */
	const struct hf_gdb_context *context;
	/* what the user wrote behind the command */
	const char *options[HF_GDB_MAX_WORDS];
	unsigned option_count;
	const char *words[HF_GDB_MAX_WORDS];
	unsigned word_count;
	const char *name; /* the expression, if it is a plain name; else NULL */
	bool color;
	uint64_t address; /* what the expression is */
};

/* Run it, and leave the script `next` that prints the answer. */
struct hf_error *hf_gdb_answer(const struct hf_gdb_folder *folder,
			       const struct hf_gdb_request *request);

/* Leave a script that prints one line and sets $hf_status. */
struct hf_error *hf_gdb_tell(const struct hf_gdb_folder *folder, int status, const char *text);

/* Leave a script that lets GDB take @step (see _hf-drive), with $NAME = "TEXT" set before. */
struct hf_error *hf_gdb_ask(const struct hf_gdb_folder *folder, int step, const char *name,
			    const char *text);

#endif
