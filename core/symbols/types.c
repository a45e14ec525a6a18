/*
 * types.c - DWARF types, interned and read when asked (see types.h).
 *
 * A DIE is known by its host address, which is unique over all files (units of types, split and
 * alternate files too). The same structure in another unit is found by kind, name, size and line
 * of declaration, and becomes an alias. Targets and members are read at the first question, so
 * that nothing recurses over the file's data.
 */
#include "core/symbols/types.h"

#include <dwarf.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/symbols/types_private.h"

enum { MAX_MEMBERS = 1 << 16, MAX_DESCRIBE = 32 };

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

/* ---- the table --------------------------------------------------------------------------------
 */

/* A new type; 0 when out of memory. The first one is type 0. */
static uint32_t add_type(struct hf_ctypes *types)
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

/* ---- one DIE ----------------------------------------------------------------------------------
 */

static bool type_of(Dwarf_Die *die, Dwarf_Die *ret)
{
	Dwarf_Attribute attribute;
	return dwarf_attr_integrate(die, DW_AT_type, &attribute) &&
	       dwarf_formref_die(&attribute, ret);
}

/* Take typedefs and qualifiers off; *@ret_name: the last typedef's name. False: void. */
static bool peel(Dwarf_Die *die, const char **ret_name)
{
	for (int i = 0; i < MAX_PEEL; i++) {
		Dwarf_Die next;
		switch (dwarf_tag(die)) {
		case DW_TAG_typedef:
			*ret_name = dwarf_diename(die);
			break;
		case DW_TAG_const_type:
		case DW_TAG_volatile_type:
		case DW_TAG_restrict_type:
		case DW_TAG_atomic_type:
		case DW_TAG_immutable_type:
		case DW_TAG_packed_type:
		case DW_TAG_shared_type:
			break;
		default:
			return true;
		}
		if (!type_of(die, &next))
			return false;
		*die = next;
		symbols_follow_signature(die);
	}
	return false;
}

static uint64_t number_of(Dwarf_Die *die, unsigned name)
{
	Dwarf_Attribute attribute;
	Dwarf_Word value;
	return dwarf_attr_integrate(die, name, &attribute) &&
		       dwarf_formudata(&attribute, &value) == 0
		   ? value
		   : 0;
}

static enum hf_ctype_kind base_kind(Dwarf_Die *die, uint64_t size, bool *ret_signed)
{
	uint64_t encoding = number_of(die, DW_AT_encoding);

	*ret_signed = encoding == DW_ATE_signed || encoding == DW_ATE_signed_char;
	switch (encoding) {
	case DW_ATE_boolean:
		return HF_CTYPE_BOOLEAN;
	case DW_ATE_float:
		return HF_CTYPE_FLOAT;
	case DW_ATE_signed_char:
	case DW_ATE_unsigned_char:
	case DW_ATE_UTF:
		return size == 1 ? HF_CTYPE_CHARACTER : HF_CTYPE_INTEGER;
	case DW_ATE_signed:
	case DW_ATE_unsigned:
		return HF_CTYPE_INTEGER;
	default:
		return HF_CTYPE_OTHER;
	}
}

static enum hf_ctype_kind kind_of(Dwarf_Die *die, uint64_t size, bool *ret_signed)
{
	switch (dwarf_tag(die)) {
	case DW_TAG_base_type:
		return base_kind(die, size, ret_signed);
	case DW_TAG_enumeration_type:
		return HF_CTYPE_ENUM;
	case DW_TAG_pointer_type:
	case DW_TAG_reference_type:
	case DW_TAG_rvalue_reference_type:
		return HF_CTYPE_POINTER;
	case DW_TAG_subroutine_type:
		return HF_CTYPE_FUNCTION;
	case DW_TAG_structure_type:
	case DW_TAG_class_type:
		return HF_CTYPE_STRUCT;
	case DW_TAG_union_type:
		return HF_CTYPE_UNION;
	case DW_TAG_array_type:
		return HF_CTYPE_ARRAY;
	default:
		return HF_CTYPE_OTHER;
	}
}

