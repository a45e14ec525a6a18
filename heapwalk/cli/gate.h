/*
 * gate.h - conditions that make the exit status 1: --fail-if 'leaked_bytes > 1MiB'.
 *
 *	condition := figure op limit
 *	figure    := NAME | retained("VARIABLE") | type_bytes("TYPE") | type_objects("TYPE") |
 *		     growth("TYPE or HOLDER")
 *	op        := > | >= | < | <= | == | !=
 *	limit     := NUMBER [B|KB|MB|GB|TB|KiB|MiB|GiB|TiB|k|M|G|%]	(%: of the heap in use)
 */
#ifndef HF_HEAPWALK_CLI_GATE_H
#define HF_HEAPWALK_CLI_GATE_H

#include "heapwalk/analysis.h"

enum hf_gate_op { HF_GATE_GT, HF_GATE_GE, HF_GATE_LT, HF_GATE_LE, HF_GATE_EQ, HF_GATE_NE };

struct hf_gate {
	const char *text; /* as given */
	char figure[32];
	char argument[1024]; /* of retained("..."), growth("...") and their like */
	enum hf_gate_op op;
	double limit;
	bool percent;
};

struct hf_gates {
	HF_VEC(, struct hf_gate) list;
};

struct hf_error *hf_gate_parse(const char *text, struct hf_gate *ret);

struct hf_gate_result {
	const struct hf_gate *gate;
	bool trips;
	double value; /* the figure */
};

HF_VEC(hf_gate_results, struct hf_gate_result);

/* *@ret: the condition holds (the gate trips); *@ret_value: the figure. */
struct hf_error *hf_gate_test(const struct hf_gate *gate, struct hf_analysis *analysis, bool *ret,
			      double *ret_value);

/* A figure of a diff: hf_gate_test() cannot tell it. */
bool hf_gate_is_growth(const struct hf_gate *gate);

/* The condition over a figure that is known; a limit in percent is of @whole. */
bool hf_gate_holds(const struct hf_gate *gate, double value, double whole);

/* Names of the figures, for --help; NULL past the last. */
const char *hf_gate_figure(unsigned index, const char **ret_help);

#endif
