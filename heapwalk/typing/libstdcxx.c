/*
 * libstdcxx.c - nodes and buffers of libstdc++ by the names of their templates (see libstdcxx.h).
 *
 * The node's name is put together from the container's own name, so that its arguments are
 * spelled as the compiler spells them.
 */
#include "heapwalk/typing/libstdcxx.h"

#include <stdio.h>
#include <string.h>

enum { MAX_NAME = 2048 };

struct node_rule {
	const char *prefix;   /* of the class that has the links */
	unsigned argument;    /* which argument of it is the value */
	const char *node;     /* the node's template; NULL: the class itself is the node */
	const char *base;     /* what the links are declared to point at */
	const char *trailing; /* further arguments of the node's */
};

static const struct node_rule rules[] = {
    {"std::__cxx11::list<", 0, "std::_List_node<", "std::__detail::_List_node_base", NULL},
    {"std::list<", 0, "std::_List_node<", "std::__detail::_List_node_base", NULL},
    {"std::_List_node<", 0, NULL, "std::__detail::_List_node_base", NULL},
    {"std::forward_list<", 0, "std::_Fwd_list_node<", "std::_Fwd_list_node_base", NULL},
    {"std::_Fwd_list_node<", 0, NULL, "std::_Fwd_list_node_base", NULL},
    {"std::_Rb_tree<", 1, "std::_Rb_tree_node<", "std::_Rb_tree_node_base", NULL},
    {"std::_Rb_tree_node<", 0, NULL, "std::_Rb_tree_node_base", NULL},
    {"std::_Hashtable<", 1, "std::__detail::_Hash_node<", "std::__detail::_Hash_node_base",
     ", true"},
    {"std::_Hashtable<", 1, "std::__detail::_Hash_node<", "std::__detail::_Hash_node_base",
     ", false"},
    {"std::__detail::_Hash_node<", 0, NULL, "std::__detail::_Hash_node_base", NULL},
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
		uint32_t from = to ? hf_ctype_named(symbols, rule->base) : 0;
		if (from)
			*nodes = (struct stdlib_nodes){from, to, hf_ctype_pointer(symbols, to)};
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
