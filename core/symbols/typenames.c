/*
 * typenames.c - which structures a module defines, by name; and the namespaces around a DIE.
 *
 * DWARF has no way up from a DIE to what encloses it. One walk over a module's units notes every
 * namespace and structure with the host addresses that its DIEs take, in preorder; the
 * innermost scope around a DIE is then found by binary search and a climb. Of several
 * definitions with one name the first stands. In C only the top level is visited.
 */
#include <dwarf.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/search.h"
#include "core/process/units.h"
#include "core/symbols/types_private.h"

uint64_t ctype_hash(uint64_t hash, const char *text)
{
	hash ^= UINT64_C(0xcbf29ce484222325);
	for (; *text; text++) {
		if (*text != ' ')
			hash = (hash ^ (uint8_t)*text) * UINT64_C(0x100000001b3);
	}
	return hash;
}

/* Codes that are newer than the header. */
enum { LANG_CXX_17 = 0x2a, LANG_CXX_20 = 0x2b, LANG_CXX_23 = 0x3a };

enum language { LANGUAGE_UNKNOWN, LANGUAGE_C, LANGUAGE_SCOPED };

static enum language language_of(Dwarf_Die *unit)
{
	int code = dwarf_srclang(unit);
	switch (code) {
	case DW_LANG_C_plus_plus:
	case DW_LANG_C_plus_plus_03:
	case DW_LANG_C_plus_plus_11:
	case DW_LANG_C_plus_plus_14:
	case LANG_CXX_17:
	case LANG_CXX_20:
	case LANG_CXX_23:
	case DW_LANG_Rust:
	case DW_LANG_D:
	case DW_LANG_ObjC_plus_plus:
		return LANGUAGE_SCOPED;
	default:
		return code > 0 ? LANGUAGE_C : LANGUAGE_UNKNOWN;
	}
}

static bool is_c(const struct type_names *names, Dwarf_Die *unit)
{
	enum language language = language_of(unit);
	return language == LANGUAGE_C || (language == LANGUAGE_UNKNOWN && !names->cxx);
}

bool ctype_language_is_c(struct hf_symbols *symbols, uint32_t module, const Dwarf_Die *die)
{
	Dwarf_Die unit;
	if (!die->cu || !dwarf_cu_die(die->cu, &unit, NULL, NULL, NULL, NULL, NULL, NULL))
		return true;
	return is_c(ctype_names(symbols, module), &unit);
}

/* ---- reading --------------------------------------------------------------------------------- */

static bool is_structure(int tag)
{
	return tag == DW_TAG_structure_type || tag == DW_TAG_class_type || tag == DW_TAG_union_type;
}

struct name_walk {
	struct type_names *names;
	Dwarf_Die stack[MAX_SCOPE_DEPTH];
	uint32_t scopes[MAX_SCOPE_DEPTH]; /* the scope that encloses this level */
	uint32_t open[MAX_SCOPE_DEPTH];	  /* the scope that this level's DIE is, whose end is due */
	int depth;
	uint32_t first; /* scope of the unit */
	bool nested;	/* C++: into namespaces and structures */
};

/* A class that is defined outside of what it was declared in has its name from there. */
static uint32_t named_in(const struct name_walk *walk, Dwarf_Die *die)
{
	const struct type_names *names = walk->names;
	uint32_t count = (uint32_t)names->scopes.count;
	Dwarf_Attribute attribute;
	Dwarf_Die declared;

	if (!dwarf_attr(die, DW_AT_specification, &attribute) ||
	    !dwarf_formref_die(&attribute, &declared))
		return walk->scopes[walk->depth];
	uint32_t found = hf_first_not(
	    walk->first, count, at, names->scopes.data[at].start < (const uint8_t *)declared.addr);
	return found < count && names->scopes.data[found].start == declared.addr
		   ? names->scopes.data[found].outer
		   : walk->scopes[walk->depth];
}

/* Note the DIE at the walk's level; *@ret: its scope. */
static bool note_scope(struct name_walk *walk, int tag, uint32_t *ret)
{
	Dwarf_Die *die = &walk->stack[walk->depth];
	struct scope scope = {
	    .start = die->addr,
	    .name = dwarf_diename(die),
	    .parent = walk->scopes[walk->depth],
	    .outer = named_in(walk, die),
	    .defined = is_structure(tag) && !dwarf_hasattr(die, DW_AT_declaration),
	};
	if (!scope.name && tag == DW_TAG_namespace)
		scope.name = "(anonymous namespace)";
	*ret = (uint32_t)walk->names->scopes.count;
	return hf_vec_push(&walk->names->scopes, scope);
}

static void close_scope(struct name_walk *walk, const uint8_t *end)
{
	uint32_t open = walk->open[walk->depth];
	if (open != HF_NO_INDEX)
		walk->names->scopes.data[open].end = end;
	walk->open[walk->depth] = HF_NO_INDEX;
}

