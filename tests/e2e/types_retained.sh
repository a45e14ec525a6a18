#!/bin/sh
# types_retained.sh - what a type keeps counts once, also where others stand between two of it.
. fixtures/core.sh
command -v python3 >/dev/null || { echo "python3 is not installed"; exit 77; }
work=$(new_folder)
trap 'rm -rf "$work"' EXIT

dump "$work/core" "$FIX/alternating" || exit 1
"$HF" types --json -q "$work/core" "$FIX/alternating" >"$work/types.json" || exit 1
"$HF" query --json -q "$work/core" "$FIX/alternating" \
	"SELECT id, type, dominator, retained FROM objects" >"$work/objects.json" || exit 1
python3 - "$work/types.json" "$work/objects.json" <<'END'
import json
import sys

with open(sys.argv[1], encoding="utf-8") as file:
    types = {row["type"]: row for row in json.load(file)["histogram"]["types"]}
with open(sys.argv[2], encoding="utf-8") as file:
    objects = {row["id"]: row for row in json.load(file)["rows"]}


def topmost(row):
    above = objects.get(row["dominator"])
    while above:
        if above["type"] == row["type"]:
            return False
        above = objects.get(above["dominator"])
    return True


wrong = 0
for name, each in (("struct first", 48), ("struct second", 96)):
    row = types[name]
    got = row["count"], row["shallow_bytes"], row["retained_bytes"]
    kept = sum(o["retained"] for o in objects.values() if o["type"] == name and topmost(o))
    should = 500, 500 * each, kept
    # A stray word on the stack may hold a node near the end beside the list.
    if got != should or not 500 * 144 - 1000 <= kept <= 500 * 144:
        print("WRONG: %s is %r, should be %r" % (name, got, should))
        wrong = 1
sys.exit(wrong)
END
