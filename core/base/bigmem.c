/*
 * bigmem.c - big flat arrays by mmap (see bigmem.h).
 *
 * Invariant: every array is at least one page, so that its pointer is unique. One of HUGE_FROM
 * bytes and more, in memory, begins where a huge page may begin:
 *
 *	| piece | piece | ... | piece | tail |	pieces: 2 MiB; the tail is less: small pages
 *
 * A page that is new costs as much to clear as to fill, and in a virtual machine often ten times
 * that. So the pieces of a freed array are kept, for the whole process, and a new array takes them
 * before it has new ones: it gets addresses of its own, and the kernel moves the pieces there
 * (mremap; whole huge pages move by one entry of the page table each). The memory that is mapped
 * never is more than it was when most arrays were there: new pieces are had only when none is
 * kept. Where the process's data is limited nothing is kept, for what malloc() gets counts too.
 *
 * Kept pieces are a list of runs that lies in them: its link is in the first bytes of a run, and
 * pieces are taken from its front.
 *
 * With a working folder an array is a shared mapping of a file of its own, whose name is gone as
 * soon as it is open: it ends with the process. Such memory is no part of RLIMIT_DATA, so that
 * --max-memory and --work-dir go together. The folder, what it answers, and the kept pieces are
 * all that is global here: the first is set once, like a resource limit, before anything else
 * happens, the last have a lock.
 */
#include "core/base/bigmem.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

enum { NEW_PAGES = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE };
enum { HUGE_FROM = 4 << 20, PIECE = 2 << 20, FILE_FROM = 128 << 10, PAGE = 4096 };

/* ThreadSanitizer does not see mremap(): it would take what another thread had there for ours. */
#ifdef __SANITIZE_THREAD__
enum { CAN_REMAP = false };
#else
enum { CAN_REMAP = true };
#endif

struct run { /* of kept pieces, at its own beginning */
	struct run *next;
	size_t size;
};

static struct run *kept;
static pthread_mutex_t kept_lock = PTHREAD_MUTEX_INITIALIZER;

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
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, NEW_PAGES, -1, 0);

	if (memory == MAP_FAILED) { /* it may be what is kept that is missing */
		hf_bigmem_trim(0);
		memory = mmap(NULL, size, PROT_READ | PROT_WRITE, NEW_PAGES, -1, 0);
	}
	return memory == MAP_FAILED ? NULL : memory;
}

