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

struct outers {
	HF_VEC(, struct outer) list; /* sorted by inner, offset, outer */
};

void outers_destroy(struct outers *outers)
{
	if (!outers)
		return;
	free(outers->list.data);
	free(outers);
}

bool propagation_module_counts(const struct hf_module *module)
{
	return module->has_dwarf && (module->is_executable || !module->is_libc);
}

struct part {
	uint32_t ctype, depth;
	uint64_t offset;
};

static void add_members(struct propagation *prop, struct outers *outers, uint32_t outer)
{
	struct part parts[MAX_PARTS];
	uint32_t count = 1;

	parts[0] = (struct part){outer, 0, 0};
	while (count > 0 && outers->list.count < MAX_OUTERS) {
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
			if (!hf_vec_push(&outers->list, found))
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

static struct outers *open_outers(struct propagation *prop)
{
	struct outers *outers = calloc(1, sizeof(*outers));
	uint32_t *types = NULL, count = 0;
	struct hf_error *err = hf_ctype_structures(prop->symbols, propagation_module_counts,
						   MAX_STRUCTURES, &types, &count);

	if (err || !outers) {
		hf_error_destroy(err);
		free(types);
		outers_destroy(outers);
		prop->failed = true;
		return NULL;
	}
	for (uint32_t i = 0; i < count && !prop->failed; i++) {
		if (hf_ctype_get(prop->symbols, types[i])->size)
			add_members(prop, outers, types[i]);
	}
	free(types);
	if (outers->list.count)
		qsort(outers->list.data, outers->list.count, sizeof(*outers->list.data),
		      compare_outer);
	return outers;
}

static const struct outers *outers_of(struct propagation *prop)
{
	if (!prop->outers && !prop->failed)
		prop->outers = open_outers(prop);
	return prop->outers;
}

/* The first that is not before (inner, offset). */
static size_t lower(const struct outers *outers, uint32_t inner, uint64_t offset)
{
	const struct outer *all = outers->list.data;
	return hf_first_not(0, outers->list.count, i,
			    all[i].inner < inner ||
				(all[i].inner == inner && all[i].offset < offset));
}

uint32_t propagation_outers(struct propagation *prop, uint32_t inner, uint64_t offset,
			    const struct outer **ret)
{
	const struct outers *outers = outers_of(prop);
	uint32_t count = 0;

	if (!outers)
		return 0;
	size_t first = lower(outers, inner, offset == UINT64_MAX ? 0 : offset);
	for (size_t i = first; i < outers->list.count; i++, count++) {
		const struct outer *at = &outers->list.data[i];
		if (at->inner != inner || (offset != UINT64_MAX && at->offset != offset))
			break;
	}
	*ret = outers->list.data + first;
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
