/*
 * answer.c - running a command for GDB (see answer.h).
 *
 * The command runs as on the command line: its words are parsed by the same table, and what it
 * writes to standard output and standard error is caught in two memory files. So the text is the
 * command line's, byte for byte. From the text the addresses are taken that a person sees, in
 * their order, each once: they become $hf1, $hf2 ..
 */
#include "gdbplugin/answer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/base/cleanup.h"
#include "gdbplugin/script.h"
#include "gdbplugin/values.h"
#include "heapwalk/cli/commands.h"
#include "heapwalk/cli/run.h"

/* At a prompt more commands will follow: seconds of analysis from which on an index pays. */
#define KEEP_AFTER 0.1

/* ---- catching what a command writes ---------------------------------------------------------- */

struct caught {
	int to[2];    /* memory files for standard output and standard error */
	int saved[2]; /* what those were before */
};

static struct hf_error *catch_output(struct caught *ret)
{
	struct caught caught = {{-1, -1}, {-1, -1}};
	bool good = true;

	fflush(stdout);
	fflush(stderr);
	for (int i = 0; i < 2 && good; i++) {
		int fd = i ? STDERR_FILENO : STDOUT_FILENO;
		caught.to[i] = memfd_create("heapforensics", MFD_CLOEXEC);
		caught.saved[i] = fcntl(fd, F_DUPFD_CLOEXEC, 3);
		good = caught.to[i] >= 0 && caught.saved[i] >= 0 && dup2(caught.to[i], fd) >= 0;
	}
	*ret = caught;
	return good ? NULL : hf_error_errno(errno, "catching the output");
}

static void release_output(const struct caught *caught)
{
	fflush(stdout);
	fflush(stderr);
	for (int i = 0; i < 2; i++) {
		if (caught->saved[i] < 0)
			continue;
		dup2(caught->saved[i], i ? STDERR_FILENO : STDOUT_FILENO);
		close(caught->saved[i]);
	}
}

static char *caught_text(const struct caught *caught, int which)
{
	char *text = NULL;

	fflush(which ? stderr : stdout);
	int fd = caught->to[which];
	off_t size = lseek(fd, 0, SEEK_END);
	text = size < 0 ? NULL : malloc((size_t)size + 1);
	off_t at = 0;
	while (text && at < size) {
		ssize_t got = pread(fd, text + at, (size_t)(size - at), at);
		if (got <= 0 && errno != EINTR)
			break;
		at += got > 0 ? got : 0;
	}
	if (text)
		text[at] = '\0';
	return text;
}

static void close_caught(const struct caught *caught)
{
	for (int i = 0; i < 2; i++) {
		if (caught->to[i] >= 0)
			close(caught->to[i]);
	}
}

/* ---- the run --------------------------------------------------------------------------------- */

struct run {
	const struct hf_gdb_request *request;
	struct caught caught;
	struct hf_gdb_values values;
	char argument[32];
};

/*
 * A name stands for the variable, as on the command line, if GDB means the same: its value is the
 * word at the variable's address, or that address itself (a structure, an array). A local variable
 * of that name in the frame selected has another value, and is then not mistaken.
 */
static bool name_means_the_same(const struct hf_gdb_request *request,
				const struct hf_analysis *analysis)
{
	uint64_t address = 0;
	uint32_t node = HF_NO_NODE;
	struct hf_error *err = hf_analysis_resolve(analysis, request->name, &address, &node);

	if (err) {
		hf_error_destroy(err);
		return false;
	}
	uint64_t word = 0;
	bool read = hf_image_word(&analysis->process->image, address, &word);
	return node != HF_NO_NODE &&
	       (address == request->address || (read && word == request->address));
}

static void opened(void *ctx, struct hf_analysis *analysis, struct hf_options *options)
{
	struct run *run = ctx;

	if (run->request->name && options->argument && name_means_the_same(run->request, analysis))
		options->argument = run->request->name;
}

static void answered(void *ctx, struct hf_analysis *analysis)
{
	struct run *run = ctx;
	HF_AUTO(free_ptr) char *text = caught_text(&run->caught, 0);

	hf_gdb_values_scan(&run->values, text, analysis);
	hf_gdb_values_figures(&run->values, analysis);
}

