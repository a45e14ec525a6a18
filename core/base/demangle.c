/*
 * demangle.c - the C++ runtime's own demangler, called from C.
 *
 * Names come from untrusted files: absurdly long ones are not tried.
 */
#include "core/base/demangle.h"

#include <stddef.h>
#include <string.h>

enum { MAX_NAME = 8192 };

/* <cxxabi.h> is C++; this is the function's C declaration by the Itanium C++ ABI. */
char *__cxa_demangle(const char *mangled, char *buffer, size_t *length, int *status);

char *hf_demangle(const char *name)
{
	int status = 0;
	if (name[0] != '_' || name[1] != 'Z' || strnlen(name, MAX_NAME) == MAX_NAME)
		return NULL;
	return __cxa_demangle(name, NULL, NULL, &status);
}
