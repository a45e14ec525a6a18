/*
 * level.c - how near a process is to each of its memory limits (see level.h).
 *
 * Read many times a second: /proc/PID/statm and the cgroup's usage are cheap; memory.stat, which
 * tells what of the usage is page cache, is read only once usage itself is half of the limit.
 */
#include "core/capture/level.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "core/base/cleanup.h"
#include "core/capture/private.h"

struct statm {
	uint64_t size, resident, shared, data; /* bytes */
};

static bool read_statm(pid_t pid, struct statm *ret)
{
	HF_AUTO(free_ptr) char *text = capture_slurp_proc(pid, "statm", NULL);
	unsigned long long size, resident, shared, data;
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

	if (!text ||
	    sscanf(text, "%llu %llu %llu %*u %*u %llu", &size, &resident, &shared, &data) != 4)
		return false;
	*ret = (struct statm){size * page, resident * page, shared * page, data * page};
	return true;
}

uint64_t hf_process_memory(pid_t pid)
{
	struct statm statm;
	return read_statm(pid, &statm) && statm.resident > statm.shared
		   ? statm.resident - statm.shared
		   : 0;
}

static bool cgroup_level(struct hf_cgroup *cgroup, struct hf_level *ret)
{
	struct hf_cgroup_memory memory;
	uint64_t limit, usage;

	if (!cgroup->path)
		return false;
	limit = hf_cgroup_limit(cgroup);
	if (limit == HF_CGROUP_NO_LIMIT || !hf_cgroup_usage(cgroup, &usage))
		return false;
	if (usage > limit / 2 && hf_cgroup_memory(cgroup, &memory))
		usage = memory.usage > memory.cache ? memory.usage - memory.cache : 0;
	*ret = (struct hf_level){cgroup->version == 2 ? "memory.max" : "memory.limit_in_bytes",
				 usage, limit};
	return limit != 0;
}

static bool rlimit_level(pid_t pid, int resource, const char *name, uint64_t used,
			 struct hf_level *ret)
{
	struct rlimit limit;
	if (prlimit(pid, (enum __rlimit_resource)resource, NULL, &limit) != 0 ||
	    limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur == 0)
		return false;
	*ret = (struct hf_level){name, used, limit.rlim_cur};
	return true;
}

static bool host_level(struct hf_level *ret)
{
	HF_AUTO(free_ptr) char *text = capture_slurp("/proc/meminfo", NULL);
	uint64_t total, available;

	if (!capture_field(text, "MemTotal", &total) ||
	    !capture_field(text, "MemAvailable", &available) || !total || available > total)
		return false;
	*ret = (struct hf_level){"the machine's memory", (total - available) << 10, total << 10};
	return true;
}

size_t hf_levels(pid_t pid, struct hf_cgroup *cgroup, bool host, struct hf_level ret[HF_LEVELS])
{
	struct statm statm;
	size_t count = 0;

	count += cgroup_level(cgroup, &ret[count]);
	if (pid > 0 && read_statm(pid, &statm)) {
		count += rlimit_level(pid, RLIMIT_DATA, "RLIMIT_DATA", statm.data, &ret[count]);
		count += rlimit_level(pid, RLIMIT_AS, "RLIMIT_AS", statm.size, &ret[count]);
	}
	if (host)
		count += host_level(&ret[count]);
	return count;
}

double hf_level_ratio(const struct hf_level *level)
{
	return (double)level->used / (double)level->limit;
}

const struct hf_level *hf_level_tightest(const struct hf_level *levels, size_t count)
{
	const struct hf_level *tightest = NULL;
	for (size_t i = 0; i < count; i++) {
		if (!tightest || hf_level_ratio(&levels[i]) > hf_level_ratio(tightest))
			tightest = &levels[i];
	}
	return tightest;
}
