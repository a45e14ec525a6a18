/*
 * private.h - what the parts of the OOM log parser share.
 *
 *	oomlog.c   reading: bytes into lines; the finished log
 *	prefix.c   a line into its time, host and message
 *	events.c   which event a line belongs to; closing events
 *	lines.c    the kernel's messages, each into fields of an event
 *	kills.c    the lines that tell a kill
 *
 * Invariants:
 *   - a line reaches the parser zero-terminated, without inner zeros, at most
 *     OOM_LINE_MAX bytes long;
 *   - each host of a collected log has a context of its own, so that their reports may
 *     be interleaved;
 *   - an event only moves forward through the phases, in which the kernel prints it. A
 *     line of an earlier phase begins another event (whose head was lost).
 */
#ifndef HF_CORE_OOMLOG_PRIVATE_H
#define HF_CORE_OOMLOG_PRIVATE_H

#include "core/oomlog/oomlog.h"

enum {
	OOM_LINE_MAX = 16384,
	OOM_HOSTS = 32,
	OOM_HOST_MAX = 64,
	OOM_COLUMNS = 20,
	OOM_NAME_MAX = 64,
	OOM_PATH_MAX = 4096,
	OOM_GROUP_LINES = 4096, /* kill lines of one oom.group */
	OOM_REAPER_BACK = 1024, /* kills looked back to from an oom_reaper line */
	OOM_GAP_SECONDS = 10,	/* silence after which an unfinished event is over */
};

enum oom_phase {
	PHASE_NONE,
	PHASE_HEADER,	/* "invoked oom-killer" */
	PHASE_MEMCG,	/* "Task in .. killed as a result of limit of .." */
	PHASE_COUNTERS, /* "memory: usage" */
	PHASE_STATS,	/* "Memory cgroup stats for" */
	PHASE_TABLE,	/* "Tasks state", "[ pid ]", rows */
	PHASE_SUMMARY,	/* "oom-kill:constraint=", or the old "Kill process N" */
	PHASE_KILL,	/* "Killed process N" */
};

enum oom_tag {
	TAG_NONE, /* no syslog tag at all: dmesg, or a bare message */
	TAG_KERNEL,
	TAG_EARLYOOM,
	TAG_OOMD,
	TAG_OTHER,
};

/* A line taken apart; the pointers are into the line. */
struct oom_line {
	const char *message;
	const char *wall;
	size_t wall_length; /* 0: none */
	const char *host;
	size_t host_length;
	uint64_t monotonic_usecs;
	enum oom_tag tag;
	bool bare;     /* without any prefix */
	bool indented; /* and begins with white space: may continue the line before */
};

enum oom_column {
	COL_IGNORED,
	COL_UID,
	COL_TGID,
	COL_TOTAL_VM,
	COL_RSS,
	COL_RSS_ANON,
	COL_RSS_FILE,
	COL_RSS_SHMEM,
	COL_PGTABLES,
	COL_NR_PTES,
	COL_SWAPENTS,
	COL_OOM_SCORE_ADJ,
};

struct oom_context {
	char host[OOM_HOST_MAX];
	bool used;
	uint64_t stamp; /* line number of the last use */
	struct hf_oom_event *event;
	enum oom_phase phase;
	size_t first_kill;   /* index of the event's first kill, if it has any */
	bool has_kill, pair; /* pair: chosen by the old "Kill process N .. sacrifice child" */
	bool lossy;	     /* messages were dropped behind the last line read */
	bool stats_open;     /* memory.stat lines may follow */
	uint64_t last_usecs; /* of the last line that belonged to the event */
	int32_t last_second; /* of the day, -1 unknown */
	enum oom_column columns[OOM_COLUMNS];
	unsigned column_count;
	unsigned kill_lines; /* of the event; bounds the work of hostile groups */
};

struct oom_parser {
	struct hf_oomlog *log;
	struct oom_context contexts[OOM_HOSTS];
	struct oom_context *last; /* of the line before */
	struct oom_line line;	  /* the present one */
	uint64_t tasks;
	bool nomem;
};

/* prefix.c */
void oom_line_split(const char *text, struct oom_line *ret);
int32_t oom_line_second(const struct oom_line *line);

/* text helpers (prefix.c): each moves *at past what it took, or leaves it and is false */
bool oom_take(const char **at, const char *literal);
bool oom_take_u64(const char **at, uint64_t *ret);
bool oom_take_u32(const char **at, uint32_t *ret);
bool oom_take_i32(const char **at, int32_t *ret);
bool oom_take_size(const char **at, uint64_t *ret); /* "12kB" or "12KB" in bytes */
const char *oom_find_last(const char *text, const char *needle);
bool oom_field_size(const char *text, const char *key, uint64_t *ret);

/* events.c */
struct hf_oom_event *oom_event_new(struct oom_parser *p, struct oom_context *c);
void oom_event_close(struct oom_parser *p, struct oom_context *c);
/* The event that a line of @phase belongs to: the open one or a new one. */
struct hf_oom_event *oom_event_enter(struct oom_parser *p, struct oom_context *c,
				     enum oom_phase phase);
/* Close the open event if the present line is far from its last one. */
void oom_event_check_gap(struct oom_parser *p, struct oom_context *c);
bool oom_line_dropped(struct oom_parser *p, const char *message);
void oom_event_touch(struct oom_parser *p, struct oom_context *c);
struct hf_oom_kill *oom_kill_new(struct oom_parser *p, const struct hf_oom_event *event);
const struct hf_oom_task *oom_event_task(const struct hf_oom_event *event, uint32_t pid);
struct oom_context *oom_context_get(struct oom_parser *p, const char *host, size_t length);
const char *oom_string(struct oom_parser *p, const char *text, size_t length, size_t max);
struct hf_oom_time oom_time(struct oom_parser *p);

/* lines.c, kills.c: true when the message is one of theirs */
bool oom_line_report(struct oom_parser *p, struct oom_context *c, const char *message);
bool oom_line_kill(struct oom_parser *p, struct oom_context *c, const char *message);
void oom_line_daemon(struct oom_parser *p, struct oom_context *c, const char *message);

/* oomlog.c */
void oom_parser_line(struct oom_parser *p, const char *text);

#endif
