/*
 * lines.c - the kernel's report, line by line, up to the kill itself (see kills.c).
 *
 * Each handler tests whether a message is of its kind, and only then opens or moves the
 * event (events.c). A figure that cannot be read whole is left unknown.
 */
#include "core/oomlog/private.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* "NAME invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), [nodemask=..,] order=0, .." */
static bool line_invoked(struct oom_parser *p, struct oom_context *c, const char *message)
{
	static const char phrase[] = " invoked oom-killer: ";
	const char *s = strstr(message, phrase), *end;
	if (!s || s - message > OOM_NAME_MAX)
		return false;
	oom_event_close(p, c);
	struct hf_oom_event *event = oom_event_enter(p, c, PHASE_HEADER);
	if (!event)
		return true;
	event->header_seen = true;
	event->invoker = oom_string(p, message, (size_t)(s - message), OOM_NAME_MAX);
	s += sizeof(phrase) - 1;
	if (oom_take(&s, "gfp_mask=0x") && isxdigit((unsigned char)s[0]) && s[1] != 'x') {
		char *after;
		unsigned long long mask = strtoull(s, &after, 16);
		if (after != s && after - s <= 16 && (*after == '(' || *after == ',')) {
			event->gfp_mask = mask;
			end = *after == '(' ? strchr(after, ')') : NULL;
			if (end)
				event->gfp_text =
				    oom_string(p, after + 1, (size_t)(end - after - 1), 512);
		}
	}
	const char *order = strstr(s, ", order=")    ? strstr(s, ", order=") + 8
			    : strstr(s, ",  order=") ? strstr(s, ",  order=") + 9
						     : NULL;
	if (order && oom_take_i32(&order, &event->order) && *order && *order != ',')
		event->order = HF_OOM_NO_INT;
	const char *adj = strstr(s, ", oom_score_adj=");
	if (adj && (adj += 16, oom_take_i32(&adj, &event->invoker_oom_score_adj)) && *adj &&
	    *adj != ' ')
		event->invoker_oom_score_adj = HF_OOM_NO_INT;
	return true;
}

/* "CPU: 0 [UID: 0 ]PID: 83 Comm: NAME Not tainted ..", "Pid: 83, comm: NAME ..": the invoker's pid.
 */
static bool line_cpu(struct oom_context *c, const char *message)
{
	const char *s = message;
	uint64_t number;
	uint32_t pid;
	if (oom_take(&s, "Pid: ")) {
		if (!oom_take_u32(&s, &pid) || !oom_take(&s, ", comm: "))
			return false;
	} else {
		if (!oom_take(&s, "CPU: ") || !oom_take_u64(&s, &number))
			return false;
		if (oom_take(&s, " UID: "))
			oom_take_u64(&s, &number);
		if (!oom_take(&s, " PID: ") || !oom_take_u32(&s, &pid) || !oom_take(&s, " Comm: "))
			return false;
	}
	struct hf_oom_event *event = c->event;
	if (event && c->phase == PHASE_HEADER && !event->invoker_pid && event->invoker &&
	    oom_take(&s, event->invoker) && *s == ' ')
		event->invoker_pid = pid;
	return true;
}

static void set_scope(struct hf_oom_event *event, enum hf_oom_scope scope)
{
	if (event->scope == HF_OOM_SCOPE_UNKNOWN)
		event->scope = scope;
}

/* "Task in /a/b killed as a result of limit of /a" (before 5.0) */
static bool line_task_in(struct oom_parser *p, struct oom_context *c, const char *message)
{
	static const char phrase[] = " killed as a result of limit of ";
	const char *s = message;
	if (!oom_take(&s, "Task in "))
		return false;
	const char *limit = strstr(s, phrase);
	if (!limit)
		return false;
	if (c->event && c->phase == PHASE_MEMCG)
		oom_event_close(p, c);
	struct hf_oom_event *event = oom_event_enter(p, c, PHASE_MEMCG);
	if (!event)
		return true;
	set_scope(event, HF_OOM_SCOPE_MEMCG);
	event->task_memcg = oom_string(p, s, (size_t)(limit - s), OOM_PATH_MAX);
	limit += sizeof(phrase) - 1;
	event->oom_memcg = oom_string(p, limit, strlen(limit), OOM_PATH_MAX);
	return true;
}

