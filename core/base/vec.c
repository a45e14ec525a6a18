/*
 * vec.c - the one allocation path of all growable arrays (see vec.h).
 *
 * Invariant: on failure nothing changed. Growth is by half, so appending n elements
 * moves O(n) bytes in all.
 */
#include "core/base/vec.h"

#include <stdint.h>
#include <stdlib.h>

bool hf_vec_reserve_bytes(void **data, size_t *capacity, size_t count, size_t element_size)
{
	if (count <= *capacity)
		return true;
	size_t grown = *capacity + *capacity / 2;
	if (grown < count)
		grown = count;
	if (grown < 8)
		grown = 8;
	if (grown > SIZE_MAX / 2 / element_size)
		return false;
	void *moved = realloc(*data, grown * element_size);
	if (!moved)
		return false;
	*data = moved;
	*capacity = grown;
	return true;
}
