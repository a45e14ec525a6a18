/*
 * run_export.c - `heapforensics export --format=F CORE [BINARY] [ADDR|VARIABLE] -o FILE`.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/cleanup.h"
#include "core/base/parallel.h"
#include "heapwalk/cli/commands.h"
#include "heapwalk/cli/run.h"
#include "heapwalk/cli/terminal.h"
#include "heapwalk/cli/whole_file.h"
#include "heapwalk/memory.h"
#include "heapwalk/output/export.h"
#include "heapwalk/query/save.h"

static const struct hf_export_ops *const formats[] = {
    &hf_export_pprof, &hf_export_heapsnapshot, &hf_export_speedscope, &hf_export_folded,
    &hf_export_dot,   &hf_export_hprof,	       &hf_export_sqlite,     &hf_export_ndjson,
};

enum { FORMATS = sizeof(formats) / sizeof(formats[0]) };

const char *hf_export_format_name(unsigned index)
{
	return index < FORMATS ? formats[index]->name : NULL;
}

static struct hf_error *find_format(const char *name, const struct hf_export_ops **ret)
{
	char list[160] = "";

	for (unsigned i = 0; i < FORMATS; i++) {
		if (name && !strcmp(name, formats[i]->name)) {
			*ret = formats[i];
			return NULL;
		}
		strcat(strcat(list, i ? ", " : ""), formats[i]->name);
	}
	return hf_error_create(HF_ERR_USAGE, "export%s%s: --format is one of %s",
			       name ? " --format=" : "", name ? name : "", list);
}

static struct hf_error *check_options(const struct hf_command *command,
				      const struct hf_options *options,
				      const struct hf_export_ops **ret)
{
	struct hf_error *err = hf_run_check_words(command, options);

	if (!err)
		err = find_format(options->format_name, ret);
	if (err)
		return err;
	if ((*ret)->own_file && !options->output)
		return hf_error_create(HF_ERR_USAGE, "export --format=%s needs -o FILE",
				       (*ret)->name);
	if (!options->output && isatty(STDOUT_FILENO))
		return hf_error_create(HF_ERR_USAGE, "export: where to? -o FILE");
	if (!(*ret)->selects && options->argument)
		return hf_error_create(HF_ERR_USAGE,
				       "%s: --format=%s is always of the whole heap (dot takes a "
				       "part)",
				       options->argument, (*ret)->name);
	return NULL;
}

/* ---- the file -------------------------------------------------------------------------------- */

struct target {
	const char *name; /* for messages */
	struct hf_whole_file file;
	int fd; /* -1: the format opens it itself */
};

static struct hf_error *open_target(const struct hf_options *options,
				    const struct hf_export_ops *format, struct target *ret)
{
	struct target target = {.name = options->output, .fd = -1};

	if (!options->output) {
		*ret = (struct target){.name = "standard output", .fd = STDOUT_FILENO};
		return NULL;
	}
	struct hf_error *err = hf_whole_file_begin(options->output, &target.file);
	if (!err && format->own_file && !target.file.part)
		err = hf_error_create(HF_ERR_USAGE, "%s: --format=%s needs a plain file",
				      options->output, format->name);
	if (!err && !format->own_file)
		err = hf_whole_file_open(&target.file, &target.fd);
	if (err)
		return hf_whole_file_end(&target.file, err);
	*ret = target;
	return NULL;
}

/* Give the file its name, or throw it away if @err. Returns @err, or what went wrong now. */
static struct hf_error *close_target(struct target *target, struct hf_error *err)
{
	if (target->fd > STDOUT_FILENO && close(target->fd) && !err)
		err = hf_error_errno(errno, "%s", target->name);
	return hf_whole_file_end(&target->file, err);
}

/* ---- the run --------------------------------------------------------------------------------- */

static struct hf_error *select_start(const struct hf_options *options, struct hf_export *export)
{
	uint64_t address = 0;

	export->options.start = hf_graph_root(export->analysis->graph);
	if (!options->argument)
		return NULL;
	struct hf_error *err = hf_analysis_resolve(export->analysis, options->argument, &address,
						   &export->options.start);
	if (!err && export->options.start == HF_NO_NODE)
		err = hf_error_create(HF_ERR_NOT_FOUND, "%s: neither an object nor a root",
				      options->argument);
	return err;
}

static struct hf_error *write_export(const struct hf_export_ops *format, struct hf_export *export,
				     struct target *target)
{
	struct hf_writer writer;

	if (format->own_file) {
		export->path = target->file.part;
		return format->write(export);
	}
	struct hf_error *err = hf_writer_init(&writer, target->fd);
	if (err)
		return err;
	export->to = &writer;
	err = format->write(export);
	struct hf_error *flushing = hf_writer_flush(&writer, target->name);
	if (err)
		hf_error_destroy(flushing);
	else
		err = flushing;
	hf_writer_deinit(&writer);
	return err;
}

static struct hf_error *export_to(const struct hf_options *options,
				  const struct hf_export_ops *format, struct hf_analysis *analysis)
{
	struct hf_progress_line line;
	struct target target = {.fd = -1};
	struct hf_export export = {
	    .analysis = analysis,
	    .options = {.depth = options->view.depth,
			.top = options->view.top,
			.min_bytes = options->view.min_bytes,
			.threads = options->threads ? options->threads : hf_parallel_threads(),
			.progress = &line.progress}};
	if (!analysis->graph)
		return hf_error_create(HF_ERR_NOT_FOUND, "%s: no heap was found in it",
				       options->core);
	struct hf_error *err = select_start(options, &export);
	if (!err)
		err = open_target(options, format, &target);
	if (err)
		return err;
	hf_progress_line_init(&line, options->quiet);
	err = close_target(&target, write_export(format, &export, &target));
	hf_progress_line_clear(&line);
	if (!err && !options->quiet) {
		hf_vec_foreach (note, &export.notes)
			fprintf(stderr, "heapforensics: %s: %s\n", format->name, *note);
	}
	hf_export_deinit(&export);
	return err;
}

int hf_run_export(const struct hf_command *command, struct hf_options *options)
{
	const struct hf_export_ops *format = NULL;
	struct hf_analysis *analysis = NULL;
	struct hf_error *err = check_options(command, options, &format);

	if (!err)
		err = hf_run_open(options, command->depth, &analysis);
	if (err)
		return hf_fail(err);
	err = hf_memory_explain(analysis, true, export_to(options, format, analysis));
	if (options->tap && !err)
		options->tap->answered(options->tap->ctx, analysis);
	int status = err ? hf_fail(err) : hf_run_gates(options, analysis);
	hf_run_close(options, analysis);
	return status;
}
