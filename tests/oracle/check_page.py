"""
check_page.py FOLDER - the pages of a folder as files (no browser): well-formed, self-contained,
escaped; their data adds up and says what the program's JSON says.

For page.html there is page.json, `summary --json` of the same core (of diff.html `diff --json`).
"""
import html.parser
import json
import os
import re
import sys

work = sys.argv[1]
bad = []


def check(what, is_, should):
    if is_ != should:
        bad.append("WRONG: %s is %r, should be %r" % (what, is_, should))


def read(name):
    with open(os.path.join(work, name), encoding="utf-8") as file:
        return file.read()


class Reader(html.parser.HTMLParser):
    """Elements nest, ids are unique, links stay in the page, nothing is loaded or run inline."""

    void = {"meta", "link", "br", "input", "img", "hr"}

    def __init__(self):
        super().__init__()
        self.open, self.ids, self.targets, self.wrong, self.text = [], set(), set(), [], []

    def handle_starttag(self, tag, attrs):
        for key, value in attrs:
            if key == "id":
                if value in self.ids:
                    self.wrong.append("id %s twice" % value)
                self.ids.add(value)
            if key in ("href", "src", "action", "data", "srcset", "poster"):
                if value.startswith("#"):
                    self.targets.add(value[1:])
                elif value != "data:,":
                    self.wrong.append("%s=%s" % (key, value))
            if key == "style" or key.startswith("on"):
                self.wrong.append("attribute " + key)
        if tag not in self.void:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):  # <rect/>
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append("</%s> at line %d" % (tag, self.getpos()[0]))

    def handle_data(self, data):
        if "script" not in self.open and "style" not in self.open:
            self.text.append(data)


def check_markup(name):
    text = read(name)
    reader = Reader()
    reader.feed(text)
    reader.close()
    check(name + ": markup", reader.wrong + reader.open, [])
    check(name + ": links without a target", reader.targets - reader.ids, set())
    check(name + ": scripts", text.count("<script"), 2)
    check(name + ": control characters", sorted(set(re.findall("[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\u2028\u2029\u202e]", text))), [])
    check(name + ": policy", "default-src 'none'" in text, True)
    return "".join(reader.text)


def data_of(name):
    text = read(name)
    inside = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.S).group(1)
    check(name + ": markup in the data", [c for c in "<>&'\u2028\u2029" if c in inside], [])
    return json.loads(inside)


def column(data, table, key):
    of = data["tables"][table]["columns"][key]
    return [data["strings"][v] if v >= 0 else None for v in of["values"]] if of["kind"] == "text" else of["values"]


def check_tree(name, data):
    """Every node is the sum of its own bytes and of what is below it."""
    depth = data["tables"]["tree"]["depth"]
    retained, own = column(data, "tree", "retained_bytes"), column(data, "tree", "shallow_bytes")
    count = column(data, "tree", "count")
    above, children = [], {}
    for i, level in enumerate(depth):
        del above[level:]
        if above:
            children.setdefault(above[-1], []).append(i)
        above.append(i)
    wrong = [i for i, below in children.items()
             if retained[i] != own[i] + sum(retained[k] for k in below)]
    check(name + ": nodes that are not the sum of their parts", wrong, [])
    check(name + ": one root", depth.count(0), 1)
    check(name + ": empty rests", [i for i, kind in enumerate(column(data, "tree", "kind"))
                                   if kind == "rest" and not count[i]], [])
    return children


def check_memory(name, data):
    """The maps and the sums agree."""
    used = sum(column(data, "arenas", "inuse_bytes")) + data["fields"]["mmapped_bytes"]
    check(name + ": arenas and mmapped", used, data["fields"]["inuse_bytes"])
    sizes = sum(column(data, "sizes", "inuse_bytes"))
    check(name + ": sizes", sizes, data["fields"]["inuse_bytes"])
    cells, regions = data["tables"]["cells"]["rows"], column(data, "regions", "cells")
    check(name + ": cells", cells, sum(regions))
    if not data["fields"]["regions_merged"]:
        for state in ("tcache", "bins", "top"):
            check(name + ": cells, " + state, sum(column(data, "cells", state)),
                  sum(column(data, "arenas", state + "_bytes")))
        for i, arena in enumerate(column(data, "arenas", "arena")):
            parts = [column(data, "arenas", key)[i] for key in
                     ("inuse_bytes", "tcache_bytes", "bins_bytes", "top_bytes", "overhead_bytes")]
            check("%s: parts of arena %d" % (name, arena), sum(parts) >= column(data, "arenas", "system_bytes")[i], True)


def check_page(data, summary):
    heap = summary["heap"]
    fields = data["fields"]
    for key, of in (("inuse_bytes", "inuse_bytes"), ("objects", "objects"), ("lost_bytes", "leaked_bytes"),
                    ("lost_count", "leaked_objects"), ("free_bytes", "free_bytes")):
        check("page: " + key, fields[key], heap[of])
    children = check_tree("page", data)
    check_memory("page", data)
    tops = {column(data, "tree", "kind")[i]: i for i in children[0]}
    retained = column(data, "tree", "retained_bytes")
    check("page: lost, in the tree", retained[tops["lost"]], heap["leaked_bytes"])
    check("page: the tree had to be pruned", fields["tree_merged"] > 1000, True)
    check("page: nodes", data["tables"]["tree"]["rows"] <= 16000, True)
    kinds = column(data, "groups", "kind")
    check("page: kinds of leaks", sorted(set(kinds)), ["definite", "possible"])
    # 300 pairs point at each other: a leader and what it drags along.
    group = kinds.index("definite")
    check("page: lost pairs", column(data, "groups", "count")[group], 300)
    chain = [i for i, of in enumerate(column(data, "chains", "group")) if of == group]
    check("page: links of a lost pair", len(chain), 1 + (data["tables"]["chains"]["depth"][chain[-1]] > 0))


def check_diff(data, told):
    totals = {row["figure"]: row for row in told["heap"]["totals"]}
    fields = data["fields"]
    check("diff: the heap", (fields["before_bytes"], fields["inuse_bytes"]),
          (totals["heap_bytes"]["before"], totals["heap_bytes"]["after"]))
    check("diff: lost", (fields["before_lost_bytes"], fields["lost_bytes"]),
          (totals["leaked_bytes"]["before"], totals["leaked_bytes"]["after"]))
    depth, before = data["tables"]["tree"]["depth"], column(data, "tree", "before_bytes")
    after, types = column(data, "tree", "after_bytes"), data["tables"]["types"]["rows"]
    tops = [i for i, level in enumerate(depth) if level == 1]
    growth = sum(after[i] - before[i] for i in tops)
    check("diff: growth by holder adds up", growth, fields["inuse_bytes"] - fields["before_bytes"])
    by_type = [a - b for a, b in zip(column(data, "types", "after_bytes"), column(data, "types", "before_bytes"))]
    check("diff: growth by type adds up", sum(by_type), growth)
    check("diff: types", types, len(told["types"]["types"]))


def main():
    for name in sorted(os.listdir(work)):
        if not name.endswith(".html"):
            continue
        text = check_markup(name)
        if name == "page.html":
            check("page: the command line is text", "</title><script>window.hacked=1</script>" in text, True)
        if data_of(name).get("tables") and name not in ("page.html", "diff.html"):
            if data_of(name)["tables"].get("tree"):
                check_tree(name, data_of(name))
                check_memory(name, data_of(name))
    check_page(data_of("page.html"), json.loads(read("page.json")))
    check_diff(data_of("diff.html"), json.loads(read("diff.json")))
    print("\n".join(bad))
    return bool(bad)


sys.exit(main())
