/*
 * test_stash.c - files of sections: what was written is read; any changed byte is noticed, and
 * after the machine was started anew also one whose file's time does not tell; of writers that are
 * no more nothing is left.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "core/base/stash.h"

/* Where the header has the boot that the file was written in, and its own checksum. */
enum { BOOT_AT = 44, SUM_AT = 56, WORDS = 1000 };

static char folder[] = "/tmp/stash.XXXXXX";
static char path[sizeof(folder) + 8];

static void write_one(void)
{
	uint64_t words[WORDS];
	struct hf_stash_writer *writer = NULL;

	for (uint64_t i = 0; i < WORDS; i++)
		words[i] = i * i;
	assert_null(hf_stash_create(path, &writer));
	hf_stash_add(writer, "words", words, sizeof(words));
	hf_stash_begin(writer, "pieces");
	for (uint64_t i = 0; i < 3; i++)
		hf_stash_append(writer, &words[i], sizeof(words[i]));
	assert_null(hf_stash_commit(writer));
}

static bool opens(void)
{
	struct hf_stash *stash = NULL;
	struct hf_error *err = hf_stash_open(path, &stash);

	if (err)
		assert_int_equal(hf_error_code(err), HF_ERR_FORMAT);
	hf_error_destroy(err);
	hf_stash_close(stash);
	return !err;
}

/* @bytes of @data at @at; the file's time stays if @silent. */
static void change(off_t at, const void *data, size_t bytes, bool silent)
{
	struct stat before;
	int fd = open(path, O_RDWR);

	assert_true(fd >= 0 && fstat(fd, &before) == 0);
	assert_int_equal(pwrite(fd, data, bytes, at), bytes);
	struct timespec times[2] = {before.st_atim, before.st_mtim};
	if (silent)
		assert_int_equal(futimens(fd, times), 0);
	close(fd);
}

static uint8_t byte_at(off_t at)
{
	uint8_t byte = 0;
	int fd = open(path, O_RDONLY);

	assert_int_equal(pread(fd, &byte, 1, at), 1);
	close(fd);
	return byte;
}

static void test_sections(void **state)
{
	struct hf_stash *stash = NULL;
	size_t bytes = 0;
	(void)state;
	write_one();
	assert_null(hf_stash_open(path, &stash));
	const uint64_t *words = hf_stash_array(stash, "words", WORDS, sizeof(*words));
	assert_non_null(words);
	for (uint64_t i = 0; i < WORDS; i++)
		assert_int_equal(words[i], i * i);
	assert_non_null(hf_stash_get(stash, "pieces", &bytes));
	assert_int_equal(bytes, 3 * sizeof(*words));
	assert_null(hf_stash_array(stash, "words", WORDS - 1, sizeof(*words)));
	assert_null(hf_stash_get(stash, "none", &bytes));
	hf_stash_close(stash);
}

/* All of it but what stands between the sections, so that they are aligned. */
static void test_any_byte(void **state)
{
	struct stat about;
	(void)state;
	write_one();
	assert_int_equal(stat(path, &about), 0);
	assert_true(opens());
	for (off_t at = 0; at < about.st_size; at += at < 64 || at > about.st_size - 100 ? 1 : 61) {
		uint8_t was = byte_at(at), other = was ^ 0x40;
		if (at >= 64 + WORDS * 8 + 3 * 8 && at % 64 >= 24 && at < about.st_size - 100)
			continue;
		change(at, &other, 1, false);
		assert_false(opens());
		change(at, &was, 1, false);
		assert_true(opens());
	}
	for (off_t size = about.st_size - 1; size > 0; size = size * 3 / 4) {
		assert_int_equal(truncate(path, size), 0);
		assert_false(opens());
	}
}

/* The power failed: some bytes never came to the disk, and the times say nothing. */
static void test_other_boot(void **state)
{
	uint8_t header[64], other = 0xff;
	(void)state;
	write_one();
	int fd = open(path, O_RDONLY);
	assert_int_equal(read(fd, header, sizeof(header)), sizeof(header));
	close(fd);
	header[BOOT_AT] ^= 1;
	uint64_t sum = XXH64(header, SUM_AT, 0);
	change(BOOT_AT, header + BOOT_AT, 1, true);
	change(SUM_AT, &sum, sizeof(sum), true);
	assert_true(opens());
	change(2048, &other, 1, true);
	assert_false(opens());
}

static void test_left_behind(void **state)
{
	char left[sizeof(path) + 8], held[sizeof(path) + 8], foreign[sizeof(path) + 8];
	(void)state;
	snprintf(left, sizeof(left), "%s.abcdef", path);
	snprintf(held, sizeof(held), "%s.fedcba", path);
	snprintf(foreign, sizeof(foreign), "%s.old", path);
	int fds[] = {open(left, O_RDWR | O_CREAT, 0600), open(held, O_RDWR | O_CREAT, 0600),
		     open(foreign, O_RDWR | O_CREAT, 0600)};
	assert_int_equal(flock(fds[1], LOCK_EX), 0);
	close(fds[0]);
	write_one();
	assert_int_equal(access(left, F_OK), -1);
	assert_int_equal(unlink(held), 0);
	assert_int_equal(unlink(foreign), 0);
	close(fds[1]);
	close(fds[2]);
}

static int make_folder(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/file", folder);
	return 0;
}

static int remove_folder(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_sections),
	    cmocka_unit_test(test_any_byte),
	    cmocka_unit_test(test_other_boot),
	    cmocka_unit_test(test_left_behind),
	};
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