static bool enter(struct name_walk *walk, uint32_t scope)
{
	int depth = walk->depth;
	if (!walk->nested || depth + 1 >= MAX_SCOPE_DEPTH ||
	    dwarf_child(&walk->stack[depth], &walk->stack[depth + 1]) != 0)
		return false;
	walk->scopes[depth + 1] = scope;
	walk->open[depth + 1] = HF_NO_INDEX;
	walk->depth++;
	return true;
}

/* To the next DIE, upward where a level ends. The end of a last child is its parent's. */
static void advance(struct name_walk *walk)
{
	while (walk->depth >= 0) {
		Dwarf_Die next;
		if (dwarf_siblingof(&walk->stack[walk->depth], &next) == 0) {
			close_scope(walk, next.addr);
			walk->stack[walk->depth] = next;
			return;
		}
		close_scope(walk, NULL);
		walk->depth--;
	}
}

static bool walk_unit(struct type_names *names, Dwarf_Die *unit)
{
	struct name_walk walk = {
	    .names = names, .first = (uint32_t)names->scopes.count, .nested = !is_c(names, unit)};
	struct scope_unit made = {unit->addr, NULL, unit->cu, (uint32_t)names->scopes.count, 0};

	walk.scopes[0] = walk.open[0] = HF_NO_INDEX;
	if (dwarf_child(unit, &walk.stack[0]) != 0)
		return true;
	while (walk.depth >= 0 && names->scopes.count < MAX_SCOPES) {
		int tag = dwarf_tag(&walk.stack[walk.depth]);
		uint32_t scope;
		bool interesting = is_structure(tag) || tag == DW_TAG_namespace;
		if (interesting) {
			if (!note_scope(&walk, tag, &scope))
				return false;
			walk.open[walk.depth] = scope;
			if (enter(&walk, scope))
				continue;
		}
		advance(&walk);
	}
	made.count = (uint32_t)names->scopes.count - made.first;
	return made.count == 0 || hf_vec_push(&names->units, made);
}

static int compare_units(const void *a, const void *b)
{
	const struct scope_unit *x = a, *y = b;
	return (x->start > y->start) - (x->start < y->start);
}

/* Hash of a scope's whole name, outermost first; 0 if a part has none. */
static uint64_t scope_hash(const struct type_names *names, uint32_t scope)
{
	const char *parts[MAX_SCOPE_DEPTH];
	int count = 0;

	for (uint32_t at = scope; at != HF_NO_INDEX && count < MAX_SCOPE_DEPTH;
	     at = names->scopes.data[at].outer) {
		const char *name = names->scopes.data[at].name;
		if (!name)
			return 0;
		parts[count++] = name;
	}
	uint64_t hash = UINT64_C(0xcbf29ce484222325);
	while (count-- > 0) {
		for (const char *text = parts[count]; *text; text++) {
			if (*text != ' ')
				hash = (hash ^ (uint8_t)*text) * UINT64_C(0x100000001b3);
		}
		if (count)
			hash = ((hash ^ ':') * UINT64_C(0x100000001b3) ^ ':') *
			       UINT64_C(0x100000001b3);
	}
	return hash | 1;
}

static bool make_slots(struct type_names *names)
{
	uint32_t count = 64;
	while (count < names->scopes.count * 2)
		count *= 2;
	names->slots = calloc(count, sizeof(*names->slots));
	if (!names->slots)
		return false;
	names->slot_count = count;
	for (uint32_t i = 0; i < names->scopes.count; i++) {
		uint64_t hash = names->scopes.data[i].defined ? scope_hash(names, i) : 0;
		if (!hash)
			continue;
		uint32_t at = (uint32_t)(hash >> 24) & (count - 1);
		while (names->slots[at].hash && names->slots[at].hash != hash)
			at = (at + 1) & (count - 1);
		if (!names->slots[at].hash)
			names->slots[at] = (struct name_slot){hash, i};
	}
	return true;
}

static bool has_scopes(Dwarf *dwarf)
{
	struct hf_unit_walk walk = {.dwarf = dwarf};
	struct hf_unit unit;

	while (hf_units_next(&walk, &unit)) {
		if (language_of(&unit.die) == LANGUAGE_SCOPED)
			return true;
	}
	return false;
}

static bool walk_file(struct type_names *names, Dwarf *dwarf)
{
	struct hf_unit_walk walk = {.dwarf = dwarf};
	struct hf_unit unit;

	while (hf_units_next(&walk, &unit)) {
		if (!walk_unit(names, &unit.die))
			return false;
	}
	return true;
}

struct type_names *ctype_names(struct hf_symbols *symbols, uint32_t module)
{
	struct type_names *names = &symbols->types->names[module];
	const struct hf_module *owner = &symbols->process->modules.data[module];
	Dwarf_Addr bias;

