/*
 * open.c - opening typed memory: its pointers become links, links become candidates.
 *
 * A link goes three steps, all links of a batch one step at a time: its word is read and the
 * place of what it points at looked up (prefetched); the object is found and its type slot
 * prefetched; the candidate is offered. Words that point at no object propose nothing.
 */
#include <stdlib.h>
#include <string.h>

#include "core/base/cleanup.h"
#include "heapwalk/typing/propagate.h"

enum { MAX_COPY_BYTES = 64 << 20 };

/* The common case: the object has this type already, by evidence as good. */
static bool agrees(struct propagation *prop, const struct link *link)
{
	uint32_t packed = prop->typing->of[link->object];

	if (packed == TYPE_NONE || packed_rank(packed) > RANK_ARRAY ||
	    packed_rank(packed) > (enum rank)link->rank)
		return false;
	struct hf_type *type = &prop->typing->types.data[packed_type(packed)];
	if (type->ctype != link->target || type->offset)
		return false;
	type->votes++;
	return true;
}

void propagation_flush(struct propagation *prop)
{
	uint32_t count = prop->link_count;

	prop->link_count = 0;
	for (uint32_t i = 0; i < count; i++) {
		struct link *link = &prop->links[i];
		link->object =
		    hf_extents_resolve(prop->extents, &link->location, link->value, &link->start);
		if (link->object != HF_NO_OBJECT)
			__builtin_prefetch(&prop->typing->of[link->object], 1);
	}
	for (uint32_t i = 0; i < count; i++) {
		struct link *link = &prop->links[i];
		if (link->object == HF_NO_OBJECT)
			continue;
		if (link->start && agrees(prop, link))
			link->object = HF_NO_OBJECT;
		else
			hf_extents_prefetch(prop->extents, link->object);
	}
	for (uint32_t i = 0; i < count; i++) {
		const struct link *link = &prop->links[i];
		if (link->object != HF_NO_OBJECT)
			propagation_offer(prop, link->object, link->value, link->target,
					  (enum hf_type_source)link->source, (enum rank)link->rank);
	}
}

void propagation_propose(struct propagation *prop, uint64_t value, uint32_t target,
			 enum hf_type_source source, enum rank rank)
{
	struct link *link = &prop->links[prop->link_count];

	if (value - prop->low >= prop->high - prop->low)
		return;
	hf_extents_locate(prop->extents, value, &prop->region_hint, &link->location);
	if (!link->location.block)
		return;
	link->value = value;
	link->target = target;
	link->source = (uint8_t)source;
	link->rank = (uint8_t)rank;
	if (++prop->link_count == LINK_BATCH)
		propagation_flush(prop);
}

/* One pointer leaf of one element: its word, or words. */
static void open_leaf(struct propagation *prop, const struct typed_memory *memory,
		      const uint8_t *data, uint64_t available, uint64_t base,
		      const struct leaf *leaf)
{
	uint64_t word = prop->image->word_bytes, count = leaf->count;
	uint64_t at = base + leaf->offset;
	enum rank rank = memory->rank;

	if (leaf->flags & LEAF_FLEXIBLE && leaf->stride)
		count = at < available ? (available - at) / leaf->stride + 1 : 0;
	if (leaf->flags & LEAF_IN_UNION && rank < RANK_UNION)
		rank = RANK_UNION;
	for (uint64_t i = 0; i < count && at <= available && available - at >= word;
	     i++, at += leaf->stride) {
		uint64_t value = hf_image_word_at(prop->image, data + at);
		propagation_propose(
		    prop, value, leaf->target,
		    leaf->flags & LEAF_CONTAINER ? HF_TYPE_CONTAINER : memory->source, rank);
	}
}

const uint8_t *propagation_whole(struct propagation *prop, const struct typed_memory *memory,
				 uint64_t *ret_available, uint8_t **ret_copy)
{
	const uint8_t *data = propagation_view(prop, memory->address, ret_available);
	uint64_t there = data ? *ret_available : memory->bytes, more = 0;

	*ret_copy = NULL;
	while (there < memory->bytes && there < MAX_COPY_BYTES &&
	       hf_image_at(prop->image, memory->address + there, &more))
		there += more;
	there = there < memory->bytes ? there : memory->bytes;
	bool pieces = data && there > *ret_available && there <= MAX_COPY_BYTES;
	*ret_copy = pieces ? malloc(there) : NULL;
	if (*ret_copy && hf_image_read(prop->image, memory->address, *ret_copy, there)) {
		*ret_available = there;
		return *ret_copy;
	}
	if (*ret_available > memory->bytes)
		*ret_available = memory->bytes;
	return data;
}

void propagation_open_memory(struct propagation *prop, const struct typed_memory *memory)
{
	const struct layout *layout = memory->layout;
	uint64_t available = 0;
	HF_AUTO(free_ptr)
	uint8_t *copy = NULL;

	if (layout->pointers == 0)
		return;
	const uint8_t *data = propagation_whole(prop, memory, &available, &copy);
	if (!data)
		return;
	for (uint64_t i = 0; i < memory->count; i++) {
		uint64_t base = i * layout->size;
		if (base >= available)
			return;
		if (layout->container_count)
			propagation_note_limits(prop, layout, data + base, available - base);
		if (layout->holder_count)
			propagation_open_holders(prop, memory, data, base, available);
		for (uint32_t l = 0; l < layout->pointers; l++) {
			if (layout->leaves[l].target)
				open_leaf(prop, memory, data, available, base, &layout->leaves[l]);
		}
	}
}

bool propagation_memory_of(struct propagation *prop, uint32_t object, struct typed_memory *ret)
{
	uint32_t packed = prop->typing->of[object];
	if (packed == TYPE_NONE)
		return false;
	const struct hf_type *type = &prop->typing->types.data[packed_type(packed)];
	uint64_t usable = hf_extents_usable(prop->extents, object);
	if (!type->ctype || type->offset > usable)
		return false;
	enum rank rank = packed_rank(packed);
	bool doubtful = rank == RANK_LOCAL || rank == RANK_UNION || rank == RANK_INFERRED;
	*ret = (struct typed_memory){
	    .address = hf_extents_address(prop->extents, object) + type->offset,
	    .bytes = usable - type->offset,
	    .count = 1,
	    .layout = layout_of(prop->typing->layouts, type->ctype),
	    .ctype = type->ctype,
	    .source = HF_TYPE_FIELD,
	    /* What is doubtful itself proposes nothing that is sure. */
	    .rank = doubtful ? rank : RANK_EXACT,
	};
	if (type->form == HF_FORM_ARRAY && ret->layout->size) {
		uint64_t from = type->offset, to = usable;
		propagation_limit(prop, object, &from, &to);
		ret->address += from - type->offset;
		ret->bytes = to - from;
		ret->count = ret->bytes / ret->layout->size;
		/* What is behind an array's last element is out of date. */
		ret->rank = doubtful ? rank : RANK_POINTERS;
	}
	if (type->form == HF_FORM_PART)
		ret->bytes = ret->layout->size;
	return true;
}

void propagation_open_object(struct propagation *prop, uint32_t object)
{
	struct typed_memory memory;
	if (propagation_memory_of(prop, object, &memory))
		propagation_open_memory(prop, &memory);
}