/* Elements over all dimensions; 0: flexible or unknown. */
static uint64_t array_count(Dwarf_Die *die)
{
	Dwarf_Die child;
	uint64_t total = 1;
	int dimensions = 0;

	if (dwarf_child(die, &child) != 0)
		return 0;
	do {
		Dwarf_Attribute attribute;
		Dwarf_Word value;
		uint64_t count = 0, from = number_of(&child, DW_AT_lower_bound);
		if (dwarf_tag(&child) != DW_TAG_subrange_type)
			continue;
		dimensions++;
		if (dwarf_attr(&child, DW_AT_count, &attribute) &&
		    dwarf_formudata(&attribute, &value) == 0)
			count = value;
		else if (dwarf_attr(&child, DW_AT_upper_bound, &attribute) &&
			 dwarf_formudata(&attribute, &value) == 0)
			count = value + 1 - from;
		if (__builtin_mul_overflow(total, count, &total) || total > INT64_MAX)
			return 0;
	} while (dwarf_siblingof(&child, &child) == 0);
	return dimensions ? total : 0;
}

static const char *tag_name(struct hf_symbols *symbols, uint32_t module, Dwarf_Die *die,
			    enum hf_ctype_kind kind, const char *typedef_name)
{
	const char *name = dwarf_diename(die);
	bool aggregate = kind == HF_CTYPE_STRUCT || kind == HF_CTYPE_UNION || kind == HF_CTYPE_ENUM;

	if (!aggregate)
		return kind == HF_CTYPE_POINTER || kind == HF_CTYPE_ARRAY ? NULL : name;
	if (!name)
		return typedef_name;
	if (!ctype_language_is_c(die))
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
	if (!ctype_language_is_c(die))
		name = ctype_qualify(symbols, module, die, name);
	if (name && ctype_definition(symbols, module, name, &found))
		*die = found;
}

