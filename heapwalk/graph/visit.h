/*
 * visit.h - private to heapwalk/graph/: breadth-first visits whose queue is kept (visit.c).
 *
 * Positions of the queue are those of struct hf_order. What is found when a node is visited:
 *
 *	a target without a mark     gets the next position, its source is the visited one
 *	a target with one           is a join: told by the target's *node* yet (positions of a level
 *	                            that is being made may still change)
 */
#ifndef HF_HEAPWALK_GRAPH_VISIT_H
#define HF_HEAPWALK_GRAPH_VISIT_H

#include "heapwalk/graph/graph_private.h"

enum hf_visit_edges {
	HF_VISIT_ALL,
	HF_VISIT_STARTS, /* interior edges are put aside, see `interior` */
};

/* What one thread visits with. Loops work on a copy, which the compiler keeps in registers. */
struct hf_visitor {
	struct hf_graph_link *link;
	const struct hf_row_block *blocks;
	uint32_t *node, *source; /* of the order */
	uint32_t *row;		 /* position -> what that node's link says of its row */
	uint32_t tail, limit;	 /* positions that it may give, the next one first */
	uint32_t first;		 /* targets met before this position are none: 0, or the lost */
	struct hf_joins joins;
	bool failed; /* out of memory */
};

struct hf_visits {
	struct hf_graph *graph;
	unsigned threads;
	uint32_t shared_from; /* levels of so many nodes are for all of them */
	uint32_t head;	      /* the next one to be visited */
	struct hf_visitor visitor[HF_VISIT_THREADS];
	struct hf_node_list interior[HF_VISIT_THREADS]; /* positions, see HF_VISIT_STARTS */
	uint64_t charged; /* bytes of joins that the account knows of */
};

/* How many positions the arrays of the order must have: runs of them are given out in advance. */
uint64_t hf_visit_positions(const struct hf_graph *graph);

/* Borrows @order. */
struct hf_error *hf_visits_init(struct hf_visits *visits, struct hf_graph *graph,
				struct hf_order *order);

/* Moves the joins into @order. */
void hf_visits_deinit(struct hf_visits *visits, struct hf_order *order);

/* The position behind the last. */
uint32_t hf_visits_tail(const struct hf_visits *visits);

/* Did memory run out? */
bool hf_visits_failed(const struct hf_visits *visits);

/* What stands in the queue now is not visited. */
void hf_visits_skip(struct hf_visits *visits);

/* From now on edges to what stands in the queue already are none. */
void hf_visits_forget(struct hf_visits *visits);

/* Put @node (without a mark) behind the last. */
void hf_visit_append(struct hf_visits *visits, uint32_t node, uint32_t source);

/* An edge from @source, which has been visited: its target is put behind the last, or joined. */
void hf_visit_follow(struct hf_visits *visits, uint32_t target, uint32_t source);

/* Visit objects from the head on until none is left. False: out of memory. */
bool hf_visit_objects(struct hf_visits *visits, enum hf_visit_edges edges);

#endif
