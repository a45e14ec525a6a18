/*
 * cxx_library.c - nodes and buffers of libstdc++ and libc++ by the names of their templates (see
 * cxx_library.h).
 *
 * The node's name is put together from the container's own name, so that its arguments are
 * spelled as the compiler spells them.
 */
#include "heapwalk/typing/cxx_library.h"

#include <stdio.h>
#include <string.h>

enum { MAX_NAME = 2048 };

struct node_rule {
	const char *prefix;   /* of the class that has the links */
	unsigned argument;    /* which argument of it is the value */
	const char *node;     /* the node's template; NULL: the class itself is the node */
	const char *base;     /* what the links are declared to point at; "%s": the value */
	const char *trailing; /* further arguments of the node's */
	const char *end;      /* another base that links point at; NULL: none */
};

#define TREE_BASE "std::__1::__tree_node_base<void *>"
#define TREE_END  "std::__1::__tree_end_node<" TREE_BASE " *>"
#define LIST_BASE "std::__1::__list_node_base<%s, void *>"

static const struct node_rule rules[] = {
    {"std::__cxx11::list<", 0, "std::_List_node<", "std::__detail::_List_node_base", NULL, NULL},
    {"std::list<", 0, "std::_List_node<", "std::__detail::_List_node_base", NULL, NULL},
    {"std::_List_node<", 0, NULL, "std::__detail::_List_node_base", NULL, NULL},
    {"std::forward_list<", 0, "std::_Fwd_list_node<", "std::_Fwd_list_node_base", NULL, NULL},
    {"std::_Fwd_list_node<", 0, NULL, "std::_Fwd_list_node_base", NULL, NULL},
    {"std::_Rb_tree<", 1, "std::_Rb_tree_node<", "std::_Rb_tree_node_base", NULL, NULL},
    {"std::_Rb_tree_node<", 0, NULL, "std::_Rb_tree_node_base", NULL, NULL},
    {"std::_Hashtable<", 1, "std::__detail::_Hash_node<", "std::__detail::_Hash_node_base",
     ", true", NULL},
    {"std::_Hashtable<", 1, "std::__detail::_Hash_node<", "std::__detail::_Hash_node_base",
     ", false", NULL},
    {"std::__detail::_Hash_node<", 0, NULL, "std::__detail::_Hash_node_base", NULL, NULL},
    {"std::__1::__tree<", 0, "std::__1::__tree_node<", TREE_BASE, ", void *", TREE_END},
    {"std::__1::__tree_node<", 0, NULL, TREE_BASE, NULL, TREE_END},
    {"std::__1::__list_imp<", 0, "std::__1::__list_node<", LIST_BASE, ", void *", NULL},
    {"std::__1::__list_node<", 0, NULL, LIST_BASE, NULL, NULL},
};

static bool starts(const char *text, const char *prefix)
{
	return !strncmp(text, prefix, strlen(prefix));
}

/* The @number-th argument in "name<a, b<c, d>, e>", as text. */
static bool argument_text(const char *name, unsigned number, char *buffer, size_t size)
{
	const char *at = strchr(name, '<'), *begin;
	int depth = 0;

	if (!at)
		return false;
	for (begin = ++at; *at; at++) {
		bool end = depth == 0 && (*at == ',' || *at == '>');
		depth += (*at == '<' || *at == '(') - (*at == '>' || *at == ')');
		if (!end)
			continue;
		if (number-- == 0) {
			size_t length = (size_t)(at - begin);
			if (length >= size)
				return false;
			memcpy(buffer, begin, length);
			buffer[length] = '\0';
			return true;
		}
		if (*at == '>')
			return false;
		begin = at + 1;
	}
	return false;
}

/* Does the hash table keep hash codes in its nodes? _Hashtable_traits' first argument says. */
static bool right_cache(const char *name, const char *trailing)
{
	const char *traits = strstr(name, "_Hashtable_traits<");
	if (!traits || !trailing)
		return true;
	/* The last one in the name is the table's own. */
	for (const char *next; (next = strstr(traits + 1, "_Hashtable_traits<"));)
		traits = next;
	bool cached = starts(traits + strlen("_Hashtable_traits<"), "true");
	return cached == !strcmp(trailing, ", true");
}

/* Some type in the container that is a pointer to the node: the value's own is not needed. */
static uint32_t node_of(struct hf_symbols *symbols, const struct node_rule *rule, uint32_t type,
			const char *name)
{
	char argument[MAX_NAME], node[MAX_NAME + 64];

	if (!rule->node)
		return type;
	if (!right_cache(name, rule->trailing) ||
	    !argument_text(name, rule->argument, argument, sizeof(argument)))
		return 0;
	snprintf(node, sizeof(node), "%s%s%s>", rule->node, argument,
		 rule->trailing ? rule->trailing : "");
	return hf_ctype_named(symbols, node);
}

