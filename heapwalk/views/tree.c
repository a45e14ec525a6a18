/*
 * tree.c - grouping the dominator tree (see tree.h).
 *
 * Expanding a group goes over its members' children once: those of its own type are members as
 * well, whose children come in their turn; the others are sorted into groups by type. Every graph
 * node is in at most one group, so a whole tree costs one pass. The recursion is over levels of the
 * answer, bounded by options.depth, never over the target's data.
 *
 * The groups below one node have no node in common. At the first level that has several to show,
 * each is for another processor, with a tree of its own; these are joined in the order of groups.
 */
#include "heapwalk/views/tree.h"

#include <stdlib.h>

#include "core/base/parallel.h"

enum { AHEAD = 16 }; /* so many members earlier memory is asked for */

HF_VEC(members, uint32_t);

struct group {
	uint64_t key; /* type of objects; a holder is a group of its own */
	struct members members;
	uint32_t example;
	uint64_t retained, shallow, objects;
};

HF_VEC(groups, struct group);

struct builder {
	struct hf_analysis *analysis;
	const struct hf_graph *graph;
	const struct hf_tree_options *options;
	struct hf_tree *tree;
	uint32_t *group_of_type; /* type -> group + 1 while children are sorted */
	unsigned threads;	 /* 1: it is one's own already */
	bool failed;
};

static uint32_t type_of(const struct builder *builder, uint32_t node)
{
	return hf_typing_of(builder->analysis->typing, node);
}

static bool is_object(const struct builder *builder, uint32_t node)
{
	return node < hf_graph_objects(builder->graph);
}

static void add_member(struct builder *builder, struct groups *groups, uint32_t node)
{
	bool grouped = is_object(builder, node) && !builder->options->single;
	uint32_t *slot = grouped ? &builder->group_of_type[type_of(builder, node)] : NULL;

	if (!slot || *slot == 0) {
		struct group group = {.key = grouped ? type_of(builder, node) : UINT64_MAX,
				      .example = node};
		if (!hf_vec_push(groups, group)) {
			builder->failed = true;
			return;
		}
		if (slot)
			*slot = (uint32_t)groups->count;
	}
	struct group *group = &groups->data[slot ? *slot - 1 : groups->count - 1];
	uint64_t retained = hf_graph_retained(builder->graph, node);
	if (!hf_vec_push(&group->members, node))
		builder->failed = true;
	if (retained > hf_graph_retained(builder->graph, group->example))
		group->example = node;
	group->retained += retained;
	group->objects += hf_graph_retained_objects(builder->graph, node);
}

static bool left_out(const struct builder *builder, uint32_t above, uint32_t node)
{
	if (builder->options->lost == HF_TREE_WITH_LOST || above != hf_graph_root(builder->graph))
		return false;
	/* Leaders, and what several leaders share. */
	bool lost =
	    is_object(builder, node) && hf_graph_leak_kind(builder->graph, node) > HF_POSSIBLE;
	return lost == (builder->options->lost == HF_TREE_WITHOUT_LOST);
}

static void fetch_node(const struct builder *builder, uint32_t node)
{
	if (node >= hf_graph_objects(builder->graph))
		return;
	hf_graph_prefetch_node(builder->graph, node);
	hf_typing_prefetch(builder->analysis->typing, node);
}

/* First where the children are, later what the first of them is, and then the second. */
static void fetch_children(const struct builder *builder, const struct members *members, size_t at)
{
	const struct hf_graph *graph = builder->graph;

	if (at + 3 * AHEAD < members->count) {
		uint32_t later = members->data[at + 3 * AHEAD];
		hf_graph_prefetch_child(graph, later);
		if (later < hf_graph_objects(graph))
			hf_extents_prefetch_size(builder->analysis->extents, later);
	}
	if (at + 2 * AHEAD < members->count)
		fetch_node(builder, hf_graph_first_child(graph, members->data[at + 2 * AHEAD]));
	if (at + AHEAD < members->count) {
		uint32_t child = hf_graph_first_child(graph, members->data[at + AHEAD]);
		if (child != HF_NO_NODE)
			fetch_node(builder, hf_graph_next_sibling(graph, child));
	}
}

/*
 * The children of @group's members: of its own type they become members, too; the others go to
 * @ret, if the group may be opened.
 */
static void sort_children(struct builder *builder, struct group *group, bool opened,
			  struct groups *ret)
{
	bool fold = group->key != UINT64_MAX;

	for (size_t i = 0; i < group->members.count && !builder->failed; i++) {
		uint32_t member = group->members.data[i];
		fetch_children(builder, &group->members, i);
		if (is_object(builder, member))
			group->shallow +=
			    hf_extents_chunk_bytes(builder->analysis->extents, member);
		if (!fold && !opened)
			continue;
		for (uint32_t child = hf_graph_first_child(builder->graph, member);
		     child != HF_NO_NODE && !builder->failed;
		     child = hf_graph_next_sibling(builder->graph, child)) {
			if (fold && type_of(builder, child) == group->key)
				builder->failed = !hf_vec_push(&group->members, child);
			else if (opened && !left_out(builder, member, child))
				add_member(builder, ret, child);
		}
	}
	hf_vec_foreach (made, ret) {
		if (made->key != UINT64_MAX)
			builder->group_of_type[made->key] = 0;
	}
}

