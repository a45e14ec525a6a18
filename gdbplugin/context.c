/*
 * context.c - reading GDB's own words about its target (see context.h).
 *
 * The text is in sections, each behind a line "@NAME". GDB's sentences may be translated: only
 * what stands in quotes, numbers, and the names of connections are looked for.
 */
#include "gdbplugin/context.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/cleanup.h"
#include "core/elf/filekind.h"

/* The line after "@NAME" at the start of a line, or the rest of that line; NULL if absent. */
static const char *section(const char *text, const char *name)
{
	size_t length = strlen(name);

	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (*line == '@' && !strncmp(line + 1, name, length) &&
		    isspace((unsigned char)line[1 + length]))
			return line + 1 + length + 1;
	}
	return NULL;
}

static const char *line_end(const char *line)
{
	const char *end = strchr(line, '\n');
	return end ? end : line + strlen(line);
}

/* What stands between the first and the last @quote of the line; NULL if nothing. */
static char *quoted(const char *line, char quote)
{
	const char *end = line ? line_end(line) : NULL;
	const char *from = line ? memchr(line, quote, (size_t)(end - line)) : NULL;

	if (!from)
		return NULL;
	while (end > from + 1 && end[-1] != quote)
		end--;
	return end > from + 1 ? strndup(from + 1, (size_t)(end - 1 - from - 1)) : NULL;
}

/* "1 (native)", "2 (remote :5555)": the connection's name stands behind a number. */
static enum hf_gdb_target connection(const char *line, const char *end)
{
	static const struct {
		const char *name;
		enum hf_gdb_target target;
	} names[] = {{"core", HF_GDB_CORE},
		     {"native", HF_GDB_NATIVE},
		     {"remote", HF_GDB_REMOTE},
		     {"extended-remote", HF_GDB_REMOTE}};

	for (const char *at = line; at + 3 < end; at++) {
		if (!isdigit((unsigned char)at[0]) || at[1] != ' ' || at[2] != '(')
			continue;
		for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
			size_t length = strlen(names[i].name);
			if (!strncmp(at + 3, names[i].name, length) &&
			    (at[3 + length] == ')' || at[3 + length] == ' '))
				return names[i].target;
		}
	}
	return HF_GDB_NONE;
}

/* `info inferiors`: the current one has a star. */
static void take_inferior(const char *text, struct hf_gdb_context *context)
{
	for (const char *line = text; line && *line && *line != '@';) {
		const char *end = line_end(line);
		if (*line == '*') {
			const char *process = strstr(line, "process ");
			context->target = connection(line, end);
			if (process && process < end)
				context->pid = (uint32_t)strtoul(process + 8, NULL, 10);
			return;
		}
		line = *end ? end + 1 : NULL;
	}
}

/* `info files`: "\t`PATH', file type elf64-x86-64." for the core and the program. */
static void take_files(const char *text, struct hf_gdb_context *context)
{
	for (const char *line = text; line && *line; line = *line ? line + 1 : line) {
		const char *end = line_end(line), *last = end;
		if (line[0] == '\t' && line[1] == '`') {
			while (last > line + 2 && !(last[0] == '\'' && last[1] == ','))
				last--;
			HF_AUTO(free_ptr) char *path = strndup(line + 2, (size_t)(last - line - 2));
			enum hf_file_kind kind =
			    path && last > line + 2 ? hf_file_kind(path) : HF_FILE_KIND_OTHER;
			bool core = kind == HF_FILE_KIND_CORE;
			if (core && !context->core)
				context->core = hf_take(path);
			else if (kind == HF_FILE_KIND_PROGRAM && !context->binary)
				context->binary = hf_take(path);
		}
		line = end;
	}
}

struct hf_error *hf_gdb_context_parse(const char *text, struct hf_gdb_context *ret)
{
	struct hf_gdb_context context = {0};
	const char *at = section(text, "inferiors");

	if (!at)
		return hf_error_create(HF_ERR_FORMAT, "GDB did not tell its target");
	take_inferior(at, &context);
	at = section(text, "thread");
	if (at && strspn(at, "0123456789.") < sizeof(context.thread) && !strstr(at, ".0\n"))
		memcpy(context.thread, at, strspn(at, "0123456789."));
	at = section(text, "style");
	const char *enabled = at ? strstr(at, "enabled") : NULL;
	context.style = enabled && enabled < line_end(at);
	context.sysroot = quoted(section(text, "sysroot"), '"');
	context.debug_directories = quoted(section(text, "debugdir"), '"');
	HF_AUTO(free_ptr) char *language = quoted(section(text, "language"), '"');
	const char *word = language ? strrchr(language, ' ') : NULL;
	context.language = language ? strdup(word ? word + 1 : language) : NULL;
	take_files(section(text, "files"), &context);
	*ret = context;
	return NULL;
}

void hf_gdb_context_deinit(struct hf_gdb_context *context)
{
	free(context->core);
	free(context->binary);
	free(context->sysroot);
	free(context->debug_directories);
	free(context->language);
}