/* From where a huge page may begin; what is around it goes back. All of it is new. */
static void *map_memory(size_t size)
{
	if (size < HUGE_FROM || size + PIECE < size)
		return map_pages(size);
	char *memory = map_pages(size + PIECE);
	if (!memory)
		return NULL;
	size_t before = -(uintptr_t)memory & (PIECE - 1);
	if (before)
		munmap(memory, before);
	munmap(memory + before + size, PIECE - before);
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

/* ---- pieces that are kept -------------------------------------------------------------------- */

static bool data_is_limited(void)
{
	struct rlimit limit;
	return getrlimit(RLIMIT_DATA, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;
}

/* Is an array of @size made of pieces that other arrays had and will have? */
static bool has_pieces(size_t size)
{
	return CAN_REMAP && size >= HUGE_FROM && !goes_to_file(size) && !data_is_limited();
}

static size_t pieces_end(size_t size)
{
	return size & ~(size_t)(PIECE - 1);
}

/* Give @size bytes back from a piece's beginning on: pieces are kept, a tail is not. */
static void give_back(char *memory, size_t size)
{
	size_t end = pieces_end(size);

	if (end < size)
		munmap(memory + end, size - end);
	if (!end)
		return;
	struct run *run = (struct run *)memory;
	pthread_mutex_lock(&kept_lock);
	*run = (struct run){kept, end};
	kept = run;
	pthread_mutex_unlock(&kept_lock);
}

/* In the order of their addresses: what moves like that is one mapping again. NULL: none is kept */
static void *take_piece(void)
{
	pthread_mutex_lock(&kept_lock);
	struct run *run = kept;
	if (run && run->size > PIECE) {
		kept = (struct run *)((char *)run + PIECE);
		*kept = (struct run){run->next, run->size - PIECE};
	} else if (run) {
		kept = run->next;
	}
	pthread_mutex_unlock(&kept_lock);
	return run;
}

void hf_bigmem_trim(size_t keep)
{
	pthread_mutex_lock(&kept_lock);
	struct run **end = &kept;
	for (; *end && keep >= (*end)->size; end = &(*end)->next)
		keep -= (*end)->size;
	struct run *rest = *end;
	if (rest && pieces_end(keep)) { /* its first pieces stay */
		rest = (struct run *)((char *)*end + pieces_end(keep));
		*rest = (struct run){(*end)->next, (*end)->size - pieces_end(keep)};
		(*end)->size = pieces_end(keep);
		end = &(*end)->next;
	}
	*end = NULL;
	pthread_mutex_unlock(&kept_lock);
	while (rest) {
		struct run *next = rest->next;
		munmap(rest, rest->size);
		rest = next;
	}
}

/*
 * The piece at @from to @to, in place of the new one there. Where the kernel has no room for one
 * more mapping it leaves all as it was, so the content is copied. (A new piece that it had taken
 * away by then is asked for again; not to get it is to be out of memory in the midst of a move.)
 */
static void move_piece(char *to, char *from)
{
	if (mremap(from, PIECE, PIECE, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to)
		return;
	if (mmap(to, PIECE, PROT_READ | PROT_WRITE, NEW_PAGES | MAP_FIXED_NOREPLACE, -1, 0) ==
		MAP_FAILED &&
	    errno != EEXIST)
		abort();
	memcpy(to, from, PIECE);
	munmap(from, PIECE);
}

/* Kept pieces from @at on into the new array of @size at @memory, while there are some. */
static void fill_with_kept(char *memory, size_t at, size_t size, bool zeroed)
{
	for (; at < pieces_end(size); at += PIECE) {
		char *piece = take_piece();
		if (!piece)
			return;
		move_piece(memory + at, piece);
		if (zeroed)
			memset(memory + at, 0, PIECE);
	}
}

static void *allocate(struct hf_bigmem_account *account, size_t bytes, bool zeroed)
{
	size_t size = rounded(bytes);
	if (size < bytes)
		return NULL;
	void *memory = goes_to_file(size) ? map_file(size) : map_memory(size);
	if (!memory)
		return NULL;
	if (has_pieces(size))
		fill_with_kept(memory, 0, size, zeroed);
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

/* ---- resizing -------------------------------------------------------------------------------- */

/* A file's mapping does not grow with mremap(): what is behind the file's end cannot be touched. */
static void *copy(void *memory, size_t old_size, size_t size)
{
	void *copied = goes_to_file(size) ? map_file(size) : map_memory(size);

	if (!copied)
		return NULL;
	memcpy(copied, memory, old_size < size ? old_size : size);
	munmap(memory, old_size);
	return copied;
}

/* Whole pieces move, the old tail is copied; behind it kept pieces come before new ones. */
static void *grow_pieces(char *memory, size_t old_size, size_t size)
{
	char *grown = map_memory(size);
	size_t end = has_pieces(old_size) ? pieces_end(old_size) : 0;

	if (!grown)
		return NULL;
	for (size_t at = 0; at < end; at += PIECE)
		move_piece(grown + at, memory + at);
	fill_with_kept(grown, end, size, true);
	memcpy(grown + end, memory + end, old_size - end);
	munmap(memory + end, old_size - end);
	return grown;
}

/* Pieces behind the new end go. What has none any more moves out, for it would be many mappings. */
static void *shrink_pieces(char *memory, size_t old_size, size_t size)
{
	size_t end = size < pieces_end(old_size) ? pieces_end(size + PIECE - 1) : size;

	if (!has_pieces(size)) {
		void *copied = map_pages(size);
		if (copied) {
			memcpy(copied, memory, size);
			give_back(memory, old_size);
		}
		return copied;
	}
	if (end > size)
		munmap(memory + size, end - size);
	if (old_size > end)
		give_back(memory + end, old_size - end);
	return memory;
}

static void *change_size(void *memory, size_t old_size, size_t size)
{
	void *moved;

	if (goes_to_file(size) || goes_to_file(old_size) || !CAN_REMAP)
		return copy(memory, old_size, size);
	if (has_pieces(size) && old_size < size)
		return grow_pieces(memory, old_size, size);
	if (has_pieces(old_size))
		return shrink_pieces(memory, old_size, size);
	moved = mremap(memory, old_size, size, MREMAP_MAYMOVE);
	return moved == MAP_FAILED ? NULL : moved;
}

void *hf_bigmem_resize(struct hf_bigmem_account *account, void *memory, size_t old_bytes,
		       size_t bytes)
{
	size_t old_size = rounded(old_bytes), size = rounded(bytes);
	if (size < bytes)
		return NULL;
	if (!memory)
		return hf_bigmem_alloc(account, bytes);
	if (bytes > old_bytes) /* what it held when it was greater, up to the page's end */
		memset((char *)memory + old_bytes, 0, old_size - old_bytes);
	if (size == old_size)
		return memory;
	void *moved = change_size(memory, old_size, size);
	if (!moved)
		return NULL;
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
	size_t size = rounded(bytes);

	if (!memory)
		return;
	if (has_pieces(size))
		give_back(memory, size);
	else
		munmap(memory, size);
	if (account)
		account->now -= size;
}
