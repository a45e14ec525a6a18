/*
 * notes.c - what a core's notes say: threads, signal, command line, files, auxv.
 *
 * Handlers stand in a table by note name and type; notes that nobody knows are passed
 * over. A thread's notes (NT_386_TLS, NT_ARM_TLS, NT_SIGINFO of gdb) follow its
 * NT_PRSTATUS, so they belong to the last thread seen.
 */
#include <elf.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "core/process/private.h"

enum {
	NT_GDB_TARGET_DESCRIPTION = 0xff000000u,
	NT_SNAPSHOT_INFO = 0x48460001,
	NT_SNAPSHOT_NAMES = 0x48460002
};

typedef bool note_handler(struct hf_process *process, struct hf_cursor *at);

static struct hf_thread *last_thread(struct hf_process *process)
{
	return process->threads.count ? &process->threads.data[process->threads.count - 1] : NULL;
}

/* ---- threads ------------------------------------------------------------------------ */

static void take_register(struct hf_thread *thread, const struct hf_machine_register *reg,
			  uint64_t value)
{
	if (reg->role & HF_REG_PC)
		thread->pc = value;
	if (reg->role & HF_REG_SP)
		thread->sp = value;
	if (reg->role & HF_REG_TP)
		thread->tp = value;
	if (reg->role & HF_REG_GS)
		thread->gs = (uint32_t)value;
	if ((reg->role & HF_REG_POINTER) && thread->register_count < HF_MAX_REGISTERS)
		thread->registers[thread->register_count++] =
		    (struct hf_register){reg->name, value};
}

static bool read_prstatus(struct hf_process *process, struct hf_cursor *at)
{
	const struct hf_machine *machine = process->priv->machine;
	struct hf_thread thread = {.number = (uint32_t)process->threads.count + 1};

	if (!machine)
		return true;
	hf_cursor_seek(at, 12);
	thread.signal = hf_cursor_u16(at);
	hf_cursor_seek(at, machine->prstatus_pid);
	thread.tid = hf_cursor_u32(at);
	for (uint8_t i = 0; i < machine->register_count; i++) {
		const struct hf_machine_register *reg = &machine->registers[i];
		hf_cursor_seek(at, machine->prstatus_registers +
				       (size_t)reg->index * machine->word_bytes);
		take_register(&thread, reg, hf_cursor_word(at));
	}
	if (at->failed) {
		hf_diag_add(process->diags, HF_DIAG_EVIDENCE, HF_SEV_WARNING, "thread-cut", 0,
			    "a thread's registers are cut off in its note");
		return true;
	}
	if (process->threads.count == 0) {
		process->info.signal = thread.signal;
		if (!process->info.pid)
			process->info.pid = thread.tid;
	}
	return hf_vec_push(&process->threads, thread);
}

/*
 * i386: thread pointers stand in descriptors {entry, base, limit, flags}; the one that the
 * gs selector names is the thread's. Linux gives glibc the first of its three entries.
 */
static bool read_386_tls(struct hf_process *process, struct hf_cursor *at)
{
	struct hf_thread *thread = last_thread(process);
	while (thread && at->size - at->at >= 16) {
		uint32_t entry = hf_cursor_u32(at), base = hf_cursor_u32(at);
		hf_cursor_skip(at, 8);
		if (base && (!thread->tp || entry == thread->gs >> 3))
			thread->tp = base;
	}
	return true;
}

static bool read_arm_tls(struct hf_process *process, struct hf_cursor *at)
{
	struct hf_thread *thread = last_thread(process);
	uint64_t tp = hf_cursor_word(at);
	if (thread && !at->failed)
		thread->tp = tp;
	return true;
}

/* ---- the process ---------------------------------------------------------------------- */

static void copy_text(struct hf_cursor *at, char *buffer, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		buffer[i] = (char)hf_cursor_uint(at, 1);
	buffer[bytes] = '\0';
}

