/*
 * units.c - the units of a module's DWARF (see units.h).
 *
 * A unit at an address is asked of libdwfl, which knows .debug_aranges. Compilers other than gcc
 * leave that section out: then the ranges of all units are read once, sorted, and searched.
 * Invariant: ranges are sorted by start; of ranges that overlap the one that starts last is meant.
 */
#include "core/process/units.h"

#include <dwarf.h>
#include <elfutils/libdwfl.h>
#include <stdlib.h>

#include "core/base/search.h"
#include "core/base/vec.h"

enum { MAX_RANGES = 1 << 22 };

struct unit_range {
	Dwarf_Addr start, end; /* of the file */
	Dwarf_CU *cu;	       /* the skeleton's */
};

struct hf_units {
	HF_VEC(, struct unit_range) ranges;
	HF_VEC(, Dwarf *) splits; /* in the order of a walk */
	bool ranges_ready, splits_ready;
};

Dwarf *hf_units_dwarf(const struct hf_module *module, Dwarf_Addr *ret_bias)
{
	return module->dwfl ? dwfl_module_getdwarf(module->dwfl, ret_bias) : NULL;
}

void hf_units_destroy(struct hf_units *units)
{
	if (!units)
		return;
	free(units->ranges.data);
	free(units->splits.data);
	free(units);
}

/* ---- all of them ----------------------------------------------------------------------------- */

static bool is_type_unit(uint8_t kind)
{
	return kind == DW_UT_type || kind == DW_UT_split_type;
}

/* Does the unit lie in .debug_types? DWARF 5 has its type units in .debug_info. */
static uint32_t section_of(Dwarf_Half version, uint8_t kind)
{
	return version < 5 && is_type_unit(kind) ? 1 : 0;
}

static bool next_split(struct hf_unit_walk *walk, struct hf_unit *ret)
{
	Dwarf_Half version = 0;
	uint8_t kind = 0;

	if (dwarf_get_units(walk->split, walk->split_cu, &walk->split_cu, &version, &kind,
			    &ret->die, NULL) != 0) {
		walk->split = NULL;
		return false;
	}
	ret->skeleton = walk->skeleton;
	ret->place = HF_UNIT_SPLIT + 2 * (walk->splits - 1) + section_of(version, kind);
	ret->of_types = is_type_unit(kind);
	return true;
}

bool hf_units_next(struct hf_unit_walk *walk, struct hf_unit *ret)
{
	Dwarf_Half version = 0;
	uint8_t kind = 0;
	Dwarf_Die split = {0};

	if (!walk->dwarf)
		return false;
	if (walk->split && next_split(walk, ret))
		return true;
	if (dwarf_get_units(walk->dwarf, walk->cu, &walk->cu, &version, &kind, &walk->skeleton,
			    &split) != 0)
		return false;
	if (kind == DW_UT_skeleton && split.addr) {
		walk->split = dwarf_cu_getdwarf(split.cu);
		walk->split_cu = NULL;
		walk->splits++;
		if (next_split(walk, ret))
			return true;
	}
	ret->die = ret->skeleton = walk->skeleton;
	ret->place = section_of(version, kind) ? HF_UNIT_TYPES : HF_UNIT_INFO;
	ret->of_types = is_type_unit(kind);
	return true;
}

/* ---- by address ------------------------------------------------------------------------------ */

static struct hf_units *units_of(struct hf_module *module)
{
	if (!module->units)
		module->units = calloc(1, sizeof(struct hf_units));
	return module->units;
}

static int compare_ranges(const void *a, const void *b)
{
	const struct unit_range *x = a, *y = b;
	return (x->start > y->start) - (x->start < y->start);
}

static void read_ranges(struct hf_units *units, Dwarf *dwarf)
{
	Dwarf_CU *cu = NULL;
	Dwarf_Die die;

	while (dwarf_get_units(dwarf, cu, &cu, NULL, NULL, &die, NULL) == 0) {
		Dwarf_Addr base, start, end;
		for (ptrdiff_t at = 0; (at = dwarf_ranges(&die, at, &base, &start, &end)) > 0;) {
			struct unit_range range = {start, end, cu};
			if (start < end && units->ranges.count < MAX_RANGES &&
			    !hf_vec_push(&units->ranges, range))
				return;
		}
	}
	if (units->ranges.count)
		qsort(units->ranges.data, units->ranges.count, sizeof(*units->ranges.data),
		      compare_ranges);
}

