/*
 * capture.c - one snapshot from beginning to end (see private.h for its parts).
 *
 *	before	program, mappings' flags, modules, the file and its buffers
 *	pause	threads stopped, registers, maps, pages planned, notes, memory read
 *	after	head, name, sidecar
 *
 * What may take long is done before or after. Whatever fails, the threads go on and the file is
 * removed; a file that another capture left under its .part name is not ours to remove.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/cleanup.h"
#include "core/capture/private.h"

enum { SIDECAR_ROOM = 16 << 10 };

static const double stop_seconds = 2;

struct capture {
	struct capture_request request;
	struct capture_elf elf;
	struct capture_threads threads;
	struct capture_vmflags vmflags;
	struct capture_plan plan;
	struct capture_bytes notes;
	size_t sidecar_at;
	struct capture_sidecar sidecar;
	struct capture_sink *sink;
	struct hf_snapshot_result result;
	char *final; /* name of the core in the end; NULL: private */
	int frozen;  /* pipe to the guardian; -1: none */
	pid_t guardian;
	double start, stopped_at;
	bool stopped;
};

/* ---- where it goes --------------------------------------------------------------------------- */

static char *temporary_name(void)
{
	const char *folder = getenv("TMPDIR");
	char *path = NULL;

	if (!folder || !*folder)
		folder = access("/var/tmp", W_OK) == 0 ? "/var/tmp" : "/tmp";
	if (asprintf(&path, "%s/heapforensics-%d-%lx", folder, (int)getpid(),
		     (unsigned long)(hf_clock_seconds() * 1e9)) < 0)
		return NULL;
	return path;
}

static struct hf_error *open_sink(struct capture *capture)
{
	struct capture_request *request = &capture->request;
	const struct hf_snapshot_options *options = &request->options;
	HF_AUTO(free_ptr) char *part = NULL;
	struct stat st;

	if (!options->private_temp) {
		capture->final = strdup(options->output);
		if (!capture->final)
			return hf_error_nomem();
		if (stat(options->output, &st) == 0 && !S_ISREG(st.st_mode))
			return hf_error_create(HF_ERR_USAGE, "%s: is there, and is no file",
					       options->output);
	}
	if (request->sink) {
		capture->sink = request->sink;
		request->sink = NULL;
		return NULL;
	}
	if (options->private_temp)
		part = temporary_name();
	else if (asprintf(&part, "%s.part-%d", options->output, (int)getpid()) < 0)
		part = NULL;
	if (!part)
		return hf_error_nomem();
	struct hf_error *err = capture_sink_create(part, options->zstd, &capture->sink);
	if (!err && options->private_temp)
		capture->result.fd = capture_sink_fd(capture->sink);
	return err;
}

/* Is there room? On a memory file system, room that does not bring anybody near a limit. */
static struct hf_error *check_room(const struct capture *capture)
{
	const char *path = capture_sink_path(capture->sink);
	int fd = capture_sink_fd(capture->sink);
	uint64_t needed = capture->plan.data_bytes + capture->plan.head_bytes, available = 0;
	struct statvfs space;
	struct statfs kind;

	if (capture->request.options.zstd)
		needed /= 8;
	if (fd >= 0 && fstatvfs(fd, &space) == 0 &&
	    (uint64_t)space.f_bavail * space.f_frsize < needed)
		return hf_error_create(HF_ERR_IO,
				       "%s: not enough space: the core needs %llu MiB, there are "
				       "%llu",
				       path, (unsigned long long)(needed >> 20),
				       (unsigned long long)(space.f_bavail * space.f_frsize >> 20));
	if (fd < 0 || fstatfs(fd, &kind) != 0 ||
	    (kind.f_type != TMPFS_MAGIC && kind.f_type != RAMFS_MAGIC))
		return NULL;
	HF_AUTO(free_ptr) char *memory = capture_slurp("/proc/meminfo", NULL);
	if (capture_field(memory, "MemAvailable", &available))
		available <<= 10;
	else
		available = UINT64_MAX;
	struct hf_cgroup own;
	struct hf_cgroup_memory level;
	hf_error_destroy(hf_cgroup_of(getpid(), &own));
	if (hf_cgroup_memory(&own, &level) && level.limit != HF_CGROUP_NO_LIMIT) {
		uint64_t used = level.usage > level.cache ? level.usage - level.cache : 0;
		uint64_t left = level.limit > used ? level.limit - used : 0;
		available = left < available ? left : available;
	}
	hf_cgroup_deinit(&own);
	if (available / 2 >= needed)
		return NULL;
	return hf_error_create(HF_ERR_LIMIT,
			       "%s: a file system in memory, and %llu MiB more could bring the OOM "
			       "killer: choose a disk",
			       path, (unsigned long long)(needed >> 20));
}

