/*
 * merged_paths.c - the shortest chains from the roots to all objects of a type, merged.
 *
 *	g_cache (cache.c:41)				400 of them
 *	`- struct cache
 *	   `- struct entry *[]
 *	      `- struct entry				(also by way of others of its type)
 *	         `- struct value			400
 *
 * Each object's chain is its predecessor's with its own type behind. Chains are links of a trie
 * of types; an object of its predecessor's type stands at the same link, so lists are folded.
 * The link of an object is found once and remembered: one walk over the chains in all.
 */
#include <stdlib.h>
#include <string.h>

#include "core/base/cleanup.h"
#include "heapwalk/views/sections.h"

enum { DEFAULT_TOP = 25, MAX_LINKS = 1 << 22, NO_LINK = 0 };

struct trie_link {
	uint32_t parent; /* link; 0 for a holder's */
	uint32_t node;	 /* a holder, the super root, or an example object */
	uint32_t type;	 /* of objects */
	uint32_t next;	 /* same slot of the hash table */
	uint32_t depth;
	uint64_t count, bytes; /* of objects of the wanted type at or below it */
	uint64_t own;	       /* at it */
};

struct merge {
	struct hf_analysis *analysis;
	uint32_t *link_of; /* object -> link */
	HF_VEC(, struct trie_link) links;
	uint32_t *slots;
	uint32_t slot_count;
	HF_VEC(, uint32_t) stack;
	bool failed;
};

static uint64_t key_hash(uint32_t parent, uint32_t type, uint32_t node)
{
	uint64_t hash = (uint64_t)parent << 32 ^ (uint64_t)type << 8 ^ node;
	hash *= UINT64_C(0x9e3779b97f4a7c15);
	return hash ^ hash >> 29;
}

static bool grow(struct merge *merge)
{
	uint32_t count = merge->slot_count ? merge->slot_count * 2 : 1024;
	uint32_t *slots = calloc(count, sizeof(*slots));

	if (!slots)
		return false;
	for (uint32_t i = 1; i < merge->links.count; i++) {
		struct trie_link *link = &merge->links.data[i];
		uint32_t node = link->parent == NO_LINK ? link->node : 0;
		uint32_t at = (uint32_t)key_hash(link->parent, link->type, node) & (count - 1);
		link->next = slots[at];
		slots[at] = i;
	}
	free(merge->slots);
	merge->slots = slots;
	merge->slot_count = count;
	return true;
}

/* The link of @type below @parent, or of a root (@parent NO_LINK) by its node. */
static uint32_t link_below(struct merge *merge, uint32_t parent, uint32_t type, uint32_t node)
{
	if (merge->links.count >= merge->slot_count && !grow(merge)) {
		merge->failed = true;
		return NO_LINK;
	}
	uint32_t distinct = parent == NO_LINK ? node : 0;
	uint32_t slot = (uint32_t)key_hash(parent, type, distinct) & (merge->slot_count - 1);
	for (uint32_t i = merge->slots[slot]; i; i = merge->links.data[i].next) {
		const struct trie_link *link = &merge->links.data[i];
		if (link->parent == parent && link->type == type &&
		    (parent != NO_LINK || link->node == node))
			return i;
	}
	struct trie_link made = {.parent = parent,
				 .node = node,
				 .type = type,
				 .next = merge->slots[slot],
				 .depth = parent ? merge->links.data[parent].depth + 1 : 0};
	if (merge->links.count >= MAX_LINKS || !hf_vec_push(&merge->links, made)) {
		merge->failed = true;
		return NO_LINK;
	}
	return merge->slots[slot] = (uint32_t)merge->links.count - 1;
}

