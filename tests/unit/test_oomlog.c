/*
 * test_oomlog.c - the OOM log parser against logs whose content is known.
 *
 * Samples from real kernels with their figures; the other kernels' and loggers' formats
 * composed here; logs with lines lost, of which nothing wrong may be told; and hostile
 * logs, which only must not harm. All random choices come from a fixed seed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "core/oomlog/oomlog.h"

#define DATA "tests/data/oomlog/"

enum { KB = 1024, MUTATIONS = 2000, LOSSES = 2000 };

struct text {
	char *bytes;
	size_t size;
};

/* ---- helpers ---- */

static struct text slurp(const char *path)
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

static struct hf_oomlog *parse_bytes(const char *bytes, size_t size)
{
	struct hf_oomlog *log = NULL;
	struct hf_error *err = hf_oomlog_parse(bytes, size, &log);
	assert_null(err);
	assert_non_null(log);
	return log;
}

static struct hf_oomlog *parse(const char *text)
{
	return parse_bytes(text, strlen(text));
}

static struct hf_oomlog *read_log(const char *path)
{
	struct hf_oomlog *log = NULL;
	struct hf_error *err = hf_oomlog_read(path, &log);
	assert_null(err);
	return log;
}

static uint32_t random_state;

static uint32_t random_below(uint32_t limit)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 17;
	random_state ^= random_state << 5;
	return limit ? random_state % limit : 0;
}

/* ---- the samples ---- */

struct expected_kill {
	uint32_t pid;
	const char *name;
	uint64_t total_vm_kb, anon_kb, file_kb, shmem_kb, pgtables_kb;
	unsigned times;
};

struct expected {
	const char *file;
	enum hf_oom_scope scope;
	bool header;
	uint32_t invoker_pid;
	uint64_t gfp_mask;
	const char *gfp_text;
	uint64_t memory_kb, failcnt; /* usage equals the limit; UNKNOWN: not there */
	size_t stats, tasks;
	uint64_t anon_stat;
	uint64_t rss_pages, rss_anon_pages; /* of the first kill's row */
	uint64_t event_usecs, kill_usecs;
	bool group;
	size_t kills;
	struct expected_kill kill[2];
};

static const char memcg[] = "/k8s/pod1";
static const uint64_t U = HF_OOM_UNKNOWN;

#define GFP_COMP "GFP_HIGHUSER_MOVABLE|__GFP_COMP|__GFP_ZERO"

static const struct expected samples[] = {
    {"oom-kernel-5.10-global.log",
     HF_OOM_SCOPE_GLOBAL,
     true,
     153,
     0x100dca,
     "GFP_HIGHUSER_MOVABLE|__GFP_ZERO",
     HF_OOM_UNKNOWN,
     HF_OOM_UNKNOWN,
     0,
     1,
     HF_OOM_UNKNOWN,
     66358,
     HF_OOM_UNKNOWN,
     89621725,
     89626710,
     false,
     1,
     {{153, "hog", 273952, 264724, 4, 704, 552, 1}}},
    {"oom-kernel-5.10-v2-memcg.log",
     HF_OOM_SCOPE_MEMCG,
     true,
     83,
     0xcc0,
     "GFP_KERNEL",
     49152,
     21,
     30,
     1,
     50012160,
     12370,
     HF_OOM_UNKNOWN,
     4260201,
     4264563,
     false,
     1,
     {{83, "hog", 66356, 48772, 4, 704, 132, 1}}},
    {"oom-kernel-5.10-v2-oomgroup.log",
     HF_OOM_SCOPE_MEMCG,
     false,
     0,
     HF_OOM_UNKNOWN,
     NULL,
     HF_OOM_UNKNOWN,
     HF_OOM_UNKNOWN,
     16,
     2,
     HF_OOM_UNKNOWN,
     12370,
     HF_OOM_UNKNOWN,
     9105718,
     9105883,
     true,
     2,
     {{92, "hog", 49844, 48772, 4, 704, 124, 2}, {91, "sleep", 2260, 4, 0, 0, 28, 1}}},
    {"oom-kernel-6.1-global.log",
     HF_OOM_SCOPE_GLOBAL,
     true,
     162,
     0x140dca,
     GFP_COMP,
     HF_OOM_UNKNOWN,
     HF_OOM_UNKNOWN,
     0,
     1,
     HF_OOM_UNKNOWN,
     63125,
     HF_OOM_UNKNOWN,
     79637282,
     79639583,
     false,
     1,
     {{162, "hog", 260892, 251792, 4, 704, 528, 1}}},
    {"oom-kernel-6.1-v2-memcg.log",
     HF_OOM_SCOPE_MEMCG,
     true,
     92,
     0xcc0,
     "GFP_KERNEL",
     49152,
     26,
     29,
     1,
     50122752,
     12371,
     HF_OOM_UNKNOWN,
     4977945,
     4987276,
     false,
     1,
     {{92, "hog", 66356, 48776, 4, 704, 136, 1}}},
    {"oom-kernel-6.1-v2-oomgroup.log",
     HF_OOM_SCOPE_MEMCG,
     false,
     0,
     HF_OOM_UNKNOWN,
     NULL,
     HF_OOM_UNKNOWN,
     HF_OOM_UNKNOWN,
     16,
     2,
     HF_OOM_UNKNOWN,
     12371,
     HF_OOM_UNKNOWN,
     10087945,
     10088160,
     true,
     2,
     {{101, "hog", 49844, 48776, 4, 704, 124, 2}, {100, "sleep", 2260, 4, 0, 0, 28, 1}}},
    {"oom-kernel-6.12-global.log",
     HF_OOM_SCOPE_GLOBAL,
     true,
     210,
     0x140dca,
     GFP_COMP,
     HF_OOM_UNKNOWN,
     HF_OOM_UNKNOWN,
     0,
     1,
     HF_OOM_UNKNOWN,
     63200,
     63040,
     76489160,
     76491708,
     false,
     1,
     {{210, "hog", 261292, 252160, 0, 640, 528, 1}}},
    {"oom-kernel-6.12-v2-memcg.log",
     HF_OOM_SCOPE_MEMCG,
     true,
     140,
     0xcc0,
     "GFP_KERNEL",
     49152,
     26,
     60,
     1,
     50118656,
     12384,
     12224,
     3851787,
     3860469,
     false,
     1,
     {{140, "hog", 66356, 48896, 0, 640, 140, 1}}},
    {"oom-kernel-6.12-v2-oomgroup.log",
     HF_OOM_SCOPE_MEMCG,
     false,
     0,
     HF_OOM_UNKNOWN,
     NULL,
     HF_OOM_UNKNOWN,
     HF_OOM_UNKNOWN,
     16,
     2,
     HF_OOM_UNKNOWN,
     12384,
     12224,
     8553850,
     8554286,
     true,
     2,
     {{149, "hog", 49844, 48896, 0, 640, 132, 2}, {148, "sleep", 2260, 0, 0, 1324, 36, 1}}},
};

