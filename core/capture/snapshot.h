/*
 * snapshot.h - an ELF core of a live process.
 *
 * The target is stopped (or frozen, or only asked for its registers), its present pages are
 * read from outside and written to OUTPUT.part, which becomes OUTPUT when it is whole. The
 * target goes on as soon as the last page is read. Whatever ends this process, SIGKILL
 * included, lets the target run on.
 *
 * What the core holds, and what it does not:
 *	private pages that are present		as they are
 *	private pages never touched		holes in the file: they read as zero
 *	unchanged pages of mapped files		only the first page of ELF files
 *	swapped pages				left out unless read_swap: reading them would
 *						charge the target, which may kill it
 *	pages marked MADV_DONTDUMP, devices	left out
 * A page left out is no zero: its PT_LOAD ends before it (memsz > filesz), and the sidecar
 * counts it with the reason.
 */
#ifndef HF_CORE_CAPTURE_SNAPSHOT_H
#define HF_CORE_CAPTURE_SNAPSHOT_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/base/error.h"
#include "core/base/progress.h"

enum hf_snapshot_mode {
	HF_SNAPSHOT_PAUSE,    /* all threads stopped by ptrace while memory is read */
	HF_SNAPSHOT_FREEZE,   /* the whole cgroup frozen (cgroup v2) while memory is read */
	HF_SNAPSHOT_NO_PAUSE, /* stopped for the registers only: memory is fuzzy, and so marked */
};

enum hf_skip_reason { /* why a page is not in the core */
		      HF_SKIP_NONE,
		      HF_SKIP_SWAPPED,	 /* in swap */
		      HF_SKIP_FILE,	 /* unchanged page of a mapped file: the file has it */
		      HF_SKIP_SHARED,	 /* shared memory that this process has not mapped in */
		      HF_SKIP_DONTDUMP,	 /* the program said MADV_DONTDUMP */
		      HF_SKIP_DEVICE,	 /* device memory, kernel data pages */
		      HF_SKIP_UNTOUCHED, /* reserved address space, never touched: zero, but too big
					    to say */
		      HF_SKIP_UNREADABLE, /* the kernel would not read it */
		      HF_SKIP_WINDOW,	  /* at a kill: the memory was gone before its turn came */
		      HF_SKIP_REASONS,
};

struct hf_snapshot_options {
	pid_t pid;
	const char *output; /* path of the core; NULL with private_temp */
	enum hf_snapshot_mode mode;
	bool zstd;	   /* one zstd stream, compressed while written */
	bool read_swap;	   /* read swapped pages too: charges the target */
	bool private_temp; /* a file without a name, in $TMPDIR or /var/tmp; no sidecar */
	const struct hf_progress *progress;
	const volatile sig_atomic_t *cancel; /* set by a signal handler; may be NULL */
};

struct hf_snapshot_result {
	char *path;		       /* of the core; private_temp: /proc/self/fd/FD */
	int fd;			       /* private_temp: keeps it alive; else -1 */
	char *sidecar;		       /* of the JSON beside it; NULL if none */
	uint64_t bytes;		       /* disk space of the core */
	uint64_t size;		       /* size of the core as ls tells it */
	uint64_t memory_bytes;	       /* of target memory in it, holes not counted */
	double seconds, pause_seconds; /* in all; how long the target stood */
	uint64_t page_bytes;
	uint64_t pages_skipped[HF_SKIP_REASONS];
	uint32_t threads;	  /* with registers */
	uint32_t threads_missing; /* that did not stop in time, or had gone */
	bool consistent;	  /* nothing ran while memory was read */
	bool complete;		  /* nothing unreadable, swapped or out of window */
	bool killed;		  /* SIGKILL came while, or before, memory was read */
};

/*
 * Take a core of @options->pid. Errors: no such process, no permission (or another tracer),
 * no space, HF_ERR_LIMIT (a memory file system that is near its limit), HF_ERR_CANCELLED.
 * After an error the target runs on and no file is left.
 */
struct hf_error *hf_snapshot_take(const struct hf_snapshot_options *options,
				  struct hf_snapshot_result *ret);
void hf_snapshot_result_deinit(struct hf_snapshot_result *result);

/* "swapped" */
const char *hf_skip_reason_name(enum hf_skip_reason reason);

#endif
