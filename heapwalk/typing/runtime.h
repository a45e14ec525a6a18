/*
 * runtime.h - plug-ins for runtimes whose objects say themselves what they are.
 *
 * A runtime is asked once whether it is in the process, then for each object that has no type
 * yet: does it carry the runtime's mark? Last it may type what its objects own. To add one: a
 * file with these four functions and a line in runtimes.c; a fixture that knows its truth.
 * A mark must be sure: a wrong type is worse than none.
 */
#ifndef HF_HEAPWALK_TYPING_RUNTIME_H
#define HF_HEAPWALK_TYPING_RUNTIME_H

#include "heapwalk/typing/private.h"

struct typing_runtime {
	const char *name;
	/* *@ret NULL: the runtime is not in this process. */
	struct hf_error *(*open)(struct hf_typing *typing, void **ret);
	/* The type of an object by its bytes, TYPE_NONE if it has no mark. */
	uint32_t (*type_of)(void *state, const uint8_t *data, uint64_t bytes);
	/* @object has the runtime's type @type: type what it owns. May be NULL. */
	void (*spread)(void *state, uint32_t object, uint32_t type);
	void (*close)(void *state);
};

extern const struct typing_runtime typing_cpython, typing_gobject;

/* Types by all runtimes that are in the process. */
struct hf_error *typing_run_runtimes(struct hf_typing *typing);

#endif
