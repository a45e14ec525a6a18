/*
 * oomlog.c - reading a log piece by piece, and looking into the finished one.
 *
 * Bytes go into a line buffer of a fixed size; a longer line is cut and its rest skipped.
 * So the memory used depends on what is kept of the log, never on the log's size.
 */
#include "core/oomlog/private.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>

#include "core/base/cleanup.h"

extern char **environ;

struct reader {
	struct oom_parser parser;
	size_t length;
	char line[OOM_LINE_MAX + 1];
};

void hf_oomlog_destroy(struct hf_oomlog *log)
{
	if (!log)
		return;
	hf_vec_foreach (event, &log->events) {
		hf_vec_free(&(*event)->stats);
		hf_vec_free(&(*event)->tasks);
		free(*event);
	}
	hf_vec_free(&log->events);
	hf_vec_free(&log->kills);
	hf_strpool_destroy(log->strings);
	free(log);
}

static void reader_destroy(struct reader **reader)
{
	if (*reader)
		hf_oomlog_destroy((*reader)->parser.log);
	free(*reader);
}

static struct hf_error *reader_create(struct reader **ret)
{
	struct reader *reader = calloc(1, sizeof(*reader));
	if (!reader)
		return hf_error_nomem();
	reader->parser.log = calloc(1, sizeof(*reader->parser.log));
	if (!reader->parser.log) {
		free(reader);
		return hf_error_nomem();
	}
	struct hf_error *err = hf_strpool_create(&reader->parser.log->strings);
	if (err) {
		reader_destroy(&reader);
		return err;
	}
	*ret = reader;
	return NULL;
}

/* A line without prefix that begins with white space belongs to the line before. */
static struct oom_context *context_of(struct oom_parser *p, const struct oom_line *before)
{
	if (p->line.indented && p->last) {
		const char *message = p->line.message;
		p->line = *before;
		p->line.message = message + strspn(message, " \t");
		return p->last;
	}
	return oom_context_get(p, p->line.host_length ? p->line.host : "", p->line.host_length);
}

void oom_parser_line(struct oom_parser *p, const char *text)
{
	struct oom_line before = p->line;
	p->log->lines++;
	/* of the line before only what is no pointer into it may live on */
	before.wall_length = before.host_length = 0;
	before.wall = before.host = NULL;
	oom_line_split(text, &p->line);
	if (oom_line_dropped(p, p->line.message))
		return;
	if (p->line.tag == TAG_OTHER) {
		p->last = NULL;
		return;
	}
	if (p->line.tag == TAG_EARLYOOM || p->line.tag == TAG_OOMD) {
		oom_line_daemon(p, NULL, p->line.message);
		return;
	}
	struct oom_context *c = context_of(p, &before);
	p->last = c;
	if (!oom_line_report(p, c, p->line.message) && !oom_line_kill(p, c, p->line.message))
		oom_line_daemon(p, c, p->line.message);
}

static void end_line(struct reader *reader)
{
	size_t length = reader->length;
	while (length && strchr("\r \t", reader->line[length - 1]))
		length--;
	reader->line[length] = '\0';
	reader->length = 0;
	if (length)
		oom_parser_line(&reader->parser, reader->line);
	else
		reader->parser.log->lines++;
}

static struct hf_error *feed(struct reader *reader, const char *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (bytes[i] == '\n')
			end_line(reader);
		else if (reader->length < OOM_LINE_MAX)
			reader->line[reader->length++] = bytes[i] ? bytes[i] : '?';
		if (reader->parser.nomem)
			return hf_error_nomem();
	}
	return NULL;
}

static struct hf_error *finish(struct reader *reader, struct hf_oomlog **ret)
{
	if (reader->length)
		end_line(reader);
	for (size_t i = 0; i < OOM_HOSTS; i++)
		oom_event_close(&reader->parser, &reader->parser.contexts[i]);
	if (reader->parser.nomem)
		return hf_error_nomem();
	*ret = hf_take(reader->parser.log);
	return NULL;
}

struct hf_error *hf_oomlog_parse(const char *text, size_t size, struct hf_oomlog **ret)
{
	__attribute__((cleanup(reader_destroy))) struct reader *reader = NULL;
	struct hf_error *err = reader_create(&reader);
	if (!err)
		err = feed(reader, text, size);
	return err ? err : finish(reader, ret);
}

static struct hf_error *feed_fd(struct reader *reader, int fd, const char *name)
{
	char buffer[32768];
	for (;;) {
		ssize_t got = read(fd, buffer, sizeof(buffer));
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return hf_error_errno(errno, "%s", name);
		if (got == 0)
			return NULL;
		struct hf_error *err = feed(reader, buffer, (size_t)got);
		if (err)
			return err;
	}
}

