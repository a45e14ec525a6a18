/*
 * dies.h - what one DIE says: its type, a number, how many bytes; private to core/symbols/.
 */
#ifndef HF_CORE_SYMBOLS_DIES_H
#define HF_CORE_SYMBOLS_DIES_H

#include <elfutils/libdw.h>

#include "core/symbols/types.h"

/* What DW_AT_type leads to; @ret may be @die. */
bool die_type(Dwarf_Die *die, Dwarf_Die *ret);

/* A constant attribute; 0 where there is none. */
uint64_t die_number(Dwarf_Die *die, unsigned name);

/* A structure that is only named here, by the signature of its type unit: to that one. */
void die_follow_signature(Dwarf_Die *die);

/* Take typedefs and qualifiers off; *@ret_name: the last typedef's name. False: void. */
bool die_peel(Dwarf_Die *die, const char **ret_name);

/* Elements of an array over all dimensions; 0: flexible or unknown. */
uint64_t die_array_count(Dwarf_Die *die);

/* Size of a type; false: unknown. */
bool die_bytes(const Dwarf_Die *die, uint64_t *ret);

enum hf_ctype_kind die_kind(Dwarf_Die *die, uint64_t size, bool *ret_signed);

typedef bool die_fn(void *ctx, Dwarf_Die *die); /* false: stop */

/*
 * All DIEs below @root in preorder; into those whose tag @enters says so, MAX_SCOPE_DEPTH deep at
 * most. False: @fn stopped it.
 */
bool die_each_below(const Dwarf_Die *root, bool (*enters)(int tag), die_fn *fn, void *ctx);

/* For @enters: what functions stand in; what the variables of a function stand in. */
bool die_has_functions(int tag);
bool die_has_variables(int tag);

#endif
