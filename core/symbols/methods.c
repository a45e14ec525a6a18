/*
 * methods.c - the class that a function belongs to, by the function's address.
 *
 * Where C++ erased a type from the data there still is code that knows it: the functions of a
 * vtable, the manager of a std::function. A function's DIE leads to its declaration in the class:
 *
 *	subprogram { low_pc } -> abstract origin -> specification, inside of class Handler<T>
 *
 * The functions of a unit are indexed by where they start when the first of them is asked for.
 * Names alone would not do: gcc gives the same one to different lambdas of a function.
 */
#include <dwarf.h>
#include <stdlib.h>
#include <string.h>

#include "core/process/units.h"
#include "core/symbols/dies.h"
#include "core/symbols/types_private.h"

enum {
	FIRST_SLOTS = 1024,
	MAX_FUNCTIONS = 1 << 22,
	MAX_HOPS = 4,	       /* from a function to its declaration */
	MAX_BASES = 8,	       /* in a row, that a constant is looked for in */
	MAX_TABLE_WORDS = 256, /* of a vtable */
};

struct function_slot {
	uint64_t start; /* target address; 0: free */
	Dwarf_Die die;
};

struct functions {
	struct function_slot *slots;
	uint32_t count, used;
	HF_VEC(, const void *) units; /* that are read, by their DIEs' addresses */
};

void ctype_functions_destroy(void *functions)
{
	struct functions *at = functions;

	if (!at)
		return;
	free(at->slots);
	free(at->units.data);
	free(at);
}

/* ---- the index ------------------------------------------------------------------------------- */

