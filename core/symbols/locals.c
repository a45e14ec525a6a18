/*
 * locals.c - variables and parameters of a frame, and where its pc finds them.
 *
 * The scopes around a pc (blocks, inlined functions, the function) and the simple locations of
 * their variables are read once a pc and remembered, since a recursion meets the same pc
 * thousands of times. A place is one of
 *
 *	CFA + n		from DW_OP_fbreg over DW_OP_call_frame_cfa: all of gcc's stack slots
 *	register + n	DW_OP_breg, or fbreg over a frame pointer
 *	register	the value itself
 *
 * Split and computed locations are left out: no guess is better than a wrong one. So is a
 * local that is declared at or after the line that the frame stands at: it is not set yet.
 */
#include <dwarf.h>
#include <stdlib.h>
#include <string.h>

#include "core/process/units.h"
#include "core/symbols/dies.h"
#include "core/symbols/types_private.h"

enum { MAX_LOCALS_A_PC = 256, MAX_PCS = 1 << 16 };

enum place_kind { PLACE_CFA, PLACE_BASED, PLACE_REGISTER };

struct place {
	uint8_t kind; /* enum place_kind */
	uint8_t reg;
	int64_t offset;
};

struct pc_local {
	const char *name;
	uint32_t type;
	struct place place;
};

struct pc_entry {
	uint64_t pc; /* 0: free */
	uint32_t first, count;
};

struct locals {
	struct pc_entry *entries; /* open addressing */
	uint32_t entry_count, used;
	HF_VEC(, struct pc_local) list;
};

void ctype_locals_destroy(void *memory)
{
	struct locals *locals = memory;
	if (!locals)
		return;
	free(locals->entries);
	free(locals->list.data);
	free(locals);
}

/* ---- locations ------------------------------------------------------------------------------- */

/* The one operation of a location that holds at @pc. */
static bool simple_location(Dwarf_Die *die, unsigned name, Dwarf_Addr pc, Dwarf_Op *ret)
{
	Dwarf_Attribute attribute;
	Dwarf_Op *ops;
	size_t count;

	if (!dwarf_attr_integrate(die, name, &attribute) ||
	    dwarf_getlocation_addr(&attribute, pc, &ops, &count, 1) != 1 || count != 1)
		return false;
	*ret = ops[0];
	return true;
}

static bool based_on(const Dwarf_Op *op, struct place *ret)
{
	uint64_t reg;
	if (op->atom >= DW_OP_breg0 && op->atom <= DW_OP_breg31) {
		reg = op->atom - DW_OP_breg0;
		*ret = (struct place){PLACE_BASED, (uint8_t)reg, (int64_t)op->number};
		return true;
	}
	if (op->atom >= DW_OP_reg0 && op->atom <= DW_OP_reg31) {
		reg = op->atom - DW_OP_reg0;
		*ret = (struct place){PLACE_REGISTER, (uint8_t)reg, 0};
		return true;
	}
	return false;
}

/* @function: the subprogram that has the frame base. */
static bool place_of(Dwarf_Die *die, Dwarf_Die *function, Dwarf_Addr pc, struct place *ret)
{
	Dwarf_Op op, base;

	if (!simple_location(die, DW_AT_location, pc, &op))
		return false;
	if (op.atom != DW_OP_fbreg)
		return based_on(&op, ret);
	if (!function || !simple_location(function, DW_AT_frame_base, pc, &base))
		return false;
	if (base.atom == DW_OP_call_frame_cfa)
		*ret = (struct place){PLACE_CFA, 0, 0};
	else if (!based_on(&base, ret))
		return false;
	ret->kind = ret->kind == PLACE_CFA ? PLACE_CFA : PLACE_BASED;
	return !__builtin_add_overflow(ret->offset, (int64_t)op.number, &ret->offset);
}

/* ---- one pc ---------------------------------------------------------------------------------- */

struct reading {
	struct hf_symbols *symbols;
	struct locals *locals;
	uint32_t module;
	Dwarf_Addr pc;	     /* in the file */
	Dwarf_Die *function; /* the subprogram around */
	uint64_t line;	     /* of the frame; 0: unknown, or in an inlined function */
};

static bool read_variable(struct reading *reading, Dwarf_Die *die, int tag)
{
	Dwarf_Attribute attribute;
	Dwarf_Die type;
	Dwarf_Word line;
	struct pc_local local = {.name = dwarf_diename(die)};

	if (!local.name || !place_of(die, reading->function, reading->pc, &local.place) ||
	    !dwarf_attr_integrate(die, DW_AT_type, &attribute) ||
	    !dwarf_formref_die(&attribute, &type))
		return true;
	if (tag == DW_TAG_variable && reading->line &&
	    dwarf_attr_integrate(die, DW_AT_decl_line, &attribute) &&
	    dwarf_formudata(&attribute, &line) == 0 && line >= reading->line)
		return true;
	local.type = ctype_intern(reading->symbols, reading->module, &type);
	return !local.type || hf_vec_push(&reading->locals->list, local);
}

static bool read_scope(struct reading *reading, Dwarf_Die *scope, size_t limit)
{
	Dwarf_Die child;

	if (dwarf_child(scope, &child) != 0)
		return true;
	do {
		int tag = dwarf_tag(&child);
		if ((tag == DW_TAG_variable || tag == DW_TAG_formal_parameter) &&
		    !read_variable(reading, &child, tag))
			return false;
	} while (reading->locals->list.count < limit && dwarf_siblingof(&child, &child) == 0);
	return true;
}

struct function_search {
	Dwarf_Addr pc;
	Dwarf_Die found;
};

