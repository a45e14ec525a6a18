/*
 * doc_private.h - private to heapwalk/views/doc*.c: what a document is made of.
 */
#ifndef HF_HEAPWALK_VIEWS_DOC_PRIVATE_H
#define HF_HEAPWALK_VIEWS_DOC_PRIVATE_H

#include "core/base/strpool.h"
#include "heapwalk/views/doc.h"

struct hf_doc {
	const char *command;
	bool partial, failed;
	struct hf_strpool *strings;
	HF_VEC(, struct hf_item) items;
};

#endif
