/*
 * bigmem.c - big flat arrays by mmap (see bigmem.h).
 *
 * Invariant: every array is at least one page, so that its pointer is unique.
 */
#include "core/base/bigmem.h"

#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>

enum { HUGE_FROM = 4 << 20, PAGE = 4096 };

static size_t rounded(size_t bytes)
{
	return bytes == 0 ? PAGE : (bytes + PAGE - 1) & ~(size_t)(PAGE - 1);
}

static void charge(struct hf_bigmem_account *account, size_t bytes)
{
	if (!account)
		return;
	account->now += bytes;
	if (account->now > account->peak)
		account->peak = account->now;
}

/*
 * The smallest spare that holds @size, cut to it. What is cut off goes back to the system, so a
 * block has the size that it was asked for.
 */
static void *take_spare(struct hf_bigmem_account *account, size_t size)
{
	struct hf_bigmem_spare *best = NULL;

	for (unsigned i = 0; account && i < HF_BIGMEM_SPARES; i++) {
		struct hf_bigmem_spare *spare = &account->spares[i];
		if (spare->memory && spare->size >= size && (!best || spare->size < best->size))
			best = spare;
	}
	if (!best)
		return NULL;
	void *memory = best->memory;
	if (best->size > size) {
		munmap((char *)memory + size, best->size - size);
		account->now -= best->size - size;
	}
	best->memory = NULL;
	memset(memory, 0, size);
	return memory;
}

/* Keep @memory for later; the smallest spare gives way. False: nobody wants it. */
static bool keep_spare(struct hf_bigmem_account *account, void *memory, size_t size)
{
	struct hf_bigmem_spare *least = &account->spares[0];

	if (size < HUGE_FROM)
		return false;
	for (unsigned i = 0; i < HF_BIGMEM_SPARES && least->memory; i++) {
		if (!account->spares[i].memory || account->spares[i].size < least->size)
			least = &account->spares[i];
	}
	if (least->memory && least->size >= size)
		return false;
	if (least->memory) {
		munmap(least->memory, least->size);
		account->now -= least->size;
	}
	*least = (struct hf_bigmem_spare){memory, size};
	return true;
}

void hf_bigmem_trim(struct hf_bigmem_account *account)
{
	for (unsigned i = 0; i < HF_BIGMEM_SPARES; i++) {
		struct hf_bigmem_spare *spare = &account->spares[i];
		if (!spare->memory)
			continue;
		munmap(spare->memory, spare->size);
		account->now -= spare->size;
		spare->memory = NULL;
	}
}

void *hf_bigmem_alloc(struct hf_bigmem_account *account, size_t bytes)
{
	size_t size = rounded(bytes);
	if (size < bytes)
		return NULL;
	void *spare = size >= HUGE_FROM ? take_spare(account, size) : NULL;
	if (spare)
		return spare;
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED)
		return NULL;
	if (size >= HUGE_FROM)
		madvise(memory, size, MADV_HUGEPAGE);
	charge(account, size);
	return memory;
}

void *hf_bigmem_resize(struct hf_bigmem_account *account, void *memory, size_t old_bytes,
		       size_t bytes)
{
	size_t old_size = rounded(old_bytes), size = rounded(bytes);
	if (size < bytes)
		return NULL;
	if (!memory)
		return hf_bigmem_alloc(account, bytes);
	if (size == old_size)
		return memory;
	void *moved = mremap(memory, old_size, size, MREMAP_MAYMOVE);
	if (moved == MAP_FAILED)
		return NULL;
	if (size >= HUGE_FROM)
		madvise(moved, size, MADV_HUGEPAGE);
	if (account)
		account->now -= old_size;
	charge(account, size);
	return moved;
}

void hf_bigmem_free(struct hf_bigmem_account *account, void *memory, size_t bytes)
{
	if (!memory || (account && keep_spare(account, memory, rounded(bytes))))
		return;
	munmap(memory, rounded(bytes));
	if (account)
		account->now -= rounded(bytes);
}