/* Start journalctl, its output in *fd_ret. Without -a it would leave out memory.stat's lines. */
static struct hf_error *start_journalctl(pid_t *pid_ret, int *fd_ret)
{
	char *const argv[] = {
	    (char *)"journalctl", (char *)"-k", (char *)"-o", (char *)"short-monotonic",
	    (char *)"--no-pager", (char *)"-a", (char *)"-q", NULL};
	posix_spawn_file_actions_t actions;
	int pipes[2];
	if (pipe2(pipes, O_CLOEXEC) < 0)
		return hf_error_errno(errno, "pipe");
	int error = posix_spawn_file_actions_init(&actions);
	if (!error) {
		error = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
		if (!error)
			error = posix_spawn_file_actions_adddup2(&actions, pipes[1], 1);
		if (!error)
			error =
			    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
		if (!error)
			error = posix_spawnp(pid_ret, argv[0], &actions, NULL, argv, environ);
		posix_spawn_file_actions_destroy(&actions);
	}
	close(pipes[1]);
	if (error) {
		close(pipes[0]);
		if (error == ENOENT)
			return hf_error_create(
			    HF_ERR_UNSUPPORTED,
			    "journalctl is not installed here: give the kernel's "
			    "log as a file, or pipe dmesg into \"-\"");
		return hf_error_errno(error, "journalctl");
	}
	*fd_ret = pipes[0];
	return NULL;
}

static struct hf_error *read_journal(struct reader *reader)
{
	pid_t pid = -1;
	int fd = -1, status = 0;
	struct hf_error *err = start_journalctl(&pid, &fd);
	if (err)
		return err;
	err = feed_fd(reader, fd, "journalctl");
	close(fd);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	if (err)
		return err;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		return hf_error_create(HF_ERR_UNSUPPORTED, "journalctl cannot be run here");
	/* status 1 is also "no entries" */
	if (!WIFEXITED(status) || (WEXITSTATUS(status) != 0 && !reader->parser.log->lines))
		return hf_error_create(HF_ERR_IO,
				       "journalctl failed and gave no lines (is there a journal, "
				       "and may this user read it?)");
	return NULL;
}

struct hf_error *hf_oomlog_read(const char *path, struct hf_oomlog **ret)
{
	__attribute__((cleanup(reader_destroy))) struct reader *reader = NULL;
	struct hf_error *err = reader_create(&reader);
	if (err)
		return err;
	if (!strcmp(path, "journal")) {
		err = read_journal(reader);
	} else if (!strcmp(path, "-")) {
		err = feed_fd(reader, STDIN_FILENO, "standard input");
	} else {
		HF_AUTO(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
		err = fd < 0 ? hf_error_errno(errno, "%s", path) : feed_fd(reader, fd, path);
	}
	return err ? err : finish(reader, ret);
}

static bool same_name(const char *a, const char *b)
{
	return a && b && !strncmp(a, b, 15);
}

struct hf_oom_found hf_oomlog_find(const struct hf_oomlog *log, uint32_t pid, const char *name)
{
	struct hf_oom_found found = {NULL, HF_OOM_MATCH_NONE, 0};
	hf_vec_foreach (kill, &log->kills) {
		bool by_pid = pid && kill->pid == pid, by_name = same_name(kill->name, name);
		enum hf_oom_match match = by_pid && by_name ? HF_OOM_MATCH_PID_AND_NAME
					  : by_pid && !name ? HF_OOM_MATCH_PID
					  : by_name	    ? HF_OOM_MATCH_NAME
							    : HF_OOM_MATCH_NONE;
		if (!match || match < found.match)
			continue;
		found.candidates = match == found.match ? found.candidates + 1 : 1;
		found.match = match;
		found.kill = kill;
	}
	return found;
}

const struct hf_oom_task *hf_oom_kill_task(const struct hf_oom_kill *kill)
{
	return oom_event_task(kill->event, kill->pid);
}

uint64_t hf_oom_stat(const struct hf_oom_event *event, const char *name)
{
	hf_vec_foreach (stat, &event->stats) {
		if (!strcmp(stat->name, name))
			return stat->value;
	}
	return HF_OOM_UNKNOWN;
}

uint64_t hf_oom_bytes(const struct hf_oom_event *event, uint64_t pages, uint32_t fallback_page_size)
{
	uint64_t size = event->page_size ? event->page_size : fallback_page_size;
	if (pages == HF_OOM_UNKNOWN || !size || pages > UINT64_MAX / 2 / size)
		return HF_OOM_UNKNOWN;
	return pages * size;
}

const char *hf_oom_scope_name(enum hf_oom_scope scope)
{
	return scope == HF_OOM_SCOPE_MEMCG    ? "memory cgroup"
	       : scope == HF_OOM_SCOPE_GLOBAL ? "host"
					      : "unknown";
}