enum { SAMPLES = sizeof(samples) / sizeof(samples[0]) };

static void check_kill(const struct hf_oom_kill *kill, const struct expected_kill *want)
{
	assert_int_equal(kill->by, HF_OOM_BY_KERNEL);
	assert_false(kill->line_lost);
	assert_int_equal(kill->pid, want->pid);
	assert_string_equal(kill->name, want->name);
	assert_int_equal(kill->uid, 0);
	assert_int_equal(kill->total_vm, want->total_vm_kb * KB);
	assert_int_equal(kill->anon_rss, want->anon_kb * KB);
	assert_int_equal(kill->file_rss, want->file_kb * KB);
	assert_int_equal(kill->shmem_rss, want->shmem_kb * KB);
	assert_int_equal(kill->pgtables, want->pgtables_kb * KB);
	assert_int_equal(kill->oom_score_adj, 0);
	assert_int_equal(kill->times_logged, want->times);
	assert_false(kill->reaped);
}

static void check_header(const struct hf_oom_event *event, const struct expected *want)
{
	assert_int_equal(event->header_seen, want->header);
	assert_int_equal(event->invoker_pid, want->invoker_pid);
	assert_int_equal(event->gfp_mask, want->gfp_mask);
	if (!want->header) {
		assert_null(event->invoker);
		assert_int_equal(event->order, HF_OOM_NO_INT);
		return;
	}
	assert_string_equal(event->invoker, "hog");
	assert_string_equal(event->gfp_text, want->gfp_text);
	assert_int_equal(event->order, 0);
	assert_int_equal(event->invoker_oom_score_adj, 0);
}

static void check_memcg(const struct hf_oom_event *event, const struct expected *want)
{
	if (want->scope == HF_OOM_SCOPE_GLOBAL) {
		assert_string_equal(event->constraint, "CONSTRAINT_NONE");
		assert_null(event->oom_memcg);
		assert_string_equal(event->task_memcg, "/");
		assert_int_equal(event->ram_pages, 81790);
		assert_int_equal(event->swap_total, 0);
		assert_int_equal(event->swap_free, 0);
		return;
	}
	assert_string_equal(event->constraint, "CONSTRAINT_MEMCG");
	assert_string_equal(event->oom_memcg, memcg);
	assert_string_equal(event->task_memcg, memcg);
	assert_int_equal(event->memory.usage, want->memory_kb == U ? U : want->memory_kb * KB);
	assert_int_equal(event->memory.limit, event->memory.usage);
	assert_int_equal(event->memory.failcnt, want->failcnt);
	if (want->memory_kb != U) {
		assert_int_equal(event->swap.usage, 0);
		assert_int_equal(event->swap.limit, HF_OOM_NO_LIMIT);
		assert_string_equal(event->stats_memcg, memcg);
	}
	assert_int_equal(event->memsw.usage, U);
	assert_int_equal(event->kmem.limit, U);
}

static void check_sample(const struct expected *want)
{
	char path[256];
	snprintf(path, sizeof(path), DATA "%s", want->file);
	struct hf_oomlog *log = read_log(path);
	assert_int_equal(log->events.count, 1);
	assert_int_equal(log->kills.count, want->kills);
	assert_int_equal(log->dropped, 0);
	const struct hf_oom_event *event = log->events.data[0];
	assert_int_equal(event->scope, want->scope);
	assert_int_equal(event->time.monotonic_usecs, want->event_usecs);
	assert_null(event->time.wall);
	check_header(event, want);
	check_memcg(event, want);
	assert_int_equal(event->stats.count, want->stats);
	assert_int_equal(hf_oom_stat(event, "anon"), want->anon_stat);
	assert_int_equal(event->tasks.count, want->tasks);
	assert_int_equal(event->tasks_lost, 0);
	assert_int_equal(event->page_size, 4096);
	assert_int_equal(event->group, want->group);
	assert_int_equal(event->chosen_pid, want->kill[0].pid);
	for (size_t i = 0; i < want->kills; i++) {
		assert_ptr_equal(log->kills.data[i].event, event);
		check_kill(&log->kills.data[i], &want->kill[i]);
		const struct hf_oom_task *task = hf_oom_kill_task(&log->kills.data[i]);
		assert_non_null(task);
		assert_int_equal(hf_oom_bytes(event, task->total_vm_pages, 0),
				 want->kill[i].total_vm_kb * KB);
		assert_string_equal(task->name, want->kill[i].name);
	}
	const struct hf_oom_task *task = hf_oom_kill_task(&log->kills.data[0]);
	assert_int_equal(log->kills.data[0].time.monotonic_usecs, want->kill_usecs);
	assert_int_equal(task->rss_pages, want->rss_pages);
	assert_int_equal(task->rss_anon_pages, want->rss_anon_pages);
	assert_int_equal(task->pgtables_bytes, want->kill[0].pgtables_kb * KB);
	hf_oomlog_destroy(log);
}

static void test_samples(void **state)
{
	(void)state;
	for (size_t i = 0; i < SAMPLES; i++)
		check_sample(&samples[i]);
}

/* ---- loggers ---- */

/* A whole v2 report; %s stands for the prefix of a line. */
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

static void compose(char *buffer, size_t size, const char *prefix)
{
	size_t used = 0;
	for (size_t i = 0; i < REPORT_LINES; i++)
		used += (size_t)snprintf(buffer + used, size - used, "%s%s\n", prefix, report[i]);
	assert_true(used < size);
}

