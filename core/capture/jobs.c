/*
 * jobs.c - the watcher's captures, and the files that it keeps.
 *
 *	threshold	prepare (thread) -> read (the watcher's own thread: it traces) -> finish
 *(thread) kill		prepare, read (at once)					       -> finish
 *(thread)
 *
 * Only reading keeps the watcher from its tracees; writing back, syncing and the sidecar do not.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ptrace.h>
#include <time.h>
#include <unistd.h>

#include "core/base/cleanup.h"
#include "core/capture/watch_private.h"

/* ---- files ----------------------------------------------------------------------------------- */

static uint64_t kept_bytes(const struct watch *watch)
{
	uint64_t bytes = watch->kill_bytes;
	hf_vec_foreach (kept, &watch->kept)
		bytes += kept->bytes;
	return bytes;
}

static void remove_oldest(struct watch *watch)
{
	struct watch_kept oldest = watch->kept.data[0];
	unlink(oldest.path);
	unlink(oldest.sidecar);
	free(oldest.path);
	free(oldest.sidecar);
	watch->kept.count--;
	memmove(watch->kept.data, watch->kept.data + 1,
		watch->kept.count * sizeof(*watch->kept.data));
}

/* Make room for @bytes within the budget; false if there cannot be. */
static bool make_room(struct watch *watch, uint64_t bytes)
{
	uint64_t budget = watch->options->budget;
	if (!budget)
		return true;
	while (watch->kept.count && kept_bytes(watch) + bytes > budget)
		remove_oldest(watch);
	return kept_bytes(watch) + bytes <= budget;
}

static void keep(struct watch *watch, const struct watch_job *job)
{
	struct watch_kept kept = {strdup(job->result.path), strdup(job->result.sidecar),
				  job->result.bytes};

	if (job->kill)
		watch->kill_bytes += kept.bytes;
	if (job->kill || !kept.path || !kept.sidecar || !hf_vec_push(&watch->kept, kept)) {
		free(kept.path);
		free(kept.sidecar);
	}
	while (watch->options->keep && watch->kept.count > watch->options->keep)
		remove_oldest(watch);
	make_room(watch, 0);
}

/* FOLDER/core.NAME.PID.TIME.KIND */
static char *file_name(const struct watch *watch, const struct watch_job *job, const char *kind,
		       bool zstd)
{
	time_t now = time(NULL);
	struct tm local;
	char name[sizeof(job->name)], stamp[32] = "", *path = NULL;

	snprintf(name, sizeof(name), "%s", job->name);
	for (char *at = name; *at; at++) {
		if (*at <= ' ' || *at == '/' || *at == 0x7f || (unsigned char)*at >= 0x80)
			*at = '_';
	}
	if (localtime_r(&now, &local))
		strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%S", &local);
	if (asprintf(&path, "%s/core.%s.%d.%s.%s%s", watch->options->folder, name, (int)job->pid,
		     stamp, kind, zstd ? ".zst" : "") < 0)
		return NULL;
	return path;
}

void jobs_make_spare(struct watch *watch, uint64_t bytes)
{
	HF_AUTO(free_ptr) char *path = NULL;

	if (watch->spare || asprintf(&path, "%s/.heapforensics-%d-%lx", watch->options->folder,
				     (int)getpid(), (unsigned long)(hf_clock_seconds() * 1e9)) < 0)
		return;
	struct hf_error *err = capture_sink_create(path, false, &watch->spare);
	if (!err && bytes)
		hf_error_destroy(capture_sink_reserve(watch->spare, bytes));
	hf_error_destroy(err); /* then one is made when it is needed, and that error is told */
}

/* ---- threads --------------------------------------------------------------------------------- */

static void *run_part(void *arg)
{
	struct watch_job *job = arg;

	if (job->state == WATCH_JOB_PREPARE)
		job->err = capture_prepare(&job->request, &job->capture);
	else
		job->err = capture_finish(job->capture, job->err, &job->result);
	pthread_mutex_lock(&job->watch->lock);
	job->done = true;
	pthread_mutex_unlock(&job->watch->lock);
	eventfd_write(job->watch->job_event, 1);
	return NULL;
}

/* No thread to be had: do it here. */
static void start_part(struct watch_job *job, enum watch_job_state state)
{
	sigset_t all, before;

	job->state = state;
	job->done = false;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	bool started = pthread_create(&job->thread, NULL, run_part, job) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!started) {
		run_part(job);
		job->thread = pthread_self();
	}
}

static void free_job(struct watch_job *job)
{
	if (!job)
		return;
	hf_error_destroy(job->err);
	free(job->reason);
	free(job->output);
	free(job);
}

