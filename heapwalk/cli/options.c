/*
 * options.c - parsing a command line by the option table (option_table.c).
 *
 * Positional words are told apart by what they are: an ELF core (or a compressed file) is the
 * core, another ELF file the binary, a number the process that lives under it; the rest is the
 * command's argument. So the two files may stand in either order.
 */
#include "heapwalk/cli/options.h"

#include <getopt.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/elf/filekind.h"
#include "heapwalk/cli/commands.h"
#include "heapwalk/cli/option_values.h"
#include "heapwalk/cli/similar.h"

/* ---- positional words ------------------------------------------------------------------------ */

enum word_kind { WORD_CORE, WORD_BINARY, WORD_PID, WORD_FILE, WORD_OTHER };

static enum word_kind kind_of_file(const char *path)
{
	switch (hf_file_kind(path)) {
	case HF_FILE_KIND_CORE:
	case HF_FILE_KIND_COMPRESSED:
		return WORD_CORE;
	case HF_FILE_KIND_PROGRAM:
		return WORD_BINARY;
	case HF_FILE_KIND_OTHER:
		return WORD_FILE;
	default:
		return WORD_OTHER;
	}
}

static enum word_kind kind_of_word(const char *word)
{
	char proc[64];
	enum word_kind kind = kind_of_file(word);

	if (kind != WORD_OTHER || strspn(word, "0123456789") != strlen(word) || !*word ||
	    strlen(word) > 10)
		return kind;
	snprintf(proc, sizeof(proc), "/proc/%s", word);
	return access(proc, F_OK) ? WORD_OTHER : WORD_PID;
}

/* A file that is neither: the core if there is none yet (its error will say what is wrong). */
static void take_word(const char *word, struct hf_options *options)
{
	enum word_kind kind = kind_of_word(word);

	if (kind == WORD_BINARY && !options->binary) {
		options->binary = word;
	} else if ((kind == WORD_CORE || kind == WORD_FILE) && !options->core && !options->pid) {
		options->core = word;
	} else if (kind == WORD_PID && !options->core && !options->pid) {
		options->pid = (uint32_t)strtoul(word, NULL, 10);
	} else {
		options->words[options->word_count++] = word;
	}
}

/* The command that a first word is meant to be which is nothing at all; NULL if it is something. */
static const char *meant_command(const char *word)
{
	if (hf_command_find(word) || strchr(word, '/') || kind_of_word(word) != WORD_OTHER)
		return NULL;
	return hf_similar_command(word);
}

static struct hf_error *take_words(int argc, char **argv, int first, struct hf_options *options)
{
	const char *meant = first < argc ? meant_command(argv[first]) : NULL;

	if (meant)
		return hf_error_create(
		    HF_ERR_USAGE, "\"%s\" is no command and no such file; did you mean \"%s\"?",
		    argv[first], meant);
	options->words = calloc((size_t)(argc - first) + 1, sizeof(*options->words));
	if (!options->words)
		return hf_error_nomem();
	options->command = first < argc ? hf_command_find(argv[first]) : NULL;
	for (int i = first + (options->command != NULL); i < argc; i++)
		take_word(argv[i], options);
	/* Only a program was given: say so when it is opened as a core. */
	if (!options->core && !options->pid && options->binary && options->word_count == 0)
		options->core = options->binary;
	options->argument = options->word_count ? options->words[options->word_count - 1] : NULL;
	return NULL;
}

/* What getopt returns for a long option: beyond all of those. */
static int id_of(const struct hf_option *option)
{
	return 256 + (int)(option - hf_option_table);
}

static const struct hf_option *option_of(int id)
{
	for (const struct hf_option *option = hf_option_table; option->name; option++) {
		if (id == id_of(option) || (option->letter && id == option->letter))
			return option;
	}
	return NULL;
}

/* What is wrong with the option that getopt has just refused. */
static struct hf_error *bad_option(char **argv, int id, int letter)
{
	const char *word = argv[optind - 1], *name = NULL, *meant = NULL;
	char typed[64] = "", several[256] = "";
	unsigned begins = 0;

