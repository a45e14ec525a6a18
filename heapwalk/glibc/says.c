/*
 * says.c - what malloc says of a broken heap, by version.
 *
 * Findings carry the words of the newest glibc. Most of them are as old as 2.17; these tests came
 * later, and before that malloc said something else, or nothing and went on.
 */
#include <string.h>

#include "heapwalk/glibc/glibc.h"

static const struct {
	uint8_t first; /* version that says it */
	const char *text, *before;
} sayings[] = {
    {21, "corrupted double-linked list (not small)", NULL}, /* but an assertion */
    {26, "corrupted size vs. prev_size", NULL},
    {29, "free(): double free detected in tcache 2", NULL},
    {29, "malloc(): corrupted top size", NULL},
    {29, "malloc(): unsorted double linked list corrupted", NULL},
    {29, "malloc(): invalid size (unsorted)", "malloc(): memory corruption"},
    {33, "free(): too many chunks detected in tcache", NULL},
};

const char *glibc_says(const struct glibc *glibc, const char *text)
{
	int newest = glibc->version ? glibc->version : glibc->layout.class->last;

	for (size_t i = 0; i < sizeof(sayings) / sizeof(sayings[0]); i++) {
		if (newest < sayings[i].first && !strcmp(text, sayings[i].text))
			return sayings[i].before;
	}
	return text;
}
