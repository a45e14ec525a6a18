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
enum { PAGE_COUNT_AT = 28, FREE_LIST_AT = 32 };

#define MAX_PAGES (UINT32_MAX - 2)

/* The page with this byte is never used: locks are taken there. */
#define PENDING_BYTE UINT64_C(0x40000000)

static inline void put_big(uint8_t *to, uint64_t number, unsigned bytes)
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

/* ---- the file -------------------------------------------------------------------------------- */

void btree_file_init(struct btree_file *file, int fd, uint32_t pages)
{
	*file = (struct btree_file){.fd = fd, .pages = pages};
	pthread_mutex_init(&file->lock, NULL);
}

void btree_file_deinit(struct btree_file *file)
{
	hf_vec_free(&file->spare);
	pthread_mutex_destroy(&file->lock);
}

/* Several threads may fail; any one's reason will do. */
static void fail_file(struct btree_file *file, int error)
{
	pthread_mutex_lock(&file->lock);
	file->error = file->error ? file->error : error;
	pthread_mutex_unlock(&file->lock);
}

static bool write_at(struct btree_file *file, uint64_t at, const uint8_t *data, size_t bytes)
{
	while (bytes) {
		ssize_t written = pwrite(file->fd, data, bytes, (off_t)at);
		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0) {
			fail_file(file, errno);
			return false;
		}
		at += (uint64_t)written;
		data += written;
		bytes -= (size_t)written;
	}
	return true;
}

static bool write_pages(struct btree *tree, uint32_t page, const uint8_t *data, uint32_t count)
{
	tree->failed =
	    tree->failed || !write_at(tree->file, (uint64_t)(page - 1) * BTREE_PAGE_BYTES, data,
				      (size_t)count * BTREE_PAGE_BYTES);
	return !tree->failed;
}

/* Up to @wanted pages that follow each other; returns how many, 0 where there can be no more. */
static uint32_t take_pages(struct btree_file *file, uint32_t wanted, uint32_t *ret_first)
{
	const uint32_t pending = PENDING_BYTE / BTREE_PAGE_BYTES + 1;

	pthread_mutex_lock(&file->lock);
	if (wanted == 1 && file->spare.count) {
		*ret_first = file->spare.data[--file->spare.count];
	} else {
		if (file->pages + 1 == pending)
			file->pages++;
		if (file->pages < pending && wanted > pending - 1 - file->pages)
			wanted = pending - 1 - file->pages;
		if (file->pages >= MAX_PAGES - wanted) {
			file->error = file->error ? file->error : EFBIG;
			wanted = 0;
		}
		*ret_first = file->pages + 1;
		file->pages += wanted;
	}
	pthread_mutex_unlock(&file->lock);
	return wanted;
}

static void give_back(struct btree_file *file, uint32_t first, uint32_t count)
{
	pthread_mutex_lock(&file->lock);
	for (uint32_t i = 0; i < count; i++) {
		if (!hf_vec_push(&file->spare, first + i))
			file->error = file->error ? file->error : ENOMEM;
	}
	pthread_mutex_unlock(&file->lock);
}

/* A trunk page lists the others: the next trunk, their number, they. There are few. */
static void write_free_list(struct btree_file *file)
{
	static const uint32_t most = BTREE_PAGE_BYTES / 4 - 8;
	uint8_t header[8] = {0};
	uint32_t next = 0, total = (uint32_t)file->spare.count;
	uint8_t *trunk = malloc(BTREE_PAGE_BYTES);

	if (!trunk) {
		fail_file(file, ENOMEM);
		return;
	}
	while (file->spare.count) {
		uint32_t page = file->spare.data[--file->spare.count], count = 0;
		memset(trunk, 0, BTREE_PAGE_BYTES);
		put_big(trunk, next, 4);
		for (; count < most && file->spare.count; count++)
			put_big(trunk + 8 + 4ull * count, file->spare.data[--file->spare.count], 4);
		put_big(trunk + 4, count, 4);
		write_at(file, (uint64_t)(page - 1) * BTREE_PAGE_BYTES, trunk, BTREE_PAGE_BYTES);
		next = page;
	}
	free(trunk);
	put_big(header, next, 4);
	put_big(header + 4, total, 4);
	write_at(file, FREE_LIST_AT, header, sizeof(header));
}

