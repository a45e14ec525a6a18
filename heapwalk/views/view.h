/*
 * view.h - what the commands answer: each view fills a document from an analysis.
 *
 * A view reads the analysis, decides what matters, and says it in the user's words; it knows
 * neither terminals nor JSON. All views have one signature, so that the command table (cli/)
 * and GDB's helper need no more than a pointer.
 */
#ifndef HF_HEAPWALK_VIEWS_VIEW_H
#define HF_HEAPWALK_VIEWS_VIEW_H

#include "heapwalk/analysis.h"
#include "heapwalk/views/doc.h"

struct hf_oomlog;

struct hf_view_options {
	const char *core, *binary;	 /* as the user gave them, for hints; binary may be NULL */
	const char *argument;		 /* ADDR or VARIABLE; NULL if none was given */
	uint64_t top;			 /* rows of a table; 0: the view's own default */
	uint32_t depth;			 /* of a tree; 0: default */
	uint64_t min_bytes;		 /* leave out what is smaller */
	bool all;			 /* --all */
	const char *by;			 /* --by: "type", "holder", "module"; NULL: the tree */
	const char *type;		 /* of path: the type whose objects are meant; NULL */
	const char *suppressions;	 /* file; NULL */
	const struct hf_oomlog *oom_log; /* NULL: none was given */
	struct hf_analysis *baseline;	 /* an older core of the process; NULL: none was given */
};

typedef struct hf_error *hf_view_fn(struct hf_analysis *analysis,
				    const struct hf_view_options *options, struct hf_doc *doc);

hf_view_fn hf_view_report, hf_view_summary, hf_view_arenas, hf_view_leaks, hf_view_dominators,
    hf_view_types, hf_view_waste, hf_view_object, hf_view_path, hf_view_refs, hf_view_check;

/* True if there is a graph; else a sentence in the document says why not. */
bool hf_view_has_heap(const struct hf_analysis *analysis, struct hf_doc *doc);

/* "heapforensics COMMAND core.1234 ./server ARGUMENT": a hint that can be pasted. */
void hf_view_hint(struct hf_doc *doc, const struct hf_view_options *options, const char *command,
		  const char *argument);
/* The same with an @option behind the command, which needs no quotes; or NULL. */
void hf_view_hint_with(struct hf_doc *doc, const struct hf_view_options *options,
		       const char *command, const char *argument, const char *option);

#endif
