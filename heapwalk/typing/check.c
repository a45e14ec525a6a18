/*
 * check.c - does what stands in an object speak against a type?
 *
 *	bool		0 or 1
 *	code pointer	0, or in executable memory
 *	pointer		0, a small number, or memory of the process; at the start of an object that
 *			is too small for its target it is wrong
 *
 * Only the first elements and the first leaves are looked at: enough to tell, and bounded.
 * A pointer that leads to a freed object is no evidence in either way: programs leave them.
 */
#include "heapwalk/typing/propagate.h"

enum { MAX_ELEMENTS = 4, MAX_LEAVES_READ = 24, SMALL_NUMBER = 4096, TEXT_BYTES = 16 };

/* @heap: look up what is there in the heap, a random access. */
static void count_pointer(const struct propagation *prop, const struct leaf *leaf, uint64_t value,
			  bool heap, struct verdict *verdict)
{
	if (value < SMALL_NUMBER || value > -(uint64_t)SMALL_NUMBER)
		return;
	if (value - prop->low < prop->high - prop->low) {
		verdict->good += !heap;
		uint32_t object = heap ? hf_extents_find(prop->extents, value) : HF_NO_OBJECT;
		if (object == HF_NO_OBJECT)
			return;
		uint64_t room = hf_extents_address(prop->extents, object) +
				hf_extents_usable(prop->extents, object) - value;
		uint64_t needs = hf_ctype_get(prop->symbols, leaf->target)->size;
		if (needs > room && room >= 8)
			verdict->bad++;
		else
			verdict->good++;
		return;
	}
	if (hf_image_find(prop->image, value))
		verdict->good++;
	else
		verdict->bad++;
}

static void count_code(const struct propagation *prop, uint64_t value, struct verdict *verdict)
{
	if (value < SMALL_NUMBER)
		return;
	const struct hf_segment *segment = hf_image_find(prop->image, value);
	if (segment && (segment->flags & HF_SEGMENT_X))
		verdict->good += 2;
	else
		verdict->bad += 2;
}

static void count_leaf(const struct propagation *prop, const struct leaf *leaf, const uint8_t *data,
		       bool heap, struct verdict *verdict)
{
	switch ((enum leaf_kind)leaf->kind) {
	case LEAF_POINTER:
		count_pointer(prop, leaf, hf_image_word_at(prop->image, data), heap, verdict);
		break;
	case LEAF_CODE:
		count_code(prop, hf_image_word_at(prop->image, data), verdict);
		break;
	case LEAF_BOOLEAN:
		verdict->bad += *data > 1 ? 2 : 0;
		break;
	default:
		break;
	}
}

/* Words of text are no numbers. */
static bool is_text(const uint8_t *data, uint64_t bytes)
{
	return bytes >= TEXT_BYTES && typing_text_length(data, TEXT_BYTES) == TEXT_BYTES;
}

struct verdict propagation_check(struct propagation *prop, uint32_t object, uint32_t number,
				 bool heap)
{
	const struct hf_type *type = &prop->typing->types.data[number];
	const struct layout *layout = layout_of(prop->typing->layouts, type->ctype);
	uint64_t usable = hf_extents_usable(prop->extents, object), available = 0;
	struct verdict verdict = {0, 0};
	uint32_t left = MAX_LEAVES_READ;

	if (!type->ctype || layout->size == 0 || type->offset > usable)
		return verdict;
	const uint8_t *data = propagation_view(
	    prop, hf_extents_address(prop->extents, object) + type->offset, &available);
	if (!data)
		return verdict;
	available = available < usable - type->offset ? available : usable - type->offset;
	if (heap && layout->numbers_only && is_text(data, available))
		verdict.bad += 2;
	uint64_t elements = type->form == HF_FORM_ARRAY ? MAX_ELEMENTS : 1;
	for (uint64_t e = 0; e < elements && (e + 1) * layout->size <= available; e++) {
		for (uint32_t l = 0; l < layout->count && left; l++) {
			const struct leaf *leaf = &layout->leaves[l];
			uint64_t at = e * layout->size + leaf->offset;
			if (leaf->flags & LEAF_IN_UNION || leaf->count == 0 ||
			    (leaf->kind != LEAF_POINTER && leaf->kind != LEAF_CODE &&
			     leaf->kind != LEAF_BOOLEAN))
				continue;
			left--;
			if (at + prop->image->word_bytes <= available ||
			    (leaf->kind == LEAF_BOOLEAN && at < available))
				count_leaf(prop, leaf, data + at, heap, &verdict);
		}
	}
	return verdict;
}

/* ---- all words ------------------------------------------------------------------------------- */

enum { MAX_WORDS = 256, RIGHT_TYPE = 4 };

/* What a leaf of a type says of the words of an object, one mark a word. */
enum word_mark { WORD_OPEN, WORD_POINTER, WORD_NUMBER };