struct hf_error *btree_file_finish(struct btree_file *file, const char *name)
{
	uint8_t count[4];

	write_free_list(file);
	put_big(count, file->pages, sizeof(count));
	write_at(file, PAGE_COUNT_AT, count, sizeof(count));
	/* The last page may be a free one that was never written. */
	if (!file->error && ftruncate(file->fd, (off_t)file->pages * BTREE_PAGE_BYTES))
		file->error = errno;
	return file->error ? hf_error_errno(file->error, "%s", name) : NULL;
}

/* ---- records --------------------------------------------------------------------------------- */

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
	/* By the bytes that it needs: the field's type, and how many it gets. */
	static const uint8_t types[] = {0, 1, 2, 3, 4, 5, 5, 6, 6};
	static const uint8_t widths[] = {0, 1, 2, 3, 4, 6, 6, 8, 8};

	if (number == 0 || number == 1) {
		add_type(record, 8 + (uint64_t)number);
		return;
	}
	uint64_t magnitude = (uint64_t)(number < 0 ? ~number : number);
	unsigned bits = 65 - (unsigned)__builtin_clzll(magnitude | 1), bytes = (bits + 7) / 8;
	add_type(record, types[bytes]);
	/* All eight, shifted to the front: what comes next overwrites the rest. */
	put_big(record->body + record->body_bytes, (uint64_t)number << (64 - 8 * widths[bytes]), 8);
	record->body_bytes += widths[bytes];
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

/* ---- pages ----------------------------------------------------------------------------------- */

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

/* ---- leaves ---------------------------------------------------------------------------------- */

void btree_begin(struct btree *tree, struct btree_file *file, uint32_t root, bool index)
{
	*tree = (struct btree){.file = file, .root = root, .index = index};
	tree->extent = calloc(BTREE_EXTENT, BTREE_PAGE_BYTES);
	tree->pending = index ? malloc(MAX_VARINT + BTREE_MAX_RECORD) : NULL;
	tree->content = BTREE_PAGE_BYTES;
	tree->failed = !tree->extent || (index && !tree->pending);
}

static struct page leaf_of(const struct btree *tree)
{
	return (struct page){tree->extent + (size_t)tree->whole * BTREE_PAGE_BYTES, LEAF_HEADER,
			     tree->cells, tree->content};
}

static void write_extent(struct btree *tree)
{
	write_pages(tree, tree->extent_page, tree->extent, tree->whole);
	memset(tree->extent, 0, (size_t)tree->whole * BTREE_PAGE_BYTES);
	tree->whole = 0;
}

/* The leaf is whole; behind it stands @divider. */
static void end_leaf(struct btree *tree, uint32_t divider, uint32_t divider_bytes)
{
	struct page page = leaf_of(tree);

	if (tree->whole == 0) {
		tree->extent_pages = take_pages(tree->file, BTREE_EXTENT, &tree->extent_page);
		tree->failed = tree->failed || !tree->extent_pages;
	}
	struct btree_child child = {.page = tree->extent_page + tree->whole,
				    .key = tree->last_row,
				    .divider = divider,
				    .divider_bytes = divider_bytes};
	seal(&page, tree->index ? INDEX_LEAF : TABLE_LEAF, 0);
	tree->failed = tree->failed || !hf_vec_push(&tree->children, child);
	tree->cells = 0;
	tree->content = BTREE_PAGE_BYTES;
	if (!tree->failed && ++tree->whole == tree->extent_pages)
		write_extent(tree);
}

/* A cell of @head and @record, for which there is room. */
static void put_cell(struct btree *tree, struct page *page, const uint8_t *head, unsigned length,
		     const struct btree_record *record)
{
	uint8_t *cell = add_cell(page, length + record_bytes(record));
	memcpy(cell, head, length);
	put_record(cell + length, record);
	tree->cells = page->cells;
	tree->content = page->content;
}

void btree_add_row(struct btree *tree, uint64_t row, const struct btree_record *record)
{
	uint8_t head[2 * MAX_VARINT];
	uint32_t bytes = record_bytes(record);

	if (tree->failed)
		return;
	struct page page = leaf_of(tree);
	unsigned length = put_varint(head, bytes);
	length += put_varint(head + length, row);
	if (!has_room(&page, length + bytes)) {
		end_leaf(tree, 0, 0);
		if (tree->failed)
			return;
		page = leaf_of(tree);
	}
	put_cell(tree, &page, head, length, record);
	tree->last_row = row;
}

