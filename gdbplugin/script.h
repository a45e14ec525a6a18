/*
 * script.h - writing GDB scripts: echo blocks and convenience variables.
 */
#ifndef HF_GDBPLUGIN_SCRIPT_H
#define HF_GDBPLUGIN_SCRIPT_H

#include <stddef.h>
#include <stdio.h>

/* @text as one `echo`, so that GDB prints exactly it. Nothing if it is empty. */
void hf_gdb_echo(FILE *to, const char *text, size_t length);

/* set $NAME = "TEXT", to be sourced as C. */
void hf_gdb_set_text(FILE *to, const char *name, const char *text);

#endif
