/*
 * line.c - the text of a row (see line.h).
 *
 * What was made is kept in a table of SLOTS lines, a line in the slot of its list and row; another
 * line in the same slot takes its place.
 */
#include "heapwalk/explore/line.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/cleanup.h"
#include "heapwalk/output/escape.h"
#include "heapwalk/views/human.h"
#include "heapwalk/views/sections.h"

enum { SLOTS = 1024, MAX_FIELD = 512 };

struct slot {
	uint32_t serial, row; /* serial 0: free */
	char *name, *pointer, *note;
};

struct hf_lines {
	struct hf_analysis *analysis;
	struct hf_names *names;
	struct slot slots[SLOTS];
};

struct hf_error *hf_lines_create(struct hf_analysis *analysis, struct hf_names *names,
				 struct hf_lines **ret)
{
	struct hf_lines *lines = calloc(1, sizeof(*lines));

	if (!lines)
		return hf_error_nomem();
	lines->analysis = analysis;
	lines->names = names;
	*ret = lines;
	return NULL;
}

static void slot_empty(struct slot *slot)
{
	free(slot->name);
	free(slot->pointer);
	free(slot->note);
	*slot = (struct slot){0};
}

void hf_lines_destroy(struct hf_lines *lines)
{
	if (!lines)
		return;
	for (uint32_t i = 0; i < SLOTS; i++)
		slot_empty(&lines->slots[i]);
	free(lines);
}

static bool is_object(const struct hf_lines *lines, uint32_t node)
{
	return node < hf_graph_objects(lines->analysis->graph);
}

static const struct hf_group *group_of(const struct hf_list *list, uint32_t row)
{
	return row & HF_ROW_GROUP ? &list->groups.data[row & ~HF_ROW_GROUP] : NULL;
}

/* Replace *@text by its escaped form; consumes it. */
static char *escaped(char *text)
{
	char *safe = text ? hf_escape(text) : NULL;
	free(text);
	return safe;
}

static char *make_name(const struct hf_lines *lines, const struct hf_list *list, uint32_t row)
{
	const struct hf_group *group = group_of(list, row);
	char count[HF_HUMAN_BYTES], *text = NULL;

	if (!group || (group->members == 1 && group->counted))
		return escaped(hf_analysis_describe(lines->analysis, hf_list_node(list, row)));
	if (asprintf(&text, "%s  x %s%s", hf_names_of(lines->names, group->example),
		     hf_human_count(group->members, count), group->counted ? "" : "+") < 0)
		return NULL;
	return escaped(text);
}

/* ---- notes ----------------------------------------------------------------------------------- */

struct pointer {
	uint32_t target;
	struct hf_edge edge;
	bool found;
};

/* A start pointer before an interior one. */
static bool each_pointer(void *ctx, const struct hf_edge *edge)
{
	struct pointer *pointer = ctx;

	if (edge->target != pointer->target)
		return true;
	if (!pointer->found || !edge->interior)
		pointer->edge = *edge;
	pointer->found = true;
	return pointer->edge.interior;
}

static uint64_t address_of(const struct hf_lines *lines, uint32_t node)
{
	const struct hf_analysis *analysis = lines->analysis;

	if (is_object(lines, node))
		return hf_extents_address(analysis->extents, node);
	return analysis->roots.holders.data[hf_graph_holder_index(analysis->graph, node)].address;
}

/* Where @source's word is that points at @target, its field if that is known, and where into the
 * target it points: "next (+16) -> +8". */
static char *note_of_pointer(const struct hf_lines *lines, uint32_t source, uint32_t target)
{
	struct pointer pointer = {.target = target};
	char into[32] = "", field[MAX_FIELD], *text = NULL;

	if (source == hf_graph_root(lines->analysis->graph) || !is_object(lines, target))
		return NULL;
	hf_graph_each_edge(lines->analysis->graph, source, each_pointer, &pointer);
	if (!pointer.found)
		return NULL;
	uint64_t base = address_of(lines, source), at = pointer.edge.source_address;
	uint64_t offset = pointer.edge.value - address_of(lines, target);
	if (offset)
		snprintf(into, sizeof(into), " -> +%" PRIu64, offset);
	int length;
	if (!at || !base)
		length = asprintf(&text, "register%s", into);
	else if (hf_analysis_field(lines->analysis, &pointer.edge, field, sizeof(field)))
		length = asprintf(&text, "%s (+%" PRIu64 ")%s", field, at - base, into);
	else
		length = asprintf(&text, "at +%" PRIu64 "%s", at - base, into);
	return length < 0 ? NULL : escaped(text);
}

