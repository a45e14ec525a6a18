/*
 * escape.h - strings of a core made safe for a terminal and for JSON.
 */
#ifndef HF_HEAPWALK_OUTPUT_ESCAPE_H
#define HF_HEAPWALK_OUTPUT_ESCAPE_H

#include <stddef.h>

/*
 * Valid UTF-8 without control characters: those, and bytes that are no UTF-8, become \xNN;
 * newlines and tabs \n and \t. The caller frees it. NULL when out of memory.
 */
char *hf_escape(const char *text);

/* Columns that valid UTF-8 @text takes in a terminal: its code points. */
size_t hf_columns(const char *text);

/* Bytes of @text that take at most @columns. */
size_t hf_columns_prefix(const char *text, size_t columns);

#endif
