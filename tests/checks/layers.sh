#!/bin/sh
# layers.sh - a file includes only its own layer or lower ones (ARCHITECTURE.md).
#
# Knowledge stays where it belongs: libelf and libdw in core/, glibc's malloc in heapwalk/glibc/,
# SQLite in heapwalk/query/ and the SQLite export.
cd "$(dirname "$0")/../.." || exit 2

find core heapwalk gdbplugin include -name '*.[ch]' | sort | xargs awk '
function rank(path) {
	if (path ~ /^core\/base\//) return 1
	if (path ~ /^core\/elf\//) return 2
	if (path ~ /^core\/image\//) return 3
	if (path ~ /^core\/process\//) return 4
	if (path ~ /^core\/symbols\//) return 5
	if (path ~ /^core\//) return 6
	if (path ~ /^heapwalk\/(allocator|allocator_saved|layered|spans)\./) return 10
	if (path ~ /^include\/glibc_malloc/) return 10
	if (path ~ /^heapwalk\/(glibc|pymalloc)\//) return 11
	if (path ~ /^heapwalk\/graph\//) return 12
	if (path ~ /^heapwalk\/typing\//) return 13
	if (path ~ /^heapwalk\/(analysis|evidence|index|index_prune|index_private|memory)\./) return 14
	if (path ~ /^include\/heapforensics/) return 14
	if (path ~ /^heapwalk\/library\./) return 15
	if (path ~ /^heapwalk\/views\//) return 16
	if (path ~ /^heapwalk\/output\//) return 17
	if (path ~ /^heapwalk\/query\//) return 18
	if (path ~ /^heapwalk\/explore\//) return 19
	if (path ~ /^heapwalk\/cli\//) return 20
	if (path ~ /^gdbplugin\//) return 21
	return 0
}
function complain(what) { printf "%s:%d: %s\n", FILENAME, FNR, what; bad = 1 }
/^#include "/ {
	split($0, part, "\"")
	if (rank(FILENAME) == 0) complain("this file belongs to no layer")
	if (rank(part[2]) == 0) complain(part[2] " belongs to no layer")
	if (rank(part[2]) > rank(FILENAME)) complain("includes a higher layer: " part[2])
	if (part[2] ~ /glibc_malloc/ && FILENAME !~ /^heapwalk\/glibc\// && FILENAME !~ /^include\//)
		complain("only heapwalk/glibc/ knows glibc")
}
/^#include <(elfutils\/|libelf|gelf|libdw|dwarf|elf\.h)/ {
	if (FILENAME !~ /^core\//) complain("ELF and DWARF belong in core/")
}
/^#include <sqlite3/ {
	if (FILENAME !~ /^heapwalk\/query\// && FILENAME !~ /^heapwalk\/output\/export_sqlite/)
		complain("SQL belongs in heapwalk/query/")
}
/^#include <(n?curses|term\.h)/ {
	if (FILENAME !~ /^heapwalk\/explore\/screen/) complain("the terminal belongs in heapwalk/explore/screen*.c")
}
END { exit bad }
'
