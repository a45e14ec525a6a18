/*
 * test_oomlog_damage.c - logs with lines lost at random, of which nothing wrong may be told; and
 * hostile ones, which only must not harm. All random choices come from a fixed seed.
 */
#include <glob.h>

#include "tests/unit/oomlog_logs.h"

enum { MUTATIONS = 2000, LOSSES = 2000 };

static glob_t find_logs(void)
{
	glob_t logs;

	assert_int_equal(glob(DATA "oom-kernel-*.log", 0, NULL, &logs), 0);
	return logs;
}

static uint32_t random_state;

static uint32_t random_below(uint32_t limit)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 17;
	random_state ^= random_state << 5;
	return limit ? random_state % limit : 0;
}

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
	glob_t logs = find_logs();

	(void)state;
	random_state = 4711;
	for (size_t round = 0; round < LOSSES; round++) {
		struct text text = slurp(logs.gl_pathv[round % logs.gl_pathc]);
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
	globfree(&logs);
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
	glob_t logs = find_logs();

	(void)state;
	random_state = 20221121;
	for (size_t round = 0; round < MUTATIONS; round++) {
		struct text text = slurp(logs.gl_pathv[round % logs.gl_pathc]);
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
	globfree(&logs);
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
	    cmocka_unit_test(test_lost_at_random),
	    cmocka_unit_test(test_mutations),
	    cmocka_unit_test(test_limits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
