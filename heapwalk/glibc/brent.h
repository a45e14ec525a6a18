/*
 * brent.h - private to heapwalk/glibc/: does a list that is being followed run in a circle?
 *
 * Brent 1980: remember the node at each power of two, compare with it; a circle of any length
 * costs no memory, and is noticed after at most a few rounds.
 */
#ifndef HF_HEAPWALK_GLIBC_BRENT_H
#define HF_HEAPWALK_GLIBC_BRENT_H

#include <stdbool.h>
#include <stdint.h>

struct brent {
	uint64_t kept, steps, limit;
};

/* True if @node was seen before. */
static inline bool brent_came_back(struct brent *brent, uint64_t node)
{
	if (node == brent->kept)
		return true;
	if (brent->steps++ == brent->limit) {
		brent->kept = node;
		brent->limit = brent->limit * 2 + 1;
	}
	return false;
}

#endif
