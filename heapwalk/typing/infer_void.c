/*
 * infer_void.c - what void pointers lead to.
 *
 * A field `void *data` of a structure leads to the same type again and again; so do fields that
 * differ by a mark beside them: a callback `fire`, a table of operations, an enum. All pointers
 * from the same field with the same mark make a group. If every object of the group that has a
 * type has the same one, and it fits all the others, they are of it too.
 *
 * Where none has a type, a callback in the group's mark may tell: what it takes its argument
 * for (hf_symbols_context_types), if exactly one of these types fits all of them. And where no
 * callback is, their own pointers (infer_content.c), if they say the same of all.
 */
#include <stdlib.h>

#include "core/base/cleanup.h"
#include "heapwalk/typing/propagate.h"

enum { FIRST_SLOTS = 1 << 12, MAX_SLOTS = 1 << 22, MAX_CONTEXTS = 16, MIN_ALIKE = 4 };

struct void_group {
	uint64_t key;	/* hash of field and mark; 0: free */
	uint64_t code;	/* of the callback beside it; 0: none */
	uint32_t ctype; /* of those that have a type; 0: none has */
	uint32_t typed, untyped;
	bool mixed;	  /* of several types, or some do not fit */
	uint32_t content; /* what all of them are by their own pointers; 0: not asked yet */
	uint32_t context_count;
	uint32_t contexts[MAX_CONTEXTS];
};

struct pending { /* an object without a type */
	uint32_t group, object;
};

struct voids {
	struct propagation *prop;
	struct void_group *groups;
	uint32_t count, used; /* slots; power of two */
	HF_VEC(, struct pending) pending;
};

/* ---- groups ---------------------------------------------------------------------------------- */

static uint64_t mix(uint64_t hash, uint64_t value)
{
	hash = (hash ^ value) * UINT64_C(0x9e3779b97f4a7c15);
	return hash ^ hash >> 29;
}

static uint32_t slot_of(const struct void_group *groups, uint32_t count, uint64_t key)
{
	uint32_t at = (uint32_t)(key >> 20) & (count - 1);
	while (groups[at].key && groups[at].key != key)
		at = (at + 1) & (count - 1);
	return at;
}

static bool grow(struct voids *voids)
{
	uint32_t count = voids->count ? voids->count * 2 : FIRST_SLOTS;
	struct void_group *groups = count <= MAX_SLOTS ? calloc(count, sizeof(*groups)) : NULL;

	if (!groups)
		return false;
	uint32_t *moved = calloc((size_t)voids->count + 1, sizeof(*moved));
	if (!moved) {
		free(groups);
		return false;
	}
	for (uint32_t i = 0; i < voids->count; i++) {
		if (!voids->groups[i].key)
			continue;
		moved[i] = slot_of(groups, count, voids->groups[i].key);
		groups[moved[i]] = voids->groups[i];
	}
	hf_vec_foreach (pending, &voids->pending)
		pending->group = moved[pending->group];
	free(moved);
	free(voids->groups);
	voids->groups = groups;
	voids->count = count;
	return true;
}

static struct void_group *group_of(struct voids *voids, uint64_t key)
{
	if (voids->used * 2 >= voids->count && !grow(voids))
		return NULL;
	struct void_group *group = &voids->groups[slot_of(voids->groups, voids->count, key)];
	if (!group->key) {
		group->key = key;
		voids->used++;
	}
	return group;
}

/* ---- what tells the kinds apart -------------------------------------------------------------- */

struct mark {
	uint64_t hash, code;
};

static struct mark mark_of(const struct propagation *prop, const struct layout *layout,
			   const uint8_t *data, uint64_t available)
{
	uint64_t word = prop->image->word_bytes;
	struct mark mark = {0, 0};
	bool enumerated = false;

	for (uint32_t l = 0; l < layout->count; l++) {
		const struct leaf *leaf = &layout->leaves[l];
		if (leaf->flags & LEAF_IN_UNION || leaf->offset + word > available)
			continue;
		if (leaf->kind == LEAF_CODE) {
			uint64_t value = hf_image_word_at(prop->image, data + leaf->offset);
			mark.hash = mix(mark.hash, value);
			if (!mark.code)
				mark.code = value;
		} else if (leaf->kind == LEAF_ENUM && !enumerated) {
			enumerated = true;
			mark.hash = mix(mark.hash, data[leaf->offset] + 1u);
		} else if (leaf->kind == LEAF_POINTER && leaf->target) {
			/* A table of operations lies in a module, and so do constant names. */
			uint64_t value = hf_image_word_at(prop->image, data + leaf->offset);
			uint8_t kind = hf_ctype_get(prop->symbols, leaf->target)->kind;
			if (kind == HF_CTYPE_STRUCT &&
			    hf_process_module(prop->typing->process, value))
				mark.hash = mix(mark.hash, value);
		}
	}
	return mark;
}

/* ---- collecting ------------------------------------------------------------------------------ */

static void collect(struct voids *voids, uint64_t place, uint32_t leaf, const struct mark *mark,
		    uint64_t value)
{
	struct propagation *prop = voids->prop;
	uint32_t object = hf_extents_find(prop->extents, value);

	if (object == HF_NO_OBJECT || value != hf_extents_address(prop->extents, object))
		return;
	uint64_t key = mix(mix(mix(1, place), leaf), mark->hash) | 1;
	struct void_group *group = group_of(voids, key);
	if (!group)
		return;
	group->code = mark->code;
	uint32_t packed = prop->typing->of[object];
	if (packed == TYPE_NONE || packed_rank(packed) >= RANK_PART) {
		struct pending pending = {(uint32_t)(group - voids->groups), object};
		group->untyped++;
		if (!hf_vec_push(&voids->pending, pending))
			prop->failed = true;
		return;
	}
	const struct hf_type *type = &prop->typing->types.data[packed_type(packed)];
	uint32_t ctype = type->form == HF_FORM_ONE ? type->ctype : 0;
	group->mixed |= !ctype || (group->typed && group->ctype != ctype);
	group->ctype = ctype;
	group->typed++;
}

