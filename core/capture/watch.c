/*
 * watch.c - the watcher's loop: waiting, measuring, thresholds (see watch.h).
 *
 * How long it waits: a quarter of the time in which, at the present rate of growth, the next
 * threshold will be reached; never longer than a tenth of a second, and near a threshold no
 * longer than 10 ms. The kernel wakes it earlier: at a usage threshold (cgroup v1), at events of
 * memory.high and memory.max and under memory pressure (v2), and for whatever happens to a tracee.
 *
 * A threshold counts when it is crossed upwards; it is set anew 5 % below. One snapshot at a time.
 */
#include "core/capture/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "core/base/cleanup.h"
#include "core/capture/level.h"
#include "core/capture/watch_private.h"

enum { MOST_TARGETS = 256 };

static const double longest_wait = 0.1, near_wait = 0.01, shortest_wait = 0.002;
static const double near_gap = 0.1, scan_seconds = 0.5, reset_gap = 0.05;
static const uint64_t most_reserve = UINT64_C(4) << 30;

void watch_tell(struct watch *watch, enum hf_watch_event_kind kind, pid_t pid, const char *name,
		const struct hf_snapshot_result *snapshot, const char *message)
{
	struct hf_watch_event event = {kind, pid, name, message, snapshot};
	if (watch->options->event)
		watch->options->event(watch->options->ctx, &event);
}

/* ---- being woken ----------------------------------------------------------------------------- */