static uint32_t make_type(struct hf_symbols *symbols, uint32_t module, Dwarf_Die *die,
			  const char *typedef_name)
{
	struct hf_ctypes *types = symbols->types;
	Dwarf_Word size = 0;
	bool is_signed = false;

	if (dwarf_tag(die) != DW_TAG_subroutine_type && !symbols_type_bytes(die, &size))
		size = 0;
	enum hf_ctype_kind kind = kind_of(die, size, &is_signed);
	const char *name = tag_name(symbols, module, die, kind, typedef_name);
	uint32_t type = add_type(types);
	if (!type)
		return 0;
	struct ctype *made = ctype_at(types, type);
	made->type = (struct hf_ctype){(uint8_t)kind, is_signed, name, size, 0};
	made->die = *die;
	made->module = module;
	if (kind == HF_CTYPE_POINTER && !size)
		made->type.size = symbols->process->image.word_bytes;
	if (kind == HF_CTYPE_ARRAY)
		made->type.count = symbols_array_count(die);
	if ((kind == HF_CTYPE_STRUCT || kind == HF_CTYPE_UNION) && name && size) {
		uint64_t hash = ctype_hash((uint64_t)kind * 31 + size, name);
		hash = (hash ^ number_of(die, DW_AT_decl_line)) * UINT64_C(0x100000001b3);
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
		add_type(types); /* type 0: void */
		if (types->count == 0)
			return 0;
	}
	symbols_follow_signature(&die);
	if (!peel(&die, &typedef_name))
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

/* ---- questions --------------------------------------------------------------------------------
 */

const struct hf_ctype *hf_ctype_get(struct hf_symbols *symbols, uint32_t type)
{
	static const struct hf_ctype nothing = {.kind = HF_CTYPE_VOID, .name = "void"};
	return type == 0 || type >= symbols->types->count ? &nothing
							  : &ctype_at(symbols->types, type)->type;
}

uint32_t hf_ctype_target(struct hf_symbols *symbols, uint32_t type)
{
	const struct hf_ctype *of = hf_ctype_get(symbols, type);
	Dwarf_Die target;

	if (of->kind != HF_CTYPE_POINTER && of->kind != HF_CTYPE_ARRAY)
		return 0;
	struct ctype *at = ctype_at(symbols->types, type);
	if (!at->has_target) {
		at->has_target = true;
		if (type_of(&at->die, &target))
			at->target = ctype_intern(symbols, at->module, &target);
	}
	return at->target;
}

uint32_t hf_ctype_pointer(struct hf_symbols *symbols, uint32_t target)
{
	if (target == 0 || target >= symbols->types->count)
		return 0;
	struct ctype *to = ctype_at(symbols->types, target);
	if (to->pointer)
		return to->pointer;
	uint32_t type = add_type(symbols->types);
	if (!type)
		return 0;
	struct ctype *made = ctype_at(symbols->types, type);
	made->type =
	    (struct hf_ctype){.kind = HF_CTYPE_POINTER, .size = symbols->process->image.word_bytes};
	made->module = to->module;
	made->target = target;
	made->has_target = true;
	to->pointer = type;
	return type;
}

/* Where a member lies; false: not a place in the structure (static, or a virtual base). */
static bool member_place(Dwarf_Die *die, struct hf_cmember *member)
{
	Dwarf_Attribute attribute;
	Dwarf_Word value;

	member->bit_size = (uint16_t)number_of(die, DW_AT_bit_size);
	if (dwarf_attr(die, DW_AT_data_bit_offset, &attribute) &&
	    dwarf_formudata(&attribute, &value) == 0) {
		member->offset = value / 8;
		member->bit_offset = (uint16_t)(value % 8);
		return true;
	}
	if (!dwarf_attr(die, DW_AT_data_member_location, &attribute))
		return !dwarf_hasattr(die, DW_AT_external) &&
		       !dwarf_hasattr(die, DW_AT_declaration);
	if (dwarf_formudata(&attribute, &value) == 0) {
		member->offset = value;
		return true;
	}
	Dwarf_Op *ops;
	size_t count;
	if (dwarf_getlocation(&attribute, &ops, &count) != 0 || count != 1 ||
	    ops[0].atom != DW_OP_plus_uconst)
		return false;
	member->offset = ops[0].number;
	return true;
}

static void read_members(struct hf_symbols *symbols, struct ctype *type)
{
	HF_VEC(, struct hf_cmember) members = {0};
	Dwarf_Die child, of;

	if (dwarf_child(&type->die, &child) != 0)
		return;
	do {
		int tag = dwarf_tag(&child);
		struct hf_cmember member = {.base = tag == DW_TAG_inheritance};
		if ((tag != DW_TAG_member && tag != DW_TAG_inheritance) ||
		    !member_place(&child, &member) || !type_of(&child, &of))
			continue;
		member.name = member.base ? NULL : dwarf_diename(&child);
		member.type = ctype_intern(symbols, type->module, &of);
		if (!member.type || member.offset > type->type.size)
			continue;
		if (!hf_vec_push(&members, member))
			break;
	} while (members.count < MAX_MEMBERS && dwarf_siblingof(&child, &child) == 0);
	type->members = members.data;
	type->member_count = (uint32_t)members.count;
}

uint32_t hf_ctype_members(struct hf_symbols *symbols, uint32_t type, const struct hf_cmember **ret)
{
	const struct hf_ctype *of = hf_ctype_get(symbols, type);

	if (of->kind != HF_CTYPE_STRUCT && of->kind != HF_CTYPE_UNION)
		return 0;
	struct ctype *at = ctype_at(symbols->types, type);
	if (!at->expanded) {
		at->expanded = true;
		read_members(symbols, at);
	}
	*ret = at->members;
	return at->member_count;
}

uint32_t hf_ctype_of_variable(struct hf_symbols *symbols, const struct hf_variable *variable)
{
	Dwarf_Die die;
	return symbols_variable_die(symbols, variable, &die)
		   ? ctype_intern(symbols, variable->module, &die)
		   : 0;
}

uint32_t hf_ctype_argument(struct hf_symbols *symbols, uint32_t type, unsigned number)
{
	Dwarf_Die child, of;

	if (hf_ctype_get(symbols, type)->kind != HF_CTYPE_STRUCT)
		return 0;
	struct ctype *at = ctype_at(symbols->types, type);
	if (dwarf_child(&at->die, &child) != 0)
		return 0;
	do {
		if (dwarf_tag(&child) != DW_TAG_template_type_parameter || number-- > 0)
			continue;
		return type_of(&child, &of) ? ctype_intern(symbols, at->module, &of) : 0;
	} while (dwarf_siblingof(&child, &child) == 0);
	return 0;
}

uint32_t hf_ctype_named(struct hf_symbols *symbols, const char *name)
{
	Dwarf_Die die;
	for (uint32_t i = 0; i < symbols->process->modules.count; i++) {
		const struct type_names *names = ctype_names(symbols, i);
		if (names && names->slot_count && ctype_definition(symbols, i, name, &die))
			return ctype_intern(symbols, i, &die);
	}
	return 0;
}

const char *hf_ctype_enumerator(struct hf_symbols *symbols, uint32_t type, int64_t value)
{
	Dwarf_Die child;

	if (hf_ctype_get(symbols, type)->kind != HF_CTYPE_ENUM ||
	    dwarf_child(&ctype_at(symbols->types, type)->die, &child) != 0)
		return NULL;
	do {
		Dwarf_Attribute attribute;
		Dwarf_Sword is;
		if (dwarf_tag(&child) == DW_TAG_enumerator &&
		    dwarf_attr(&child, DW_AT_const_value, &attribute) &&
		    dwarf_formsdata(&attribute, &is) == 0 && is == value)
			return dwarf_diename(&child);
	} while (dwarf_siblingof(&child, &child) == 0);
	return NULL;
}

void hf_ctype_describe(struct hf_symbols *symbols, uint32_t type, char *buffer, size_t size)
{
	char suffix[MAX_DESCRIBE * 3 + 1], *to = suffix + sizeof(suffix) - 1;
	char count[24] = "";

	*to = '\0';
	for (int i = 0; i < MAX_DESCRIBE; i++) {
		const struct hf_ctype *at = hf_ctype_get(symbols, type);
		if (at->kind == HF_CTYPE_ARRAY && !count[0] && *to == '\0')
			snprintf(count, sizeof(count), "[%" PRIu64 "]", at->count);
		else if (at->kind == HF_CTYPE_POINTER)
			*--to = '*';
		else if (at->kind != HF_CTYPE_ARRAY)
			break;
		type = hf_ctype_target(symbols, type);
	}
	const struct hf_ctype *at = hf_ctype_get(symbols, type);
	const char *name = at->name			   ? at->name
			   : at->kind == HF_CTYPE_STRUCT   ? "struct {...}"
			   : at->kind == HF_CTYPE_UNION	   ? "union {...}"
			   : at->kind == HF_CTYPE_ENUM	   ? "enum {...}"
			   : at->kind == HF_CTYPE_FUNCTION ? "function"
							   : "?";
	snprintf(buffer, size, "%s%s%s%s", name, *to ? " " : "", to, count);
}

static int compare_types(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return (x > y) - (x < y);
}

struct hf_error *hf_ctype_structures(struct hf_symbols *symbols,
				     bool (*wanted)(const struct hf_module *module), uint32_t max,
				     uint32_t **ret, uint32_t *ret_count)
{
	HF_VEC(, uint32_t) found = {0};

	for (uint32_t i = 0; i < symbols->process->modules.count; i++) {
		if (!wanted(&symbols->process->modules.data[i]))
			continue;
		const struct type_names *names = ctype_names(symbols, i);
		for (uint32_t s = 0; names && s < names->slot_count && found.count < max; s++) {
			Dwarf_Die die;
			if (!names->slots[s].hash ||
			    !ctype_scope_die(names, names->slots[s].scope, &die))
				continue;
			uint32_t type = ctype_intern(symbols, i, &die);
			if (type && !hf_vec_push(&found, type)) {
				free(found.data);
				return hf_error_nomem();
			}
		}
	}
	if (found.count)
		qsort(found.data, found.count, sizeof(*found.data), compare_types);
	uint32_t kept = 0;
	for (size_t i = 0; i < found.count; i++) {
		if (kept == 0 || found.data[kept - 1] != found.data[i])
			found.data[kept++] = found.data[i];
	}
	*ret = found.data;
	*ret_count = kept;
	return NULL;
}