static void check_report(const struct hf_oomlog *log)
{
	assert_int_equal(log->kills.count, 1);
	const struct hf_oom_kill *kill = &log->kills.data[0];
	const struct hf_oom_event *event = kill->event;
	assert_string_equal(event->invoker, "java");
	assert_int_equal(event->invoker_pid, 4242);
	assert_int_equal(event->invoker_oom_score_adj, -17);
	assert_int_equal(event->memory.limit, 2048 * KB);
	assert_int_equal(event->swap.usage, 12 * KB);
	assert_int_equal(event->swap.failcnt, 3);
	assert_string_equal(event->oom_memcg, "/a");
	assert_string_equal(event->task_memcg, "/a/b");
	assert_int_equal(hf_oom_stat(event, "anon"), 1000);
	assert_int_equal(hf_oom_stat(event, "pgfault"), 7);
	assert_int_equal(event->tasks.count, 2);
	assert_int_equal(event->tasks.data[1].oom_score_adj, 1000);
	assert_int_equal(event->tasks.data[0].swap_pages, 5);
	assert_int_equal(event->page_size, 4096);
	assert_string_equal(kill->name, "my java");
	assert_int_equal(kill->uid, 1000);
	assert_int_equal(kill->oom_score_adj, -17);
	assert_int_equal(kill->anon_rss, 190 * KB);
	assert_int_equal(kill->pgtables, 12 * KB);
	assert_true(kill->reaped);
	assert_int_equal(kill->reaped_anon_rss, 4 * KB);
}

static void test_prefixes(void **state)
{
	static const struct {
		const char *prefix, *wall, *host;
		uint64_t usecs;
	} cases[] = {
	    {"", NULL, NULL, HF_OOM_UNKNOWN},
	    {"[   89.621725] ", NULL, NULL, 89621725},
	    {"[123456.000001] ", NULL, NULL, 123456000001},
	    {"<4>[   89.621725] ", NULL, NULL, 89621725},
	    {"kern  :warn  : [   89.621725] ", NULL, NULL, 89621725},
	    {"4,1200,89621725,-;", NULL, NULL, 89621725},
	    {"[   89.621725][ T4242] ", NULL, NULL, 89621725},
	    {"[   89.621725] [  C1] ", NULL, NULL, 89621725},
	    {"[   89.621725 <    0.000012>] ", NULL, NULL, 89621725},
	    {"[Mon Nov 21 04:29:00 2022] ", "Mon Nov 21 04:29:00 2022", NULL, HF_OOM_UNKNOWN},
	    {"[Nov21 04:29] ", "Nov21 04:29", NULL, HF_OOM_UNKNOWN},
	    {"[  +0.000012] ", NULL, NULL, HF_OOM_UNKNOWN},
	    {"2022-11-21T04:29:00,123456+01:00 ", "2022-11-21T04:29:00,123456+01:00", NULL,
	     HF_OOM_UNKNOWN},
	    {"Nov 21 04:29:00 web-1 kernel: [   89.621725] ", "Nov 21 04:29:00", "web-1", 89621725},
	    {"Nov  1 04:29:00 web-1.a.b kernel: ", "Nov  1 04:29:00", "web-1.a.b", HF_OOM_UNKNOWN},
	    {"Nov 21 04:29:00 box kern.warn kernel: [   89.621725] ", "Nov 21 04:29:00", "box",
	     89621725},
	    {"avril 16 21:08:50 pc kernel: ", "avril 16 21:08:50", "pc", HF_OOM_UNKNOWN},
	    {"\xd0\xb0\xd0\xbf\xd1\x80 28 01:23:30 PC kernel: ",
	     "\xd0\xb0\xd0\xbf\xd1\x80 28 01:23:30", "PC", HF_OOM_UNKNOWN},
	    {"Nov 21 04:29:00 kernel: ", "Nov 21 04:29:00", NULL, HF_OOM_UNKNOWN},
	    {"2022-11-21T04:29:00+0100 web kernel: ", "2022-11-21T04:29:00+0100", "web",
	     HF_OOM_UNKNOWN},
	    {"2022-11-21T04:29:00.123456+01:00 web kernel: [   89.621725] ",
	     "2022-11-21T04:29:00.123456+01:00", "web", 89621725},
	    {"Mon 2022-11-21 04:29:00 CET web kernel: ", "Mon 2022-11-21 04:29:00 CET", "web",
	     HF_OOM_UNKNOWN},
	    {"1669000000.123456 web kernel: ", "1669000000.123456", "web", HF_OOM_UNKNOWN},
	    {"[   89.621725] web kernel: ", NULL, "web", 89621725},
	    {"<4>1 2022-11-21T04:29:00Z web kernel - - - [   89.621725] ", "2022-11-21T04:29:00Z",
	     "web", 89621725},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[8192];
		compose(text, sizeof(text), cases[i].prefix);
		struct hf_oomlog *log = parse(text);
		check_report(log);
		assert_int_equal(log->events.count, 1);
		const struct hf_oom_kill *kill = &log->kills.data[0];
		assert_int_equal(kill->time.monotonic_usecs, cases[i].usecs);
		if (cases[i].wall)
			assert_string_equal(kill->time.wall, cases[i].wall);
		else
			assert_null(kill->time.wall);
		if (cases[i].host)
			assert_string_equal(kill->event->host, cases[i].host);
		else
			assert_null(kill->event->host);
		hf_oomlog_destroy(log);
	}
}

/* memory.stat as one message: journalctl indents its lines, rsyslog escapes the newlines. */
static void test_multiline_stats(void **state)
{
	(void)state;
	struct hf_oomlog *log =
	    parse("Nov 21 04:29:00 h kernel: memory: usage 4kB, limit 8kB, failcnt 1\r\n"
		  "Nov 21 04:29:00 h kernel: Memory cgroup stats for /x:\r\n"
		  "Nov 21 04:29:00 h kernel: anon 4096\r\n"
		  "                           file 8192\r\n"
		  "                           slab 12\r\n"
		  "Nov 21 04:29:00 h kernel: Memory cgroup out of memory: Killed process 5 (x) "
		  "total-vm:4kB, anon-rss:4kB, file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:4kB "
		  "oom_score_adj:0\r\n");
	assert_int_equal(hf_oom_stat(log->events.data[0], "file"), 8192);
	assert_int_equal(hf_oom_stat(log->events.data[0], "slab"), 12);
	hf_oomlog_destroy(log);
	log = parse("Nov 21 04:29:00 h kernel: [ 9.1] Memory cgroup stats for /x:\n"
		    "Nov 21 04:29:00 h kernel: [ 9.1] anon 4096#012file 8192#012slab 12\n");
	assert_int_equal(log->events.data[0]->stats.count, 3);
	assert_int_equal(hf_oom_stat(log->events.data[0], "file"), 8192);
	assert_string_equal(log->events.data[0]->stats_memcg, "/x");
	hf_oomlog_destroy(log);
}

/* ---- kernels ---- */

