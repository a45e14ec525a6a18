/*
 * context.c - what a callback takes its void * argument for.
 *
 * A callback declares its context as void * and says in its first lines what it is: a variable
 * of a pointer type, or, where it is cast when it is registered, a parameter of one. The
 * function's own parameters and variables are read; what was inlined into it is not.
 */
#include <dwarf.h>

#include "core/process/units.h"
#include "core/symbols/types_private.h"

/* Add what @die's pointer type points at, if that is a structure and not there yet. */
static uint32_t add_pointed(struct hf_symbols *symbols, uint32_t module, Dwarf_Die *die,
			    uint32_t *ret, uint32_t count, uint32_t max)
{
	Dwarf_Attribute attribute;
	Dwarf_Die of;

	if (!dwarf_attr_integrate(die, DW_AT_type, &attribute) ||
	    !dwarf_formref_die(&attribute, &of))
		return count;
	uint32_t type = ctype_intern(symbols, module, &of);
	if (hf_ctype_get(symbols, type)->kind != HF_CTYPE_POINTER)
		return count;
	uint32_t target = hf_ctype_target(symbols, type);
	if (hf_ctype_get(symbols, target)->kind != HF_CTYPE_STRUCT)
		return count;
	for (uint32_t i = 0; i < count; i++) {
		if (ret[i] == target)
			return count;
	}
	if (count < max)
		ret[count++] = target;
	return count;
}

/* The function's children, or those of the abstract one that it is an instance of. */
static bool first_child(Dwarf_Die *function, Dwarf_Die *ret)
{
	Dwarf_Attribute attribute;
	Dwarf_Die origin;

	if (dwarf_child(function, ret) == 0)
		return true;
	return dwarf_attr(function, DW_AT_abstract_origin, &attribute) &&
	       dwarf_formref_die(&attribute, &origin) && dwarf_child(&origin, ret) == 0;
}

uint32_t hf_symbols_context_types(struct hf_symbols *symbols, uint64_t function, uint32_t *ret,
				  uint32_t max)
{
	const struct hf_module *module = hf_process_module(symbols->process, function);
	struct hf_unit unit;
	Dwarf_Addr bias = 0;
	Dwarf_Die stack[MAX_SCOPE_DEPTH], found;
	uint32_t count = 0;
	int depth = 0;

	if (!module || !module->has_dwarf)
		return 0;
	uint32_t index = (uint32_t)(module - symbols->process->modules.data);
	if (!hf_units_at(&symbols->process->modules.data[index], function, &unit, &bias) ||
	    !ctype_function_at(&unit.die, function - bias, &found) ||
	    !first_child(&found, &stack[0]))
		return 0;
	while (depth >= 0) {
		int tag = dwarf_tag(&stack[depth]);
		if (tag == DW_TAG_formal_parameter || tag == DW_TAG_variable)
			count = add_pointed(symbols, index, &stack[depth], ret, count, max);
		if (tag == DW_TAG_lexical_block && depth + 1 < MAX_SCOPE_DEPTH &&
		    dwarf_child(&stack[depth], &stack[depth + 1]) == 0) {
			depth++;
			continue;
		}
		while (depth >= 0 && dwarf_siblingof(&stack[depth], &stack[depth]) != 0)
			depth--;
	}
	return count;
}
