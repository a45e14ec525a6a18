/*
 * cxx_library.h - what the containers of libstdc++ and libc++ hide from the type system.
 *
 * A node is linked by its base class: a list's links are _List_node_base *, though every one
 * but the head's is a _List_node<T>. And a value lies in raw bytes, __aligned_membuf<T>. Inside
 * a container's structure the links are taken for what they are.
 */
#ifndef HF_HEAPWALK_TYPING_CXX_LIBRARY_H
#define HF_HEAPWALK_TYPING_CXX_LIBRARY_H

#include "core/symbols/types.h"

struct stdlib_nodes {
	uint32_t from; /* the link's declared target; 0: not in such a container */
	uint32_t end;  /* another one (libc++'s trees); 0: none */
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

enum { STDLIB_WORDS = 8 };

enum stdlib_kind {
	STDLIB_NONE,
	STDLIB_VECTOR,	     /* start, finish, end of storage */
	STDLIB_BITS,	     /* vector<bool>: the same three */
	STDLIB_STRING,	     /* pointer, length, capacity */
	STDLIB_SHORT_STRING, /* libc++'s: pointer, length, capacity and a bit; short ones in it */
	STDLIB_DEQUE,	     /* map, its size, node of the start, of the finish; start's element,
				end of its node; finish's element, begin of its node */
	STDLIB_SIZED_DEQUE,  /* libc++'s: map, first used, behind the last used; elements */
	STDLIB_LIST,	     /* next, previous, size */
	STDLIB_FORWARD_LIST, /* head */
	STDLIB_TREE,	     /* root, number of nodes */
	STDLIB_HASH,	     /* buckets, their number, first node, number of nodes */
	STDLIB_KINDS
};

/* A container as the program names it, and where its words are. */
struct stdlib_shape {
	uint8_t kind;		      /* enum stdlib_kind */
	uint32_t words[STDLIB_WORDS]; /* offsets in the class, as above */
};

/* False: @type is no container, or not one as these libraries make it. */
bool stdlib_shape(struct hf_symbols *symbols, uint32_t type, struct stdlib_shape *ret);

/* Where the member @path ("_M_header._M_parent") is in @type or what is in it: the first that is
 * met, breadth first. *@ret_type may be NULL. */
bool stdlib_member(struct hf_symbols *symbols, uint32_t type, const char *path,
		   uint32_t *ret_offset, uint32_t *ret_type);

bool stdlib_is_pointer_to(struct hf_symbols *symbols, uint32_t type, uint32_t target);

#endif
