/*
 * layout.h - a type as the words of an object show it: its scalars, flat.
 *
 * Structures, unions, arrays and base classes are opened until only scalars are left. Pointers
 * come first, for they are what types travel along:
 *
 *	struct cache { int n; struct entry *buckets[64]; struct { char *a, *b; } p; }
 *	  ->  pointer 8 x64 entry | pointer 520 char | pointer 528 char | integer 0
 *
 * A leaf of an array of structures repeats with the structure's stride. A flexible array
 * repeats to the object's end.
 */
#ifndef HF_HEAPWALK_TYPING_LAYOUT_H
#define HF_HEAPWALK_TYPING_LAYOUT_H

#include "core/symbols/types.h"
#include "heapwalk/typing/cxx_erased.h"
#include "heapwalk/typing/cxx_library.h"

enum leaf_kind {
	LEAF_POINTER,
	LEAF_CODE,    /* pointer to a function */
	LEAF_INTEGER, /* no pointer may stand here */
	LEAF_WORD,    /* an unsigned integer as wide as a pointer: may be one */
	LEAF_BYTES,
	LEAF_BOOLEAN,
	LEAF_FLOAT,
	LEAF_ENUM,
};

enum leaf_flags {
	LEAF_IN_UNION = 1,
	LEAF_FLEXIBLE = 2,
	LEAF_CONTAINER = 4,
	LEAF_ERASED = 8, /* in the storage of a holder, which knows better what is there */
};

struct leaf {
	uint64_t offset, count, stride;
	uint32_t target; /* of a pointer: the type that it points at; 0: void */
	uint8_t kind, flags, size;
};

struct container {
	struct stdlib_shape shape;
	uint32_t ctype;
	uint64_t offset, count, stride; /* as a leaf's */
};

/* A holder of values whose type is erased. */
struct holder {
	struct stdlib_holder holder;
	uint64_t offset, count, stride; /* as a leaf's */
	uint64_t size;			/* of the class */
	uint8_t flags;			/* enum leaf_flags */
};

struct layout {
	uint64_t size;
	bool flexible;	   /* ends in an array that has what room is left */
	uint64_t element;  /* bytes of that array's elements */
	uint32_t pointers; /* leaves 0 .. pointers-1 are pointers */
	uint32_t count;
	bool numbers_only; /* no pointers, no bytes: text there would be out of place */
	bool voids;	   /* some of the pointers are void * */
	bool head;	   /* of a structure whose rest its library keeps to itself */
	struct leaf *leaves;
	struct container *containers; /* of the C++ library, wherever they are in it */
	uint32_t container_count;
	struct holder *holders;
	uint32_t holder_count;
	bool no_outer;	     /* no structure is known to start with it */
	uint32_t one, array; /* the types that were interned for it, plus 1; 0: none yet */
};

/* How an object of some usable size can be a type. */
enum form {
	FORM_NONE, /* too small, or the type's size is unknown */
	FORM_ONE,
	FORM_FLEXIBLE, /* one, with its flexible array */
	FORM_ARRAY,
	FORM_PREFIX, /* it starts with one, and has more */
};

enum {
	FORM_SLACK = 15,       /* malloc's rounding up */
	FORM_LOOSE_SLACK = 31, /* a remainder too small to be cut off */
	FORM_HIDDEN = 48,      /* what a library keeps behind a head */
	FORM_MIN_USABLE = 24,
};

struct layouts;

struct layouts *layouts_create(struct hf_symbols *symbols);
void layouts_destroy(struct layouts *layouts);

/* Never NULL: what cannot be read has no leaves. Lives as long as @layouts. */
const struct layout *layout_of(struct layouts *layouts, uint32_t type);

enum form layout_form(const struct layout *layout, uint64_t usable, bool mmapped);

#endif
