/*
 * kills.c - the lines that tell a kill, by the kernel and by daemons.
 *
 * A kill is tied to the open event only if something vouches for it: the summary's pid,
 * the old "Kill process" line just before, or the victim's row in the task table.
 * Otherwise lines were lost, and the kill gets an event of its own that knows nothing.
 */
#include "core/oomlog/private.h"

#include <string.h>

/* "Out of memory", "Memory cgroup out of memory", with ": " behind. */
static bool take_scope(const char **at, enum hf_oom_scope *ret)
{
	if (oom_take(at, "Memory cgroup out of memory: ")) {
		*ret = HF_OOM_SCOPE_MEMCG;
		return true;
	}
	if (oom_take(at, "Out of memory: ") || oom_take(at, "Out of Memory: ") ||
	    oom_take(at, "Out of memory (oom_kill_allocating_task): ")) {
		*ret = HF_OOM_SCOPE_GLOBAL;
		return true;
	}
	return false;
}

/* The old "Kill process N (NAME) score S or sacrifice child". */
static bool line_chosen(struct oom_parser *p, struct oom_context *c, const char *message)
{
	const char *s = message;
	enum hf_oom_scope scope;
	uint32_t pid;
	uint64_t score;
	if (!take_scope(&s, &scope) || !oom_take(&s, "Kill process ") || !oom_take_u32(&s, &pid) ||
	    !oom_take(&s, " ("))
		return false;
	const char *end = oom_find_last(s, ") score ");
	if (!end)
		return false;
	struct hf_oom_event *event = c->event;
	bool vouched = event && c->phase < PHASE_SUMMARY && oom_event_task(event, pid) &&
		       (event->scope == HF_OOM_SCOPE_UNKNOWN || event->scope == scope);
	if (event && c->phase < PHASE_SUMMARY && !event->tasks_seen) /* oom_dump_tasks=0 */
		vouched = event->scope == scope ||
			  (scope == HF_OOM_SCOPE_GLOBAL && event->scope == HF_OOM_SCOPE_UNKNOWN &&
			   event->ram_pages != HF_OOM_UNKNOWN);
	if (!vouched)
		oom_event_close(p, c);
	event = oom_event_enter(p, c, PHASE_SUMMARY);
	if (!event)
		return true;
	event->scope = scope;
	event->chosen_pid = pid;
	event->chosen_name = oom_string(p, s, (size_t)(end - s), OOM_NAME_MAX);
	end += 8;
	if (oom_take_u64(&end, &score))
		event->chosen_score = score;
	c->pair = true;
	return true;
}

/* A kill line taken apart. */
struct told {
	enum hf_oom_scope scope;
	uint32_t pid;
	const char *name, *figures;
	size_t name_length;
};

/*
 * "[SCOPE: ]Killed process N (NAME)[, UID U,] total-vm:..", "N, UID U, (NAME) total-vm:.."
 * or, oldest, "N (NAME)." A name may hold anything: its end is the last that fits.
 */
static bool take_killed(const char *message, struct told *told)
{
	static const char *const ends[] = {") total-vm:", "), UID ", ")."};
	const char *s = message, *end = NULL;
	uint32_t uid;
	*told = (struct told){.scope = HF_OOM_SCOPE_UNKNOWN};
	take_scope(&s, &told->scope);
	if (!oom_take(&s, "Killed process ") || !oom_take_u32(&s, &told->pid) || !told->pid)
		return false;
	told->figures = s;
	if (oom_take(&s, ", UID ") && (!oom_take_u32(&s, &uid) || !oom_take(&s, ",")))
		return false;
	if (!oom_take(&s, " ("))
		return false;
	for (size_t i = 0; !end && i < 3; i++)
		end = oom_find_last(s, ends[i]);
	if (!end && *s && s[strlen(s) - 1] == ')')
		end = s + strlen(s) - 1;
	if (!end)
		return false;
	told->name = s;
	told->name_length = (size_t)(end - s);
	if (told->figures[0] != ',')
		told->figures = end + 1;
	return true;
}

/* Does anything say that this kill is of the open event? */
static bool vouched(const struct oom_parser *p, const struct oom_context *c,
		    const struct told *told)
{
	const struct hf_oom_event *event = c->event;
	if (!event || (told->scope && event->scope && told->scope != event->scope))
		return false;
	if (c->kill_lines >= OOM_GROUP_LINES)
		return false;
	bool row = oom_event_task(event, told->pid) != NULL;
	if (c->phase == PHASE_KILL) {
		if (!event->group || !c->has_kill)
			return false;
		for (size_t i = c->first_kill; i < p->log->kills.count; i++)
			if (p->log->kills.data[i].event == event &&
			    p->log->kills.data[i].pid == told->pid)
				return true;
		return row;
	}
	if (c->phase == PHASE_SUMMARY && event->chosen_pid)
		return event->chosen_pid == told->pid ||
		       (c->pair && (row || !event->tasks_seen)); /* a child of the chosen */
	return row;
}