static bool read_prpsinfo(struct hf_process *process, struct hf_cursor *at)
{
	bool wide = process->image.word_bytes == 8;
	/* i386 has 16-bit uid and gid; other 32-bit machines are read the same way. */
	hf_cursor_seek(at, wide ? 16 : 8);
	process->info.uid = wide ? hf_cursor_u32(at) : hf_cursor_u16(at);
	hf_cursor_seek(at, wide ? 24 : 12);
	process->info.pid = hf_cursor_u32(at);
	process->info.ppid = hf_cursor_u32(at);
	hf_cursor_seek(at, wide ? 40 : 28);
	copy_text(at, process->info.command, 16);
	char arguments[PSARGS_BYTES + 1];
	copy_text(at, arguments, PSARGS_BYTES);
	size_t end = strlen(arguments);
	while (end > 0 && end < PSARGS_BYTES - 1 && arguments[end - 1] == ' ')
		arguments[--end] = '\0';
	const char *kept = hf_strpool_dup(process->priv->strings, arguments);
	if (kept)
		process->info.arguments = kept;
	return kept != NULL;
}

static bool read_siginfo(struct hf_process *process, struct hf_cursor *at)
{
	int signal = (int)hf_cursor_u32(at);
	hf_cursor_u32(at);
	int code = (int)hf_cursor_u32(at);
	if (process->image.word_bytes == 8)
		hf_cursor_u32(at);
	struct hf_cursor pid_at = *at;
	uint32_t sender = hf_cursor_u32(&pid_at);
	uint64_t address = hf_cursor_word(at);
	if (at->failed || process->info.has_siginfo || process->threads.count > 1)
		return true;
	process->info.has_siginfo = true;
	process->info.signal_code = code;
	if (!process->info.signal)
		process->info.signal = signal;
	if (code == SI_USER || code == SI_TKILL || code == SI_QUEUE)
		process->info.sender_pid = sender;
	else if (signal == SIGSEGV || signal == SIGBUS || signal == SIGFPE || signal == SIGILL)
		process->info.fault_address = address;
	return true;
}

static bool read_auxv(struct hf_process *process, struct hf_cursor *at)
{
	size_t pair = 2u * process->image.word_bytes;
	while (at->size - at->at >= pair) {
		struct auxv_entry entry = {0};
		entry.type = hf_cursor_word(at);
		entry.value = hf_cursor_word(at);
		if (entry.type == AT_NULL)
			break;
		if (!hf_vec_push(&process->priv->auxv, entry))
			return false;
	}
	return true;
}

/* Take the next NUL-terminated name; NULL when there is none left. */
static const char *next_name(struct hf_process *process, struct hf_cursor *at)
{
	const char *name = (const char *)at->data + at->at;
	size_t room = at->size - at->at, length = strnlen(name, room);
	static const char deleted[] = " (deleted)";
	size_t tail = sizeof(deleted) - 1;

	if (length == room)
		return NULL;
	hf_cursor_skip(at, length + 1);
	if (length > tail && !memcmp(name + length - tail, deleted, tail))
		return hf_strpool_printf(process->priv->strings, "%.*s", (int)(length - tail),
					 name);
	return hf_strpool_dup(process->priv->strings, name);
}

static int compare_files(const void *a, const void *b)
{
	const struct file_entry *x = a, *y = b;
	return (x->start > y->start) - (x->start < y->start);
}

/* NT_FILE: count, page size, count x {start, end, offset in pages}, then the names. */
static bool read_files(struct hf_process *process, struct hf_cursor *at)
{
	struct hf_process_private *priv = process->priv;
	uint64_t count = hf_cursor_word(at), page = hf_cursor_word(at);
	size_t entry_bytes = 3u * process->image.word_bytes;

	if (at->failed || count > (at->size - at->at) / entry_bytes || priv->files.count) {
		hf_diag_add(process->diags, HF_DIAG_EVIDENCE, HF_SEV_WARNING, "file-note-damaged",
			    0, "the note that names the mapped files is damaged");
		return true;
	}
	priv->page_size_one = page == 1;
	if (page >= 4096 && page <= (1u << 20) && !(page & (page - 1)))
		process->image.page_bytes = page;
	struct hf_cursor names = *at;
	hf_cursor_skip(&names, count * entry_bytes);
	for (uint64_t i = 0; i < count; i++) {
		struct file_entry entry = {0};
		entry.start = hf_cursor_word(at);
		entry.end = hf_cursor_word(at);
		entry.offset = hf_cursor_word(at) * (page ? page : 1);
		entry.path = next_name(process, &names);
		if (!entry.path)
			break;
		if (entry.start < entry.end && !hf_vec_push(&priv->files, entry))
			return false;
	}
	if (priv->files.count)
		qsort(priv->files.data, priv->files.count, sizeof(*priv->files.data),
		      compare_files);
	return true;
}

