/*
 * stash.h - a file of named sections that is written once and mapped again: the index's container.
 *
 *	header | section | section | ... | table of sections
 *
 * Every section begins on a 64-byte boundary. The header, the table and each section have a
 * checksum (XXH64). A file appears under its name whole or not at all.
 *
 * What is checked when one is opened: owner, header, table, every section's bounds. Sections'
 * checksums are computed if the file's modification time is not the one that its writer gave it
 * (whoever changes a byte changes the time), and if the machine has been started anew since (the
 * disk may not have got all of it). So a file of gigabytes opens in microseconds, and a changed
 * one is noticed.
 */
#ifndef HF_CORE_BASE_STASH_H
#define HF_CORE_BASE_STASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"

enum { HF_STASH_NAME = 24 };

struct hf_stash_writer;

/* Begin a file that will be called @path; its folder must exist. */
struct hf_error *hf_stash_create(const char *path, struct hf_stash_writer **ret);

/*
 * Add section @name (shorter than HF_STASH_NAME; unique). What goes wrong is remembered, and
 * hf_stash_commit() tells. A section of several pieces: begin, then any number of appends.
 */
void hf_stash_add(struct hf_stash_writer *writer, const char *name, const void *data, size_t bytes);
void hf_stash_begin(struct hf_stash_writer *writer, const char *name);
void hf_stash_append(struct hf_stash_writer *writer, const void *data, size_t bytes);

/* Finish the file and give it its name. Consumes @writer; on failure nothing is left behind. */
struct hf_error *hf_stash_commit(struct hf_stash_writer *writer);
void hf_stash_abort(struct hf_stash_writer *writer);

struct hf_stash;

/* HF_ERR_NOT_FOUND: there is none. HF_ERR_FORMAT: it is damaged, of another version, or foreign. */
struct hf_error *hf_stash_open(const char *path, struct hf_stash **ret);
void hf_stash_close(struct hf_stash *stash);

/* A section, read-only, NULL if there is none; valid until the stash is closed. */
const void *hf_stash_get(const struct hf_stash *stash, const char *name, size_t *ret_bytes);

/* A section of exactly @count elements of @size bytes, else NULL. */
const void *hf_stash_array(const struct hf_stash *stash, const char *name, size_t count,
			   size_t size);

#endif
