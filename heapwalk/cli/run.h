/*
 * run.h - running a command: open the analysis, fill the document, print it, test the gates.
 */
#ifndef HF_HEAPWALK_CLI_RUN_H
#define HF_HEAPWALK_CLI_RUN_H

#include "heapwalk/cli/options.h"
#include "heapwalk/cli/whole_file.h"

struct hf_command;

/* All return the exit status. */
int hf_run_view(const struct hf_command *command, struct hf_options *options);
int hf_run_report(const struct hf_command *command, struct hf_options *options);
int hf_run_query(const struct hf_command *command, struct hf_options *options);
int hf_run_diff(const struct hf_command *command, struct hf_options *options);
int hf_run_explore(const struct hf_command *command, struct hf_options *options);
int hf_run_snapshot(const struct hf_command *command, struct hf_options *options);
int hf_run_watch(const struct hf_command *command, struct hf_options *options);
int hf_run_export(const struct hf_command *command, struct hf_options *options);
int hf_run_ci(const struct hf_command *command, struct hf_options *options);

/* Words that --format of export takes; NULL past the last. */
const char *hf_export_format_name(unsigned index);

/* `heapforensics gdb-helper`: what heapforensics.gdb pipes to (gdbplugin/). */
int hf_gdb_helper(int argc, char **argv);

/* Are the words of the command line those that @command takes? */
struct hf_error *hf_run_check_words(const struct hf_command *command,
				    const struct hf_options *options);

/* What the views want to know of the command line, for their hints. */
void hf_run_complete_view(struct hf_options *options);

/* Print "heapforensics: MESSAGE", destroy @err, return HF_EXIT_FAILED. */
int hf_fail(struct hf_error *err);

/* Open @options' core, or its process by way of a private snapshot, to @depth, with progress. */
struct hf_error *hf_run_open(const struct hf_options *options, enum hf_analysis_depth depth,
			     struct hf_analysis **ret);

/*
 * Close @analysis, kept in the index first if it is to be (run_index.c): --index, or it took long.
 * NULL is allowed.
 */
void hf_run_close(const struct hf_options *options, struct hf_analysis *analysis);

/*
 * The same where @doc (may be NULL) is what @command has answered, in @seconds of the processor: it
 * is kept as it is, with an analysis that is kept, or beside one if it took long.
 */
void hf_run_close_answered(const struct hf_options *options, struct hf_analysis *analysis,
			   const struct hf_command *command, const struct hf_doc *doc,
			   double seconds);

/* The index of @options' files; NULL: none is to be used. The caller destroys it. */
struct hf_index *hf_run_index(const struct hf_options *options);

/* What @command answered last time, from the index; NULL: it must be found out. */
struct hf_doc *hf_run_kept_answer(const struct hf_command *command,
				  const struct hf_options *options);

/* @command's answer as a document. */
struct hf_error *hf_run_make_doc(const struct hf_command *command,
				 const struct hf_view_options *view, struct hf_analysis *analysis,
				 struct hf_doc **ret);

/* Where the output goes: a file, standard output, or a pager. */
struct hf_sink {
	FILE *to;
	struct hf_whole_file file; /* if it is one */
	struct hf_output_options output;
	int pager_pid; /* 0: none */
};
struct hf_error *hf_sink_open(const struct hf_options *options, struct hf_sink *ret);
/* @err: what went wrong meanwhile, or NULL; it is returned, or what goes wrong now. */
struct hf_error *hf_sink_close(struct hf_sink *sink, const struct hf_options *options,
			       struct hf_error *err);

/* Print @doc as @options say; @details (or NULL): what a page can explore. */
struct hf_error *hf_run_print(const struct hf_doc *doc, const struct hf_doc *details,
			      const struct hf_options *options);

/* The exit status of gates and --strict; tells on standard error what tripped. */
int hf_run_gates(const struct hf_options *options, struct hf_analysis *analysis);

/* The same in two steps: test each gate with @test (of gate.h's form), then tell and decide. */
typedef struct hf_error *hf_gate_test_fn(const struct hf_gate *gate, void *ctx, bool *ret_trips,
					 double *ret_value);
struct hf_error *hf_run_test_gates(const struct hf_options *options, hf_gate_test_fn *test,
				   void *ctx, struct hf_gate_results *ret);
int hf_run_gate_status(const struct hf_options *options, const struct hf_gate_results *results,
		       bool partial);

#endif
