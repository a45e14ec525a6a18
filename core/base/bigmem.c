/*
 * bigmem.c - big flat arrays by mmap (see bigmem.h).
 *
 * Invariant: every array is at least one page, so that its pointer is unique.
 */
#include "core/base/bigmem.h"

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

void *hf_bigmem_alloc(struct hf_bigmem_account *account, size_t bytes)
{
	size_t size = rounded(bytes);
	if (size < bytes)
		return NULL;
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
	if (!memory)
		return;
	munmap(memory, rounded(bytes));
	if (account)
		account->now -= rounded(bytes);
}
