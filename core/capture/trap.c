/*
 * trap.c - the exit trap: what happens to the leaders that we trace.
 *
 *	signal on its way	handed on at once
 *	SIGSTOP and the like	PTRACE_LISTEN: it stays stopped as it should
 *	exit, not by SIGKILL	let go for good: it is no longer traced when it ends
 *	exit by SIGKILL		its image is taken first (jobs_kill)
 *
 * Tracing ends with this process, by the kernel, with whatever it is killed: a tracee that waits
 * for us then goes on, and takes the signal that it stopped for.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>

#include "core/base/cleanup.h"
#include "core/capture/watch_private.h"

static const double rearm_seconds = 0.3;

static struct watch_target *find_target(struct watch *watch, pid_t pid)
{
	hf_vec_foreach (target, &watch->targets) {
		if (target->pid == pid)
			return target;
	}
	return NULL;
}

uint64_t trap_host_oom_kills(void)
{
	HF_AUTO(free_ptr) char *text = capture_slurp("/proc/vmstat", NULL);
	uint64_t kills = 0;
	capture_field(text, "oom_kill", &kills);
	return kills;
}

void trap_arm(struct watch *watch, struct watch_target *target)
{
	char message[128];
	uint64_t tracer = 0;

	target->arm_time = hf_clock_seconds() + rearm_seconds;
	if (ptrace(PTRACE_SEIZE, target->pid, NULL, (void *)(long)PTRACE_O_TRACEEXIT) == 0) {
		target->armed = true;
		watch_tell(watch, HF_WATCH_ARMED, target->pid, target->name, NULL, NULL);
		return;
	}
	int error = errno;
	char state = capture_state(target->pid);
	if (error == ESRCH || !state || state == 'Z' || target->told)
		return;
	HF_AUTO(free_ptr) char *status = capture_slurp_proc(target->pid, "status", NULL);
	capture_field(status, "TracerPid", &tracer);
	if (tracer)
		snprintf(message, sizeof(message), "process %llu traces it already",
			 (unsigned long long)tracer);
	else
		snprintf(message, sizeof(message),
			 "%s (it needs CAP_SYS_PTRACE, or the same user and "
			 "kernel.yama.ptrace_scope 0)",
			 strerror(error));
	target->told = true;
	watch_tell(watch, HF_WATCH_UNARMED, target->pid, target->name, NULL, message);
}

/* Was it the OOM killer? It has counted this kill by now, in the cgroup or for the machine. */
static const char *why_killed(struct watch *watch, const struct watch_target *target)
{
	uint64_t kills = 0;
	if (target->oom_kills.known && hf_cgroup_oom_kills(&target->cgroup, &kills) &&
	    kills > target->oom_kills.before)
		return "killed by the OOM killer, for its memory cgroup's limit";
	if (watch->host_oom_kills.known && trap_host_oom_kills() > watch->host_oom_kills.before)
		return "killed by the OOM killer";
	return "killed by SIGKILL";
}

static void at_exit(struct watch *watch, struct watch_target *target)
{
	unsigned long status = 0;

	ptrace(PTRACE_GETEVENTMSG, target->pid, NULL, &status);
	target->armed = false;
	target->arm_time = hf_clock_seconds() + rearm_seconds;
	if ((status & 0x7f) == SIGKILL)
		jobs_kill(watch, target, why_killed(watch, target));
	else
		ptrace(PTRACE_DETACH, target->pid, NULL, NULL);
}

static void stopped(struct watch *watch, struct watch_target *target, int status)
{
	int event = status >> 16, signal = WSTOPSIG(status);

	if (event == PTRACE_EVENT_EXIT)
		at_exit(watch, target);
	else if (event == PTRACE_EVENT_STOP && signal != SIGTRAP)
		ptrace(PTRACE_LISTEN, target->pid, NULL, NULL);
	else
		ptrace(PTRACE_CONT, target->pid, NULL, (void *)(long)(event ? 0 : signal));
}

void trap_collect(struct watch *watch)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, __WALL | WNOHANG)) > 0) {
		struct watch_target *target = find_target(watch, pid);
		if (WIFSTOPPED(status)) {
			if (target && target->armed)
				stopped(watch, target, status);
			else /* a thread that stopped only after its snapshot had given up */
				ptrace(PTRACE_DETACH, pid, NULL,
				       (void *)(long)(status >> 16 ? 0 : WSTOPSIG(status)));
			continue;
		}
		if (!target)
			continue;
		target->armed = false;
		target->ended = true;
		if (watch->options->child) {
			watch->result.has_status = true;
			watch->result.status = status;
		}
	}
}

/* A tracee must stand to be let go. */
static void disarm(struct watch *watch, struct watch_target *target)
{
	int status;

	if (!target->armed || ptrace(PTRACE_INTERRUPT, target->pid, NULL, NULL) != 0)
		return;
	for (int tries = 0; tries < 1000; tries++) {
		pid_t got = waitpid(target->pid, &status, __WALL | WNOHANG);
		if (got < 0 || (got == target->pid && !WIFSTOPPED(status)))
			break;
		if (got == target->pid && status >> 16 == PTRACE_EVENT_EXIT) {
			at_exit(watch, target);
			break;
		}
		if (got == target->pid) {
			ptrace(PTRACE_DETACH, target->pid, NULL,
			       (void *)(long)(status >> 16 ? 0 : WSTOPSIG(status)));
			break;
		}
		nanosleep(&(struct timespec){0, 1000000}, NULL);
	}
	target->armed = false;
}

void trap_disarm(struct watch *watch)
{
	hf_vec_foreach (target, &watch->targets)
		disarm(watch, target);
}
