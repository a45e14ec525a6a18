/*
 * doc.h - what a command answers, before anyone decides how it looks.
 *
 * A view fills a document: groups, fields, paragraphs, tables. Renderers (output/) turn it
 * into text for people, JSON, CSV or HTML. A view never formats a number and knows no format;
 * a renderer never computes one. Names:
 *
 *	key	machine name, snake_case: the JSON key, a CSV column
 *	label	what a person reads
 *
 * Strings given are copied. Adding never fails visibly: when memory runs out the document
 * remembers it, and hf_doc_error() tells; so views stay readable.
 */
#ifndef HF_HEAPWALK_VIEWS_DOC_H
#define HF_HEAPWALK_VIEWS_DOC_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/base/stash.h"
#include "core/base/vec.h"

enum hf_value_kind {
	HF_VALUE_NONE, /* unknown: "-" in text, null in JSON */
	HF_VALUE_TEXT,
	HF_VALUE_COUNT, /* a number of things */
	HF_VALUE_BYTES,
	HF_VALUE_ADDRESS,
	HF_VALUE_NUMBER, /* an identifier: no thousands separators */
	HF_VALUE_SHARE,	 /* a fraction of 1 */
	HF_VALUE_REAL,
	HF_VALUE_BOOL,
	HF_VALUE_CHANGE_BYTES, /* signed: "+1.02 MiB", "-512 B"; a plain number in JSON */
	HF_VALUE_CHANGE_COUNT, /* signed: "+4,096" */
};

struct hf_value {
	enum hf_value_kind kind;
	union {
		const char *text;
		uint64_t number;
		int64_t change;
		double real;
		bool truth;
	};
};

static inline struct hf_value hf_none(void)
{
	return (struct hf_value){.kind = HF_VALUE_NONE};
}
static inline struct hf_value hf_text(const char *text)
{
	return (struct hf_value){.kind = text ? HF_VALUE_TEXT : HF_VALUE_NONE, .text = text};
}
static inline struct hf_value hf_count(uint64_t number)
{
	return (struct hf_value){.kind = HF_VALUE_COUNT, .number = number};
}
static inline struct hf_value hf_bytes(uint64_t number)
{
	return (struct hf_value){.kind = HF_VALUE_BYTES, .number = number};
}
static inline struct hf_value hf_address(uint64_t number)
{
	return (struct hf_value){.kind = HF_VALUE_ADDRESS, .number = number};
}
static inline struct hf_value hf_number(uint64_t number)
{
	return (struct hf_value){.kind = HF_VALUE_NUMBER, .number = number};
}
static inline struct hf_value hf_share(uint64_t part, uint64_t whole)
{
	double share = whole ? (double)part / (double)whole : 0;
	return (struct hf_value){.kind = HF_VALUE_SHARE, .real = share};
}
static inline struct hf_value hf_real(double real)
{
	return (struct hf_value){.kind = HF_VALUE_REAL, .real = real};
}
static inline struct hf_value hf_bool(bool truth)
{
	return (struct hf_value){.kind = HF_VALUE_BOOL, .truth = truth};
}

static inline struct hf_value hf_change_bytes(int64_t change)
{
	return (struct hf_value){.kind = HF_VALUE_CHANGE_BYTES, .change = change};
}
static inline struct hf_value hf_change_count(int64_t change)
{
	return (struct hf_value){.kind = HF_VALUE_CHANGE_COUNT, .change = change};
}

/* ---- tables ---------------------------------------------------------------------------------- */

enum hf_column_flags {
	HF_COLUMN_TREE = 1,	  /* text: indented by the row's depth, with branches */
	HF_COLUMN_JSON_ONLY = 2,  /* not in text */
	HF_COLUMN_TEXT_ONLY = 4,  /* not in JSON and CSV */
	HF_COLUMN_ELASTIC = 8,	  /* gets the room that is left, is cut first */
	HF_COLUMN_BAR = 16,	  /* text: a bar is drawn for this share */
	HF_COLUMN_OPTIONAL = 32,  /* dropped from text when the width is too small */
	HF_COLUMN_BLANK = 64,	  /* text: unknown is shown as nothing, not as "-" */
	HF_COLUMN_SENTENCE = 128, /* the last column: goes on below instead of being cut */
};

struct hf_column {
	const char *key, *label;
	uint32_t flags;
};

struct hf_row {
	uint32_t depth;	     /* for HF_COLUMN_TREE */
	uint32_t first_cell; /* in the table's cells */
};

