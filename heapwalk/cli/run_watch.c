/*
 * run_watch.c - watch --pid PID | --cgroup PATH | -- COMMAND ...
 *
 * What happens is told on standard error, a line each; the path of each core on standard output.
 * --exec runs a command of the user's at each core, and does not wait for it before the end.
 */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/base/cleanup.h"
#include "core/capture/cgroup.h"
#include "core/capture/watch.h"
#include "heapwalk/cli/commands.h"
#include "heapwalk/cli/live.h"
#include "heapwalk/cli/run.h"

enum { EXIT_NOT_FOUND = 127, EXIT_NO_EXEC = 126, EXIT_SIGNAL = 128, HOOKS = 64 };

struct watcher {
	const struct hf_options *options;
	pid_t hooks[HOOKS];
	unsigned hook_count;
};

/* ---- what happens ---------------------------------------------------------------------------- */

static const char *kind_name(enum hf_watch_event_kind kind)
{
	static const char *const names[] = {
	    [HF_WATCH_ARMED] = "watching",     [HF_WATCH_UNARMED] = "cannot be held at a kill",
	    [HF_WATCH_THRESHOLD] = "snapshot", [HF_WATCH_KILL] = "image at the kill",
	    [HF_WATCH_FAILED] = "no snapshot", [HF_WATCH_SKIPPED] = "no snapshot",
	    [HF_WATCH_ENDED] = "ended",
	};
	return names[kind];
}

static void tell_missing(const struct hf_snapshot_result *snapshot)
{
	uint64_t swapped = snapshot->pages_skipped[HF_SKIP_SWAPPED] * snapshot->page_bytes;
	uint64_t gone = snapshot->pages_skipped[HF_SKIP_WINDOW] * snapshot->page_bytes;

	if (swapped)
		fprintf(stderr, "; %.1f MiB in swap left out", (double)swapped / (1 << 20));
	if (gone)
		fprintf(stderr, "; %.1f MiB were gone before their turn", (double)gone / (1 << 20));
	if (!snapshot->consistent)
		fprintf(stderr, "; fuzzy");
}

static void tell(const struct hf_watch_event *event)
{
	const struct hf_snapshot_result *snapshot = event->snapshot;
	time_t now = time(NULL);
	struct tm local;
	char stamp[32] = "";

	if (localtime_r(&now, &local))
		strftime(stamp, sizeof(stamp), "%H:%M:%S ", &local);
	fprintf(stderr, "heapforensics: %s%s (pid %d): %s", stamp, event->name, (int)event->pid,
		kind_name(event->kind));
	if (event->message)
		fprintf(stderr, ": %s", event->message);
	if (snapshot) {
		fprintf(stderr, "; %s, %.1f MiB of memory, paused %.3f s", snapshot->path,
			(double)snapshot->memory_bytes / (1 << 20), snapshot->pause_seconds);
		tell_missing(snapshot);
	}
	fputc('\n', stderr);
}

/* sh -c HOOK, with the event in its environment; signals as they were for us. */
static void run_hook(struct watcher *watcher, const struct hf_watch_event *event)
{
	extern char **environ;
	const char *const argv[] = {"sh", "-c", watcher->options->watch_exec, NULL};
	char pid[16];
	posix_spawnattr_t attributes;
	sigset_t none;
	pid_t hook;

	snprintf(pid, sizeof(pid), "%d", (int)event->pid);
	setenv("HF_EVENT", event->kind == HF_WATCH_KILL ? "kill" : "threshold", 1);
	setenv("HF_CORE", event->snapshot->path, 1);
	setenv("HF_SIDECAR", event->snapshot->sidecar ? event->snapshot->sidecar : "", 1);
	setenv("HF_PID", pid, 1);
	setenv("HF_NAME", event->name, 1);
	setenv("HF_REASON", event->message ? event->message : "", 1);
	sigemptyset(&none);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
	int error = posix_spawn(&hook, "/bin/sh", NULL, &attributes, (char *const *)argv, environ);
	posix_spawnattr_destroy(&attributes);
	if (error)
		fprintf(stderr, "heapforensics: --exec: %s\n", strerror(error));
	else if (watcher->hook_count < HOOKS)
		watcher->hooks[watcher->hook_count++] = hook;
}

static void on_event(void *ctx, const struct hf_watch_event *event)
{
	struct watcher *watcher = ctx;
	bool minor = event->kind == HF_WATCH_ARMED || event->kind == HF_WATCH_ENDED;

	if (!minor || !watcher->options->quiet)
		tell(event);
	if (!event->snapshot)
		return;
	puts(event->snapshot->path);
	fflush(stdout);
	if (watcher->options->watch_exec)
		run_hook(watcher, event);
}

/* ---- a command of our own -------------------------------------------------------------------- */

struct started {
	pid_t pid;
	int go;	    /* closing it lets the command begin */
	int failed; /* errno of exec comes here */
};

static struct hf_error *start(char **command, struct started *ret)
{
	int go[2], failed[2];

