/*
 * pool.c - one pool of pymalloc: its header, its free blocks, and so the state of each block.
 *
 * A block is free if it is on the pool's free list, or has never been carved. The list is walked
 * with a bit for each block met: one met twice, or a link to where no block is, ends it, and what
 * it would have led to counts as in use.
 *
 *	blocks that are carved = in use (ref.count) + on the list
 */
#include <string.h>

#include "heapwalk/pymalloc/pymalloc.h"

bool pymalloc_header(const struct hf_image *image, uint64_t pool, struct pool_header *ret)
{
	return hf_image_u32(image, pool + POOL_COUNT, &ret->count) &&
	       hf_image_word(image, pool + POOL_FREE_BLOCK, &ret->free_block) &&
	       hf_image_word(image, pool + POOL_NEXT, &ret->next) &&
	       hf_image_u32(image, pool + POOL_ARENA_INDEX, &ret->arena_index) &&
	       hf_image_u32(image, pool + POOL_SIZE_INDEX, &ret->size_index) &&
	       hf_image_u32(image, pool + POOL_NEXT_OFFSET, &ret->next_offset) &&
	       hf_image_u32(image, pool + POOL_MAX_OFFSET, &ret->max_offset);
}

static bool is_sane(const struct pymalloc_cut *cut, const struct pymalloc_arena *arena,
		    const struct pool_header *header)
{
	if (header->size_index >= MAX_BLOCK / cut->alignment)
		return false;
	uint32_t size = (header->size_index + 1) * cut->alignment;
	return header->arena_index == arena->index && header->max_offset == cut->pool - size &&
	       header->next_offset >= POOL_HEADER + size && header->next_offset <= cut->pool &&
	       (header->next_offset - POOL_HEADER) % size == 0 &&
	       header->count <= (cut->pool - POOL_HEADER) / size;
}

static bool is_free(const struct pool_view *view, uint32_t block)
{
	return block >= view->carved || view->free[block / 64] >> (block % 64) & 1;
}

/* The number of the block that starts at @address; view->carved if none does. */
static uint32_t block_at(const struct pool_view *view, uint64_t address)
{
	uint64_t first = view->address + POOL_HEADER;

	if (address < first || (address - first) % view->size ||
	    (address - first) / view->size >= view->carved)
		return view->carved;
	return (uint32_t)((address - first) / view->size);
}

static void walk_list(const struct pymalloc *python, struct pool_view *view, uint64_t link)
{
	uint64_t word = view->address + POOL_FREE_BLOCK;

	while (link) {
		uint32_t block = block_at(view, link);
		bool twice = block < view->carved && is_free(view, block);
		if (block == view->carved || twice) {
			view->trouble = twice ? TROUBLE_TWICE : TROUBLE_LINK;
			view->word = word;
			view->found = link;
			return;
		}
		view->free[block / 64] |= UINT64_C(1) << (block % 64);
		view->listed++;
		word = link;
		if (!hf_image_word(python->image, link, &link))
			return; /* what is missing is told by the pages that are */
	}
	if (view->in_use + view->listed != view->carved)
		view->trouble = TROUBLE_COUNT;
}

static void view_pool(const struct pymalloc *python, const struct pymalloc_arena *arena,
		      struct pool_view *view)
{
	struct pool_header header;

	view->end = view->address + python->cut.pool;
	view->state = POOL_UNUSED;
	if (view->address >= arena->carved)
		return;
	view->state = POOL_ABSENT;
	if (!pymalloc_header(python->image, view->address, &header))
		return;
	view->state = POOL_UNUSED;
	if (header.count == 0 && header.arena_index == arena->index)
		return;
	view->state = POOL_BROKEN;
	view->trouble = TROUBLE_HEADER;
	if (!is_sane(&python->cut, arena, &header))
		return;
	view->state = POOL_USED;
	view->trouble = TROUBLE_NONE;
	view->size = (header.size_index + 1) * python->cut.alignment;
	view->blocks = (python->cut.pool - POOL_HEADER) / view->size;
	view->carved = (header.next_offset - POOL_HEADER) / view->size;
	view->in_use = header.count;
	walk_list(python, view, header.free_block);
}

void pymalloc_view(const struct pymalloc *python, const struct pymalloc_arena *arena,
		   uint64_t address, struct pool_view *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (address >= arena->pools && address < arena->pools_end) {
		uint64_t within = address - arena->pools;
		ret->address = arena->pools + within - within % python->cut.pool;
		view_pool(python, arena, ret);
		return;
	}
	ret->state = POOL_SLACK;
	ret->address = address < arena->pools ? arena->start : arena->pools_end;
	ret->end = address < arena->pools ? arena->pools : arena->end;
}

static void chunk_of_pool(const struct pool_view *view, uint64_t address, struct hf_chunk *chunk)
{
	uint64_t first = view->address + POOL_HEADER;
	uint64_t last = first + (uint64_t)view->blocks * view->size;

	if (address < first) {
		chunk->address = view->address;
		chunk->size = POOL_HEADER;
	} else if (address >= last) {
		chunk->address = last;
		chunk->size = view->end - last;
	} else {
		uint32_t block = (uint32_t)((address - first) / view->size);
		chunk->address = first + (uint64_t)block * view->size;
		chunk->size = view->size;
		chunk->state = is_free(view, block) ? HF_CHUNK_POOL : HF_CHUNK_INUSE;
	}
}

bool pymalloc_chunk(const struct pymalloc_arena *arena, const struct pool_view *view,
		    uint64_t address, struct hf_chunk *ret)
{
	struct hf_chunk chunk = {.address = view->address,
				 .size = view->end - view->address,
				 .arena = arena->table,
				 .state = HF_CHUNK_FENCEPOST,
				 .kind = HF_OBJECT_POOL};

	if (view->state == POOL_ABSENT)
		return false;
	if (view->state == POOL_UNUSED)
		chunk.state = HF_CHUNK_UNUSED;
	else if (view->state == POOL_BROKEN)
		chunk.state = HF_CHUNK_INUSE;
	else if (view->state == POOL_USED)
		chunk_of_pool(view, address, &chunk);
	chunk.object = chunk.address;
	chunk.usable = chunk.size;
	*ret = chunk;
	return true;
}
