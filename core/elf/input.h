/*
 * input.h - the bytes of a core file, as one read-only mapping.
 *
 * A plain file is mapped as it is. A compressed one (zstd, gzip, xz, lz4: told by its
 * magic, not by its name) is decompressed as a stream into a private, unlinked temporary
 * file, sparse where it is zero, and that is mapped: no copy in memory, and nothing left
 * behind however we end.
 */
#ifndef HF_CORE_ELF_INPUT_H
#define HF_CORE_ELF_INPUT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/diag.h"
#include "core/base/error.h"
#include "core/base/progress.h"

struct hf_input {
	const uint8_t *data;
	uint64_t size;		 /* of the (decompressed) bytes */
	uint64_t file_size;	 /* of the file as given */
	const char *compression; /* "zstd", ... or NULL */
	bool cut;		 /* the compressed stream ended early */
};

struct hf_error *hf_input_open(const char *path, struct hf_diags *diags,
			       const struct hf_progress *progress, struct hf_input *ret);
void hf_input_close(struct hf_input *input);

#endif
