/*
 * cleanup.h - scope guards: an owned pointer is released when its scope ends.
 *
 *	HF_AUTO(free_ptr) char *name = strdup(...);
 *	...
 *	*ret = hf_take(name);		(ownership leaves the scope)
 */
#ifndef HF_CORE_BASE_CLEANUP_H
#define HF_CORE_BASE_CLEANUP_H

#include <stdlib.h>
#include <unistd.h>

#define HF_AUTO(fn) __attribute__((cleanup(hf_auto_##fn)))

/* Give up ownership: evaluates to the pointer and leaves NULL behind. */
#define hf_take(ptr)                                                                               \
	({                                                                                         \
		__typeof__(ptr) hf_taken_ = (ptr);                                                 \
		(ptr) = NULL;                                                                      \
		hf_taken_;                                                                         \
	})

static inline void hf_auto_free_ptr(void *ptr)
{
	free(*(void **)ptr);
}

static inline void hf_auto_close_fd(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

#endif
