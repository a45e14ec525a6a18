/*
 * dwarf.c - what DWARF adds: source lines of variables, unnamed statics, struct layouts.
 *
 * Only the DIEs that can hold a variable are visited: top level, namespaces, and inside
 * functions (for static locals) where the program itself is concerned. Broken DWARF ends
 * a unit's walk, never ours.
 */
#include <dwarf.h>
#include <string.h>

#include "core/symbols/private.h"

enum { MAX_DEPTH = 16 };

struct walk {
	struct hf_symbols *symbols;
	uint32_t module;
	Dwarf_Addr bias;
	bool into_functions;
	size_t sorted, sorted_tls; /* how many variables were there before, sorted */
	Dwarf_Files *files;
	const Dwarf_Die *unit;
	const char *file, *path; /* the last file asked for, and its path */
};

/* A static storage location: DW_OP_addr, or an offset in the TLS block. */
static bool static_location(Dwarf_Die *die, uint64_t *ret, bool *ret_tls)
{
	Dwarf_Attribute attribute;
	Dwarf_Op *ops;
	size_t count;

	if (!dwarf_attr(die, DW_AT_location, &attribute) ||
	    dwarf_getlocation(&attribute, &ops, &count) != 0 || count == 0)
		return false;
	if (ops[0].atom == DW_OP_addr && count == 1) {
		*ret = ops[0].number;
		*ret_tls = false;
		return true;
	}
	bool constant = ops[0].atom == DW_OP_const8u || ops[0].atom == DW_OP_const4u ||
			ops[0].atom == DW_OP_addr;
	if (count == 2 && constant &&
	    (ops[1].atom == DW_OP_GNU_push_tls_address || ops[1].atom == DW_OP_form_tls_address)) {
		*ret = ops[0].number;
		*ret_tls = true;
		return true;
	}
	return false;
}

static const char *source_path(struct walk *walk, Dwarf_Die *die)
{
	Dwarf_Attribute attribute;
	Dwarf_Word index;
	if (!walk->files || !dwarf_attr_integrate(die, DW_AT_decl_file, &attribute) ||
	    dwarf_formudata(&attribute, &index) != 0)
		return NULL;
	const char *file = dwarf_filesrc(walk->files, index, NULL, NULL);
	if (file != walk->file) {
		walk->file = file;
		walk->path = symbols_source_path(walk->symbols, walk->unit, file);
	}
	return walk->path;
}

static const char *base_name(const char *path)
{
	const char *slash = path ? strrchr(path, '/') : NULL;
	return slash ? slash + 1 : path;
}

static uint64_t type_size(Dwarf_Die *die, uint64_t *ret_type)
{
	Dwarf_Attribute attribute;
	Dwarf_Die type;
	Dwarf_Word size;
	if (!dwarf_attr_integrate(die, DW_AT_type, &attribute) ||
	    !dwarf_formref_die(&attribute, &type))
		return 0;
	*ret_type = (uint64_t)(uintptr_t)type.addr;
	return dwarf_aggregate_size(&type, &size) == 0 ? size : 0;
}

static bool take_variable(struct walk *walk, Dwarf_Die *die, const char *scope)
{
	struct hf_symbols *symbols = walk->symbols;
	struct hf_variable variable = {.module = walk->module, .scope = scope};
	uint64_t location;
	int line = 0;

	if (!static_location(die, &location, &variable.tls))
		return true;
	variable.address = variable.tls ? location : location + walk->bias;
	variable.name = dwarf_diename(die);
	variable.path = source_path(walk, die);
	variable.file = base_name(variable.path);
	Dwarf_Attribute attribute;
	Dwarf_Word value;
	if (dwarf_attr_integrate(die, DW_AT_decl_line, &attribute) &&
	    dwarf_formudata(&attribute, &value) == 0 && value < INT32_MAX)
		line = (int)value;
	variable.line = (uint32_t)line;
	variable.size = type_size(die, &variable.type_die);
	struct hf_variables *list = variable.tls ? &symbols->tls : &symbols->variables;
	struct hf_variable *known = symbols_variable_starting(
	    list, variable.tls ? walk->sorted_tls : walk->sorted, variable.address, walk->module);
	if (known) {
		/* A static local's symbol is "name.12"; DWARF has the plain name. */
		if (scope && variable.name)
			known->name = variable.name;
		known->file = variable.file;
		known->path = variable.path;
		known->line = variable.line;
		known->scope = scope;
		known->type_die = variable.type_die;
		return true;
	}
	const struct hf_mapping *mapping =
	    variable.tls ? NULL : hf_process_mapping(symbols->process, variable.address);
	if (!variable.name || !variable.size ||
	    (!variable.tls && (!mapping || !(mapping->flags & HF_SEGMENT_W))))
		return true;
	return hf_vec_push(list, variable);
}

static bool opens_scope(const struct walk *walk, int tag)
{
	if (tag == DW_TAG_namespace)
		return true;
	return walk->into_functions && (tag == DW_TAG_subprogram || tag == DW_TAG_lexical_block);
}

