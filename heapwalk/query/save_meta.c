/*
 * save_meta.c - what a saved file is of.
 */
#include "heapwalk/query/save_meta.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

unsigned save_make_meta(const struct hf_analysis *analysis, struct save_meta ret[SAVE_MAX_META])
{
	const struct hf_process_info *info = &analysis->process->info;
	unsigned count = 0;
	char *pid = NULL;

	if (asprintf(&pid, "%" PRIu32, info->pid) < 0)
		pid = NULL;
	ret[count++] = (struct save_meta){"schema", strdup("heapforensics/1")};
	ret[count++] = (struct save_meta){"version", strdup(HF_VERSION)};
	ret[count++] = (struct save_meta){"core", info->core_path ? strdup(info->core_path) : NULL};
	ret[count++] =
	    (struct save_meta){"executable", info->executable ? strdup(info->executable) : NULL};
	ret[count++] = (struct save_meta){"pid", pid};
	ret[count++] = (struct save_meta){
	    "partial", strdup(hf_diags_partial(analysis->diags) ? "true" : "false")};
	return count;
}

void save_free_meta(struct save_meta *meta, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		free(meta[i].value);
}
