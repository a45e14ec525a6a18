/*
 * list.c - reading the rows of a list, and putting them in order (see list.h).
 *
 * Chains are walked without a stack, by first child, next sibling and immediate dominator. How
 * many objects a group has with its chains is counted as far as COUNT_BUDGET steps go; only the
 * order by shallow size needs all of it.
 */
#include "heapwalk/explore/list.h"

#include <stdlib.h>
#include <string.h>

enum { COUNT_BUDGET = 4 << 20 };

static bool is_object(const struct hf_analysis *analysis, uint32_t node)
{
	return node < hf_graph_objects(analysis->graph);
}

/* ---- members --------------------------------------------------------------------------------- */

/* @node or the next of its siblings that is an object of @type; HF_NO_NODE. */
static uint32_t same_type(const struct hf_analysis *analysis, uint32_t node, uint32_t type,
			  uint64_t *steps)
{
	for (; node != HF_NO_NODE; node = hf_graph_next_sibling(analysis->graph, node)) {
		++*steps;
		if (is_object(analysis, node) && hf_typing_of(analysis->typing, node) == type)
			return node;
	}
	return HF_NO_NODE;
}

/* @top and what hangs on it by objects of @type only. False: @fn or the budget said stop. */
static bool each_in_chain(const struct hf_analysis *analysis, uint32_t top, uint32_t type,
			  uint64_t *budget, hf_member_fn *fn, void *ctx)
{
	const struct hf_graph *graph = analysis->graph;
	uint32_t at = top;

	if (!fn(ctx, at))
		return false;
	while (type != HF_NO_TYPE) {
		uint64_t steps = 0;
		if (*budget == 0)
			return hf_graph_first_child(graph, top) == HF_NO_NODE;
		uint32_t next = same_type(analysis, hf_graph_first_child(graph, at), type, &steps);
		while (next == HF_NO_NODE && at != top) {
			next = same_type(analysis, hf_graph_next_sibling(graph, at), type, &steps);
			if (next == HF_NO_NODE)
				at = hf_graph_idom(graph, at);
		}
		*budget -= steps < *budget ? steps : *budget;
		if (next == HF_NO_NODE)
			return true;
		if (!fn(ctx, next))
			return false;
		at = next;
	}
	return true;
}

void hf_subject_each(const struct hf_analysis *analysis, const struct hf_subject *subject,
		     hf_member_fn *fn, void *ctx)
{
	uint64_t budget = UINT64_MAX;

	hf_vec_foreach (top, &subject->tops) {
		if (!each_in_chain(analysis, *top, subject->type, &budget, fn, ctx))
			return;
	}
}

/* ---- names ----------------------------------------------------------------------------------- */

struct hf_error *hf_names_create(const struct hf_analysis *analysis, struct hf_names **ret)
{
	struct hf_names *names = calloc(1, sizeof(*names));

	if (!names)
		return hf_error_nomem();
	names->analysis = analysis;
	names->holders = calloc(hf_graph_holders(analysis->graph) + 1ull, sizeof(*names->holders));
	if (!names->holders) {
		free(names);
		return hf_error_nomem();
	}
	*ret = names;
	return NULL;
}

void hf_names_destroy(struct hf_names *names)
{
	if (!names)
		return;
	for (uint32_t i = 0; i < hf_graph_holders(names->analysis->graph); i++)
		free(names->holders[i]);
	free(names->holders);
	free(names);
}

const char *hf_names_of(struct hf_names *names, uint32_t node)
{
	const struct hf_analysis *analysis = names->analysis;
	uint32_t objects = hf_graph_objects(analysis->graph);

	if (node < objects)
		return hf_typing_type(analysis->typing, hf_typing_of(analysis->typing, node))->name;
	if (node == hf_graph_root(analysis->graph))
		return "all roots";
	char **name = &names->holders[node - objects];
	if (!*name)
		*name = hf_analysis_describe(analysis, node);
	return *name ? *name : "?";
}

/* ---- reading rows ---------------------------------------------------------------------------- */

struct reader {
	struct hf_list *list;
	uint32_t *group_of; /* (type, lost) -> group + 1 */
	uint8_t *type_seen; /* what the filter says of a type: 0 not asked, 1 no, 2 yes */
	uint64_t budget;
	bool failed;
	bool children; /* of each member; else the member itself */
	struct hf_group *counting;
	/* collecting the tops of one group */
	struct hf_nodes *tops;
	uint32_t wanted_type;
	bool wanted_lost;
};

