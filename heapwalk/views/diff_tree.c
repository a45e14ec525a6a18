/*
 * diff_tree.c - two dominator trees walked in step (see diff.h, and tree.h for groups).
 *
 * A group is a path of labels with its members on both sides. Opening one sorts the members'
 * children of both sides into groups by label; a chain of one label is folded into its group.
 * Every node is a member of at most one group, so a whole tree costs one pass over each side,
 * and groups that are too small to matter are never opened.
 *
 * Below the super root stand the holders by label, each with the shared objects that belong to it
 * (diff_owners.c); what no root reaches is below "lost".
 *
 * The recursion is over levels of the answer, bounded by options.depth, never over the target's
 * data.
 */
#include <stdlib.h>

#include "heapwalk/views/diff_private.h"
#include "heapwalk/views/tree.h"

HF_VEC(members, uint32_t);

struct group {
	uint32_t label;
	struct members members[DIFF_SIDES];
	struct diff_sum sum[DIFF_SIDES];
};

HF_VEC(groups, struct group);

struct builder {
	const struct diff_labels *labels;
	const struct diff_side *sides;
	const struct diff_tree_options *options;
	struct diff_tree *tree;
	uint32_t *group_of_label; /* label -> group + 1 while children are sorted */
	uint32_t lost;		  /* the label of what no root reaches */
	bool failed;
};

static uint32_t label_of(const struct diff_side *side, uint32_t object)
{
	return side->path_label[hf_typing_of(side->analysis->typing, object)];
}

static void add_member(struct builder *builder, struct groups *groups, enum diff_when when,
		       uint32_t label, uint32_t node)
{
	const struct hf_graph *graph = builder->sides[when].analysis->graph;
	uint32_t *slot = &builder->group_of_label[label];

	if (*slot == 0) {
		struct group group = {.label = label};
		group.sum[DIFF_BEFORE].example = group.sum[DIFF_AFTER].example = HF_NO_NODE;
		if (!hf_vec_push(groups, group)) {
			builder->failed = true;
			return;
		}
		*slot = (uint32_t)groups->count;
	}
	struct group *group = &groups->data[*slot - 1];
	struct diff_sum *sum = &group->sum[when];
	uint64_t retained = hf_graph_retained(graph, node);
	if (!hf_vec_push(&group->members[when], node))
		builder->failed = true;
	if (sum->example == HF_NO_NODE || retained > hf_graph_retained(graph, sum->example))
		sum->example = node;
	sum->retained += retained;
	sum->objects += hf_graph_retained_objects(graph, node);
	sum->count++;
}

/* Where a child of the super root belongs. */
static uint32_t label_of_top(const struct builder *builder, const struct diff_side *side,
			     uint32_t node)
{
	uint32_t first = hf_graph_objects(side->analysis->graph);

	if (!diff_is_object(side, node))
		return side->holder_label[node - first];
	if (side->owner[node] != DIFF_NONE)
		return side->holder_label[side->owner[node] - first];
	if (hf_graph_leak_kind(side->analysis->graph, node) == HF_DEFINITE)
		return builder->lost;
	return label_of(side, node); /* malloc's own */
}

static void sort_tops(struct builder *builder, struct groups *ret)
{
	for (unsigned when = 0; when < DIFF_SIDES; when++) {
		const struct diff_side *side = &builder->sides[when];
		const struct hf_graph *graph = side->analysis->graph;
		for (uint32_t node = hf_graph_first_child(graph, hf_graph_root(graph));
		     node != HF_NO_NODE && !builder->failed;
		     node = hf_graph_next_sibling(graph, node))
			add_member(builder, ret, when, label_of_top(builder, side, node), node);
	}
}

/* Children of one member: an object below a holder's or the lost's label is its own child. */
static void sort_member(struct builder *builder, const struct group *from, enum diff_when when,
			uint32_t member, struct groups *ret)
{
	const struct diff_side *side = &builder->sides[when];
	const struct hf_graph *graph = side->analysis->graph;
	bool typed = builder->labels->list.data[from->label].kind == DIFF_LABEL_TYPE;

	if (!typed && diff_is_object(side, member)) {
		add_member(builder, ret, when, label_of(side, member), member);
		return;
	}
	for (uint32_t child = hf_graph_first_child(graph, member);
	     child != HF_NO_NODE && !builder->failed; child = hf_graph_next_sibling(graph, child)) {
		uint32_t label = label_of(side, child);
		if (label != from->label)
			add_member(builder, ret, when, label, child);
	}
}

static void sort_children(struct builder *builder, const struct group *from, struct groups *ret)
{
	for (unsigned when = 0; when < DIFF_SIDES; when++) {
		hf_vec_foreach (member, &from->members[when])
			sort_member(builder, from, when, *member, ret);
	}
}

static void forget_slots(struct builder *builder, const struct groups *groups)
{
	hf_vec_foreach (group, groups)
		builder->group_of_label[group->label] = 0;
}

