/*
 * export.c - what all exports share (see export.h).
 */
#include "heapwalk/output/export.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void hf_export_note(struct hf_export *export, const char *fmt, ...)
{
	char *text = NULL;
	va_list args;

	va_start(args, fmt);
	int length = vasprintf(&text, fmt, args);
	va_end(args);
	if (length < 0)
		return;
	if (!hf_vec_push(&export->notes, text))
		free(text);
}

void hf_export_deinit(struct hf_export *export)
{
	hf_vec_foreach (note, &export->notes)
		free(*note);
	hf_vec_free(&export->notes);
}

const char *hf_export_title(const struct hf_export *export)
{
	const char *path = export->analysis->process->info.core_path;
	const char *slash = path ? strrchr(path, '/') : NULL;
	return slash ? slash + 1 : path ? path : "heap";
}

const struct hf_holder *hf_export_holder(const struct hf_analysis *analysis, uint32_t node)
{
	if (node < hf_graph_objects(analysis->graph) || node >= hf_graph_root(analysis->graph))
		return NULL;
	return &analysis->roots.holders.data[hf_graph_holder_index(analysis->graph, node)];
}

static bool lost(const struct hf_graph *graph, uint32_t object)
{
	enum hf_leak_kind kind = hf_graph_leak_kind(graph, object);
	return kind == HF_DEFINITE || kind == HF_INDIRECT;
}

bool hf_export_keeps(const struct hf_analysis *analysis, uint32_t source, uint32_t target)
{
	const struct hf_graph *graph = analysis->graph;
	return source >= hf_graph_objects(graph) || !lost(graph, source) || lost(graph, target);
}