static bool is_lost(const struct hf_analysis *analysis, uint32_t object)
{
	return hf_graph_is_leader(analysis->graph, object);
}

static bool passes(struct reader *reader, uint32_t node)
{
	const struct hf_list *list = reader->list;

	if (!list->filter[0])
		return true;
	if (!is_object(list->analysis, node))
		return strcasestr(hf_names_of(list->names, node), list->filter) != NULL;
	uint8_t *seen = &reader->type_seen[hf_typing_of(list->analysis->typing, node)];
	if (!*seen)
		*seen = strcasestr(hf_names_of(list->names, node), list->filter) ? 2 : 1;
	return *seen == 2;
}

static bool count_member(void *ctx, uint32_t node)
{
	struct reader *reader = ctx;

	reader->counting->members++;
	reader->counting->shallow += hf_extents_chunk_bytes(reader->list->analysis->extents, node);
	return true;
}

static void add_to_group(struct reader *reader, uint32_t node)
{
	struct hf_list *list = reader->list;
	const struct hf_graph *graph = list->analysis->graph;
	bool lost = is_lost(list->analysis, node);
	uint32_t type = hf_typing_of(list->analysis->typing, node);
	uint32_t *slot = &reader->group_of[type * 2ull + lost];

	if (*slot == 0) {
		struct hf_group fresh = {
		    .type = type, .lost = lost, .example = node, .counted = true};
		uint32_t row = HF_ROW_GROUP | (uint32_t)list->groups.count;
		if (!hf_vec_push(&list->groups, fresh) || !hf_vec_push(&list->rows, row)) {
			reader->failed = true;
			return;
		}
		*slot = (uint32_t)list->groups.count;
	}
	struct hf_group *group = &list->groups.data[*slot - 1];
	if (hf_graph_retained(graph, node) > hf_graph_retained(graph, group->example))
		group->example = node;
	group->tops++;
	group->retained += hf_graph_retained(graph, node);
	group->objects += hf_graph_retained_objects(graph, node);
	reader->counting = group;
	if (!each_in_chain(list->analysis, node, type, &reader->budget, count_member, reader))
		group->counted = false;
}

static void add_node(struct reader *reader, uint32_t node)
{
	struct hf_list *list = reader->list;

	if (!passes(reader, node))
		list->hidden++;
	else if (list->grouped && is_object(list->analysis, node))
		add_to_group(reader, node);
	else if (!hf_vec_push(&list->rows, node))
		reader->failed = true;
}

/* The children of a member, but those that are folded into the subject. */
static void each_child(struct reader *reader, uint32_t member,
		       void (*fn)(struct reader *, uint32_t))
{
	const struct hf_analysis *analysis = reader->list->analysis;
	uint32_t type = reader->list->subject.type;

	for (uint32_t child = hf_graph_first_child(analysis->graph, member);
	     child != HF_NO_NODE && !reader->failed;
	     child = hf_graph_next_sibling(analysis->graph, child)) {
		bool folded = type != HF_NO_TYPE && is_object(analysis, child) &&
			      hf_typing_of(analysis->typing, child) == type;
		if (!folded)
			fn(reader, child);
	}
}

static bool read_member(void *ctx, uint32_t member)
{
	struct reader *reader = ctx;
	struct hf_list *list = reader->list;

	if (is_object(list->analysis, member)) {
		list->members++;
		list->own += hf_extents_chunk_bytes(list->analysis->extents, member);
		if (list->kind == HF_LIST_MEMBERS)
			add_node(reader, member);
	}
	if (reader->children)
		each_child(reader, member, add_node);
	return !reader->failed;
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return (x > y) - (x < y);
}

/* Nodes of a row of the graph, each once. */
static struct hf_error *add_edges(struct reader *reader, const uint32_t *ends, uint64_t count)
{
	uint32_t *nodes = calloc(count + 1, sizeof(*nodes));

	if (!nodes)
		return hf_error_nomem();
	for (uint64_t i = 0; i < count; i++)
		nodes[i] = HF_EDGE_NODE(ends[i]);
	qsort(nodes, count, sizeof(*nodes), by_number);
	for (uint64_t i = 0; i < count; i++) {
		if (i == 0 || nodes[i] != nodes[i - 1])
			add_node(reader, nodes[i]);
	}
	free(nodes);
	return NULL;
}

