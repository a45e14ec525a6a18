/*
 * values.c - what GDB's users get back from a command (see values.h).
 *
 * A type's name comes from the program's own debug information, and so from a file that may be
 * hostile: it becomes part of an expression that GDB evaluates, so only plain characters pass
 * (GDB has $_shell()). GDB may not know the type: `thread apply ID -s` is the one way of its
 * command language to try something without failing.
 */
#include "gdbplugin/values.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "heapwalk/cli/gate.h"

enum { MAX_VALUES = 9999, MAX_TYPED = 256, MAX_TYPE_NAME = 512 };

/* ---- addresses in a text --------------------------------------------------------------------- */

/* "  0x55d0c0de2a0  e0 e2 61 .." */
static bool is_hexdump(const char *line, const char *address, const char *end)
{
	if (strspn(line, " ") != (size_t)(address - line) || strncmp(end, "  ", 2))
		return false;
	return isxdigit((unsigned char)end[2]) && isxdigit((unsigned char)end[3]) &&
	       end[4] == ' ' && isxdigit((unsigned char)end[5]) && isxdigit((unsigned char)end[6]);
}

/* 0x at @at, not the tail of a word; *@ret_end is past it. Mapping ranges are skipped whole. */
static bool address_at(const char *text, const char *at, const char **ret_end)
{
	size_t digits = strspn(at + 2, "0123456789abcdef");
	const char *end = at + 2 + digits;

	*ret_end = end;
	if (digits < 3 || digits > 16 || isalnum((unsigned char)*end) || *end == '_')
		return false;
	if (at > text && (isalnum((unsigned char)at[-1]) || at[-1] == '_' || at[-1] == '+')) {
		/* The m that ends a colour is no letter of a word. */
		const char *escape = at - 1;
		while (escape > text && (isdigit((unsigned char)escape[-1]) || escape[-1] == ';'))
			escape--;
		if (at[-1] != 'm' || escape == text || escape[-1] != '[')
			return false;
	}
	if (end[0] == '-' && !strncmp(end + 1, "0x", 2)) {
		*ret_end = end + 3 + strspn(end + 3, "0123456789abcdef");
		return false;
	}
	return true;
}

static bool known_already(const struct hf_gdb_values *values, uint64_t address)
{
	hf_vec_foreach (value, &values->list) {
		if (value->address == address)
			return true;
	}
	return false;
}

/* ---- types ----------------------------------------------------------------------------------- */

/* A name that can stand in a cast, or NULL; see the head of this file. */
static char *castable(const char *name)
{
	static const char plain[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_:<>, *";
	static const char anonymous[] = "(anonymous namespace)";
	size_t length = strcspn(name, "[");

	if (length == 0 || length > MAX_TYPE_NAME ||
	    !(isalpha((unsigned char)*name) || *name == '_' || *name == '('))
		return NULL;
	for (size_t at = 0; at < length;) {
		if (!strncmp(name + at, anonymous, sizeof(anonymous) - 1))
			at += sizeof(anonymous) - 1;
		else if (strchr(plain, name[at]))
			at++;
		else
			return NULL;
	}
	return strndup(name, length);
}

static char *type_at(const struct hf_analysis *analysis, uint64_t address)
{
	if (!analysis || !analysis->typing || !analysis->extents)
		return NULL;
	uint32_t object = hf_extents_find(analysis->extents, address);
	if (object == HF_NO_OBJECT || hf_extents_address(analysis->extents, object) != address)
		return NULL;
	uint32_t index = hf_typing_of(analysis->typing, object);
	if (index >= hf_typing_types(analysis->typing))
		return NULL;
	const struct hf_type *type = hf_typing_type(analysis->typing, index);
	switch (type->source) {
	case HF_TYPE_VTABLE:
	case HF_TYPE_VARIABLE:
	case HF_TYPE_FIELD:
	case HF_TYPE_CONTAINER:
		return castable(type->name);
	default:
		return NULL;
	}
}

void hf_gdb_values_scan(struct hf_gdb_values *values, const char *text,
			const struct hf_analysis *analysis)
{
	const char *line = text, *end = NULL;

	values->scanned = true;
	for (const char *at = text; at && *at && values->list.count < MAX_VALUES; at++) {
		if (*at == '\n')
			line = at + 1;
		if (at[0] != '0' || at[1] != 'x')
			continue;
		bool good = address_at(text, at, &end) && !is_hexdump(line, at, end);
		uint64_t address = good ? strtoull(at, NULL, 16) : 0;
		at = end - 1;
		if (!good || known_already(values, address))
			continue;
		struct hf_gdb_value value = {address, type_at(analysis, address)};
		if (!hf_vec_push(&values->list, value)) {
			free(value.type);
			return;
		}
	}
}

/* ---- figures --------------------------------------------------------------------------------- */

void hf_gdb_values_figures(struct hf_gdb_values *values, struct hf_analysis *analysis)
{
	const char *help, *name;
	char text[64];

	for (unsigned i = 0; (name = hf_gate_figure(i, &help)); i++) {
		struct hf_gdb_figure figure = {.name = name};
		struct hf_gate gate;
		bool holds;
		if (!strcmp(name, "retained") || !strncmp(name, "growth", 6))
			continue;
		bool of_graph = strstr(name, "leaked") || strstr(name, "definite") ||
				strstr(name, "indirect") || strstr(name, "possible");
		snprintf(text, sizeof(text), "%s > 0", name);
		struct hf_error *err = hf_gate_parse(text, &gate);
		figure.known = !err && analysis->allocator && (analysis->graph || !of_graph);
		if (figure.known)
			err = hf_gate_test(&gate, analysis, &holds, &figure.value);
		figure.known &= !err;
		hf_error_destroy(err);
		if (!hf_vec_push(&values->figures, figure))
			return;
	}
}

/* ---- the script ------------------------------------------------------------------------------ */

/* C's tags are C; other names may be C++'s, which knows C's typedefs as well. */
static void write_typed(const struct hf_gdb_value *value, size_t number, const char *thread,
			FILE *to)
{
	const char *type = value->type;
	bool tag = !strncmp(type, "struct ", 7) || !strncmp(type, "union ", 6);

	fprintf(to, "thread apply %s -s -q -- %sset $hf%zu = (%s *) 0x%" PRIx64 "\n", thread,
		tag ? "" : "with language c++ -- ", number, type, value->address);
}

void hf_gdb_values_write(const struct hf_gdb_values *values, unsigned long before,
			 const char *thread, FILE *to)
{
	size_t number = 0, typed = 0;

	hf_vec_foreach (value, &values->list)
		fprintf(to, "set $hf%zu = (void *) 0x%" PRIx64 "\n", ++number, value->address);
	for (unsigned long old = number + 1; old <= before && old <= MAX_VALUES; old++)
		fprintf(to, "set $hf%lu = (void) 0\n", old);
	fprintf(to, "set $hf_count = %zu\n", number);
	hf_vec_foreach (figure, &values->figures) {
		if (figure->known)
			fprintf(to, "set $hf_%s = %.0f\n", figure->name, figure->value);
		else
			fprintf(to, "set $hf_%s = (void) 0\n", figure->name);
	}
	number = 0;
	hf_vec_foreach (value, &values->list) {
		number++;
		if (value->type && *thread && typed++ < MAX_TYPED)
			write_typed(value, number, thread, to);
	}
}

void hf_gdb_values_deinit(struct hf_gdb_values *values)
{
	hf_vec_foreach (value, &values->list)
		free(value->type);
	hf_vec_free(&values->list);
	hf_vec_free(&values->figures);
}
