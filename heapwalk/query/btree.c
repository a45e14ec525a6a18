/*
 * btree.c - writing b-trees of an SQLite file (see btree.h).
 *
 * A page: a header (type, cells, start of the content; of an interior page its rightmost child),
 * an array of offsets, and from the end downward the cells:
 *
 *	table leaf	length, row id, record		interior   left child, greatest row id in it
 *	index leaf	length, record			interior   left child, length, record
 *
 * An entry of an index that stands in an interior page stands in no leaf.
 */
#include "heapwalk/query/btree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TABLE_INTERIOR = 5, TABLE_LEAF = 13, INDEX_INTERIOR = 2, INDEX_LEAF = 10 };
enum { LEAF_HEADER = 8, INTERIOR_HEADER = 12, POINTER = 2, CHILD = 4, MAX_VARINT = 9 };
enum { PAGE_COUNT_AT = 28 };

/* The page with this byte is never used: locks are taken there. */
#define PENDING_BYTE UINT64_C(0x40000000)

static void put_big(uint8_t *to, uint64_t number, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		to[i] = (uint8_t)(number >> 8 * (bytes - 1 - i));
}

/* SQLite's varint: 7 bits a byte, the highest first; a ninth byte has all 8. */
static unsigned put_varint(uint8_t *to, uint64_t number)
{
	unsigned bytes = 1;

	if (number >> 56) {
		to[8] = (uint8_t)number;
		number >>= 8;
		for (int i = 7; i >= 0; i--, number >>= 7)
			to[i] = (uint8_t)(number | 0x80);
		return 9;
	}
	while (number >> 7 * bytes)
		bytes++;
	for (unsigned i = bytes; i-- > 0; number >>= 7)
		to[i] = (uint8_t)((number & 0x7f) | (i + 1 < bytes ? 0x80 : 0));
	return bytes;
}

/* ---- the file -----------------------------------------------------------------------------------
 */

struct btree_file btree_file_open(int fd, uint32_t pages)
{
	return (struct btree_file){.fd = fd, .pages = pages};
}

static void write_at(struct btree_file *file, uint64_t at, const uint8_t *data, size_t bytes)
{
	while (bytes && !file->error) {
		ssize_t written = pwrite(file->fd, data, bytes, (off_t)at);
		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0) {
			file->error = errno;
			return;
		}
		at += (uint64_t)written;
		data += written;
		bytes -= (size_t)written;
	}
}

static uint32_t new_page(struct btree_file *file)
{
	if (file->pages == UINT32_MAX - 2)
		file->error = EFBIG;
	file->pages++;
	if (file->pages == PENDING_BYTE / BTREE_PAGE_BYTES + 1)
		file->pages++;
	return file->pages;
}

static void write_page(struct btree_file *file, uint32_t page, const uint8_t *data)
{
	write_at(file, (uint64_t)(page - 1) * BTREE_PAGE_BYTES, data, BTREE_PAGE_BYTES);
}

struct hf_error *btree_file_finish(struct btree_file *file, const char *name)
{
	uint8_t count[4];

	put_big(count, file->pages, sizeof(count));
	write_at(file, PAGE_COUNT_AT, count, sizeof(count));
	return file->error ? hf_error_errno(file->error, "%s", name) : NULL;
}

/* ---- records ------------------------------------------------------------------------------------
 */

static void add_type(struct btree_record *record, uint64_t type)
{
	record->type_bytes += put_varint(record->types + record->type_bytes, type);
	record->fields++;
}

void btree_add_null(struct btree_record *record)
{
	add_type(record, 0);
}

void btree_add_number(struct btree_record *record, int64_t number)
{
	static const unsigned widths[] = {1, 2, 3, 4, 6, 8};
	unsigned type = 0;

	if (number == 0 || number == 1) {
		add_type(record, 8 + (uint64_t)number);
		return;
	}
	while (type < 5 && (number < -(INT64_C(1) << (8 * widths[type] - 1)) ||
			    number >= INT64_C(1) << (8 * widths[type] - 1)))
		type++;
	add_type(record, type + 1);
	put_big(record->body + record->body_bytes, (uint64_t)number, widths[type]);
	record->body_bytes += widths[type];
}