struct hf_table {
	const struct hf_column *columns; /* static */
	uint32_t column_count;
	HF_VEC(, struct hf_value) cells;
	HF_VEC(, struct hf_row) rows;
	uint32_t next_cell; /* while filling */
};

/* ---- documents ------------------------------------------------------------------------------- */

enum hf_item_kind {
	HF_ITEM_GROUP_BEGIN, /* key, label: a section; label NULL: no heading in text */
	HF_ITEM_GROUP_END,
	HF_ITEM_FIELD,
	HF_ITEM_PARAGRAPH, /* a sentence or more for people; in JSON under its key */
	HF_ITEM_TABLE,
	HF_ITEM_HINT, /* a command to run next */
	HF_ITEM_RAW,  /* preformatted lines (a hexdump) */
};

enum hf_emphasis { HF_PLAIN, HF_GOOD, HF_WARN, HF_BAD, HF_STRONG };

struct hf_item {
	enum hf_item_kind kind;
	enum hf_emphasis emphasis;
	bool text_only, json_only;
	const char *key, *label;
	struct hf_value value;
	struct hf_table *table;
};

struct hf_doc;

struct hf_error *hf_doc_create(const char *command, struct hf_doc **ret);
void hf_doc_destroy(struct hf_doc *doc);
/* NULL, or what went wrong while filling. The caller owns it. */
struct hf_error *hf_doc_error(struct hf_doc *doc);

const char *hf_doc_command(const struct hf_doc *doc);
void hf_doc_set_partial(struct hf_doc *doc, bool partial);
bool hf_doc_partial(const struct hf_doc *doc);

/* Items in order. */
uint32_t hf_doc_items(const struct hf_doc *doc);
const struct hf_item *hf_doc_item(const struct hf_doc *doc, uint32_t index);

void hf_doc_begin(struct hf_doc *doc, const char *key, const char *label);
void hf_doc_end(struct hf_doc *doc);
void hf_doc_field(struct hf_doc *doc, const char *key, const char *label, struct hf_value value);
/* In JSON only, or in text only. */
void hf_doc_json_field(struct hf_doc *doc, const char *key, struct hf_value value);
void hf_doc_text_field(struct hf_doc *doc, const char *label, struct hf_value value);
/* A group for people only: in JSON it is not there. Nothing but text_only items belongs inside. */
void hf_doc_text_begin(struct hf_doc *doc, const char *label);
void hf_doc_text_end(struct hf_doc *doc);
void hf_doc_text_raw(struct hf_doc *doc, const char *text);
/* The item added last (a table) is for machines only, or for people only. */
void hf_doc_json_only(struct hf_doc *doc);
void hf_doc_text_only(struct hf_doc *doc);
/* The emphasis of the item added last. */
void hf_doc_emphasize(struct hf_doc *doc, enum hf_emphasis emphasis);
void hf_doc_paragraph(struct hf_doc *doc, const char *key, const char *fmt, ...) HF_PRINTF(3, 4);
/* A paragraph for people only. */
void hf_doc_note(struct hf_doc *doc, const char *fmt, ...) HF_PRINTF(2, 3);
void hf_doc_hint(struct hf_doc *doc, const char *fmt, ...) HF_PRINTF(2, 3);
void hf_doc_raw(struct hf_doc *doc, const char *key, const char *text);

/* A table; @columns must outlive the document (static). @label NULL: no heading. */
struct hf_table *hf_doc_table(struct hf_doc *doc, const char *key, const char *label,
			      const struct hf_column *columns, uint32_t column_count);
/* Start a row, then give its cells in the order of the columns. NULL table: nothing happens. */
void hf_doc_row(struct hf_doc *doc, struct hf_table *table, uint32_t depth);
void hf_doc_cell(struct hf_doc *doc, struct hf_table *table, struct hf_value value);

/* A copy of @text, or a formatted one, that lives as long as the document. */
const char *hf_doc_dup(struct hf_doc *doc, const char *text);
const char *hf_doc_printf(struct hf_doc *doc, const char *fmt, ...) HF_PRINTF(2, 3);

/* "1.02 GiB", "4,096"; for sentences. Owned by the document. */
const char *hf_doc_bytes_text(struct hf_doc *doc, uint64_t bytes);
const char *hf_doc_count_text(struct hf_doc *doc, uint64_t count);

/* Into an index, and out of it (copied). *@ret is NULL where @stash has no sound document. */
struct hf_error *hf_doc_save(const struct hf_doc *doc, struct hf_stash_writer *writer);
struct hf_error *hf_doc_load(const struct hf_stash *stash, struct hf_doc **ret);

#endif
