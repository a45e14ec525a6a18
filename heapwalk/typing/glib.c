/*
 * glib.c - GLib's hash tables (64 bits, those whose size is a gsize: 2.74 is one).
 *
 *	size (64 bits), mod, mask, nnodes, noccupied, flags, keys +32, hashes +40, values +48,
 *	hash_func +56, key_equal_func +64, ref_count, ...
 *
 * A table is known by its figures, which say the same thing several times: mask is size - 1, mod
 * the highest prime below size, keys, hashes and values are blocks with room for as many, and
 * hash_func is code. GLib's other containers have no such marks: two pointers and a length may be
 * anything.
 */
#include "heapwalk/typing/runtime.h"

enum {
	TABLE_BYTES = 96,
	TABLE_MOD = 8,
	TABLE_MASK = 12,
	TABLE_NODES = 16,
	TABLE_OCCUPIED = 20,
	TABLE_FLAGS = 24,
	TABLE_KEYS = 32,
	TABLE_HASHES = 40,
	TABLE_VALUES = 48,
	TABLE_HASH = 56,
	BIG_KEYS = 1,
	BIG_VALUES = 2,
	LEAST_SIZE = 8,
};

#define MOST_SIZE (UINT64_C(1) << 31)

struct glib {
	struct hf_typing *typing;
	uint32_t type;
};

static void glib_begin(void *state)
{
	struct glib *glib = state;
	glib->type = typing_intern(glib->typing, HF_TYPE_RUNTIME, "GHashTable", TABLE_BYTES);
}

/* Is @address the start of a block with room for @bytes? */
static bool has_room(const struct glib *glib, uint64_t address, uint64_t bytes)
{
	const struct hf_extents *extents = glib->typing->extents;
	uint32_t object = hf_extents_find(extents, address);

	return object != HF_NO_OBJECT && hf_extents_address(extents, object) == address &&
	       hf_extents_usable(extents, object) >= bytes;
}

static bool is_code(const struct glib *glib, uint64_t address)
{
	const struct hf_mapping *mapping = hf_process_mapping(glib->typing->process, address);
	return mapping && (mapping->flags & HF_SEGMENT_X);
}

static bool figures_agree(const struct glib *glib, uint64_t table)
{
	const struct hf_typing *typing = glib->typing;
	uint64_t size = typing_word(typing, table);
	uint32_t mod = typing_u32(typing, table + TABLE_MOD);
	uint32_t nodes = typing_u32(typing, table + TABLE_NODES);
	uint32_t occupied = typing_u32(typing, table + TABLE_OCCUPIED);

	return size >= LEAST_SIZE && size <= MOST_SIZE && !(size & (size - 1)) &&
	       typing_u32(typing, table + TABLE_MASK) == size - 1 && mod < size && mod > size / 2 &&
	       nodes <= occupied && occupied <= size;
}

static uint32_t glib_type_of(void *state, uint32_t object, const uint8_t *data, uint64_t bytes)
{
	const struct glib *glib = state;
	const struct hf_typing *typing = glib->typing;
	uint64_t table = hf_extents_address(typing->extents, object);

	(void)data;
	if (bytes < TABLE_BYTES || !figures_agree(glib, table))
		return TYPE_NONE;
	uint64_t size = typing_word(typing, table);
	uint32_t flags = typing_u32(typing, table + TABLE_FLAGS);
	if (!has_room(glib, typing_word(typing, table + TABLE_HASHES), size * 4) ||
	    !has_room(glib, typing_word(typing, table + TABLE_KEYS),
		      size * (flags & BIG_KEYS ? 8 : 4)) ||
	    !has_room(glib, typing_word(typing, table + TABLE_VALUES),
		      size * (flags & BIG_VALUES ? 8 : 4)) ||
	    !is_code(glib, typing_word(typing, table + TABLE_HASH)))
		return TYPE_NONE;
	return glib->type;
}

static void glib_spread(void *state, uint32_t object, uint32_t type)
{
	const struct glib *glib = state;
	struct hf_typing *typing = glib->typing;
	uint64_t table = hf_extents_address(typing->extents, object);

	if (type != glib->type)
		return;
	uint32_t flags = typing_u32(typing, table + TABLE_FLAGS);
	uint64_t keys = typing_word(typing, table + TABLE_KEYS);
	uint64_t values = typing_word(typing, table + TABLE_VALUES);

	/* Entries are pointers, or numbers of 32 bits where all of them fit. */
	if (flags & BIG_KEYS)
		typing_own_pointers(typing, keys, "GHashTable keys");
	else
		typing_own(typing, keys, "GHashTable small keys", 0);
	typing_own(typing, typing_word(typing, table + TABLE_HASHES), "GHashTable hashes", 0);
	if (flags & BIG_VALUES)
		typing_own_pointers(typing, values, "GHashTable values");
	else
		typing_own(typing, values, "GHashTable small values", 0);
}

const struct typing_runtime typing_glib = {
    .name = "GLib",
    .symbol = "g_hash_table_new",
    .state_bytes = sizeof(struct glib),
    .begin = glib_begin,
    .type_of = glib_type_of,
    .spread = glib_spread,
};
