/*
 * private.h - what the files of core/symbols/ share.
 */
#ifndef HF_CORE_SYMBOLS_PRIVATE_H
#define HF_CORE_SYMBOLS_PRIVATE_H

#include <elfutils/libdw.h>
#include <elfutils/libdwfl.h>

#include "core/base/stash_text.h"
#include "core/base/strpool.h"
#include "core/symbols/symbols.h"

struct hf_vtable_symbol {
	uint64_t address, size;
	const char *mangled;
};

struct hf_ctypes;
struct symbols_memory; /* remember.c */

struct hf_symbols {
	struct hf_process *process;
	struct hf_ctypes *types; /* types.c */
	struct hf_strpool *strings;
	struct hf_variables variables, tls;
	HF_VEC(, struct hf_vtable_symbol) vtables; /* sorted by address */
	struct symbols_memory *memory;
	uint64_t layout_cu;	/* offset of the CU that answered last, for hf_symbols_member */
	uint32_t layout_module; /* its module */
};

/* symbols.c: without any symbol yet. */
struct hf_error *symbols_create_empty(struct hf_process *process, struct hf_symbols **ret);

enum symbols_question {
	SYMBOLS_FIND,	/* symbol `name`: its address and size */
	SYMBOLS_MEMBER, /* `member` of structure `name`, NULL: the whole: its offset and size */
	SYMBOLS_NAME,	/* of address `asked`: its symbol's name, the distance from its start */
};

struct symbols_answer {
	uint8_t question; /* enum symbols_question */
	bool found;
	uint32_t module;
	const char *name, *member;
	uint64_t asked;
	uint64_t value, size;
};

struct hf_error *symbols_memory_create(struct symbols_memory **ret);
void symbols_memory_destroy(struct symbols_memory *memory);

/* The answer to @answer's question, if it is known; its names live as long as the symbols. */
bool symbols_recall(struct symbols_memory *memory, struct symbols_answer *answer);
void symbols_remember(struct symbols_memory *memory, const struct symbols_answer *answer);

/* With their names in @text, out of @strings. */
bool symbols_memory_save(const struct symbols_memory *memory, struct hf_stash_text *text,
			 struct hf_stash_writer *writer);
bool symbols_memory_load(struct symbols_memory *memory, const struct hf_stash *stash,
			 const struct hf_stash_strings *strings);

/* types_saved.c: the description of @variable's type. */
bool symbols_variable_die(const struct hf_symbols *symbols, const struct hf_variable *variable,
			  Dwarf_Die *ret);

/* types_saved.c: where the description of @variable's type stands; unchanged where it is nowhere.
 */
void symbols_type_offset(const struct hf_symbols *symbols, const struct hf_variable *variable,
			 uint64_t *ret_offset, uint32_t *ret_place);

/* dwarf.c: add what DWARF knows of @module's variables. */
bool symbols_read_dwarf(struct hf_symbols *symbols, uint32_t module);

/*
 * sources.c: @path of a file as a unit's line table has it, with the folder of @unit before it
 * where it is relative; NULL stays NULL. Of DWARF, or owned by the symbols.
 */
const char *symbols_source_path(struct hf_symbols *symbols, const Dwarf_Die *unit,
				const char *path);

/* sources.c: where @die is declared: dwarf_decl_file(), which does not know that since DWARF 5
 * there is a file 0, the unit's own. NULL: unknown. */
const char *symbols_declaring_file(Dwarf_Die *die);

/* symbols.c: sort by address and let the best name win where symbols overlap. */
void symbols_make_disjoint(struct hf_variables *variables);
struct hf_variable *symbols_variable_starting(struct hf_variables *variables, size_t sorted,
					      uint64_t address, uint32_t module);

#endif
