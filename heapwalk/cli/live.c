/*
 * live.c - analysing a running process (see live.h).
 */
#include "heapwalk/cli/live.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static volatile sig_atomic_t interrupted; /* a signal handler has nothing else to write to */
static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
enum { SIGNALS = sizeof(signals) / sizeof(signals[0]) };

static void on_signal(int signal)
{
	(void)signal;
	interrupted = 1;
}

const volatile sig_atomic_t *hf_interrupt_begin(void)
{
	struct sigaction action = {.sa_handler = on_signal}, before;

	interrupted = 0;
	sigemptyset(&action.sa_mask);
	for (int i = 0; i < SIGNALS; i++) {
		if (sigaction(signals[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
			sigaction(signals[i], &action, NULL);
	}
	return &interrupted;
}

void hf_interrupt_end(void)
{
	struct sigaction before;
	for (int i = 0; i < SIGNALS; i++) {
		if (sigaction(signals[i], NULL, &before) == 0 && before.sa_handler == on_signal)
			signal(signals[i], SIG_DFL);
	}
}

/* Files are looked for where the process sees them; a deleted program by its link. */
static void find_files(const struct hf_options *options, struct hf_live *live)
{
	char link[32], target[4096];
	struct stat own, its;

	snprintf(link, sizeof(link), "/proc/%u/root", options->pid);
	if (!options->sysroot && stat("/", &own) == 0 && stat(link, &its) == 0 &&
	    (own.st_dev != its.st_dev || own.st_ino != its.st_ino))
		snprintf(live->sysroot, sizeof(live->sysroot), "%s", link);
	snprintf(link, sizeof(link), "/proc/%u/exe", options->pid);
	ssize_t length = readlink(link, target, sizeof(target) - 1);
	target[length > 0 ? length : 0] = '\0';
	if (!options->binary && strstr(target, " (deleted)"))
		snprintf(live->executable, sizeof(live->executable), "%s", link);
}

struct hf_error *hf_live_open(const struct hf_options *options, const struct hf_progress *progress,
			      struct hf_live *ret)
{
	struct hf_live live = {.snapshot.fd = -1};
	struct hf_snapshot_options snapshot = {.pid = (pid_t)options->pid,
					       .mode = options->mode,
					       .read_swap = options->read_swap,
					       .private_temp = true,
					       .progress = progress,
					       .cancel = hf_interrupt_begin()};
	struct hf_error *err = hf_snapshot_take(&snapshot, &live.snapshot);

	hf_interrupt_end();
	if (err)
		return err;
	snprintf(live.name, sizeof(live.name), "process %u", options->pid);
	find_files(options, &live);
	*ret = live;
	return NULL;
}

void hf_live_close(struct hf_live *live)
{
	hf_snapshot_result_deinit(&live->snapshot);
}
