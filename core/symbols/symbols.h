/*
 * symbols.h - names for addresses: variables, functions, vtables.
 *
 * Sources, the better first: DWARF of the module or of its separate debug file, its
 * .symtab, its .dynsym. Strings returned are owned by the symbols object.
 */
#ifndef HF_CORE_SYMBOLS_SYMBOLS_H
#define HF_CORE_SYMBOLS_SYMBOLS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/base/stash.h"
#include "core/process/process.h"

struct hf_variable {
	uint64_t address;  /* target address; for TLS: offset in the module's TLS block */
	uint64_t size;	   /* bytes; 0 if unknown */
	const char *name;  /* demangled where it was mangled */
	const char *file;  /* source file's base name, NULL if unknown */
	const char *path;  /* the same with its folders, as the compiler knew it */
	const char *scope; /* function of a static local, NULL otherwise */
	uint32_t line;
	uint32_t module;
	bool tls;
	/* core/symbols' own use: host address of its type's DIE, else its offset; 0 if none */
	uint64_t type_die, type_offset;
	uint32_t type_place; /* in which file and section: enum hf_unit_place */
};

HF_VEC(hf_variables, struct hf_variable);

/* Does DWARF tell its type (hf_ctype_of_variable())? */
static inline bool hf_variable_is_typed(const struct hf_variable *variable)
{
	return variable->type_die || variable->type_offset;
}

struct hf_symbols;

/* Read the variables of every module; no module is an error. */
struct hf_error *hf_symbols_create(struct hf_process *process, struct hf_symbols **ret);
void hf_symbols_destroy(struct hf_symbols *symbols);

/* Into an index, and out of it. *@ret is NULL where the index does not fit. */
struct hf_error *hf_symbols_save(const struct hf_symbols *symbols, struct hf_stash_writer *writer);
struct hf_error *hf_symbols_load(const struct hf_stash *stash, struct hf_process *process,
				 struct hf_symbols **ret);

/* Non-TLS variables of all modules, sorted by address, made disjoint (the best name wins). */
const struct hf_variables *hf_symbols_variables(const struct hf_symbols *symbols);

/* TLS variables of all modules, sorted by module, then offset. */
const struct hf_variables *hf_symbols_tls_variables(const struct hf_symbols *symbols);

/* The variable that contains @address, or NULL. */
const struct hf_variable *hf_symbols_variable_at(const struct hf_symbols *symbols,
						 uint64_t address);

/* Address and size of symbol @name (any binding, data or TLS) in module @module. */
bool hf_symbols_find(const struct hf_symbols *symbols, uint32_t module, const char *name,
		     uint64_t *ret_address, uint64_t *ret_size);

/*
 * The symbol that covers @address, functions and data alike: "name" demangled, and the
 * distance from its start. NULL if there is none.
 */
const char *hf_symbols_name_at(struct hf_symbols *symbols, uint64_t address, uint64_t *ret_offset);

/*
 * If @address is the address point of a C++ vtable (what an object's first word holds):
 * the class's demangled name, from the symbol "vtable for X". NULL otherwise.
 * *@ret_primary is true where it is the primary table (offset-to-top 0).
 */
const char *hf_symbols_vtable_at(struct hf_symbols *symbols, uint64_t address, bool *ret_primary);

/*
 * A structure's layout by libc's own DWARF: offset and size of @member of struct @type in
 * @module. *@ret_offset is the member's offset, or with @member NULL *@ret_size is sizeof.
 */
bool hf_symbols_member(struct hf_symbols *symbols, uint32_t module, const char *type,
		       const char *member, uint64_t *ret_offset, uint64_t *ret_size);

/* The separate file that @module's debug information was read from; NULL: none, or its own. */
const char *hf_symbols_debug_file(const struct hf_symbols *symbols, uint32_t module);

#endif
