/*
 * gate.c - parsing and testing --fail-if (see gate.h).
 */
#include "heapwalk/cli/gate.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "heapwalk/views/sections.h"

enum figure {
	FIGURE_LEAKED_BYTES,
	FIGURE_LEAKED_OBJECTS,
	FIGURE_DEFINITE_BYTES,
	FIGURE_DEFINITE_OBJECTS,
	FIGURE_INDIRECT_BYTES,
	FIGURE_INDIRECT_OBJECTS,
	FIGURE_POSSIBLE_BYTES,
	FIGURE_POSSIBLE_OBJECTS,
	FIGURE_HEAP_BYTES,
	FIGURE_HEAP_OBJECTS,
	FIGURE_FREE_BYTES,
	FIGURE_SYSTEM_BYTES,
	FIGURE_FINDINGS,
	FIGURE_PARTIAL,
	FIGURE_RETAINED,
	FIGURE_TYPE_BYTES,
	FIGURE_TYPE_OBJECTS,
	FIGURE_GROWTH, /* this and those below: of a diff */
	FIGURE_GROWTH_BYTES,
	FIGURE_GROWTH_OBJECTS,
	FIGURES
};

static const struct {
	const char *name, *help;
	bool of_one; /* its name stands in brackets */
} figures[FIGURES] = {
    [FIGURE_LEAKED_BYTES] = {"leaked_bytes", "definitely and indirectly lost", false},
    [FIGURE_LEAKED_OBJECTS] = {"leaked_objects", "the same, objects", false},
    [FIGURE_DEFINITE_BYTES] = {"definite_bytes", "lost leaders", false},
    [FIGURE_DEFINITE_OBJECTS] = {"definite_objects", "the same, objects", false},
    [FIGURE_INDIRECT_BYTES] = {"indirect_bytes", "lost behind leaders", false},
    [FIGURE_INDIRECT_OBJECTS] = {"indirect_objects", "the same, objects", false},
    [FIGURE_POSSIBLE_BYTES] = {"possible_bytes", "reached by interior pointers only", false},
    [FIGURE_POSSIBLE_OBJECTS] = {"possible_objects", "the same, objects", false},
    [FIGURE_HEAP_BYTES] = {"heap_bytes", "heap in use", false},
    [FIGURE_HEAP_OBJECTS] = {"heap_objects", "objects in use", false},
    [FIGURE_FREE_BYTES] = {"free_bytes", "free in tcaches, bins and tops", false},
    [FIGURE_SYSTEM_BYTES] = {"system_bytes", "taken from the system, arenas and mmapped", false},
    [FIGURE_FINDINGS] = {"findings", "broken invariants of the heap", false},
    [FIGURE_PARTIAL] = {"partial", "1 if evidence was missing", false},
    [FIGURE_RETAINED] = {"retained", "retained(\"VARIABLE\"): what it keeps alive", true},
    [FIGURE_TYPE_BYTES] = {"type_bytes", "type_bytes(\"TYPE\"): its objects together", true},
    [FIGURE_TYPE_OBJECTS] = {"type_objects", "type_objects(\"TYPE\"): how many there are", true},
    [FIGURE_GROWTH] = {"growth", "diff: growth(\"TYPE or HOLDER\"), its bytes; %: of before", true},
    [FIGURE_GROWTH_BYTES] = {"growth_bytes", "diff: of the heap in use", false},
    [FIGURE_GROWTH_OBJECTS] = {"growth_objects", "diff: of the objects in use", false},
};

const char *hf_gate_figure(unsigned index, const char **ret_help)
{
	if (index >= FIGURES)
		return NULL;
	*ret_help = figures[index].help;
	return figures[index].name;
}

static int figure_of(const char *name)
{
	for (int i = 0; i < FIGURES; i++) {
		if (!strcmp(figures[i].name, name))
			return i;
	}
	return -1;
}

static const char *skip_space(const char *at)
{
	while (isspace((unsigned char)*at))
		at++;
	return at;
}

