/*
 * similar.h - what the user may have meant by a word that is nothing.
 */
#ifndef HF_HEAPWALK_CLI_SIMILAR_H
#define HF_HEAPWALK_CLI_SIMILAR_H

/*
 * Edits that make @b of @a: a letter more, less, another, or two swapped (the optimal string
 * alignment distance). Words longer than HF_SIMILAR_MAX are far from everything.
 */
enum { HF_SIMILAR_MAX = 40 };
unsigned hf_edit_distance(const char *a, const char *b);

/* The command, or the option (without its dashes), that is near enough to @word; else NULL. */
const char *hf_similar_command(const char *word);
const char *hf_similar_option(const char *word);

#endif
