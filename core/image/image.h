/*
 * image.h - a process image: target address -> bytes.
 *
 * The image is a sorted list of disjoint segments. The bytes of a segment are a view
 * of host memory (a mapped core, a mapped module file), read-only; part of a segment
 * may have no bytes at all (cut off, never dumped): reading there fails, it never
 * reads as zero unless the core says that those bytes are zero.
 *
 *	  start                       start+present        end
 *	    |---- data[0 .. present) -----|---- absent -------|
 *
 * Where bytes come from matters for trust: `source` tells.
 * Invariants: segments sorted by start, start < end, disjoint, present <= end - start.
 */
#ifndef HF_CORE_IMAGE_IMAGE_H
#define HF_CORE_IMAGE_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/base/vec.h"

enum hf_segment_source {
	HF_SEGMENT_CORE, /* dumped bytes */
	HF_SEGMENT_FILE, /* taken from a module's file: the core left this clean page out */
	HF_SEGMENT_ZERO, /* memsz > filesz of anonymous memory: zero by definition */
	HF_SEGMENT_NONE, /* mapped in the process, its bytes are nowhere to be had */
	HF_SEGMENT_LOST, /* dumped, but cut off: a module's file must not stand in for it */
};

enum { HF_SEGMENT_R = 4, HF_SEGMENT_W = 2, HF_SEGMENT_X = 1 }; /* as PF_R, PF_W, PF_X */

struct hf_segment {
	uint64_t start, end; /* target addresses, half open */
	uint64_t present;    /* bytes available from start on */
	const uint8_t *data; /* host view of those bytes; NULL if present == 0 or ZERO */
	uint32_t flags;	     /* HF_SEGMENT_R | W | X */
	uint8_t source;	     /* enum hf_segment_source */
};

/* Values of image.machine that others than core/ have to tell apart; all are ELF's EM_*. */
enum hf_image_machine { HF_MACHINE_386 = 3, HF_MACHINE_MIPS = 8, HF_MACHINE_ARM = 40 };

struct hf_image {
	HF_VEC(, struct hf_segment) segments;
	uint8_t word_bytes; /* 4 or 8 */
	bool big_endian;
	uint16_t machine;    /* EM_* */
	uint64_t page_bytes; /* the target's page size */
};

/* The segment that contains @address, or NULL. O(log n). */
const struct hf_segment *hf_image_find(const struct hf_image *image, uint64_t address);

/*
 * Host view of target memory at @address, NULL if there is none. *@ret_available (may
 * be NULL) gets the number of contiguous bytes, never past the segment's end. ZERO
 * segments have a view too (of a shared zero page: at most 64 KiB at a time).
 */
const void *hf_image_at(const struct hf_image *image, uint64_t address, uint64_t *ret_available);

/*
 * Lowest address of [@address, @end) whose bytes are there, @end if there is none: a loop over
 * pages takes it so as not to step through terabytes that only a header promises.
 */
uint64_t hf_image_next(const struct hf_image *image, uint64_t address, uint64_t end);

/*
 * The words of [*@at, @end) that are there, piece by piece: *@at is moved to the next of them, the
 * number of those in one piece is returned, 0 at the end, and *@ret is their host view. A word that
 * is partly absent, or lies in two segments, is left out.
 *
 *	for (uint64_t count; (count = hf_image_words(image, &at, end, &data)); at += count * word)
 */
uint64_t hf_image_words(const struct hf_image *image, uint64_t *at, uint64_t end,
			const uint8_t **ret);

/* Copy @size bytes, across segments; false if any byte is absent (@buffer then undefined). */
bool hf_image_read(const struct hf_image *image, uint64_t address, void *buffer, size_t size);

/* Read one target word / a 32-bit / 16-bit value, in the target's byte order. */
bool hf_image_word(const struct hf_image *image, uint64_t address, uint64_t *ret);
bool hf_image_u32(const struct hf_image *image, uint64_t address, uint32_t *ret);
bool hf_image_u16(const struct hf_image *image, uint64_t address, uint16_t *ret);

/*
 * Read a NUL-terminated string of at most @max-1 bytes; false if it cannot be read
 * at all; a string cut by absence or by @max is terminated there.
 */
bool hf_image_string(const struct hf_image *image, uint64_t address, char *buffer, size_t max);

/* Convert @count host-viewed words at @data to host order: the scan loop's helper. */
uint64_t hf_image_word_at(const struct hf_image *image, const void *data);

/* Sort, check and if needed trim overlapping segments. Call once after filling. */
struct hf_error *hf_image_finish(struct hf_image *image);
void hf_image_deinit(struct hf_image *image);

#endif