/* ("NAME") or (NAME) */
static const char *parse_argument(const char *at, char *ret, size_t size)
{
	char close = ')';
	size_t length = 0;

	at = skip_space(at + 1);
	if (*at == '"' || *at == '\'')
		close = *at++;
	while (*at && *at != close && length + 1 < size)
		ret[length++] = *at++;
	ret[length] = '\0';
	if (*at != close)
		return NULL;
	if (close != ')')
		at = skip_space(at + 1);
	return *at == ')' ? at + 1 : NULL;
}

static const char *parse_op(const char *at, enum hf_gate_op *ret)
{
	static const struct {
		const char *text;
		enum hf_gate_op op;
	} ops[] = {{">=", HF_GATE_GE}, {"<=", HF_GATE_LE}, {"==", HF_GATE_EQ},
		   {"!=", HF_GATE_NE}, {">", HF_GATE_GT},  {"<", HF_GATE_LT}};
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		if (!strncmp(at, ops[i].text, strlen(ops[i].text))) {
			*ret = ops[i].op;
			return at + strlen(ops[i].text);
		}
	}
	return NULL;
}

static bool parse_unit(const char *at, struct hf_gate *gate)
{
	static const struct {
		const char *text;
		double factor;
	} units[] = {{"", 1},
		     {"B", 1},
		     {"k", 1e3},
		     {"KB", 1e3},
		     {"kB", 1e3},
		     {"M", 1e6},
		     {"MB", 1e6},
		     {"G", 1e9},
		     {"GB", 1e9},
		     {"TB", 1e12},
		     {"KiB", 1024.0},
		     {"MiB", 1048576.0},
		     {"GiB", 1073741824.0},
		     {"TiB", 1099511627776.0},
		     {"K", 1024.0}};
	size_t length = strlen(at);

	while (length && isspace((unsigned char)at[length - 1]))
		length--;
	if (length == 1 && *at == '%') {
		gate->percent = true;
		return true;
	}
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strlen(units[i].text) == length && !strncmp(at, units[i].text, length)) {
			gate->limit *= units[i].factor;
			return true;
		}
	}
	return false;
}

struct hf_error *hf_gate_parse(const char *text, struct hf_gate *ret)
{
	struct hf_gate gate = {.text = text};
	const char *at = skip_space(text);
	char *end = NULL;
	size_t length = 0;

	while ((isalnum((unsigned char)*at) || *at == '_') && length + 1 < sizeof(gate.figure))
		gate.figure[length++] = *at++;
	int figure = figure_of(gate.figure);
	if (figure < 0)
		return hf_error_create(HF_ERR_USAGE,
				       "--fail-if '%s': there is no figure \"%s\"; one is "
				       "leaked_bytes (--help lists them)",
				       text, gate.figure);
	at = skip_space(at);
	if (*at == '(')
		at = parse_argument(at, gate.argument, sizeof(gate.argument));
	if (!at || figures[figure].of_one != (gate.argument[0] != '\0'))
		return hf_error_create(HF_ERR_USAGE,
				       figures[figure].of_one
					   ? "--fail-if '%s': of what? %s(\"NAME\")"
					   : "--fail-if '%s': %s has no name in brackets",
				       text, gate.figure);
	at = parse_op(skip_space(at), &gate.op);
	if (at) {
		at = skip_space(at);
		gate.limit = strtod(at, &end);
	}
	if (!at || end == at || !parse_unit(skip_space(end), &gate))
		return hf_error_create(
		    HF_ERR_USAGE,
		    "--fail-if '%s': expected FIGURE, one of > >= < <= == !=, and "
		    "a number with a unit (10MiB, 5%%)",
		    text);
	*ret = gate;
	return NULL;
}

static struct hf_error *retained_of(struct hf_analysis *analysis, const char *name, double *ret)
{
	uint64_t address = 0;
	uint32_t node = HF_NO_NODE;
	struct hf_error *err = hf_analysis_resolve(analysis, name, &address, &node);
	if (err)
		return err;
	*ret = node == HF_NO_NODE ? 0 : (double)hf_graph_retained(analysis->graph, node);
	return NULL;
}

