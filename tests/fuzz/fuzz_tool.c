/*
 * fuzz_tool.c - the whole program: the first byte of the input picks a command and a format, the
 * rest is the core. What it prints is thrown away.
 */
#include <fcntl.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

int tool_main(int argc, char **argv); /* heapwalk/cli/main.c */

static const char *const commands[] = {"report", "summary",    "arenas", "leaks",
				       "types",	 "dominators", "check",	 "query"};
static const char *const formats[] = {"--format=text", "--format=json", "--format=csv",
				      "--format=html"};

static void silence(void)
{
	static int done;
	int null = done ? -1 : open("/dev/null", O_WRONLY);
	if (null >= 0) {
		dup2(null, STDOUT_FILENO);
		close(null);
		done = 1;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char path[32], sysroot[] = "--sysroot=" FUZZ_SYSROOT, quiet[] = "-q",
		       fresh[] = "--no-index";
	char command[16], format[16], sql[] = "SELECT * FROM objects, holders LIMIT 50";

	if (size < 2)
		return 0;
	silence();
	snprintf(command, sizeof(command), "%s", commands[data[0] % 8]);
	snprintf(format, sizeof(format), "%s", formats[data[0] / 8 % 4]);
	int fd = fuzz_file(data + 1, size - 1, path);
	char name[] = "heapforensics";
	char *words[] = {name, command, quiet, fresh, format, sysroot, path, sql, NULL};
	int query = !strcmp(command, "query");
	if (!query)
		words[7] = NULL;
	tool_main(query ? 8 : 7, words);
	close(fd);
	return 0;
}