/* "memory: usage 49152kB, limit 49152kB, failcnt 21" */
static bool line_counter(struct oom_parser *p, struct oom_context *c, const char *message)
{
	/* the kernel's "unlimited" in bytes, whatever the page size; older ones overflow */
	const uint64_t unlimited_kb = 9007199254740991u - 1024;
	static const struct {
		const char *name;
		size_t offset;
	} counters[] = {
	    {"memory: usage ", offsetof(struct hf_oom_event, memory)},
	    {"memory+swap: usage ", offsetof(struct hf_oom_event, memsw)},
	    {"swap: usage ", offsetof(struct hf_oom_event, swap)},
	    {"kmem: usage ", offsetof(struct hf_oom_event, kmem)},
	};
	const char *s = message;
	size_t which = 0;
	while (which < 4 && !oom_take(&s, counters[which].name))
		which++;
	if (which == 4)
		return false;
	struct hf_oom_counter counter = {HF_OOM_UNKNOWN, HF_OOM_UNKNOWN, HF_OOM_UNKNOWN};
	uint64_t limit;
	if (!oom_take_size(&s, &counter.usage) || !oom_take(&s, ", limit ") ||
	    !oom_take_u64(&s, &limit) || !oom_take(&s, "kB"))
		return false;
	counter.limit = limit >= unlimited_kb ? HF_OOM_NO_LIMIT : limit * 1024;
	if (oom_take(&s, ", failcnt "))
		oom_take_u64(&s, &counter.failcnt);
	if (c->event && which == 0 && c->event->memory.usage != HF_OOM_UNKNOWN)
		oom_event_close(p, c);
	struct hf_oom_event *event = oom_event_enter(p, c, PHASE_COUNTERS);
	if (event) {
		set_scope(event, HF_OOM_SCOPE_MEMCG);
		memcpy((char *)event + counters[which].offset, &counter, sizeof(counter));
	}
	return true;
}

static void add_stat(struct oom_parser *p, struct hf_oom_event *event, const char *name,
		     size_t length, uint64_t value)
{
	hf_vec_foreach (known, &event->stats) {
		if (!strncmp(known->name, name, length) && !known->name[length])
			return;
	}
	if (event->stats.count >= HF_OOM_MAX_STATS) {
		p->log->dropped++;
		return;
	}
	struct hf_oom_stat stat = {oom_string(p, name, length, OOM_NAME_MAX), value};
	if (stat.name && !hf_vec_push(&event->stats, stat))
		p->nomem = true;
}

static size_t stat_name_length(const char *s)
{
	return strspn(s, "abcdefghijklmnopqrstuvwxyz_0123456789");
}

/* The old " cache:0KB rss:4KB ..": adds what can be read; true if anything could. */
static bool add_old_stats(struct oom_parser *p, struct hf_oom_event *event, const char *s)
{
	bool any = false;
	while (s += strspn(s, " "), *s) {
		size_t length = stat_name_length(s);
		const char *value = s + length + 1;
		uint64_t bytes;
		if (!length || length >= OOM_NAME_MAX || s[length] != ':' ||
		    !oom_take_size(&value, &bytes) || (*value && *value != ' '))
			break;
		add_stat(p, event, s, length, bytes);
		any = true;
		s = value;
	}
	return any;
}

/* "Memory cgroup stats for /x:", alone or followed by the old form's values */
static bool line_stats_header(struct oom_parser *p, struct oom_context *c, const char *message)
{
	const char *s = message;
	if (!oom_take(&s, "Memory cgroup stats for "))
		return false;
	const char *values = oom_find_last(s, ": "), *old = strstr(s, ": cache:");
	size_t length = strlen(s);
	if (old)
		values = old;
	else if (length && s[length - 1] == ':')
		values = s + length - 1;
	if (!values)
		return false;
	struct hf_oom_event *event = c->event;
	/* before 5.2, one line for each cgroup below: only the first is the event's own */
	if (event && c->phase == PHASE_STATS && event->stats_memcg)
		return c->stats_open = false, true;
	event = oom_event_enter(p, c, PHASE_STATS);
	if (!event)
		return true;
	set_scope(event, HF_OOM_SCOPE_MEMCG);
	event->stats_memcg = oom_string(p, s, (size_t)(values - s), OOM_PATH_MAX);
	add_old_stats(p, event, values + 1);
	return true;
}

/* One "key value" of memory.stat; false if it is something else. */
static bool take_stat(const char *s, size_t *length, uint64_t *value)
{
	s += strspn(s, " \t");
	*length = stat_name_length(s);
	if (!*length || *length >= OOM_NAME_MAX || s[*length] != ' ')
		return false;
	s += *length + 1;
	return oom_take_u64(&s, value) && s[strspn(s, " ")] == '\0';
}

