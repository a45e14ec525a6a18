/*
 * events.c - which event a line belongs to.
 *
 * The kernel prints one report at a time (under oom_lock), in a fixed order of phases.
 * Lines of others may stand between, and lines may be lost anywhere. So a line goes to
 * the open event of its host if that event stands at the same or an earlier phase and was
 * heard of within OOM_GAP_SECONDS; otherwise it begins another event. Where the log says
 * that messages were dropped, or the summary names another memory cgroup, only what can
 * be told to be of one report is joined. What cannot be seen is a loss without a mark,
 * from within one report to behind the head of another a few seconds later.
 *
 * Invariants: an event is closed once; closing derives what needs the whole event (page
 * size, the unit of pgtables) and adds the kill whose own line was lost.
 */
#include "core/oomlog/private.h"

#include <stdlib.h>
#include <string.h>

const char *oom_string(struct oom_parser *p, const char *text, size_t length, size_t max)
{
	size_t bytes = length < max ? length : max;
	const char *copy = hf_strpool_printf(p->log->strings, "%.*s", (int)bytes, text);
	if (!copy)
		p->nomem = true;
	return copy;
}

struct hf_oom_time oom_time(struct oom_parser *p)
{
	struct hf_oom_time time = {NULL, p->line.monotonic_usecs};
	if (p->line.wall_length)
		time.wall = oom_string(p, p->line.wall, p->line.wall_length, OOM_NAME_MAX);
	return time;
}

/* The context of a host; the one unused for longest is given up for a new host. */
struct oom_context *oom_context_get(struct oom_parser *p, const char *host, size_t length)
{
	struct oom_context *oldest = &p->contexts[0];
	if (length >= OOM_HOST_MAX)
		length = OOM_HOST_MAX - 1;
	for (size_t i = 0; i < OOM_HOSTS; i++) {
		struct oom_context *c = &p->contexts[i];
		if (c->used && !strncmp(c->host, host, length) && !c->host[length])
			return c->stamp = p->log->lines, c;
		if (oldest->used && (!c->used || c->stamp < oldest->stamp))
			oldest = c;
	}
	oom_event_close(p, oldest);
	*oldest = (struct oom_context){.used = true, .stamp = p->log->lines};
	memcpy(oldest->host, host, length);
	return oldest;
}

struct hf_oom_event *oom_event_new(struct oom_parser *p, struct oom_context *c)
{
	static const struct hf_oom_counter no_counter = {HF_OOM_UNKNOWN, HF_OOM_UNKNOWN,
							 HF_OOM_UNKNOWN};
	oom_event_close(p, c);
	if (p->log->events.count >= HF_OOM_MAX_EVENTS) {
		p->log->dropped++;
		return NULL;
	}
	struct hf_oom_event *event = malloc(sizeof(*event));
	if (!event || !hf_vec_push(&p->log->events, event)) {
		free(event);
		p->nomem = true;
		return NULL;
	}
	*event = (struct hf_oom_event){
	    .time = oom_time(p),
	    .gfp_mask = HF_OOM_UNKNOWN,
	    .order = HF_OOM_NO_INT,
	    .invoker_oom_score_adj = HF_OOM_NO_INT,
	    .memory = no_counter,
	    .memsw = no_counter,
	    .swap = no_counter,
	    .kmem = no_counter,
	    .ram_pages = HF_OOM_UNKNOWN,
	    .swap_free = HF_OOM_UNKNOWN,
	    .swap_total = HF_OOM_UNKNOWN,
	    .chosen_uid = HF_OOM_NO_ID,
	    .chosen_score = HF_OOM_UNKNOWN,
	};
	if (p->line.host_length)
		event->host = oom_string(p, p->line.host, p->line.host_length, OOM_HOST_MAX);
	c->event = event;
	c->last_usecs = HF_OOM_UNKNOWN;
	c->last_second = -1;
	oom_event_touch(p, c);
	return event;
}

void oom_event_touch(struct oom_parser *p, struct oom_context *c)
{
	int32_t second = oom_line_second(&p->line);
	if (p->line.monotonic_usecs != HF_OOM_UNKNOWN)
		c->last_usecs = p->line.monotonic_usecs;
	if (second >= 0)
		c->last_second = second;
}

/*
 * The log says that messages are missing here: "** 12 printk messages dropped **", or
 * journald's "Missed 12 kernel messages".
 */
bool oom_line_dropped(struct oom_parser *p, const char *message)
{
	const char *s = message;
	uint64_t number;
	bool dropped = (oom_take(&s, "** ") && oom_take_u64(&s, &number) &&
			oom_take(&s, " printk messages dropped")) ||
		       (oom_take(&s, "Missed ") && oom_take_u64(&s, &number) &&
			oom_take(&s, " kernel messages")) ||
		       oom_take(&s, "/dev/kmsg buffer overrun");
	if (!dropped)
		return false;
	struct oom_context *c =
	    oom_context_get(p, p->line.host_length ? p->line.host : "", p->line.host_length);
	c->stats_open = false;
	c->lossy = c->event != NULL;
	return true;
}

void oom_event_check_gap(struct oom_parser *p, struct oom_context *c)
{
	const uint64_t limit = (uint64_t)OOM_GAP_SECONDS * 1000000;
	uint64_t now = p->line.monotonic_usecs;
	bool far = false;
	if (!c->event)
		return;
	if (now != HF_OOM_UNKNOWN && c->last_usecs != HF_OOM_UNKNOWN) {
		far = now > c->last_usecs ? now - c->last_usecs > limit
					  : c->last_usecs - now > limit / 2; /* a reboot */
	} else {
		int32_t second = oom_line_second(&p->line);
		int32_t day = 24 * 3600;
		if (second >= 0 && c->last_second >= 0) {
			int32_t passed = (second - c->last_second + day) % day;
			far = passed > OOM_GAP_SECONDS && passed < day - OOM_GAP_SECONDS;
		}
	}
	if (far)
		oom_event_close(p, c);
}

