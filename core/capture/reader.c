/*
 * reader.c - target memory into the sink's buffers.
 *
 * Pieces that lie near each other in the file share a buffer and a write, the little holes
 * between them filled with zeros; each buffer is filled by few process_vm_readv() calls of many
 * pieces each. What that call refuses (PROT_NONE pages) is tried through /proc/PID/mem, page by
 * page where it must be; what that refuses too is a gap.
 *
 *	file	|--piece--|hole|---piece---|----- big hole -----|--piece--|
 *	slots	|<-------- one ----------->|			|<- next ..
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "core/base/cleanup.h"
#include "core/capture/private.h"

enum { PIECES = 512, NEAR = 64 << 10 };

struct reader {
	const struct capture_reading *reading;
	struct capture_plan *plan;
	struct capture_sink *sink;
	struct capture_slot *slot;
	struct iovec local[PIECES], remote[PIECES];
	size_t count; /* pieces that wait to be read */
	int mem;
	bool gone; /* no more memory to be had */
	uint64_t done;
	struct hf_error *err;
};

bool capture_peek(pid_t pid, uint64_t address, void *buffer, size_t size)
{
	struct iovec local = {buffer, size}, remote = {(void *)(uintptr_t)address, size};
	return process_vm_readv(pid, &local, 1, &remote, 1, 0) == (ssize_t)size;
}

static void add_gap(struct reader *reader, uint64_t start, uint64_t end, uint8_t reason)
{
	struct capture_plan *plan = reader->plan;
	struct capture_gap *last = plan->gaps.count ? &plan->gaps.data[plan->gaps.count - 1] : NULL;
	if (start >= end)
		return;
	if (last && last->end == start && last->reason == reason)
		last->end = end;
	else if (!hf_vec_push(&plan->gaps, (struct capture_gap){start, end, reason}) &&
		 !reader->err)
		reader->err = hf_error_nomem();
}

/* ---- reading a batch ------------------------------------------------------------------------ */

/* Has memory been taken away under us? */
static bool reaped(const struct reader *reader)
{
	char byte;
	return reader->reading->reapable &&
	       !capture_peek(reader->reading->pid, reader->plan->canary, &byte, 1);
}

static void target_gone(struct reader *reader)
{
	reader->gone = true;
	if (!reader->reading->reapable && !reader->err)
		reader->err =
		    hf_error_create(HF_ERR_NOT_FOUND, "process %d ended while its memory was read",
				    (int)reader->reading->pid);
}

/* process_vm_readv() stopped at this piece: what does /proc/PID/mem give? */
static void read_hard(struct reader *reader, struct iovec local, struct iovec remote)
{
	uint64_t page = reader->plan->page_bytes, at = (uintptr_t)remote.iov_base;
	uint64_t end = at + remote.iov_len;
	uint8_t *to = local.iov_base;

	if (reaped(reader))
		reader->gone = true;
	while (at < end && !reader->gone) {
		ssize_t got = reader->mem < 0 ? -1 : pread(reader->mem, to, end - at, (off_t)at);
		if (got <= 0) {
			uint64_t step = page - at % page;
			step = step < end - at ? step : end - at;
			if (got == 0 || errno == ESRCH)
				target_gone(reader);
			else if (reaped(reader))
				reader->gone = true;
			if (reader->gone)
				break;
			memset(to, 0, step);
			add_gap(reader, at, at + step, HF_SKIP_UNREADABLE);
			got = (ssize_t)step;
		}
		at += (uint64_t)got;
		to += got;
	}
	if (at < end) {
		memset(to, 0, end - at);
		add_gap(reader, at, end, HF_SKIP_WINDOW);
	}
}

/* Read all waiting pieces. */
static void flush_pieces(struct reader *reader)
{
	size_t at = 0;

	while (at < reader->count) {
		ssize_t got = reader->gone
				  ? -1
				  : process_vm_readv(reader->reading->pid, &reader->local[at],
						     reader->count - at, &reader->remote[at],
						     reader->count - at, 0);
		if (got < 0 && errno == ESRCH && !reader->gone)
			target_gone(reader);
		size_t bytes = got < 0 ? 0 : (size_t)got;
		while (at < reader->count && bytes >= reader->local[at].iov_len)
			bytes -= reader->local[at++].iov_len;
		if (at == reader->count)
			break;
		struct iovec local = reader->local[at], remote = reader->remote[at];
		local.iov_base = (uint8_t *)local.iov_base + bytes;
		remote.iov_base = (uint8_t *)remote.iov_base + bytes;
		local.iov_len = remote.iov_len = local.iov_len - bytes;
		read_hard(reader, local, remote);
		at++;
	}
	reader->count = 0;
}

