/*
 * index.h - where what an analysis found is kept, so that the next command need not find it again.
 *
 *	DIR/0123456789abcdef/arrays		the analysis: heap, graph, types
 *	DIR/0123456789abcdef/report-89abcdef	what a command answered
 *	DIR/0123456789abcdef/used		its time tells when the folder was last of use
 *
 * DIR is --index=DIR, $HEAPFORENSICS_INDEX, $XDG_CACHE_HOME/heapforensics or
 * ~/.cache/heapforensics. The folder's name is a hash of the identity: the tool's version and
 * build, the core (device, inode, size, mtime in ns), the program, and the options that change
 * the analysis. Each file repeats the identity, and lists the files that were read (modules,
 * debug files) with theirs, and those that were looked for in vain. An index that does not agree
 * in all of that is not used. Files appear whole (stash.h); two writers write the same.
 */
#ifndef HF_HEAPWALK_INDEX_H
#define HF_HEAPWALK_INDEX_H

#include "core/base/error.h"
#include "core/base/stash.h"
#include "core/process/process.h"
#include "core/symbols/symbols.h"

enum hf_index_mode {
	HF_INDEX_AUTO, /* use one; make one if the analysis took long */
	HF_INDEX_ON,   /* use one, make one */
	HF_INDEX_OFF,
};

/* Of all folders together ($HEAPFORENSICS_INDEX_MIB); the longest unused go first. */
#define HF_INDEX_MAX_BYTES (UINT64_C(16) << 30)

struct hf_index_options {
	enum hf_index_mode mode;
	const char *folder;  /* NULL: the default */
	uint64_t max_bytes;  /* 0: HF_INDEX_MAX_BYTES */
	uint32_t root_kinds; /* what else changes an analysis */
	uint32_t heuristics;
	uint32_t max_frames;
};

struct hf_index;

/*
 * The index of @process's files; *@ret NULL where there can be none (mode OFF, no home, a core
 * that is no regular file).
 */
struct hf_error *hf_index_locate(const struct hf_index_options *options,
				 const struct hf_process_options *process, struct hf_index **ret);
void hf_index_destroy(struct hf_index *index);

const char *hf_index_folder(const struct hf_index *index);

/* File @name of the index, checked; *@ret NULL: there is none that can be used. */
struct hf_error *hf_index_open(const struct hf_index *index, const char *name,
			       struct hf_stash **ret);

/* Begin file @name; what it was made from is noted in it. */
struct hf_error *hf_index_create(const struct hf_index *index, const struct hf_process *process,
				 struct hf_symbols *symbols, const char *name,
				 struct hf_stash_writer **ret);

/* The same where all that is known comes from @arrays, which are of @index. */
struct hf_error *hf_index_create_beside(const struct hf_index *index, const struct hf_stash *arrays,
					const char *name, struct hf_stash_writer **ret);

/* Room for @bytes more? Older folders are removed to make it. False: there is none. */
bool hf_index_make_room(const struct hf_index *index, uint64_t bytes);

#endif
