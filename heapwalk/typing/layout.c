/*
 * layout.c - opening types into flat scalars (see layout.h); where C++'s containers hide types.
 *
 * The work list is explicit and bounded, since it follows the nesting of a file's types.
 */
#include "heapwalk/typing/layout.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/cleanup.h"

#include "heapwalk/typing/cxx_library.h"

enum {
	MAX_LEAVES = 4096,
	MAX_STEPS = 1 << 15,
	MAX_DEPTH = 24,
	MAX_UNROLL = 64, /* arrays of structures inside arrays of structures */
	MMAP_SLACK = 4096 + 64,
};

struct layouts {
	struct hf_symbols *symbols;
	HF_VEC(, struct layout *) by_type;
	struct layout empty;
};

struct layouts *layouts_create(struct hf_symbols *symbols)
{
	struct layouts *layouts = calloc(1, sizeof(*layouts));
	if (layouts)
		layouts->symbols = symbols;
	return layouts;
}

void layouts_destroy(struct layouts *layouts)
{
	if (!layouts)
		return;
	hf_vec_foreach (layout, &layouts->by_type) {
		if (*layout) {
			free((*layout)->leaves);
			free((*layout)->containers);
			free((*layout)->holders);
		}
		free(*layout);
	}
	free(layouts->by_type.data);
	free(layouts);
}

/* ---- opening --------------------------------------------------------------------------------- */

struct part { /* something that is still to be opened */
	uint32_t type;
	uint8_t depth, flags;
	uint64_t offset, count, stride; /* it repeats */
	struct stdlib_nodes nodes;	/* inside a standard container: what its links point at */
	uint64_t erased, erased_end;	/* the storage of the holder around it */
};

struct opening {
	struct hf_symbols *symbols;
	HF_VEC(, struct part) parts;
	HF_VEC(, struct leaf) leaves;
	HF_VEC(, struct container) containers;
	HF_VEC(, struct holder) holders;
	uint64_t size;
	bool flexible;
	uint64_t element;
	uint32_t steps;
};

static enum leaf_kind leaf_kind_of(struct hf_symbols *symbols, uint32_t type,
				   const struct hf_ctype *of)
{
	switch ((enum hf_ctype_kind)of->kind) {
	case HF_CTYPE_POINTER: {
		uint32_t target = hf_ctype_target(symbols, type);
		return hf_ctype_get(symbols, target)->kind == HF_CTYPE_FUNCTION ? LEAF_CODE
										: LEAF_POINTER;
	}
	case HF_CTYPE_BOOLEAN:
		return LEAF_BOOLEAN;
	case HF_CTYPE_FLOAT:
		return LEAF_FLOAT;
	case HF_CTYPE_ENUM:
		return LEAF_ENUM;
	case HF_CTYPE_INTEGER:
		return of->size >= 8 && !of->is_signed ? LEAF_WORD : LEAF_INTEGER;
	default:
		return LEAF_BYTES;
	}
}

/* A structure that is nowhere defined says no more than void. */
static bool is_opaque(struct hf_symbols *symbols, uint32_t type)
{
	const struct hf_ctype *of = hf_ctype_get(symbols, type);
	return (of->kind == HF_CTYPE_STRUCT || of->kind == HF_CTYPE_UNION) && of->size == 0;
}

static bool add_leaf(struct opening *opening, const struct part *part, const struct hf_ctype *of)
{
	enum leaf_kind kind = leaf_kind_of(opening->symbols, part->type, of);
	struct leaf leaf = {
	    .offset = part->offset,
	    .count = part->count,
	    .stride = part->stride ? part->stride : of->size,
	    .kind = (uint8_t)kind,
	    .flags = part->flags,
	    .size = of->size > 255 ? 255 : (uint8_t)of->size,
	};
	if (part->offset >= part->erased && part->offset < part->erased_end)
		leaf.flags |= LEAF_ERASED;
	else if (kind == LEAF_POINTER) {
		leaf.target = hf_ctype_target(opening->symbols, part->type);
		if (part->nodes.from &&
		    (leaf.target == part->nodes.from || leaf.target == part->nodes.end))
			leaf.target = part->nodes.to;
		else if (part->nodes.from &&
			 stdlib_is_pointer_to(opening->symbols, leaf.target, part->nodes.from))
			leaf.target = part->nodes.to_pointer;
		else if (is_opaque(opening->symbols, leaf.target))
			leaf.target = 0;
	}
	if (opening->leaves.count >= MAX_LEAVES || of->size == 0)
		return true;
	return hf_vec_push(&opening->leaves, leaf);
}

