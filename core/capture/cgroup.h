/*
 * cgroup.h - the memory cgroup of a process, version 1 or 2, and what its files say.
 */
#ifndef HF_CORE_CAPTURE_CGROUP_H
#define HF_CORE_CAPTURE_CGROUP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/base/error.h"

#define HF_CGROUP_NO_LIMIT UINT64_MAX

struct hf_cgroup {
	int version;	/* 1, 2; 0: none found */
	char *path;	/* its folder; NULL if none */
	char *mount;	/* where the hierarchy begins */
	char *limiting; /* level with the tightest limit, once hf_cgroup_memory() has looked */
};

struct hf_cgroup_memory {
	uint64_t limit;	      /* the tightest up the hierarchy; HF_CGROUP_NO_LIMIT */
	uint64_t usage;	      /* at the level of that limit (own level if there is none) */
	uint64_t cache;	      /* of it: file pages that can be reclaimed */
	uint64_t high_events; /* v2: memory.events */
	uint64_t oom_kills;
};

/* Which memory cgroup @pid is in. None at all is no error: version 0. */
struct hf_error *hf_cgroup_of(pid_t pid, struct hf_cgroup *ret);
/* A cgroup by its folder. */
struct hf_error *hf_cgroup_open(const char *path, struct hf_cgroup *ret);
void hf_cgroup_deinit(struct hf_cgroup *cgroup);

bool hf_cgroup_memory(struct hf_cgroup *cgroup, struct hf_cgroup_memory *ret);
/* The tightest limit up the hierarchy, looked for anew; HF_CGROUP_NO_LIMIT. */
uint64_t hf_cgroup_limit(struct hf_cgroup *cgroup);
/* Only the figure that is cheap to read: usage, cache included, of the limiting level. */
bool hf_cgroup_usage(const struct hf_cgroup *cgroup, uint64_t *ret);

/* How often the OOM killer has struck in it. */
bool hf_cgroup_oom_kills(const struct hf_cgroup *cgroup, uint64_t *ret);
/*
 * A descriptor that wakes poll(): v2 memory.events (POLLPRI); v1 an eventfd at @usage (POLLIN).
 * -1: there is none to be had.
 */
int hf_cgroup_wake_fd(const struct hf_cgroup *cgroup, uint64_t usage);

/* Process ids in the cgroup and below, at most @max; returns how many. */
size_t hf_cgroup_processes(const struct hf_cgroup *cgroup, pid_t *pids, size_t max);

/*
 * The v2 cgroup of @pid, if it may be frozen; malloc'd. Refused: no v2 hierarchy, the root, or a
 * cgroup that this process is in or below.
 */
struct hf_error *hf_cgroup_freezable(pid_t pid, char **ret);
/* Freeze it, and wait until it is. */
struct hf_error *hf_cgroup_freeze(const char *path);
void hf_cgroup_thaw(const char *path);

/* True if both are in the same memory cgroup, or @pid's is above. */
bool hf_cgroup_shared(pid_t pid, pid_t other);

#endif
