/*
 * run_snapshot.c - snapshot PID [-o FILE]
 */
#include <stdio.h>
#include <string.h>

#include "core/base/cleanup.h"
#include "heapwalk/cli/commands.h"
#include "heapwalk/cli/live.h"
#include "heapwalk/cli/run.h"
#include "heapwalk/cli/terminal.h"
#include "heapwalk/views/human.h"

static bool ends_with(const char *text, const char *tail)
{
	size_t length = strlen(text), size = strlen(tail);
	return length >= size && !strcmp(text + length - size, tail);
}

static struct hf_error *check(const struct hf_options *options)
{
	if (options->word_count)
		return hf_error_create(HF_ERR_NOT_FOUND, "%s: there is no such process",
				       options->words[0]);
	if (!options->pid)
		return hf_error_create(HF_ERR_USAGE,
				       "of which process? heapforensics snapshot PID [-o FILE]");
	return NULL;
}

/* What of it is missing, as people want to know it. */
static void tell_missing(const struct hf_snapshot_result *result)
{
	static const enum hf_skip_reason told[] = {HF_SKIP_SWAPPED, HF_SKIP_UNREADABLE,
						   HF_SKIP_WINDOW};
	for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++) {
		uint64_t pages = result->pages_skipped[told[i]];
		if (pages)
			fprintf(stderr, "heapforensics: %lu pages (%lu KiB) are missing: %s\n",
				(unsigned long)pages,
				(unsigned long)(pages * result->page_bytes >> 10),
				hf_skip_reason_name(told[i]));
	}
	if (result->threads_missing)
		fprintf(stderr,
			"heapforensics: %u threads did not stop: their registers are "
			"missing\n",
			result->threads_missing);
	if (!result->consistent)
		fprintf(stderr, "heapforensics: the process ran on meanwhile: the image is "
				"fuzzy\n");
}

static void tell(const struct hf_options *options, const struct hf_snapshot_result *result)
{
	printf("%s\n", result->path);
	if (options->quiet)
		return;
	fprintf(
	    stderr,
	    "heapforensics: %.1f MiB of memory, %u thread%s; %.1f MiB on disk; paused %.3f s of "
	    "%.3f s\n",
	    (double)result->memory_bytes / (1 << 20), result->threads,
	    result->threads == 1 ? "" : "s", (double)result->bytes / (1 << 20),
	    result->pause_seconds, result->seconds);
	tell_missing(result);
}

int hf_run_snapshot(const struct hf_command *command, struct hf_options *options)
{
	struct hf_progress_line line;
	struct hf_snapshot_result result;
	HF_AUTO(free_ptr) char *output = NULL;
	struct hf_error *err = check(options);

	(void)command;
	if (err)
		return hf_fail(err);
	bool zstd = options->zstd || (options->output && ends_with(options->output, ".zst"));
	if (options->output)
		output = strdup(options->output);
	else if (asprintf(&output, "core.%u%s", options->pid, zstd ? ".zst" : "") < 0)
		output = NULL;
	if (!output)
		return hf_fail(hf_error_nomem());
	hf_progress_line_init(&line, options->quiet);
	struct hf_snapshot_options snapshot = {.pid = (pid_t)options->pid,
					       .output = output,
					       .mode = options->mode,
					       .zstd = zstd,
					       .read_swap = options->read_swap,
					       .progress = &line.progress,
					       .cancel = hf_interrupt_begin()};
	err = hf_snapshot_take(&snapshot, &result);
	hf_interrupt_end();
	hf_progress_line_clear(&line);
	if (err)
		return hf_fail(err);
	tell(options, &result);
	hf_snapshot_result_deinit(&result);
	return HF_EXIT_DONE;
}
