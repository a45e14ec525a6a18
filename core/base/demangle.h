/*
 * demangle.h - C++ (Itanium ABI) names for people.
 */
#ifndef HF_CORE_BASE_DEMANGLE_H
#define HF_CORE_BASE_DEMANGLE_H

/* The demangled name, or NULL if @name is not mangled. The caller frees it. */
char *hf_demangle(const char *name);

#endif
