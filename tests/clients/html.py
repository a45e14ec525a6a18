"""
html.py CHROMIUM FOLDER - the checks of html.sh: what a person, a keyboard and a screen reader find
in the pages.
"""
import json
import os
import sys

from chromium import Browser

program, work = sys.argv[1:3]
shots = os.environ.get("HF_SHOTS")
bad = []


def check(what, is_, should):
    if is_ != should:
        bad.append("WRONG: %s is %r, should be %r" % (what, is_, should))


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


def use_narrow_parts(page):
    """Blocks that are too narrow share one that opens."""
    page.eval("""(() => {
        const block = [...document.querySelectorAll('.icicle .more')].pop();
        block.id = 'narrow';
    })()""")
    name = page.eval("document.getElementById('narrow').getAttribute('aria-label').split(', ')[0]")
    page.click("#narrow")
    check("narrow parts are opened", page.eval(ZOOM), name)
    parts = int(name.split()[0].replace(",", ""))
    drawn = page.eval("document.querySelectorAll('.icicle .block[aria-level=\"2\"]').length")
    check("and seen", 0 < drawn <= parts + 1, True)
    check("wide enough", page.eval("[...document.querySelectorAll('.icicle .block[aria-level=\"2\"]')].some(b => b.offsetWidth >= 8)"), True)
    crumbs = page.eval("[...document.querySelectorAll('.crumbs li')].map(c => c.textContent)")
    page.key("Escape")
    check("back to all of them", page.eval(ZOOM), crumbs[-2])
    page.key("Home")


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


def use_types_in_tree(page):
    name = page.eval(ROWS % 0)[0]
    page.click("#x-types tbody button.link")
    check("a type leads to the tree", page.eval("document.querySelector('#x-tree .search').value"), name)
    check("and is found there", page.eval("document.querySelector('#x-tree .found').textContent") != "nothing found", True)
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
    check("the types", len(names) > 5, True)
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


def use_findings(page):
    finding = "document.querySelector('#x-findings .finding')"
    check("the tile", "finding" in page.eval("document.querySelector('#tiles .bad').textContent"), True)
    check("the first finding is open", page.eval(finding + ".open"), True)
    check("the culprit is told", "written past the end of 0x" in page.eval(finding + ".innerText"), True)
    check("the broken word is marked", page.eval(finding + ".querySelectorAll('mark').length"), 1)
    page.click("#x-findings .finding summary")
    check("it closes", page.eval(finding + ".open"), False)
    page.key("Enter")
    check("and opens by key", page.eval(finding + ".open"), True)


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
    size = os.path.getsize(os.path.join(work, "big.html"))
    print("big: %d bytes" % size)
    check("big: under 10 MB", size < 10e6, True)
    with Browser(program) as page:
        page.media("light")
        opened(page, "page.html")
        check("hostile text is text", page.eval("document.body.innerText.includes('</title><script>window.hacked=1</script>')"), True)
        check("verdict first", page.eval("document.querySelector('main section').id"), "s-verdict")
        check("merged is said", page.eval("document.getElementById('x-tree').innerText.includes('merged')"), True)
        use_tree_by_mouse(page)
        use_tree_by_key(page)
        use_narrow_parts(page)
        use_search(page)
        use_types(page)
        use_types_in_tree(page)
        use_charts(page)
        use_leaks(page)
        check_access(page)
        check_looks(page, "page")
        check("page: problems in use", page.problems, [])
        opened(page, "diff.html")
        check("diff: a block that grew", (block(page, "g_sessions", "aim") or "").split(" (")[0], "g_sessions")
        page.click("#aim")
        check("diff: zoomed", page.eval(ZOOM).split(" (")[0], "g_sessions")
        check_looks(page, "diff")
        opened(page, "corrupt.html")
        use_findings(page)
        shot(page, "corrupt")
        for name in ("leaks.html", "cut.html", "big.html"):
            opened(page, name)
            check(name + ": problems in use", page.problems, [])
        check("big: a million objects", page.eval("HF.data.fields.objects") > 990000, True)
        check("big: blocks", page.eval("document.querySelectorAll('.icicle .block').length") > 8, True)
    print("\n".join(bad))
    return bool(bad)


sys.exit(main())
