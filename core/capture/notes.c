/*
 * notes.c - everything but memory, as ELF notes in the kernel's order.
 *
 *	NT_PRSTATUS of the first thread, NT_PRPSINFO, NT_SIGINFO, NT_AUXV, NT_FILE,
 *	its NT_FPREGSET and other register sets, then each further thread's
 *	HEAPFORENSICS: the sidecar as JSON, padded with spaces; the threads' names
 *
 * The first thread is the one that a deadly signal has reached, else the leader, as gdb and people
 * expect.
 */
#include <elf.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/procfs.h>

#include "core/base/cleanup.h"
#include "core/capture/private.h"

/* Types that BFD knows by no other name: it looks at the type alone. */
enum { NOTE_INFO = 0x48460001, NOTE_NAMES = 0x48460002, FILES_MOST = 4 << 20 };

static const char vendor[] = "HEAPFORENSICS";

static bool add_note(struct capture_bytes *to, const char *name, uint32_t type, const void *desc,
		     size_t size)
{
	static const uint8_t zeros[4];
	size_t name_size = strlen(name) + 1;
	Elf64_Nhdr header = {(Elf64_Word)name_size, (Elf64_Word)size, type};

	return capture_append(to, &header, sizeof(header)) && capture_append(to, name, name_size) &&
	       capture_append(to, zeros, -name_size & 3) && capture_append(to, desc, size) &&
	       capture_append(to, zeros, -size & 3);
}

/* ---- the process ---------------------------------------------------------------------------- */

struct stat_line {
	char state;
	int ppid, pgrp, sid, nice;
	unsigned long flags;
};

/* "PID (NAME) STATE PPID PGRP SID TTY TPGID FLAGS .. (19th) NICE" */
static bool read_stat(pid_t pid, struct stat_line *ret)
{
	HF_AUTO(free_ptr) char *stat = capture_slurp_proc(pid, "stat", NULL);
	const char *at = stat ? strrchr(stat, ')') : NULL;
	return at &&
	       sscanf(at + 1, " %c %d %d %d %*d %*d %lu %*u %*u %*u %*u %*u %*u %*d %*d %*d %d",
		      &ret->state, &ret->ppid, &ret->pgrp, &ret->sid, &ret->flags, &ret->nice) == 6;
}

static void copy_arguments(pid_t pid, char *to, size_t room)
{
	size_t size = 0;
	HF_AUTO(free_ptr) char *line = capture_slurp_proc(pid, "cmdline", &size);

	size = line && size < room ? size : line ? room - 1 : 0;
	for (size_t i = 0; i < size; i++)
		to[i] = line[i] ? line[i] : ' ';
}

static bool add_prpsinfo(const struct capture_notes *notes, struct capture_bytes *to)
{
	pid_t pid = notes->threads->pid;
	struct elf_prpsinfo info = {.pr_pid = pid};
	struct stat_line stat = {0};
	uint64_t uid = 0, gid = 0;
	HF_AUTO(free_ptr) char *status = capture_slurp_proc(pid, "status", NULL);
	HF_AUTO(free_ptr) char *comm = capture_slurp_proc(pid, "comm", NULL);

	if (read_stat(pid, &stat)) {
		static const char states[] = "RSDTZW";
		const char *state = strchr(states, stat.state);
		info.pr_state = state ? (char)(state - states) : 0;
		info.pr_sname = stat.state;
		info.pr_zomb = stat.state == 'Z';
		info.pr_nice = (char)stat.nice;
		info.pr_flag = stat.flags;
		info.pr_ppid = stat.ppid;
		info.pr_pgrp = stat.pgrp;
		info.pr_sid = stat.sid;
	}
	capture_field(status, "Uid", &uid);
	capture_field(status, "Gid", &gid);
	info.pr_uid = (unsigned)uid;
	info.pr_gid = (unsigned)gid;
	if (comm) {
		size_t length = strcspn(comm, "\n");
		length = length < sizeof(info.pr_fname) ? length : sizeof(info.pr_fname) - 1;
		memcpy(info.pr_fname, comm, length);
	}
	copy_arguments(pid, info.pr_psargs, sizeof(info.pr_psargs));
	return add_note(to, "CORE", NT_PRPSINFO, &info, sizeof(info));
}

static bool add_auxv(const struct capture_notes *notes, struct capture_bytes *to)
{
	size_t size = 0;
	HF_AUTO(free_ptr) char *auxv = capture_slurp_proc(notes->threads->pid, "auxv", &size);
	return !auxv || size == 0 || add_note(to, "CORE", NT_AUXV, auxv, size);
}

/* Count, page size, count x {start, end, offset in pages}, the paths. */
static bool add_files(const struct capture_notes *notes, struct capture_bytes *to)
{
	struct capture_bytes table = {0}, names = {0};
	uint64_t head[2] = {0, notes->page_bytes};
	bool done = capture_append(&table, head, sizeof(head));

	hf_vec_foreach (area, notes->areas) {
		if (!capture_area_has_file(area) || table.count + names.count > FILES_MOST)
			continue;
		uint64_t entry[3] = {area->start, area->end, area->file_offset / notes->page_bytes};
		done = done && capture_append(&table, entry, sizeof(entry)) &&
		       capture_append(&names, area->path, strlen(area->path) + 1);
		head[0]++;
	}
	if (done) {
		memcpy(table.data, head, sizeof(head));
		done = capture_append(&table, names.data, names.count) &&
		       add_note(to, "CORE", NT_FILE, table.data, table.count);
	}
	hf_vec_free(&table);
	hf_vec_free(&names);
	return done;
}

