/*
 * terminal.h - where GDB's output goes.
 */
#ifndef HF_GDBPLUGIN_TERMINAL_H
#define HF_GDBPLUGIN_TERMINAL_H

#include <stdbool.h>
#include <stdint.h>

/* Would GDB, process @gdb, show colours: is its output a terminal's, and not a pipe's or MI's? */
bool hf_gdb_shows_colors(uint32_t gdb);

#endif
