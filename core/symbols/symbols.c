/*
 * symbols.c - reading the symbol tables of every module (see symbols.h).
 *
 * libdwfl merges .symtab (of the file, its separate debug file or its minidebuginfo) with
 * .dynsym. DWARF then adds source lines, and the variables that no symbol names.
 */
#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/demangle.h"
#include "core/base/search.h"
#include "core/symbols/private.h"
#include "core/symbols/types_private.h"

enum { CHDR_ZSTD = 2 }; /* ELFCOMPRESS_ZSTD, which older <elf.h> lack */

static bool starts(const char *text, const char *prefix)
{
	return !strncmp(text, prefix, strlen(prefix));
}

static const char *plain_name(struct hf_symbols *symbols, const char *name)
{
	char *plain = hf_demangle(name);
	if (!plain)
		return name; /* owned by libelf, which lives as long as the process */
	const char *kept = hf_strpool_dup(symbols->strings, plain);
	free(plain);
	return kept;
}

static bool add_data_symbol(struct hf_symbols *symbols, uint32_t module, const char *name,
			    uint64_t address, uint64_t size)
{
	const struct hf_mapping *mapping = hf_process_mapping(symbols->process, address);
	if (starts(name, "_ZTV") && size) {
		struct hf_vtable_symbol vtable = {address, size, name};
		return hf_vec_push(&symbols->vtables, vtable);
	}
	if (!mapping || !(mapping->flags & HF_SEGMENT_W) || starts(name, "_ZT"))
		return true;
	struct hf_variable variable = {
	    .address = address,
	    .size = size,
	    .name = plain_name(symbols, name),
	    .module = module,
	};
	return variable.name && hf_vec_push(&symbols->variables, variable);
}

static bool add_symbol(struct hf_symbols *symbols, uint32_t module, const char *name,
		       const GElf_Sym *sym, uint64_t address)
{
	unsigned type = GELF_ST_TYPE(sym->st_info);

	if (!name || !*name || sym->st_shndx == SHN_UNDEF)
		return true;
	if (type == STT_TLS) {
		struct hf_variable variable = {
		    .address = sym->st_value,
		    .size = sym->st_size,
		    .name = plain_name(symbols, name),
		    .module = module,
		    .tls = true,
		};
		return variable.name && (!sym->st_size || hf_vec_push(&symbols->tls, variable));
	}
	if (type != STT_OBJECT && type != STT_COMMON)
		return true;
	return add_data_symbol(symbols, module, name, address, sym->st_size);
}

/* Debug information that is there, but not for this libdw: said, as its types will be missed. */
static void note_unreadable(struct hf_symbols *symbols, const struct hf_module *module)
{
	int reason = dwfl_errno();
	GElf_Addr bias;
	size_t names;
	Elf *elf = dwfl_module_getelf(module->dwfl, &bias);

	if (!elf || elf_getshdrstrndx(elf, &names))
		return;
	for (Elf_Scn *section = NULL; (section = elf_nextscn(elf, section)) != NULL;) {
		GElf_Shdr header;
		const char *name =
		    gelf_getshdr(section, &header) ? elf_strptr(elf, names, header.sh_name) : NULL;
		if (!name || strcmp(name, ".debug_info") != 0)
			continue;
		/* Compressed by zstd: what was wrong with it is told where it was made plain. */
		GElf_Chdr packed;
		if ((header.sh_flags & SHF_COMPRESSED) && gelf_getchdr(section, &packed) &&
		    packed.ch_type == CHDR_ZSTD)
			continue;
		hf_diag_add(symbols->process->diags, HF_DIAG_EVIDENCE, HF_SEV_NOTE,
			    "debug-info-unreadable", module->start,
			    "%s has debug information that the elfutils here cannot read (%s): "
			    "its types and lines are unknown",
			    module->name, dwfl_errmsg(reason));
	}
}

static bool read_module(struct hf_symbols *symbols, uint32_t index)
{
	struct hf_module *module = &symbols->process->modules.data[index];
	int count = module->dwfl ? dwfl_module_getsymtab(module->dwfl) : 0;
	Dwarf_Addr bias;
	bool fine = true;

	for (int i = 1; fine && i < count; i++) {
		GElf_Sym sym;
		GElf_Addr address;
		const char *name =
		    dwfl_module_getsym_info(module->dwfl, i, &sym, &address, NULL, NULL, NULL);
		fine = add_symbol(symbols, index, name, &sym, address);
	}
	if (module->dwfl && dwfl_module_getdwarf(module->dwfl, &bias))
		module->has_dwarf = true;
	else if (module->dwfl)
		note_unreadable(symbols, module);
	return fine;
}

