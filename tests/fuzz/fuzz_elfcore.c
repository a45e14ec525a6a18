/*
 * fuzz_elfcore.c - a core's headers and notes, and what the notes say of the process.
 */
#include "core/elf/elfcore.h"
#include "core/process/process.h"
#include "tests/fuzz/fuzz.h"

static void read_headers(const uint8_t *data, size_t size)
{
	struct hf_input input = {.data = data, .size = size, .file_size = size};
	struct hf_diags *diags = NULL;
	struct hf_elfcore core;
	struct hf_error *err = hf_diags_create(&diags);

	if (!err)
		err = hf_elfcore_open(&input, "input", diags, &core);
	if (!err)
		hf_elfcore_deinit(&core);
	hf_error_destroy(err);
	hf_diags_destroy(diags);
}

static void read_process(const char *path)
{
	struct hf_process_options options = {.core = path, .sysroot = FUZZ_SYSROOT};
	struct hf_process *process = NULL;
	struct hf_dead_stacks dead = {0};
	struct hf_diags *diags = NULL;
	struct hf_error *err = hf_diags_create(&diags);

	if (!err)
		err = hf_process_open(&options, diags, &process);
	if (!err)
		err = hf_process_unwind(process, 64);
	if (!err)
		err = hf_process_dead_stacks(process, &dead);
	hf_vec_free(&dead);
	hf_error_destroy(err);
	hf_process_close(process);
	hf_diags_destroy(diags);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char path[32];
	if (size == 0)
		return 0;
	read_headers(data, size);
	int fd = fuzz_file(data, size, path);
	read_process(path);
	close(fd);
	return 0;
}
