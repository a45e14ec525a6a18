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
#include "core/base/parallel.h"
#include "heapwalk/output/escape.h"
#include "heapwalk/output/export_hprof.h"

enum { UTF8 = 0x01, LOAD_CLASS = 0x02 };
enum { ROOT_STICKY_CLASS = 0x05, CLASS_DUMP = 0x20 };
enum { FIRST_SLOTS = 1 << 10, MAX_RUN = 256, MARK_OBJECTS = 1 << 16 };

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

/* The slot of the class, or the free one where it would stand. */
static uint32_t *slot_of(const struct hprof *hprof, uint32_t type, uint64_t chunk_bytes)
{
	uint32_t bytes = chunk_bytes <= hprof_small(hprof) ? (uint32_t)chunk_bytes : 0;
	uint64_t at = hash_of(type, bytes) & (hprof->slot_count - 1);

	for (; hprof->slots[at]; at = (at + 1) & (hprof->slot_count - 1)) {
		const struct hprof_class *class = &hprof->classes.data[hprof->slots[at] - 1];
		if (class->type == type && class->bytes == bytes)
			break;
	}
	return &hprof->slots[at];
}

uint32_t hprof_class(const struct hprof *hprof, uint32_t type, uint64_t chunk_bytes)
{
	return *slot_of(hprof, type, chunk_bytes) - 1;
}

static bool add_class(struct hprof *hprof, uint32_t type, uint64_t chunk_bytes)
{
	if (hprof->classes.count * 2 >= hprof->slot_count && !rehash(hprof))
		return false;
	uint32_t *slot = slot_of(hprof, type, chunk_bytes);
	if (*slot)
		return true;
	struct hprof_class class = {.type = type, .left_out = -1};
	class.bytes = chunk_bytes <= hprof_small(hprof) ? (uint32_t)chunk_bytes : 0;
	if (!hf_vec_push(&hprof->classes, class))
		return false;
	*slot = (uint32_t)hprof->classes.count;
	return true;
}

uint32_t hprof_run_end(const struct hprof *hprof, uint32_t first, uint32_t end)
{
	uint32_t at = first;

	while (at < end && at - first < MAX_RUN &&
	       hf_extents_chunk_bytes(hprof->analysis->extents, at) <= hprof_small(hprof))
		at++;
	return at;
}

/* Which words of which classes point, as one thread sees it. */
struct marking {
	const struct hprof *hprof;
	uint64_t *pointers; /* a class */
	uint32_t source, class;
	uint64_t address; /* of the source */
};

static bool mark_word(void *ctx, const struct hf_edge *edge)
{
	struct marking *marking = ctx;
	const struct hf_analysis *analysis = marking->hprof->analysis;

	if (edge->source != marking->source) {
		marking->source = edge->source;
		marking->address = hf_extents_address(analysis->extents, edge->source);
		marking->class =
		    hprof_class(marking->hprof, hf_typing_of(analysis->typing, edge->source),
				hf_extents_chunk_bytes(analysis->extents, edge->source));
	}
	uint64_t word = (edge->source_address - marking->address) / marking->hprof->word;
	if (word < HPROF_WORDS)
		marking->pointers[marking->class] |= UINT64_C(1) << word;
	return true;
}

static void mark_objects(void *ctx, uint64_t task, unsigned worker)
{
	const struct hprof *hprof = ctx;
	uint32_t first = (uint32_t)task * MARK_OBJECTS, left = hprof->objects - first;
	uint32_t end = first + (left < MARK_OBJECTS ? left : MARK_OBJECTS);
	struct marking marking = {
	    .hprof = hprof, .pointers = hprof->scribes[worker].pointers, .source = HF_NO_NODE};

	while (first < end) {
		struct hf_edge_place place = {.node = first};
		uint32_t run = hprof_run_end(hprof, first, end);
		hf_graph_each_edge_from(hprof->graph, &place, run, mark_word, &marking);
		first = run > first ? run : first + 1;
	}
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
	const struct hf_progress *progress = hprof->export->options.progress;
	unsigned threads = hprof->export->options.threads;

	if (!rehash(hprof))
		return hf_error_nomem();
	for (uint32_t id = 0; id < hprof->objects; id++) {
		uint64_t bytes = hf_extents_chunk_bytes(hprof->analysis->extents, id);
		if (!add_class(hprof, hf_typing_of(hprof->analysis->typing, id), bytes))
			return hf_error_nomem();
	}
	for (unsigned i = 0; i < threads; i++) {
		hprof->scribes[i].pointers = calloc(hprof->classes.count + 1, sizeof(uint64_t));
		if (!hprof->scribes[i].pointers)
			return hf_error_nomem();
	}
	hf_progress_report(progress, "looking for classes", 0, 0);
	hf_parallel_for(threads, (hprof->objects + MARK_OBJECTS - 1ull) / MARK_OBJECTS,
			mark_objects, hprof);
	for (uint32_t i = 0; i < hprof->classes.count; i++) {
		struct hprof_class *class = &hprof->classes.data[i];
		for (unsigned worker = 0; worker < threads; worker++)
			class->pointers |= hprof->scribes[worker].pointers[i];
		if (class->bytes)
			settle(class, hprof->word);
	}
	return NULL;
}

