/*
 * sqlite.c - SQLite's connections with what they lead to, and the pages of its cache (3.9 and
 * later, 64 bits).
 *
 *	page:	 [ size ] [ content of 512 to 65536 bytes | pBuf, pExtra, ..., pCache, ... | extra ]
 *			  ^ pBuf				  pExtra ^
 *	sqlite3: pVfs, pVdbe, ..., aDb +32, nDb +40;  aDb[i]: "main", pBt, ..., pSchema
 *
 * A page's header (PgHdr1) points at the page before it and at the end of itself. A connection's
 * first database is called "main", and its B-tree points back at the connection; of what it leads
 * to, each points back in turn. SQLite may keep a size in front of what it allocates. Pages may be
 * allocated many at a time: a block whose first one is such is all pages.
 */
#include <string.h>

#include "heapwalk/typing/runtime.h"

enum {
	SIZE_PREFIX = 8,
	LEAST_PAGE = 512,
	MOST_PAGE = 65536,
	HEADER_BYTES = 56, /* PgHdr1 */
	HEADER_CACHE = 32,
	CACHE_PAGE = 16, /* PCache1: szPage, szExtra, szAlloc */
	CACHE_EXTRA = 20,
	CACHE_ALLOC = 24,
	CACHE_BUCKETS = 60, /* nHash, apHash */
	CACHE_TABLE = 64,
	LEAST_CONNECTION = 400,
	CONNECTION_STATEMENTS = 8,
	CONNECTION_DATABASES = 32,
	CONNECTION_COUNT = 40,
	DATABASE_BYTES = 32,
	DATABASE_TREE = 8,
	DATABASE_SCHEMA = 24,
	MAX_DATABASES = 128,
	TREE_SHARED = 8,
	SHARED_CONNECTION = 8,
	STATEMENT_NEXT = 16,
};

struct sqlite {
	struct hf_typing *typing;
	uint32_t page, pages; /* types */
};

static uint64_t word_at(const struct sqlite *sqlite, uint64_t address)
{
	return typing_word(sqlite->typing, address);
}

static uint32_t number_at(const struct sqlite *sqlite, uint64_t address)
{
	return typing_u32(sqlite->typing, address);
}

/* What SQLite allocated at @address, with or without a size in front. */
static bool own(const struct sqlite *sqlite, uint64_t address, const char *name, uint64_t bytes)
{
	if (address < SIZE_PREFIX)
		return false;
	return typing_own(sqlite->typing, address, name, bytes) ||
	       (word_at(sqlite, address - SIZE_PREFIX) >= bytes &&
		typing_own(sqlite->typing, address - SIZE_PREFIX, name, bytes + SIZE_PREFIX));
}

/* ---- connections ----------------------------------------------------------------------------- */

static bool is_connection(const struct sqlite *sqlite, uint64_t address)
{
	uint64_t databases = word_at(sqlite, address + CONNECTION_DATABASES);
	uint64_t count = number_at(sqlite, address + CONNECTION_COUNT);
	char name[8];

	return databases && count >= 2 && count <= MAX_DATABASES && word_at(sqlite, address) &&
	       word_at(sqlite, word_at(sqlite, databases + DATABASE_TREE)) == address &&
	       hf_image_string(&sqlite->typing->process->image, word_at(sqlite, databases), name,
			       sizeof(name)) &&
	       !strcmp(name, "main");
}

static void own_database(const struct sqlite *sqlite, uint64_t connection, uint64_t database)
{
	uint64_t tree = word_at(sqlite, database + DATABASE_TREE);
	uint64_t shared = word_at(sqlite, tree + TREE_SHARED);
	uint64_t pager = word_at(sqlite, shared);

	own(sqlite, word_at(sqlite, database + DATABASE_SCHEMA), "SQLite schema", 0);
	if (!tree || word_at(sqlite, tree) != connection)
		return;
	own(sqlite, tree, "SQLite B-tree", TREE_SHARED + 8);
	if (!shared || word_at(sqlite, shared + SHARED_CONNECTION) != connection)
		return;
	own(sqlite, shared, "SQLite B-tree (shared part)", SHARED_CONNECTION + 8);
	if (pager && word_at(sqlite, pager) == word_at(sqlite, connection))
		own(sqlite, pager, "SQLite pager", 0);
}

