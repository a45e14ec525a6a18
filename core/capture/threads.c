/*
 * threads.c - stopping a process's threads by ptrace, and their registers.
 *
 * PTRACE_SEIZE and PTRACE_INTERRUPT leave no trace in the target: no SIGSTOP is sent, a
 * stopped process stays stopped, and when the tracer ends, however it ends, the kernel lets
 * the threads go on. The threads are listed again until a round finds no new one: all that
 * could make another are then stopped.
 *
 * The leader is seized with PTRACE_O_TRACEEXIT: if SIGKILL strikes while it stands, it waits
 * at its exit with its memory, until it is let go.
 *
 * A thread that was about to take a signal stops for that instead; it gets the signal when it
 * goes on. All calls must come from one and the same thread of ours.
 */
#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>

#include "core/base/cleanup.h"
#include "core/capture/private.h"

#ifndef NT_ARM_PAC_MASK
#define NT_ARM_PAC_MASK 0x406
#endif

enum { REGSET_MOST = 1 << 16, EVENT_EXIT = PTRACE_EVENT_EXIT, EVENT_STOP = PTRACE_EVENT_STOP };

static const uint32_t regset_types[] = {
    NT_PRSTATUS,
    NT_FPREGSET,
#if defined(__x86_64__) || defined(__i386__)
    NT_X86_XSTATE,
#elif defined(__aarch64__)
    NT_ARM_TLS,
    NT_ARM_PAC_MASK,
#endif
};

static struct capture_thread *find_thread(struct capture_threads *threads, pid_t tid)
{
	hf_vec_foreach (thread, &threads->list) {
		if (thread->tid == tid)
			return thread;
	}
	return NULL;
}

static void read_name(struct capture_thread *thread)
{
	HF_AUTO(free_ptr) char *name = capture_slurp_proc(thread->tid, "comm", NULL);
	if (name)
		snprintf(thread->name, sizeof(thread->name), "%.*s", (int)strcspn(name, "\n"),
			 name);
}

/* ---- stopping ----------------------------------------------------------------------------- */

static struct hf_error *seize_error(pid_t pid, int errnum)
{
	HF_AUTO(free_ptr) char *status = capture_slurp_proc(pid, "status", NULL);
	uint64_t tracer = 0;

	if (!status)
		return hf_error_create(HF_ERR_NOT_FOUND, "there is no process %d", (int)pid);
	if (capture_field(status, "TracerPid", &tracer) && tracer)
		return hf_error_create(HF_ERR_PERMISSION,
				       "process %d is already traced, by process %llu", (int)pid,
				       (unsigned long long)tracer);
	return hf_error_errno(errnum,
			      "cannot stop process %d (it needs CAP_SYS_PTRACE, or the same user "
			      "and kernel.yama.ptrace_scope 0)",
			      (int)pid);
}

/* Seize one thread; false if it is gone, with errno. */
static bool seize(struct capture_threads *threads, struct capture_thread *thread)
{
	long options = thread->tid == threads->pid ? PTRACE_O_TRACEEXIT : 0;

	thread->held = thread->tid == threads->held;
	if (!thread->held && ptrace(PTRACE_SEIZE, thread->tid, NULL, (void *)options) != 0)
		return false;
	return ptrace(PTRACE_INTERRUPT, thread->tid, NULL, NULL) == 0 || thread->held;
}

/* Seize the threads that are not in the list yet. */
static struct hf_error *seize_new(struct capture_threads *threads, size_t *ret_new)
{
	char path[64];
	int refused = 0;
	size_t count = 0, at = 0; /* the kernel lists threads in the same order each time */

