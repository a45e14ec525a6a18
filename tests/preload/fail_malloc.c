/*
 * fail_malloc.c - to be preloaded: allocations that the program itself asks for fail, each of them
 * once. Those that libraries make for themselves are left alone: a call counts if it comes from
 * the program's own text.
 *
 *	program ... | call 1 | call 2 | call 3 ...		none fails here
 *		        |        |
 *		      fork     fork		two children a call: in the first this
 *		 fails, ends  fails, ends	call fails, in the second those after it too
 *
 * A child must end by itself, with one of the program's exit statuses; with the status of an error
 * it must speak of memory. What did not is written to the report, and in the end a line
 * "CALLS calls, CHILDREN children, WRONG wrong". The program may have one thread only.
 *
 * usage: LD_PRELOAD=fail_malloc.so HF_FAIL_REPORT=FILE [HF_FAIL_EVERY=N] program
 *	each Nth call only, if N is given
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* glibc's own names for what is taken over here. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

enum { ERROR_STATUS = 2, LAST_STATUS = 3, CHILD_SECONDS = 60, TOLD_BYTES = 400 };

static uintptr_t text_start, text_end;
static unsigned long calls, children, wrong, every = 1;
static int report = -1;		 /* -1 in the children */
static bool fails_now, fails_on; /* in a child: this call, and all after it */

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
	const char *path = getenv("HF_FAIL_REPORT");
	const char *step = getenv("HF_FAIL_EVERY");
	if (step && strtoul(step, NULL, 10))
		every = strtoul(step, NULL, 10);
	dl_iterate_phdr(take_text, NULL);
	if (path)
		report = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
}

__attribute__((destructor)) static void end(void)
{
	if (report >= 0)
		dprintf(report, "%lu calls, %lu children, %lu wrong\n", calls, children, wrong);
}

/* Did a child end as it should? What it printed is in @output. */
static void judge(int status, int output)
{
	char text[1 << 16];
	ssize_t size = pread(output, text, sizeof(text) - 1, 0);
	int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);

	text[size > 0 ? size : 0] = '\0';
	children++;
	if (code <= LAST_STATUS && (code != ERROR_STATUS || strcasestr(text, "memory")))
		return;
	wrong++;
	dprintf(report, "WRONG: call %lu%s gives %d: %.*s\n", calls,
		fails_on ? " and all after it" : "", code, TOLD_BYTES, text);
}

/* One child a call and way; true in the child, whose call this is. */
static bool fork_here(void)
{
	int saved = errno, status = 0;

	for (int on = 0; on < 2; on++) {
		int output = memfd_create("output", MFD_CLOEXEC);
		fails_on = on;
		pid_t child = output < 0 ? -1 : fork();
		if (child == 0) {
			report = -1;
			fails_now = true;
			dup2(output, STDOUT_FILENO);
			dup2(output, STDERR_FILENO);
			alarm(CHILD_SECONDS);
			return true;
		}
		if (child < 0 || waitpid(child, &status, 0) != child)
			abort();
		judge(status, output);
		close(output);
	}
	errno = saved;
	return false;
}

static bool fails(const void *caller)
{
	if ((uintptr_t)caller < text_start || (uintptr_t)caller >= text_end)
		return false;
	calls++;
	bool failing = report < 0 ? fails_now && fails_on : calls % every == 0 && fork_here();
	if (failing)
		errno = ENOMEM;
	return failing;
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
