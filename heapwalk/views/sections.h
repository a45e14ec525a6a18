/*
 * sections.h - the parts of the report, each in a file of its own; summary shares them.
 */
#ifndef HF_HEAPWALK_VIEWS_SECTIONS_H
#define HF_HEAPWALK_VIEWS_SECTIONS_H

#include "heapwalk/views/leak_groups.h"
#include "heapwalk/views/tops.h"
#include "heapwalk/views/tree.h"
#include "heapwalk/views/view.h"

/* Heap totals that several sections speak of. Bytes are chunk bytes. */
struct hf_heap_totals {
	uint64_t objects, inuse_bytes; /* the program's objects: without the allocator's own */
	uint64_t tcache_bytes, bins_bytes, top_bytes, overhead_bytes, system_bytes, mmapped_bytes;
	uint64_t pools_bytes; /* free in pools of an allocator layered over malloc */
	uint64_t layer_bytes; /* what of system_bytes that allocator took */
	uint64_t free_bytes;  /* all that is free */
	struct hf_leak_total leaks[HF_LEAK_KINDS];
	uint64_t lost_bytes, lost_count; /* definite and indirect */
};
void hf_heap_totals(const struct hf_analysis *analysis, struct hf_heap_totals *ret);

/*
 * The objects of one type, two or more, that several holders share each (or one, and what it alone
 * leads to of its type), and that together retain more than any other type's or any holder; false
 * if it is none of these that retains most.
 */
bool hf_biggest_group(struct hf_analysis *analysis, const struct hf_tops *tops,
		      struct hf_top_group *ret);

/* Shares of the heap in use: from which on the lost are a leak, and one that holds is who holds. */
enum { HF_LEAK_PERCENT = 10, HF_RETENTION_PERCENT = 30 };

/* Of our own snapshots only. */
void hf_section_snapshot(const struct hf_analysis *analysis, struct hf_doc *doc);
/*
 * The variable (or TLS block) that leads to @object, which others hold as well; HF_NO_NODE if none
 * does, or none that is near.
 */
uint32_t hf_strong_holder(const struct hf_analysis *analysis, uint32_t object);
/* Two holders that lead to @object, the stronger and nearer first. Returns how many are near. */
uint32_t hf_sharing_holders(const struct hf_analysis *analysis, uint32_t object, uint32_t ret[2]);

void hf_section_process(const struct hf_analysis *analysis, struct hf_doc *doc);
/* @tops: NULL where there is no graph. */
void hf_section_verdict(struct hf_analysis *analysis, const struct hf_tops *tops,
			struct hf_doc *doc);
/* Of a process whose allocator we do not know, in place of holders and dominators. */
struct hf_error *hf_section_mappings(const struct hf_analysis *analysis, struct hf_doc *doc);
/* Sums of the ledger. */
struct hf_ledger {
	uint64_t all_bytes, anonymous_bytes; /* the latter: in no other line */
	uint64_t ended_bytes, ended_threads; /* stacks of ended threads */
};
void hf_ledger_sum(const struct hf_analysis *analysis, struct hf_ledger *ret);
/* What the verdict speaks of first: free memory not given back, memory that is not malloc's. */
bool hf_mostly_free(const struct hf_heap_totals *totals);
bool hf_mostly_outside(const struct hf_ledger *sum);
void hf_section_ledger(const struct hf_analysis *analysis, struct hf_doc *doc);
/* @groups: of what is definitely lost, in any order. */
void hf_section_leaks(const struct hf_analysis *analysis, struct hf_leak_groups *groups,
		      struct hf_doc *doc);
struct hf_error *hf_holders_tree(struct hf_analysis *analysis,
				 const struct hf_view_options *options, struct hf_tree *ret);
void hf_section_holders(struct hf_analysis *analysis, const struct hf_tree *tree,
			struct hf_doc *doc);
/* Against @options->baseline. */
struct hf_error *hf_section_growth(struct hf_analysis *analysis,
				   const struct hf_view_options *options, struct hf_doc *doc);
struct hf_error *hf_section_suspects(struct hf_analysis *analysis, const struct hf_tops *tops,
				     struct hf_doc *doc);

