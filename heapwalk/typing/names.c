/*
 * names.c - C++ type names as people write them.
 *
 *	std::map<std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> >,
 *		 int, std::less<...>, std::allocator<...> >   ->   std::map<std::string, int>
 *
 * Arguments that a template has by default are left out where they stand last but for others
 * of them: allocators, comparisons, hashes, deleters, character traits. In place: a name only gets
 * shorter.
 */
#include <string.h>

#include "heapwalk/typing/private.h"

static const char *const defaults[] = {
    ", std::allocator<", ", std::less<",	", std::hash<",
    ", std::equal_to<",	 ", std::char_traits<", ", std::default_delete<",
};

/* Past the '>' that closes what @at stands behind the '<' of; NULL: none does. */
static const char *closing(const char *at)
{
	for (int depth = 1; *at; at++) {
		if (*at == '<')
			depth++;
		else if (*at == '>' && (at[-1] != '-') && --depth == 0)
			return at + 1;
	}
	return NULL;
}

/* Past a default argument that starts at @at; @at itself if there is none. */
static const char *skip_default(const char *at)
{
	for (size_t i = 0; i < sizeof(defaults) / sizeof(defaults[0]); i++) {
		size_t length = strlen(defaults[i]);
		if (strncmp(at, defaults[i], length))
			continue;
		const char *end = closing(at + length);
		return end ? end : at;
	}
	return at;
}

/* Take @text off the front. */
static bool take(const char **at, const char *text)
{
	size_t length = strlen(text);
	if (strncmp(*at, text, length))
		return false;
	*at += length;
	return true;
}

static char *put(char *to, const char *text)
{
	size_t length = strlen(text);
	memcpy(to, text, length);
	return to + length;
}

/* The libraries' inner namespaces and the space before '>', which not every compiler writes. */
static void take_inner(char *name)
{
	const char *at = name;
	char *to = name;

	while (*at) {
		if (take(&at, "std::__cxx11::") || take(&at, "std::__1::"))
			to = put(to, "std::");
		else if (at[0] == ' ' && at[1] == '>')
			at++;
		else
			*to++ = *at++;
	}
	*to = '\0';
}

void typing_shorten(char *name)
{
	const char *at = name;
	char *to = name;

	if (!strstr(name, "std::"))
		return;
	take_inner(name);
	while (*at) {
		const char *next = skip_default(at);
		if (next != at)
			at = next;
		else if (take(&at, "std::basic_string<char, std::char_traits<char>, "
				   "std::allocator<char>>"))
			to = put(to, "std::string");
		else
			*to++ = *at++;
	}
	*to = '\0';
}