/* ---- threads --------------------------------------------------------------------------------- */

static const char *owner_of(uint32_t type)
{
	return type == NT_PRSTATUS || type == NT_FPREGSET ? "CORE" : "LINUX";
}

static bool add_prstatus(const struct capture_notes *notes, const struct capture_thread *thread,
			 int signal, struct capture_bytes *to)
{
	struct elf_prstatus status = {.pr_pid = thread->tid};
	struct stat_line stat;

	status.pr_cursig = (short)signal;
	status.pr_info.si_signo = signal;
	if (read_stat(notes->threads->pid, &stat)) {
		status.pr_ppid = stat.ppid;
		status.pr_pgrp = stat.pgrp;
		status.pr_sid = stat.sid;
	}
	for (uint32_t i = 0; i < thread->regset_count; i++) {
		const struct capture_regset *set = &thread->regsets[i];
		if (set->type == NT_PRSTATUS)
			memcpy(&status.pr_reg, set->data,
			       set->size < sizeof(status.pr_reg) ? set->size
								 : sizeof(status.pr_reg));
		status.pr_fpvalid |= set->type == NT_FPREGSET;
	}
	return add_note(to, "CORE", NT_PRSTATUS, &status, sizeof(status));
}

static bool add_regsets(const struct capture_thread *thread, struct capture_bytes *to)
{
	for (uint32_t i = 0; i < thread->regset_count; i++) {
		const struct capture_regset *set = &thread->regsets[i];
		if (set->type != NT_PRSTATUS &&
		    !add_note(to, owner_of(set->type), set->type, set->data, set->size))
			return false;
	}
	return true;
}

/* A timer or a child's end that came in this moment ends nothing: only what kills is told. */
static int telling_signal(const struct capture_thread *thread)
{
	static const int kills[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS};
	for (size_t i = 0; i < sizeof(kills) / sizeof(kills[0]); i++) {
		if (thread->signal == kills[i])
			return thread->signal;
	}
	return 0;
}

static const struct capture_thread *first_thread(const struct capture_threads *threads)
{
	const struct capture_thread *first = NULL;
	hf_vec_foreach (thread, &threads->list) {
		if (!thread->regset_count)
			continue;
		bool told = first && telling_signal(first);
		if (!first || (!told && (thread->tid == threads->pid || telling_signal(thread))))
			first = thread;
	}
	return first;
}

static bool add_names(const struct capture_threads *threads, struct capture_bytes *to)
{
	struct capture_bytes text = {0};
	bool done = true;

	hf_vec_foreach (thread, &threads->list) {
		char line[48];
		int length =
		    snprintf(line, sizeof(line), "%d %s\n", (int)thread->tid, thread->name);
		done = done && capture_append(&text, line, (size_t)length);
	}
	done = done && add_note(to, vendor, NOTE_NAMES, text.data, text.count);
	hf_vec_free(&text);
	return done;
}

static bool add_room(size_t size, struct capture_bytes *to, size_t *ret_at)
{
	HF_AUTO(free_ptr) char *text = malloc(size + 1);
	if (!text)
		return false;
	memset(text, ' ', size);
	*ret_at = to->count + sizeof(Elf64_Nhdr) + ((sizeof(vendor) + 3) & ~(size_t)3);
	return add_note(to, vendor, NOTE_INFO, text, size);
}

static bool add_all(const struct capture_notes *notes, struct capture_bytes *to,
		    size_t *ret_sidecar_at)
{
	const struct capture_thread *first = first_thread(notes->threads);
	int signal = notes->signal ? notes->signal : first ? telling_signal(first) : 0;

	if (first && !add_prstatus(notes, first, signal, to))
		return false;
	if (!add_prpsinfo(notes, to))
		return false;
	if (first && first->has_siginfo && signal == first->signal && signal &&
	    !add_note(to, "CORE", NT_SIGINFO, &first->siginfo, sizeof(first->siginfo)))
		return false;
	if (!add_auxv(notes, to) || !add_files(notes, to) || (first && !add_regsets(first, to)))
		return false;
	hf_vec_foreach (thread, &notes->threads->list) {
		if (thread == first || !thread->regset_count)
			continue;
		if (!add_prstatus(notes, thread, telling_signal(thread), to) ||
		    !add_regsets(thread, to))
			return false;
	}
	return add_room(notes->sidecar_room, to, ret_sidecar_at) && add_names(notes->threads, to);
}

struct hf_error *capture_make_notes(const struct capture_notes *notes, struct capture_bytes *ret,
				    size_t *ret_sidecar_at)
{
	struct capture_bytes made = {0};
	if (add_all(notes, &made, ret_sidecar_at)) {
		*ret = made;
		return NULL;
	}
	hf_vec_free(&made);
	return hf_error_nomem();
}
