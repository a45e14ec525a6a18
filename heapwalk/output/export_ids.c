/*
 * export_ids.c - numbers that are stable across dumps (see export_ids.h).
 */
#include "heapwalk/output/export_ids.h"

#include <stdlib.h>

#define SPACE (UINT64_C(1) << 31)

struct placed {
	uint64_t wanted, length; /* granules */
	uint32_t region;
};

static int by_wanted(const void *a, const void *b)
{
	const struct placed *x = a, *y = b;
	if (x->wanted != y->wanted)
		return x->wanted < y->wanted ? -1 : 1;
	return (x->region > y->region) - (x->region < y->region);
}

/* Places in order; false if the last would end beyond the space. */
static bool place_regions(struct hf_export_ids *ids, struct placed *placed, size_t count)
{
	uint64_t free_from = 0;

	if (count)
		qsort(placed, count, sizeof(*placed), by_wanted);
	for (size_t i = 0; i < count; i++) {
		uint64_t at = placed[i].wanted > free_from ? placed[i].wanted : free_from;
		if (placed[i].length > SPACE || at > SPACE - placed[i].length)
			return false;
		ids->place[placed[i].region] = at;
		free_from = at + placed[i].length;
	}
	return true;
}

struct hf_error *hf_export_ids_init(const struct hf_analysis *analysis, struct hf_export_ids *ret)
{
	const struct hf_allocator *allocator = analysis->allocator;
	size_t count = allocator->regions.count;
	struct hf_export_ids ids = {.analysis = analysis};
	struct placed *placed = calloc(count + 1, sizeof(*placed));

	while (allocator->granule >> (ids.shift + 1))
		ids.shift++;
	ids.place = calloc(count + 1, sizeof(*ids.place));
	if (!placed || !ids.place) {
		free(placed);
		free(ids.place);
		return hf_error_nomem();
	}
	for (size_t i = 0; i < count; i++) {
		const struct hf_heap_region *region = &allocator->regions.data[i];
		uint64_t first = region->start >> ids.shift, last = region->end >> ids.shift;
		placed[i] = (struct placed){first % SPACE, last - first + 1, (uint32_t)i};
	}
	ids.stable = place_regions(&ids, placed, count);
	free(placed);
	*ret = ids;
	return NULL;
}

void hf_export_ids_deinit(struct hf_export_ids *ids)
{
	free(ids->place);
	ids->place = NULL;
}

uint32_t hf_export_id(struct hf_export_ids *ids, uint32_t object)
{
	const struct hf_allocator *allocator = ids->analysis->allocator;
	uint64_t address = hf_extents_address(ids->analysis->extents, object);

	if (!ids->stable)
		return object;
	while (ids->region + 1 < allocator->regions.count &&
	       address >= allocator->regions.data[ids->region].end)
		ids->region++;
	uint64_t first = allocator->regions.data[ids->region].start >> ids->shift;
	return (uint32_t)(ids->place[ids->region] + ((address >> ids->shift) - first));
}

struct hf_error *hf_export_names_init(uint64_t count, struct hf_export_names *ret)
{
	uint64_t slots = 64;

	while (slots < 2 * count)
		slots *= 2;
	ret->slot_count = slots;
	ret->slots = calloc(slots, sizeof(*ret->slots));
	return ret->slots ? NULL : hf_error_nomem();
}

void hf_export_names_deinit(struct hf_export_names *names)
{
	free(names->slots);
	names->slots = NULL;
}

static bool take(struct hf_export_names *names, uint32_t number)
{
	uint64_t at = number * UINT64_C(0x9e3779b1) & (names->slot_count - 1);

	for (; names->slots[at]; at = (at + 1) & (names->slot_count - 1)) {
		if (names->slots[at] == number + 1)
			return false;
	}
	names->slots[at] = number + 1;
	return true;
}

uint32_t hf_export_name_id(struct hf_export_names *names, const char *name, uint32_t lowest)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (; *name; name++)
		hash = (hash ^ (uint8_t)*name) * UINT64_C(0x100000001b3);
	uint32_t number = (uint32_t)(hash >> 33);
	for (;; number = (uint32_t)((number + 1ull) % SPACE)) {
		if (number >= lowest && take(names, number))
			return number;
	}
}