/* cgroup v2: wake when tasks stalled for memory 100 ms of a second. */
static int open_pressure(const struct hf_cgroup *cgroup)
{
	static const char trigger[] = "some 100000 1000000";
	HF_AUTO(free_ptr) char *path = NULL;

	if (cgroup->version != 2 || asprintf(&path, "%s/memory.pressure", cgroup->path) < 0)
		return -1;
	int fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd >= 0 && write(fd, trigger, sizeof(trigger)) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static uint64_t first_threshold(const struct watch *watch, uint64_t limit)
{
	double least = 100;
	for (size_t i = 0; i < watch->options->threshold_count; i++) {
		double percent = watch->options->thresholds[i].percent;
		if (percent > 0 && percent < least)
			least = percent;
	}
	return (uint64_t)((double)limit * least / 100);
}

static void close_wakers(struct watch *watch)
{
	if (watch->wake_fd >= 0)
		close(watch->wake_fd);
	if (watch->pressure_fd >= 0)
		close(watch->pressure_fd);
	watch->wake_fd = watch->pressure_fd = -1;
}

/* What the kernel can wake us with in this cgroup. */
static void open_wakers(struct watch *watch)
{
	struct hf_cgroup_memory memory;

	close_wakers(watch);
	if (!hf_cgroup_memory(&watch->cgroup, &memory))
		return;
	watch->high_events = memory.high_events;
	watch->wake_fd = hf_cgroup_wake_fd(&watch->cgroup, first_threshold(watch, memory.limit));
	watch->pressure_fd = open_pressure(&watch->cgroup);
}

/* ---- targets --------------------------------------------------------------------------------- */

static void read_name(struct watch_target *target)
{
	HF_AUTO(free_ptr) char *name = capture_slurp_proc(target->pid, "comm", NULL);
	if (name && *name)
		snprintf(target->name, sizeof(target->name), "%.*s", (int)strcspn(name, "\n"),
			 name);
}

/* A process may be moved, or move itself, to another cgroup. */
static void follow_cgroup(struct watch *watch, struct watch_target *target)
{
	HF_AUTO(free_ptr) char *membership = capture_slurp_proc(target->pid, "cgroup", NULL);

	if (!membership || (target->membership && !strcmp(membership, target->membership)))
		return;
	free(target->membership);
	target->membership = hf_take(membership);
	hf_cgroup_deinit(&target->cgroup);
	target->oom_kills.known = false;
	hf_error_destroy(hf_cgroup_of(target->pid, &target->cgroup));
	if (watch->options->cgroup)
		return;
	hf_cgroup_deinit(&watch->cgroup);
	hf_error_destroy(hf_cgroup_of(target->pid, &watch->cgroup));
	open_wakers(watch);
}

static void target_deinit(struct watch_target *target)
{
	hf_cgroup_deinit(&target->cgroup);
	free(target->membership);
}

static void add_target(struct watch *watch, pid_t pid)
{
	struct watch_target target = {.pid = pid};

	hf_vec_foreach (each, &watch->targets) {
		if (each->pid == pid && !each->ended)
			return;
	}
	if (watch->targets.count >= MOST_TARGETS || pid == getpid())
		return;
	read_name(&target);
	if (watch->options->child && watch->options->name)
		snprintf(target.name, sizeof(target.name), "%s", watch->options->name);
	if (hf_vec_push(&watch->targets, target))
		follow_cgroup(watch, &watch->targets.data[watch->targets.count - 1]);
}

static void remove_ended(struct watch *watch)
{
	size_t left = 0;
	for (size_t i = 0; i < watch->targets.count; i++) {
		struct watch_target *target = &watch->targets.data[i];
		if (!target->ended) {
			watch->targets.data[left++] = *target;
			continue;
		}
		watch_tell(watch, HF_WATCH_ENDED, target->pid, target->name, NULL, NULL);
		target_deinit(target);
	}
	watch->targets.count = left;
}

static bool has_ended(pid_t pid)
{
	char state = capture_state(pid);
	uint64_t threads = 0;

	if (state && state != 'Z' && state != 'X')
		return false;
	HF_AUTO(free_ptr) char *status = state ? capture_slurp_proc(pid, "status", NULL) : NULL;
	return !capture_field(status, "Threads", &threads) || threads <= 1;
}

static void count(struct watch_counter *counter, uint64_t now)
{
	counter->before = counter->known ? counter->last : now;
	counter->last = now;
	counter->known = true;
}

/* Names (they change with exec), sizes, OOM counters; who has ended; arming. */
static void scan(struct watch *watch)
{
	pid_t pids[MOST_TARGETS];
	uint64_t kills = 0;

	if (watch->options->cgroup) {
		size_t count = hf_cgroup_processes(&watch->cgroup, pids, MOST_TARGETS);
		for (size_t i = 0; i < count; i++)
			add_target(watch, pids[i]);
	}
	count(&watch->host_oom_kills, trap_host_oom_kills());
	hf_vec_foreach (target, &watch->targets) {
		if (!target->armed && !watch->options->child && has_ended(target->pid))
			target->ended = true;
		if (target->ended)
			continue;
		if (!watch->options->child || watch->next_scan > 0)
			read_name(target);
		follow_cgroup(watch, target);
		target->memory = hf_process_memory(target->pid);
		target->threads = capture_count_threads(target->pid);
		if (hf_cgroup_oom_kills(&target->cgroup, &kills))
			count(&target->oom_kills, kills);
		if (!target->armed && !watch->options->no_trap &&
		    hf_clock_seconds() >= target->arm_time)
			trap_arm(watch, target);
	}
}

/* ---- thresholds ------------------------------------------------------------------------------ */

static struct watch_target *biggest(struct watch *watch)
{
	struct watch_target *found = NULL;
	hf_vec_foreach (target, &watch->targets) {
		if (target->ended)
			continue;
		target->memory = hf_process_memory(target->pid);
		if (!found || target->memory > found->memory)
			found = target;
	}
	return found;
}

/* Resident memory of the process, or usage of the cgroup: for thresholds in bytes. */
static uint64_t absolute(struct watch *watch)
{
	struct hf_cgroup_memory memory;
	uint64_t usage = 0;

	if (!watch->options->cgroup)
		return watch->targets.count ? hf_process_memory(watch->targets.data[0].pid) : 0;
	if (hf_cgroup_usage(&watch->cgroup, &usage) && hf_cgroup_memory(&watch->cgroup, &memory))
		usage = memory.usage > memory.cache ? memory.usage - memory.cache : 0;
	return usage;
}

/* @position: 1 is the threshold itself. True if it is crossed upwards and may count. */
static bool crosses(struct watch *watch, struct watch_threshold *threshold, double position)
{
	double now = hf_clock_seconds();

	if (position < 1 - reset_gap)
		threshold->above = false;
	if (position < 1 || threshold->above)
		return false;
	if (threshold->fired > 0 && now - threshold->fired < watch->options->cooldown)
		return false;
	threshold->above = true;
	threshold->fired = now;
	return true;
}

struct measure {
	const struct hf_level *level; /* nearest to its limit; NULL: there is none */
	uint64_t bytes;		      /* absolute */
	double gap;		      /* least distance to a threshold ahead, in its own measure */
	double nearest;		      /* position of that threshold: 1 is reached */
};

static char *describe(const struct measure *measure, const struct hf_watch_threshold *threshold)
{
	const struct hf_level *level = measure->level;
	char *text = NULL;
	int length;

	if (threshold->percent > 0)
		length = asprintf(
		    &text, "%.1f %% of %s: %.1f of %.1f MiB", hf_level_ratio(level) * 100,
		    level->what, (double)level->used / (1 << 20), (double)level->limit / (1 << 20));
	else
		length = asprintf(&text, "%.1f MiB, of %.1f to wait for",
				  (double)measure->bytes / (1 << 20),
				  (double)threshold->bytes / (1 << 20));
	return length < 0 ? NULL : text;
}

static double position_of(const struct measure *measure, const struct hf_watch_threshold *threshold)
{
	if (threshold->percent > 0)
		return measure->level ? hf_level_ratio(measure->level) * 100 / threshold->percent
				      : 0;
	return threshold->bytes ? (double)measure->bytes / (double)threshold->bytes : 0;
}

static void fire(struct watch *watch, char *reason, const char *kind)
{
	struct watch_target *target = biggest(watch);
	if (target && reason)
		jobs_start(watch, target, reason, kind);
	else
		free(reason);
}

static void check_thresholds(struct watch *watch, struct measure *measure)
{
	const struct hf_watch_options *options = watch->options;
	const struct hf_watch_threshold *crossed = NULL;

	if (jobs_busy(watch))
		return;
	for (size_t i = 0; i < options->threshold_count; i++) {
		const struct hf_watch_threshold *threshold = &options->thresholds[i];
		double position = position_of(measure, threshold);
		if (crosses(watch, &watch->thresholds[i], position))
			crossed = threshold; /* of several at once one snapshot will do */
		if (position < 1 && position > measure->nearest)
			measure->nearest = position;
	}
	if (!crossed)
		return;
	char kind[32];
	if (crossed->percent > 0)
		snprintf(kind, sizeof(kind), "%.0f", crossed->percent);
	else
		snprintf(kind, sizeof(kind), "%luM", (unsigned long)(crossed->bytes >> 20));
	fire(watch, describe(measure, crossed), kind);
}

/* memory.high was passed: the kernel throttles the target, and waits long before it kills. */
static void check_high(struct watch *watch)
{
	struct hf_cgroup_memory memory;

	if (jobs_busy(watch) || watch->cgroup.version != 2 || !watch->options->threshold_count ||
	    !hf_cgroup_memory(&watch->cgroup, &memory))
		return;
	bool more = memory.high_events > watch->high_events;
	watch->high_events = memory.high_events;
	if (more && crosses(watch, &watch->high, 1))
		fire(watch, strdup("memory.high was passed"), "high");
	else if (!more)
		watch->high.above = false;
}

/* How long to wait: see the head of this file. */
static double next_wait(struct watch *watch, const struct measure *measure)
{
	double now = hf_clock_seconds(), passed = now - watch->last_time;
	double gap = 1 - measure->nearest, wait = longest_wait;

	if (watch->last_time > 0 && passed > 0)
		watch->rate = (measure->nearest - watch->last_ratio) / passed;
	watch->last_time = now;
	watch->last_ratio = measure->nearest;
	if (watch->rate > 0 && gap / watch->rate / 4 < wait)
		wait = gap / watch->rate / 4;
	if (gap < near_gap && measure->nearest > 0 && wait > near_wait)
		wait = near_wait;
	return wait > shortest_wait ? wait : shortest_wait;
}

/* Before a child becomes its program its memory is a copy of ours. */
static bool is_a_copy(const struct hf_watch_options *options)
{
	struct pollfd fd = {options->exec_fd, 0, 0};
	return options->child && options->exec_fd > 0 && poll(&fd, 1, 0) == 0;
}

static double measure(struct watch *watch)
{
	struct hf_level levels[HF_LEVELS];

	if (is_a_copy(watch->options))
		return shortest_wait;
	struct measure now = {.level = NULL};
	pid_t pid = watch->options->cgroup ? 0
		    : watch->targets.count ? watch->targets.data[0].pid
					   : 0;
	size_t count = hf_levels(pid, &watch->cgroup, false, levels);

	if (count == 0)
		count = hf_levels(0, &(struct hf_cgroup){0}, true, levels);
	now.level = hf_level_tightest(levels, count);
	now.bytes = absolute(watch);
	check_thresholds(watch, &now);
	check_high(watch);
	return next_wait(watch, &now);
}

/* ---- waiting --------------------------------------------------------------------------------- */

static void drain(struct watch *watch)
{
	struct signalfd_siginfo info[8];
	char text[4096];
	eventfd_t value;

	while (read(watch->signal_fd, info, sizeof(info)) > 0)
		continue;
	eventfd_read(watch->job_event, &value);
	if (watch->wake_fd >= 0 && pread(watch->wake_fd, text, sizeof(text), 0) < 0)
		eventfd_read(watch->wake_fd, &value); /* version 1 */
}

static void wait_for(struct watch *watch, double seconds)
{
	struct pollfd fds[] = {{watch->signal_fd, POLLIN, 0},
			       {watch->job_event, POLLIN, 0},
			       {watch->wake_fd, watch->cgroup.version == 1 ? POLLIN : POLLPRI, 0},
			       {watch->pressure_fd, POLLPRI, 0}};
	struct timespec time = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};

	ppoll(fds, sizeof(fds) / sizeof(fds[0]), &time, NULL);
	drain(watch);
}

