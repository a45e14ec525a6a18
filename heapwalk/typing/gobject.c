/*
 * gobject.c - GObject's instances by their class (64-bit GLib 2.54 and later).
 *
 *	block:	[private data, private_size]  instance: g_class, ...
 *	g_class   -> GTypeClass: g_type
 *	g_type    -> TypeNode: ref_count, plugin +8, ..., data +32, qname +40, ..., supers[0] +72
 *	data      -> InstanceData: ..., class +56, instance_size +64, private_size +66 (16 bits)
 *	qname     -> the name, in the array of GLib's quarks
 *
 * GLib's own structures are not in its headers, so nothing is believed that is not told twice: a
 * node's supers[0] is the node itself, its data's class is the class that we came from, the
 * private size is where the instance stands in its block, and the instance fits. The array of
 * quarks has no symbol either; it is found in libglib's data: a pointer to words of which the
 * first is null and the next ones lead to text.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "heapwalk/typing/runtime.h"

enum {
	NODE_DATA = 32,
	NODE_QNAME = 40,
	NODE_SELF = 72,
	DATA_CLASS = 56,
	DATA_SIZES = 64,
	MIN_NODE = 4096, /* smaller GTypes are fundamental ones, no nodes */
	MAX_PRIVATE = 512,
	INSTANCE_ALIGN = 16,
	PROBED_QUARKS = 16,
	MAX_QUARK = 1 << 22,
	MAX_NAME = 200,
	CACHE = 4096, /* classes; power of two, the oldest of a slot goes */
};

struct class_slot {
	uint64_t address; /* of the class; 0: free */
	uint32_t type;
	uint16_t instance_size, private_size;
};

struct gobject {
	struct hf_typing *typing;
	const struct hf_image *image;
	uint64_t quarks; /* the array */
	uint64_t low, high;
	struct class_slot classes[CACHE];
};

static void gobject_close(void *state)
{
	free(state);
}

/* ---- quarks ---------------------------------------------------------------------------------- */

static bool read_name(const struct gobject *glib, uint64_t address, char *buffer, size_t size)
{
	if (!hf_image_string(glib->image, address, buffer, size))
		return false;
	size_t length = strlen(buffer);
	return length && typing_text_length((const uint8_t *)buffer, length) == length;
}

static bool is_quarks(const struct gobject *glib, uint64_t array)
{
	char name[MAX_NAME];
	uint64_t word = 0;

	if (array < MIN_NODE || array % 8 || !hf_image_word(glib->image, array, &word) || word)
		return false;
	for (uint64_t i = 1; i <= PROBED_QUARKS; i++) {
		if (!hf_image_word(glib->image, array + i * 8, &word) ||
		    !read_name(glib, word, name, sizeof(name)))
			return false;
	}
	return true;
}

static uint64_t find_quarks(const struct gobject *glib, const struct hf_module *module)
{
	hf_vec_foreach (section, &module->sections) {
		for (uint64_t at = (section->start + 7) & ~UINT64_C(7); at + 8 <= section->end;
		     at += 8) {
			uint64_t value = 0;
			if (hf_image_word(glib->image, at, &value) && is_quarks(glib, value))
				return value;
		}
	}
	return 0;
}

static struct hf_error *gobject_open(struct hf_typing *typing, void **ret)
{
	const struct hf_process *process = typing->process;
	const struct hf_module *base = NULL;
	bool objects = false;

	hf_vec_foreach (module, &process->modules) {
		if (!strncmp(module->name, "libglib-2.0.so", 14))
			base = module;
		objects |= !strncmp(module->name, "libgobject-2.0.so", 17);
	}
	if (!base || !objects || process->image.word_bytes != 8)
		return NULL;
	struct gobject *glib = calloc(1, sizeof(*glib));
	if (!glib)
		return hf_error_nomem();
	glib->typing = typing;
	glib->image = &process->image;
	hf_extents_hull(typing->extents, &glib->low, &glib->high);
	glib->quarks = find_quarks(glib, base);
	if (!glib->quarks) {
		free(glib);
		return NULL;
	}
	*ret = glib;
	return NULL;
}

/* ---- classes --------------------------------------------------------------------------------- */

static void read_class(struct gobject *glib, struct class_slot *slot)
{
	const struct hf_image *image = glib->image;
	uint64_t node = 0, self = 0, data = 0, class = 0, text = 0;
	uint32_t quark = 0;
	char name[MAX_NAME], full[MAX_NAME + 16];

	slot->type = TYPE_NONE;
	if (!hf_image_word(image, slot->address, &node) || node < MIN_NODE || node % 8 ||
	    !hf_image_word(image, node + NODE_SELF, &self) || self != node ||
	    !hf_image_word(image, node + NODE_DATA, &data) ||
	    !hf_image_word(image, data + DATA_CLASS, &class) || class != slot->address ||
	    !hf_image_u16(image, data + DATA_SIZES, &slot->instance_size) ||
	    !hf_image_u16(image, data + DATA_SIZES + 2, &slot->private_size) ||
	    !hf_image_u32(image, node + NODE_QNAME, &quark) || quark == 0 || quark > MAX_QUARK ||
	    !hf_image_word(image, glib->quarks + (uint64_t)quark * 8, &text) ||
	    !read_name(glib, text, name, sizeof(name)))
		return;
	snprintf(full, sizeof(full), "GObject %s", name);
	slot->type = typing_intern(glib->typing, HF_TYPE_RUNTIME, full, slot->instance_size);
}

static const struct class_slot *class_at(struct gobject *glib, uint64_t address)
{
	uint64_t hash = address * UINT64_C(0x9e3779b97f4a7c15);
	struct class_slot *slot = &glib->classes[(uint32_t)(hash >> 32) & (CACHE - 1)];

	if (slot->address == address)
		return slot;
	*slot = (struct class_slot){.address = address};
	read_class(glib, slot);
	return slot;
}

static uint32_t gobject_type_of(void *state, uint32_t object, const uint8_t *data, uint64_t bytes)
{
	(void)object;
	struct gobject *glib = state;

	for (uint64_t at = 0; at <= MAX_PRIVATE && at + 24 <= bytes; at += INSTANCE_ALIGN) {
		uint64_t class = hf_image_word_at(glib->image, data + at);
		if (class - glib->low >= glib->high - glib->low || class % 8)
			continue;
		const struct class_slot *slot = class_at(glib, class);
		if (slot->type != TYPE_NONE && slot->private_size == at &&
		    at + slot->instance_size <= bytes)
			return slot->type;
	}
	return TYPE_NONE;
}

const struct typing_runtime typing_gobject = {
    .name = "GObject",
    .open = gobject_open,
    .type_of = gobject_type_of,
    .close = gobject_close,
};
