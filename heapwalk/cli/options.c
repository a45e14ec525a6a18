/*
 * options.c - parsing a command line by the option table (option_table.c).
 *
 * Positional words are told apart by what they are: an ELF core (or a compressed file) is the
 * core, another ELF file the binary, a number the process that lives under it; the rest is the
 * command's argument. So the two files may stand in either order.
 */
#include "heapwalk/cli/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "core/base/cleanup.h"
#include "core/elf/filekind.h"
#include "heapwalk/cli/commands.h"
#include "heapwalk/cli/option_ids.h"
#include "heapwalk/cli/similar.h"

/* ---- values
 * ----------------------------------------------------------------------------------------- */

static struct hf_error *parse_count(const char *name, const char *text, uint64_t max, uint64_t *ret)
{
	char *end = NULL;
	errno = 0;
	unsigned long long value = strtoull(text, &end, 0);
	if (errno || end == text || *end || *text == '-' || value > max)
		return hf_error_create(HF_ERR_USAGE, "--%s=%s: not a number it can be", name, text);
	*ret = value;
	return NULL;
}

/* "4096", "64KiB", "1.5M" */
static struct hf_error *parse_size(const char *name, const char *text, uint64_t *ret)
{
	static const char units[] = "kmgt";
	char *end = NULL;
	double value = strtod(text, &end);
	const char *unit = *end ? strchr(units, *end | 0x20) : NULL;

	if (end == text || value < 0)
		return hf_error_create(HF_ERR_USAGE, "--%s=%s: not a size", name, text);
	if (unit) {
		bool decimal = (end[1] | 0x20) == 'b';
		for (long i = 0; i <= unit - units; i++)
			value *= decimal ? 1000 : 1024;
		end += !strcasecmp(end + 1, "ib") ? 3 : !strcasecmp(end + 1, "b") ? 2 : 1;
	} else if (!strcasecmp(end, "b")) {
		end++;
	}
	if (*end || value > 1e19)
		return hf_error_create(HF_ERR_USAGE, "--%s=%s: not a size (try 64KiB)", name, text);
	*ret = (uint64_t)value;
	return NULL;
}

static struct hf_error *parse_roots(const char *list, uint32_t *ret)
{
	HF_AUTO(free_ptr) char *copy = strdup(list);
	uint32_t with = 0, without = 0;
	char *save = NULL;

	if (!copy)
		return hf_error_nomem();
	for (char *word = strtok_r(copy, ",", &save); word; word = strtok_r(NULL, ",", &save)) {
		bool minus = *word == '-';
		unsigned kind = 0;
		while (kind < HF_HOLDER_KINDS && strcmp(word + minus, hf_holder_kind_name(kind)))
			kind++;
		if (kind == HF_HOLDER_KINDS)
			return hf_error_create(
			    HF_ERR_USAGE,
			    "--roots: there is no kind \"%s\"; there are variable, "
			    "section, tls, frame, register, stack, mapping",
			    word + minus);
		*(minus ? &without : &with) |= 1u << kind;
	}
	uint32_t all = (1u << HF_HOLDER_KINDS) - 1;
	*ret = (with ? with : all) & ~without;
	if (*ret == 0)
		return hf_error_create(HF_ERR_USAGE, "--roots=%s leaves no roots at all", list);
	return NULL;
}

const char *hf_format_name(unsigned index)
{
	static const char *const names[HF_FORMATS] = {"text", "json", "csv", "html"};
	return index < HF_FORMATS ? names[index] : NULL;
}

static struct hf_error *parse_format(const char *text, struct hf_options *options)
{
	options->format_name = NULL;
	for (unsigned i = 0; i < HF_FORMATS; i++) {
		if (!strcmp(text, hf_format_name(i))) {
			options->format = (enum hf_format)i;
			options->format_given = true;
			return NULL;
		}
	}
	options->format_name = text; /* the command knows it, or refuses it */
	return NULL;
}

static struct hf_error *parse_color(const char *text, enum hf_color *ret)
{
	if (!strcmp(text, "auto"))
		*ret = HF_COLOR_AUTO;
	else if (!strcmp(text, "always"))
		*ret = HF_COLOR_ALWAYS;
	else if (!strcmp(text, "never"))
		*ret = HF_COLOR_NEVER;
	else
		return hf_error_create(HF_ERR_USAGE, "--color=%s: auto, always or never", text);
	return NULL;
}

static struct hf_error *add_gate(const char *text, struct hf_options *options)
{
	struct hf_gate gate;
	struct hf_error *err = hf_gate_parse(text, &gate);
	if (!err && !hf_vec_push(&options->gates.list, gate))
		err = hf_error_nomem();
	return err;
}

