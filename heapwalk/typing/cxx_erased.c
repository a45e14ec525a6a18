/*
 * cxx_erased.c - the holders of libstdc++ and libc++ and their managers, by name (see
 * cxx_erased.h).
 */
#include "heapwalk/typing/cxx_erased.h"

#include <string.h>

#include "heapwalk/typing/cxx_library.h"

static bool starts(const char *text, const char *prefix)
{
	return !strncmp(text, prefix, strlen(prefix));
}

/* ---- holders --------------------------------------------------------------------------------- */

struct holder_rule {
	const char *name; /* of the class; up to "<" where it ends in that */
	uint8_t kind;
	const char *storage, *teller, *invoker; /* members; invoker NULL: none */
};

static const struct holder_rule holder_rules[] = {
    {"std::function<", STDLIB_MANAGED, "_M_functor", "_M_manager", "_M_invoker"},
    {"std::move_only_function<", STDLIB_MANAGED, "_M_storage", "_M_manage", "_M_invoke"},
    {"std::any", STDLIB_MANAGED, "_M_storage", "_M_manager", NULL},
    {"std::__1::any", STDLIB_MANAGED, "__s", "__h", NULL},
    {"std::__1::__packaged_task_function<", STDLIB_VIRTUAL, "__buf_", "__f_", NULL},
    {"std::__1::function<", STDLIB_VIRTUAL, "__f_.__buf_", "__f_.__f_", NULL},
};

/* Of the class itself, not of one inside of it: "std::function<void()>::_Helper". */
static bool is_named(const char *name, const char *wanted)
{
	size_t length = strlen(wanted);

	if (wanted[length - 1] != '<')
		return !strcmp(name, wanted);
	return starts(name, wanted) && name[strlen(name) - 1] == '>';
}

static bool fill(struct hf_symbols *symbols, uint32_t type, const struct holder_rule *rule,
		 struct stdlib_holder *ret)
{
	struct stdlib_holder holder = {.kind = rule->kind, .invoker = STDLIB_NO_INVOKER};
	uint32_t storage = 0, invoker = 0;
	uint64_t size = hf_ctype_get(symbols, type)->size;

	if (!stdlib_member(symbols, type, rule->storage, &holder.storage, &storage) ||
	    !stdlib_member(symbols, type, rule->teller, &holder.teller, NULL) ||
	    (rule->invoker && !stdlib_member(symbols, type, rule->invoker, &invoker, NULL)))
		return false;
	uint64_t bytes = hf_ctype_get(symbols, storage)->size;
	if (bytes == 0 || bytes > STDLIB_MAX_STORAGE || holder.storage + bytes > size ||
	    (uint64_t)holder.teller + 8 > size || (uint64_t)invoker + 8 > size)
		return false;
	holder.storage_bytes = (uint32_t)bytes;
	if (rule->invoker)
		holder.invoker = (int32_t)invoker;
	*ret = holder;
	return true;
}

bool stdlib_holder(struct hf_symbols *symbols, uint32_t type, struct stdlib_holder *ret)
{
	const char *name = hf_ctype_get(symbols, type)->name;

	if (!name || !starts(name, "std::"))
		return false;
	for (size_t i = 0; i < sizeof(holder_rules) / sizeof(holder_rules[0]); i++) {
		if (is_named(name, holder_rules[i].name))
			return fill(symbols, type, &holder_rules[i], ret);
	}
	return false;
}

/* ---- managers -------------------------------------------------------------------------------- */

enum manager_argument { OF_CLASS, OF_FUNCTION };

struct manager_rule {
	const char *prefix; /* of the class that the function is in */
	uint8_t whose;	    /* enum manager_argument */
	uint8_t argument;   /* its number among the type arguments */
	uint8_t place;	    /* where nothing else says */
	/* Is the value in the storage? A constant of the class says so, or a variable that the
	 * function has only then. NULL: there is neither. */
	const char *constant, *variable;
};

#define LOCALLY "__stored_locally"

static const struct manager_rule manager_rules[] = {
    {"std::_Function_handler<", OF_CLASS, 1, STDLIB_EITHER, LOCALLY, NULL},
    {"std::_Function_base::_Base_manager<", OF_CLASS, 0, STDLIB_EITHER, LOCALLY, NULL},
    {"std::any::_Manager_internal<", OF_CLASS, 0, STDLIB_HERE, NULL, NULL},
    {"std::any::_Manager_external<", OF_CLASS, 0, STDLIB_BEHIND, NULL, NULL},
    {"std::__1::__any_imp::_SmallHandler<", OF_CLASS, 0, STDLIB_HERE, NULL, NULL},
    {"std::__1::__any_imp::_LargeHandler<", OF_CLASS, 0, STDLIB_BEHIND, NULL, NULL},
    {"std::_Mofunc_base", OF_FUNCTION, 0, STDLIB_EITHER, NULL, "__rval"},
    {"std::move_only_function<", OF_FUNCTION, 0, STDLIB_EITHER, NULL, NULL},
};

struct stdlib_value stdlib_value_of(struct hf_symbols *symbols, uint64_t function)
{
	struct stdlib_value value = {0, STDLIB_EITHER};
	uint32_t class = hf_ctype_of_method(symbols, function);
	const char *name = class ? hf_ctype_get(symbols, class)->name : NULL;

	for (size_t i = 0; name && i < sizeof(manager_rules) / sizeof(manager_rules[0]); i++) {
		const struct manager_rule *rule = &manager_rules[i];
		uint64_t local = 0;
		if (!starts(name, rule->prefix))
			continue;
		value.type = rule->whose == OF_CLASS
				 ? hf_ctype_argument(symbols, class, rule->argument)
				 : hf_ctype_method_argument(symbols, function, rule->argument);
		value.place = rule->place;
		if (rule->constant && hf_ctype_constant(symbols, class, rule->constant, &local))
			value.place = local ? STDLIB_HERE : STDLIB_BEHIND;
		else if (rule->variable && hf_symbols_has_local(symbols, function, rule->variable))
			value.place = STDLIB_HERE;
		break;
	}
	return value;
}
