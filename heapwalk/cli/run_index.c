/*
 * run_index.c - keeping an analysis, and what the commands answer, for the next time.
 *
 * When an index is made, the answers of all commands that take no argument are made with it, as
 * documents: then they need no analysis at all, not even the core. Other commands map the arrays;
 * an answer that took them long is kept as well. It is found again by the command, its argument and
 * every option that changes it.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xxhash.h>

#include "core/base/bigmem.h"
#include "core/base/cleanup.h"
#include "core/base/parallel.h"
#include "heapwalk/cli/commands.h"
#include "heapwalk/cli/run.h"
#include "heapwalk/cli/terminal.h"
#include "heapwalk/index.h"
#include "heapwalk/views/human.h"

/* Seconds of analysis from which on an index is made without being asked for. */
#define WORTH_KEEPING 2.0
/* Processor seconds from which on an answer made from an index is kept. */
#define SLOW_ANSWER 0.03

enum { MAX_HELPERS = 7 };

/* $HEAPFORENSICS_INDEX_MIB: what all indexes together may take; 0: the default. */
static uint64_t limit_by_environment(void)
{
	const char *text = getenv("HEAPFORENSICS_INDEX_MIB");
	return text ? strtoull(text, NULL, 10) << 20 : 0;
}

struct hf_index *hf_run_index(const struct hf_options *options)
{
	const char *variable = getenv("HEAPFORENSICS_INDEX");
	struct hf_index_options index_options = {
	    .mode = options->index_mode,
	    .folder = options->index_folder,
	    .max_bytes = limit_by_environment(),
	    .root_kinds = options->root_kinds,
	    .heuristics = options->heuristics,
	};
	struct hf_process_options process = {
	    .core = options->core,
	    .executable = options->binary,
	    .sysroot = options->sysroot,
	    .debuginfo_path = options->debuginfo_path,
	};
	struct hf_index *index = NULL;

	/* A running process is another heap each time; what the user says of types is not part of
	 * an index's identity. */
	if (!options->core || options->types.count)
		return NULL;
	if (options->index_mode == HF_INDEX_AUTO && variable && !strcmp(variable, "off"))
		return NULL;
	struct hf_error *err = hf_index_locate(&index_options, &process, &index);
	hf_error_destroy(err);
	return index;
}

/* ---- answers --------------------------------------------------------------------------------- */

/* Does the answer depend on nothing but the analysis and these options? */
static bool can_be_kept(const struct hf_command *command, const struct hf_view_options *view)
{
	return command->view && !view->suppressions && !view->oom_log && !view->baseline;
}

/* "dominators-0123456789abcdef" */
static char *answer_name(const struct hf_command *command, const struct hf_view_options *view)
{
	HF_AUTO(free_ptr) char *text = NULL;
	char *name = NULL;

	if (asprintf(&text, "%s\n%s\n%" PRIu64 " %" PRIu32 " %" PRIu64 " %d %s\n%s\n%s",
		     view->core ? view->core : "", view->binary ? view->binary : "", view->top,
		     view->depth, view->min_bytes, view->all, view->by ? view->by : "",
		     view->type ? view->type : "", view->argument ? view->argument : "") < 0) {
		text = NULL;
		return NULL;
	}
	if (asprintf(&name, "%s-%016" PRIx64, command->name,
		     (uint64_t)XXH64(text, strlen(text), 0)) < 0)
		return NULL;
	return name;
}

struct hf_doc *hf_run_kept_answer(const struct hf_command *command,
				  const struct hf_options *options)
{
	struct hf_doc *doc = NULL;
	struct hf_stash *stash = NULL;

	if (!can_be_kept(command, &options->view) || options->gates.list.count || options->strict ||
	    options->timing)
		return NULL;
	struct hf_index *index = hf_run_index(options);
	HF_AUTO(free_ptr) char *name = index ? answer_name(command, &options->view) : NULL;
	struct hf_error *err = name ? hf_index_open(index, name, &stash) : NULL;
	if (!err && stash)
		err = hf_doc_load(stash, &doc);
	hf_error_destroy(err);
	hf_stash_close(stash);
	hf_index_destroy(index);
	return doc;
}

static struct hf_error *keep_answer(const struct hf_index *index, struct hf_analysis *analysis,
				    const char *name, const struct hf_doc *doc)
{
	struct hf_stash_writer *writer = NULL;
	struct hf_error *err =
	    analysis->stash
		? hf_index_create_beside(index, analysis->stash, name, &writer)
		: hf_index_create(index, analysis->process, analysis->symbols, name, &writer);

	if (err)
		return err;
	err = hf_doc_save(doc, writer);
	if (!err)
		return hf_stash_commit(writer);
	hf_stash_abort(writer);
	return err;
}

/*
 * What is to be kept, and the answer that is there already; its name is NULL for none. Answers are
 * made by a process a processor, for views are not made for threads: each reads the arrays that
 * are there, and takes the next answer that nobody has begun (`next`, in memory that all share).
 */
struct keeping {
	const struct hf_index *index;
	const struct hf_options *options;
	struct hf_analysis *analysis;
	const struct hf_doc *answer;
	char *answer_name;
	_Atomic unsigned *next;
	pid_t helpers[MAX_HELPERS];
	unsigned helper_count;
};