/* Up to what is known, then down again. */
static uint32_t link_of(struct merge *merge, uint32_t object)
{
	const struct hf_analysis *analysis = merge->analysis;
	uint32_t objects = hf_graph_objects(analysis->graph), at = object, link = NO_LINK;

	merge->stack.count = 0;
	while (at < objects && !merge->link_of[at]) {
		if (!hf_vec_push(&merge->stack, at)) {
			merge->failed = true;
			return NO_LINK;
		}
		at = hf_graph_path_parent(analysis->graph, at);
	}
	if (at < objects)
		link = merge->link_of[at];
	else
		link = link_below(merge, NO_LINK, UINT32_MAX, at);
	while (merge->stack.count && !merge->failed) {
		uint32_t next = merge->stack.data[--merge->stack.count];
		uint32_t type = hf_typing_of(analysis->typing, next);
		if (merge->links.data[link].type != type)
			link = link_below(merge, link, type, next);
		merge->link_of[next] = link;
	}
	return link;
}

/* ---- telling --------------------------------------------------------------------------------- */

static const struct hf_column columns[] = {
    {"what", "", HF_COLUMN_TREE | HF_COLUMN_ELASTIC},
    {"count", "lead to", 0},
    {"shallow_bytes", "bytes", 0},
    {"own_count", NULL, HF_COLUMN_JSON_ONLY},
    {"example", "for example", HF_COLUMN_OPTIONAL | HF_COLUMN_BLANK},
};

static const char *link_name(const struct merge *merge, struct hf_doc *doc,
			     const struct trie_link *link)
{
	if (link->parent != NO_LINK)
		return hf_typing_type(merge->analysis->typing, link->type)->name;
	if (link->node == HF_NO_NODE)
		return "nothing that is known";
	if (link->node == hf_graph_root(merge->analysis->graph))
		return "lost leaders";
	return hf_node_name(merge->analysis, doc, link->node);
}

static int compare_links(const void *a, const void *b, void *ctx)
{
	const struct merge *merge = ctx;
	const struct trie_link *x = &merge->links.data[*(const uint32_t *)a];
	const struct trie_link *y = &merge->links.data[*(const uint32_t *)b];
	if (x->parent != y->parent)
		return x->parent < y->parent ? -1 : 1;
	if (x->count != y->count)
		return x->count < y->count ? 1 : -1;
	return (x > y) - (x < y);
}

/* Links in the order of their parents, the fullest first; *@first is where each one's begin. */
static bool sort_links(struct merge *merge, uint32_t **ret_order, uint32_t **ret_first)
{
	uint32_t count = (uint32_t)merge->links.count;
	uint32_t *order = malloc(((size_t)count + 1) * sizeof(*order));
	uint32_t *first = calloc((size_t)count + 1, sizeof(*first));

	if (!order || !first) {
		free(order);
		free(first);
		return false;
	}
	for (uint32_t i = 0; i + 1 < count; i++)
		order[i] = i + 1;
	qsort_r(order, count - 1, sizeof(*order), compare_links, merge);
	order[count - 1] = 0; /* ends the last one's */
	for (uint32_t i = count - 1; i-- > 0;)
		first[merge->links.data[order[i]].parent] = i + 1;
	*ret_order = order;
	*ret_first = first;
	return true;
}

static void tell_link(const struct merge *merge, struct hf_doc *doc, struct hf_table *table,
		      uint32_t number)
{
	const struct trie_link *link = &merge->links.data[number];
	bool object = link->parent != NO_LINK;

	hf_doc_row(doc, table, link->depth);
	hf_doc_cell(doc, table, hf_text(link_name(merge, doc, link)));
	hf_doc_cell(doc, table, hf_count(link->count));
	hf_doc_cell(doc, table, hf_bytes(link->bytes));
	hf_doc_cell(doc, table, hf_count(link->own));
	hf_doc_cell(doc, table,
		    object ? hf_address(hf_extents_address(merge->analysis->extents, link->node))
			   : hf_none());
}

static uint64_t shown_at_most(const struct hf_view_options *options)
{
	return options->all ? UINT64_MAX : options->top ? options->top : DEFAULT_TOP;
}

/* In preorder, the fullest first. */
static bool tell_links(struct merge *merge, const struct hf_view_options *options,
		       struct hf_doc *doc)
{
	HF_AUTO(free_ptr) uint32_t *order = NULL;
	HF_AUTO(free_ptr) uint32_t *first = NULL;
	uint64_t left = shown_at_most(options);
	struct hf_table *table =
	    hf_doc_table(doc, "paths", NULL, columns, sizeof(columns) / sizeof(columns[0]));