static void test_kernel_3_10_memcg(void **state)
{
	(void)state;
	struct hf_oomlog *log = parse(
	    "[ 9.1] httpd invoked oom-killer: gfp_mask=0xd0, order=0, oom_score_adj=0\n"
	    "[ 9.1] httpd cpuset=/ mems_allowed=0\n"
	    "[ 9.1] CPU: 1 PID: 77 Comm: httpd Not tainted 3.10.0-1160.el7.x86_64 #1\n"
	    "[ 9.1] Task in /docker/abc killed as a result of limit of /docker\n"
	    "[ 9.1] memory: usage 524288kB, limit 524288kB, failcnt 7\n"
	    "[ 9.1] memory+swap: usage 524288kB, limit 1048576kB, failcnt 0\n"
	    "[ 9.1] kmem: usage 12kB, limit 9007199254740988kB, failcnt 0\n"
	    "[ 9.1] Memory cgroup stats for /docker: cache:8KB rss:524280KB swap:0KB\n"
	    "[ 9.1] Memory cgroup stats for /docker/abc: cache:4KB rss:16KB swap:0KB\n"
	    "[ 9.1] [ pid ]   uid  tgid total_vm      rss nr_ptes swapents oom_score_adj name\n"
	    "[ 9.1] [   77]    48    77   150000   131000      300        9             0 httpd\n"
	    "[ 9.1] [   78]    48    78   150000    31000      300        9             0 sh -x\n"
	    "[ 9.1] Memory cgroup out of memory: Kill process 77 (httpd) score 999 or sacrifice "
	    "child\n"
	    "[ 9.1] Killed process 78 (sh -x), UID 48, total-vm:600000kB, anon-rss:120000kB, "
	    "file-rss:4000kB, shmem-rss:0kB\n");
	assert_int_equal(log->events.count, 1);
	assert_int_equal(log->kills.count, 1);
	const struct hf_oom_kill *kill = &log->kills.data[0];
	const struct hf_oom_event *event = kill->event;
	assert_int_equal(event->scope, HF_OOM_SCOPE_MEMCG);
	assert_int_equal(kill->scope, HF_OOM_SCOPE_MEMCG);
	assert_string_equal(event->oom_memcg, "/docker");
	assert_string_equal(event->task_memcg, "/docker/abc");
	assert_int_equal(event->gfp_mask, 0xd0);
	assert_null(event->gfp_text);
	assert_null(event->constraint);
	assert_int_equal(event->memsw.limit, 1048576ull * KB);
	assert_int_equal(event->kmem.limit, HF_OOM_NO_LIMIT);
	assert_int_equal(event->swap.usage, U);
	assert_int_equal(hf_oom_stat(event, "rss"), 524280ull * KB);
	assert_int_equal(event->tasks.data[0].pte_pages, 300);
	assert_int_equal(event->tasks.data[0].pgtables_bytes, U);
	assert_int_equal(event->chosen_pid, 77);
	assert_int_equal(event->chosen_score, 999);
	assert_int_equal(kill->pid, 78);
	assert_string_equal(kill->name, "sh -x");
	assert_int_equal(kill->uid, 48);
	assert_int_equal(kill->anon_rss, 120000ull * KB);
	assert_int_equal(kill->pgtables, U);
	assert_int_equal(event->page_size, 4096);
	hf_oomlog_destroy(log);
}

static void test_kernel_4_19_global(void **state)
{
	(void)state;
	struct hf_oomlog *log = parse(
	    "[ 9.1] x invoked oom-killer: gfp_mask=0x14280ca(GFP_HIGHUSER_MOVABLE|__GFP_ZERO), "
	    "nodemask=(null),  order=2, oom_score_adj=5\n"
	    "[ 9.1] Node 0 DMA: 0*64kB 2*128kB (UM) = 256kB\n"
	    "[ 9.1] Free swap  = 12kB\n[ 9.1] Total swap = 24kB\n[ 9.1] 1000 pages RAM\n"
	    "[ 9.1] [ pid ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj "
	    "name\n"
	    "[ 9.1] [    7]     0     7     1000      500    65536        0             0 x\n"
	    "[ 9.1] Out of memory: Kill process 7 (x) score 12 or sacrifice child\n"
	    "[ 9.2] Killed process 7 (x) total-vm:64000kB, anon-rss:1kB, file-rss:2kB, "
	    "shmem-rss:3kB\n");
	const struct hf_oom_kill *kill = &log->kills.data[0];
	assert_int_equal(log->kills.count, 1);
	assert_int_equal(kill->event->order, 2);
	assert_int_equal(kill->event->invoker_oom_score_adj, 5);
	assert_int_equal(kill->event->scope, HF_OOM_SCOPE_GLOBAL);
	assert_int_equal(kill->event->page_size, 65536);
	assert_int_equal(hf_oom_bytes(kill->event, 500, 0), 500 * 65536);
	assert_int_equal(kill->event->swap_free, 12 * KB);
	assert_int_equal(kill->event->ram_pages, 1000);
	assert_int_equal(kill->shmem_rss, 3 * KB);
	assert_int_equal(kill->uid, HF_OOM_NO_ID);
	hf_oomlog_destroy(log);
}

/* RHEL 6 and 5; and a memory policy's kill, SysRq. */
static void test_kernel_oldest(void **state)
{
	(void)state;
	struct hf_oomlog *log =
	    parse("[ 9.1] oracle invoked oom-killer: gfp_mask=0x201da, order=-1, oom_adj=0, "
		  "oom_score_adj=0\n"
		  "[ 9.1] Pid: 2592, comm: oracle Not tainted 2.6.32-431.el6.x86_64 #1\n"
		  "[ 9.1] [ pid ]   uid  tgid total_vm      rss cpu oom_adj oom_score_adj name\n"
		  "[ 9.1] [ 2592]   503  2592  1543744      100   0     -17         -1000 oracle\n"
		  "[ 9.1] Out of memory: Kill process 2592 (oracle) score 274 or sacrifice child\n"
		  "[ 9.1] Killed process 2592, UID 503, (oracle) total-vm:6174976kB, "
		  "anon-rss:2248kB, file-rss:36kB\n"
		  "[ 200.1] Out of memory: Killed process 4486, UID 48, (httpd).\n");
	assert_int_equal(log->kills.count, 2);
	const struct hf_oom_kill *kill = &log->kills.data[0];
	assert_int_equal(kill->event->order, -1);
	assert_int_equal(kill->event->invoker_pid, 2592);
	assert_int_equal(kill->event->tasks.data[0].oom_score_adj, -1000);
	assert_int_equal(kill->event->tasks.data[0].swap_pages, U);
	assert_int_equal(kill->uid, 503);
	assert_string_equal(kill->name, "oracle");
	assert_int_equal(kill->total_vm, 6174976ull * KB);
	assert_int_equal(kill->shmem_rss, U);
	assert_string_equal(kill[1].name, "httpd");
	assert_int_equal(kill[1].uid, 48);
	assert_int_equal(kill[1].total_vm, U);
	assert_false(kill[1].event->header_seen);
	hf_oomlog_destroy(log);
}

