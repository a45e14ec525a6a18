/*
 * commands.h - the one table of commands and the one table of options: parsing, --help, the
 * manual pages and shell completion are all made from them.
 *
 * To add a command: a row in commands.c and a view (views/view.h). Nothing else.
 */
#ifndef HF_HEAPWALK_CLI_COMMANDS_H
#define HF_HEAPWALK_CLI_COMMANDS_H

#include "heapwalk/cli/options.h"

enum hf_argument_use { HF_ARGUMENT_NONE, HF_ARGUMENT_OPTIONAL, HF_ARGUMENT_REQUIRED };

struct hf_command {
	const char *name;
	const char *arguments; /* after the options: "CORE|PID [BINARY]" */
	const char *summary;   /* one line */
	const char *help;      /* paragraphs, separated by empty lines */
	const char *example;   /* command lines, one a line */
	enum hf_argument_use argument;
	enum hf_analysis_depth depth;
	hf_view_fn *view; /* NULL: run does it all */
	int (*run)(const struct hf_command *command, struct hf_options *options);
	uint32_t option_groups; /* HF_GROUP_* that make sense for it */
};

/* Sorted as people read them; the last has name NULL. */
extern const struct hf_command hf_commands[];

const struct hf_command *hf_command_find(const char *name);

/* ---- options -------------------------------------------------------------------------------- */

enum {
	HF_GROUP_INPUT = 1,    /* -e, --sysroot, --debuginfo-path, -p */
	HF_GROUP_OUTPUT = 2,   /* --format, -o, --no-pager */
	HF_GROUP_ANALYSIS = 4, /* --roots, --no-heuristics, --threads */
	HF_GROUP_LIST = 8,     /* --top, --all */
	HF_GROUP_TREE = 16,    /* --depth, --min */
	HF_GROUP_GATE = 32,    /* --fail-if, --strict */
	HF_GROUP_LEAKS = 64,   /* --suppressions */
	HF_GROUP_QUERY = 128,  /* -f, --csv */
	HF_GROUP_OOM = 256,    /* --oom-log */
	HF_GROUP_ANY = 1024,   /* --color, -q, --help: of every command */
	HF_GROUP_SARIF = 2048,
	HF_GROUP_METRICS = 4096,
	HF_GROUP_JUNIT = 8192,
	HF_GROUP_CAPTURE = 1 << 20, /* --freeze, --zstd, ... */
	HF_GROUP_WATCH = 1 << 21,   /* --at, ... */
	HF_GROUP_BY = 32768,	    /* --by */
};

/* What an option does, given. */
enum hf_option_kind {
	HF_OPTION_FLAG,	      /* bool: true */
	HF_OPTION_TEXT,	      /* const char *: its value */
	HF_OPTION_CHOICE,     /* an enum or uint32_t: `value` */
	HF_OPTION_COUNT,      /* uint32_t, at most `value` */
	HF_OPTION_LONG_COUNT, /* the same, kept in 64 bits */
	HF_OPTION_SIZE,	      /* uint64_t: bytes */
	HF_OPTION_SECONDS,    /* double */
	HF_OPTION_CALL,	      /* take() does it, with `text` for a value if that is there */
};

struct hf_option_effect {
	enum hf_option_kind kind;
	size_t offset; /* of the field in struct hf_options */
	uint64_t value;
	struct hf_error *(*take)(const char *text, struct hf_options *options);
	const char *text;
};

struct hf_option {
	char letter; /* 0: none */
	const char *name;
	const char *argument; /* NULL: none; "[=DIR]": may be left out */
	const char *help;
	uint32_t group; /* HF_GROUP_*: with commands of any of them */
	struct hf_option_effect effect;
};

/* The last has name NULL. */
extern const struct hf_option hf_option_table[];

#endif