void btree_add_text(struct btree_record *record, const char *text, uint32_t bytes)
{
	add_type(record, 13 + 2 * (uint64_t)bytes);
	memcpy(record->body + record->body_bytes, text, bytes);
	record->body_bytes += bytes;
}

/* A header shorter than 127 bytes: its length is one byte. */
static uint32_t record_bytes(const struct btree_record *record)
{
	return 1 + record->type_bytes + record->body_bytes;
}

static void put_record(uint8_t *to, const struct btree_record *record)
{
	to[0] = (uint8_t)(1 + record->type_bytes);
	memcpy(to + 1, record->types, record->type_bytes);
	memcpy(to + 1 + record->type_bytes, record->body, record->body_bytes);
}

/* ---- pages --------------------------------------------------------------------------------------
 */

struct page {
	uint8_t *data;
	uint32_t header, cells, content;
};

static bool has_room(const struct page *page, uint32_t bytes)
{
	return page->header + (page->cells + 1) * POINTER + bytes <= page->content;
}

/* Room for a cell of @bytes, which there is. */
static uint8_t *add_cell(struct page *page, uint32_t bytes)
{
	page->content -= bytes;
	put_big(page->data + page->header + page->cells * POINTER, page->content, POINTER);
	page->cells++;
	return page->data + page->content;
}

static void seal(const struct page *page, unsigned type, uint32_t right)
{
	page->data[0] = (uint8_t)type;
	put_big(page->data + 1, 0, 2); /* free blocks */
	put_big(page->data + 3, page->cells, 2);
	put_big(page->data + 5, page->content, 2);
	page->data[7] = 0; /* fragments */
	if (page->header == INTERIOR_HEADER)
		put_big(page->data + 8, right, CHILD);
}

/* ---- leaves -------------------------------------------------------------------------------------
 */

void btree_begin(struct btree *tree, struct btree_file *file, uint32_t root, bool index,
		 uint64_t entries)
{
	*tree = (struct btree){.file = file, .root = root, .index = index, .left = entries};
	tree->page = calloc(1, BTREE_PAGE_BYTES);
	tree->content = BTREE_PAGE_BYTES;
	tree->failed = !tree->page;
}

static struct page leaf_of(const struct btree *tree)
{
	return (struct page){tree->page, LEAF_HEADER, tree->cells, tree->content};
}

static void flush_leaf(struct btree *tree, uint32_t divider, uint32_t divider_bytes)
{
	struct page page = leaf_of(tree);
	struct btree_child child = {.page = new_page(tree->file),
				    .key = tree->last_row,
				    .divider = divider,
				    .divider_bytes = divider_bytes};

	seal(&page, tree->index ? INDEX_LEAF : TABLE_LEAF, 0);
	write_page(tree->file, child.page, tree->page);
	tree->failed = tree->failed || !hf_vec_push(&tree->children, child);
	memset(tree->page, 0, BTREE_PAGE_BYTES);
	tree->cells = 0;
	tree->content = BTREE_PAGE_BYTES;
}

void btree_add_row(struct btree *tree, uint64_t row, const struct btree_record *record)
{
	uint8_t head[2 * MAX_VARINT];
	uint32_t bytes = record_bytes(record);
	struct page page = leaf_of(tree);

	if (tree->failed)
		return;
	unsigned length = put_varint(head, bytes);
	length += put_varint(head + length, row);
	if (!has_room(&page, length + bytes)) {
		flush_leaf(tree, 0, 0);
		page = leaf_of(tree);
	}
	uint8_t *cell = add_cell(&page, length + bytes);
	memcpy(cell, head, length);
	put_record(cell + length, record);
	tree->cells = page.cells;
	tree->content = page.content;
	tree->last_row = row;
}

/* Remember a length and record between two leaves. */
static uint32_t keep_divider(struct btree *tree, uint32_t bytes)
{
	uint32_t at = (uint32_t)tree->dividers.count;

	if (!hf_vec_reserve(&tree->dividers, at + (size_t)bytes)) {
		tree->failed = true;
		return 0;
	}
	tree->dividers.count += bytes;
	return at;
}