static bool search_function(void *ctx, Dwarf_Die *die)
{
	struct function_search *search = ctx;

	if (dwarf_tag(die) != DW_TAG_subprogram || dwarf_haspc(die, search->pc) <= 0)
		return true;
	search->found = *die;
	return false;
}

bool ctype_function_at(Dwarf_Die *unit, Dwarf_Addr pc, Dwarf_Die *ret)
{
	struct function_search search = {.pc = pc};

	if (die_each_below(unit, die_has_functions, search_function, &search))
		return false;
	*ret = search.found;
	return true;
}

/* The block or inlined function in @scope that contains @pc. */
static bool find_inner(Dwarf_Die *scope, Dwarf_Addr pc, Dwarf_Die *ret)
{
	Dwarf_Die child;
	if (dwarf_child(scope, &child) != 0)
		return false;
	do {
		int tag = dwarf_tag(&child);
		if ((tag == DW_TAG_lexical_block || tag == DW_TAG_inlined_subroutine) &&
		    dwarf_haspc(&child, pc) > 0) {
			*ret = child;
			return true;
		}
	} while (dwarf_siblingof(&child, &child) == 0);
	return false;
}

static bool read_pc(struct hf_symbols *symbols, struct locals *locals, const struct hf_frame *frame)
{
	Dwarf_Addr bias = 0;
	Dwarf_Die chain[MAX_SCOPE_DEPTH];
	struct hf_module *module = &symbols->process->modules.data[frame->module];
	struct hf_unit unit;
	if (!module->has_dwarf || !hf_units_at(module, frame->pc, &unit, &bias))
		return true;
	struct reading reading = {symbols,	    locals,    frame->module,
				  frame->pc - bias, &chain[0], frame->line};
	size_t limit = locals->list.count + MAX_LOCALS_A_PC;
	int count = 1;
	bool fine = true;

	if (!ctype_function_at(&unit.die, reading.pc, &chain[0]))
		return true;
	while (count < MAX_SCOPE_DEPTH && find_inner(&chain[count - 1], reading.pc, &chain[count]))
		count++;
	for (int i = 0; i < count; i++) {
		if (dwarf_tag(&chain[i]) == DW_TAG_inlined_subroutine)
			reading.line = 0;
	}
	while (fine && count-- > 0)
		fine = read_scope(&reading, &chain[count], limit);
	return fine;
}

/* ---- memory of pcs --------------------------------------------------------------------------- */

static struct pc_entry *entry_of(struct pc_entry *entries, uint32_t count, uint64_t pc)
{
	uint32_t at = (uint32_t)((pc * UINT64_C(0x9e3779b97f4a7c15)) >> 32);
	while (entries[at & (count - 1)].pc && entries[at & (count - 1)].pc != pc)
		at++;
	return &entries[at & (count - 1)];
}

static struct locals *locals_of(struct hf_symbols *symbols)
{
	struct locals *locals = symbols->types->locals;

	if (!locals)
		symbols->types->locals = locals = calloc(1, sizeof(*locals));
	if (!locals)
		return NULL;
	if (locals->used * 2 >= locals->entry_count) {
		uint32_t count = locals->entry_count ? locals->entry_count * 2 : 1024;
		struct pc_entry *entries = calloc(count, sizeof(*entries));
		if (!entries)
			return NULL;
		for (uint32_t i = 0; i < locals->entry_count; i++) {
			if (locals->entries[i].pc)
				*entry_of(entries, count, locals->entries[i].pc) =
				    locals->entries[i];
		}
		free(locals->entries);
		locals->entries = entries;
		locals->entry_count = count;
	}
	return locals;
}

static const struct pc_entry *locals_at(struct hf_symbols *symbols, const struct hf_frame *frame)
{
	struct locals *locals = locals_of(symbols);

	if (!locals || !frame->pc || frame->module >= symbols->process->modules.count)
		return NULL;
	struct pc_entry *entry = entry_of(locals->entries, locals->entry_count, frame->pc);
	if (entry->pc)
		return entry;
	if (locals->used >= MAX_PCS)
		return NULL;
	size_t first = locals->list.count;
	if (!read_pc(symbols, locals, frame))
		locals->list.count = first;
	*entry =
	    (struct pc_entry){frame->pc, (uint32_t)first, (uint32_t)(locals->list.count - first)};
	locals->used++;
	return entry;
}

/* ---- one frame ------------------------------------------------------------------------------- */

static bool locate(const struct hf_frame *frame, const struct place *place, struct hf_local *local)
{
	bool known = place->reg < HF_FRAME_REGISTERS && (frame->known >> place->reg & 1);

	switch ((enum place_kind)place->kind) {
	case PLACE_CFA:
		local->address = frame->cfa ? frame->cfa + (uint64_t)place->offset : 0;
		return frame->cfa != 0;
	case PLACE_BASED:
		if (known)
			local->address = frame->registers[place->reg] + (uint64_t)place->offset;
		return known;
	case PLACE_REGISTER:
		if (known)
			local->value = frame->registers[place->reg];
		return known;
	}
	return false;
}

void hf_symbols_each_local(struct hf_symbols *symbols, const struct hf_thread *thread,
			   uint32_t number, hf_local_fn *fn, void *ctx)
{
	const struct hf_frame *frame = &thread->frames.data[number];
	const struct pc_entry *entry = locals_at(symbols, frame);

	for (uint32_t i = 0; entry && i < entry->count; i++) {
		const struct locals *locals = symbols->types->locals;
		const struct pc_local *known = &locals->list.data[entry->first + i];
		struct hf_local local = {.name = known->name, .type = known->type};
		local.size = hf_ctype_get(symbols, known->type)->size;
		if (locate(frame, &known->place, &local) && !fn(ctx, &local))
			return;
	}
}
