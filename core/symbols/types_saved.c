/*
 * types_saved.c - where a type's description stands, so that an index can name it.
 *
 * Types are numbered in the order in which they are met, which the next run does not repeat. A
 * DIE's offset in its file stays. Types that no DIE describes (a pointer that the program never
 * names) are told by what they point at.
 */
#include "core/symbols/types_private.h"

enum { MAX_POINTERS = 8 };

static Dwarf *dwarf_of(const struct hf_symbols *symbols, uint32_t module)
{
	const struct hf_process *process = symbols->process;
	Dwarf_Addr bias;

	if (module >= process->modules.count || !process->modules.data[module].dwfl)
		return NULL;
	return dwfl_module_getdwarf(process->modules.data[module].dwfl, &bias);
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
	Dwarf *main = dwarf_of(symbols, at->module), *own = dwarf_cu_getdwarf(at->die.cu);
	place.module = at->module;
	place.offset = dwarf_dieoffset(&at->die);
	place.alternate = own != main;
	if (!main || (place.alternate && own != dwarf_getalt(main)))
		return false;
	*ret = place;
	return true;
}

uint32_t hf_ctype_at_place(struct hf_symbols *symbols, const struct hf_ctype_place *place)
{
	Dwarf *dwarf = dwarf_of(symbols, place->module);
	Dwarf_Die die;

	if (dwarf && place->alternate)
		dwarf = dwarf_getalt(dwarf);
	if (!dwarf || !dwarf_offdie(dwarf, place->offset, &die))
		return 0;
	uint32_t type = ctype_intern(symbols, place->module, &die);
	for (uint32_t i = 0; i < place->pointers && i < MAX_POINTERS && type; i++)
		type = hf_ctype_pointer(symbols, type);
	return type;
}

bool symbols_type_offset(const struct hf_symbols *symbols, const struct hf_variable *variable,
			 uint64_t *ret_offset, bool *ret_alternate)
{
	Dwarf *dwarf = variable->type_die ? dwarf_of(symbols, variable->module) : NULL;
	void *addr = (void *)(uintptr_t)variable->type_die;
	Dwarf_Die die;

	*ret_alternate = false;
	if (dwarf && !dwarf_die_addr_die(dwarf, addr, &die)) {
		*ret_alternate = true;
		dwarf = dwarf_getalt(dwarf);
		if (dwarf && !dwarf_die_addr_die(dwarf, addr, &die))
			dwarf = NULL;
	}
	if (dwarf)
		*ret_offset = dwarf_dieoffset(&die);
	return dwarf != NULL;
}
