/*
 * input.c - what GDB pipes to the helper (see input.h).
 *
 * Newer GDBs under MI write what a user-defined command echoes as MI records, even into a pipe:
 *
 *	~"@inferiors\n"
 *	* 1    process 123   1 (core)  /bin/true
 *	~"The current system root is \"\".\n"
 */
#include "gdbplugin/input.h"

#include <string.h>
#include <unistd.h>

#include "gdbplugin/folder.h"

/* The character behind a backslash at *@at, as C writes it; *@at is left at its last byte. */
static char escaped(const char **at)
{
	static const char letters[] = "nrtabfve", meanings[] = "\n\r\t\a\b\f\v\033";
	const char *letter = **at ? strchr(letters, **at) : NULL;
	int value = 0, digits = 0;

	if (letter)
		return meanings[letter - letters];
	for (; digits < 3 && (*at)[digits] >= '0' && (*at)[digits] <= '7'; digits++)
		value = value * 8 + (*at)[digits] - '0';
	if (!digits)
		return **at;
	*at += digits - 1;
	return (char)value;
}

/* Records become what they say; lines that are none stay. In place: it never grows. */
static void decode_records(char *text)
{
	char *to = text;

	for (const char *line = text, *end; *line; line = end) {
		end = strchrnul(line, '\n');
		end += *end == '\n';
		const char *last = end > line && end[-1] == '\n' ? end - 2 : end - 1;
		if (strncmp(line, "~\"", 2) || last < line + 2 || *last != '"') {
			memmove(to, line, (size_t)(end - line));
			to += end - line;
			continue;
		}
		for (const char *at = line + 2; at < last; at++) {
			if (*at == '\\' && at + 1 < last) {
				at++;
				*to++ = escaped(&at);
			} else {
				*to++ = *at;
			}
		}
	}
	*to = '\0';
}

struct hf_error *hf_gdb_read_input(char **ret)
{
	struct hf_error *err = hf_gdb_read_all(STDIN_FILENO, ret);

	if (!err && !strncmp(*ret, "~\"", 2))
		decode_records(*ret);
	return err;
}
