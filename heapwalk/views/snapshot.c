/*
 * snapshot.c - how and when a snapshot was taken, how near its limits the process was then, and
 * what of its memory is missing.
 */
#include <string.h>

#include "heapwalk/views/sections.h"

static const char *occasion(struct hf_doc *doc, const struct hf_snapshot_info *info)
{
	const char *reason = info->reason ? info->reason : "";

	if (info->trigger && !strcmp(info->trigger, "kill"))
		return hf_doc_printf(doc, "at the kill (%s)", reason);
	if (info->killed)
		return "as it was being killed";
	if (info->trigger && !strcmp(info->trigger, "threshold"))
		return hf_doc_printf(doc, "at a threshold (%s)", reason);
	return "of the running process";
}

static const char *how(struct hf_doc *doc, const struct hf_snapshot_info *info)
{
	if (info->mode && !strcmp(info->mode, "exit"))
		return hf_doc_printf(doc, "it was held at its exit for %.3f s",
				     info->pause_seconds);
	if (!info->consistent)
		return "it ran on meanwhile: fuzzy";
	return hf_doc_printf(doc, "paused for %.3f s", info->pause_seconds);
}

static void tell_limit(struct hf_doc *doc, const struct hf_snapshot_info *info)
{
	uint64_t used =
	    info->cgroup_usage > info->cgroup_cache ? info->cgroup_usage - info->cgroup_cache : 0;

	hf_doc_json_field(doc, "cgroup", hf_text(info->cgroup));
	hf_doc_json_field(doc, "cgroup_limit_bytes",
			  info->cgroup_limit ? hf_bytes(info->cgroup_limit) : hf_none());
	hf_doc_json_field(doc, "cgroup_usage_bytes", hf_bytes(info->cgroup_usage));
	hf_doc_json_field(doc, "cgroup_cache_bytes", hf_bytes(info->cgroup_cache));
	hf_doc_json_field(doc, "rlimit_data_bytes",
			  info->data_limit ? hf_bytes(info->data_limit) : hf_none());
	hf_doc_json_field(doc, "rlimit_as_bytes",
			  info->address_limit ? hf_bytes(info->address_limit) : hf_none());
	if (info->cgroup && info->cgroup_limit)
		hf_doc_text_field(
		    doc, "cgroup",
		    hf_text(hf_doc_printf(doc, "%s used (page cache left out) of its limit of %s",
					  hf_doc_bytes_text(doc, used),
					  hf_doc_bytes_text(doc, info->cgroup_limit))));
	if (info->cgroup && info->cgroup_limit && used)
		hf_doc_text_field(
		    doc, "its part",
		    hf_text(hf_doc_printf(
			doc, "%.0f %% of that is memory of this process that the core holds",
			100.0 * (double)info->memory_bytes / (double)used)));
	if (info->data_limit)
		hf_doc_text_field(doc, "RLIMIT_DATA",
				  hf_text(hf_doc_bytes_text(doc, info->data_limit)));
	if (info->address_limit)
		hf_doc_text_field(doc, "RLIMIT_AS",
				  hf_text(hf_doc_bytes_text(doc, info->address_limit)));
}

static const char *missing(struct hf_doc *doc, const struct hf_snapshot_info *info)
{
	const char *text = "";

	if (info->swapped_bytes)
		text = hf_doc_printf(doc, "; %s in swap are missing",
				     hf_doc_bytes_text(doc, info->swapped_bytes));
	if (info->unreadable_bytes)
		text = hf_doc_printf(doc, "%s; %s could not be read", text,
				     hf_doc_bytes_text(doc, info->unreadable_bytes));
	if (info->dontdump_bytes)
		text = hf_doc_printf(
		    doc, "%s; %s that the program keeps out of cores (MADV_DONTDUMP) are missing",
		    text, hf_doc_bytes_text(doc, info->dontdump_bytes));
	if (info->shared_bytes)
		text = hf_doc_printf(
		    doc, "%s; %s of shared memory that it has not mapped in are left out", text,
		    hf_doc_bytes_text(doc, info->shared_bytes));
	if (info->gone_bytes)
		text = hf_doc_printf(doc, "%s; %s were gone before they could be read", text,
				     hf_doc_bytes_text(doc, info->gone_bytes));
	return *text ? text : ", nothing is missing";
}

void hf_section_snapshot(const struct hf_analysis *analysis, struct hf_doc *doc)
{
	const struct hf_snapshot_info *info = &analysis->process->info.snapshot;

	if (!info->there)
		return;
	hf_doc_begin(doc, "snapshot", "SNAPSHOT");
	hf_doc_json_field(doc, "trigger", hf_text(info->trigger));
	hf_doc_json_field(doc, "reason", hf_text(info->reason));
	hf_doc_json_field(doc, "mode", hf_text(info->mode));
	hf_doc_json_field(doc, "time", hf_text(info->time));
	hf_doc_text_field(
	    doc, "taken",
	    hf_text(hf_doc_printf(doc, "%s%s%s; %s", info->time ? info->time : "",
				  info->time ? ", " : "", occasion(doc, info), how(doc, info))));
	tell_limit(doc, info);
	hf_doc_text_field(
	    doc, "memory",
	    hf_text(hf_doc_printf(doc, "%s%s", hf_doc_bytes_text(doc, info->memory_bytes),
				  missing(doc, info))));
	hf_doc_json_field(doc, "memory_bytes", hf_bytes(info->memory_bytes));
	hf_doc_json_field(doc, "swapped_bytes", hf_bytes(info->swapped_bytes));
	hf_doc_json_field(doc, "unreadable_bytes", hf_bytes(info->unreadable_bytes));
	hf_doc_json_field(doc, "dontdump_bytes", hf_bytes(info->dontdump_bytes));
	hf_doc_json_field(doc, "shared_bytes", hf_bytes(info->shared_bytes));
	hf_doc_json_field(doc, "gone_bytes", hf_bytes(info->gone_bytes));
	hf_doc_end(doc);
}
