/*
 * allocator.c - names of the contract's enumerations.
 */
#include "heapwalk/allocator.h"

const char *hf_chunk_state_name(enum hf_chunk_state state)
{
	static const char *const names[HF_CHUNK_STATES] = {
	    [HF_CHUNK_INUSE] = "inuse",
	    [HF_CHUNK_TCACHE] = "tcache",
	    [HF_CHUNK_FASTBIN] = "fastbin",
	    [HF_CHUNK_UNSORTED] = "unsorted",
	    [HF_CHUNK_SMALL] = "small",
	    [HF_CHUNK_LARGE] = "large",
	    [HF_CHUNK_TOP] = "top",
	    [HF_CHUNK_MMAPPED] = "mmapped",
	    [HF_CHUNK_FENCEPOST] = "fencepost",
	    [HF_CHUNK_LOST] = "lost",
	    [HF_CHUNK_POOL] = "pool",
	    [HF_CHUNK_UNUSED] = "unused",
	};
	return state < HF_CHUNK_STATES ? names[state] : "unknown";
}

const char *hf_object_kind_name(enum hf_object_kind kind)
{
	static const char *const names[HF_OBJECT_KINDS] = {
	    [HF_OBJECT_MALLOC] = "malloc",
	    [HF_OBJECT_MMAP] = "mmap",
	    [HF_OBJECT_ALLOCATOR] = "allocator",
	    [HF_OBJECT_POOL] = "pool",
	};
	return kind < HF_OBJECT_KINDS ? names[kind] : "unknown";
}

const char *hf_blame_name(enum hf_blame blame)
{
	static const char *const names[HF_BLAMES] = {
	    [HF_BLAME_UNKNOWN] = "unknown",	    [HF_BLAME_OVERFLOW] = "overflow",
	    [HF_BLAME_UNDERFLOW] = "underflow",	    [HF_BLAME_USE_AFTER_FREE] = "use after free",
	    [HF_BLAME_DOUBLE_FREE] = "double free", [HF_BLAME_WRONG_FREE] = "wrong free",
	};
	return blame < HF_BLAMES ? names[blame] : "unknown";
}
