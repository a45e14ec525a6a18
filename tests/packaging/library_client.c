/*
 * library_client.c CORE PROGRAM VARIABLE - a program that uses the installed library: prints what
 * VARIABLE retains and how many objects there are.
 */
#include <heapforensics.h>
#include <stdio.h>
#include <stdlib.h>

static int fail(struct hf_error *err)
{
	fprintf(stderr, "%s\n", hf_error_message(err));
	hf_error_destroy(err);
	return 1;
}

int main(int argc, char **argv)
{
	struct hf_analysis *analysis;
	uint32_t node = HF_NODE_NONE;

	if (argc != 4)
		return 2;
	struct hf_open_options options = {.core = argv[1], .executable = argv[2]};
	struct hf_error *err = hf_open(&options, &analysis);
	if (err)
		return fail(err);
	err = hf_resolve(analysis, argv[3], &node);
	if (err)
		return fail(err);
	char *name = hf_describe(analysis, node);
	printf("%s %s %lu bytes, %u objects\n", hf_version(), name,
	       (unsigned long)hf_retained(analysis, node), hf_object_count(analysis));
	free(name);
	hf_close(analysis);
	return 0;
}
