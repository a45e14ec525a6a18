/*
 * infer.c - objects of which only a part is known: the whole, found by consistency.
 *
 * "A list_head at +16" is what the pointers of an intrusive list tell. The candidates for the
 * whole are the structures with such a member at that offset whose size fits. All objects with
 * the same part and the same size are judged together: a candidate that any of them speaks
 * against is out; if one is left it is the type of all of them. Where every candidate is out,
 * they are different things (shapes in C's kind of inheritance), and each object is judged for
 * itself. What is not unique stays what it is: a block with a known part.
 */
#include <stdlib.h>

#include "heapwalk/typing/propagate.h"

enum { MAX_CANDIDATES = 32, MAX_GROUPS = 1 << 16, MIN_POOL = 8, MIN_POOL_ELEMENT = 24 };

struct group {
	uint32_t part; /* type number */
	uint64_t usable;
	uint32_t count;	 /* of candidates */
	uint32_t chosen; /* ctype; 0: each object for itself; UINT32_MAX: none */
	struct candidate_whole {
		uint32_t ctype;
		uint64_t good, bad;
	} candidates[MAX_CANDIDATES];
};

struct groups {
	struct propagation *prop;
	HF_VEC(, struct group *) list;
	uint32_t *slots; /* index + 1 */
	uint32_t slot_count;
};

/* @loose: with a remainder that malloc leaves only where it has to. */
static bool fits(const struct propagation *prop, uint32_t ctype, uint64_t usable, bool loose)
{
	const struct layout *layout = layout_of(prop->typing->layouts, ctype);
	enum form form = layout_form(layout, usable, false);
	return form == FORM_FLEXIBLE ||
	       (form == FORM_ONE && (usable - layout->size > FORM_SLACK) == loose);
}

static void add_candidates(struct propagation *prop, struct group *group, bool loose)
{
	struct hf_type type = prop->typing->types.data[group->part];
	const struct outer *outers = NULL;
	uint32_t count = propagation_outers(prop, type.ctype, type.offset, &outers);

	for (uint32_t i = 0; i < count && group->count < MAX_CANDIDATES; i++) {
		if (fits(prop, outers[i].outer, group->usable, loose))
			group->candidates[group->count++].ctype = outers[i].outer;
	}
	/* The part itself may be the whole. */
	if (type.offset == 0 && group->count < MAX_CANDIDATES &&
	    fits(prop, type.ctype, group->usable, loose))
		group->candidates[group->count++].ctype = type.ctype;
}

static struct group *make_group(struct groups *groups, uint32_t part, uint64_t usable)
{
	struct group *group = calloc(1, sizeof(*group));

	if (!group || !hf_vec_push(&groups->list, group)) {
		free(group);
		groups->prop->failed = true;
		return NULL;
	}
	group->part = part;
	group->usable = usable;
	add_candidates(groups->prop, group, false);
	if (group->count == 0)
		add_candidates(groups->prop, group, true);
	return group;
}

static struct group *group_of(struct groups *groups, uint32_t part, uint64_t usable)
{
	uint64_t hash =
	    (part * UINT64_C(0x9e3779b97f4a7c15)) ^ (usable * UINT64_C(0xff51afd7ed558ccd));
	uint32_t at = (uint32_t)(hash >> 32) & (groups->slot_count - 1);

	for (; groups->slots[at]; at = (at + 1) & (groups->slot_count - 1)) {
		struct group *group = groups->list.data[groups->slots[at] - 1];
		if (group->part == part && group->usable == usable)
			return group;
	}
	if (groups->list.count * 2 >= groups->slot_count)
		return NULL;
	struct group *group = make_group(groups, part, usable);
	if (group)
		groups->slots[at] = (uint32_t)groups->list.count;
	return group;
}

static struct group *group_of_object(struct groups *groups, uint32_t object)
{
	uint32_t packed = groups->prop->typing->of[object];
	if (packed == TYPE_NONE || packed_rank(packed) != RANK_PART)
		return NULL;
	return group_of(groups, packed_type(packed),
			hf_extents_usable(groups->prop->extents, object));
}

static void judge(struct groups *groups, struct group *group, uint32_t object)
{
	for (uint32_t i = 0; i < group->count; i++) {
		struct verdict verdict =
		    propagation_check_all(groups->prop, object, group->candidates[i].ctype);
		group->candidates[i].good += verdict.good;
		group->candidates[i].bad += verdict.bad;
	}
}