/* ---- order ------------------------------------------------------------------------------- */

static int compare_variables(const void *a, const void *b)
{
	const struct hf_variable *x = a, *y = b;
	if (x->module != y->module)
		return x->module < y->module ? -1 : 1;
	if (x->address != y->address)
		return x->address < y->address ? -1 : 1;
	if (x->size != y->size)
		return x->size > y->size ? -1 : 1;
	/* Of aliases the one with fewer leading underscores, then the shorter, then by name. */
	size_t ux = strspn(x->name, "_"), uy = strspn(y->name, "_");
	if (ux != uy)
		return ux < uy ? -1 : 1;
	return strcmp(x->name, y->name);
}

struct hf_variable *symbols_variable_starting(struct hf_variables *variables, size_t sorted,
					      uint64_t address, uint32_t module)
{
	struct hf_variable *all = variables->data;
	size_t first = hf_first_not(0, sorted, i,
				    all[i].module < module ||
					(all[i].module == module && all[i].address < address));
	struct hf_variable *found = first < sorted ? &all[first] : NULL;
	return found && found->module == module && found->address == address ? found : NULL;
}

/* Where a size-0 symbol ends: at the next one, or after one word. */
static void give_sizes(struct hf_variables *variables, uint64_t word)
{
	for (size_t i = 0; i < variables->count; i++) {
		struct hf_variable *at = &variables->data[i];
		if (at->size == 0)
			at->size = word;
	}
}

void symbols_make_disjoint(struct hf_variables *variables)
{
	size_t kept = 0;
	if (variables->count == 0)
		return;
	qsort(variables->data, variables->count, sizeof(*variables->data), compare_variables);
	for (size_t i = 0; i < variables->count; i++) {
		struct hf_variable next = variables->data[i];
		struct hf_variable *last = kept ? &variables->data[kept - 1] : NULL;
		uint64_t last_end = last && last->module == next.module && last->tls == next.tls
					? last->address + last->size
					: 0;
		if (last_end > next.address) {
			/* An alias, or something inside a bigger one: a source line is kept. */
			if (last->address == next.address && !last->file && next.file) {
				last->file = next.file;
				last->path = next.path;
				last->line = next.line;
				last->scope = next.scope;
				last->type_die = next.type_die;
			}
			if (next.address + next.size <= last_end)
				continue;
			next.size -= last_end - next.address;
			next.address = last_end;
		}
		variables->data[kept++] = next;
	}
	variables->count = kept;
}

static int compare_vtables(const void *a, const void *b)
{
	const struct hf_vtable_symbol *x = a, *y = b;
	return (x->address > y->address) - (x->address < y->address);
}

static bool read_all(struct hf_symbols *symbols)
{
	uint64_t word = symbols->process->image.word_bytes;
	for (uint32_t i = 0; i < symbols->process->modules.count; i++) {
		if (!read_module(symbols, i))
			return false;
	}
	give_sizes(&symbols->variables, word);
	symbols_make_disjoint(&symbols->variables);
	symbols_make_disjoint(&symbols->tls);
	for (uint32_t i = 0; i < symbols->process->modules.count; i++) {
		if (symbols->process->modules.data[i].has_dwarf && !symbols_read_dwarf(symbols, i))
			return false;
	}
	give_sizes(&symbols->variables, word);
	symbols_make_disjoint(&symbols->variables);
	symbols_make_disjoint(&symbols->tls);
	if (symbols->vtables.count)
		qsort(symbols->vtables.data, symbols->vtables.count, sizeof(*symbols->vtables.data),
		      compare_vtables);
	return true;
}

struct hf_error *symbols_create_empty(struct hf_process *process, struct hf_symbols **ret)
{
	struct hf_symbols *symbols = calloc(1, sizeof(*symbols));
	if (!symbols)
		return hf_error_nomem();
	symbols->process = process;
	symbols->layout_module = HF_NO_INDEX;
	symbols->types = ctypes_create(process->modules.count);
	struct hf_error *err = symbols->types ? NULL : hf_error_nomem();
	if (!err)
		err = hf_strpool_create(&symbols->strings);
	if (!err)
		err = symbols_memory_create(&symbols->memory);
	if (err)
		hf_symbols_destroy(symbols);
	else
		*ret = symbols;
	return err;
}