static uint32_t base_of(struct hf_symbols *symbols, const struct node_rule *rule, const char *name)
{
	char argument[MAX_NAME], base[MAX_NAME + 64];
	const char *place = strstr(rule->base, "%s");

	if (!place)
		return hf_ctype_named(symbols, rule->base);
	if (!argument_text(name, rule->argument, argument, sizeof(argument)))
		return 0;
	snprintf(base, sizeof(base), "%.*s%s%s", (int)(place - rule->base), rule->base, argument,
		 place + 2);
	return hf_ctype_named(symbols, base);
}

bool stdlib_container(struct hf_symbols *symbols, uint32_t type, struct stdlib_nodes *nodes)
{
	const char *name = hf_ctype_get(symbols, type)->name;

	if (!name || !starts(name, "std::"))
		return false;
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		const struct node_rule *rule = &rules[i];
		if (!starts(name, rule->prefix))
			continue;
		uint32_t to = node_of(symbols, rule, type, name);
		uint32_t from = to ? base_of(symbols, rule, name) : 0;
		uint32_t end = from && rule->end ? hf_ctype_named(symbols, rule->end) : 0;
		if (from)
			*nodes =
			    (struct stdlib_nodes){from, end, to, hf_ctype_pointer(symbols, to)};
	}
	return true;
}

uint32_t stdlib_buffer(struct hf_symbols *symbols, uint32_t type)
{
	const struct hf_ctype *of = hf_ctype_get(symbols, type);
	const char *name = of->name;

	if (!name || (!starts(name, "__gnu_cxx::__aligned_membuf<") &&
		      !starts(name, "__gnu_cxx::__aligned_buffer<")))
		return 0;
	uint32_t held = hf_ctype_argument(symbols, type, 0);
	return held && hf_ctype_get(symbols, held)->size <= of->size ? held : 0;
}

bool stdlib_is_pointer_to(struct hf_symbols *symbols, uint32_t type, uint32_t target)
{
	return hf_ctype_get(symbols, type)->kind == HF_CTYPE_POINTER &&
	       hf_ctype_target(symbols, type) == target;
}

/* ---- shapes ---------------------------------------------------------------------------------- */

enum { MAX_SEARCH = 64, MAX_SHAPE_WORDS = STDLIB_WORDS };

struct shape_rule {
	const char *prefix;
	uint8_t kind;
	const char *members[MAX_SHAPE_WORDS]; /* "outer.inner" */
};

#define VECTOR_WORDS                                                                               \
	{                                                                                          \
		"_M_start", "_M_finish", "_M_end_of_storage"                                       \
	}
#define TREE_WORDS                                                                                 \
	{                                                                                          \
		"_M_header._M_parent", "_M_node_count"                                             \
	}
#define HASH_WORDS                                                                                 \
	{                                                                                          \
		"_M_buckets", "_M_bucket_count", "_M_before_begin._M_nxt", "_M_element_count"      \
	}

#define LIBCXX_TREE_WORDS                                                                          \
	{                                                                                          \
		"__pair1_.__left_", "__pair3_.__value_"                                            \
	}
#define LIBCXX_HASH_WORDS                                                                          \
	{                                                                                          \
		"__bucket_list_.__value_", "__bucket_list_.__data_.__value_", "__p1_.__next_",     \
		    "__p2_.__value_"                                                               \
	}

