/*
 * options.c - the option table, and parsing a command line by it.
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

enum option_id {
	OPT_FIRST = 256,
	OPT_EXECUTABLE,
	OPT_CORE,
	OPT_SYSROOT,
	OPT_DEBUGINFO_PATH,
	OPT_PID,
	OPT_FORMAT,
	OPT_JSON,
	OPT_CSV,
	OPT_OUTPUT,
	OPT_COLOR,
	OPT_NO_PAGER,
	OPT_QUIET,
	OPT_ROOTS,
	OPT_NO_HEURISTICS,
	OPT_THREADS,
	OPT_INDEX,
	OPT_NO_INDEX,
	OPT_TOP,
	OPT_ALL,
	OPT_DEPTH,
	OPT_MIN,
	OPT_FAIL_IF,
	OPT_STRICT,
	OPT_SUPPRESSIONS,
	OPT_FILE,
	OPT_OOM_LOG,
	OPT_TIMING,
	OPT_TYPE,
	OPT_TYPE_FILE,
	OPT_BY,
	OPT_HELP,
	OPT_VERSION,
};

const struct hf_option hf_option_table[] = {
    {'e', "executable", "FILE", "the program that the core is of (else found by the core)",
     HF_GROUP_INPUT, OPT_EXECUTABLE},
    {0, "core", "FILE", "the core (else the first word that is one)", HF_GROUP_INPUT, OPT_CORE},
    {'p', "pid", "PID", "analyse a running process, by way of a private snapshot", HF_GROUP_INPUT,
     OPT_PID},
    {0, "sysroot", "DIR", "look for the files that the core names below DIR", HF_GROUP_INPUT,
     OPT_SYSROOT},
    {0, "debuginfo-path", "PATH", "where separate debug files are, as for elfutils", HF_GROUP_INPUT,
     OPT_DEBUGINFO_PATH},
    {0, "format", "FORMAT", "text, json or csv; of export: pprof, heapsnapshot, ...",
     HF_GROUP_OUTPUT, OPT_FORMAT},
    {0, "json", NULL, "short for --format=json", HF_GROUP_OUTPUT, OPT_JSON},
    {0, "csv", NULL, "short for --format=csv", HF_GROUP_OUTPUT, OPT_CSV},
    {'o', "output", "FILE", "write to FILE instead of standard output", HF_GROUP_OUTPUT,
     OPT_OUTPUT},
    {0, "color", "WHEN", "auto (the default), always or never; NO_COLOR is heeded", HF_GROUP_OUTPUT,
     OPT_COLOR},
    {0, "no-pager", NULL, "do not send long output through $PAGER", HF_GROUP_OUTPUT, OPT_NO_PAGER},
    {'q', "quiet", NULL, "no progress on standard error", HF_GROUP_OUTPUT, OPT_QUIET},
    {0, "roots", "LIST",
     "kinds of roots that count, with commas: variable, section, tls, frame, register, stack, "
     "mapping; or kinds that do not, each with a minus before it",
     HF_GROUP_ANALYSIS, OPT_ROOTS},
    {0, "no-heuristics", NULL,
     "take interior pointers for what they are (see memcheck's "
     "--leak-check-heuristics)",
     HF_GROUP_ANALYSIS, OPT_NO_HEURISTICS},
    {0, "threads", "N", "processors to use", HF_GROUP_ANALYSIS, OPT_THREADS},
    {0, "index", "[=DIR]",
     "keep what was found in DIR (~/.cache/heapforensics), so that the next command on this core "
     "answers at once; done by itself when the analysis takes over two seconds",
     HF_GROUP_ANALYSIS, OPT_INDEX},
    {0, "no-index", NULL, "neither use nor keep an index", HF_GROUP_ANALYSIS, OPT_NO_INDEX},
    {0, "type", "ADDR=TYPE",
     "the object at ADDR, or that a variable points at, is of this type; repeatable. Of path: "
     "--type=TYPE for the chains to all objects of it",
     HF_GROUP_ANALYSIS, OPT_TYPE},
    {0, "type-file", "FILE", "the same, a line each; lines with # in front are comments",
     HF_GROUP_ANALYSIS, OPT_TYPE_FILE},
    {0, "timing", NULL, "tell on standard error what took how long", HF_GROUP_ANALYSIS, OPT_TIMING},
    {0, "top", "N", "rows of a table, children of a node", HF_GROUP_LIST, OPT_TOP},
    {0, "all", NULL, "leave nothing out", HF_GROUP_LIST, OPT_ALL},
    {0, "depth", "N", "levels of the tree", HF_GROUP_TREE, OPT_DEPTH},
    {0, "by", "WHAT", "no tree but sums: by type, holder or module", HF_GROUP_BY, OPT_BY},
    {0, "min", "SIZE", "leave out what keeps less (1MiB)", HF_GROUP_TREE, OPT_MIN},
    {0, "fail-if", "CONDITION", "exit with 1 if it holds: 'leaked_bytes > 1MiB'; repeatable",
     HF_GROUP_GATE, OPT_FAIL_IF},
    {0, "strict", NULL, "exit with 3 if evidence was missing", HF_GROUP_GATE, OPT_STRICT},
    {0, "suppressions", "FILE", "leaks that are known: type:GLOB, text:GLOB, size:N a line",
     HF_GROUP_LEAKS, OPT_SUPPRESSIONS},
    {0, "oom-log", "FILE",
     "the kernel's log of the OOM kill (dmesg, syslog; \"-\" or \"journal\"): the report begins "
     "with "
     "it; without a core it tells the log alone",
     HF_GROUP_OOM, OPT_OOM_LOG},
    {'f', "file", "FILE", "read the SQL from FILE", HF_GROUP_QUERY, OPT_FILE},
    {'h', "help", NULL, "this help", HF_GROUP_OUTPUT, OPT_HELP},
    {'V', "version", NULL, "the version", HF_GROUP_OUTPUT, OPT_VERSION},
    {0, NULL, NULL, NULL, 0, 0},
};

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

static struct hf_error *parse_format(const char *text, struct hf_options *options)
{
	static const char *const names[HF_FORMATS] = {"text", "json", "csv"};
	options->format_name = NULL;
	for (unsigned i = 0; i < HF_FORMATS; i++) {
		if (!strcmp(text, names[i])) {
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

static struct hf_error *take_words(int argc, char **argv, int first, struct hf_options *options)
{
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

struct hf_error *hf_options_parse(int argc, char **argv, struct hf_options *ret)
{
	struct option table[64] = {0};
	char letters[64] = "";
	struct hf_options options = {.heuristics = HF_HEURISTIC_ALL};
	struct hf_error *err = NULL;
	int id, count = 0, at = 0;

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
	optind = 0; /* start anew: a GNU extension */
	while (!err && (id = getopt_long(argc, argv, letters, table, NULL)) != -1) {
		for (const struct hf_option *option = hf_option_table; option->name; option++) {
			if (option->letter && id == option->letter)
				id = option->id;
		}
		err = id == '?' ? hf_error_create(HF_ERR_USAGE, "try --help")
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
