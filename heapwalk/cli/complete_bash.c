/*
 * complete_bash.c - completion for bash: three generated functions (commands, their options, what
 * the options take) and one that is the same for every program. It needs no bash-completion.
 *
 * bash splits words at "=", so "--color=al" comes as three words, of which the last is completed.
 */
#include "heapwalk/cli/complete.h"

static const char body[] =
    "# The words that stand after `$1`, a list with commas, in COMPREPLY.\n"
    "_heapforensics_words() { # LIST CURRENT WITH-COMMAS\n"
    "\tlocal before=\n"
    "\t[[ -z $3 || $2 != *,* ]] || before=${2%,*},\n"
    "\tCOMPREPLY=($(compgen -P \"$before\" -W \"$1\" -- \"${2#\"$before\"}\"))\n"
    "\t[[ -z $3 ]] || compopt -o nospace\n"
    "}\n"
    "\n"
    "_heapforensics_files() { # CURRENT [-d]\n"
    "\tlocal IFS=$'\\n'\n"
    "\tcompopt -o filenames\n"
    "\tCOMPREPLY=($(compgen ${2:--f} -- \"$1\"))\n"
    "}\n"
    "\n"
    "_heapforensics_argument() { # COMMAND OPTION CURRENT: false if OPTION takes none\n"
    "\tlocal takes\n"
    "\ttakes=$(_heapforensics_takes \"$1\" \"$2\")\n"
    "\tcase $takes in\n"
    "\t'') return 1 ;;\n"
    "\t@file) _heapforensics_files \"$3\" ;;\n"
    "\t@folder) _heapforensics_files \"$3\" -d ;;\n"
    "\t@process) COMPREPLY=($(cd /proc && compgen -W \"$(echo [0-9]*)\" -- \"$3\")) ;;\n"
    "\t@nothing) ;;\n"
    "\t@words*) _heapforensics_words \"${takes#@words}\" \"$3\" commas ;;\n"
    "\t*) _heapforensics_words \"$takes\" \"$3\" '' ;;\n"
    "\tesac\n"
    "\treturn 0\n"
    "}\n"
    "\n"
    "_heapforensics() {\n"
    "\tlocal current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} command= i\n"
    "\tCOMPREPLY=()\n"
    "\tif [[ $current == '=' ]]; then\n"
    "\t\tcurrent=\n"
    "\telif [[ $before == '=' ]]; then\n"
    "\t\tbefore=${COMP_WORDS[COMP_CWORD-2]}\n"
    "\tfi\n"
    "\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
    "\t\tcase ${COMP_WORDS[i]} in\n"
    "\t\t=) ((i++)) ;;\n"
    "\t\t-*) [[ ${COMP_WORDS[i+1]} == '=' ]] ||\n"
    "\t\t\t[[ -z $(_heapforensics_takes report \"${COMP_WORDS[i]}\") ]] || ((i++)) ;;\n"
    "\t\t*) command=${COMP_WORDS[i]}; break ;;\n"
    "\t\tesac\n"
    "\tdone\n"
    "\tlocal known=${command:-report}\n"
    "\t[[ \" $_heapforensics_commands \" == *\" $known \"* ]] || known=report\n"
    "\tif [[ $before == -* ]] && _heapforensics_argument \"$known\" \"$before\" \"$current\"; "
    "then\n"
    "\t\treturn\n"
    "\tfi\n"
    "\tif [[ $current == -* ]]; then\n"
    "\t\tCOMPREPLY=($(compgen -W \"$(_heapforensics_options \"$known\")\" -- \"$current\"))\n"
    "\t\t[[ ${COMPREPLY[0]} != *= ]] || compopt -o nospace\n"
    "\t\treturn\n"
    "\tfi\n"
    "\t_heapforensics_files \"$current\"\n"
    "\tif [[ -z $command ]]; then\n"
    "\t\tCOMPREPLY+=($(compgen -W \"$_heapforensics_commands\" -- \"$current\"))\n"
    "\tfi\n"
    "}\n"
    "\n"
    "complete -F _heapforensics heapforensics\n";

static void write_commands(FILE *to)
{
	fputs("_heapforensics_commands='", to);
	for (const struct hf_command *command = hf_commands; command->name; command++)
		fprintf(to, "%s%s", command == hf_commands ? "" : " ", command->name);
	fputs("'\n\n_heapforensics_options() { # COMMAND\n\tcase $1 in\n", to);
	for (const struct hf_command *command = hf_commands; command->name; command++) {
		fprintf(to, "\t%s) echo '", command->name);
		const char *gap = "";
		for (const struct hf_option *option = hf_option_table; option->name; option++) {
			if (!(option->group & command->option_groups))
				continue;
			bool equals = option->argument && !hf_completion_optional(option);
			fprintf(to, "%s--%s%s", gap, option->name, equals ? "=" : "");
			gap = " ";
		}
		fputs("' ;;\n", to);
	}
	fputs("\tesac\n}\n\n", to);
}

static void write_words(const struct hf_command *command, const struct hf_option *option, FILE *to)
{
	const char *word;

	for (unsigned i = 0; (word = hf_completion_word(command, option, i)); i++)
		fprintf(to, "%s%s", i ? " " : "", word);
}

static void write_case(const struct hf_command *command, const struct hf_option *option, FILE *to)
{
	static const char *const kinds[] = {
	    [HF_COMPLETES_NOTHING] = "@nothing",
	    [HF_COMPLETES_FILE] = "@file",
	    [HF_COMPLETES_FOLDER] = "@folder",
	    [HF_COMPLETES_PROCESS] = "@process",
	    [HF_COMPLETES_WORD] = "",
	    [HF_COMPLETES_WORDS] = "@words ",
	};
	bool one = hf_completion_differs(command, option);

	fprintf(to, "\t%s:--%s", one ? command->name : "*", option->name);
	if (option->letter)
		fprintf(to, " | %s:-%c", one ? command->name : "*", option->letter);
	fprintf(to, ") echo '%s", kinds[hf_completion_kind(option)]);
	write_words(command, option, to);
	fputs("' ;;\n", to);
}

void hf_completion_bash(FILE *to)
{
	fputs("# bash completion for heapforensics; made by `heapforensics help-completion "
	      "bash`.\n\n",
	      to);
	write_commands(to);
	fputs("_heapforensics_takes() { # COMMAND OPTION: what its argument is; nothing if it has "
	      "none\n"
	      "\tcase $1:$2 in\n",
	      to);
	for (const struct hf_option *option = hf_option_table; option->name; option++) {
		if (!option->argument || hf_completion_optional(option))
			continue; /* what stands in the next word is not its argument */
		for (const struct hf_command *command = hf_commands; command->name; command++) {
			if (hf_completion_differs(command, option))
				write_case(command, option, to);
		}
		write_case(&hf_commands[0], option, to);
	}
	fputs("\tesac\n}\n\n", to);
	fputs(body, to);
}
