/*
 * sources.c - paths of source files, and where types are declared.
 *
 * DWARF may name a file relative to the folder that the compiler ran in: the two are joined, and
 * "x/../" and "./" in it are taken out by their letters (the folders need not be here).
 */
#include <dwarf.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/cleanup.h"
#include "core/symbols/types_private.h"

/* Take "." and ".." out of @path, which is absolute. */
static void normalize(char *path)
{
	char *to = path;

	for (const char *at = path; *at;) {
		size_t length = strcspn(at + 1, "/");
		if (length == 2 && at[1] == '.' && at[2] == '.') {
			while (to > path && *--to != '/')
				;
		} else if (length && !(length == 1 && at[1] == '.')) {
			memmove(to, at, length + 1);
			to += length + 1;
		}
		at += length + 1;
	}
	*to = '\0';
}

const char *symbols_source_path(struct hf_symbols *symbols, const Dwarf_Die *unit, const char *path)
{
	Dwarf_Attribute attribute;
	Dwarf_Die die = *unit;
	const char *folder = dwarf_formstring(dwarf_attr(&die, DW_AT_comp_dir, &attribute));
	HF_AUTO(free_ptr) char *joined = NULL;

	if (!path || *path == '/' || !folder || *folder != '/')
		return path;
	if (asprintf(&joined, "%s/%s", folder, path) < 0) {
		joined = NULL;
		return path;
	}
	normalize(joined);
	const char *copy = hf_strpool_dup(symbols->strings, joined);
	return copy ? copy : path;
}

const char *symbols_declaring_file(Dwarf_Die *die)
{
	Dwarf_Attribute attribute;
	Dwarf_Word file;
	Dwarf_Half version = 0;
	Dwarf_Die unit;

	if (dwarf_attr_integrate(die, DW_AT_decl_file, &attribute) &&
	    dwarf_formudata(&attribute, &file) == 0 && file == 0 &&
	    dwarf_cu_die(die->cu, &unit, &version, NULL, NULL, NULL, NULL, NULL) && version >= 5)
		return dwarf_diename(&unit);
	return dwarf_decl_file(die);
}

bool hf_ctype_declared(struct hf_symbols *symbols, uint32_t type, const char **ret_path,
		       uint32_t *ret_line)
{
	const struct hf_ctypes *types = symbols->types;
	int line = 0;
	Dwarf_Die unit;

	if (!types || !type || type >= types->count)
		return false;
	Dwarf_Die die = ctype_at(types, type)->die;
	int tag = die.addr ? dwarf_tag(&die) : 0;
	if (tag != DW_TAG_structure_type && tag != DW_TAG_class_type && tag != DW_TAG_union_type)
		return false;
	const char *path = symbols_declaring_file(&die);
	if (!path || dwarf_decl_line(&die, &line) != 0 || line <= 0)
		return false;
	*ret_path =
	    dwarf_diecu(&die, &unit, NULL, NULL) ? symbols_source_path(symbols, &unit, path) : path;
	*ret_line = (uint32_t)line;
	return true;
}