/* 5.4: bytes called kB. Decided by the row, by its size, or left unknown. */
static void test_pgtables_unit(void **state)
{
	static const struct {
		const char *row, *kill;
		uint64_t bytes;
	} cases[] = {
	    {"1000 500 135168 0 0 x", "total-vm:4000kB, pgtables:135168kB", 135168},
	    {"1000 500 138412032 0 0 x", "total-vm:4000kB, pgtables:135168kB", 138412032},
	    {"1000 500 135168 0 0 x", "total-vm:4000kB, pgtables:132kB", 132 * KB},
	    {NULL, "total-vm:4000kB, pgtables:135168kB", 135168},
	    {NULL, "total-vm:9000000kB, pgtables:135168kB", HF_OOM_UNKNOWN},
	    {NULL, "total-vm:9000000kB, pgtables:135164kB", 135164 * KB},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[1024] = "";
		if (cases[i].row)
			snprintf(text, sizeof(text),
				 "[ pid ] uid tgid total_vm rss pgtables_bytes swapents "
				 "oom_score_adj name\n[    7] 0 7 %s\n",
				 cases[i].row);
		size_t used = strlen(text);
		snprintf(text + used, sizeof(text) - used,
			 "Out of memory: Killed process 7 (x) %s\n", cases[i].kill);
		struct hf_oomlog *log = parse(text);
		assert_int_equal(log->kills.count, 1);
		assert_int_equal(log->kills.data[0].pgtables, cases[i].bytes);
		hf_oomlog_destroy(log);
	}
}

static void test_daemons(void **state)
{
	(void)state;
	struct hf_oomlog *log = parse(
	    "Aug 04 23:41:26 qaa earlyoom[1308]: sending SIGTERM to process 1024668 uid 1000 "
	    "\"Web Content\": oom_score 823, VmRSS 79 MiB, cmdline \"/usr/lib/x\"\n"
	    "sending SIGKILL to process 12006 \"python3\": badness 209, VmRSS 2891 MiB\n"
	    "Dec 18 19:34:56 box systemd-oomd[840]: Killed /user.slice/x.scope due to memory "
	    "pressure for /user.slice being 51.07% > 50.00% for > 20s with reclaim activity\n"
	    "Dec 18 19:34:56 box other[1]: Out of memory: Killed process 1 (init) total-vm:4kB\n");
	assert_int_equal(log->kills.count, 3);
	const struct hf_oom_kill *kill = log->kills.data;
	assert_int_equal(kill[0].by, HF_OOM_BY_EARLYOOM);
	assert_int_equal(kill[0].pid, 1024668);
	assert_int_equal(kill[0].uid, 1000);
	assert_string_equal(kill[0].name, "Web Content");
	assert_int_equal(kill[0].vm_rss, 79ull << 20);
	assert_int_equal(kill[1].pid, 12006);
	assert_int_equal(kill[1].uid, HF_OOM_NO_ID);
	assert_int_equal(kill[2].by, HF_OOM_BY_OOMD);
	assert_null(kill[2].name);
	assert_string_equal(kill[2].event->task_memcg, "/user.slice/x.scope");
	assert_int_equal(hf_oomlog_find(log, 12006, "python3").match, HF_OOM_MATCH_PID_AND_NAME);
	hf_oomlog_destroy(log);
}

/* ---- several reports, lost lines ---- */

static void test_interleaved_hosts(void **state)
{
	(void)state;
	char text[16384], other[8192];
	size_t used = 0;
	struct hf_oomlog *log;
	for (size_t i = 0; i < REPORT_LINES; i++) {
		snprintf(other, sizeof(other), "%s", report[i]);
		for (char *s = other; (s = strstr(s, "4242"));)
			memcpy(s, "5151", 4);
		used += (size_t)snprintf(text + used, sizeof(text) - used,
					 "Nov 21 04:29:00 a kernel: %s\n"
					 "Nov 21 04:29:00 a kernel: eth0: link up 100\n"
					 "Nov 21 04:29:00 b kernel: %s\n",
					 report[i], other);
	}
	log = parse(text);
	assert_int_equal(log->events.count, 2);
	assert_int_equal(log->kills.count, 2);
	assert_int_equal(log->kills.data[0].pid, 4242);
	assert_int_equal(log->kills.data[1].pid, 5151);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(log->kills.data[i].event->tasks.count, 2);
		assert_int_equal(log->kills.data[i].event->memory.failcnt, 9);
		assert_true(log->kills.data[i].reaped);
	}
	hf_oomlog_destroy(log);
}

#define KILLED(pid, name) "Killed process " pid " (" name ") total-vm:4kB, anon-rss:4kB\n"

/* A report whose kill line is lost, then a kill whose report is lost: not one kill. */
static void test_lost_lines(void **state)
{
	(void)state;
	struct hf_oomlog *log = parse(
	    "[ 9.1] a invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0\n"
	    "[ 9.1] memory: usage 4kB, limit 8kB, failcnt 1\n"
	    "[ 9.1] oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,"
	    "oom_memcg=/a,task_memcg=/a,task=a,pid=5,uid=3\n"
	    "[ 9.4] Memory cgroup out of memory: " KILLED("6", "b"));
	assert_int_equal(log->kills.count, 2);
	const struct hf_oom_kill *kill = log->kills.data;
	assert_true(kill[0].line_lost);
	assert_int_equal(kill[0].pid, 5);
	assert_int_equal(kill[0].uid, 3);
	assert_int_equal(kill[0].anon_rss, U);
	assert_string_equal(kill[0].event->oom_memcg, "/a");
	assert_false(kill[1].line_lost);
	assert_int_equal(kill[1].scope, HF_OOM_SCOPE_MEMCG);
	assert_null(kill[1].event->oom_memcg);
	assert_int_equal(kill[1].event->memory.limit, U);
	hf_oomlog_destroy(log);

	/* a silence of hours, a reboot, another scope: each ends a report */
	static const char *const later[] = {
	    "[ 7200.1] Memory cgroup out of memory: " KILLED("5", "a"),
	    "[ 1.1] Memory cgroup out of memory: " KILLED("5", "a"),
	    "[ 9.1] Out of memory: " KILLED("5", "a"),
	};
	for (size_t i = 0; i < 3; i++) {
		char text[1024];
		snprintf(text, sizeof(text),
			 "[ 9.1] memory: usage 4kB, limit 8kB, failcnt 1\n"
			 "[ 9.1] [ pid ] uid tgid total_vm rss swapents oom_score_adj name\n"
			 "[ 9.1] [    5] 0 5 1 1 0 0 a\n%s",
			 later[i]);
		log = parse(text);
		assert_int_equal(log->kills.count, 1);
		assert_int_equal(log->kills.data[0].event->memory.limit, U);
		assert_int_equal(log->events.count, 2);
		hf_oomlog_destroy(log);
	}
}

