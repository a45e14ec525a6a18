/*
 * level.h - how near a process is to each of its memory limits.
 */
#ifndef HF_CORE_CAPTURE_LEVEL_H
#define HF_CORE_CAPTURE_LEVEL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/capture/cgroup.h"

enum { HF_LEVELS = 4 };

struct hf_level {
	const char *what; /* "memory.max", "RLIMIT_DATA": static */
	uint64_t used, limit;
};

/* Resident anonymous and shared memory, swap not counted; 0 if there is no such process. */
uint64_t hf_process_memory(pid_t pid);

/*
 * The limits that @pid has: of its memory cgroup (without page cache that would be given up),
 * RLIMIT_DATA, RLIMIT_AS, and, if @host, the machine's memory. Returns how many.
 */
size_t hf_levels(pid_t pid, struct hf_cgroup *cgroup, bool host, struct hf_level ret[HF_LEVELS]);

/* The one nearest to its limit, or NULL. */
const struct hf_level *hf_level_tightest(const struct hf_level *levels, size_t count);
double hf_level_ratio(const struct hf_level *level);

#endif
