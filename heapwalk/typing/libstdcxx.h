/*
 * libstdcxx.h - what libstdc++'s containers hide from the type system.
 *
 * A node is linked by its base class: a list's links are _List_node_base *, though every one
 * but the head's is a _List_node<T>. And a value lies in raw bytes, __aligned_membuf<T>. Inside
 * a container's structure the links are taken for what they are.
 */
#ifndef HF_HEAPWALK_TYPING_LIBSTDCXX_H
#define HF_HEAPWALK_TYPING_LIBSTDCXX_H

#include "core/symbols/types.h"

struct stdlib_nodes {
	uint32_t from; /* the link's declared target; 0: not in such a container */
	uint32_t to;   /* the node */
	/* A type that is a pointer to the node, for arrays of links (buckets); 0: unknown. */
	uint32_t to_pointer;
};

/*
 * Is this class one of the standard library's (it is then a container's part)? *@nodes is
 * changed if the class says what its links point at.
 */
bool stdlib_container(struct hf_symbols *symbols, uint32_t type, struct stdlib_nodes *nodes);

/* The type of the value that the raw buffer @type holds; 0 if it is no such buffer. */
uint32_t stdlib_buffer(struct hf_symbols *symbols, uint32_t type);

bool stdlib_is_pointer_to(struct hf_symbols *symbols, uint32_t type, uint32_t target);

#endif
