/*
 * export_pprof.c - a profile of the live heap for `go tool pprof` and everything that reads
 * profile.proto (github.com/google/pprof, proto/profile.proto).
 *
 * One sample for each link of the aggregated dominator chains (views/chains.h), with the
 * objects and bytes of that link alone: then pprof's `flat` is shallow, its `cum` retained. One
 * function and one location a label; the sample's locations run from the leaf to the root.
 *
 *	string table: fixed strings, then for label i its name and its file, then comments
 *
 * The fields of a message may come in any order, so the string table comes last and all is
 * written as it is made. Names stand in Function.name only: a C++ name in system_name too
 * would make pprof strip what stands between < and >.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/cleanup.h"
#include "heapwalk/output/escape.h"
#include "heapwalk/output/export.h"
#include "heapwalk/views/chains.h"

enum { PROFILE_SAMPLE_TYPE = 1, PROFILE_SAMPLE = 2, PROFILE_MAPPING = 3, PROFILE_LOCATION = 4 };
enum { PROFILE_FUNCTION = 5, PROFILE_STRING = 6, PROFILE_COMMENT = 13, PROFILE_DEFAULT_TYPE = 14 };
enum { TYPE_NAME = 1, TYPE_UNIT = 2 };
enum { SAMPLE_LOCATION = 1, SAMPLE_VALUE = 2 };
enum {
	MAPPING_ID = 1,
	MAPPING_START = 2,
	MAPPING_LIMIT = 3,
	MAPPING_FILE = 5,
	MAPPING_BUILD_ID = 6
};
enum { MAPPING_HAS_FUNCTIONS = 7 };
enum { LOCATION_ID = 1, LOCATION_MAPPING = 2, LOCATION_LINE = 4, LINE_FUNCTION = 1, LINE_LINE = 2 };
enum { FUNCTION_ID = 1, FUNCTION_NAME = 2, FUNCTION_FILE = 4, FUNCTION_START_LINE = 5 };

enum fixed_string { S_EMPTY, S_OBJECTS, S_COUNT, S_SPACE, S_BYTES, S_FILE, S_BUILD_ID, S_LABELS };

static uint64_t name_string(uint32_t label)
{
	return S_LABELS + 2 * (uint64_t)label;
}

/* A message of @field, made in @part, which is empty again afterwards. */
static void put_message(struct hf_writer *to, unsigned field, struct hf_writer *part)
{
	hf_put_bytes_field(to, field, part->data, part->count);
	hf_writer_reset(part);
}

static void put_string(struct hf_writer *to, const char *text)
{
	HF_AUTO(free_ptr) char *escaped = text ? hf_escape(text) : NULL;
	const char *safe = escaped ? escaped : "";
	hf_put_bytes_field(to, PROFILE_STRING, safe, strlen(safe));
}

static void put_types(struct hf_writer *to, struct hf_writer *part)
{
	hf_put_field(part, TYPE_NAME, S_OBJECTS);
	hf_put_field(part, TYPE_UNIT, S_COUNT);
	put_message(to, PROFILE_SAMPLE_TYPE, part);
	hf_put_field(part, TYPE_NAME, S_SPACE);
	hf_put_field(part, TYPE_UNIT, S_BYTES);
	put_message(to, PROFILE_SAMPLE_TYPE, part);
	hf_put_field(to, PROFILE_DEFAULT_TYPE, S_SPACE);
}

static const struct hf_module *program(const struct hf_analysis *analysis)
{
	hf_vec_foreach (module, &analysis->process->modules) {
		if (module->is_executable)
			return module;
	}
	return NULL;
}

/* One mapping for all: pprof wants one, and takes the program's name from it. */
static void put_mapping(struct hf_writer *to, struct hf_writer *part,
			const struct hf_module *module)
{
	hf_put_field(part, MAPPING_ID, 1);
	if (module) {
		hf_put_field(part, MAPPING_START, module->start);
		hf_put_field(part, MAPPING_LIMIT, module->end);
	}
	hf_put_field(part, MAPPING_FILE, S_FILE);
	hf_put_field(part, MAPPING_BUILD_ID, S_BUILD_ID);
	hf_put_field(part, MAPPING_HAS_FUNCTIONS, 1);
	put_message(to, PROFILE_MAPPING, part);
}

