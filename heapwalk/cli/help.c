/*
 * help.c - --help and the manual pages, made from the tables of commands.h.
 */
#include "heapwalk/cli/help.h"

#include <stdlib.h>
#include <string.h>

#include "heapwalk/cli/commands.h"

enum { WIDTH = 79, OPTION_COLUMN = 28 };

/* Words of @text, wrapped, each line but the first behind @indent spaces. */
static void wrap(FILE *to, const char *text, unsigned column, unsigned indent)
{
	while (*text) {
		size_t word = strcspn(text, " ");
		if (column > indent && column + 1 + word > WIDTH) {
			fprintf(to, "\n%*s", (int)indent, "");
			column = indent;
		} else if (column > indent) {
			fputc(' ', to);
			column++;
		}
		fwrite(text, 1, word, to);
		column += (unsigned)word;
		text += word;
		text += strspn(text, " ");
	}
	fputc('\n', to);
}

static void print_option(FILE *to, const struct hf_option *option)
{
	char name[64];
	int length = snprintf(name, sizeof(name), "  %c%c%s --%s%s%s", option->letter ? '-' : ' ',
			      option->letter ? option->letter : ' ', option->letter ? "," : " ",
			      option->name, option->argument && *option->argument != '[' ? "=" : "",
			      option->argument ? option->argument : "");
	fputs(name, to);
	if (length >= OPTION_COLUMN)
		fprintf(to, "\n%*s", OPTION_COLUMN, "");
	else
		fprintf(to, "%*s", OPTION_COLUMN - length, "");
	wrap(to, option->help, OPTION_COLUMN, OPTION_COLUMN);
}

static void print_options(FILE *to, uint32_t groups)
{
	for (const struct hf_option *option = hf_option_table; option->name; option++) {
		if (option->group & groups)
			print_option(to, option);
	}
}

static void print_figures(FILE *to)
{
	const char *name, *help;
	fputs("\nFigures for --fail-if:\n", to);
	for (unsigned i = 0; (name = hf_gate_figure(i, &help)); i++)
		fprintf(to, "  %-18s %s\n", name, help);
}

void hf_help_all(FILE *to)
{
	fputs("Usage: heapforensics [COMMAND] [OPTION...] CORE|PID [BINARY]\n"
	      "Post-mortem heap analysis of native programs (glibc malloc) from an ELF core.\n\n"
	      "Commands (\"heapforensics COMMAND --help\" tells more):\n",
	      to);
	for (const struct hf_command *command = hf_commands; command->name; command++)
		fprintf(to, "  %-12s %s\n", command->name, command->summary);
	fputs("\nOptions:\n", to);
	print_options(to, UINT32_MAX);
	print_figures(to);
	fputs("\nExit status: 0 done; 1 a --fail-if condition holds; 2 nothing could be done; 3 "
	      "with\n"
	      "--strict, if evidence was missing. Without COMMAND: report.\n",
	      to);
}

static void print_indented(FILE *to, const char *lines)
{
	while (*lines) {
		size_t length = strcspn(lines, "\n");
		fprintf(to, "  %.*s\n", (int)length, lines);
		lines += length + (lines[length] == '\n');
	}
}

void hf_help_command(const struct hf_command *command, FILE *to)
{
	fprintf(to, "Usage: heapforensics %s [OPTION...] %s\n\n", command->name,
		command->arguments);
	wrap(to, command->help, 0, 0);
	fputs("\nExamples:\n", to);
	print_indented(to, command->example);
	fputs("\nOptions:\n", to);
	print_options(to, command->option_groups);
	if (command->option_groups & HF_GROUP_GATE)
		print_figures(to);
}

/* ---- manual pages ---------------------------------------------------------------------------- */

/* Text for man(7): backslashes, hyphens and leading dots must not be obeyed. */
static void roff(FILE *to, const char *text)
{
	bool start = true;
	for (; *text; text++) {
		if (start && (*text == '.' || *text == '\''))
			fputs("\\&", to);
		if (*text == '\\')
			fputs("\\e", to);
		else if (*text == '-')
			fputs("\\-", to);
		else
			fputc(*text, to);
		start = *text == '\n';
	}
	fputc('\n', to);
}