static void read_figures(struct hf_oom_kill *kill, const char *s)
{
	const char *uid = strstr(s, "UID:"), *adj = strstr(s, "oom_score_adj:");
	oom_field_size(s, "total-vm:", &kill->total_vm);
	oom_field_size(s, "anon-rss:", &kill->anon_rss);
	oom_field_size(s, "file-rss:", &kill->file_rss);
	oom_field_size(s, "shmem-rss:", &kill->shmem_rss);
	oom_field_size(s, "pgtables:", &kill->pgtables);
	if (uid || (uid = strstr(s, "UID "))) {
		uid += 4;
		uint32_t id;
		if (oom_take_u32(&uid, &id) && (*uid == ' ' || *uid == ','))
			kill->uid = id;
	}
	int32_t value;
	if (adj && (adj += 14, oom_take_i32(&adj, &value)) && (!*adj || *adj == ' '))
		kill->oom_score_adj = value;
}

static struct hf_oom_kill *told_before(struct oom_parser *p, const struct hf_oom_event *event,
				       size_t first, uint32_t pid)
{
	for (size_t i = first; i < p->log->kills.count; i++)
		if (p->log->kills.data[i].event == event && p->log->kills.data[i].pid == pid)
			return &p->log->kills.data[i];
	return NULL;
}

static bool line_killed(struct oom_parser *p, struct oom_context *c, const char *message)
{
	struct told told;
	if (!take_killed(message, &told))
		return false;
	oom_event_check_gap(p, c);
	if (!vouched(p, c, &told))
		oom_event_close(p, c);
	struct hf_oom_event *event = oom_event_enter(p, c, PHASE_KILL);
	if (!event)
		return true;
	c->kill_lines++;
	if (told.scope)
		event->scope = told.scope;
	struct hf_oom_kill *kill =
	    c->has_kill ? told_before(p, event, c->first_kill, told.pid) : NULL;
	if (kill) {
		kill->times_logged++;
		return true;
	}
	kill = oom_kill_new(p, event);
	if (!kill)
		return true;
	if (!c->has_kill)
		c->first_kill = p->log->kills.count - 1;
	c->has_kill = true;
	kill->pid = told.pid;
	kill->name = oom_string(p, told.name, told.name_length, OOM_NAME_MAX);
	read_figures(kill, told.figures);
	if (kill->uid == HF_OOM_NO_ID && event->chosen_pid == kill->pid)
		kill->uid = event->chosen_uid;
	return true;
}

/* "Tasks in /x are going to be killed due to memory.oom.group set" */
static bool line_group(struct oom_parser *p, struct oom_context *c, const char *message)
{
	const char *s = message;
	if (!oom_take(&s, "Tasks in "))
		return false;
	const char *end = oom_find_last(s, " are going to be killed due to memory.oom.group set");
	if (!end)
		return false;
	oom_event_check_gap(p, c);
	struct hf_oom_event *event = c->event;
	if (!event || c->phase != PHASE_KILL || event->group ||
	    event->scope != HF_OOM_SCOPE_MEMCG) {
		oom_event_close(p, c);
		event = oom_event_enter(p, c, PHASE_KILL);
		if (!event)
			return true;
		event->scope = HF_OOM_SCOPE_MEMCG;
	}
	oom_event_touch(p, c);
	event->group = true;
	event->group_memcg = oom_string(p, s, (size_t)(end - s), OOM_PATH_MAX);
	return true;
}