static void collect_memory(void *ctx, const struct typed_memory *memory)
{
	struct voids *voids = ctx;
	struct propagation *prop = voids->prop;
	const struct layout *layout = memory->layout;
	uint64_t available = 0, word = prop->image->word_bytes;
	HF_AUTO(free_ptr)
	uint8_t *copy = NULL;
	uint8_t kind = hf_ctype_get(prop->symbols, memory->ctype)->kind;

	/* Fields of a structure are alike wherever it is; of other memory each is for itself. */
	uint64_t place = kind == HF_CTYPE_STRUCT ? memory->ctype : memory->address;
	if (!layout->voids)
		return;
	const uint8_t *data = propagation_whole(prop, memory, &available, &copy);
	for (uint64_t i = 0; data && i < memory->count; i++) {
		uint64_t base = i * layout->size;
		if (base + layout->size > available)
			return;
		struct mark mark = mark_of(prop, layout, data + base, layout->size);
		for (uint32_t l = 0; l < layout->pointers; l++) {
			const struct leaf *leaf = &layout->leaves[l];
			uint64_t at = base + leaf->offset;
			if (leaf->target || leaf->flags & (LEAF_FLEXIBLE | LEAF_ERASED))
				continue;
			for (uint64_t n = 0; n < leaf->count && at + word <= available;
			     n++, at += leaf->stride)
				collect(voids, place, l, &mark,
					hf_image_word_at(prop->image, data + at));
		}
	}
}

/* ---- deciding -------------------------------------------------------------------------------- */

static bool suits(struct propagation *prop, uint32_t object, uint32_t ctype)
{
	const struct layout *layout = layout_of(prop->typing->layouts, ctype);
	uint64_t usable = hf_extents_usable(prop->extents, object);
	enum form form = layout_form(layout, usable, false);

	if ((form != FORM_ONE && form != FORM_FLEXIBLE) ||
	    (form == FORM_ONE && usable - layout->size > FORM_SLACK))
		return false;
	return propagation_check_all(prop, object, ctype).bad == 0;
}

/* Take candidates away that do not suit this object. */
static void judge(struct voids *voids, const struct pending *pending)
{
	struct void_group *group = &voids->groups[pending->group];

	if (group->mixed)
		return;
	if (group->ctype) {
		group->mixed = !suits(voids->prop, pending->object, group->ctype);
		return;
	}
	if (!group->context_count) {
		uint32_t content = propagation_by_content(voids->prop, pending->object);
		group->mixed = !content || (group->content && group->content != content);
		group->content = content;
		return;
	}
	for (uint32_t i = 0; i < group->context_count;) {
		if (suits(voids->prop, pending->object, group->contexts[i]))
			i++;
		else
			group->contexts[i] = group->contexts[--group->context_count];
	}
}

static bool settle(struct voids *voids, const struct pending *pending)
{
	const struct void_group *group = &voids->groups[pending->group];
	struct propagation *prop = voids->prop;
	uint32_t packed = prop->typing->of[pending->object];

	if (group->mixed || !group->ctype ||
	    (packed != TYPE_NONE && packed_rank(packed) < RANK_PART))
		return false;
	uint32_t type = typing_intern_ctype(prop->typing, group->ctype, HF_FORM_ONE, 0);
	if (type == TYPE_NONE)
		return false;
	propagation_assign(prop, pending->object, type, HF_TYPE_FIELD, RANK_INFERRED);
	return true;
}

/* Does a type have void pointers? By type, so that most objects are passed over at once. */
static bool *types_with_voids(struct propagation *prop)
{
	struct hf_typing *typing = prop->typing;
	bool *with = calloc(typing->types.count + 1, sizeof(*with));

	for (size_t i = 0; with && i < typing->types.count; i++)
		with[i] = typing->types.data[i].ctype &&
			  layout_of(typing->layouts, typing->types.data[i].ctype)->voids;
	prop->failed |= !with;
	return with;
}

bool propagation_infer_void(struct propagation *prop)
{
	struct voids voids = {.prop = prop};
	bool *with = types_with_voids(prop);
	struct typed_memory memory;
	bool any = false;

	for (uint32_t id = 0; id < hf_extents_count(prop->extents) && !prop->failed; id++) {
		uint32_t packed = prop->typing->of[id];
		if (packed != TYPE_NONE && with[packed_type(packed)] &&
		    propagation_memory_of(prop, id, &memory))
			collect_memory(&voids, &memory);
	}
	free(with);
	propagation_each_root(prop, collect_memory, &voids);
	for (uint32_t i = 0; i < voids.count; i++) {
		struct void_group *group = &voids.groups[i];
		if (group->untyped && !group->typed && group->code)
			group->context_count = hf_symbols_context_types(
			    prop->symbols, group->code, group->contexts, MAX_CONTEXTS);
	}
	hf_vec_foreach (pending, &voids.pending)
		judge(&voids, pending);
	for (uint32_t i = 0; i < voids.count; i++) {
		struct void_group *group = &voids.groups[i];
		if (!group->typed && group->context_count == 1)
			group->ctype = group->contexts[0];
		else if (!group->typed && !group->mixed && group->untyped >= MIN_ALIKE)
			group->ctype = group->content;
	}
	hf_vec_foreach (pending, &voids.pending)
		any |= settle(&voids, pending);
	free(voids.groups);
	free(voids.pending.data);
	return any;
}
