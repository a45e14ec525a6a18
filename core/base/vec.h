/*
 * vec.h - growable arrays, one struct type for each element type.
 *
 *	HF_VEC(hf_threads, struct hf_thread);	defines struct hf_threads {data,count,capacity}
 *	hf_vec_push(&vec, value)		appends; evaluates to false when out of memory
 *	hf_vec_free(&vec)			releases the storage and empties the vector
 *
 * A zeroed struct is an empty vector. Pointers into data are invalid after a push.
 */
#ifndef HF_CORE_BASE_VEC_H
#define HF_CORE_BASE_VEC_H

#include <stdbool.h>
#include <stddef.h>

#define HF_VEC(name, type)                                                                         \
	struct name {                                                                              \
		type *data;                                                                        \
		size_t count;                                                                      \
		size_t capacity;                                                                   \
	}

/* Make room for @count elements in all; true on success. For the macros. */
bool hf_vec_reserve_bytes(void **data, size_t *capacity, size_t count, size_t element_size);

#define hf_vec_reserve(vec, n)                                                                     \
	hf_vec_reserve_bytes((void **)&(vec)->data, &(vec)->capacity, (n), sizeof(*(vec)->data))

#define hf_vec_push(vec, ...)                                                                      \
	(hf_vec_reserve((vec), (vec)->count + 1) &&                                                \
	 (((vec)->data[(vec)->count++] = (__VA_ARGS__)), true))

#define hf_vec_free(vec)                                                                           \
	do {                                                                                       \
		free((vec)->data);                                                                 \
		(vec)->data = NULL;                                                                \
		(vec)->count = (vec)->capacity = 0;                                                \
	} while (0)

#define hf_vec_foreach(item, vec)                                                                  \
	for (__typeof__((vec)->data + 0) item = (vec)->data;                                       \
	     (vec)->count != 0 && item < (vec)->data + (vec)->count; item++)

#endif
