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

/* What makes a function's name a call: "()", or "" where it says its parameters, as C++'s do. */
const char *hf_call_brackets(const char *function);

#endif
