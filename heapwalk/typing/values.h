/*
 * values.h - what stands in a field, by its type.
 */
#ifndef HF_HEAPWALK_TYPING_VALUES_H
#define HF_HEAPWALK_TYPING_VALUES_H

#include "core/image/image.h"
#include "core/symbols/types.h"

enum hf_field_kind {
	HF_FIELD_NONE,	   /* it is not in the image, or of a type that has no one value */
	HF_FIELD_SIGNED,   /* `number` */
	HF_FIELD_UNSIGNED, /* `number` */
	HF_FIELD_BOOLEAN,  /* `number`, which may be more than 1 */
	HF_FIELD_POINTER,  /* `number` */
	HF_FIELD_NAME,	   /* of an enumerator: `name`, and `number` */
	HF_FIELD_FLOAT,	   /* `real` */
	HF_FIELD_TEXT,	   /* an array of characters: `text` */
};

enum { HF_FIELD_TEXT_BYTES = 64 };

struct hf_field_value {
	enum hf_field_kind kind;
	uint64_t number;
	double real;
	const char *name;
	char text[HF_FIELD_TEXT_BYTES + 1];
};

/* Of @field, which lies at @address. */
void hf_field_read(const struct hf_image *image, struct hf_symbols *symbols,
		   const struct hf_cfield *field, uint64_t address, struct hf_field_value *ret);

#endif