static struct watch_job *new_job(struct watch *watch, const struct watch_target *target,
				 const char *kind, bool zstd, char *reason)
{
	struct watch_job *job = calloc(1, sizeof(*job));

	if (!job) {
		free(reason);
		return NULL;
	}
	job->watch = watch;
	job->pid = target->pid;
	job->reason = reason;
	job->result.fd = -1;
	memcpy(job->name, target->name, sizeof(job->name));
	job->output = file_name(watch, job, kind, zstd);
	if (!job->output || !job->reason || !hf_vec_push(&watch->jobs, job)) {
		free_job(job);
		return NULL;
	}
	job->request = (struct capture_request){.options = {.pid = target->pid,
							    .output = job->output,
							    .mode = watch->options->mode,
							    .zstd = zstd,
							    .read_swap = watch->options->read_swap},
						.reason = job->reason};
	return job;
}

/* ---- captures -------------------------------------------------------------------------------- */

void jobs_start(struct watch *watch, struct watch_target *target, char *reason, const char *kind)
{
	if (!make_room(watch, watch->options->zstd ? target->memory / 4 : target->memory)) {
		watch_tell(watch, HF_WATCH_SKIPPED, target->pid, target->name, NULL,
			   "the disk budget has no room for a snapshot");
		free(reason);
		return;
	}
	struct watch_job *job = new_job(watch, target, kind, watch->options->zstd, reason);
	if (!job)
		return;
	job->request.trigger = "threshold";
	start_part(job, WATCH_JOB_PREPARE);
}

void jobs_kill(struct watch *watch, struct watch_target *target, const char *reason)
{
	uint64_t budget = watch->options->budget;
	struct watch_job *job = new_job(watch, target, "kill", false, strdup(reason));

	if (!job) {
		ptrace(PTRACE_DETACH, target->pid, NULL, NULL);
		return;
	}
	job->kill = true;
	job->request.trigger = "kill";
	job->request.held = target->pid;
	job->request.at_exit = true;
	job->request.threads = target->threads;
	job->request.window = watch->options->window;
	job->request.sink = watch->spare;
	if (budget) /* threshold snapshots will make way */
		job->request.most_bytes =
		    budget > watch->kill_bytes ? budget - watch->kill_bytes : 1;
	watch->spare = NULL;
	job->err = capture_prepare(&job->request, &job->capture);
	if (!job->err)
		job->err = capture_read(job->capture);
	else
		ptrace(PTRACE_DETACH, target->pid, NULL, NULL);
	start_part(job, WATCH_JOB_FINISH);
}

static void read_target(struct watch *watch, struct watch_job *job)
{
	struct watch_target *target = NULL;

	hf_vec_foreach (each, &watch->targets) {
		if (each->pid == job->pid && !each->ended)
			target = each;
	}
	if (!job->err && !target)
		job->err = hf_error_create(HF_ERR_NOT_FOUND, "it has ended");
	if (!job->err) {
		capture_set_held(job->capture, target->armed ? target->pid : 0);
		job->err = capture_read(job->capture);
		if (target->armed && capture_held_at_exit(job->capture)) {
			/* Killed while it stood: this is its last image. */
			job->kill = !job->err;
			target->armed = false;
			ptrace(PTRACE_DETACH, target->pid, NULL, NULL);
		}
	}
	start_part(job, WATCH_JOB_FINISH);
}

static void tell_result(struct watch *watch, struct watch_job *job)
{
	if (job->err) {
		watch_tell(watch, HF_WATCH_FAILED, job->pid, job->name, NULL,
			   hf_error_message(job->err));
		return;
	}
	keep(watch, job);
	*(job->kill ? &watch->result.kills : &watch->result.snapshots) += 1;
	watch_tell(watch, job->kill ? HF_WATCH_KILL : HF_WATCH_THRESHOLD, job->pid, job->name,
		   &job->result, job->reason);
	hf_snapshot_result_deinit(&job->result);
}

bool jobs_busy(const struct watch *watch)
{
	return watch->jobs.count != 0;
}

static bool is_done(struct watch *watch, const struct watch_job *job)
{
	pthread_mutex_lock(&watch->lock);
	bool done = job->done;
	pthread_mutex_unlock(&watch->lock);
	return done;
}

void jobs_advance(struct watch *watch)
{
	for (size_t i = 0; i < watch->jobs.count;) {
		struct watch_job *job = watch->jobs.data[i];
		if (!is_done(watch, job)) {
			i++;
			continue;
		}
		if (!pthread_equal(job->thread, pthread_self()))
			pthread_join(job->thread, NULL);
		if (job->state == WATCH_JOB_PREPARE) {
			read_target(watch, job);
			i++;
			continue;
		}
		watch->jobs.count--;
		memmove(&watch->jobs.data[i], &watch->jobs.data[i + 1],
			(watch->jobs.count - i) * sizeof(*watch->jobs.data));
		tell_result(watch, job);
		free_job(job);
	}
}

void jobs_end(struct watch *watch)
{
	while (watch->jobs.count) {
		jobs_advance(watch);
		trap_collect(watch);
		nanosleep(&(struct timespec){0, 1000000}, NULL);
	}
	while (watch->kept.count) {
		struct watch_kept *last = &watch->kept.data[--watch->kept.count];
		free(last->path);
		free(last->sidecar);
	}
	hf_vec_free(&watch->kept);
	hf_vec_free(&watch->jobs);
	capture_sink_destroy(watch->spare);
}
