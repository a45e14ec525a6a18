/*
 * diff.c - owns a comparison, and orders its parts (see diff.h).
 */
#include <stdlib.h>
#include <string.h>

#include "heapwalk/views/diff_private.h"
#include "heapwalk/views/tree.h"

/*
 * A path is followed while it keeps a thousandth of the heap, or a hundredth of what the heap
 * grew by; never below a hundred-thousandth of the heap, which bounds the lines of a level.
 */
enum { HEAP_PART = 1000, GROWTH_PART = 100, FINEST_PART = 100000, DEFAULT_DEPTH = 40 };

static struct hf_error *check_side(const struct diff_side *side, const char *which)
{
	if (side->analysis->typing)
		return NULL;
	return hf_error_create(HF_ERR_NOT_FOUND,
			       "%s (the %s one): there is no heap in it that could be compared",
			       side->analysis->process->info.core_path, which);
}

static uint64_t least_bytes(const struct hf_diff *diff, const struct hf_view_options *options)
{
	uint64_t before = diff->side[DIFF_BEFORE].totals.inuse_bytes;
	uint64_t after = diff->side[DIFF_AFTER].totals.inuse_bytes;
	uint64_t whole = before > after ? before : after;
	uint64_t part = whole / HEAP_PART;
	uint64_t growth = (before > after ? before - after : after - before) / GROWTH_PART;

	if (options->min_bytes)
		return options->min_bytes;
	if (growth && growth < part)
		part = growth;
	if (part < whole / FINEST_PART)
		part = whole / FINEST_PART;
	return part ? part : 1;
}

static struct hf_error *compare(struct hf_diff *diff, const struct hf_view_options *options)
{
	struct diff_tree_options tree = {
	    .depth = options->depth > DEFAULT_DEPTH ? options->depth : DEFAULT_DEPTH,
	    .min_bytes = least_bytes(diff, options),
	};
	struct hf_error *err = diff_labels_init(&diff->labels);

	if (!err && diff_label(&diff->labels, DIFF_LABEL_LOST, "lost") == DIFF_NONE)
		err = hf_error_nomem();
	for (unsigned when = 0; when < DIFF_SIDES && !err; when++) {
		err = diff_label_side(&diff->labels, &diff->side[when]);
		if (!err)
			err = diff_find_owners(&diff->side[when]);
	}
	if (!err)
		err = diff_build_tree(&diff->labels, diff->side, &tree, &diff->tree);
	for (unsigned when = 0; when < DIFF_SIDES; when++) {
		free(diff->side[when].owner);
		diff->side[when].owner = NULL;
	}
	if (!err)
		err = diff_find_types(diff);
	if (err)
		return err;
	diff_count_classes(diff);
	diff_match_objects(diff);
	diff_sort_types(diff);
	return NULL;
}

struct hf_error *hf_diff_create(struct hf_analysis *before, struct hf_analysis *after,
				const struct hf_view_options *options, struct hf_diff **ret)
{
	struct hf_diff *diff = calloc(1, sizeof(*diff));
	struct hf_error *err;

	if (!diff)
		return hf_error_nomem();
	diff->side[DIFF_BEFORE].analysis = before;
	diff->side[DIFF_AFTER].analysis = after;
	err = check_side(&diff->side[DIFF_BEFORE], "old");
	if (!err)
		err = check_side(&diff->side[DIFF_AFTER], "new");
	if (!err) {
		hf_heap_totals(before, &diff->side[DIFF_BEFORE].totals);
		hf_heap_totals(after, &diff->side[DIFF_AFTER].totals);
		err = compare(diff, options);
	}
	if (err) {
		hf_diff_destroy(diff);
		return err;
	}
	*ret = diff;
	return NULL;
}

void hf_diff_destroy(struct hf_diff *diff)
{
	if (!diff)
		return;
	for (unsigned when = 0; when < DIFF_SIDES; when++) {
		free(diff->side[when].path_label);
		free(diff->side[when].type_row);
		free(diff->side[when].holder_label);
		free(diff->side[when].owner);
	}
	diff_labels_deinit(&diff->labels);
	free(diff->tree.data);
	free(diff->types.data);
	free(diff);
}

void hf_diff_totals(const struct hf_diff *diff, struct hf_diff_growth *ret_bytes,
		    struct hf_diff_growth *ret_objects)
{
	const struct hf_heap_totals *before = &diff->side[DIFF_BEFORE].totals;
	const struct hf_heap_totals *after = &diff->side[DIFF_AFTER].totals;

	*ret_bytes = (struct hf_diff_growth){before->inuse_bytes, after->inuse_bytes};
	*ret_objects = (struct hf_diff_growth){before->objects, after->objects};
}

struct hf_error *hf_diff_growth_of(const struct hf_diff *diff, const char *name,
				   struct hf_diff_growth *ret)
{
	struct hf_diff_growth growth = {0, 0};
	bool found = false;

	hf_vec_foreach (type, &diff->types) {
		if (strcmp(type->name, name))
			continue;
		*ret = (struct hf_diff_growth){type->side[DIFF_BEFORE].bytes,
					       type->side[DIFF_AFTER].bytes};
		return NULL;
	}
	hf_vec_foreach (node, &diff->tree) {
		if (node->depth || node->label == DIFF_NONE)
			continue;
		const struct diff_label *label = &diff->labels.list.data[node->label];
		if (label->kind == DIFF_LABEL_TYPE ||
		    (strcmp(label->name, name) && (!label->root || strcmp(label->root, name))))
			continue;
		growth.before += node->side[DIFF_BEFORE].retained;
		growth.after += node->side[DIFF_AFTER].retained;
		found = true;
	}
	if (!found && strcmp(name, "lost")) /* nothing may be lost, before and after */
		return hf_error_create(HF_ERR_NOT_FOUND,
				       "no type and no holder is called \"%s\", before or after",
				       name);
	*ret = growth;
	return NULL;
}
