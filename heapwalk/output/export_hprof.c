/*
 * export_hprof.c - the heap as a Java heap dump, for Eclipse MAT and VisualVM (the binary format
 * that OpenJDK's heapDumper.cpp describes). How objects are told is in export_hprof.h.
 *
 *	header, names, LOAD CLASS records, two stack traces, heap dump segments, end
 *
 * A segment's length stands before it: small records are collected up to SEGMENT_BYTES; a long
 * array has a segment of its own, whose length is known. Bytes that the core does not hold
 * are zero. Pointers from lost objects to reachable ones are left out: they would
 * change what the viewer finds retained.
 */
#include "heapwalk/output/export_hprof.h"

#include <stdlib.h>
#include <string.h>

enum { TRACE = 0x05, HEAP_DUMP_SEGMENT = 0x1c, HEAP_DUMP_END = 0x2c };
enum { ROOT_UNKNOWN = 0xff, INSTANCE_DUMP = 0x21, OBJECT_ARRAY_DUMP = 0x22 };
enum { PRIMITIVE_ARRAY_DUMP = 0x23 };
enum { SEGMENT_BYTES = 1 << 20, LONG_ARRAY_BYTES = 1 << 16, PROGRESS_STEP = 1 << 18 };
enum { REFERENCES_ID = 1, FIRST_PART_ID = 2 }; /* from the object's own id */

static const uint64_t MAX_PART_BYTES = UINT64_C(1) << 30;
static const uint64_t MAX_REFERENCES = UINT64_C(1) << 28;

/* ---- records --------------------------------------------------------------------------------- */

void hprof_record(struct hprof *hprof, unsigned tag, uint64_t bytes)
{
	hf_put_byte(hprof->to, tag);
	hf_put_big(hprof->to, 0, 4); /* microseconds */
	hf_put_big(hprof->to, bytes, 4);
}

void hprof_end_segment(struct hprof *hprof, bool always)
{
	if (hprof->segment.count < SEGMENT_BYTES && !(always && hprof->segment.count))
		return;
	hprof_record(hprof, HEAP_DUMP_SEGMENT, hprof->segment.count);
	hf_put(hprof->to, hprof->segment.data, hprof->segment.count);
	hf_writer_reset(&hprof->segment);
}

/* Where an array of @bytes goes: the segment at hand, or one of its own. */
static struct hf_writer *array_to(struct hprof *hprof, uint64_t header_bytes, uint64_t bytes)
{
	if (bytes < LONG_ARRAY_BYTES)
		return &hprof->segment;
	hprof_end_segment(hprof, true);
	hprof_record(hprof, HEAP_DUMP_SEGMENT, header_bytes + bytes);
	return hprof->to;
}

static void begin_instance(struct hprof *hprof, uint64_t id, uint64_t class_id, uint64_t bytes)
{
	struct hf_writer *to = &hprof->segment;

	hf_put_byte(to, INSTANCE_DUMP);
	hprof_id(hprof, to, id);
	hf_put_big(to, 1, 4); /* stack trace */
	hprof_id(hprof, to, class_id);
	hf_put_big(to, bytes, 4);
}

static void put_references(struct hprof *hprof, uint64_t id, const uint64_t *ids, uint64_t count)
{
	uint64_t header = 1 + hprof->word + 4 + 4 + hprof->word;
	struct hf_writer *to = array_to(hprof, header, count * hprof->word);

	hf_put_byte(to, OBJECT_ARRAY_DUMP);
	hprof_id(hprof, to, id);
	hf_put_big(to, 1, 4);
	hf_put_big(to, count, 4);
	hprof_id(hprof, to, HPROF_CLASS_OBJECTS);
	for (uint64_t i = 0; i < count; i++)
		hprof_id(hprof, to, ids[i]);
}

/* @bytes of target memory at @address; zeros where there are none. */
static void put_content(struct hprof *hprof, struct hf_writer *to, uint64_t address, uint64_t bytes)
{
	static const uint8_t zeros[4096];

	while (bytes && !to->error) {
		uint64_t available = 0, piece = bytes;
		const uint8_t *data =
		    hf_image_at(&hprof->analysis->process->image, address, &available);
		if (!data)
			available = sizeof(zeros) - address % sizeof(zeros);
		if (piece > available)
			piece = available;
		hf_put(to, data ? data : zeros, piece);
		address += piece;
		bytes -= piece;
	}
}

