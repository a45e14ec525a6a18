/*
 * run_diff.c - diff OLD NEW: two analyses, one document, gates over what grew.
 *
 * Figures of the gates: growth("TYPE or HOLDER"), growth_bytes and growth_objects compare the
 * two (a limit in percent is of what was there before); all other figures are of the new one.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "heapwalk/cli/ci.h"
#include "heapwalk/cli/commands.h"
#include "heapwalk/cli/junit.h"
#include "heapwalk/cli/run.h"
#include "heapwalk/views/diff.h"

struct pair {
	struct hf_options new_options;
	struct hf_analysis *before, *after;
	struct hf_diff *diff;
};

static bool is_number(const char *word)
{
	return *word && strspn(word, "0123456789") == strlen(word);
}

/* OLD is the core (or process) of the options; NEW [ITS-BINARY] are the words left. */
static struct hf_error *split_words(const struct hf_command *command,
				    const struct hf_options *options, struct hf_options *ret_new)
{
	if ((!options->core && !options->pid) || options->word_count == 0)
		return hf_error_create(HF_ERR_USAGE, "which two? heapforensics %s %s (see --help)",
				       command->name, command->arguments);
	if (options->word_count > 2)
		return hf_error_create(HF_ERR_USAGE, "%s: %s takes two cores and a program of each",
				       options->words[2], command->name);
	*ret_new = *options;
	ret_new->core = options->words[0];
	ret_new->pid = 0;
	if (access(ret_new->core, F_OK) && is_number(ret_new->core)) {
		ret_new->pid = (uint32_t)strtoul(ret_new->core, NULL, 10);
		ret_new->core = NULL;
	}
	if (options->word_count == 2)
		ret_new->binary = options->words[1];
	return NULL;
}

static struct hf_error *open_pair(const struct hf_command *command,
				  const struct hf_options *options, struct pair *pair)
{
	struct hf_error *err = split_words(command, options, &pair->new_options);

	if (!err)
		err = hf_run_open(options, command->depth, &pair->before);
	if (!err)
		err = hf_run_open(&pair->new_options, command->depth, &pair->after);
	if (!err)
		err = hf_diff_create(pair->before, pair->after, &options->view, &pair->diff);
	return err;
}

static bool partial_pair(const struct pair *pair)
{
	return hf_diags_partial(pair->before->diags) || hf_diags_partial(pair->after->diags);
}

/* The page has the whole trees beside the answer. */
static struct hf_error *print_with_details(const struct hf_doc *doc, const char *new_core,
					   const struct hf_options *options,
					   const struct pair *pair)
{
	struct hf_doc *details = NULL;
	struct hf_error *err = NULL;

	if (options->format == HF_FORMAT_HTML)
		err = hf_doc_create(hf_doc_command(doc), &details);
	if (!err && details)
		err = hf_view_diff_details(pair->diff, &options->view, new_core, details);
	if (!err && details)
		err = hf_doc_error(details);
	if (!err)
		err = hf_run_print(doc, details, options);
	hf_doc_destroy(details);
	return err;
}

static struct hf_error *write_junit(void *ctx, FILE *to)
{
	return hf_junit_write(ctx, to);
}

/* The differences; with --junit the gates' @results, and the differences as their output. */
static struct hf_error *print_pair(const struct hf_command *command, struct hf_options *options,
				   const struct pair *pair, const struct hf_gate_results *results)
{
	const char *new_core = pair->new_options.core ? pair->new_options.core : options->words[0];
	struct hf_doc *doc = NULL;
	struct hf_error *err = hf_doc_create(command->name, &doc);

	if (err)
		return err;
	hf_doc_set_partial(doc, partial_pair(pair));
	err = hf_view_diff(pair->diff, &options->view, new_core, doc);
	if (!err)
		err = hf_doc_error(doc);
	if (!err && hf_ci_format(options) == HF_CI_JUNIT) {
		struct hf_junit junit = {.command = command->name,
					 .process = pair->after->process,
					 .gates = results,
					 .doc = doc,
					 .partial = partial_pair(pair),
					 .strict = options->strict};
		err = hf_ci_write(options, write_junit, &junit);
	} else if (!err) {
		err = print_with_details(doc, new_core, options, pair);
	}
	hf_doc_destroy(doc);
	return err;
}

/* ---- gates ----------------------------------------------------------------------------------- */

static struct hf_error *growth_of(const struct hf_gate *gate, const struct hf_diff *diff,
				  struct hf_diff_growth *ret)
{
	struct hf_diff_growth bytes, objects;

	if (gate->argument[0])
		return hf_error_prefix(hf_diff_growth_of(diff, gate->argument, ret),
				       "--fail-if '%s'", gate->text);
	hf_diff_totals(diff, &bytes, &objects);
	*ret = !strcmp(gate->figure, "growth_objects") ? objects : bytes;
	return NULL;
}

static struct hf_error *test_gate(const struct hf_gate *gate, void *ctx, bool *ret_trips,
				  double *ret_value)
{
	const struct pair *pair = ctx;
	struct hf_diff_growth growth;

	if (!hf_gate_is_growth(gate))
		return hf_gate_test(gate, pair->after, ret_trips, ret_value);
	struct hf_error *err = growth_of(gate, pair->diff, &growth);
	if (err)
		return err;
	*ret_value = (double)growth.after - (double)growth.before;
	*ret_trips = hf_gate_holds(gate, *ret_value, (double)growth.before);
	return NULL;
}

static struct hf_error *check_format(const struct hf_options *options)
{
	if (!options->format_name || hf_ci_format(options) == HF_CI_JUNIT)
		return NULL;
	return hf_error_create(HF_ERR_USAGE, "diff has no --format=%s", options->format_name);
}

int hf_run_diff(const struct hf_command *command, struct hf_options *options)
{
	struct pair pair = {.diff = NULL};
	struct hf_gate_results results = {0};
	struct hf_error *err = check_format(options);
	int status = HF_EXIT_FAILED;

	if (!err)
		err = open_pair(command, options, &pair);
	options->view.core = options->core;
	options->view.binary = pair.new_options.binary;
	if (!err) {
		struct hf_error *gates = hf_run_test_gates(options, test_gate, &pair, &results);
		if (hf_ci_format(options) == HF_CI_JUNIT) { /* the gates are what it tells */
			err = gates;
			gates = NULL;
		}
		if (!err)
			err = print_pair(command, options, &pair, &results);
		if (!err && options->tap)
			options->tap->answered(options->tap->ctx, pair.after);
		if (!err)
			err = gates;
		else
			hf_error_destroy(gates);
	}
	status = err ? hf_fail(err) : hf_run_gate_status(options, &results, partial_pair(&pair));
	hf_vec_free(&results);
	hf_diff_destroy(pair.diff);
	hf_run_close(&pair.new_options, pair.after);
	hf_run_close(options, pair.before);
	return status;
}
