/*
 * private.h - what the files of core/capture/ share.
 *
 * A capture is a plan and its execution:
 *	threads	stopped, their registers taken			threads.c
 *	areas	the target's mappings				maps.c
 *	runs	what becomes of each page: data, zero, missing	pages.c
 *	notes	everything but memory				notes.c, sidecar.c
 *	layout	where each run lies in the file			corewrite.c
 *	reading	target -> buffers, gathered			reader.c
 *	sink	buffers -> file, in a thread of its own		sink.c
 *	head	ELF header, program headers, notes: last	corewrite.c
 */
#ifndef HF_CORE_CAPTURE_PRIVATE_H
#define HF_CORE_CAPTURE_PRIVATE_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/vec.h"
#include "core/capture/cgroup.h"
#include "core/capture/snapshot.h"

/* ---- small things (procfs.c) ------------------------------------------------------------ */

/* Whole content of a file, NUL-terminated, malloc'd; NULL with errno. */
char *capture_slurp(const char *path, size_t *ret_size);
/* The same of /proc/PID/NAME. */
char *capture_slurp_proc(pid_t pid, const char *name, size_t *ret_size);
/* Value of "KEY:   N kB" (or "KEY N") in a file of such lines, in the file's unit. */
bool capture_field(const char *text, const char *key, uint64_t *ret);
/* State letter of /proc/PID/stat; 0 if there is no such process. */
char capture_state(pid_t pid);

HF_VEC(capture_bytes, uint8_t);
bool capture_append(struct capture_bytes *bytes, const void *data, size_t size);

/* ---- threads (threads.c) ------------------------------------------------------------------ */

struct capture_regset {
	uint32_t type; /* note type; NT_PRSTATUS holds the general registers */
	uint32_t size;
	void *data;
};

enum { CAPTURE_REGSETS = 6 };

struct capture_thread {
	pid_t tid;
	bool stopped; /* in a ptrace stop that we have seen */
	bool held;    /* was traced before us by this very thread: not ours to detach */
	bool exiting; /* stopped at PTRACE_EVENT_EXIT */
	bool paused;  /* by SIGSTOP or the like: the whole process was stopped before us */
	bool ended;
	int signal; /* it stopped for: handed on when it goes on */
	bool has_siginfo;
	siginfo_t siginfo;
	char name[17];
	struct capture_regset regsets[CAPTURE_REGSETS];
	uint32_t regset_count;
};

struct capture_threads {
	pid_t pid;
	pid_t held;	   /* thread that the caller traces already; 0: none */
	bool held_at_exit; /* after going on: it stands at its exit, and that stop was seen */
	HF_VEC(, struct capture_thread) list;
};

/* Seize and stop all threads of threads->pid; those that do not stop in time stay unstopped. */
struct hf_error *capture_threads_stop(struct capture_threads *threads, double timeout);
/* Only the held leader, which stands at its exit. */
struct hf_error *capture_threads_exiting(struct capture_threads *threads);
struct hf_error *capture_threads_registers(struct capture_threads *threads);
/* How many it has now, by the kernel. */
uint32_t capture_count_threads(pid_t pid);
/* 0 if it has none. */
uint64_t capture_stack_pointer(const struct capture_thread *thread);
/* Let all go on; true if SIGKILL has struck meanwhile. A held thread at its exit stays there. */
bool capture_threads_resume(struct capture_threads *threads);
void capture_threads_deinit(struct capture_threads *threads);

/* ---- mappings (maps.c) ---------------------------------------------------------------------- */

enum capture_area_kind {
	CAPTURE_AREA_ANONYMOUS, /* private; what was never touched is zero */
	CAPTURE_AREA_FILE,	/* private mapping of a file */
	CAPTURE_AREA_MEMORY,	/* shared, of memory that no name leads to */
	CAPTURE_AREA_SHARED,	/* shared mapping of a file */
	CAPTURE_AREA_VDSO,
	CAPTURE_AREA_SPECIAL, /* [vvar] and the like */
};

enum { CAPTURE_DONTDUMP = 1, CAPTURE_DEVICE = 2 };

struct capture_area {
	uint64_t start, end, file_offset;
	char *path;	 /* "" for none */
	uint32_t flags;	 /* PF_* */
	uint8_t kind;	 /* enum capture_area_kind */
	uint8_t vmflags; /* CAPTURE_DONTDUMP, CAPTURE_DEVICE */
	uint8_t worth;	 /* 0: read first */
};