void btree_add_entry(struct btree *tree, const struct btree_record *record)
{
	uint8_t head[MAX_VARINT];
	uint32_t bytes = record_bytes(record), divider;
	unsigned length = put_varint(head, bytes);
	struct page page = leaf_of(tree);
	bool last = --tree->left == 0;

	if (tree->failed)
		return;
	if (!has_room(&page, length + bytes) && !last) {
		divider = keep_divider(tree, length + bytes);
		if (tree->failed)
			return;
		memcpy(tree->dividers.data + divider, head, length);
		put_record(tree->dividers.data + divider + length, record);
		flush_leaf(tree, divider, length + bytes);
		return;
	}
	if (!has_room(&page, length + bytes)) {
		/* The last one must not leave an empty leaf behind it: the one before divides. */
		uint32_t at = page.content, next = BTREE_PAGE_BYTES;
		if (page.cells > 1) {
			const uint8_t *pointer =
			    page.data + LEAF_HEADER + (page.cells - 2) * POINTER;
			next = (uint32_t)(pointer[0] << 8 | pointer[1]);
		}
		divider = keep_divider(tree, next - at);
		if (tree->failed)
			return;
		memcpy(tree->dividers.data + divider, page.data + at, next - at);
		tree->cells--;
		tree->content = next;
		flush_leaf(tree, divider, next - at);
		page = leaf_of(tree);
	}
	uint8_t *cell = add_cell(&page, length + bytes);
	memcpy(cell, head, length);
	put_record(cell + length, record);
	tree->cells = page.cells;
	tree->content = page.content;
}

/* ---- interior pages -----------------------------------------------------------------------------
 */

static uint32_t interior_bytes(const struct btree *tree, const struct btree_child *child)
{
	return CHILD + (tree->index ? child->divider_bytes : MAX_VARINT);
}

/* Children from @first on that fit into a page: the last of them is its rightmost. */
static size_t group_from(const struct btree *tree, size_t first)
{
	const struct btree_children *all = &tree->children;
	uint32_t used = INTERIOR_HEADER;
	size_t end = first;

	while (end + 1 < all->count &&
	       used + POINTER + interior_bytes(tree, &all->data[end]) <= BTREE_PAGE_BYTES)
		used += POINTER + interior_bytes(tree, &all->data[end++]);
	end++;
	/* One that would be left alone takes another with it. */
	if (all->count - end == 1 && end - first > 2)
		end--;
	return end;
}

static void write_interior(struct btree *tree, size_t first, size_t end, uint32_t number)
{
	struct page page = {tree->page, INTERIOR_HEADER, 0, BTREE_PAGE_BYTES};
	uint8_t key[MAX_VARINT];

	memset(tree->page, 0, BTREE_PAGE_BYTES);
	for (size_t i = first; i + 1 < end; i++) {
		const struct btree_child *child = &tree->children.data[i];
		const uint8_t *data = tree->index ? tree->dividers.data + child->divider : key;
		uint32_t bytes = tree->index ? child->divider_bytes : put_varint(key, child->key);
		uint8_t *cell = add_cell(&page, CHILD + bytes);
		put_big(cell, child->page, CHILD);
		memcpy(cell + CHILD, data, bytes);
	}
	seal(&page, tree->index ? INDEX_INTERIOR : TABLE_INTERIOR,
	     tree->children.data[end - 1].page);
	write_page(tree->file, number, tree->page);
}

static void write_levels(struct btree *tree)
{
	for (;;) {
		size_t first = 0, parents = 0;
		while (first < tree->children.count) {
			size_t end = group_from(tree, first);
			if (first == 0 && end == tree->children.count) {
				write_interior(tree, 0, end, tree->root);
				return;
			}
			uint32_t page = new_page(tree->file);
			write_interior(tree, first, end, page);
			/* What stands behind its last child stands behind the page. */
			struct btree_child parent = tree->children.data[end - 1];
			parent.page = page;
			tree->children.data[parents++] = parent;
			first = end;
		}
		tree->children.count = parents;
	}
}

struct hf_error *btree_end(struct btree *tree)
{
	if (!tree->failed && tree->children.count == 0) {
		struct page page = leaf_of(tree);
		seal(&page, tree->index ? INDEX_LEAF : TABLE_LEAF, 0);
		write_page(tree->file, tree->root, tree->page);
	} else if (!tree->failed) {
		flush_leaf(tree, 0, 0);
		if (!tree->failed)
			write_levels(tree);
	}
	free(tree->page);
	hf_vec_free(&tree->children);
	hf_vec_free(&tree->dividers);
	return tree->failed ? hf_error_nomem() : NULL;
}
