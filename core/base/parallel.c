/*
 * parallel.c - a loop of independent tasks on a few threads (see parallel.h).
 *
 * Tasks are handed out by one atomic counter, so uneven tasks balance themselves.
 */
#include "core/base/parallel.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { MAX_THREADS = 64 };

struct job {
	_Atomic uint64_t next;
	uint64_t tasks;
	hf_parallel_fn *fn;
	void *ctx;
};

struct worker {
	struct job *job;
	unsigned index;
	pthread_t thread;
};

unsigned hf_parallel_threads(void)
{
	const char *wanted = getenv("HF_THREADS");
	long count = wanted ? strtol(wanted, NULL, 10) : 0;
	if (count <= 0) {
		cpu_set_t set;
		count = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;
	}
	if (count < 1)
		count = 1;
	return count > MAX_THREADS ? MAX_THREADS : (unsigned)count;
}

static void *work(void *arg)
{
	struct worker *worker = arg;
	struct job *job = worker->job;
	for (;;) {
		uint64_t task = atomic_fetch_add(&job->next, 1);
		if (task >= job->tasks)
			return NULL;
		job->fn(job->ctx, task, worker->index);
	}
}

void hf_parallel_for(unsigned threads, uint64_t tasks, hf_parallel_fn *fn, void *ctx)
{
	struct job job = {0, tasks, fn, ctx};
	struct worker workers[MAX_THREADS];
	unsigned started = 1;

	if (threads > MAX_THREADS)
		threads = MAX_THREADS;
	if (threads > tasks)
		threads = (unsigned)tasks;
	for (unsigned i = 1; i < threads; i++) {
		workers[started] = (struct worker){&job, started, 0};
		if (pthread_create(&workers[started].thread, NULL, work, &workers[started]))
			break;
		started++;
	}
	workers[0] = (struct worker){&job, 0, 0};
	work(&workers[0]);
	for (unsigned i = 1; i < started; i++)
		pthread_join(workers[i].thread, NULL);
}