/* Keep @cell as the one between this leaf and the next. */
static void divide(struct btree *tree, const uint8_t *cell, uint32_t bytes)
{
	uint32_t at = (uint32_t)tree->dividers.count;

	if (!hf_vec_reserve(&tree->dividers, at + (size_t)bytes)) {
		tree->failed = true;
		return;
	}
	memcpy(tree->dividers.data + at, cell, bytes);
	tree->dividers.count += bytes;
	end_leaf(tree, at, bytes);
}

void btree_add_entry(struct btree *tree, const struct btree_record *record)
{
	uint8_t head[MAX_VARINT];
	uint32_t bytes = record_bytes(record);
	unsigned length = put_varint(head, bytes);

	if (tree->failed)
		return;
	if (tree->pending_bytes) {
		divide(tree, tree->pending, tree->pending_bytes);
		tree->pending_bytes = 0;
		if (tree->failed)
			return;
	}
	struct page page = leaf_of(tree);
	if (has_room(&page, length + bytes)) {
		put_cell(tree, &page, head, length, record);
		return;
	}
	memcpy(tree->pending, head, length);
	put_record(tree->pending + length, record);
	tree->pending_bytes = length + bytes;
}

/* No empty leaf may follow the last divider: it goes there, and the one before it divides. */
static void place_pending(struct btree *tree)
{
	struct page page = leaf_of(tree);
	uint32_t at = page.content, next = BTREE_PAGE_BYTES;

	if (page.cells > 1) {
		const uint8_t *pointer = page.data + LEAF_HEADER + (page.cells - 2) * POINTER;
		next = (uint32_t)(pointer[0] << 8 | pointer[1]);
	}
	tree->cells--;
	tree->content = next;
	divide(tree, page.data + at, next - at);
	if (tree->failed)
		return;
	page = leaf_of(tree);
	memcpy(add_cell(&page, tree->pending_bytes), tree->pending, tree->pending_bytes);
	tree->cells = page.cells;
	tree->content = page.content;
}

/* ---- interior pages -------------------------------------------------------------------------- */

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

/* A page for an interior one: of the last extent, while there are. */
static uint32_t interior_page(struct btree *tree)
{
	uint32_t page = 0;

	if (tree->extent_pages) {
		tree->extent_pages--;
		return tree->extent_page++;
	}
	tree->failed = tree->failed || !take_pages(tree->file, 1, &page);
	return page;
}

static void write_interior(struct btree *tree, size_t first, size_t end, uint32_t number)
{
	struct page page = {tree->extent, INTERIOR_HEADER, 0, BTREE_PAGE_BYTES};
	uint8_t key[MAX_VARINT];

	memset(tree->extent, 0, BTREE_PAGE_BYTES);
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
	write_pages(tree, number, tree->extent, 1);
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
			uint32_t page = interior_page(tree);
			if (tree->failed)
				return;
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

/* The last leaf, and what stands above all of them. */
static void end_leaves(struct btree *tree)
{
	if (tree->pending_bytes)
		place_pending(tree);
	if (tree->failed)
		return;
	struct page page = leaf_of(tree);
	if (tree->children.count == 0) {
		seal(&page, tree->index ? INDEX_LEAF : TABLE_LEAF, 0);
		write_pages(tree, tree->root, page.data, 1);
		return;
	}
	end_leaf(tree, 0, 0);
	if (tree->failed)
		return;
	/* Of the extent at hand, what is whole is written; an extent just written is used up. */
	uint32_t used = tree->whole ? tree->whole : tree->extent_pages;
	write_extent(tree);
	tree->extent_page += used;
	tree->extent_pages -= used;
	write_levels(tree);
	give_back(tree->file, tree->extent_page, tree->extent_pages);
}

struct hf_error *btree_end(struct btree *tree)
{
	if (!tree->failed)
		end_leaves(tree);
	free(tree->extent);
	free(tree->pending);
	hf_vec_free(&tree->children);
	hf_vec_free(&tree->dividers);
	/* What the file could not take is told when it is finished. */
	return tree->failed && !tree->file->error ? hf_error_nomem() : NULL;
}
