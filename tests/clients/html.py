"""
html.py CHROMIUM FOLDER - the checks of html.sh: what a person, a keyboard and a screen reader find
in the pages, against what the program's JSON says.
"""
import json
import os
import re
import sys

from chromium import Browser

program, work = sys.argv[1:3]
shots = os.environ.get("HF_SHOTS")
bad = []


def check(what, is_, should):
    if is_ != should:
        bad.append("WRONG: %s is %r, should be %r" % (what, is_, should))


def read(name):
    with open(os.path.join(work, name), encoding="utf-8") as file:
        return file.read()


def shot(page, name):
    if shots:
        os.makedirs(shots, exist_ok=True)
        page.shot(os.path.join(shots, name + ".png"))


def opened(page, name):
    """Open FOLDER/name; nothing may be logged, nothing but the file be asked for."""
    page.problems.clear()
    page.requests.clear()
    page.open(os.path.join(work, name))
    check(name + ": problems", page.problems, [])
    others = [url for url in page.requests if url != "file://" + os.path.join(work, name)]
    check(name + ": requests", others, [])
    check(name + ": hacked", page.eval("window.hacked === undefined"), True)


# ---- the file as it is -------------------------------------------------------------------------


def data_of(name):
    text = read(name)
    inside = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.S).group(1)
    check(name + ": markup in the data", [c for c in "<>&'\u2028\u2029" if c in inside], [])
    check(name + ": scripts", text.count("<script"), 2)
    check(name + ": style attributes, handlers", re.findall(r"<[^>]* (?:style|on\w+)=", text.split("<script")[0]), [])
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


def check_mixed(data, summary):
    heap = summary["heap"]
    fields = data["fields"]
    for key, of in (("inuse_bytes", "inuse_bytes"), ("objects", "objects"), ("lost_bytes", "leaked_bytes"),
                    ("lost_count", "leaked_objects"), ("free_bytes", "free_bytes")):
        check("mixed: " + key, fields[key], heap[of])
    children = check_tree("mixed", data)
    check_memory("mixed", data)
    tops = {column(data, "tree", "kind")[i]: i for i in children[0]}
    retained = column(data, "tree", "retained_bytes")
    check("mixed: lost, in the tree", retained[tops["lost"]], heap["leaked_bytes"])
    check("mixed: the tree had to be pruned", fields["tree_merged"] > 1000, True)
    check("mixed: nodes", data["tables"]["tree"]["rows"] <= 16000, True)
    kinds = column(data, "groups", "kind")
    check("mixed: kinds of leaks", sorted(set(kinds)), ["definite", "possible"])
    # 300 pairs point at each other: a leader and what it drags along.
    group = kinds.index("definite")
    check("mixed: lost pairs", column(data, "groups", "count")[group], 300)
    chain = [i for i, of in enumerate(column(data, "chains", "group")) if of == group]
    check("mixed: links of a lost pair", len(chain), 1 + (data["tables"]["chains"]["depth"][chain[-1]] > 0))


# ---- the page in use -----------------------------------------------------------------------------

ZOOM = "[...document.querySelectorAll('.crumbs li')].pop().textContent"
FIRST = "document.querySelector('.icicle .block').textContent"
FOCUS = "document.activeElement.getAttribute('aria-label') || ''"


def block(page, text, mark):
    """Mark the block that begins with @text, so that it can be clicked."""
    return page.eval("""(() => {
        const block = [...document.querySelectorAll('.icicle .block')].find(b => (b.getAttribute('aria-label') || '').startsWith(%s));
        if (block) block.id = %s;
        return block ? block.getAttribute('aria-label') : null;
    })()""" % (json.dumps(text), json.dumps(mark)))