/* All types of one name: a typedef and what it stands for may share it. */
static struct hf_error *type_total(const struct hf_analysis *analysis, const struct hf_gate *gate,
				   bool bytes, double *ret)
{
	double total = 0;

	if (!analysis->typing)
		return hf_error_create(HF_ERR_USAGE,
				       "--fail-if '%s': this command does not look at types",
				       gate->text);
	for (uint32_t i = 0; i < hf_typing_types(analysis->typing); i++) {
		const struct hf_type *type = hf_typing_type(analysis->typing, i);
		if (!strcmp(type->name, gate->argument))
			total += (double)(bytes ? type->bytes : type->count);
	}
	*ret = total;
	return NULL;
}

static double findings_of(const struct hf_analysis *analysis)
{
	return analysis->allocator ? (double)analysis->allocator->findings_count : 0;
}

static struct hf_error *value_of(const struct hf_gate *gate, struct hf_analysis *analysis,
				 const struct hf_heap_totals *totals, double *ret)
{
	const struct hf_leak_total *leaks = totals->leaks;
	const double values[FIGURES] = {
	    [FIGURE_LEAKED_BYTES] = (double)totals->lost_bytes,
	    [FIGURE_LEAKED_OBJECTS] = (double)totals->lost_count,
	    [FIGURE_DEFINITE_BYTES] = (double)leaks[HF_DEFINITE].bytes,
	    [FIGURE_DEFINITE_OBJECTS] = (double)leaks[HF_DEFINITE].count,
	    [FIGURE_INDIRECT_BYTES] = (double)leaks[HF_INDIRECT].bytes,
	    [FIGURE_INDIRECT_OBJECTS] = (double)leaks[HF_INDIRECT].count,
	    [FIGURE_POSSIBLE_BYTES] = (double)leaks[HF_POSSIBLE].bytes,
	    [FIGURE_POSSIBLE_OBJECTS] = (double)leaks[HF_POSSIBLE].count,
	    [FIGURE_HEAP_BYTES] = (double)totals->inuse_bytes,
	    [FIGURE_HEAP_OBJECTS] = (double)totals->objects,
	    [FIGURE_FREE_BYTES] = (double)totals->free_bytes,
	    [FIGURE_SYSTEM_BYTES] = (double)(totals->system_bytes + totals->mmapped_bytes),
	    [FIGURE_FINDINGS] = findings_of(analysis),
	    [FIGURE_PARTIAL] = hf_diags_partial(analysis->diags),
	};
	int figure = figure_of(gate->figure);
	if (figure == FIGURE_RETAINED)
		return retained_of(analysis, gate->argument, ret);
	if (figure == FIGURE_TYPE_BYTES || figure == FIGURE_TYPE_OBJECTS)
		return type_total(analysis, gate, figure == FIGURE_TYPE_BYTES, ret);
	*ret = values[figure];
	return NULL;
}

bool hf_gate_is_growth(const struct hf_gate *gate)
{
	return figure_of(gate->figure) >= FIGURE_GROWTH;
}

bool hf_gate_holds(const struct hf_gate *gate, double value, double whole)
{
	double limit = gate->percent ? whole * gate->limit / 100 : gate->limit;

	switch (gate->op) {
	case HF_GATE_GT:
		return value > limit;
	case HF_GATE_GE:
		return value >= limit;
	case HF_GATE_LT:
		return value < limit;
	case HF_GATE_LE:
		return value <= limit;
	case HF_GATE_EQ:
		return value == limit;
	default:
		return value != limit;
	}
}

struct hf_error *hf_gate_test(const struct hf_gate *gate, struct hf_analysis *analysis, bool *ret,
			      double *ret_value)
{
	struct hf_heap_totals totals;
	double value = 0;

	if (hf_gate_is_growth(gate))
		return hf_error_create(HF_ERR_USAGE, "--fail-if '%s': only diff has that figure",
				       gate->text);
	hf_heap_totals(analysis, &totals);
	struct hf_error *err = value_of(gate, analysis, &totals, &value);
	if (err)
		return err;
	*ret_value = value;
	*ret = hf_gate_holds(gate, value, (double)totals.inuse_bytes);
	return NULL;
}