/* ---- freezing -------------------------------------------------------------------------------- */

/*
 * A frozen cgroup stays frozen when we die: a process of its own thaws it when our end of a pipe
 * closes, however that comes.
 */
static struct hf_error *freeze(struct capture *capture)
{
	char *folder = NULL;
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) != 0)
		return hf_error_errno(errno, "pipe");
	struct hf_error *err = hf_cgroup_freezable(capture->request.options.pid, &folder);
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pid_t pid = err ? -1 : fork();
	if (pid == 0) {
		struct pollfd end = {.fd = ends[0], .events = 0};
		close(ends[1]);
		setsid();
		while (poll(&end, 1, -1) < 0 && errno == EINTR)
			continue;
		hf_cgroup_thaw(folder);
		_exit(0);
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	close(ends[0]);
	if (!err && pid < 0)
		err = hf_error_errno(errno, "fork");
	if (err) {
		close(ends[1]);
	} else {
		capture->frozen = ends[1];
		capture->guardian = pid;
		err = hf_cgroup_freeze(folder);
	}
	free(folder);
	return err;
}

static void thaw(struct capture *capture)
{
	if (capture->frozen < 0)
		return;
	close(capture->frozen);
	capture->frozen = -1;
	while (waitpid(capture->guardian, NULL, 0) < 0 && errno == EINTR)
		continue;
}

/* ---- the pause ------------------------------------------------------------------------------- */

static void resume(struct capture *capture)
{
	if (!capture->stopped)
		return;
	capture->stopped = false;
	capture->result.killed |= capture_threads_resume(&capture->threads);
	capture->result.pause_seconds = hf_clock_seconds() - capture->stopped_at;
}

static struct hf_error *stop(struct capture *capture)
{
	struct capture_request *request = &capture->request;
	struct capture_threads *threads = &capture->threads;
	struct hf_error *err;

	threads->pid = request->options.pid;
	threads->held = request->held;
	capture->stopped_at = hf_clock_seconds();
	err = request->at_exit ? capture_threads_exiting(threads)
			       : capture_threads_stop(threads, stop_seconds);
	if (err)
		return err;
	capture->stopped = true;
	err = capture_threads_registers(threads);
	uint32_t all = capture_count_threads(threads->pid);
	if (request->at_exit && request->threads > all)
		all = request->threads; /* the others may have ended already */
	hf_vec_foreach (thread, &threads->list)
		capture->result.threads += thread->regset_count != 0;
	if (all > capture->result.threads)
		capture->result.threads_missing = all - capture->result.threads;
	return err;
}

static struct hf_error *plan(struct capture *capture)
{
	const struct capture_request *request = &capture->request;
	const struct hf_snapshot_options *options = &request->options;
	struct capture_plan *to = &capture->plan;
	struct capture_plan_options planning = {.read_swap = options->read_swap,
						.by_worth = request->at_exit};

	to->page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
	if (request->at_exit && capture->threads.list.count)
		planning.leader_sp = capture_stack_pointer(&capture->threads.list.data[0]);
	struct hf_error *err = capture_read_maps(options->pid, &capture->vmflags, &to->areas);
	if (!err)
		err = capture_plan_pages(options->pid, &planning, to);
	struct capture_notes notes = {.threads = &capture->threads,
				      .areas = &to->areas,
				      .page_bytes = to->page_bytes,
				      .signal = request->at_exit ? SIGKILL : 0,
				      .sidecar_room = SIDECAR_ROOM};
	if (!err)
		err = capture_make_notes(&notes, &capture->notes, &capture->sidecar_at);
	if (!err)
		err = capture_layout(to, capture->notes.count);
	return err ? err : check_room(capture);
}

static struct hf_error *read_memory(struct capture *capture)
{
	const struct capture_request *request = &capture->request;
	struct capture_reading reading = {
	    .pid = request->options.pid,
	    .cancel = request->options.cancel,
	    .progress = request->options.progress,
	    .deadline = request->window > 0 ? capture->stopped_at + request->window : 0,
	    .most_bytes = request->most_bytes,
	    .by_worth = request->at_exit,
	    .reapable = request->at_exit};

