/*
 * oomlog.h - the kernel's log of out-of-memory kills, read into figures.
 *
 * One report of the kernel is an event (who asked, which limit, who was there); each
 * process it killed is a kill that points to its event. A memory cgroup with
 * memory.oom.group gives several kills in one event.
 *
 * Contract:
 *   - What the log does not say is marked unknown: NULL, HF_OOM_UNKNOWN, HF_OOM_NO_INT,
 *     HF_OOM_NO_ID, pid 0. Nothing is guessed: a kill line whose report is not surely
 *     this one (lines lost, header rate-limited) gets an event of its own without figures.
 *   - Sizes are bytes, but for the task table's, which the kernel gives in pages and
 *     which are named so; hf_oom_bytes() turns them.
 *   - Names and paths are as in the log: untrusted, to be escaped when printed. Pids are
 *     the host's (outermost pid namespace).
 *   - Memory is bounded whatever the log holds: see the limits below; what is over them
 *     is counted in `dropped`.
 */
#ifndef HF_CORE_OOMLOG_OOMLOG_H
#define HF_CORE_OOMLOG_OOMLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/base/strpool.h"
#include "core/base/vec.h"

#define HF_OOM_UNKNOWN	UINT64_MAX	 /* a size or a count that the log does not tell */
#define HF_OOM_NO_LIMIT (UINT64_MAX - 1) /* a limit that is not set */
#define HF_OOM_NO_INT	INT32_MIN	 /* an unknown order, oom_score_adj */
#define HF_OOM_NO_ID	UINT32_MAX	 /* an unknown uid */

enum {
	HF_OOM_MAX_EVENTS = 8192,
	HF_OOM_MAX_KILLS = 32768,
	HF_OOM_MAX_TASKS = 262144, /* task rows of all events together */
	HF_OOM_MAX_STATS = 160,	   /* of one event */
};

enum hf_oom_scope {
	HF_OOM_SCOPE_UNKNOWN,
	HF_OOM_SCOPE_GLOBAL, /* the host (or a cpuset, a memory policy) was out of memory */
	HF_OOM_SCOPE_MEMCG,  /* a memory cgroup reached its limit */
};

enum hf_oom_killer {
	HF_OOM_BY_KERNEL,
	HF_OOM_BY_EARLYOOM,
	HF_OOM_BY_OOMD, /* systemd-oomd: kills a cgroup, tells no pid */
};

struct hf_oom_time {
	const char *wall;	  /* as in the log, or NULL */
	uint64_t monotonic_usecs; /* since boot, or HF_OOM_UNKNOWN */
};

struct hf_oom_counter {
	uint64_t usage, limit, failcnt; /* limit may be HF_OOM_NO_LIMIT */
};

/* One of memory.stat; sizes are in bytes, others (pgfault, ...) are counts. */
struct hf_oom_stat {
	const char *name;
	uint64_t value;
};

struct hf_oom_task {
	uint32_t pid, tgid;
	uint32_t uid;
	const char *name;
	uint64_t total_vm_pages, rss_pages;
	uint64_t rss_anon_pages, rss_file_pages, rss_shmem_pages; /* since 6.8 */
	uint64_t swap_pages;
	uint64_t pgtables_bytes; /* since 4.15 */
	uint64_t pte_pages;	 /* before: page-table pages of the lowest level */
	int32_t oom_score_adj;
};

HF_VEC(hf_oom_stats, struct hf_oom_stat);
HF_VEC(hf_oom_tasks, struct hf_oom_task);

struct hf_oom_event {
	struct hf_oom_time time; /* of the first line seen of it */
	const char *host;	 /* from the prefix, or NULL */

	bool header_seen; /* the "invoked oom-killer" line is there; false: rate-limited or lost */
	const char *invoker;
	uint32_t invoker_pid;
	uint64_t gfp_mask;
	const char *gfp_text; /* "GFP_KERNEL|..." */
	int32_t order;	      /* -1: asked for by SysRq */
	int32_t invoker_oom_score_adj;

	enum hf_oom_scope scope;
	const char *constraint; /* "CONSTRAINT_MEMCG", ...; before June 2019 wrong for memcgs */
	const char *oom_memcg;	/* whose limit was reached */
	const char *task_memcg; /* where the victim was */

