/*
 * library.c - the public interface (include/heapforensics.h) over the analysis.
 *
 * Invariant: no function here computes anything; each hands on to the part that owns the
 * answer, and an analysis without a heap answers with nothing rather than crashing.
 */
#include "include/heapforensics.h"

#include <stdlib.h>

#include "heapwalk/analysis.h"

const char *hf_version(void)
{
	return HF_VERSION;
}

struct hf_error *hf_open(const struct hf_open_options *options, struct hf_analysis **ret)
{
	struct hf_analysis_options full = {
	    .process = {.core = options->core,
			.executable = options->executable,
			.sysroot = options->sysroot,
			.debuginfo_path = options->debuginfo_path},
	    .depth = HF_DEPTH_TYPES,
	    .heuristics = options->no_heuristics ? 0 : HF_HEURISTIC_ALL,
	    .threads = options->threads,
	};
	if (!options->core)
		return hf_error_create(HF_ERR_USAGE, "no core file was given");
	return hf_analysis_open(&full, ret);
}

void hf_close(struct hf_analysis *analysis)
{
	hf_analysis_close(analysis);
}

bool hf_partial(const struct hf_analysis *analysis)
{
	return hf_diags_partial(analysis->diags);
}

const char *hf_finding(const struct hf_analysis *analysis, uint32_t index, const char **ret_code,
		       uint64_t *ret_address)
{
	const struct hf_diag *diag = hf_diags_get(analysis->diags, index);
	if (!diag)
		return NULL;
	if (ret_code)
		*ret_code = diag->code;
	if (ret_address)
		*ret_address = diag->address;
	return diag->message;
}

uint32_t hf_object_count(const struct hf_analysis *analysis)
{
	return analysis->graph ? hf_graph_objects(analysis->graph) : 0;
}

uint32_t hf_node_count(const struct hf_analysis *analysis)
{
	return analysis->graph ? hf_graph_root(analysis->graph) + 1 : 0;
}

bool hf_object(const struct hf_analysis *analysis, uint32_t id, struct hf_object_info *ret)
{
	if (id >= hf_object_count(analysis))
		return false;
	uint32_t type = hf_typing_of(analysis->typing, id);
	*ret = (struct hf_object_info){
	    .address = hf_extents_address(analysis->extents, id),
	    .usable_bytes = hf_extents_usable(analysis->extents, id),
	    .chunk_bytes = hf_extents_chunk_bytes(analysis->extents, id),
	    .retained_bytes = hf_graph_retained(analysis->graph, id),
	    .dominator = hf_graph_idom(analysis->graph, id),
	    .leak_kind = hf_leak_kind_name(hf_graph_leak_kind(analysis->graph, id)),
	    .kind = hf_object_kind_name(hf_extents_kind(analysis->extents, id)),
	    .type = hf_typing_type(analysis->typing, type)->name,
	};
	return true;
}

uint32_t hf_object_at(const struct hf_analysis *analysis, uint64_t address)
{
	return analysis->extents ? hf_extents_find(analysis->extents, address) : HF_NODE_NONE;
}

uint64_t hf_retained(const struct hf_analysis *analysis, uint32_t node)
{
	return node < hf_node_count(analysis) ? hf_graph_retained(analysis->graph, node) : 0;
}

uint32_t hf_dominator(const struct hf_analysis *analysis, uint32_t node)
{
	return node < hf_node_count(analysis) ? hf_graph_idom(analysis->graph, node) : HF_NODE_NONE;
}

char *hf_describe(const struct hf_analysis *analysis, uint32_t node)
{
	return node < hf_node_count(analysis) ? hf_analysis_describe(analysis, node) : NULL;
}

struct hf_error *hf_resolve(const struct hf_analysis *analysis, const char *text,
			    uint32_t *ret_node)
{
	uint64_t address;
	return hf_analysis_resolve(analysis, text, &address, ret_node);
}

struct hf_error *hf_path(struct hf_analysis *analysis, uint32_t object, uint32_t **ret,
			 uint32_t *ret_count)
{
	if (object >= hf_object_count(analysis))
		return hf_error_create(HF_ERR_NOT_FOUND, "no object has that number");
	return hf_graph_path(analysis->graph, object, ret, ret_count);
}

void hf_leaks(const struct hf_analysis *analysis, struct hf_leaks *ret)
{
	struct hf_leak_total totals[HF_LEAK_KINDS] = {0};
	if (analysis->graph)
		hf_graph_leak_totals(analysis->graph, totals);
	*ret = (struct hf_leaks){
	    .reachable_bytes = totals[HF_REACHABLE].bytes,
	    .possible_bytes = totals[HF_POSSIBLE].bytes,
	    .indirect_bytes = totals[HF_INDIRECT].bytes,
	    .definite_bytes = totals[HF_DEFINITE].bytes,
	    .reachable_count = totals[HF_REACHABLE].count,
	    .possible_count = totals[HF_POSSIBLE].count,
	    .indirect_count = totals[HF_INDIRECT].count,
	    .definite_count = totals[HF_DEFINITE].count,
	};
}
