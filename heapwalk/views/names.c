/*
 * names.c - nodes, totals and hints that several views need.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/cleanup.h"
#include "heapwalk/views/sections.h"

bool hf_view_has_heap(const struct hf_analysis *analysis, struct hf_doc *doc)
{
	if (analysis->graph)
		return true;
	hf_section_evidence(analysis, doc);
	return false;
}

const char *hf_node_name(const struct hf_analysis *analysis, struct hf_doc *doc, uint32_t node)
{
	HF_AUTO(free_ptr) char *name = hf_analysis_describe(analysis, node);
	const char *copy = hf_doc_dup(doc, name);
	return copy ? copy : "?";
}

void hf_heap_totals(const struct hf_analysis *analysis, struct hf_heap_totals *ret)
{
	*ret = (struct hf_heap_totals){0};
	if (analysis->graph) {
		hf_graph_leak_totals(analysis->graph, ret->leaks);
		ret->lost_bytes = ret->leaks[HF_DEFINITE].bytes + ret->leaks[HF_INDIRECT].bytes;
		ret->lost_count = ret->leaks[HF_DEFINITE].count + ret->leaks[HF_INDIRECT].count;
	}
	if (!analysis->allocator)
		return;
	hf_vec_foreach (arena, &analysis->allocator->arenas) {
		ret->objects += arena->inuse_count;
		ret->inuse_bytes += arena->inuse_bytes;
		ret->tcache_bytes += arena->state_bytes[HF_CHUNK_TCACHE];
		ret->bins_bytes += hf_arena_bins_bytes(arena);
		ret->pools_bytes += hf_arena_pools_bytes(arena);
		ret->layer_bytes += arena->layer ? arena->system_bytes : 0;
		ret->top_bytes += arena->state_bytes[HF_CHUNK_TOP];
		ret->overhead_bytes += arena->overhead_bytes;
		ret->system_bytes += arena->system_bytes;
	}
	ret->free_bytes = ret->tcache_bytes + ret->bins_bytes + ret->top_bytes + ret->pools_bytes;
	ret->mmapped_bytes = analysis->allocator->mmapped_bytes;
	ret->inuse_bytes += ret->mmapped_bytes;
	ret->objects += analysis->allocator->mmapped_count;
}

/* Does @node dominate an object of its type itself? */
static bool leads_to_its_like(struct hf_analysis *analysis, uint32_t node)
{
	uint32_t type = hf_typing_of(analysis->typing, node), child = HF_NO_NODE;
	struct hf_error *err = hf_graph_open_tree(analysis->graph);

	if (!err)
		child = hf_graph_first_child(analysis->graph, node);
	hf_error_destroy(err);
	while (child != HF_NO_NODE && hf_typing_of(analysis->typing, child) != type)
		child = hf_graph_next_sibling(analysis->graph, child);
	return child != HF_NO_NODE;
}

bool hf_biggest_group(struct hf_analysis *analysis, const struct hf_tops *tops,
		      struct hf_top_group *ret)
{
	struct hf_top_group best = {.example = HF_NO_NODE};

	for (uint32_t type = 0; type < hf_typing_types(analysis->typing); type++) {
		const struct hf_top_group *group = &tops->kept[type];
		if (group->retained > best.retained ||
		    (group->retained == best.retained && group->example < best.example))
			best = *group;
	}
	/* A holder that retains as much has a higher number. */
	bool held = tops->biggest_holder != HF_NO_NODE &&
		    hf_graph_retained(analysis->graph, tops->biggest_holder) > best.retained;
	if (best.retained == 0 || held)
		return false;
	if (best.count == 1 && !leads_to_its_like(analysis, best.example))
		return false;
	*ret = best;
	return true;
}

/* A word for a shell: quoted if it needs it. */
static const char *shell_word(struct hf_doc *doc, const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "_-./=:@%+,";
	if (*word && strspn(word, plain) == strlen(word))
		return word;
	HF_AUTO(free_ptr) char *quoted = malloc(strlen(word) * 4 + 3);
	char *to = quoted;
	if (!quoted)
		return word;
	*to++ = '\'';
	for (; *word; word++) {
		if (*word == '\'') {
			memcpy(to, "'\\''", 4);
			to += 4;
		} else {
			*to++ = *word;
		}
	}
	*to++ = '\'';
	*to = '\0';
	const char *copy = hf_doc_dup(doc, quoted);
	return copy ? copy : "";
}

void hf_view_hint_with(struct hf_doc *doc, const struct hf_view_options *options,
		       const char *command, const char *argument, const char *option)
{
	hf_doc_hint(doc, "heapforensics %s%s%s %s%s%s%s%s", command, option ? " " : "",
		    option ? option : "", shell_word(doc, options->core),
		    options->binary ? " " : "",
		    options->binary ? shell_word(doc, options->binary) : "", argument ? " " : "",
		    argument ? shell_word(doc, argument) : "");
}

void hf_view_hint(struct hf_doc *doc, const struct hf_view_options *options, const char *command,
		  const char *argument)
{
	hf_view_hint_with(doc, options, command, argument, NULL);
}
