/*
 * diff_labels.c - labels that mean the same on both sides of a diff.
 *
 * A label is its kind and its text: interned in a hash table with open addressing. What differs
 * from run to run is left out of the text:
 *
 *	variable	name and file; no line (the source may have changed)
 *	TLS, frame	no thread, no number of the frame
 *	register, stack	no thread, no register
 *	mapping		path; no address
 *	shape		no size above 1 KiB (an array that grew is the same array)
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/demangle.h"
#include "core/base/cleanup.h"
#include "heapwalk/views/diff_private.h"

enum { FIRST_SLOTS = 1024 };

static uint64_t hash_of(enum diff_label_kind kind, const char *name)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325) ^ (uint64_t)kind; /* FNV-1a */
	for (; *name; name++)
		hash = (hash ^ (uint8_t)*name) * UINT64_C(0x100000001b3);
	return hash ^ hash >> 29;
}

struct hf_error *diff_labels_init(struct diff_labels *labels)
{
	labels->slots = calloc(FIRST_SLOTS, sizeof(*labels->slots));
	labels->slot_count = FIRST_SLOTS;
	if (!labels->slots)
		return hf_error_nomem();
	return hf_strpool_create(&labels->strings);
}

void diff_labels_deinit(struct diff_labels *labels)
{
	hf_vec_free(&labels->list);
	free(labels->slots);
	hf_strpool_destroy(labels->strings);
}

static void insert(const struct diff_labels *labels, uint32_t *slots, uint32_t count,
		   uint32_t label)
{
	const struct diff_label *what = &labels->list.data[label];
	uint32_t at = (uint32_t)hash_of(what->kind, what->name) & (count - 1);

	while (slots[at])
		at = (at + 1) & (count - 1);
	slots[at] = label + 1;
}

static bool grow(struct diff_labels *labels)
{
	uint32_t count = labels->slot_count * 2;
	uint32_t *slots = calloc(count, sizeof(*slots));

	if (!slots)
		return false;
	for (uint32_t i = 0; i < labels->list.count; i++)
		insert(labels, slots, count, i);
	free(labels->slots);
	labels->slots = slots;
	labels->slot_count = count;
	return true;
}

uint32_t diff_label(struct diff_labels *labels, enum diff_label_kind kind, const char *name)
{
	uint32_t mask = labels->slot_count - 1;

	for (uint32_t at = (uint32_t)hash_of(kind, name) & mask; labels->slots[at];
	     at = (at + 1) & mask) {
		const struct diff_label *found = &labels->list.data[labels->slots[at] - 1];
		if (found->kind == kind && !strcmp(found->name, name))
			return labels->slots[at] - 1;
	}
	if (labels->list.count * 2 >= labels->slot_count && !grow(labels))
		return DIFF_NONE;
	struct diff_label label = {.name = hf_strpool_dup(labels->strings, name),
				   .kind = (uint8_t)kind};
	if (!label.name || !hf_vec_push(&labels->list, label))
		return DIFF_NONE;
	insert(labels, labels->slots, labels->slot_count, (uint32_t)labels->list.count - 1);
	return (uint32_t)labels->list.count - 1;
}

/* ---- what stands in them --------------------------------------------------------------------- */

/* "in libfoo.so", or nothing for the program's own. */
static const char *place(const struct hf_holder *holder, const struct hf_process *process,
			 const char **ret_in)
{
	bool known = holder->module < process->modules.count;
	bool own = known && process->modules.data[holder->module].is_executable;

	*ret_in = known && !own ? " in " : "";
	return known && !own ? process->modules.data[holder->module].name : "";
}

static char *holder_text(const struct hf_holder *holder, const struct hf_process *process)
{
	const char *in, *module = place(holder, process, &in);
	const char *name = holder->name ? holder->name : "??";
	char *text = NULL;
	int length = -1;

	switch ((enum hf_holder_kind)holder->kind) {
	case HF_HOLDER_VARIABLE:
		length = holder->file
			     ? asprintf(&text, "%s (%s)%s%s", name, holder->file, in, module)
			     : asprintf(&text, "%s%s%s", name, in, module);
		break;
	case HF_HOLDER_SECTION:
		length = asprintf(&text, "%s%s%s", name, in, module);
		break;
	case HF_HOLDER_TLS:
		length = asprintf(&text, "TLS %s%s%s", name, in, module);
		break;
	case HF_HOLDER_FRAME:
		length = asprintf(&text, "frame of %s%s", name, hf_call_brackets(name));
		break;
	case HF_HOLDER_REGISTER:
		return strdup("registers");
	case HF_HOLDER_STACK:
		return strdup("stack words of no known frame");
	case HF_HOLDER_MAPPING:
	case HF_HOLDER_KINDS:
		length = asprintf(&text, "mapping (%s)", name);
		break;
	}
	return length < 0 ? NULL : text;
}

/* "64-128 KiB pointer array" -> "big pointer array"; sizes in plain bytes stay. */
static char *type_text(const struct hf_type *type)
{
	const char *unit = strchr(type->name, ' ');
	const char *rest = unit ? strchr(unit + 1, ' ') : NULL;
	char *text = NULL;

	if (type->source != HF_TYPE_SHAPE || !rest || strncmp(unit, " B ", 3) == 0 ||
	    type->name[0] < '0' || type->name[0] > '9')
		return strdup(type->name);
	return asprintf(&text, "big%s", rest) < 0 ? NULL : text;
}

static bool label_types(struct diff_labels *labels, struct diff_side *side)
{
	const struct hf_typing *typing = side->analysis->typing;
	uint32_t count = hf_typing_types(typing);

	for (uint32_t type = 0; type < count; type++) {
		HF_AUTO(free_ptr) char *text = type_text(hf_typing_type(typing, type));
		side->path_label[type] =
		    text ? diff_label(labels, DIFF_LABEL_TYPE, text) : DIFF_NONE;
		if (side->path_label[type] == DIFF_NONE)
			return false;
	}
	return true;
}

static bool label_holders(struct diff_labels *labels, struct diff_side *side)
{
	const struct hf_analysis *analysis = side->analysis;
	uint32_t first = hf_graph_objects(analysis->graph);

	for (uint32_t i = 0; i < hf_graph_holders(analysis->graph); i++) {
		uint32_t index = hf_graph_holder_index(analysis->graph, first + i);
		const struct hf_holder *holder = &analysis->roots.holders.data[index];
		HF_AUTO(free_ptr) char *text = holder_text(holder, analysis->process);
		uint32_t label = text ? diff_label(labels, DIFF_LABEL_HOLDER, text) : DIFF_NONE;
		if (label == DIFF_NONE)
			return false;
		struct diff_label *what = &labels->list.data[label];
		what->root_kind = holder->kind;
		if (!what->root && holder->name)
			what->root = hf_strpool_dup(labels->strings, holder->name);
		side->holder_label[i] = label;
	}
	return true;
}

struct hf_error *diff_label_side(struct diff_labels *labels, struct diff_side *side)
{
	uint32_t types = hf_typing_types(side->analysis->typing);
	uint32_t holders = hf_graph_holders(side->analysis->graph);

	side->path_label = calloc((size_t)types + 1, sizeof(*side->path_label));
	side->holder_label = calloc((size_t)holders + 1, sizeof(*side->holder_label));
	bool fine = side->path_label && side->holder_label && label_types(labels, side) &&
		    label_holders(labels, side);
	return fine ? NULL : hf_error_nomem();
}