/* Names sure enough to begin an event with, when the lines before are lost. */
static bool known_stat(const char *name, size_t length)
{
	static const char *const prefixes[] = {"anon",	      "file",	     "kernel",	  "slab",
					       "workingset_", "pg",	     "inactive_", "active_",
					       "thp_",	      "unevictable", "shmem"};
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		if (length >= strlen(prefixes[i]) &&
		    !strncmp(name, prefixes[i], strlen(prefixes[i])))
			return true;
	return false;
}

/* memory.stat's lines; rsyslog may have put them on one with "#012" between. */
static bool line_stat(struct oom_parser *p, struct oom_context *c, const char *message)
{
	char buffer[128];
	bool any = false;
	if (c->stats_open && c->event && add_old_stats(p, c->event, message))
		return true;
	for (const char *s = message, *next; s; s = next) {
		next = strstr(s, "#012");
		size_t length = next ? (size_t)(next - s) : strlen(s);
		next = next ? next + 4 : NULL;
		uint64_t value;
		if (length >= sizeof(buffer))
			continue;
		memcpy(buffer, s, length);
		buffer[length] = '\0';
		if (!take_stat(buffer, &length, &value))
			continue;
		const char *name = buffer + strspn(buffer, " \t");
		if (!c->stats_open) {
			if ((c->event && c->phase > PHASE_STATS && c->phase < PHASE_KILL) ||
			    !known_stat(name, length) || p->line.bare)
				return any;
			struct hf_oom_event *event = oom_event_enter(p, c, PHASE_STATS);
			if (!event)
				return true;
			set_scope(event, HF_OOM_SCOPE_MEMCG);
		}
		add_stat(p, c->event, name, length, value);
		oom_event_touch(p, c);
		any = true;
	}
	return any;
}

/* Figures of the whole host in a global report. */
static bool line_host(struct oom_context *c, const char *message)
{
	struct hf_oom_event *event = c->event;
	const char *s = message;
	uint64_t value;
	if (!event || c->phase != PHASE_HEADER)
		return false;
	if (oom_take(&s, "Free swap  = ") && oom_take_size(&s, &value))
		event->swap_free = value;
	else if ((s = message, oom_take(&s, "Total swap = ")) && oom_take_size(&s, &value))
		event->swap_total = value;
	else if ((s = message, oom_take_u64(&s, &value)) && !strcmp(s, " pages RAM"))
		event->ram_pages = value;
	else if ((s = message, oom_take(&s, "Node ")) && oom_take_u64(&s, &value) &&
		 (s = strstr(s, ": ")) && (s += 2, oom_take_u64(&s, &value)) && oom_take(&s, "*") &&
		 oom_take_u64(&s, &value) && oom_take(&s, "kB ") && strstr(s, "= ") &&
		 (value == 4 || value == 8 || value == 16 || value == 32 || value == 64))
		event->page_size = (uint32_t)value * 1024; /* the free list of order 0 */
	else
		return false;
	return true;
}

static enum oom_column column_of(const char *name, size_t length)
{
	static const struct {
		const char *name;
		enum oom_column column;
	} columns[] = {
	    {"uid", COL_UID},
	    {"tgid", COL_TGID},
	    {"total_vm", COL_TOTAL_VM},
	    {"rss", COL_RSS},
	    {"rss_anon", COL_RSS_ANON},
	    {"rss_file", COL_RSS_FILE},
	    {"rss_shmem", COL_RSS_SHMEM},
	    {"pgtables_bytes", COL_PGTABLES},
	    {"nr_ptes", COL_NR_PTES},
	    {"swapents", COL_SWAPENTS},
	    {"oom_score_adj", COL_OOM_SCORE_ADJ},
	};
	for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++)
		if (strlen(columns[i].name) == length && !memcmp(columns[i].name, name, length))
			return columns[i].column;
	return COL_IGNORED;
}

/* "[  pid  ]   uid  tgid total_vm ... name": the columns, as they stand */
static bool line_table_header(struct oom_parser *p, struct oom_context *c, const char *message)
{
	const char *s = message;
	if (!strcmp(message, "Tasks state (memory values in pages):")) {
		if (c->phase == PHASE_TABLE)
			oom_event_close(p, c);
		oom_event_enter(p, c, PHASE_TABLE);
		return true;
	}
	if (!oom_take(&s, "["))
		return false;
	s += strspn(s, " ");
	if (!oom_take(&s, "pid"))
		return false;
	s += strspn(s, " ");
	if (!oom_take(&s, "]"))
		return false;
	if (c->event && c->event->tasks_seen)
		oom_event_close(p, c);
	struct hf_oom_event *event = oom_event_enter(p, c, PHASE_TABLE);
	if (!event)
		return true;
	c->column_count = 0;
	while (s += strspn(s, " "), *s) {
		size_t length = strcspn(s, " ");
		if (length == 4 && !memcmp(s, "name", 4)) {
			event->tasks_seen = true; /* whole: the rows can be read by it */
			return true;
		}
		if (c->column_count == OOM_COLUMNS)
			break;
		c->columns[c->column_count++] = column_of(s, length);
		s += length;
	}
	c->column_count = 0;
	return true;
}

