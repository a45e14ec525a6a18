/*
 * complete_fish.c - completion for fish: a line an option, on condition that the command is one of
 * those for which it makes sense.
 */
#include <string.h>

#include "heapwalk/cli/complete.h"

static void write_quoted(const char *text, FILE *to)
{
	fputc('\'', to);
	for (; *text; text++) {
		if (*text == '\'' || *text == '\\')
			fputc('\\', to);
		fputc(*text, to);
	}
	fputc('\'', to);
}

/* Those that have @option, and its words like @like; all of them: no condition. */
static void write_condition(const struct hf_option *option, const struct hf_command *like, FILE *to)
{
	unsigned with = 0, all = 0;

	for (const struct hf_command *command = hf_commands; command->name; command++, all++)
		with += (option->group & command->option_groups) != 0 &&
			(command == like || !hf_completion_differs(command, option)) &&
			(command == like || !hf_completion_differs(like, option));
	if (with == all)
		return;
	fputs(" -n '__heapforensics_is", to);
	for (const struct hf_command *command = hf_commands; command->name; command++) {
		bool same = command == like || (!hf_completion_differs(command, option) &&
						!hf_completion_differs(like, option));
		if (same && (option->group & command->option_groups))
			fprintf(to, " %s", command->name);
	}
	fputc('\'', to);
}

static void write_words(const struct hf_command *command, const struct hf_option *option, FILE *to)
{
	bool several = hf_completion_kind(option) == HF_COMPLETES_WORDS;
	const char *word;

	fputs(several ? " -x -a '(__fish_append , " : " -x -a '", to);
	for (unsigned i = 0; (word = hf_completion_word(command, option, i)); i++)
		fprintf(to, "%s%s", i ? " " : "", word);
	fputs(several ? ")'" : "'", to);
}

static void write_option(const struct hf_command *like, const struct hf_option *option, FILE *to)
{
	fputs("complete -c heapforensics", to);
	write_condition(option, like, to);
	if (option->letter)
		fprintf(to, " -s %c", option->letter);
	fprintf(to, " -l %s", option->name);
	switch (hf_completion_kind(option)) {
	case HF_COMPLETES_FILE:
		fputs(" -r -F", to);
		break;
	case HF_COMPLETES_FOLDER:
		fputs(" -x -a '(__fish_complete_directories)'", to);
		break;
	case HF_COMPLETES_PROCESS:
		fputs(" -x -a '(__fish_complete_pids)'", to);
		break;
	case HF_COMPLETES_WORD:
	case HF_COMPLETES_WORDS:
		write_words(like, option, to);
		break;
	default:
		fputs(option->argument && !hf_completion_optional(option) ? " -x" : "", to);
		break;
	}
	fputs(" -d ", to);
	write_quoted(option->help, to);
	fputc('\n', to);
}

static void write_functions(FILE *to)
{
	fputs(
	    "# fish completion for heapforensics; made by `heapforensics help-completion fish`.\n\n"
	    "set -g __heapforensics_commands",
	    to);
	for (const struct hf_command *command = hf_commands; command->name; command++)
		fprintf(to, " %s", command->name);
	fputs("\n\n"
	      "# The command on the line; report if there is none.\n"
	      "function __heapforensics_is\n"
	      "    for word in (commandline -opc)[2..-1]\n"
	      "        if contains -- $word $__heapforensics_commands\n"
	      "            contains -- $word $argv\n"
	      "            return\n"
	      "        end\n"
	      "    end\n"
	      "    contains -- report $argv\n"
	      "end\n\n"
	      "function __heapforensics_first\n"
	      "    not string match -qv -- '-*' (commandline -opc)[2..-1]\n"
	      "end\n\n",
	      to);
}

void hf_completion_fish(FILE *to)
{
	write_functions(to);
	for (const struct hf_command *command = hf_commands; command->name; command++) {
		fprintf(to, "complete -c heapforensics -n __heapforensics_first -a %s -d ",
			command->name);
		write_quoted(command->summary, to);
		fputc('\n', to);
	}
	for (const struct hf_option *option = hf_option_table; option->name; option++) {
		for (const struct hf_command *command = hf_commands; command->name; command++) {
			if (hf_completion_differs(command, option))
				write_option(command, option, to);
		}
		write_option(&hf_commands[0], option, to);
	}
}
