/*
 * tree.h - the dominator tree as people can read it: like objects in one line.
 *
 * Below a node, children of the same type make one group; a chain of one type (a linked list
 * dominates itself link by link) is folded into the group it starts in:
 *
 *	g_sessions                     1.02 GiB          1 holder
 *	`- 64 KiB pointer array        1.02 GiB          1
 *	   `- struct session           1.01 GiB  2,411,022   (children and chains together)
 *	      `- text                  120 MiB   2,411,022
 *
 * A group's retained bytes are the sum over its members that no other member dominates, so
 * they add up: the groups below a node, and the node's own bytes, make the node's retained.
 */
#ifndef HF_HEAPWALK_VIEWS_TREE_H
#define HF_HEAPWALK_VIEWS_TREE_H

#include "heapwalk/analysis.h"

enum hf_tree_lost {
	HF_TREE_WITH_LOST,
	HF_TREE_WITHOUT_LOST, /* below the super root no objects that no root reaches */
	HF_TREE_ONLY_LOST,    /* below the super root only those */
};

struct hf_tree_options {
	uint32_t depth;	    /* levels below the start; at most HF_TREE_MAX_DEPTH */
	uint64_t top;	    /* groups shown below the start; 0: all */
	uint64_t top_below; /* below other nodes; 0: as many */
	uint64_t min_bytes; /* retained of a group to be shown, and to be opened */
	enum hf_tree_lost lost;
	bool single; /* no groups: every node a line of its own */
};

enum { HF_TREE_MAX_DEPTH = 200 };

struct hf_tree_node {
	uint32_t example; /* the member that retains most; HF_NO_NODE for the rest line */
	uint32_t depth;	  /* 0 for the start */
	uint64_t count;	  /* members */
	uint64_t retained_bytes, shallow_bytes;
	uint64_t objects; /* dominated, members included */
};

HF_VEC(hf_tree, struct hf_tree_node);

/* Preorder; the start node first. What is not shown below a node stands in a rest line. */
struct hf_error *hf_tree_build(struct hf_analysis *analysis, uint32_t start,
			       const struct hf_tree_options *options, struct hf_tree *ret);

#endif
