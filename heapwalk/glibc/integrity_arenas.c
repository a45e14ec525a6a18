/*
 * integrity_arenas.c - tops, and what arenas and heaps say of themselves.
 *
 *	brk:    sbrk_base ... | top ............ | = sbrk_base + system_mem, a page boundary
 *	heap:   heap_info ... | top ............ | = heap + heap_info.size
 *	top:    size >= MINSIZE, flags exactly P; system_mem <= max_system_mem
 */
#include "heapwalk/glibc/integrity.h"

/* The last chunk before @at in @region: who ran over into what stands at @at. */
static uint64_t block_before(const struct glibc *glibc, uint64_t at)
{
	struct hf_chunk chunk;
	if (glibc_region_at(glibc, at - 1) == UINT32_MAX ||
	    !glibc_chunk_at(&glibc->base, at - 1, &chunk))
		return 0;
	return chunk.object;
}

static void check_top(struct glibc *glibc, uint32_t region)
{
	const struct hf_heap_region *memory = &glibc->base.regions.data[region];
	uint64_t top = glibc->walks.data[region].top, word = 0;

	if (!top || !glibc_size_word(glibc, top, &word))
		return;
	uint64_t bytes = word & ~(uint64_t)GLIBC_FLAGS;
	if (bytes == memory->end - top && (word & GLIBC_FLAGS) == GLIBC_PREV_INUSE)
		return;
	uint64_t before = top > memory->start ? block_before(glibc, top) : 0;
	glibc_found(glibc, memory->arena,
		    (struct hf_finding){.code = "top-size-broken",
					.severity = HF_SEV_ERROR,
					.blame = before ? HF_BLAME_OVERFLOW : HF_BLAME_UNKNOWN,
					.address = glibc_mem(glibc, top),
					.word = top + glibc->layout.word,
					.has_expected = true,
					.expected = (memory->end - top) | GLIBC_PREV_INUSE,
					.culprit = before,
					.abort_text = "malloc(): corrupted top size"},
		    "the top chunk's header says 0x%lx, but 0x%lx bytes are left to its end",
		    (unsigned long)word, (unsigned long)(memory->end - top));
}

/* The arena's own top must be in one of its regions. */
static bool has_top(const struct glibc *glibc, uint32_t arena)
{
	for (size_t i = 0; i < glibc->base.regions.count; i++) {
		if (glibc->base.regions.data[i].arena == arena && glibc->walks.data[i].top)
			return true;
	}
	return false;
}

static void arena_found(struct glibc *glibc, uint32_t index, const char *code, uint32_t offset,
			uint8_t bytes, const char *what)
{
	uint64_t address = glibc->base.arenas.data[index].address;
	glibc_found(glibc, index,
		    (struct hf_finding){.code = code,
					.severity = HF_SEV_ERROR,
					.address = address,
					.word = address + offset,
					.word_bytes = bytes},
		    "arena %u: %s", index, what);
}

static void check_arena(struct glibc *glibc, uint32_t index)
{
	const struct hf_arena *arena = &glibc->base.arenas.data[index];
	const struct glibc_layout *layout = &glibc->layout;
	uint32_t flags = 0, mutex = 0;
	uint64_t top = 0;

	if (hf_image_u32(glibc->image, arena->address, &mutex) && mutex > 2)
		arena_found(glibc, index, "arena-mutex", 0, 4,
			    "its lock is neither free nor held: overwritten");
	if (arena->system_bytes > arena->max_system_bytes)
		arena_found(glibc, index, "arena-system-mem", layout->system_mem, 0,
			    "it counts more memory than it ever had");
	if (!arena->is_main && hf_image_u32(glibc->image, arena->address + 4, &flags) &&
	    !(flags & GLIBC_NONCONTIGUOUS))
		arena_found(glibc, index, "arena-flags", 4, 4,
			    "a thread's arena is always marked as not contiguous; this is not");
	if (glibc_word(glibc, arena->address + layout->top, &top) && arena->system_bytes &&
	    !(top >= arena->address && top < arena->address + layout->state_size) &&
	    !has_top(glibc, index))
		arena_found(glibc, index, "arena-top", layout->top, 0,
			    "its top chunk is in none of its heaps");
}

void glibc_check_arenas(struct glibc *glibc)
{
	for (uint32_t i = 0; i < glibc->base.arenas.count; i++)
		check_arena(glibc, i);
	for (uint32_t i = 0; i < glibc->base.regions.count; i++)
		check_top(glibc, i);
}