/* ---- names ----------------------------------------------------------------------------------- */

static void put_name(struct hprof_scribe *scribe, uint64_t id, const char *text)
{
	size_t bytes = strlen(text);
	hprof_record(scribe->to, UTF8, scribe->hprof->word + bytes);
	hprof_id(scribe->hprof, scribe->to, id);
	hf_put(scribe->to, text, bytes);
}

/* As a class name that viewers show unchanged. */
static struct hf_error *put_class_name(struct hprof_scribe *scribe, uint64_t id, const char *name,
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
	put_name(scribe, id, safe);
	return NULL;
}

static void load_class(struct hprof_scribe *scribe, uint64_t id, uint64_t name)
{
	hprof_record(scribe->to, LOAD_CLASS, 4 + 4 + 2 * scribe->hprof->word);
	hf_put_big(scribe->to, id, 4); /* serial number */
	hprof_id(scribe->hprof, scribe->to, id);
	hf_put_big(scribe->to, 1, 4); /* stack trace */
	hprof_id(scribe->hprof, scribe->to, name);
}

static void put_fixed_names(struct hprof_scribe *scribe)
{
	char text[32];

	for (unsigned i = 0; i < HPROF_MAX_HOLDER_FIELDS; i++) {
		snprintf(text, sizeof(text), "+%u", i * scribe->hprof->word);
		put_name(scribe, 1 + i, text);
	}
	put_name(scribe, NAME_REFS, "pointers");
	put_name(scribe, NAME_DATA, "bytes");
	put_name(scribe, NAME_REFERENT, "referent");
	put_name(scribe, NAME_ATOMIC_DATA, "annotationDataOffset");
	put_name(scribe, NAME_ATOMIC_TYPE, "annotationTypeOffset");
	for (unsigned i = 1; i < HPROF_FIRST_CLASS; i++)
		put_name(scribe, NAME_FIRST_CLASS + i, fixed_names[i]);
}

struct hf_error *hprof_put_names(struct hprof_scribe *scribe)
{
	struct hf_error *err = NULL;

	put_fixed_names(scribe);
	for (uint64_t i = 0; i < scribe->hprof->classes.count && !err; i++) {
		const struct hprof_class *class = &scribe->hprof->classes.data[i];
		err = put_class_name(
		    scribe, NAME_FIRST_CLASS + hprof_class_id(i),
		    hf_typing_type(scribe->hprof->analysis->typing, class->type)->name,
		    class->bytes);
	}
	for (uint32_t i = 0; i < scribe->hprof->holders && !err; i++) {
		HF_AUTO(free_ptr)
		char *name =
		    hf_analysis_describe(scribe->hprof->analysis, scribe->hprof->objects + i);
		err = name
			  ? put_class_name(scribe,
					   NAME_FIRST_CLASS + scribe->hprof->first_holder_class + i,
					   name, 0)
			  : hf_error_nomem();
	}
	for (uint64_t id = 1;
	     id < scribe->hprof->first_holder_class + scribe->hprof->holders && !err; id++)
		load_class(scribe, id, NAME_FIRST_CLASS + id);
	return err;
}

/* ---- dumps ----------------------------------------------------------------------------------- */

