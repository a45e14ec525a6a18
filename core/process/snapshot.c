/*
 * snapshot.c - what `heapforensics snapshot` and `watch` noted in a core of theirs.
 *
 * The note is JSON (core/capture/sidecar.c writes it), and no more to be trusted than the rest of
 * the file: each member is looked up by name and type, a missing one is unknown.
 */
#include <inttypes.h>
#include <json-c/json.h>
#include <string.h>

#include "core/process/private.h"

typedef struct json_object json;

static json *member(json *object, const char *name, enum json_type type)
{
	json *found = NULL;
	if (!json_object_is_type(object, json_type_object) ||
	    !json_object_object_get_ex(object, name, &found) || !json_object_is_type(found, type))
		return NULL;
	return found;
}

static uint64_t number(json *object, const char *name, uint64_t otherwise)
{
	json *found = member(object, name, json_type_int);
	int64_t value = found ? json_object_get_int64(found) : -1;
	return value < 0 ? otherwise : (uint64_t)value;
}

static bool truth(json *object, const char *name)
{
	json *found = member(object, name, json_type_boolean);
	return found && json_object_get_boolean(found);
}

static const char *text(struct hf_process *process, json *object, const char *name)
{
	json *found = member(object, name, json_type_string);
	return found ? hf_strpool_dup(process->priv->strings, json_object_get_string(found)) : NULL;
}

static uint64_t saturated(uint64_t a, uint64_t b)
{
	uint64_t product;
	return __builtin_mul_overflow(a, b, &product) ? UINT64_MAX : product;
}

static void read_members(struct hf_process *process, json *object)
{
	struct hf_snapshot_info *info = &process->info.snapshot;
	json *memory = member(object, "memory", json_type_object);
	json *skipped = member(memory, "pages_skipped", json_type_object);
	json *cgroup = member(object, "cgroup", json_type_object);
	json *limits = member(object, "limits", json_type_object);
	json *rollup = member(object, "smaps_rollup", json_type_object);
	json *itself = member(object, "process", json_type_object);
	json *pause = member(object, "pause_seconds", json_type_double);
	uint64_t page = number(memory, "page_bytes", 4096);

	info->there = true;
	info->trigger = text(process, object, "trigger");
	info->reason = text(process, object, "reason");
	info->mode = text(process, object, "mode");
	info->time = text(process, object, "time");
	info->time_ns = number(object, "time_ns", 0);
	info->consistent = truth(object, "consistent");
	info->killed = truth(object, "killed");
	info->pause_seconds = pause ? json_object_get_double(pause) : 0;
	info->threads_missing = (uint32_t)number(itself, "threads_missing", 0);
	info->memory_bytes = number(memory, "memory_bytes", 0);
	info->swapped_bytes = saturated(number(skipped, "swapped", 0), page);
	info->unreadable_bytes = saturated(number(skipped, "unreadable", 0), page);
	info->dontdump_bytes = saturated(number(skipped, "dontdump", 0), page);
	info->shared_bytes = saturated(number(skipped, "shared", 0), page);
	info->gone_bytes = saturated(number(skipped, "window", 0), page);
	info->cgroup = text(process, cgroup, "path");
	info->cgroup_limit = number(cgroup, "limit_bytes", 0);
	info->cgroup_usage = number(cgroup, "usage_bytes", 0);
	info->cgroup_cache = number(cgroup, "cache_bytes", 0);
	info->data_limit = number(limits, "data_bytes", 0);
	info->address_limit = number(limits, "address_space_bytes", 0);
	info->resident_bytes = number(rollup, "Rss", 0);
}

bool process_read_snapshot(struct hf_process *process, struct hf_cursor *at)
{
	struct json_tokener *tokener = json_tokener_new();

	process->info.core_kind = HF_CORE_SNAPSHOT;
	if (!tokener)
		return false;
	size_t size = at->size - at->at;
	json *object =
	    size < INT32_MAX
		? json_tokener_parse_ex(tokener, (const char *)at->data + at->at, (int)size)
		: NULL;
	if (json_object_is_type(object, json_type_object) && !process->info.snapshot.there)
		read_members(process, object);
	json_object_put(object);
	json_tokener_free(tokener);
	return true;
}

static void tell_bytes(struct hf_process *process, const char *code, uint64_t bytes,
		       const char *why)
{
	if (bytes)
		hf_diag_add(process->diags, HF_DIAG_EVIDENCE, HF_SEV_WARNING, code, 0,
			    "%" PRIu64 " bytes of memory are missing: %s", bytes, why);
}

void process_judge_snapshot(struct hf_process *process)
{
	const struct hf_snapshot_info *info = &process->info.snapshot;

	if (!info->there)
		return;
	tell_bytes(process, "snapshot-swapped", info->swapped_bytes,
		   "they were in swap, and to read them would have charged the process");
	tell_bytes(process, "snapshot-unreadable", info->unreadable_bytes,
		   "the kernel did not let them be read");
	tell_bytes(process, "snapshot-dontdump", info->dontdump_bytes,
		   "the program keeps them out of cores (MADV_DONTDUMP)");
	tell_bytes(
	    process, "snapshot-gone", info->gone_bytes,
	    "after the kill they were gone before their turn came (or over the disk budget)");
	if (!info->consistent)
		hf_diag_add(process->diags, HF_DIAG_EVIDENCE, HF_SEV_WARNING, "snapshot-fuzzy", 0,
			    "the process ran on while its memory was read: the image is of no one "
			    "moment, and broken invariants may be due to that");
	if (info->threads_missing)
		hf_diag_add(process->diags, HF_DIAG_EVIDENCE, HF_SEV_NOTE, "snapshot-threads", 0,
			    "the registers of %" PRIu32
			    " other threads are unknown%s: their stacks "
			    "count as roots as a whole",
			    info->threads_missing, info->killed ? ", as they were killed too" : "");
}
