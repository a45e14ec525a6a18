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
#include "core/base/search.h"
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
	RANKS,
	RANK_PENDING = RANKS, /* of sweeps.c alone: a shape that has no type yet */
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
	struct hf_extents_columns columns; /* of the extents */
	const struct hf_graph *graph;
	const struct hf_roots *roots;
	struct hf_strpool *strings;
	HF_VEC(, struct hf_type) types;
	struct type_slot *slots;
	uint32_t slot_count; /* power of two */
	uint32_t *of;	     /* object -> packed; TYPE_NONE while unknown */
	unsigned threads;    /* that sweeps may use */
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

/* hf_image_at(), quick where *@last is meant again, the segment that was read last (or NULL). */
static inline const uint8_t *typing_view(const struct hf_image *image,
					 const struct hf_segment **last, uint64_t address,
					 uint64_t *ret_available)
{
	const struct hf_segment *segment = *last;

	if (!segment || address - segment->start >= segment->present) {
		segment = hf_image_find(image, address);
		if (!segment || !segment->data || address - segment->start >= segment->present)
			return hf_image_at(image, address, ret_available);
		*last = segment;
	}
	*ret_available = segment->present - (address - segment->start);
	return segment->data + (address - segment->start);
}

/* The bytes of @object, NULL if they are not (all) there; *@ret_bytes of them. */
static inline const uint8_t *typing_bytes_near(const struct hf_typing *typing, uint32_t object,
					       const struct hf_segment **last, uint64_t *ret_bytes)
{
	uint64_t available = 0, usable = hf_column_usable(&typing->columns, object);
	const uint8_t *data = typing_view(&typing->process->image, last,
					  hf_column_address(&typing->columns, object), &available);
	*ret_bytes = available < usable ? available : usable;
	return data;
}

/* The same for one that is not in a row of them. */
const uint8_t *typing_bytes(const struct hf_typing *typing, uint32_t object, uint64_t *ret_bytes);

/*
 * Sweeps over all objects go in parts, each a task of hf_parallel_for(). What a part finds does not
 * depend on others; what does (the numbers of new types) is settled between sweeps, in order.
 */
enum { SWEEP_PART = 1 << 15 };

static inline uint64_t sweep_parts(const struct hf_typing *typing)
{
	return ((uint64_t)hf_extents_count(typing->extents) + SWEEP_PART - 1) / SWEEP_PART;
}

/* The first object behind @part. */
static inline uint32_t sweep_end(const struct hf_typing *typing, uint64_t part)
{
	uint64_t end = (part + 1) * SWEEP_PART, count = hf_extents_count(typing->extents);
	return (uint32_t)(end < count ? end : count);
}

/* sweeps.c: the allocator's own objects, and those with a vtable; sets all the others unknown. */
struct hf_error *typing_type_marked(struct hf_typing *typing, const struct hf_progress *progress);
/* What is still without a type: text, or a shape. Then all are counted. */
struct hf_error *typing_type_rest(struct hf_typing *typing);
/* Percent, by how it is known. */
static inline uint8_t typing_confidence(enum hf_type_source source, enum rank rank)
{
	static const uint8_t by_rank[RANKS] = {
	    [RANK_SURE] = 100, [RANK_EXACT] = 95, [RANK_POINTERS] = 90, [RANK_ARRAY] = 85,
	    [RANK_LOCAL] = 80, [RANK_UNION] = 70, [RANK_SCALAR] = 80,	[RANK_INFERRED] = 60,
	    [RANK_PART] = 0,   [RANK_SHAPE] = 0,
	};
	return source == HF_TYPE_STRING ? 80 : by_rank[rank < RANKS ? rank : RANK_SHAPE];
}

/* vtables.c: classes by first word, remembered by its value. */
struct typing_vtables;
struct typing_vtables *typing_vtables_create(struct hf_typing *typing);
void typing_vtables_destroy(struct typing_vtables *vtables);
uint32_t typing_vtable_type(struct typing_vtables *vtables, uint64_t word);
/* May @word be a vtable? *@gap is one between modules, where none is: remembered for the next. */
bool typing_vtable_likely(const struct typing_vtables *vtables, uint64_t word,
			  struct hf_range *gap);
/* The class of the vtable that @word points into, 0 where DWARF knows none; and its name, NULL: it
 * is no vtable. */
uint32_t typing_vtable_class(const struct hf_typing *typing, uint64_t word, const char **ret_name);

/* propagate.c: types of variables and of what is typed already, along the pointers. */
struct hf_error *typing_propagate(struct hf_typing *typing, const struct hf_progress *progress);

/*
 * shapes.c: text, and what nothing else told. A shape is a number below TYPING_SHAPES, or
 * TYPING_TEXT. Of @object, of which of @usable bytes these are there (NULL: none is):
 */
enum { TYPING_SHAPES = 1284, TYPING_TEXT = TYPING_SHAPES };
unsigned typing_shape_of(const struct hf_typing *typing, uint32_t object, uint64_t usable,
			 const uint8_t *data, uint64_t bytes);
/* Its type, made if it is new; TYPE_NONE: out of memory. */
uint32_t typing_shape_type(struct hf_typing *typing, unsigned shape);

/* Bytes of text that @data starts with (UTF-8, no control characters but white space). */
uint64_t typing_text_length(const uint8_t *data, uint64_t bytes);

/* Is what looks like @length bytes of text the low bytes of a pointer? @data has a word. */
bool typing_is_address(const struct hf_process *process, const uint8_t *data, uint64_t length);

#endif
