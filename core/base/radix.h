/*
 * radix.h - sorting many small records by a 64-bit number.
 */
#ifndef HF_CORE_BASE_RADIX_H
#define HF_CORE_BASE_RADIX_H

#include <stdbool.h>
#include <stddef.h>

enum { HF_RADIX_RECORD = 16 }; /* bytes; the first eight are the number, as the machine has it */

/*
 * Sort @count records of HF_RADIX_RECORD bytes at @records, ascending; equal ones keep their order.
 * False: there is no memory for another @count of them, and nothing was changed.
 */
bool hf_radix_sort(void *records, size_t count);

#endif
