/*
 * types.h - the types of a program as its DWARF tells them: flat, interned, read when asked.
 *
 * A type is a small number (0: void, or unknown). Typedefs and qualifiers are taken off; a
 * structure without a name goes by its typedef's. A structure that several compilation units
 * describe is one type: same kind, name, size and line of declaration. A declaration without
 * a body is followed to the definition, in its own module first. A lambda is called by its place,
 * "(lambda at server.cc:41)"; each description of one, and of what is made of one, stands for
 * itself.
 *
 * Everything comes from files that may be broken: nesting is bounded, cycles end, and what
 * cannot be read is type 0 or has no members. Not thread-safe. Pointers and strings live as
 * long as the symbols.
 */
#ifndef HF_CORE_SYMBOLS_TYPES_H
#define HF_CORE_SYMBOLS_TYPES_H

#include "core/symbols/symbols.h"

enum hf_ctype_kind {
	HF_CTYPE_VOID,
	HF_CTYPE_INTEGER,
	HF_CTYPE_CHARACTER, /* one byte, a character type */
	HF_CTYPE_BOOLEAN,
	HF_CTYPE_FLOAT,
	HF_CTYPE_ENUM,
	HF_CTYPE_POINTER, /* and references */
	HF_CTYPE_FUNCTION,
	HF_CTYPE_STRUCT, /* and classes */
	HF_CTYPE_UNION,
	HF_CTYPE_ARRAY, /* all dimensions as one */
	HF_CTYPE_OTHER,
};

struct hf_ctype {
	uint8_t kind; /* enum hf_ctype_kind */
	bool is_signed;
	const char *name; /* "struct session", "ns::Session", "int"; NULL: pointers, arrays, ... */
	uint64_t size;	  /* bytes; 0 if unknown (a structure that is never defined) */
	uint64_t count;	  /* arrays: elements; 0: flexible, or unknown */
};

struct hf_cmember {
	const char *name; /* NULL for an anonymous member, or a base class */
	uint64_t offset;  /* of the storage unit, for a bit field */
	uint32_t type;
	uint16_t bit_offset, bit_size; /* from the offset's least significant bit; 0, 0: none */
	bool base;		       /* a base class */
};

/* Never NULL; type 0 is void. */
const struct hf_ctype *hf_ctype_get(struct hf_symbols *symbols, uint32_t type);

/* What a pointer points at, or an array is made of; 0 for the others. */
uint32_t hf_ctype_target(struct hf_symbols *symbols, uint32_t type);

/* The type "pointer to @target", even if the program never names it; 0: out of memory. */
uint32_t hf_ctype_pointer(struct hf_symbols *symbols, uint32_t target);

/* Members of a structure or union, in order of declaration; returns their number. */
uint32_t hf_ctype_members(struct hf_symbols *symbols, uint32_t type, const struct hf_cmember **ret);

uint32_t hf_ctype_of_variable(struct hf_symbols *symbols, const struct hf_variable *variable);

/* The @number-th type argument (0 the first) of a template class; 0: none. */
uint32_t hf_ctype_argument(struct hf_symbols *symbols, uint32_t type, unsigned number);

/* The structure or class called @name (with its namespaces, without "struct"); 0: none. */
uint32_t hf_ctype_named(struct hf_symbols *symbols, const char *name);

/*
 * By code that knows it (functions of the target, by where they start): the class that a member
 * function belongs to; the @number-th type argument of a template function; the class of the
 * vtable with its address point at @vtable, where hf_symbols_vtable_at() calls it @name and
 * hf_ctype_named() knows no such name (compilers spell lambdas otherwise than demanglers). 0: none.
 */
uint32_t hf_ctype_of_method(struct hf_symbols *symbols, uint64_t function);
uint32_t hf_ctype_method_argument(struct hf_symbols *symbols, uint64_t function, unsigned number);
uint32_t hf_ctype_of_vtable(struct hf_symbols *symbols, uint64_t vtable, const char *name);

/* The static constant @name of a class, or of its first base; false: it has none. */
bool hf_ctype_constant(struct hf_symbols *symbols, uint32_t type, const char *name, uint64_t *ret);

/* Where a structure or union is declared: the file as the compiler knew it. False if unknown. */
bool hf_ctype_declared(struct hf_symbols *symbols, uint32_t type, const char **ret_path,
		       uint32_t *ret_line);

/* "struct session *", "int[12]": at most @size bytes, terminated. */
void hf_ctype_describe(struct hf_symbols *symbols, uint32_t type, char *buffer, size_t size);

/*
 * What lies at @offset of @type, into @buffer: "buckets[17]", "next"; "" where it is the type
 * itself. Past the end a flexible array goes on. Returns the scalar type there; 0: nothing is.
 */
uint32_t hf_ctype_field(struct hf_symbols *symbols, uint32_t type, uint64_t offset, char *buffer,
			size_t size);

/* One scalar (or array) in a structure, its name with those of the structures around it. */
struct hf_cfield {
	const char *name;
	uint64_t offset;
	uint32_t type;
	uint16_t bit_offset, bit_size; /* 0, 0: no bit field */
};

typedef bool hf_cfield_fn(void *ctx, const struct hf_cfield *field); /* false: stop */

/* In the order of their declaration, structures in structures opened. */
void hf_ctype_each_field(struct hf_symbols *symbols, uint32_t type, hf_cfield_fn *fn, void *ctx);

/* Name of the enumerator of that value, NULL if there is none. */
const char *hf_ctype_enumerator(struct hf_symbols *symbols, uint32_t type, int64_t value);

/*
 * All structures that are defined with a name in the modules for which @wanted is true; at
 * most @max types into *@ret (ascending, distinct), which the caller frees.
 */
struct hf_error *hf_ctype_structures(struct hf_symbols *symbols,
				     bool (*wanted)(const struct hf_module *module), uint32_t max,
				     uint32_t **ret, uint32_t *ret_count);

/* Where the description of a type stands: the same in the next run on the same files. */
struct hf_ctype_place {
	uint64_t offset; /* of the DIE, in its section */
	uint32_t module;
	uint32_t section;  /* enum hf_unit_place */
	uint32_t pointers; /* the type is a pointer to a pointer ... to that one */
	uint32_t unused;
};

bool hf_ctype_place(struct hf_symbols *symbols, uint32_t type, struct hf_ctype_place *ret);
uint32_t hf_ctype_at_place(struct hf_symbols *symbols, const struct hf_ctype_place *place);

/* ---- locals --------------------------------------------------------------------------------- */

/* A variable or parameter of a frame, where the frame's pc finds it. */
struct hf_local {
	const char *name;
	uint32_t type;
	uint64_t address; /* in memory; 0: in a register */
	uint64_t value;	  /* of the register */
	uint64_t size;
};

typedef bool hf_local_fn(void *ctx, const struct hf_local *local); /* false: stop */

/*
 * The structures that the function at @function has pointers to among its parameters and
 * variables: what a callback may take its void * for. At most @max distinct ones.
 */
uint32_t hf_symbols_context_types(struct hf_symbols *symbols, uint64_t function, uint32_t *ret,
				  uint32_t max);

/* Does the function that starts at @function have a variable called @name? */
bool hf_symbols_has_local(struct hf_symbols *symbols, uint64_t function, const char *name);

/* Locals of frame @frame of @thread, those of inlined functions too; innermost scope first. */
void hf_symbols_each_local(struct hf_symbols *symbols, const struct hf_thread *thread,
			   uint32_t frame, hf_local_fn *fn, void *ctx);

#endif