static struct hf_error *make_answer(const struct keeping *keeping, const struct hf_command *command,
				    const struct hf_view_options *view)
{
	HF_AUTO(free_ptr) char *name = answer_name(command, view);
	struct hf_doc *doc = NULL;

	if (!name)
		return hf_error_nomem();
	if (keeping->answer_name && !strcmp(name, keeping->answer_name))
		return NULL;
	struct hf_error *err = hf_run_make_doc(command, view, keeping->analysis, &doc);
	if (!err)
		err = keep_answer(keeping->index, keeping->analysis, name, doc);
	hf_doc_destroy(doc);
	return err;
}

/* Answers that are asked for most, of the commands without an argument, until all are begun. */
static struct hf_error *make_answers(const struct keeping *keeping)
{
	/* Not options->view's, which only the commands that print a document fill in. */
	struct hf_view_options plain = {.core = keeping->options->core,
					.binary = keeping->options->binary};
	unsigned mine = atomic_fetch_add(keeping->next, 1), at = 0;
	struct hf_error *err = NULL;

	for (const struct hf_command *command = hf_commands; command->name && !err; command++) {
		if (!can_be_kept(command, &plain) || command->argument == HF_ARGUMENT_REQUIRED ||
		    at++ != mine)
			continue;
		err = make_answer(keeping, command, &plain);
		mine = atomic_fetch_add(keeping->next, 1);
	}
	return err;
}

/* Called while this process still writes: the others begin. */
static void start_helpers(void *ctx)
{
	struct keeping *keeping = ctx;
	unsigned threads = keeping->options->threads;
	unsigned wanted = (threads ? threads : hf_parallel_threads()) - 1;

	/* Memory that is kept for arrays would be copied, page by page, by who has it first. */
	hf_bigmem_trim(0);
	while (keeping->helper_count < wanted && keeping->helper_count < MAX_HELPERS) {
		pid_t pid = fork();
		if (pid == 0) {
			hf_error_destroy(make_answers(keeping));
			_exit(0);
		}
		if (pid < 0)
			return;
		keeping->helpers[keeping->helper_count++] = pid;
	}
}

static void wait_for_helpers(const struct keeping *keeping)
{
	for (unsigned i = 0; i < keeping->helper_count; i++) {
		while (waitpid(keeping->helpers[i], NULL, 0) < 0 && errno == EINTR)
			;
	}
}

/* ---- the analysis ---------------------------------------------------------------------------- */

static bool is_worth_it(const struct hf_options *options, const struct hf_analysis *analysis)
{
	if (!analysis->typing || analysis->stash)
		return false;
	double seconds = options->keep_after > 0 ? options->keep_after : WORTH_KEEPING;
	return options->index_mode == HF_INDEX_ON || hf_analysis_seconds(analysis) >= seconds;
}

/* The analysis, all answers, and the one that was asked for with whatever options. */
static struct hf_error *keep_all(struct keeping *keeping)
{
	struct hf_error *err =
	    hf_analysis_save(keeping->analysis, keeping->index, start_helpers, keeping);

	if (!err && keeping->answer_name)
		err = keep_answer(keeping->index, keeping->analysis, keeping->answer_name,
				  keeping->answer);
	if (!err)
		err = make_answers(keeping);
	wait_for_helpers(keeping);
	return err;
}

static void keep(const struct hf_options *options, struct keeping *keeping)
{
	struct hf_progress_line line;

	hf_progress_line_init(&line, options->quiet);
	hf_progress_report(&line.progress, "keeping it for the next command", 0, 0);
	void *shared = mmap(NULL, sizeof(*keeping->next), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	keeping->next = shared;
	struct hf_error *err = shared == MAP_FAILED ? hf_error_nomem() : keep_all(keeping);
	if (shared != MAP_FAILED)
		munmap(shared, sizeof(*keeping->next));
	hf_progress_line_clear(&line);
	if (err && options->index_mode == HF_INDEX_ON)
		fprintf(stderr, "heapforensics: no index was kept: %s\n", hf_error_message(err));
	hf_error_destroy(err);
}

void hf_run_close_answered(const struct hf_options *options, struct hf_analysis *analysis,
			   const struct hf_command *command, const struct hf_doc *doc,
			   double seconds)
{
	bool whole = analysis && is_worth_it(options, analysis);
	bool slow = analysis && analysis->stash && doc && seconds >= SLOW_ANSWER;
	struct hf_index *index = whole || slow ? hf_run_index(options) : NULL;
	struct keeping keeping = {
	    .index = index, .options = options, .analysis = analysis, .answer = doc};

	if (index && doc && can_be_kept(command, &options->view))
		keeping.answer_name = answer_name(command, &options->view);
	if (index && whole)
		keep(options, &keeping);
	else if (index && keeping.answer_name)
		hf_error_destroy(keep_answer(index, analysis, keeping.answer_name, doc));
	free(keeping.answer_name);
	hf_index_destroy(index);
	hf_analysis_close(analysis);
}

void hf_run_close(const struct hf_options *options, struct hf_analysis *analysis)
{
	hf_run_close_answered(options, analysis, NULL, NULL, 0);
}
