/*
 * test_oomlog_lost.c - several reports in one log, and reports of which lines were lost.
 */
#include "tests/unit/oomlog_logs.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_interleaved_hosts), cmocka_unit_test(test_lost_lines),
	    cmocka_unit_test(test_joined_reports),    cmocka_unit_test(test_lost_table_header),
	    cmocka_unit_test(test_nasty_names),	      cmocka_unit_test(test_find),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