/* The unit whose range has @pc, by its own ranges. */
static Dwarf_CU *cu_at(struct hf_units *units, Dwarf *dwarf, Dwarf_Addr pc)
{
	if (!units->ranges_ready) {
		units->ranges_ready = true;
		read_ranges(units, dwarf);
	}
	size_t behind =
	    hf_first_not(0, units->ranges.count, at, units->ranges.data[at].start <= pc);
	return behind && pc < units->ranges.data[behind - 1].end ? units->ranges.data[behind - 1].cu
								 : NULL;
}

bool hf_units_at(struct hf_module *module, uint64_t address, struct hf_unit *ret,
		 Dwarf_Addr *ret_bias)
{
	Dwarf_Die split = {0};
	uint8_t kind = 0;
	Dwarf_Addr bias = 0;
	Dwarf *dwarf = hf_units_dwarf(module, &bias);
	Dwarf_Die *die = dwarf ? dwfl_module_addrdie(module->dwfl, address, &bias) : NULL;
	struct hf_units *units = dwarf && !die ? units_of(module) : NULL;
	Dwarf_CU *cu = die ? die->cu : units ? cu_at(units, dwarf, address - bias) : NULL;

	if (!cu || dwarf_cu_info(cu, NULL, &kind, &ret->skeleton, &split, NULL, NULL, NULL) != 0)
		return false;
	ret->die = kind == DW_UT_skeleton && split.addr ? split : ret->skeleton;
	ret->place = HF_UNIT_INFO;
	ret->of_types = false;
	*ret_bias = bias;
	return true;
}

/* ---- places ---------------------------------------------------------------------------------- */

static const struct hf_units *with_splits(struct hf_module *module, Dwarf *dwarf)
{
	struct hf_units *units = units_of(module);
	struct hf_unit_walk walk = {.dwarf = dwarf};
	struct hf_unit unit;

	if (!units || units->splits_ready)
		return units;
	units->splits_ready = true;
	while (hf_units_next(&walk, &unit)) {
		if (walk.splits > units->splits.count &&
		    !hf_vec_push(&units->splits, dwarf_cu_getdwarf(unit.die.cu)))
			break;
	}
	return units;
}

bool hf_units_place(struct hf_module *module, const Dwarf_Die *die, uint32_t *ret_place)
{
	Dwarf_Half version = 0;
	uint8_t kind = 0;
	Dwarf_Addr bias;
	Dwarf *main = hf_units_dwarf(module, &bias), *own = dwarf_cu_getdwarf(die->cu);

	if (!main || dwarf_cu_info(die->cu, &version, &kind, NULL, NULL, NULL, NULL, NULL) != 0)
		return false;
	if (own == main) {
		*ret_place = section_of(version, kind) ? HF_UNIT_TYPES : HF_UNIT_INFO;
		return true;
	}
	if (own == dwarf_getalt(main)) {
		*ret_place = HF_UNIT_ALTERNATE;
		return true;
	}
	const struct hf_units *units = with_splits(module, main);
	for (uint32_t i = 0; units && i < units->splits.count; i++) {
		if (units->splits.data[i] != own)
			continue;
		*ret_place = HF_UNIT_SPLIT + 2 * i + section_of(version, kind);
		return true;
	}
	return false;
}

bool hf_units_die(struct hf_module *module, uint32_t place, uint64_t offset, Dwarf_Die *ret)
{
	Dwarf_Addr bias;
	Dwarf *dwarf = hf_units_dwarf(module, &bias);
	bool in_types = place == HF_UNIT_TYPES;

	if (dwarf && place == HF_UNIT_ALTERNATE)
		dwarf = dwarf_getalt(dwarf);
	if (dwarf && place >= HF_UNIT_SPLIT) {
		const struct hf_units *units = with_splits(module, dwarf);
		uint32_t split = (place - HF_UNIT_SPLIT) / 2;
		dwarf = units && split < units->splits.count ? units->splits.data[split] : NULL;
		in_types = (place - HF_UNIT_SPLIT) % 2;
	}
	if (!dwarf)
		return false;
	return in_types ? dwarf_offdie_types(dwarf, offset, ret) != NULL
			: dwarf_offdie(dwarf, offset, ret) != NULL;
}
