/*
 * live.h - analysing a running process by way of a private snapshot, and being interrupted.
 */
#ifndef HF_HEAPWALK_CLI_LIVE_H
#define HF_HEAPWALK_CLI_LIVE_H

#include <signal.h>

#include "core/capture/snapshot.h"
#include "heapwalk/cli/options.h"

/*
 * While taking a snapshot, SIGINT, SIGTERM and SIGHUP only set a flag: the target is let go and
 * the file removed before we end.
 */
const volatile sig_atomic_t *hf_interrupt_begin(void);
/* Back to what those signals did before. */
void hf_interrupt_end(void);

struct hf_live {
	struct hf_snapshot_result snapshot;
	char sysroot[32], executable[32]; /* "" where the defaults will do */
	char name[64];			  /* "process 1234" */
};

/* A snapshot of options->pid without a name; it is gone with hf_live_close(). */
struct hf_error *hf_live_open(const struct hf_options *options, const struct hf_progress *progress,
			      struct hf_live *ret);
void hf_live_close(struct hf_live *live);

#endif
