/*
 * types_saved.c - where a type's description stands, so that an index can name it.
 *
 * Types are numbered in the order in which they are met, which the next run does not repeat. A
 * DIE's offset in its file stays. Types that no DIE describes (a pointer that the program never
 * names) are told by what they point at.
 */
#include "core/process/units.h"
#include "core/symbols/types_private.h"

enum { MAX_POINTERS = 8 };

static struct hf_module *module_of(const struct hf_symbols *symbols, uint32_t module)
{
	struct hf_process *process = symbols->process;
	return module < process->modules.count ? &process->modules.data[module] : NULL;
}

bool hf_ctype_place(struct hf_symbols *symbols, uint32_t type, struct hf_ctype_place *ret)
{
	struct hf_ctype_place place = {0};

	if (type == 0 || type >= symbols->types->count)
		return false;
	struct ctype *at = ctype_at(symbols->types, type);
	while (!at->die.addr) {
		if (at->type.kind != HF_CTYPE_POINTER || !at->target ||
		    ++place.pointers > MAX_POINTERS)
			return false;
		at = ctype_at(symbols->types, at->target);
	}
	struct hf_module *module = module_of(symbols, at->module);
	place.module = at->module;
	place.offset = dwarf_dieoffset(&at->die);
	if (!module || !hf_units_place(module, &at->die, &place.section))
		return false;
	*ret = place;
	return true;
}

uint32_t hf_ctype_at_place(struct hf_symbols *symbols, const struct hf_ctype_place *place)
{
	struct hf_module *module = module_of(symbols, place->module);
	Dwarf_Die die;

	if (!module || !hf_units_die(module, place->section, place->offset, &die))
		return 0;
	uint32_t type = ctype_intern(symbols, place->module, &die);
	for (uint32_t i = 0; i < place->pointers && i < MAX_POINTERS && type; i++)
		type = hf_ctype_pointer(symbols, type);
	return type;
}

bool symbols_variable_die(const struct hf_symbols *symbols, const struct hf_variable *variable,
			  Dwarf_Die *ret)
{
	struct hf_module *module = module_of(symbols, variable->module);
	void *addr = (void *)(uintptr_t)variable->type_die;
	Dwarf_Addr bias;
	Dwarf *dwarf = module ? hf_units_dwarf(module, &bias) : NULL;

	if (!dwarf || !hf_variable_is_typed(variable))
		return false;
	if (!addr)
		return hf_units_die(module, variable->type_place, variable->type_offset, ret);
	if (dwarf_die_addr_die(dwarf, addr, ret))
		return true;
	Dwarf *alternate = dwarf_getalt(dwarf);
	return alternate && dwarf_die_addr_die(alternate, addr, ret);
}

void symbols_type_offset(const struct hf_symbols *symbols, const struct hf_variable *variable,
			 uint64_t *ret_offset, uint32_t *ret_place)
{
	uint32_t place;
	Dwarf_Die die;

	if (!symbols_variable_die(symbols, variable, &die) ||
	    !hf_units_place(module_of(symbols, variable->module), &die, &place))
		return;
	*ret_offset = dwarf_dieoffset(&die);
	*ret_place = place;
}
