/*
 * export_hprof.c - the heap as a Java heap dump, for Eclipse MAT and VisualVM (the binary format
 * that OpenJDK's heapDumper.cpp describes). How objects are told is in export_hprof.h.
 *
 *	header, names, LOAD CLASS records, two stack traces, heap dump segments, end
 *
 * A segment's length stands before it: small records are collected up to SEGMENT_BYTES; a long
 * array has a segment of its own, whose length is known. Objects are written on all processors.
 * Bytes that the core does not hold are zero. Pointers from lost objects to reachable ones are left
 * out: they would change what the viewer finds retained.
 */
#include "heapwalk/output/export_hprof.h"

#include <stdlib.h>
#include <string.h>

enum { TRACE = 0x05, HEAP_DUMP_SEGMENT = 0x1c, HEAP_DUMP_END = 0x2c };
enum { ROOT_UNKNOWN = 0xff, INSTANCE_DUMP = 0x21, OBJECT_ARRAY_DUMP = 0x22 };
enum { PRIMITIVE_ARRAY_DUMP = 0x23 };
enum { SEGMENT_BYTES = 1 << 20, LONG_ARRAY_BYTES = 1 << 16, OBJECT_WEIGHT = 32 };
enum { REFERENCES_ID = 1, FIRST_PART_ID = 2 }; /* from the object's own id */

static const uint64_t MAX_PART_BYTES = UINT64_C(1) << 30;
static const uint64_t MAX_REFERENCES = UINT64_C(1) << 28;

/* ---- records --------------------------------------------------------------------------------- */

void hprof_record(struct hf_writer *to, unsigned tag, uint64_t bytes)
{
	hf_put_byte(to, tag);
	hf_put_big(to, 0, 4); /* microseconds */
	hf_put_big(to, bytes, 4);
}

void hprof_end_segment(struct hprof_scribe *scribe, bool always)
{
	struct hf_writer *segment = &scribe->segment;

	if (segment->count < SEGMENT_BYTES && !(always && segment->count))
		return;
	hprof_record(scribe->to, HEAP_DUMP_SEGMENT, segment->count);
	hf_put(scribe->to, segment->data, segment->count);
	hf_writer_reset(segment);
}

/* Where an array of @bytes goes: the segment at hand, or one of its own. */
static struct hf_writer *array_to(struct hprof_scribe *scribe, uint64_t header_bytes,
				  uint64_t bytes)
{
	if (bytes < LONG_ARRAY_BYTES)
		return &scribe->segment;
	hprof_end_segment(scribe, true);
	hprof_record(scribe->to, HEAP_DUMP_SEGMENT, header_bytes + bytes);
	return scribe->to;
}

static void begin_instance(struct hprof_scribe *scribe, uint64_t id, uint64_t class_id,
			   uint64_t bytes)
{
	struct hf_writer *to = &scribe->segment;

	hf_put_byte(to, INSTANCE_DUMP);
	hprof_id(scribe->hprof, to, id);
	hf_put_big(to, 1, 4); /* stack trace */
	hprof_id(scribe->hprof, to, class_id);
	hf_put_big(to, bytes, 4);
}

static void put_references(struct hprof_scribe *scribe, uint64_t id, const uint64_t *ids,
			   uint64_t count)
{
	const struct hprof *hprof = scribe->hprof;
	uint64_t header = 1 + hprof->word + 4 + 4 + hprof->word;
	struct hf_writer *to = array_to(scribe, header, count * hprof->word);

	hf_put_byte(to, OBJECT_ARRAY_DUMP);
	hprof_id(hprof, to, id);
	hf_put_big(to, 1, 4);
	hf_put_big(to, count, 4);
	hprof_id(hprof, to, HPROF_CLASS_OBJECTS);
	for (uint64_t i = 0; i < count; i++)
		hprof_id(hprof, to, ids[i]);
}

/* @bytes of target memory at @address; zeros where there are none. */
static void put_content(const struct hprof *hprof, struct hf_writer *to, uint64_t address,
			uint64_t bytes)
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

