/*
 * run_ci.c - a command's answer as SARIF, JUnit XML or OpenMetrics (see ci.h).
 *
 *	--sarif		leaks: leaks; check: broken invariants; report: both, and who keeps most
 *	--openmetrics	report, summary: the same figures
 *	--junit		every command with gates: the gates are the test cases
 *
 * The exit status is that of the gates, whatever is printed.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/cleanup.h"
#include "heapwalk/cli/ci.h"
#include "heapwalk/cli/commands.h"
#include "heapwalk/cli/junit.h"
#include "heapwalk/cli/run.h"
#include "heapwalk/output/openmetrics.h"
#include "heapwalk/output/sarif.h"

static const struct {
	const char *name;
	enum hf_ci_format format;
	const char *of; /* the commands that have it */
} formats[] = {
    {"sarif", HF_CI_SARIF, "report, leaks and check have it"},
    {"junit", HF_CI_JUNIT, "the commands that print a report have it, and diff"},
    {"openmetrics", HF_CI_OPENMETRICS, "report and summary have it"},
};

enum { FORMATS = sizeof(formats) / sizeof(formats[0]) };

enum hf_ci_format hf_ci_format(const struct hf_options *options)
{
	for (unsigned i = 0; i < FORMATS; i++) {
		if (options->format_name && !strcmp(options->format_name, formats[i].name))
			return formats[i].format;
	}
	return HF_CI_NONE;
}

/* ---- where to -------------------------------------------------------------------------------- */

static struct hf_error *write_and_close(FILE *to, const char *name, hf_ci_write_fn *write,
					void *ctx)
{
	struct hf_error *err = write(ctx, to);
	int failed = fflush(to) || ferror(to) ? errno : 0;

	if (to != stdout && fclose(to) && !failed)
		failed = errno;
	/* A reader that closes the pipe early has what it wanted. */
	if (!err && failed && failed != EPIPE)
		err = hf_error_errno(failed, "%s", name);
	return err;
}

struct hf_error *hf_ci_write(const struct hf_options *options, hf_ci_write_fn *write, void *ctx)
{
	const char *name = options->output;
	struct hf_whole_file file;
	FILE *to = NULL;

	if (!name)
		return write_and_close(stdout, "standard output", write, ctx);
	struct hf_error *err = hf_whole_file_begin(name, &file);
	if (err)
		return err;
	err = hf_whole_file_fopen(&file, &to);
	if (!err)
		err = write_and_close(to, name, write, ctx);
	return hf_whole_file_end(&file, err);
}

/* ---- what ------------------------------------------------------------------------------------ */

struct ci {
	const struct hf_command *command;
	struct hf_options *options;
	struct hf_analysis *analysis;
	struct hf_gate_results gates;
};

static unsigned issue_kinds(const struct hf_command *command)
{
	if (command->view == hf_view_leaks)
		return HF_ISSUES_LEAKS;
	if (command->view == hf_view_check)
		return HF_ISSUES_FINDINGS;
	return HF_ISSUES_FINDINGS | HF_ISSUES_LEAKS | HF_ISSUES_SUSPECTS;
}

static struct hf_error *write_sarif(void *ctx, FILE *to)
{
	struct ci *ci = ctx;
	struct hf_issues issues = {0};
	HF_AUTO(free_ptr) char *here = getcwd(NULL, 0);
	struct hf_sarif_options options = {.command = ci->command->name, .source_root = here};
	struct hf_error *err =
	    hf_issues_create(ci->analysis, &ci->options->view, issue_kinds(ci->command), &issues);

	if (!err) {
		err = hf_output_sarif(ci->analysis, &issues, &options, to);
		hf_issues_deinit(&issues);
	}
	return err;
}

static struct hf_error *write_openmetrics(void *ctx, FILE *to)
{
	struct ci *ci = ctx;
	return hf_output_openmetrics(ci->analysis, ci->options->view.top, to);
}

static struct hf_error *write_junit(void *ctx, FILE *to)
{
	struct ci *ci = ctx;
	bool partial = hf_diags_partial(ci->analysis->diags);
	struct hf_doc *doc = NULL;
	struct hf_error *err = hf_run_make_doc(ci->command, &ci->options->view, ci->analysis, &doc);

	if (!err) {
		struct hf_junit junit = {
		    .command = ci->command->name,
		    .process = ci->analysis->process,
		    .gates = &ci->gates,
		    .doc = doc,
		    .partial = partial,
		    .strict = ci->options->strict,
		};
		err = hf_junit_write(&junit, to);
	}
	hf_doc_destroy(doc);
	return err;
}

static hf_ci_write_fn *writer_of(const struct hf_command *command, enum hf_ci_format format)
{
	hf_view_fn *view = command->view;
	bool report = view == hf_view_report;

	if (format == HF_CI_JUNIT)
		return write_junit;
	if (format == HF_CI_SARIF && (report || view == hf_view_leaks || view == hf_view_check))
		return write_sarif;
	if (format == HF_CI_OPENMETRICS && (report || view == hf_view_summary))
		return write_openmetrics;
	return NULL;
}

static struct hf_error *test_gate(const struct hf_gate *gate, void *ctx, bool *ret_trips,
				  double *ret_value)
{
	return hf_gate_test(gate, ctx, ret_trips, ret_value);
}

int hf_run_ci(const struct hf_command *command, struct hf_options *options)
{
	enum hf_ci_format format = hf_ci_format(options);
	struct ci ci = {.command = command, .options = options};
	hf_ci_write_fn *write = writer_of(command, format);
	struct hf_error *err = hf_run_check_words(command, options);

	if (!err && !write)
		err = hf_error_create(HF_ERR_USAGE, "%s has no --%s: %s", command->name,
				      formats[format - 1].name, formats[format - 1].of);
	if (!err)
		err = hf_run_open(options, HF_DEPTH_TYPES, &ci.analysis);
	if (err)
		return hf_fail(err);
	hf_run_complete_view(options);
	err = hf_run_test_gates(options, test_gate, ci.analysis, &ci.gates);
	if (!err)
		err = hf_ci_write(options, write, &ci);
	int status =
	    err ? hf_fail(err)
		: hf_run_gate_status(options, &ci.gates, hf_diags_partial(ci.analysis->diags));
	hf_vec_free(&ci.gates);
	hf_run_close(options, ci.analysis);
	return status;
}