	if (pipe2(go, O_CLOEXEC) != 0)
		return hf_error_errno(errno, "pipe");
	if (pipe2(failed, O_CLOEXEC) != 0) {
		close(go[0]);
		close(go[1]);
		return hf_error_errno(errno, "pipe");
	}
	pid_t pid = fork();
	if (pid == 0) {
		char byte;
		close(go[1]);
		while (read(go[0], &byte, 1) < 0 && errno == EINTR)
			continue;
		signal(SIGPIPE, SIG_DFL);
		signal(SIGINT, SIG_DFL);
		signal(SIGQUIT, SIG_DFL);
		execvp(command[0], command);
		int error = errno;
		if (write(failed[1], &error, sizeof(error)) < 0)
			_exit(EXIT_NO_EXEC);
		_exit(error == ENOENT ? EXIT_NOT_FOUND : EXIT_NO_EXEC);
	}
	close(go[0]);
	close(failed[1]);
	*ret = (struct started){pid, go[1], failed[0]};
	return pid < 0 ? hf_error_errno(errno, "fork") : NULL;
}

/* The exit status of a command that we ran, as a shell would give it. */
static int status_of(const struct hf_watch_result *result)
{
	if (!result->has_status)
		return HF_EXIT_DONE;
	return WIFEXITED(result->status) ? WEXITSTATUS(result->status)
					 : EXIT_SIGNAL + WTERMSIG(result->status);
}

/* ---- the command ----------------------------------------------------------------------------- */

static struct hf_error *check(const struct hf_options *options)
{
	int given =
	    (options->pid != 0) + (options->watch.cgroup != NULL) + (options->command_line != NULL);

	if (options->word_count)
		return hf_error_create(HF_ERR_USAGE,
				       "%s: no such process (a command to run comes after --)",
				       options->words[0]);
	if (given != 1)
		return hf_error_create(HF_ERR_USAGE,
				       "watch what? heapforensics watch --pid PID, --cgroup PATH "
				       "or -- COMMAND ARG...");
	if (options->command_line && !options->command_line[0])
		return hf_error_create(HF_ERR_USAGE, "which command? heapforensics watch -- "
						     "COMMAND ARG...");
	return NULL;
}

/* The last to be killed, and never waiting for its own pages. */
static void harden(const struct hf_options *options)
{
	int score = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	bool spared = score >= 0 && write(score, "-1000", 5) == 5;
	bool locked = mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) == 0;

	if (score >= 0)
		close(score);
	if (!options->quiet && (!spared || !locked))
		fprintf(stderr, "heapforensics: for want of privilege this watcher is %s%s%s\n",
			spared ? "" : "not spared by the OOM killer",
			spared || locked ? "" : " and ", locked ? "" : "not locked in memory");
}

static void warn_shared(const struct hf_options *options, pid_t pid)
{
	struct hf_cgroup cgroup = {0};
	struct hf_cgroup_memory memory;

	if (options->quiet || !hf_cgroup_shared(pid, getpid()))
		return;
	hf_error_destroy(hf_cgroup_of(pid, &cgroup));
	if (hf_cgroup_memory(&cgroup, &memory) && memory.limit != HF_CGROUP_NO_LIMIT)
		fprintf(stderr, "heapforensics: this watcher is in the target's memory cgroup: "
				"outside of it, it would not share its limit\n");
	hf_cgroup_deinit(&cgroup);
}

static void end_hooks(struct watcher *watcher)
{
	for (unsigned i = 0; i < watcher->hook_count; i++) {
		while (waitpid(watcher->hooks[i], NULL, 0) < 0 && errno == EINTR)
			continue;
	}
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash && slash[1] ? slash + 1 : path;
}

static struct hf_error *watch(struct hf_options *options, struct watcher *watcher, int *ret_status)
{
	struct hf_watch_options watching = options->watch;
	struct hf_watch_result result = {0};
	struct started started = {.go = -1, .failed = -1};
	int error = 0;
	struct hf_error *err = NULL;

	watching.pid = (pid_t)options->pid;
	watching.mode = options->mode;
	watching.zstd = options->zstd;
	watching.read_swap = options->read_swap;
	watching.folder = options->output ? options->output : ".";
	watching.event = on_event;
	watching.ctx = watcher;
	if (options->command_line) {
		err = start(options->command_line, &started);
		if (err)
			return err;
		watching.pid = started.pid;
		watching.child = true;
		watching.name = base_name(options->command_line[0]);
		watching.started_fd = started.go;
		watching.exec_fd = started.failed;
		signal(SIGINT, SIG_IGN); /* from the terminal: the command gets it too */
		signal(SIGQUIT, SIG_IGN);
	}
	harden(options);
	if (watching.pid)
		warn_shared(options, watching.pid);
	watching.cancel = hf_interrupt_begin();
	err = hf_watch_run(&watching, &result);
	hf_interrupt_end();
	if (err && options->command_line)
		kill(started.pid, SIGKILL); /* it still waits to begin */
	if (!err && started.failed >= 0 &&
	    read(started.failed, &error, sizeof(error)) == sizeof(error))
		err = hf_error_errno(error, "%s", options->command_line[0]);
	if (started.failed >= 0)
		close(started.failed);
	*ret_status =
	    err && error ? (error == ENOENT ? EXIT_NOT_FOUND : EXIT_NO_EXEC) : status_of(&result);
	return err;
}

int hf_run_watch(const struct hf_command *command, struct hf_options *options)
{
	struct watcher watcher = {.options = options};
	int status = HF_EXIT_DONE;
	struct hf_error *err = check(options);

	(void)command;
	if (!err)
		err = watch(options, &watcher, &status);
	end_hooks(&watcher);
	if (!err)
		return status;
	int failed = hf_fail(err);
	return status ? status : failed;
}
