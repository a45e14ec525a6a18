/*
 * fields.c - the names of the places in typed objects and roots (see typing.h).
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/symbols/types.h"
#include "heapwalk/typing/private.h"

/* "[5]" of an array of @size bytes each; *@offset is then within the element. */
static int element_index(uint64_t size, uint64_t *offset, char *buffer, size_t room)
{
	int length = snprintf(buffer, room, "[%" PRIu64 "]", *offset / size);
	*offset %= size;
	return length;
}

bool hf_typing_field(const struct hf_typing *typing, uint32_t object, uint64_t offset, char *buffer,
		     size_t size, uint32_t *ret_ctype)
{
	const struct hf_type *type = hf_typing_type(typing, hf_typing_of(typing, object));
	char index[32] = "", name[512];

	if (offset < type->offset || type->size == 0)
		return false;
	if (!type->ctype && type->form == HF_FORM_ARRAY && type->pointer) {
		element_index(type->size, &offset, buffer, size);
		if (ret_ctype)
			*ret_ctype = 0;
		return true;
	}
	if (!type->ctype)
		return false;
	offset -= type->offset;
	if (type->form == HF_FORM_PART && offset >= type->size)
		return false;
	if (type->form == HF_FORM_ARRAY)
		element_index(type->size, &offset, index, sizeof(index));
	uint32_t ctype = hf_ctype_field(typing->symbols, type->ctype, offset, name, sizeof(name));
	if (!ctype)
		return false;
	snprintf(buffer, size, "%s%s%s", index, *index && *name && *name != '[' ? "." : "", name);
	if (ret_ctype)
		*ret_ctype = ctype;
	return true;
}

void hf_typing_ctype_name(const struct hf_typing *typing, uint32_t ctype, char *buffer, size_t size)
{
	hf_ctype_describe(typing->symbols, ctype, buffer, size);
	typing_shorten(buffer);
}

struct local_search {
	uint64_t address;
	struct hf_local found;
	bool have;
};

static bool match_local(void *ctx, const struct hf_local *local)
{
	struct local_search *search = ctx;
	if (!local->address || search->address < local->address ||
	    search->address - local->address >= local->size)
		return true;
	search->found = *local;
	search->have = true;
	return false;
}

static uint32_t tls_type(const struct hf_typing *typing, const struct hf_holder *holder)
{
	hf_vec_foreach (variable, hf_symbols_tls_variables(typing->symbols)) {
		if (variable->module == holder->module && hf_variable_is_typed(variable) &&
		    holder->name && !strcmp(variable->name, holder->name))
			return hf_ctype_of_variable(typing->symbols, variable);
	}
	return 0;
}

bool hf_typing_root_field(const struct hf_typing *typing, const struct hf_holder *holder,
			  uint64_t address, char *buffer, size_t size, uint32_t *ret_ctype)
{
	uint64_t offset = address - holder->address;
	uint32_t ctype = 0;

	if (!address || address < holder->address)
		return false;
	if (holder->kind == HF_HOLDER_VARIABLE) {
		const struct hf_variable *variable =
		    hf_symbols_variable_at(typing->symbols, address);
		if (variable && hf_variable_is_typed(variable))
			ctype = hf_ctype_of_variable(typing->symbols, variable);
	} else if (holder->kind == HF_HOLDER_TLS) {
		ctype = tls_type(typing, holder);
	} else if (holder->kind == HF_HOLDER_FRAME && holder->local &&
		   holder->thread < typing->process->threads.count) {
		const struct hf_thread *thread = &typing->process->threads.data[holder->thread];
		struct local_search search = {.address = address};
		if (holder->frame < thread->frames.count)
			hf_symbols_each_local(typing->symbols, thread, holder->frame, match_local,
					      &search);
		if (search.have)
			ctype = search.found.type;
		offset = search.have ? address - search.found.address : 0;
	}
	if (!ctype)
		return false;
	ctype = hf_ctype_field(typing->symbols, ctype, offset, buffer, size);
	if (ctype && ret_ctype)
		*ret_ctype = ctype;
	return ctype != 0;
}
