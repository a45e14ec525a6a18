/*
 * export_hprof_classes.c - the classes of an HPROF file (see export_hprof.h).
 *
 * Names are UTF8 records whose ids are: 1.. for the words' offsets ("+8"), then some fixed ones,
 * then one a class. A class name's '/' would be shown as '.', and a '[' at its start
 * makes it an array: they become look-alikes (U+2215, U+27E6).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/cleanup.h"
#include "heapwalk/output/escape.h"
#include "heapwalk/output/export_hprof.h"

enum { UTF8 = 0x01, LOAD_CLASS = 0x02 };
enum { ROOT_STICKY_CLASS = 0x05, CLASS_DUMP = 0x20 };
enum { FIRST_SLOTS = 1 << 10, PROGRESS_STEP = 1 << 18 };

/* Ids of names; those of the offsets are 1 .. HPROF_MAX_HOLDER_FIELDS. */
enum {
	NAME_REFS = HPROF_MAX_HOLDER_FIELDS + 1,
	NAME_DATA,
	NAME_REFERENT,
	NAME_ATOMIC_DATA,
	NAME_ATOMIC_TYPE,
	NAME_FIRST_CLASS = 1000,
};

static const char *const fixed_names[HPROF_FIRST_CLASS] = {
    [HPROF_CLASS_OBJECT] = "java/lang/Object",
    [HPROF_CLASS_CLASS] = "java/lang/Class",
    [HPROF_CLASS_LOADER] = "java/lang/ClassLoader",
    [HPROF_CLASS_STRING] = "java/lang/String",
    [HPROF_CLASS_THREAD] = "java/lang/Thread",
    [HPROF_CLASS_ATOMIC] = "java/lang/Class$Atomic",
    [HPROF_CLASS_REFERENCE] = "java/lang/ref/Reference",
    [HPROF_CLASS_SOFT] = "java/lang/ref/SoftReference",
    [HPROF_CLASS_WEAK] = "java/lang/ref/WeakReference",
    [HPROF_CLASS_FINAL] = "java/lang/ref/FinalReference",
    [HPROF_CLASS_PHANTOM] = "java/lang/ref/PhantomReference",
    [HPROF_CLASS_BYTES] = "[B",
    [HPROF_CLASS_LONGS] = "[J",
    [HPROF_CLASS_OBJECTS] = "[Ljava/lang/Object;",
    [HPROF_CLASS_LOST] = "(lost: nothing points here)",
};

/* ---- which classes there are ----------------------------------------------------------------- */

static uint64_t hash_of(uint32_t type, uint32_t bytes)
{
	uint64_t key = ((uint64_t)type << 32 | bytes) * UINT64_C(0x9e3779b97f4a7c15);
	return key ^ key >> 31;
}

static bool rehash(struct hprof *hprof)
{
	uint64_t count = hprof->slot_count ? hprof->slot_count * 2 : FIRST_SLOTS;
	uint32_t *slots = calloc(count, sizeof(*slots));

	if (!slots)
		return false;
	for (uint32_t i = 0; i < hprof->classes.count; i++) {
		const struct hprof_class *class = &hprof->classes.data[i];
		uint64_t at = hash_of(class->type, class->bytes) & (count - 1);
		while (slots[at])
			at = (at + 1) & (count - 1);
		slots[at] = i + 1;
	}
	free(hprof->slots);
	hprof->slots = slots;
	hprof->slot_count = count;
	return true;
}

uint32_t hprof_class(struct hprof *hprof, uint32_t type, uint64_t chunk_bytes)
{
	uint32_t bytes = chunk_bytes <= hprof_small(hprof) ? (uint32_t)chunk_bytes : 0;

	if (hprof->classes.count * 2 >= hprof->slot_count && !rehash(hprof))
		return UINT32_MAX;
	uint64_t at = hash_of(type, bytes) & (hprof->slot_count - 1);
	for (; hprof->slots[at]; at = (at + 1) & (hprof->slot_count - 1)) {
		const struct hprof_class *class = &hprof->classes.data[hprof->slots[at] - 1];
		if (class->type == type && class->bytes == bytes)
			return hprof->slots[at] - 1;
	}
	struct hprof_class class = {.type = type, .bytes = bytes, .left_out = -1};
	if (!hf_vec_push(&hprof->classes, class))
		return UINT32_MAX;
	hprof->slots[at] = (uint32_t)hprof->classes.count;
	return (uint32_t)hprof->classes.count - 1;
}

static bool mark_word(void *ctx, const struct hf_edge *edge)
{
	struct hprof *hprof = ctx;
	uint64_t word = (edge->source_address - hprof->first_address) / hprof->word;
	if (word < HPROF_WORDS)
		hprof->pointers |= UINT64_C(1) << word;
	return true;
}

/*
 * An instance has room for S - 2 words of fields, an object for S - 1: if the last word never
 * points, it has no field; else another word that never does is left out. If all of
 * them point somewhere, the instance is a word larger.
 */
