/*
 * decompress.c - streams of the four formats that cores are stored in (decompress.h).
 *
 * Each format's loop feeds a fixed output buffer to the sink, so memory does not grow
 * with the input. Concatenated frames (zstd, gzip members, xz streams, lz4 frames) are
 * read to the end of the file.
 */
#include "core/elf/decompress.h"

#include <lz4frame.h>
#include <lzma.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "core/base/cleanup.h"

enum { OUT_BYTES = 1 << 20 };

struct stream {
	const uint8_t *data;
	size_t size;
	uint8_t *out; /* OUT_BYTES */
	hf_decompress_sink *sink;
	void *ctx;
	bool complete;
};

typedef struct hf_error *stream_fn(struct stream *stream);

static struct hf_error *run_zstd(struct stream *stream)
{
	ZSTD_DStream *zstd = ZSTD_createDStream();
	ZSTD_inBuffer in = {stream->data, stream->size, 0};
	size_t state = 1;

	if (!zstd)
		return hf_error_nomem();
	ZSTD_DCtx_setParameter(zstd, ZSTD_d_windowLogMax, 31);
	while (in.pos < in.size || state != 0) {
		ZSTD_outBuffer out = {stream->out, OUT_BYTES, 0};
		size_t before = in.pos;
		state = ZSTD_decompressStream(zstd, &out, &in);
		if (ZSTD_isError(state) || !stream->sink(stream->ctx, stream->out, out.pos))
			break;
		if (out.pos == 0 && in.pos == before)
			break;
	}
	stream->complete = !ZSTD_isError(state) && state == 0;
	ZSTD_freeDStream(zstd);
	return NULL;
}

/* Hand zlib or lzma the next piece of a size that fits its counter. */
static size_t piece(size_t left)
{
	return left < (1u << 30) ? left : (1u << 30);
}

static struct hf_error *run_gzip(struct stream *stream)
{
	z_stream zlib = {0};
	size_t at = 0;
	int state = Z_OK;

	if (inflateInit2(&zlib, 15 + 16) != Z_OK)
		return hf_error_nomem();
	while (state == Z_OK || state == Z_STREAM_END) {
		size_t given = piece(stream->size - at);
		if (state == Z_STREAM_END && (given == 0 || inflateReset(&zlib) != Z_OK))
			break;
		zlib.next_in = (Bytef *)(uintptr_t)(stream->data + at);
		zlib.avail_in = (uInt)given;
		zlib.next_out = stream->out;
		zlib.avail_out = OUT_BYTES;
		state = inflate(&zlib, Z_NO_FLUSH);
		size_t made = OUT_BYTES - zlib.avail_out;
		at += given - zlib.avail_in;
		if (!stream->sink(stream->ctx, stream->out, made))
			break;
		if (made == 0 && zlib.avail_in == given && state == Z_OK)
			break;
	}
	stream->complete = state == Z_STREAM_END;
	inflateEnd(&zlib);
	return NULL;
}

static struct hf_error *run_xz(struct stream *stream)
{
	lzma_stream lzma = LZMA_STREAM_INIT;
	lzma_ret state = lzma_stream_decoder(&lzma, UINT64_MAX, LZMA_CONCATENATED);

	if (state != LZMA_OK)
		return hf_error_nomem();
	lzma.next_in = stream->data;
	lzma.avail_in = stream->size;
	while (state == LZMA_OK) {
		lzma.next_out = stream->out;
		lzma.avail_out = OUT_BYTES;
		state = lzma_code(&lzma, lzma.avail_in ? LZMA_RUN : LZMA_FINISH);
		if (!stream->sink(stream->ctx, stream->out, OUT_BYTES - lzma.avail_out))
			break;
	}
	stream->complete = state == LZMA_STREAM_END;
	lzma_end(&lzma);
	return NULL;
}

static struct hf_error *run_lz4(struct stream *stream)
{
	LZ4F_dctx *lz4 = NULL;
	size_t at = 0, hint = 1;

	if (LZ4F_isError(LZ4F_createDecompressionContext(&lz4, LZ4F_VERSION)))
		return hf_error_nomem();
	while (at < stream->size) {
		size_t made = OUT_BYTES, given = stream->size - at;
		hint = LZ4F_decompress(lz4, stream->out, &made, stream->data + at, &given, NULL);
		if (LZ4F_isError(hint) || !stream->sink(stream->ctx, stream->out, made))
			break;
		at += given;
		if (made == 0 && given == 0)
			break;
	}
	stream->complete = hint == 0 && at == stream->size;
	LZ4F_freeDecompressionContext(lz4);
	return NULL;
}

static const struct format {
	const char *name;
	uint8_t magic[6];
	uint8_t magic_bytes;
	stream_fn *run;
} formats[] = {
    {"zstd", {0x28, 0xb5, 0x2f, 0xfd}, 4, run_zstd},
    {"gzip", {0x1f, 0x8b}, 2, run_gzip},
    {"xz", {0xfd, '7', 'z', 'X', 'Z', 0}, 6, run_xz},
    {"lz4", {0x04, 0x22, 0x4d, 0x18}, 4, run_lz4},
};

const char *hf_compression_of(const uint8_t *data, size_t size)
{
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		if (size >= formats[i].magic_bytes &&
		    !memcmp(data, formats[i].magic, formats[i].magic_bytes))
			return formats[i].name;
	}
	return NULL;
}

struct hf_error *hf_decompress(const char *compression, const uint8_t *data, size_t size,
			       hf_decompress_sink *sink, void *ctx, bool *ret_complete)
{
	HF_AUTO(free_ptr) uint8_t *out = malloc(OUT_BYTES);
	struct stream stream = {data, size, out, sink, ctx, false};

	if (!out)
		return hf_error_nomem();
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		if (strcmp(formats[i].name, compression) != 0)
			continue;
		struct hf_error *err = formats[i].run(&stream);
		if (!err)
			*ret_complete = stream.complete;
		return err;
	}
	return hf_error_create(HF_ERR_INTERNAL, "unknown compression %s", compression);
}
