/*
 * demangle.c - the C++ runtime's own demangler, called from C; Rust's names (demangle_rust.c);
 * symbol versions are cut off.
 *
 * Names come from untrusted files: absurdly long ones are not tried.
 */
#include "core/base/demangle.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/demangle_rust.h"

enum { MAX_NAME = 8192 };

/* <cxxabi.h> is C++; this is the function's C declaration by the Itanium C++ ABI. */
char *__cxa_demangle(const char *mangled, char *buffer, size_t *length, int *status);

/* "g_names[abi:cxx11]" is g_names to everyone but the linker. */
static void drop_abi_tags(char *name)
{
	static const char tag[] = "[abi:";
	for (char *at = strstr(name, tag); at; at = strstr(at, tag)) {
		char *end = strchr(at, ']');
		if (!end)
			return;
		memmove(at, end + 1, strlen(end + 1) + 1);
	}
}

char *hf_demangle(const char *name)
{
	size_t length = strnlen(name, MAX_NAME), plain = strcspn(name, "@");
	bool mangled = name[0] == '_' && name[1] == 'Z';
	int status = 0;

	if (length < MAX_NAME && name[0] == '_' && name[1] == 'R')
		return demangle_rust_v0(name);
	if (length == MAX_NAME || (!mangled && plain == length))
		return NULL;
	char *cut = strndup(name, plain);
	if (!cut || !mangled)
		return cut;
	char *demangled = __cxa_demangle(cut, NULL, NULL, &status);
	if (!demangled && plain != length)
		return cut;
	free(cut);
	if (demangled) {
		drop_abi_tags(demangled);
		demangle_rust_legacy(demangled);
	}
	return demangled;
}

const char *hf_call_brackets(const char *function)
{
	const char *last = strrchr(function, ')');

	/* "(anonymous namespace)::work", "<impl Run for (A, B)>::run": brackets, but not its own.
	 */
	return last && !strpbrk(last, ":>{}") ? "" : "()";
}