static bool open_array(struct opening *opening, const struct part *part, const struct hf_ctype *of)
{
	uint32_t element = hf_ctype_target(opening->symbols, part->type);
	uint64_t size = hf_ctype_get(opening->symbols, element)->size, count = of->count;
	struct part inner = *part;

	if (!element || !size || size > (1u << 30))
		return true;
	inner.type = element;
	inner.depth++;
	bool last = part->count == 1 && part->offset + count * size + 7 >= opening->size;
	if (last && count <= 1) {
		inner.flags |= LEAF_FLEXIBLE;
		opening->flexible = true;
		opening->element = size;
		count = 1;
	}
	if (part->count == 1) {
		inner.count = count;
		inner.stride = size;
		return hf_vec_push(&opening->parts, inner);
	}
	for (uint64_t i = 0; i < count && i < MAX_UNROLL; i++, inner.offset += size) {
		if (!hf_vec_push(&opening->parts, inner))
			return false;
	}
	return true;
}

/* Is it a holder? Its storage is then @inner's as well. */
static bool note_holder(struct opening *opening, const struct part *part, uint64_t size,
			struct part *inner)
{
	struct holder holder = {.offset = part->offset,
				.count = part->count,
				.stride = part->stride,
				.size = size,
				.flags = part->flags};

	if (part->flags & LEAF_FLEXIBLE || opening->holders.count >= MAX_LEAVES ||
	    !stdlib_holder(opening->symbols, part->type, &holder.holder))
		return true;
	inner->erased = part->offset + holder.holder.storage;
	inner->erased_end = inner->erased + holder.holder.storage_bytes;
	return hf_vec_push(&opening->holders, holder);
}

static bool open_structure(struct opening *opening, const struct part *part,
			   const struct hf_ctype *of)
{
	const struct hf_cmember *members = NULL;
	uint32_t count = hf_ctype_members(opening->symbols, part->type, &members);
	struct part inner = *part;
	uint32_t held = stdlib_buffer(opening->symbols, part->type);

	inner.depth++;
	if (held) { /* raw bytes that hold a value of a known type */
		inner.type = held;
		return hf_vec_push(&opening->parts, inner);
	}
	struct container container = {.ctype = part->type,
				      .offset = part->offset,
				      .count = part->count,
				      .stride = part->stride};
	if (!(part->flags & (LEAF_IN_UNION | LEAF_FLEXIBLE)) &&
	    stdlib_shape(opening->symbols, part->type, &container.shape) &&
	    opening->containers.count < MAX_LEAVES && !hf_vec_push(&opening->containers, container))
		return false;
	if (!note_holder(opening, part, of->size, &inner))
		return false;
	if (stdlib_container(opening->symbols, part->type, &inner.nodes))
		inner.flags |= LEAF_CONTAINER;
	if (of->kind == HF_CTYPE_UNION && count > 1)
		inner.flags |= LEAF_IN_UNION;
	/* Backward, so that the work list gives them in order. */
	for (uint32_t i = count; i-- > 0;) {
		inner.type = members[i].type;
		inner.offset = part->offset + members[i].offset;
		if (members[i].bit_size)
			continue;
		if (!hf_vec_push(&opening->parts, inner))
			return false;
	}
	return true;
}

