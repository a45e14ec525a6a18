/*
 * junit.h - gates as the test cases of a JUnit report, for servers that show test results.
 */
#ifndef HF_HEAPWALK_CLI_JUNIT_H
#define HF_HEAPWALK_CLI_JUNIT_H

#include <stdio.h>

#include "heapwalk/cli/options.h"

struct hf_junit {
	const char *command;
	const struct hf_process *process; /* the core that is judged */
	const struct hf_gate_results *gates;
	const struct hf_doc *doc; /* what the command says: the suite's output */
	bool partial, strict;
};

struct hf_error *hf_junit_write(const struct hf_junit *junit, FILE *to);

#endif