static void settle(struct hprof_class *class, unsigned word)
{
	unsigned words = class->bytes / word - 1;

	class->word_count = (uint8_t)words;
	for (unsigned at = words; at-- > 0 && class->left_out < 0;) {
		if (!(class->pointers >> at & 1))
			class->left_out = (int8_t)at;
	}
}

struct hf_error *hprof_find_classes(struct hprof *hprof)
{
	const uint32_t *targets;

	for (uint32_t id = 0; id < hprof->objects; id++) {
		uint64_t bytes = hf_extents_chunk_bytes(hprof->analysis->extents, id);
		uint32_t index =
		    hprof_class(hprof, hf_typing_of(hprof->analysis->typing, id), bytes);
		if (index == UINT32_MAX)
			return hf_error_nomem();
		if (id % PROGRESS_STEP == 0)
			hf_progress_report(hprof->export->options.progress, "looking for classes",
					   id, hprof->objects);
		if (bytes > hprof_small(hprof) || !hf_graph_out(hprof->graph, id, &targets))
			continue;
		hprof->first_address = hf_extents_address(hprof->analysis->extents, id);
		hprof->pointers = hprof->classes.data[index].pointers;
		hf_graph_each_edge(hprof->graph, id, mark_word, hprof);
		hprof->classes.data[index].pointers = hprof->pointers;
	}
	hf_vec_foreach (class, &hprof->classes) {
		if (class->bytes)
			settle(class, hprof->word);
	}
	return NULL;
}

/* ---- names ----------------------------------------------------------------------------------- */

static void put_name(struct hprof *hprof, uint64_t id, const char *text)
{
	size_t bytes = strlen(text);
	hprof_record(hprof, UTF8, hprof->word + bytes);
	hprof_id(hprof, hprof->to, id);
	hf_put(hprof->to, text, bytes);
}

/* As a class name that viewers show unchanged. */
static struct hf_error *put_class_name(struct hprof *hprof, uint64_t id, const char *name,
				       uint32_t bytes)
{
	HF_AUTO(free_ptr) char *escaped = hf_escape(name);
	HF_AUTO(free_ptr) char *safe = escaped ? malloc(strlen(escaped) * 3 + 32) : NULL;
	char *to = safe;

	if (!safe)
		return hf_error_nomem();
	for (const char *at = escaped; *at; at++) {
		bool first = at == escaped;
		if (*at == '/')
			to = stpcpy(to, "\xe2\x88\x95");
		else if (first && *at == '[')
			to = stpcpy(to, "\xe2\x9f\xa6");
		else
			*to++ = *at;
	}
	*to = '\0';
	if (bytes)
		sprintf(to, " (%u)", bytes);
	put_name(hprof, id, safe);
	return NULL;
}

static void load_class(struct hprof *hprof, uint64_t id, uint64_t name)
{
	hprof_record(hprof, LOAD_CLASS, 4 + 4 + 2 * hprof->word);
	hf_put_big(hprof->to, id, 4); /* serial number */
	hprof_id(hprof, hprof->to, id);
	hf_put_big(hprof->to, 1, 4); /* stack trace */
	hprof_id(hprof, hprof->to, name);
}

static void put_fixed_names(struct hprof *hprof)
{
	char text[32];

	for (unsigned i = 0; i < HPROF_MAX_HOLDER_FIELDS; i++) {
		snprintf(text, sizeof(text), "+%u", i * hprof->word);
		put_name(hprof, 1 + i, text);
	}
	put_name(hprof, NAME_REFS, "pointers");
	put_name(hprof, NAME_DATA, "bytes");
	put_name(hprof, NAME_REFERENT, "referent");
	put_name(hprof, NAME_ATOMIC_DATA, "annotationDataOffset");
	put_name(hprof, NAME_ATOMIC_TYPE, "annotationTypeOffset");
	for (unsigned i = 1; i < HPROF_FIRST_CLASS; i++)
		put_name(hprof, NAME_FIRST_CLASS + i, fixed_names[i]);
}

struct hf_error *hprof_put_names(struct hprof *hprof)
{
	struct hf_error *err = NULL;

	put_fixed_names(hprof);
	for (uint64_t i = 0; i < hprof->classes.count && !err; i++) {
		const struct hprof_class *class = &hprof->classes.data[i];
		err = put_class_name(hprof, NAME_FIRST_CLASS + hprof_class_id(i),
				     hf_typing_type(hprof->analysis->typing, class->type)->name,
				     class->bytes);
	}
	for (uint32_t i = 0; i < hprof->holders && !err; i++) {
		HF_AUTO(free_ptr)
		char *name = hf_analysis_describe(hprof->analysis, hprof->objects + i);
		err = name ? put_class_name(hprof, NAME_FIRST_CLASS + hprof->first_holder_class + i,
					    name, 0)
			   : hf_error_nomem();
	}
	for (uint64_t id = 1; id < hprof->first_holder_class + hprof->holders && !err; id++)
		load_class(hprof, id, NAME_FIRST_CLASS + id);
	return err;
}