static void put_bytes_array(struct hprof *hprof, uint64_t id, uint64_t address, uint64_t bytes)
{
	struct hf_writer *to = array_to(hprof, 1 + hprof->word + 4 + 4 + 1, bytes);

	hf_put_byte(to, PRIMITIVE_ARRAY_DUMP);
	hprof_id(hprof, to, id);
	hf_put_big(to, 1, 4);
	hf_put_big(to, bytes, 4);
	hf_put_byte(to, HPROF_BYTE);
	put_content(hprof, to, address, bytes);
}

/* What a viewer counts for an array of @bytes. */
static uint64_t array_bytes(const struct hprof *hprof, uint64_t bytes)
{
	return (2ull * hprof->word + 4 + bytes + 7) & ~UINT64_C(7);
}

/* ---- objects --------------------------------------------------------------------------------- */

static uint64_t object_id(const struct hprof *hprof, uint32_t object)
{
	return hf_extents_address(hprof->analysis->extents, object);
}

static bool keeps(struct hprof *hprof, const struct hf_edge *edge)
{
	bool keep = hf_export_keeps(hprof->analysis, edge->source, edge->target);
	hprof->lost_edges += !keep;
	return keep;
}

static bool take_target(void *ctx, const struct hf_edge *edge)
{
	struct hprof *hprof = ctx;
	uint64_t word = (edge->source_address - hprof->first_address) / hprof->word;
	if (word < HPROF_WORDS && keeps(hprof, edge))
		hprof->targets[word] = edge->target;
	return true;
}

static void put_small(struct hprof *hprof, uint32_t object, const struct hprof_class *class,
		      uint64_t class_id)
{
	const struct hf_image *image = &hprof->analysis->process->image;
	uint64_t address = object_id(hprof, object), available = 0;
	const uint8_t *data = hf_image_at(image, address, &available);
	const uint32_t *targets;
	unsigned word = hprof->word;

	memset(hprof->targets, 0xff, sizeof(hprof->targets));
	hprof->first_address = address;
	if (hf_graph_out(hprof->graph, object, &targets))
		hf_graph_each_edge(hprof->graph, object, take_target, hprof);
	begin_instance(hprof, address, class_id, (uint64_t)hprof_fields(class) * word);
	for (int at = 0; at < class->word_count; at++) {
		uint64_t value = 0, offset = (uint64_t)at * word;
		if (at == class->left_out)
			continue;
		if (class->pointers >> at & 1)
			value = hprof->targets[at] == HF_NO_NODE
				    ? 0
				    : object_id(hprof, hprof->targets[at]);
		else if (data && offset + word <= available)
			value = hf_image_word_at(image, data + offset);
		hprof_id(hprof, &hprof->segment, value);
	}
	if (class->left_out < 0) {
		hprof->enlarged++;
		hprof->enlarged_bytes += (word + 7u) & ~7u;
	}
}

static bool take_reference(void *ctx, const struct hf_edge *edge)
{
	struct hprof *hprof = ctx;
	return !keeps(hprof, edge) ||
	       hf_vec_push(&hprof->references, object_id(hprof, edge->target));
}

/*
 * Bytes for the byte[]s of an object that has @bytes to tell in all: less the instance,
 * the Object[] and each byte[]'s own overhead. *@ret_parts: how many byte[]s.
 */
static uint64_t data_bytes(const struct hprof *hprof, uint64_t bytes, uint64_t references,
			   uint64_t *ret_parts)
{
	uint64_t parts = (bytes + MAX_PART_BYTES - 1) / MAX_PART_BYTES;
	uint64_t all = references + parts - 1; /* the first stands in a field */
	uint64_t used = 4ull * hprof->word + (all ? array_bytes(hprof, all * hprof->word) : 0);

	/* Each byte[] takes 2 words + 4, and all but the last end on a multiple of 8. */
	uint64_t overhead = parts * (2ull * hprof->word + 4);
	*ret_parts = used + overhead <= bytes ? parts : 0;
	return used + overhead <= bytes ? bytes - used - overhead : 0;
}

static void put_parts(struct hprof *hprof, uint64_t address, uint64_t bytes, uint64_t parts)
{
	/* Equal parts whose ends leave no padding: 2 words + 4 + bytes is a multiple of 8. */
	for (uint64_t i = 0; i < parts; i++) {
		uint64_t left = parts - i;
		uint64_t part = left == 1 ? bytes : (bytes / left & ~UINT64_C(7)) + 4;
		put_bytes_array(hprof, address + FIRST_PART_ID + i, address, part);
		address += part;
		bytes -= part;
	}
}