struct hf_oom_event *oom_event_enter(struct oom_parser *p, struct oom_context *c,
				     enum oom_phase phase)
{
	oom_event_check_gap(p, c);
	if (c->lossy && phase < PHASE_SUMMARY)
		oom_event_close(p, c);
	if (!c->event || c->phase > phase)
		if (!oom_event_new(p, c))
			return NULL;
	c->phase = phase;
	c->stats_open = phase == PHASE_STATS;
	oom_event_touch(p, c);
	return c->event;
}

struct hf_oom_kill *oom_kill_new(struct oom_parser *p, const struct hf_oom_event *event)
{
	struct hf_oom_kill kill = {
	    .event = event,
	    .time = oom_time(p),
	    .scope = event->scope,
	    .uid = HF_OOM_NO_ID,
	    .total_vm = HF_OOM_UNKNOWN,
	    .anon_rss = HF_OOM_UNKNOWN,
	    .file_rss = HF_OOM_UNKNOWN,
	    .shmem_rss = HF_OOM_UNKNOWN,
	    .pgtables = HF_OOM_UNKNOWN,
	    .vm_rss = HF_OOM_UNKNOWN,
	    .oom_score_adj = HF_OOM_NO_INT,
	    .times_logged = 1,
	    .reaped_anon_rss = HF_OOM_UNKNOWN,
	    .reaped_file_rss = HF_OOM_UNKNOWN,
	    .reaped_shmem_rss = HF_OOM_UNKNOWN,
	};
	if (p->log->kills.count >= HF_OOM_MAX_KILLS) {
		p->log->dropped++;
		return NULL;
	}
	if (!hf_vec_push(&p->log->kills, kill)) {
		p->nomem = true;
		return NULL;
	}
	return &p->log->kills.data[p->log->kills.count - 1];
}

const struct hf_oom_task *oom_event_task(const struct hf_oom_event *event, uint32_t pid)
{
	const struct hf_oom_task *process = NULL;
	if (!pid)
		return NULL;
	hf_vec_foreach (task, &event->tasks) {
		if (task->pid == pid)
			return task;
		if (task->tgid == pid && !process)
			process = task; /* its leader is gone: a thread stands for it */
	}
	return process;
}

/*
 * The page size, from a victim told in kB by its kill line and in pages by the table.
 * Only an exact power of two counts: the process may have grown between the two.
 */
static void derive_page_size(struct hf_oom_event *event, const struct hf_oom_kill *kill)
{
	const struct hf_oom_task *task = event->page_size ? NULL : oom_event_task(event, kill->pid);
	if (!task || kill->total_vm == HF_OOM_UNKNOWN || task->total_vm_pages == HF_OOM_UNKNOWN ||
	    !task->total_vm_pages)
		return;
	uint64_t size = kill->total_vm / task->total_vm_pages;
	if (kill->total_vm % task->total_vm_pages == 0 && (size & (size - 1)) == 0 &&
	    size >= 4096 && size <= 65536)
		event->page_size = (uint32_t)size;
}

/*
 * Early 5.x kernels print pgtables in bytes and call them kB. kill->pgtables holds
 * figure * 1024 here. Page tables are whole pages, so a figure that is no multiple of
 * 4096 is kB; else the task's row decides; else more page tables than three times the
 * address space are not possible; else it stays unknown.
 */
static void derive_pgtables(const struct hf_oom_event *event, struct hf_oom_kill *kill)
{
	uint64_t figure = kill->pgtables / 1024;
	if (kill->pgtables == HF_OOM_UNKNOWN || figure == 0 || figure % 4096 != 0)
		return;
	const struct hf_oom_task *task = oom_event_task(event, kill->pid);
	if (task && task->pgtables_bytes == kill->pgtables)
		return;
	bool bytes = task && task->pgtables_bytes == figure;
	if (!bytes && kill->total_vm != HF_OOM_UNKNOWN && kill->total_vm < UINT64_MAX / 8)
		bytes = kill->pgtables > kill->total_vm * 3 + 65536;
	kill->pgtables = bytes ? figure : HF_OOM_UNKNOWN;
}

void oom_event_close(struct oom_parser *p, struct oom_context *c)
{
	struct hf_oom_event *event = c->event;
	if (!event)
		return;
	if (!c->has_kill && event->chosen_pid) {
		struct hf_oom_kill *kill = oom_kill_new(p, event);
		if (kill) {
			kill->time = event->time;
			kill->line_lost = true;
			kill->times_logged = 0;
			kill->pid = event->chosen_pid;
			kill->name = event->chosen_name;
			kill->uid = event->chosen_uid;
		}
	}
	if (c->has_kill)
		for (size_t i = c->first_kill; i < p->log->kills.count; i++) {
			struct hf_oom_kill *kill = &p->log->kills.data[i];
			if (kill->event != event)
				continue;
			derive_page_size(event, kill);
			derive_pgtables(event, kill);
		}
	c->event = NULL;
	c->phase = PHASE_NONE;
	c->has_kill = c->pair = c->stats_open = c->lossy = false;
	c->column_count = c->kill_lines = 0;
}
