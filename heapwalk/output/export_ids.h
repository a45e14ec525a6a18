/*
 * export_ids.h - 31-bit numbers for objects that are the same in the next dump of the process.
 *
 * DevTools and memlab tell by the id whether a node of one snapshot is that of another. An
 * address would do, but ids are 32 bits wide and unique. So each region of the allocator gets a
 * place in a space of 2^31 granules, at its own address modulo that space (32 GiB with granules
 * of 16 bytes); in ascending order of those, a region that would overlap its predecessor
 * moves behind it. An object's number is its place in the space.
 *
 *	addresses   ..[ brk ]......................[ arena ][ mmapped ]..
 *	space       [ arena ][ mmapped ]..[ brk ]...
 *
 * Where the regions together do not fit, the numbers are object ids, and not stable.
 */
#ifndef HF_HEAPWALK_OUTPUT_EXPORT_IDS_H
#define HF_HEAPWALK_OUTPUT_EXPORT_IDS_H

#include "heapwalk/analysis.h"

struct hf_export_ids {
	const struct hf_analysis *analysis;
	uint64_t *place; /* regions: in granules */
	uint32_t region; /* of the last object asked for */
	unsigned shift;	 /* log2 of the granule */
	bool stable;
};

struct hf_error *hf_export_ids_init(const struct hf_analysis *analysis, struct hf_export_ids *ret);
void hf_export_ids_deinit(struct hf_export_ids *ids);

/* Number of @object, below 2^31. Objects are to be asked for in ascending order. */
uint32_t hf_export_id(struct hf_export_ids *ids, uint32_t object);

/* Unique 31-bit numbers for names: the hash, or the next free one. */
struct hf_export_names {
	uint32_t *slots; /* number + 1; 0: free */
	uint64_t slot_count;
};

struct hf_error *hf_export_names_init(uint64_t count, struct hf_export_names *ret);
void hf_export_names_deinit(struct hf_export_names *names);
/* At least @lowest. At most @count calls. */
uint32_t hf_export_name_id(struct hf_export_names *names, const char *name, uint32_t lowest);

#endif