/* Walk a unit's DIEs, iteratively: an explicit stack of bounded depth. */
static bool walk_unit(struct walk *walk, Dwarf_Die *unit)
{
	Dwarf_Die stack[MAX_DEPTH];
	const char *scopes[MAX_DEPTH] = {NULL};
	int depth = 0;

	if (dwarf_child(unit, &stack[0]) != 0)
		return true;
	while (depth >= 0) {
		Dwarf_Die *die = &stack[depth];
		int tag = dwarf_tag(die);
		if (tag == DW_TAG_variable && !take_variable(walk, die, scopes[depth]))
			return false;
		if (depth + 1 < MAX_DEPTH && opens_scope(walk, tag) &&
		    dwarf_child(die, &stack[depth + 1]) == 0) {
			scopes[depth + 1] =
			    tag == DW_TAG_subprogram ? dwarf_diename(die) : scopes[depth];
			depth++;
			continue;
		}
		while (depth >= 0 && dwarf_siblingof(&stack[depth], &stack[depth]) != 0)
			depth--;
	}
	return true;
}

bool symbols_read_dwarf(struct hf_symbols *symbols, uint32_t module)
{
	const struct hf_module *owner = &symbols->process->modules.data[module];
	struct walk walk = {
	    .symbols = symbols,
	    .module = module,
	    .into_functions = !owner->is_libc,
	    .sorted = symbols->variables.count,
	    .sorted_tls = symbols->tls.count,
	};
	Dwarf *dwarf = dwfl_module_getdwarf(owner->dwfl, &walk.bias);
	Dwarf_CU *cu = NULL;
	Dwarf_Die unit, sub;

	while (dwarf && dwarf_get_units(dwarf, cu, &cu, NULL, NULL, &unit, &sub) == 0) {
		Dwarf_Die *die = sub.addr && dwarf_tag(&sub) == DW_TAG_compile_unit ? &sub : &unit;
		size_t files;
		if (dwarf_getsrcfiles(die, &walk.files, &files) != 0)
			walk.files = NULL;
		walk.unit = die;
		walk.file = walk.path = NULL;
		if (!walk_unit(&walk, die))
			return false;
	}
	return true;
}

/* ---- layouts ----------------------------------------------------------------------------- */

static bool find_struct(Dwarf_Die *unit, const char *name, Dwarf_Die *ret)
{
	Dwarf_Die die;
	if (dwarf_child(unit, &die) != 0)
		return false;
	do {
		const char *found;
		if (dwarf_tag(&die) == DW_TAG_structure_type && (found = dwarf_diename(&die)) &&
		    !strcmp(found, name) && !dwarf_hasattr(&die, DW_AT_declaration)) {
			*ret = die;
			return true;
		}
	} while (dwarf_siblingof(&die, &die) == 0);
	return false;
}

static bool find_struct_in(struct hf_symbols *symbols, uint32_t module, const char *type,
			   Dwarf_Die *ret)
{
	Dwarf_Addr bias;
	Dwfl_Module *dwfl = symbols->process->modules.data[module].dwfl;
	Dwarf *dwarf = dwfl ? dwfl_module_getdwarf(dwfl, &bias) : NULL;
	Dwarf_CU *cu = NULL;
	Dwarf_Die unit;

	if (!dwarf)
		return false;
	if (symbols->layout_module == module && dwarf_offdie(dwarf, symbols->layout_cu, &unit) &&
	    find_struct(&unit, type, ret))
		return true;
	while (dwarf_get_units(dwarf, cu, &cu, NULL, NULL, &unit, NULL) == 0) {
		if (!find_struct(&unit, type, ret))
			continue;
		symbols->layout_module = module;
		symbols->layout_cu = dwarf_dieoffset(&unit);
		return true;
	}
	return false;
}

static bool find_member(struct hf_symbols *symbols, uint32_t module, const char *type,
			const char *member, uint64_t *ret_offset, uint64_t *ret_size)
{
	Dwarf_Die found, die;
	Dwarf_Word size;

	if (!find_struct_in(symbols, module, type, &found))
		return false;
	if (!member) {
		if (dwarf_aggregate_size(&found, &size) != 0)
			return false;
		*ret_size = size;
		return true;
	}
	if (dwarf_child(&found, &die) != 0)
		return false;
	do {
		const char *name = dwarf_diename(&die);
		Dwarf_Attribute attribute;
		Dwarf_Word offset = 0;
		uint64_t ignored;
		if (dwarf_tag(&die) != DW_TAG_member || !name || strcmp(name, member) != 0)
			continue;
		if (dwarf_attr(&die, DW_AT_data_member_location, &attribute) &&
		    dwarf_formudata(&attribute, &offset) != 0)
			return false;
		*ret_offset = offset;
		*ret_size = type_size(&die, &ignored);
		return true;
	} while (dwarf_siblingof(&die, &die) == 0);
	return false;
}

bool hf_symbols_member(struct hf_symbols *symbols, uint32_t module, const char *type,
		       const char *member, uint64_t *ret_offset, uint64_t *ret_size)
{
	struct symbols_answer answer = {
	    .question = SYMBOLS_MEMBER, .module = module, .name = type, .member = member};

	if (!symbols_recall(symbols->memory, &answer)) {
		answer.found =
		    find_member(symbols, module, type, member, &answer.value, &answer.size);
		symbols_remember(symbols->memory, &answer);
	}
	if (answer.found && member)
		*ret_offset = answer.value;
	if (answer.found)
		*ret_size = answer.size;
	return answer.found;
}
