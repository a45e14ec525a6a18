/*
 * decompress.h - one streaming interface over zstd, gzip, xz and lz4.
 */
#ifndef HF_CORE_ELF_DECOMPRESS_H
#define HF_CORE_ELF_DECOMPRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"

/* The format of a stream that starts with @data, or NULL: "zstd", "gzip", "xz", "lz4". */
const char *hf_compression_of(const uint8_t *data, size_t size);

/* Receives decompressed bytes; false stops. */
typedef bool hf_decompress_sink(void *ctx, const uint8_t *data, size_t size);

/*
 * Decompress @data, of format @compression, piece by piece into @sink. A stream that is
 * damaged or ends early gives what could be had: *@ret_complete tells.
 */
struct hf_error *hf_decompress(const char *compression, const uint8_t *data, size_t size,
			       hf_decompress_sink *sink, void *ctx, bool *ret_complete);

#endif
