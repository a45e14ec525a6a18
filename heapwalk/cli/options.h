/*
 * options.h - a parsed command line.
 */
#ifndef HF_HEAPWALK_CLI_OPTIONS_H
#define HF_HEAPWALK_CLI_OPTIONS_H

#include <stdbool.h>

#include "core/capture/snapshot.h"
#include "core/capture/watch.h"
#include "heapwalk/cli/gate.h"
#include "heapwalk/output/output.h"
#include "heapwalk/views/view.h"

enum { HF_EXIT_DONE = 0, HF_EXIT_GATE = 1, HF_EXIT_FAILED = 2, HF_EXIT_PARTIAL = 3 };

enum hf_color { HF_COLOR_AUTO, HF_COLOR_ALWAYS, HF_COLOR_NEVER };

struct hf_command;
struct hf_options;

/* For a caller that runs a command inside itself (GDB's helper). */
struct hf_tap {
	void *ctx;
	/* The analysis is open; @options->argument may still be changed. */
	void (*opened)(void *ctx, struct hf_analysis *analysis, struct hf_options *options);
	/* The answer is written, the analysis still open. */
	void (*answered)(void *ctx, struct hf_analysis *analysis);
};

struct hf_options {
	const struct hf_command *command; /* NULL: none was named */
	/* input */
	const char *core, *binary; /* paths; binary NULL: found by the core */
	const char *argument;
	const char *sysroot, *debuginfo_path;
	const char *sql_file, *oom_log, *baseline;
	uint32_t pid; /* 0: a core */
	char pid_text[16];
	/* taking snapshots */
	enum hf_snapshot_mode mode;
	bool zstd, read_swap;
	struct hf_watch_options watch; /* what the options below do not hold */
	const char *watch_exec;
	char **command_line;	      /* watch -- COMMAND ARG...; NULL: none */
	HF_VEC(, const char *) types; /* --type=ADDR=TYPE; for path a type alone is its name */
	char *type_file;	      /* the text of --type-file, cut into lines */
	/* analysis */
	uint32_t root_kinds; /* 0: all */
	uint32_t heuristics;
	unsigned threads;
	enum hf_index_mode index_mode;
	const char *index_folder; /* NULL: the default */
	/* output */
	enum hf_format format;
	bool format_given;
	const char *format_name; /* --format=WORD that is none of enum hf_format; else NULL */
	enum hf_color color;
	const char *output;
	bool quiet, no_pager, strict, help, version, timing;
	unsigned width;		  /* columns; 0: the terminal's */
	double keep_after;	  /* seconds of analysis that are worth an index; 0: the default */
	const struct hf_tap *tap; /* NULL: none */
	struct hf_view_options view;
	struct hf_gates gates;
	/* positional words that are neither a core nor a binary */
	const char **words;
	int word_count;
};

/* Parse a command line; its first word that is no option may be a command's name. */
struct hf_error *hf_options_parse(int argc, char **argv, struct hf_options *ret);
/* Words that --format takes (export has its own); NULL past the last. */
const char *hf_format_name(unsigned index);

void hf_options_deinit(struct hf_options *options);

#endif
