/*
 * demangle_rust.h - Rust's names for people; hf_demangle() (demangle.h) calls these.
 */
#ifndef HF_CORE_BASE_DEMANGLE_RUST_H
#define HF_CORE_BASE_DEMANGLE_RUST_H

/* What the C++ demangler made of a legacy name, mended in place; C++ names stay as they are. */
void demangle_rust_legacy(char *name);

/* @name, which begins with "_R", as a path; NULL if it has types in it. The caller frees it. */
char *demangle_rust_v0(const char *name);

#endif
