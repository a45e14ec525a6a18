/*
 * complete.c - what the arguments of options can be (see complete.h).
 *
 * The option table names each argument (FILE, WHEN, ...); here stands what such a name means, and
 * what it means for one option in particular.
 */
#include "heapwalk/cli/complete.h"

#include <string.h>

#include "heapwalk/cli/run.h"

static const char *color_word(unsigned index)
{
	static const char *const words[] = {"auto", "always", "never"};
	return index < sizeof(words) / sizeof(words[0]) ? words[index] : NULL;
}

static const char *root_word(unsigned index)
{
	return index < HF_HOLDER_KINDS ? hf_holder_kind_name((enum hf_holder_kind)index) : NULL;
}

static const char *figure_word(unsigned index)
{
	const char *help;
	return hf_gate_figure(index, &help);
}

static const char *sum_word(unsigned index)
{
	static const char *const words[] = {"type", "holder", "module"};
	return index < sizeof(words) / sizeof(words[0]) ? words[index] : NULL;
}

static const struct {
	const char *name; /* of an option, or of an argument */
	enum hf_completes kind;
	const char *(*word)(unsigned index);
} arguments[] = {
    {"FILE", HF_COMPLETES_FILE, NULL},
    {"DIR", HF_COMPLETES_FOLDER, NULL},
    {"PATH", HF_COMPLETES_FOLDER, NULL},
    {"PID", HF_COMPLETES_PROCESS, NULL},
    {"FORMAT", HF_COMPLETES_WORD, hf_format_name},
    {"WHEN", HF_COMPLETES_WORD, color_word},
    {"roots", HF_COMPLETES_WORDS, root_word},
    {"by", HF_COMPLETES_WORD, sum_word},
    {"OLDER", HF_COMPLETES_FILE, NULL},
    {"CONDITION", HF_COMPLETES_WORD, figure_word},
};

bool hf_completion_optional(const struct hf_option *option)
{
	return option->argument && *option->argument == '[';
}

static int argument_of(const struct hf_option *option)
{
	for (size_t i = 0; i < sizeof(arguments) / sizeof(arguments[0]); i++) {
		if (option->argument && (!strcmp(option->argument, arguments[i].name) ||
					 !strcmp(option->name, arguments[i].name)))
			return (int)i;
	}
	return -1;
}

enum hf_completes hf_completion_kind(const struct hf_option *option)
{
	int argument = argument_of(option);
	return argument < 0 ? HF_COMPLETES_NOTHING : arguments[argument].kind;
}

bool hf_completion_differs(const struct hf_command *command, const struct hf_option *option)
{
	return command->run == hf_run_export && !strcmp(option->name, "format");
}

const char *hf_completion_word(const struct hf_command *command, const struct hf_option *option,
			       unsigned index)
{
	int argument = argument_of(option);

	if (hf_completion_differs(command, option))
		return hf_export_format_name(index);
	return argument < 0 || !arguments[argument].word ? NULL : arguments[argument].word(index);
}

bool hf_completion(const char *shell, FILE *to)
{
	if (!strcmp(shell, "bash"))
		hf_completion_bash(to);
	else if (!strcmp(shell, "zsh"))
		hf_completion_zsh(to);
	else if (!strcmp(shell, "fish"))
		hf_completion_fish(to);
	else
		return false;
	return true;
}
