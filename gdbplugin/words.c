/*
 * words.c - what the user wrote behind a heap command (see words.h).
 */
#include "gdbplugin/words.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "heapwalk/cli/commands.h"

static const char *skip_blanks(const char *at)
{
	while (isspace((unsigned char)*at))
		at++;
	return at;
}

/* "--top=5", "'--type=struct x'": the table's row; NULL if none, for --x may be an expression. */
static const struct hf_option *option_at(const char *word)
{
	word += *word == '\'' || *word == '"';
	size_t length = strcspn(word, "= \t\n");

	if (strncmp(word, "--", 2) || length < 3)
		return NULL;
	for (const struct hf_option *option = hf_option_table; option->name; option++) {
		if (strlen(option->name) == length - 2 &&
		    !strncmp(option->name, word + 2, length - 2))
			return option;
	}
	return NULL;
}

/* "~/x" as GDB reads file names. */
const char *hf_gdb_file_name(const char *word, char *buffer, size_t size)
{
	const char *home = getenv("HOME");

	if (strncmp(word, "~/", 2) || !home ||
	    snprintf(buffer, size, "%s%s", home, word + 1) >= (int)size)
		return word;
	return buffer;
}

/* The next word into *@to, quotes taken off; returns what is behind it. */
static const char *take_word(const char *at, char **to)
{
	char quote = 0;

	for (; *at && (quote || !isspace((unsigned char)*at)); at++) {
		if (quote ? *at == quote : (*at == '"' || *at == '\''))
			quote = quote ? 0 : *at;
		else
			*(*to)++ = *at;
	}
	*(*to)++ = '\0';
	return skip_blanks(at);
}

static void trim(char *text)
{
	size_t length = strlen(text);

	while (length && isspace((unsigned char)text[length - 1]))
		text[--length] = '\0';
	bool whole = length > 1 && (*text == '"' || *text == '\'') && text[length - 1] == *text &&
		     strchr(text + 1, *text) == text + length - 1;
	if (whole) {
		memmove(text, text + 1, length - 2);
		text[length - 2] = '\0';
	}
}

struct hf_error *hf_gdb_words_parse(const char *text, struct hf_gdb_words *ret)
{
	struct hf_gdb_words words = {.storage = malloc(2 * strlen(text) + 2)};
	const struct hf_option *option = NULL;
	char *to = words.storage;
	const char *at = skip_blanks(text);
	bool fits = true;

	words.rest = strdup(text);
	if (!words.storage || !words.rest) {
		hf_gdb_words_deinit(&words);
		return hf_error_nomem();
	}
	while (fits && (option = option_at(at))) {
		bool more = option->argument && !memchr(at, '=', strcspn(at, " \t\n"));
		for (int i = 0; i <= more && *at && fits; i++) {
			words.options[words.option_count++] = to;
			at = take_word(at, &to);
			fits = words.option_count + 4 < HF_GDB_MAX_WORDS;
		}
	}
	strcpy(words.rest, at);
	trim(words.rest);
	while (fits && *at) {
		words.list[words.count++] = to;
		at = take_word(at, &to);
		fits = words.count + 4 < HF_GDB_MAX_WORDS;
	}
	*ret = words;
	return NULL;
}

void hf_gdb_words_deinit(struct hf_gdb_words *words)
{
	free(words->rest);
	free(words->storage);
}

bool hf_gdb_plain_name(const char *text)
{
	if (!isalpha((unsigned char)*text) && *text != '_')
		return false;
	while (isalnum((unsigned char)*text) || *text == '_')
		text++;
	return !*text;
}

/* ---- places ---------------------------------------------------------------------------------- */

static bool starts(const char *text, const char *with)
{
	return !strncmp(text, with, strlen(with));
}

/*
 * By ptype's words: "type = struct foo {\n...\n} *" is a pointer, the same without a star a
 * structure, "} [4]" an array, "(*)" a pointer to one or to a function.
 */
static bool is_aggregate(const char *type)
{
	const char *first = strstr(type, "= ");
	size_t length = strlen(type);

	first = first ? first + 2 : type;
	while (length && (isspace((unsigned char)type[length - 1]) || type[length - 1] == '&'))
		length--;
	const char *line = type + length;
	while (line > type && line[-1] != '\n')
		line--;
	/* The pointers of Rust, Ada and Fortran tell it first. */
	if (!length || *first == '*' || *first == '&' || starts(first, "access") ||
	    starts(first, "PTR TO"))
		return false;
	if (starts(first, "record") || starts(first, "array "))
		return true;
	const char *star = memmem(line, (size_t)(type + length - line), "(*", 2);
	return !star && strchr("}])", type[length - 1]);
}

/* echo has read the user's backslashes as C does: write them again. */
static char *with_escapes(const char *text)
{
	char *copy = malloc(4 * strlen(text) + 1), *to = copy;

	for (; copy && *text; text++) {
		unsigned char c = (unsigned char)*text;
		if (c == '\\')
			to += sprintf(to, "\\\\");
		else if (c < ' ')
			to += sprintf(to, "\\%03o", c);
		else
			*to++ = (char)c;
	}
	if (copy)
		*to = '\0';
	return copy;
}

struct hf_error *hf_gdb_place_expression(const char *text, const char *type, const char *language,
					 char **ret)
{
	bool aggregate = is_aggregate(type), ada = language && !strcmp(language, "ada");
	bool pascal = language && !strcmp(language, "pascal");
	char *escaped = with_escapes(text);

	if (!escaped)
		return hf_error_nomem();
	int made = asprintf(ret, "%s(%s)%s",
			    !aggregate || ada ? ""
			    : pascal	      ? "@"
					      : "&",
			    escaped, aggregate && ada ? "'address" : "");
	free(escaped);
	return made < 0 ? hf_error_nomem() : NULL;
}
