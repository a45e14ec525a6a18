/*
 * browser.h - where the user is in the dominator tree: a stack of lists, each with a cursor.
 *
 * This is all of `explore` but the terminal: it knows no keys and no screen, so tests drive it.
 * The first list is of all roots; opening a row puts a list on the stack, back() takes it off, and
 * a jump puts the list on it in which its goal stands. Strings of a line are escaped.
 */
#ifndef HF_HEAPWALK_EXPLORE_BROWSER_H
#define HF_HEAPWALK_EXPLORE_BROWSER_H

#include "heapwalk/explore/list.h"

struct hf_level {
	struct hf_list list;
	uint32_t focus; /* the node that it is of, a group's example */
	char *title;	/* escaped */
	uint64_t cursor, top;
	uint32_t serial;
};

/* A row as it is shown. Strings live until the next call of hf_browser_line(). */
struct hf_line {
	uint32_t node;
	const char *name; /* "struct session  x 2,411,022" */
	const char
	    *pointer;	  /* of pointers and paths: where the word is, and where into what: or "" */
	const char *note; /* why it stands here, what text; or "" */
	uint64_t retained, shallow, objects;
	bool shallow_exact;
	bool holder, lost;
	bool opens;	    /* something stands below it */
	double share;	    /* of the heap */
	double level_share; /* of what the list is of; 0 if the rows are no parts of that */
};

struct hf_browser;

/* Start at the list of all roots. The analysis must have a graph and types. */
struct hf_error *hf_browser_create(struct hf_analysis *analysis, struct hf_browser **ret);
void hf_browser_destroy(struct hf_browser *browser);

uint32_t hf_browser_depth(const struct hf_browser *browser); /* levels on the stack, 1 or more */
const struct hf_level *hf_browser_level(const struct hf_browser *browser, uint32_t depth);
const struct hf_level *hf_browser_here(const struct hf_browser *browser); /* the one on top */
uint64_t hf_browser_rows(const struct hf_browser *browser);

struct hf_error *hf_browser_line(struct hf_browser *browser, uint64_t index, struct hf_line *ret);

/* The cursor to row @index, or to the last; the window of @height rows follows it. */
void hf_browser_move(struct hf_browser *browser, uint64_t index, uint64_t height);

/* The node of the row under the cursor, a group's example; HF_NO_NODE in an empty list. */
struct hf_error *hf_browser_selected(struct hf_browser *browser, uint32_t *ret);

/*
 * Put the list of @kind of the selected row on the stack; *@ret false, and nothing happens, if it
 * would be empty. Of a list of pointers, a path or members opening goes on with the row's children.
 */
struct hf_error *hf_browser_open(struct hf_browser *browser, enum hf_list_kind kind, bool *ret);
bool hf_browser_back(struct hf_browser *browser); /* false: at the first list */

/* The same order again is turned round. Of a path, by address means as it goes. */
struct hf_error *hf_browser_sort(struct hf_browser *browser, enum hf_sort sort);
struct hf_error *hf_browser_group(struct hf_browser *browser); /* by type, or each object alone */
struct hf_error *hf_browser_filter(struct hf_browser *browser, const char *text);

/*
 * Go to what @text means (hf_analysis_resolve): the cursor stands on it in the list of what
 * dominates it. *@ret HF_NO_NODE if *@ret_address is neither an object nor a root: nothing happens.
 */
struct hf_error *hf_browser_jump(struct hf_browser *browser, const char *text, uint32_t *ret,
				 uint64_t *ret_address);
/* Likewise to a node: from anywhere to its place in the tree. Where its row is in the list on top
 * already, the cursor goes there, and no list is put on the stack. */
struct hf_error *hf_browser_go(struct hf_browser *browser, uint32_t node);

#endif
