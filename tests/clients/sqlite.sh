#!/bin/sh
# sqlite.sh - the sqlite3 shell opens our file: it is sound, indexed, and says what query says.
. tests/clients/common.inc
need sqlite3 sqlite3

core_of demo cases cxx random
for case in demo cases cxx random; do
	export_of $case sqlite
	file=$work/$case.sqlite
	[ "$(sqlite3 "$file" 'PRAGMA integrity_check; PRAGMA foreign_key_check')" = ok ] ||
		wrong "$case: integrity_check"
	tables=$(sqlite3 "$file" "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') AND name != 'meta'")
	for table in objects nodes refs chunks holders arenas threads mappings modules types findings; do
		echo "$tables" | grep -qx $table || wrong "$case: there is no table $table"
		"$HF" query --csv -q "$work/$case.core" "$(program_of $case)" \
			"SELECT * FROM $table" >"$work/ours"
		sqlite3 -csv -header "$file" "SELECT * FROM $table" >"$work/theirs"
		# Two writers of CSV: the cells count. Addresses are numbers there, 0x... here.
		python3 - "$work/ours" "$work/theirs" <<'PYTHON' || wrong "$case: table $table differs"
import csv, sys
def rows(path):
    def cell(text):
        if text.startswith("0x"):
            number = int(text, 16)
            return str(number - (1 << 64) if number >> 63 else number)
        try:
            return repr(float(text)) if "." in text else text
        except ValueError:
            return text
    return [[cell(c) for c in row] for row in csv.reader(open(path))]
ours, theirs = (rows(path) for path in sys.argv[1:])
print(f"{len(ours)} rows")
if not theirs: # the shell prints no header then
    ours = ours[1:]
for a, b in zip(ours, theirs):
    if a != b:
        sys.exit(f"ours {a}\ntheirs {b}")
sys.exit(len(ours) != len(theirs))
PYTHON
	done
	for condition in "address = 4096" "type = 'text'" "dominator = 3"; do
		sqlite3 "$file" "EXPLAIN QUERY PLAN SELECT * FROM objects WHERE $condition" |
			grep -q 'USING .*INDEX' || wrong "$case: no index for $condition"
	done
	[ "$(sqlite3 "$file" "SELECT value FROM meta WHERE name = 'schema'")" = heapforensics/1 ] ||
		wrong "$case: meta"
done
exit $status
