/*
 * oom.h - the report after an OOM kill: what the kernel's log says, beside what the core holds.
 */
#ifndef HF_HEAPWALK_VIEWS_OOM_H
#define HF_HEAPWALK_VIEWS_OOM_H

#include "core/oomlog/oomlog.h"
#include "heapwalk/views/view.h"

/*
 * The kill of @analysis' process in @log: who, why, which limit, who else was there, and a ledger
 * of the process's resident memory beside the kernel's figure. @analysis NULL: the log alone.
 */
void hf_section_oom(const struct hf_oomlog *log, const struct hf_analysis *analysis,
		    struct hf_doc *doc);

#endif