static bool set_column(struct hf_oom_task *task, enum oom_column column, int64_t value)
{
	uint64_t size = (uint64_t)value;
	if (value < 0 && column != COL_OOM_SCORE_ADJ && column != COL_IGNORED)
		return false;
	switch (column) {
	case COL_UID:
		task->uid = (uint32_t)size;
		return size <= UINT32_MAX;
	case COL_TGID:
		task->tgid = (uint32_t)size;
		return size <= UINT32_MAX;
	case COL_TOTAL_VM:
		task->total_vm_pages = size;
		break;
	case COL_RSS:
		task->rss_pages = size;
		break;
	case COL_RSS_ANON:
		task->rss_anon_pages = size;
		break;
	case COL_RSS_FILE:
		task->rss_file_pages = size;
		break;
	case COL_RSS_SHMEM:
		task->rss_shmem_pages = size;
		break;
	case COL_PGTABLES:
		task->pgtables_bytes = size;
		break;
	case COL_NR_PTES:
		task->pte_pages = size;
		break;
	case COL_SWAPENTS:
		task->swap_pages = size;
		break;
	case COL_OOM_SCORE_ADJ:
		task->oom_score_adj = (int32_t)value;
		return value >= -100000 && value <= 100000;
	case COL_IGNORED:
		break;
	}
	return true;
}

/* The rest of a row behind "[pid]", by the header's columns. */
static bool take_row(const struct oom_context *c, const char **at, struct hf_oom_task *task)
{
	const char *s = *at;
	for (unsigned i = 0; i < c->column_count; i++) {
		s += strspn(s, " ");
		bool negative = oom_take(&s, "-");
		uint64_t value;
		if (!oom_take_u64(&s, &value) || value > INT64_MAX || *s != ' ')
			return false;
		if (!set_column(task, c->columns[i], negative ? -(int64_t)value : (int64_t)value))
			return false;
	}
	*at = s + 1; /* one space; others belong to the name */
	return c->column_count > 0;
}

/* "[    153]     0   153    68488    66358   565248        0             0 hog" */
static bool line_row(struct oom_parser *p, struct oom_context *c, const char *message)
{
	const char *s = message;
	struct hf_oom_task task = {
	    .uid = HF_OOM_NO_ID,
	    .total_vm_pages = HF_OOM_UNKNOWN,
	    .rss_pages = HF_OOM_UNKNOWN,
	    .rss_anon_pages = HF_OOM_UNKNOWN,
	    .rss_file_pages = HF_OOM_UNKNOWN,
	    .rss_shmem_pages = HF_OOM_UNKNOWN,
	    .swap_pages = HF_OOM_UNKNOWN,
	    .pgtables_bytes = HF_OOM_UNKNOWN,
	    .pte_pages = HF_OOM_UNKNOWN,
	    .oom_score_adj = HF_OOM_NO_INT,
	};
	if (!oom_take(&s, "["))
		return false;
	s += strspn(s, " ");
	if (!oom_take_u32(&s, &task.pid) || !oom_take(&s, "]"))
		return false;
	oom_event_check_gap(p, c);
	struct hf_oom_event *event = c->event;
	if (!event || c->phase != PHASE_TABLE)
		return true; /* rows without their header: the columns are not known */
	oom_event_touch(p, c);
	if (c->lossy || !take_row(c, &s, &task)) {
		event->tasks_lost++;
	} else if (p->tasks >= HF_OOM_MAX_TASKS) {
		event->tasks_lost++;
		p->log->dropped++;
	} else {
		p->tasks++;
		task.name = oom_string(p, s, strlen(s), OOM_NAME_MAX);
		if (task.name && !hf_vec_push(&event->tasks, task))
			p->nomem = true;
	}
	return true;
}

/* ",KEY=VALUE" between @s and @end, VALUE up to @end; the last one. */
static const char *last_key(const char *s, const char *end, const char *key)
{
	const char *found = NULL;
	for (const char *at = strstr(s, key); at && at < end; at = strstr(at + 1, key))
		found = at;
	return found;
}

/* The summary taken apart; the pointers are into the line. */
struct summary {
	const char *constraint, *oom_memcg, *task_memcg, *task;
	size_t constraint_length, oom_memcg_length, task_memcg_length, task_length;
	enum hf_oom_scope scope;
	uint32_t pid, uid;
};

