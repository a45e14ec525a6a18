/*
 * runtimes.c - the list of runtimes, and asking them (see runtime.h).
 */
#include <stdlib.h>

#include "heapwalk/typing/runtime.h"

static const struct typing_runtime *const runtimes[] = {
    &typing_cpython, &typing_gobject, &typing_lua, &typing_sqlite, &typing_glib, &typing_openssl,
};

/* The object at @address if it is still to be typed, else HF_NO_OBJECT. */
static uint32_t untyped_at(const struct hf_typing *typing, uint64_t address, uint64_t bytes)
{
	uint32_t object = hf_extents_find(typing->extents, address);

	if (object == HF_NO_OBJECT || typing->of[object] != TYPE_NONE ||
	    hf_extents_address(typing->extents, object) != address ||
	    hf_extents_usable(typing->extents, object) < bytes)
		return HF_NO_OBJECT;
	return object;
}

bool typing_own(struct hf_typing *typing, uint64_t address, const char *name, uint64_t bytes)
{
	uint32_t object = untyped_at(typing, address, bytes);

	if (object == HF_NO_OBJECT)
		return false;
	uint32_t type = typing_intern(typing, HF_TYPE_RUNTIME, name, 0);
	if (type != TYPE_NONE)
		typing->of[object] = type_pack(type, HF_TYPE_RUNTIME, RANK_SURE);
	return type != TYPE_NONE;
}

bool typing_own_pointers(struct hf_typing *typing, uint64_t address, const char *name)
{
	uint64_t word = typing->process->image.word_bytes;
	uint32_t object = untyped_at(typing, address, word);

	if (object == HF_NO_OBJECT || !typing_own(typing, address, name, word))
		return false;
	struct hf_type *type = &typing->types.data[packed_type(typing->of[object])];
	type->form = HF_FORM_ARRAY;
	type->pointer = true;
	type->size = word;
	return true;
}

static bool has_symbol(const struct hf_typing *typing, const char *name)
{
	const struct hf_process *process = typing->process;
	uint64_t address, size;

	if (process->image.word_bytes != 8 || process->image.big_endian)
		return false;
	for (uint32_t i = 0; i < process->modules.count; i++) {
		if (hf_symbols_find(typing->symbols, i, name, &address, &size))
			return true;
	}
	return false;
}

static struct hf_error *open_runtime(struct hf_typing *typing, const struct typing_runtime *runtime,
				     void **ret)
{
	if (runtime->open)
		return runtime->open(typing, ret);
	if (!has_symbol(typing, runtime->symbol))
		return NULL;
	struct hf_typing **state = calloc(1, runtime->state_bytes);
	if (!state)
		return hf_error_nomem();
	*state = typing;
	*ret = state;
	return NULL;
}

static void run(struct hf_typing *typing, const struct typing_runtime *runtime, void *state)
{
	uint32_t count = hf_extents_count(typing->extents);

	if (runtime->begin)
		runtime->begin(state);
	for (uint32_t id = 0; runtime->type_of && id < count; id++) {
		uint64_t bytes = 0;
		if (typing->of[id] != TYPE_NONE)
			continue;
		const uint8_t *data = typing_bytes(typing, id, &bytes);
		uint32_t type = data ? runtime->type_of(state, id, data, bytes) : TYPE_NONE;
		if (type != TYPE_NONE)
			typing->of[id] = type_pack(type, HF_TYPE_RUNTIME, RANK_SURE);
	}
	for (uint32_t id = 0; runtime->spread && id < count; id++) {
		uint32_t packed = typing->of[id];
		if (packed != TYPE_NONE && packed_source(packed) == HF_TYPE_RUNTIME)
			runtime->spread(state, id, packed_type(packed));
	}
}

struct hf_error *typing_run_runtimes(struct hf_typing *typing)
{
	struct hf_error *err = NULL;

	for (size_t i = 0; i < sizeof(runtimes) / sizeof(runtimes[0]) && !err; i++) {
		void *state = NULL;
		err = open_runtime(typing, runtimes[i], &state);
		if (err || !state)
			continue;
		run(typing, runtimes[i], state);
		(runtimes[i]->close ? runtimes[i]->close : free)(state);
	}
	return err;
}