	snprintf(path, sizeof(path), "/proc/%d/task", (int)threads->pid);
	DIR *tasks = opendir(path);
	if (!tasks)
		return hf_error_create(HF_ERR_NOT_FOUND, "there is no process %d",
				       (int)threads->pid);
	for (struct dirent *entry; (entry = readdir(tasks));) {
		struct capture_thread thread = {.tid = atoi(entry->d_name)};
		if (at < threads->list.count && threads->list.data[at].tid == thread.tid) {
			at++;
			continue;
		}
		if (thread.tid <= 0 || find_thread(threads, thread.tid))
			continue;
		if (!seize(threads, &thread)) {
			refused = errno;
			continue;
		}
		count++;
		read_name(&thread);
		if (!hf_vec_push(&threads->list, thread)) {
			ptrace(PTRACE_DETACH, thread.tid, NULL, NULL);
			closedir(tasks);
			return hf_error_nomem();
		}
	}
	closedir(tasks);
	if (threads->list.count == 0)
		return seize_error(threads->pid, refused ? refused : ESRCH);
	*ret_new = count;
	return NULL;
}

static void take_stop(struct capture_thread *thread, int status)
{
	if (WIFEXITED(status) || WIFSIGNALED(status)) {
		thread->ended = true;
		return;
	}
	int event = status >> 16;
	thread->stopped = true;
	thread->exiting = event == EVENT_EXIT;
	thread->paused = event == EVENT_STOP && WSTOPSIG(status) != SIGTRAP;
	if (event == 0) {
		thread->signal = WSTOPSIG(status);
		thread->has_siginfo =
		    ptrace(PTRACE_GETSIGINFO, thread->tid, NULL, &thread->siginfo) == 0;
	}
}

/* Look at all threads that have not stopped yet; how many are left? */
static size_t look(struct capture_threads *threads)
{
	size_t left = 0;
	hf_vec_foreach (thread, &threads->list) {
		int status;
		if (thread->stopped || thread->ended)
			continue;
		pid_t got = waitpid(thread->tid, &status, __WALL | WNOHANG);
		if (got == thread->tid)
			take_stop(thread, status);
		else if (got < 0)
			thread->ended = true;
		left += !thread->stopped && !thread->ended;
	}
	return left;
}

static void short_sleep(long nanoseconds)
{
	nanosleep(&(struct timespec){0, nanoseconds}, NULL);
}

struct hf_error *capture_threads_stop(struct capture_threads *threads, double timeout)
{
	double deadline = hf_clock_seconds() + timeout;
	long sleep = 10000;

	for (;;) {
		size_t more = 0;
		struct hf_error *err = seize_new(threads, &more);
		if (err) {
			capture_threads_resume(threads);
			return err;
		}
		while (look(threads) && hf_clock_seconds() < deadline) {
			short_sleep(sleep);
			sleep = sleep < 1000000 ? sleep * 2 : sleep;
		}
		if (more == 0 || hf_clock_seconds() >= deadline)
			break;
	}
	hf_vec_foreach (thread, &threads->list) {
		if (thread->stopped)
			return NULL;
	}
	capture_threads_resume(threads);
	return hf_error_create(HF_ERR_NOT_FOUND, "no thread of process %d stopped",
			       (int)threads->pid);
}

struct hf_error *capture_threads_exiting(struct capture_threads *threads)
{
	struct capture_thread thread = {
	    .tid = threads->held, .held = true, .stopped = true, .exiting = true};
	read_name(&thread);
	return hf_vec_push(&threads->list, thread) ? NULL : hf_error_nomem();
}

/* ---- registers ---------------------------------------------------------------------------- */

static bool read_regset(struct capture_thread *thread, uint32_t type, uint8_t *buffer)
{
	struct iovec iov = {buffer, REGSET_MOST};
	if (ptrace(PTRACE_GETREGSET, thread->tid, (void *)(uintptr_t)type, &iov) != 0)
		return true;
	struct capture_regset set = {type, (uint32_t)iov.iov_len, malloc(iov.iov_len + 1)};
	if (!set.data)
		return false;
	memcpy(set.data, buffer, iov.iov_len);
	thread->regsets[thread->regset_count++] = set;
	return true;
}

