/*
 * runtime.h - plug-ins for runtimes whose objects say themselves what they are.
 *
 * A runtime is asked once whether it is in the process; then it may type what its own lists lead
 * to, and is asked for each object that has no type yet: does it carry the runtime's mark? Last it
 * may type what its objects own. To add one: a file with these functions and a line in runtimes.c;
 * a fixture that knows its truth. A mark must be sure: a wrong type is worse than none.
 */
#ifndef HF_HEAPWALK_TYPING_RUNTIME_H
#define HF_HEAPWALK_TYPING_RUNTIME_H

#include "heapwalk/typing/private.h"

struct typing_runtime {
	const char *name;
	/*
	 * It is in the process if a module has this symbol (64 bits, little-endian); its state is
	 * then so many zeros, but that it starts with a pointer to the typing. Or else: open().
	 */
	const char *symbol;
	size_t state_bytes;
	/* *@ret NULL: the runtime is not in this process. */
	struct hf_error *(*open)(struct hf_typing *typing, void **ret);
	/* Before objects are asked: type what the runtime's own lists lead to. May be NULL. */
	void (*begin)(void *state);
	/* The type of @object by its bytes, TYPE_NONE if it has no mark. May be NULL. */
	uint32_t (*type_of)(void *state, uint32_t object, const uint8_t *data, uint64_t bytes);
	/* @object has the runtime's type @type: type what it owns. May be NULL. */
	void (*spread)(void *state, uint32_t object, uint32_t type);
	void (*close)(void *state); /* NULL: free() */
};

extern const struct typing_runtime typing_cpython, typing_gobject, typing_lua, typing_sqlite,
    typing_glib, typing_openssl;

/* The word and the 32 bits at @address; 0 if they are not there. */
static inline uint64_t typing_word(const struct hf_typing *typing, uint64_t address)
{
	uint64_t word = 0;
	return hf_image_word(&typing->process->image, address, &word) ? word : 0;
}

static inline uint32_t typing_u32(const struct hf_typing *typing, uint64_t address)
{
	uint32_t number = 0;
	return hf_image_u32(&typing->process->image, address, &number) ? number : 0;
}

/*
 * The object that starts at @address is of that name, and has at least @bytes. False, and nothing
 * is changed, if there is none, or it has a type already.
 */
bool typing_own(struct hf_typing *typing, uint64_t address, const char *name, uint64_t bytes);

/* The same for an array of pointers to anything. */
bool typing_own_pointers(struct hf_typing *typing, uint64_t address, const char *name);

/* Types by all runtimes that are in the process. */
struct hf_error *typing_run_runtimes(struct hf_typing *typing);

#endif
