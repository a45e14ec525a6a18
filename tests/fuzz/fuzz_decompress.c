/*
 * fuzz_decompress.c - compressed cores: damaged streams of the four formats, bombs included.
 */
#include <string.h>

#include "core/elf/decompress.h"
#include "tests/fuzz/fuzz.h"

enum { MOST_BYTES = 16 << 20 };

static bool count_bytes(void *ctx, const uint8_t *data, size_t size)
{
	size_t *total = ctx;
	uint8_t sum = 0;
	for (size_t i = 0; i < size; i++)
		sum ^= data[i]; /* every byte must be readable */
	*(volatile uint8_t *)&sum = sum;
	*total += size;
	return *total < MOST_BYTES;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const formats[] = {"zstd", "gzip", "xz", "lz4"};
	const char *told = hf_compression_of(data, size);

	for (size_t i = 0; i < 4; i++) {
		size_t total = 0;
		bool complete = false;
		if (told && strcmp(told, formats[i]) != 0)
			continue;
		hf_error_destroy(
		    hf_decompress(formats[i], data, size, count_bytes, &total, &complete));
	}
	return 0;
}
