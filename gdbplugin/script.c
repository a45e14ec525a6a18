/*
 * script.c - writing GDB scripts (see script.h).
 *
 * `echo` understands backslashes as C does, and GDB joins a line that ends in a backslash with the
 * next: so a text of many lines is one command,
 *
 *	echo first line\n\
 *	second\n\
 *	<an empty line ends it>
 *
 * which GDB takes much faster than one command a line. Blanks at the start of a line would be lost
 * and are written "\ ".
 */
#include "gdbplugin/script.h"

#include <stdbool.h>

void hf_gdb_echo(FILE *to, const char *text, size_t length)
{
	bool fresh = true; /* at the start of a line */

	if (!length)
		return;
	fputs("echo ", to);
	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)text[i];
		if (c == '\n')
			fputs("\\n\\\n", to);
		else if (c == '\\' || (c == ' ' && fresh))
			fprintf(to, "\\%c", c);
		else if (c < ' ' || c == 0x7f)
			fprintf(to, "\\%03o", c);
		else
			fputc(c, to);
		fresh = c == '\n' || (fresh && c == ' ');
	}
	/* A backslash at the very end keeps trailing blanks, and is not printed. */
	fputs("\\\n\n", to);
}

void hf_gdb_set_text(FILE *to, const char *name, const char *text)
{
	fprintf(to, "set $%s = \"", name);
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;
		if (c == '"' || c == '\\')
			fprintf(to, "\\%c", c);
		else if (c < ' ' || c >= 0x7f)
			fprintf(to, "\\%03o", c);
		else
			fputc(c, to);
	}
	fputs("\"\n", to);
}
