#!/bin/sh
# types_sqlite.sh - SQLite's pages are as many as it has in its cache, its connections and statements
# stand where the program got them; without debug information.
. fixtures/core.sh
pkg-config --exists sqlite3 2>/dev/null || { echo "libsqlite3-dev is not installed"; exit 77; }
work=$(new_folder)
trap 'rm -rf "$work"' EXIT
status=0

gcc -std=gnu11 -D_GNU_SOURCE -O1 -w -o "$work/program" fixtures/optional/sqlite_objects.c \
	$(pkg-config --cflags --libs sqlite3) || exit 1
dump "$work/core" "$work/program" "$work/truth" || exit 1

# In the truth, and found: at the address, or behind the size that SQLite keeps in front.
placed() { # KIND TYPE
	told=$(sed -n "s/^$1 //p" "$work/truth" | while read -r at; do printf '%d,' "$at"; done)
	wanted=$(grep -c "^$1 " "$work/truth")
	"$HF" query --csv -q "$work/core" "SELECT count(*),
		sum(address IN (${told%,}) OR address + 8 IN (${told%,}))
		FROM objects WHERE type = '$2'" | tail -n 1 | tr -d '\r' >"$work/found"
	echo "$2: $wanted, found and rightly placed: $(cat "$work/found")"
	[ "$(cat "$work/found")" = "$wanted,$wanted" ] || { echo "WRONG"; status=1; }
}

counted() { # WORD TYPE
	wanted=$(sed -n "s/^$1 //p" "$work/truth")
	found=$("$HF" query --csv -q "$work/core" \
		"SELECT count(*) FROM objects WHERE type = '$2'" | tail -n 1 | tr -d '\r')
	echo "$2: $wanted, found: $found"
	[ "$found" = "$wanted" ] || { echo "WRONG"; status=1; }
}

placed connection 'SQLite connection'
placed statement 'SQLite statement'
counted pages 'SQLite page'
counted bulks 'SQLite pages'
exit $status
