/*
 * private.h - private to heapwalk/typing/: the table of types and what every source may ask.
 *
 * A source of types (vtables, text, DWARF, a runtime) looks at one object or at one edge and
 * proposes a type. Types are interned: those that DWARF describes by description, form and
 * offset, the others by source and name. An object costs 4 bytes:
 *
 *	31   28 27    24 23             0
 *	[ rank ] [source] [    type     ]
 */
#ifndef HF_HEAPWALK_TYPING_PRIVATE_H
#define HF_HEAPWALK_TYPING_PRIVATE_H

#include "core/base/bigmem.h"
#include "core/base/strpool.h"
#include "core/base/vec.h"
#include "heapwalk/typing/typing.h"

#define TYPE_NONE UINT32_MAX

enum { TYPE_BITS = 24, TYPE_MAX = (1 << TYPE_BITS) - 2 };

/* How good the evidence is, the best first: it decides between candidates. */
enum rank {
	RANK_SURE,     /* the user, a vtable, a runtime's own mark */
	RANK_EXACT,    /* a typed pointer to its start, and the size is right */
	RANK_POINTERS, /* an array of pointers; a size that is right but for a remainder */
	RANK_ARRAY,    /* an array of structures */
	RANK_LOCAL,    /* found from a local: it may be out of date */
	RANK_UNION,    /* by a member of a union, of which others fit too */
	RANK_SCALAR,   /* an array of numbers or characters */
	RANK_INFERRED, /* no pointer says so, but everything fits */
	RANK_PART,     /* only a part of it is known */
	RANK_SHAPE,
	RANKS
};

static inline uint32_t type_pack(uint32_t type, enum hf_type_source source, enum rank rank)
{
	return (uint32_t)rank << 28 | (uint32_t)source << TYPE_BITS | type;
}

static inline uint32_t packed_type(uint32_t packed)
{
	return packed & ((1u << TYPE_BITS) - 1);
}

static inline enum hf_type_source packed_source(uint32_t packed)
{
	return (enum hf_type_source)(packed >> TYPE_BITS & 15);
}

static inline enum rank packed_rank(uint32_t packed)
{
	return (enum rank)(packed >> 28);
}

struct type_slot { /* open addressing; type + 1, 0: free */
	uint64_t hash;
	uint32_t type;
};

struct layouts;

struct hf_typing {
	const struct hf_process *process;
	struct hf_symbols *symbols;
	const struct hf_extents *extents;
	const struct hf_graph *graph;
	const struct hf_roots *roots;
	struct hf_strpool *strings;
	HF_VEC(, struct hf_type) types;
	struct type_slot *slots;
	uint32_t slot_count; /* power of two */
	uint32_t *of;	     /* object -> packed; TYPE_NONE while unknown */
	struct layouts *layouts;
	bool mapped; /* `of` lies in an index */
	/* Of an index: where types that nobody asked for yet are described (typing_saved.c). */
	struct late_type *late;
};

/* typing_saved.c: the description of @type, which stands in `late`. */
void typing_describe(const struct hf_typing *typing, uint32_t type);

/* table.c: the type of this source and name, made if it is new; TYPE_NONE: out of memory. */
uint32_t typing_intern(struct hf_typing *typing, enum hf_type_source source, const char *name,
		       uint64_t size);
/* The same for one that DWARF describes. */
uint32_t typing_intern_ctype(struct hf_typing *typing, uint32_t ctype, enum hf_type_form form,
			     uint32_t offset);

/* names.c: std::map<std::string, int> instead of all that the compiler writes; in place. */
void typing_shorten(char *name);

/* The bytes of @object, NULL if they are not (all) there; *@ret_bytes of them. */
const uint8_t *typing_bytes(const struct hf_typing *typing, uint32_t object, uint64_t *ret_bytes);

/* vtables.c: classes by first word, remembered by its value. The object's usable bytes. */
struct typing_vtables;
struct typing_vtables *typing_vtables_create(struct hf_typing *typing);
void typing_vtables_destroy(struct typing_vtables *vtables);
uint32_t typing_vtable_type(struct typing_vtables *vtables, const uint8_t *data, uint64_t bytes);
/* The class of the vtable that @word points into, 0 where DWARF knows none; and its name, NULL: it
 * is no vtable. */
uint32_t typing_vtable_class(const struct hf_typing *typing, uint64_t word, const char **ret_name);

/* propagate.c: types of variables and of what is typed already, along the pointers. */
struct hf_error *typing_propagate(struct hf_typing *typing, const struct hf_progress *progress);

/* shapes.c: text, and what nothing else told. */
struct typing_shapes;
struct typing_shapes *typing_shapes_create(struct hf_typing *typing);
void typing_shapes_destroy(struct typing_shapes *shapes);
uint32_t typing_shape_type(struct typing_shapes *shapes, uint32_t object, const uint8_t *data,
			   uint64_t bytes);

/* Bytes of text that @data starts with (UTF-8, no control characters but white space). */
uint64_t typing_text_length(const uint8_t *data, uint64_t bytes);

/* Is what looks like @length bytes of text the low bytes of a pointer? @data has a word. */
bool typing_is_address(const struct hf_process *process, const uint8_t *data, uint64_t length);

#endif
