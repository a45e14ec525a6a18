/*
 * cxx_erased.h - what std::function, std::any and std::move_only_function hide: a value whose type
 * their own says nothing of.
 *
 *	libstdc++'s function	| storage (16) | manager | invoker |
 *	any			| manager | storage (8) |
 *	libc++'s function	| storage (32) | pointer to an object with a vtable |
 *
 * The manager is a function that the library makes for each type of value; its class, or its own
 * template argument, is that type. The value lies in the storage, or the storage points at it.
 */
#ifndef HF_HEAPWALK_TYPING_CXX_ERASED_H
#define HF_HEAPWALK_TYPING_CXX_ERASED_H

#include "core/symbols/types.h"

enum { STDLIB_MAX_STORAGE = 64, STDLIB_NO_INVOKER = -1 };

enum stdlib_holder_kind {
	STDLIB_MANAGED, /* `teller` is a function */
	STDLIB_VIRTUAL, /* `teller` is a pointer to the value, which starts with a vtable */
};

struct stdlib_holder {
	uint8_t kind; /* enum stdlib_holder_kind */
	uint32_t storage, storage_bytes;
	uint32_t teller; /* offset of the word that tells */
	int32_t invoker; /* of another function of the same value, or STDLIB_NO_INVOKER */
};

/* Is this class such a holder? */
bool stdlib_holder(struct hf_symbols *symbols, uint32_t type, struct stdlib_holder *ret);

enum stdlib_place {
	STDLIB_HERE,   /* in the storage */
	STDLIB_BEHIND, /* where the storage's first word points */
	STDLIB_EITHER, /* in the storage if it fits, but for values that are not moved safely */
};

struct stdlib_value {
	uint32_t type; /* 0: unknown */
	uint8_t place; /* enum stdlib_place */
};

/* What @function, a manager or an invoker, was made for. */
struct stdlib_value stdlib_value_of(struct hf_symbols *symbols, uint64_t function);

#endif