static bool open_type(struct opening *opening, uint32_t type)
{
	struct part first = {.type = type, .count = 1};

	if (!hf_vec_push(&opening->parts, first))
		return false;
	while (opening->parts.count && opening->steps++ < MAX_STEPS) {
		struct part part = opening->parts.data[--opening->parts.count];
		const struct hf_ctype *of = hf_ctype_get(opening->symbols, part.type);
		bool fine = true;
		if (part.depth >= MAX_DEPTH)
			continue;
		switch ((enum hf_ctype_kind)of->kind) {
		case HF_CTYPE_STRUCT:
		case HF_CTYPE_UNION:
			fine = open_structure(opening, &part, of);
			break;
		case HF_CTYPE_ARRAY:
			fine = open_array(opening, &part, of);
			break;
		case HF_CTYPE_VOID:
		case HF_CTYPE_FUNCTION:
			break;
		default:
			fine = add_leaf(opening, &part, of);
		}
		if (!fine)
			return false;
	}
	return true;
}

/* Pointers to the front, each part in its order. */
static bool take_leaves(struct layout *layout, const struct opening *opening)
{
	layout->leaves = malloc((opening->leaves.count + 1) * sizeof(*layout->leaves));
	if (!layout->leaves)
		return false;
	layout->numbers_only = opening->leaves.count > 0;
	for (int pass = 0; pass < 2; pass++) {
		hf_vec_foreach (leaf, &opening->leaves) {
			if ((leaf->kind == LEAF_POINTER) == (pass == 0))
				layout->leaves[layout->count++] = *leaf;
			layout->numbers_only &= leaf->kind != LEAF_BYTES &&
						leaf->kind != LEAF_POINTER && leaf->size > 1;
			layout->voids |= leaf->kind == LEAF_POINTER && !leaf->target &&
					 !(leaf->flags & LEAF_ERASED);
		}
		if (pass == 0)
			layout->pointers = layout->count;
	}
	return true;
}

/* Structures of which a header shows the first members only: GLib's arrays. */
static bool is_head(const char *name)
{
	static const char *const heads[] = {"struct _GArray", "struct _GPtrArray",
					    "struct _GByteArray"};

	for (size_t i = 0; name && i < sizeof(heads) / sizeof(heads[0]); i++) {
		if (!strcmp(name, heads[i]))
			return true;
	}
	return false;
}

static struct layout *make_layout(struct layouts *layouts, uint32_t type)
{
	struct layout *layout = calloc(1, sizeof(*layout));
	uint64_t size = hf_ctype_get(layouts->symbols, type)->size;
	struct opening opening = {.symbols = layouts->symbols, .size = size};

	if (!layout)
		return NULL;
	layout->size = size;
	layout->head = is_head(hf_ctype_get(layouts->symbols, type)->name);
	if (open_type(&opening, type) && take_leaves(layout, &opening)) {
		layout->flexible = opening.flexible;
		layout->containers = hf_take(opening.containers.data);
		layout->container_count = (uint32_t)opening.containers.count;
		layout->holders = hf_take(opening.holders.data);
		layout->holder_count = (uint32_t)opening.holders.count;
		layout->element = opening.element;
	}
	free(opening.holders.data);
	free(opening.containers.data);
	free(opening.parts.data);
	free(opening.leaves.data);
	return layout;
}

const struct layout *layout_of(struct layouts *layouts, uint32_t type)
{
	while (layouts->by_type.count <= type) {
		if (!hf_vec_push(&layouts->by_type, NULL))
			return &layouts->empty;
	}
	struct layout **slot = &layouts->by_type.data[type];
	if (!*slot)
		*slot = make_layout(layouts, type);
	return *slot ? *slot : &layouts->empty;
}

/* ---- forms ----------------------------------------------------------------------------------- */

enum form layout_form(const struct layout *layout, uint64_t usable, bool mmapped)
{
	uint64_t size = layout->size, slack;

	if (size == 0 || usable < size)
		return FORM_NONE;
	slack = usable - size;
	if (slack <= FORM_SLACK || usable <= FORM_MIN_USABLE)
		return FORM_ONE;
	if (layout->flexible)
		return FORM_FLEXIBLE;
	if (layout->head)
		return slack <= FORM_HIDDEN ? FORM_ONE : FORM_PREFIX;
	if (mmapped && slack < MMAP_SLACK && size >= MMAP_SLACK)
		return FORM_ONE;
	if (slack >= size && (usable % size <= FORM_SLACK || mmapped))
		return FORM_ARRAY;
	if (slack <= FORM_LOOSE_SLACK)
		return FORM_ONE;
	return FORM_PREFIX;
}
