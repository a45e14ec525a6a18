/*
 * typing.h - what kind of thing an object is: a type, or at least a shape.
 *
 * Each object gets one 32-bit type index (4 bytes an object). A type has a name for
 * people, a source that says how it is known, and a confidence in percent. Where nothing
 * is known it is a shape: a size class and a pattern, so that the histogram still tells
 * groups apart.
 */
#ifndef HF_HEAPWALK_TYPING_TYPING_H
#define HF_HEAPWALK_TYPING_TYPING_H

#include <stdint.h>

#include "core/base/error.h"
#include "core/base/progress.h"
#include "core/process/process.h"
#include "core/symbols/symbols.h"
#include "heapwalk/graph/extents.h"
#include "heapwalk/graph/graph.h"

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

struct hf_type {
	const char *name;      /* "Session", "struct entry", "text", "48 bytes: 2 pointers" */
	uint8_t source;	       /* enum hf_type_source */
	uint8_t confidence;    /* percent */
	uint64_t size;	       /* of the type; 0 if unknown */
	uint64_t count, bytes; /* objects of it, chunk bytes */
};

struct hf_typing;

struct hf_error *hf_typing_create(const struct hf_process *process, struct hf_symbols *symbols,
				  const struct hf_extents *extents, const struct hf_graph *graph,
				  const struct hf_roots *roots, unsigned threads,
				  const struct hf_progress *progress, struct hf_typing **ret);
void hf_typing_destroy(struct hf_typing *typing);

uint32_t hf_typing_types(const struct hf_typing *typing);
const struct hf_type *hf_typing_type(const struct hf_typing *typing, uint32_t type);
uint32_t hf_typing_of(const struct hf_typing *typing, uint32_t object);

const char *hf_type_source_name(enum hf_type_source source); /* "shape", "vtable", ... */

/*
 * A short look at the content for people, control characters escaped: text in quotes
 * ("GET /index.html"...), else NULL. Caller frees.
 */
char *hf_typing_preview(const struct hf_process *process, const struct hf_extents *extents,
			uint32_t object);

#endif