static struct hf_error *read_edges(struct reader *reader)
{
	struct hf_list *list = reader->list;
	struct hf_graph *graph = list->analysis->graph;
	uint32_t node = list->subject.tops.data[0], length = 0, *path = NULL;
	const uint32_t *ends = NULL;
	uint64_t count = 0;
	struct hf_error *err = NULL;

	if (list->kind == HF_LIST_TARGETS) {
		count = hf_graph_out(graph, node, &ends);
		return add_edges(reader, ends, count);
	}
	if (!is_object(list->analysis, node))
		return NULL; /* nobody points at a root */
	if (list->kind == HF_LIST_SOURCES) {
		err = hf_graph_in(graph, node, &ends, &count);
		return err ? err : add_edges(reader, ends, count);
	}
	err = hf_graph_path(graph, node, &path, &length);
	for (uint32_t i = 0; i < length && !err; i++)
		add_node(reader, path[i]);
	free(path);
	return err;
}

static struct hf_error *read_rows(struct hf_list *list)
{
	uint64_t types = hf_typing_types(list->analysis->typing);
	struct reader reader = {
	    .list = list,
	    .budget = list->sort == HF_SORT_SHALLOW ? UINT64_MAX : COUNT_BUDGET,
	    .children = list->kind == HF_LIST_CHILDREN,
	};
	struct hf_error *err = NULL;

	list->rows.count = list->groups.count = 0;
	list->hidden = list->members = list->own = 0;
	reader.group_of = calloc(types * 2 + 1, sizeof(*reader.group_of));
	reader.type_seen = calloc(types + 1, sizeof(*reader.type_seen));
	if (!reader.group_of || !reader.type_seen) {
		err = hf_error_nomem();
	} else {
		hf_subject_each(list->analysis, &list->subject, read_member, &reader);
		if (list->kind >= HF_LIST_SOURCES)
			err = read_edges(&reader);
		if (!err && reader.failed)
			err = hf_error_nomem();
	}
	free(reader.group_of);
	free(reader.type_seen);
	return err;
}

/* ---- figures and order ----------------------------------------------------------------------- */

static const struct hf_group *group_of(const struct hf_list *list, uint32_t row)
{
	return row & HF_ROW_GROUP ? &list->groups.data[row & ~HF_ROW_GROUP] : NULL;
}

uint32_t hf_list_node(const struct hf_list *list, uint32_t row)
{
	const struct hf_group *group = group_of(list, row);
	return group ? group->example : row;
}

uint64_t hf_list_retained(const struct hf_list *list, uint32_t row)
{
	const struct hf_group *group = group_of(list, row);
	return group ? group->retained : hf_graph_retained(list->analysis->graph, row);
}

uint64_t hf_list_shallow(const struct hf_list *list, uint32_t row)
{
	const struct hf_group *group = group_of(list, row);
	if (group)
		return group->shallow;
	return is_object(list->analysis, row) ? hf_extents_chunk_bytes(list->analysis->extents, row)
					      : 0;
}

uint64_t hf_list_objects(const struct hf_list *list, uint32_t row)
{
	const struct hf_group *group = group_of(list, row);
	return group ? group->objects : hf_graph_retained_objects(list->analysis->graph, row);
}

/* Below 0: @a is before @b. The biggest comes first, names ascend. */
static int compare(const struct hf_list *list, uint32_t a, uint32_t b)
{
	uint64_t x, y;

	switch (list->sort) {
	case HF_SORT_ADDRESS:
		x = hf_list_node(list, b), y = hf_list_node(list, a); /* ids are by address */
		break;
	case HF_SORT_NAME:
		return strcasecmp(hf_names_of(list->names, hf_list_node(list, a)),
				  hf_names_of(list->names, hf_list_node(list, b)));
	case HF_SORT_SHALLOW:
		x = hf_list_shallow(list, a), y = hf_list_shallow(list, b);
		break;
	case HF_SORT_COUNT:
		x = hf_list_objects(list, a), y = hf_list_objects(list, b);
		break;
	default:
		x = hf_list_retained(list, a), y = hf_list_retained(list, b);
		break;
	}
	return (x < y) - (x > y);
}

static bool row_before(const void *ctx, uint32_t a, uint32_t b)
{
	const struct hf_list *list = ctx;
	int order = compare(list, a, b);

	return order ? (list->reverse ? order > 0 : order < 0) : a < b;
}

