/*
 * whole_file.h - a file of the user's (-o FILE) that appears under its name when it is complete,
 * or not at all: a full disk, an error or Ctrl-C leaves what was there before.
 *
 * It is written beside, as FILE.part, and renamed. What is no plain file (a pipe, a device), or
 * stands in a folder that may not be written to, is written as it comes.
 */
#ifndef HF_HEAPWALK_CLI_WHOLE_FILE_H
#define HF_HEAPWALK_CLI_WHOLE_FILE_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

#include "core/base/error.h"

struct hf_whole_file {
	const char *name; /* as the user gave it; borrowed */
	char *path;	  /* what it is really called, links followed; NULL: written directly */
	char *part;	  /* NULL: written directly */
	mode_t mode;	  /* of the file that is there; 0: none is */
};

struct hf_error *hf_whole_file_begin(const char *name, struct hf_whole_file *ret);

/* Where to write to. */
const char *hf_whole_file_path(const struct hf_whole_file *file);
struct hf_error *hf_whole_file_open(const struct hf_whole_file *file, int *ret_fd);
struct hf_error *hf_whole_file_fopen(const struct hf_whole_file *file, FILE **ret);

/* Give it its name, or throw it away if @err. Returns @err, or what went wrong now. */
struct hf_error *hf_whole_file_end(struct hf_whole_file *file, struct hf_error *err);

#endif
