/*
 * demangle_rust.c - Rust's symbol names as people write them.
 *
 *	legacy	_ZN3std2io5Write5write17h0123456789abcdefE, which the C++ demangler has read:
 *		std::io::Write::write::h0123456789abcdef; the hash goes, and
 *		_$LT$T$u20$as$u20$a..B$GT$ is <T as a::B>
 *	v0	_R N<kind> N<kind> C<crate> <name> <name>: a path of plain names; paths with types
 *		in them (generic arguments, impls) stay as they are (Rust RFC 2603)
 */
#include "core/base/demangle_rust.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { HASH_DIGITS = 16, MAX_DEPTH = 64 };

/* Cut off "::h0123456789abcdef"; false: it is no name of Rust's. */
static bool cut_hash(char *name)
{
	size_t length = strlen(name), tail = strlen("::h") + HASH_DIGITS;

	if (length <= tail || strncmp(name + length - tail, "::h", 3) != 0 ||
	    strspn(name + length - HASH_DIGITS, "0123456789abcdef") != HASH_DIGITS)
		return false;
	name[length - tail] = '\0';
	return true;
}

/* "$LT$" at @at: its character, and its length to *@ret_length; 0 if it is none. */
static char escape_at(const char *at, size_t *ret_length)
{
	static const struct {
		const char *text;
		char character;
	} escapes[] = {{"$SP$", '@'}, {"$BP$", '*'}, {"$RF$", '&'}, {"$LT$", '<'},
		       {"$GT$", '>'}, {"$LP$", '('}, {"$RP$", ')'}, {"$C$", ','}};
	for (size_t i = 0; i < sizeof(escapes) / sizeof(escapes[0]); i++) {
		*ret_length = strlen(escapes[i].text);
		if (!strncmp(at, escapes[i].text, *ret_length))
			return escapes[i].character;
	}
	char *end = NULL;
	unsigned long code = strncmp(at, "$u", 2) ? 0 : strtoul(at + 2, &end, 16);
	if (code < ' ' || code > '~' || *end != '$')
		return 0;
	*ret_length = (size_t)(end + 1 - at);
	return (char)code;
}

void demangle_rust_legacy(char *name)
{
	char *to = name;

	if (!cut_hash(name))
		return;
	for (const char *at = name; *at;) {
		size_t length = 0;
		bool starts = to == name || to[-1] == ':';
		if (*at == '_' && at[1] == '$' && starts) {
			at++;
		} else if (!strncmp(at, "..", 2)) {
			*to++ = ':';
			*to++ = ':';
			at += 2;
		} else if (*at == '$' && (*to = escape_at(at, &length))) {
			to++;
			at += length;
		} else {
			*to++ = *at++;
		}
	}
	*to = '\0';
}

/* [s <base 62> _] <length> [_] <bytes> at *@at: the bytes and how many; NULL if it is none. */
static const char *identifier(const char **at, size_t *ret_length)
{
	const char *from = *at;
	char *end;

	if (*from == 's') {
		from += 1 + strspn(from + 1, "0123456789abcdefghijklmnopqrstuvwxyz"
					     "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
		if (*from++ != '_')
			return NULL;
	}
	if (!isdigit((unsigned char)*from))
		return NULL;
	unsigned long length = strtoul(from, &end, 10);
	end += *end == '_';
	if (length > strlen(end))
		return NULL;
	*at = end + length;
	*ret_length = length;
	return end;
}

char *demangle_rust_v0(const char *name)
{
	const char *at = name + strlen("_R"), *part;
	char kinds[MAX_DEPTH];
	size_t depth = 0, length = 0, filled = 0;

	for (; *at == 'N' && at[1] && depth < MAX_DEPTH; at += 2)
		kinds[depth++] = at[1];
	if (*at++ != 'C' || depth == MAX_DEPTH || !(part = identifier(&at, &length)))
		return NULL;
	char *plain = calloc(strlen(name) + depth * sizeof("::{closure}") + 1, 1);
	if (!plain)
		return NULL;
	for (;;) {
		memcpy(plain + filled, part, length);
		filled += length;
		if (depth == 0)
			return plain;
		char kind = kinds[--depth];
		if (!(part = identifier(&at, &length)))
			break;
		memcpy(plain + filled, "::", 2);
		filled += 2;
		if (length == 0 && isupper((unsigned char)kind)) {
			part = kind == 'C' ? "{closure}" : "{shim}";
			length = strlen(part);
		}
	}
	free(plain);
	return NULL;
}
