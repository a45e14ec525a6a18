/*
 * spill.h - private files for what does not belong into memory: without a name, gone with us.
 */
#ifndef HF_CORE_ELF_SPILL_H
#define HF_CORE_ELF_SPILL_H

#include <stddef.h>
#include <stdint.h>

/* An empty one in $TMPDIR, /var/tmp or /tmp; -1 and errno: none can be made. */
int hf_spill_open(void);

/* Write @data at @offset but for blocks of zeros, which stay holes. Returns 0, or an errno. */
int hf_spill_write(int fd, uint64_t offset, const uint8_t *data, size_t size);

#endif
