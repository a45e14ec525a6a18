/*
 * fail_malloc.c - to be preloaded: the HF_FAIL_AT-th allocation that the program itself asks for
 * fails (and, with HF_FAIL_ON set, every one after it). Those that libraries make for themselves
 * are left alone: a call counts if it comes from the program's own text. With HF_FAIL_COUNT set
 * the number of calls is written to that file at the end.
 *
 * usage: LD_PRELOAD=fail_malloc.so HF_FAIL_AT=17 program
 */
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* glibc's own names for what is taken over here. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

static uintptr_t text_start, text_end;
static atomic_ulong calls;
static unsigned long fail_at;
static bool fail_on;

static int take_text(struct dl_phdr_info *info, size_t size, void *unused)
{
	(void)size;
	(void)unused;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *header = &info->dlpi_phdr[i];
		if (header->p_type == PT_LOAD && (header->p_flags & PF_X)) {
			text_start = info->dlpi_addr + header->p_vaddr;
			text_end = text_start + header->p_memsz;
		}
	}
	return 1; /* the program is the first, and the only one that matters */
}

__attribute__((constructor)) static void begin(void)
{
	const char *at = getenv("HF_FAIL_AT");
	fail_at = at ? strtoul(at, NULL, 10) : 0;
	fail_on = getenv("HF_FAIL_ON") != NULL;
	dl_iterate_phdr(take_text, NULL);
}

__attribute__((destructor)) static void end(void)
{
	const char *path = getenv("HF_FAIL_COUNT");
	FILE *file = path ? fopen(path, "w") : NULL;
	if (file) {
		fprintf(file, "%lu\n", (unsigned long)calls);
		fclose(file);
	}
}

static bool fails(const void *caller)
{
	if ((uintptr_t)caller < text_start || (uintptr_t)caller >= text_end)
		return false;
	unsigned long number = atomic_fetch_add(&calls, 1) + 1;
	if (!fail_at || (fail_on ? number < fail_at : number != fail_at))
		return false;
	errno = ENOMEM;
	return true;
}

#define FAILS fails(__builtin_return_address(0))

void *malloc(size_t size)
{
	return FAILS ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
	return FAILS ? NULL : __libc_calloc(count, size);
}

void *realloc(void *block, size_t size)
{
	return FAILS ? NULL : __libc_realloc(block, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
	return FAILS ? NULL : __libc_memalign(alignment, size);
}

int posix_memalign(void **ret, size_t alignment, size_t size)
{
	if (FAILS)
		return ENOMEM;
	*ret = __libc_memalign(alignment, size);
	return *ret ? 0 : ENOMEM;
}

char *strdup(const char *text)
{
	size_t bytes = strlen(text) + 1;
	char *copy = FAILS ? NULL : __libc_malloc(bytes);
	return copy ? memcpy(copy, text, bytes) : NULL;
}

char *strndup(const char *text, size_t most)
{
	size_t bytes = strnlen(text, most);
	char *copy = FAILS ? NULL : __libc_malloc(bytes + 1);
	if (!copy)
		return NULL;
	copy[bytes] = '\0';
	return memcpy(copy, text, bytes);
}

int vasprintf(char **ret, const char *format, va_list args)
{
	va_list again;
	if (FAILS)
		return -1;
	va_copy(again, args);
	int length = vsnprintf(NULL, 0, format, again);
	va_end(again);
	*ret = length < 0 ? NULL : __libc_malloc((size_t)length + 1);
	return *ret ? vsnprintf(*ret, (size_t)length + 1, format, args) : -1;
}

int asprintf(char **ret, const char *format, ...)
{
	va_list args;
	if (FAILS)
		return -1;
	va_start(args, format);
	int length = vasprintf(ret, format, args);
	va_end(args);
	return length;
}

void *mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset)
{
	static void *(*next)(void *, size_t, int, int, int, off_t);
	if (FAILS)
		return MAP_FAILED;
	if (!next)
		next = (void *(*)(void *, size_t, int, int, int, off_t))dlsym(RTLD_NEXT, "mmap");
	return next(address, length, protection, flags, fd, offset);
}

void *mremap(void *address, size_t length, size_t wanted, int flags, ...)
{
	static void *(*next)(void *, size_t, size_t, int, ...);
	if (FAILS)
		return MAP_FAILED;
	if (!next)
		next = (void *(*)(void *, size_t, size_t, int, ...))dlsym(RTLD_NEXT, "mremap");
	return next(address, length, wanted, flags);
}
