#!/usr/bin/env python3
"""check_random_heap.py [--nameless] TOOL CORE BINARY TRUTH [OPTION...] - hold the tool's objects,
leak kinds, dominators and retained sizes against what the program wrote about itself.

BINARY `-`: the tool gets the core alone. OPTIONs are the tool's. --nameless: there are no symbols,
so a root may be told as any kind of holder, at its own address.

The dominators are computed here by the simple iterative algorithm (Cooper, Harvey, Kennedy),
from the truth's own pointers; nothing of the tool is used but its answers."""
import bisect
import csv
import io
import subprocess
import sys


def query(tool, core, binary, options, sql):
    files = [core] if binary == "-" else [core, binary]
    out = subprocess.run([tool, "query", "--csv", "-q", "--no-heuristics"] + options + files + [sql],
                         check=True, stdout=subprocess.PIPE).stdout.decode()
    return list(csv.DictReader(io.StringIO(out)))


class Truth:
    """What the program wrote (its format: fixtures/random_heap.c), checked against itself."""

    def __init__(self, path):
        self.usable, self.chunk, self.freed = {}, {}, set()
        self.edges, self.roots, self.variables = [], [], []
        edges, past, dangling = [], [], []
        for line in open(path):
            kind, *word = line.split()
            if kind == "object":
                address = int(word[0], 16)
                self.usable[address], self.chunk[address] = int(word[2]), int(word[3])
            elif kind == "freed":
                self.freed.add(int(word[0], 16))
            elif kind == "edge":
                edges.append((int(word[0], 16), int(word[2], 16), int(word[3])))
            elif kind == "past":
                past.append(int(word[2], 16))
            elif kind == "dangling":
                dangling.append((int(word[0], 16), int(word[2], 16)))
            elif kind == "variable":
                self.variables.append((int(word[1], 16), int(word[2]), word[0], word[3]))
            elif kind == "root":
                self.roots.append((int(word[1], 16), int(word[2], 16), int(word[3])))
            else:
                sys.exit("unknown line in the truth: " + line)
        self.freed -= set(self.usable)
        self.starts = sorted(self.usable)
        self.variables.sort()
        for one, two in zip(self.starts, self.starts[1:]):
            assert one + self.usable[one] <= two, "blocks overlap"
        for source, target, offset in edges:
            assert self.target(target + offset) == (target, offset == 0), hex(target)
            self.edges.append((source, (target, offset == 0)))
        for value in past:
            assert self.target(value) is None, hex(value)
        for source, value in dangling:  # malloc may have given the address out again
            if self.target(value):
                self.edges.append((source, self.target(value)))

    def target(self, value):
        """(object, is its start) that a word's value points at, or None."""
        i = bisect.bisect_right(self.starts, value) - 1
        if i < 0 or value - self.starts[i] >= self.usable[self.starts[i]]:
            return None
        return self.starts[i], value == self.starts[i]

    def variable(self, slot):
        """(name, kind, address) of the variable that a root's word is in."""
        address, size, name, kind = self.variables[
            bisect.bisect_right(self.variables, (slot, 1 << 64, "", "")) - 1]
        assert address <= slot < address + size, hex(slot)
        return name, kind, address


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


HOLDER_KINDS = {"variable": ("variable",), "tls": ("tls",), "mapping": ("mapping",),
                "local": ("local", "frame", "stack")}


NAMED = ("variable", "tls", "local")


