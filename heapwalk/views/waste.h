/*
 * waste.h - private to the files of the waste view: each section tells itself and adds what
 * could be gained to *@ret_bytes.
 */
#ifndef HF_HEAPWALK_VIEWS_WASTE_H
#define HF_HEAPWALK_VIEWS_WASTE_H

#include "heapwalk/views/sections.h"

typedef struct hf_error *waste_section(struct hf_analysis *analysis, uint64_t top,
				       struct hf_doc *doc, uint64_t *ret_bytes);

waste_section waste_containers, waste_slack, waste_tables; /* waste.c */
waste_section waste_duplicates, waste_zeros;		   /* waste_content.c */

#endif
