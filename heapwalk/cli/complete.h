/*
 * complete.h - completion for shells, made from the tables of commands.h.
 *
 * complete.c knows what an option's argument can be; each shell has a writer of its own.
 */
#ifndef HF_HEAPWALK_CLI_COMPLETE_H
#define HF_HEAPWALK_CLI_COMPLETE_H

#include <stdbool.h>
#include <stdio.h>

#include "heapwalk/cli/commands.h"

/* The script for @shell: "bash", "zsh" or "fish". False: there is none for it. */
bool hf_completion(const char *shell, FILE *to);

void hf_completion_bash(FILE *to);
void hf_completion_zsh(FILE *to);
void hf_completion_fish(FILE *to);

enum hf_completes {
	HF_COMPLETES_NOTHING, /* a number, a size: no list of them */
	HF_COMPLETES_FILE,
	HF_COMPLETES_FOLDER,
	HF_COMPLETES_PROCESS,
	HF_COMPLETES_WORD,  /* one of hf_completion_word() */
	HF_COMPLETES_WORDS, /* several of them, with commas */
};

/* The argument may be left out ("[=DIR]"): if given, it is in the option's own word. */
bool hf_completion_optional(const struct hf_option *option);

/* What the argument of @option is. */
enum hf_completes hf_completion_kind(const struct hf_option *option);

/* The words that @option takes, of @command; NULL past the last. */
const char *hf_completion_word(const struct hf_command *command, const struct hf_option *option,
			       unsigned index);

/* Do the words depend on the command? Then @command has others than the rest. */
bool hf_completion_differs(const struct hf_command *command, const struct hf_option *option);

#endif
