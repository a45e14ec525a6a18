/*
 * vtables.c - C++ objects by the vtable that their first word points at.
 *
 * An Itanium ABI object with virtual functions starts with the address point of its class's
 * vtable, which lies in a module. Asking for the symbol there is slow, and there are far fewer
 * classes than objects: each distinct first word is asked once and remembered.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/search.h"
#include "core/symbols/types.h"
#include "heapwalk/typing/private.h"

enum { MAX_NAME = 2048 };

struct vtable_slot {
	uint64_t word; /* 0: free */
	uint32_t type; /* TYPE_NONE: no vtable */
};

struct typing_vtables {
	struct hf_typing *typing;
	struct vtable_slot *slots;
	uint32_t capacity, used;  /* capacity: power of two */
	struct hf_range *modules; /* sorted: most first words are heap pointers, told off here */
	size_t module_count;
};

struct typing_vtables *typing_vtables_create(struct hf_typing *typing)
{
	struct typing_vtables *vtables = calloc(1, sizeof(*vtables));
	if (!vtables)
		return NULL;
	vtables->typing = typing;
	vtables->capacity = 1024;
	vtables->slots = calloc(vtables->capacity, sizeof(*vtables->slots));
	vtables->modules = calloc(typing->process->modules.count + 1, sizeof(*vtables->modules));
	if (!vtables->slots || !vtables->modules) {
		typing_vtables_destroy(vtables);
		return NULL;
	}
	hf_vec_foreach (module, &typing->process->modules)
		vtables->modules[vtables->module_count++] =
		    (struct hf_range){module->start, module->end};
	return vtables;
}

void typing_vtables_destroy(struct typing_vtables *vtables)
{
	if (!vtables)
		return;
	free(vtables->modules);
	free(vtables->slots);
	free(vtables);
}

bool typing_vtable_likely(const struct typing_vtables *vtables, uint64_t word, struct hf_range *gap)
{
	const struct hf_range *modules = vtables->modules;
	size_t count = vtables->module_count;

	if (word - gap->start < gap->end - gap->start)
		return false;
	size_t at = hf_first_not(0, count, i, modules[i].end <= word);
	if (at < count && modules[at].start <= word)
		return true;
	gap->start = at > 0 ? modules[at - 1].end : 0;
	gap->end = at < count ? modules[at].start : UINT64_MAX;
	return false;
}

static struct vtable_slot *slot_of(const struct vtable_slot *slots, uint32_t capacity,
				   uint64_t word)
{
	uint64_t hash = word * UINT64_C(0x9e3779b97f4a7c15);
	uint32_t at = (uint32_t)(hash >> 32) & (capacity - 1);
	while (slots[at].word && slots[at].word != word)
		at = (at + 1) & (capacity - 1);
	return (struct vtable_slot *)&slots[at];
}

static bool grow(struct typing_vtables *vtables)
{
	uint32_t capacity = vtables->capacity * 2;
	struct vtable_slot *slots = calloc(capacity, sizeof(*slots));
	if (!slots)
		return false;
	for (uint32_t i = 0; i < vtables->capacity; i++) {
		if (vtables->slots[i].word)
			*slot_of(slots, capacity, vtables->slots[i].word) = vtables->slots[i];
	}
	free(vtables->slots);
	vtables->slots = slots;
	vtables->capacity = capacity;
	return true;
}

uint32_t typing_vtable_class(const struct hf_typing *typing, uint64_t word, const char **ret_name)
{
	bool primary = false;

	*ret_name = NULL;
	if (!hf_process_module(typing->process, word) || word % typing->process->image.word_bytes)
		return 0;
	*ret_name = hf_symbols_vtable_at(typing->symbols, word, &primary);
	if (!*ret_name)
		return 0;
	uint32_t ctype = hf_ctype_named(typing->symbols, *ret_name);
	return ctype ? ctype : hf_ctype_of_vtable(typing->symbols, word, *ret_name);
}

static uint32_t ask(struct typing_vtables *vtables, uint64_t word)
{
	struct hf_typing *typing = vtables->typing;
	const char *name;
	uint32_t ctype = typing_vtable_class(typing, word, &name);

	if (!name)
		return TYPE_NONE;
	char plain[MAX_NAME];
	snprintf(plain, sizeof(plain), "%s", name);
	typing_shorten(plain);
	return ctype ? typing_intern_ctype(typing, ctype, HF_FORM_ONE, 0)
		     : typing_intern(typing, HF_TYPE_VTABLE, plain, 0);
}

uint32_t typing_vtable_type(struct typing_vtables *vtables, uint64_t word)
{
	struct vtable_slot *slot = slot_of(vtables->slots, vtables->capacity, word);
	if (slot->word)
		return slot->type;
	uint32_t type = ask(vtables, word);
	if (vtables->used * 2 >= vtables->capacity) {
		if (!grow(vtables))
			return type;
		slot = slot_of(vtables->slots, vtables->capacity, word);
	}
	*slot = (struct vtable_slot){word, type};
	vtables->used++;
	return type;
}
