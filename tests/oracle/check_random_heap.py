#!/usr/bin/env python3
"""check_random_heap.py TOOL CORE BINARY TRUTH - hold the tool's objects, leak kinds, dominators
and retained sizes against what the program wrote about itself.

The dominators are computed here by the simple iterative algorithm (Cooper, Harvey, Kennedy),
from the truth's own pointers; nothing of the tool is used but its answers."""
import bisect
import csv
import io
import subprocess
import sys


def query(tool, core, binary, sql):
    out = subprocess.run([tool, "query", "--csv", "-q", "--no-heuristics", core, binary, sql],
                         check=True, stdout=subprocess.PIPE).stdout.decode()
    return list(csv.DictReader(io.StringIO(out)))


class Truth:
    def __init__(self, path):
        self.usable, self.freed, self.edges, self.roots = {}, [], [], []
        for line in open(path):
            word = line.split()
            if word[0] == "object":
                self.usable[int(word[1], 16)] = int(word[3])
            elif word[0] == "freed":
                self.freed.append(int(word[1], 16))
            elif word[0] == "edge":
                self.edges.append((int(word[1], 16), int(word[3], 16)))
            else:
                self.roots.append((int(word[1], 16), int(word[2], 16)))
        self.starts = sorted(self.usable)

    def target(self, value):
        """(object, is its start) that a word's value points at, or None."""
        i = bisect.bisect_right(self.starts, value) - 1
        if i < 0 or value - self.starts[i] >= self.usable[self.starts[i]]:
            return None
        return self.starts[i], value == self.starts[i]


def reach(sources, succ, start_only, seen, only=None):
    stack = list(sources)
    while stack:
        node = stack.pop()
        for to, start in succ.get(node, ()):
            if (start or not start_only) and to not in seen and (only is None or to in only):
                seen.add(to)
                stack.append(to)
    return seen


def lost_leaders(lost, succ):
    """Lowest address of each source component of the lost graph (Kosaraju)."""
    order, seen = [], set()
    for first in lost:
        if first in seen:
            continue
        seen.add(first)
        stack = [(first, iter(succ.get(first, ())))]
        while stack:
            node, targets = stack[-1]
            for to, _ in targets:
                if to in lost and to not in seen:
                    seen.add(to)
                    stack.append((to, iter(succ.get(to, ()))))
                    break
            else:
                order.append(node)
                stack.pop()
    pred = {}
    for node in lost:
        for to, _ in succ.get(node, ()):
            if to in lost:
                pred.setdefault(to, []).append(node)
    component = {}
    for first in reversed(order):
        if first in component:
            continue
        component[first] = first
        stack = [first]
        while stack:
            for to in pred.get(stack.pop(), ()):
                if to not in component:
                    component[to] = first
                    stack.append(to)
    entered = {component[to] for node in lost for to, _ in succ.get(node, ())
               if to in lost and component[to] != component[node]}
    lowest = {}
    for node in lost:
        name = component[node]
        if name not in entered:
            lowest[name] = min(lowest.get(name, node), node)
    return set(lowest.values())


def dominators(root, tops, succ, among):
    """idom by node, over root -> tops and succ within among."""
    def targets(node):
        return tops if node == root else [to for to, _ in succ.get(node, ()) if to in among]
    number, order, stack = {root: 0}, [], [(root, iter(targets(root)))]
    while stack:
        node, rest = stack[-1]
        for to in rest:
            if to not in number:
                number[to] = 0
                stack.append((to, iter(targets(to))))
                break
        else:
            number[node] = len(order)
            order.append(node)
            stack.pop()
    pred = {}
    for node in order:
        for to in targets(node):
            pred.setdefault(to, []).append(node)
    idom = {root: root}
    changed = True
    while changed:
        changed = False
        for node in reversed(order[:-1]):
            new = None
            for p in pred[node]:
                if p not in idom:
                    continue
                if new is None:
                    new = p
                    continue
                a, b = p, new
                while a != b:
                    while number[a] < number[b]:
                        a = idom[a]
                    while number[b] < number[a]:
                        b = idom[b]
                new = a
            if idom.get(node) != new:
                idom[node] = new
                changed = True
    return idom, order