/* ---- lists ----------------------------------------------------------------------------------- */

struct hf_error *hf_list_refresh(struct hf_list *list)
{
	struct hf_error *err = read_rows(list);

	hf_lazy_sort_start(&list->order, list->rows.data, list->rows.count, row_before, list);
	if (list->sort == HF_SORT_ORDER)
		list->order.sorted = list->rows.count;
	return err;
}

struct hf_error *hf_list_open(struct hf_analysis *analysis, struct hf_names *names,
			      enum hf_list_kind kind, struct hf_subject *subject, bool grouped,
			      struct hf_list *ret)
{
	struct hf_error *err = hf_graph_open_tree(analysis->graph);

	*ret = (struct hf_list){
	    .analysis = analysis,
	    .names = names,
	    .kind = kind,
	    .subject = *subject,
	    .grouped = grouped && kind == HF_LIST_CHILDREN,
	    .sort = kind == HF_LIST_PATH ? HF_SORT_ORDER : HF_SORT_RETAINED,
	};
	*subject = (struct hf_subject){0};
	hf_vec_foreach (top, &ret->subject.tops) {
		ret->retained += hf_graph_retained(analysis->graph, *top);
		ret->objects += hf_graph_retained_objects(analysis->graph, *top);
	}
	if (!err)
		err = hf_list_refresh(ret);
	if (err)
		hf_list_deinit(ret);
	return err;
}

void hf_list_deinit(struct hf_list *list)
{
	hf_vec_free(&list->subject.tops);
	hf_vec_free(&list->rows);
	hf_vec_free(&list->groups);
	hf_lazy_sort_deinit(&list->order);
}

struct hf_error *hf_list_row(struct hf_list *list, uint64_t index, uint32_t *ret)
{
	list->order.ctx = list; /* the list may have been moved since */
	if (!hf_lazy_sort_upto(&list->order, index + 1))
		return hf_error_nomem();
	*ret = index < list->rows.count ? list->rows.data[index] : HF_NO_ROW;
	return NULL;
}

struct hf_error *hf_list_find(struct hf_list *list, uint32_t node, bool *ret, uint64_t *ret_index)
{
	uint32_t wanted = HF_NO_ROW;
	size_t place = 0;
	bool sorted = list->sort != HF_SORT_ORDER;

	hf_vec_foreach (row, &list->rows) {
		const struct hf_group *group = group_of(list, *row);
		bool same = group && is_object(list->analysis, node) &&
			    group->type == hf_typing_of(list->analysis->typing, node) &&
			    group->lost == is_lost(list->analysis, node);
		if (*row != node && !same)
			continue;
		wanted = *row;
		place = (size_t)(row - list->rows.data);
	}
	list->order.ctx = list;
	if (wanted != HF_NO_ROW && sorted && !hf_lazy_sort_place(&list->order, wanted, &place))
		return hf_error_nomem();
	*ret = wanted != HF_NO_ROW;
	*ret_index = place;
	return NULL;
}

static void add_top(struct reader *reader, uint32_t node)
{
	const struct hf_analysis *analysis = reader->list->analysis;

	if (is_object(analysis, node) &&
	    hf_typing_of(analysis->typing, node) == reader->wanted_type &&
	    is_lost(analysis, node) == reader->wanted_lost && !hf_vec_push(reader->tops, node))
		reader->failed = true;
}

static bool collect_tops(void *ctx, uint32_t member)
{
	struct reader *reader = ctx;
	each_child(reader, member, add_top);
	return !reader->failed;
}

struct hf_error *hf_list_subject(const struct hf_list *list, uint32_t row, struct hf_subject *ret)
{
	const struct hf_group *group = group_of(list, row);
	struct hf_subject subject = {.type = group ? group->type : HF_NO_TYPE};
	struct reader reader = {.list = (struct hf_list *)list, .tops = &subject.tops};

	if (group) {
		reader.wanted_type = group->type;
		reader.wanted_lost = group->lost;
		hf_subject_each(list->analysis, &list->subject, collect_tops, &reader);
	} else if (!hf_vec_push(&subject.tops, row)) {
		reader.failed = true;
	}
	if (reader.failed) {
		hf_vec_free(&subject.tops);
		return hf_error_nomem();
	}
	*ret = subject;
	return NULL;
}
