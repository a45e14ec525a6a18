/*
 * symbols_saved.c - the variables and vtables into an index and out of it (see symbols.h).
 *
 * Reading them from DWARF takes the longest part of a small analysis. A variable's type is saved
 * by the offset of its description.
 */
#include <stdlib.h>
#include <string.h>

#include "core/base/stash_text.h"
#include "core/symbols/private.h"
#include "core/symbols/types_private.h"

struct saved_variable {
	uint64_t address, size, type_offset;
	uint32_t name, file, scope, line, module;
	uint32_t type_place;
	uint8_t tls, unused[7];
};

struct saved_vtable {
	uint64_t address, size;
	uint32_t mangled, unused;
};

static bool save_variables(const struct hf_symbols *symbols, const struct hf_variables *variables,
			   struct hf_stash_text *text, struct hf_stash_writer *writer)
{
	hf_vec_foreach (variable, variables) {
		struct saved_variable saved = {
		    .address = variable->address,
		    .size = variable->size,
		    .line = variable->line,
		    .module = variable->module,
		    .tls = variable->tls,
		};
		symbols_type_offset(symbols, variable, &saved.type_offset, &saved.type_place);
		if (!hf_stash_text_add(text, variable->name, &saved.name) ||
		    !hf_stash_text_add(text, variable->file, &saved.file) ||
		    !hf_stash_text_add(text, variable->scope, &saved.scope))
			return false;
		hf_stash_append(writer, &saved, sizeof(saved));
	}
	return true;
}

struct hf_error *hf_symbols_save(const struct hf_symbols *symbols, struct hf_stash_writer *writer)
{
	struct hf_stash_text text = {0};
	bool done;

	hf_stash_begin(writer, "symbols.variables");
	done = save_variables(symbols, &symbols->variables, &text, writer);
	hf_stash_begin(writer, "symbols.tls");
	done = done && save_variables(symbols, &symbols->tls, &text, writer);
	hf_stash_begin(writer, "symbols.vtables");
	hf_vec_foreach (vtable, &symbols->vtables) {
		struct saved_vtable saved = {vtable->address, vtable->size, 0, 0};
		done = done && hf_stash_text_add(&text, vtable->mangled, &saved.mangled);
		hf_stash_append(writer, &saved, sizeof(saved));
	}
	done = done && symbols_memory_save(symbols->memory, &text, writer);
	hf_stash_begin(writer, "symbols.modules");
	hf_vec_foreach (module, &symbols->process->modules) {
		uint8_t flags[2] = {module->has_symtab, module->has_dwarf};
		hf_stash_append(writer, flags, sizeof(flags));
	}
	hf_stash_text_save(&text, writer, "symbols.text");
	return done ? NULL : hf_error_nomem();
}

static bool load_variables(struct hf_symbols *symbols, const struct hf_stash *stash,
			   const char *name, const struct hf_stash_strings *strings,
			   struct hf_variables *ret)
{
	size_t bytes = 0;
	const struct saved_variable *saved = hf_stash_get(stash, name, &bytes);

	for (size_t i = 0; saved && i < bytes / sizeof(*saved); i++) {
		struct hf_variable variable = {
		    .address = saved[i].address,
		    .size = saved[i].size,
		    .name = hf_stash_string(strings, symbols->strings, saved[i].name),
		    .file = hf_stash_string(strings, symbols->strings, saved[i].file),
		    .scope = hf_stash_string(strings, symbols->strings, saved[i].scope),
		    .line = saved[i].line,
		    .module = saved[i].module,
		    .tls = saved[i].tls != 0,
		    .type_offset = saved[i].type_offset,
		    .type_place = saved[i].type_place,
		};
		if (!variable.name || variable.module >= symbols->process->modules.count ||
		    !hf_vec_push(ret, variable))
			return false;
	}
	return saved != NULL;
}

static bool load_all(struct hf_symbols *symbols, const struct hf_stash *stash)
{
	struct hf_process *process = symbols->process;
	struct hf_stash_strings strings;
	size_t bytes = 0;
	const struct saved_vtable *vtable = hf_stash_get(stash, "symbols.vtables", &bytes);
	const uint8_t *flags = hf_stash_array(stash, "symbols.modules", process->modules.count, 2);

	if (!vtable || !flags || !hf_stash_strings_open(stash, "symbols.text", &strings))
		return false;
	for (size_t i = 0; i < bytes / sizeof(*vtable); i++) {
		struct hf_vtable_symbol loaded = {
		    vtable[i].address, vtable[i].size,
		    hf_stash_string(&strings, symbols->strings, vtable[i].mangled)};
		if (!loaded.mangled || !hf_vec_push(&symbols->vtables, loaded))
			return false;
	}
	for (size_t i = 0; i < process->modules.count; i++) {
		process->modules.data[i].has_symtab = flags[2 * i] != 0;
		process->modules.data[i].has_dwarf = flags[2 * i + 1] != 0;
	}
	return symbols_memory_load(symbols->memory, stash, &strings) &&
	       load_variables(symbols, stash, "symbols.variables", &strings, &symbols->variables) &&
	       load_variables(symbols, stash, "symbols.tls", &strings, &symbols->tls);
}

struct hf_error *hf_symbols_load(const struct hf_stash *stash, struct hf_process *process,
				 struct hf_symbols **ret)
{
	struct hf_symbols *symbols = NULL;
	struct hf_error *err = symbols_create_empty(process, &symbols);

	if (err)
		return err;
	if (!load_all(symbols, stash)) {
		hf_symbols_destroy(symbols);
		symbols = NULL;
	}
	*ret = symbols;
	return NULL;
}
