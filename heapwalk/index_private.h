/*
 * index_private.h - private to heapwalk/index*.c.
 */
#ifndef HF_HEAPWALK_INDEX_PRIVATE_H
#define HF_HEAPWALK_INDEX_PRIVATE_H

#include "heapwalk/index.h"

enum { PATH_BYTES = 4096 };

struct hf_index {
	char *root;	/* of all indexes */
	char *folder;	/* of this one */
	char *identity; /* what it is of */
	uint64_t max_bytes;
};

#endif
