/*
 * values.c - reading fields (see values.h).
 */
#include "heapwalk/typing/values.h"

#include <string.h>

/* @bytes (at most 8) at @address as a number; false if they are not there. */
static bool read_number(const struct hf_image *image, uint64_t address, uint64_t bytes,
			uint64_t *ret)
{
	uint8_t data[8];

	if (bytes == 0 || bytes > sizeof(data) || !hf_image_read(image, address, data, bytes))
		return false;
	*ret = 0;
	for (uint64_t i = 0; i < bytes; i++)
		*ret |= (uint64_t)data[i] << (8 * (image->big_endian ? bytes - 1 - i : i));
	return true;
}

static double real_of(uint64_t bytes, uint64_t number)
{
	if (bytes == sizeof(float)) {
		uint32_t half = (uint32_t)number;
		float value;
		memcpy(&value, &half, sizeof(value));
		return (double)value;
	}
	double value;
	memcpy(&value, &number, sizeof(value));
	return value;
}

static void read_text(const struct hf_image *image, struct hf_symbols *symbols,
		      const struct hf_cfield *field, uint64_t address, struct hf_field_value *ret)
{
	uint32_t element = hf_ctype_target(symbols, field->type);
	uint64_t bytes = hf_ctype_get(symbols, field->type)->size;

	if (hf_ctype_get(symbols, element)->kind != HF_CTYPE_CHARACTER)
		return;
	bytes = bytes < HF_FIELD_TEXT_BYTES ? bytes : HF_FIELD_TEXT_BYTES;
	if (!hf_image_read(image, address, ret->text, bytes))
		return;
	ret->text[bytes] = '\0';
	ret->kind = HF_FIELD_TEXT;
}

void hf_field_read(const struct hf_image *image, struct hf_symbols *symbols,
		   const struct hf_cfield *field, uint64_t address, struct hf_field_value *ret)
{
	const struct hf_ctype *of = hf_ctype_get(symbols, field->type);
	unsigned bits = field->bit_size ? field->bit_size : (unsigned)(of->size * 8);

	*ret = (struct hf_field_value){.kind = HF_FIELD_NONE};
	if (of->kind == HF_CTYPE_ARRAY) {
		read_text(image, symbols, field, address, ret);
		return;
	}
	if (!read_number(image, address, of->size, &ret->number))
		return;
	if (field->bit_size && bits < 64)
		ret->number = ret->number >> field->bit_offset & ((UINT64_C(1) << bits) - 1);
	switch ((enum hf_ctype_kind)of->kind) {
	case HF_CTYPE_BOOLEAN:
		ret->kind = HF_FIELD_BOOLEAN;
		break;
	case HF_CTYPE_FLOAT:
		ret->kind = HF_FIELD_FLOAT;
		ret->real = real_of(of->size, ret->number);
		break;
	case HF_CTYPE_ENUM:
		ret->name = hf_ctype_enumerator(symbols, field->type, (int64_t)ret->number);
		ret->kind = ret->name ? HF_FIELD_NAME : HF_FIELD_UNSIGNED;
		break;
	case HF_CTYPE_POINTER:
		ret->kind = HF_FIELD_POINTER;
		break;
	default:
		if (of->is_signed && bits > 0 && bits < 64 && ret->number >> (bits - 1) & 1)
			ret->number |= ~UINT64_C(0) << bits;
		ret->kind = of->is_signed ? HF_FIELD_SIGNED : HF_FIELD_UNSIGNED;
	}
}
