/*
 * values.h - what GDB's users get back from a command: $hf1, $hf2 .., and figures.
 */
#ifndef HF_GDBPLUGIN_VALUES_H
#define HF_GDBPLUGIN_VALUES_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "core/base/vec.h"
#include "heapwalk/analysis.h"

struct hf_gdb_value {
	uint64_t address;
	char *type; /* as GDB may know it; NULL: unknown */
};

struct hf_gdb_figure {
	const char *name;
	bool known;
	double value;
};

struct hf_gdb_values {
	HF_VEC(, struct hf_gdb_value) list;
	HF_VEC(, struct hf_gdb_figure) figures;
	bool scanned;
};

/*
 * Take the addresses out of @text, in the order in which a reader meets them, each once. Those of
 * a hexdump and the ends of mappings are none that one would name. @analysis tells types; NULL:
 * none.
 */
void hf_gdb_values_scan(struct hf_gdb_values *values, const char *text,
			const struct hf_analysis *analysis);

/* The figures of --fail-if, as far as @analysis knows them. */
void hf_gdb_values_figures(struct hf_gdb_values *values, struct hf_analysis *analysis);

/*
 * Lines that set them, to be sourced as C: $hfN to $hf_count, then void up to @before, as many as
 * the last command left. @thread ("1.1" or "") is one under which a type can be tried.
 */
void hf_gdb_values_write(const struct hf_gdb_values *values, unsigned long before,
			 const char *thread, FILE *to);
void hf_gdb_values_deinit(struct hf_gdb_values *values);

#endif