/* The lines of a file as so many --type. */
static struct hf_error *read_types(const char *path, struct hf_options *options)
{
	FILE *file = fopen(path, "re");
	size_t size = 0;
	char *save = NULL;

	if (!file)
		return hf_error_errno(errno, "%s", path);
	free(options->type_file);
	options->type_file = NULL;
	ssize_t length = getdelim(&options->type_file, &size, '\0', file);
	fclose(file);
	if (length <= 0)
		return NULL;
	for (char *line = strtok_r(options->type_file, "\r\n", &save); line;
	     line = strtok_r(NULL, "\r\n", &save)) {
		line += strspn(line, " \t");
		if (*line && *line != '#' && !hf_vec_push(&options->types, line))
			return hf_error_nomem();
	}
	return NULL;
}

static struct hf_error *take_number(int id, const char *text, struct hf_options *options)
{
	uint64_t value = 0;
	struct hf_error *err = NULL;

	switch (id) {
	case OPT_PID:
		err = parse_count("pid", text, INT32_MAX, &value);
		options->pid = (uint32_t)value;
		break;
	case OPT_THREADS:
		err = parse_count("threads", text, 1024, &value);
		options->threads = (unsigned)value;
		break;
	case OPT_TOP:
		err = parse_count("top", text, UINT32_MAX, &options->view.top);
		break;
	case OPT_DEPTH:
		err = parse_count("depth", text, 10000, &value);
		options->view.depth = (uint32_t)value;
		break;
	default:
		err = parse_size("min", text, &options->view.min_bytes);
		break;
	}
	return err;
}

static struct hf_error *parse_thresholds(const char *list, struct hf_watch_options *watch)
{
	HF_AUTO(free_ptr) char *copy = strdup(list);
	char *save = NULL;

	if (!copy)
		return hf_error_nomem();
	for (char *word = strtok_r(copy, ",", &save); word; word = strtok_r(NULL, ",", &save)) {
		struct hf_watch_threshold threshold = {0};
		char *end;
		double value = strtod(word, &end);
		if (watch->threshold_count == HF_WATCH_THRESHOLDS)
			return hf_error_create(HF_ERR_USAGE, "--at: too many thresholds");
		if (end != word && !strcmp(end, "%")) {
			if (!(value > 0 && value <= 100))
				return hf_error_create(HF_ERR_USAGE,
						       "--at=%s: more than 0, at most 100", word);
			threshold.percent = value;
		} else {
			struct hf_error *err = parse_size("at", word, &threshold.bytes);
			if (!err && !threshold.bytes)
				err = hf_error_create(HF_ERR_USAGE, "--at=%s: not a size", word);
			if (err)
				return err;
		}
		watch->thresholds[watch->threshold_count++] = threshold;
	}
	return NULL;
}

static struct hf_error *parse_seconds(const char *name, const char *text, double *ret)
{
	char *end;
	double value = strtod(text, &end);
	if (end == text || *end || !(value >= 0 && value < 1e9))
		return hf_error_create(HF_ERR_USAGE, "--%s=%s: not a number of seconds", name,
				       text);
	*ret = value;
	return NULL;
}

static struct hf_error *take_watch(int id, const char *text, struct hf_options *options)
{
	struct hf_watch_options *watch = &options->watch;
	struct hf_error *err = NULL;
	uint64_t value = 0;

	switch (id) {
	case OPT_AT:
		return parse_thresholds(text, watch);
	case OPT_KEEP:
		err = parse_count("keep", text, 1000000, &value);
		watch->keep = (unsigned)value;
		return err;
	case OPT_COOLDOWN:
		return parse_seconds("cooldown", text, &watch->cooldown);
	case OPT_WINDOW:
		return parse_seconds("window", text, &watch->window);
	case OPT_DISK:
		return parse_size("disk", text, &watch->budget);
	case OPT_CGROUP:
		watch->cgroup = text;
		return NULL;
	case OPT_NO_TRAP:
		watch->no_trap = true;
		return NULL;
	default:
		options->watch_exec = text;
		return NULL;
	}
}

static void take_capture(int id, struct hf_options *options)
{
	if (id == OPT_ZSTD)
		options->zstd = true;
	else if (id == OPT_SWAPPED)
		options->read_swap = true;
	else
		options->mode = id == OPT_FREEZE     ? HF_SNAPSHOT_FREEZE
				: id == OPT_NO_PAUSE ? HF_SNAPSHOT_NO_PAUSE
						     : HF_SNAPSHOT_PAUSE;
}