/* The node after @node on the path. */
static uint32_t next_on_path(const struct hf_list *list, uint32_t node)
{
	for (size_t i = 0; i + 1 < list->rows.count; i++) {
		if (list->rows.data[i] == node)
			return list->rows.data[i + 1];
	}
	return HF_NO_NODE;
}

/* Why an object stands at the top of the tree, in the words of the command `dominators`. */
static char *note_of_top(const struct hf_lines *lines, uint32_t node)
{
	struct hf_doc *doc = NULL;
	struct hf_error *err = hf_doc_create("explore", &doc);

	if (err) {
		hf_error_destroy(err);
		return NULL;
	}
	const char *note = hf_node_note(lines->analysis, doc, node);
	char *copy = note ? strdup(note) : NULL;
	hf_doc_destroy(doc);
	return copy;
}

static char *make_pointer(const struct hf_lines *lines, const struct hf_level *level, uint32_t row)
{
	const struct hf_list *list = &level->list;
	char *text = NULL;
	uint32_t next;

	if (list->kind == HF_LIST_SOURCES)
		text = note_of_pointer(lines, row, level->focus);
	else if (list->kind == HF_LIST_TARGETS)
		text = note_of_pointer(lines, level->focus, row);
	else if (list->kind == HF_LIST_PATH && (next = next_on_path(list, row)) != HF_NO_NODE)
		text = note_of_pointer(lines, row, next);
	return text ? text : strdup("");
}

static char *make_note(const struct hf_lines *lines, const struct hf_list *list, uint32_t row)
{
	const struct hf_group *group = group_of(list, row);
	uint32_t node = hf_list_node(list, row);
	char *text = list->kind == HF_LIST_CHILDREN ? note_of_top(lines, node) : NULL;

	if (!text && is_object(lines, node) && (!group || group->members == 1))
		text = hf_typing_preview(lines->analysis->process, lines->analysis->extents, node);
	return text ? escaped(text) : strdup("");
}

/* ---- lines ----------------------------------------------------------------------------------- */

struct hf_error *hf_lines_make(struct hf_lines *lines, const struct hf_level *level, uint32_t row,
			       struct hf_line *ret)
{
	const struct hf_list *list = &level->list;
	const struct hf_group *group = group_of(list, row);
	const struct hf_graph *graph = lines->analysis->graph;
	struct slot *slot = &lines->slots[(row ^ level->serial * 40503u) % SLOTS];
	uint64_t whole = hf_graph_retained(graph, hf_graph_root(graph));
	bool parts = list->kind == HF_LIST_CHILDREN;

	if (slot->serial != level->serial || slot->row != row) {
		slot_empty(slot);
		*slot = (struct slot){.serial = level->serial,
				      .row = row,
				      .name = make_name(lines, list, row),
				      .pointer = make_pointer(lines, level, row),
				      .note = make_note(lines, list, row)};
	}
	if (!slot->name || !slot->pointer || !slot->note) {
		slot_empty(slot);
		return hf_error_nomem();
	}
	uint32_t node = hf_list_node(list, row);
	uint64_t retained = hf_list_retained(list, row);
	*ret = (struct hf_line){
	    .node = node,
	    .name = slot->name,
	    .pointer = slot->pointer,
	    .note = slot->note,
	    .retained = retained,
	    .shallow = hf_list_shallow(list, row),
	    .objects = hf_list_objects(list, row),
	    .shallow_exact = !group || group->counted,
	    .holder = !is_object(lines, node),
	    .lost = is_object(lines, node) && hf_graph_is_leader(graph, node),
	    .opens = group ? !group->counted || retained > group->shallow
			   : hf_graph_first_child(graph, row) != HF_NO_NODE,
	    .share = whole ? (double)retained / (double)whole : 0,
	    .level_share = parts && list->retained ? (double)retained / (double)list->retained : 0,
	};
	return NULL;
}
