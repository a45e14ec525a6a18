/*
 * crash.c - how the process came to its end, as far as malloc has to do with it: what malloc said
 * before it called abort(), and whether a thread stood in malloc's code.
 *
 * The message is where libc's `__abort_msg` points (GLIBC_PRIVATE, in .dynsym). Without libc's file
 * it is found by its form:
 *
 *	page ->  u32 size of the mapping | "free(): invalid pointer\n" | 0 ...
 *
 * To 2.26 it names the program and the block as well:
 *
 *	*** Error in `./server': free(): invalid pointer: 0x000000000214c010 ***
 *
 * A thread in malloc's code may have changed a list by half: what is found wrong there is said
 * with less certainty.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "heapwalk/glibc/glibc.h"

enum { MAX_ABORT_MESSAGE = 1024, MAX_ABORT_PAGES = 16 };

static char *last_in(char *text, const char *part)
{
	char *last = NULL;
	for (char *at = strstr(text, part); at; at = strstr(at + 1, part))
		last = at;
	return last;
}

/* Of a message with names (to 2.26) the words alone; *@ret_block gets the block it names, else 0.
 */
static const char *words_of(char *text, uint64_t *ret_block)
{
	static const char head[] = "*** Error in `", before[] = "': ", after[] = ": 0x";

	*ret_block = 0;
	char *end = strncmp(text, head, sizeof(head) - 1) ? NULL : last_in(text, after);
	if (!end)
		return text;
	*end = '\0';
	char *words = last_in(text, before);
	if (!words) {
		*end = after[0];
		return text;
	}
	*ret_block = strtoull(end + sizeof(after) - 1, NULL, 16);
	return words + sizeof(before) - 1;
}

/* Is @text one of malloc's own messages? Those of other guards begin with stars. */
static bool says_malloc(const char *text)
{
	static const char *const marks[] = {
	    "malloc",	   "free()",	   "corrupted",	     "realloc()", "munmap_chunk()",
	    "double free", "mremap_chunk", "break adjusted", "unaligned", "invalid fastbin",
	};
	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
		if (strncmp(text, "*** ", 4) != 0 && strstr(text, marks[i]))
			return true;
	}
	return false;
}

/*
 * Is the text of struct abort_msg_s, whose memory __libc_message() maps for it alone, at @page?
 * Its size is that of the mapping, and nothing stands behind the text.
 */
static bool is_abort_page(const struct glibc *glibc, uint64_t page, char text[MAX_ABORT_MESSAGE])
{
	uint64_t page_bytes = glibc->image->page_bytes, block = 0;
	uint32_t bytes = 0;

	if (!hf_image_u32(glibc->image, page, &bytes) || bytes == 0 || bytes % page_bytes ||
	    bytes > MAX_ABORT_PAGES * page_bytes ||
	    !hf_image_string(glibc->image, page + 4, text, MAX_ABORT_MESSAGE))
		return false;
	size_t length = strlen(text);
	return length > 1 && text[length - 1] == '\n' && strcspn(text, "\n") == length - 1 &&
	       says_malloc(words_of(text, &block));
}

/* Without libc's symbols: a page of its own in anonymous memory. */
static uint64_t find_abort_page(const struct glibc *glibc)
{
	uint64_t page_bytes = glibc->image->page_bytes;
	char text[MAX_ABORT_MESSAGE];

	if (glibc->process->info.signal != SIGABRT)
		return 0;
	hf_vec_foreach (segment, &glibc->image->segments) {
		uint64_t page = (segment->start + page_bytes - 1) / page_bytes * page_bytes;
		uint64_t end = segment->start + segment->present;
		if (segment->source != HF_SEGMENT_CORE || !(segment->flags & HF_SEGMENT_W))
			continue;
		for (; page >= segment->start && page < end; page += page_bytes) {
			if (is_abort_page(glibc, page, text))
				return page;
		}
	}
	return 0;
}

/* What malloc (or assert, or abort's caller) said last: __abort_msg -> {u32 size; text}. */
static void read_abort_message(struct glibc *glibc)
{
	uint64_t address = 0, size = 0, message = 0;
	uint32_t bytes = 0;
	char text[MAX_ABORT_MESSAGE];

	if (!glibc->symbols || glibc->libc_module == HF_NO_INDEX ||
	    !hf_symbols_find(glibc->symbols, glibc->libc_module, "__abort_msg", &address, &size) ||
	    !glibc_word(glibc, address, &message))
		message = find_abort_page(glibc);
	if (message == 0 || !hf_image_u32(glibc->image, message, &bytes) || bytes == 0 ||
	    !hf_image_string(glibc->image, message + 4, text, sizeof(text)))
		return;
	text[strcspn(text, "\n")] = '\0';
	if (text[0])
		glibc->base.abort_message =
		    hf_strpool_dup(glibc->strings, words_of(text, &glibc->named));
}

/* Functions of malloc.c that change lists: a thread that stands there may have begun to. */
static bool is_malloc_code(const char *name)
{
	static const char *const names[] = {
	    "malloc",	     "free",	      "calloc",	       "realloc",
	    "memalign",	     "cfree",	      "_int_malloc",   "_int_free",
	    "_int_realloc",  "_int_memalign", "unlink_chunk",  "sysmalloc",
	    "systrim",	     "tcache_put",    "tcache_get",    "malloc_consolidate",
	    "__libc_malloc", "__libc_free",   "__libc_calloc", "__libc_realloc",
	    "tcache_free",
	};
	size_t length = strcspn(name, ".@");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if ((strlen(names[i]) == length && !strncmp(name, names[i], length)) ||
		    !strncmp(name, "_int_free_", 10))
			return true;
	}
	return false;
}

/*
 * Without libc's debug information its static functions have no name: then a thread that runs
 * there, and does not wait in a system call, may be in malloc.
 */
static bool runs_nameless(const struct glibc *glibc, const struct hf_thread *thread)
{
	static const uint8_t syscall[] = {0x0f, 0x05};
	uint8_t before[2];
	return hf_image_read(glibc->image, thread->pc - 2, before, sizeof(before)) &&
	       memcmp(before, syscall, sizeof(syscall)) != 0;
}

static bool deadly(int signal)
{
	return signal == SIGSEGV || signal == SIGBUS || signal == SIGABRT || signal == SIGILL ||
	       signal == SIGTRAP;
}

void glibc_read_crash(struct glibc *glibc)
{
	read_abort_message(glibc);
	glibc->base.aborted = glibc->process->info.signal == SIGABRT && glibc->base.abort_message &&
			      says_malloc(glibc->base.abort_message);
	for (uint32_t i = 0; glibc->symbols && i < glibc->process->threads.count; i++) {
		const struct hf_thread *thread = &glibc->process->threads.data[i];
		const struct hf_module *module = hf_process_module(glibc->process, thread->pc);
		uint64_t offset;
		if (!module)
			continue;
		const char *name = hf_symbols_name_at(glibc->symbols, thread->pc, &offset);
		if (!(name ? is_malloc_code(name)
			   : module->is_libc && runs_nameless(glibc, thread)))
			continue;
		if (i == 0 && deadly(glibc->process->info.signal))
			glibc->died_in_malloc = true;
		else
			glibc->mid_malloc = true;
	}
}
