/*
 * btree.h - b-trees of an SQLite file, written in one go from rows and keys in ascending order
 * (sqlite.org/fileformat2.html): many times faster than INSERT and CREATE INDEX.
 *
 * SQLite itself makes the file, its schema and empty tables and indexes; each of those has a
 * root page. A builder fills one of them: pages are appended to the file as they fill, and
 * the last to be written is the root. Nobody else may have the file open meanwhile.
 *
 *	leaf pages	written as rows come, an extent of them at a time; their numbers (and, of an
 *			index, the key between two of them) are remembered
 *	interior pages	then made of those, level by level
 *
 * Several trees may be built at once, each by a thread of its own: they share only the file, which
 * hands out extents. What is left of a tree's last one is the interior pages' or the next tree's,
 * and in the end goes to the file's list of free pages.
 *
 * No page but an empty root may be without a cell: SQLite takes that for corruption.
 */
#ifndef HF_HEAPWALK_QUERY_BTREE_H
#define HF_HEAPWALK_QUERY_BTREE_H

#include "core/base/error.h"
#include "core/base/vec.h"

#include <pthread.h>
#include <stdint.h>

enum {
	BTREE_PAGE_BYTES = 16384,
	BTREE_MAX_TEXT = 3500, /* longer ones do not fit: a record must lie in one page */
	BTREE_EXTENT = 64,     /* pages */
};

HF_VEC(btree_pages, uint32_t);

/* Pages of one file. */
struct btree_file {
	int fd;
	pthread_mutex_t lock;
	uint32_t pages;		  /* how many there are */
	struct btree_pages spare; /* of these, not used */
	int error;		  /* errno of the first failure */
};

void btree_file_init(struct btree_file *file, int fd, uint32_t pages);
/* Tell the file's header how many pages there are, and which of them are free. */
struct hf_error *btree_file_finish(struct btree_file *file, const char *name);
void btree_file_deinit(struct btree_file *file);

/* ---- records --------------------------------------------------------------------------------- */

enum { BTREE_MAX_FIELDS = 24, BTREE_MAX_RECORD = 3 * BTREE_MAX_TEXT };

struct btree_record {
	uint32_t fields, type_bytes, body_bytes;
	uint8_t types[BTREE_MAX_FIELDS * 3], body[BTREE_MAX_RECORD + 8];
};

static inline void btree_record_begin(struct btree_record *record)
{
	record->fields = record->type_bytes = record->body_bytes = 0;
}
void btree_add_null(struct btree_record *record);
void btree_add_number(struct btree_record *record, int64_t number);
/* At most BTREE_MAX_TEXT bytes. */
void btree_add_text(struct btree_record *record, const char *text, uint32_t bytes);

/* ---- trees ----------------------------------------------------------------------------------- */

struct btree_child {
	uint32_t page;
	uint64_t key;			 /* of a table: the greatest row id in it */
	uint32_t divider, divider_bytes; /* of an index: in `dividers`, what stands behind it */
};

HF_VEC(btree_children, struct btree_child);

struct btree {
	struct btree_file *file;
	uint32_t root;
	bool index;
	uint64_t last_row; /* of a table */
	uint8_t *extent;   /* the pages being filled: whole ones, then the leaf at hand */
	uint32_t extent_page, extent_pages, whole;
	uint32_t cells, content;
	/* Of an index: an entry that its leaf has no room for. It stands between this and the next.
	 */
	uint8_t *pending;
	uint32_t pending_bytes;
	struct btree_children children;
	HF_VEC(, uint8_t) dividers;
	bool failed; /* out of memory */
};

void btree_begin(struct btree *tree, struct btree_file *file, uint32_t root, bool index);
/* Rows in ascending order of @row; entries of an index ascending, the row id their last field. */
void btree_add_row(struct btree *tree, uint64_t row, const struct btree_record *record);
void btree_add_entry(struct btree *tree, const struct btree_record *record);
struct hf_error *btree_end(struct btree *tree);

#endif
