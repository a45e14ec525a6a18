/*
 * hexdump.c - bytes of the target for people.
 *
 *	0x55d0c0de2a0  41 41 41 41 41 41 41 41 [41 41 41 41 00 00 00 00] AAAAAAAAAAAA....
 *
 * A mark takes the place of a gap, so that it moves nothing.
 */
#include <inttypes.h>
#include <stdio.h>

#include "heapwalk/views/sections.h"

enum { LINE = 16, MAX_BYTES = 512, LINE_TEXT = 128 };

static bool inside(uint64_t address, uint64_t mark, uint64_t bytes)
{
	return bytes && address >= mark && address - mark < bytes;
}

/* What stands before the byte at @address; two characters in the middle of a line. */
static char *put_gap(char *to, uint64_t address, uint64_t place, uint64_t mark, uint64_t bytes)
{
	bool here = place < LINE && inside(address, mark, bytes);
	bool there = place > 0 && inside(address - 1, mark, bytes);

	if (place == LINE / 2 && !(there && !here))
		*to++ = ' ';
	*to++ = here && !there ? '[' : there && !here ? ']' : ' ';
	if (place == LINE / 2 && there && !here)
		*to++ = ' ';
	return to;
}

static void dump_line(const uint8_t *data, uint64_t count, uint64_t address, uint64_t mark,
		      uint64_t mark_bytes, char text[LINE_TEXT])
{
	char *to = text + snprintf(text, LINE_TEXT, "0x%" PRIx64 " ", address);

	for (uint64_t i = 0; i < LINE; i++) {
		to = put_gap(to, address + i, i, mark, mark_bytes);
		if (i < count)
			to += snprintf(to, 3, "%02x", data[i]);
		else
			to += snprintf(to, 3, "  ");
	}
	to = put_gap(to, address + LINE, LINE, mark, mark_bytes);
	*to++ = ' ';
	for (uint64_t i = 0; i < count; i++)
		*to++ = data[i] >= 0x20 && data[i] < 0x7f ? (char)data[i] : '.';
	*to = '\0';
}

const char *hf_hexdump(const struct hf_analysis *analysis, struct hf_doc *doc, uint64_t address,
		       uint64_t bytes, uint64_t mark, uint64_t mark_bytes)
{
	uint8_t data[MAX_BYTES];
	char line[LINE_TEXT];
	const char *text = NULL;

	bytes = bytes < sizeof(data) ? bytes : sizeof(data);
	if (!bytes || !hf_image_read(&analysis->process->image, address, data, bytes))
		return NULL;
	for (uint64_t at = 0; at < bytes; at += LINE) {
		uint64_t count = bytes - at < LINE ? bytes - at : LINE;
		dump_line(data + at, count, address + at, mark, mark_bytes, line);
		text = hf_doc_printf(doc, "%s%s\n", text ? text : "", line);
	}
	return text;
}
