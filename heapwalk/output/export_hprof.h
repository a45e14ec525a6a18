/*
 * export_hprof.h - private to export_hprof*.c: how C objects are told in Java's terms.
 *
 * A viewer of HPROF counts 2 words for an instance and then its fields, so that
 * an object of S chunk bytes becomes, W being the word's size:
 *
 *	S <= 64 W		an instance of the class (type, S), a field a word: a reference
 *				where any object of that class has a pointer, a number elsewhere
 *	larger			an instance of the class of the type, which holds an Object[] of
 *				its pointers and byte[]s with its bytes; all together S
 *
 * Names of classes are those of the types, with the size where there are several sizes.
 * Holders are instances of classes of their own, and roots; (lost) is a root that holds the
 * leaders. Ids are addresses; classes and holders are numbered from 1, below all addresses.
 */
#ifndef HF_HEAPWALK_OUTPUT_EXPORT_HPROF_H
#define HF_HEAPWALK_OUTPUT_EXPORT_HPROF_H

#include "heapwalk/output/export_pieces.h"

enum { HPROF_WORDS = 64 };
enum { HPROF_OBJECT = 2, HPROF_BYTE = 8, HPROF_INT = 10, HPROF_LONG = 11 };
enum { HPROF_MAX_HOLDER_FIELDS = 200 };

/* Classes that viewers look for, in the order of their ids. */
enum hprof_fixed_class {
	HPROF_CLASS_OBJECT = 1,
	HPROF_CLASS_CLASS,
	HPROF_CLASS_LOADER,
	HPROF_CLASS_STRING,
	HPROF_CLASS_THREAD,
	HPROF_CLASS_ATOMIC,
	HPROF_CLASS_REFERENCE,
	HPROF_CLASS_SOFT,
	HPROF_CLASS_WEAK,
	HPROF_CLASS_FINAL,
	HPROF_CLASS_PHANTOM,
	HPROF_CLASS_BYTES,
	HPROF_CLASS_LONGS,
	HPROF_CLASS_OBJECTS,
	HPROF_CLASS_LOST,
	HPROF_FIRST_CLASS
};

struct hprof_class {
	uint32_t type;
	uint32_t bytes;	    /* chunk; 0: the class of the type's large objects */
	uint64_t pointers;  /* mask: words that are references */
	int8_t left_out;    /* the word that has no field, so that the size is right; -1: none */
	uint8_t word_count; /* words of the object, the left-out one too */
};

/* What one thread needs to write records; the segment at hand belongs to `to`. */
struct hprof_scribe {
	const struct hprof *hprof;
	struct hf_writer *to;
	struct hf_writer segment; /* the heap dump segment being made */
	uint64_t lost_edges, enlarged, enlarged_bytes;
	HF_VEC(, struct hf_edge) edges; /* of a run of small objects, in their order */
	HF_VEC(, uint64_t) references;
	uint64_t *pointers; /* a class: words that are references, as this thread saw */
};

struct hprof {
	struct hf_export *export;
	const struct hf_analysis *analysis;
	const struct hf_graph *graph;
	unsigned word; /* bytes of a target word: the size of ids */
	uint32_t objects, holders;
	HF_VEC(, struct hprof_class) classes;
	uint32_t *slots; /* hash: class + 1 */
	uint64_t slot_count;
	uint64_t first_holder_class, first_holder, lost_id; /* ids */
	struct hprof_scribe *scribes;			    /* a worker; the first for all else */
};

/* Chunks up to this size are told field by field. */
static inline uint64_t hprof_small(const struct hprof *hprof)
{
	return (uint64_t)HPROF_WORDS * hprof->word;
}

/* Id of the class with index @index. */
static inline uint64_t hprof_class_id(uint64_t index)
{
	return HPROF_FIRST_CLASS + index;
}

static inline void hprof_id(const struct hprof *hprof, struct hf_writer *to, uint64_t id)
{
	hf_put_big(to, id, hprof->word);
}

/* Class for objects of @type with @bytes: its index, UINT32_MAX where there is none. */
uint32_t hprof_class(const struct hprof *hprof, uint32_t type, uint64_t bytes);

/*
 * Small objects from @first on, before @end: their edges are looked for together. Returns the end
 * of the run, which is @first where that is a large one.
 */
uint32_t hprof_run_end(const struct hprof *hprof, uint32_t first, uint32_t end);

/* First pass: the classes there will be and where they have pointers. */
struct hf_error *hprof_find_classes(struct hprof *hprof);

/* Fields of a class: words less the left-out one. */
static inline unsigned hprof_fields(const struct hprof_class *class)
{
	return class->word_count - (class->left_out >= 0);
}

/* Strings, LOAD CLASS records and CLASS DUMPs. */
struct hf_error *hprof_put_names(struct hprof_scribe *scribe);
void hprof_put_classes(struct hprof_scribe *scribe);

/* A record of @bytes with @tag: its header. */
void hprof_record(struct hf_writer *to, unsigned tag, uint64_t bytes);

/* Write the segment out if it is large enough, or in any case. */
void hprof_end_segment(struct hprof_scribe *scribe, bool always);

#endif
