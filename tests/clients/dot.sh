#!/bin/sh
# dot.sh - Graphviz draws our graph: each box and its retained bytes arrive, whatever names hold.
. tests/clients/common.inc
need dot graphviz

check() { # CASE
	dot -Tsvg "$work/$1.dot" -o "$work/$1.svg" 2>"$work/dot.err" || wrong "$1: dot fails"
	[ ! -s "$work/dot.err" ] || wrong "$1: dot says: $(cat "$work/dot.err")"
	# dot's own reading of it, as JSON: each box within the one it hangs on.
	dot -Tjson "$work/$1.dot" | python3 -c '
import json, sys
graph = json.load(sys.stdin)
boxes = {o["_gvid"]: int(o["comment"].split("=")[1]) for o in graph["objects"]}
below = {}
for edge in graph.get("edges", []):
    below.setdefault(edge["tail"], []).append(edge["head"])
print(len(boxes), "boxes")
assert boxes and len(graph.get("edges", [])) == len(boxes) - 1
for box, heads in below.items():
    assert sum(boxes[h] for h in heads) <= boxes[box]
' || wrong "$1: what dot read"
}

core_of demo cases cxx random
for case in demo cases cxx random; do
	export_of $case dot
	check $case
done
export_of demo dot g_sessions --depth=3 --top=4
check demo
retained=$(ask demo "SELECT retained FROM holders WHERE name = 'g_sessions'")
dot -Tjson "$work/demo.dot" | grep -q "retained_bytes=$retained" || wrong "g_sessions retains $retained"
grep -q 'g_sessions' "$work/demo.svg" || wrong "the drawing does not name g_sessions"

# Names that mean something to dot.
cat >"$work/odd.cc" <<'SOURCE'
#include <cstdlib>
template <class A, class B> struct Pair { virtual ~Pair() {} A a; B b; };
template <char C> struct Char { virtual ~Char() {} };
void *g_pair, *g_quote, *g_slash;
int main()
{
	g_pair = new Pair<Char<'{'>, Char<'|'> >;
	g_quote = new Char<'"'>;
	g_slash = new Char<'\\'>;
	abort();
}
SOURCE
need g++ g++
g++ -g -O1 -o "$work/odd.program" "$work/odd.cc" || exit 1
dump "$work/odd.core" "$work/odd.program" || exit 1
export_of odd dot
check odd
grep -q 'Pair&lt;Char&lt;' "$work/odd.svg" || wrong "the class's name did not arrive"
exit $status