static struct hf_error *put_large(struct hprof *hprof, uint32_t object, uint64_t class_id)
{
	uint64_t address = object_id(hprof, object), parts = 0;
	uint64_t bytes = hf_extents_chunk_bytes(hprof->analysis->extents, object);
	const uint32_t *targets;

	hprof->references.count = 0;
	uint64_t out = hf_graph_out(hprof->graph, object, &targets);
	if (out > MAX_REFERENCES)
		return hf_error_create(HF_ERR_LIMIT,
				       "an HPROF file cannot hold the object at 0x%lx: it "
				       "has %lu pointers, more than fit into one segment",
				       (unsigned long)address, (unsigned long)out);
	if (out)
		hf_graph_each_edge(hprof->graph, object, take_reference, hprof);
	uint64_t content = data_bytes(hprof, bytes, hprof->references.count, &parts);
	for (uint64_t i = 1; i < parts; i++) {
		if (!hf_vec_push(&hprof->references, address + FIRST_PART_ID + i))
			return hf_error_nomem();
	}
	uint64_t count = hprof->references.count;
	begin_instance(hprof, address, class_id, 2ull * hprof->word);
	hprof_id(hprof, &hprof->segment, count ? address + REFERENCES_ID : 0);
	hprof_id(hprof, &hprof->segment, parts ? address + FIRST_PART_ID : 0);
	if (count)
		put_references(hprof, address + REFERENCES_ID, hprof->references.data, count);
	put_parts(hprof, address, content, parts);
	uint64_t told = 4ull * hprof->word + (count ? array_bytes(hprof, count * hprof->word) : 0);
	if (!parts && told > bytes) {
		hprof->enlarged++;
		hprof->enlarged_bytes += told - bytes;
	}
	return NULL;
}

static struct hf_error *put_objects(struct hprof *hprof)
{
	struct hf_error *err = NULL;

	for (uint32_t id = 0; id < hprof->objects && !err && !hprof->to->error; id++) {
		uint64_t bytes = hf_extents_chunk_bytes(hprof->analysis->extents, id);
		uint32_t index =
		    hprof_class(hprof, hf_typing_of(hprof->analysis->typing, id), bytes);
		if (id % PROGRESS_STEP == 0)
			hf_progress_report(hprof->export->options.progress, "writing objects", id,
					   hprof->objects);
		if (index == UINT32_MAX)
			return hf_error_nomem();
		const struct hprof_class *class = &hprof->classes.data[index];
		if (class->bytes)
			put_small(hprof, id, class, hprof_class_id(index));
		else
			err = put_large(hprof, id, hprof_class_id(index));
		hprof_end_segment(hprof, false);
	}
	return err;
}

/* ---- roots ----------------------------------------------------------------------------------- */

static void put_root(struct hprof *hprof, uint64_t id)
{
	hf_put_byte(&hprof->segment, ROOT_UNKNOWN);
	hprof_id(hprof, &hprof->segment, id);
}

static struct hf_error *too_many(uint64_t count)
{
	return hf_error_create(HF_ERR_LIMIT,
			       "an HPROF file cannot hold an array of %lu pointers: more than fit "
			       "into one segment",
			       (unsigned long)count);
}

/* An instance whose fields, or whose one array, are @nodes' objects. */
static struct hf_error *put_holder(struct hprof *hprof, uint64_t id, uint64_t class_id,
				   uint64_t array_id, uint64_t count)
{
	const uint64_t *ids = hprof->references.data;

	if (count > MAX_REFERENCES)
		return too_many(count);
	put_root(hprof, id);
	begin_instance(hprof, id, class_id, (array_id ? 1 : count) * hprof->word);
	if (array_id) {
		hprof_id(hprof, &hprof->segment, array_id);
		put_references(hprof, array_id, ids, count);
		return NULL;
	}
	for (uint64_t i = 0; i < count; i++)
		hprof_id(hprof, &hprof->segment, ids[i]);
	hprof_end_segment(hprof, false);
	return NULL;
}

static bool collect(struct hprof *hprof, const uint32_t *nodes, uint64_t count)
{
	hprof->references.count = 0;
	for (uint64_t i = 0; i < count; i++) {
		uint32_t object = HF_EDGE_NODE(nodes[i]);
		if (object < hprof->objects &&
		    !hf_vec_push(&hprof->references, object_id(hprof, object)))
			return false;
	}
	return true;
}

static struct hf_error *put_holders(struct hprof *hprof)
{
	const uint32_t *targets;
	struct hf_error *err = NULL;

