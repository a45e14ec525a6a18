/*
 * demangle.h - C++ (Itanium ABI) and Rust names for people.
 */
#ifndef HF_CORE_BASE_DEMANGLE_H
#define HF_CORE_BASE_DEMANGLE_H

/*
 * The plain name: demangled, without a symbol version ("write@GLIBC_2.2.5"); NULL if @name is
 * plain already. The caller frees it.
 */
char *hf_demangle(const char *name);

#endif