struct hf_error *capture_threads_registers(struct capture_threads *threads)
{
	HF_AUTO(free_ptr) uint8_t *buffer = malloc(REGSET_MOST);
	if (!buffer)
		return hf_error_nomem();
	hf_vec_foreach (thread, &threads->list) {
		for (size_t i = 0; i < sizeof(regset_types) / sizeof(regset_types[0]); i++) {
			if (thread->stopped && !read_regset(thread, regset_types[i], buffer))
				return hf_error_nomem();
		}
	}
	return NULL;
}

uint32_t capture_count_threads(pid_t pid)
{
	HF_AUTO(free_ptr) char *status = capture_slurp_proc(pid, "status", NULL);
	uint64_t threads = 0;
	capture_field(status, "Threads", &threads);
	return (uint32_t)threads;
}

uint64_t capture_stack_pointer(const struct capture_thread *thread)
{
#if defined(__x86_64__)
	enum { INDEX = 19 };
#elif defined(__aarch64__)
	enum { INDEX = 31 };
#else
	enum { INDEX = 0 };
#endif
	for (uint32_t i = 0; i < thread->regset_count; i++) {
		const struct capture_regset *set = &thread->regsets[i];
		uint64_t value;
		if (set->type != NT_PRSTATUS || set->size < (INDEX + 1) * sizeof(value))
			continue;
		memcpy(&value, (const uint8_t *)set->data + INDEX * sizeof(value), sizeof(value));
		return value;
	}
	return 0;
}

/* ---- going on ------------------------------------------------------------------------------- */

/* A traced thread was killed while it stood: wait for its next stop or end, and let it go. */
static void release_killed(struct capture_thread *thread)
{
	int status;
	for (int tries = 0; tries < 200; tries++) {
		pid_t got = waitpid(thread->tid, &status, __WALL | WNOHANG);
		if (got < 0 || (got == thread->tid && !WIFSTOPPED(status)))
			break;
		if (got == thread->tid) {
			thread->exiting = status >> 16 == EVENT_EXIT;
			if (thread->held)
				return;
			if (ptrace(PTRACE_DETACH, thread->tid, NULL, NULL) == 0)
				return;
		}
		short_sleep(500000);
	}
	thread->ended = true;
}

/* A thread that never stopped: it must stop before it can be let go. */
static void release_running(struct capture_thread *thread)
{
	int status;
	if (thread->held || thread->ended)
		return;
	if (waitpid(thread->tid, &status, __WALL | WNOHANG) == thread->tid && WIFSTOPPED(status))
		ptrace(PTRACE_DETACH, thread->tid, NULL,
		       (void *)(uintptr_t)(status >> 16 ? 0 : WSTOPSIG(status)));
	/* Else it is in the kernel and will stop some day: it goes on when this tracer ends. */
}

bool capture_threads_resume(struct capture_threads *threads)
{
	bool killed = false;
	hf_vec_foreach (thread, &threads->list) {
		int status;
		if (!thread->stopped) {
			release_running(thread);
			continue;
		}
		if (!thread->exiting &&
		    waitpid(thread->tid, &status, __WALL | WNOHANG) == thread->tid) {
			thread->exiting = WIFSTOPPED(status) && status >> 16 == EVENT_EXIT;
			thread->ended = !WIFSTOPPED(status);
		}
		killed |= thread->exiting || thread->ended;
		thread->stopped = false;
		threads->held_at_exit |= thread->held && thread->exiting;
		if (thread->ended || (thread->held && thread->exiting))
			continue;
		void *signal = (void *)(uintptr_t)thread->signal;
		if (ptrace(thread->held ? PTRACE_CONT : PTRACE_DETACH, thread->tid, NULL, signal) !=
			0 &&
		    errno == ESRCH) {
			killed = true;
			release_killed(thread);
			threads->held_at_exit |= thread->held && thread->exiting;
		}
	}
	return killed;
}

void capture_threads_deinit(struct capture_threads *threads)
{
	hf_vec_foreach (thread, &threads->list) {
		for (uint32_t i = 0; i < thread->regset_count; i++)
			free(thread->regsets[i].data);
	}
	hf_vec_free(&threads->list);
}