class Check:
    def __init__(self, arguments):
        self.nameless = arguments[0] == "--nameless"
        tool, core, binary, path = arguments[self.nameless:][:4]
        options = arguments[self.nameless:][4:]
        self.truth = Truth(path)
        with open(core, "rb") as file:  # EI_CLASS: a chunk's header is two words
            ident = file.read(5)
        self.header = 8 if ident == b"\x7fELF\x01" else 16  # or compressed: only 64-bit ones are

        def ask(sql):
            return query(tool, core, binary, options, sql)
        self.objects = ask("SELECT id, address, usable, chunk_size, kind, leak_kind, retained, "
                           "dominator FROM objects")
        self.nodes = ask("SELECT id, kind, name, address, retained, dominator FROM nodes")
        self.holders = ask("SELECT id, kind, name, address, size, retained FROM holders")
        self.chunks = ask("SELECT address, size, state FROM chunks")
        self.errors = []
        self.told = {int(o["address"], 16): o for o in self.objects}
        self.succ, self.held = {}, set()

    def wrong(self, *what):
        self.errors.append(" ".join(str(w) for w in what))

    def same(self, what, ours, want):
        if str(ours) != str(want):
            self.wrong(what, ours, "should be", want)

    def check_objects(self):
        """Each live block is an object, with its sizes; what was freed is none."""
        truth = self.truth
        for address, usable in truth.usable.items():
            o = self.told.get(address)
            if o is None:
                self.wrong("object missing", hex(address), usable)
                continue
            self.same("usable of " + hex(address), o["usable"], usable)
            self.same("chunk size of " + hex(address), o["chunk_size"], truth.chunk[address])
        for address, o in self.told.items():
            if address in truth.usable:
                continue
            if address in truth.freed and o["kind"] != "allocator":
                self.wrong("freed block told as object", hex(address))
            if truth.target(address) or truth.target(address + int(o["usable"]) - 1):
                self.wrong("object in another", hex(address))
        if len(self.told) != len(self.objects):
            self.wrong("objects told twice:", len(self.objects) - len(self.told))

    def check_chunks(self):
        inuse = {}
        end = 0
        for c in sorted(self.chunks, key=lambda c: int(c["address"], 16)):
            address, size = int(c["address"], 16), int(c["size"])
            if address < end:
                self.wrong("chunks overlap at", c["address"])
            end = address + size
            if c["state"] in ("inuse", "mmapped"):
                inuse[address + self.header] = size
        for address, size in self.truth.chunk.items():
            self.same("chunk in use at " + hex(address), inuse.get(address), size)
        for address in self.truth.freed:
            if address in inuse and address not in self.told:
                self.wrong("freed chunk in use", hex(address))
        if set(inuse) != set(self.told):
            self.wrong("chunks in use and objects differ:", *map(hex, set(inuse) ^ set(self.told)))

    def read_graph(self):
        """The truth's edges; a root's word belongs to the holder with its address."""
        truth = self.truth
        # Of two that begin at one place the smaller stands behind: a variable in its area.
        spans = sorted((int(h["address"], 16), -int(h["size"]), int(h["id"]), i)
                       for i, h in enumerate(self.holders) if h["address"])
        for slot, target, offset in truth.roots:
            to = truth.target(target + offset)
            assert to == (target, offset == 0)
            i = bisect.bisect_right(spans, (slot, 1, 0, 0)) - 1
            while i > 0 and slot >= spans[i][0] - spans[i][1] and spans[i - 1][0] == spans[i][0]:
                i -= 1
            name, kind, address = truth.variable(slot)
            if i < 0 or slot >= spans[i][0] - spans[i][1]:
                self.wrong("no holder for the root", name, "at", hex(slot))
                continue
            h = self.holders[spans[i][3]]
            area = self.nameless and h["name"] == "thread descriptor and TLS blocks"
            if kind in NAMED and h["kind"] in NAMED and not area:
                self.same("address of holder " + name, h["address"], hex(address))
                if name not in h["name"]:
                    self.wrong("holder", h["name"], "should be", name)
            if h["kind"] not in HOLDER_KINDS[kind] and not self.nameless:
                self.wrong("holder", name, "is of kind", h["kind"], "should be", HOLDER_KINDS[kind])
            node = ("holder", spans[i][2])
            self.held.add(node)
            self.succ.setdefault(node, []).append(to)
        for source, to in truth.edges:
            if to[0] != source:
                self.succ.setdefault(source, []).append(to)

    def compute(self):
        """Kinds, dominators and retained sizes, from the truth."""
        truth, succ = self.truth, self.succ
        reachable = reach(self.held, succ, True, set())
        reached = reach(reachable | self.held, succ, False, set(reachable))
        lost = set(truth.usable) - reached
        leaders = lost_leaders(lost, succ)
        self.kind = {}
        for address in truth.usable:
            self.kind[address] = ("reachable" if address in reachable else
                                  "possible" if address in reached else
                                  "definite" if address in leaders else "indirect")
        # What is lost keeps nothing alive that is not.
        self.idom, order = dominators("root", sorted(self.held), succ, reached)
        lost_idom, lost_order = dominators("root", sorted(leaders), succ, lost)
        self.retained = {}
        for idom, by in ((self.idom, order), (lost_idom, lost_order)):
            for node in by[:-1]:
                total = self.retained.get(node, 0) + truth.chunk.get(node, 0)
                self.retained[node] = total
                if idom[node] != "root":
                    self.retained[idom[node]] = self.retained.get(idom[node], 0) + total
        self.idom.update(lost_idom)

    def check_graph(self):
        root = len(self.nodes) - 1
        # A stack or a TLS block without names keeps libc's own blocks as well; so does a stale
        # pointer to what malloc has taken for itself since.
        of_libc = {}
        for o in self.objects:
            above = int(o["dominator"])
            while int(o["address"], 16) not in self.truth.usable and above != root:
                of_libc[above] = of_libc.get(above, 0) + int(o["chunk_size"])
                above = int(self.nodes[above]["dominator"])
        named = {int(o["id"]): int(o["address"], 16) for o in self.objects}
        named[root] = "root"
        for address in self.truth.usable:
            o = self.told.get(address)
            if o is None:
                continue
            self.same("leak kind of " + hex(address), o["leak_kind"], self.kind[address])
            above = int(o["dominator"])
            self.same("dominator of " + hex(address), named.get(above, ("holder", above)),
                      self.idom[address])
            self.same("retained by " + hex(address), o["retained"],
                      self.retained[address] + of_libc.get(int(o["id"]), 0))
        for h in self.holders:
            node = ("holder", int(h["id"]))
            if node in self.held:
                self.same("retained by " + h["name"], h["retained"],
                          self.retained.get(node, 0) + of_libc.get(node[1], 0))
        # Nobody but the truth's roots holds a block of the truth's.
        known = {n[1] for n in self.held}
        for o in self.objects:
            if int(o["address"], 16) in self.truth.usable and int(o["dominator"]) >= len(self.objects):
                if int(o["dominator"]) not in known and int(o["dominator"]) != root:
                    self.wrong("a stranger holds", o["address"], self.nodes[int(o["dominator"])]["name"])

    def check_nodes(self):
        """Objects, then holders, the super root last; each says what its own table says."""
        count = len(self.objects)
        for i, n in enumerate(self.nodes):
            self.same("id of node", n["id"], i)
        for o in self.objects:
            n = self.nodes[int(o["id"])]
            for column in ("address", "retained", "dominator"):
                self.same("node %s's %s" % (o["id"], column), n[column], o[column])
        for i, h in enumerate(self.holders):
            self.same("id of holder", h["id"], count + i)
            self.same("retained of node " + h["id"], self.nodes[count + i]["retained"], h["retained"])
        self.same("number of nodes", len(self.nodes), count + len(self.holders) + 1)

    def run(self):
        self.check_objects()
        self.check_chunks()
        self.check_nodes()
        self.read_graph()
        self.compute()
        self.check_graph()
        counts = {}
        for kind in self.kind.values():
            counts[kind] = counts.get(kind, 0) + 1
        strangers = [o for a, o in self.told.items() if a not in self.truth.usable]
        print("%d objects: %s; %d freed; besides %d of libc, %d of them the allocator's"
              % (len(self.truth.usable), ", ".join("%d %s" % (counts[k], k) for k in sorted(counts)),
                 len(self.truth.freed), len(strangers),
                 sum(o["kind"] == "allocator" for o in strangers)))
        # A stranger who holds something explains the rest.
        self.errors.sort(key=lambda error: not error.startswith("a stranger"))
        for error in self.errors[:20]:
            print("WRONG:", error)
        if self.errors:
            print(len(self.errors), "differences")
        return 1 if self.errors else 0


if __name__ == "__main__":
    if len(sys.argv) < 5:
        sys.exit(__doc__)
    sys.exit(Check(sys.argv[1:]).run())