/* "oom_reaper: reaped process N (NAME), now anon-rss:0kB, file-rss:0kB, shmem-rss:0kB" */
static bool line_reaper(struct oom_parser *p, const char *message)
{
	const char *s = message;
	uint32_t pid;
	if (!oom_take(&s, "oom_reaper: reaped process ") || !oom_take_u32(&s, &pid) ||
	    !oom_take(&s, " ("))
		return false;
	const char *end = oom_find_last(s, "), now anon-rss:");
	size_t last = p->log->kills.count,
	       stop = last > OOM_REAPER_BACK ? last - OOM_REAPER_BACK : 0;
	for (size_t i = last; end && i-- > stop;) {
		struct hf_oom_kill *kill = &p->log->kills.data[i];
		const char *host = kill->event->host;
		size_t length = (size_t)(end - s);
		bool here = host ? strlen(host) == p->line.host_length &&
				       !memcmp(host, p->line.host, p->line.host_length)
				 : !p->line.host_length;
		if (kill->pid != pid || kill->reaped || !here || kill->by != HF_OOM_BY_KERNEL)
			continue;
		if (!kill->name || strncmp(kill->name, s, length) != 0 || kill->name[length])
			break;
		kill->reaped = true;
		oom_field_size(end, "anon-rss:", &kill->reaped_anon_rss);
		oom_field_size(end, "file-rss:", &kill->reaped_file_rss);
		oom_field_size(end, "shmem-rss:", &kill->reaped_shmem_rss);
		break;
	}
	return true;
}

static bool line_no_victim(struct oom_parser *p, struct oom_context *c, const char *message)
{
	const char *s = message;
	if (!oom_take(&s, "Out of memory and no killable processes") &&
	    !oom_take(&s, "Memory cgroup out of memory and no killable processes") &&
	    !oom_take(&s, "System is deadlocked on memory"))
		return false;
	oom_event_check_gap(p, c);
	if (c->event && c->phase < PHASE_SUMMARY)
		c->event->no_victim = true;
	return true;
}

bool oom_line_kill(struct oom_parser *p, struct oom_context *c, const char *message)
{
	return line_killed(p, c, message) || line_chosen(p, c, message) ||
	       line_group(p, c, message) || line_reaper(p, message) ||
	       line_no_victim(p, c, message);
}

/* An event of its own for a daemon's kill, beside whatever the kernel is telling. */
static struct hf_oom_kill *daemon_kill(struct oom_parser *p, enum hf_oom_killer by)
{
	struct oom_context own = {.used = true};
	struct hf_oom_event *event = oom_event_new(p, &own);
	struct hf_oom_kill *kill = event ? oom_kill_new(p, event) : NULL;
	if (kill)
		kill->by = by;
	return kill;
}

/* earlyoom: "sending SIGTERM to process N [uid U ]"NAME": oom_score S, .. VmRSS 23 MiB" */
static void line_earlyoom(struct oom_parser *p, const char *message)
{
	const char *s = message;
	uint32_t pid, uid = HF_OOM_NO_ID;
	uint64_t mib;
	if ((!oom_take(&s, "sending SIGTERM to process ") &&
	     !oom_take(&s, "sending SIGKILL to process ")) ||
	    !oom_take_u32(&s, &pid) || !pid)
		return;
	if (oom_take(&s, " uid ") && !oom_take_u32(&s, &uid))
		return;
	const char *end = strstr(s, "\": oom_score "), *rss;
	if (!end)
		end = strstr(s, "\": badness ");
	if (!oom_take(&s, " \"") || !end || end < s)
		return;
	struct hf_oom_kill *kill = daemon_kill(p, HF_OOM_BY_EARLYOOM);
	if (!kill)
		return;
	kill->pid = pid;
	kill->uid = uid;
	kill->name = oom_string(p, s, (size_t)(end - s), OOM_NAME_MAX);
	rss = strstr(end, ", VmRSS ");
	if (rss && (rss += 8, oom_take_u64(&rss, &mib)) && oom_take(&rss, " MiB") &&
	    mib < UINT64_MAX >> 21)
		kill->vm_rss = mib << 20;
}

/* systemd-oomd: "Killed /a.slice/b.scope due to memory pressure for .. being .." */
static void line_oomd(struct oom_parser *p, const char *message)
{
	const char *s = message, *due;
	if (!oom_take(&s, "Killed ") || *s != '/' || !(due = strstr(s, " due to ")))
		return;
	struct hf_oom_kill *kill = daemon_kill(p, HF_OOM_BY_OOMD);
	if (!kill)
		return;
	struct hf_oom_event *event = p->log->events.data[p->log->events.count - 1];
	event->task_memcg = oom_string(p, s, (size_t)(due - s), OOM_PATH_MAX);
	kill->reason = oom_string(p, due + 8, strlen(due + 8), OOM_PATH_MAX);
}

void oom_line_daemon(struct oom_parser *p, struct oom_context *c, const char *message)
{
	(void)c;
	if (p->line.tag == TAG_EARLYOOM || p->line.bare)
		line_earlyoom(p, message);
	if (p->line.tag == TAG_OOMD)
		line_oomd(p, message);
}