	for (const struct hf_option *option = hf_option_table; option->name; option++) {
		if (letter && (letter == id_of(option) || letter == option->letter))
			name = option->name;
	}
	if (id == ':' && name)
		return hf_error_create(HF_ERR_USAGE, "--%s needs an argument (see --help)", name);
	if (name)
		return hf_error_create(HF_ERR_USAGE, "--%s takes no argument", name);
	if (letter)
		return hf_error_create(HF_ERR_USAGE, "there is no option -%c (see --help)", letter);
	word += strspn(word, "-");
	snprintf(typed, sizeof(typed), "%.*s", (int)strcspn(word, "="), word);
	for (const struct hf_option *option = hf_option_table; option->name; option++) {
		size_t length = strlen(several);
		if (strncmp(option->name, typed, strlen(typed)) == 0)
			snprintf(several + length, sizeof(several) - length, "%s--%s",
				 begins++ ? ", " : "", option->name);
	}
	if (begins > 1)
		return hf_error_create(HF_ERR_USAGE, "--%s can be any of %s", typed, several);
	meant = hf_similar_option(typed);
	if (!meant)
		return hf_error_create(HF_ERR_USAGE, "there is no option --%s (see --help)", typed);
	return hf_error_create(HF_ERR_USAGE, "--%s is no option; did you mean --%s?", typed, meant);
}

/* watch [OPTION...] -- COMMAND ARG...: what follows is not ours. Returns how many words are. */
static int split_command(int argc, char **argv, char ***ret)
{
	bool watch = false;
	for (int i = 1; i < argc; i++) {
		watch |= !strcmp(argv[i], "watch");
		if (watch && !strcmp(argv[i], "--")) {
			*ret = argv + i + 1;
			return i;
		}
	}
	return argc;
}

/* "-" is standard output. A core is a file: it is written out of order. */
static struct hf_error *settle_output(struct hf_options *options)
{
	if (!options->output || strcmp(options->output, "-") != 0)
		return NULL;
	if (options->command && options->command->option_groups & HF_GROUP_CAPTURE)
		return hf_error_create(HF_ERR_USAGE, "-o -: %s does not write to standard output",
				       options->command->name);
	options->output = NULL;
	return NULL;
}

struct hf_error *hf_options_parse(int argc, char **argv, struct hf_options *ret)
{
	struct option table[128] = {0};
	char letters[64] = ":"; /* a missing argument is told apart */
	struct hf_options options = {.heuristics = HF_HEURISTIC_ALL,
				     .watch = {.keep = 3, .cooldown = 60, .window = 10}};
	struct hf_error *err = NULL;
	const struct hf_option *given;
	int id, count = 0, at = 1;

	for (const struct hf_option *option = hf_option_table; option->name; option++) {
		int argument = !option->argument	  ? no_argument
			       : *option->argument == '[' ? optional_argument
							  : required_argument;
		table[count++] = (struct option){option->name, argument, NULL, id_of(option)};
		if (option->letter) {
			letters[at++] = option->letter;
			if (option->argument)
				letters[at++] = ':';
		}
	}
	argc = split_command(argc, argv, &options.command_line);
	optind = 0; /* start anew: a GNU extension */
	opterr = 0;
	while (!err && (id = getopt_long(argc, argv, letters, table, NULL)) != -1) {
		given = id == '?' || id == ':' ? NULL : option_of(id);
		err =
		    given ? hf_option_take(given, optarg, &options) : bad_option(argv, id, optopt);
	}
	if (!err)
		err = take_words(argc, argv, optind, &options);
	if (!err)
		err = settle_output(&options);
	if (err) {
		hf_options_deinit(&options);
		return err;
	}
	*ret = options;
	return NULL;
}

void hf_options_deinit(struct hf_options *options)
{
	free(options->gates.list.data);
	free(options->types.data);
	free(options->type_file);
	free(options->words);
}