def use_tree_by_mouse(page):
    check("zoomed, at first", page.eval(ZOOM), "heap in use")
    check("a block for g_tree", (block(page, "g_tree", "aim") or "").split(" (")[0], "g_tree")
    page.click("#aim")
    check("zoomed by a click", page.eval(ZOOM).split(" (")[0], "g_tree")
    check("the first block", page.eval(FIRST).startswith("g_tree"), True)
    check("breadcrumbs", page.eval("document.querySelectorAll('.crumbs li').length"), 2)
    check("parts below it", page.eval("document.querySelectorAll('#x-tree .datatable tbody tr').length") >= 1, True)
    check("the command", page.eval("document.querySelector('.detail .command').textContent").startswith("heapforensics dominators "), True)
    page.click(".crumbs button")
    check("zoomed out by a breadcrumb", page.eval(ZOOM), "heap in use")
    page.click("#x-tree .datatable tbody button.link")
    check("zoomed by the table", page.eval(ZOOM) != "heap in use", True)
    page.click(".icicle .block")
    check("zoomed out by the first block", page.eval(ZOOM), "heap in use")
    page.click("#x-tree .choice input[value=objects] + span")
    check("by objects", "objects" in page.eval("document.querySelector('#x-tree .choice input:checked').value"), True)
    page.click("#x-tree .choice input[value=kind] + span")
    check("legend by kind", page.eval("[...document.querySelectorAll('#x-tree .legend .name')].some(n => n.textContent === 'lost')"), True)


def use_tree_by_key(page):
    page.eval("document.querySelector('.icicle .block').focus()")
    check("in focus", page.eval(FOCUS).startswith("heap in use"), True)
    page.key("ArrowDown")
    child = page.eval(FOCUS)
    check("down", child != "" and not child.startswith("heap in use"), True)
    page.key("ArrowRight")
    check("right", page.eval(FOCUS) not in ("", child), True)
    page.key("ArrowLeft")
    check("left", page.eval(FOCUS), child)
    page.key("Enter")
    check("zoomed by Enter", child.startswith(page.eval(ZOOM)), True)
    page.key("ArrowDown")
    page.key("Enter")
    check("two levels down", page.eval("document.querySelectorAll('.crumbs li').length"), 3)
    page.key("Escape")
    check("Escape", page.eval("document.querySelectorAll('.crumbs li').length"), 2)
    page.key("Backspace")
    check("Backspace", page.eval(ZOOM), "heap in use")
    check("the focus is where it came from", page.eval(FOCUS), child)
    page.key("Enter")
    page.key("Home")
    check("Home", page.eval(ZOOM), "heap in use")


def use_search(page):
    page.eval("document.activeElement.blur()")
    page.key("/")
    check("/ goes to the search", page.eval("document.activeElement.type"), "search")
    page.type("g_sessions")
    check("found", page.eval("document.querySelector('#x-tree .found').textContent").startswith("1 part, "), True)
    check("marked", page.eval("document.querySelectorAll('.icicle .match').length") >= 1, True)
    page.key("Enter")
    check("the match is in focus", page.eval("document.querySelector('.icicle [tabindex=\"0\"]').getAttribute('aria-label')").split(" (")[0], "g_sessions")
    page.key("Escape")
    check("Escape clears", page.eval("document.querySelector('#x-tree .search').value"), "")
    page.click("#x-tree .search")
    page.type("needle number")
    check("text is found", page.eval("document.querySelector('#x-tree .found').textContent") != "nothing found", True)
    page.key("Escape")
    page.type("no such thing")
    check("nothing", page.eval("document.querySelector('#x-tree .found').textContent"), "nothing found")
    page.key("Escape")


ROWS = "[...document.querySelectorAll('#x-types tbody tr')].map(r => r.cells[%d].textContent)"


def use_types(page):
    names, counts = page.eval(ROWS % 0), page.eval(ROWS % 1)
    page.click("#x-types [data-key=count]")
    check("sorted by a click", page.eval("document.querySelector('#x-types [data-key=count]').parentElement.getAttribute('aria-sort')"), "descending")
    numbers = [int(n.replace(",", "")) for n in page.eval(ROWS % 1)]
    check("in order", numbers, sorted(numbers, reverse=True))
    page.key("Enter")  # the header keeps the focus
    numbers = [int(n.replace(",", "")) for n in page.eval(ROWS % 1)]
    check("turned round by Enter", numbers, sorted(numbers))
    check("as many rows", len(numbers), len(counts))
    page.click("#x-types .search")
    page.type(names[0][:8])
    left = page.eval(ROWS % 0)
    check("filtered", 0 < len(left) and all(names[0][:8].lower() in n.lower() for n in left), True)


def use_charts(page):
    for section in ("#x-sizes", "#x-memory"):
        page.eval("document.querySelector('%s .cursor').focus()" % section)
        first = page.eval("document.activeElement.getAttribute('aria-valuetext')")
        page.key("ArrowRight")
        second = page.eval("document.activeElement.getAttribute('aria-valuetext')")
        check(section + ": the cursor tells", bool(first) and bool(second) and first != second, True)
    check("regions", page.eval("document.querySelectorAll('#x-memory svg.region path').length") >= 4, True)