static void roff_options(FILE *to, uint32_t groups)
{
	fputs(".SH OPTIONS\n", to);
	for (const struct hf_option *option = hf_option_table; option->name; option++) {
		if (!(option->group & groups))
			continue;
		fputs(".TP\n", to);
		if (option->letter)
			fprintf(to, "\\fB\\-%c\\fR, ", option->letter);
		fputs("\\fB\\-\\-", to);
		for (const char *at = option->name; *at; at++)
			fprintf(to, *at == '-' ? "\\-" : "%c", *at);
		fprintf(to, "\\fR%s\\fI%s\\fR\n",
			option->argument && *option->argument != '[' ? "=" : "",
			option->argument ? option->argument : "");
		roff(to, option->help);
	}
}

static void man_command(const struct hf_command *command, FILE *to)
{
	fprintf(to,
		".TH HEAPFORENSICS\\-%s 1 \"\" \"heapforensics " HF_VERSION "\"\n.SH NAME\n"
		"heapforensics\\-%s \\- ",
		command->name, command->name);
	roff(to, command->summary);
	fprintf(to, ".SH SYNOPSIS\n.B heapforensics %s\n[\\fIOPTION\\fR...] ", command->name);
	roff(to, command->arguments);
	fputs(".SH DESCRIPTION\n", to);
	roff(to, command->help);
	roff_options(to, command->option_groups);
	fputs(".SH EXAMPLES\n.nf\n", to);
	roff(to, command->example);
	fputs(".fi\n.SH SEE ALSO\n.BR heapforensics (1)\n", to);
}

static void man_all(FILE *to)
{
	const char *name, *help;

	fputs(".TH HEAPFORENSICS 1 \"\" \"heapforensics " HF_VERSION "\"\n.SH NAME\n"
	      "heapforensics \\- post\\-mortem heap analysis of native programs\n"
	      ".SH SYNOPSIS\n.B heapforensics\n[\\fICOMMAND\\fR] [\\fIOPTION\\fR...] "
	      "\\fICORE\\fR|\\fIPID\\fR [\\fIBINARY\\fR]\n.SH DESCRIPTION\n",
	      to);
	roff(
	    to,
	    "Reads an ELF core of a process that uses glibc's malloc, and tells what is on its "
	    "heap, "
	    "who holds it, what would be freed if that went, what is lost, and what is broken. The "
	    "process needs no instrumentation; symbols make the answer better, but are not needed. "
	    "Without COMMAND the report is printed. The two files may stand in either order.");
	fputs(".SH COMMANDS\n", to);
	for (const struct hf_command *command = hf_commands; command->name; command++) {
		fprintf(to, ".TP\n.B %s\n", command->name);
		roff(to, command->summary);
	}
	roff_options(to, UINT32_MAX);
	fputs(".SH CONDITIONS\nFigures for \\fB\\-\\-fail\\-if\\fR:\n", to);
	for (unsigned i = 0; (name = hf_gate_figure(i, &help)); i++) {
		fprintf(to, ".TP\n.B %s\n", name);
		roff(to, help);
	}
	fputs(".SH EXIT STATUS\n", to);
	roff(to,
	     "0 done; 1 a --fail-if condition holds; 2 nothing could be done (bad usage, no core, "
	     "unreadable); 3 with --strict, if evidence was missing.");
	fputs(".SH ENVIRONMENT\n", to);
	roff(to, "PAGER and HEAPFORENSICS_PAGER: the pager. NO_COLOR: no colours. HF_THREADS: "
		 "processors to use. DEBUGINFOD_URLS: where elfutils finds debug files.");
	fputs(".SH SEE ALSO\n.BR gdb (1),\n.BR gcore (1),\n.BR core (5),\n.BR mallinfo2 (3),\n"
	      ".BR malloc_info (3)\n",
	      to);
}

void hf_help_man(const struct hf_command *command, FILE *to)
{
	if (command)
		man_command(command, to);
	else
		man_all(to);
}
