/*
 * list.h - one list of the browser: what stands below a node of the dominator tree, or who points
 * where, as rows that are read when the list is opened and sorted only as far as they are shown.
 *
 * A list has a subject: one node, or a group of objects of one type with the chains of that type
 * folded into it (views/tree.h tells why). A row is a 31-bit number: a node, or with HF_ROW_GROUP
 * an index in the list's groups. So a row costs 4 bytes, and the figures are looked up in the
 * graph.
 *
 * Invariant of HF_LIST_CHILDREN: the subject's own bytes and what its rows retain (those that the
 * filter hides included) make the subject's retained bytes.
 */
#ifndef HF_HEAPWALK_EXPLORE_LIST_H
#define HF_HEAPWALK_EXPLORE_LIST_H

#include "heapwalk/analysis.h"
#include "heapwalk/explore/lazy_sort.h"

enum hf_list_kind {
	HF_LIST_CHILDREN, /* what the subject dominates */
	HF_LIST_MEMBERS,  /* each object of the subject */
	HF_LIST_SOURCES,  /* who points at it */
	HF_LIST_TARGETS,  /* whom it points at */
	HF_LIST_PATH,	  /* the shortest chain of pointers from a root to it */
};

enum hf_sort {
	HF_SORT_RETAINED,
	HF_SORT_SHALLOW,
	HF_SORT_COUNT,
	HF_SORT_NAME,
	HF_SORT_ADDRESS, /* objects by address, then holders */
	HF_SORT_ORDER,	 /* of HF_LIST_PATH: as the path goes */
};

#define HF_ROW_GROUP UINT32_C(0x80000000)
#define HF_NO_ROW    UINT32_MAX
#define HF_NO_TYPE   UINT32_MAX

enum { HF_FILTER_BYTES = 128 };

struct hf_group {
	uint32_t type;
	bool lost;
	uint32_t example;	    /* the member that retains most */
	uint64_t tops;		    /* members that no other member dominates */
	uint64_t retained, objects; /* sums over the tops */
	uint64_t members, shallow;  /* with the chains; a lower bound if !counted */
	bool counted;
};

HF_VEC(hf_nodes, uint32_t);

struct hf_subject {
	struct hf_nodes tops; /* one node, or those of a group */
	uint32_t type;	      /* of a group, whose chains are folded; HF_NO_TYPE: one node */
};

/* Names of holders, made once: sorting and filtering by name ask often. */
struct hf_names {
	const struct hf_analysis *analysis;
	char **holders;
};
struct hf_error *hf_names_create(const struct hf_analysis *analysis, struct hf_names **ret);
void hf_names_destroy(struct hf_names *names);
/* A holder's name, an object's type: not escaped. Never NULL. */
const char *hf_names_of(struct hf_names *names, uint32_t node);

struct hf_list {
	struct hf_analysis *analysis;
	struct hf_names *names;
	enum hf_list_kind kind;
	struct hf_subject subject; /* owned */
	/* how it is shown */
	bool grouped; /* of HF_LIST_CHILDREN: objects of one type make one row */
	enum hf_sort sort;
	bool reverse;
	char filter[HF_FILTER_BYTES];
	/* what is in it */
	HF_VEC(, uint32_t) rows;
	HF_VEC(, struct hf_group) groups;
	struct hf_lazy_sort order;
	uint64_t hidden;	    /* rows that the filter leaves out */
	uint64_t members, own;	    /* of the subject: objects, their chunk bytes */
	uint64_t retained, objects; /* of the subject: sums over its tops */
};

/* Takes over @subject's memory, on failure too. The dominator tree is opened if it is not. */
struct hf_error *hf_list_open(struct hf_analysis *analysis, struct hf_names *names,
			      enum hf_list_kind kind, struct hf_subject *subject, bool grouped,
			      struct hf_list *ret);
void hf_list_deinit(struct hf_list *list);

/* Read it again after `grouped`, `sort`, `reverse` or `filter` were changed. */
struct hf_error *hf_list_refresh(struct hf_list *list);

/* The row at @index of the order; HF_NO_ROW past the end. Sorts that far. */
struct hf_error *hf_list_row(struct hf_list *list, uint64_t index, uint32_t *ret);
/* Where the row of @node stands; false if it has none. */
struct hf_error *hf_list_find(struct hf_list *list, uint32_t node, bool *ret, uint64_t *ret_index);

uint32_t hf_list_node(const struct hf_list *list, uint32_t row); /* a group's: its example */
uint64_t hf_list_retained(const struct hf_list *list, uint32_t row);
uint64_t hf_list_shallow(const struct hf_list *list, uint32_t row);
uint64_t hf_list_objects(const struct hf_list *list, uint32_t row);

/* What a list below @row is of. */
struct hf_error *hf_list_subject(const struct hf_list *list, uint32_t row, struct hf_subject *ret);

/* Each member of @subject, tops first and each followed by its chain. False of @fn: stop. */
typedef bool hf_member_fn(void *ctx, uint32_t node);
void hf_subject_each(const struct hf_analysis *analysis, const struct hf_subject *subject,
		     hf_member_fn *fn, void *ctx);

#endif