	for (uint32_t i = 0; i < hprof->holders && !err; i++) {
		uint64_t count = hf_graph_out(hprof->graph, hprof->objects + i, &targets);
		uint64_t id = hprof->first_holder + 2ull * i;
		if (!collect(hprof, targets, count))
			return hf_error_nomem();
		err = put_holder(hprof, id, hprof->first_holder_class + i,
				 count > HPROF_MAX_HOLDER_FIELDS ? id + 1 : 0, count);
	}
	/* The lost leaders: tops that are objects. */
	uint64_t tops = hf_graph_out(hprof->graph, hf_graph_root(hprof->graph), &targets);
	if (!err && !collect(hprof, targets, tops))
		err = hf_error_nomem();
	if (!err)
		err = put_holder(hprof, hprof->lost_id, HPROF_CLASS_LOST, hprof->lost_id + 1,
				 hprof->references.count);
	return err;
}

/* ---- the file -------------------------------------------------------------------------------- */

static void put_header(struct hprof *hprof)
{
	static const char magic[] = "JAVA PROFILE 1.0.2";

	hf_put(hprof->to, magic, sizeof(magic));
	hf_put_big(hprof->to, hprof->word, 4);
	hf_put_big(hprof->to, 0, 8); /* milliseconds */
}

static void put_traces(struct hprof *hprof)
{
	/* MAT wants more than one: empty ones. */
	for (unsigned serial = 1; serial <= 2; serial++) {
		hprof_record(hprof, TRACE, 12);
		hf_put_big(hprof->to, serial, 4);
		hf_put_big(hprof->to, 0, 4); /* thread */
		hf_put_big(hprof->to, 0, 4); /* frames */
	}
}

static struct hf_error *number_classes(struct hprof *hprof)
{
	uint64_t low, high;

	hprof->first_holder_class = hprof_class_id(hprof->classes.count);
	hprof->first_holder = hprof->first_holder_class + hprof->holders;
	hprof->lost_id = hprof->first_holder + 2ull * hprof->holders;
	hf_extents_hull(hprof->analysis->extents, &low, &high);
	if (hprof->objects && hprof->lost_id + 1 >= low)
		return hf_error_create(HF_ERR_LIMIT,
				       "an HPROF file cannot hold so many classes and roots: there "
				       "are %lu ids below the heap",
				       (unsigned long)low);
	return NULL;
}

static void tell_limits(struct hprof *hprof)
{
	hf_export_note(hprof->export,
		       "roots are instances too, of 2 words and a word a pointer each: totals "
		       "exceed the heap by so much");
	if (hprof->enlarged)
		hf_export_note(hprof->export,
			       "%lu objects that are full of pointers are larger here, by %lu "
			       "bytes together",
			       (unsigned long)hprof->enlarged,
			       (unsigned long)hprof->enlarged_bytes);
	if (hprof->lost_edges)
		hf_export_note(hprof->export,
			       "%lu pointers from lost objects to reachable ones are left out: "
			       "they keep nothing alive",
			       (unsigned long)hprof->lost_edges);
}

static struct hf_error *write_parts(struct hprof *hprof)
{
	struct hf_error *err = hprof_find_classes(hprof);

	if (!err)
		err = number_classes(hprof);
	if (err)
		return err;
	put_header(hprof);
	err = hprof_put_names(hprof);
	if (err)
		return err;
	put_traces(hprof);
	hprof_put_classes(hprof);
	err = put_holders(hprof);
	if (!err)
		err = put_objects(hprof);
	if (err)
		return err;
	hprof_end_segment(hprof, true);
	hprof_record(hprof, HEAP_DUMP_END, 0);
	tell_limits(hprof);
	return hprof->segment.error ? hf_error_nomem() : NULL;
}

static struct hf_error *write_hprof(struct hf_export *export)
{
	const struct hf_analysis *analysis = export->analysis;
	struct hprof hprof = {
	    .export = export,
	    .analysis = analysis,
	    .graph = analysis->graph,
	    .to = export->to,
	    .word = analysis->process->image.word_bytes,
	    .objects = hf_graph_objects(analysis->graph),
	    .holders = hf_graph_holders(analysis->graph),
	};
	struct hf_error *err = hf_writer_init(&hprof.segment, -1);

	if (!err)
		err = write_parts(&hprof);
	hf_writer_deinit(&hprof.segment);
	hf_vec_free(&hprof.classes);
	hf_vec_free(&hprof.references);
	free(hprof.slots);
	return err;
}

const struct hf_export_ops hf_export_hprof = {
    .name = "hprof",
    .opened = "Eclipse MAT or VisualVM",
    .write = write_hprof,
};