static void submit(struct reader *reader)
{
	flush_pieces(reader);
	if (reader->slot)
		capture_sink_submit(reader->sink, reader->slot);
	reader->slot = NULL;
	hf_progress_report(reader->reading->progress, "reading memory", reader->done,
			   reader->plan->data_bytes);
}

/* ---- the runs ------------------------------------------------------------------------------- */

/* A slot with room that continues at @offset in the file. */
static struct capture_slot *slot_for(struct reader *reader, uint64_t offset)
{
	struct capture_slot *slot = reader->slot;

	if (slot) {
		uint64_t end = slot->offset + slot->size;
		if (offset >= end && offset - end <= NEAR &&
		    offset - slot->offset < CAPTURE_SLOT_BYTES) {
			memset(slot->data + slot->size, 0, offset - end);
			slot->size += offset - end;
			return slot;
		}
		submit(reader);
	}
	slot = capture_sink_slot(reader->sink);
	if (slot) {
		slot->offset = offset;
		slot->size = 0;
	}
	return reader->slot = slot;
}

static bool go_on(struct reader *reader)
{
	const struct capture_reading *reading = reader->reading;
	if (reading->cancel && *reading->cancel && !reader->err)
		reader->err = hf_error_create(HF_ERR_CANCELLED, "interrupted");
	if (reading->deadline > 0 && hf_clock_seconds() > reading->deadline)
		reader->gone = true;
	if (reading->most_bytes && reader->done >= reading->most_bytes)
		reader->gone = true;
	return !reader->err && !reader->gone;
}

static void read_run(struct reader *reader, const struct capture_run *run)
{
	uint64_t at = run->start;

	while (at < run->end && go_on(reader)) {
		uint64_t offset = run->offset + (at - run->start), left = run->end - at;
		struct capture_slot *slot = slot_for(reader, offset);
		if (!slot)
			return; /* the sink keeps the error */
		uint64_t room = CAPTURE_SLOT_BYTES - slot->size;
		uint64_t size = left < room ? left : room;
		reader->local[reader->count] = (struct iovec){slot->data + slot->size, size};
		reader->remote[reader->count++] = (struct iovec){(void *)(uintptr_t)at, size};
		slot->size += size;
		at += size;
		reader->done += size;
		if (slot->size == CAPTURE_SLOT_BYTES)
			submit(reader);
		else if (reader->count == PIECES)
			flush_pieces(reader);
	}
	add_gap(reader, at, run->end, HF_SKIP_WINDOW);
}

static int compare_gaps(const void *a, const void *b)
{
	const struct capture_gap *x = a, *y = b;
	return (x->start > y->start) - (x->start < y->start);
}

struct hf_error *capture_read_memory(const struct capture_reading *reading,
				     struct capture_plan *plan, struct capture_sink *sink)
{
	char path[64];
	HF_AUTO(free_ptr) struct reader *reader = calloc(1, sizeof(*reader));
	int rounds = reading->by_worth ? 4 : 1;

	if (!reader)
		return hf_error_nomem();
	snprintf(path, sizeof(path), "/proc/%d/mem", (int)reading->pid);
	HF_AUTO(close_fd) int mem = open(path, O_RDONLY | O_CLOEXEC);
	*reader = (struct reader){.reading = reading, .plan = plan, .sink = sink, .mem = mem};
	for (int worth = 0; worth < rounds; worth++) {
		hf_vec_foreach (run, &plan->runs) {
			if (run->state == CAPTURE_DATA && (rounds == 1 || run->worth == worth))
				read_run(reader, run);
			if (reader->err)
				break;
		}
	}
	submit(reader);
	if (plan->gaps.count)
		qsort(plan->gaps.data, plan->gaps.count, sizeof(*plan->gaps.data), compare_gaps);
	return reader->err;
}
