/*
 * words.h - what the user wrote behind a heap command.
 */
#ifndef HF_GDBPLUGIN_WORDS_H
#define HF_GDBPLUGIN_WORDS_H

#include "gdbplugin/answer.h"

/* Options of the command line come first; the rest is an expression, SQL, or words. */
struct hf_gdb_words {
	const char *options[HF_GDB_MAX_WORDS];
	unsigned option_count;
	char *rest; /* as written, without blanks around it, or quotes around all of it */
	const char *list[HF_GDB_MAX_WORDS]; /* the rest as words, quotes taken off */
	unsigned count;
	char *storage;
	char file[4096]; /* for hf_gdb_file_name() */
};

struct hf_error *hf_gdb_words_parse(const char *text, struct hf_gdb_words *ret);
void hf_gdb_words_deinit(struct hf_gdb_words *words);

/* A file's name, where "~/" is the user's home; @buffer has @size bytes for it. */
const char *hf_gdb_file_name(const char *word, char *buffer, size_t size);

/* A variable's name and no more. */
bool hf_gdb_plain_name(const char *text);

/*
 * The expression whose value is the place that @text means: a pointer or a number is one, a
 * structure or array has one. @type is what ptype says of it, @language GDB's.
 */
struct hf_error *hf_gdb_place_expression(const char *text, const char *type, const char *language,
					 char **ret);

#endif
