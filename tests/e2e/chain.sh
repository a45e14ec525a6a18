#!/bin/sh
# chain.sh - memory that a long list keeps piles up in the list: SUSPECTS names it by its type and its
# first object, which keeps all of it, and `path` leads there.
. fixtures/core.sh
command -v python3 >/dev/null || { echo "python3 is not installed"; exit 77; }
work=$(new_folder)
trap 'rm -rf "$work"' EXIT

dump "$work/core" "$FIX/bench_heap" list 20000 2>/dev/null || exit 1
"$HF" report --json -q "$work/core" "$FIX/bench_heap" >"$work/report.json" || exit 1
address=$(python3 - "$work/report.json" <<'END'
import json
import re
import sys

with open(sys.argv[1], encoding="utf-8") as file:
    suspects = json.load(file)["suspects"]["suspects"]
for suspect in suspects:
    told = re.fullmatch(r"over 1,000 x (.+) in a chain from (0x[0-9a-f]+)", suspect["accumulation"])
    assert told, suspect
    assert told[2] == suspect["accumulation_address"], suspect
    assert suspect["accumulation_bytes"] > 0.9 * suspect["retained_bytes"], suspect
print(suspects[0]["accumulation_address"])
END
) || { echo "WRONG: the list is not told"; exit 1; }
"$HF" object --json -q "$work/core" "$FIX/bench_heap" "$address" >"$work/object.json" || exit 1
python3 - "$work/report.json" "$work/object.json" <<'END'
import json
import sys

report, found = (json.load(open(path, encoding="utf-8")) for path in sys.argv[1:])
first = report["suspects"]["suspects"][0]
text = json.dumps(found)
assert str(first["accumulation_bytes"]) in text, (first, text)
END
