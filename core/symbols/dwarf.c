/*
 * dwarf.c - what DWARF adds: source lines of variables, unnamed statics, struct layouts.
 *
 * Only the DIEs that can hold a variable are visited: top level, namespaces, and inside
 * functions (for static locals) where the program itself is concerned. Broken DWARF ends
 * a unit's walk, never ours.
 */
#include <dwarf.h>
#include <string.h>

#include "core/process/units.h"
#include "core/symbols/dies.h"
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

/* What an operation puts on the stack, itself or by its index in .debug_addr. */
static bool constant_of(Dwarf_Attribute *location, const Dwarf_Op *op, uint64_t *ret)
{
	Dwarf_Attribute indexed;

	switch (op->atom) {
	case DW_OP_addr:
	case DW_OP_const4u:
	case DW_OP_const8u:
		*ret = op->number;
		return true;
	case DW_OP_addrx:
	case DW_OP_GNU_addr_index:
		return dwarf_getlocation_attr(location, op, &indexed) == 0 &&
		       dwarf_formaddr(&indexed, ret) == 0;
	case DW_OP_constx:
	case DW_OP_GNU_const_index:
		return dwarf_getlocation_attr(location, op, &indexed) == 0 &&
		       dwarf_formudata(&indexed, ret) == 0;
	default:
		return false;
	}
}

/* One place at *@at of the operations: an address, or an offset in the TLS block. */
static bool one_place(Dwarf_Attribute *location, const Dwarf_Op *ops, size_t count, size_t *at,
		      uint64_t *ret, bool *ret_tls)
{
	const Dwarf_Op *op = &ops[*at], *next = *at + 1 < count ? op + 1 : NULL;
	bool address =
	    op->atom == DW_OP_addr || op->atom == DW_OP_addrx || op->atom == DW_OP_GNU_addr_index;

	*ret_tls = next && (next->atom == DW_OP_GNU_push_tls_address ||
			    next->atom == DW_OP_form_tls_address);
	*at += *ret_tls ? 2 : 1;
	return (address || *ret_tls) && constant_of(location, op, ret);
}

/*
 * A static storage location: one place, or pieces that follow one another (clang takes structures
 * apart that are never copied as a whole; where their parts are not side by side they are no
 * variable that could be shown).
 */
static bool static_location(Dwarf_Die *die, uint64_t *ret, bool *ret_tls, bool *ret_pieces)
{
	Dwarf_Attribute attribute;
	Dwarf_Op *ops;
	size_t count, at = 0;
	uint64_t bytes = 0, first = 0;

	if (!dwarf_attr(die, DW_AT_location, &attribute) ||
	    dwarf_getlocation(&attribute, &ops, &count) != 0 || count == 0)
		return false;
	while (at < count) {
		uint64_t address = 0;
		if (!one_place(&attribute, ops, count, &at, &address, ret_tls))
			return false;
		if (bytes == 0)
			first = address;
		if (address != first + bytes)
			return false;
		if (at == count)
			break;
		if (ops[at].atom != DW_OP_piece || ops[at].number == 0)
			return false;
		bytes += ops[at++].number;
	}
	*ret = first;
	*ret_pieces = bytes > 0;
	return true;
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
	Dwarf_Die type;
	uint64_t size;
	if (!die_type(die, &type))
		return 0;
	die_follow_signature(&type);
	*ret_type = (uint64_t)(uintptr_t)type.addr;
	return die_bytes(&type, &size) ? size : 0;
}

/*
 * gcc's split DWARF gives a TLS variable's address in the segment, not its offset in the block:
 * what cannot be an offset is looked up by its name.
 */
static void correct_tls(const struct walk *walk, struct hf_variable *variable)
{
	const struct hf_symbols *symbols = walk->symbols;

	if (variable->address < symbols->process->modules.data[walk->module].tls_size)
		return;
	for (size_t i = 0; variable->name && i < walk->sorted_tls; i++) {
		const struct hf_variable *known = &symbols->tls.data[i];
		if (known->module == walk->module && !strcmp(known->name, variable->name))
			variable->address = known->address;
	}
}

static bool take_variable(struct walk *walk, Dwarf_Die *die, const char *scope)
{
	struct hf_symbols *symbols = walk->symbols;
	struct hf_variable variable = {.module = walk->module, .scope = scope};
	uint64_t location;
	bool pieces = false;

	if (!static_location(die, &location, &variable.tls, &pieces))
		return true;
	variable.address = variable.tls ? location : location + walk->bias;
	variable.name = dwarf_diename(die);
	if (variable.tls)
		correct_tls(walk, &variable);
	variable.path = source_path(walk, die);
	variable.file = base_name(variable.path);
	uint64_t line = die_number(die, DW_AT_decl_line);
	variable.line = line < INT32_MAX ? (uint32_t)line : 0;
	variable.size = type_size(die, &variable.type_die);
	struct hf_variables *list = variable.tls ? &symbols->tls : &symbols->variables;
	struct hf_variable *known = symbols_variable_starting(
	    list, variable.tls ? walk->sorted_tls : walk->sorted, variable.address, walk->module);
	if (known) {
		/* A static local's symbol is "name.12", a piece's too; DWARF has the plain name. */
		if ((scope || pieces) && variable.name)
			known->name = variable.name;
		if (pieces && variable.size > known->size)
			known->size = variable.size;
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
	struct hf_unit_walk units = {.dwarf = hf_units_dwarf(owner, &walk.bias)};
	struct hf_unit unit;

	while (hf_units_next(&units, &unit)) {
		size_t files;
		if (unit.of_types)
			continue;
		if (dwarf_getsrcfiles(&unit.die, &walk.files, &files) != 0)
			walk.files = NULL;
		walk.unit = &unit.skeleton;
		walk.file = walk.path = NULL;
		if (!walk_unit(&walk, &unit.die))
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
	Dwarf *dwarf = hf_units_dwarf(&symbols->process->modules.data[module], &bias);
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
