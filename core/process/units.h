/*
 * units.h - the units of a module's DWARF: all of them, and the one at an address.
 *
 * A unit's DIEs may lie in another file (split DWARF: the linked file has a skeleton that names
 * the .dwo). What is returned is then the unit that has the DIEs; its skeleton knows the lines.
 * Only core/ uses this: its users read DIEs by libdw.
 */
#ifndef HF_CORE_PROCESS_UNITS_H
#define HF_CORE_PROCESS_UNITS_H

#include <elfutils/libdw.h>

#include "core/process/process.h"

/* In which of a module's files and sections a DIE lies: DIE offsets are counted in each. */
enum hf_unit_place {
	HF_UNIT_INFO,	   /* .debug_info of the file that has the debug information */
	HF_UNIT_TYPES,	   /* its .debug_types (DWARF 4) */
	HF_UNIT_ALTERNATE, /* .debug_info of the file that dwz shares */
	HF_UNIT_SPLIT,	   /* and on: two for each split file, .debug_info and .debug_types */
};

struct hf_unit {
	Dwarf_Die die;	    /* its DIEs are the children */
	Dwarf_Die skeleton; /* the same one where nothing is split */
	uint32_t place;	    /* enum hf_unit_place */
	bool of_types;	    /* a type unit */
};

/* All units; start with a zeroed walk whose `dwarf` is set. */
struct hf_unit_walk {
	Dwarf *dwarf;
	Dwarf_CU *cu;
	Dwarf_Die skeleton;
	Dwarf *split; /* whose units are being given; NULL: none */
	Dwarf_CU *split_cu;
	uint32_t splits; /* seen so far */
};

bool hf_units_next(struct hf_unit_walk *walk, struct hf_unit *ret);

/* NULL: it has none. */
Dwarf *hf_units_dwarf(const struct hf_module *module, Dwarf_Addr *ret_bias);

/* The unit that has the code at @address of the target; *@ret_bias: address less that of the file.
 */
bool hf_units_at(struct hf_module *module, uint64_t address, struct hf_unit *ret,
		 Dwarf_Addr *ret_bias);

/* Where @die lies, and back. False: in no file of the module's. */
bool hf_units_place(struct hf_module *module, const Dwarf_Die *die, uint32_t *ret_place);
bool hf_units_die(struct hf_module *module, uint32_t place, uint64_t offset, Dwarf_Die *ret);

struct hf_units;
void hf_units_destroy(struct hf_units *units);

#endif
