/*
 * run_explore.c - explore: the browser of heapwalk/explore/ on the user's terminal.
 */
#include <unistd.h>

#include "heapwalk/cli/commands.h"
#include "heapwalk/cli/run.h"
#include "heapwalk/cli/terminal.h"
#include "heapwalk/explore/screen.h"

static struct hf_error *explore(const struct hf_options *options, struct hf_analysis *analysis)
{
	struct hf_explore_options explore = {.view = options->view};

	if (!analysis->graph || !analysis->typing)
		return hf_error_create(HF_ERR_NOT_FOUND,
				       "no heap of a known malloc was found in it; the command "
				       "report tells what was looked for");
	explore.view.core = options->core;
	explore.view.binary = options->binary;
	explore.view.argument = options->argument;
	explore.color = options->color == HF_COLOR_AUTO ? hf_terminal_colors(STDOUT_FILENO)
							: options->color == HF_COLOR_ALWAYS;
	return hf_explore(analysis, &explore);
}

int hf_run_explore(const struct hf_command *command, struct hf_options *options)
{
	struct hf_analysis *analysis = NULL;
	struct hf_error *err = hf_run_check_words(command, options);

	if (!err && (options->format_given || options->format_name || options->output))
		err = hf_error_create(HF_ERR_USAGE, "explore writes to the terminal only; the "
						    "command dominators prints the same tree");
	if (!err)
		err = hf_explore_check();
	if (!err)
		err = hf_run_open(options, command->depth, &analysis);
	if (!err)
		err = explore(options, analysis);
	hf_run_close(options, analysis);
	return err ? hf_fail(err) : HF_EXIT_DONE;
}
