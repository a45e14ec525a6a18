/*
 * clock.h - seconds since some moment, for durations: never set back (CLOCK_MONOTONIC).
 */
#ifndef HF_CORE_BASE_CLOCK_H
#define HF_CORE_BASE_CLOCK_H

#include <time.h>

static inline double hf_clock_seconds(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

#endif
