/*
 * test_oomlog_samples.c - logs of real kernels, with their figures.
 */
#include "tests/unit/oomlog_logs.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_samples),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
