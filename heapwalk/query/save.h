/*
 * save.h - exports that are the tables of query.h themselves: an SQLite file, lines of JSON.
 */
#ifndef HF_HEAPWALK_QUERY_SAVE_H
#define HF_HEAPWALK_QUERY_SAVE_H

#include "heapwalk/output/export.h"

extern const struct hf_export_ops hf_export_sqlite, hf_export_ndjson;

#endif
