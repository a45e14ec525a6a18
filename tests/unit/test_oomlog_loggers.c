/*
 * test_oomlog_loggers.c - the same report as each logger tells it: prefixes, folded lines, files
 * and pipes.
 */
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/oomlog_logs.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_prefixes),
	    cmocka_unit_test(test_multiline_stats),
	    cmocka_unit_test(test_read),
	    cmocka_unit_test(test_journal),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
