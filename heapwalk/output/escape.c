/*
 * escape.c - strings of a core made safe (see escape.h).
 *
 * UTF-8 as in RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF. The C1 control
 * characters (U+0080 to U+009F) are escaped too: some terminals obey them. So are the
 * bidirectional controls, which make a terminal show something else than what is there.
 */
#include "heapwalk/output/escape.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Length of the sequence at @at, 0 if it is invalid; *@ret_code gets the code point. */
static unsigned decode(const uint8_t *at, uint32_t *ret_code)
{
	static const uint32_t lowest[] = {0, 0, 0x80, 0x800, 0x10000};
	unsigned length = at[0] < 0x80 ? 1 : at[0] >= 0xf0 ? 4 : at[0] >= 0xe0 ? 3 : 2;
	uint32_t code = at[0];

	if (length > 1) {
		if (at[0] < 0xc2 || at[0] > 0xf4)
			return 0;
		code = at[0] & (0x7fu >> length);
		for (unsigned i = 1; i < length; i++) {
			if ((at[i] & 0xc0) != 0x80)
				return 0;
			code = code << 6 | (at[i] & 0x3f);
		}
	}
	if (code < lowest[length] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
		return 0;
	*ret_code = code;
	return length;
}

static int harmless(uint32_t code)
{
	return code >= 0x20 && !(code >= 0x7f && code < 0xa0) &&
	       !(code >= 0x200b && code <= 0x200f) && !(code >= 0x2028 && code <= 0x202e) &&
	       !(code >= 0x2066 && code <= 0x2069) && code != 0xfeff;
}

char *hf_escape(const char *text)
{
	const uint8_t *at = (const uint8_t *)text;
	char *escaped = malloc(strlen(text) * 4 + 1), *to = escaped;

	if (!escaped)
		return NULL;
	while (*at) {
		uint32_t code = 0;
		unsigned length = decode(at, &code);
		if (length && harmless(code)) {
			memcpy(to, at, length);
			to += length;
			at += length;
		} else if (*at == '\n' || *at == '\t') {
			*to++ = '\\';
			*to++ = *at++ == '\n' ? 'n' : 't';
		} else {
			for (unsigned i = 0; i < (length ? length : 1); i++)
				to += sprintf(to, "\\x%02x", *at++);
		}
	}
	*to = '\0';
	return escaped;
}

size_t hf_columns(const char *text)
{
	size_t columns = 0;
	for (; *text; text++)
		columns += ((uint8_t)*text & 0xc0) != 0x80;
	return columns;
}

size_t hf_columns_prefix(const char *text, size_t columns)
{
	size_t at = 0;
	while (text[at]) {
		if (((uint8_t)text[at] & 0xc0) != 0x80 && columns-- == 0)
			break;
		at++;
	}
	return at;
}
