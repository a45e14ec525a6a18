#!/bin/sh
# export.sh - the exports that are written on several threads: whatever their number the bytes are
# the same, of SQLite the rows; huge objects, which go their own way; names of fields, from DWARF,
# which one thread at a time may ask for.
. fixtures/core.sh
work=$(new_folder)
trap 'rm -rf "$work"' EXIT
status=0
wrong() {
	echo "WRONG: $*"
	status=1
}

cat >"$work/shop.c" <<'C'
#include <signal.h>
#include <stdlib.h>
#include <string.h>
struct item { struct item *next; char *label; struct item *peer; long price; } *g_items;
struct item **g_table;
char *g_text;
enum { ITEMS = 30000, SLOTS = 400000 };
int main(void)
{
	g_table = calloc(SLOTS, sizeof(*g_table));
	for (int i = 0; i < ITEMS; i++) {
		struct item *item = calloc(1, sizeof(*item));
		item->label = strdup("a \"label\"");
		item->price = i;
		item->next = g_items;
		item->peer = g_table[i * 7 % SLOTS];
		g_items = item;
		g_table[i * 13 % SLOTS] = item;
		if (i % 9 == 0)
			strdup("lost");
	}
	for (int i = 0; i < SLOTS; i += 3)
		g_table[i] = g_items;
	g_text = malloc(3 << 20);
	memset(g_text, 'x', 3 << 20);
	raise(SIGABRT);
}
C
gcc -g -O0 -o "$work/shop" "$work/shop.c" || exit 1
dump "$work/core" "$work/shop" || exit 1

export_on() { # THREADS FORMAT
	"$HF" export -q --no-index --threads="$1" --format="$2" -o "$work/$2.$1" "$work/core" \
		"$work/shop" || wrong "$2 on $1 threads"
}
for format in ndjson hprof sqlite; do
	for threads in 1 2 5; do
		export_on $threads $format
	done
done
for threads in 2 5; do
	cmp "$work/ndjson.1" "$work/ndjson.$threads" || wrong "ndjson differs on $threads threads"
	cmp "$work/hprof.1" "$work/hprof.$threads" || wrong "hprof differs on $threads threads"
done

# A link is followed, to a file that is there and to one that is not yet.
mkdir "$work/there"
ln -s there/folded "$work/link"
for round in first second; do
	"$HF" export -q --no-index --format=folded -o "$work/link" "$work/core" "$work/shop" ||
		wrong "the $round export over a link"
	[ -L "$work/link" ] && [ -s "$work/there/folded" ] ||
		wrong "the $round export did not follow a link"
done

# Lines of refs are the rows of refs, fields named; what is NULL is not there.
[ "$(grep -c '"table":"refs".*"field":"next"}' "$work/ndjson.5")" -ge 29999 ] ||
	wrong "fields in ndjson"
grep -q ':null' "$work/ndjson.5" && wrong "null in ndjson"

tables="objects nodes refs chunks holders arenas threads mappings modules types findings meta"
for threads in 1 2 5; do
	file=$work/sqlite.$threads
	[ "$(sqlite3 "$file" 'PRAGMA integrity_check')" = ok ] || wrong "integrity on $threads threads"
	for table in $tables; do
		sqlite3 "$file" "SELECT * FROM $table"
	done >"$work/rows.$threads"
	cmp "$work/rows.1" "$work/rows.$threads" || wrong "rows on $threads threads"
done
lines=$(grep -c '"table":"refs"' "$work/ndjson.1")
rows=$(sqlite3 "$work/sqlite.5" 'SELECT count(*) FROM refs')
asked=$("$HF" query -q --no-index --csv "$work/core" "$work/shop" 'SELECT count(*) FROM refs' |
	tail -n 1)
[ "$lines" -gt 133333 ] && [ "$lines" = "$rows" ] && [ "$rows" = "$asked" ] ||
	wrong "refs: $lines lines, $rows rows, $asked asked for"

# Each index gives what a scan gives.
for column in type dominator retained; do
	for value in $(sqlite3 "$work/sqlite.5" "SELECT DISTINCT $column FROM object_rows LIMIT 6"); do
		sqlite3 "$work/sqlite.5" "SELECT group_concat(id) FROM
			(SELECT id FROM object_rows WHERE $column = $value ORDER BY id);
			SELECT group_concat(id) FROM
			(SELECT id FROM object_rows WHERE +$column = $value ORDER BY id)" |
			uniq | wc -l | grep -qx 1 || wrong "index over $column = $value"
	done
done
exit $status
