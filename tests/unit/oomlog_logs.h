/*
 * oomlog_logs.h - what the tests of the OOM log parser share: reading logs.
 */
#ifndef HF_TESTS_UNIT_OOMLOG_LOGS_H
#define HF_TESTS_UNIT_OOMLOG_LOGS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "core/oomlog/oomlog.h"

#define DATA "tests/data/oomlog/" /* logs of real kernels */

#define KILLED(pid, name) "Killed process " pid " (" name ") total-vm:4kB, anon-rss:4kB\n"

enum { KB = 1024 };

struct text {
	char *bytes;
	size_t size;
};

static const uint64_t U = HF_OOM_UNKNOWN;

/* A whole v2 report. */
static const char *const report[] = {
    "java invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=-17",
    "CPU: 3 UID: 7 PID: 4242 Comm: java Not tainted 6.12.1 #1",
    "memory: usage 1024kB, limit 2048kB, failcnt 9",
    "swap: usage 12kB, limit 4096kB, failcnt 3",
    "Memory cgroup stats for /a:",
    "anon 1000",
    "pgfault 7",
    "Tasks state (memory values in pages):",
    "[  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name",
    "[   4242]  1000  4242      100       50    12288        5           -17 my java",
    "[   4243]  1000  4243      200       60    16384        0          1000 sh",
    "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0-1,oom_memcg=/a,"
    "task_memcg=/a/b,task=my java,pid=4242,uid=1000",
    "Memory cgroup out of memory: Killed process 4242 (my java) total-vm:400kB, anon-rss:190kB, "
    "file-rss:8kB, shmem-rss:2kB, UID:1000 pgtables:12kB oom_score_adj:-17",
    "oom_reaper: reaped process 4242 (my java), now anon-rss:4kB, file-rss:1kB, shmem-rss:2kB",
};

enum { REPORT_LINES = sizeof(report) / sizeof(report[0]) };

static inline struct text slurp(const char *path)
{
	struct text text = {malloc(1 << 20), 0};
	FILE *file = fopen(path, "r");
	assert_non_null(file);
	assert_non_null(text.bytes);
	text.size = fread(text.bytes, 1, 1 << 20, file);
	assert_true(text.size > 0);
	fclose(file);
	return text;
}

static inline struct hf_oomlog *parse_bytes(const char *bytes, size_t size)
{
	struct hf_oomlog *log = NULL;
	struct hf_error *err = hf_oomlog_parse(bytes, size, &log);
	assert_null(err);
	assert_non_null(log);
	return log;
}

static inline struct hf_oomlog *parse(const char *text)
{
	return parse_bytes(text, strlen(text));
}

static inline struct hf_oomlog *read_log(const char *path)
{
	struct hf_oomlog *log = NULL;
	struct hf_error *err = hf_oomlog_read(path, &log);
	assert_null(err);
	return log;
}

#endif