/* Two reports, the middle lost between them: the first one's figures are not the second's. */
static void test_joined_reports(void **state)
{
	static const char head[] = "[ 9.1] memory: usage 4kB, limit 8kB, failcnt 1\n"
				   "[ 9.1] Memory cgroup stats for /a:\n[ 9.1] anon 1\n";
	static const char table[] = "[ pid ] uid tgid total_vm rss name\n";
	static const struct {
		const char *between, *row, *limit_memcg, *time;
		bool joined;
	} cases[] = {
	    {"", NULL, "/a", "9.1", true},
	    {"", NULL, "/b", "9.1", false},
	    {"** 12 printk messages dropped **\n", NULL, "/a", "9.1", true},
	    {"** 12 printk messages dropped **\n", NULL, "/b", "9.1", false},
	    {"[ 9.1] link up\n", "[ 5] 0 5 1 1 a\n", "/a", "9.2", true},
	    {"[ 9.1] link up\n", "[ 6] 0 6 1 1 a\n", "/a", "9.2", false},
	    {"[ 9.1] link up\n", "[ 6] 0 5 1 1 a\n", "/a", "9.2", true},
	    {"Missed 3 kernel messages\n", "[ 5] 0 5 1 1 a\n", "/a", "9.1", false},
	    {"Nov 21 04:29:00 systemd-journald[1]: Missed 3 kernel messages\n", "[ 5] 0 5 1 1 a\n",
	     "/a", "9.1", false},
	    {"[ 9.1] link up\n", NULL, "/a", "30.1", false},
	    {"[ 9.1] link up\n", NULL, "/a", "2.1", false},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[2048];
		const char *time = cases[i].time;
		snprintf(text, sizeof(text),
			 "%s%s%s%s[ %s] oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),"
			 "cpuset=/,mems_allowed=0,oom_memcg=%s,task_memcg=/t,task=a,pid=5,uid=0\n"
			 "[ %s] Memory cgroup out of memory: " KILLED("5", "a"),
			 head, cases[i].between, cases[i].row ? table : "",
			 cases[i].row ? cases[i].row : "", time, cases[i].limit_memcg, time);
		struct hf_oomlog *log = parse(text);
		assert_int_equal(log->kills.count, 1);
		const struct hf_oom_event *event = log->kills.data[0].event;
		assert_string_equal(event->oom_memcg, cases[i].limit_memcg);
		assert_int_equal(event->memory.limit, cases[i].joined ? 8 * KB : U);
		assert_int_equal(log->events.count, cases[i].joined ? 1 : 2);
		hf_oomlog_destroy(log);
	}
}

/* Rows without their header are not read; a header cut short reads none either. */
static void test_lost_table_header(void **state)
{
	(void)state;
	struct hf_oomlog *log = parse("[ 9.1] Tasks state (memory values in pages):\n"
				      "[ 9.1] [   5] 0 5 1 1 4096 0 0 a\n"
				      "[ 9.1] [ pid ] uid tgid total_vm rss pgtables_bytes swap\n"
				      "[ 9.1] [   5] 0 5 1 1 4096 0 0 a\n");
	for (size_t i = 0; i < log->events.count; i++) {
		assert_int_equal(log->events.data[i]->tasks.count, 0);
		assert_false(log->events.data[i]->tasks_seen);
	}
	assert_int_equal(log->events.data[0]->tasks_lost, 2);
	assert_int_equal(log->kills.count, 0);
	hf_oomlog_destroy(log);
}

/* Names and paths that look like the log itself. */
static void test_nasty_names(void **state)
{
	(void)state;
	struct hf_oomlog *log = parse(
	    "[ 9.1] [ pid ] uid tgid total_vm rss swapents oom_score_adj name\n"
	    "[ 9.1] [    5] 0 5 1 1 0 0   a b 12\n"
	    "[ 9.1] oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,"
	    "oom_memcg=/a,pid=1,uid=2,task_memcg=/a,pid=1,uid=2/b,task=),pid=9,uid=9,pid=5,uid=7\n"
	    "[ 9.1] Memory cgroup out of memory: Killed process 5 () total-vm:1kB,) "
	    "total-vm:4kB, anon-rss:8kB, file-rss:0kB, shmem-rss:0kB, UID:7 pgtables:4kB "
	    "oom_score_adj:0\n");
	assert_int_equal(log->kills.count, 1);
	const struct hf_oom_kill *kill = &log->kills.data[0];
	assert_string_equal(kill->name, ") total-vm:1kB,");
	assert_int_equal(kill->total_vm, 4 * KB);
	assert_int_equal(kill->uid, 7);
	assert_string_equal(kill->event->oom_memcg, "/a,pid=1,uid=2");
	assert_string_equal(kill->event->task_memcg, "/a,pid=1,uid=2/b");
	assert_string_equal(kill->event->chosen_name, "),pid=9,uid=9");
	assert_string_equal(kill->event->tasks.data[0].name, "  a b 12");
	hf_oomlog_destroy(log);
}

