/*
 * private.h - private to heapwalk/typing/: the table of types and what every source may ask.
 *
 * A source of types (vtables, text, DWARF, a runtime) looks at one object or at one edge and
 * proposes a type. Types are interned by source and name, so that an object costs 4 bytes.
 */
#ifndef HF_HEAPWALK_TYPING_PRIVATE_H
#define HF_HEAPWALK_TYPING_PRIVATE_H

#include "core/base/bigmem.h"
#include "core/base/strpool.h"
#include "core/base/vec.h"
#include "heapwalk/typing/typing.h"

#define TYPE_NONE UINT32_MAX

struct type_slot { /* open addressing; type + 1, 0: free */
	uint64_t hash;
	uint32_t type;
};

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
	uint32_t *of;	     /* object -> type */
};

/* The type of this source and name, made if it is new; TYPE_NONE when out of memory. */
uint32_t typing_intern(struct hf_typing *typing, enum hf_type_source source, const char *name,
		       uint64_t size, uint8_t confidence);

/* The bytes of @object, NULL if they are not (all) there; *@ret_bytes of them. */
const uint8_t *typing_bytes(const struct hf_typing *typing, uint32_t object, uint64_t *ret_bytes);

/* vtables.c: classes by first word, remembered by its value. */
struct typing_vtables;
struct typing_vtables *typing_vtables_create(struct hf_typing *typing);
void typing_vtables_destroy(struct typing_vtables *vtables);
uint32_t typing_vtable_type(struct typing_vtables *vtables, const uint8_t *data, uint64_t bytes);

/* shapes.c: text, and what nothing else told. */
struct typing_shapes;
struct typing_shapes *typing_shapes_create(struct hf_typing *typing);
void typing_shapes_destroy(struct typing_shapes *shapes);
uint32_t typing_shape_type(struct typing_shapes *shapes, uint32_t object, const uint8_t *data,
			   uint64_t bytes);

/* Bytes of text that @data starts with (UTF-8, no control characters but white space). */
uint64_t typing_text_length(const uint8_t *data, uint64_t bytes);

#endif
