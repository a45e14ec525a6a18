/*
 * export_stacks.c - the aggregated dominator chains (views/chains.h) as stacks: for speedscope,
 * and "folded" for flamegraph.pl, inferno and the like.
 *
 * speedscope (https://www.speedscope.app/file-format-schema.json): two sampled profiles, of
 * bytes and of objects; a stack a link, its weight what the link's own objects take.
 * folded: `root;...;leaf BYTES` a line. `;` separates, so in a name it becomes `:`.
 */
#include <stdlib.h>
#include <string.h>

#include "core/base/cleanup.h"
#include "heapwalk/output/escape.h"
#include "heapwalk/output/export.h"
#include "heapwalk/views/chains.h"

HF_VEC(stack, uint32_t);

/* Labels from the root to @chain. */
static bool unwind(const struct hf_chains *chains, const struct hf_chain *chain, struct stack *ret)
{
	if (!hf_vec_reserve(ret, chain->depth + 1u))
		return false;
	ret->count = chain->depth;
	for (size_t at = ret->count; at-- > 0; chain = &chains->chains.data[chain->parent])
		ret->data[at] = chain->label;
	return true;
}

static void tell_folds(struct hf_export *export, const struct hf_chains *chains)
{
	if (chains->folded)
		hf_export_note(export,
			       "%lu objects stand below one of their own type on the same chain "
			       "(lists, trees): they are counted there",
			       (unsigned long)chains->folded);
}

/* ---- speedscope ------------------------------------------------------------------------------ */

static void put_frames(struct hf_writer *to, const struct hf_chains *chains)
{
	const char *comma = "";

	hf_put_text(to, "\"shared\":{\"frames\":[");
	hf_vec_foreach (label, &chains->labels) {
		hf_put_text(to, comma);
		hf_put_text(to, "{\"name\":");
		hf_put_json(to, label->name);
		if (label->file) {
			hf_put_text(to, ",\"file\":");
			hf_put_json(to, label->file);
		}
		if (label->line) {
			hf_put_text(to, ",\"line\":");
			hf_put_number(to, label->line);
		}
		hf_put_text(to, "}");
		comma = ",\n";
	}
	hf_put_text(to, "]}");
}

static bool put_profile(struct hf_writer *to, const struct hf_chains *chains, bool bytes)
{
	const struct hf_chain *all = &chains->chains.data[0];
	struct stack stack = {0};
	const char *comma = "";
	bool fine = true;

	hf_put_format(to,
		      "{\"type\":\"sampled\",\"name\":\"%s\",\"unit\":\"%s\",\"startValue\":0,"
		      "\"endValue\":%lu,\n\"samples\":[",
		      bytes ? "bytes of the heap in use" : "objects", bytes ? "bytes" : "none",
		      (unsigned long)(bytes ? all->total_bytes : all->total_objects));
	hf_vec_foreach (chain, &chains->chains) {
		if (!chain->own_objects)
			continue;
		if (!unwind(chains, chain, &stack)) {
			fine = false;
			break;
		}
		hf_put_text(to, comma);
		for (size_t i = 0; i < stack.count; i++) {
			hf_put_byte(to, i ? ',' : '[');
			hf_put_number(to, stack.data[i]);
		}
		hf_put_byte(to, ']');
		comma = ",\n";
	}
	hf_put_text(to, "],\n\"weights\":[");
	comma = "";
	hf_vec_foreach (chain, &chains->chains) {
		if (!chain->own_objects)
			continue;
		hf_put_text(to, comma);
		hf_put_number(to, bytes ? chain->own_bytes : chain->own_objects);
		comma = ",";
	}
	hf_put_text(to, "]}");
	hf_vec_free(&stack);
	return fine;
}

static struct hf_error *write_speedscope(struct hf_export *export)
{
	struct hf_writer *to = export->to;
	struct hf_chains chains;
	struct hf_error *err =
	    hf_chains_create(export->analysis, export->options.progress, &chains);

	if (err)
		return err;
	hf_put_text(to, "{\"$schema\":\"https://www.speedscope.app/file-format-schema.json\",\n"
			"\"exporter\":\"heapforensics " HF_VERSION "\",\"name\":");
	hf_put_json(to, hf_export_title(export));
	hf_put_text(to, ",\"activeProfileIndex\":0,\n");
	put_frames(to, &chains);
	hf_put_text(to, ",\n\"profiles\":[");
	bool fine = put_profile(to, &chains, true);
	hf_put_text(to, ",\n");
	fine = fine && put_profile(to, &chains, false);
	hf_put_text(to, "]}\n");
	tell_folds(export, &chains);
	hf_chains_deinit(&chains);
	return fine ? NULL : hf_error_nomem();
}

/* ---- folded ---------------------------------------------------------------------------------- */

static char *folded_name(const char *name, uint64_t *changed)
{
	char *escaped = hf_escape(name);
	bool found = false;

	for (char *at = escaped; at && *at; at++) {
		if (*at == ';') {
			*at = ':';
			found = true;
		}
	}
	*changed += found;
	return escaped;
}

static struct hf_error *write_lines(struct hf_export *export, const struct hf_chains *chains,
				    char **names)
{
	struct stack stack = {0};
	bool fine = true;

	hf_vec_foreach (chain, &chains->chains) {
		if (!chain->own_bytes)
			continue;
		fine = fine && unwind(chains, chain, &stack);
		if (!fine)
			break;
		for (size_t i = 0; i < stack.count; i++) {
			if (i)
				hf_put_byte(export->to, ';');
			hf_put_text(export->to, names[stack.data[i]]);
		}
		hf_put_byte(export->to, ' ');
		hf_put_number(export->to, chain->own_bytes);
		hf_put_byte(export->to, '\n');
	}
	hf_vec_free(&stack);
	return fine ? NULL : hf_error_nomem();
}

static struct hf_error *write_folded(struct hf_export *export)
{
	struct hf_chains chains;
	uint64_t changed = 0;
	struct hf_error *err =
	    hf_chains_create(export->analysis, export->options.progress, &chains);

	if (err)
		return err;
	char **names = calloc(chains.labels.count + 1, sizeof(*names));
	err = names ? NULL : hf_error_nomem();
	for (size_t i = 0; i < chains.labels.count && !err; i++) {
		names[i] = folded_name(chains.labels.data[i].name, &changed);
		err = names[i] ? NULL : hf_error_nomem();
	}
	if (!err)
		err = write_lines(export, &chains, names);
	if (changed)
		hf_export_note(export, "%lu names have a ';', which separates here: it became ':'",
			       (unsigned long)changed);
	tell_folds(export, &chains);
	for (size_t i = 0; names && i < chains.labels.count; i++)
		free(names[i]);
	free(names);
	hf_chains_deinit(&chains);
	return err;
}

const struct hf_export_ops hf_export_speedscope = {
    .name = "speedscope",
    .opened = "https://www.speedscope.app, or npx speedscope FILE",
    .write = write_speedscope,
};

const struct hf_export_ops hf_export_folded = {
    .name = "folded",
    .opened = "flamegraph.pl --countname=bytes FILE",
    .write = write_folded,
};