static struct function_slot *slot_of(struct function_slot *slots, uint32_t count, uint64_t start)
{
	uint32_t at = (uint32_t)((start * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & (count - 1);
	while (slots[at].start && slots[at].start != start)
		at = (at + 1) & (count - 1);
	return &slots[at];
}

static bool grow(struct functions *functions)
{
	uint32_t count = functions->count ? functions->count * 2 : FIRST_SLOTS;
	struct function_slot *slots = count <= MAX_FUNCTIONS ? calloc(count, sizeof(*slots)) : NULL;

	if (!slots)
		return false;
	for (uint32_t i = 0; i < functions->count; i++) {
		const struct function_slot *old = &functions->slots[i];
		if (old->start)
			*slot_of(slots, count, old->start) = *old;
	}
	free(functions->slots);
	functions->slots = slots;
	functions->count = count;
	return true;
}

struct unit_reading {
	struct functions *functions;
	Dwarf_Addr bias;
};

/* All ranges: the first one of a function in two parts need not be where it is entered. */
static bool add_function(void *ctx, Dwarf_Die *die)
{
	const struct unit_reading *reading = ctx;
	struct functions *functions = reading->functions;
	Dwarf_Addr base, start, end;

	if (dwarf_tag(die) != DW_TAG_subprogram)
		return true;
	for (ptrdiff_t at = 0; (at = dwarf_ranges(die, at, &base, &start, &end)) > 0;) {
		if (start >= end || !start ||
		    (functions->used * 2 >= functions->count && !grow(functions)))
			continue;
		struct function_slot *slot =
		    slot_of(functions->slots, functions->count, start + reading->bias);
		if (slot->start)
			continue;
		*slot = (struct function_slot){start + reading->bias, *die};
		functions->used++;
	}
	return true;
}

static struct functions *functions_of(struct hf_symbols *symbols)
{
	if (!symbols->types->functions)
		symbols->types->functions = calloc(1, sizeof(struct functions));
	return symbols->types->functions;
}

/* The DIE of the function that starts at @start; *@ret_module is its module. */
static bool function_at(struct hf_symbols *symbols, uint64_t start, Dwarf_Die *ret,
			uint32_t *ret_module)
{
	const struct hf_module *module = hf_process_module(symbols->process, start);
	struct functions *functions = functions_of(symbols);
	struct hf_unit unit;
	Dwarf_Addr bias = 0;
	bool known = false;

	if (!functions || !module || !module->has_dwarf)
		return false;
	uint32_t index = (uint32_t)(module - symbols->process->modules.data);
	struct function_slot *slot =
	    functions->count ? slot_of(functions->slots, functions->count, start) : NULL;
	if (!slot || !slot->start) {
		if (!hf_units_at(&symbols->process->modules.data[index], start, &unit, &bias))
			return false;
		hf_vec_foreach (addr, &functions->units)
			known |= *addr == unit.die.addr;
		if (known || !hf_vec_push(&functions->units, unit.die.addr))
			return false;
		struct unit_reading reading = {functions, bias};
		die_each_below(&unit.die, die_has_functions, add_function, &reading);
		slot = functions->count ? slot_of(functions->slots, functions->count, start) : NULL;
	}
	if (!slot || !slot->start)
		return false;
	*ret = slot->die;
	*ret_module = index;
	return true;
}

/* From a function to what it is an instance of, or to its declaration. */
static bool next_hop(Dwarf_Die *die)
{
	Dwarf_Attribute attribute;

	return (dwarf_attr(die, DW_AT_abstract_origin, &attribute) ||
		dwarf_attr(die, DW_AT_specification, &attribute)) &&
	       dwarf_formref_die(&attribute, die);
}

/* ---- questions ------------------------------------------------------------------------------- */

uint32_t hf_ctype_of_method(struct hf_symbols *symbols, uint64_t function)
{
	uint32_t module;
	Dwarf_Die die, scope;

	if (!function_at(symbols, function, &die, &module))
		return 0;
	for (int i = 0; i < MAX_HOPS && next_hop(&die); i++)
		;
	if (!ctype_enclosing(symbols, module, &die, &scope))
		return 0;
	int tag = dwarf_tag(&scope);
	return tag == DW_TAG_structure_type || tag == DW_TAG_class_type
		   ? ctype_intern(symbols, module, &scope)
		   : 0;
}

uint32_t hf_ctype_method_argument(struct hf_symbols *symbols, uint64_t function, unsigned number)
{
	uint32_t module, type = 0;
	Dwarf_Die die;

	if (!function_at(symbols, function, &die, &module))
		return 0;
	for (int i = 0; i <= MAX_HOPS; i++) {
		type = ctype_argument_of(symbols, module, &die, number);
		if (type || !next_hop(&die))
			break;
	}
	return type;
}

static bool is_other_variable(void *ctx, Dwarf_Die *die)
{
	const char *wanted = ctx;
	const char *name = dwarf_tag(die) == DW_TAG_variable ? dwarf_diename(die) : NULL;
	return !name || strcmp(name, wanted) != 0;
}

bool hf_symbols_has_local(struct hf_symbols *symbols, uint64_t function, const char *name)
{
	uint32_t module;
	Dwarf_Die die;

	if (!function_at(symbols, function, &die, &module))
		return false;
	for (int i = 0; i <= MAX_HOPS; i++) {
		if (!die_each_below(&die, die_has_variables, is_other_variable,
				    (void *)(uintptr_t)name))
			return true;
		if (!next_hop(&die))
			break;
	}
	return false;
}

static bool constant_in(Dwarf_Die *type, const char *wanted, uint64_t *ret)
{
	Dwarf_Die child;

	if (dwarf_child(type, &child) != 0)
		return false;
	do {
		int tag = dwarf_tag(&child);
		const char *name =
		    tag == DW_TAG_member || tag == DW_TAG_variable ? dwarf_diename(&child) : NULL;
		if (!name || strcmp(name, wanted) != 0)
			continue;
		*ret = die_number(&child, DW_AT_const_value);
		return dwarf_hasattr(&child, DW_AT_const_value);
	} while (dwarf_siblingof(&child, &child) == 0);
	return false;
}

bool hf_ctype_constant(struct hf_symbols *symbols, uint32_t type, const char *name, uint64_t *ret)
{
	for (int i = 0; i < MAX_BASES; i++) {
		const struct hf_cmember *members = NULL;
		if (hf_ctype_get(symbols, type)->kind != HF_CTYPE_STRUCT)
			return false;
		Dwarf_Die die = ctype_at(symbols->types, type)->die;
		if (die.addr && constant_in(&die, name, ret))
			return true;
		if (hf_ctype_members(symbols, type, &members) == 0 || !members[0].base)
			return false;
		type = members[0].type;
	}
	return false;
}

/* Is @symbol, "ns::Class<..>::~Class()", that of a function of class @name itself? */
static bool is_own(const char *symbol, const char *name)
{
	size_t length = strlen(name);

	if (!symbol || strncmp(symbol, name, length) != 0 || strncmp(symbol + length, "::", 2) != 0)
		return false;
	symbol += length + 2;
	return !memmem(symbol, strcspn(symbol, "(<"), "::", 2);
}

static bool same_template(const char *a, const char *b)
{
	size_t length = strcspn(a, "<");
	return length == strcspn(b, "<") && strncmp(a, b, length) == 0;
}

uint32_t hf_ctype_of_vtable(struct hf_symbols *symbols, uint64_t vtable, const char *name)
{
	const struct hf_image *image = &symbols->process->image;
	uint64_t function = 0, offset = 0;

	for (uint32_t i = 0; i < MAX_TABLE_WORDS; i++) {
		if (!hf_image_word(image, vtable + (uint64_t)i * image->word_bytes, &function))
			return 0;
		const struct hf_mapping *mapping = hf_process_mapping(symbols->process, function);
		if (function && (!mapping || !(mapping->flags & HF_SEGMENT_X)))
			return 0; /* the end of the table */
		uint32_t type = function ? hf_ctype_of_method(symbols, function) : 0;
		const char *found = type ? hf_ctype_get(symbols, type)->name : NULL;
		/* Symbols are searched one by one: they are asked last. */
		if (!found || !same_template(found, name) ||
		    !is_own(hf_symbols_name_at(symbols, function, &offset), name) || offset)
			continue;
		/* As the symbol has it, which tells gcc's lambdas apart; clang's have a place. */
		if (!strstr(found, "(lambda at "))
			ctype_at(symbols->types, type)->type.name = name;
		return type;
	}
	return 0;
}