/* ---- life ------------------------------------------------------------------------------------ */

static struct hf_error *check(const struct hf_watch_options *options)
{
	struct stat st;

	if (!options->pid == !options->cgroup)
		return hf_error_create(HF_ERR_USAGE, "either a process or a cgroup");
	if (options->mode == HF_SNAPSHOT_FREEZE)
		return hf_error_create(HF_ERR_USAGE, "a watched process is stopped by ptrace, not "
						     "by freezing its cgroup");
	if (options->pid && has_ended(options->pid))
		return hf_error_create(HF_ERR_NOT_FOUND, "there is no process %d",
				       (int)options->pid);
	if (stat(options->folder, &st) != 0)
		return hf_error_errno(errno, "%s", options->folder);
	if (!S_ISDIR(st.st_mode))
		return hf_error_create(HF_ERR_USAGE, "%s: not a folder", options->folder);
	if (access(options->folder, W_OK) != 0)
		return hf_error_errno(errno, "%s", options->folder);
	return NULL;
}

static struct hf_error *begin(struct watch *watch)
{
	const struct hf_watch_options *options = watch->options;
	struct hf_error *err =
	    options->cgroup ? hf_cgroup_open(options->cgroup, &watch->cgroup) : NULL;
	sigset_t child;

	if (err)
		return err;
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	watch->signal_fd = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
	watch->job_event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (watch->signal_fd < 0 || watch->job_event < 0)
		return hf_error_errno(errno, "signalfd");
	open_wakers(watch);
	if (options->pid)
		add_target(watch, options->pid);
	scan(watch);
	return NULL;
}

