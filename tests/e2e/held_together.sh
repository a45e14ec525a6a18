#!/bin/sh
# held_together.sh - objects of one type that several holders share each, and that keep the heap
# together: the verdict names them, what it proposes works, and all their chains are merged. Where
# each has a holder of its own, it says that none of these dominates.
. fixtures/core.sh
command -v python3 >/dev/null || { echo "python3 is not installed"; exit 77; }
work=$(new_folder)
trap 'rm -rf "$work"' EXIT

dump "$work/core" "$FIX/shared_pages" || exit 1
"$HF" report --json -q "$work/core" "$FIX/shared_pages" >"$work/report.json" || exit 1
dump "$work/alone" "$FIX/shared_pages" alone || exit 1
"$HF" report --json -q "$work/alone" "$FIX/shared_pages" >"$work/alone.json" || exit 1
hint=$("$HF" report -q "$work/core" "$FIX/shared_pages" | sed -n '/^NEXT/{n;p;}')
case $hint in
*"'--type=struct page'") ;;
*) echo "WRONG: the first hint is $hint"; exit 1 ;;
esac
hint=$("$HF" report -q "$work/alone" "$FIX/shared_pages" | sed -n '/^NEXT/{n;p;}')
case $hint in
*"heapforensics dominators "*" --by=holder") ;;
*) echo "WRONG: where each has a holder of its own the first hint is $hint"; exit 1 ;;
esac
"$HF" path --json -q --all "$work/core" "$FIX/shared_pages" --type='struct page' \
	>"$work/path.json" || { echo "WRONG: path --type failed"; exit 1; }
"$HF" path -q "$work/core" "$FIX/shared_pages" --type='struct page' >"$work/path" || exit 1
grep -q '^ *55 more lines are not shown: --all' "$work/path" ||
	{ echo "WRONG: path --type does not say what it left out:"; tail -n 2 "$work/path"; exit 1; }
python3 - "$work/report.json" "$work/path.json" "$work/alone.json" <<'END'
import json
import sys

PAGES, CHUNK = 40, 16400

with open(sys.argv[1], encoding="utf-8") as file:
    report = json.load(file)
with open(sys.argv[2], encoding="utf-8") as file:
    rows = json.load(file)["merged"]["paths"]
with open(sys.argv[3], encoding="utf-8") as file:
    alone = json.load(file)
wrong = 0


def expect(what, got, should):
    global wrong
    if got != should:
        print("WRONG: %s is %r, should be %r" % (what, got, should))
        wrong = 1


sentence = report["verdict"]["sentence"]
expect("the verdict", sentence.startswith(
    "Retention, not a leak: 40 x struct page together keep 641 KiB alive (100 % of"), True)
expect("its variable", "(which g_page_" in sentence, True)
expect("a page a variable", alone["verdict"]["sentence"].startswith(
    "No single holder dominates the 641 KiB in use: the biggest, g_page_"), True)
# Every page by way of its variable, which is nearer than the index.
roots = [row for row in rows if row["what"].startswith("g_page_")]
expect("roots", len(roots), PAGES)
expect("pages", sum(row["own_count"] for row in rows), PAGES)
expect("bytes", sum(row["shallow_bytes"] for row in roots), PAGES * CHUNK)
sys.exit(wrong)
END
