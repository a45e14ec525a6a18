/*
 * watch_private.h - what the files of the watcher share.
 *
 *	watch.c		the loop: waiting, measuring, thresholds
 *	trap.c		ptrace events of the targets
 *	jobs.c		captures, whose slow parts run in threads of their own
 */
#ifndef HF_CORE_CAPTURE_WATCH_PRIVATE_H
#define HF_CORE_CAPTURE_WATCH_PRIVATE_H

#include <pthread.h>

#include "core/capture/private.h"
#include "core/capture/watch.h"

/*
 * What a counter was when last looked at, and the time before: the kernel may have counted a kill
 * before the last look, and let us know of the victim's exit after it.
 */
struct watch_counter {
	uint64_t before, last;
	bool known; /* before is */
};

struct watch_target {
	pid_t pid;
	char name[17];
	bool armed; /* we trace its leader */
	bool ended;
	bool told;	 /* that it cannot be armed */
	double arm_time; /* try (again) from then on */
	uint64_t memory; /* resident, when last looked at */
	uint32_t threads;
	struct hf_cgroup cgroup;
	char *membership;		/* /proc/PID/cgroup, as it was when cgroup was looked for */
	struct watch_counter oom_kills; /* of the cgroup */
};

struct watch_threshold {
	bool above;
	double fired; /* monotonic seconds; 0: never */
};

enum watch_job_state { WATCH_JOB_PREPARE, WATCH_JOB_FINISH };

struct watch_job {
	struct watch *watch;
	enum watch_job_state state;
	pthread_t thread;
	bool done; /* the thread's part; under watch->lock */
	pid_t pid;
	char name[17];
	bool kill;
	char *reason, *output;
	struct capture_request request;
	struct capture *capture;
	struct hf_error *err;
	struct hf_snapshot_result result;
};

struct watch_kept {
	char *path, *sidecar;
	uint64_t bytes;
};

struct watch {
	const struct hf_watch_options *options;
	HF_VEC(, struct watch_target) targets;
	HF_VEC(, struct watch_job *) jobs;
	HF_VEC(, struct watch_kept) kept; /* threshold snapshots, oldest first */
	uint64_t kill_bytes;		  /* of images at kills */
	struct watch_threshold thresholds[HF_WATCH_THRESHOLDS];
	struct watch_threshold high; /* memory.high was passed */
	uint64_t high_events;
	struct hf_cgroup cgroup; /* of the options, else of the process */
	struct watch_counter host_oom_kills;
	struct capture_sink *spare; /* for the image at the kill */
	pthread_mutex_t lock;
	int job_event, signal_fd, wake_fd, pressure_fd;
	double last_time, last_ratio, rate; /* growth of the nearest level, a second */
	double next_scan;
	struct hf_watch_result result;
};

void watch_tell(struct watch *watch, enum hf_watch_event_kind kind, pid_t pid, const char *name,
		const struct hf_snapshot_result *snapshot, const char *message);

/* ---- trap.c ---- */

/* Trace the leader; tells if it cannot be. */
void trap_arm(struct watch *watch, struct watch_target *target);
/* All that has happened to our tracees and children. */
void trap_collect(struct watch *watch);
/* Let all targets go, as if they had never been traced. */
void trap_disarm(struct watch *watch);
/* OOM kills on this machine since it started. */
uint64_t trap_host_oom_kills(void);

/* ---- jobs.c ---- */

/* A snapshot of @target, because of @reason (taken over), for the file name's end @kind. */
void jobs_start(struct watch *watch, struct watch_target *target, char *reason, const char *kind);
/* The image of a target that stands at its exit; lets it go. */
void jobs_kill(struct watch *watch, struct watch_target *target, const char *reason);
bool jobs_busy(const struct watch *watch);
void jobs_advance(struct watch *watch);
/* Wait for all of them. */
void jobs_end(struct watch *watch);
/* Buffers and disk space for an image of about @bytes. */
void jobs_make_spare(struct watch *watch, uint64_t bytes);

#endif