/* Disk space for the image at the kill: what the target may grow to, within reason. */
static void prepare_spare(struct watch *watch)
{
	const struct hf_watch_options *options = watch->options;
	struct hf_level levels[HF_LEVELS];
	struct statvfs space;
	pid_t pid = watch->targets.count ? watch->targets.data[0].pid : 0;
	size_t count = hf_levels(pid, &watch->cgroup, false, levels);
	uint64_t bytes = most_reserve;

	if (options->no_trap || watch->spare || !watch->targets.count)
		return;
	for (size_t i = 0; i < count; i++)
		bytes = levels[i].limit < bytes ? levels[i].limit : bytes;
	if (options->budget && options->budget / 2 < bytes)
		bytes = options->budget / 2;
	if (statvfs(options->folder, &space) == 0 &&
	    (uint64_t)space.f_bavail * space.f_frsize / 4 < bytes)
		bytes = (uint64_t)space.f_bavail * space.f_frsize / 4;
	jobs_make_spare(watch, bytes);
}

static bool goes_on(struct watch *watch)
{
	const struct hf_watch_options *options = watch->options;

	if (options->cancel && *options->cancel)
		return false;
	if (options->cgroup)
		return access(watch->cgroup.path, F_OK) == 0;
	return watch->targets.count != 0;
}

static void run(struct watch *watch)
{
	double wait = 0;

	prepare_spare(watch);
	if (watch->options->started_fd > 0)
		close(watch->options->started_fd);
	while (goes_on(watch)) {
		prepare_spare(watch);
		wait_for(watch, wait);
		trap_collect(watch);
		jobs_advance(watch);
		if (hf_clock_seconds() >= watch->next_scan) {
			scan(watch);
			watch->next_scan = hf_clock_seconds() + scan_seconds;
		}
		remove_ended(watch);
		wait = watch->options->threshold_count ? measure(watch) : longest_wait;
	}
	trap_disarm(watch);
	jobs_end(watch);
}

static void watch_deinit(struct watch *watch)
{
	int fds[] = {watch->job_event, watch->signal_fd};

	close_wakers(watch);
	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
		if (fds[i] >= 0)
			close(fds[i]);
	}
	hf_vec_foreach (target, &watch->targets)
		target_deinit(target);
	hf_vec_free(&watch->targets);
	hf_cgroup_deinit(&watch->cgroup);
	pthread_mutex_destroy(&watch->lock);
}

struct hf_error *hf_watch_run(const struct hf_watch_options *options, struct hf_watch_result *ret)
{
	struct watch watch = {
	    .options = options, .job_event = -1, .signal_fd = -1, .wake_fd = -1, .pressure_fd = -1};
	sigset_t child, before;
	struct hf_error *err = check(options);

	if (err)
		return err;
	pthread_mutex_init(&watch.lock, NULL);
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	pthread_sigmask(SIG_BLOCK, &child, &before);
	err = begin(&watch);
	if (!err)
		run(&watch);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!err)
		*ret = watch.result;
	watch_deinit(&watch);
	return err;
}
