/*
 * export_pieces.h - a long part of an export, written on several threads: pieces of it are made in
 * memory, and go to the file in order.
 *
 * Items (objects, nodes) are cut into pieces by their weight, about the bytes they become. One
 * that alone weighs more than a piece may goes straight to the file, so that memory stays bounded.
 */
#ifndef HF_HEAPWALK_OUTPUT_EXPORT_PIECES_H
#define HF_HEAPWALK_OUTPUT_EXPORT_PIECES_H

#include "heapwalk/output/export.h"

struct hf_export_pieces {
	const char *stage;   /* for the progress */
	uint32_t first, end; /* items */
	void *ctx;
	uint64_t (*weight)(void *ctx, uint32_t item);
	/* Items @first .. @end-1; @worker is below options.threads, for scratch memory of its own.
	 */
	struct hf_error *(*write)(void *ctx, uint32_t first, uint32_t end, unsigned worker,
				  struct hf_writer *to);
};

struct hf_error *hf_export_pieces(struct hf_export *export, const struct hf_export_pieces *pieces);

#endif
