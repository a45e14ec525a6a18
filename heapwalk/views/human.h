/*
 * human.h - numbers as people read them.
 */
#ifndef HF_HEAPWALK_VIEWS_HUMAN_H
#define HF_HEAPWALK_VIEWS_HUMAN_H

#include <stddef.h>
#include <stdint.h>

enum { HF_HUMAN_BYTES = 40 };

/* "0", "512 B", "1.02 GiB": three significant digits from 1 KiB on. Returns @buffer. */
char *hf_human_bytes(uint64_t bytes, char buffer[HF_HUMAN_BYTES]);

/* "2,411,022" */
char *hf_human_count(uint64_t count, char buffer[HF_HUMAN_BYTES]);

/* "84 %", "0.3 %", "<0.1 %" */
char *hf_human_share(double share, char buffer[HF_HUMAN_BYTES]);

#endif
