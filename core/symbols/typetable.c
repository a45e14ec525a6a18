/*
 * typetable.c - the table of types: each DIE that describes one gets a number, once.
 *
 * A DIE is known by its host address, which is unique over all files (units of types, split and
 * alternate files too). The same structure in another unit is found by kind, name, size and line
 * of declaration, and becomes an alias.
 */
#include <dwarf.h>
#include <stdlib.h>
#include <string.h>

#include "core/symbols/dies.h"
#include "core/symbols/types_private.h"

struct hf_ctypes *ctypes_create(size_t modules)
{
	struct hf_ctypes *types = calloc(1, sizeof(*types));
	if (types)
		types->names = calloc(modules + 1, sizeof(*types->names));
	if (!types || !types->names) {
		free(types);
		return NULL;
	}
	return types;
}

void ctypes_destroy(struct hf_ctypes *types, size_t modules)
{
	if (!types)
		return;
	for (uint32_t i = 0; i < types->count; i++)
		free(ctype_at(types, i)->members);
	hf_vec_foreach (block, &types->blocks)
		free(*block);
	for (size_t i = 0; i < modules; i++)
		ctype_names_deinit(&types->names[i]);
	ctype_locals_destroy(types->locals);
	ctype_functions_destroy(types->functions);
	free(types->names);
	free(types->blocks.data);
	free(types->by_addr);
	free(types->same);
	free(types);
}

struct ctype *ctype_at(const struct hf_ctypes *types, uint32_t type)
{
	return &types->blocks.data[type / TYPE_BLOCK][type % TYPE_BLOCK];
}

uint32_t ctype_add(struct hf_ctypes *types)
{
	if (types->count == types->blocks.count * TYPE_BLOCK) {
		struct ctype *block = calloc(TYPE_BLOCK, sizeof(*block));
		if (!block || !hf_vec_push(&types->blocks, block)) {
			free(block);
			return 0;
		}
	}
	return types->count++;
}

static struct addr_slot *addr_slot(struct addr_slot *slots, uint32_t count, const void *addr)
{
	uint32_t at = (uint32_t)(((uintptr_t)addr * UINT64_C(0x9e3779b97f4a7c15)) >> 32);
	while (slots[at & (count - 1)].addr && slots[at & (count - 1)].addr != addr)
		at++;
	return &slots[at & (count - 1)];
}

static bool remember_addr(struct hf_ctypes *types, const void *addr, uint32_t type)
{
	if (types->by_addr_used * 2 >= types->by_addr_count) {
		uint32_t count = types->by_addr_count ? types->by_addr_count * 2 : 1024;
		struct addr_slot *slots = calloc(count, sizeof(*slots));
		if (!slots)
			return false;
		for (uint32_t i = 0; i < types->by_addr_count; i++) {
			if (types->by_addr[i].addr)
				*addr_slot(slots, count, types->by_addr[i].addr) =
				    types->by_addr[i];
		}
		free(types->by_addr);
		types->by_addr = slots;
		types->by_addr_count = count;
	}
	*addr_slot(types->by_addr, types->by_addr_count, addr) = (struct addr_slot){addr, type};
	types->by_addr_used++;
	return true;
}

static struct name_slot *same_slot(struct name_slot *slots, uint32_t count, uint64_t hash)
{
	uint32_t at = (uint32_t)(hash >> 24);
	while (slots[at & (count - 1)].hash && slots[at & (count - 1)].hash != hash)
		at++;
	return &slots[at & (count - 1)];
}

/* The type with this identity; *@type is remembered for it if there is none yet. */
static uint32_t canonical(struct hf_ctypes *types, uint64_t hash, uint32_t type)
{
	if (types->same_used * 2 >= types->same_count) {
		uint32_t count = types->same_count ? types->same_count * 2 : 1024;
		struct name_slot *slots = calloc(count, sizeof(*slots));
		if (!slots)
			return type;
		for (uint32_t i = 0; i < types->same_count; i++) {
			if (types->same[i].hash)
				*same_slot(slots, count, types->same[i].hash) = types->same[i];
		}
		free(types->same);
		types->same = slots;
		types->same_count = count;
	}
	struct name_slot *slot = same_slot(types->same, types->same_count, hash);
	if (slot->hash)
		return slot->scope;
	*slot = (struct name_slot){hash, type};
	types->same_used++;
	return type;
}

/* gcc calls a lambda by its parameters alone, and so what is made of it. */
bool ctype_names_closure(const char *name)
{
	return strstr(name, "<lambda(") != NULL;
}

/*
 * Is this class without a name a lambda? It can be called. clang leaves the call out where nobody
 * makes one: a class with members that are private, and no functions that somebody wrote, is of no
 * other use.
 */
static bool is_lambda(Dwarf_Die *die)
{
	Dwarf_Die child;
	bool functions = false;

	if (dwarf_child(die, &child) != 0)
		return false;
	do {
		if (dwarf_tag(&child) != DW_TAG_subprogram)
			continue;
		const char *name = dwarf_diename(&child);
		if (name && !strcmp(name, "operator()"))
			return true;
		functions |= !dwarf_hasattr(&child, DW_AT_artificial);
	} while (dwarf_siblingof(&child, &child) == 0);
	return !functions && dwarf_tag(die) == DW_TAG_class_type;
}

