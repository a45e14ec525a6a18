/*
 * remember.c - the first questions to symbols, and their answers (see symbols.h).
 *
 * The allocator asks for a few dozen symbols and members of libc's structures, most of them in
 * vain, and in which function each thread stands. Answering means to read libc's whole symbol
 * table, or to inflate its debug information, which takes longer than all else that a command does
 * that has an index: so an index keeps the answers. Threads may ask at the same time.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/stash_text.h"
#include "core/symbols/private.h"

enum { MAX_ANSWERS = 512 }; /* a search goes over all */

struct symbols_memory {
	pthread_mutex_t lock;
	struct hf_strpool *strings;
	HF_VEC(, struct symbols_answer) answers;
};

struct saved_answer {
	uint64_t asked, value, size;
	uint32_t module;
	uint32_t name, member; /* offsets in the text; 0: none */
	uint8_t question, found, unused[2];
};

struct hf_error *symbols_memory_create(struct symbols_memory **ret)
{
	struct symbols_memory *memory = calloc(1, sizeof(*memory));

	if (!memory)
		return hf_error_nomem();
	pthread_mutex_init(&memory->lock, NULL);
	struct hf_error *err = hf_strpool_create(&memory->strings);
	if (err)
		symbols_memory_destroy(memory);
	else
		*ret = memory;
	return err;
}

void symbols_memory_destroy(struct symbols_memory *memory)
{
	if (!memory)
		return;
	pthread_mutex_destroy(&memory->lock);
	hf_strpool_destroy(memory->strings);
	hf_vec_free(&memory->answers);
	free(memory);
}

static bool same_text(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

static bool same_question(const struct symbols_answer *a, const struct symbols_answer *b)
{
	if (a->question != b->question || a->module != b->module || a->asked != b->asked)
		return false;
	return a->question == SYMBOLS_NAME ||
	       (same_text(a->name, b->name) && same_text(a->member, b->member));
}

bool symbols_recall(struct symbols_memory *memory, struct symbols_answer *answer)
{
	bool known = false;

	pthread_mutex_lock(&memory->lock);
	hf_vec_foreach (old, &memory->answers) {
		known = same_question(old, answer);
		if (known) {
			*answer = *old;
			break;
		}
	}
	pthread_mutex_unlock(&memory->lock);
	return known;
}

/* Where there is no memory for it, it is found out again the next time. */
void symbols_remember(struct symbols_memory *memory, const struct symbols_answer *answer)
{
	struct symbols_answer copy = *answer;

	pthread_mutex_lock(&memory->lock);
	if (memory->answers.count < MAX_ANSWERS) {
		copy.name = answer->name ? hf_strpool_dup(memory->strings, answer->name) : NULL;
		copy.member =
		    answer->member ? hf_strpool_dup(memory->strings, answer->member) : NULL;
		if (!copy.name == !answer->name && !copy.member == !answer->member)
			(void)hf_vec_push(&memory->answers, copy);
	}
	pthread_mutex_unlock(&memory->lock);
}

bool symbols_memory_save(const struct symbols_memory *memory, struct hf_stash_text *text,
			 struct hf_stash_writer *writer)
{
	hf_stash_begin(writer, "symbols.answers");
	hf_vec_foreach (answer, &memory->answers) {
		struct saved_answer saved = {
		    .asked = answer->asked,
		    .value = answer->value,
		    .size = answer->size,
		    .module = answer->module,
		    .question = answer->question,
		    .found = answer->found,
		};
		if (!hf_stash_text_add(text, answer->name, &saved.name) ||
		    !hf_stash_text_add(text, answer->member, &saved.member))
			return false;
		hf_stash_append(writer, &saved, sizeof(saved));
	}
	return true;
}

bool symbols_memory_load(struct symbols_memory *memory, const struct hf_stash *stash,
			 const struct hf_stash_strings *strings)
{
	size_t bytes = 0;
	const struct saved_answer *saved = hf_stash_get(stash, "symbols.answers", &bytes);

	for (size_t i = 0; saved && i < bytes / sizeof(*saved); i++) {
		struct symbols_answer answer = {
		    .asked = saved[i].asked,
		    .value = saved[i].value,
		    .size = saved[i].size,
		    .module = saved[i].module,
		    .question = saved[i].question,
		    .found = saved[i].found != 0,
		    .name = hf_stash_string(strings, memory->strings, saved[i].name),
		    .member = hf_stash_string(strings, memory->strings, saved[i].member),
		};
		if (!hf_vec_push(&memory->answers, answer))
			return false;
	}
	return saved != NULL;
}