/* Take in descendants of the same label that hang on members directly. */
static void fold_chains(struct builder *builder, struct group *group)
{
	if (builder->labels->list.data[group->label].kind != DIFF_LABEL_TYPE)
		return;
	for (unsigned when = 0; when < DIFF_SIDES; when++) {
		const struct diff_side *side = &builder->sides[when];
		const struct hf_graph *graph = side->analysis->graph;
		struct members *members = &group->members[when];
		for (size_t i = 0; i < members->count && !builder->failed; i++) {
			for (uint32_t child = hf_graph_first_child(graph, members->data[i]);
			     child != HF_NO_NODE; child = hf_graph_next_sibling(graph, child)) {
				if (label_of(side, child) == group->label &&
				    !hf_vec_push(members, child))
					builder->failed = true;
			}
		}
		group->sum[when].count = members->count;
	}
}

static int64_t growth(const struct group *group)
{
	return (int64_t)(group->sum[DIFF_AFTER].retained - group->sum[DIFF_BEFORE].retained);
}

static uint64_t biggest(const struct group *group)
{
	uint64_t before = group->sum[DIFF_BEFORE].retained, after = group->sum[DIFF_AFTER].retained;
	return before > after ? before : after;
}

static int by_growth(const void *a, const void *b)
{
	const struct group *x = a, *y = b;
	if (growth(x) != growth(y))
		return growth(x) > growth(y) ? -1 : 1;
	if (biggest(x) != biggest(y))
		return biggest(x) > biggest(y) ? -1 : 1;
	return (x->label > y->label) - (x->label < y->label);
}

static void emit(struct builder *builder, const struct group *group, uint32_t depth)
{
	struct diff_node node = {
	    group->label, depth, {group->sum[DIFF_BEFORE], group->sum[DIFF_AFTER]}};
	if (!hf_vec_push(builder->tree, node))
		builder->failed = true;
}

static void add_rest(struct diff_node *rest, const struct group *group)
{
	for (unsigned when = 0; when < DIFF_SIDES; when++) {
		rest->side[when].count += group->sum[when].count;
		rest->side[when].retained += group->sum[when].retained;
		rest->side[when].objects += group->sum[when].objects;
	}
}

static void expand(struct builder *builder, struct group *group, uint32_t depth);

static void expand_all(struct builder *builder, struct groups *groups, uint32_t depth)
{
	struct diff_node rest = {.label = DIFF_NONE, .depth = depth};
	uint64_t min = builder->options->min_bytes;

	rest.side[DIFF_BEFORE].example = rest.side[DIFF_AFTER].example = HF_NO_NODE;
	if (groups->count > 1)
		qsort(groups->data, groups->count, sizeof(*groups->data), by_growth);
	hf_vec_foreach (group, groups) {
		if (builder->failed)
			break;
		if (depth == 0 || biggest(group) >= min)
			expand(builder, group, depth);
		else
			add_rest(&rest, group);
	}
	if ((rest.side[DIFF_BEFORE].count || rest.side[DIFF_AFTER].count) &&
	    !hf_vec_push(builder->tree, rest))
		builder->failed = true;
	hf_vec_foreach (group, groups) {
		free(group->members[DIFF_BEFORE].data);
		free(group->members[DIFF_AFTER].data);
	}
	free(groups->data);
}

static void expand(struct builder *builder, struct group *group, uint32_t depth)
{
	const struct diff_tree_options *options = builder->options;
	struct groups groups = {0};

	fold_chains(builder, group);
	emit(builder, group, depth);
	if (builder->failed || depth >= options->depth || depth >= HF_TREE_MAX_DEPTH ||
	    biggest(group) < options->min_bytes)
		return;
	sort_children(builder, group, &groups);
	forget_slots(builder, &groups);
	expand_all(builder, &groups, depth + 1);
}

struct hf_error *diff_build_tree(const struct diff_labels *labels, const struct diff_side *sides,
				 const struct diff_tree_options *options, struct diff_tree *ret)
{
	struct builder builder = {
	    .labels = labels, .sides = sides, .options = options, .tree = ret};
	struct groups groups = {0};

	for (unsigned when = 0; when < DIFF_SIDES; when++) {
		struct hf_error *err = hf_graph_open_tree(sides[when].analysis->graph);
		if (err)
			return err;
	}
	builder.group_of_label = calloc(labels->list.count + 1, sizeof(*builder.group_of_label));
	if (!builder.group_of_label)
		return hf_error_nomem();
	builder.lost = DIFF_NONE;
	for (uint32_t i = 0; i < labels->list.count; i++) {
		if (labels->list.data[i].kind == DIFF_LABEL_LOST)
			builder.lost = i;
	}
	sort_tops(&builder, &groups);
	forget_slots(&builder, &groups);
	expand_all(&builder, &groups, 0);
	free(builder.group_of_label);
	return builder.failed ? hf_error_nomem() : NULL;
}
