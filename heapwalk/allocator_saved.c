/*
 * allocator_saved.c - what an allocator found broken, into an index and out of it.
 *
 * Findings are saved whole; their texts stand end to end beside, each ended by a zero. Sections are
 * named after the allocator, so that those of one layered over another stand beside its own.
 */
#include <stdio.h>
#include <string.h>

#include "heapwalk/allocator.h"

struct saved_finding {
	struct hf_finding finding;	    /* its pointers are NULL */
	uint64_t code, message, abort_text; /* offset of the text + 1; 0: none */
};

struct saved_findings {
	uint64_t kept, all, lists_cut, doubtful;
};

static const char *section(char name[HF_STASH_NAME], const char *prefix, const char *what)
{
	snprintf(name, HF_STASH_NAME, "%s.%s", prefix, what);
	return name;
}

/* What @text costs, and where it is to stand. */
static uint64_t place_text(const char *text, uint64_t *end)
{
	uint64_t at = *end;
	if (!text)
		return 0;
	*end += strlen(text) + 1;
	return at + 1;
}

void hf_findings_save(const struct hf_allocator *allocator, const char *prefix,
		      struct hf_stash_writer *writer)
{
	char name[HF_STASH_NAME];
	struct saved_findings counts = {allocator->findings.count, allocator->findings_count,
					allocator->lists_cut, allocator->doubtful.count};
	uint64_t end = 0;

	hf_stash_add(writer, section(name, prefix, "found"), &counts, sizeof(counts));
	hf_stash_begin(writer, section(name, prefix, "findings"));
	hf_vec_foreach (finding, &allocator->findings) {
		struct saved_finding saved;
		memset(&saved, 0, sizeof(saved));
		saved.finding = *finding;
		saved.finding.code = saved.finding.message = saved.finding.abort_text = NULL;
		saved.code = place_text(finding->code, &end);
		saved.message = place_text(finding->message, &end);
		saved.abort_text = place_text(finding->abort_text, &end);
		hf_stash_append(writer, &saved, sizeof(saved));
	}
	hf_stash_begin(writer, section(name, prefix, "texts"));
	hf_vec_foreach (finding, &allocator->findings) {
		const char *texts[] = {finding->code, finding->message, finding->abort_text};
		for (unsigned i = 0; i < 3; i++) {
			if (texts[i])
				hf_stash_append(writer, texts[i], strlen(texts[i]) + 1);
		}
	}
	hf_stash_append(writer, "", 1); /* so that every text ends within the section */
	hf_stash_add(writer, section(name, prefix, "doubtful"), allocator->doubtful.data,
		     allocator->doubtful.count * sizeof(*allocator->doubtful.data));
}

/* A copy of the text at @place - 1; NULL for none. False: there is no such text. */
static bool load_text(struct hf_strpool *strings, const char *texts, size_t bytes, uint64_t place,
		      const char **ret)
{
	*ret = NULL;
	if (place == 0)
		return true;
	if (place > bytes)
		return false;
	*ret = hf_strpool_dup(strings, texts + place - 1);
	return *ret != NULL;
}

bool hf_findings_load(struct hf_allocator *allocator, const char *prefix,
		      struct hf_strpool *strings, const struct hf_stash *stash)
{
	char name[HF_STASH_NAME];
	size_t bytes = 0;
	const struct saved_findings *counts =
	    hf_stash_array(stash, section(name, prefix, "found"), 1, sizeof(*counts));
	const char *texts = hf_stash_get(stash, section(name, prefix, "texts"), &bytes);
	const struct saved_finding *saved =
	    counts ? hf_stash_array(stash, section(name, prefix, "findings"), counts->kept,
				    sizeof(*saved))
		   : NULL;
	const struct hf_range *doubtful =
	    counts ? hf_stash_array(stash, section(name, prefix, "doubtful"), counts->doubtful,
				    sizeof(*doubtful))
		   : NULL;

	if (!saved || !doubtful || !texts || bytes == 0 || texts[bytes - 1])
		return false;
	allocator->findings.count = allocator->doubtful.count = 0;
	for (uint64_t i = 0; i < counts->kept; i++) {
		struct hf_finding finding = saved[i].finding;
		if (!load_text(strings, texts, bytes, saved[i].code, &finding.code) ||
		    !load_text(strings, texts, bytes, saved[i].message, &finding.message) ||
		    !load_text(strings, texts, bytes, saved[i].abort_text, &finding.abort_text) ||
		    !finding.code || !finding.message ||
		    !hf_vec_push(&allocator->findings, finding))
			return false;
	}
	for (uint64_t i = 0; i < counts->doubtful; i++) {
		if (!hf_vec_push(&allocator->doubtful, doubtful[i]))
			return false;
	}
	allocator->findings_count = counts->all;
	allocator->lists_cut = counts->lists_cut;
	return true;
}