/* As hf_options_parse() wants them; returns how many. */
static int make_words(const struct hf_gdb_request *request, const char *words[], char *debuginfo)
{
	const struct hf_gdb_context *context = request->context;
	bool diff = !strcmp(request->command, "diff");
	int count = 0;

	words[count++] = "heapforensics";
	words[count++] = request->command;
	words[count++] = "--quiet";
	words[count++] = "--no-pager";
	words[count++] = request->color ? "--color=always" : "--color=never";
	if (context->binary) {
		words[count++] = "--executable";
		words[count++] = context->binary;
	}
	if (context->sysroot && *context->sysroot == '/' && context->sysroot[1]) {
		words[count++] = "--sysroot";
		words[count++] = context->sysroot;
	}
	if (debuginfo) {
		words[count++] = "--debuginfo-path";
		words[count++] = debuginfo;
	}
	for (unsigned i = 0; i < request->option_count; i++)
		words[count++] = request->options[i];
	words[count++] = "--core";
	words[count++] = diff && request->word_count ? request->words[0] : request->core;
	words[count++] = "--";
	if (diff)
		words[count++] = request->core;
	for (unsigned i = diff; i < request->word_count; i++)
		words[count++] = request->words[i];
	words[count] = NULL;
	return count;
}

static int run_command(struct run *run)
{
	const char *words[2 * HF_GDB_MAX_WORDS + 24];
	const struct hf_gdb_context *context = run->request->context;
	HF_AUTO(free_ptr) char *debuginfo = NULL;
	struct hf_options options;
	struct hf_tap tap = {run, opened, answered};

	/* Where GDB looks, and where elfutils does. */
	if (context->debug_directories && strcmp(context->debug_directories, "/usr/lib/debug") &&
	    asprintf(&debuginfo, ":.debug:%s:/usr/lib/debug", context->debug_directories) < 0)
		return hf_fail(hf_error_nomem());
	int count = make_words(run->request, words, debuginfo);
	struct hf_error *err = hf_options_parse(count, (char **)words, &options);
	if (err)
		return hf_fail(err);
	options.width = context->width;
	options.tap = &tap;
	options.keep_after = KEEP_AFTER;
	if (run->request->index && !options.index_folder)
		options.index_folder = run->request->index;
	int status = HF_EXIT_FAILED;
	if (options.help)
		status = hf_fail(hf_error_create(HF_ERR_USAGE, "in GDB it is: help heap-%s",
						 run->request->command));
	else
		status = options.command->run(options.command, &options);
	hf_options_deinit(&options);
	return status;
}

/* ---- the script ------------------------------------------------------------------------------ */

/* A file that is sourced as C; its output and the warning that C is not the frame's go nowhere. */
static void source_variables(const struct hf_gdb_folder *folder, FILE *next)
{
	fprintf(next, "pipe with language c -- source %s/variables | cat >/dev/null\n",
		folder->path);
}

static struct hf_error *write_variables(const struct hf_gdb_folder *folder, const struct run *run,
					int status)
{
	HF_AUTO(free_ptr) char *before = NULL;
	FILE *file = NULL;
	char count[32];
	struct hf_error *err = hf_gdb_folder_read(folder, "count", &before);

	if (!err)
		err = hf_gdb_folder_create(folder, "variables", &file);
	if (err)
		return err;
	fprintf(file, "set $hf_step = 0\nset $hf_status = %d\n", status);
	hf_gdb_values_write(&run->values, before ? strtoul(before, NULL, 10) : 0,
			    run->request->context->thread, file);
	err = hf_gdb_folder_publish(folder, "variables", file);
	snprintf(count, sizeof(count), "%zu\n", run->values.list.count);
	return err ? err : hf_gdb_folder_write(folder, "count", count);
}

/* Behind the word at @at, which a shell may read in quotes. */
static const char *behind_word(const char *at, const char *end)
{
	bool quoted = false;

	for (; at < end && (quoted || *at != ' '); at++)
		quoted ^= *at == '\'';
	return at;
}

/* "query CORE" with the words behind it, @rest, as GDB has it: the SQL is all that follows. */
static void localize_query(FILE *to, const char *rest, const char *end)
{
	if (rest == end)
		fputs("  help heap-query", to);
	else if (rest[1] == '\'' && end[-1] == '\'')
		fprintf(to, "  heap-query \"%.*s\"", (int)(end - rest - 3), rest + 2);
	else
		fprintf(to, "  heap-query%.*s", (int)(end - rest), rest);
}

