/*
 * export.h - the heap as a file that other programs open: pprof, DevTools, speedscope, ...
 *
 * An export walks the analysis and streams: no format is ever whole in memory. Each format is
 * one struct hf_export_ops; the table of them is the command's (cli/run_export.c).
 *
 * What a format cannot hold (a size beyond its integers, a name with its separator) is
 * never cut in silence: the writer says so with hf_export_note(), and the caller shows the
 * notes. All figures are bytes of chunks, as everywhere (DESIGN.md section 2).
 */
#ifndef HF_HEAPWALK_OUTPUT_EXPORT_H
#define HF_HEAPWALK_OUTPUT_EXPORT_H

#include "heapwalk/analysis.h"
#include "heapwalk/output/export_writer.h"

struct hf_export_options {
	uint32_t start;	    /* node to start from: the formats that select; else the super root */
	uint32_t depth;	    /* of a selection; 0: the format's own default */
	uint64_t top;	    /* children of a node in a selection; 0: default */
	uint64_t min_bytes; /* leave out what retains less, in a selection */
	unsigned threads;   /* at least 1 */
	const struct hf_progress *progress;
};

HF_VEC(hf_export_notes, char *);

struct hf_export {
	struct hf_analysis *analysis;
	struct hf_export_options options;
	struct hf_writer *to; /* NULL where @path is used */
	const char *path;     /* of a format that makes its file itself; not there yet */
	struct hf_export_notes notes;
};

struct hf_export_ops {
	const char *name;   /* "pprof" */
	const char *opened; /* by what: "go tool pprof FILE" */
	bool selects;	    /* heeds start, depth, top and min_bytes */
	bool own_file;	    /* writes to @path by itself: no pipe, no standard output */
	struct hf_error *(*write)(struct hf_export *export);
};

extern const struct hf_export_ops hf_export_pprof, hf_export_heapsnapshot, hf_export_speedscope,
    hf_export_folded, hf_export_dot, hf_export_hprof;

/* One sentence about what this format could not hold as it is. */
void hf_export_note(struct hf_export *export, const char *fmt, ...) HF_PRINTF(2, 3);
void hf_export_deinit(struct hf_export *export);

/*
 * The last component of the core's path, and how this run names itself; for the file's own
 * title. Owned by the analysis.
 */
const char *hf_export_title(const struct hf_export *export);

/* Holder of node @node, NULL for objects and the super root. */
const struct hf_holder *hf_export_holder(const struct hf_analysis *analysis, uint32_t node);

/*
 * Does the edge keep its target alive? Not so the ones from lost to reachable objects: a
 * viewer that counted them would find other retained sizes.
 */
bool hf_export_keeps(const struct hf_analysis *analysis, uint32_t source, uint32_t target);

#endif