HF_VEC(capture_areas, struct capture_area);

struct capture_vmflag {
	uint64_t start, end;
	uint8_t flags;
};

HF_VEC(capture_vmflags, struct capture_vmflag);

struct hf_error *capture_read_maps(pid_t pid, const struct capture_vmflags *vmflags,
				   struct capture_areas *ret);
void capture_areas_deinit(struct capture_areas *areas);
/* Mappings with VmFlags dd, io or pf; walks all page tables, so never in a pause. */
void capture_read_vmflags(pid_t pid, struct capture_vmflags *ret);
/* Has the mapping a file (a line in NT_FILE)? */
bool capture_area_has_file(const struct capture_area *area);

/* ---- pages (pages.c) ------------------------------------------------------------------------- */

enum capture_state { CAPTURE_DATA, CAPTURE_ZERO, CAPTURE_MISSING };

struct capture_run {
	uint64_t start, end;
	uint64_t offset; /* in the file; of data and zero */
	uint32_t area;
	uint8_t state;	/* enum capture_state */
	uint8_t reason; /* of missing: enum hf_skip_reason */
	uint8_t worth;
};

struct capture_gap {
	uint64_t start, end;
	uint8_t reason;
};

struct capture_plan {
	struct capture_areas areas;
	HF_VEC(, struct capture_run) runs; /* by address */
	HF_VEC(, struct capture_gap) gaps; /* data that could not be read after all */
	uint64_t page_bytes;
	uint64_t data_bytes; /* to be read */
	uint64_t canary;     /* lowest page of data: the first to go when memory is reaped */
	uint64_t head_bytes, file_bytes;
	uint32_t header_room; /* program headers that fit the head */
};

struct capture_plan_options {
	bool read_swap;
	bool by_worth; /* mark areas and runs with their worth */
	uint64_t leader_sp;
};

/* Decide on every page of plan->areas. */
struct hf_error *capture_plan_pages(pid_t pid, const struct capture_plan_options *options,
				    struct capture_plan *plan);
void capture_plan_deinit(struct capture_plan *plan);

/* ---- writing (sink.c, reader.c, corewrite.c) ------------------------------------------------ */

enum { CAPTURE_SLOT_BYTES = 4 << 20, CAPTURE_SLOTS = 4 };

struct capture_slot {
	uint8_t *data; /* CAPTURE_SLOT_BYTES, page aligned */
	uint64_t offset;
	size_t size;
};

struct capture_sink;

/*
 * A file without a name (where the file system can; else @path) that becomes @path in the end,
 * mode 0600, with buffers and a thread of its own.
 */
struct hf_error *capture_sink_create(const char *path, bool zstd, struct capture_sink **ret);
/* Allocate disk space for the first @bytes. */
struct hf_error *capture_sink_reserve(struct capture_sink *sink, uint64_t bytes);
/* The head takes the file's first @bytes; must come before the first slot. */
void capture_sink_start(struct capture_sink *sink, uint64_t head_bytes);
/* An empty buffer (waits for one); NULL once writing has failed. */
struct capture_slot *capture_sink_slot(struct capture_sink *sink);
void capture_sink_submit(struct capture_sink *sink, struct capture_slot *slot);
/* Wait for all writing, then write the head; the file is @file_bytes long. */
struct hf_error *capture_sink_finish(struct capture_sink *sink, const void *head,
				     uint64_t file_bytes, uint64_t *ret_bytes);
struct hf_error *capture_sink_drain(struct capture_sink *sink);
/* Free the space that was reserved but holds nothing: [start, end). */
void capture_sink_punch(struct capture_sink *sink, uint64_t start, uint64_t end);
/* Name the finished file @path; what was there is replaced. */
struct hf_error *capture_sink_name(struct capture_sink *sink, const char *path);
int capture_sink_fd(const struct capture_sink *sink);
/* The caller closes the file. */
void capture_sink_keep_fd(struct capture_sink *sink);
const char *capture_sink_path(const struct capture_sink *sink);
/* NULL is allowed. A file that was not named is gone. */
void capture_sink_destroy(struct capture_sink *sink);