static int by_retained(const void *a, const void *b)
{
	const struct group *x = a, *y = b;
	if (x->retained != y->retained)
		return x->retained > y->retained ? -1 : 1;
	return (x->example > y->example) - (x->example < y->example);
}

static void emit(struct builder *builder, const struct group *group, uint32_t depth)
{
	struct hf_tree_node node = {.example = group->example,
				    .depth = depth,
				    .count = group->members.count,
				    .retained_bytes = group->retained,
				    .shallow_bytes = group->shallow,
				    .objects = group->objects};
	if (!hf_vec_push(builder->tree, node))
		builder->failed = true;
}

static void emit_rest(struct builder *builder, const struct groups *groups, size_t from,
		      uint32_t depth)
{
	struct hf_tree_node rest = {.example = HF_NO_NODE, .depth = depth};
	for (size_t i = from; i < groups->count; i++) {
		rest.count += groups->data[i].members.count;
		rest.retained_bytes += groups->data[i].retained;
		rest.objects += groups->data[i].objects;
	}
	if (rest.retained_bytes && !hf_vec_push(builder->tree, rest))
		builder->failed = true;
}

static void expand(struct builder *builder, struct group *group, uint32_t depth);

/* Groups that are shown below one node, each for a builder of its own. */
struct branches {
	const struct builder *above;
	struct group *groups;
	struct hf_tree *trees;
	uint32_t depth;
	bool failed;
};

static void expand_branch(void *ctx, uint64_t branch, unsigned worker)
{
	struct branches *branches = ctx;
	struct builder builder = *branches->above;
	(void)worker;

	builder.tree = &branches->trees[branch];
	builder.threads = 1;
	builder.group_of_type =
	    calloc(hf_typing_types(builder.analysis->typing) + 1, sizeof(*builder.group_of_type));
	if (!builder.group_of_type)
		builder.failed = true;
	else
		expand(&builder, &branches->groups[branch], branches->depth);
	free(builder.group_of_type);
	if (builder.failed)
		__atomic_store_n(&branches->failed, true, __ATOMIC_RELAXED);
}

static void expand_branches(struct builder *builder, struct group *groups, size_t count,
			    uint32_t depth)
{
	struct branches branches = {.above = builder,
				    .groups = groups,
				    .trees = calloc(count, sizeof(*branches.trees)),
				    .depth = depth};

	if (!branches.trees) {
		builder->failed = true;
		return;
	}
	hf_parallel_for(builder->threads, count, expand_branch, &branches);
	builder->failed = branches.failed;
	for (size_t i = 0; i < count; i++) {
		hf_vec_foreach (node, &branches.trees[i]) {
			if (!builder->failed && !hf_vec_push(builder->tree, *node))
				builder->failed = true;
		}
		hf_vec_free(&branches.trees[i]);
	}
	free(branches.trees);
}

/* How many of @groups, which are sorted, are shown. */
static size_t count_shown(const struct builder *builder, const struct groups *groups,
			  uint32_t depth)
{
	const struct hf_tree_options *options = builder->options;
	uint64_t top = depth && options->top_below ? options->top_below : options->top;
	size_t shown = 0;

	while (shown < groups->count && (!top || shown < top) &&
	       groups->data[shown].retained != 0 &&
	       groups->data[shown].retained >= options->min_bytes)
		shown++;
	return shown;
}

static void expand(struct builder *builder, struct group *group, uint32_t depth)
{
	const struct hf_tree_options *options = builder->options;
	struct groups groups = {0};
	bool opened = depth < options->depth && depth < HF_TREE_MAX_DEPTH &&
		      group->retained >= options->min_bytes;

	sort_children(builder, group, opened, &groups);
	emit(builder, group, depth);
	if (opened && group->retained > group->shallow && !builder->failed) {
		if (groups.count > 1)
			qsort(groups.data, groups.count, sizeof(*groups.data), by_retained);
		size_t shown = count_shown(builder, &groups, depth);
		if (shown > 1 && builder->threads > 1)
			expand_branches(builder, groups.data, shown, depth + 1);
		else
			for (size_t i = 0; i < shown && !builder->failed; i++)
				expand(builder, &groups.data[i], depth + 1);
		emit_rest(builder, &groups, shown, depth + 1);
	}
	hf_vec_foreach (child, &groups)
		free(child->members.data);
	free(groups.data);
}

struct hf_error *hf_tree_build(struct hf_analysis *analysis, uint32_t start,
			       const struct hf_tree_options *options, struct hf_tree *ret)
{
	struct builder builder = {.analysis = analysis,
				  .graph = analysis->graph,
				  .options = options,
				  .tree = ret,
				  .threads = analysis->threads};
	struct group group = {.key = UINT64_MAX, .example = start};
	struct hf_error *err = hf_graph_open_tree(analysis->graph);

	if (err)
		return err;
	group.objects = hf_graph_retained_objects(analysis->graph, start);
	builder.group_of_type =
	    calloc(hf_typing_types(analysis->typing) + 1, sizeof(*builder.group_of_type));
	group.retained = hf_graph_retained(analysis->graph, start);
	if (!builder.group_of_type || !hf_vec_push(&group.members, start))
		builder.failed = true;
	else
		expand(&builder, &group, 0);
	free(group.members.data);
	free(builder.group_of_type);
	return builder.failed ? hf_error_nomem() : NULL;
}
