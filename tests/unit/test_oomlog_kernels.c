/*
 * test_oomlog_kernels.c - the wording of kernels from 2.6 on, and of user-space killers.
 */
#include "tests/unit/oomlog_logs.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_kernel_3_10_memcg), cmocka_unit_test(test_kernel_4_19_global),
	    cmocka_unit_test(test_kernel_oldest),     cmocka_unit_test(test_pgtables_unit),
	    cmocka_unit_test(test_daemons),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
