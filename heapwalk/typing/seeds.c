/*
 * seeds.c - where types start: variables, TLS variables of every thread, locals of every
 * frame, and the objects that have a type already (vtables).
 *
 * A local may be read where it was not set yet or is dead already, so what it says is less
 * sure (RANK_LOCAL) than what variables say.
 */
#include "heapwalk/typing/propagate.h"

enum { MAX_LOCAL_BYTES = 1 << 20 };

struct roots_walk {
	struct propagation *prop;
	memory_fn *fn;
	void *ctx;
};

static void give(const struct roots_walk *walk, uint32_t ctype, uint64_t address, uint64_t bytes,
		 enum rank rank)
{
	struct typed_memory memory = {
	    .address = address,
	    .bytes = bytes,
	    .count = 1,
	    .layout = layout_of(walk->prop->typing->layouts, ctype),
	    .ctype = ctype,
	    .source = HF_TYPE_VARIABLE,
	    .rank = rank,
	};
	if (ctype && memory.layout->size && memory.layout->size <= bytes)
		walk->fn(walk->ctx, &memory);
}

static void each_variable(const struct roots_walk *walk)
{
	struct hf_symbols *symbols = walk->prop->symbols;

	hf_vec_foreach (variable, hf_symbols_variables(symbols)) {
		if (hf_variable_is_typed(variable))
			give(walk, hf_ctype_of_variable(symbols, variable), variable->address,
			     variable->size, RANK_EXACT);
	}
}

static void each_tls(const struct roots_walk *walk)
{
	const struct hf_process *process = walk->prop->typing->process;
	struct hf_symbols *symbols = walk->prop->symbols;

	hf_vec_foreach (variable, hf_symbols_tls_variables(symbols)) {
		uint32_t ctype =
		    hf_variable_is_typed(variable) ? hf_ctype_of_variable(symbols, variable) : 0;
		const struct hf_module *module = &process->modules.data[variable->module];
		for (size_t i = 0; ctype && i < process->threads.count; i++) {
			uint64_t block = 0;
			if (variable->address < module->tls_size &&
			    hf_process_tls_block(process, &process->threads.data[i], module,
						 &block))
				give(walk, ctype, block + variable->address,
				     module->tls_size - variable->address, RANK_EXACT);
		}
	}
}

static bool give_local(void *ctx, const struct hf_local *local)
{
	const struct roots_walk *walk = ctx;
	if (local->address && local->size <= MAX_LOCAL_BYTES)
		give(walk, local->type, local->address, local->size, RANK_LOCAL);
	return true;
}

void propagation_each_root(struct propagation *prop, memory_fn *fn, void *ctx)
{
	struct roots_walk walk = {prop, fn, ctx};

	each_variable(&walk);
	each_tls(&walk);
	hf_vec_foreach (thread, &prop->typing->process->threads) {
		for (uint32_t i = 0; i < thread->frames.count && !prop->failed; i++)
			hf_symbols_each_local(prop->symbols, thread, i, give_local, &walk);
	}
}

/* A pointer that a frame keeps in a register. */
static bool seed_register(void *ctx, const struct hf_local *local)
{
	struct propagation *prop = ctx;

	if (local->address || hf_ctype_get(prop->symbols, local->type)->kind != HF_CTYPE_POINTER)
		return true;
	uint32_t object = hf_extents_find(prop->extents, local->value);
	if (object != HF_NO_OBJECT)
		propagation_offer(prop, object, local->value,
				  hf_ctype_target(prop->symbols, local->type), HF_TYPE_VARIABLE,
				  RANK_LOCAL);
	return true;
}

static void seed_objects(struct propagation *prop)
{
	for (uint32_t id = 0; id < hf_extents_count(prop->extents); id++) {
		uint32_t packed = prop->typing->of[id];
		if (packed != TYPE_NONE && prop->typing->types.data[packed_type(packed)].ctype)
			propagation_push(prop, id, packed_rank(packed));
	}
}

static void seed_memory(void *ctx, const struct typed_memory *memory)
{
	propagation_open_memory(ctx, memory);
}

void propagation_seed(struct propagation *prop)
{
	seed_objects(prop);
	propagation_each_root(prop, seed_memory, prop);
	hf_vec_foreach (thread, &prop->typing->process->threads) {
		for (uint32_t i = 0; i < thread->frames.count && !prop->failed; i++)
			hf_symbols_each_local(prop->symbols, thread, i, seed_register, prop);
	}
}