struct capture_reading {
	pid_t pid;
	const volatile sig_atomic_t *cancel;
	const struct hf_progress *progress;
	double deadline;     /* monotonic seconds; 0: none. After it the rest is out of window */
	uint64_t most_bytes; /* as if the window ended there; 0: no limit */
	bool by_worth;
	bool reapable; /* memory may vanish while we read: gone is out of window */
};

/* Read all data runs into the sink; what cannot be read becomes gaps. */
struct hf_error *capture_read_memory(const struct capture_reading *reading,
				     struct capture_plan *plan, struct capture_sink *sink);
bool capture_peek(pid_t pid, uint64_t address, void *buffer, size_t size);

/* Give runs their places behind a head with room for @note_bytes of notes. */
struct hf_error *capture_layout(struct capture_plan *plan, uint64_t note_bytes);
struct capture_elf {
	uint16_t machine;
	uint32_t flags;
};
/* The head: plan->head_bytes, page aligned; free() it. Counts missing pages. */
struct hf_error *capture_make_head(const struct capture_plan *plan, const struct capture_elf *elf,
				   const struct capture_bytes *notes,
				   uint64_t skipped[HF_SKIP_REASONS], uint8_t **ret);
/* Machine and class of the target's program; an error for what we cannot write. */
struct hf_error *capture_read_elf(pid_t pid, struct capture_elf *ret);

/* ---- one capture (capture.c) ----------------------------------------------------------------- */

struct capture_request {
	struct hf_snapshot_options options;
	const char *trigger; /* "snapshot", "threshold", "kill" */
	const char *reason;  /* in words, for the sidecar; NULL: none */
	pid_t held;	     /* leader that this thread traces already; 0: none */
	bool at_exit;	  /* it stands at its PTRACE_EVENT_EXIT, killed; let go once it is read */
	uint32_t threads; /* it was known to have before; 0: unknown */
	double window;	  /* seconds to read in; 0: no limit */
	uint64_t most_bytes;	   /* of memory to write; 0: no limit */
	struct capture_sink *sink; /* made beforehand; taken over. NULL: make one */
};

struct capture;

/*
 * A capture in three steps. The middle one belongs to the thread that traces (or will trace) the
 * target and is as short as can be; the others may be done by another, so that a tracer need not
 * keep the target's signals waiting. capture_finish() must come last, after an error too: with
 * @err it only cleans up and hands @err back.
 */
struct hf_error *capture_prepare(const struct capture_request *request, struct capture **ret);
struct hf_error *capture_read(struct capture *capture);
struct hf_error *capture_finish(struct capture *capture, struct hf_error *err,
				struct hf_snapshot_result *ret);
/* Before capture_read(). */
void capture_set_held(struct capture *capture, pid_t held);
/* After capture_read(): the held leader was killed meanwhile and stands at its exit. */
bool capture_held_at_exit(const struct capture *capture);

/* ---- notes and sidecar (notes.c, sidecar.c) -------------------------------------------------- */

struct capture_notes {
	const struct capture_threads *threads;
	const struct capture_areas *areas;
	uint64_t page_bytes;
	int signal;	     /* that the first thread died of; 0: none */
	size_t sidecar_room; /* bytes that the JSON's note has: spaces, until it is known */
};

/* @ret_sidecar_at: where in @ret the JSON's room is. */
struct hf_error *capture_make_notes(const struct capture_notes *notes, struct capture_bytes *ret,
				    size_t *ret_sidecar_at);

struct capture_sidecar {
	pid_t pid;
	const struct capture_request *request;
	const struct capture_plan *plan;
	const struct capture_threads *threads;
	const struct hf_snapshot_result *result;
	char *smaps_rollup, *status, *maps, *limits; /* read when it was time to */
	char *arguments, *executable;
	struct json_object *cgroup, *cgroup_files, *modules;
	int64_t time_ns;
};

/* What is slow, before the pause; then what must be of the moment, within it. */
void capture_sidecar_before(struct capture_sidecar *sidecar);
void capture_sidecar_during(struct capture_sidecar *sidecar);
/* The JSON text, malloc'd; brief: without what is long. */
struct hf_error *capture_sidecar_text(const struct capture_sidecar *sidecar, bool brief,
				      char **ret);
void capture_sidecar_deinit(struct capture_sidecar *sidecar);

#endif
