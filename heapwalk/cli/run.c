/*
 * run.c - running a command (see run.h).
 */
#include "heapwalk/cli/run.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/base/bigmem.h"
#include "core/base/cleanup.h"
#include "heapwalk/cli/ci.h"
#include "heapwalk/cli/commands.h"
#include "heapwalk/cli/live.h"
#include "heapwalk/cli/terminal.h"
#include "heapwalk/memory.h"
#include "heapwalk/query/query.h"
#include "heapwalk/views/details.h"
#include "heapwalk/views/oom.h"

/* What was short, and what to do. */
static void tell_memory(void)
{
	struct rlimit limit = {.rlim_cur = RLIM_INFINITY};
	int error = 0;
	const char *folder = hf_bigmem_full_folder(&error);

	if (folder)
		fprintf(stderr, "heapforensics: --work-dir=%s: %s\n", folder, strerror(error));
	else if (getrlimit(RLIMIT_DATA, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
		fprintf(
		    stderr,
		    "heapforensics: %lu MiB of its own memory were not enough (--max-memory, or "
		    "ulimit -d)%s\n",
		    (unsigned long)(limit.rlim_cur >> 20),
		    hf_bigmem_in_folder() ? "" : "; --work-dir=DIR keeps big arrays in files");
}

int hf_fail(struct hf_error *err)
{
	fprintf(stderr, "heapforensics: %s\n", hf_error_message(err));
	if (hf_error_code(err) == HF_ERR_NOMEM)
		tell_memory();
	hf_error_destroy(err);
	return HF_EXIT_FAILED;
}

struct hf_error *hf_run_open(const struct hf_options *options, enum hf_analysis_depth depth,
			     struct hf_analysis **ret)
{
	struct hf_progress_line line;
	struct hf_live live = {.snapshot.fd = -1};
	struct hf_error *err = NULL;
	struct hf_analysis_options analysis = {
	    .process = {.core = options->core,
			.executable = options->binary,
			.sysroot = options->sysroot,
			.debuginfo_path = options->debuginfo_path,
			.progress = &line.progress},
	    .depth = depth,
	    .root_kinds = options->root_kinds,
	    .heuristics = options->heuristics,
	    .threads = options->threads,
	    .max_memory = options->max_memory,
	    .types = options->types.data,
	    .type_count = options->types.count,
	};
	struct hf_index *index = hf_run_index(options);
	analysis.index = index;
	/* An index is asked for: it holds everything. */
	if (index && options->index_mode == HF_INDEX_ON)
		analysis.depth = HF_DEPTH_TYPES;
	hf_progress_line_init(&line, options->quiet);
	if (!options->core && options->pid) {
		err = hf_live_open(options, &line.progress, &live);
		analysis.process.core = live.snapshot.path;
		analysis.process.core_name = live.name;
		if (*live.sysroot)
			analysis.process.sysroot = live.sysroot;
		if (*live.executable)
			analysis.process.executable = live.executable;
	}
	if (!err)
		err = hf_analysis_open(&analysis, ret);
	hf_live_close(&live); /* it stays mapped */
	hf_progress_line_clear(&line);
	hf_index_destroy(index);
	return err;
}

static void tell_timing(const struct hf_analysis *analysis)
{
	double seconds;
	const char *name;

	for (unsigned i = 0; i < analysis->stage_count; i++)
		fprintf(stderr, "%-24s %8.3f s\n", analysis->stages[i].name,
			analysis->stages[i].seconds);
	if (!analysis->graph)
		return;
	for (unsigned i = 0; (name = hf_graph_stage(analysis->graph, i, &seconds)); i++)
		fprintf(stderr, "  graph: %-15s %8.3f s\n", name, seconds);
	fprintf(stderr, "  types, meanwhile       %8.3f s\n", analysis->types_seconds);
	fprintf(stderr, "%lu objects, %lu edges, %lu bytes of arrays at the peak, %lu held\n",
		(unsigned long)hf_graph_objects(analysis->graph),
		(unsigned long)hf_graph_edges(analysis->graph),
		(unsigned long)(hf_graph_memory_peak(analysis->graph) +
				hf_extents_memory(analysis->extents)),
		(unsigned long)(hf_graph_memory(analysis->graph) +
				hf_extents_memory(analysis->extents)));
}

/* ---- where output goes ----------------------------------------------------------------------- */

static const char *pager_command(void)
{
	const char *pager = getenv("HEAPFORENSICS_PAGER");
	if (!pager)
		pager = getenv("PAGER");
	return pager ? pager : "less";
}

/* Start the pager with a pipe to its standard input; without one, plain standard output. */
static void start_pager(struct hf_sink *sink)
{
	const char *pager = pager_command();
	int pipes[2];

	if (!*pager || !strcmp(pager, "cat") || pipe(pipes))
		return;
	pid_t pid = fork();
	if (pid == 0) {
		dup2(pipes[0], STDIN_FILENO);
		close(pipes[0]);
		close(pipes[1]);
		setenv("LESS", "FRX", 0);
		execl("/bin/sh", "sh", "-c", pager, (char *)NULL);
		_exit(127);
	}
	close(pipes[0]);
	FILE *to = pid > 0 ? fdopen(pipes[1], "w") : NULL;
	if (!to) {
		close(pipes[1]);
		return;
	}
	sink->to = to;
	sink->output.name = "the pager";
	sink->pager_pid = pid;
}

struct hf_error *hf_sink_open(const struct hf_options *options, struct hf_sink *ret)
{
	struct hf_sink sink = {
	    .to = stdout,
	    .output = {.format = options->format,
		       .name = options->output ? options->output : "standard output"}};

	if (options->format == HF_FORMAT_HTML && !options->output && isatty(STDOUT_FILENO))
		return hf_error_create(HF_ERR_USAGE, "--html: where to? -o FILE");
	if (options->output) {
		struct hf_error *err = hf_whole_file_begin(options->output, &sink.file);
		if (err)
			return err;
		err = hf_whole_file_fopen(&sink.file, &sink.to);
		if (err)
			return hf_whole_file_end(&sink.file, err);
	}
	if (!options->output && options->format == HF_FORMAT_TEXT) {
		sink.output.width = hf_terminal_width(STDOUT_FILENO);
		sink.output.color =
		    options->color == HF_COLOR_AUTO && hf_terminal_colors(STDOUT_FILENO);
		if (sink.output.width && !options->no_pager)
			start_pager(&sink);
	}
	if (options->width && options->format == HF_FORMAT_TEXT)
		sink.output.width = options->width;
	if (options->color == HF_COLOR_ALWAYS)
		sink.output.color = true;
	*ret = sink;
	return NULL;
}

struct hf_error *hf_sink_close(struct hf_sink *sink, const struct hf_options *options,
			       struct hf_error *err)
{
	int failed = sink->to != stdout ? fclose(sink->to) : fflush(stdout);

	if (failed && errno != EPIPE && !err)
		err = hf_error_errno(errno, "%s", sink->output.name);
	if (sink->pager_pid > 0)
		waitpid(sink->pager_pid, NULL, 0);
	return options->output ? hf_whole_file_end(&sink->file, err) : err;
}

/* ---- gates ----------------------------------------------------------------------------------- */

struct hf_error *hf_run_test_gates(const struct hf_options *options, hf_gate_test_fn *test,
				   void *ctx, struct hf_gate_results *ret)
{
	hf_vec_foreach (gate, &options->gates.list) {
		struct hf_gate_result result = {.gate = gate};
		struct hf_error *err = test(gate, ctx, &result.trips, &result.value);
		if (err)
			return err;
		if (!hf_vec_push(ret, result))
			return hf_error_nomem();
	}
	return NULL;
}

int hf_run_gate_status(const struct hf_options *options, const struct hf_gate_results *results,
		       bool partial)
{
	int status = HF_EXIT_DONE;

	hf_vec_foreach (result, results) {
		if (!result->trips)
			continue;
		fprintf(stderr, "heapforensics: --fail-if '%s' holds: it is %.0f\n",
			result->gate->text, result->value);
		status = HF_EXIT_GATE;
	}
	if (status == HF_EXIT_DONE && options->strict && partial) {
		fprintf(stderr, "heapforensics: evidence was missing, and --strict was given\n");
		status = HF_EXIT_PARTIAL;
	}
	return status;
}

static struct hf_error *test_gate(const struct hf_gate *gate, void *ctx, bool *ret_trips,
				  double *ret_value)
{
	return hf_gate_test(gate, ctx, ret_trips, ret_value);
}

int hf_run_gates(const struct hf_options *options, struct hf_analysis *analysis)
{
	struct hf_gate_results results = {0};
	struct hf_error *err = hf_run_test_gates(options, test_gate, analysis, &results);
	int status = err ? hf_fail(err)
			 : hf_run_gate_status(options, &results, hf_diags_partial(analysis->diags));

	hf_vec_free(&results);
	return status;
}

/* ---- commands -------------------------------------------------------------------------------- */

/* @word is neither the core nor the program, and @command has no use for it. */
static struct hf_error *one_too_many(const struct hf_command *command, const char *word)
{
	const char *takes =
	    command->argument == HF_ARGUMENT_NONE ? "no argument" : "one argument only";

	if (!strncmp(word, "--", 2))
		return hf_error_create(HF_ERR_USAGE, "there is no option %s (see --help)", word);
	if (access(word, F_OK) == 0)
		return hf_error_create(HF_ERR_USAGE,
				       "%s: one core too many, or no program; %s takes %s (diff "
				       "compares two cores)",
				       word, command->name, takes);
	return hf_error_create(HF_ERR_USAGE, "%s: no such file, and %s takes %s", word,
			       command->name, takes);
}

struct hf_error *hf_run_check_words(const struct hf_command *command,
				    const struct hf_options *options)
{
	int allowed = command->argument != HF_ARGUMENT_NONE;
	const struct hf_command *late =
	    options->word_count > allowed ? hf_command_find(options->words[0]) : NULL;

	if (!options->core && !options->pid && options->word_count)
		return hf_error_create(
		    HF_ERR_IO,
		    "%s: no such core, and no running process (--help lists the commands)",
		    options->words[0]);
	if (!options->core && !options->pid)
		return hf_error_create(HF_ERR_USAGE, "which core? heapforensics %s %s (see --help)",
				       command->name, command->arguments);
	if (late)
		return hf_error_create(HF_ERR_USAGE, "the command comes first: heapforensics %s %s",
				       late->name, late->arguments);
	if (options->word_count > allowed)
		return one_too_many(command, options->words[0]);
	if (command->argument == HF_ARGUMENT_REQUIRED && !options->argument && !options->view.type)
		return hf_error_create(HF_ERR_USAGE, "%s of what? heapforensics %s %s",
				       command->name, command->name, command->arguments);
	return NULL;
}

/* The same, for the commands that print documents. */
static struct hf_error *check_words(const struct hf_command *command,
				    const struct hf_options *options)
{
	if (options->format_name)
		return hf_error_create(HF_ERR_USAGE,
				       "--format=%s: there are text, json, csv and html",
				       options->format_name);
	return hf_run_check_words(command, options);
}

void hf_run_complete_view(struct hf_options *options)
{
	snprintf(options->pid_text, sizeof(options->pid_text), "%u", options->pid);
	options->view.core = options->core ? options->core : options->pid_text;
	options->view.binary = options->binary;
	options->view.argument = options->argument;
}

struct hf_error *hf_run_print(const struct hf_doc *doc, const struct hf_doc *details,
			      const struct hf_options *options)
{
	struct hf_sink sink;
	struct hf_error *err = hf_sink_open(options, &sink);

	if (err)
		return err;
	sink.output.details = details;
	return hf_sink_close(&sink, options, hf_output(doc, &sink.output, sink.to));
}

struct hf_error *hf_run_make_doc(const struct hf_command *command,
				 const struct hf_view_options *view, struct hf_analysis *analysis,
				 struct hf_doc **ret)
{
	struct hf_doc *doc = NULL;
	struct hf_error *err = hf_doc_create(command->name, &doc);

	if (err)
		return err;
	hf_doc_set_partial(doc, hf_diags_partial(analysis->diags));
	err = command->view(analysis, view, doc);
	if (!err)
		err = hf_doc_error(doc);
	if (err)
		hf_doc_destroy(doc);
	else
		*ret = doc;
	return err;
}

/* What a page can explore: of the report, everything; else only the tables that are told. */
static bool has_details(const struct hf_command *command, const struct hf_options *options)
{
	return options->format == HF_FORMAT_HTML && command->view == hf_view_report;
}

static struct hf_error *make_details(const struct hf_command *command,
				     const struct hf_options *options, struct hf_analysis *analysis,
				     struct hf_doc **ret)
{
	struct hf_error *err = hf_doc_create(command->name, ret);

	if (!err)
		err = hf_view_details(analysis, &options->view, *ret);
	return err ? err : hf_doc_error(*ret);
}

static struct hf_error *print_view(const struct hf_command *command, struct hf_options *options,
				   struct hf_analysis *analysis, struct hf_doc **ret)
{
	struct hf_doc *doc = NULL, *details = NULL;
	struct hf_error *err = hf_run_make_doc(command, &options->view, analysis, &doc);

	if (!err && has_details(command, options))
		err = make_details(command, options, analysis, &details);
	if (!err)
		err = hf_run_print(doc, details, options);
	hf_doc_destroy(details);
	*ret = doc;
	return err;
}

/* Who taps wants the analysis behind the answer too: it lies in the same index. */
static int print_kept(struct hf_doc *kept, const struct hf_options *options)
{
	struct hf_analysis *analysis = NULL;
	struct hf_error *err = hf_run_print(kept, NULL, options);

	hf_doc_destroy(kept);
	if (!err && options->tap)
		err = hf_run_open(options, HF_DEPTH_TYPES, &analysis);
	if (!err && options->tap)
		options->tap->answered(options->tap->ctx, analysis);
	hf_analysis_close(analysis);
	return err ? hf_fail(err) : HF_EXIT_DONE;
}

int hf_run_view(const struct hf_command *command, struct hf_options *options)
{
	struct hf_analysis *analysis = NULL;
	struct hf_doc *doc = NULL;

	if (hf_ci_format(options))
		return hf_run_ci(command, options);
	struct hf_error *err = check_words(command, options);
	enum hf_analysis_depth depth = options->gates.list.count ? HF_DEPTH_TYPES : command->depth;

	if (!err && options->view.type && command->view != hf_view_path)
		err = hf_error_create(HF_ERR_USAGE,
				      "--type=%s: ADDR=TYPE is meant; a type alone is for path",
				      options->view.type);
	hf_run_complete_view(options);
	bool whole = err || has_details(command, options); /* no answer alone will do */
	struct hf_doc *kept = whole ? NULL : hf_run_kept_answer(command, options);
	if (kept)
		return print_kept(kept, options);
	if (!err)
		err = hf_run_open(options, depth, &analysis);
	if (err)
		return hf_fail(err);
	if (options->tap) {
		options->tap->opened(options->tap->ctx, analysis, options);
		hf_run_complete_view(options);
	}
	clock_t asked = clock();
	err = hf_memory_explain(analysis, true, print_view(command, options, analysis, &doc));
	double seconds = (double)(clock() - asked) / CLOCKS_PER_SEC;
	if (options->tap && !err)
		options->tap->answered(options->tap->ctx, analysis);
	if (options->timing)
		tell_timing(analysis);
	int status = err ? hf_fail(err) : hf_run_gates(options, analysis);
	hf_run_close_answered(options, analysis, command, doc, seconds);
	hf_doc_destroy(doc);
	return status;
}

/* ---- query ----------------------------------------------------------------------------------- */

static struct hf_error *print_log_alone(const struct hf_oomlog *log,
					const struct hf_options *options)
{
	struct hf_doc *doc = NULL;
	struct hf_error *err = hf_doc_create("report", &doc);

	if (err)
		return err;
	hf_section_oom(log, NULL, doc);
	err = hf_doc_error(doc);
	if (!err)
		err = hf_run_print(doc, NULL, options);
	hf_doc_destroy(doc);
	return err;
}

/* With the baseline open, if one was given. */
static int report_core(const struct hf_command *command, struct hf_options *options)
{
	struct hf_options older = *options;
	struct hf_error *err = NULL;

	if (options->baseline) {
		older.core = options->baseline;
		err = hf_run_open(&older, command->depth, &options->view.baseline);
	}
	if (err)
		return hf_fail(err);
	int status = hf_run_view(command, options);
	if (options->view.baseline)
		hf_analysis_close(options->view.baseline);
	return status;
}

int hf_run_report(const struct hf_command *command, struct hf_options *options)
{
	struct hf_oomlog *log = NULL;
	int status;

	if (!options->oom_log)
		return report_core(command, options);
	struct hf_error *err = hf_oomlog_read(options->oom_log, &log);
	if (err)
		return hf_fail(err);
	options->view.oom_log = log;
	if (options->core || options->pid || options->word_count) {
		status = report_core(command, options);
	} else if (options->format_name) {
		status = hf_fail(hf_error_create(HF_ERR_USAGE, "--format=%s: of which core?",
						 options->format_name));
	} else {
		err = print_log_alone(log, options);
		status = err ? hf_fail(err) : HF_EXIT_DONE;
	}
	hf_oomlog_destroy(log);
	return status;
}

static struct hf_error *read_all(FILE *from, char **ret)
{
	size_t count = 0, capacity = 0;
	char *text = NULL;

	for (;;) {
		if (count + 4096 > capacity) {
			capacity = capacity ? capacity * 2 : 8192;
			char *bigger = realloc(text, capacity);
			if (!bigger) {
				free(text);
				return hf_error_nomem();
			}
			text = bigger;
		}
		size_t got = fread(text + count, 1, 4000, from);
		count += got;
		if (got == 0)
			break;
	}
	text[count] = '\0';
	*ret = text;
	return NULL;
}

static struct hf_error *sql_text(const struct hf_options *options, char **ret)
{
	*ret = NULL;
	if (options->sql_file) {
		FILE *file = fopen(options->sql_file, "re");
		if (!file)
			return hf_error_errno(errno, "%s", options->sql_file);
		struct hf_error *err = read_all(file, ret);
		fclose(file);
		return err;
	}
	if (options->argument && !strcmp(options->argument, "-"))
		return read_all(stdin, ret);
	if (options->argument) {
		*ret = strdup(options->argument);
		return *ret ? NULL : hf_error_nomem();
	}
	return NULL;
}

static struct hf_error *run_sql(struct hf_options *options, struct hf_analysis *analysis)
{
	HF_AUTO(free_ptr) char *sql = NULL;
	struct hf_query *query = NULL;
	struct hf_sink sink;
	struct hf_error *err = sql_text(options, &sql);

	if (!err)
		err = hf_query_open(analysis, &query);
	bool shell = !sql;
	if (shell)
		options->no_pager = true;
	if (!err)
		err = hf_sink_open(options, &sink);
	if (!err) {
		err = shell ? hf_query_shell(query, stdin, isatty(STDIN_FILENO) == 1, &sink.output,
					     sink.to)
			    : hf_query_run(query, sql, &sink.output, sink.to);
		err = hf_sink_close(&sink, options, err);
	}
	hf_query_close(query);
	return err;
}

int hf_run_query(const struct hf_command *command, struct hf_options *options)
{
	struct hf_analysis *analysis = NULL;
	struct hf_error *err = check_words(command, options);

	hf_run_complete_view(options);
	if (!err && options->format == HF_FORMAT_HTML)
		err = hf_error_create(HF_ERR_USAGE, "query has no --html");
	if (!err)
		err = hf_run_open(options, command->depth, &analysis);
	if (err)
		return hf_fail(err);
	err = hf_memory_explain(analysis, true, run_sql(options, analysis));
	if (options->tap && !err)
		options->tap->answered(options->tap->ctx, analysis);
	if (options->timing)
		tell_timing(analysis);
	int status = err ? hf_fail(err) : hf_run_gates(options, analysis);
	hf_run_close(options, analysis);
	return status;
}