	capture_sink_start(capture->sink, capture->plan.head_bytes);
	if (request->options.mode == HF_SNAPSHOT_NO_PAUSE && !request->at_exit)
		resume(capture);
	return capture_read_memory(&reading, &capture->plan, capture->sink);
}

struct hf_error *capture_read(struct capture *capture)
{
	const struct hf_snapshot_options *options = &capture->request.options;
	struct hf_error *err = NULL;

	if (options->mode == HF_SNAPSHOT_FREEZE && !capture->request.at_exit)
		err = freeze(capture);
	if (!err)
		err = stop(capture);
	if (!err) {
		capture_sidecar_during(&capture->sidecar);
		err = plan(capture);
	}
	if (!err)
		err = read_memory(capture);
	if (capture->request.at_exit) {
		capture_sidecar_before(&capture->sidecar);
		ptrace(PTRACE_DETACH, capture->request.held, NULL, NULL);
	}
	resume(capture);
	thaw(capture);
	return err;
}

/* ---- the end --------------------------------------------------------------------------------- */

static void judge(struct capture *capture)
{
	struct hf_snapshot_result *result = &capture->result;
	uint64_t lost = 0;

	hf_vec_foreach (gap, &capture->plan.gaps)
		lost += gap->end - gap->start;
	result->page_bytes = capture->plan.page_bytes;
	result->memory_bytes = capture->plan.data_bytes - lost;
	result->complete = !result->pages_skipped[HF_SKIP_SWAPPED] &&
			   !result->pages_skipped[HF_SKIP_UNREADABLE] &&
			   !result->pages_skipped[HF_SKIP_WINDOW];
	result->consistent =
	    capture->request.at_exit ||
	    (capture->request.options.mode != HF_SNAPSHOT_NO_PAUSE && result->threads_missing == 0);
	result->killed |= capture->request.at_exit;
	result->seconds = hf_clock_seconds() - capture->start;
}

static struct hf_error *fill_sidecar_note(struct capture *capture)
{
	HF_AUTO(free_ptr) char *text = NULL;
	struct hf_error *err = capture_sidecar_text(&capture->sidecar, true, &text);
	size_t length = err ? 0 : strlen(text);

	if (!err && length <= SIDECAR_ROOM)
		memcpy(capture->notes.data + capture->sidecar_at, text, length);
	return err;
}

/* Of space that was allocated beforehand, give back what nothing was written to. */
static void punch(struct capture *capture)
{
	const struct capture_plan *plan_of = &capture->plan;
	size_t at = 0; /* runs and gaps are both sorted; each gap lies within one run */

	hf_vec_foreach (run, &plan_of->runs) {
		if (run->state == CAPTURE_ZERO)
			capture_sink_punch(capture->sink, run->offset,
					   run->offset + (run->end - run->start));
		for (; at < plan_of->gaps.count && plan_of->gaps.data[at].end <= run->end; at++) {
			const struct capture_gap *gap = &plan_of->gaps.data[at];
			if (gap->start >= run->start)
				capture_sink_punch(capture->sink,
						   run->offset + (gap->start - run->start),
						   run->offset + (gap->end - run->start));
		}
	}
}

static struct hf_error *write_text(const char *path, const char *text)
{
	HF_AUTO(free_ptr) char *part = NULL;
	size_t size = strlen(text);

	if (asprintf(&part, "%s.part-%d", path, (int)getpid()) < 0) {
		part = NULL;
		return hf_error_nomem();
	}
	int fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return hf_error_errno(errno, "%s", part);
	bool done = write(fd, text, size) == (ssize_t)size && write(fd, "\n", 1) == 1;
	done = close(fd) == 0 && done;
	if (done && rename(part, path) == 0)
		return NULL;
	struct hf_error *err = hf_error_errno(errno ? errno : ENOSPC, "%s", path);
	unlink(part);
	return err;
}

static struct hf_error *write_sidecar(struct capture *capture)
{
	HF_AUTO(free_ptr) char *path = NULL;
	HF_AUTO(free_ptr) char *text = NULL;

	if (asprintf(&path, "%s.json", capture->final) < 0) {
		path = NULL;
		return hf_error_nomem();
	}
	struct hf_error *err = capture_sidecar_text(&capture->sidecar, false, &text);
	if (!err)
		err = write_text(path, text);
	if (!err)
		capture->result.sidecar = hf_take(path);
	return err;
}

static struct hf_error *give_name(struct capture *capture)
{
	struct hf_snapshot_result *result = &capture->result;

