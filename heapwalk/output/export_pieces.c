/*
 * export_pieces.c - pieces in slots of memory (see export_pieces.h and core/base/ordered.h).
 */
#include "heapwalk/output/export_pieces.h"

#include <stdlib.h>

#include "core/base/ordered.h"

static const uint64_t PIECE_WEIGHT = UINT64_C(1) << 20;

struct piece {
	uint32_t first, end;
	bool heavy; /* too much for memory: made when its turn comes */
};

struct slot {
	struct hf_writer to;
	struct hf_error *err;
};

struct maker {
	struct hf_export *export;
	const struct hf_export_pieces *of;
	HF_VEC(, struct piece) pieces;
	struct slot slots[HF_ORDERED_SLOTS];
	struct hf_error *err;
};

static struct hf_error *cut(struct maker *maker)
{
	const struct hf_export_pieces *of = maker->of;

	for (uint32_t first = of->first; first < of->end;) {
		uint64_t weight = of->weight(of->ctx, first);
		struct piece piece = {first, first + 1, weight > PIECE_WEIGHT};
		while (piece.end < of->end && !piece.heavy) {
			weight += of->weight(of->ctx, piece.end);
			if (weight > PIECE_WEIGHT)
				break;
			piece.end++;
		}
		if (!hf_vec_push(&maker->pieces, piece))
			return hf_error_nomem();
		first = piece.end;
	}
	return NULL;
}

static void fill(void *ctx, uint64_t number, unsigned at, unsigned worker)
{
	struct maker *maker = ctx;
	const struct piece *piece = &maker->pieces.data[number];
	struct slot *slot = &maker->slots[at];

	if (!piece->heavy)
		slot->err =
		    maker->of->write(maker->of->ctx, piece->first, piece->end, worker, &slot->to);
}

static bool emit(void *ctx, uint64_t number, unsigned at, unsigned worker)
{
	struct maker *maker = ctx;
	const struct piece *piece = &maker->pieces.data[number];
	struct slot *slot = &maker->slots[at];
	struct hf_writer *to = maker->export->to;

	hf_progress_report(maker->export->options.progress, maker->of->stage, piece->first,
			   maker->of->end);
	if (piece->heavy)
		slot->err = maker->of->write(maker->of->ctx, piece->first, piece->end, worker, to);
	maker->err = slot->err ? slot->err : slot->to.error ? hf_error_nomem() : NULL;
	slot->err = NULL;
	hf_put(to, slot->to.data, slot->to.count);
	hf_writer_reset(&slot->to);
	return !maker->err && !to->error;
}

struct hf_error *hf_export_pieces(struct hf_export *export, const struct hf_export_pieces *pieces)
{
	struct maker maker = {.export = export, .of = pieces};
	struct hf_error *err = cut(&maker);

	for (unsigned i = 0; i < HF_ORDERED_SLOTS && !err; i++)
		err = hf_writer_init(&maker.slots[i].to, -1);
	if (!err) {
		const struct hf_ordered ordered = {
		    .threads = export->options.threads,
		    .pieces = maker.pieces.count,
		    .ctx = &maker,
		    .fill = fill,
		    .emit = emit,
		};
		hf_ordered_for(&ordered);
		err = maker.err;
	}
	for (unsigned i = 0; i < HF_ORDERED_SLOTS; i++) {
		hf_error_destroy(maker.slots[i].err);
		hf_writer_deinit(&maker.slots[i].to);
	}
	hf_vec_free(&maker.pieces);
	return err;
}