/* ---- dumps ----------------------------------------------------------------------------------- */

static void begin_class(struct hprof *hprof, uint64_t id, uint64_t super, uint64_t instance_bytes)
{
	struct hf_writer *to = &hprof->segment;

	hf_put_byte(to, ROOT_STICKY_CLASS);
	hprof_id(hprof, to, id);
	hf_put_byte(to, CLASS_DUMP);
	hprof_id(hprof, to, id);
	hf_put_big(to, 1, 4); /* stack trace */
	hprof_id(hprof, to, super);
	for (unsigned i = 0; i < 5; i++) /* loader, signers, protection domain, reserved */
		hprof_id(hprof, to, 0);
	hf_put_big(to, instance_bytes, 4);
	hf_put_big(to, 0, 2); /* constants */
}

static void put_field(struct hprof *hprof, uint64_t name, unsigned type)
{
	hprof_id(hprof, &hprof->segment, name);
	hf_put_byte(&hprof->segment, type);
}

static void put_static_long(struct hprof *hprof, uint64_t name, uint64_t value)
{
	put_field(hprof, name, HPROF_LONG);
	hf_put_big(&hprof->segment, value, 8);
}

static void put_fixed_class(struct hprof *hprof, unsigned id)
{
	struct hf_writer *to = &hprof->segment;
	unsigned word = hprof->word;
	bool reference = id > HPROF_CLASS_REFERENCE && id <= HPROF_CLASS_PHANTOM;
	unsigned fields = id == HPROF_CLASS_REFERENCE || id == HPROF_CLASS_LOST;

	begin_class(hprof, id,
		    id == HPROF_CLASS_OBJECT ? 0
		    : reference		     ? HPROF_CLASS_REFERENCE
					     : HPROF_CLASS_OBJECT,
		    (2ull + (fields || reference)) * word);
	hf_put_big(to, id == HPROF_CLASS_ATOMIC ? 2 : 0, 2);
	if (id == HPROF_CLASS_ATOMIC) {
		/* VisualVM takes the size of a reference from their distance. */
		put_static_long(hprof, NAME_ATOMIC_DATA, 64);
		put_static_long(hprof, NAME_ATOMIC_TYPE, 64 + word);
	}
	hf_put_big(to, fields, 2);
	if (fields)
		put_field(hprof, id == HPROF_CLASS_LOST ? NAME_REFS : NAME_REFERENT, HPROF_OBJECT);
}

static void put_class(struct hprof *hprof, uint64_t index)
{
	const struct hprof_class *class = &hprof->classes.data[index];
	unsigned fields = class->bytes ? hprof_fields(class) : 2;

	begin_class(hprof, hprof_class_id(index), HPROF_CLASS_OBJECT,
		    (2ull + fields) * hprof->word);
	hf_put_big(&hprof->segment, 0, 2);
	hf_put_big(&hprof->segment, fields, 2);
	if (!class->bytes) {
		put_field(hprof, NAME_REFS, HPROF_OBJECT);
		put_field(hprof, NAME_DATA, HPROF_OBJECT);
	}
	for (int at = 0; class->bytes && at < class->word_count; at++) {
		if (at != class->left_out)
			put_field(hprof, 1 + (uint64_t)at,
				  class->pointers >> at & 1 ? HPROF_OBJECT
				  : hprof->word == 8	    ? HPROF_LONG
							    : HPROF_INT);
	}
	hprof_end_segment(hprof, false);
}

static void put_holder_class(struct hprof *hprof, uint32_t holder)
{
	const uint32_t *targets;
	uint64_t count = hf_graph_out(hprof->graph, hprof->objects + holder, &targets);
	bool many = count > HPROF_MAX_HOLDER_FIELDS;
	uint64_t fields = many ? 1 : count;

	begin_class(hprof, hprof->first_holder_class + holder, HPROF_CLASS_OBJECT,
		    (2 + fields) * hprof->word);
	hf_put_big(&hprof->segment, 0, 2);
	hf_put_big(&hprof->segment, fields, 2);
	for (uint64_t i = 0; i < fields; i++)
		put_field(hprof, many ? NAME_REFS : 1 + i, HPROF_OBJECT);
	hprof_end_segment(hprof, false);
}

void hprof_put_classes(struct hprof *hprof)
{
	for (unsigned id = 1; id < HPROF_FIRST_CLASS; id++)
		put_fixed_class(hprof, id);
	for (uint64_t i = 0; i < hprof->classes.count; i++)
		put_class(hprof, i);
	for (uint32_t i = 0; i < hprof->holders; i++)
		put_holder_class(hprof, i);
}
