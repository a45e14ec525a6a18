#!/usr/bin/env python3
"""compare_nodes.py NODES OBJECTS HOLDERS: what a viewer found is what we say.

NODES     "TYPE ID SELF RETAINED NAME" a line, in the order of the snapshot: the viewer's figures
OBJECTS   CSV of chunk_size,retained,type of our objects by id
HOLDERS   CSV of retained,name of our holders by id

Continuation nodes of objects beyond the viewers' 32 bits stand behind the objects.
"""
import csv
import sys


def rows(path):
    return list(csv.reader(open(path)))[1:]


nodes = [line.rstrip("\n").split(" ", 4) for line in open(sys.argv[1], errors="replace")]
objects, holders = rows(sys.argv[2]), rows(sys.argv[3])
first = next((i for i, n in enumerate(nodes) if n[0] == "object"), len(nodes))
tops, theirs = nodes[:first], nodes[first:]
parts = [n for n in theirs if n[4] == "(continued)"]
theirs = theirs[: len(theirs) - len(parts)]
bad = 0


def check(what, is_, should):
    global bad
    if is_ != should:
        bad += 1
        if bad < 20:
            print(f"WRONG: {what}: {is_}, should be {should}")


ids = [n[1] for n in nodes]
check("distinct ids", len(set(ids)), len(ids))
check("ids fit into 32 bits", all(0 < int(i) < 1 << 32 for i in ids), True)
check("objects", len(theirs), len(objects))
check("retained by the root", int(nodes[0][3]), sum(int(o[0]) for o in objects))
continued = sum(int(p[2]) for p in parts)
check("self sizes", sum(int(n[2]) for n in theirs) + continued, sum(int(o[0]) for o in objects))
for index, (node, (size, retained, type_)) in enumerate(zip(theirs, objects)):
    check(f"retained of object {index}", int(node[3]), int(retained))
    check(f"type of object {index}", node[4], type_)
    if not parts:
        check(f"size of object {index}", int(node[2]), int(size))
ours = sorted((int(r), name) for r, name in holders)
named = sorted((int(n[3]), n[4]) for n in tops[len(tops) - len(ours) :])
check("holders", named, ours)
print(f"{len(theirs)} objects, {len(ours)} holders, {len(parts)} continuations, {bad} wrong")
sys.exit(bool(bad))