static void test_find(void **state)
{
	(void)state;
	struct hf_oomlog *log =
	    parse("[ 1.0] Out of memory: " KILLED("5", "a") "[ 2.0] Out of memory: " KILLED(
		"6", "a-name-of-fiftee") "[ 3.0] Out of memory: " KILLED("7", "a"));
	struct hf_oom_found found = hf_oomlog_find(log, 5, "a");
	assert_int_equal(found.match, HF_OOM_MATCH_PID_AND_NAME);
	assert_int_equal(found.kill->pid, 5);
	assert_int_equal(found.candidates, 1);
	found = hf_oomlog_find(log, 99, "a");
	assert_int_equal(found.match, HF_OOM_MATCH_NAME);
	assert_int_equal(found.kill->pid, 7);
	assert_int_equal(found.candidates, 2);
	found = hf_oomlog_find(log, 6, "a-name-of-fifteen-and-more");
	assert_int_equal(found.match, HF_OOM_MATCH_PID_AND_NAME);
	found = hf_oomlog_find(log, 6, NULL);
	assert_int_equal(found.match, HF_OOM_MATCH_PID);
	found = hf_oomlog_find(log, 6, "other");
	assert_int_equal(found.match, HF_OOM_MATCH_NONE);
	assert_null(found.kill);
	found = hf_oomlog_find(log, 0, NULL);
	assert_null(found.kill);
	hf_oomlog_destroy(log);
}

/* ---- reading ---- */

static void test_read(void **state)
{
	(void)state;
	struct hf_oomlog *log = NULL;
	struct hf_error *err = hf_oomlog_read("/nonexistent/kern.log", &log);
	assert_int_equal(hf_error_code(err), HF_ERR_IO);
	assert_null(log);
	hf_error_destroy(err);
	err = hf_oomlog_read("/", &log);
	assert_non_null(err);
	assert_null(log);
	hf_error_destroy(err);
	log = read_log("/dev/null");
	assert_int_equal(log->kills.count, 0);
	hf_oomlog_destroy(log);
}

/* A stand-in journalctl on the PATH: its output is read, its failure told. */
static void test_journal(void **state)
{
	(void)state;
	char dir[] = "/tmp/test_oomlog.XXXXXX", path[64], text[8192];
	const char *real = getenv("PATH");
	char *old = real ? strdup(real) : NULL;
	struct hf_oomlog *log = NULL;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(setenv("PATH", dir, 1), 0);
	struct hf_error *err = hf_oomlog_read("journal", &log);
	assert_int_equal(hf_error_code(err), HF_ERR_UNSUPPORTED);
	hf_error_destroy(err);

	snprintf(path, sizeof(path), "%s/journalctl", dir);
	compose(text, sizeof(text), "[    9.100000] h kernel: ");
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fprintf(file,
		"#!/bin/sh\n[ \"$*\" = '-k -o short-monotonic --no-pager -a -q' ] || exit 3\n"
		"while IFS= read -r line; do printf '%%s\\n' \"$line\"; done <<'END'\n%sEND\n",
		text);
	fclose(file);
	assert_int_equal(chmod(path, 0700), 0);
	log = NULL;
	err = hf_oomlog_read("journal", &log);
	assert_null(err);
	check_report(log);
	hf_oomlog_destroy(log);

	file = fopen(path, "w");
	assert_non_null(file);
	fputs("#!/bin/sh\nexit 1\n", file);
	fclose(file);
	log = NULL;
	err = hf_oomlog_read("journal", &log);
	assert_int_equal(hf_error_code(err), HF_ERR_IO);
	assert_null(log);
	hf_error_destroy(err);
	unlink(path);
	rmdir(dir);
	if (old)
		setenv("PATH", old, 1);
	free(old);
}

/* ---- damage ---- */

static void same_or_unknown(uint64_t got, uint64_t want)
{
	if (got != HF_OOM_UNKNOWN)
		assert_int_equal(got, want);
}

static void text_or_null(const char *got, const char *want)
{
	if (got) {
		assert_non_null(want);
		assert_string_equal(got, want);
	}
}

static void event_tells_nothing_wrong(const struct hf_oom_event *got,
				      const struct hf_oom_event *want)
{
	same_or_unknown(got->memory.usage, want->memory.usage);
	same_or_unknown(got->memory.limit, want->memory.limit);
	same_or_unknown(got->swap.limit, want->swap.limit);
	same_or_unknown(got->gfp_mask, want->gfp_mask);
	text_or_null(got->invoker, want->invoker);
	text_or_null(got->oom_memcg, want->oom_memcg);
	text_or_null(got->task_memcg, want->task_memcg);
	text_or_null(got->constraint, want->constraint);
	assert_true(got->page_size == 0 || got->page_size == want->page_size);
	assert_true(got->scope == HF_OOM_SCOPE_UNKNOWN || got->scope == want->scope);
	assert_true(got->tasks.count <= want->tasks.count);
	hf_vec_foreach (stat, &got->stats) {
		assert_int_equal(stat->value, hf_oom_stat(want, stat->name));
	}
}

static void kill_tells_nothing_wrong(const struct hf_oom_kill *got, const struct hf_oomlog *whole)
{
	const struct hf_oom_kill *want = NULL;
	hf_vec_foreach (kill, &whole->kills) {
		if (kill->pid == got->pid)
			want = kill;
	}
	assert_non_null(want);
	assert_string_equal(got->name, want->name);
	same_or_unknown(got->total_vm, want->total_vm);
	same_or_unknown(got->anon_rss, want->anon_rss);
	same_or_unknown(got->shmem_rss, want->shmem_rss);
	same_or_unknown(got->pgtables, want->pgtables);
	event_tells_nothing_wrong(got->event, want->event);
}

/* Samples with lines lost at random: what is still told must be true. */
static void test_lost_at_random(void **state)
{
	(void)state;
	random_state = 4711;
	for (size_t round = 0; round < LOSSES; round++) {
		char path[256];
		snprintf(path, sizeof(path), DATA "%s", samples[round % SAMPLES].file);
		struct text text = slurp(path);
		struct hf_oomlog *whole = parse_bytes(text.bytes, text.size);
		uint32_t rate = 1 + random_below(80);
		size_t used = 0, begin = 0;
		for (size_t i = 0; i < text.size; i++) {
			if (text.bytes[i] != '\n')
				continue;
			if (random_below(100) >= rate) {
				memmove(text.bytes + used, text.bytes + begin, i + 1 - begin);
				used += i + 1 - begin;
			}
			begin = i + 1;
		}
		struct hf_oomlog *log = parse_bytes(text.bytes, used);
		hf_vec_foreach (kill, &log->kills)
			kill_tells_nothing_wrong(kill, whole);
		hf_oomlog_destroy(log);
		hf_oomlog_destroy(whole);
		free(text.bytes);
	}
}

