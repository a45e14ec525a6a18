/*
 * context.c - what a callback takes its void * argument for.
 *
 * A callback declares its context as void * and says in its first lines what it is: a variable
 * of a pointer type, or, where it is cast when it is registered, a parameter of one. The
 * function's own parameters and variables are read; what was inlined into it is not.
 */
#include <dwarf.h>

#include "core/process/units.h"
#include "core/symbols/dies.h"
#include "core/symbols/types_private.h"

struct context_types {
	struct hf_symbols *symbols;
	uint32_t module;
	uint32_t *types;
	uint32_t count, max;
};

/* Add what @die's pointer type points at, if that is a structure and not there yet. */
static bool add_pointed(void *ctx, Dwarf_Die *die)
{
	struct context_types *context = ctx;
	struct hf_symbols *symbols = context->symbols;
	int tag = dwarf_tag(die);
	Dwarf_Die of;

	if ((tag != DW_TAG_formal_parameter && tag != DW_TAG_variable) || !die_type(die, &of))
		return true;
	uint32_t type = ctype_intern(symbols, context->module, &of);
	if (hf_ctype_get(symbols, type)->kind != HF_CTYPE_POINTER)
		return true;
	uint32_t target = hf_ctype_target(symbols, type);
	if (hf_ctype_get(symbols, target)->kind != HF_CTYPE_STRUCT)
		return true;
	for (uint32_t i = 0; i < context->count; i++) {
		if (context->types[i] == target)
			return true;
	}
	if (context->count < context->max)
		context->types[context->count++] = target;
	return true;
}

uint32_t hf_symbols_context_types(struct hf_symbols *symbols, uint64_t function, uint32_t *ret,
				  uint32_t max)
{
	const struct hf_module *module = hf_process_module(symbols->process, function);
	struct hf_unit unit;
	Dwarf_Addr bias = 0;
	Dwarf_Die found, child;
	Dwarf_Attribute attribute;

	if (!module || !module->has_dwarf)
		return 0;
	uint32_t index = (uint32_t)(module - symbols->process->modules.data);
	struct context_types context = {symbols, index, ret, 0, max};
	if (!hf_units_at(&symbols->process->modules.data[index], function, &unit, &bias) ||
	    !ctype_function_at(&unit.die, function - bias, &found))
		return 0;
	/* An instance may leave its variables to the abstract one that it is of. */
	if (dwarf_child(&found, &child) != 0 &&
	    (!dwarf_attr(&found, DW_AT_abstract_origin, &attribute) ||
	     !dwarf_formref_die(&attribute, &found)))
		return 0;
	die_each_below(&found, die_has_variables, add_pointed, &context);
	return context.count;
}
