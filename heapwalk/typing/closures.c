/*
 * closures.c - values whose type their holder has erased (cxx_erased.h), found by code that knows.
 *
 *	holder in typed memory:  | storage | manager |  ->  type of the value, remembered by manager
 *	value in the storage  ->  typed memory like any other: its pointers propose
 *	value behind it       ->  the storage's word proposes that type
 *
 * A value in a storage may hold a holder that is smaller still: storages of at most
 * STDLIB_MAX_STORAGE bytes bound how deep that goes. What a manager does not settle is left alone:
 * a type that says whether it is stored here or behind only by its size, while the storage's first
 * word leads to a block of just that size.
 */
#include <stdlib.h>

#include "heapwalk/typing/propagate.h"

enum { FIRST_VALUES = 256, MAX_VALUES = 1 << 22 };

struct value_slot {
	uint64_t key; /* a manager, or a vtable; 0: free */
	struct stdlib_value value;
};

struct closures {
	struct value_slot *slots;
	uint32_t count, used;
};

void closures_destroy(struct closures *closures)
{
	if (!closures)
		return;
	free(closures->slots);
	free(closures);
}

static struct value_slot *slot_of(struct value_slot *slots, uint32_t count, uint64_t key)
{
	uint32_t at = (uint32_t)((key * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & (count - 1);
	while (slots[at].key && slots[at].key != key)
		at = (at + 1) & (count - 1);
	return &slots[at];
}

static bool grow(struct closures *closures)
{
	uint32_t count = closures->count ? closures->count * 2 : FIRST_VALUES;
	struct value_slot *slots = count <= MAX_VALUES ? calloc(count, sizeof(*slots)) : NULL;

	if (!slots)
		return false;
	for (uint32_t i = 0; i < closures->count; i++) {
		if (closures->slots[i].key)
			*slot_of(slots, count, closures->slots[i].key) = closures->slots[i];
	}
	free(closures->slots);
	closures->slots = slots;
	closures->count = count;
	return true;
}

static struct stdlib_value ask(struct propagation *prop, uint8_t kind, uint64_t key)
{
	const char *name;

	if (kind == STDLIB_MANAGED)
		return stdlib_value_of(prop->symbols, key);
	return (struct stdlib_value){typing_vtable_class(prop->typing, key, &name), STDLIB_HERE};
}

/* What the manager or vtable @key belongs to; every one is asked once. */
static struct stdlib_value value_of(struct propagation *prop, uint8_t kind, uint64_t key)
{
	static const struct stdlib_value unknown = {0, STDLIB_EITHER};

	if (!hf_process_module(prop->typing->process, key))
		return unknown;
	if (!prop->closures)
		prop->closures = calloc(1, sizeof(*prop->closures));
	struct closures *closures = prop->closures;
	if (!closures || (closures->used * 2 >= closures->count && !grow(closures)))
		return unknown;
	struct value_slot *slot = slot_of(closures->slots, closures->count, key);
	if (!slot->key) {
		*slot = (struct value_slot){key, ask(prop, kind, key)};
		closures->used++;
	}
	return slot->value;
}

/* Is there a block at @value that malloc would have given for just @size bytes? */
static bool is_block_of(const struct propagation *prop, uint64_t value, uint64_t size)
{
	uint32_t object = hf_extents_find(prop->extents, value);

	if (object == HF_NO_OBJECT || hf_extents_address(prop->extents, object) != value)
		return false;
	uint64_t usable = hf_extents_usable(prop->extents, object);
	return usable >= size && (usable - size <= FORM_SLACK || usable <= FORM_MIN_USABLE);
}

/* The value's memory in the storage, as far as @holder has such; false: it has none. */
static bool value_here(struct propagation *prop, uint32_t type, uint64_t address, uint64_t bytes,
		       enum rank rank, struct typed_memory *ret)
{
	const struct layout *layout = layout_of(prop->typing->layouts, type);

	if (layout->size == 0 || layout->size > bytes)
		return false;
	*ret = (struct typed_memory){
	    .address = address,
	    .bytes = layout->size,
	    .count = 1,
	    .layout = layout,
	    .ctype = type,
	    .source = HF_TYPE_FIELD,
	    .rank = rank,
	};
	return true;
}

static void open_managed(struct propagation *prop, const struct stdlib_holder *holder,
			 const uint8_t *data, uint64_t address, enum rank rank)
{
	const struct hf_image *image = prop->image;
	uint64_t first = hf_image_word_at(image, data + holder->storage);
	struct stdlib_value value =
	    value_of(prop, holder->kind, hf_image_word_at(image, data + holder->teller));
	struct typed_memory memory;

	if (value.type && holder->invoker != STDLIB_NO_INVOKER) {
		/* Linkers may fold functions that are alike: then the two need not agree. */
		struct stdlib_value other =
		    value_of(prop, holder->kind, hf_image_word_at(image, data + holder->invoker));
		if (other.type && other.type != value.type)
			return;
	}
	uint64_t size = hf_ctype_get(prop->symbols, value.type)->size;
	if (!value.type || !size)
		return;
	if (value.place == STDLIB_EITHER && size > holder->storage_bytes)
		value.place = STDLIB_BEHIND;
	if (value.place == STDLIB_EITHER && is_block_of(prop, first, size))
		return;
	if (value.place == STDLIB_BEHIND)
		propagation_propose(prop, first, value.type, HF_TYPE_CONTAINER, rank);
	else if (value_here(prop, value.type, address + holder->storage, holder->storage_bytes,
			    rank, &memory))
		propagation_open_memory(prop, &memory);
}

/* A value behind the storage has a type by its own vtable. */
static void open_virtual(struct propagation *prop, const struct stdlib_holder *holder,
			 const uint8_t *data, uint64_t address, enum rank rank)
{
	uint64_t value = hf_image_word_at(prop->image, data + holder->teller);
	uint64_t from = address + holder->storage, vtable = 0;
	struct typed_memory memory;

	if (value != from || !hf_image_word(prop->image, value, &vtable))
		return;
	uint32_t type = value_of(prop, holder->kind, vtable).type;
	if (type && value_here(prop, type, value, holder->storage_bytes, rank, &memory))
		propagation_open_memory(prop, &memory);
}

void propagation_open_holders(struct propagation *prop, const struct typed_memory *memory,
			      const uint8_t *data, uint64_t base, uint64_t available)
{
	for (uint32_t i = 0; i < memory->layout->holder_count; i++) {
		const struct holder *holder = &memory->layout->holders[i];
		uint64_t at = base + holder->offset;
		enum rank rank = memory->rank;
		if (holder->flags & LEAF_IN_UNION && rank < RANK_UNION)
			rank = RANK_UNION;
		for (uint64_t n = 0;
		     n < holder->count && at <= available && available - at >= holder->size;
		     n++, at += holder->stride) {
			if (holder->holder.kind == STDLIB_MANAGED)
				open_managed(prop, &holder->holder, data + at, memory->address + at,
					     rank);
			else
				open_virtual(prop, &holder->holder, data + at, memory->address + at,
					     rank);
			if (holder->stride == 0)
				break;
		}
	}
}