/* At most `top` types with objects (all: 0), those with most bytes first; what each retains. */
struct hf_type_lines {
	uint32_t *types, count;
	uint64_t *retained; /* by type */
};
struct hf_error *hf_type_lines_make(struct hf_analysis *analysis, uint64_t top,
				    struct hf_type_lines *ret);
void hf_type_lines_tell(const struct hf_analysis *analysis, const struct hf_type_lines *lines,
			struct hf_doc *doc);
void hf_type_lines_deinit(struct hf_type_lines *lines);
/* Both. */
struct hf_error *hf_section_types(struct hf_analysis *analysis, uint64_t top, struct hf_doc *doc);
void hf_section_findings(const struct hf_analysis *analysis, struct hf_doc *doc);
/* What malloc complained of when it called abort(); nothing if it did not. */
void hf_section_abort(struct hf_analysis *analysis, struct hf_doc *doc);
void hf_section_evidence(const struct hf_analysis *analysis, struct hf_doc *doc);

/* "stack of thread 3 \"worker\", in read_loop()" and the like: owned by the document. */
const char *hf_thread_name(const struct hf_analysis *analysis, struct hf_doc *doc, uint32_t thread);

/* "ended by SIGSEGV at address 0x0 in thread 1, strlen() called by main() (a.c:9)" */
const char *hf_ending_text(const struct hf_analysis *analysis, struct hf_doc *doc);

/* "main() (server.c:96)" of the frame where the thread left the program's own code; or NULL. */
const char *hf_thread_place(const struct hf_analysis *analysis, struct hf_doc *doc,
			    uint32_t thread);

/*
 * @bytes from @address on, 16 a line with the characters beside them; [ ] around the
 * @mark_bytes at @mark. The document's; NULL where there is no memory.
 */
const char *hf_hexdump(const struct hf_analysis *analysis, struct hf_doc *doc, uint64_t address,
		       uint64_t bytes, uint64_t mark, uint64_t mark_bytes);
/* A group of objects, or one node by its name. */
const char *hf_tree_label(const struct hf_analysis *analysis, struct hf_doc *doc,
			  const struct hf_tree_node *node);

/* Holder or object for people, with what it holds where that is one thing; the document's. */
const char *hf_node_name(const struct hf_analysis *analysis, struct hf_doc *doc, uint32_t node);

/* Why an object stands at the top of the dominator tree: several holders share it, or it is lost.
 * NULL for any other node. The document's. */
const char *hf_node_note(const struct hf_analysis *analysis, struct hf_doc *doc, uint32_t object);

/* The content field by field; nothing where no structure is known. */
void hf_section_fields(struct hf_analysis *analysis, struct hf_doc *doc, uint32_t object);

/* Groups of untyped objects by what they hide. */
struct hf_error *hf_section_untyped(struct hf_analysis *analysis, struct hf_doc *doc);

/*
 * What each of the @count @types keeps alive is added to its place in @retained, in which every
 * type has one; others may be filled in as well.
 */
struct hf_error *hf_retained_by_type(struct hf_analysis *analysis, const uint32_t *types,
				     uint32_t count, uint64_t *retained);

/* dominators --by=WHAT */
struct hf_error *hf_view_by(struct hf_analysis *analysis, const struct hf_view_options *options,
			    struct hf_doc *doc);

/* path --type=TYPE: the shortest chains to all objects of a type, merged. */
struct hf_error *hf_view_merged_paths(struct hf_analysis *analysis,
				      const struct hf_view_options *options, struct hf_doc *doc);

/* The node that the user means (options->argument), which must be there. */
struct hf_error *hf_view_resolve(struct hf_analysis *analysis,
				 const struct hf_view_options *options, bool object_only,
				 uint32_t *ret);

uint64_t hf_node_address(const struct hf_analysis *analysis, uint32_t node);

/* Where in its source the pointer stands: "buckets[17]"; NULL if unknown. The document's. */
const char *hf_edge_field(const struct hf_analysis *analysis, struct hf_doc *doc,
			  const struct hf_edge *edge);

#endif
