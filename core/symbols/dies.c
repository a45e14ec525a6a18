/*
 * dies.c - what one DIE says (see dies.h).
 */
#include "core/symbols/dies.h"

#include <dwarf.h>

#include "core/symbols/types_private.h"

enum { MAX_PEEL = 64 /* typedefs and qualifiers in a row */ };

void die_follow_signature(Dwarf_Die *die)
{
	Dwarf_Attribute attribute;
	Dwarf_Die found;

	if (dwarf_attr(die, DW_AT_signature, &attribute) && dwarf_formref_die(&attribute, &found))
		*die = found;
}

bool die_type(Dwarf_Die *die, Dwarf_Die *ret)
{
	Dwarf_Attribute attribute;
	return dwarf_attr_integrate(die, DW_AT_type, &attribute) &&
	       dwarf_formref_die(&attribute, ret);
}

/* Take typedefs and qualifiers off; *@ret_name: the last typedef's name. False: void. */
bool die_peel(Dwarf_Die *die, const char **ret_name)
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
		if (!die_type(die, &next))
			return false;
		*die = next;
		die_follow_signature(die);
	}
	return false;
}

uint64_t die_number(Dwarf_Die *die, unsigned name)
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
	uint64_t encoding = die_number(die, DW_AT_encoding);

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

enum hf_ctype_kind die_kind(Dwarf_Die *die, uint64_t size, bool *ret_signed)
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
uint64_t die_array_count(Dwarf_Die *die)
{
	Dwarf_Die child;
	uint64_t total = 1;
	int dimensions = 0;

	if (dwarf_child(die, &child) != 0)
		return 0;
	do {
		Dwarf_Attribute attribute;
		Dwarf_Word value;
		uint64_t count = 0, from = die_number(&child, DW_AT_lower_bound);
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

bool die_bytes(const Dwarf_Die *of, uint64_t *ret)
{
	Dwarf_Die die = *of;
	uint64_t total = 1, size = 0;

	if (dwarf_aggregate_size(&die, &size) == 0) {
		*ret = size;
		return true;
	}
	/* libdw asks for the language where an array's indices begin; units that dwz made have
	 * none. */
	for (int i = 0; i < MAX_PEEL; i++) {
		const char *name;
		if (!die_peel(&die, &name))
			return false;
		if (dwarf_tag(&die) != DW_TAG_array_type)
			break;
		if (__builtin_mul_overflow(total, die_array_count(&die), &total) ||
		    !die_type(&die, &die))
			return false;
	}
	return dwarf_aggregate_size(&die, &size) == 0 && !__builtin_mul_overflow(total, size, ret);
}

bool die_has_functions(int tag)
{
	return tag == DW_TAG_namespace || tag == DW_TAG_structure_type || tag == DW_TAG_class_type;
}

bool die_has_variables(int tag)
{
	return tag == DW_TAG_lexical_block;
}

bool die_each_below(const Dwarf_Die *root, bool (*enters)(int tag), die_fn *fn, void *ctx)
{
	Dwarf_Die stack[MAX_SCOPE_DEPTH], die = *root;
	int depth = 0;

	if (dwarf_child(&die, &stack[0]) != 0)
		return true;
	while (depth >= 0) {
		int tag = dwarf_tag(&stack[depth]);
		if (!fn(ctx, &stack[depth]))
			return false;
		if (enters(tag) && depth + 1 < MAX_SCOPE_DEPTH &&
		    dwarf_child(&stack[depth], &stack[depth + 1]) == 0) {
			depth++;
			continue;
		}
		while (depth >= 0 && dwarf_siblingof(&stack[depth], &stack[depth]) != 0)
			depth--;
	}
	return true;
}