/* A lambda's by its place; NULL: it is none. */
static const char *lambda_name(struct hf_symbols *symbols, Dwarf_Die *die)
{
	const char *path = is_lambda(die) ? symbols_declaring_file(die) : NULL;
	const char *folder = path ? strrchr(path, '/') : NULL;
	int line = 0;

	if (!path || dwarf_decl_line(die, &line) != 0)
		return NULL;
	return hf_strpool_printf(symbols->strings, "(lambda at %s:%d)", folder ? folder + 1 : path,
				 line);
}

static const char *tag_name(struct hf_symbols *symbols, uint32_t module, Dwarf_Die *die,
			    enum hf_ctype_kind kind, const char *typedef_name)
{
	const char *name = dwarf_diename(die);
	bool aggregate = kind == HF_CTYPE_STRUCT || kind == HF_CTYPE_UNION || kind == HF_CTYPE_ENUM;

	if (!aggregate)
		return kind == HF_CTYPE_POINTER || kind == HF_CTYPE_ARRAY ? NULL : name;
	if (!name && !typedef_name && kind == HF_CTYPE_STRUCT)
		return lambda_name(symbols, die);
	if (!name)
		return typedef_name;
	if (!ctype_language_is_c(symbols, module, die))
		return ctype_qualify(symbols, module, die, name);
	return hf_strpool_printf(symbols->strings, "%s %s",
				 kind == HF_CTYPE_STRUCT  ? "struct"
				 : kind == HF_CTYPE_UNION ? "union"
							  : "enum",
				 name);
}

static uint32_t known_addr(const struct hf_ctypes *types, const void *addr, bool *ret_known)
{
	*ret_known = false;
	if (!types->by_addr_count)
		return 0;
	const struct addr_slot *slot = addr_slot(types->by_addr, types->by_addr_count, addr);
	*ret_known = slot->addr != NULL;
	return slot->type;
}

/* A structure that is only declared here: go to its definition, if there is one. */
static void find_definition(struct hf_symbols *symbols, uint32_t module, Dwarf_Die *die)
{
	Dwarf_Die found;
	const char *name = dwarf_diename(die);
	int tag = dwarf_tag(die);

	if (!name ||
	    (tag != DW_TAG_structure_type && tag != DW_TAG_class_type && tag != DW_TAG_union_type))
		return;
	if (!ctype_language_is_c(symbols, module, die))
		name = ctype_qualify(symbols, module, die, name);
	if (name && !ctype_names_closure(name) && ctype_definition(symbols, module, name, &found))
		*die = found;
}

static uint32_t make_type(struct hf_symbols *symbols, uint32_t module, Dwarf_Die *die,
			  const char *typedef_name)
{
	struct hf_ctypes *types = symbols->types;
	Dwarf_Word size = 0;
	bool is_signed = false;

	if (dwarf_tag(die) != DW_TAG_subroutine_type && !die_bytes(die, &size))
		size = 0;
	enum hf_ctype_kind kind = die_kind(die, size, &is_signed);
	const char *name = tag_name(symbols, module, die, kind, typedef_name);
	uint32_t type = ctype_add(types);
	if (!type)
		return 0;
	struct ctype *made = ctype_at(types, type);
	made->type = (struct hf_ctype){(uint8_t)kind, is_signed, name, size, 0};
	made->die = *die;
	made->module = module;
	if (kind == HF_CTYPE_POINTER && !size)
		made->type.size = symbols->process->image.word_bytes;
	if (kind == HF_CTYPE_ARRAY)
		made->type.count = die_array_count(die);
	if (!name || !size || (!typedef_name && !dwarf_diename(die)) || ctype_names_closure(name))
		return type;
	if (kind == HF_CTYPE_STRUCT || kind == HF_CTYPE_UNION) {
		uint64_t hash = ctype_hash((uint64_t)kind * 31 + size, name);
		hash = (hash ^ die_number(die, DW_AT_decl_line)) * UINT64_C(0x100000001b3);
		return canonical(types, hash | 1, type);
	}
	return type;
}

uint32_t ctype_intern(struct hf_symbols *symbols, uint32_t module, const Dwarf_Die *given)
{
	struct hf_ctypes *types = symbols->types;
	Dwarf_Die die = *given;
	const char *typedef_name = NULL;
	bool known;

	if (types->count == 0) {
		ctype_add(types); /* type 0: void */
		if (types->count == 0)
			return 0;
	}
	die_follow_signature(&die);
	if (!die_peel(&die, &typedef_name))
		return 0;
	const void *addr = die.addr;
	uint32_t type = known_addr(types, addr, &known);
	if (known)
		return type;
	Dwarf_Attribute attribute;
	bool flag = false;
	if (dwarf_attr(&die, DW_AT_declaration, &attribute) &&
	    dwarf_formflag(&attribute, &flag) == 0 && flag)
		find_definition(symbols, module, &die);
	type = known_addr(types, die.addr, &known);
	if (!known)
		type = make_type(symbols, module, &die, typedef_name);
	if (type && !known && die.addr != addr)
		remember_addr(types, die.addr, type);
	if (type)
		remember_addr(types, addr, type);
	return type;
}
