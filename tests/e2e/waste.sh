#!/bin/sh
# waste.sh - what the waste command says of a program that knows how many elements its containers
# have, and what it holds twice.
. fixtures/core.sh
command -v python3 >/dev/null || { echo "python3 is not installed"; exit 77; }
work=$(new_folder)
trap 'rm -rf "$work"' EXIT

dump "$work/core" "$FIX/cxx_containers" || exit 1
"$HF" waste --json -q "$work/core" "$FIX/cxx_containers" >"$work/waste.json" || exit 1
python3 - "$work/waste.json" <<'END'
import json
import sys

with open(sys.argv[1], encoding="utf-8") as file:
    waste = json.load(file)
wrong = 0


def expect(what, got, should):
    global wrong
    if got != should:
        print("WRONG: %s is %r, should be %r" % (what, got, should))
        wrong = 1


kinds = {row["type"]: row for row in waste["containers"]["containers"]}
for name in ("std::map<std::string, int>", "std::set<std::string>", "std::list<std::string>",
             "std::multimap<int, std::string>", "std::unordered_set<std::string>",
             "std::unordered_map<int, std::unique_ptr<app::Session>>",
             "std::vector<app::Base*>"):
    expect(name, (kinds[name]["count"], kinds[name]["elements"]), (1, 500))
# 500 sessions have 0 to 49 numbers each, and the priority queue has 500.
ints = kinds["std::vector<int>"]
expect("std::vector<int>", (ints["count"], ints["elements"], ints["empty"]),
       (501, sum(i % 50 for i in range(500)) + 500, 10))
# Grown by doubling: room for 512 pointers.
expect("unused", kinds["std::vector<app::Base*>"]["unused_bytes"], 12 * 8)
same = [row for row in waste["duplicates"]["duplicates"] if "a derived object" in row["content"]]
expect("equal names", [(row["count"], row["gain_bytes"]) for row in same], [(502, 501 * 48)])
slack = {row["type"]: row for row in waste["slack"]["types"]}
expect("slack of app::Derived", slack["app::Derived"]["slack_bytes"], 501 * (72 - 64))
sys.exit(wrong)
END
