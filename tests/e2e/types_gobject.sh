#!/bin/sh
# types_gobject.sh - GObject's instances are of the classes that GLib says they are of, its hash tables
# are found, with their arrays, and its lists and arrays where debug information leads to them.
. fixtures/core.sh
command -v python3 >/dev/null || { echo "python3 is not installed"; exit 77; }
pkg-config --exists gobject-2.0 2>/dev/null || { echo "libglib2.0-dev is not installed"; exit 77; }
work=$(new_folder)
trap 'rm -rf "$work"' EXIT

# Without debug information: what GLib itself keeps has to do.
# shellcheck disable=SC2046
gcc -std=gnu11 -D_GNU_SOURCE -I. -O1 -w -o "$work/program" fixtures/optional/gobject_types.c \
	$(pkg-config --cflags --libs gobject-2.0) || exit 1
# Until 2.76 GLib carves small blocks out of big ones itself, unless it is told not to.
G_SLICE=always-malloc dump "$work/core" "$work/program" "$work/truth" || exit 1
"$HF" query --csv -q "$work/core" "$work/program" \
	"SELECT address, type, type_source, usable FROM objects" >"$work/types.csv" || exit 1
python3 tests/oracle/check_types.py "$work/truth" "$work/types.csv" 100 100
status=$?
tables=$("$HF" query --csv -q "$work/core" "$work/program" "SELECT
		sum(type = 'GHashTable') - sum(type IN ('GHashTable keys', 'GHashTable small keys')),
		sum(type = 'GHashTable') - sum(type = 'GHashTable hashes')
	FROM objects" | tail -n 1 | tr -d '\r')
[ "$tables" = 0,0 ] || { echo "WRONG: tables without keys or hashes: $tables"; status=1; }

# With it: lists and arrays, by what leads to them.
# shellcheck disable=SC2046
gcc -std=gnu11 -D_GNU_SOURCE -I. -O1 -g -w -o "$work/program" fixtures/optional/glib_lists.c \
	$(pkg-config --cflags --libs glib-2.0) || exit 1
G_SLICE=always-malloc dump "$work/core" "$work/program" "$work/truth" || exit 1
"$HF" query --csv -q --no-index "$work/core" "$work/program" \
	"SELECT address, type, type_source, usable FROM objects" >"$work/types.csv" || exit 1
python3 tests/oracle/check_types.py "$work/truth" "$work/types.csv" 100 100 || status=1
exit $status