static struct hf_error *take_option(int id, const char *text, struct hf_options *options)
{
	switch (id) {
	case OPT_EXECUTABLE:
		options->binary = text;
		return NULL;
	case OPT_CORE:
		options->core = text;
		return NULL;
	case OPT_SYSROOT:
		options->sysroot = text;
		return NULL;
	case OPT_DEBUGINFO_PATH:
		options->debuginfo_path = text;
		return NULL;
	case OPT_FORMAT:
		return parse_format(text, options);
	case OPT_JSON:
		return parse_format("json", options);
	case OPT_CSV:
		return parse_format("csv", options);
	case OPT_SARIF:
		return parse_format("sarif", options);
	case OPT_JUNIT:
		return parse_format("junit", options);
	case OPT_OPENMETRICS:
		return parse_format("openmetrics", options);
	case OPT_HTML:
		return parse_format("html", options);
	case OPT_OUTPUT:
		options->output = text;
		return NULL;
	case OPT_COLOR:
		return parse_color(text, &options->color);
	case OPT_NO_PAGER:
		options->no_pager = true;
		return NULL;
	case OPT_QUIET:
		options->quiet = true;
		return NULL;
	case OPT_ROOTS:
		return parse_roots(text, &options->root_kinds);
	case OPT_NO_HEURISTICS:
		options->heuristics = 0;
		return NULL;
	case OPT_MAX_MEMORY:
		return parse_size("max-memory", text, &options->max_memory);
	case OPT_WORK_DIR:
		options->work_folder = text;
		return NULL;
	case OPT_INDEX:
		options->index_mode = HF_INDEX_ON;
		options->index_folder = text;
		return NULL;
	case OPT_NO_INDEX:
		options->index_mode = HF_INDEX_OFF;
		return NULL;
	case OPT_TIMING:
		options->timing = true;
		return NULL;
	case OPT_TYPE:
		if (!strchr(text, '=')) {
			options->view.type = text;
			return NULL;
		}
		return hf_vec_push(&options->types, text) ? NULL : hf_error_nomem();
	case OPT_TYPE_FILE:
		return read_types(text, options);
	case OPT_BY:
		if (strcmp(text, "type") && strcmp(text, "holder") && strcmp(text, "module"))
			return hf_error_create(HF_ERR_USAGE, "--by=%s: type, holder or module",
					       text);
		options->view.by = text;
		return NULL;
	case OPT_ALL:
		options->view.all = true;
		return NULL;
	case OPT_FAIL_IF:
		return add_gate(text, options);
	case OPT_STRICT:
		options->strict = true;
		return NULL;
	case OPT_SUPPRESSIONS:
		options->view.suppressions = text;
		return NULL;
	case OPT_FILE:
		options->sql_file = text;
		return NULL;
	case OPT_OOM_LOG:
		options->oom_log = text;
		return NULL;
	case OPT_BASELINE:
		options->baseline = text;
		return NULL;
	case OPT_CGROUP:
	case OPT_AT:
	case OPT_KEEP:
	case OPT_COOLDOWN:
	case OPT_DISK:
	case OPT_WINDOW:
	case OPT_NO_TRAP:
	case OPT_EXEC:
		return take_watch(id, text, options);
	case OPT_PAUSE:
	case OPT_FREEZE:
	case OPT_NO_PAUSE:
	case OPT_ZSTD:
	case OPT_SWAPPED:
		take_capture(id, options);
		return NULL;
	case OPT_HELP:
		options->help = true;
		return NULL;
	case OPT_VERSION:
		options->version = true;
		return NULL;
	default:
		return take_number(id, text, options);
	}
}

/* ---- positional words
 * --------------------------------------------------------------------------------- */

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

/* What is wrong with the option that getopt has just refused. */
static struct hf_error *bad_option(char **argv, int id, int letter)
{
	const char *word = argv[optind - 1], *name = NULL, *meant = NULL;
	char typed[64] = "", several[256] = "";
	unsigned begins = 0;

	for (const struct hf_option *option = hf_option_table; option->name; option++) {
		if (letter && (option->id == letter || option->letter == letter))
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

struct hf_error *hf_options_parse(int argc, char **argv, struct hf_options *ret)
{
	struct option table[128] = {0};
	char letters[64] = ":"; /* a missing argument is told apart */
	struct hf_options options = {.heuristics = HF_HEURISTIC_ALL,
				     .watch = {.keep = 3, .cooldown = 60, .window = 10}};
	struct hf_error *err = NULL;
	int id, count = 0, at = 1;

	for (const struct hf_option *option = hf_option_table; option->name; option++) {
		int argument = !option->argument	  ? no_argument
			       : *option->argument == '[' ? optional_argument
							  : required_argument;
		table[count++] = (struct option){option->name, argument, NULL, option->id};
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
		for (const struct hf_option *option = hf_option_table; option->name; option++) {
			if (option->letter && id == option->letter)
				id = option->id;
		}
		err = id == '?' || id == ':' ? bad_option(argv, id, optopt)
					     : take_option(id, optarg, &options);
	}
	if (!err)
		err = take_words(argc, argv, optind, &options);
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