	if (names->ready)
		return names;
	names->ready = true;
	Dwarf *dwarf = owner->has_dwarf ? hf_units_dwarf(owner, &bias) : NULL;
	if (!dwarf)
		return names;
	names->cxx = has_scopes(dwarf);
	if (!walk_file(names, dwarf) || !walk_file(names, dwarf_getalt(dwarf)) ||
	    !make_slots(names)) {
		ctype_names_deinit(names);
		names->ready = true;
		return names;
	}
	if (names->units.count)
		qsort(names->units.data, names->units.count, sizeof(*names->units.data),
		      compare_units);
	return names;
}

void ctype_names_deinit(struct type_names *names)
{
	hf_vec_free(&names->scopes);
	hf_vec_free(&names->units);
	free(names->slots);
	*names = (struct type_names){0};
}

/* ---- asking ---------------------------------------------------------------------------------- */

static const struct scope_unit *unit_of(const struct type_names *names, const uint8_t *addr)
{
	size_t behind =
	    hf_first_not(0, names->units.count, at, names->units.data[at].start <= addr);
	return behind ? &names->units.data[behind - 1] : NULL;
}

/* Does the scope, which starts before @addr, end behind it? A last child ends with its parent. */
static bool inside(const struct type_names *names, uint32_t scope, const uint8_t *addr)
{
	while (scope != HF_NO_INDEX && !names->scopes.data[scope].end)
		scope = names->scopes.data[scope].parent;
	return scope == HF_NO_INDEX || addr < names->scopes.data[scope].end;
}

/* The innermost scope that the DIE at @addr is named in; HF_NO_INDEX: none. */
static uint32_t scope_around(const struct type_names *names, const struct scope_unit *unit,
			     const uint8_t *addr)
{
	uint32_t end = unit->first + unit->count;
	uint32_t next = hf_first_not(unit->first, end, i, names->scopes.data[i].start < addr);
	uint32_t at = next > unit->first ? next - 1 : HF_NO_INDEX;
	/* A scope itself knows better where it is named. */
	if (next < end && names->scopes.data[next].start == addr)
		return names->scopes.data[next].outer;
	while (at != HF_NO_INDEX && !inside(names, at, addr))
		at = names->scopes.data[at].parent;
	return at;
}

const char *ctype_qualify(struct hf_symbols *symbols, uint32_t module, const Dwarf_Die *die,
			  const char *name)
{
	const struct type_names *names = ctype_names(symbols, module);
	const struct scope_unit *unit = unit_of(names, die->addr);

	if (!unit || unit->cu != die->cu)
		return name;
	uint32_t at = scope_around(names, unit, die->addr);
	for (int i = 0; i < MAX_SCOPE_DEPTH && at != HF_NO_INDEX && name; i++) {
		const struct scope *scope = &names->scopes.data[at];
		name = hf_strpool_printf(symbols->strings, "%s::%s",
					 scope->name ? scope->name : "(anonymous)", name);
		at = scope->outer;
	}
	return name;
}

bool ctype_scope_die(const struct type_names *names, uint32_t scope, Dwarf_Die *ret)
{
	uint8_t *addr = (uint8_t *)(uintptr_t)names->scopes.data[scope].start;
	const struct scope_unit *unit = unit_of(names, addr);
	if (!unit)
		return false;
	*ret = (Dwarf_Die){.addr = addr, .cu = unit->cu};
	return dwarf_tag(ret) != DW_TAG_invalid;
}

bool ctype_enclosing(struct hf_symbols *symbols, uint32_t module, const Dwarf_Die *die,
		     Dwarf_Die *ret)
{
	const struct type_names *names = ctype_names(symbols, module);
	const struct scope_unit *unit = unit_of(names, die->addr);
	uint32_t scope =
	    unit && unit->cu == die->cu ? scope_around(names, unit, die->addr) : HF_NO_INDEX;

	return scope != HF_NO_INDEX && ctype_scope_die(names, scope, ret);
}

static bool defined_in(struct hf_symbols *symbols, uint32_t module, uint64_t hash, Dwarf_Die *ret)
{
	const struct type_names *names = ctype_names(symbols, module);
	if (!names->slot_count)
		return false;
	uint32_t at = (uint32_t)(hash >> 24) & (names->slot_count - 1);
	while (names->slots[at].hash && names->slots[at].hash != hash)
		at = (at + 1) & (names->slot_count - 1);
	return names->slots[at].hash && ctype_scope_die(names, names->slots[at].scope, ret);
}

bool ctype_definition(struct hf_symbols *symbols, uint32_t module, const char *qualified,
		      Dwarf_Die *ret)
{
	uint64_t hash = ctype_hash(0, qualified) | 1;

	if (defined_in(symbols, module, hash, ret))
		return true;
	for (uint32_t i = 0; i < symbols->process->modules.count; i++) {
		if (i != module && defined_in(symbols, i, hash, ret))
			return true;
	}
	return false;
}