static void own_connection(const struct sqlite *sqlite, uint64_t connection)
{
	uint64_t databases = word_at(sqlite, connection + CONNECTION_DATABASES);
	uint32_t count = number_at(sqlite, connection + CONNECTION_COUNT);

	if (!own(sqlite, connection, "SQLite connection", LEAST_CONNECTION))
		return;
	own(sqlite, databases, "SQLite databases of a connection", 0);
	for (uint32_t i = 0; i < count; i++)
		own_database(sqlite, connection, databases + (uint64_t)i * DATABASE_BYTES);
	uint64_t statement = word_at(sqlite, connection + CONNECTION_STATEMENTS);
	while (statement && word_at(sqlite, statement) == connection &&
	       own(sqlite, statement, "SQLite statement", STATEMENT_NEXT + 8))
		statement = word_at(sqlite, statement + STATEMENT_NEXT);
}

static void sqlite_begin(void *state)
{
	struct sqlite *sqlite = state;
	const struct hf_extents *extents = sqlite->typing->extents;

	sqlite->page = typing_intern(sqlite->typing, HF_TYPE_RUNTIME, "SQLite page", 0);
	sqlite->pages = typing_intern(sqlite->typing, HF_TYPE_RUNTIME, "SQLite pages", 0);
	for (uint32_t id = 0; id < hf_extents_count(extents); id++) {
		uint64_t block = hf_extents_address(extents, id);
		if (hf_extents_usable(extents, id) < LEAST_CONNECTION)
			continue;
		if (is_connection(sqlite, block))
			own_connection(sqlite, block);
		else if (is_connection(sqlite, block + SIZE_PREFIX))
			own_connection(sqlite, block + SIZE_PREFIX);
	}
}

/* ---- pages ----------------------------------------------------------------------------------- */

/* Bytes of the page at @at of a block at @base, told by the header behind it; 0: it is none. */
static uint64_t page_at(const struct sqlite *sqlite, const uint8_t *data, uint64_t bytes,
			uint64_t base, uint64_t at)
{
	for (uint64_t page = LEAST_PAGE; page <= MOST_PAGE; page *= 2) {
		uint64_t header = at + page;
		if (header + HEADER_BYTES > bytes)
			return 0;
		if (hf_image_word_at(&sqlite->typing->process->image, data + header) == base + at &&
		    hf_image_word_at(&sqlite->typing->process->image, data + header + 8) ==
			base + header + HEADER_BYTES)
			return page;
	}
	return 0;
}

static uint64_t page_of(const struct sqlite *sqlite, const uint8_t *data, uint64_t bytes,
			uint64_t base, uint64_t *ret_at)
{
	uint64_t page = 0;

	for (*ret_at = 0; *ret_at <= SIZE_PREFIX && !page; *ret_at += page ? 0 : SIZE_PREFIX)
		page = page_at(sqlite, data, bytes, base, *ret_at);
	return page;
}

static uint32_t sqlite_type_of(void *state, uint32_t object, const uint8_t *data, uint64_t bytes)
{
	const struct sqlite *sqlite = state;
	uint64_t at, base = hf_extents_address(sqlite->typing->extents, object);
	uint64_t page = page_of(sqlite, data, bytes, base, &at);

	if (!page)
		return TYPE_NONE;
	return bytes - at >= 2 * (page + HEADER_BYTES) ? sqlite->pages : sqlite->page;
}

/* The cache that a page says it is in, if it has pages of that size. */
static void sqlite_spread(void *state, uint32_t object, uint32_t type)
{
	const struct sqlite *sqlite = state;
	uint64_t at, bytes = 0, base = hf_extents_address(sqlite->typing->extents, object);
	const uint8_t *data = typing_bytes(sqlite->typing, object, &bytes);
	uint64_t page = type == sqlite->page && data ? page_of(sqlite, data, bytes, base, &at) : 0;

	if (!page)
		return;
	uint64_t cache =
	    hf_image_word_at(&sqlite->typing->process->image, data + at + page + HEADER_CACHE);
	uint32_t extra = number_at(sqlite, cache + CACHE_EXTRA);
	uint64_t buckets = number_at(sqlite, cache + CACHE_BUCKETS);
	if (!cache || number_at(sqlite, cache + CACHE_PAGE) != page ||
	    number_at(sqlite, cache + CACHE_ALLOC) != page + extra + HEADER_BYTES ||
	    !own(sqlite, cache, "SQLite page cache", CACHE_TABLE + 8))
		return;
	if (buckets && !(buckets & (buckets - 1)))
		own(sqlite, word_at(sqlite, cache + CACHE_TABLE), "SQLite page cache's table",
		    buckets * 8);
}

const struct typing_runtime typing_sqlite = {
    .name = "SQLite",
    .symbol = "sqlite3_open_v2",
    .state_bytes = sizeof(struct sqlite),
    .begin = sqlite_begin,
    .type_of = sqlite_type_of,
    .spread = sqlite_spread,
};