static void put_bytes_array(struct hprof_scribe *scribe, uint64_t id, uint64_t address,
			    uint64_t bytes)
{
	const struct hprof *hprof = scribe->hprof;
	struct hf_writer *to = array_to(scribe, 1 + hprof->word + 4 + 4 + 1, bytes);

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

static bool keeps(struct hprof_scribe *scribe, const struct hf_edge *edge)
{
	bool keep = hf_export_keeps(scribe->hprof->analysis, edge->source, edge->target);
	scribe->lost_edges += !keep;
	return keep;
}

/* @ids: what the words of the object point at, 0 where they do not. */
static void put_small(struct hprof_scribe *scribe, uint32_t object, const struct hprof_class *class,
		      uint64_t class_id, const uint64_t *ids)
{
	const struct hprof *hprof = scribe->hprof;
	const struct hf_image *image = &hprof->analysis->process->image;
	uint64_t address = object_id(hprof, object), available = 0;
	const uint8_t *data = hf_image_at(image, address, &available);
	unsigned word = hprof->word;

	begin_instance(scribe, address, class_id, (uint64_t)hprof_fields(class) * word);
	for (int at = 0; at < class->word_count; at++) {
		uint64_t value = 0, offset = (uint64_t)at * word;
		if (at == class->left_out)
			continue;
		if (class->pointers >> at & 1)
			value = ids[at];
		else if (data && offset + word <= available)
			value = hf_image_word_at(image, data + offset);
		hprof_id(hprof, &scribe->segment, value);
	}
	if (class->left_out < 0) {
		scribe->enlarged++;
		scribe->enlarged_bytes += (word + 7u) & ~7u;
	}
}

static bool take_edge(void *ctx, const struct hf_edge *edge)
{
	struct hprof_scribe *scribe = ctx;
	return hf_vec_push(&scribe->edges, *edge);
}

/* Objects @first .. @end-1, all of them small. */
static struct hf_error *put_run(struct hprof_scribe *scribe, uint32_t first, uint32_t end)
{
	const struct hprof *hprof = scribe->hprof;
	const struct hf_analysis *analysis = hprof->analysis;
	struct hf_edge_place place = {.node = first};
	size_t at = 0;

	scribe->edges.count = 0;
	hf_graph_each_edge_from(hprof->graph, &place, end, take_edge, scribe);
	if (place.node != end)
		return hf_error_nomem();
	for (uint32_t id = first; id < end; id++) {
		uint64_t ids[HPROF_WORDS] = {0}, address = object_id(hprof, id);
		uint32_t index = hprof_class(hprof, hf_typing_of(analysis->typing, id),
					     hf_extents_chunk_bytes(analysis->extents, id));
		for (; at < scribe->edges.count && scribe->edges.data[at].source == id; at++) {
			const struct hf_edge *edge = &scribe->edges.data[at];
			uint64_t word = (edge->source_address - address) / hprof->word;
			if (word < HPROF_WORDS && keeps(scribe, edge))
				ids[word] = edge->target_address;
		}
		put_small(scribe, id, &hprof->classes.data[index], hprof_class_id(index), ids);
		hprof_end_segment(scribe, false);
	}
	return NULL;
}

static bool take_reference(void *ctx, const struct hf_edge *edge)
{
	struct hprof_scribe *scribe = ctx;
	return !keeps(scribe, edge) || hf_vec_push(&scribe->references, edge->target_address);
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

static void put_parts(struct hprof_scribe *scribe, uint64_t address, uint64_t bytes, uint64_t parts)
{
	/* Equal parts whose ends leave no padding: 2 words + 4 + bytes is a multiple of 8. */
	for (uint64_t i = 0; i < parts; i++) {
		uint64_t left = parts - i;
		uint64_t part = left == 1 ? bytes : (bytes / left & ~UINT64_C(7)) + 4;
		put_bytes_array(scribe, address + FIRST_PART_ID + i, address, part);
		address += part;
		bytes -= part;
	}
}

static struct hf_error *put_large(struct hprof_scribe *scribe, uint32_t object)
{
	const struct hprof *hprof = scribe->hprof;
	uint64_t address = object_id(hprof, object), parts = 0;
	uint64_t bytes = hf_extents_chunk_bytes(hprof->analysis->extents, object);
	uint32_t class = hprof_class(hprof, hf_typing_of(hprof->analysis->typing, object), bytes);
	const uint32_t *targets;

	scribe->references.count = 0;
	uint64_t out = hf_graph_out(hprof->graph, object, &targets);
	if (out > MAX_REFERENCES)
		return hf_error_create(HF_ERR_LIMIT,
				       "an HPROF file cannot hold the object at 0x%lx: it "
				       "has %lu pointers, more than fit into one segment",
				       (unsigned long)address, (unsigned long)out);
	if (out)
		hf_graph_each_edge(hprof->graph, object, take_reference, scribe);
	uint64_t content = data_bytes(hprof, bytes, scribe->references.count, &parts);
	for (uint64_t i = 1; i < parts; i++) {
		if (!hf_vec_push(&scribe->references, address + FIRST_PART_ID + i))
			return hf_error_nomem();
	}
	uint64_t count = scribe->references.count;
	begin_instance(scribe, address, hprof_class_id(class), 2ull * hprof->word);
	hprof_id(hprof, &scribe->segment, count ? address + REFERENCES_ID : 0);
	hprof_id(hprof, &scribe->segment, parts ? address + FIRST_PART_ID : 0);
	if (count)
		put_references(scribe, address + REFERENCES_ID, scribe->references.data, count);
	put_parts(scribe, address, content, parts);
	uint64_t told = 4ull * hprof->word + (count ? array_bytes(hprof, count * hprof->word) : 0);
	if (!parts && told > bytes) {
		scribe->enlarged++;
		scribe->enlarged_bytes += told - bytes;
	}
	hprof_end_segment(scribe, false);
	return NULL;
}

/* Objects @first .. @end-1, in segments of their own. */
static struct hf_error *put_objects(void *ctx, uint32_t first, uint32_t end, unsigned worker,
				    struct hf_writer *to)
{
	const struct hprof *hprof = ctx;
	struct hprof_scribe *scribe = &hprof->scribes[worker];
	struct hf_writer *file = scribe->to;
	struct hf_error *err = NULL;

	scribe->to = to;
	while (first < end && !err && !to->error) {
		uint32_t run = hprof_run_end(hprof, first, end);
		err = run > first ? put_run(scribe, first, run) : put_large(scribe, first);
		first = run > first ? run : first + 1;
	}
	hprof_end_segment(scribe, true);
	scribe->to = file;
	return err;
}

static uint64_t weigh_object(void *ctx, uint32_t object)
{
	const struct hprof *hprof = ctx;
	return hf_extents_chunk_bytes(hprof->analysis->extents, object) + OBJECT_WEIGHT;
}

/* ---- roots ----------------------------------------------------------------------------------- */

static void put_root(struct hprof_scribe *scribe, uint64_t id)
{
	hf_put_byte(&scribe->segment, ROOT_UNKNOWN);
	hprof_id(scribe->hprof, &scribe->segment, id);
}

static struct hf_error *too_many(uint64_t count)
{
	return hf_error_create(HF_ERR_LIMIT,
			       "an HPROF file cannot hold an array of %lu pointers: more than fit "
			       "into one segment",
			       (unsigned long)count);
}

/* An instance whose fields, or whose one array, are the objects that were collected. */
static struct hf_error *put_holder(struct hprof_scribe *scribe, uint64_t id, uint64_t class_id,
				   uint64_t array_id)
{
	const struct hprof *hprof = scribe->hprof;
	const uint64_t *ids = scribe->references.data;
	uint64_t count = scribe->references.count;

	if (count > MAX_REFERENCES)
		return too_many(count);
	put_root(scribe, id);
	begin_instance(scribe, id, class_id, (array_id ? 1 : count) * hprof->word);
	if (array_id) {
		hprof_id(hprof, &scribe->segment, array_id);
		put_references(scribe, array_id, ids, count);
		return NULL;
	}
	for (uint64_t i = 0; i < count; i++)
		hprof_id(hprof, &scribe->segment, ids[i]);
	hprof_end_segment(scribe, false);
	return NULL;
}

static bool collect(struct hprof_scribe *scribe, const uint32_t *nodes, uint64_t count)
{
	const struct hprof *hprof = scribe->hprof;

	scribe->references.count = 0;
	for (uint64_t i = 0; i < count; i++) {
		uint32_t object = HF_EDGE_NODE(nodes[i]);
		if (object < hprof->objects &&
		    !hf_vec_push(&scribe->references, object_id(hprof, object)))
			return false;
	}
	return true;
}

static struct hf_error *put_holders(struct hprof_scribe *scribe)
{
	const struct hprof *hprof = scribe->hprof;
	const uint32_t *targets;
	struct hf_error *err = NULL;

	for (uint32_t i = 0; i < hprof->holders && !err; i++) {
		uint64_t count = hf_graph_out(hprof->graph, hprof->objects + i, &targets);
		uint64_t id = hprof->first_holder + 2ull * i;
		if (!collect(scribe, targets, count))
			return hf_error_nomem();
		err = put_holder(scribe, id, hprof->first_holder_class + i,
				 count > HPROF_MAX_HOLDER_FIELDS ? id + 1 : 0);
	}
	/* The lost leaders: tops that are objects. */
	uint64_t tops = hf_graph_out(hprof->graph, hf_graph_root(hprof->graph), &targets);
	if (!err && !collect(scribe, targets, tops))
		err = hf_error_nomem();
	if (!err)
		err = put_holder(scribe, hprof->lost_id, HPROF_CLASS_LOST, hprof->lost_id + 1);
	return err;
}

/* ---- the file -------------------------------------------------------------------------------- */

static void put_header(struct hprof_scribe *scribe)
{
	static const char magic[] = "JAVA PROFILE 1.0.2";

	hf_put(scribe->to, magic, sizeof(magic));
	hf_put_big(scribe->to, scribe->hprof->word, 4);
	hf_put_big(scribe->to, 0, 8); /* milliseconds */
}

static void put_traces(struct hf_writer *to)
{
	/* MAT wants more than one: empty ones. */
	for (unsigned serial = 1; serial <= 2; serial++) {
		hprof_record(to, TRACE, 12);
		hf_put_big(to, serial, 4);
		hf_put_big(to, 0, 4); /* thread */
		hf_put_big(to, 0, 4); /* frames */
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

static void tell_limits(const struct hprof *hprof)
{
	struct hprof_scribe all = {0};

	for (unsigned i = 0; i < hprof->export->options.threads; i++) {
		all.lost_edges += hprof->scribes[i].lost_edges;
		all.enlarged += hprof->scribes[i].enlarged;
		all.enlarged_bytes += hprof->scribes[i].enlarged_bytes;
	}
	hf_export_note(hprof->export,
		       "roots are instances too, of 2 words and a word a pointer each: totals "
		       "exceed the heap by so much");
	if (all.enlarged)
		hf_export_note(hprof->export,
			       "%lu objects that are full of pointers are larger here, by %lu "
			       "bytes together",
			       (unsigned long)all.enlarged, (unsigned long)all.enlarged_bytes);
	if (all.lost_edges)
		hf_export_note(hprof->export,
			       "%lu pointers from lost objects to reachable ones are left out: "
			       "they keep nothing alive",
			       (unsigned long)all.lost_edges);
}

static struct hf_error *write_objects(struct hprof *hprof)
{
	const struct hf_export_pieces pieces = {
	    .stage = "writing objects",
	    .end = hprof->objects,
	    .ctx = hprof,
	    .weight = weigh_object,
	    .write = put_objects,
	};
	return hf_export_pieces(hprof->export, &pieces);
}

static struct hf_error *write_parts(struct hprof *hprof)
{
	struct hprof_scribe *scribe = hprof->scribes;
	struct hf_error *err = hprof_find_classes(hprof);

	if (!err)
		err = number_classes(hprof);
	if (err)
		return err;
	put_header(scribe);
	err = hprof_put_names(scribe);
	if (err)
		return err;
	put_traces(scribe->to);
	hprof_put_classes(scribe);
	err = put_holders(scribe);
	hprof_end_segment(scribe, true);
	if (!err)
		err = write_objects(hprof);
	if (err)
		return err;
	hprof_record(scribe->to, HEAP_DUMP_END, 0);
	tell_limits(hprof);
	return NULL;
}

static struct hf_error *open_scribes(struct hprof *hprof)
{
	unsigned threads = hprof->export->options.threads;
	struct hf_error *err = NULL;

	hprof->scribes = calloc(threads, sizeof(*hprof->scribes));
	if (!hprof->scribes)
		return hf_error_nomem();
	for (unsigned i = 0; i < threads && !err; i++) {
		hprof->scribes[i].hprof = hprof;
		hprof->scribes[i].to = hprof->export->to;
		err = hf_writer_init(&hprof->scribes[i].segment, -1);
	}
	return err;
}

/* Returns @err, or what went wrong in the scribes' memory. */
static struct hf_error *close_scribes(struct hprof *hprof, struct hf_error *err)
{
	unsigned threads = hprof->scribes ? hprof->export->options.threads : 0;

	for (unsigned i = 0; i < threads; i++) {
		struct hprof_scribe *scribe = &hprof->scribes[i];
		if (scribe->segment.error && !err)
			err = hf_error_nomem();
		hf_writer_deinit(&scribe->segment);
		hf_vec_free(&scribe->edges);
		hf_vec_free(&scribe->references);
		free(scribe->pointers);
	}
	free(hprof->scribes);
	return err;
}

static struct hf_error *write_hprof(struct hf_export *export)
{
	const struct hf_analysis *analysis = export->analysis;
	struct hprof hprof = {
	    .export = export,
	    .analysis = analysis,
	    .graph = analysis->graph,
	    .word = analysis->process->image.word_bytes,
	    .objects = hf_graph_objects(analysis->graph),
	    .holders = hf_graph_holders(analysis->graph),
	};
	struct hf_error *err = open_scribes(&hprof);

	if (!err)
		err = write_parts(&hprof);
	err = close_scribes(&hprof, err);
	hf_vec_free(&hprof.classes);
	free(hprof.slots);
	return err;
}

const struct hf_export_ops hf_export_hprof = {
    .name = "hprof",
    .opened = "Eclipse MAT or VisualVM",
    .write = write_hprof,
};
