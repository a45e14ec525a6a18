/*
 * types_private.h - private to the files that read DWARF types: the table, and the index of names.
 */
#ifndef HF_CORE_SYMBOLS_TYPES_PRIVATE_H
#define HF_CORE_SYMBOLS_TYPES_PRIVATE_H

#include "core/symbols/private.h"
#include "core/symbols/types.h"

enum {
	TYPE_BLOCK = 512,     /* types are allocated in blocks, so that they never move */
	MAX_SCOPES = 1 << 21, /* structures and namespaces that a module's index holds */
	MAX_SCOPE_DEPTH = 24,
};

struct ctype {
	struct hf_ctype type; /* first */
	Dwarf_Die die;
	uint32_t module;
	uint32_t target;	   /* once resolved */
	uint32_t pointer;	   /* a type that points at this one, made for hf_ctype_pointer() */
	bool has_target, expanded; /* `target` and `members` are read */
	uint32_t member_count;
	struct hf_cmember *members;
};

/* A namespace or structure in the DIE tree, with the host addresses that its DIEs take. */
struct scope {
	const uint8_t *start, *end;
	const char *name;
	uint32_t parent; /* around it; or HF_NO_INDEX; in the same module's array */
	uint32_t outer;	 /* that it is named in: not around it where it is defined elsewhere */
	bool defined;	 /* a structure, with a body */
};

struct scope_unit { /* one unit's scopes, in preorder */
	const uint8_t *start, *end;
	Dwarf_CU *cu;
	uint32_t first, count;
};

struct name_slot {
	uint64_t hash; /* 0: free */
	uint32_t scope;
};

/* Names of one module: read at the first question. */
struct type_names {
	bool ready, cxx; /* cxx: of C++ or another language with scopes, some of it */
	HF_VEC(, struct scope) scopes;
	HF_VEC(, struct scope_unit) units; /* sorted by start */
	struct name_slot *slots;
	uint32_t slot_count;
};

struct addr_slot {
	const void *addr; /* NULL: free */
	uint32_t type;
};

struct hf_ctypes {
	HF_VEC(, struct ctype *) blocks;
	uint32_t count; /* types, type 0 included */
	struct addr_slot *by_addr;
	uint32_t by_addr_used, by_addr_count;
	struct name_slot *same; /* canonical structures by kind, name, size, line */
	uint32_t same_used, same_count;
	struct type_names *names; /* by module */
	void *locals;		  /* locals.c's memory */
	void *functions;	  /* methods.c's */
};

/* Does the name of a type have a lambda of gcc's in it, whose name others may have too? */
bool ctype_names_closure(const char *name);

/* The @number-th type argument of @die, a template; 0: none. */
uint32_t ctype_argument_of(struct hf_symbols *symbols, uint32_t module, Dwarf_Die *die,
			   unsigned number);

/* The type of @die, interned; 0 when there is none, or out of memory. */
uint32_t ctype_intern(struct hf_symbols *symbols, uint32_t module, const Dwarf_Die *die);
/* A new type; 0 when out of memory. The first one is type 0. */
uint32_t ctype_add(struct hf_ctypes *types);
struct ctype *ctype_at(const struct hf_ctypes *types, uint32_t type);

/* typenames.c */
struct type_names *ctype_names(struct hf_symbols *symbols, uint32_t module);
void ctype_names_deinit(struct type_names *names);
/* "ns::Outer::Name" of a DIE, in the string pool; @name itself where nothing encloses it. */
const char *ctype_qualify(struct hf_symbols *symbols, uint32_t module, const Dwarf_Die *die,
			  const char *name);
/* The namespace or structure that @die stands in. */
bool ctype_enclosing(struct hf_symbols *symbols, uint32_t module, const Dwarf_Die *die,
		     Dwarf_Die *ret);
bool ctype_definition(struct hf_symbols *symbols, uint32_t module, const char *qualified,
		      Dwarf_Die *ret);
bool ctype_scope_die(const struct type_names *names, uint32_t scope, Dwarf_Die *ret);
/* Units that dwz made say no language: they are taken for C++ where anything of the module is. */
bool ctype_language_is_c(struct hf_symbols *symbols, uint32_t module, const Dwarf_Die *die);
uint64_t ctype_hash(uint64_t hash, const char *text); /* white space does not count */

/* locals.c */
/* The subprogram in @unit that contains @pc (of the file). */
bool ctype_function_at(Dwarf_Die *unit, Dwarf_Addr pc, Dwarf_Die *ret);
void ctype_locals_destroy(void *locals);

/* methods.c */
void ctype_functions_destroy(void *functions);

struct hf_ctypes *ctypes_create(size_t modules);
void ctypes_destroy(struct hf_ctypes *types, size_t modules);

#endif
