/*
 * heapforensics.h - the post-mortem heap analysis as a library (libheapforensics).
 *
 *	struct hf_open_options options = {.core = "core.1234"};
 *	struct hf_analysis *analysis;
 *	struct hf_error *err = hf_open(&options, &analysis);
 *	if (err) { fprintf(stderr, "%s\n", hf_error_message(err)); ... }
 *	for (uint32_t id = 0; id < hf_object_count(analysis); id++) ...
 *	hf_close(analysis);
 *
 * Handles are opaque. Sizes are bytes, addresses those of the target. A function that can
 * fail returns NULL for success or an error that the caller destroys with
 * hf_error_destroy(). Strings returned live until hf_close(), unless said otherwise. An
 * analysis may be read by several threads at a time, except for the functions marked
 * "lazy": those build something at their first call and must be serialised.
 *
 * Link with: pkg-config --cflags --libs heapforensics
 */
#ifndef HEAPFORENSICS_H
#define HEAPFORENSICS_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct hf_error;
struct hf_analysis;

const char *hf_version(void); /* "0.1.0" */

const char *hf_error_message(const struct hf_error *err);
void hf_error_destroy(struct hf_error *err);

/* Zero means the default everywhere. */
struct hf_open_options {
	const char *core;	    /* path of the core or snapshot; required */
	const char *executable;	    /* the program; else found by what the core says */
	const char *sysroot;	    /* prefix for the files that the core names */
	const char *debuginfo_path; /* as elfutils' --debuginfo-path */
	unsigned threads;	    /* 0: all processors that may be used */
	bool no_heuristics;	    /* memcheck's interior-pointer heuristics off */
};

/* Analyse @options->core. The caller closes *@ret. */
struct hf_error *hf_open(const struct hf_open_options *options, struct hf_analysis **ret);
void hf_close(struct hf_analysis *analysis); /* NULL is allowed */

/* True when evidence was missing, so that figures may be lower bounds. */
bool hf_partial(const struct hf_analysis *analysis);

/* What was missing or broken: sentence @index, NULL past the last. @ret_* may be NULL. */
const char *hf_finding(const struct hf_analysis *analysis, uint32_t index, const char **ret_code,
		       uint64_t *ret_address);

/* ---- nodes: objects 0 .. objects-1, then holders, then the super root ---------------- */

#define HF_NODE_NONE UINT32_MAX

uint32_t hf_object_count(const struct hf_analysis *analysis);
uint32_t hf_node_count(const struct hf_analysis *analysis);

struct hf_object_info {
	uint64_t address;	 /* what malloc returned */
	uint64_t usable_bytes;	 /* malloc_usable_size() */
	uint64_t chunk_bytes;	 /* with its header */
	uint64_t retained_bytes; /* chunk bytes that only this object keeps alive */
	uint32_t dominator;	 /* node; HF_NODE_NONE for the super root */
	const char *leak_kind;	 /* "reachable", "possible", "indirect", "definite" */
	const char *kind;	 /* "malloc", "mmap", "allocator" */
	const char *type;	 /* its type, or its shape */
};

/* False if @id is no object. */
bool hf_object(const struct hf_analysis *analysis, uint32_t id, struct hf_object_info *ret);

/* The object whose memory contains @address, or HF_NODE_NONE. */
uint32_t hf_object_at(const struct hf_analysis *analysis, uint64_t address);

/* Retained bytes and dominator of any node; 0 and HF_NODE_NONE for one that is none. */
uint64_t hf_retained(const struct hf_analysis *analysis, uint32_t node);
uint32_t hf_dominator(const struct hf_analysis *analysis, uint32_t node);

/* A node's name for people: "g_cache (server.c:41)". The caller frees it. */
char *hf_describe(const struct hf_analysis *analysis, uint32_t node);

/* The node that a user means by "g_cache" or "0x55d0c0de2a0". */
struct hf_error *hf_resolve(const struct hf_analysis *analysis, const char *text,
			    uint32_t *ret_node);

/* Shortest chain of nodes from a root to @object. The caller frees *@ret. Lazy. */
struct hf_error *hf_path(struct hf_analysis *analysis, uint32_t object, uint32_t **ret,
			 uint32_t *ret_count);

/* Bytes and objects by leak kind. */
struct hf_leaks {
	uint64_t reachable_bytes, possible_bytes, indirect_bytes, definite_bytes;
	uint64_t reachable_count, possible_count, indirect_count, definite_count;
};
void hf_leaks(const struct hf_analysis *analysis, struct hf_leaks *ret);

#ifdef __cplusplus
}
#endif

#endif