	struct hf_oom_counter memory;
	struct hf_oom_counter memsw; /* v1: memory+swap */
	struct hf_oom_counter swap;  /* v2 */
	struct hf_oom_counter kmem;  /* v1 */
	const char *stats_memcg;
	struct hf_oom_stats stats;

	uint64_t ram_pages, swap_free, swap_total; /* of the host, in global events */
	uint32_t page_size;			   /* 0: the log does not tell */

	bool tasks_seen; /* the table's header is there */
	struct hf_oom_tasks tasks;
	uint64_t tasks_lost; /* rows that could not be read */

	uint32_t chosen_pid; /* by the summary, or "Kill process N" */
	const char *chosen_name;
	uint32_t chosen_uid;
	uint64_t chosen_score; /* before 5.1 */

	bool group; /* memory.oom.group: all of group_memcg were to be killed */
	const char *group_memcg;
	bool no_victim; /* "no killable processes" */
};

struct hf_oom_kill {
	const struct hf_oom_event *event; /* never NULL; may know nothing */
	struct hf_oom_time time;
	enum hf_oom_killer by;
	/*
	 * The kernel chose this process, but the line that tells the kill is not in the
	 * log. (Before 5.1 a child may have been killed in its place.)
	 */
	bool line_lost;
	enum hf_oom_scope scope;
	uint32_t pid;
	const char *name; /* NULL for systemd-oomd */
	uint32_t uid;
	uint64_t total_vm, anon_rss, file_rss, shmem_rss;
	uint64_t pgtables;
	uint64_t vm_rss; /* earlyoom's figure, to the MiB */
	int32_t oom_score_adj;
	unsigned times_logged; /* with oom.group the same kill can be told twice */

	bool reaped; /* "oom_reaper: reaped process" followed; what was left then: */
	uint64_t reaped_anon_rss, reaped_file_rss, reaped_shmem_rss;

	const char *reason; /* systemd-oomd's words, or NULL */
};

HF_VEC(hf_oom_events, struct hf_oom_event *);
HF_VEC(hf_oom_kills, struct hf_oom_kill);

struct hf_oomlog {
	struct hf_oom_events events; /* in the order of the log */
	struct hf_oom_kills kills;   /* the same */
	uint64_t lines;		     /* read in all */
	uint64_t dropped;	     /* events, kills, rows, stats over the limits */
	struct hf_strpool *strings;
};

/*
 * Read a log: a file, "-" (standard input), or "journal" (journalctl -k of this boot;
 * HF_ERR_UNSUPPORTED where there is none). A log without kills is no error.
 */
struct hf_error *hf_oomlog_read(const char *path, struct hf_oomlog **ret);

/* The same from memory; @text needs no terminating zero. */
struct hf_error *hf_oomlog_parse(const char *text, size_t size, struct hf_oomlog **ret);

void hf_oomlog_destroy(struct hf_oomlog *log);

enum hf_oom_match {
	HF_OOM_MATCH_NONE,
	HF_OOM_MATCH_NAME,	   /* the name only: the pid is another one, or was not given */
	HF_OOM_MATCH_PID,	   /* the pid; no name was given */
	HF_OOM_MATCH_PID_AND_NAME, /* sure, within one boot */
};

struct hf_oom_found {
	const struct hf_oom_kill *kill; /* NULL: HF_OOM_MATCH_NONE */
	enum hf_oom_match match;
	size_t candidates; /* kills that match as well as this one; the latest was taken */
};

/*
 * The kill of process @pid (0: not known) called @name (NULL: not known). Names are
 * compared as the kernel keeps them, cut to 15 bytes.
 */
struct hf_oom_found hf_oomlog_find(const struct hf_oomlog *log, uint32_t pid, const char *name);

/* The victim's row in the task table of its event, or NULL. */
const struct hf_oom_task *hf_oom_kill_task(const struct hf_oom_kill *kill);

/* A figure of memory.stat, or HF_OOM_UNKNOWN. */
uint64_t hf_oom_stat(const struct hf_oom_event *event, const char *name);

/*
 * @pages in bytes; HF_OOM_UNKNOWN if the count is, or if the log does not tell the page
 * size and @fallback_page_size (from a core, say) is 0.
 */
uint64_t hf_oom_bytes(const struct hf_oom_event *event, uint64_t pages,
		      uint32_t fallback_page_size);

const char *hf_oom_scope_name(enum hf_oom_scope scope);

#endif
