/*
 * outers.c - which structures have which others among their members, and where.
 *
 * For C's ways to say "a pointer to a part": an intrusive list's links, a base as the first
 * member. All structures with a name of the program's own modules are opened once, at the first
 * question; arrays of structures count with their first element.
 */
#include <stdlib.h>

#include "core/base/search.h"
#include "heapwalk/typing/propagate.h"

enum { MAX_STRUCTURES = 1 << 16, MAX_OUTERS = 1 << 21, MAX_DEPTH = 8, MAX_PARTS = 512 };

void outers_destroy(struct outer_list *outers)
{
	if (!outers)
		return;
	hf_vec_free(outers);
	free(outers);
}

static bool module_counts(const struct hf_module *module)
{
	return module->has_dwarf && (module->is_executable || !module->is_libc);
}

struct part {
	uint32_t ctype, depth;
	uint64_t offset;
};

static void add_members(struct propagation *prop, struct outer_list *list, uint32_t outer)
{
	struct part parts[MAX_PARTS];
	uint32_t count = 1;

	parts[0] = (struct part){outer, 0, 0};
	while (count > 0 && list->count < MAX_OUTERS) {
		struct part part = parts[--count];
		const struct hf_cmember *members = NULL;
		uint32_t number = hf_ctype_members(prop->symbols, part.ctype, &members);
		for (uint32_t i = 0; i < number; i++) {
			uint32_t type = members[i].type;
			if (hf_ctype_get(prop->symbols, type)->kind == HF_CTYPE_ARRAY)
				type = hf_ctype_target(prop->symbols, type);
			uint8_t kind = hf_ctype_get(prop->symbols, type)->kind;
			struct outer found = {type, outer, part.offset + members[i].offset};
			if (kind != HF_CTYPE_STRUCT && kind != HF_CTYPE_UNION)
				continue;
			if (!hf_vec_push(list, found))
				prop->failed = true;
			if (count < MAX_PARTS && part.depth < MAX_DEPTH)
				parts[count++] = (struct part){type, part.depth + 1, found.offset};
		}
	}
}

static int compare_outer(const void *a, const void *b)
{
	const struct outer *x = a, *y = b;
	if (x->inner != y->inner)
		return x->inner < y->inner ? -1 : 1;
	if (x->offset != y->offset)
		return x->offset < y->offset ? -1 : 1;
	return (x->outer > y->outer) - (x->outer < y->outer);
}

bool propagation_list_outers(struct propagation *prop,
			     void (*add)(struct propagation *prop, struct outer_list *list,
					 uint32_t outer),
			     struct outer_list *ret)
{
	uint32_t *types = NULL, count = 0;
	struct hf_error *err =
	    hf_ctype_structures(prop->symbols, module_counts, MAX_STRUCTURES, &types, &count);

	if (err) {
		hf_error_destroy(err);
		free(types);
		prop->failed = true;
		return false;
	}
	for (uint32_t i = 0; i < count && !prop->failed; i++) {
		if (hf_ctype_get(prop->symbols, types[i])->size)
			add(prop, ret, types[i]);
	}
	free(types);
	if (ret->count)
		qsort(ret->data, ret->count, sizeof(*ret->data), compare_outer);
	return true;
}

size_t propagation_first_outer(const struct outer_list *list, uint32_t inner, uint64_t offset)
{
	const struct outer *all = list->data;
	return hf_first_not(0, list->count, i,
			    all[i].inner < inner ||
				(all[i].inner == inner && all[i].offset < offset));
}

static struct outer_list *open_outers(struct propagation *prop)
{
	struct outer_list *outers = calloc(1, sizeof(*outers));

	if (outers && propagation_list_outers(prop, add_members, outers))
		return outers;
	outers_destroy(outers);
	prop->failed = true;
	return NULL;
}

static const struct outer_list *outers_of(struct propagation *prop)
{
	if (!prop->outers && !prop->failed)
		prop->outers = open_outers(prop);
	return prop->outers;
}

uint32_t propagation_outers(struct propagation *prop, uint32_t inner, uint64_t offset,
			    const struct outer **ret)
{
	const struct outer_list *outers = outers_of(prop);
	uint32_t count = 0;

	if (!outers)
		return 0;
	size_t first = propagation_first_outer(outers, inner, offset == UINT64_MAX ? 0 : offset);
	for (size_t i = first; i < outers->count; i++, count++) {
		const struct outer *at = &outers->data[i];
		if (at->inner != inner || (offset != UINT64_MAX && at->offset != offset))
			break;
	}
	*ret = outers->data + first;
	return count;
}

bool propagation_may_be_outer(struct propagation *prop, uint32_t inner, uint64_t usable)
{
	struct layout *own = (struct layout *)layout_of(prop->typing->layouts, inner);
	const struct outer *found = NULL;

	if (own->no_outer)
		return false;
	uint64_t size = hf_ctype_get(prop->symbols, inner)->size;
	uint32_t count = propagation_outers(prop, inner, 0, &found);

	for (uint32_t i = 0; i < count; i++) {
		const struct layout *layout = layout_of(prop->typing->layouts, found[i].outer);
		enum form form = layout_form(layout, usable, false);
		if (layout->size > size && (form == FORM_ONE || form == FORM_FLEXIBLE))
			return true;
	}
	own->no_outer = count == 0;
	return false;
}
