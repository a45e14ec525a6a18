/*
 * types.c - what is asked of DWARF types (see types.h).
 *
 * Targets and members are read at the first question, so that nothing recurses over the file's
 * data.
 */
#include "core/symbols/types.h"

#include <dwarf.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/symbols/dies.h"
#include "core/symbols/types_private.h"

enum { MAX_MEMBERS = 1 << 16, MAX_DESCRIBE = 32 };

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
		if (die_type(&at->die, &target))
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
	uint32_t type = ctype_add(symbols->types);
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

	member->bit_size = (uint16_t)die_number(die, DW_AT_bit_size);
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
		    !member_place(&child, &member) || !die_type(&child, &of))
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

uint32_t ctype_argument_of(struct hf_symbols *symbols, uint32_t module, Dwarf_Die *die,
			   unsigned number)
{
	Dwarf_Die child, of;

	if (dwarf_child(die, &child) != 0)
		return 0;
	do {
		if (dwarf_tag(&child) != DW_TAG_template_type_parameter || number-- > 0)
			continue;
		return die_type(&child, &of) ? ctype_intern(symbols, module, &of) : 0;
	} while (dwarf_siblingof(&child, &child) == 0);
	return 0;
}

uint32_t hf_ctype_argument(struct hf_symbols *symbols, uint32_t type, unsigned number)
{
	if (hf_ctype_get(symbols, type)->kind != HF_CTYPE_STRUCT)
		return 0;
	struct ctype *at = ctype_at(symbols->types, type);
	return ctype_argument_of(symbols, at->module, &at->die, number);
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
