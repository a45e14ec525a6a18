/*
 * fuzz_oomlog.c - kernel logs: whatever dmesg, journals and files may hold.
 */
#include "core/oomlog/oomlog.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hf_oomlog *log = NULL;
	struct hf_error *err = hf_oomlog_parse((const char *)data, size, &log);
	if (!err)
		hf_oomlog_find(log, 1234, "server");
	hf_error_destroy(err);
	hf_oomlog_destroy(log);
	return 0;
}
