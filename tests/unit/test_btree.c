/*
 * test_btree.c - the b-trees that we write, read by SQLite: every number of rows around which
 * pages fill and levels are added; records of all kinds of numbers; texts of all lengths.
 */
#include <fcntl.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <setjmp.h>

#include <cmocka.h>

#include "heapwalk/query/btree.h"

static char path[64];

static int64_t ask(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *stmt = NULL;

	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	int64_t number = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	return number;
}

static sqlite3 *open_db(void)
{
	sqlite3 *db = NULL;
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "PRAGMA synchronous = OFF; PRAGMA journal_mode = OFF",
				      NULL, NULL, NULL),
			 SQLITE_OK);
	return db;
}

/* An empty table t(id, number, text) with indexes by_number and by_text. */
static void make_db(uint32_t roots[3], uint32_t *pages)
{
	char sql[256];

	unlink(path);
	sqlite3 *db = open_db();
	snprintf(sql, sizeof(sql),
		 "PRAGMA page_size = %d;"
		 "CREATE TABLE t(id INTEGER PRIMARY KEY, number INTEGER, text TEXT);"
		 "CREATE INDEX by_number ON t(number); CREATE INDEX by_text ON t(text)",
		 BTREE_PAGE_BYTES);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	roots[0] = (uint32_t)ask(db, "SELECT rootpage FROM sqlite_schema WHERE name = 't'");
	roots[1] = (uint32_t)ask(db, "SELECT rootpage FROM sqlite_schema WHERE name = 'by_number'");
	roots[2] = (uint32_t)ask(db, "SELECT rootpage FROM sqlite_schema WHERE name = 'by_text'");
	*pages = (uint32_t)ask(db, "PRAGMA page_count");
	sqlite3_close(db);
}

/* Ascending in @i: a number, and a text of @bytes that begins with it. */
static int64_t number_of(uint32_t i)
{
	return i < 60 ? INT64_MIN + ((int64_t)1 << i) : ((int64_t)i - 200) * 1234567;
}

static void text_of(uint32_t i, uint32_t bytes, char *text)
{
	memset(text, 'x', bytes);
	char digits[16];
	snprintf(digits, sizeof(digits), "%08u", i);
	memcpy(text, digits, bytes < 8 ? bytes : 8);
}

/* @skip pages are left out, as if they had been written before. */
static void fill(uint32_t count, uint32_t bytes, uint32_t skip)
{
	static char text[BTREE_MAX_TEXT];
	static struct btree_record record;
	uint32_t roots[3], pages;
	struct btree trees[3];

	make_db(roots, &pages);
	int fd = open(path, O_WRONLY);
	struct btree_file file;
	btree_file_init(&file, fd, pages + skip);
	for (unsigned t = 0; t < 3; t++)
		btree_begin(&trees[t], &file, roots[t], t > 0);
	for (uint32_t i = 0; i < count; i++) {
		text_of(i, bytes, text);
		btree_record_begin(&record);
		btree_add_null(&record);
		btree_add_number(&record, number_of(i));
		btree_add_text(&record, text, bytes);
		btree_add_row(&trees[0], i, &record);
		btree_record_begin(&record);
		btree_add_number(&record, number_of(i));
		btree_add_number(&record, i);
		btree_add_entry(&trees[1], &record);
		btree_record_begin(&record);
		btree_add_text(&record, text, bytes);
		btree_add_number(&record, i);
		btree_add_entry(&trees[2], &record);
	}
	for (unsigned t = 0; t < 3; t++)
		assert_null(btree_end(&trees[t]));
	assert_null(btree_file_finish(&file, path));
	btree_file_deinit(&file);
	close(fd);
}

static void check(uint32_t count, uint32_t bytes)
{
	static char text[BTREE_MAX_TEXT];
	sqlite3_stmt *stmt = NULL;
	uint32_t i = 0;

	fill(count, bytes, 0);
	sqlite3 *db = open_db();
	assert_int_equal(sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &stmt, NULL),
			 SQLITE_OK);
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	assert_string_equal((const char *)sqlite3_column_text(stmt, 0), "ok");
	sqlite3_finalize(stmt);
	assert_int_equal(ask(db, "SELECT count(*) FROM t"), count);
	assert_int_equal(sqlite3_prepare_v2(
			     db, "SELECT id, number, text FROM t INDEXED BY by_text ORDER BY text",
			     -1, &stmt, NULL),
			 SQLITE_OK);
	for (; sqlite3_step(stmt) == SQLITE_ROW; i++) {
		text_of(i, bytes, text);
		assert_int_equal(sqlite3_column_int64(stmt, 0), i);
		assert_int_equal(sqlite3_column_int64(stmt, 1), number_of(i));
		assert_int_equal(sqlite3_column_bytes(stmt, 2), (int)bytes);
		assert_memory_equal(sqlite3_column_text(stmt, 2), text, bytes);
	}
	assert_int_equal(i, count);
	sqlite3_finalize(stmt);
	/* It can be written to afterwards like any other. */
	assert_int_equal(sqlite3_exec(db,
				      "INSERT INTO t VALUES(-1, 5, 'new'); DELETE FROM t WHERE id "
				      "% 3 = 0; UPDATE t SET text = 'y' || text WHERE id % 7 = 1",
				      NULL, NULL, NULL),
			 SQLITE_OK);
	assert_int_equal(ask(db, "SELECT count(*) FROM pragma_integrity_check WHERE "
				 "integrity_check != 'ok'"),
			 0);
	sqlite3_close(db);
}

static void long_texts(void **state)
{
	(void)state;
	/* Four rows a page: pages, and levels of pages, fill often. */
	for (uint32_t count = 0; count < 130; count++)
		check(count, BTREE_MAX_TEXT);
	check(1000, BTREE_MAX_TEXT);
}

static void middle_texts(void **state)
{
	(void)state;
	for (uint32_t bytes = 8; bytes < BTREE_MAX_TEXT; bytes += 173)
		check(700, bytes);
}

static void many_rows(void **state)
{
	(void)state;
	static const uint32_t counts[] = {500,	600,  700,   1300,  1400,  1500,
					  2000, 5000, 20000, 60000, 200000};
	for (unsigned i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		check(counts[i], 8);
}

/* Beyond 1 GiB there is a page that SQLite refuses to read. */
static void pending_page(void **state)
{
	(void)state;
	enum { PENDING = 0x40000000 / BTREE_PAGE_BYTES + 1 };

	fill(2000, 1000, PENDING - 100);
	sqlite3 *db = open_db();
	assert_true(ask(db, "PRAGMA page_count") > PENDING + 50);
	assert_int_equal(ask(db, "SELECT sum(length(text)) FROM t"), 2000 * 1000);
	assert_int_equal(ask(db, "SELECT count(*) FROM t INDEXED BY by_text WHERE text > ''"),
			 2000);
	assert_int_equal(ask(db, "SELECT sum(id) FROM t INDEXED BY by_number WHERE number < 0"),
			 199 * 200 / 2);
	sqlite3_close(db);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(long_texts),
	    cmocka_unit_test(middle_texts),
	    cmocka_unit_test(many_rows),
	    cmocka_unit_test(pending_page),
	};
	snprintf(path, sizeof(path), "/tmp/test_btree.%d", (int)getpid());
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	return failed;
}
