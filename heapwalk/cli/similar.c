/*
 * similar.c - the nearest command or option (see similar.h).
 *
 * The distance is filled in row by row; three rows are kept, since a swap looks two back.
 */
#include "heapwalk/cli/similar.h"

#include <string.h>

#include "heapwalk/cli/commands.h"

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

unsigned hf_edit_distance(const char *a, const char *b)
{
	unsigned rows[3][HF_SIMILAR_MAX + 1] = {{0}};
	unsigned *before = rows[0], *above = rows[1], *row = rows[2];
	size_t la = strlen(a), lb = strlen(b);

	if (la > HF_SIMILAR_MAX || lb > HF_SIMILAR_MAX)
		return HF_SIMILAR_MAX;
	for (unsigned j = 0; j <= lb; j++)
		above[j] = j;
	for (unsigned i = 1; i <= la; i++) {
		row[0] = i;
		for (unsigned j = 1; j <= lb; j++) {
			unsigned other = a[i - 1] != b[j - 1];
			row[j] = least(above[j - 1] + other, least(above[j], row[j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = least(row[j], before[j - 2] + 1);
		}
		unsigned *kept = before;
		before = above;
		above = row;
		row = kept;
	}
	return above[lb];
}

struct nearest {
	const char *word, *name;
	unsigned distance;
};

/* A third of the letters may be wrong; a beginning that is right counts as near too. */
static void consider(struct nearest *nearest, const char *name)
{
	unsigned distance = hf_edit_distance(nearest->word, name);
	size_t length = strlen(nearest->word);

	if (length >= 3 && !strncmp(nearest->word, name, length))
		distance = 1;
	if (distance * 3 <= length + 1 && distance < nearest->distance) {
		nearest->name = name;
		nearest->distance = distance;
	}
}

const char *hf_similar_command(const char *word)
{
	struct nearest nearest = {.word = word, .distance = HF_SIMILAR_MAX};

	for (const struct hf_command *command = hf_commands; command->name; command++)
		consider(&nearest, command->name);
	return nearest.name;
}

const char *hf_similar_option(const char *word)
{
	struct nearest nearest = {.word = word, .distance = HF_SIMILAR_MAX};

	for (const struct hf_option *option = hf_option_table; option->name; option++)
		consider(&nearest, option->name);
	return nearest.name;
}