/*
 * "oom-kill:constraint=C,nodemask=..,cpuset=..,mems_allowed=..,oom_memcg=P|global_oom,
 * task_memcg=P,task=NAME,pid=N,uid=N". Paths and names may hold commas: read from both ends.
 */
static bool take_summary(const char *message, struct summary *ret)
{
	const char *s = message;
	*ret = (struct summary){.uid = HF_OOM_NO_ID};
	if (!oom_take(&s, "oom-kill:constraint="))
		return false;
	const char *end = s + strlen(s), *comma = strchr(s, ',');
	if (comma) {
		ret->constraint = s;
		ret->constraint_length = (size_t)(comma - s);
	}
	const char *uid = last_key(s, end, ",uid=");
	const char *pid = uid ? last_key(s, uid, ",pid=") : NULL;
	const char *task = pid ? last_key(s, pid, ",task=") : NULL;
	const char *memcg = task ? last_key(s, task, ",task_memcg=") : NULL;
	if (!memcg)
		return true; /* cut short: what is left cannot be told apart safely */
	const char *limit = strstr(s, ",oom_memcg=");
	const char *global = strstr(s, ",global_oom,");
	ret->task_memcg = memcg + 12;
	ret->task_memcg_length = (size_t)(task - ret->task_memcg);
	if (limit && limit < memcg && !(global && global < limit)) {
		ret->oom_memcg = limit + 11;
		ret->oom_memcg_length = (size_t)(memcg - ret->oom_memcg);
		ret->scope = HF_OOM_SCOPE_MEMCG;
	} else if (global && global < memcg) {
		ret->scope = HF_OOM_SCOPE_GLOBAL;
	}
	uint32_t id;
	const char *number = pid + 5;
	if (oom_take_u32(&number, &id) && number == uid) {
		ret->pid = id;
		ret->task = task + 6;
		ret->task_length = (size_t)(pid - ret->task);
	}
	number = uid + 5;
	if (oom_take_u32(&number, &id) && (!*number || *number == ' '))
		ret->uid = id;
	return true;
}

/* Can the summary be of this event, of which the lines before were read? */
static bool summary_fits(const struct oom_context *c, const struct summary *summary)
{
	const struct hf_oom_event *event = c->event;
	bool same = event->stats_memcg && summary->oom_memcg &&
		    strlen(event->stats_memcg) == summary->oom_memcg_length &&
		    !memcmp(event->stats_memcg, summary->oom_memcg, summary->oom_memcg_length);
	if (c->phase == PHASE_SUMMARY || (c->lossy && !same))
		return false;
	if (event->scope && summary->scope && event->scope != summary->scope)
		return false;
	if (event->stats_memcg && summary->oom_memcg && !same)
		return false;
	return c->lossy || !summary->pid || !event->tasks.count || event->tasks_lost ||
	       oom_event_task(event, summary->pid);
}

static bool line_summary(struct oom_parser *p, struct oom_context *c, const char *message)
{
	struct summary summary;
	if (!take_summary(message, &summary))
		return false;
	oom_event_check_gap(p, c);
	if (c->event && !summary_fits(c, &summary))
		oom_event_close(p, c);
	c->lossy = false;
	struct hf_oom_event *event = oom_event_enter(p, c, PHASE_SUMMARY);
	if (!event)
		return true;
	if (summary.constraint)
		event->constraint =
		    oom_string(p, summary.constraint, summary.constraint_length, OOM_NAME_MAX);
	if (summary.task_memcg)
		event->task_memcg =
		    oom_string(p, summary.task_memcg, summary.task_memcg_length, OOM_PATH_MAX);
	if (summary.oom_memcg)
		event->oom_memcg =
		    oom_string(p, summary.oom_memcg, summary.oom_memcg_length, OOM_PATH_MAX);
	if (summary.pid)
		event->chosen_name = oom_string(p, summary.task, summary.task_length, OOM_NAME_MAX);
	event->chosen_pid = summary.pid;
	event->chosen_uid = summary.uid;
	set_scope(event, summary.scope);
	return true;
}

bool oom_line_report(struct oom_parser *p, struct oom_context *c, const char *message)
{
	return line_invoked(p, c, message) || line_row(p, c, message) ||
	       line_table_header(p, c, message) || line_summary(p, c, message) ||
	       line_counter(p, c, message) || line_stats_header(p, c, message) ||
	       line_task_in(p, c, message) || line_cpu(c, message) || line_host(c, message) ||
	       line_stat(p, c, message);
}