static bool see_gdb(struct hf_process *process, struct hf_cursor *at)
{
	(void)at;
	process->priv->gdb_notes = true;
	return true;
}

/* Lines of "TID NAME": the threads' names, which no other note has. */
static bool read_names(struct hf_process *process, struct hf_cursor *at)
{
	const char *text = (const char *)at->data, *end = text + at->size;
	while (text < end) {
		const char *line_end = memchr(text, '\n', (size_t)(end - text));
		line_end = line_end ? line_end : end;
		uint32_t tid = 0;
		while (text < line_end && *text >= '0' && *text <= '9')
			tid = tid * 10 + (uint32_t)(*text++ - '0');
		hf_vec_foreach (thread, &process->threads) {
			size_t length = text < line_end ? (size_t)(line_end - text - 1) : 0;
			if (thread->tid != tid || length >= sizeof(thread->name))
				continue;
			memcpy(thread->name, text + 1, length);
			thread->name[length] = '\0';
		}
		text = line_end + 1;
	}
	return true;
}

static const struct {
	const char *name;
	uint32_t type;
	note_handler *handler;
} handlers[] = {
    {"CORE", NT_PRSTATUS, read_prstatus},
    {"CORE", NT_PRPSINFO, read_prpsinfo},
    {"CORE", NT_SIGINFO, read_siginfo},
    {"CORE", NT_AUXV, read_auxv},
    {"CORE", NT_FILE, read_files},
    {"LINUX", NT_386_TLS, read_386_tls},
    {"LINUX", NT_ARM_TLS, read_arm_tls},
    {"GDB", NT_GDB_TARGET_DESCRIPTION, see_gdb},
    {"HEAPFORENSICS", NT_SNAPSHOT_INFO, process_read_snapshot},
    {"HEAPFORENSICS", NT_SNAPSHOT_NAMES, read_names},
};

static void judge_kind(struct hf_process *process)
{
	const struct hf_process_private *priv = process->priv;
	if (process->info.core_kind == HF_CORE_SNAPSHOT)
		return;
	if (priv->gdb_notes || priv->page_size_one || priv->core.has_sections)
		process->info.core_kind = HF_CORE_GCORE;
	else if (priv->files.count)
		process->info.core_kind = HF_CORE_KERNEL;
	else if (process->threads.count && !process->info.has_siginfo)
		process->info.core_kind = HF_CORE_QEMU;
	else
		process->info.core_kind = HF_CORE_OTHER;
}

/* gdb stops a process to dump it: the signal that it was stopped by ended nothing. */
static void forget_stop(struct hf_process *process)
{
	int signal = process->info.signal;
	if (process->info.core_kind == HF_CORE_GCORE &&
	    (signal == SIGSTOP || signal == SIGTRAP || signal == SIGINT || signal == SIGTSTP))
		process->info.signal = 0;
}

struct hf_error *process_read_notes(struct hf_process *process)
{
	const struct hf_elfcore *core = &process->priv->core;

	process->info.core_kind = HF_CORE_OTHER;
	hf_vec_foreach (note, &core->notes) {
		for (size_t i = 0; i < sizeof(handlers) / sizeof(handlers[0]); i++) {
			struct hf_cursor at = hf_note_cursor(core, note);
			if (note->type != handlers[i].type || !hf_note_is(note, handlers[i].name))
				continue;
			if (!handlers[i].handler(process, &at))
				return hf_error_nomem();
		}
	}
	judge_kind(process);
	forget_stop(process);
	process_judge_snapshot(process);
	if (process->threads.count == 0)
		hf_diag_add(process->diags, HF_DIAG_EVIDENCE, HF_SEV_WARNING, "no-threads", 0,
			    "the core tells of no thread: registers and stacks are unknown as "
			    "roots, so objects that only they hold look lost");
	return NULL;
}