static const struct shape_rule shape_rules[] = {
    {"std::vector<bool,", STDLIB_BITS, {"_M_start._M_p", "_M_finish._M_p", "_M_end_of_storage"}},
    {"std::vector<", STDLIB_VECTOR, VECTOR_WORDS},
    {"std::__cxx11::basic_string<",
     STDLIB_STRING,
     {"_M_dataplus._M_p", "_M_string_length", "_M_allocated_capacity"}},
    {"std::deque<",
     STDLIB_DEQUE,
     {"_M_map", "_M_map_size", "_M_start._M_node", "_M_finish._M_node", "_M_start._M_cur",
      "_M_start._M_last", "_M_finish._M_cur", "_M_finish._M_first"}},
    {"std::__cxx11::list<", STDLIB_LIST, {"_M_node._M_next", "_M_node._M_prev", "_M_node._M_size"}},
    {"std::forward_list<", STDLIB_FORWARD_LIST, {"_M_head._M_next"}},
    {"std::map<", STDLIB_TREE, TREE_WORDS},
    {"std::multimap<", STDLIB_TREE, TREE_WORDS},
    {"std::set<", STDLIB_TREE, TREE_WORDS},
    {"std::multiset<", STDLIB_TREE, TREE_WORDS},
    {"std::unordered_map<", STDLIB_HASH, HASH_WORDS},
    {"std::unordered_multimap<", STDLIB_HASH, HASH_WORDS},
    {"std::unordered_set<", STDLIB_HASH, HASH_WORDS},
    {"std::unordered_multiset<", STDLIB_HASH, HASH_WORDS},
    {"std::__1::vector<bool,", STDLIB_NONE, {NULL}},
    {"std::__1::vector<", STDLIB_VECTOR, {"__begin_", "__end_", "__end_cap_.__value_"}},
    {"std::__1::basic_string<", STDLIB_SHORT_STRING, {"__data_", "__size_", "__cap_"}},
    {"std::__1::deque<",
     STDLIB_SIZED_DEQUE,
     {"__map_.__first_", "__map_.__begin_", "__map_.__end_", "__size_.__value_"}},
    {"std::__1::list<",
     STDLIB_LIST,
     {"__end_.__next_", "__end_.__prev_", "__size_alloc_.__value_"}},
    {"std::__1::map<", STDLIB_TREE, LIBCXX_TREE_WORDS},
    {"std::__1::multimap<", STDLIB_TREE, LIBCXX_TREE_WORDS},
    {"std::__1::set<", STDLIB_TREE, LIBCXX_TREE_WORDS},
    {"std::__1::multiset<", STDLIB_TREE, LIBCXX_TREE_WORDS},
    {"std::__1::unordered_map<", STDLIB_HASH, LIBCXX_HASH_WORDS},
    {"std::__1::unordered_multimap<", STDLIB_HASH, LIBCXX_HASH_WORDS},
    {"std::__1::unordered_set<", STDLIB_HASH, LIBCXX_HASH_WORDS},
    {"std::__1::unordered_multiset<", STDLIB_HASH, LIBCXX_HASH_WORDS},
};

/* The member called @name in @type or what is in it, breadth first. */
static bool find_member(struct hf_symbols *symbols, uint32_t type, const char *name, size_t length,
			uint32_t *ret_type, uint64_t *ret_offset)
{
	struct place {
		uint32_t type;
		uint64_t offset;
	} places[MAX_SEARCH];
	uint32_t count = 0;

	places[count++] = (struct place){type, 0};
	for (uint32_t at = 0; at < count; at++) {
		const struct hf_cmember *members = NULL;
		uint32_t number = hf_ctype_members(symbols, places[at].type, &members);
		for (uint32_t i = 0; i < number; i++) {
			uint64_t offset = places[at].offset + members[i].offset;
			if (members[i].name && strlen(members[i].name) == length &&
			    !memcmp(members[i].name, name, length)) {
				*ret_type = members[i].type;
				*ret_offset = offset;
				return true;
			}
			if (count < MAX_SEARCH)
				places[count++] = (struct place){members[i].type, offset};
		}
	}
	return false;
}

bool stdlib_member(struct hf_symbols *symbols, uint32_t type, const char *path,
		   uint32_t *ret_offset, uint32_t *ret_type)
{
	uint64_t total = 0, offset = 0;

	for (;;) {
		size_t length = strcspn(path, ".");
		if (!find_member(symbols, type, path, length, &type, &offset))
			return false;
		total += offset;
		if (!path[length])
			break;
		path += length + 1;
	}
	if (total >= UINT32_MAX)
		return false;
	*ret_offset = (uint32_t)total;
	if (ret_type)
		*ret_type = type;
	return true;
}

/* "name<...>", and nothing behind it: a class in the template is another thing. */
static bool is_whole(const char *name)
{
	const char *at = strchr(name, '<');
	int depth = 0;

	for (; at && *at; at++) {
		depth += (*at == '<') - (*at == '>');
		if (depth == 0)
			return at[1] == '\0';
	}
	return false;
}

bool stdlib_shape(struct hf_symbols *symbols, uint32_t type, struct stdlib_shape *ret)
{
	const struct hf_ctype *of = hf_ctype_get(symbols, type);

	if (!of->name || !starts(of->name, "std::") || !is_whole(of->name))
		return false;
	for (size_t i = 0; i < sizeof(shape_rules) / sizeof(shape_rules[0]); i++) {
		const struct shape_rule *rule = &shape_rules[i];
		struct stdlib_shape shape = {.kind = rule->kind};
		if (!starts(of->name, rule->prefix))
			continue;
		for (int w = 0; w < MAX_SHAPE_WORDS && rule->members[w]; w++) {
			if (!stdlib_member(symbols, type, rule->members[w], &shape.words[w],
					   NULL) ||
			    shape.words[w] + 8 > of->size)
				return false;
		}
		*ret = shape;
		return true;
	}
	return false;
}
