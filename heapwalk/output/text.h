/*
 * text.h - private to output/text*.c: a writer that knows the terminal's width and colours.
 */
#ifndef HF_HEAPWALK_OUTPUT_TEXT_H
#define HF_HEAPWALK_OUTPUT_TEXT_H

#include <stdio.h>

#include "heapwalk/output/output.h"

struct text_writer {
	FILE *to;
	unsigned width; /* 0: unlimited */
	bool color;
};

/* Value for people, escaped; @exact adds the plain number of bytes. The caller frees it. */
char *text_value(const struct hf_value *value, bool exact);

/* Switch emphasis on (and back to HF_PLAIN) where there are colours. */
void text_emphasis(const struct text_writer *writer, enum hf_emphasis emphasis);

/* Wrap @text (escaped) at the width, each line behind @indent spaces but the first @first. */
void text_wrap(const struct text_writer *writer, const char *text, unsigned first, unsigned indent);

/* text_table.c */
void text_table(const struct text_writer *writer, const struct hf_table *table, unsigned indent);

#endif