static void begin_class(struct hprof_scribe *scribe, uint64_t id, uint64_t super,
			uint64_t instance_bytes)
{
	struct hf_writer *to = &scribe->segment;

	hf_put_byte(to, ROOT_STICKY_CLASS);
	hprof_id(scribe->hprof, to, id);
	hf_put_byte(to, CLASS_DUMP);
	hprof_id(scribe->hprof, to, id);
	hf_put_big(to, 1, 4); /* stack trace */
	hprof_id(scribe->hprof, to, super);
	for (unsigned i = 0; i < 5; i++) /* loader, signers, protection domain, reserved */
		hprof_id(scribe->hprof, to, 0);
	hf_put_big(to, instance_bytes, 4);
	hf_put_big(to, 0, 2); /* constants */
}

static void put_field(struct hprof_scribe *scribe, uint64_t name, unsigned type)
{
	hprof_id(scribe->hprof, &scribe->segment, name);
	hf_put_byte(&scribe->segment, type);
}

static void put_static_long(struct hprof_scribe *scribe, uint64_t name, uint64_t value)
{
	put_field(scribe, name, HPROF_LONG);
	hf_put_big(&scribe->segment, value, 8);
}

static void put_fixed_class(struct hprof_scribe *scribe, unsigned id)
{
	struct hf_writer *to = &scribe->segment;
	unsigned word = scribe->hprof->word;
	bool reference = id > HPROF_CLASS_REFERENCE && id <= HPROF_CLASS_PHANTOM;
	unsigned fields = id == HPROF_CLASS_REFERENCE || id == HPROF_CLASS_LOST;

	begin_class(scribe, id,
		    id == HPROF_CLASS_OBJECT ? 0
		    : reference		     ? HPROF_CLASS_REFERENCE
					     : HPROF_CLASS_OBJECT,
		    (2ull + (fields || reference)) * word);
	hf_put_big(to, id == HPROF_CLASS_ATOMIC ? 2 : 0, 2);
	if (id == HPROF_CLASS_ATOMIC) {
		/* VisualVM takes the size of a reference from their distance. */
		put_static_long(scribe, NAME_ATOMIC_DATA, 64);
		put_static_long(scribe, NAME_ATOMIC_TYPE, 64 + word);
	}
	hf_put_big(to, fields, 2);
	if (fields)
		put_field(scribe, id == HPROF_CLASS_LOST ? NAME_REFS : NAME_REFERENT, HPROF_OBJECT);
}

static void put_class(struct hprof_scribe *scribe, uint64_t index)
{
	const struct hprof_class *class = &scribe->hprof->classes.data[index];
	unsigned fields = class->bytes ? hprof_fields(class) : 2;

	begin_class(scribe, hprof_class_id(index), HPROF_CLASS_OBJECT,
		    (2ull + fields) * scribe->hprof->word);
	hf_put_big(&scribe->segment, 0, 2);
	hf_put_big(&scribe->segment, fields, 2);
	if (!class->bytes) {
		put_field(scribe, NAME_REFS, HPROF_OBJECT);
		put_field(scribe, NAME_DATA, HPROF_OBJECT);
	}
	for (int at = 0; class->bytes && at < class->word_count; at++) {
		if (at != class->left_out)
			put_field(scribe, 1 + (uint64_t)at,
				  class->pointers >> at & 1  ? HPROF_OBJECT
				  : scribe->hprof->word == 8 ? HPROF_LONG
							     : HPROF_INT);
	}
	hprof_end_segment(scribe, false);
}

static void put_holder_class(struct hprof_scribe *scribe, uint32_t holder)
{
	const uint32_t *targets;
	uint64_t count =
	    hf_graph_out(scribe->hprof->graph, scribe->hprof->objects + holder, &targets);
	bool many = count > HPROF_MAX_HOLDER_FIELDS;
	uint64_t fields = many ? 1 : count;

	begin_class(scribe, scribe->hprof->first_holder_class + holder, HPROF_CLASS_OBJECT,
		    (2 + fields) * scribe->hprof->word);
	hf_put_big(&scribe->segment, 0, 2);
	hf_put_big(&scribe->segment, fields, 2);
	for (uint64_t i = 0; i < fields; i++)
		put_field(scribe, many ? NAME_REFS : 1 + i, HPROF_OBJECT);
	hprof_end_segment(scribe, false);
}

void hprof_put_classes(struct hprof_scribe *scribe)
{
	for (unsigned id = 1; id < HPROF_FIRST_CLASS; id++)
		put_fixed_class(scribe, id);
	for (uint64_t i = 0; i < scribe->hprof->classes.count; i++)
		put_class(scribe, i);
	for (uint32_t i = 0; i < scribe->hprof->holders; i++)
		put_holder_class(scribe, i);
}
