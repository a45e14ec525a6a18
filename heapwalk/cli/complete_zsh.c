/*
 * complete_zsh.c - completion for zsh, by its _arguments: for each command a list of the options
 * that make sense for it, with their help.
 */
#include <string.h>

#include "heapwalk/cli/complete.h"

/* Text in a specification of _arguments, between single quotes. */
static void write_quoted(const char *text, FILE *to)
{
	for (; *text; text++) {
		if (*text == '\'')
			fputs("'\\''", to);
		else if (strchr("[]:\\", *text))
			fprintf(to, "\\%c", *text);
		else
			fputc(*text, to);
	}
}

static void write_action(const struct hf_command *command, const struct hf_option *option, FILE *to)
{
	enum hf_completes kind = hf_completion_kind(option);
	const char *word;

	fprintf(to, ":%s:", option->argument);
	if (kind == HF_COMPLETES_FILE)
		fputs("_files", to);
	else if (kind == HF_COMPLETES_FOLDER)
		fputs("_files -/", to);
	else if (kind == HF_COMPLETES_PROCESS)
		fputs("_pids", to);
	if (kind < HF_COMPLETES_WORD)
		return;
	fputs(kind == HF_COMPLETES_WORDS ? "_values -s , kind" : "(", to);
	for (unsigned i = 0; (word = hf_completion_word(command, option, i)); i++)
		fprintf(to, "%s%s", i || kind == HF_COMPLETES_WORDS ? " " : "", word);
	if (kind == HF_COMPLETES_WORD)
		fputc(')', to);
}

/* '(-o --output)'{-o+,--output=}'[write to FILE]:FILE:_files' */
static void write_option(const struct hf_command *command, const struct hf_option *option, FILE *to)
{
	bool again = option->argument && !strcmp(option->argument, "CONDITION");
	bool optional = hf_completion_optional(option);
	const char *plus = option->argument ? "+" : "";
	const char *equals = optional ? "=-" : option->argument ? "=" : "";

	fputs("\t\t", to);
	if (option->letter)
		fprintf(to, "'(-%c --%s)'{-%c%s,--%s%s}'", option->letter, option->name,
			option->letter, plus, option->name, equals);
	else
		fprintf(to, "'%s--%s%s", again ? "*" : "", option->name, equals);
	fputc('[', to);
	write_quoted(option->help, to);
	fputc(']', to);
	if (optional)
		fputs("::folder:_files -/", to);
	else if (option->argument)
		write_action(command, option, to);
	fputs("'\n", to);
}

void hf_completion_zsh(FILE *to)
{
	fputs("#compdef heapforensics\n"
	      "# Made by `heapforensics help-completion zsh`.\n\n"
	      "_heapforensics() {\n"
	      "\tlocal -a commands options\n"
	      "\tlocal command=report named= i\n"
	      "\tcommands=(\n",
	      to);
	for (const struct hf_command *command = hf_commands; command->name; command++) {
		fprintf(to, "\t\t'%s:", command->name);
		write_quoted(command->summary, to);
		fputs("'\n", to);
	}
	fputs("\t)\n"
	      "\t# The command is taken out of the words; what is left are options and files.\n"
	      "\tfor ((i = 2; i < CURRENT; i++)); do\n"
	      "\t\tif (( ${commands[(I)${words[i]}:*]} )); then\n"
	      "\t\t\tcommand=${words[i]} named=1\n"
	      "\t\t\twords[i]=()\n"
	      "\t\t\t((CURRENT--))\n"
	      "\t\t\tbreak\n"
	      "\t\tfi\n"
	      "\tdone\n"
	      "\tcase $command in\n",
	      to);
	for (const struct hf_command *command = hf_commands; command->name; command++) {
		fprintf(to, "\t%s) options=(\n", command->name);
		for (const struct hf_option *option = hf_option_table; option->name; option++) {
			if (option->group & command->option_groups)
				write_option(command, option, to);
		}
		fputs("\t\t) ;;\n", to);
	}
	fputs("\tesac\n"
	      "\tif [[ -z $named ]]; then\n"
	      "\t\t_arguments -s -S $options '1: :_heapforensics_first' '*:file:_files'\n"
	      "\telse\n"
	      "\t\t_arguments -s -S $options '*:file:_files'\n"
	      "\tfi\n"
	      "}\n\n"
	      "_heapforensics_first() {\n"
	      "\t_describe -t commands command commands\n"
	      "\t_files\n"
	      "}\n\n"
	      "_heapforensics \"$@\"\n",
	      to);
}
