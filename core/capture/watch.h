/*
 * watch.h - waiting beside a process, or a cgroup of them, for the memory limit or the kill.
 *
 * At each threshold a snapshot is taken. The leader of each process is held by an exit trap
 * (PTRACE_SEIZE with PTRACE_O_TRACEEXIT): when SIGKILL strikes, it stands at its exit with its
 * memory, which is written then, as far as the kernel leaves time (about 2 s after an OOM kill).
 *
 * Promises: a target that exits or execs goes on undisturbed; signals are handed on at once;
 * whatever ends the watcher, the targets run on. While the trap is armed no other tracer (gdb,
 * strace) can attach.
 */
#ifndef HF_CORE_CAPTURE_WATCH_H
#define HF_CORE_CAPTURE_WATCH_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/base/error.h"
#include "core/capture/snapshot.h"

enum { HF_WATCH_THRESHOLDS = 16 };

struct hf_watch_threshold {
	double percent; /* of the limit that is nearest; 0: */
	uint64_t bytes; /* of resident memory (of a cgroup: its usage) */
};

enum hf_watch_event_kind {
	HF_WATCH_ARMED,	    /* its exit trap is set */
	HF_WATCH_UNARMED,   /* it cannot be: see the message */
	HF_WATCH_THRESHOLD, /* a snapshot of it was taken */
	HF_WATCH_KILL,	    /* it was killed, and its last image was taken */
	HF_WATCH_FAILED,    /* a snapshot could not be taken: see the message */
	HF_WATCH_SKIPPED,   /* none was taken, because of the disk budget */
	HF_WATCH_ENDED,	    /* it has ended */
};

struct hf_watch_event {
	enum hf_watch_event_kind kind;
	pid_t pid;
	const char *name;			   /* comm */
	const char *message;			   /* one sentence; NULL: none */
	const struct hf_snapshot_result *snapshot; /* THRESHOLD, KILL */
};

struct hf_watch_options {
	pid_t pid;	    /* 0: */
	const char *cgroup; /* folder of a cgroup: all processes in it and below */
	bool child;	    /* @pid is our child: its status is reaped */
	const char *name;   /* of a child, before it has become its program; NULL */
	int started_fd;	    /* of a child: closed once it is watched; <= 0: none */
	int exec_fd;	    /* of a child: hangs up when it becomes its program; <= 0: none */
	struct hf_watch_threshold thresholds[HF_WATCH_THRESHOLDS];
	size_t threshold_count;
	const char *folder; /* where cores go */
	enum hf_snapshot_mode mode;
	bool zstd, read_swap; /* of threshold snapshots */
	bool no_trap;
	unsigned keep;	 /* so many threshold snapshots; the oldest is removed. 0: all */
	double cooldown; /* seconds before the same threshold counts again */
	uint64_t budget; /* bytes of disk for all images; 0: no limit */
	double window;	 /* seconds that a killed process is held at most */
	const volatile sig_atomic_t *cancel;
	void (*event)(void *ctx, const struct hf_watch_event *event); /* from the calling thread */
	void *ctx;
};

struct hf_watch_result {
	unsigned snapshots, kills;
	bool has_status; /* @child: as waitpid() gives it */
	int status;
};

/* Returns when the process has ended, the cgroup is gone, or @cancel is set. */
struct hf_error *hf_watch_run(const struct hf_watch_options *options, struct hf_watch_result *ret);

#endif
