/*
 * progress.h - a library's way to say how far it is, without printing.
 */
#ifndef HF_CORE_BASE_PROGRESS_H
#define HF_CORE_BASE_PROGRESS_H

#include <stdint.h>

struct hf_progress {
	/* May be NULL. @total 0: unknown. Called from the thread that does the stage. */
	void (*report)(void *ctx, const char *stage, uint64_t done, uint64_t total);
	void *ctx;
};

/* Tell @progress (may be NULL) that @stage stands at @done of @total. */
static inline void hf_progress_report(const struct hf_progress *progress, const char *stage,
				      uint64_t done, uint64_t total)
{
	if (progress && progress->report)
		progress->report(progress->ctx, stage, done, total);
}

#endif