	if (!sort_links(merge, &order, &first))
		return false;
	/* The place in `order` of the next sibling of each open level. */
	merge->stack.count = 0;
	if (first[NO_LINK] && !hf_vec_push(&merge->stack, first[NO_LINK] - 1))
		return false;
	uint32_t parent = NO_LINK;
	while (merge->stack.count && left) {
		uint32_t *at = &merge->stack.data[merge->stack.count - 1];
		uint32_t link = order[*at];
		if (link == 0 || merge->links.data[link].parent != parent ||
		    merge->links.data[link].count == 0) {
			merge->stack.count--;
			parent = merge->links.data[parent].parent;
			continue;
		}
		++*at;
		tell_link(merge, doc, table, link);
		left--;
		if (first[link]) {
			parent = link;
			if (!hf_vec_push(&merge->stack, first[link] - 1))
				return false;
		}
	}
	return true;
}

/* A list that ends at its limit says so. */
static void tell_rest(const struct merge *merge, const struct hf_view_options *options,
		      struct hf_doc *doc)
{
	uint64_t top = shown_at_most(options), links = 0;

	for (size_t i = 1; i < merge->links.count; i++)
		links += merge->links.data[i].count > 0;
	if (links > top)
		hf_doc_note(doc, "%s more line%s not shown: --all, or --top=N.",
			    hf_doc_count_text(doc, links - top),
			    links - top == 1 ? " is" : "s are");
}

/* Add up from the ends: a link's number is above its parent's. */
static void add_up(struct merge *merge)
{
	for (size_t i = merge->links.count; i-- > 1;) {
		struct trie_link *link = &merge->links.data[i];
		if (link->parent == NO_LINK)
			continue;
		merge->links.data[link->parent].count += link->count;
		merge->links.data[link->parent].bytes += link->bytes;
	}
}

static struct hf_error *run_merge(struct merge *merge, const struct hf_view_options *options,
				  struct hf_doc *doc)
{
	const struct hf_analysis *analysis = merge->analysis;
	uint32_t objects = hf_graph_objects(analysis->graph);
	struct trie_link none = {0};
	uint64_t found = 0;

	merge->link_of = calloc((size_t)objects + 1, sizeof(*merge->link_of));
	if (!merge->link_of || !hf_vec_push(&merge->links, none))
		return hf_error_nomem();
	for (uint32_t id = 0; id < objects && !merge->failed; id++) {
		const struct hf_type *type =
		    hf_typing_type(analysis->typing, hf_typing_of(analysis->typing, id));
		if (strcmp(type->name, options->type))
			continue;
		uint32_t number = link_of(merge, id); /* may move the links */
		struct trie_link *link = &merge->links.data[number];
		link->own++;
		link->count++;
		link->bytes += hf_extents_chunk_bytes(analysis->extents, id);
		found++;
	}
	if (merge->failed)
		return hf_error_nomem();
	if (found == 0)
		return hf_error_create(HF_ERR_NOT_FOUND,
				       "no object is of type \"%s\"; the command types lists them",
				       options->type);
	add_up(merge);
	hf_doc_begin(doc, "merged",
		     hf_doc_printf(doc, "SHORTEST CHAINS TO %s %s", hf_doc_count_text(doc, found),
				   options->type));
	bool told = tell_links(merge, options, doc);
	tell_rest(merge, options, doc);
	hf_doc_end(doc);
	return told ? NULL : hf_error_nomem();
}

struct hf_error *hf_view_merged_paths(struct hf_analysis *analysis,
				      const struct hf_view_options *options, struct hf_doc *doc)
{
	struct merge merge = {.analysis = analysis};
	struct hf_error *err = hf_graph_open_paths(analysis->graph);

	if (!err)
		err = run_merge(&merge, options, doc);
	free(merge.link_of);
	free(merge.links.data);
	free(merge.slots);
	free(merge.stack.data);
	return err;
}