def main():
    tool, core, binary, path = sys.argv[1:5]
    truth = Truth(path)
    objects = query(tool, core, binary, "SELECT id, address, usable, chunk_size, kind, leak_kind, "
                    "retained, dominator FROM objects")
    holders = query(tool, core, binary, "SELECT id, kind, name, address, size, retained FROM holders")
    chunks = query(tool, core, binary, "SELECT address, size, state FROM chunks")
    errors = []

    def wrong(*what):
        errors.append(" ".join(str(w) for w in what))

    tool_of = {int(o["address"], 16): o for o in objects}
    address_of = {int(o["id"]): int(o["address"], 16) for o in objects}
    for address, usable in truth.usable.items():
        o = tool_of.get(address)
        if o is None:
            wrong("object missing", hex(address), usable)
        elif int(o["usable"]) != usable:
            wrong("usable", hex(address), o["usable"], usable)
    for address in truth.freed:
        if address in tool_of and address not in truth.usable:
            wrong("freed block told as object", hex(address))
    size_of_chunk = {int(c["address"], 16) + 16: (int(c["size"]), c["state"]) for c in chunks}
    for address in truth.usable:
        size, state = size_of_chunk.get(address, (0, "none"))
        if state not in ("inuse", "mmapped") or str(size) != tool_of[address]["chunk_size"]:
            wrong("chunk", hex(address), size, state)

    # The graph: holders are found by the address of the slot.
    holder_at = sorted((int(h["address"], 16), int(h["address"], 16) + int(h["size"]), int(h["id"]))
                       for h in holders if h["address"])
    succ, held = {}, set()
    for slot, value in truth.roots:
        to = truth.target(value)
        if to is None:
            continue
        i = bisect.bisect_right(holder_at, (slot, 1 << 64, 0)) - 1
        if i < 0 or slot >= holder_at[i][1]:
            wrong("no holder for the root at", hex(slot))
            continue
        node = ("holder", holder_at[i][2])
        held.add(node)
        succ.setdefault(node, []).append(to)
    for source, value in truth.edges:
        to = truth.target(value)
        if to is not None and to[0] != source:
            succ.setdefault(source, []).append(to)
    reachable = reach(held, succ, True, set())
    reached = reach(reachable | held, succ, False, set(reachable))
    lost = set(truth.usable) - reached
    leaders = lost_leaders(lost, succ)
    idom, order = dominators("root", sorted(held), succ, reached)
    lost_idom, lost_order = dominators("root", sorted(leaders), succ, lost)

    retained = {}
    for some, by in ((idom, order), (lost_idom, lost_order)):
        for node in by[:-1]:
            own = int(tool_of[node]["chunk_size"]) if node in tool_of else 0
            retained[node] = retained.get(node, 0) + own
            if some[node] != "root":
                retained[some[node]] = retained.get(some[node], 0) + retained[node]
    idom.update(lost_idom)
    for address in truth.usable:
        o = tool_of.get(address)
        if o is None:
            continue
        kind = ("reachable" if address in reachable else "possible" if address in reached
                else "definite" if address in leaders else "indirect")
        if o["leak_kind"] != kind:
            wrong("leak kind", hex(address), o["leak_kind"], "should be", kind)
        above = int(o["dominator"])
        above = address_of.get(above, ("holder", above))
        want = idom[address]
        if above != want and not (want == "root" and above == ("holder", root_id(objects, holders))):
            wrong("dominator", hex(address), above, "should be", want)
        if int(o["retained"]) != retained[address]:
            wrong("retained", hex(address), o["retained"], "should be", retained[address])
    for h in holders:
        node = ("holder", int(h["id"]))
        if node in held and int(h["retained"]) != retained.get(node, 0):
            wrong("retained of holder", h["name"], h["retained"], retained.get(node, 0))
    print("%d objects (%d of libc), %d reachable, %d possible, %d definite, %d indirect, %d freed"
          % (len(truth.usable), len(objects) - len(truth.usable), len(reachable),
             len(reached) - len(reachable), len(leaders), len(lost) - len(leaders),
             len(truth.freed)))
    for error in errors[:20]:
        print("WRONG:", error)
    if errors:
        print(len(errors), "differences")
    return 1 if errors else 0


def root_id(objects, holders):
    return len(objects) + len(holders)


sys.exit(main())