static void check_sane(const struct hf_oomlog *log)
{
	assert_true(log->kills.count <= HF_OOM_MAX_KILLS);
	hf_vec_foreach (kill, &log->kills) {
		assert_non_null(kill->event);
		assert_true(kill->by == HF_OOM_BY_OOMD || (kill->name && kill->pid));
		hf_oom_kill_task(kill);
		hf_oomlog_find(log, kill->pid, kill->name);
	}
	hf_vec_foreach (at, &log->events) {
		const struct hf_oom_event *event = *at;
		uint32_t size = event->page_size;
		assert_true(!size || (size >= 4096 && size <= 65536 && !(size & (size - 1))));
		assert_true(event->stats.count <= HF_OOM_MAX_STATS);
		hf_vec_foreach (task, &event->tasks) {
			assert_non_null(task->name);
			assert_true(strlen(task->name) < 128);
			hf_oom_bytes(event, task->rss_pages, 4096);
		}
	}
}

static void mutate_once(struct text *text, size_t capacity)
{
	static const char *const pieces[] = {"18446744073709551616",
					     "-1",
					     "99999999999999999999kB",
					     "(",
					     ")",
					     "[",
					     "]",
					     "\n",
					     " invoked oom-killer: gfp_mask=0x",
					     ",task_memcg=",
					     ": cache:",
					     "#012",
					     "kernel: ",
					     "[ pid ]",
					     "Killed process ",
					     "Kill process 1 (",
					     "oom-kill:constraint=",
					     "\xff\xfe",
					     "Tasks in /",
					     "[   99999.999999999999999999]",
					     "%s%n"};
	size_t at = random_below((uint32_t)text->size), length = 1 + random_below(200);
	if (text->size < 8)
		return;
	switch (random_below(6)) {
	case 0: /* a byte */
		text->bytes[at] = (char)random_below(256);
		break;
	case 1: /* a digit */
		while (at < text->size && (text->bytes[at] < '0' || text->bytes[at] > '9'))
			at++;
		if (at < text->size)
			text->bytes[at] = (char)('0' + random_below(10));
		break;
	case 2: /* cut out */
		length = length < text->size - at ? length : text->size - at;
		memmove(text->bytes + at, text->bytes + at + length, text->size - at - length);
		text->size -= length;
		break;
	case 3: { /* put in */
		const char *piece = pieces[random_below(sizeof(pieces) / sizeof(pieces[0]))];
		length = strlen(piece);
		if (text->size + length > capacity)
			break;
		memmove(text->bytes + at + length, text->bytes + at, text->size - at);
		memcpy(text->bytes + at, piece, length);
		text->size += length;
		break;
	}
	case 4: { /* copy from elsewhere */
		size_t from = random_below((uint32_t)text->size);
		size_t last = at > from ? at : from;
		length = length < text->size - last ? length : text->size - last;
		memmove(text->bytes + at, text->bytes + from, length);
		break;
	}
	case 5: /* a newline gone */
		while (at < text->size && text->bytes[at] != '\n')
			at++;
		if (at < text->size)
			text->bytes[at] = ' ';
		break;
	}
}

static void test_mutations(void **state)
{
	(void)state;
	random_state = 20221121;
	for (size_t round = 0; round < MUTATIONS; round++) {
		char path[256];
		snprintf(path, sizeof(path), DATA "%s", samples[round % SAMPLES].file);
		struct text text = slurp(path);
		for (uint32_t n = 1 + random_below(40); n; n--)
			mutate_once(&text, 1 << 20);
		/* in a block of its exact size, so that a sanitizer sees reads beyond */
		char *exact = malloc(text.size ? text.size : 1);
		assert_non_null(exact);
		memcpy(exact, text.bytes, text.size);
		struct hf_oomlog *log = parse_bytes(exact, text.size);
		check_sane(log);
		hf_oomlog_destroy(log);
		free(exact);
		free(text.bytes);
	}
}

/* Floods: the limits hold and what is over them is counted. */
static void test_limits(void **state)
{
	enum { FLOOD = 40000, LINE = 96 };
	(void)state;
	char *text = malloc((size_t)FLOOD * LINE + 100000);
	assert_non_null(text);
	size_t used = 0;
	for (size_t i = 0; i < FLOOD; i++)
		used += (size_t)sprintf(text + used,
					"Out of memory: Killed process %zu (x) "
					"total-vm:4kB\n",
					i + 1);
	struct hf_oomlog *log = parse_bytes(text, used);
	assert_int_equal(log->events.count, HF_OOM_MAX_EVENTS);
	assert_int_equal(log->dropped, FLOOD - HF_OOM_MAX_EVENTS);
	check_sane(log);
	hf_oomlog_destroy(log);

	/* one line longer than any buffer, then a good one */
	memset(text, 'a', 90000);
	used = 90000 + (size_t)sprintf(text + 90000, "\nOut of memory: " KILLED("5", "a"));
	log = parse_bytes(text, used);
	assert_int_equal(log->kills.count, 1);
	hf_oomlog_destroy(log);

	/* a group far larger than any real one */
	used = (size_t)sprintf(text, "[ pid ] uid tgid total_vm rss swapents oom_score_adj name\n"
				     "[ 1] 0 1 1 1 0 0 x\nMemory cgroup out of memory: "
				     "Killed process 1 (x) total-vm:4kB\nTasks in /x are going to "
				     "be killed due to memory.oom.group set\n");
	for (size_t i = 0; i < FLOOD; i++)
		used += (size_t)sprintf(text + used, "Memory cgroup out of memory: Killed process "
						     "1 (x) total-vm:4kB\n");
	log = parse_bytes(text, used);
	assert_true(log->kills.data[0].times_logged <= 4096);
	check_sane(log);
	hf_oomlog_destroy(log);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_samples),
	    cmocka_unit_test(test_prefixes),
	    cmocka_unit_test(test_multiline_stats),
	    cmocka_unit_test(test_kernel_3_10_memcg),
	    cmocka_unit_test(test_kernel_4_19_global),
	    cmocka_unit_test(test_kernel_oldest),
	    cmocka_unit_test(test_pgtables_unit),
	    cmocka_unit_test(test_daemons),
	    cmocka_unit_test(test_interleaved_hosts),
	    cmocka_unit_test(test_lost_lines),
	    cmocka_unit_test(test_joined_reports),
	    cmocka_unit_test(test_lost_table_header),
	    cmocka_unit_test(test_nasty_names),
	    cmocka_unit_test(test_find),
	    cmocka_unit_test(test_read),
	    cmocka_unit_test(test_journal),
	    cmocka_unit_test(test_lost_at_random),
	    cmocka_unit_test(test_mutations),
	    cmocka_unit_test(test_limits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
