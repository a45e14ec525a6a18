/*
 * growth.c - report --baseline: what grew since an older core, how fast, and when that would have
 * met, or met, the limit.
 *
 * The rate is that of the heap in use between the two moments; a straight line is all that two
 * points can give, and the report says so by naming both.
 */
#include <math.h>
#include <string.h>

#include "core/oomlog/oomlog.h"
#include "heapwalk/views/diff.h"
#include "heapwalk/views/sections.h"

enum { GROWTH_HOLDERS = 6 };

struct growth {
	const struct hf_process_info *before, *after;
	struct hf_diff_growth bytes, objects;
	double seconds;	  /* between them; 0: unknown */
	double rate;	  /* bytes a second; 0: unknown, or none */
	uint64_t limit;	  /* 0: unknown */
	uint64_t left;	  /* below it */
	const char *what; /* limits it */
};

static const char *span(struct hf_doc *doc, double seconds)
{
	if (seconds < 120)
		return hf_doc_printf(doc, "%.0f s", seconds);
	if (seconds < 2.0 * 3600)
		return hf_doc_printf(doc, "%.0f min", seconds / 60);
	if (seconds < 48.0 * 3600)
		return hf_doc_printf(doc, "%.1f h", seconds / 3600);
	return hf_doc_printf(doc, "%.1f days", seconds / 86400);
}

static void set_limit(struct growth *growth, uint64_t limit, uint64_t used, const char *what)
{
	uint64_t left = limit > used ? limit - used : 0;
	if (!limit || limit == HF_OOM_UNKNOWN || limit == HF_OOM_NO_LIMIT ||
	    (growth->limit && left >= growth->left))
		return;
	growth->limit = limit;
	growth->left = left;
	growth->what = what;
}

/* The nearest of the limits that the core or the kernel's log tell of. */
static void find_limit(struct growth *growth, const struct hf_oomlog *log)
{
	const struct hf_snapshot_info *info = &growth->after->snapshot;

	if (info->cgroup_limit)
		set_limit(growth, info->cgroup_limit,
			  info->cgroup_usage > info->cgroup_cache
			      ? info->cgroup_usage - info->cgroup_cache
			      : 0,
			  "the memory cgroup's limit");
	if (info->data_limit)
		set_limit(growth, info->data_limit, info->memory_bytes, "RLIMIT_DATA");
	if (!log || growth->limit)
		return;
	struct hf_oom_found found = hf_oomlog_find(log, growth->after->pid, growth->after->command);
	if (found.kill)
		set_limit(growth, found.kill->event->memory.limit, found.kill->event->memory.usage,
			  "the memory cgroup's limit");
}

static void tell_rate(const struct growth *growth, struct hf_doc *doc)
{
	if (growth->rate <= 0)
		return;
	hf_doc_paragraph(doc, "rate", "That is %s a minute, over %s.",
			 hf_doc_bytes_text(doc, (uint64_t)(growth->rate * 60)),
			 span(doc, growth->seconds));
	if (!growth->limit)
		return;
	if (growth->after->snapshot.killed)
		hf_doc_paragraph(doc, "limit", "It met %s of %s %s after the baseline.",
				 growth->what, hf_doc_bytes_text(doc, growth->limit),
				 span(doc, growth->seconds));
	else
		hf_doc_paragraph(doc, "limit",
				 "At that rate it meets %s of %s in %s: %s were left.",
				 growth->what, hf_doc_bytes_text(doc, growth->limit),
				 span(doc, (double)growth->left / growth->rate),
				 hf_doc_bytes_text(doc, growth->left));
}

static void tell(const struct growth *growth, struct hf_doc *doc)
{
	bool grew = growth->bytes.after > growth->bytes.before;
	uint64_t by = grew ? growth->bytes.after - growth->bytes.before
			   : growth->bytes.before - growth->bytes.after;

	hf_doc_json_field(doc, "baseline", hf_text(growth->before->core_path));
	hf_doc_json_field(doc, "before_bytes", hf_bytes(growth->bytes.before));
	hf_doc_json_field(doc, "after_bytes", hf_bytes(growth->bytes.after));
	hf_doc_json_field(doc, "seconds",
			  growth->seconds > 0 ? hf_count((uint64_t)llround(growth->seconds))
					      : hf_none());
	hf_doc_json_field(doc, "bytes_per_second",
			  growth->rate > 0 ? hf_bytes((uint64_t)growth->rate) : hf_none());
	hf_doc_json_field(doc, "limit_bytes", growth->limit ? hf_bytes(growth->limit) : hf_none());
	hf_doc_json_field(doc, "seconds_to_limit",
			  growth->limit && growth->rate > 0
			      ? hf_count((uint64_t)((double)growth->left / growth->rate))
			      : hf_none());
	hf_doc_paragraph(doc, "sentence", "The heap in use %s by %s since %s, from %s to %s.",
			 grew ? "grew" : "shrank", hf_doc_bytes_text(doc, by),
			 growth->before->core_path, hf_doc_bytes_text(doc, growth->bytes.before),
			 hf_doc_bytes_text(doc, growth->bytes.after));
	hf_doc_emphasize(doc, grew ? HF_WARN : HF_GOOD);
	if (growth->before->pid != growth->after->pid)
		hf_doc_note(doc,
			    "The baseline is of another process (pid %u, this is %u): no rate.",
			    growth->before->pid, growth->after->pid);
	tell_rate(growth, doc);
}

struct hf_error *hf_section_growth(struct hf_analysis *analysis,
				   const struct hf_view_options *options, struct hf_doc *doc)
{
	struct hf_view_options few = *options;
	struct hf_diff *diff = NULL;
	struct hf_error *err = hf_diff_create(options->baseline, analysis, options, &diff);

	if (err)
		return err;
	struct growth growth = {.before = &options->baseline->process->info,
				.after = &analysis->process->info};
	hf_diff_totals(diff, &growth.bytes, &growth.objects);
	uint64_t from = growth.before->taken_ns, to = growth.after->taken_ns;
	if (from && to > from && growth.before->pid == growth.after->pid)
		growth.seconds = (double)(to - from) / 1e9;
	if (growth.seconds > 0 && growth.bytes.after > growth.bytes.before)
		growth.rate = (double)(growth.bytes.after - growth.bytes.before) / growth.seconds;
	find_limit(&growth, options->oom_log);
	hf_doc_begin(doc, "growth", "GROWTH SINCE THE BASELINE");
	tell(&growth, doc);
	few.top = options->top ? options->top : GROWTH_HOLDERS;
	hf_diff_tell_holders(diff, &few, doc);
	hf_doc_end(doc);
	hf_diff_destroy(diff);
	return NULL;
}
