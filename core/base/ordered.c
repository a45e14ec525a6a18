/*
 * ordered.c - rounds of tasks (see ordered.h).
 */
#include "core/base/ordered.h"

#include "core/base/parallel.h"

struct round {
	const struct hf_ordered *ordered;
	uint64_t filled, filled_end; /* by the last round: to be emitted */
	uint64_t first;		     /* to be filled */
	bool stopped;
};

/* Slots of two rounds that follow each other differ. */
static unsigned slot_of(uint64_t piece)
{
	return (unsigned)(piece % HF_ORDERED_SLOTS);
}

static void run_task(void *ctx, uint64_t task, unsigned worker)
{
	struct round *round = ctx;
	const struct hf_ordered *ordered = round->ordered;

	if (task > 0) {
		uint64_t piece = round->first + task - 1;
		ordered->fill(ordered->ctx, piece, slot_of(piece), worker);
		return;
	}
	for (uint64_t piece = round->filled; piece < round->filled_end && !round->stopped; piece++)
		round->stopped = !ordered->emit(ordered->ctx, piece, slot_of(piece), worker);
}

void hf_ordered_for(const struct hf_ordered *ordered)
{
	struct round round = {.ordered = ordered};

	do {
		uint64_t left = ordered->pieces - round.first;
		uint64_t count = left < HF_ORDERED_ROUND ? left : HF_ORDERED_ROUND;
		hf_parallel_for(ordered->threads, count + 1, run_task, &round);
		round.filled = round.first;
		round.filled_end = round.first += count;
	} while (round.filled < round.filled_end && !round.stopped);
}
