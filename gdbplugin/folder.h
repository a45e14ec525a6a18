/*
 * folder.h - the private folder of one GDB: scripts for it, its words, a snapshot's state.
 *
 * It is /tmp/heapforensics-NUMBER, where NUMBER fits an exit status: that is how GDB learns which
 * one is its own. A folder belongs to us by its user and mode, and to one GDB by the file `owner`;
 * those of other users and of other GDBs are passed by. A process that sleeps until that GDB ends
 * removes it; should it be killed, the next helper finds the folder without an owner.
 */
#ifndef HF_GDBPLUGIN_FOLDER_H
#define HF_GDBPLUGIN_FOLDER_H

#include <stdint.h>
#include <stdio.h>

#include "core/base/error.h"

/* A shell's own exit statuses are below and above these. */
enum { HF_GDB_FIRST_FOLDER = 11, HF_GDB_LAST_FOLDER = 100 };

struct hf_gdb_folder {
	unsigned number; /* HF_GDB_FIRST_FOLDER .. HF_GDB_LAST_FOLDER */
	char path[64];
};

/* The folder of the GDB that runs as @pid: made if there is none yet. */
struct hf_error *hf_gdb_folder_open(uint32_t pid, struct hf_gdb_folder *ret);

/* A whole file of the folder; *@ret is NULL if there is none. The caller frees it. */
struct hf_error *hf_gdb_folder_read(const struct hf_gdb_folder *folder, const char *name,
				    char **ret);
struct hf_error *hf_gdb_folder_write(const struct hf_gdb_folder *folder, const char *name,
				     const char *text);

/* A file that takes its name when it is whole: write to *@ret, then publish. */
struct hf_error *hf_gdb_folder_create(const struct hf_gdb_folder *folder, const char *name,
				      FILE **ret);
struct hf_error *hf_gdb_folder_publish(const struct hf_gdb_folder *folder, const char *name,
				       FILE *file);
void hf_gdb_folder_remove(const struct hf_gdb_folder *folder, const char *name);

/*
 * Where a snapshot and its index go: the path of @name in a private folder below $TMPDIR or
 * /var/tmp, which may have more room; it goes with the GDB too. The caller frees it.
 */
struct hf_error *hf_gdb_folder_big(const struct hf_gdb_folder *folder, const char *name,
				   char **ret);
void hf_gdb_folder_empty_big(const struct hf_gdb_folder *folder);

/* All that @fd gives, with a NUL behind it. */
struct hf_error *hf_gdb_read_all(int fd, char **ret);

#endif
