/*
 * chains.h - the whole dominator tree as aggregated chains of labels: what flame graphs show.
 *
 * A label is a kind of root ("frame"), a holder by its name ("g_cache (server.c:41)"), or
 * a type of objects. Every object is counted at exactly one link of a trie:
 *
 *	(root)
 *	|- variable
 *	|  `- g_sessions (server.c:41)
 *	|     `- struct session		all sessions that only g_sessions keeps
 *	|        `- text		and the texts that only one session keeps
 *	`- lost
 *	   `- ...
 *
 *	total[link] = own[link] + sum of total[children];	total[0] = the heap in use
 *
 * So a link's own bytes are the shallow ones of its objects, its total is what they retain
 * together. A label that stands already above on the same chain (a linked list, a tree:
 * they dominate themselves link by link) is folded onto that place, hence no chain is
 * longer than there are labels, and totals stay exact.
 */
#ifndef HF_HEAPWALK_VIEWS_CHAINS_H
#define HF_HEAPWALK_VIEWS_CHAINS_H

#include "heapwalk/analysis.h"

struct hf_chain_label {
	const char *name; /* as the core has it: not escaped */
	const char *file; /* of a variable, or of a frame's function; NULL */
	uint32_t line;
	bool object; /* a type; else a root */
};

struct hf_chain {
	uint32_t parent, label, depth; /* parent's index is lower; of [0]: HF_NO_NODE */
	uint64_t own_objects, own_bytes, total_objects, total_bytes;
};

struct hf_chains {
	HF_VEC(, struct hf_chain_label) labels;
	HF_VEC(, struct hf_chain) chains;
	uint64_t folded; /* objects counted at a link above their own depth */
	void *priv;
};

/* chains[0] is all of the heap; those of depth 1 are the kinds of roots. */
struct hf_error *hf_chains_create(struct hf_analysis *analysis, const struct hf_progress *progress,
				  struct hf_chains *ret);
void hf_chains_deinit(struct hf_chains *chains);

#endif
