/*
 * vtable.c - C++ classes by their vtables (Itanium C++ ABI, section 2.5).
 *
 *	_ZTV6Widget:  | offset to top | typeinfo | f0 | f1 | ... | -16 | typeinfo | ...
 *	                                           ^ address point (primary)        ^ secondary
 *
 * An object's first word is an address point. With a symbol the class is its name; in a
 * stripped file the typeinfo before the address point leads to the mangled type name.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/demangle.h"
#include "core/symbols/private.h"

enum { MAX_TYPE_NAME = 1024 };

static const struct hf_vtable_symbol *symbol_at(const struct hf_symbols *symbols, uint64_t address)
{
	size_t low = 0, high = symbols->vtables.count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct hf_vtable_symbol *at = &symbols->vtables.data[middle];
		if (address < at->address)
			high = middle;
		else if (address - at->address >= at->size)
			low = middle + 1;
		else
			return at;
	}
	return NULL;
}

/* "vtable for X" -> "X" */
static const char *class_of_symbol(struct hf_symbols *symbols,
				   const struct hf_vtable_symbol *vtable)
{
	static const char prefix[] = "vtable for ";
	char *plain = hf_demangle(vtable->mangled);
	const char *kept = NULL;
	if (plain && !strncmp(plain, prefix, sizeof(prefix) - 1))
		kept = hf_strpool_dup(symbols->strings, plain + sizeof(prefix) - 1);
	free(plain);
	return kept;
}

static bool in_module(const struct hf_symbols *symbols, uint64_t address)
{
	const struct hf_mapping *mapping = hf_process_mapping(symbols->process, address);
	return mapping && mapping->module != HF_NO_INDEX;
}

/* The type's name by its typeinfo: {vtable of typeinfo's class, name, ...}. */
static const char *class_of_typeinfo(struct hf_symbols *symbols, uint64_t typeinfo)
{
	const struct hf_image *image = &symbols->process->image;
	uint64_t word = image->word_bytes, kind = 0, name = 0;
	char mangled[MAX_TYPE_NAME + 2] = "_Z";

	if (!in_module(symbols, typeinfo) || typeinfo % word ||
	    !hf_image_word(image, typeinfo, &kind) || !in_module(symbols, kind) ||
	    !hf_image_word(image, typeinfo + word, &name) || !in_module(symbols, name) ||
	    !hf_image_string(image, name, mangled + 2, MAX_TYPE_NAME))
		return NULL;
	const char *text = mangled[2] == '*' ? mangled + 3 : mangled + 2;
	if (!isdigit((unsigned char)text[0]) && text[0] != 'N' && text[0] != 'S')
		return NULL;
	/* A class's own encoding is a type: let the demangler read it as a typeinfo symbol. */
	char symbol[MAX_TYPE_NAME + 8] = "_ZTI";
	strncat(symbol, text, MAX_TYPE_NAME);
	char *plain = hf_demangle(symbol);
	static const char prefix[] = "typeinfo for ";
	const char *kept = plain && !strncmp(plain, prefix, sizeof(prefix) - 1)
			       ? hf_strpool_dup(symbols->strings, plain + sizeof(prefix) - 1)
			       : NULL;
	free(plain);
	return kept;
}

const char *hf_symbols_vtable_at(struct hf_symbols *symbols, uint64_t address, bool *ret_primary)
{
	const struct hf_image *image = &symbols->process->image;
	uint64_t word = image->word_bytes, top = 0, typeinfo = 0, function = 0;
	const uint64_t limit = 1u << 24;

	if (address % word || address < 2 * word || !in_module(symbols, address) ||
	    !hf_image_word(image, address - 2 * word, &top) ||
	    !hf_image_word(image, address - word, &typeinfo))
		return NULL;
	uint64_t distance = word == 8 ? 0 - top : (uint32_t)(0 - top);
	const struct hf_mapping *mapping = hf_process_mapping(symbols->process, address);
	if (distance > limit || (mapping->flags & HF_SEGMENT_W))
		return NULL;
	const struct hf_vtable_symbol *vtable = symbol_at(symbols, address);
	const char *name = NULL;
	if (vtable && address - vtable->address >= 2 * word)
		name = class_of_symbol(symbols, vtable);
	if (!name && hf_image_word(image, address, &function) &&
	    (function == 0 || in_module(symbols, function)))
		name = class_of_typeinfo(symbols, typeinfo);
	if (name)
		*ret_primary = top == 0;
	return name;
}
