/*
 * main.c - heapforensics [COMMAND] [OPTION...] CORE|PID [BINARY]
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "core/base/bigmem.h"
#include "heapwalk/cli/commands.h"
#include "heapwalk/cli/complete.h"
#include "heapwalk/cli/help.h"
#include "heapwalk/cli/run.h"

/* The hidden word that `make` uses: help-man [COMMAND]. */
static int print_man(int argc, char **argv)
{
	const struct hf_command *command = argc > 2 ? hf_command_find(argv[2]) : NULL;
	if (argc > 2 && !command)
		return HF_EXIT_FAILED;
	hf_help_man(command, stdout);
	return HF_EXIT_DONE;
}

/* The hidden word that `make` uses: help-completion bash|zsh|fish. */
static int print_completion(int argc, char **argv)
{
	return argc == 3 && hf_completion(argv[2], stdout) ? HF_EXIT_DONE : HF_EXIT_FAILED;
}

/* "help [COMMAND]", as git's users type it; false if it is something else (a file, say). */
static bool print_help(int argc, char **argv)
{
	const struct hf_command *command = argc == 3 ? hf_command_find(argv[2]) : NULL;

	if (argc < 2 || strcmp(argv[1], "help") != 0 || argc > 3 || (argc == 3 && !command))
		return false;
	if (command)
		hf_help_command(command, stdout);
	else
		hf_help_all(stdout);
	return true;
}

int main(int argc, char **argv)
{
	struct hf_options options;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* ulimit -f is an error as any other */
	if (argc > 1 && !strcmp(argv[1], "help-man"))
		return print_man(argc, argv);
	if (argc > 1 && !strcmp(argv[1], "help-completion"))
		return print_completion(argc, argv);
	if (argc > 1 && !strcmp(argv[1], "gdb-helper"))
		return hf_gdb_helper(argc, argv);
	if (print_help(argc, argv))
		return HF_EXIT_DONE;
	if (argc < 2) {
		hf_help_all(stderr);
		return HF_EXIT_FAILED;
	}
	struct hf_error *err = hf_options_parse(argc, argv, &options);
	if (err)
		return hf_fail(err);
	err = options.work_folder ? hf_bigmem_use_folder(options.work_folder) : NULL;
	if (err) {
		hf_options_deinit(&options);
		return hf_fail(err);
	}
	const struct hf_command *named = options.command;
	const struct hf_command *command = named ? named : &hf_commands[0];
	int status = HF_EXIT_DONE;
	if (options.help && named)
		hf_help_command(named, stdout);
	else if (options.help)
		hf_help_all(stdout);
	else if (options.version)
		puts("heapforensics " HF_VERSION);
	else
		status = command->run(command, &options);
	hf_options_deinit(&options);
	return status;
}