def use_leaks(page):
    page.click("#x-leaks details:nth-child(2) summary")
    check("a leak opens", page.eval("document.querySelector('#x-leaks details:nth-child(2)').open"), True)
    check("with its chain", page.eval("document.querySelectorAll('#x-leaks .chain tbody tr').length") >= 3, True)


def check_access(page):
    """Whatever can be used has a name, and there is a way past the navigation."""
    nodes = page.call("Accessibility.getFullAXTree")["nodes"]
    roles = {"button", "link", "treeitem", "searchbox", "slider", "radio", "region", "navigation", "tree"}
    nameless = [n["role"]["value"] for n in nodes if not n.get("ignored") and
                n.get("role", {}).get("value") in roles and not n.get("name", {}).get("value")]
    check("nameless things", nameless, [])
    seen = {n["role"]["value"] for n in nodes if not n.get("ignored") and "role" in n}
    check("roles", {"tree", "treeitem", "main", "navigation", "searchbox", "slider"} - seen, set())
    page.eval("window.scrollTo(0, 0)")
    page.key("Tab")
    levels = page.eval("[...document.querySelectorAll('.icicle [role=treeitem]')].every(b => b.ariaLevel && b.ariaSetSize && b.ariaPosInSet)")
    check("items say where they are", levels, True)


def check_looks(page, name):
    for width in (1280, 420):
        page.size(width, 900)
        page.settle()
        check("%s: wider than %d" % (name, width), page.eval("document.documentElement.scrollWidth"), width)
        shot(page, "%s-%d" % (name, width))
    page.size(1280, 900)
    back = "getComputedStyle(document.body).backgroundColor"
    page.media("light")
    light = page.eval(back)
    page.media("dark")
    check(name + ": dark is another colour", page.eval(back) != light, True)
    shot(page, name + "-dark")
    page.click("#theme")  # light, whatever the system says
    check(name + ": light by choice", page.eval(back), light)
    page.media("light", "print")
    check(name + ": no navigation on paper", page.eval("getComputedStyle(document.getElementById('nav')).display"), "none")
    shot(page, name + "-print")
    page.media("light")


def main():
    mixed, summary = data_of("mixed.html"), json.loads(read("mixed.json"))
    check_mixed(mixed, summary)
    diff, told = data_of("diff.html"), json.loads(read("diff.json"))
    totals = {row["figure"]: row for row in told["heap"]["totals"]}
    check("diff: before and after", (diff["fields"]["before_bytes"], diff["fields"]["inuse_bytes"]),
          (totals["heap_bytes"]["before"], totals["heap_bytes"]["after"]))
    big = data_of("big.html")
    check_tree("big", big)
    check_memory("big", big)
    size = os.path.getsize(os.path.join(work, "big.html"))
    print("big: %d objects, %d bytes, %d groups merged" % (big["fields"]["objects"], size, big["fields"]["tree_merged"]))
    check("big: under 10 MB", size < 10e6, True)
    check("big: a million objects", big["fields"]["objects"] > 990000, True)
    with Browser(program) as page:
        page.media("light")
        opened(page, "mixed.html")
        check("hostile text is text", page.eval("document.body.innerText.includes('</title><script>window.hacked=1</script>')"), True)
        check("verdict first", page.eval("document.querySelector('main section').id"), "s-verdict")
        check("merged is said", page.eval("document.getElementById('x-tree').innerText.includes('merged')"), True)
        use_tree_by_mouse(page)
        use_tree_by_key(page)
        use_search(page)
        use_types(page)
        use_charts(page)
        use_leaks(page)
        check_access(page)
        check_looks(page, "mixed")
        check("mixed: problems in use", page.problems, [])
        opened(page, "diff.html")
        check("diff: a block that grew", (block(page, "g_sessions", "aim") or "").split(" (")[0], "g_sessions")
        page.click("#aim")
        check("diff: zoomed", page.eval(ZOOM).split(" (")[0], "g_sessions")
        check_looks(page, "diff")
        for name in ("leaks.html", "cut.html", "big.html"):
            opened(page, name)
            check(name + ": problems in use", page.problems, [])
        check("big: blocks", page.eval("document.querySelectorAll('.icicle .block').length") > 8, True)
    print("\n".join(bad))
    return bool(bad)


sys.exit(main())