struct hf_error *hf_symbols_create(struct hf_process *process, struct hf_symbols **ret)
{
	struct hf_symbols *symbols = NULL;
	struct hf_error *err = symbols_create_empty(process, &symbols);
	if (err)
		return err;
	if (!read_all(symbols)) {
		hf_symbols_destroy(symbols);
		return hf_error_nomem();
	}
	*ret = symbols;
	return NULL;
}

void hf_symbols_destroy(struct hf_symbols *symbols)
{
	if (!symbols)
		return;
	hf_vec_free(&symbols->variables);
	hf_vec_free(&symbols->tls);
	hf_vec_free(&symbols->vtables);
	ctypes_destroy(symbols->types, symbols->process->modules.count);
	hf_strpool_destroy(symbols->strings);
	symbols_memory_destroy(symbols->memory);
	free(symbols);
}

/* ---- questions ------------------------------------------------------------------------------- */

const struct hf_variables *hf_symbols_variables(const struct hf_symbols *symbols)
{
	return &symbols->variables;
}

const struct hf_variables *hf_symbols_tls_variables(const struct hf_symbols *symbols)
{
	return &symbols->tls;
}

/* Modules are in address order and so are their variables: one array, one search. */
const struct hf_variable *hf_symbols_variable_at(const struct hf_symbols *symbols, uint64_t address)
{
	const struct hf_variable *all = symbols->variables.data;
	size_t behind = hf_first_not(0, symbols->variables.count, i, all[i].address <= address);
	return behind && address - all[behind - 1].address < all[behind - 1].size ? &all[behind - 1]
										  : NULL;
}

static bool find_symbol(const struct hf_symbols *symbols, uint32_t module, const char *name,
			uint64_t *ret_address, uint64_t *ret_size)
{
	Dwfl_Module *dwfl = symbols->process->modules.data[module].dwfl;
	int count = dwfl ? dwfl_module_getsymtab(dwfl) : 0;
	for (int i = 1; i < count; i++) {
		GElf_Sym sym;
		GElf_Addr address;
		const char *found =
		    dwfl_module_getsym_info(dwfl, i, &sym, &address, NULL, NULL, NULL);
		if (!found || strcmp(found, name) != 0 || sym.st_shndx == SHN_UNDEF)
			continue;
		*ret_address = GELF_ST_TYPE(sym.st_info) == STT_TLS ? sym.st_value : address;
		*ret_size = sym.st_size;
		return true;
	}
	return false;
}

bool hf_symbols_find(const struct hf_symbols *symbols, uint32_t module, const char *name,
		     uint64_t *ret_address, uint64_t *ret_size)
{
	struct symbols_answer answer = {.question = SYMBOLS_FIND, .module = module, .name = name};

	if (!symbols_recall(symbols->memory, &answer)) {
		answer.found = find_symbol(symbols, module, name, &answer.value, &answer.size);
		symbols_remember(symbols->memory, &answer);
	}
	if (!answer.found)
		return false;
	*ret_address = answer.value;
	*ret_size = answer.size;
	return true;
}

static const char *name_in(struct hf_symbols *symbols, const struct hf_module *module,
			   uint64_t address, uint64_t *ret_offset)
{
	GElf_Sym sym;
	const char *name =
	    dwfl_module_addrinfo(module->dwfl, address, ret_offset, &sym, NULL, NULL, NULL);
	return name ? plain_name(symbols, name) : NULL;
}

const char *hf_symbols_name_at(struct hf_symbols *symbols, uint64_t address, uint64_t *ret_offset)
{
	const struct hf_module *module = hf_process_module(symbols->process, address);
	struct symbols_answer answer = {.question = SYMBOLS_NAME, .asked = address};

	if (!module || !module->dwfl)
		return NULL;
	if (!symbols_recall(symbols->memory, &answer)) {
		answer.name = name_in(symbols, module, address, &answer.value);
		answer.found = answer.name != NULL;
		symbols_remember(symbols->memory, &answer);
	}
	if (answer.found)
		*ret_offset = answer.value;
	return answer.name;
}

const char *hf_symbols_debug_file(const struct hf_symbols *symbols, uint32_t module)
{
	const struct hf_process *process = symbols->process;
	const char *debug = NULL;

	if (module >= process->modules.count || !process->modules.data[module].dwfl)
		return NULL;
	dwfl_module_info(process->modules.data[module].dwfl, NULL, NULL, NULL, NULL, NULL, NULL,
			 &debug);
	return debug;
}
