/*
 * seeds.c - where types start: variables, TLS variables of every thread, locals of every
 * frame, and the objects that have a type already (vtables).
 *
 * A local may be read where it was not set yet or is dead already, so what it says is less
 * sure (RANK_LOCAL) than what variables say.
 */
#include "heapwalk/typing/propagate.h"

enum { MAX_LOCAL_BYTES = 1 << 20 };

static void seed_memory(struct propagation *prop, uint32_t ctype, uint64_t address, uint64_t bytes,
			enum rank rank)
{
	struct typed_memory memory = {
	    .address = address,
	    .bytes = bytes,
	    .count = 1,
	    .layout = layout_of(prop->typing->layouts, ctype),
	    .source = HF_TYPE_VARIABLE,
	    .rank = rank,
	};
	if (ctype && memory.layout->size && memory.layout->size <= bytes)
		propagation_open_memory(prop, &memory);
}

static void seed_variables(struct propagation *prop)
{
	hf_vec_foreach (variable, hf_symbols_variables(prop->symbols)) {
		if (variable->type_die)
			seed_memory(prop, hf_ctype_of_variable(prop->symbols, variable),
				    variable->address, variable->size, RANK_EXACT);
	}
}

static void seed_tls(struct propagation *prop)
{
	const struct hf_process *process = prop->typing->process;

	hf_vec_foreach (variable, hf_symbols_tls_variables(prop->symbols)) {
		uint32_t ctype =
		    variable->type_die ? hf_ctype_of_variable(prop->symbols, variable) : 0;
		const struct hf_module *module = &process->modules.data[variable->module];
		for (size_t i = 0; ctype && i < process->threads.count; i++) {
			uint64_t block = 0;
			if (hf_process_tls_block(process, &process->threads.data[i], module,
						 &block) &&
			    variable->address < module->tls_size)
				seed_memory(prop, ctype, block + variable->address,
					    module->tls_size - variable->address, RANK_EXACT);
		}
	}
}

static bool seed_local(void *ctx, const struct hf_local *local)
{
	struct propagation *prop = ctx;

	if (local->address) {
		if (local->size <= MAX_LOCAL_BYTES)
			seed_memory(prop, local->type, local->address, local->size, RANK_LOCAL);
		return true;
	}
	if (hf_ctype_get(prop->symbols, local->type)->kind != HF_CTYPE_POINTER)
		return true;
	uint32_t object = hf_extents_find(prop->extents, local->value);
	if (object != HF_NO_OBJECT)
		propagation_offer(prop, object, local->value,
				  hf_ctype_target(prop->symbols, local->type), HF_TYPE_VARIABLE,
				  RANK_LOCAL);
	return true;
}

static void seed_locals(struct propagation *prop)
{
	hf_vec_foreach (thread, &prop->typing->process->threads) {
		for (uint32_t i = 0; i < thread->frames.count && !prop->failed; i++)
			hf_symbols_each_local(prop->symbols, thread, i, seed_local, prop);
	}
}

static void seed_objects(struct propagation *prop)
{
	for (uint32_t id = 0; id < hf_extents_count(prop->extents); id++) {
		uint32_t packed = prop->typing->of[id];
		if (packed != TYPE_NONE && prop->typing->types.data[packed_type(packed)].ctype)
			propagation_push(prop, id, packed_rank(packed));
	}
}

void propagation_seed(struct propagation *prop)
{
	seed_objects(prop);
	seed_variables(prop);
	seed_tls(prop);
	seed_locals(prop);
}
