/*
 * typing.h - what kind of thing an object is: a type, or at least a shape.
 *
 * Each object gets 32 bits: a type, the source that it is known by, and how sure that is. A
 * type has a name for people; where DWARF describes it, also the number of its description,
 * so that fields can be named. Where nothing is known it is a shape: a size class and a
 * pattern, so that the histogram still tells groups apart.
 *
 * DWARF types start at what has one (variables, TLS, locals of frames, vtables) and travel
 * along pointers, field by field (propagate.h).
 */
#ifndef HF_HEAPWALK_TYPING_TYPING_H
#define HF_HEAPWALK_TYPING_TYPING_H

#include <stdint.h>

#include "core/base/error.h"
#include "core/base/progress.h"
#include "core/base/stash.h"
#include "core/process/process.h"
#include "core/symbols/symbols.h"
#include "heapwalk/graph/extents.h"
#include "heapwalk/graph/graph.h"
#include "heapwalk/graph/roots.h"

enum hf_type_source {
	HF_TYPE_SHAPE,	   /* untyped: size and pattern only */
	HF_TYPE_STRING,	   /* text */
	HF_TYPE_VTABLE,	   /* C++ vtable */
	HF_TYPE_VARIABLE,  /* DWARF type of a variable or local that points at it */
	HF_TYPE_FIELD,	   /* DWARF type of a field that points at it */
	HF_TYPE_CONTAINER, /* a C++ container's block */
	HF_TYPE_RUNTIME,   /* CPython, GLib, ... */
	HF_TYPE_USER,	   /* --type */
	HF_TYPE_ALLOCATOR, /* the allocator's own */
	HF_TYPE_SOURCES
};

/* How an object's memory is made of a type that DWARF describes. */
enum hf_type_form {
	HF_FORM_NONE,  /* no such type */
	HF_FORM_ONE,   /* one, perhaps with its flexible array */
	HF_FORM_ARRAY, /* as many as there is room for: "struct entry[]" */
	HF_FORM_PART,  /* a part of the object is one: what it is as a whole is unknown */
};

struct hf_type {
	const char *name;      /* "Session", "struct entry", "text", "48 B with pointers" */
	uint8_t source;	       /* enum hf_type_source: of most of its objects */
	uint8_t confidence;    /* percent: the mean over its objects */
	uint8_t form;	       /* enum hf_type_form */
	bool flexible;	       /* ends in an array that has what room is left */
	bool pointer;	       /* it is a pointer, or an array of pointers */
	uint32_t ctype;	       /* hf_ctype_get(); 0: none */
	uint32_t offset;       /* of the first one in the object */
	uint64_t size;	       /* of one; 0 if unknown */
	uint64_t count, bytes; /* objects of it, chunk bytes */
	uint64_t votes;	       /* pointers that said so */
	uint64_t conflicts;    /* pointers that said otherwise, and were not believed */
};

/* What the user says: the object around @address is a @name ("struct session", "int[]"). */
struct hf_type_claim {
	uint64_t address;
	const char *name;
};

HF_VEC(hf_type_claims, struct hf_type_claim);

struct hf_typing;

/* On at most @threads threads, the caller's among them. */
struct hf_error *hf_typing_create(const struct hf_process *process, struct hf_symbols *symbols,
				  const struct hf_extents *extents, const struct hf_graph *graph,
				  const struct hf_roots *roots, const struct hf_type_claims *claims,
				  unsigned threads, const struct hf_progress *progress,
				  struct hf_typing **ret);
void hf_typing_destroy(struct hf_typing *typing);

/*
 * Into an index, and out of it: the objects' types stay in @stash, which must outlive the typing.
 * *@ret is NULL where the index does not fit.
 */
void hf_typing_save(const struct hf_typing *typing, struct hf_stash_writer *writer);
struct hf_error *hf_typing_load(const struct hf_stash *stash, const struct hf_process *process,
				struct hf_symbols *symbols, const struct hf_extents *extents,
				const struct hf_graph *graph, const struct hf_roots *roots,
				struct hf_typing **ret);

uint32_t hf_typing_types(const struct hf_typing *typing);
const struct hf_type *hf_typing_type(const struct hf_typing *typing, uint32_t type);
uint32_t hf_typing_of(const struct hf_typing *typing, uint32_t object);

/* @object's type will be asked for soon. */
void hf_typing_prefetch(const struct hf_typing *typing, uint32_t object);

/* How this object's type is known, and how sure that is, in percent. */
enum hf_type_source hf_typing_source(const struct hf_typing *typing, uint32_t object);
uint8_t hf_typing_confidence(const struct hf_typing *typing, uint32_t object);

/*
 * The field at @offset of @object: "buckets[17]", "[5].next"; "next" of the part where only a
 * part is known. False: no field is known there. *@ret_ctype (may be NULL) is its type.
 */
bool hf_typing_field(const struct hf_typing *typing, uint32_t object, uint64_t offset, char *buffer,
		     size_t size, uint32_t *ret_ctype);

/* The same for the word at @address of a root: what follows the holder's own name ("" for a
 * plain variable), or false. */
bool hf_typing_root_field(const struct hf_typing *typing, const struct hf_holder *holder,
			  uint64_t address, char *buffer, size_t size, uint32_t *ret_ctype);

/* ---- containers of the C++ library ----------------------------------------------------------- */

enum hf_container_kind {
	HF_CONTAINER_VECTOR,
	HF_CONTAINER_BITS,
	HF_CONTAINER_STRING,
	HF_CONTAINER_DEQUE,
	HF_CONTAINER_NODES, /* list, map, set: no capacity */
	HF_CONTAINER_HASH,  /* capacity: buckets */
};

struct hf_container {
	uint8_t kind;	  /* enum hf_container_kind */
	uint32_t ctype;	  /* std::map<...> */
	uint64_t address; /* of the container itself */
	uint64_t elements, capacity;
	uint64_t bytes;	       /* chunks of its own blocks, not of what its elements point at */
	uint64_t unused_bytes; /* of these, room for elements that are not there */
};

typedef void hf_container_fn(void *ctx, const struct hf_container *container);

/* All that typed objects and roots contain. */
void hf_typing_each_container(struct hf_typing *typing, hf_container_fn *fn, void *ctx);

/* Its type for people: "std::map<std::string, int>"; at most @size bytes. */
void hf_typing_ctype_name(const struct hf_typing *typing, uint32_t ctype, char *buffer,
			  size_t size);

const char *hf_type_source_name(enum hf_type_source source); /* "shape", "vtable", ... */

/*
 * A short look at the content for people, control characters escaped: text in quotes
 * ("GET /index.html"...), else NULL. Caller frees.
 */
char *hf_typing_preview(const struct hf_process *process, const struct hf_extents *extents,
			uint32_t object);

#endif
