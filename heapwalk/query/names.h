/*
 * names.h - private to heapwalk/query/: names of fields, for many pointers and several threads.
 *
 * A name is put together from DWARF, which only one thread at a time may read. But most pointers
 * of a heap are the same few fields, so each thread remembers those that it has seen last.
 */
#ifndef HF_HEAPWALK_QUERY_NAMES_H
#define HF_HEAPWALK_QUERY_NAMES_H

#include <pthread.h>

#include "heapwalk/analysis.h"

enum { QUERY_MAX_FIELD = 512 };

struct query_names;

/* @lock: one for all threads; it outlives the names. NULL when out of memory. */
struct query_names *query_names_create(pthread_mutex_t *lock);
void query_names_destroy(struct query_names *names);

/* The field that @edge leaves from, valid until the next call; NULL: unknown. */
const char *query_names_field(struct query_names *names, const struct hf_analysis *analysis,
			      const struct hf_edge *edge);

#endif