static void put_label(struct hf_writer *to, struct hf_writer *part, struct hf_writer *line,
		      const struct hf_chain_label *label, uint32_t index)
{
	hf_put_field(part, FUNCTION_ID, index + 1);
	hf_put_field(part, FUNCTION_NAME, name_string(index));
	if (label->file)
		hf_put_field(part, FUNCTION_FILE, name_string(index) + 1);
	if (label->line)
		hf_put_field(part, FUNCTION_START_LINE, label->line);
	put_message(to, PROFILE_FUNCTION, part);

	hf_put_field(part, LOCATION_ID, index + 1);
	hf_put_field(part, LOCATION_MAPPING, 1);
	hf_put_field(line, LINE_FUNCTION, index + 1);
	if (label->line)
		hf_put_field(line, LINE_LINE, label->line);
	put_message(part, LOCATION_LINE, line);
	put_message(to, PROFILE_LOCATION, part);
}

static void put_sample(struct hf_writer *to, struct hf_writer *part, const struct hf_chains *chains,
		       const struct hf_chain *chain)
{
	hf_put_field(part, SAMPLE_VALUE, chain->own_objects);
	hf_put_field(part, SAMPLE_VALUE, chain->own_bytes);
	for (; chain->parent != HF_NO_NODE; chain = &chains->chains.data[chain->parent])
		hf_put_field(part, SAMPLE_LOCATION, chain->label + 1);
	put_message(to, PROFILE_SAMPLE, part);
}

static void put_strings(struct hf_writer *to, const struct hf_export *export,
			const struct hf_chains *chains, const struct hf_module *module)
{
	static const char *const fixed[] = {"", "inuse_objects", "count", "inuse_space", "bytes"};
	char id[2 * sizeof(module->build_id) + 1] = "";

	for (unsigned i = 0; i < S_FILE; i++)
		put_string(to, fixed[i]);
	put_string(to, module && module->path ? module->path : hf_export_title(export));
	for (unsigned i = 0; module && i < module->build_id_bytes; i++)
		snprintf(id + 2 * i, 3, "%02x", module->build_id[i]);
	put_string(to, id);
	hf_vec_foreach (label, &chains->labels) {
		put_string(to, label->name);
		put_string(to, label->file);
	}
}

static void put_comments(struct hf_writer *to, const struct hf_export *export, uint64_t next_string)
{
	struct hf_analysis *analysis = export->analysis;
	HF_AUTO(free_ptr) char *from = NULL;

	if (asprintf(&from, "heapforensics %s: live heap of %s; flat is shallow, cum is retained%s",
		     HF_VERSION, hf_export_title(export),
		     hf_diags_partial(analysis->diags) ? "; evidence was missing" : "") < 0)
		from = NULL;
	put_string(to, from);
	hf_put_field(to, PROFILE_COMMENT, next_string++);
	hf_vec_foreach (note, &export->notes) {
		put_string(to, *note);
		hf_put_field(to, PROFILE_COMMENT, next_string++);
	}
}

static void write_profile(struct hf_export *export, const struct hf_chains *chains,
			  struct hf_writer *part, struct hf_writer *line)
{
	struct hf_writer *to = export->to;
	const struct hf_module *module = program(export->analysis);

	put_types(to, part);
	hf_vec_foreach (chain, &chains->chains) {
		if (chain->own_objects)
			put_sample(to, part, chains, chain);
	}
	put_mapping(to, part, module);
	for (uint32_t i = 0; i < chains->labels.count; i++)
		put_label(to, part, line, &chains->labels.data[i], i);
	if (chains->folded)
		hf_export_note(export,
			       "%lu objects stand below one of their own type on the same chain "
			       "(lists, trees): they are counted there",
			       (unsigned long)chains->folded);
	put_strings(to, export, chains, module);
	put_comments(to, export, name_string((uint32_t)chains->labels.count));
}

static struct hf_error *write_pprof(struct hf_export *export)
{
	struct hf_chains chains;
	struct hf_writer part = {0}, line = {0};
	struct hf_error *err =
	    hf_chains_create(export->analysis, export->options.progress, &chains);

	if (err)
		return err;
	err = hf_writer_init(&part, -1);
	if (!err)
		err = hf_writer_init(&line, -1);
	if (!err)
		write_profile(export, &chains, &part, &line);
	if (!err && (part.error || line.error))
		err = hf_error_nomem();
	hf_writer_deinit(&part);
	hf_writer_deinit(&line);
	hf_chains_deinit(&chains);
	return err;
}

const struct hf_export_ops hf_export_pprof = {
    .name = "pprof",
    .opened = "go tool pprof -http=: FILE",
    .write = write_pprof,
};