static void mark_leaf(const struct propagation *prop, const struct leaf *leaf, uint64_t bytes,
		      uint8_t marks[MAX_WORDS])
{
	uint64_t word = prop->image->word_bytes, at = leaf->offset;
	uint64_t count = leaf->flags & LEAF_FLEXIBLE ? MAX_WORDS * 8 : leaf->count;

	for (uint64_t i = 0; i < count && at < bytes && at / word < MAX_WORDS;
	     i++, at += leaf->stride) {
		uint8_t *mark = &marks[at / word];
		bool number = leaf->kind == LEAF_INTEGER || leaf->kind == LEAF_FLOAT ||
			      leaf->kind == LEAF_ENUM || leaf->kind == LEAF_BOOLEAN;
		if (leaf->flags & LEAF_IN_UNION || leaf->kind == LEAF_WORD ||
		    leaf->kind == LEAF_BYTES)
			*mark = WORD_OPEN;
		else if (number)
			*mark = WORD_NUMBER;
		else
			*mark = WORD_POINTER;
		if (leaf->stride == 0)
			return;
	}
}

static uint32_t variable_at(const struct propagation *prop, uint64_t address)
{
	const struct hf_variable *variable = hf_symbols_variable_at(prop->symbols, address);
	uint32_t ctype = variable && variable->address == address
			     ? hf_ctype_of_variable(prop->symbols, variable)
			     : 0;
	return hf_ctype_get(prop->symbols, ctype)->kind == HF_CTYPE_ARRAY
		   ? hf_ctype_target(prop->symbols, ctype)
		   : ctype;
}

uint32_t propagation_type_at(const struct propagation *prop, uint64_t address)
{
	if (address < SMALL_NUMBER)
		return 0;
	if (address - prop->low >= prop->high - prop->low)
		return variable_at(prop, address);
	uint32_t object = hf_extents_find(prop->extents, address);
	uint32_t packed = object == HF_NO_OBJECT ? TYPE_NONE : prop->typing->of[object];
	if (packed == TYPE_NONE ||
	    (packed_rank(packed) >= RANK_SCALAR && packed_rank(packed) != RANK_INFERRED))
		return 0;
	const struct hf_type *type = &prop->typing->types.data[packed_type(packed)];
	return address == hf_extents_address(prop->extents, object) + type->offset ? type->ctype
										   : 0;
}

/* A pointer leads to an object that is known to be what the leaf says. */
static void count_target(const struct propagation *prop, const struct leaf *leaf, uint64_t value,
			 struct verdict *verdict)
{
	if (value - prop->low >= prop->high - prop->low) {
		if (leaf->target && variable_at(prop, value) == leaf->target)
			verdict->good += RIGHT_TYPE;
		return;
	}
	uint32_t object = hf_extents_find(prop->extents, value);
	if (object == HF_NO_OBJECT || prop->typing->of[object] == TYPE_NONE || !leaf->target)
		return;
	uint32_t packed = prop->typing->of[object];
	const struct hf_type *type = &prop->typing->types.data[packed_type(packed)];
	bool start = value == hf_extents_address(prop->extents, object) + type->offset;
	uint8_t kind = hf_ctype_get(prop->symbols, leaf->target)->kind;
	if (!type->ctype || packed_rank(packed) >= RANK_SCALAR || !start ||
	    (kind != HF_CTYPE_STRUCT && kind != HF_CTYPE_POINTER))
		return;
	if (type->ctype == leaf->target)
		verdict->good += RIGHT_TYPE;
	else if (type->form == HF_FORM_ONE &&
		 type->size < hf_ctype_get(prop->symbols, leaf->target)->size)
		verdict->bad++;
}

static void count_words(const struct propagation *prop, const uint8_t *data, uint64_t bytes,
			const uint8_t marks[MAX_WORDS], struct verdict *verdict)
{
	uint64_t word = prop->image->word_bytes;

	for (uint64_t i = 0; i < MAX_WORDS && (i + 1) * word <= bytes; i++) {
		if (marks[i] != WORD_NUMBER)
			continue;
		uint64_t value = hf_image_word_at(prop->image, data + i * word);
		if (value - prop->low < prop->high - prop->low &&
		    hf_extents_find(prop->extents, value) != HF_NO_OBJECT)
			verdict->bad++;
	}
}

struct verdict propagation_check_all(struct propagation *prop, uint32_t object, uint32_t ctype)
{
	const struct layout *layout = layout_of(prop->typing->layouts, ctype);
	uint64_t usable = hf_extents_usable(prop->extents, object), available = 0;
	uint8_t marks[MAX_WORDS] = {WORD_OPEN};
	struct verdict verdict = {0, 0};
	const uint8_t *data =
	    hf_image_at(prop->image, hf_extents_address(prop->extents, object), &available);

	if (!data || layout->size == 0)
		return verdict;
	available = available < usable ? available : usable;
	for (uint32_t l = 0; l < layout->count && l < MAX_WORDS; l++) {
		const struct leaf *leaf = &layout->leaves[l];
		mark_leaf(prop, leaf, available, marks);
		if (leaf->flags & LEAF_IN_UNION || leaf->count == 0 ||
		    leaf->offset + (leaf->kind == LEAF_BOOLEAN ? 1 : prop->image->word_bytes) >
			available)
			continue;
		count_leaf(prop, leaf, data + leaf->offset, true, &verdict);
		if (leaf->kind == LEAF_POINTER)
			count_target(prop, leaf, hf_image_word_at(prop->image, data + leaf->offset),
				     &verdict);
	}
	count_words(prop, data, available, marks, &verdict);
	return verdict;
}
