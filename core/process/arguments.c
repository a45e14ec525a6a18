/*
 * arguments.c - the whole command line, from the stack that the process began with.
 *
 * A core's note holds 79 bytes of it (pr_psargs); gdb's gcore, of a process that it did not start,
 * writes argv[0] alone. The rest lies where the kernel put it for the
 * program's first instruction (System V ABI, "Initial Process Stack"):
 *
 *	argc | argv[0] .. argv[argc-1] | 0 | envp[0] .. | 0 | AT_*, value, .. | AT_RANDOM's bytes
 *	     <------------------------- addresses grow to the right ------------------------------>
 *
 * The vector of AT_ pairs is known from its own note, and AT_RANDOM's bytes lie shortly above it:
 * it is looked for below them by its first two pairs; from there two zero words down.
 *
 * Invariant: what is told begins with what the note says, or is the note's text as it was: a
 * program may have written a title over its arguments.
 */
#include <elf.h>
#include <string.h>

#include "core/base/cleanup.h"
#include "core/process/private.h"

enum {
	VECTOR_WITHIN = 8192,  /* bytes between the vector's start and AT_RANDOM's bytes */
	WORDS_MOST = 1u << 20, /* of envp and argv: more than ARG_MAX leaves room for */
	TEXT_MOST = 4096,      /* bytes of command line that are told */
};

/* Where the vector of AT_ pairs begins; false if it is not found. */
static bool find_vector(const struct hf_process *process, uint64_t *ret)
{
	const struct hf_image *image = &process->image;
	uint64_t word = image->word_bytes, random = 0;

	if (process->priv->auxv.count < 2 || !hf_process_auxv(process, AT_RANDOM, &random))
		return false;
	const struct auxv_entry *pairs = process->priv->auxv.data;
	const uint64_t wanted[4] = {pairs[0].type, pairs[0].value, pairs[1].type, pairs[1].value};
	uint64_t at = random & ~(word - 1);
	for (uint64_t below = 0; below < VECTOR_WITHIN && at > word; below += word) {
		size_t same = 0;
		at -= word;
		for (uint64_t value = 0; same < 4; same++) {
			if (!hf_image_word(image, at + same * word, &value) ||
			    value != wanted[same])
				break;
		}
		if (same == 4) {
			*ret = at;
			return true;
		}
	}
	return false;
}

/* The word below *@at, which moves down to it. */
static bool step_down(const struct hf_image *image, uint64_t *at, uint64_t *ret)
{
	if (*at < image->word_bytes)
		return false;
	*at -= image->word_bytes;
	return hf_image_word(image, *at, ret);
}

/* argv[0]'s address and argc, from the vector's address @at. */
static bool find_argv(const struct hf_image *image, uint64_t at, uint64_t *ret_argv,
		      uint64_t *ret_count)
{
	uint64_t value = 0, vector = at, steps = 0, count = 0;

	if (!step_down(image, &at, &value) || value != 0)
		return false; /* the end of envp */
	do {
		if (!step_down(image, &at, &value) || (value != 0 && value < vector))
			return false;
	} while (value != 0 && ++steps < WORDS_MOST);
	while (step_down(image, &at, &value) && value > vector && count < WORDS_MOST)
		count++;
	*ret_argv = at + image->word_bytes;
	*ret_count = count;
	return count > 0 && value == count;
}

/* The arguments with a space between them, at most TEXT_MOST - 1 bytes. */
static bool join(const struct hf_image *image, uint64_t argv, uint64_t count, char *buffer)
{
	size_t used = 0;

	for (uint64_t i = 0; i < count && used + 2 < TEXT_MOST; i++) {
		uint64_t at = 0;
		if (i > 0)
			buffer[used++] = ' ';
		if (!hf_image_word(image, argv + i * image->word_bytes, &at) ||
		    !hf_image_string(image, at, buffer + used, TEXT_MOST - used))
			return false;
		used += strlen(buffer + used);
	}
	return true;
}

struct hf_error *process_complete_arguments(struct hf_process *process)
{
	const char *note = process->info.arguments;
	uint64_t vector = 0, argv = 0, count = 0;
	char text[TEXT_MOST] = "";

	bool cut =
	    !*note || strlen(note) >= PSARGS_BYTES - 1 || process->info.core_kind == HF_CORE_GCORE;
	if (!cut || !find_vector(process, &vector) ||
	    !find_argv(&process->image, vector, &argv, &count) ||
	    !join(&process->image, argv, count, text) || strncmp(text, note, strlen(note)) != 0)
		return NULL;
	const char *whole = hf_strpool_dup(process->priv->strings, text);
	if (!whole)
		return hf_error_nomem();
	process->info.arguments = whole;
	return NULL;
}