	if (!capture->final) {
		if (asprintf(&result->path, "/proc/self/fd/%d", result->fd) >= 0)
			return NULL;
		result->path = NULL;
		return hf_error_nomem();
	}
	struct hf_error *err = write_sidecar(capture);
	if (err)
		return err;
	err = capture_sink_name(capture->sink, capture->final);
	if (err) {
		unlink(result->sidecar);
		return err;
	}
	result->path = hf_take(capture->final);
	return NULL;
}

static struct hf_error *finish(struct capture *capture)
{
	HF_AUTO(free_ptr) uint8_t *head = NULL;
	struct hf_snapshot_result *result = &capture->result;
	struct hf_error *err = capture_make_head(&capture->plan, &capture->elf, &capture->notes,
						 result->pages_skipped, &head);
	if (err)
		return err;
	judge(capture);
	err = fill_sidecar_note(capture);
	free(hf_take(head));
	if (!err)
		err = capture_make_head(&capture->plan, &capture->elf, &capture->notes,
					result->pages_skipped, &head);
	if (!err)
		err = capture_sink_drain(capture->sink);
	if (err)
		return err;
	punch(capture);
	result->size = capture->plan.file_bytes;
	err = capture_sink_finish(capture->sink, head, capture->plan.file_bytes, &result->bytes);
	return err ? err : give_name(capture);
}

static struct hf_error *prepare(struct capture *capture)
{
	const struct capture_request *request = &capture->request;
	struct hf_error *err = capture_read_elf(request->options.pid, &capture->elf);

	if (!err)
		err = open_sink(capture);
	if (err)
		return err;
	capture_read_vmflags(request->options.pid, &capture->vmflags);
	if (!request->at_exit)
		capture_sidecar_before(&capture->sidecar);
	return NULL;
}

static void capture_destroy(struct capture *capture)
{
	capture_sink_destroy(capture->sink);
	capture_sink_destroy(capture->request.sink); /* never taken over */
	capture_sidecar_deinit(&capture->sidecar);
	capture_threads_deinit(&capture->threads);
	capture_plan_deinit(&capture->plan);
	hf_vec_free(&capture->notes);
	hf_vec_free(&capture->vmflags);
	free(capture->final);
	free(capture);
}

struct hf_error *capture_prepare(const struct capture_request *request, struct capture **ret)
{
	struct capture *capture = calloc(1, sizeof(*capture));

	if (!capture)
		return hf_error_nomem();
	capture->request = *request;
	capture->frozen = -1;
	capture->start = hf_clock_seconds();
	capture->result.fd = -1;
	capture->sidecar = (struct capture_sidecar){.pid = request->options.pid,
						    .request = &capture->request,
						    .plan = &capture->plan,
						    .threads = &capture->threads,
						    .result = &capture->result};
	*ret = capture;
	return prepare(capture);
}

void capture_set_held(struct capture *capture, pid_t held)
{
	capture->request.held = held;
}

bool capture_held_at_exit(const struct capture *capture)
{
	return capture->threads.held_at_exit;
}

struct hf_error *capture_finish(struct capture *capture, struct hf_error *err,
				struct hf_snapshot_result *ret)
{
	if (!capture)
		return err;
	if (!err)
		err = finish(capture);
	if (err) {
		capture->result.fd = -1; /* the sink closes it */
		hf_snapshot_result_deinit(&capture->result);
	} else {
		if (capture->request.options.private_temp)
			capture_sink_keep_fd(capture->sink);
		capture->result.seconds = hf_clock_seconds() - capture->start;
		*ret = capture->result;
	}
	capture_destroy(capture);
	return err;
}

struct hf_error *hf_snapshot_take(const struct hf_snapshot_options *options,
				  struct hf_snapshot_result *ret)
{
	struct capture_request request = {.options = *options, .trigger = "snapshot"};
	struct capture *capture = NULL;
	struct hf_error *err = capture_prepare(&request, &capture);

	if (!err)
		err = capture_read(capture);
	return capture_finish(capture, err, ret);
}

void hf_snapshot_result_deinit(struct hf_snapshot_result *result)
{
	if (result->fd >= 0)
		close(result->fd);
	free(result->path);
	free(result->sidecar);
	*result = (struct hf_snapshot_result){.fd = -1};
}

const char *hf_skip_reason_name(enum hf_skip_reason reason)
{
	static const char *const names[HF_SKIP_REASONS] = {"none",	"swapped",    "file",
							   "shared",	"dontdump",   "device",
							   "untouched", "unreadable", "window"};
	return reason < HF_SKIP_REASONS ? names[reason] : "unknown";
}