/* The one that nothing speaks against, or that much more speaks for than for any other. */
static void choose(struct group *group)
{
	struct candidate_whole *best = NULL, *second = NULL;

	group->chosen = group->count ? 0 : UINT32_MAX;
	for (uint32_t i = 0; i < group->count; i++) {
		struct candidate_whole *at = &group->candidates[i];
		if (at->bad)
			continue;
		if (!best || at->good > best->good) {
			second = best;
			best = at;
		} else if (!second || at->good > second->good) {
			second = at;
		}
	}
	if (best && (!second || best->good > second->good * 2))
		group->chosen = best->ctype;
	else if (best)
		group->chosen = UINT32_MAX;
}

static uint32_t choose_for_one(struct groups *groups, const struct group *group, uint32_t object)
{
	uint32_t found = 0;
	for (uint32_t i = 0; i < group->count; i++) {
		struct verdict verdict =
		    propagation_check_all(groups->prop, object, group->candidates[i].ctype);
		if (verdict.bad)
			continue;
		if (found)
			return 0;
		found = group->candidates[i].ctype;
	}
	return found;
}

static bool settle(struct groups *groups, const struct group *group, uint32_t object)
{
	struct propagation *prop = groups->prop;
	uint32_t ctype = group->chosen;

	if (ctype == 0)
		ctype = choose_for_one(groups, group, object);
	if (ctype == 0 || ctype == UINT32_MAX)
		return false;
	uint32_t type = typing_intern_ctype(prop->typing, ctype, HF_FORM_ONE, 0);
	if (type == TYPE_NONE)
		return false;
	propagation_assign(prop, object, type, HF_TYPE_FIELD, RANK_INFERRED);
	return true;
}

/* ---- pools ----------------------------------------------------------------------------------- */

/* Could @object be as many of @outer as there is room for, its part at @offset in one of them? */
static bool is_pool(struct propagation *prop, uint32_t object, const struct outer *outer,
		    uint64_t offset, uint32_t *ret_type)
{
	uint64_t size = hf_ctype_get(prop->symbols, outer->outer)->size;
	uint64_t usable = hf_extents_usable(prop->extents, object);

	if (size < MIN_POOL_ELEMENT || usable / size < MIN_POOL || usable % size > FORM_SLACK ||
	    offset < outer->offset || (offset - outer->offset) % size)
		return false;
	uint32_t type = typing_intern_ctype(prop->typing, outer->outer, HF_FORM_ARRAY, 0);
	if (type == TYPE_NONE || propagation_check(prop, object, type, true).bad)
		return false;
	*ret_type = type;
	return true;
}

/*
 * A program that makes its structures in blocks of many points into the middle of a block. The
 * block is an array of the one structure whose size divides both the block and that place.
 */
static bool settle_pool(struct propagation *prop, uint32_t object)
{
	struct hf_type part = prop->typing->types.data[packed_type(prop->typing->of[object])];
	struct outer itself = {.inner = part.ctype, .outer = part.ctype};
	const struct outer *outers = NULL;
	uint32_t count = propagation_outers(prop, part.ctype, UINT64_MAX, &outers);
	uint32_t type = TYPE_NONE, found = is_pool(prop, object, &itself, part.offset, &type);

	for (uint32_t i = 0; i < count && found < 2; i++)
		found += is_pool(prop, object, &outers[i], part.offset, &type);
	if (found != 1)
		return false;
	propagation_assign(prop, object, type, HF_TYPE_FIELD, RANK_INFERRED);
	return true;
}

bool propagation_infer(struct propagation *prop)
{
	struct groups groups = {.prop = prop, .slot_count = MAX_GROUPS * 2};
	uint32_t objects = hf_extents_count(prop->extents);
	bool any = false;

	if (prop->parts == 0)
		return false;
	prop->parts = 0;
	groups.slots = calloc(groups.slot_count, sizeof(*groups.slots));
	prop->failed = prop->failed || !groups.slots;
	for (uint32_t id = 0; id < objects && !prop->failed; id++) {
		struct group *group = group_of_object(&groups, id);
		if (group)
			judge(&groups, group, id);
	}
	hf_vec_foreach (group, &groups.list)
		choose(*group);
	for (uint32_t id = 0; id < objects && !prop->failed; id++) {
		const struct group *group = group_of_object(&groups, id);
		if (group && (settle(&groups, group, id) || settle_pool(prop, id)))
			any = true;
	}
	hf_vec_foreach (group, &groups.list)
		free(*group);
	free(groups.list.data);
	free(groups.slots);
	return any;
}