/*
 * The hints of a snapshot name a file that goes with GDB, and what one has here are GDB's own
 * commands: "heapforensics path SNAPSHOT PROGRAM 0x1234" becomes "heap-path 0x1234". (On a core the
 * answers are the command line's, byte for byte.)
 */
static char *localize_hints(const char *text, const struct hf_gdb_request *request)
{
	static const char program[] = "  heapforensics ";
	char *local = NULL;
	size_t size = 0;
	FILE *to = open_memstream(&local, &size);

	for (const char *line = text, *end; to && *line; line = *end ? end + 1 : end) {
		end = strchrnul(line, '\n');
		const char *core =
		    strncmp(line, program, sizeof(program) - 1)
			? NULL
			: memmem(line, (size_t)(end - line), request->core, strlen(request->core));
		if (core && core[-1] == ' ') {
			const char *command = line + sizeof(program) - 1;
			bool query = !strncmp(command, "query ", 6);
			line = behind_word(core, end);
			if (request->context->binary && *line == ' ')
				line = behind_word(line + 1, end);
			if (query)
				localize_query(to, line, end);
			else
				fprintf(to, "  heap-%.*s", (int)(core - 1 - command), command);
			line = query ? end : line;
		}
		fwrite(line, 1, (size_t)(end - line) + (*end == '\n'), to);
	}
	if (to && fclose(to)) {
		free(local);
		return NULL;
	}
	return local;
}

static struct hf_error *write_answer(const struct hf_gdb_folder *folder, const struct run *run)
{
	HF_AUTO(free_ptr) char *out = caught_text(&run->caught, 0);
	HF_AUTO(free_ptr) char *messages = caught_text(&run->caught, 1);
	FILE *next = NULL;

	if (out && run->request->context->target != HF_GDB_CORE) {
		char *local = localize_hints(out, run->request);
		free(out);
		out = local;
	}
	if (!out || !messages)
		return hf_error_nomem();
	struct hf_error *err = hf_gdb_folder_create(folder, "next", &next);
	if (err)
		return err;
	source_variables(folder, next);
	hf_gdb_echo(next, out, strlen(out));
	hf_gdb_echo(next, messages, strlen(messages));
	return hf_gdb_folder_publish(folder, "next", next);
}

struct hf_error *hf_gdb_answer(const struct hf_gdb_folder *folder,
			       const struct hf_gdb_request *request)
{
	struct run run = {.request = request};
	struct hf_error *err = catch_output(&run.caught);
	int status = err ? HF_EXIT_FAILED : run_command(&run);

	release_output(&run.caught);
	if (!err && !run.values.scanned) {
		HF_AUTO(free_ptr) char *text = caught_text(&run.caught, 0);
		hf_gdb_values_scan(&run.values, text, NULL);
	}
	if (!err)
		err = write_variables(folder, &run, status);
	if (!err)
		err = write_answer(folder, &run);
	close_caught(&run.caught);
	hf_gdb_values_deinit(&run.values);
	return err;
}

static struct hf_error *short_script(const struct hf_gdb_folder *folder, int step, int status,
				     const char *name, const char *text, const char *line)
{
	FILE *file = NULL;
	struct hf_error *err = hf_gdb_folder_create(folder, "variables", &file);

	if (err)
		return err;
	fprintf(file, "set $hf_step = %d\nset $hf_status = %d\nset $hf_folder = %u\n", step, status,
		folder->number);
	if (name)
		hf_gdb_set_text(file, name, text);
	err = hf_gdb_folder_publish(folder, "variables", file);
	if (!err)
		err = hf_gdb_folder_create(folder, "next", &file);
	if (err)
		return err;
	source_variables(folder, file);
	if (line) {
		hf_gdb_echo(file, line, strlen(line));
		fputs("echo \\n\n", file);
	}
	return hf_gdb_folder_publish(folder, "next", file);
}

struct hf_error *hf_gdb_tell(const struct hf_gdb_folder *folder, int status, const char *text)
{
	return short_script(folder, 0, status, NULL, NULL, text);
}

struct hf_error *hf_gdb_ask(const struct hf_gdb_folder *folder, int step, const char *name,
			    const char *text)
{
	/* Should GDB fail to give it, the command has failed. */
	return short_script(folder, step, HF_EXIT_FAILED, name, text, NULL);
}
