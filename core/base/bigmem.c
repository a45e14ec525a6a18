/*
 * bigmem.c - big flat arrays by mmap (see bigmem.h).
 *
 * Invariant: every array is at least one page, so that its pointer is unique.
 *
 * With a working folder an array is a shared mapping of a file of its own, whose name is gone as
 * soon as it is open: it ends with the process. Such memory is no part of RLIMIT_DATA, so that
 * --max-memory and --work-dir go together. The folder, and what it answers, is the one thing here
 * that is global: it is set once, like a resource limit, before anything else happens.
 */
#include "core/base/bigmem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { HUGE_FROM = 4 << 20, HUGE_PAGE = 2 << 20, FILE_FROM = 128 << 10, PAGE = 4096 };

/* ThreadSanitizer does not see mremap(): it would take what another thread had there for ours. */
#ifdef __SANITIZE_THREAD__
enum { CAN_REMAP = false };
#else
enum { CAN_REMAP = true };
#endif

static char *work_folder;      /* NULL: memory */
static _Atomic int work_error; /* of an array that the folder had no room for; 0: none */

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

/* A file in the working folder that has no name. */
static int nameless_file(void)
{
	char path[4096];
	int fd = open(work_folder, O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);

	if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT))
		return fd;
	/* A file system without O_TMPFILE. */
	if (snprintf(path, sizeof(path), "%s/heapforensics.XXXXXX", work_folder) >=
	    (int)sizeof(path))
		return -1;
	fd = mkostemp(path, O_CLOEXEC);
	if (fd >= 0)
		unlink(path);
	return fd;
}

/* Its space is taken at once: a full disk is an error now, and no SIGBUS later. */
static void *map_file(size_t size)
{
	int fd = nameless_file(), error = fd < 0 ? errno : posix_fallocate(fd, 0, (off_t)size);
	void *memory =
	    error ? MAP_FAILED : mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (fd >= 0)
		close(fd);
	if (error)
		atomic_store(&work_error, error);
	return memory == MAP_FAILED ? NULL : memory;
}

static void *map_pages(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	return memory == MAP_FAILED ? NULL : memory;
}

/* From where a huge page may begin; what is around it goes back. */
static void *map_memory(size_t size)
{
	if (size < HUGE_FROM || size + HUGE_PAGE < size)
		return map_pages(size);
	char *memory = map_pages(size + HUGE_PAGE);
	if (!memory)
		return NULL;
	size_t before = -(uintptr_t)memory & (HUGE_PAGE - 1);
	if (before)
		munmap(memory, before);
	munmap(memory + before + size, HUGE_PAGE - before);
	madvise(memory + before, size, MADV_HUGEPAGE);
	return memory + before;
}

static bool goes_to_file(size_t size)
{
	return work_folder && size >= FILE_FROM;
}

struct hf_error *hf_bigmem_use_folder(const char *folder)
{
	char *copy = folder ? strdup(folder) : NULL;

	if (folder && !copy)
		return hf_error_nomem();
	free(work_folder);
	work_folder = copy;
	if (!folder)
		return NULL;
	int fd = nameless_file();
	if (fd < 0)
		return hf_error_errno(errno, "--work-dir=%s", folder);
	close(fd);
	return NULL;
}

bool hf_bigmem_in_folder(void)
{
	return work_folder != NULL;
}

const char *hf_bigmem_full_folder(int *ret_errno)
{
	int error = atomic_load(&work_error);

	if (!error)
		return NULL;
	*ret_errno = error;
	return work_folder;
}

static void *allocate(struct hf_bigmem_account *account, size_t bytes, bool zeroed)
{
	size_t size = rounded(bytes);
	if (size < bytes)
		return NULL;
	void *spare = size >= HUGE_FROM ? take_spare(account, size) : NULL;
	if (spare)
		return zeroed ? memset(spare, 0, size) : spare;
	void *memory = goes_to_file(size) ? map_file(size) : map_memory(size);
	if (memory)
		charge(account, size);
	return memory;
}

void *hf_bigmem_alloc(struct hf_bigmem_account *account, size_t bytes)
{
	return allocate(account, bytes, true);
}

void *hf_bigmem_take(struct hf_bigmem_account *account, size_t bytes)
{
	return allocate(account, bytes, false);
}

/* A file's mapping does not grow with mremap(): what is behind the file's end cannot be touched. */
static void *move(void *memory, size_t old_size, size_t size)
{
	void *moved = goes_to_file(size) ? map_file(size) : map_memory(size);

	if (!moved)
		return NULL;
	memcpy(moved, memory, old_size < size ? old_size : size);
	munmap(memory, old_size);
	return moved;
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
	void *moved = !CAN_REMAP || goes_to_file(size) || goes_to_file(old_size)
			  ? move(memory, old_size, size)
			  : mremap(memory, old_size, size, MREMAP_MAYMOVE);
	if (!moved || moved == MAP_FAILED)
		return NULL;
	if (size >= HUGE_FROM && !goes_to_file(size))
		madvise(moved, size, MADV_HUGEPAGE);
	if (account)
		account->now -= old_size;
	charge(account, size);
	return moved;
}

void hf_bigmem_charge(struct hf_bigmem_account *account, int64_t bytes)
{
	charge(account, (size_t)bytes);
}

void hf_bigmem_free(struct hf_bigmem_account *account, void *memory, size_t bytes)
{
	if (!memory || (account && keep_spare(account, memory, rounded(bytes))))
		return;
	munmap(memory, rounded(bytes));
	if (account)
		account->now -= rounded(bytes);
}
